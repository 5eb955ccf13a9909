//! The control socket: commands speak to the service that runs through it, and a token goes nowhere else
//! but to a server that has shown its own certificate.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, DirBuilder};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Scratch, Signer, binary, copy_binary, secured};

/// A user without rights.
const NOBODY: u32 = 65_534;

/// A directory for data below the scratch directory.
fn data_dir(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.path().join(name);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .unwrap();
    path
}

fn signerd(scratch: &Scratch, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(scratch.path())
        .env_clear()
        .output()
        .unwrap()
}

/// Standard output of a command that must succeed.
fn told(scratch: &Scratch, arguments: &[&str]) -> String {
    let output = signerd(scratch, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and stderr of a command.
fn refused(scratch: &Scratch, arguments: &[&str]) -> (Option<i32>, String) {
    let output = signerd(scratch, arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A bare request and its whole answer over a Unix socket; empty when the other side hangs up.
fn exchange(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut answer = String::new();
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// The options of a server with the test certificate, and of a command that asks it.
fn tls_options(scratch: &Scratch) -> Vec<String> {
    let cert = secured::private(scratch, "server.pem");
    let key = secured::private(scratch, "server.key");
    vec!["--tls-cert".to_owned(), cert, "--tls-key".to_owned(), key]
}

/// Another process on a port: answers everything with a forged file, and keeps what it was sent.
struct Impostor {
    port: String,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Impostor {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let keep = Arc::clone(&heard);
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                stream
                    .set_read_timeout(Some(Duration::from_millis(300)))
                    .unwrap();
                let mut chunk = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut chunk) {
                    keep.lock().unwrap().extend_from_slice(&chunk[..length]);
                }
                let body = "{\"forged\":true}";
                let head = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            }
        });
        Self {
            port,
            heard,
            connections,
        }
    }

    fn has_heard(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).contains(text)
    }
}

