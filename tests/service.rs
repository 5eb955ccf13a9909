//! The surface around the signatures: health, keys, negotiation, guards, start and end.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;

use crate::support::client::{Answer, Client};
use crate::support::{Scratch, Signer, Transport, binary, secured, vectors};

/// A request that the first interop key can always sign.
const RANDAO: &str = r#"{"type":"RANDAO_REVEAL","fork_info":{"fork":{"previous_version":"0x00000000",
"current_version":"0x00000000","epoch":"0"},"genesis_validators_root":
"0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"},"randao_reveal":{"epoch":"0"}}"#;

/// The public key of interop key 0, known from every client's devnet code.
const INTEROP_0: &str = "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";

fn sign_path() -> String {
    format!("/api/v1/eth2/sign/{INTEROP_0}")
}

/// An error answer: its status and its message.
fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(
        body["code"], answer.status,
        "the code in the body is the status"
    );
    assert!(
        body.get("signature").is_none(),
        "no error holds a signature"
    );
    (
        answer.status,
        body["message"].as_str().expect("a message").to_owned(),
    )
}

#[test]
fn health_comes_in_the_forms_of_both_predecessors() {
    let signer = Signer::start(&["--interop-keys", "0..3"]);
    signer.wait_loaded();
    let mut client = signer.client();

    let upcheck = client.request("GET", "/upcheck", &[], b"");
    assert_eq!((upcheck.status, upcheck.text().as_str()), (200, "OK"));
    let upcheck = client.request("GET", "/upcheck", &[("Accept", "application/json")], b"");
    assert_eq!(upcheck.json(), serde_json::json!({"status": "OK"}));

    let health = client.get("/health").json();
    assert_eq!(
        (&health["status"], &health["keys_loaded"]),
        (&"healthy".into(), &3.into())
    );
    assert_eq!(
        health["slashing_protection"], false,
        "off without a data directory"
    );

    let healthcheck = client.get("/healthcheck");
    assert_eq!(healthcheck.status, 200);
    let body = healthcheck.json();
    assert_eq!(
        (&body["status"], &body["outcome"]),
        (&"UP".into(), &"UP".into())
    );
    assert_eq!(body["checks"][1]["checks"][0]["data"]["keys-loaded"], 3);
}

#[test]
fn the_keys_are_listed_sorted_and_in_lower_case() {
    let signer = Signer::start(&["--interop-keys", "0..4"]);
    signer.wait_loaded();
    let keys: Vec<String> =
        serde_json::from_value(signer.client().get("/api/v1/eth2/publicKeys").json()).unwrap();
    assert_eq!(keys.len(), 4);
    assert!(keys.is_sorted());
    assert!(keys.iter().any(|key| key == INTEROP_0));
}

#[test]
fn the_form_of_a_signature_follows_accept() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let mut client = signer.client();
    for (accept, media) in [
        (None, "text/plain; charset=utf-8"),
        (Some("text/plain"), "text/plain; charset=utf-8"),
        (Some("application/json"), "application/json"),
        (Some("*/*"), "application/json"),
    ] {
        let headers: Vec<_> = accept
            .map(|accept| ("Accept", accept))
            .into_iter()
            .collect();
        let answer = client.request("POST", &sign_path(), &headers, RANDAO.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some(media), "{accept:?}");
        let signature = match media {
            "application/json" => answer.json()["signature"]
                .as_str()
                .expect("text")
                .to_owned(),
            _ => answer.text(),
        };
        assert!(
            signature.len() == 194 && signature.starts_with("0x"),
            "{signature}"
        );
    }
}

#[test]
fn the_identifier_is_a_key_with_or_without_prefix_in_any_case() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let mut client = signer.client();
    let digits = INTEROP_0.trim_start_matches("0x");
    for identifier in [
        INTEROP_0,
        digits,
        &digits.to_uppercase(),
        &format!("0x{}", digits.to_uppercase()),
    ] {
        let answer = client.post(
            &format!("/api/v1/eth2/sign/{identifier}"),
            RANDAO.as_bytes(),
        );
        assert_eq!(answer.status, 200, "{identifier}");
    }
}

