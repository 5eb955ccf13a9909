//! Tokens: where they come from, what is none, how they change, and what is told without one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::client::{Answer, Client, tcp};
use crate::support::secured::{Secured, private, secure};
use crate::support::{Scratch, Signer, binary};

/// How a start ends, and what it prints; no code when it serves.
fn start(
    scratch: &Scratch,
    arguments: &[&str],
    environment: &[(&str, &OsStr)],
) -> (Option<i32>, String) {
    let mut child = Command::new(binary())
        .args(["--port", "0", "--metrics-port", "0"])
        .args(["--interop-keys", "0..1"])
        .args(arguments)
        .current_dir(scratch.path())
        .env_clear()
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        printed.push_str(&line);
        printed.push('\n');
        if line.contains("signing on http") {
            child.kill().unwrap();
        }
    }
    (child.wait().unwrap().code(), printed)
}

/// A request with this value of `Authorization`.
fn ask(client: &mut Client, path: &str, authorization: Option<&str>) -> Answer {
    let headers: Vec<_> = authorization
        .map(|value| ("Authorization", value))
        .into_iter()
        .collect();
    client.request("GET", path, &headers, b"")
}

fn bearer(client: &mut Client, path: &str, token: &str) -> u16 {
    ask(client, path, Some(&format!("Bearer {token}"))).status
}

/// Reloads, and waits until the signer says what has come of it.
fn reload(signer: &mut Signer, line: &str) {
    signer.signal("HUP");
    signer.wait_for_line(line);
}

#[test]
fn an_empty_or_blank_token_is_refused_wherever_it_comes_from() {
    let scratch = Scratch::new("tokens-blank");
    for blank in [
        "",
        " ",
        "\t\n",
        "\u{feff}",
        "\u{a0}",
        "\u{200b}",
        "\u{3000}\u{2003}",
        "\r\n\u{feff}",
    ] {
        scratch.write("token", blank);
        let quoted = serde_json::to_string(blank).unwrap();
        scratch.write("quoted.yaml", format!("auth-token: {quoted}\n"));
        scratch.write("prefixed.yaml", format!("eth2.auth-token: {quoted}\n"));
        let flag = format!("--auth-token={blank}");
        for (case, arguments, variable) in [
            ("a flag", vec!["--auth-token", blank], None),
            ("a flag with =", vec![flag.as_str()], None),
            ("SIGNERD_", vec![], Some(("SIGNERD_AUTH_TOKEN", blank))),
            (
                "WEB3SIGNER_",
                vec![],
                Some(("WEB3SIGNER_AUTH_TOKEN", blank)),
            ),
            ("PY3SIGNER_", vec![], Some(("PY3SIGNER_AUTH_TOKEN", blank))),
            ("a file", vec!["--auth-token-file", "token"], None),
            (
                "a Keymanager file",
                vec!["--keymanager-token-file", "token"],
                None,
            ),
            ("YAML", vec!["--config-file", "quoted.yaml"], None),
            (
                "YAML with a prefix",
                vec!["--config-file", "prefixed.yaml"],
                None,
            ),
        ] {
            let environment: Vec<_> = variable
                .map(|(name, text)| (name, OsStr::new(text)))
                .into_iter()
                .collect();
            let (code, printed) = start(&scratch, &arguments, &environment);
            assert!(
                matches!(code, Some(64 | 78)) && printed.starts_with("error: "),
                "{blank:?} from {case}: {code:?} {printed}"
            );
        }
    }
    for (case, yaml) in [
        ("nothing", "auth-token:\n"),
        ("null", "auth-token: null\n"),
        ("~", "auth-token: ~\n"),
        ("an empty list", "auth-token: []\n"),
        ("a file without a name", "auth-token-file:\n"),
        (
            "a Keymanager file without a name",
            "keymanager-token-file: \"\"\n",
        ),
    ] {
        scratch.write("null.yaml", yaml);
        let (code, printed) = start(&scratch, &["--config-file", "null.yaml"], &[]);
        assert_eq!(code, Some(78), "{case}: {printed}");
    }
    // An empty variable is no value elsewhere. Where it would leave the signer open it is a mistake.
    for name in [
        "SIGNERD_AUTH_TOKEN_FILE",
        "SIGNERD_KEYMANAGER_TOKEN_FILE",
        "WEB3SIGNER_TLS_KEYSTORE_FILE",
        "SIGNERD_TLS_CERT",
        "SIGNERD_TLS_CLIENT_CA",
        "WEB3SIGNER_TLS_KNOWN_CLIENTS_FILE",
    ] {
        let (code, printed) = start(&scratch, &[], &[(name, OsStr::new(""))]);
        assert_eq!(code, Some(78), "{name}: {printed}");
        assert!(printed.contains(name), "{printed}");
    }
}

