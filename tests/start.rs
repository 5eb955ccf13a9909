//! What a start promises: open ports before anything is listed, and no silence about what is missing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signerd::keys::seed;

use crate::memory::with_locked_memory_of;
use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary, vectors};

/// Words from a pipe: loading waits for them.
#[test]
fn the_ports_are_open_while_the_sources_are_listed_and_health_says_so() {
    let scratch = Scratch::new("start-listing");
    let pipe = scratch.path().join("words");
    assert!(
        Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Open from the beginning, so that who opens the other end does not wait.
    let mut writer = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let signer = Signer::start(&[
        "--mnemonic-file",
        pipe.to_str().unwrap(),
        "--expect-keys",
        "1",
    ]);
    let loading = || {
        let answer = signer.client().get("/healthcheck");
        let json = answer.json();
        (
            answer.status,
            json["checks"][1]["checks"][0]["data"].clone(),
            json["status"].clone(),
        )
    };
    let words = "abandon ".repeat(11) + "about";
    let parent = seed::ParentKey::new(&words, "").unwrap();
    let key = parent.signing_key(0).unwrap().public_key();
    let body = json!({"signingRoot": format!("0x{}", "5a".repeat(32)), "domain": "0x02000000"})
        .to_string();
    let sign = || {
        signer
            .client()
            .post(&format!("/api/v1/eth2/sign/{key}"), body.as_bytes())
    };

    assert_eq!(signer.client().get("/health").status, 200);
    let (status, data, word) = loading();
    assert_eq!(
        (status, &word, &data["keys-pending"], &data["loading"]),
        (503, &json!("DOWN"), &Value::Null, &json!(true))
    );
    let refused = sign();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5")),
        "{}",
        refused.text()
    );

    writer.write_all(words.as_bytes()).unwrap();
    drop(writer);
    signer.wait_loaded();
    let (status, data, word) = loading();
    assert_eq!(
        (status, &word, &data["keys-pending"]),
        (200, &json!("UP"), &json!(0))
    );
    assert_eq!(sign().status, 200);
    let unknown = seed::interop(1).unwrap().public_key();
    let answer = signer
        .client()
        .post(&format!("/api/v1/eth2/sign/{unknown}"), body.as_bytes());
    assert_eq!(answer.status, 404, "nothing is loading any more");
}

#[test]
fn what_is_missing_ends_the_start_with_its_exit_code_and_a_reason() {
    let scratch = Scratch::new("start-missing");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    scratch.write("notes/readme.md", "no keys");
    scratch.write("phrase", "no phrase at all");
    scratch.write("bad/key.json", "{}");
    scratch.write("bad/key.txt", "password");
    DirBuilder::new().mode(0o700).create(path("data")).unwrap();
    scratch.write("data/keystores", "not a directory");
    let bad = [
        "--keystores-path",
        &path("bad"),
        "--keystores-passwords-path",
        &path("bad"),
        "--strict",
    ];
    for (case, arguments, code, reason) in [
        (
            "a directory in no known layout",
            vec!["--keys", &path("notes")],
            66,
            "no layout recognised",
        ),
        (
            "a data directory that cannot be listed",
            vec!["--data-dir", &path("data")],
            66,
            "Not a directory",
        ),
        (
            "words that are no phrase",
            vec!["--mnemonic-file", &path("phrase")],
            66,
            "not a BIP-39 mnemonic",
        ),
        (
            "a keystore that does not open, --strict",
            bad.to_vec(),
            78,
            "--strict: 1 keystore did not open",
        ),
        (
            "fewer keys than expected, --strict",
            vec!["--interop-keys", "0..2", "--expect-keys", "3", "--strict"],
            78,
            "--strict: 2 keys, expected 3",
        ),
    ] {
        let (status, printed) = run(&arguments);
        assert_eq!(status, Some(code), "{case}: {printed}");
        assert!(
            printed
                .lines()
                .any(|line| line.starts_with("error: ") && line.contains(reason)),
            "{case}: {printed}"
        );
    }
}