#[test]
fn a_path_that_is_not_there_and_a_method_that_it_lacks_are_told_apart() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    let mut client = signer.client();
    for (method, path, status, allow) in [
        ("GET", "/", 404, None),
        ("GET", "/api/v1/eth2/sign/", 404, None),
        ("POST", "/api/v1/eth2/sign/a/b", 404, None),
        ("GET", "/api/v1/eth2/highWatermark", 404, None), // slashing protection is off
        ("GET", "/api/v1/eth2/sign/0x00", 405, Some("POST")),
        ("DELETE", "/upcheck", 405, Some("GET, HEAD")),
        ("PUT", "/reload", 405, Some("GET, HEAD, POST")),
    ] {
        let answer = client.request(method, path, &[], b"");
        assert_eq!(refusal(&answer).0, status, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[test]
fn a_route_that_is_off_says_how_to_switch_it_on() {
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--key-manager-api-enabled=false",
        "--auth-token",
        "correct-horse",
    ]);
    let mut client = signer.client();
    for (method, path, part) in [
        ("GET", "/eth/v1/keystores", "--key-manager-api-enabled"),
        ("POST", "/eth/v1/keystores", "--key-manager-api-enabled"),
        (
            "GET",
            "/api/v1/eth2/highWatermark",
            "slashing protection is off",
        ),
        ("GET", "/eth/v1/remotekeys", "remote keys are not supported"),
        (
            "POST",
            "/eth/v1/remotekeys",
            "remote keys are not supported",
        ),
        (
            "DELETE",
            "/eth/v1/remotekeys",
            "remote keys are not supported",
        ),
    ] {
        let (status, message) = refusal(&client.request(method, path, &[], b"{}"));
        assert!(
            status == 404 && message.contains(part),
            "{method} {path}: {status} {message}"
        );
    }
}

