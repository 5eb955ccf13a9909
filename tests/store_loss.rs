//! A slashing protection store that is lost: removed or replaced under the running service, gone at the
//! next start, never there, or in use by somebody else. And the floors that hold then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::slashing::{KEY, ZERO, block, fork_info, make_store, start, start_with, vote};
use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary};

const DATABASE: &str = "slashing-protection.redb";
const LOCK: &str = "slashing-protection.lock";

fn path(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path().join(name)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn sign(client: &mut Client, request: &serde_json::Value) -> (u16, String) {
    let answer = client.post(
        &format!("/api/v1/eth2/sign/{KEY}"),
        request.to_string().as_bytes(),
    );
    (answer.status, answer.text())
}

/// Exit code and standard error of a start that fails.
fn failed_start(directory: &str, options: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(binary())
        .args([
            "--port",
            "0",
            "--metrics-port",
            "0",
            "--data-dir",
            directory,
        ])
        .args(options)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The `config.yaml` of a devnet: slots of so many seconds, epochs of 8, genesis at this time.
fn devnet(scratch: &Scratch, slot_seconds: u64, genesis: u64) -> String {
    scratch.write(
        "config.yaml",
        format!(
            "PRESET_BASE: minimal\nGENESIS_FORK_VERSION: 0x10000038\nSECONDS_PER_SLOT: {slot_seconds}\n\
             MIN_GENESIS_TIME: {genesis}\nGENESIS_DELAY: 0\n"
        ),
    )
}

#[test]
fn a_store_that_is_removed_or_replaced_while_it_is_used_signs_nothing_that_can_be_slashed() {
    for (case, word) in [
        ("removed", "removed"),
        ("replaced by an older copy", "replaced"),
        ("replaced by an empty file", "replaced"),
        ("moved with its directory", "removed"),
    ] {
        let scratch = Scratch::new("unlinked");
        let directory = path(&scratch, "data");
        fs::create_dir(&directory).unwrap();
        let data = directory.to_str().unwrap();
        let signer = Signer::start(&["--interop-keys", "0..1", "--data-dir", data]);
        signer.wait_loaded();
        let mut client = signer.client();
        let older = fs::read(directory.join(DATABASE)).unwrap();
        let token = fs::read_to_string(directory.join("api-token.txt")).unwrap();
        let authorization = format!("Bearer {}", token.trim());
        let (status, text) = sign(&mut client, &block(ZERO, "7", ZERO));
        assert_eq!(status, 200, "{case}: {text}");

        let away = path(&scratch, "away");
        if case.starts_with("moved") {
            fs::rename(&directory, &away).unwrap();
            fs::create_dir(&directory).unwrap();
        } else {
            fs::rename(directory.join(DATABASE), &away).unwrap();
        }
        if case.ends_with("copy") {
            fs::write(directory.join(DATABASE), older).unwrap();
        } else if case.ends_with("file") {
            fs::write(directory.join(DATABASE), "").unwrap();
        }
        // Health says so without a request for a signature.
        let deadline = Instant::now() + Duration::from_secs(30);
        while client.get("/healthcheck").status == 200 {
            assert!(Instant::now() < deadline, "{case}: health is still good");
            thread::sleep(Duration::from_millis(50));
        }
        for slot in ["8", "9"] {
            let (status, text) = sign(&mut client, &block(ZERO, slot, ZERO));
            assert_eq!(status, 503, "{case}: {text}");
            let says = text.contains(word) && text.contains("stop signerd");
            assert!(says, "{case}: {text}");
        }
        let headers = [("Authorization", authorization.as_str())];
        let health = client.request("GET", "/healthcheck", &headers, b"").text();
        assert!(health.contains("DOWN") && health.contains(word), "{health}");
        let reveal = json!({
            "type": "RANDAO_REVEAL", "fork_info": fork_info(ZERO), "randao_reveal": {"epoch": "0"},
        });
        let (status, text) = sign(&mut client, &reveal);
        assert_eq!(status, 200, "{case}: {text}");

        if case.starts_with("moved") {
            continue;
        }
        // The very file again is what was lost.
        fs::rename(&away, directory.join(DATABASE)).unwrap();
        assert_eq!(client.get("/healthcheck").status, 200, "{case}");
        let (status, text) = sign(&mut client, &block(ZERO, "7", &ZERO.replace("00", "11")));
        assert_eq!(status, 412, "{case}: {text}");
        let (status, text) = sign(&mut client, &block(ZERO, "10", ZERO));
        assert_eq!(status, 200, "{case}: {text}");
    }
}

#[test]
fn a_store_that_is_gone_ends_the_start_with_the_ways_to_go_on() {
    for (case, others) in [
        ("with all that is beside it", vec![]),
        ("without its lock file", vec![LOCK]),
        (
            "with the lock file alone, as older versions leave it",
            vec!["slashing-protection.made"],
        ),
    ] {
        let scratch = Scratch::new("gone");
        {
            let signer = start(&scratch);
            let (status, text) = sign(&mut signer.client(), &block(ZERO, "7", ZERO));
            assert_eq!(status, 200, "{text}");
        }
        fs::remove_file(path(&scratch, DATABASE)).unwrap();
        for name in others {
            let _ = fs::remove_file(path(&scratch, name));
        }
        for _ in 0..2 {
            let (code, text) = failed_start(
                scratch.path().to_str().unwrap(),
                &["--interop-keys", "0..1"],
            );
            assert_eq!(code, Some(69), "{case}: {text}");
            for part in [
                DATABASE,
                "is gone",
                "hint:",
                "restore",
                "slashing import",
                "--slashing-protection-new-store",
            ] {
                assert!(text.contains(part), "{case}: {part} is missing in: {text}");
            }
        }
        assert!(!path(&scratch, DATABASE).exists(), "{case}");
        // A link that leads nowhere is lost as well.
        symlink("/nowhere/store.redb", path(&scratch, DATABASE)).unwrap();
        let (code, text) = failed_start(
            scratch.path().to_str().unwrap(),
            &["--interop-keys", "0..1"],
        );
        assert_eq!(code, Some(69), "{case}: {text}");
        fs::remove_file(path(&scratch, DATABASE)).unwrap();

        let mut signer = start_with(&scratch, &["--slashing-protection-new-store"]);
        signer.wait_for_line("was lost, and a new one is made");
        let (status, text) = sign(&mut signer.client(), &block(ZERO, "7", ZERO));
        assert_eq!(status, 200, "without a clock there is no floor: {text}");
    }
}

#[test]
fn an_interchange_file_is_a_way_to_go_on_when_the_store_is_gone() {
    let scratch = Scratch::new("gone-import");
    drop(start(&scratch));
    fs::remove_file(path(&scratch, DATABASE)).unwrap();
    let file = json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": ZERO},
        "data": [{"pubkey": KEY, "signed_blocks": [{"slot": "7"}], "signed_attestations": []}],
    });
    let import = |text: &str| {
        let from = scratch.write("in.json", text);
        let line = ["slashing", "import", "--from", &from, "--data-dir"];
        let mut command = Command::new(binary());
        command.args(line).arg(scratch.path()).output().unwrap()
    };
    let refused = import(&file.to_string().replace('7', "x"));
    assert!(!refused.status.success(), "{refused:?}");
    assert!(
        !path(&scratch, DATABASE).exists(),
        "a bad file is not a way"
    );
    let import = import(&file.to_string());
    assert!(import.status.success(), "{import:?}");
    let signer = start(&scratch);
    let mut client = signer.client();
    for (slot, expected) in [("7", 412), ("8", 200)] {
        let (status, text) = sign(&mut client, &block(ZERO, slot, ZERO));
        assert_eq!(status, expected, "slot {slot}: {text}");
    }
}