fn token_of(data: &Path) -> String {
    fs::read_to_string(data.join("api-token.txt"))
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn commands_speak_through_the_socket_beside_a_server_with_tls_and_send_no_token() {
    let scratch = Scratch::new("control-tls");
    let data = data_dir(&scratch, "data");
    let tls = tls_options(&scratch);
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let ca = secured::private(&scratch, "ca.pem");
    let data_text = data.display().to_string();
    // It wants client certificates, and has no metrics listener.
    let server = [
        &[
            "--data-dir",
            &data_text,
            "--metrics-enabled=false",
            "--tls-client-ca",
            &ca,
        ],
        &tls[..],
    ]
    .concat();
    let signer = Signer::start(&server);
    let impostor = Impostor::start();
    let other_impostor = Impostor::start();
    let options = [
        &[
            "--data-dir",
            &data_text,
            "--metrics-port",
            &impostor.port,
            "--port",
            &other_impostor.port,
        ],
        &tls[..],
    ]
    .concat();
    told(&scratch, &[&["wait"], &options[..]].concat());
    let healthy = told(&scratch, &[&["healthcheck"], &options[..]].concat());
    assert!(healthy.contains("control.sock is healthy"), "{healthy}");

    let interchange = json!({
        "metadata": {
            "interchange_format_version": "5",
            "genesis_validators_root": format!("0x{}", "12".repeat(32)),
        },
        "data": [{
            "pubkey": format!("0x{}", "ab".repeat(48)),
            "signed_blocks": [{ "slot": "81952" }],
            "signed_attestations": [],
        }],
    });
    let file = scratch.write("in.json", interchange.to_string());
    told(
        &scratch,
        &[&["slashing", "import", "--from", &file], &options[..]].concat(),
    );
    let exported = told(&scratch, &[&["slashing", "export"], &options[..]].concat());
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(
        exported["data"][0]["signed_blocks"],
        interchange["data"][0]["signed_blocks"]
    );

    for impostor in [impostor, other_impostor] {
        let connections = impostor.connections.load(Ordering::SeqCst);
        assert_eq!(connections, 0, "nobody else is asked");
    }
    drop(signer);
}

#[test]
fn a_token_is_never_sent_to_another_process_on_the_port() {
    let scratch = Scratch::new("control-impostor");
    let data = data_dir(&scratch, "data");
    let data_text = data.display().to_string();
    let tls = tls_options(&scratch);
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let signer = Signer::start(&[&["--data-dir", &data_text], &tls[..]].concat());
    let (_, port) = signer.address.rsplit_once(':').unwrap();
    let socket = data.join("control.sock");
    // It cannot be reached, as where the file system has no sockets.
    let _ = fs::remove_file(&socket);
    let impostor = Impostor::start();
    let export = ["slashing", "export", "--data-dir", &data_text];

    // Without TLS, the other side proves nothing.
    let plain = [&export[..], &["--port", &impostor.port]].concat();
    let (code, printed) = refused(&scratch, &plain);
    assert_eq!(code, Some(69), "{printed}");
    assert!(
        printed.contains("control.sock") && printed.contains("hint: "),
        "{printed}"
    );
    assert_eq!(impostor.connections.load(Ordering::SeqCst), 0);

    // With TLS: not to a port without TLS, nor to a server with another certificate.
    let no_tls = [&export[..], &tls, &["--port", &impostor.port]];
    let (code, printed) = refused(&scratch, &no_tls.concat());
    assert_eq!(code, Some(69), "{printed}");
    assert!(!impostor.has_heard("authorization") && !impostor.has_heard(&token_of(&data)));
    let other_cert = secured::private(&scratch, "server-rsa.pem");
    let other_key = secured::private(&scratch, "server-rsa.key");
    let other = Signer::start(&[
        "--tls-cert",
        &other_cert,
        "--tls-key",
        &other_key,
        "--access-logs-enabled",
    ]);
    let (_, other_port) = other.address.rsplit_once(':').unwrap();
    let another = [&export[..], &tls, &["--port", other_port]].concat();
    let (code, printed) = refused(&scratch, &another);
    assert_eq!(code, Some(69), "{printed}");

    // To the server that has its own certificate it is.
    let right = [&export[..], &tls, &["--port", port]].concat();
    let exported: Value = serde_json::from_str(&told(&scratch, &right)).unwrap();
    assert_eq!(exported["metadata"]["interchange_format_version"], "5");
    let health = ["healthcheck", "--data-dir", &data_text, "--port", port];
    let healthy = told(&scratch, &[&health[..], &tls].concat());
    assert!(
        healthy.contains(&format!("https://127.0.0.1:{port} is healthy")),
        "{healthy}"
    );
}

/// A container from scratch: no data directory, no metrics, nothing but TLS.
#[test]
fn health_is_asked_over_tls_alone_and_of_its_own_certificate() {
    let scratch = Scratch::new("control-scratch");
    let tls = tls_options(&scratch);
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let p12 = secured::private(&scratch, "server.p12");
    let password = secured::private(&scratch, "server.p12.password");
    let store = [
        "--tls-keystore-file",
        &p12,
        "--tls-keystore-password-file",
        &password,
        "--tls-allow-any-client",
    ];
    let server = [
        "--interop-keys",
        "0..2",
        "--metrics-enabled=false",
        "--auth-token",
        "horse",
    ];
    for options in [&tls[..], &store[..]] {
        let signer = Signer::start(&[&server[..], options].concat());
        let (_, port) = signer.address.rsplit_once(':').unwrap();
        let ask = [options, &["--metrics-enabled=false", "--port", port]].concat();
        told(
            &scratch,
            &[&["wait", "--expect-keys", "2"], &ask[..]].concat(),
        );
        let healthy = told(
            &scratch,
            &[&["healthcheck", "--expect-keys", "2"], &ask[..]].concat(),
        );
        assert!(healthy.starts_with("https://"), "{healthy}");
        let impostor = Impostor::start();
        let elsewhere = [options, &["--port", &impostor.port]].concat();
        let (code, printed) = refused(&scratch, &[&["healthcheck"], &elsewhere[..]].concat());
        assert_eq!(code, Some(1), "{printed}");
    }
}

/// A command has no client certificate, and sends nothing secret to the metrics listener.
#[test]
fn where_clients_need_certificates_health_is_asked_on_the_metrics_listener_or_not_at_all() {
    let scratch = Scratch::new("control-clients");
    let mut tls = tls_options(&scratch);
    tls.push("--tls-client-ca".to_owned());
    tls.push(secured::private(&scratch, "ca.pem"));
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let signer = Signer::start(&[&["--interop-keys", "0..2"], &tls[..]].concat());
    let metrics = signer.metrics.clone().unwrap();
    let (_, port) = metrics.rsplit_once(':').unwrap();
    let ask = [&["healthcheck", "--metrics-port", port], &tls[..]].concat();
    wait_until_healthy(&scratch, &ask);
    let off = [&ask[..], &["--metrics-enabled=false"]].concat();
    let (code, printed) = refused(&scratch, &off);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("hint: give the server a --data-dir"),
        "{printed}"
    );
}

