//! The log: its formats, the access log, and the names that clients give to their requests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::slashing::{KEY, ZERO, vote};
use crate::support::client::{Answer, Client};
use crate::support::secured::{self, Secured};
use crate::support::{Scratch, Signer, Transport};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn sign(client: &mut Client, headers: &[(&str, &str)]) -> Answer {
    let body = vote(ZERO, "0", "5", ZERO).to_string();
    let path = format!("/api/v1/eth2/sign/{KEY}");
    client.request("POST", &path, headers, body.as_bytes())
}

/// The line of the access log that holds this text.
fn line(signer: &mut Signer, text: &str) -> String {
    signer.wait_for_line(text)
}

#[test]
fn a_line_of_the_access_log_has_all_facts_of_its_request() {
    let mut signer = Signer::start(&["--interop-keys", "0..1", "--access-logs-enabled"]);
    signer.wait_loaded();
    let trace = format!("00-{TRACE}-{SPAN}-01");
    let headers = [
        ("User-Agent", "Lighthouse/v8.0.1 \"x\" status=500"),
        ("X-Request-Id", "req-77"),
        ("traceparent", trace.as_str()),
    ];
    assert_eq!(sign(&mut signer.client(), &headers).status, 200);
    let text = line(&mut signer, "req-77");
    for part in [
        format!(" INFO  127.0.0.1 POST /api/v1/eth2/sign/{KEY} 200 "),
        " duration_us=".to_owned(),
        " type=ATTESTATION".to_owned(),
        " key=0xa99a76ed ".to_owned(),
        " user_agent=\"Lighthouse/v8.0.1 \\\"x\\\" status=500\" ".to_owned(),
        " request_id=req-77".to_owned(),
        format!(" trace_id={TRACE}"),
        format!(" span_id={SPAN}"),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    // A long name is cut, and a refusal has a line too.
    let long = "a".repeat(5000);
    let headers = [("User-Agent", long.as_str()), ("X-Request-Id", "req-78")];
    let answer = signer.client().request("GET", "/nowhere", &headers, b"");
    assert_eq!(answer.status, 404);
    let text = line(&mut signer, "GET /nowhere 404");
    assert!(text.contains(&format!("={} ", "a".repeat(120))), "{text}");
    let refused = line(&mut signer, "refused: GET /nowhere");
    assert!(
        refused.contains(" client=127.0.0.1 request_id=req-78"),
        "{refused}"
    );
}

#[test]
fn without_the_option_no_request_is_logged() {
    let mut signer = Signer::start(&["--interop-keys", "0..1", "--logging", "trace"]);
    signer.wait_loaded();
    let answer = sign(&mut signer.client(), &[("X-Request-Id", "req-1")]);
    assert_eq!(
        (answer.status, answer.header("x-request-id")),
        (200, Some("req-1"))
    );
    signer.signal("TERM");
    signer.wait_exit();
    assert!(!signer.log().contains("req-1"), "{}", signer.log());
}

#[test]
fn the_user_of_a_unix_socket_and_the_certificate_of_tls_are_in_the_line() {
    let keys = ["--interop-keys", "0..1", "--access-logs-enabled"];
    let mut unix = Signer::start_over(Transport::Unix, &keys);
    unix.wait_loaded();
    assert_eq!(sign(&mut unix.client(), &[]).status, 200);
    let user = std::fs::metadata("/proc/self").unwrap().uid();
    let text = line(&mut unix, "type=ATTESTATION");
    assert!(text.contains(&format!(" user {user} POST ")), "{text}");
    assert!(text.contains(&format!(" user={user}")), "{text}");

    let scratch = Scratch::new("logs-tls");
    let [cert, key, ca] =
        ["server.pem", "server.key", "ca.pem"].map(|name| secured::private(&scratch, name));
    let tls = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--tls-client-ca",
        &ca,
    ];
    let mut signer = Signer::start(&[&keys[..], &tls[..]].concat());
    let address = signer.address.clone();
    let open = move || {
        let stream = std::net::TcpStream::connect(&address).ok()?;
        Some(Box::new(Secured(secured::secure(stream, Some("client")))) as _)
    };
    let mut client = Client::over("localhost", Box::new(open)).unwrap();
    assert_eq!(client.get("/health").status, 200);
    let text = line(&mut signer, "GET /health 200");
    let (_, certificate) = text.split_once(" certificate=").unwrap();
    let fingerprint = certificate.split(' ').next().unwrap();
    // It is the one by which a list of known clients knows it.
    let list = scratch.write("known", format!("client {fingerprint}\n"));
    let known = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--tls-known-clients",
        &list,
    ];
    let signer = Signer::start(&[&keys[..], &known[..]].concat());
    let stream = std::net::TcpStream::connect(&signer.address).unwrap();
    let stream = Secured(secured::secure(stream, Some("client")));
    let open = std::sync::Mutex::new(Some(stream));
    let open = move || Some(Box::new(open.lock().unwrap().take()?) as _);
    let mut client = Client::over("localhost", Box::new(open)).unwrap();
    assert_eq!(client.get("/health").status, 200, "{fingerprint}");
}

