//! Who may ask, by host, page, token and certificate: tables of requests and verdicts.

use super::*;
use crate::http::client::ClientIdentity;

#[test]
fn a_host_is_a_name_or_an_address_with_at_most_a_port() {
    for (host, name) in [
        ("localhost", Some("localhost")),
        ("localhost:8080", Some("localhost")),
        ("localhost:", Some("localhost")),
        ("[::1]", Some("[::1]")),
        ("[::1]:65535", Some("[::1]")),
        ("[::1]evil.example", None),
        ("[::1]:8080evil.example", None),
        ("[::1]]", None),
        ("[::1", None),
        ("[localhost]", None),
        ("evil.example[::1]", None),
        ("evil.example]", Some("evil.example]")), // No list has it.
        ("127.0.0.1:8080:evil.example", None),
        ("127.0.0.1:evil.example", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1:+80", None),
        ("::1", None),
        (":8080", None),
        ("", None),
    ] {
        assert_eq!(without_port(host), name, "{host}");
    }
}

#[test]
fn a_replaced_token_opens_nothing() {
    let token = AccessToken::new("old", "--auth-token".to_owned());
    assert!(token.is("old") && !token.is("new"));
    assert!(token.replace("new") && !token.replace("new"));
    assert!(token.is("new") && !token.is("old"));
}

#[test]
fn a_token_comes_as_bearer_or_as_the_password_of_basic() {
    for (sent, token) in [
        ("Bearer abc", Some("abc")),
        ("bearer  abc ", Some("abc")),
        ("Basic dXNlcjphYmM=", Some("abc")), // user:abc
        ("Basic dXNlcg==", None),            // no colon
        ("Basic Og==", Some("")),            // :
        ("Bearer ", None),
        ("Basic !!", None),
        ("Digest abc", None),
        ("abc", None),
        ("", None),
    ] {
        let found = token_of(sent);
        assert_eq!(found.as_ref().map(|token| token.as_str()), token, "{sent}");
    }
}
fn guard(token: Option<&str>, key_manager_token: Option<&str>) -> Guard {
    let named = |token: &str, origin: &str| Arc::new(AccessToken::new(token, origin.to_owned()));
    Guard {
        token: token.map(|token| named(token, "--auth-token")),
        key_manager_token: key_manager_token.map(|token| named(token, "--keymanager-token")),
        key_manager_access: KeyManagerAccess::Token,
        key_manager_needs_token: false,
        hosts: Allowlist::new(vec!["localhost".to_owned()]),
        hosts_option: "--http-host-allowlist",
        origins: Allowlist::new(vec!["https://good.example".to_owned()]),
    }
}

/// A request over TCP with these header fields.
fn request(line: &str, fields: &[(&str, &str)]) -> Request {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let text = format!("{line}\r\n{fields}\r\n");
    let mut request = Request::default();
    let head = crate::http::request::read(text.as_bytes(), &mut 0, &mut request);
    assert!(head.is_ok_and(|head| head.is_some()), "{text}");
    request.client = ClientIdentity::at([127, 0, 0, 1].into());
    request
}

fn status<T>(result: Result<T, Refusal>) -> u16 {
    result.map_or_else(|refusal| refusal.status(), |_| 200)
}

#[test]
fn a_request_must_address_a_host_of_the_list_and_come_from_a_page_of_the_list() {
    for (fields, expected) in [
        (vec![("Host", "localhost:9000")], 200),
        (vec![("Host", "LOCALHOST")], 200),
        (vec![("Host", "evil.example")], 403),
        (
            vec![("Host", "localhost"), ("Origin", "https://good.example")],
            200,
        ),
        (
            vec![("Host", "localhost"), ("Origin", "https://evil.example")],
            403,
        ),
    ] {
        let mut request = request("GET /upcheck HTTP/1.1", &fields);
        let guard = guard(None, None);
        assert_eq!(status(guard.admit_host(&request)), expected, "{fields:?}");
        // No browser reaches a Unix socket; a page that sends its origin is not believed there either.
        request.client = ClientIdentity::local(None);
        let is_page = fields.contains(&("Origin", "https://evil.example"));
        let expected = if is_page { 403 } else { 200 };
        assert_eq!(status(guard.admit_host(&request)), expected, "{fields:?}");
    }
    let all = Guard {
        hosts: Allowlist::new(vec!["a".to_owned(), "*".to_owned()]),
        ..guard(None, None)
    };
    let request = request("GET /upcheck HTTP/1.1", &[("Host", "evil.example")]);
    assert_eq!(status(all.admit_host(&request)), 200, "* allows all");
    let without_host = self::request("GET /upcheck HTTP/1.0", &[]);
    assert_eq!(status(guard(None, None).admit_host(&without_host)), 200);
}

#[test]
fn each_route_opens_to_its_tokens_alone() {
    use RouteScope::{Everything, KeyManager, Open};
    let (one, both) = (guard(Some("all"), None), guard(Some("all"), Some("keys")));
    let (neither, keys) = (guard(None, None), guard(None, Some("keys")));
    let closed = Guard {
        key_manager_needs_token: true,
        ..guard(None, None)
    };
    for (case, guard, scope, statuses) in [
        // Without a token, and with one for everything, one for the keys, another, and a blank one.
        ("open", &both, Open, [200, 200, 200, 200, 200]),
        ("everything", &one, Everything, [401, 200, 403, 403, 401]),
        ("everything", &both, Everything, [401, 200, 403, 403, 401]),
        ("keys", &both, KeyManager, [401, 200, 200, 403, 401]),
        ("keys", &keys, KeyManager, [401, 403, 200, 403, 401]),
        ("one token", &one, KeyManager, [401, 200, 403, 403, 401]),
        ("no token", &neither, KeyManager, [200, 200, 200, 200, 200]),
        ("no token", &neither, Everything, [200, 200, 200, 200, 200]),
        ("keys only", &keys, Everything, [200, 200, 200, 200, 200]),
        ("closed", &closed, KeyManager, [403, 403, 403, 403, 403]),
        ("closed", &closed, Everything, [200, 200, 200, 200, 200]),
    ] {
        let found = [None, Some("all"), Some("keys"), Some("other"), Some("")].map(|token| {
            let sent = token.map(|token| format!("Bearer {token}"));
            let fields: Vec<_> = sent.iter().map(|sent| ("Authorization", &**sent)).collect();
            status(guard.admit_token(&request("GET /a HTTP/1.0", &fields), scope))
        });
        assert_eq!(found, statuses, "{case} {scope:?}");
    }
}

#[test]
fn a_certificate_opens_the_key_manager_where_the_operator_said_so() {
    for (access, without, with_certificate) in [
        (KeyManagerAccess::Token, 401, 401),
        (KeyManagerAccess::CertificateOrToken, 401, 200),
        (KeyManagerAccess::Nothing, 200, 200),
    ] {
        let guard = Guard {
            key_manager_access: access,
            ..guard(Some("all"), None)
        };
        let mut request = request("GET /a HTTP/1.0", &[]);
        let admit = |request: &Request, scope| status(guard.admit_token(request, scope));
        assert_eq!(
            admit(&request, RouteScope::KeyManager),
            without,
            "{access:?}"
        );
        request.client.certificate = Some("aa:bb".into());
        assert_eq!(
            admit(&request, RouteScope::KeyManager),
            with_certificate,
            "{access:?}"
        );
        assert_eq!(admit(&request, RouteScope::Everything), 401, "{access:?}");
    }
}

#[test]
fn health_knows_whether_a_token_is_configured_and_right() {
    let all = ("Authorization", "Bearer all");
    let other = ("Authorization", "Bearer other");
    for (guard, has_token, missing, right, wrong) in [
        (
            guard(None, None),
            false,
            Credential::Missing,
            Credential::Missing,
            Credential::Missing,
        ),
        (
            guard(Some("all"), None),
            true,
            Credential::Missing,
            Credential::Right,
            Credential::Wrong,
        ),
        (
            guard(None, Some("all")),
            true,
            Credential::Missing,
            Credential::Right,
            Credential::Wrong,
        ),
    ] {
        assert_eq!(guard.has_token(), has_token);
        let credential = |fields: &[_]| guard.credential(&request("GET /a HTTP/1.0", fields));
        assert_eq!(credential(&[]), missing);
        assert_eq!(credential(&[all]), right);
        assert_eq!(credential(&[other]), wrong);
    }
}

#[test]
fn a_page_of_the_list_may_ask_and_read_and_no_other_is_told_so() {
    let asks = ("Access-Control-Request-Method", "POST");
    let host = ("Host", "localhost");
    let good = ("Origin", "https://good.example");
    let evil = ("Origin", "https://evil.example");
    let guard = guard(None, None);
    for (line, fields, expected) in [
        ("OPTIONS /a HTTP/1.1", vec![host, good, asks], Some(204)),
        ("OPTIONS /a HTTP/1.1", vec![host, evil, asks], Some(403)),
        ("OPTIONS /a HTTP/1.1", vec![host, good], None),
        (
            "OPTIONS /a HTTP/1.1",
            vec![host, good, ("Access-Control-Request-Method", "")],
            None,
        ),
        ("POST /a HTTP/1.1", vec![host, good, asks], None),
    ] {
        let answer = guard.preflight(&request(line, &fields));
        let found = answer.map(|answer| answer.status);
        assert_eq!(found, expected, "{line} {fields:?}");
    }
    let shared = |fields: &[_]| guard.shared_with(&request("GET /a HTTP/1.0", fields));
    let allowed = (
        "Access-Control-Allow-Origin",
        Cow::from("https://good.example"),
    );
    assert_eq!(shared(&[good]), [allowed, ("Vary", Cow::from("Origin"))]);
    assert!(shared(&[evil]).is_empty() && shared(&[]).is_empty());
}