/// Waits until this health check succeeds.
fn wait_until_healthy(scratch: &Scratch, ask: &[&str]) {
    let mut wait = ask.to_vec();
    wait[0] = "wait";
    told(scratch, &wait);
    told(scratch, ask);
}

#[test]
fn the_socket_is_for_its_owner_alone_and_needs_no_token() {
    let scratch = Scratch::new("control-owner");
    scratch.write("bad/key.json", "{}");
    scratch.write("bad/key.txt", "password");
    let bad = scratch.path().join("bad").display().to_string();
    let data = data_dir(&scratch, "data");
    let data_text = data.display().to_string();
    let token = scratch.write("token", "correct-horse");
    let mut signer = Signer::start(&[
        "--keystores-path",
        &bad,
        "--keystores-passwords-path",
        &bad,
        "--data-dir",
        &data_text,
        "--auth-token-file",
        &token,
        "--http-host-allowlist",
        "signer.internal",
    ]);
    let socket = data.join("control.sock");
    signer.wait_for_line("control on unix:");
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);

    let request = |path: &str| format!("GET {path} HTTP/1.0\r\nhost: whatever\r\n\r\n");
    for (path, text) in [
        ("/api/v1/eth2/publicKeys", "[]"),
        ("/eth/v1/keystores", "\"data\""),
        ("/api/v1/slashing-protection", "interchange_format_version"),
        ("/api/v1/eth2/highWatermark", "{}"),
    ] {
        let answer = exchange(&socket, &request(path));
        assert!(
            answer.contains(" 200 ") && answer.contains(text),
            "{path}: {answer}"
        );
    }
    // The server answers which file, and why, and the command prints it.
    let mut answer = String::new();
    for _ in 0..500 {
        answer = exchange(&socket, &request("/healthcheck"));
        if answer.contains("key.json") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        answer.contains(" 503 ") && answer.contains("key.json"),
        "{answer}"
    );
    let (code, printed) = refused(&scratch, &["healthcheck", "--data-dir", &data_text]);
    assert_eq!(code, Some(1), "{printed}");

    if found.uid() != 0 {
        return; // only root can become somebody else
    }
    // Even where the mode of the file lets others in, the kernel names their user.
    let program = scratch.path().join("signerd");
    copy_binary(&program);
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(scratch.path(), 0o755);
    open(&data, 0o755);
    open(&socket, 0o666);
    let output = Command::new(&program)
        .args(["healthcheck", "--data-dir", &data_text, "--port", "9"])
        .env_clear()
        .uid(NOBODY)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    signer.wait_for_line("the control socket refused a connection of user 65534");
}

#[test]
fn a_command_does_not_trust_another_user_who_listens_in_the_data_directory() {
    let scratch = Scratch::new("control-stranger");
    let data = data_dir(&scratch, "data");
    if fs::metadata(&data).unwrap().uid() != 0 {
        return; // only root can become somebody else
    }
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let program = scratch.path().join("signerd");
    copy_binary(&program);
    open(scratch.path(), 0o755);
    open(&data, 0o777);
    let data_text = data.display().to_string();
    let arguments = [
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
    ];
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .args([
            "--data-dir",
            &data_text,
            "--slashing-protection-enabled=false",
            "--allow-insecure-permissions",
        ])
        .uid(NOBODY);
    let signer = Signer::spawn(&mut command);
    signer.wait_loaded();
    let (code, printed) = refused(&scratch, &["healthcheck", "--data-dir", &data_text]);
    assert_eq!(code, Some(77), "{printed}");
    assert!(printed.contains("user 65534 listens there"), "{printed}");
    // It is trusted where the directory is its own: root asks the service of another user.
    std::os::unix::fs::chown(&data, Some(NOBODY), None).unwrap();
    told(&scratch, &["healthcheck", "--data-dir", &data_text]);
}