#[test]
fn a_store_made_where_keys_may_have_signed_signs_nothing_before_the_next_epoch() {
    // Slots of a minute: the present is in the middle of epoch 100 for all of this test.
    let genesis = now() - (100 * 8 + 4) * 60;
    for (case, options) in [
        ("protection was off until now", vec![]),
        (
            "the store was lost",
            vec!["--slashing-protection-new-store"],
        ),
    ] {
        let scratch = Scratch::new("made-late");
        let config = devnet(&scratch, 60, genesis);
        let network = ["--network", config.as_str()];
        if options.is_empty() {
            let off = ["--slashing-protection-enabled=false"];
            let signer = start_with(&scratch, &off);
            let (status, text) = sign(&mut signer.client(), &vote(ZERO, "99", "100", ZERO));
            assert_eq!(status, 200, "{text}");
        } else {
            make_store(&scratch);
            fs::remove_file(path(&scratch, DATABASE)).unwrap();
        }
        // The floor is in the store: it holds at the next start too, without the option.
        for options in [options, vec![]] {
            let options = [&network[..], &options].concat();
            let mut signer = start_with(&scratch, &options);
            let told =
                signer.wait_for_line("sign no block below slot 808, no vote below epoch 101");
            let mut client = signer.client();
            for (request, expected) in [
                (block(ZERO, "804", ZERO), 412),
                (block(ZERO, "807", ZERO), 412),
                (vote(ZERO, "99", "100", &ZERO.replace("00", "11")), 412),
            ] {
                let (status, text) = sign(&mut client, &request);
                assert_eq!(status, expected, "{case}: {request}: {text}: {told}");
                assert!(text.contains("floor"), "{case}: {text}");
            }
        }
        let signer = start_with(&scratch, &network);
        let mut client = signer.client();
        for request in [block(ZERO, "808", ZERO), vote(ZERO, "99", "101", ZERO)] {
            let (status, text) = sign(&mut client, &request);
            assert_eq!(status, 200, "{case}: {request}: {text}");
        }
    }
}

