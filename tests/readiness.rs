//! A signer that is still loading is never taken for one that is ready.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::keymanager::keystore_at;
use crate::support::{Scratch, Signer, binary};

/// How clients of Lighthouse's tests ask again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A request that every key can sign.
const RANDAO: &str = r#"{"type":"RANDAO_REVEAL","fork_info":{"fork":{"previous_version":"0x00000000",
"current_version":"0x00000000","epoch":"0"},"genesis_validators_root":
"0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"},"randao_reveal":{"epoch":"0"}}"#;

/// The two forms of the command line.
const FORMS: [&[&str]; 2] = [&[], &["eth2"]];

/// Writes keystores that take some tenths of a second to open; returns their keys, sorted.
fn put_slow(scratch: &Scratch, numbers: std::ops::Range<u32>) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for number in numbers {
        let kdf = json!({"function": "scrypt", "params": {"n": 1 << 16, "r": 8, "p": 1}});
        let (key, keystore, password) = keystore_at(number, kdf);
        scratch.write(&format!("{number:02}.json"), keystore);
        scratch.write(&format!("{number:02}.txt"), password);
        keys.insert(key.to_string());
    }
    keys.into_iter().collect()
}

fn start(scratch: &Scratch, form: &[&str]) -> Signer {
    let directory = scratch.path().display().to_string();
    let mut options = form.to_vec();
    options.extend([
        "--keystores-path",
        &directory,
        "--keystores-passwords-path",
        &directory,
        "--slashing-protection-enabled=false",
        "--key-manager-api-enabled=true",
        "--decrypt-memory",
        "1",
    ]);
    Signer::spawn(
        Command::new(binary())
            .args([
                "--http-listen-port",
                "0",
                "--metrics-enabled",
                "--metrics-port",
                "0",
            ])
            .args(options),
    )
}

fn sign_path(key: &str) -> String {
    format!("/api/v1/eth2/sign/{key}")
}

#[test]
fn on_the_first_200_of_upcheck_every_key_signs() {
    for form in FORMS {
        let scratch = Scratch::new("readiness-upcheck");
        let keys = put_slow(&scratch, 0..6);
        let signer = start(&scratch, form);
        let mut seen_503 = false;
        loop {
            let answer = signer.client().get("/upcheck");
            if answer.status == 200 {
                break;
            }
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
            seen_503 = true;
            thread::sleep(POLL_INTERVAL);
        }
        assert!(seen_503, "the keystores are slow");
        let mut client = signer.client();
        for key in &keys {
            let answer = client.post(&sign_path(key), RANDAO.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let listed = client.get("/api/v1/eth2/publicKeys").json();
        assert_eq!(listed, json!(keys));
    }
}

#[test]
fn while_keys_load_the_list_waits_and_health_counts() {
    for form in FORMS {
        let scratch = Scratch::new("readiness-list");
        let keys = put_slow(&scratch, 0..6);
        let signer = start(&scratch, form);
        let mut client = signer.client();
        let health = client.get("/health");
        assert_eq!(health.status, 200);
        assert_eq!(health.json()["status"], "loading");
        assert_eq!(client.get("/healthcheck").status, 503);
        let list = client.get("/eth/v1/keystores");
        assert_eq!(list.status, 503, "{}", list.text());
        assert!(list.header("retry-after").is_some());
        thread::scope(|scope| {
            for _ in 0..20 {
                let mut client = signer.client();
                let keys = &keys;
                scope.spawn(move || {
                    let answer = client.get("/api/v1/eth2/publicKeys");
                    assert_eq!((answer.status, answer.json()), (200, json!(keys)));
                });
            }
        });
        let health = client.get("/health").json();
        assert_eq!(health["status"], "healthy");
        assert_eq!(
            (&health["keys_loaded"], &health["keys_pending"]),
            (&json!(6), &json!(0))
        );
        assert_eq!(client.get("/eth/v1/keystores").status, 200);
        assert_eq!(client.get("/healthcheck").status, 200);
    }
}

#[test]
fn a_sign_request_waits_for_its_key_and_one_for_no_key_does_not() {
    let scratch = Scratch::new("readiness-sign");
    let keys = put_slow(&scratch, 0..8);
    let signer = start(&scratch, &[]);
    let (unknown, ..) = keystore_at(
        99,
        json!({"function": "pbkdf2", "params": {"c": 1, "prf": "hmac-sha256"}}),
    );
    // A large body is read on another thread; there are few of these, and none may wait.
    let large = RANDAO.replacen(
        '{',
        &format!("{{\"padding\":\"{}\",", "x".repeat(64 << 10)),
        1,
    );
    thread::scope(|scope| {
        for body in [RANDAO, &large, &large, &large] {
            for key in &keys {
                let mut client = signer.client();
                scope.spawn(move || {
                    // On a busy machine the time is over before the key is there.
                    loop {
                        let answer = client.post(&sign_path(key), body.as_bytes());
                        match answer.status {
                            200 => return,
                            503 => assert_eq!(answer.header("retry-after"), Some("5")),
                            _ => panic!("{}", answer.text()),
                        }
                    }
                });
            }
        }
        let answer = signer
            .client()
            .post(&sign_path(&unknown.to_string()), RANDAO.as_bytes());
        assert_eq!(answer.status, 404, "{}", answer.text());
        let health = signer.client().get("/health").json();
        assert_eq!(health["status"], "loading", "it did not wait");
    });
}

#[test]
fn a_reload_takes_no_key_away_and_stays_up() {
    let scratch = Scratch::new("readiness-reload");
    let mut keys = put_slow(&scratch, 0..3);
    let mut signer = start(&scratch, &[]);
    signer.wait_loaded();
    keys.extend(put_slow(&scratch, 3..6));
    keys.sort();
    signer.signal("HUP");
    signer.wait_for_line("SIGHUP: reloading");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut client = signer.client();
    let mut count = 3;
    while count < keys.len() {
        assert!(Instant::now() < deadline, "{count} keys");
        let listed = client.get("/api/v1/eth2/publicKeys").json();
        let now = listed.as_array().unwrap().len();
        assert!(now >= count, "{now} keys after {count}");
        count = now;
        assert_eq!(client.get("/upcheck").status, 200);
        assert_eq!(client.get("/healthcheck").status, 200);
        assert_eq!(client.get("/health").json()["status"], "healthy");
        assert_eq!(client.get("/eth/v1/keystores").status, 200);
    }
    assert_eq!(client.get("/api/v1/eth2/publicKeys").json(), json!(keys));
}
