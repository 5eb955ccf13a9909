//! Where keys come from: every layout, key configuration files, and what is refused.

#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::consensus::primitives::PublicKey;
use crate::files::FileError;
use crate::keys::keyring::{CHANGES_MAX, ChangePermit, Keyring};
use crate::keys::keyring_state::KeyringSettings;
use crate::keys::progress::{Progress, ReloadStage};
use crate::keys::seed;
use crate::keys::sources::{KeystoreDirectory, MnemonicFiles, PasswordFiles, Sources};
use crate::keys::table::KeyTable;
use crate::slashing::Protection;

use crate::testing::scratch::Scratch;
use crate::testing::vector_files;

fn layouts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/layouts")
}

/// A checkout does not keep mode 0600.
fn checked_out() -> Sources {
    Sources {
        allow_insecure_permissions: true,
        ..Sources::default()
    }
}

fn start(sources: Sources) -> Result<(Arc<Keyring>, Arc<KeyTable>), FileError> {
    let table = Arc::new(KeyTable::new());
    let keyring = Keyring::start(
        sources,
        KeyringSettings::default(),
        Arc::clone(&table),
        Arc::new(Protection::Off),
    )
    .unwrap();
    keyring.wait_listed()?;
    Ok((keyring, table))
}

/// What these sources give: the keys, sorted, and how it went.
fn load(sources: Sources) -> (Vec<PublicKey>, Progress) {
    let (keyring, table) = start(sources).unwrap();
    let progress = keyring.wait_loaded();
    (table.list(), progress)
}

/// The public keys of these interop indices, sorted.
fn interop(indices: impl IntoIterator<Item = u32>) -> Vec<PublicKey> {
    let mut keys: Vec<_> = indices
        .into_iter()
        .map(|index| seed::interop(index).unwrap().public_key())
        .collect();
    keys.sort();
    keys
}

fn keystores(dir: &Path, passwords: PasswordFiles) -> Sources {
    Sources {
        keystore_directories: vec![KeystoreDirectory {
            keystores: dir.to_owned(),
            passwords,
        }],
        ..checked_out()
    }
}

#[test]
fn every_layout_is_recognised_and_each_key_is_opened_once() {
    for name in [
        "eth2-val-tools",
        "lighthouse",
        "nimbus",
        "lodestar",
        "teku",
        "teku-secrets",
        "flat",
        "launchpad",
        "prysm",
    ] {
        let (keys, progress) = load(Sources {
            keys_dirs: vec![layouts().join(name)],
            ..checked_out()
        });
        assert_eq!(progress.failures, [], "{name}");
        assert_eq!(keys, interop(0..2), "{name}");
    }
}

#[test]
fn a_directory_of_no_known_layout_is_an_error_and_not_zero_keys() {
    let scratch = Scratch::new("no-layout");
    scratch.write("notes/readme.md", "nothing here");
    for dir in [scratch.path().to_owned(), scratch.path().join("absent")] {
        let error = start(Sources {
            keys_dirs: vec![dir.clone()],
            ..checked_out()
        })
        .err()
        .unwrap();
        assert!(
            error.to_string().starts_with(&dir.display().to_string()),
            "{error}"
        );
    }
    for passwords in [
        PasswordFiles::Dir(scratch.path().join("absent")),
        PasswordFiles::Dir(layouts().join("flat")),
    ] {
        let error = start(keystores(&scratch.path().join("absent"), passwords))
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("absent: No such file"),
            "{error}"
        );
    }
}

#[test]
fn web3signers_pair_of_directories_and_a_password_for_all() {
    let tree = layouts().join("eth2-val-tools");
    let (keys, _) = load(keystores(
        &tree.join("teku-keys"),
        PasswordFiles::Dir(tree.join("teku-secrets")),
    ));
    assert_eq!(keys, interop(0..2));

    let scratch = Scratch::new("password-for-all");
    for entry in fs::read_dir(layouts().join("launchpad/validator_keys")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("keystore") {
            scratch.write(&format!("keys/{name}"), fs::read(&path).unwrap());
        }
    }
    let password = scratch.write("password", "one for all");
    let sources = keystores(
        &scratch.path().join("keys"),
        PasswordFiles::File(password.into()),
    );
    assert_eq!(
        load(Sources {
            allow_insecure_permissions: false,
            ..sources
        })
        .0,
        interop(0..2)
    );
}