#[test]
fn a_warning_says_that_keys_are_there_and_never_a_store() {
    let scratch = Scratch::new("never");
    let config = devnet(&scratch, 60, now() - 100 * 8 * 60);
    let mut signer = start_with(&scratch, &["--network", &config]);
    let line = signer.wait_for_line("there was no slashing protection store before");
    assert!(line.contains("WARN") && line.contains("slot 8"), "{line}");
    drop(signer);
    let mut signer = start_with(&scratch, &["--network", &config]);
    assert!(!signer.log().contains("no slashing protection store before"));
}

#[test]
fn the_floor_of_the_clock_moves_on_and_a_record_does_not_switch_it_off() {
    let scratch = Scratch::new("moving");
    // Slots and epochs of a second.
    let genesis = now() - 10_000;
    let config = devnet(&scratch, 1, genesis);
    let text = fs::read_to_string(&config).unwrap() + "SLOTS_PER_EPOCH: 1\n";
    fs::write(&config, text).unwrap();
    make_store(&scratch);
    let signer = start_with(&scratch, &["--network", &config]);
    let mut client = signer.client();
    let signed = now() - genesis;
    for request in [
        block(ZERO, &signed.to_string(), ZERO),
        vote(ZERO, "1", &signed.to_string(), ZERO),
    ] {
        let (status, text) = sign(&mut client, &request);
        assert_eq!(status, 200, "{text}");
    }
    // The next one is of the past once four epochs have gone by.
    let next = signed + 1;
    while now() - genesis <= next + 4 {
        thread::sleep(Duration::from_millis(100));
    }
    for request in [
        block(ZERO, &next.to_string(), ZERO),
        vote(ZERO, "1", &next.to_string(), ZERO),
    ] {
        let (status, text) = sign(&mut client, &request);
        assert_eq!(status, 412, "{request}: {text}");
        assert!(text.contains("clock and genesis time"), "{text}");
    }
}

#[test]
fn a_start_without_a_floor_or_before_genesis_is_told_by_the_log_and_by_check() {
    let scratch = Scratch::new("floorless");
    let config = devnet(&scratch, 60, now() + 1_000_000);
    let min_slot = "--slashing-protection-min-slot=0";
    let min_epoch = "--slashing-protection-min-epoch=0";
    for (case, options, warning) in [
        ("no network", vec![], Some("has no floor")),
        (
            "a network without a genesis time",
            vec!["--network=minimal"],
            Some("has no floor"),
        ),
        (
            "half a floor",
            vec!["--slashing-protection-min-slot=0"],
            Some("has no floor"),
        ),
        ("both options", vec![min_slot, min_epoch], None),
        ("a network", vec!["--network=hoodi"], None),
        (
            "before genesis",
            vec!["--network", &config],
            Some("before the genesis of"),
        ),
    ] {
        let mut signer = start_with(&scratch, &options);
        let log = signer.log();
        drop(signer);
        let check = Command::new(binary())
            .args(["check", "--data-dir"])
            .arg(scratch.path())
            .args(&options)
            .output()
            .unwrap();
        let report = String::from_utf8(check.stdout).unwrap();
        for (place, text) in [("log", log), ("check", report)] {
            let mut lines = text.lines();
            match warning {
                Some(warning) => {
                    let line = lines.find(|line| line.contains(warning));
                    let line = line.unwrap_or_else(|| panic!("{case}, {place}: {text}"));
                    assert!(place == "check" || line.contains("WARN"), "{line}");
                    if warning == "has no floor" {
                        assert!(line.contains("--network"), "{line}");
                        assert!(line.contains("--slashing-protection-min-slot"), "{line}");
                    }
                }
                None => assert!(
                    !text.contains("has no floor") && !text.contains("before the genesis"),
                    "{case}, {place}: {text}"
                ),
            }
        }
    }
}

#[test]
fn a_store_in_use_through_a_link_or_without_its_lock_file_is_not_called_damaged() {
    let first = Scratch::new("in-use");
    let signer = start(&first);
    let linked = Scratch::new("in-use-link");
    symlink(path(&first, DATABASE), path(&linked, DATABASE)).unwrap();
    let hard = Scratch::new("in-use-hard");
    fs::hard_link(path(&first, DATABASE), path(&hard, DATABASE)).unwrap();
    let whole = Scratch::new("in-use-whole");
    symlink(first.path(), path(&whole, "data")).unwrap();
    let through = path(&whole, "data").display().to_string();
    fs::remove_file(path(&first, LOCK)).unwrap();
    for (case, directory) in [
        ("no lock file", first.path().display().to_string()),
        ("a symbolic link", linked.path().display().to_string()),
        ("a hard link", hard.path().display().to_string()),
        ("a link to the directory", through),
    ] {
        let (code, text) = failed_start(&directory, &[]);
        assert_eq!(code, Some(69), "{case}: {text}");
        assert!(text.contains("in use"), "{case}: {text}");
        assert!(!text.contains("damaged"), "{case}: {text}");
        assert!(!text.contains("move it away"), "{case}: {text}");
    }
    let (status, text) = sign(&mut signer.client(), &block(ZERO, "7", ZERO));
    assert_eq!(status, 200, "the first one goes on: {text}");
}
