//! The audit log: a line for each signature, before the signature leaves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::slashing::{KEY, ZERO, block, fork_info, vote};
use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary};

fn sign(client: &mut Client, request: &Value) -> u16 {
    let path = format!("/api/v1/eth2/sign/{KEY}");
    let headers = [("X-Request-Id", "req-5"), ("Accept", "application/json")];
    client
        .request("POST", &path, &headers, request.to_string().as_bytes())
        .status
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn metric(signer: &Signer, name: &str) -> String {
    let mut client = Client::connect(signer.metrics.as_ref().unwrap());
    let page = client.get("/metrics").text();
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name}: {page}"))
        .trim()
        .to_owned()
}

fn path_in(scratch: &Scratch) -> (PathBuf, String) {
    let path = scratch.path().join("audit.log");
    let text = path.display().to_string();
    (path, text)
}

#[test]
fn each_signature_has_its_line_when_the_answer_arrives_and_a_refusal_has_none() {
    let scratch = Scratch::new("audit");
    let (path, text) = path_in(&scratch);
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    let data = data.display().to_string();
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--audit-log",
        &text,
        "--data-dir",
        &data,
    ]);
    signer.wait_loaded();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        mode & 0o137,
        0,
        "{mode:o}: only the owner writes, and others do not read"
    );
    let mut client = signer.client();
    let randao = json!({"type": "RANDAO_REVEAL", "fork_info": fork_info(ZERO), "randao_reveal": {"epoch": "9"}});
    for (request, status, expected) in [
        (
            vote(ZERO, "4", "5", ZERO),
            200,
            json!({"type": "ATTESTATION", "source_epoch": "4", "target_epoch": "5"}),
        ),
        (
            block(ZERO, "170", ZERO),
            200,
            json!({"type": "BLOCK_V2", "slot": "170"}),
        ),
        (randao, 200, json!({"type": "RANDAO_REVEAL", "epoch": "9"})),
        (vote(ZERO, "3", "5", KEY[..66].into()), 412, Value::Null),
        (json!({"type": "ATTESTATION"}), 400, Value::Null),
    ] {
        let before = lines(&path).len();
        assert_eq!(sign(&mut client, &request), status, "{request}");
        let after = lines(&path);
        let Some(expected) = expected.as_object() else {
            assert_eq!(after.len(), before, "{request}");
            continue;
        };
        assert_eq!(after.len(), before + 1, "{request}");
        let line = after[before].as_object().unwrap();
        let mut names: Vec<&str> = expected.keys().map(String::as_str).collect();
        names.extend(["time", "key", "signing_root", "client", "request_id"]);
        names.sort_unstable();
        assert_eq!(line.keys().collect::<Vec<_>>(), names);
        for (name, value) in expected {
            assert_eq!(&line[name], value, "{name}");
        }
        assert_eq!(
            (&line["key"], &line["client"]),
            (&json!(KEY), &json!("127.0.0.1"))
        );
        assert_eq!(line["request_id"], "req-5");
        assert_eq!(line["signing_root"].as_str().unwrap().len(), 66);
        let time = line["time"].as_str().unwrap();
        assert!(
            time.len() == 27 && time.ends_with('Z') && &time[10..11] == "T",
            "{time}"
        );
    }
    assert_eq!(metric(&signer, "signerd_audit_log_lines_total "), "3");
    assert_eq!(metric(&signer, "signerd_audit_log_lost_total "), "0");
}

#[test]
fn lines_of_many_clients_are_whole_and_none_is_missing() {
    let scratch = Scratch::new("audit-many");
    let (path, text) = path_in(&scratch);
    scratch.write("audit.log", "{\"older\":1}\n");
    let signer = Signer::start(&["--interop-keys", "0..1", "--audit-log", &text]);
    signer.wait_loaded();
    thread::scope(|scope| {
        for number in 0..8_u64 {
            let mut client = signer.client();
            scope.spawn(move || {
                for epoch in 0..40 {
                    let target = (number * 1000 + epoch).to_string();
                    assert_eq!(sign(&mut client, &vote(ZERO, "0", &target, ZERO)), 200);
                }
            });
        }
    });
    let lines = lines(&path);
    assert_eq!(lines.len(), 321);
    assert_eq!(lines[0], json!({"older": 1}), "it is appended to");
}

