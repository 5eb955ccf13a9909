//! The request target (RFC 9112, section 3.2) → a path with one spelling, and the query.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::HttpError;

/// What a request is aimed at.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'t> {
    /// Normal form of RFC 3986, section 6.2.2: unreserved characters decoded, other escapes in upper
    /// case, dot segments resolved. Begins with `/`, or is the `*` of `OPTIONS *`.
    pub path: Cow<'t, str>,
    /// What follows `?`, as sent; empty without.
    pub query: &'t str,
    /// The authority of the absolute form; it overrides the field `Host`.
    pub authority: Option<&'t str>,
}

/// Longest request target: our longest path is a key in hex (about 130 bytes), and proxies add little.
pub const TARGET_BYTES_MAX: usize = 2 * 1024;

/// Reads the target of a request with this method.
///
/// # Errors
/// 414 when it is too long, 501 for CONNECT, 400 for all that RFC 3986 does not allow here.
pub fn parse<'t>(method: &str, target: &'t str) -> Result<Target<'t>, HttpError> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(too_long());
    }
    if method == "CONNECT" {
        return Err(HttpError::new(
            501,
            "CONNECT is not supported: this is no proxy",
        ));
    }
    if target.starts_with('/') && is_all(target, &PLAIN_BYTES) {
        return Ok(Target {
            path: target.into(),
            query: "",
            authority: None,
        });
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(Target {
            path: "*".into(),
            query: "",
            authority: None,
        });
    }
    let (authority, rest) = match target.starts_with('/') {
        true => (None, target),
        false => {
            let Some(rest) = without_scheme(target) else {
                return Err(bad("the request target must begin with / or http://"));
            };
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(authority), rest)
        }
    };
    if authority
        .is_some_and(|authority| authority.is_empty() || !is_authority(authority.as_bytes()))
    {
        return Err(bad(
            "the authority in the request target is no host and port",
        ));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !is_all(query, &QUERY_BYTES) {
        return Err(bad(
            "the query holds a character that must be percent-encoded",
        ));
    }
    if !has_whole_escapes(query.as_bytes()) {
        return Err(bad("% in the query must be followed by two hex digits"));
    }
    Ok(Target {
        path: normal(path)?,
        query,
        authority,
    })
}

/// The answer to a target beyond [`TARGET_BYTES_MAX`].
pub fn too_long() -> HttpError {
    HttpError::new(
        414,
        format!("the request target is longer than {TARGET_BYTES_MAX} bytes"),
    )
}

/// Whether the text is a host, or a host and a port (RFC 3986, section 3.2, without user information):
/// a name, an IPv4 address, or an IPv6 address in brackets. Nothing at all is a host without a name.
pub fn is_authority(text: impl AsRef<[u8]>) -> bool {
    let Ok(text) = std::str::from_utf8(text.as_ref()) else {
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

/// What stands in brackets: an IPv6 address, or the form that is kept for later versions.
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
    is_all(host, &NAME_BYTES) && has_whole_escapes(host.as_bytes())
}

/// Digits, or nothing: `host:` means the usual port.
fn is_port(port: &str) -> bool {
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Whether each `%` is followed by two hex digits.
fn has_whole_escapes(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'%').skip(1);
    parts.all(|part| matches!(part, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

fn without_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let start = target.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &target[scheme.len()..])
    })
}

fn normal(path: &str) -> Result<Cow<'_, str>, HttpError> {
    let decoded = decode_unreserved(path)?;
    if !decoded.contains("/.") {
        return Ok(if decoded.is_empty() {
            "/".into()
        } else {
            decoded.into()
        });
    }
    let mut kept = Vec::new();
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push(""); // the directory itself: `/a/.` is `/a/`
        }
    }
    Ok(format!("/{}", kept.join("/")).into())
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
        let mut digit = || {
            rest.next()
                .map(char::from)
                .and_then(|digit| digit.to_digit(16))
        };
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

fn is_all(text: impl AsRef<[u8]>, table: &[bool; 256]) -> bool {
    text.as_ref().iter().all(|&byte| table[usize::from(byte)])
}

// RFC 3986, sections 2 and 3.
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Of these, no text has two spellings.
static PLAIN_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/");
static PATH_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/.%");
static QUERY_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=:@/.%?");
static NAME_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=.%");
static LITERAL_BYTES: [bool; 256] = table(b"-_~!$&'()*+,;=.:");

/// Letters, digits, and these.
const fn table(more: &[u8]) -> [bool; 256] {
    let (mut table, mut index) = ([false; 256], 0);
    while index < ALPHANUMERIC.len() + more.len() {
        let byte = if index < more.len() {
            more[index]
        } else {
            ALPHANUMERIC[index - more.len()]
        };
        table[byte as usize] = true;
        index += 1;
    }
    table
}

fn bad(message: &'static str) -> HttpError {
    HttpError::new(400, message)
}
