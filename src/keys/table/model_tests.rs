//! Models of publication and deletion.

use std::sync::atomic::{AtomicBool, Ordering};

use super::tests::remove;
use super::*;
use crate::sync::check;

fn secret(number: u8) -> (SecretKey, KeyOrigin) {
    let key = SecretKey::fill(|slot| slot[31] = number);
    let secret = key.unwrap_or_else(|_| unreachable!("a small number is a key"));
    (secret, KeyOrigin::default())
}

/// Fails when `change` does not hold `writing`: one of two changes is lost.
#[test]
fn no_change_is_lost_when_threads_publish_at_once() {
    check(2_000, || {
        let table = Arc::new(KeyTable::new());
        let there = table.insert(vec![secret(1)]);
        let mut threads = Vec::new();
        for number in 2..5 {
            let table = Arc::clone(&table);
            threads.push(thread::spawn(move || table.insert(vec![secret(number)])));
        }
        assert_eq!(remove(&table, &there), there);
        let mut keys = Vec::new();
        for thread in threads {
            keys.extend(thread.join().unwrap());
        }
        keys.sort_unstable();
        assert_eq!(table.list(), keys);
    });
}

/// Fails when `Withdrawn::wait` does not wait, or takes one more reference for its own: a signer has the key
/// after its deletion.
#[test]
fn nobody_has_a_key_once_its_removal_has_returned() {
    check(10_000, || {
        let table = Arc::new(KeyTable::new());
        let keys = table.insert(vec![secret(1)]);
        let is_removed = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..2 {
            let table = Arc::clone(&table);
            let is_removed = Arc::clone(&is_removed);
            let key = keys[0];
            threads.push(thread::spawn(move || {
                while let Found::Ready(secret) = table.find(&key) {
                    // The signature.
                    thread::sleep(Duration::ZERO);
                    assert!(!is_removed.load(Ordering::Relaxed), "a deleted key signs");
                    assert_eq!(secret.public_key(), key);
                }
            }));
        }
        assert_eq!(remove(&table, &keys), keys);
        is_removed.store(true, Ordering::Relaxed);
        assert!(matches!(table.find(&keys[0]), Found::Unknown));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Fails when `restore` does not look for a key that came meanwhile.
#[test]
fn a_key_that_is_put_back_while_it_is_imported_is_there_once() {
    check(2_000, || {
        let table = Arc::new(KeyTable::new());
        let keys = table.insert(vec![secret(1)]);
        let importing = Arc::clone(&table);
        let import = thread::spawn(move || importing.insert(vec![secret(1)]));
        let withdrawn = table.withdraw(&keys);
        withdrawn.wait();
        table.restore(withdrawn);
        import.join().unwrap();
        assert_eq!(table.list(), keys);
    });
}