#[test]
fn a_proof_of_validation_is_signed_as_it_was_sent_where_that_is_enabled() {
    let path = format!("/api/v1/eth2/ext/sign/{INTEROP_0}");
    let good = r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":"1634025600000"}"#;
    let off = Signer::start(&["--interop-keys", "0..1"]);
    let (status, message) = refusal(&off.client().post(&path, good.as_bytes()));
    assert!(
        status == 404 && message.contains("--Xsigning-ext-enabled"),
        "{message}"
    );

    let signer = Signer::start(&["--interop-keys", "0..1", "--Xsigning-ext-enabled=true"]);
    let mut client = signer.client();
    for accept in ["application/json", "text/plain", "*/*"] {
        let answer = client.request("POST", &path, &[("Accept", accept)], good.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let body = answer.json();
        let payload = body["payload"].as_str().expect("text");
        let payload = base64::engine::general_purpose::STANDARD
            .decode(payload)
            .expect("base64");
        assert_eq!(payload, good.as_bytes());
        let bytes = |text: &str| const_hex::decode(text).expect("hex");
        let signature = body["signature"].as_str().expect("text");
        let signature = blst::min_pk::Signature::from_bytes(&bytes(signature)).expect("a point");
        let key = blst::min_pk::PublicKey::from_bytes(&bytes(INTEROP_0)).expect("a point");
        let tag = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
        let verified = signature.verify(true, good.as_bytes(), tag, &[], &key, true);
        assert_eq!(verified, blst::BLST_ERROR::BLST_SUCCESS);
    }
    for bad in [
        "",
        "{}",
        "invalid",
        &good.replace("PROOF_OF_VALIDATION", "BLOCK_V2"),
        &good.replace('}', r#","extra":1}"#),
    ] {
        assert_eq!(client.post(&path, bad.as_bytes()).status, 400, "{bad}");
    }
    let unknown = "/api/v1/eth2/ext/sign/0x1234";
    assert_eq!(client.post(unknown, good.as_bytes()).status, 404);
}

/// Spellings of a path with more slashes than it needs.
fn with_more_slashes(path: &str) -> Vec<String> {
    vec![
        format!("/{path}"),
        format!("//{path}"),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}/?name[]=a&name[]=b"),
        format!("{path}?name[]=a"),
        path.replace('/', "//"),
        path.replace('/', "///") + "/",
        format!("/.{path}/./"),
    ]
}

#[test]
fn slashes_change_neither_a_route_nor_what_protects_it() {
    // Over TCP, refusals would be held back.
    let signer = Signer::start_over(
        Transport::Unix,
        &["--interop-keys", "0..1", "--auth-token", "correct-horse"],
    );
    signer.wait_loaded();
    let mut client = signer.client();
    let mut metrics = Client::connect(signer.metrics.as_deref().expect("metrics are on"));
    let token = [("Authorization", "Bearer correct-horse")];
    let sign = sign_path();
    for (method, path, body, without_token) in [
        ("POST", sign.as_str(), RANDAO, 401),
        ("GET", "/api/v1/eth2/publicKeys", "", 401),
        ("GET", "/eth/v1/keystores", "", 401),
        ("GET", "/reload", "", 401),
        ("GET", "/upcheck", "", 200),
        ("GET", "/health", "", 200),
        ("HEAD", "/healthcheck", "", 200),
    ] {
        for path in with_more_slashes(path) {
            let answer = client.request(method, &path, &[], body.as_bytes());
            assert_eq!(answer.status, without_token, "{method} {path}");
            let answer = client.request(method, &path, &token, body.as_bytes());
            assert_eq!(answer.status, 200, "{method} {path}");
        }
    }
    assert_eq!(metrics.get("//metrics//").status, 401);
    for path in with_more_slashes("/metrics") {
        let answer = metrics.request("GET", &path, &token, b"");
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in with_more_slashes("/healthcheck") {
        assert_eq!(metrics.get(&path).status, 200, "{path}");
    }
}

#[test]
fn refusals_are_in_the_log_and_do_not_flood_it() {
    let scratch = Scratch::new("refusal-log");
    let data = scratch.path().display().to_string();
    let mut signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--data-dir",
        &data,
        "--log-level",
        "info",
    ]);
    signer.wait_loaded();
    let mut client = signer.client();
    let block = |graffiti: &str| {
        RANDAO.replace("RANDAO_REVEAL", "BLOCK_V2").replace(
            r#""randao_reveal":{"epoch":"0"}"#,
            &format!(
                r#""beacon_block":{{"version":"BELLATRIX","block_header":{{"slot":"7","proposer_index":"1",
                "parent_root":"0x{0}","state_root":"0x{0}","body_root":"0x{graffiti}"}}}}"#,
                "00".repeat(32)
            ),
        )
    };
    let path = sign_path();
    let first = client.post(&path, block(&"01".repeat(32)).as_bytes());
    assert_eq!(first.status, 200, "{}", first.text());
    for _ in 0..50 {
        let answer = client.post(&path, block(&"02".repeat(32)).as_bytes());
        assert_eq!(answer.status, 412, "{}", answer.text());
        assert_eq!(client.post(&path, b"{}").status, 400);
    }
    let warning = signer.wait_for_line("slashing protection refused");
    for part in [
        "WARN",
        INTEROP_0,
        "EIP-3076 condition",
        "asked for",
        "on record is",
    ] {
        assert!(warning.contains(part), "{part} is not in {warning}");
    }
    signer.wait_for_line("refused: POST");
    let log = signer.log();
    for part in ["slashing protection refused", "refused: POST"] {
        let lines = log.matches(part).count();
        assert!(lines < 40, "{lines} lines: {log}");
    }
}

