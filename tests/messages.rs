//! The parts of HTTP that need no socket: heads, targets, the chunked coding, answers as bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use signerd::http::body::{Decoder, EXTRA_BYTES_MAX, Part};
use signerd::http::request::{self, Framing, Request};
use signerd::http::response::{Control, Response, TEXT, date};
use signerd::http::target::{self, TARGET_BYTES_MAX};

#[test]
fn one_path_has_one_spelling() {
    for (target, path) in [
        ("/", "/"),
        ("/upcheck", "/upcheck"),
        ("/up%63heck", "/upcheck"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/.well-known", "/.well-known"),
        ("/a//b", "/a//b"),
        ("/%00", "/%00"),
        ("http://host:1?q", "/"),
        ("HTTPS://host/a", "/a"),
    ] {
        assert_eq!(
            target::parse("GET", target).map(|target| target.path),
            Ok(path.into()),
            "{target}"
        );
    }
}

#[test]
fn whatever_the_grammar_does_not_allow_is_refused() {
    let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
    for (method, target, status) in [
        ("GET", "upcheck", 400),
        ("GET", "*", 400),
        ("GET", "/%", 400),
        ("GET", "/%4", 400),
        ("GET", "/%zz", 400),
        ("GET", "/a#b", 400),
        ("GET", "/a?b#c", 400),
        ("GET", "/\"", 400),
        ("GET", "/a\\b", 400),
        ("GET", "http:///a", 400),
        ("GET", "http://user@host/", 400),
        ("GET", "ftp://host/", 400),
        ("CONNECT", "host:443", 501),
        ("GET", &long, 414),
    ] {
        assert_eq!(
            target::parse(method, target).map_err(|refused| refused.status),
            Err(status),
            "{target}"
        );
    }
}

fn decode(mut input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let (mut decoder, mut body) = (Decoder::new(Framing::Chunked), Vec::new());
    loop {
        match decoder.next(&mut input).map_err(|refused| refused.status)? {
            Part::Data(data) => body.extend_from_slice(data),
            Part::NeedsMore => return Ok(None),
            Part::End => return Ok(Some((body, input.len()))),
        }
    }
}

#[test]
fn a_body_decodes_alike_however_it_is_cut() {
    let wire = b"3;a=b\r\nabc\r\n0A \t;c\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET";
    assert_eq!(decode(wire), Ok(Some((b"abc0123456789".to_vec(), 3))));
    let (mut decoder, mut body) = (Decoder::new(Framing::Chunked), Vec::new());
    for byte in wire.chunks(1) {
        let mut input = byte;
        while let Part::Data(data) = decoder.next(&mut input).expect("valid") {
            body.extend_from_slice(data);
        }
    }
    assert_eq!(body, b"abc0123456789");
}

#[test]
fn a_broken_coding_is_refused() {
    let endless = format!("1;{}", "x".repeat(EXTRA_BYTES_MAX + 1));
    for (wire, status) in [
        ("\r\n", 400),
        ("g\r\n", 400),
        ("-1\r\n", 400),
        ("0x1\r\n", 400),
        ("1 \r\n", 400),
        ("1\n", 400),
        ("1\rx", 400),
        ("1\r\nab", 400),
        ("1\r\na\n", 400),
        ("0\r\n t: v\r\n\r\n", 400),
        ("0\r\nt\0: v\r\n\r\n", 400),
        ("0\r\n\n", 400),
        ("100000000\r\n", 413),
        ("000100000000\r\n", 413),
        (&endless, 413),
    ] {
        assert_eq!(decode(wire.as_bytes()), Err(status), "{wire:?}");
    }
}

#[test]
fn dates_read_as_the_specification_writes_them() {
    for (seconds, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
    ] {
        assert_eq!(date(seconds), text);
    }
}

#[test]
fn a_line_is_not_judged_before_it_is_whole() {
    for line in [
        "PRI * HTTP/2.0",
        "GET /a HTTP/1.2",
        "GET  /a HTTP/1.1",
        "get /a",
    ] {
        for end in 0..=line.len() {
            let head = request::read(&line.as_bytes()[..end], &mut 0, &mut Request::default());
            assert!(head.is_ok_and(|head| head.is_none()), "{:?}", &line[..end]);
        }
    }
}

#[test]
fn an_error_message_stays_one_json_string() {
    let response = Response::error(400, "\"\\\n\u{1}é");
    assert_eq!(
        &*response.body,
        r#"{"code":400,"message":"\"\\\n\u0001é"}"#.as_bytes()
    );
}

#[test]
fn head_and_204_have_no_body() {
    let (control, mut out) = (Control::at(0, 9), Vec::new());
    Response::new(200, TEXT, b"OK".as_slice()).write(&control, true, true, &mut out);
    assert!(out.ends_with(b"\r\n\r\n"));
    assert!(String::from_utf8_lossy(&out).contains("Keep-Alive: timeout=9\r\n"));
    assert!(String::from_utf8_lossy(&out).contains("Content-Length: 2\r\n"));
    out.clear();
    Response::new(204, TEXT, b"".as_slice()).write(&control, true, false, &mut out);
    assert!(!String::from_utf8_lossy(&out).contains("Content-"));
}
