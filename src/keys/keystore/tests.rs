//! EIP-2335: every case of `vectors/eip2335`, and what the index cannot say.

use std::fs;
use std::path::{Path, PathBuf};

use crate::keys::keystore::{self, Keystore, NewKeystore};
use crate::keys::keystore_error::KeystoreError;
use crate::keys::seed::ParentKey;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    keystore: String,
    password_file: String,
    expect: Expect,
    pubkey: Option<String>,
    #[serde(default)]
    fast: bool,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Ok,
    Refuse,
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/eip2335")
}

fn read(name: &str) -> String {
    fs::read_to_string(vectors().join(name)).unwrap()
}

#[test]
fn every_keystore_of_the_index_opens_or_is_refused_as_it_says() {
    let cases: Vec<Case> = serde_json::from_str(&read("cases.json")).unwrap();
    assert_eq!(cases.len(), 64);
    for case in cases {
        let json = read(&case.keystore);
        let password = read(&case.password_file);
        let parsed = Keystore::parse(json.as_bytes());
        assert!(
            !case.fast || parsed.is_err(),
            "{}: not refused before the derivation",
            case.name
        );
        let opened = parsed.and_then(|keystore| keystore.open(&password));
        let found = opened.map(|secret| secret.public_key());
        match &case.pubkey {
            Some(pubkey) if case.expect == Expect::Ok => {
                assert_eq!(found, Ok(pubkey.parse().unwrap()), "{}", case.name);
            }
            _ => assert!(
                found.is_err() && case.expect == Expect::Refuse,
                "{}",
                case.name
            ),
        }
    }
}

#[test]
fn a_refusal_says_what_is_wrong_and_never_what_was_decrypted() {
    for (name, expected) in [
        (
            "bad-password-wrong",
            "checksum mismatch: the password is wrong, or the keystore is damaged",
        ),
        ("bad-version-3", "version is 3, expected 4"),
        (
            "bad-scrypt-n-2^30",
            "scrypt asks for 1048576 MiB of memory or work, the limit is 1024 MiB",
        ),
        ("bad-scrypt-p-2^28", "the limit is"),
        ("bad-kdf-unknown", "argon2id"),
        (
            "bad-pbkdf2-c-0",
            "crypto.kdf.params.c is 0, expected 1 to 16777216",
        ),
        ("bad-iv-8-bytes", "expected 16 bytes of hex"),
        (
            "bad-secret-order",
            "the secret key is zero or not below the order of the curve's groups",
        ),
        ("bad-pubkey-mismatch", "its secret has 0x"),
        ("bad-json-array", "expected a JSON object"),
    ] {
        let json = read(&format!("{name}.json"));
        let password = read(&format!("{name}.txt"));
        let opened = Keystore::parse(json.as_bytes()).and_then(|keystore| keystore.open(&password));
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_password_that_was_sent_as_a_keystore_is_not_repeated() {
    for sent in ["\"hunter2\"", "hunter2", "[\"hunter2\"]"] {
        let error = Keystore::parse(sent.as_bytes()).err().unwrap();
        assert!(
            matches!(&error, KeystoreError::Malformed(reason) if !reason.contains("hunter2")),
            "{error}"
        );
    }
}

#[test]
fn aes_256_takes_the_whole_derived_key() {
    // Made with Python's hashlib and OpenSSL's aes-256-ctr.
    let keystore = Keystore::parse(read("../keystores/aes-256-ctr.json").as_bytes()).unwrap();
    let secret = keystore.open("correct horse battery staple").unwrap();
    assert_eq!(Some(secret.public_key()), keystore.public_key());
}

#[test]
fn a_hostile_cost_is_refused_without_work() {
    let json = read("scrypt-cheap.json");
    let cost = serde_json::from_str::<serde_json::Value>(&json).unwrap()["crypto"]["kdf"]["params"]
        ["n"]
        .to_string();
    for n in [
        "18446744073709551615",
        "9223372036854775808",
        "4294967296",
        "8388608",
    ] {
        let hostile = json.replace(&format!("\"n\": {cost}"), &format!("\"n\": {n}"));
        let hostile = hostile.replace(&format!("\"n\":{cost}"), &format!("\"n\":{n}"));
        assert_ne!(hostile, json);
        assert!(Keystore::parse(hostile.as_bytes()).is_err(), "{n}");
    }
}

#[test]
fn a_keystore_may_be_as_long_as_the_limits_and_no_longer() {
    let json = read("scrypt-cheap.json");
    let path = "m/12381/3600/0/0/0";
    let description = "\"made for tests\"";
    let parses = |json: &str| Keystore::parse(json.as_bytes()).is_ok();
    for (longer, is_good) in [(0, true), (1, false)] {
        let bytes = keystore::FILE_BYTES_MAX + longer;
        let long = format!("{json}{}", " ".repeat(bytes - json.len()));
        assert_eq!(parses(&long), is_good, "{bytes} bytes");

        let bytes = keystore::PATH_BYTES_MAX + longer;
        let long = json.replace(path, &"m".repeat(bytes));
        assert_eq!(parses(&long), is_good, "a path of {bytes} bytes");

        // Its quotes count.
        let bytes = keystore::DESCRIPTION_BYTES_MAX + longer;
        let long = json.replace(description, &format!("\"{}\"", "d".repeat(bytes - 2)));
        assert_eq!(parses(&long), is_good, "a description of {bytes} bytes");
    }
}

#[test]
fn a_keystore_tells_its_path_and_its_memory_before_it_is_opened() {
    let json = read("scrypt-cheap.json");
    let path = "m/12381/3600/0/0/0";
    for (named, expected) in [(path, Some(path)), ("", None)] {
        let keystore = Keystore::parse(json.replace(path, named).as_bytes()).unwrap();
        assert_eq!(keystore.path(), expected);
        // scrypt: 128 bytes times r, here 8, times n and p, here 1024 and 1.
        assert_eq!(keystore.memory_bytes(), 128 * 8 * (1024 + 1));
    }
}

#[test]
fn a_uuid_is_one_of_version_4() {
    for (byte, uuid) in [
        (0x00, "00000000-0000-4000-8000-000000000000"),
        (0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        (0x5a, "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"),
    ] {
        assert_eq!(keystore::format_uuid([byte; 16]), uuid);
    }
}

#[test]
fn a_new_keystore_has_the_usual_cost_and_opens_with_its_password() {
    let words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    let parent = ParentKey::new(words, "").unwrap();
    let new = NewKeystore::derive(&parent, 7).unwrap();
    let json: serde_json::Value = serde_json::from_str(&new.json).unwrap();
    assert_eq!(json["crypto"]["kdf"]["params"]["c"], 262_144);
    let keystore = Keystore::parse(new.json.as_bytes()).unwrap();
    let secret = keystore.open(&new.password).unwrap();
    assert_eq!(secret.public_key(), new.key);
    assert_eq!(keystore.path(), Some("m/12381/3600/7/0/0"));
}
