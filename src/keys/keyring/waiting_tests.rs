//! Waiting for keys that are being loaded: for one key, and for the end of the first load.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::consensus::primitives::PublicKey;
use crate::keys::keyring::Keyring;
use crate::keys::keyring_state::KeyringSettings;
use crate::keys::sources::{KeystoreDirectory, PasswordFiles, Sources};
use crate::keys::table::{Found, KeyTable};
use crate::keys::waiters::KeyArrival;
use crate::slashing::Protection;
use crate::testing::keystores::keystore_at;
use crate::testing::scratch::Scratch;

/// More than any of these tests takes.
const LONG: Duration = Duration::from_secs(120);

/// Writes keystores that take a moment to open, in the order of their names; returns their keys.
fn put_slow(scratch: &Scratch, count: u32) -> Vec<PublicKey> {
    let mut keys = Vec::new();
    for number in 0..count {
        let kdf = json!({"function": "scrypt", "params": {"n": 1 << 16, "r": 8, "p": 1}});
        let (key, keystore, password) = keystore_at(number, kdf);
        scratch.write(&format!("{number:02}.json"), keystore);
        scratch.write(&format!("{number:02}.txt"), password);
        keys.push(key);
    }
    keys
}

/// Loads a directory, one derivation at a time.
fn start(scratch: &Scratch) -> (Arc<Keyring>, Arc<KeyTable>) {
    let sources = Sources {
        keystore_directories: vec![KeystoreDirectory {
            keystores: scratch.path().to_owned(),
            passwords: PasswordFiles::Dir(scratch.path().to_owned()),
        }],
        ..Sources::default()
    };
    let settings = KeyringSettings {
        decrypt_memory_bytes: Some(1),
        ..KeyringSettings::default()
    };
    let table = Arc::new(KeyTable::new());
    let protection = Arc::new(Protection::Off);
    let keyring = Keyring::start(sources, settings, Arc::clone(&table), protection).unwrap();
    (keyring, table)
}

#[test]
fn a_key_that_a_request_waits_for_is_opened_before_all_others() {
    const KEYS: u32 = 16;
    let scratch = Scratch::new("waiting-next");
    let keys = put_slow(&scratch, KEYS);
    let (keyring, table) = start(&scratch);
    let last = keys[KEYS as usize - 1];
    assert_eq!(keyring.wait_for_key(&last, LONG), KeyArrival::Loaded);
    let before: Vec<bool> = keys[8..15]
        .iter()
        .map(|key| matches!(table.find(key), Found::Ready(_)))
        .collect();
    assert!(before.contains(&false), "it came last");
    assert!(keyring.wait_first_load(LONG));
    assert_eq!(table.len(), keys.len());
}

#[test]
fn a_key_that_cannot_come_is_known_at_once_and_one_that_fails_when_it_has_failed() {
    let scratch = Scratch::new("waiting-unknown");
    let keys = put_slow(&scratch, 8);
    scratch.write("07.txt", "not the password");
    let (keyring, _) = start(&scratch);
    keyring.wait_listed().unwrap();
    let (unknown, ..) = keystore_at(
        99,
        json!({"function": "pbkdf2", "params": {"c": 1, "prf": "hmac-sha256"}}),
    );
    assert_eq!(keyring.wait_for_key(&unknown, LONG), KeyArrival::CannotCome);
    assert!(!keyring.progress().first_load_ended, "loading goes on");
    assert_eq!(keyring.wait_for_key(&keys[7], LONG), KeyArrival::CannotCome);
    assert!(!keyring.progress().first_load_ended, "loading goes on");
}

#[test]
fn a_wait_ends_at_its_deadline_and_many_may_wait_for_one_key() {
    let scratch = Scratch::new("waiting-deadline");
    let keys = put_slow(&scratch, 24);
    let (keyring, _) = start(&scratch);
    let short = Duration::from_millis(1);
    assert_eq!(keyring.wait_for_key(&keys[23], short), KeyArrival::Pending);
    assert!(!keyring.wait_first_load(short));

    let arrivals = thread::scope(|scope| {
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let keyring = &keyring;
            let key = &keys[22];
            waiting.push(scope.spawn(move || keyring.wait_for_key(key, LONG)));
        }
        let mut arrivals = Vec::new();
        for thread in waiting {
            arrivals.push(thread.join().unwrap());
        }
        arrivals
    });
    assert_eq!(arrivals, [KeyArrival::Loaded; 100]);
    assert!(keyring.wait_first_load(LONG));
    assert_eq!(keyring.wait_for_key(&keys[0], short), KeyArrival::Loaded);
}