#[test]
fn with_a_token_everything_but_health_asks_for_it() {
    let scratch = Scratch::new("token");
    let file = scratch.write("token", "correct-horse\n");
    let signer = Signer::start(&["--interop-keys", "0..1", "--auth-token-file", &file]);
    signer.wait_loaded();
    let mut client = signer.client();
    for (sent, status) in [
        (None, 401),
        (Some("Bearer wrong horse"), 403),
        (Some("Bearer NIL"), 403),
        (Some("Basic d3Jvbmc6aG9yc2U="), 403),
        (Some("Bearer correct-horse"), 200),
        (Some("Basic dXNlcjpjb3JyZWN0LWhvcnNl"), 200), // user:correct-horse
    ] {
        let headers: Vec<_> = sent
            .map(|sent| ("Authorization", sent))
            .into_iter()
            .collect();
        for path in ["/api/v1/eth2/publicKeys", "/eth/v1/keystores", "/reload"] {
            let answer = client.request("GET", path, &headers, b"");
            assert_eq!(
                answer.status,
                status,
                "{path} with {sent:?}: {}",
                answer.text()
            );
            assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        }
        let answer = client.request("POST", &sign_path(), &headers, RANDAO.as_bytes());
        assert_eq!(answer.status, status, "sign with {sent:?}");
        for path in ["/upcheck", "/health", "/healthcheck"] {
            assert_eq!(
                client.request("GET", path, &headers, b"").status,
                200,
                "{path} with {sent:?}"
            );
        }
    }
}

#[test]
fn whoever_may_not_ask_is_refused_before_the_body() {
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token",
        "correct-horse-battery",
    ]);
    let good = "Authorization: Bearer correct-horse-battery\r\n";
    let sign = sign_path();
    for (method, path, fields, status) in [
        ("POST", sign.as_str(), "Host: localhost\r\n".to_owned(), 401),
        (
            "POST",
            &sign,
            "Host: localhost\r\nAuthorization: Bearer wrong\r\n".to_owned(),
            403,
        ),
        ("POST", &sign, format!("Host: evil.example\r\n{good}"), 403),
        (
            "POST",
            &sign,
            format!("Host: localhost\r\nOrigin: https://evil.example\r\n{good}"),
            403,
        ),
        (
            "POST",
            "/eth/v1/keystores",
            "Host: localhost\r\n".to_owned(),
            401,
        ),
        (
            "POST",
            "/nowhere",
            format!("Host: localhost\r\n{good}"),
            404,
        ),
        ("PUT", &sign, format!("Host: localhost\r\n{good}"), 405),
    ] {
        // The body is announced, and never comes.
        for length in [
            "Content-Length: 33554432",
            "Content-Length: 9999999999",
            "Transfer-Encoding: chunked",
        ] {
            let mut client = signer.client();
            let head = format!(
                "{method} {path} HTTP/1.1\r\n{fields}{length}\r\nExpect: 100-continue\r\n\r\n"
            );
            client.send(head.as_bytes());
            let answer = client.answer(false);
            assert_eq!(answer.status, status, "{method} {path} {fields} {length}");
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
}

#[test]
fn the_keymanager_token_opens_the_keymanager_routes_alone() {
    let scratch = Scratch::new("scopes");
    let all = scratch.write("all", "all");
    let keys = scratch.write("keys", "keys");
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token-file",
        &all,
        "--keymanager-token-file",
        &keys,
    ]);
    signer.wait_first_load();
    let mut client = signer.client();
    for (token, path, status) in [
        ("all", "/eth/v1/keystores", 200),
        ("all", "/api/v1/eth2/publicKeys", 200),
        ("keys", "/eth/v1/keystores", 200),
        ("keys", "/api/v1/eth2/publicKeys", 403),
    ] {
        let answer = client.request(
            "GET",
            path,
            &[("Authorization", &format!("Bearer {token}"))],
            b"",
        );
        assert_eq!(answer.status, status, "{token} at {path}");
    }
}

