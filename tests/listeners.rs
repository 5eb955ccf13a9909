//! Where it listens, for whom, and what it says of it: hosts, a port in use, the journal, the status for
//! systemd.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Scratch, Signer, Transport, binary};

/// The status of an answer to a request with this `Host`, and perhaps one more field.
fn status(signer: &Signer, host: &str, field: &str) -> u16 {
    let mut client = signer.client();
    client.send(format!("GET /health HTTP/1.1\r\nHost: {host}\r\n{field}\r\n").as_bytes());
    client.answer(false).status
}

#[test]
fn any_host_is_served_where_no_browser_can_be_tricked_or_the_operator_opened_the_port() {
    let hosts = ["unix", "signerd", "%2Frun%2Fs.sock", "", "signer:8080"];
    let keys = ["--interop-keys", "0..1"];
    let unix = Signer::start_over(Transport::Unix, &keys);
    unix.wait_loaded();
    for host in hosts {
        assert_eq!(status(&unix, host, ""), 200, "Unix socket: {host:?}");
    }
    let origin = "Origin: https://evil.example\r\n";
    assert_eq!(status(&unix, "unix", origin), 403, "the origin is checked");

    let any = "0.0.0.0";
    for (case, arguments, expected) in [
        ("py3signer's form", vec!["--host", any], 200),
        (
            "with an allowlist",
            vec!["--host", any, "--http-host-allowlist", "other"],
            403,
        ),
        ("Web3Signer's form", vec!["--host", any, "eth2"], 403),
        ("loopback", vec![], 403),
    ] {
        let mut all = keys.to_vec();
        all.extend(arguments);
        if all.contains(&"eth2") {
            all.push("--slashing-protection-enabled=false");
        }
        let mut signer = Signer::start(&all);
        signer.address = signer.address.replace(any, "127.0.0.1");
        if expected == 200 {
            signer.wait_loaded();
        }
        assert_eq!(status(&signer, "signer:8080", ""), expected, "{case}");
        assert_eq!(status(&signer, "localhost", origin), 403, "{case}");
    }
}

#[test]
fn a_port_in_use_names_the_option_that_sets_it() {
    let scratch = Scratch::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let socket = scratch.path().join("socket").display().to_string();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (arguments, option) in [
        (
            ["--port", &port, "--metrics-port", "0"],
            "--http-listen-port",
        ),
        (["--port", "0", "--metrics-port", &port], "--metrics-port"),
        (["--port", "0", "--listen-unix", &socket], "--listen-unix"),
    ] {
        let output = Command::new(binary()).args(arguments).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{printed}");
        assert!(printed.contains("in use"), "{printed}");
        assert!(printed.contains(option), "{option}: {printed}");
    }
}

#[test]
fn what_ends_the_start_comes_before_the_addresses() {
    let scratch = Scratch::new("fatal-first");
    let missing = scratch.path().join("words");
    std::fs::write(&missing, "not a mnemonic").unwrap();
    let output = Command::new(binary())
        .args(["--port", "0", "--metrics-port", "0", "--key-range", "0..1"])
        .arg("--allow-insecure-permissions")
        .args([std::ffi::OsStr::new("--mnemonic-file"), missing.as_os_str()])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(printed.contains("error: "), "{printed}");
    assert!(!printed.contains("signing on "), "{printed}");
}

#[test]
fn the_journal_gets_levels_as_prefixes_and_no_second_time() {
    let scratch = Scratch::new("journal");
    let path = scratch.path().join("journal");
    let stderr = File::create(&path).unwrap();
    let found = stderr.metadata().unwrap();
    for (stream, prefix) in [
        (
            format!("{}:{}", found.st_dev(), found.st_ino()),
            "<6>INFO  signerd 0",
        ),
        ("1:1".to_owned(), ""),
    ] {
        stderr.set_len(0).unwrap();
        let mut child = Command::new(binary())
            .args([
                "--port",
                "0",
                "--metrics-port",
                "0",
                "--interop-keys",
                "0..1",
            ])
            .env("JOURNAL_STREAM", &stream)
            .stderr(File::options().append(true).open(&path).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut text = String::new();
        while !text.contains("signing on ") && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
            text = std::fs::read_to_string(&path).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(text.contains(prefix), "{text}");
        assert_eq!(text.contains('<'), !prefix.is_empty(), "{text}");
    }
}

#[test]
fn systemd_shows_how_many_keys_are_loaded() {
    let scratch = Scratch::new("status");
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut command = Command::new(binary());
    command
        .args([
            "--port",
            "0",
            "--metrics-port",
            "0",
            "--interop-keys",
            "0..3",
        ])
        .env("NOTIFY_SOCKET", &path);
    let _signer = Signer::spawn(&mut command);
    let mut buffer = [0; 256];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        if &buffer[..length] == b"STATUS=3 keys loaded, 0 failed" {
            return;
        }
    }
}

#[test]
fn a_process_that_was_stopped_goes_on_without_an_error() {
    let mut signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    signer.signal("STOP");
    std::thread::sleep(Duration::from_millis(100));
    signer.signal("CONT");
    let mut stream = TcpStream::connect(&signer.address).unwrap();
    stream
        .write_all(b"GET /upcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!signer.log().contains("ERROR"), "{}", signer.log());
}