#[test]
fn an_empty_token_that_is_sent_is_no_token() {
    let signer = Signer::start(&["--interop-keys", "0..1", "--auth-token", "correct-horse"]);
    let mut client = signer.client();
    for sent in [
        "Basic Og==",     // :
        "Basic dXNlcjo=", // user:
        "Basic OiA=",     // : and a space
        "Bearer",
        "Bearer ",
    ] {
        let answer = ask(&mut client, "/api/v1/eth2/publicKeys", Some(sent));
        assert_eq!(answer.status, 401, "{sent}");
    }
    assert_eq!(
        bearer(&mut client, "/api/v1/eth2/publicKeys", "correct-horse"),
        200
    );
}

#[test]
fn a_token_file_that_has_changed_is_taken_at_sighup_and_a_bad_one_is_not() {
    let scratch = Scratch::new("tokens-sighup");
    let all = scratch.write("all", "all-1");
    let keys = scratch.write("keys", "keys-1\n");
    let mut signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token-file",
        &all,
        "--keymanager-token-file",
        &keys,
    ]);
    signer.wait_loaded();
    let mut client = signer.client();
    let mut metrics = Client::connect(signer.metrics.as_deref().unwrap());
    let sign = "/api/v1/eth2/publicKeys";
    let manage = "/eth/v1/keystores";

    scratch.write("all", "all-2");
    scratch.write("keys", "keys-2");
    reload(&mut signer, "a token has changed");
    let deadline = Instant::now() + Duration::from_secs(20);
    while bearer(&mut client, manage, "keys-2") != 200 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    for (path, token, status) in [
        (sign, "all-1", 403),
        (sign, "all-2", 200),
        (manage, "all-2", 200),
        (manage, "keys-1", 403),
        (manage, "keys-2", 200),
    ] {
        assert_eq!(
            bearer(&mut client, path, token),
            status,
            "{token} at {path}"
        );
    }
    assert_eq!(bearer(&mut metrics, "/metrics", "all-1"), 403);
    assert_eq!(bearer(&mut metrics, "/metrics", "all-2"), 200);

    // What is no token, what others can read, what is not there: the token of before stays.
    scratch.write("all", " \n");
    reload(
        &mut signer,
        "all: expected one token; this token stays as it was",
    );
    scratch.write("all", "all-3");
    fs::set_permissions(&all, fs::Permissions::from_mode(0o644)).unwrap();
    reload(&mut signer, "others can read or write it");
    fs::remove_file(&all).unwrap();
    reload(&mut signer, "No such file");
    assert_eq!(bearer(&mut client, sign, "all-2"), 200);
    assert_eq!(ask(&mut client, sign, None).status, 401);
    assert_eq!(ask(&mut client, sign, Some("Basic Og==")).status, 401);
    assert!(!signer.log().contains("all-2") && !signer.log().contains("keys-2"));
}

#[test]
fn the_generated_token_is_read_again_at_sighup_and_made_again_when_it_was_removed() {
    let scratch = Scratch::new("tokens-generated");
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let mut signer = Signer::start(&["--data-dir", &data.display().to_string()]);
    signer.wait_loaded();
    let file = data.join("api-token.txt");
    let mut client = signer.client();
    let first = fs::read_to_string(&file).unwrap();
    assert_eq!(bearer(&mut client, "/eth/v1/keystores", first.trim()), 200);
    fs::remove_file(&file).unwrap();
    reload(&mut signer, "a token has changed");
    let second = fs::read_to_string(&file).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(bearer(&mut client, "/eth/v1/keystores", first.trim()), 403);
    assert_eq!(bearer(&mut client, "/eth/v1/keystores", second.trim()), 200);
}