/// Puts the keystore of an interop index and its password into a directory.
fn put(scratch: &Scratch, index: u32) -> (PublicKey, String) {
    let key = seed::interop(index).unwrap().public_key();
    scratch.write(&format!("{key}.txt"), format!("secret of key {index}"));
    let keystore = fs::read(layouts().join(format!("flat/{key}.json"))).unwrap();
    (key, scratch.write(&format!("{key}.json"), keystore))
}

fn pair_in(dir: &Path) -> Sources {
    keystores(dir, PasswordFiles::Dir(dir.to_owned()))
}

#[test]
fn one_bad_keystore_does_not_stop_the_others() {
    let scratch = Scratch::new("one-bad");
    let (good, _) = put(&scratch, 0);
    let (_, wrong) = put(&scratch, 1);
    scratch.write(&wrong.replace(".json", ".txt"), "not it");
    let bad = scratch.write("bad.json", "{\"version\":4}");
    let (keys, progress) = load(pair_in(scratch.path()));
    assert_eq!(
        (keys, progress.failed, progress.pending, progress.complete),
        (vec![good], 2, Some(0), true)
    );
    let reason = |name: &str| {
        progress
            .failures
            .iter()
            .find(|(file, _)| file == name)
            .map(|(_, reason)| reason.as_str())
    };
    assert!(
        reason(&bad).is_some_and(|reason| reason.contains("crypto")),
        "{progress:?}"
    );
    assert!(
        reason(&wrong).is_some_and(|reason| reason.contains("the password is wrong")),
        "{progress:?}"
    );
    assert_eq!(
        progress.verdict(None),
        Err("2 keystores did not open".to_owned())
    );
}

#[test]
fn key_configuration_files_give_raw_keys_and_keystores() {
    for name in ["key-config", "key-config-documents"] {
        let (keys, progress) = load(Sources {
            key_config_path: Some(layouts().join(name)),
            ..checked_out()
        });
        assert_eq!((keys, progress.failures), (interop(0..2), vec![]), "{name}");
    }
}

#[test]
fn a_refused_key_configuration_says_why_and_repeats_no_key() {
    let (keys, progress) = load(Sources {
        key_config_path: Some(layouts().join("key-config-refused")),
        ..checked_out()
    });
    assert_eq!(keys, []);
    let reason = |name: &str| {
        let failure = progress
            .failures
            .iter()
            .find(|(file, _)| file.ends_with(name));
        failure
            .map(|(_, reason)| reason.clone())
            .unwrap_or_default()
    };
    assert!(
        reason("vault.yaml").contains("\"hashicorp\" is not supported: let an agent"),
        "{progress:?}"
    );
    assert!(reason("curve.yaml").contains("only BLS"), "{progress:?}");
    assert!(reason("broken.yaml").contains("line "), "{progress:?}");
    assert!(
        !format!("{progress:?}").contains("25295f0d"),
        "the key is repeated"
    );
}

#[test]
fn a_key_of_two_sources_is_loaded_once() {
    let sources = Sources {
        keys_dirs: vec![layouts().join("flat"), layouts().join("lighthouse")],
        interop: Some(0..3),
        ..checked_out()
    };
    let (keys, progress) = load(sources);
    assert_eq!((keys, progress.failures), (interop(0..3), vec![]));
}