#[test]
fn a_host_that_is_not_allowed_is_refused_with_the_option_to_use() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:9000", 200),
        ("[::1]:9000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        let mut client = signer.client();
        client.send(format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        let answer = client.answer(false);
        assert_eq!(answer.status, status, "{host}");
        if status == 403 {
            assert!(refusal(&answer).1.contains("--http-host-allowlist"));
        }
    }
    // What is no host is refused for that, or as one that is not on the list.
    for host in [
        "[::1]evil.example",
        "[::1]:9000:evil.example",
        "[::1]:evil.example",
        "127.0.0.1:8080:evil.example",
        "127.0.0.1:evil.example",
        "127.0.0.1:65536",
        "localhost:8080@evil.example",
        "localhost:-1",
        "[localhost]",
        "[127.0.0.1]",
    ] {
        let mut client = signer.client();
        client.send(format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        let status = client.answer(false).status;
        assert!(matches!(status, 400 | 403), "{host}: {status}");
    }
    let open = Signer::start(&["--interop-keys", "0..1", "--http-host-allowlist", "*"]);
    let mut client = open.client();
    client.send(b"GET /health HTTP/1.1\r\nHost: signer.internal\r\n\r\n");
    assert_eq!(client.answer(false).status, 200);
}

#[test]
fn a_page_of_another_origin_is_refused_unless_it_was_named() {
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--http-cors-origins",
        "https://ui.example",
    ]);
    let mut client = signer.client();
    let ask = |client: &mut crate::support::client::Client, origin: &str, method: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
        ];
        client.request(
            method,
            "/eth/v1/keystores",
            &headers[..if method == "OPTIONS" { 2 } else { 1 }],
            b"",
        )
    };
    for method in ["OPTIONS", "GET"] {
        let refused = ask(&mut client, "https://evil.example", method);
        assert_eq!(refusal(&refused).0, 403, "{method}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
        let allowed = ask(&mut client, "https://ui.example", method);
        assert_eq!(allowed.status, if method == "OPTIONS" { 204 } else { 200 });
        assert_eq!(
            allowed.header("access-control-allow-origin"),
            Some("https://ui.example")
        );
    }
}

#[test]
fn a_keystore_that_does_not_open_is_one_line_and_does_not_stop_the_others() {
    let scratch = Scratch::new("bad-keystore");
    for (name, from) in [("good", "scrypt-cheap"), ("bad", "bad-password-wrong")] {
        for ending in ["json", "txt"] {
            let bytes = std::fs::read(vectors::path(&format!("eip2335/{from}.{ending}")))
                .expect("a vector");
            scratch.write(&format!("{name}.{ending}"), bytes);
        }
    }
    let folder = scratch.path().display().to_string();
    let mut signer = Signer::start(&[
        "--keystores-path",
        &folder,
        "--keystores-passwords-path",
        &folder,
    ]);
    signer.wait_loaded();
    let line = signer.wait_for_line("bad.json");
    assert!(
        line.contains("checksum") || line.contains("password"),
        "{line}"
    );

    let mut client = signer.client();
    assert_eq!(client.get("/health").json()["keys_loaded"], 1);
    let down = client.get("/healthcheck");
    assert_eq!(down.status, 503);
    let check = &down.json()["checks"][1]["checks"][0];
    assert_eq!(
        (&check["status"], &check["data"]["error-count"]),
        (&"DOWN".into(), &1.into())
    );
}