#[test]
fn a_token_in_a_config_file_that_others_can_read_is_refused() {
    let scratch = Scratch::new("tokens-config");
    let path = scratch.write("c.yaml", "auth-token: correct-horse\nlogging: info\n");
    let other = scratch.write("d.yaml", "logging: info\n");
    let mode =
        |path: &str, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (permissions, code) in [
        (0o644, Some(77)),
        (0o604, Some(77)),
        (0o602, Some(77)),
        (0o666, Some(77)),
        (0o640, None),
        (0o660, None),
        (0o600, None),
        (0o400, None),
    ] {
        mode(&path, permissions);
        for (arguments, environment) in [
            (vec!["--config-file", "c.yaml"], vec![]),
            (vec![], vec![("SIGNERD_CONFIG_FILE", OsStr::new("c.yaml"))]),
            // The token lies open in the file, whether it is used or not.
            (
                vec!["--config-file", "c.yaml", "--auth-token", "other"],
                vec![],
            ),
        ] {
            let (found, printed) = start(&scratch, &arguments, &environment);
            assert_eq!(found, code, "{permissions:o} {arguments:?}: {printed}");
            assert!(!printed.contains("correct-horse"), "{printed}");
            if code.is_some() {
                let expected = "error: auth-token in c.yaml: others can read or write this file\n\
                                hint: run: chmod o= 'c.yaml'";
                assert!(printed.starts_with(expected), "{printed}");
            }
        }
    }
    mode(&path, 0o644);
    mode(&other, 0o644);
    let allowed = ["--config-file", "c.yaml", "--allow-insecure-permissions"];
    let (code, printed) = start(&scratch, &allowed, &[]);
    assert_eq!(code, None, "{printed}");
    assert_eq!(
        start(&scratch, &["--config-file", "d.yaml"], &[]).0,
        None,
        "without a secret"
    );
}

#[test]
fn a_variable_that_is_not_utf8_is_an_error_that_names_it_and_tells_no_secret() {
    let scratch = Scratch::new("tokens-utf8");
    let latin_1 = OsStr::from_bytes(b"schl\xfcssel");
    for name in [
        "SIGNERD_AUTH_TOKEN",
        "WEB3SIGNER_AUTH_TOKEN",
        "WEB3SIGNER_ETH2_AUTH_TOKEN",
        "PY3SIGNER_AUTH_TOKEN",
        "SIGNERD_AUTH_TOKEN_FILE",
        "SIGNERD_TLS_CLIENT_CA",
        "SIGNERD_SLASHING_PROTECTION_ENABLED",
        "WEB3SIGNER_HTTP_HOST_ALLOWLIST",
        "SIGNERD_CONFIG_FILE",
    ] {
        let (code, printed) = start(&scratch, &[], &[(name, latin_1)]);
        assert_eq!(code, Some(78), "{name}: {printed}");
        assert!(
            printed.contains(name) && printed.contains("UTF-8"),
            "{name}: {printed}"
        );
        let is_secret = name.ends_with("AUTH_TOKEN");
        assert_eq!(printed.contains("schl"), !is_secret, "{name}: {printed}");
    }
    // What is not an option stays a line of the log, or nothing.
    let unknown = [("SIGNERD_AUTH_TOKN", OsStr::new("x")), ("HOME", latin_1)];
    let (code, printed) = start(&scratch, &[], &unknown);
    assert_eq!(code, None, "{printed}");
    assert!(
        printed.contains(
            "SIGNERD_AUTH_TOKN is not the name of an option: did you mean SIGNERD_AUTH_TOKEN?"
        ),
        "{printed}"
    );
}

#[test]
fn an_argument_that_is_not_utf8_is_an_error_that_tells_no_secret() {
    for (arguments, shown) in [
        (
            vec![&b"--auth-token=schl\xfcssel"[..]],
            "argument 1 (--auth-token)",
        ),
        (vec![&b"--auth-token"[..], b"schl\xfcssel"], "argument 2"),
    ] {
        let arguments = arguments.into_iter().map(OsStr::from_bytes);
        let output = Command::new(binary())
            .args(arguments)
            .env_clear()
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{printed}");
        assert_eq!(printed, format!("error: {shown}: expected text in UTF-8\n"));
    }
}

/// The parts of the answer that say why: of keys that did not open, and of the store.
fn reasons(answer: &Answer) -> String {
    answer.json()["checks"][1]["checks"][0]["data"]["errors"].to_string()
}

