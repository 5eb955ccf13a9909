//! The key table: what readers see while keys come and go, and that deletion is final.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::consensus::primitives::{PublicKey, Root, Signature};
use crate::consensus::slashable::Slashable;
use crate::keys::secret::SecretKey;
use crate::keys::table::{Found, KeyOrigin, KeyTable};
use crate::slashing::{Cleared, Protection};

/// A key of a scalar that is easy to tell from the others.
fn numbered(number: u64) -> SecretKey {
    let mut scalar = [0; 32];
    scalar[24..].copy_from_slice(&number.to_be_bytes());
    SecretKey::fill(|slot| *slot = scalar).expect("a small number is a secret key")
}

fn cleared(key: &SecretKey, root: Root) -> Cleared {
    Protection::Off
        .clear(&key.public_key(), &Slashable::Never, root)
        .expect("nothing to protect")
}

fn batch(numbers: impl IntoIterator<Item = u64>) -> Vec<(SecretKey, KeyOrigin)> {
    numbers
        .into_iter()
        .map(|number| (numbered(number), KeyOrigin::default()))
        .collect()
}

/// Removes these keys, ready or pending, as a deletion does. Returns those that were ready.
pub(super) fn remove(table: &KeyTable, keys: &[PublicKey]) -> Vec<PublicKey> {
    let withdrawn = table.withdraw(keys);
    table.forget(keys);
    withdrawn.wait();
    withdrawn.keys()
}

fn is_ready(table: &KeyTable, key: &PublicKey) -> bool {
    matches!(table.find(key), Found::Ready(secret) if secret.public_key() == *key)
}

#[test]
fn keys_are_found_listed_in_order_and_gone_when_removed() {
    let table = KeyTable::new();
    assert_eq!(table.len(), 0);
    let new = table.insert(batch(1..=300));
    assert_eq!(new.len(), 300);
    assert_eq!(table.len(), 300);
    assert!(new.iter().all(|key| is_ready(&table, key)));
    assert!(table.list().is_sorted());
    assert_eq!(
        table
            .entries()
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>(),
        table.list()
    );

    let (removed, kept) = new.split_at(100);
    assert_eq!(remove(&table, removed), removed);
    assert_eq!(
        remove(&table, removed),
        [],
        "a second time there is nothing to remove"
    );
    assert!(
        removed
            .iter()
            .all(|key| matches!(table.find(key), Found::Unknown))
    );
    assert!(kept.iter().all(|key| is_ready(&table, key)));
    assert_eq!(table.list().len(), 200);
}

#[test]
fn of_a_key_that_comes_twice_the_first_copy_stays() {
    let table = KeyTable::new();
    let first = KeyOrigin {
        derivation_path: Some("m/12381/3600/0/0/0".to_owned()),
        readonly: true,
        file: Some(PathBuf::from("/keys/first.json")),
    };
    let keys = vec![
        (numbered(1), first.clone()),
        (numbered(1), KeyOrigin::default()),
    ];
    let new = table.insert(keys);
    assert_eq!(new, [numbered(1).public_key()]);
    assert_eq!(table.insert(batch([1, 2])), [numbered(2).public_key()]);
    assert!(table.entries().contains(&(new[0], first)));
}

#[test]
fn a_key_that_is_still_being_decrypted_is_pending_until_it_is_inserted_or_forgotten() {
    let table = KeyTable::new();
    let [first, second, third] = [1, 2, 3].map(|number| numbered(number).public_key());
    table.insert(batch([3]));
    table.expect(vec![first, second, third, first]);
    assert!(matches!(table.find(&first), Found::Pending));
    assert!(matches!(table.find(&second), Found::Pending));
    assert!(is_ready(&table, &third), "what is ready stays ready");
    assert_eq!(table.len(), 1, "a pending key cannot sign");

    table.insert(batch([1]));
    table.forget(&[first, second, third]);
    assert!(is_ready(&table, &first));
    assert!(matches!(table.find(&second), Found::Unknown));
    assert!(is_ready(&table, &third));

    table.expect(vec![second]);
    remove(&table, &[second]);
    assert!(
        matches!(table.find(&second), Found::Unknown),
        "removed means unknown"
    );
}

#[test]
fn readers_see_a_batch_as_a_whole() {
    const KEYS: u64 = 64;
    let table = KeyTable::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                let keys = table.insert(batch(1..=KEYS));
                remove(&table, &keys);
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let keys = table.list().len();
            assert!(keys == 0 || keys == 64, "{keys} of {KEYS} keys");
        }
    });
}

/// Threads that sign with whatever keys they find, while those are removed and inserted again: ten
/// keys at a time, a thousand times, each time after as many signatures as there are signers.
#[test]
fn no_signature_starts_or_ends_after_its_key_was_removed() {
    const KEYS: u64 = 10;
    const ROUNDS: u64 = 1_000;
    const SIGNERS: u64 = 8;
    let root = Root([7; 32]);
    let table = KeyTable::new();
    let keys: Vec<Watched> = (1..=KEYS)
        .map(|number| Watched::new(&numbered(number), root))
        .collect();
    let names: Vec<PublicKey> = keys.iter().map(|key| key.name).collect();
    let done = AtomicBool::new(false);
    let signatures = AtomicU64::new(0);
    thread::scope(|scope| {
        let signer = |number: u64| {
            let (table, keys, done, signatures) = (&table, &keys, &done, &signatures);
            scope.spawn(move || {
                for key in keys.iter().cycle().skip(usize::try_from(number).unwrap()) {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    match table.find(&key.name) {
                        Found::Ready(secret) => {
                            key.sign(&secret, root);
                            signatures.fetch_add(1, Ordering::SeqCst);
                        }
                        Found::Pending | Found::Unknown => thread::yield_now(),
                    }
                }
            })
        };
        let signers: Vec<_> = (0..SIGNERS).map(signer).collect();
        'rounds: for round in 0..ROUNDS {
            let batch = batch(1..=KEYS);
            keys.iter().for_each(Watched::comes);
            assert_eq!(table.insert(batch).len(), names.len());
            while signatures.load(Ordering::SeqCst) < SIGNERS * round {
                if signers.iter().any(|signer| signer.is_finished()) {
                    break 'rounds; // It panicked, which the end of the scope passes on.
                }
                thread::yield_now();
            }
            assert_eq!(remove(&table, &names), names);
            keys.iter().for_each(Watched::went);
        }
        done.store(true, Ordering::SeqCst);
    });
}

/// A key, its signature, and how often it came and went: an odd number while it is there.
struct Watched {
    name: PublicKey,
    signature: Signature,
    moves: AtomicU64,
}

impl Watched {
    fn new(secret: &SecretKey, root: Root) -> Self {
        let signature = secret.sign(cleared(secret, root));
        Self {
            name: secret.public_key(),
            signature,
            moves: AtomicU64::new(0),
        }
    }

    fn comes(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    fn went(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    /// Signs, and checks that the key neither went meanwhile nor was gone before.
    fn sign(&self, secret: &SecretKey, root: Root) {
        let before = self.moves.load(Ordering::SeqCst);
        let signature = secret.sign(cleared(secret, root));
        let after = self.moves.load(Ordering::SeqCst);
        assert!(
            before % 2 == 1,
            "a signature started after its key was removed"
        );
        assert_eq!(before, after, "a key was removed while it signed");
        assert_eq!(
            signature, self.signature,
            "a scalar changed while it signed"
        );
    }
}