#[test]
fn each_json_format_has_its_own_names_for_the_facts_of_a_request() {
    for (format, pointers) in [
        (
            "json",
            json!({"/status": 200, "/client": "127.0.0.1", "/type": "ATTESTATION", "/key": "0xa99a76ed",
                   "/user_agent": "vc/1", "/request_id": "req-1", "/trace_id": TRACE, "/span_id": SPAN}),
        ),
        (
            "ecs",
            json!({"/http.response.status_code": 200, "/client.address": "127.0.0.1",
                   "/http.request.method": "POST", "/labels.type": "ATTESTATION",
                   "/user_agent.original": "vc/1", "/http.request.id": "req-1", "/trace.id": TRACE,
                   "/span.id": SPAN, "/ecs.version": "1.2.0", "/log.logger": "signerd::access"}),
        ),
        (
            "gcp",
            json!({"/httpRequest/status": 200, "/httpRequest/remoteIp": "127.0.0.1",
                   "/httpRequest/userAgent": "vc/1", "/logging.googleapis.com~1trace": TRACE,
                   "/logging.googleapis.com~1spanId": SPAN,
                   "/logging.googleapis.com~1labels/request_id": "req-1",
                   "/logging.googleapis.com~1labels/type": "ATTESTATION"}),
        ),
        (
            "logstash",
            json!({"/mdc/status": 200, "/mdc/trace_id": TRACE, "/mdc/request_id": "req-1",
                   "/logger_name": "signerd::access", "/@version": 1}),
        ),
        (
            "gelf",
            json!({"/_status": 200, "/_client": "127.0.0.1", "/_trace_id": TRACE, "/_request_id": "req-1",
                   "/_type": "ATTESTATION", "/version": "1.1", "/level": 6}),
        ),
    ] {
        let mut signer = Signer::start(&[
            "--interop-keys",
            "0..1",
            "--access-logs-enabled",
            "--logging-format",
            format,
        ]);
        signer.wait_loaded();
        let trace = format!("00-{TRACE}-{SPAN}-01");
        let headers = [
            ("User-Agent", "vc/1"),
            ("X-Request-Id", "req-1"),
            ("traceparent", trace.as_str()),
        ];
        assert_eq!(sign(&mut signer.client(), &headers).status, 200);
        let text = line(&mut signer, "req-1");
        let found: Value = serde_json::from_str(&text).unwrap();
        for (pointer, value) in pointers.as_object().unwrap() {
            assert_eq!(
                found.pointer(pointer),
                Some(value),
                "{format} {pointer}: {text}"
            );
        }
    }
}

#[test]
fn names_of_requests_are_echoed_when_they_are_well_formed_and_dropped_otherwise() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let mut client = signer.client();
    let long = "x".repeat(128);
    let too_long = "x".repeat(129);
    for (id, echoed) in [
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", true),
        ("a", true),
        ("|a/b.c_d:e+f=~@#", true),
        (long.as_str(), true),
        (too_long.as_str(), false),
        ("", false),
        ("two words", false),
        ("a\tb", false),
        ("\"quoted\"", false),
        ("<b>", false),
        ("schlüssel", false),
    ] {
        let answer = client.request("GET", "/upcheck", &[("X-Request-Id", id)], b"");
        assert_eq!(answer.status, 200, "{id:?}");
        assert_eq!(
            answer.header("x-request-id"),
            echoed.then_some(id),
            "{id:?}"
        );
    }
    let twice = [("X-Request-Id", "a"), ("X-Request-Id", "b")];
    let answer = client.request("GET", "/upcheck", &twice, b"");
    assert_eq!(answer.header("x-request-id"), None);

    let good = format!("00-{TRACE}-{SPAN}-01");
    let future = format!("42-{TRACE}-{SPAN}-01-more");
    for (trace, echoed) in [
        (good.clone(), Some(good.clone())),
        (future, Some(good.clone())),
        (format!("ff-{TRACE}-{SPAN}-01"), None),
        (good.to_uppercase(), None),
        (good[1..].to_owned(), None),
    ] {
        let answer = client.request("GET", "/upcheck", &[("traceparent", &trace)], b"");
        assert_eq!(answer.header("traceparent"), echoed.as_deref(), "{trace}");
    }
    let answer = client.get("/upcheck");
    assert_eq!(
        (answer.header("traceparent"), answer.header("x-request-id")),
        (None, None)
    );

    // Refusals of the handler, of the guard and of the connection itself.
    for (method, path, status) in [
        ("POST", format!("/api/v1/eth2/sign/{KEY}"), 400),
        ("GET", "/nowhere".to_owned(), 404),
        ("DELETE", "/upcheck".to_owned(), 405),
    ] {
        let mut client = signer.client();
        let answer = client.request(method, &path, &[("X-Request-Id", "r-1")], b"");
        assert_eq!(
            (answer.status, answer.header("x-request-id")),
            (status, Some("r-1")),
            "{path}"
        );
    }
    let head = format!(
        "POST /api/v1/eth2/sign/{KEY} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r-2\r\n\r\n"
    );
    let mut client = signer.client();
    client.send(head.as_bytes());
    let answer = client.answer(false);
    assert_eq!(
        (answer.status, answer.header("x-request-id")),
        (411, Some("r-2"))
    );
    // The next request has no name, and gets none.
    let mut client = signer.client();
    assert_eq!(
        client
            .request("GET", "/upcheck", &[("X-Request-Id", "r-3")], b"")
            .status,
        200
    );
    client.send(b"GET / HTTP/9.9\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.header("x-request-id")), (505, None));
}