#[test]
fn a_file_that_was_renamed_is_opened_again_at_sighup() {
    let scratch = Scratch::new("audit-rotate");
    let (path, text) = path_in(&scratch);
    let mut signer = Signer::start(&["--interop-keys", "0..1", "--audit-log", &text]);
    signer.wait_loaded();
    let mut client = signer.client();
    assert_eq!(sign(&mut client, &vote(ZERO, "0", "1", ZERO)), 200);
    let rotated = scratch.path().join("audit.log.1");
    fs::rename(&path, &rotated).unwrap();
    // Until then the lines go where the file went.
    assert_eq!(sign(&mut client, &vote(ZERO, "0", "2", ZERO)), 200);
    signer.signal("HUP");
    signer.wait_for_line("audit.log is opened again");
    assert_eq!(sign(&mut client, &vote(ZERO, "0", "3", ZERO)), 200);
    assert_eq!(lines(&rotated).len(), 2);
    assert_eq!(lines(&path)[0]["target_epoch"], "3");
}

#[test]
fn a_full_disk_is_one_error_and_signing_goes_on_until_there_is_room_again() {
    let scratch = Scratch::new("audit-full");
    let (path, text) = path_in(&scratch);
    // No file may grow beyond some blocks, as if the disk were full.
    let script = "ulimit -f 2; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(binary());
    command.args([
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
    ]);
    command.args(["--audit-log", &text]);
    let mut signer = Signer::spawn(&mut command);
    signer.wait_loaded();
    let mut client = signer.client();
    for epoch in 0..30 {
        let request = vote(ZERO, "0", &epoch.to_string(), ZERO);
        assert_eq!(sign(&mut client, &request), 200, "{epoch}");
    }
    let error = signer.wait_for_line("ERROR");
    assert!(error.contains("audit.log cannot be written: "), "{error}");
    assert_eq!(metric(&signer, "signerd_audit_log_failing "), "1");
    let late: u64 = metric(&signer, "signerd_audit_log_late_total ")
        .parse()
        .unwrap();
    assert!((1..30).contains(&late), "{late}");

    let rotated = scratch.path().join("audit.log.1");
    fs::rename(&path, &rotated).unwrap();
    signer.signal("HUP");
    signer.wait_for_line("is opened again");
    // The rest does not fit into one file of that size either: one more round.
    signer.signal("TERM");
    assert_eq!(signer.wait_exit(), Some(0));
    let errors = signer.log().matches("audit.log cannot be written").count();
    assert!(errors <= 2, "{}", signer.log());
    let first = fs::read_to_string(&rotated).unwrap();
    let second = fs::read_to_string(&path).unwrap();
    let joined = format!("{first}{second}");
    let whole = joined
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_ok());
    assert!(whole.count() > 2, "{joined}");
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start() {
    let scratch = Scratch::new("audit-refused");
    let name = |name: &str| scratch.path().join(name).display().to_string();
    scratch.write("target", "");
    symlink(name("target"), name("link")).unwrap();
    fs::create_dir(name("directory")).unwrap();
    let made = Command::new("mkfifo").arg(name("fifo")).status();
    assert!(made.unwrap().success());
    for (path, reason) in [
        (name("missing/audit.log"), "No such file or directory"),
        (name("link"), "it is a symbolic link: name the file itself"),
        (name("directory"), "Is a directory"),
        (name("fifo"), "it is not a regular file"),
        ("/dev/null".to_owned(), "it is not a regular file"),
    ] {
        let output = Command::new(binary())
            .args(["--port", "0", "--metrics-port", "0", "--audit-log", &path])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(73), "{told}");
        assert!(
            told.starts_with(&format!("error: --audit-log: {path}: {reason}")),
            "{told}"
        );
        assert!(told.contains("\nhint: "), "{told}");
    }
    assert_eq!(fs::metadata(name("target")).unwrap().size(), 0);
}