#[test]
fn without_a_token_health_tells_counts_and_states_but_no_path_and_no_reason() {
    let scratch = Scratch::new("tokens-health");
    scratch.write("bad/key.json", "{}");
    scratch.write("bad/key.txt", "password");
    let bad = scratch.path().join("bad").display().to_string();
    let keys = ["--keystores-path", &bad, "--keystores-passwords-path", &bad];
    let all = scratch.write("all", "all");
    let manage = scratch.write("manage", "manage");
    for (case, options, right) in [
        ("no token is configured", vec![], vec![]),
        (
            "a token",
            vec!["--auth-token-file", all.as_str()],
            vec!["all"],
        ),
        (
            "a Keymanager token",
            vec!["--keymanager-token-file", &manage],
            vec!["manage"],
        ),
        (
            "both",
            vec![
                "--auth-token-file",
                &all,
                "--keymanager-token-file",
                &manage,
            ],
            vec!["all", "manage"],
        ),
    ] {
        let signer = Signer::start(&[&keys[..], &options].concat());
        signer.wait_loaded();
        let mut clients = [
            signer.client(),
            Client::connect(signer.metrics.as_deref().unwrap()),
        ];
        for client in &mut clients {
            for sent in [
                None,
                Some("Bearer wrong"),
                Some("Basic Og=="),
                Some("Bearer NIL"),
            ] {
                let answer = ask(client, "/healthcheck", sent);
                assert_eq!(answer.status, 503, "{case}, {sent:?}");
                let data = &answer.json()["checks"][1]["checks"][0]["data"];
                assert_eq!(
                    (&data["error-count"], &data["keys-loaded"]),
                    (&1.into(), &0.into())
                );
                assert_eq!(reasons(&answer), "[]", "{case}, {sent:?}");
                assert!(!answer.text().contains("key.json"), "{}", answer.text());
            }
            for token in &right {
                let answer = ask(client, "/healthcheck", Some(&format!("Bearer {token}")));
                assert!(
                    reasons(&answer).contains("key.json"),
                    "{case}: {}",
                    answer.text()
                );
            }
        }
    }
}

#[test]
fn health_is_no_way_to_guess_a_token_at_full_speed() {
    let signer = Signer::start(&["--interop-keys", "0..1", "--auth-token", "correct-horse"]);
    signer.wait_loaded();
    let mut client = signer.client();
    let began = Instant::now();
    for guess in 0..12 {
        let answer = ask(
            &mut client,
            "/healthcheck",
            Some(&format!("Bearer guess-{guess}")),
        );
        assert_eq!(answer.status, 200, "health is open to all");
    }
    // Eight are free, each of the other four waits for half a second.
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
}

/// A client over TLS, with this certificate.
fn tls_client(signer: &Signer, certificate: Option<&'static str>) -> Client {
    let address = signer.address.clone();
    let open = move || {
        let stream = secure(tcp(&address)?, certificate);
        Some(Box::new(Secured(stream)) as _)
    };
    Client::over(&signer.address, Box::new(open)).unwrap()
}

#[test]
fn a_client_with_a_certificate_needs_no_token_for_the_keymanager_routes() {
    let scratch = Scratch::new("tokens-certificate");
    let cert = private(&scratch, "server.pem");
    let key = private(&scratch, "server.key");
    let ca = private(&scratch, "ca.pem");
    let all = scratch.write("all", "all");
    let manage = scratch.write("manage", "manage");
    let tls = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--tls-client-ca",
        &ca,
    ];
    for (case, options, keystores, keys) in [
        ("certificates alone", vec![], 200, 200),
        (
            "said so",
            vec!["--keymanager-auth=client-certificate"],
            200,
            200,
        ),
        (
            "with a token for everything",
            vec![
                "--keymanager-auth=client-certificate",
                "--auth-token-file",
                &all,
            ],
            200,
            401,
        ),
        (
            "a token is wanted",
            vec![
                "--keymanager-auth=token",
                "--keymanager-token-file",
                &manage,
            ],
            401,
            200,
        ),
        (
            "a token is given",
            vec!["--keymanager-token-file", &manage],
            401,
            200,
        ),
    ] {
        let data = Scratch::new("tokens-certificate-data");
        let directory = data.path().display().to_string();
        let more = ["--data-dir", &directory];
        let signer = Signer::start(&[&tls[..], &more, &options].concat());
        let mut client = tls_client(&signer, Some("client"));
        while client.get("/upcheck").status != 200 {}
        let answer = client.get("/eth/v1/keystores");
        assert_eq!(answer.status, keystores, "{case}: {}", answer.text());
        let answer = client.get("/api/v1/eth2/publicKeys");
        assert_eq!(answer.status, keys, "{case}: {}", answer.text());
    }
}

