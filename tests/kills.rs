//! Killed at random moments under imports and deletions: what was answered holds after the restart.
//!
//! `SIGNERD_KEY_KILLS=1000 cargo test --test main kills` runs longer than the default.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::{Value, json};

use crate::keymanager::{Manager, keystore};
use crate::random::Random;
use crate::support::Scratch;

const KILLS: u64 = 200;
const KEYS: u32 = 6;

/// What is known of a key after a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Gone,
    /// The process died before it answered.
    Either,
}

#[test]
fn every_answered_import_and_deletion_survives_a_kill_at_any_moment() {
    let kills = env::var("SIGNERD_KEY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let scratch = Scratch::new("kills");
    let mut random = Random::new(kills);
    let keys: Vec<_> = (0..KEYS).map(keystore).collect();
    let mut known: BTreeMap<String, Known> = keys
        .iter()
        .map(|(key, ..)| (key.to_string(), Known::Gone))
        .collect();
    let (mut answers, mut cut_off) = (0, 0);
    for kill in 0..kills {
        let mut manager = Manager::start(&scratch, &[]);
        manager.signer.wait_loaded();
        check(&manager, &scratch, &mut known, kill);

        let address = manager.signer.address.clone();
        let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
        let mut moves = Random::new(kill + 1);
        let mut state = known.clone();
        let changes = thread::scope(|scope| {
            let client = scope.spawn(|| {
                let mut answered = 0;
                loop {
                    let (key, keystore, password) =
                        &keys[usize::try_from(moves.below(KEYS.into())).unwrap()];
                    let key = key.to_string();
                    let (method, body, then) = match state[&key] {
                        Known::Gone | Known::Either => (
                            "POST",
                            json!({"keystores": [keystore], "passwords": [password]}),
                            Known::There,
                        ),
                        Known::There => ("DELETE", json!({"pubkeys": [key]}), Known::Gone),
                    };
                    state.insert(key.clone(), Known::Either);
                    let Some(status) = ask(&address, token.trim(), method, &body) else {
                        return (state, answered);
                    };
                    assert!(
                        ["imported", "duplicate", "deleted"].contains(&status.as_str()),
                        "{status}"
                    );
                    state.insert(key, then);
                    answered += 1;
                }
            });
            thread::sleep(Duration::from_micros(random.below(60_000)));
            manager.signer.signal("KILL");
            manager.signer.wait_exit();
            client.join().unwrap()
        });
        answers += changes.1;
        cut_off += usize::from(changes.0.values().any(|known| *known == Known::Either));
        known = changes.0;
    }
    let manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    check(&manager, &scratch, &mut known, kills);
    assert!(
        answers > kills,
        "only {answers} answers: nothing was tested"
    );
    assert!(cut_off > 0, "no kill has hit a change");
}

/// The keys are those that were answered, with both files each; what was not known is settled.
fn check(manager: &Manager, scratch: &Scratch, known: &mut BTreeMap<String, Known>, kill: u64) {
    let listed = manager.listed();
    for (key, known) in known.iter_mut() {
        let found = if listed.contains(key) {
            Known::There
        } else {
            Known::Gone
        };
        assert!(
            *known == Known::Either || *known == found,
            "after kill {kill}: {key} is {found:?}, was {known:?}"
        );
        *known = found;
        let dir = scratch.path().join("keystores/imported");
        let files = ["json", "txt"].map(|suffix| dir.join(format!("{key}.{suffix}")).exists());
        assert_eq!(
            files,
            [found == Known::There; 2],
            "after kill {kill}: the files of {key}"
        );
    }
}

/// The status that a change was answered with; `None` when the process died before.
fn ask(address: &str, token: &str, method: &str, body: &Value) -> Option<String> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "{method} /eth/v1/keystores HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    body["data"][0]["status"].as_str().map(str::to_owned)
}
