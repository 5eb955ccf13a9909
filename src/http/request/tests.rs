//! Heads as clients and attackers send them: what is complete, too long, or understood in two ways.

use super::*;

#[test]
fn a_line_is_not_judged_before_it_is_complete() {
    for line in [
        "PRI * HTTP/2.0",
        "GET /a HTTP/1.2",
        "GET  /a HTTP/1.1",
        "get /a",
    ] {
        for end in 0..=line.len() {
            let head = read(&line.as_bytes()[..end], &mut 0, &mut Request::default());
            assert!(head.is_ok_and(|head| head.is_none()), "{:?}", &line[..end]);
        }
    }
}

#[test]
fn the_minor_version_is_found_where_it_is_later_than_1_1_and_the_major_one_is_1() {
    for (line, position) in [
        ("GET /a HTTP/1.2", Some(14)),
        ("GET /a HTTP/1.9", Some(14)),
        ("DELETE /ab HTTP/1.3", Some(18)),
        ("GET /a HTTP/1.1", None),
        ("GET /a HTTP/1.0", None),
        ("GET /a HTTP/2.0", None),
        ("GET /a HTTP/2.2", None),
        ("GET /a HTTP/0.9", None),
        ("GET /a HTTP/1.2 ", None),
        ("GET /a HTTP/1.x", None),
        ("GET /a", None),
    ] {
        let head = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(later_minor_version(head.as_bytes()), position, "{line}");
    }
}

/// The status of this head, 200 when it is complete and 100 when more must come.
fn status_of(head: &str) -> u16 {
    match read(head.as_bytes(), &mut 0, &mut Request::default()) {
        Ok(Some(_)) => 200,
        Ok(None) => 100,
        Err(error) => error.status,
    }
}

/// A head of so many bytes.
fn head_of(bytes: usize) -> String {
    let (start, end) = ("GET /a HTTP/1.1\r\nHost: a\r\nA: ", "\r\n\r\n");
    let filler = "a".repeat(bytes - start.len() - end.len());
    format!("{start}{filler}{end}")
}

#[test]
fn a_head_has_at_most_16_kib_2_of_them_for_the_target_and_100_fields() {
    let line = |bytes: usize| format!("GET /{}", "a".repeat(bytes - 5));
    let target = |bytes: usize| {
        let path = "a".repeat(bytes - 1);
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let fields = |count: usize| {
        let more = "A: a\r\n".repeat(count - 1);
        format!("GET /a HTTP/1.1\r\nHost: a\r\n{more}\r\n")
    };
    let unfinished = |bytes: usize| head_of(bytes + 4)[..bytes].to_owned();
    for (case, head, expected) in [
        ("a whole head", head_of(16_384), 200),
        ("a whole head", head_of(16_385), 431),
        ("a part of a head", unfinished(16_383), 100),
        ("a part of a head", unfinished(16_384), 431),
        ("a part of a line", line(2_048 + 63), 100),
        ("a part of a line", line(2_048 + 64), 414),
        ("a target", target(2_048), 200),
        ("a target", target(2_049), 414),
        ("fields", fields(24), 200),
        ("fields", fields(25), 200),
        ("fields", fields(100), 200),
        ("fields", fields(101), 431),
    ] {
        assert_eq!(status_of(&head), expected, "{case}, {} bytes", head.len());
    }
}

#[test]
fn each_field_about_the_body_or_the_connection_is_found_alone_and_beside_others() {
    let fields = [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Connection: close",
        "Accept: */*",
    ];
    for others in ["", "Accept: */*\r\nUser-Agent: a\r\n"] {
        for field in fields {
            let length = if field.starts_with("Expect") {
                "Content-Length: 5\r\n"
            } else {
                ""
            };
            let head = format!("POST /a HTTP/1.1\r\nHost: a\r\n{others}{length}{field}\r\n\r\n");
            let head = read(head.as_bytes(), &mut 0, &mut Request::default());
            let head = head.unwrap().unwrap();
            let is = |name: &str| field.starts_with(name);
            assert_eq!(
                matches!(head.framing, BodyFraming::Length(5)),
                is("Content-Length") || is("Expect"),
                "{field}"
            );
            assert_eq!(
                matches!(head.framing, BodyFraming::Chunked),
                is("Transfer-Encoding"),
                "{field}"
            );
            assert_eq!(head.expects_continue, is("Expect"), "{field}");
            assert_eq!(head.keep_alive, !is("Connection"), "{field}");
        }
    }
}

#[test]
fn all_fields_about_the_body_at_once_are_refused() {
    let fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close";
    for version in ["HTTP/1.0", "HTTP/1.1\r\nHost: a"] {
        let head = format!("POST /a {version}\r\n{fields}\r\n\r\n");
        assert_eq!(status_of(&head), 400, "{version}");
    }
}