#[test]
fn a_client_without_a_certificate_needs_the_token_where_others_need_none() {
    let scratch = Scratch::new("tokens-no-certificate");
    let cert = private(&scratch, "server.pem");
    let key = private(&scratch, "server.key");
    let ca = private(&scratch, "ca.pem");
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let data = data.display().to_string();
    let socket = scratch.path().join("socket").display().to_string();
    let _signer = Signer::start(&[
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--tls-client-ca",
        &ca,
        "--data-dir",
        &data,
        "--listen-unix",
        &socket,
    ]);
    let open = move || {
        let stream = std::os::unix::net::UnixStream::connect(&socket).ok()?;
        Some(Box::new(stream) as _)
    };
    let mut client = Client::over("localhost", Box::new(open)).unwrap();
    let answer = client.get("/eth/v1/keystores");
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(answer.text().contains("api-token.txt"), "{}", answer.text());
    let token = fs::read_to_string(format!("{data}/api-token.txt")).unwrap();
    assert_eq!(bearer(&mut client, "/eth/v1/keystores", token.trim()), 200);
}

#[test]
fn without_keymanager_auth_nobody_is_asked_and_the_log_is_loud_off_loopback() {
    let scratch = Scratch::new("tokens-none");
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let data = data.display().to_string();
    for (host, is_loud) in [("127.0.0.1", false), ("0.0.0.0", true)] {
        let mut signer = Signer::start(&[
            "--host",
            host,
            "--http-host-allowlist",
            "*",
            "--data-dir",
            &data,
            "--keymanager-auth=none",
            "--auth-token",
            "correct-horse",
        ]);
        signer.wait_first_load();
        let address = signer.address.replace("0.0.0.0", "127.0.0.1");
        let mut client = Client::connect(&address);
        for sent in [None, Some("Bearer NIL")] {
            let answer = ask(&mut client, "/eth/v1/keystores", sent);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(
            ask(&mut client, "/api/v1/eth2/publicKeys", None).status,
            401
        );
        let log = signer.log();
        let warning = log
            .lines()
            .find(|line| line.contains("WARN") && line.contains("--keymanager-auth=none"));
        assert_eq!(warning.is_some(), is_loud, "{host}: {log}");
    }
}

#[test]
fn a_missing_and_a_wrong_token_name_the_option_and_its_file() {
    let scratch = Scratch::new("tokens-named");
    let all = scratch.write("all", "all");
    let manage = scratch.write("manage", "manage");
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token-file",
        &all,
        "--keymanager-token-file",
        &manage,
    ]);
    let mut client = signer.client();
    for (path, parts) in [
        ("/reload", vec!["--auth-token-file", all.as_str()]),
        (
            "/eth/v1/keystores",
            vec![
                "--auth-token-file",
                &all,
                "--keymanager-token-file",
                &manage,
            ],
        ),
    ] {
        for (sent, status) in [(None, 401), (Some("Bearer wrong"), 403)] {
            let answer = ask(&mut client, path, sent);
            assert_eq!(answer.status, status);
            for part in &parts {
                assert!(answer.text().contains(part), "{part}: {}", answer.text());
            }
        }
    }
}

#[test]
fn a_token_file_of_another_system_is_read_as_it_is_meant() {
    let scratch = Scratch::new("tokens-marks");
    let token = "correct-horse-battery-staple";
    for text in [
        format!("{token}\r\n"),
        format!("\u{feff}{token}"),
        format!("\u{feff}{token}\r\n"),
        format!(" \t{token}\n\n"),
        format!("\r\n\u{feff} {token} "),
    ] {
        let all = scratch.write("all", &text);
        let manage = scratch.write("manage", text.replace(token, "manage"));
        let signer = Signer::start(&[
            "--interop-keys",
            "0..1",
            "--auth-token-file",
            &all,
            "--keymanager-token-file",
            &manage,
        ]);
        signer.wait_first_load();
        let mut client = signer.client();
        for (path, token, status) in [
            ("/api/v1/eth2/publicKeys", token, 200),
            ("/eth/v1/keystores", "manage", 200),
            ("/eth/v1/keystores", "manager", 403),
        ] {
            assert_eq!(bearer(&mut client, path, token), status, "{text:?}: {path}");
        }
    }
    scratch.write("two", "\u{feff}two tokens\r\n");
    let (code, printed) = start(&scratch, &["--auth-token-file", "two"], &[]);
    assert_eq!(code, Some(78), "{printed}");
    assert!(printed.contains("expected one token"), "{printed}");
}