#[test]
fn the_metrics_are_on_their_own_listener() {
    let signer = Signer::start(&["--interop-keys", "0..2"]);
    signer.wait_loaded();
    assert_eq!(signer.client().get("/metrics").status, 404);
    let address = signer
        .metrics
        .clone()
        .expect("py3signer has metrics by default");
    let mut client = Client::connect(&address);
    for (accept, content_type, line) in [
        (
            "*/*",
            "text/plain; version=0.0.4; charset=utf-8",
            "\nsigning_requests{",
        ),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain; version=0.0.4; charset=utf-8",
            "\nsigning_requests{",
        ),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,application/json",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "\n# EOF\n",
        ),
    ] {
        let answer = client.request("GET", "/metrics", &[("Accept", accept)], b"");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(content_type));
        let text = answer.text();
        assert!(text.contains("\nkeys_loaded 2\n"), "{text}");
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_signal_ends_it_with_exit_code_0() {
    for name in ["TERM", "INT"] {
        let mut signer = Signer::start(&["--interop-keys", "0..1"]);
        let mut idle = signer.client();
        assert_eq!(idle.get("/health").status, 200);
        signer.signal(name);
        assert_eq!(signer.wait_exit(), Some(0), "{name}");
        assert!(idle.is_closed());
    }
}

#[test]
fn no_secret_is_in_the_log_at_the_finest_level() {
    let scratch = Scratch::new("quiet");
    let token = scratch.write("token", "tell-nobody-this-token");
    for ending in ["json", "txt"] {
        let bytes = std::fs::read(vectors::path(&format!("eip2335/pbkdf2-cheap.{ending}")))
            .expect("a vector");
        scratch.write(&format!("keys/a.{ending}"), bytes);
    }
    let password =
        std::fs::read_to_string(vectors::path("eip2335/pbkdf2-cheap.txt")).expect("a password");
    let folder = scratch.path().join("keys").display().to_string();
    let mut signer = Signer::start(&[
        "--keystores-path",
        &folder,
        "--keystores-passwords-path",
        &folder,
        "--auth-token-file",
        &token,
        "--log-level",
        "trace",
    ]);
    signer.wait_loaded();
    signer.client().request(
        "GET",
        "/api/v1/eth2/publicKeys",
        &[("Authorization", "Bearer tell-nobody-that")],
        b"",
    );
    let log = signer.log();
    for secret in [
        password.trim(),
        "tell-nobody-this-token",
        "tell-nobody-that",
    ] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}

#[test]
fn a_reload_needs_no_body_and_a_signature_does() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let mut client = signer.client();
    for (path, status) in [("/reload", 202), (sign_path().as_str(), 411)] {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        assert_eq!(client.answer(false).status, status, "{path}");
    }
}

#[test]
fn the_access_log_is_one_line_a_request_and_holds_no_query() {
    let mut signer = Signer::start(&["--interop-keys", "0..1", "--access-logs-enabled"]);
    signer.client().get("/health?token=tell-nobody");
    let line = signer.wait_for_line("GET /health");
    assert!(line.contains("127.0.0.1 GET /health 200"), "{line}");
    assert!(!signer.log().contains("tell-nobody"));
}

#[test]
fn the_user_of_each_connection_to_the_unix_socket_is_in_the_log() {
    use std::os::unix::fs::MetadataExt;
    let mut signer = Signer::start_over(
        Transport::Unix,
        &["--interop-keys", "0..1", "--log-level", "debug"],
    );
    assert_eq!(signer.client().get("/health").status, 200);
    let user = std::fs::metadata("/proc/self")
        .expect("our own process")
        .uid();
    signer.wait_for_line(&format!("a connection of user {user} on the Unix socket"));
}

#[test]
fn a_request_that_hangs_delays_the_end_by_five_seconds_at_most_and_a_second_signal_ends_at_once() {
    for (signals, seconds_max) in [(1, 6), (2, 3)] {
        let mut signer = Signer::start(&["--interop-keys", "0..1"]);
        let mut hanging = signer.client();
        hanging.send(b"GET /health HTTP/1.1\r\n");
        assert_eq!(
            signer.client().get("/health").status,
            200,
            "the first one has arrived by now"
        );
        let started = Instant::now();
        signer.signal("TERM");
        if signals == 2 {
            signer.wait_for_line("stopping: ");
            signer.signal("TERM");
        }
        assert_eq!(signer.wait_exit(), Some(0));
        assert!(
            started.elapsed() < Duration::from_secs(seconds_max),
            "{:?}",
            started.elapsed()
        );
    }
}

