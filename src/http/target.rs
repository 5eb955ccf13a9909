//! The request target (RFC 9112, section 3.2) → a path with one spelling, and the query.

use super::Refused;

/// What a request is aimed at.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Normal form of RFC 3986, section 6.2.2: unreserved characters decoded, other escapes in upper
    /// case, dot segments resolved. Begins with `/`, or is the `*` of `OPTIONS *`.
    pub path: String,
    /// What follows `?`, as sent; empty without.
    pub query: String,
    /// The authority of the absolute form; it overrides the field `Host`.
    pub authority: Option<String>,
}

/// Longest request target: our longest path is a key in hex (about 130 bytes), and proxies add little.
pub const TARGET_BYTES_MAX: usize = 2 * 1024;

/// Reads the target of a request with this method.
///
/// # Errors
/// 414 when it is too long, 501 for CONNECT, 400 for all that RFC 3986 does not allow here.
pub fn parse(method: &str, target: &str) -> Result<Target, Refused> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(too_long());
    }
    if method == "CONNECT" {
        return Err(Refused::new(501, "CONNECT is not supported: this is no proxy"));
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(Target { path: "*".into(), query: String::new(), authority: None });
    }
    let (authority, rest) = match without_scheme(target) {
        Some(rest) => {
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(authority), rest)
        }
        None if target.starts_with('/') => (None, target),
        None => return Err(bad("the request target must begin with / or http://")),
    };
    if authority.is_some_and(|authority| authority.is_empty() || !is_authority(authority)) {
        return Err(bad("the authority in the request target is no host and port"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !query.bytes().all(|byte| is_path(byte) || byte == b'?') {
        return Err(bad("the query holds a character that must be percent-encoded"));
    }
    Ok(Target { path: normal(path)?, query: query.into(), authority: authority.map(Into::into) })
}

/// The answer to a target beyond [`TARGET_BYTES_MAX`].
pub fn too_long() -> Refused {
    Refused::new(414, format!("the request target is longer than {TARGET_BYTES_MAX} bytes"))
}

/// Whether the text can be a host with a port (RFC 3986, section 3.2, without user information).
pub fn is_authority(text: &str) -> bool {
    text.bytes().all(|byte| is_path(byte) && !matches!(byte, b'/' | b'@') || matches!(byte, b'[' | b']'))
}

fn without_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let start = target.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &target[scheme.len()..])
    })
}

fn normal(path: &str) -> Result<String, Refused> {
    let decoded = decode_unreserved(path)?;
    if !decoded.contains("/.") {
        return Ok(if decoded.is_empty() { "/".into() } else { decoded });
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
    Ok(format!("/{}", kept.join("/")))
}

fn decode_unreserved(path: &str) -> Result<String, Refused> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            if !is_path(byte) {
                return Err(bad("the path holds a character that must be percent-encoded"));
            }
            decoded.push(char::from(byte));
            continue;
        }
        let mut digit = || rest.next().map(char::from).and_then(|digit| digit.to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad("% in the path must be followed by two hex digits"));
        };
        match char::from_u32(high * 16 + low) {
            Some(char) if char.is_ascii_alphanumeric() || "-._~".contains(char) => decoded.push(char),
            _ => decoded.push_str(&format!("%{high:X}{low:X}")),
        }
    }
    Ok(decoded)
}

/// `pchar` and `/` of RFC 3986, section 3.3.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

fn bad(message: &'static str) -> Refused {
    Refused::new(400, message)
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
            assert_eq!(parse("GET", target).map(|target| target.path), Ok(path.into()), "{target}");
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
            assert_eq!(parse(method, target).map_err(|refused| refused.status), Err(status), "{target}");
        }
    }
}
