//! Reads a request target (RFC 9112, section 3.2): a path in its one spelling, and the query.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::HttpError;

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestTarget<'t> {
    /// The path in its one spelling, so that no rule for a path can be evaded by another one: the normal
    /// form of RFC 3986, section 6.2.2 (unreserved characters decoded, other escapes in upper case, dot
    /// segments resolved), without repeated slashes and without a final one, which clients add when they
    /// join a base URL and a path. Begins with `/`, or is the `*` of `OPTIONS *`.
    pub(super) path: Cow<'t, str>,
    /// The text after `?`, as sent; empty when there is none.
    pub(super) query: &'t str,
    /// The authority of a target in absolute form. It overrides the field `Host`.
    pub(super) authority: Option<&'t str>,
}

/// Longest request target. Our longest path is a key in hex (about 130 bytes), and proxies add little.
pub(super) const TARGET_BYTES_MAX: usize = 2 * 1024;

/// Reads the target of a request with this method.
///
/// # Errors
/// 414 when it is too long, 501 for CONNECT, 400 for what RFC 3986 does not allow. `[` and `]` are
/// allowed in a query: clients send filters such as `name[]=` unescaped.
pub(super) fn parse<'t>(method: &str, target: &'t str) -> Result<RequestTarget<'t>, HttpError> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(too_long());
    }
    if method == "CONNECT" {
        return Err(HttpError::new(
            501,
            "CONNECT is not supported: this is not a proxy",
        ));
    }
    let is_plain = target.starts_with('/') && is_all(target, &PLAIN_BYTES);
    if is_plain && has_plain_slashes(target) || target == "*" && method == "OPTIONS" {
        return Ok(RequestTarget {
            path: target.into(),
            query: "",
            authority: None,
        });
    }
    let mut authority = None;
    let mut rest = target;
    if !target.starts_with('/') {
        let Some(without_scheme) = without_scheme(target) else {
            return Err(bad("the request target must begin with / or http://"));
        };
        let end = without_scheme
            .find(['/', '?'])
            .unwrap_or(without_scheme.len());
        let (host, path_and_query) = without_scheme.split_at(end);
        if host.is_empty() || !is_authority(host.as_bytes()) {
            return Err(bad(
                "the authority in the request target is not a host and port",
            ));
        }
        authority = Some(host);
        rest = path_and_query;
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !is_all(query, &QUERY_BYTES) {
        return Err(bad(
            "the query holds a character that must be percent-encoded",
        ));
    }
    if !has_whole_escapes(query) {
        return Err(bad("% in the query must be followed by two hex digits"));
    }
    Ok(RequestTarget {
        path: normal(path)?.into(),
        query,
        authority,
    })
}

/// The answer to a target beyond [`TARGET_BYTES_MAX`].
pub(super) fn too_long() -> HttpError {
    HttpError::new(
        414,
        format!("the request target is longer than {TARGET_BYTES_MAX} bytes"),
    )
}

/// Whether the text is a host, or a host and a port (RFC 3986, section 3.2, without user information):
/// a name, an IPv4 address, or an IPv6 address in brackets. The empty text counts as a host.
pub(super) fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else {
            return false;
        };
        let port = after.strip_prefix(':');
        return is_ip_literal(address) && (after.is_empty() || port.is_some_and(is_port));
    }
    match text.split_once(':') {
        Some((host, port)) => !host.is_empty() && is_name(host) && is_port(port),
        None => is_name(text),
    }
}

/// Whether this may stand in brackets: an IPv6 address, or the form that is reserved for later versions.
fn is_ip_literal(address: &str) -> bool {
    let Some(future) = address.strip_prefix(['v', 'V']) else {
        return address.parse::<Ipv6Addr>().is_ok();
    };
    let Some((version, address)) = future.split_once('.') else {
        return false;
    };
    let is_hex = version.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && !version.is_empty() && !address.is_empty() && is_all(address, &LITERAL_BYTES)
}

fn is_name(host: &str) -> bool {
    is_all(host, &NAME_BYTES) && has_whole_escapes(host)
}

/// Whether this is a port, or empty: `host:` means the default port.
fn is_port(port: &str) -> bool {
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Whether each `%` is followed by two hex digits.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|part| {
        let digits = part.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn without_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether no slash is repeated and none ends the path.
fn has_plain_slashes(path: &str) -> bool {
    path == "/" || !path.ends_with('/') && !path.contains("//")
}

/// Brings a path into its one spelling.
fn normal(path: &str) -> Result<String, HttpError> {
    let mut segments = Vec::new();
    let decoded = decode_unreserved(path)?;
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

fn decode_unreserved(path: &str) -> Result<String, HttpError> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            if !PATH_BYTES[usize::from(byte)] {
                return Err(bad(
                    "the path holds a character that must be percent-encoded",
                ));
            }
            decoded.push(char::from(byte));
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad("% in the path must be followed by two hex digits"));
        };
        match char::from_u32(high * 16 + low) {
            Some(char) if char.is_ascii_alphanumeric() || "-._~".contains(char) => {
                decoded.push(char)
            }
            _ => decoded.push_str(&format!("%{high:X}{low:X}")),
        }
    }
    Ok(decoded)
}

fn is_all(text: &str, table: &[bool; 256]) -> bool {
    text.bytes().all(|byte| table[usize::from(byte)])
}

// RFC 3986, sections 2 and 3.
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// A path of these alone has no other spelling, apart from its slashes.
static PLAIN_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/");
static PATH_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/.%");
static QUERY_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/.%?[]");
static NAME_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=.%");
static LITERAL_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=.:");

/// Letters, digits, and these.
const fn table(more: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < ALPHANUMERIC.len() {
        table[ALPHANUMERIC[index] as usize] = true;
        index += 1;
    }
    index = 0;
    while index < more.len() {
        table[more[index] as usize] = true;
        index += 1;
    }
    table
}

fn bad(message: &'static str) -> HttpError {
    HttpError::new(400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_one_spelling() {
        for (target, path) in [
            ("/", "/"),
            ("/upcheck", "/upcheck"),
            ("/up%63heck", "/upcheck"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/b/..", "/a"),
            ("/a/.", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/.well-known", "/.well-known"),
            ("/a//b", "/a/b"),
            ("//a///b//", "/a/b"),
            ("/a/?b", "/a"),
            ("/a//../b", "/b"),
            ("//", "/"),
            ("///.//", "/"),
            ("/%00", "/%00"),
            ("http://host:1?q", "/"),
            ("http://host//a/", "/a"),
            ("HTTPS://host/a", "/a"),
        ] {
            assert_eq!(
                parse("GET", target).map(|target| target.path),
                Ok(path.into()),
                "{target}"
            );
        }
    }

    #[test]
    fn a_query_stays_as_it_was_sent() {
        for query in ["name[]=a&name[]=b", "a=//b/", "a=%5B%5D", "?", ""] {
            assert_eq!(
                parse("GET", &format!("/metrics/?{query}")).map(|target| target.query),
                Ok(query)
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
            ("GET", "/a?%4", 400),
            ("GET", "/a#b", 400),
            ("GET", "/a[0]", 400),
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
                parse(method, target).map_err(|error| error.status),
                Err(status),
                "{target}"
            );
        }
    }
}