#[test]
fn a_socket_that_a_dead_process_has_left_is_replaced_and_that_of_a_live_one_is_not() {
    let scratch = Scratch::new("control-stale");
    let data = data_dir(&scratch, "data");
    let data_text = data.display().to_string();
    let options = [
        "--data-dir",
        &data_text,
        "--slashing-protection-enabled=false",
        "--interop-keys",
    ];
    let first = Signer::start(&[&options[..], &["0..1"]].concat());
    first.signal("KILL");
    let socket = data.join("control.sock");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(&socket).is_ok() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(socket.exists(), "a killed process leaves it");
    let second = Signer::start(&[&options[..], &["0..2"]].concat());
    let ask = ["healthcheck", "--data-dir", &data_text, "--expect-keys"];
    second.wait_loaded();
    told(&scratch, &[&ask[..], &["2"]].concat());

    let mut third = Signer::start(&[&options[..], &["0..3"]].concat());
    third.wait_loaded();
    let warning = third.wait_for_line("no control socket at");
    assert!(
        warning.contains("WARN") && warning.contains("in use"),
        "{warning}"
    );
    let healthy = told(&scratch, &[&ask[..], &["2"]].concat());
    assert!(
        healthy.contains("2 keys"),
        "the second one answers still: {healthy}"
    );

    // A file that is not a socket is not removed.
    drop((second, third));
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "precious").unwrap();
    let mut fourth = Signer::start(&[&options[..], &["0..1"]].concat());
    fourth.wait_for_line("a file that is not a socket is in the way");
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
    drop(fourth);
    fs::remove_file(&socket).unwrap();
    let target = scratch.write("target", "precious");
    std::os::unix::fs::symlink(&target, &socket).unwrap();
    let mut fifth = Signer::start(&[&options[..], &["0..1"]].concat());
    fifth.wait_for_line("a file that is not a socket is in the way");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn the_socket_works_in_a_directory_whose_path_is_longer_than_an_address() {
    let scratch = Scratch::new("control-long");
    let name = format!("{}/{}/{}", "d".repeat(90), "e".repeat(90), "f".repeat(90));
    let data = data_dir(&scratch, &name);
    for data_text in [data.display().to_string(), name] {
        let mut command = Command::new(binary());
        command
            .args([
                "--port",
                "0",
                "--metrics-port",
                "0",
                "--interop-keys",
                "0..2",
            ])
            .args(["--data-dir", &data_text])
            .current_dir(scratch.path());
        let mut signer = Signer::spawn(&mut command);
        signer.wait_for_line("control on unix:");
        signer.wait_loaded();
        let ask = [
            "healthcheck",
            "--data-dir",
            &data_text,
            "--expect-keys",
            "2",
        ];
        let healthy = told(&scratch, &ask);
        assert!(healthy.contains("control.sock is healthy"), "{healthy}");
        told(&scratch, &["slashing", "export", "--data-dir", &data_text]);
    }
}

#[test]
fn without_a_data_directory_the_socket_is_in_the_runtime_directory() {
    let scratch = Scratch::new("control-runtime");
    let runtime = data_dir(&scratch, "run");
    let mut command = Command::new(binary());
    command
        .args([
            "--port",
            "0",
            "--metrics-enabled=false",
            "--interop-keys",
            "0..2",
        ])
        .env("RUNTIME_DIRECTORY", &runtime);
    let mut signer = Signer::spawn(&mut command);
    signer.wait_for_line("control on unix:");
    signer.wait_loaded();
    let mut ask = Command::new(binary());
    ask.args(["healthcheck", "--expect-keys", "2"])
        .env_clear()
        .env("RUNTIME_DIRECTORY", &runtime);
    let output = ask.output().unwrap();
    let healthy = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && healthy.contains("run/control.sock"),
        "{healthy}"
    );
}

#[test]
fn half_an_answer_is_no_interchange_file() {
    let scratch = Scratch::new("control-half");
    let data = data_dir(&scratch, "data");
    let data_text = data.display().to_string();
    let signer = Signer::start(&["--data-dir", &data_text]);
    let socket = data.join("control.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut chunk = [0; 4096];
            let _ = stream.read(&mut chunk);
            let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"metadata\":{";
            let _ = stream.write_all(half.as_bytes());
        }
    });
    let (code, printed) = refused(&scratch, &["slashing", "export", "--data-dir", &data_text]);
    assert_eq!(code, Some(69), "{printed}");
    assert!(printed.contains("not whole"), "{printed}");
    drop(signer);
}