#[test]
fn secrets_that_others_can_read_are_refused_with_the_command_that_helps() {
    let scratch = Scratch::new("permissions");
    let words = scratch.write("words", "abandon ".repeat(11) + "about");
    let passphrase = scratch.write("passphrase", "TREZOR");
    let raw = format!("type: file-raw\nprivateKey: \"0x{}01\"\n", "00".repeat(31));
    let raw = scratch.write("configs/raw.yaml", raw);
    let (_, keystore) = put(&scratch, 0);
    let password = keystore.replace(".json", ".txt");
    let mnemonic = |passphrase_file: Option<&String>| Sources {
        mnemonic: Some(MnemonicFiles {
            file: words.clone().into(),
            passphrase_file: passphrase_file.map(PathBuf::from),
            range: 0..1,
        }),
        ..Sources::default()
    };
    for (secret, sources) in [
        (&words, mnemonic(None)),
        (&passphrase, mnemonic(Some(&passphrase))),
        (
            &raw,
            Sources {
                key_config_path: Some(scratch.path().join("configs")),
                ..Sources::default()
            },
        ),
        (
            &password,
            Sources {
                keystore_directories: pair_in(scratch.path()).keystore_directories,
                ..Sources::default()
            },
        ),
    ] {
        assert_eq!(load(sources.clone()).0.len(), 1, "{secret}");
        fs::set_permissions(secret, fs::Permissions::from_mode(0o604)).unwrap();
        let reason = match start(sources.clone()) {
            Err(error) => error.to_string(),
            Ok((keyring, table)) => {
                let reason = keyring.wait_loaded().failures[0].1.clone();
                assert_eq!(table.len(), 0, "{secret}");
                reason
            }
        };
        let expected = format!("{secret}: others can read or write it; run: chmod o= '{secret}'");
        assert!(reason == expected, "{secret}: {reason}");
        assert_eq!(
            load(Sources {
                allow_insecure_permissions: true,
                ..sources
            })
            .0
            .len(),
            1,
            "{secret}"
        );
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn derived_keys_follow_the_index_across_chunks() {
    let scratch = Scratch::new("derived");
    let words = scratch.write("words", "abandon ".repeat(11) + "about\n");
    let sources = |range| {
        let mnemonic = MnemonicFiles {
            file: words.clone().into(),
            passphrase_file: None,
            range,
        };
        Sources {
            mnemonic: Some(mnemonic),
            ..Sources::default()
        }
    };
    let (all, _) = load(sources(0..130));
    let (tail, _) = load(sources(128..130));
    assert_eq!((all.len(), tail.len()), (130, 2));
    assert!(tail.iter().all(|key| all.contains(key)));
}

#[test]
fn a_reload_adds_what_is_new_and_drops_what_is_gone() {
    let scratch = Scratch::new("reload");
    let (first, file) = put(&scratch, 0);
    let (keyring, table) = start(pair_in(scratch.path())).unwrap();
    keyring.wait_loaded();
    assert_eq!(
        (table.list(), keyring.reload_state().stage),
        (vec![first], ReloadStage::Idle)
    );

    let (second, _) = put(&scratch, 1);
    keyring.reload();
    assert_eq!(keyring.wait_loaded().failures, []);
    assert_eq!(
        (table.list(), keyring.reload_state().stage),
        (interop(0..2), ReloadStage::Completed)
    );

    fs::remove_file(&file).unwrap();
    scratch.write("bad.json", "{}");
    keyring.reload();
    keyring.wait_loaded();
    assert_eq!(
        (table.list(), keyring.reload_state().stage),
        (vec![second], ReloadStage::CompletedWithErrors)
    );

    fs::rename(scratch.path(), scratch.path().with_extension("away")).unwrap();
    keyring.reload();
    keyring.wait_loaded();
    let state = keyring.reload_state();
    assert_eq!(
        (table.list(), state.stage),
        (vec![second], ReloadStage::Failed)
    );
    assert!(state.last_error.is_some() && state.last_operation.is_some());
    fs::rename(scratch.path().with_extension("away"), scratch.path()).unwrap();
}

#[test]
fn a_reload_that_is_asked_for_during_a_load_is_done_after_it() {
    let scratch = Scratch::new("reload-queued");
    let (keyring, table) = start(Sources {
        interop: Some(2..3000),
        ..pair_in(scratch.path())
    })
    .unwrap();
    assert!(!keyring.progress().complete, "the load is still running");
    put(&scratch, 0);
    keyring.reload();
    assert_eq!(keyring.reload_state().stage, ReloadStage::Running);
    assert_eq!(keyring.wait_loaded().failures, []);
    assert_eq!(
        (table.len(), keyring.reload_state().stage),
        (2999, ReloadStage::Completed)
    );
}

/// Loads the keystores of a directory with this cache.
fn start_with_cache(scratch: &Scratch, cache: &Path) -> (Arc<Keyring>, Arc<KeyTable>) {
    let settings = KeyringSettings {
        key_cache: Some(cache.to_owned()),
        ..KeyringSettings::default()
    };
    let table = Arc::new(KeyTable::new());
    let keyring = Keyring::start(
        pair_in(scratch.path()),
        settings,
        Arc::clone(&table),
        Arc::new(Protection::Off),
    )
    .unwrap();
    assert_eq!(keyring.wait_loaded().failures, []);
    (keyring, table)
}

/// Changes the digit after the last `mark`.
fn with_other_digit_after(text: &str, mark: &str) -> String {
    let (before, digits) = text.rsplit_once(mark).unwrap();
    let digit = if digits.starts_with('0') { '1' } else { '0' };
    format!("{before}{mark}{digit}{}", &digits[1..])
}

#[test]
fn a_start_with_the_key_cache_opens_only_what_has_changed() {
    let scratch = Scratch::new("key-cache");
    let cache = Scratch::new("key-cache-file");
    let path = cache.path().join("keys.sealed");
    let run = || start_with_cache(&scratch, &path);
    let start = || (run().1.list(), fs::read_to_string(&path).unwrap());
    let (first, file) = put(&scratch, 0);
    let (keys, sealed) = start();
    assert_eq!(
        (
            keys,
            fs::metadata(&path).unwrap().permissions().mode() & 0o777
        ),
        (vec![first], 0o600)
    );

    // The keystore no longer opens but looks unchanged, so its key comes from the cache.
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    let broken = with_other_digit_after(&whole, "\"message\": \"");
    let write_as_before = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::File::open(&file)
            .unwrap()
            .set_modified(modified)
            .unwrap();
    };
    write_as_before(&broken);
    assert_eq!(start(), (vec![first], sealed.clone()));

    // Another keystore with another password: the first is still taken from the cache.
    let (_, other) = put(&scratch, 1);
    let (keys, resealed) = start();
    assert_eq!(
        (keys, resealed.matches("\"file\"").count()),
        (interop(0..2), 2)
    );
    assert_ne!(resealed, sealed);

    // A damaged cache is written anew.
    write_as_before(&whole);
    let one_entry = with_other_digit_after(&resealed, "\"sealed\":\"0x");
    for damaged in [
        String::new(),
        resealed.replace("\"salt\":\"0x", "\"salt\":\"0xff"),
        one_entry,
    ] {
        fs::write(&path, &damaged).unwrap();
        let (keys, written) = start();
        assert_eq!(keys, interop(0..2));
        assert_ne!(written, damaged);
    }

    // A keystore and its password are removed while the program runs. The cache drops its key.
    let (keyring, _) = run();
    fs::remove_file(&other).unwrap();
    fs::remove_file(other.replace(".json", ".txt")).unwrap();
    keyring.reload();
    keyring.wait_loaded();
    write_as_before(&broken);
    let (keys, resealed) = start();
    assert_eq!(
        (keys, resealed.matches("\"file\"").count()),
        (vec![first], 1)
    );
}

#[test]
fn a_reload_that_takes_too_long_has_failed_and_its_keys_come_all_the_same() {
    let scratch = Scratch::new("reload-timeout");
    let (first, _) = put(&scratch, 0);
    let table = Arc::new(KeyTable::new());
    let settings = KeyringSettings {
        reload_timeout: Duration::ZERO,
        ..KeyringSettings::default()
    };
    let keyring = Keyring::start(
        pair_in(scratch.path()),
        settings,
        Arc::clone(&table),
        Arc::new(Protection::Off),
    )
    .unwrap();
    assert_eq!(keyring.wait_loaded().failures, []);
    assert_eq!(table.list(), [first]);

    // Full cost: half a second.
    for ending in ["json", "txt"] {
        let slow = vector_files::path(&format!("eip2335/official-scrypt.{ending}"));
        scratch.write(&format!("slow.{ending}"), fs::read(slow).unwrap());
    }
    keyring.reload();
    keyring.wait_loaded();
    let state = keyring.reload_state();
    assert_eq!(state.stage, ReloadStage::Failed);
    assert_eq!(
        state.last_error.unwrap(),
        "not finished after 0 s: 1 keystore still to open"
    );
    while table.len() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    keyring.reload();
    keyring.wait_loaded();
    assert_eq!(
        (table.len(), keyring.reload_state().stage),
        (2, ReloadStage::Completed)
    );
}

#[test]
fn a_key_configuration_file_beyond_the_size_is_a_failure_and_not_read() {
    let scratch = Scratch::new("key-config-size");
    let key = format!(
        "type: file-raw\nkeyType: BLS\nprivateKey: \"0x{}01\"\n",
        "00".repeat(31)
    );
    scratch.write("key.yaml", &key);
    for (bytes_max, keys) in [(key.len(), 1), (key.len() - 1, 0)] {
        let (loaded, progress) = load(Sources {
            key_config_path: Some(scratch.path().into()),
            key_config_bytes_max: Some(bytes_max),
            ..Sources::default()
        });
        assert_eq!(
            (loaded.len(), progress.failed),
            (keys, 1 - keys),
            "{:?}",
            progress.failures
        );
    }
}

#[test]
fn a_change_that_has_ended_makes_room_for_another() {
    let changes = Arc::new(AtomicUsize::new(0));
    let take = || ChangePermit::take(&changes).ok();
    for _ in 0..3 {
        let permits: Vec<_> = std::iter::from_fn(take).collect();
        assert_eq!(permits.len(), CHANGES_MAX);
        assert!(
            take().is_none(),
            "a refused change has no permit to give back"
        );
    }
}