/// 2,047 keys fit into the first slab; what is asked of the limit is known at the start, how many keys
/// will come is not.
#[test]
fn memory_that_cannot_be_locked_after_the_start_is_told_and_ends_the_process_where_that_was_asked_for()
 {
    let start = |options: &[&str]| {
        let mut command = with_locked_memory_of("100", &binary());
        command.args(["--port", "0", "--metrics-port", "0"]);
        command.args(["--interop-keys", "0..2100"]).args(options);
        command
    };
    let mut signer = Signer::spawn(&mut start(&[]));
    let line = signer.wait_for_line("memory cannot be locked beyond 64 KiB");
    assert!(line.contains("WARN"), "{line}");
    signer.wait_loaded();
    let health = signer.client().get("/health").json();
    assert_eq!(health["locked"], false, "{health}");
    assert_eq!(health["keys_loaded"], 2100, "{health}");
    let metrics = signer.metrics.clone().unwrap();
    let text = Client::connect(&metrics).get("/metrics").text();
    assert!(text.contains("memory_locked 0"), "{text}");

    let mut child = start(&["--require-mlock"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(71), "{printed}");
    let reason = "--require-mlock: memory cannot be locked beyond 64 KiB";
    let mut lines = printed.lines();
    assert!(
        lines.any(|line| line.contains("ERROR") && line.contains(reason)),
        "{printed}"
    );
}

#[test]
fn memory_that_cannot_be_locked_ends_the_start_where_that_was_asked_for() {
    for (limit_kib, options, locked) in [
        ("0", &[][..], Some(false)),
        ("0", &["--require-mlock"], None),
        ("128", &["--require-mlock"], Some(true)),
    ] {
        let mut command = with_locked_memory_of(limit_kib, &binary());
        command
            .args([
                "--port",
                "0",
                "--metrics-port",
                "0",
                "--interop-keys",
                "0..1",
            ])
            .args(options);
        match locked {
            Some(locked) => {
                let signer = Signer::spawn(&mut command);
                signer.wait_loaded();
                assert_eq!(
                    signer.client().get("/health").json()["locked"],
                    locked,
                    "{limit_kib} KiB {options:?}"
                );
            }
            None => {
                let output = command.output().unwrap();
                let printed = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(71), "{printed}");
                assert!(
                    printed.contains(
                        "--require-mlock: memory for keys cannot be locked: raise RLIMIT_MEMLOCK"
                    ),
                    "{printed}"
                );
                assert!(printed.contains("hint: "), "{printed}");
            }
        }
    }
}

/// One usual keystore takes 256 MiB: with a bound of 300, two of them take turns.
#[test]
fn keystores_are_opened_within_the_memory_that_was_allowed() {
    let scratch = Scratch::new("start-memory");
    let file =
        |ending| fs::read(vectors::path(&format!("eip2335/official-scrypt.{ending}"))).unwrap();
    let mut keystore: Value = serde_json::from_slice(&file("json")).unwrap();
    // Of files that declare the same key, only one would be opened.
    keystore.as_object_mut().unwrap().remove("pubkey");
    for name in ["one", "two"] {
        scratch.write(&format!("{name}.json"), keystore.to_string());
        scratch.write(&format!("{name}.txt"), file("txt"));
    }
    let directory = scratch.path().to_str().unwrap();
    let signer = Signer::start(&[
        "--keystores-path",
        directory,
        "--keystores-passwords-path",
        directory,
        "--decrypt-memory",
        "300",
    ]);
    signer.wait_loaded();
    let peak_kib = signer.memory_kib("VmHWM");
    assert!((256 << 10..300 << 10).contains(&peak_kib), "{peak_kib} KiB");
}

/// The program's exit code, and what it printed until it ended by itself.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(binary())
        .args(["--port", "0", "--metrics-port", "0"])
        .args(arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut printed = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    (status, printed)
}
