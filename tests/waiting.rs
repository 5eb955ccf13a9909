//! The priority of the threads that open keys.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signerd::keys::seed;

use crate::keymanager::keystore;
use crate::support::{Scratch, Signer};

/// The priorities of all threads of a process (proc_pid_stat(5)).
fn nice_values(pid: u32) -> Vec<i32> {
    let mut values = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        // A thread may have ended in the meantime.
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        if let Some((_, rest)) = stat.rsplit_once(") ") {
            values.push(rest.split(' ').nth(16).unwrap().parse().unwrap());
        }
    }
    values
}

#[test]
fn the_first_load_has_normal_priority_until_a_signature_was_asked_for() {
    let scratch = Scratch::new("waiting-priority");
    // Not one of them opens, but each takes the usual time.
    let (_, cheap, _) = keystore(1);
    let mut slow: Value = serde_json::from_str(&cheap).unwrap();
    slow["crypto"]["kdf"]["function"] = json!("scrypt");
    slow["crypto"]["kdf"]["params"] =
        json!({"n": 1 << 18, "r": 8, "p": 1, "dklen": 32, "salt": "00"});
    slow.as_object_mut().unwrap().remove("pubkey");
    for number in 0..40 {
        scratch.write(&format!("{number}.json"), slow.to_string());
        scratch.write(&format!("{number}.txt"), "password");
    }
    let directory = scratch.path().to_str().unwrap();
    let signer = Signer::start(&[
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
        "--interop-keys",
        "0..1",
        "--decrypt-memory",
        "1",
    ]);
    let key = seed::interop(0).unwrap().public_key();
    let body =
        json!({"signingRoot": format!("0x{}", "5a".repeat(32)), "domain_name": "beacon_attester"});
    let mut client = signer.client();
    let mut before = nice_values(signer.pid());
    loop {
        let answer = client.post(
            &format!("/api/v1/eth2/sign/{key}"),
            body.to_string().as_bytes(),
        );
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        before = nice_values(signer.pid());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!before.contains(&19), "{before:?}");
    while !nice_values(signer.pid()).contains(&19) {
        let health = signer.client().get("/healthcheck").json();
        let loading = &health["checks"][1]["checks"][0]["data"]["loading"];
        assert_eq!(*loading, true, "no thread was lowered");
        thread::sleep(Duration::from_millis(20));
    }
}