#[test]
fn what_keeps_it_from_serving_is_an_error_with_a_hint_and_its_exit_code() {
    let scratch = Scratch::new("no-start");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (cert, key) = (
        secured::private(&scratch, "server.pem"),
        secured::private(&scratch, "server.key"),
    );
    let garbage = scratch.write("garbage", "no certificate");
    let open = scratch.write("open", "a-token-that-all-can-read");
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&open, everybody).expect("changed");
    for (arguments, code, error) in [
        (
            vec!["--port", &port],
            69,
            "error: cannot listen on 127.0.0.1:",
        ),
        (
            vec!["--port", "0", "--tls-cert", &garbage, "--tls-key", &key],
            78,
            "error: TLS: ",
        ),
        (
            vec!["--port", "0", "--tls-cert", "/nowhere", "--tls-key", &key],
            66,
            "error: --tls-cert: /nowhere: ",
        ),
        (
            vec!["--port", "0", "--tls-cert", &cert, "--tls-key", &open],
            78,
            "error: ",
        ),
        (
            vec!["--port", "0", "--auth-token-file", "/nowhere"],
            66,
            "error: --auth-token-file: /nowhere: ",
        ),
        (
            vec!["--port", "0", "--auth-token-file", &open],
            77,
            "error: --auth-token-file: ",
        ),
    ] {
        let output = Command::new(binary())
            .args(&arguments)
            .args(["--metrics-port", "0"])
            .output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.starts_with(error), "{arguments:?}: {said}");
        // That a file does not exist says what to do; that others can read it says so itself.
        let advises = matches!(code, 66 | 77) || said.contains("\nhint: ");
        assert!(advises, "{arguments:?}: {said}");
    }
}

#[test]
fn a_socket_that_systemd_has_opened_is_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&0 </dev/null; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(binary()).args([
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
    ]);
    let mut child = command
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    // The socket has listened all the time: whoever connects waits until somebody answers.
    let mut client = Client::connect(&address);
    assert_eq!(client.get("/health").status, 200);
    child.kill().and_then(|()| child.wait()).expect("it ran");
}

#[test]
fn a_port_that_is_open_to_other_machines_is_one_warning_that_names_three_ways_to_close_it() {
    let scratch = Scratch::new("open-port");
    let file = |name: &str| secured::private(&scratch, name);
    let token = scratch.write("token", "correct-horse");
    let socket = scratch.path().join("socket").display().to_string();
    let cert = file("server.pem");
    let key = file("server.key");
    let ca = file("ca.pem");
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    for (options, is_open) in [
        (vec!["--host", "0.0.0.0"], true),
        (vec!["--host", "::"], true),
        ([&["--host", "0.0.0.0"], &tls[..]].concat(), true),
        (
            vec!["--host", "0.0.0.0", "--keymanager-token-file", &token],
            true,
        ),
        (vec!["--host", "127.0.0.1"], false),
        (vec!["--host", "127.0.0.2"], false),
        (vec!["--host", "::1"], false),
        (
            vec!["--host", "0.0.0.0", "--auth-token-file", &token],
            false,
        ),
        (
            vec!["--host", "0.0.0.0", "--auth-token", "correct-horse"],
            false,
        ),
        (
            [&["--host", "0.0.0.0", "--tls-client-ca", &ca], &tls[..]].concat(),
            false,
        ),
        (vec!["--host", "0.0.0.0", "--listen-unix", &socket], false),
    ] {
        let mut signer = Signer::start(&[&["--interop-keys", "0..1"], &options[..]].concat());
        let log = signer.log();
        let warning = log.lines().find(|line| {
            line.contains("WARN") && line.contains("gives signatures to every machine")
        });
        assert_eq!(warning.is_some(), is_open, "{options:?}: {log}");
        for way in ["--auth-token-file", "--tls-client-ca", "--listen-unix"] {
            assert!(warning.is_none_or(|line| line.contains(way)), "{warning:?}");
        }
    }
}
