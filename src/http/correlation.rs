//! The names that a client gives to its requests: `X-Request-Id`, and `traceparent` of W3C Trace Context.
//!
//! A value that is not well-formed is dropped: what is left is safe in a header field and in a log line.

use super::headers::Headers;
use super::request::Request;
use super::response::Response;

/// Longest request id. UUIDs have 36 characters, and proxies add to them.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The length of version 00: `00-TRACE-PARENT-FLAGS`. Later versions may be longer.
const TRACEPARENT_BYTES: usize = 55;

/// The trace that a request belongs to (W3C Trace Context, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent<'r> {
    /// `-TRACE-PARENT-FLAGS`, which all versions have in common.
    text: &'r str,
}

impl<'r> TraceParent<'r> {
    fn parse(value: &'r str) -> Option<Self> {
        let is_hex = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let (known, rest) = value.split_at_checked(TRACEPARENT_BYTES)?;
        let mut parts = known.split('-');
        let [version, trace, parent, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
        let has_lengths = [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2];
        let has_digits = [version, trace, parent, flags].into_iter().all(is_hex);
        let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        if !has_lengths || !has_digits || is_zero(trace) || is_zero(parent) || version == "ff" {
            return None;
        }
        let is_whole = rest.is_empty() || version != "00" && rest.starts_with('-');
        is_whole.then_some(Self {
            text: &known[version.len()..],
        })
    }

    /// 32 digits of hex.
    pub(crate) fn trace_id(&self) -> &'r str {
        &self.text[1..33]
    }

    /// The operation of the client: 16 digits of hex.
    pub(crate) fn parent_id(&self) -> &'r str {
        &self.text[34..50]
    }
}

impl Request {
    /// Returns the trace of the request.
    pub(crate) fn trace_parent(&self) -> Option<TraceParent<'_>> {
        TraceParent::parse(only(&self.headers, "traceparent")?)
    }

    /// Returns the value of `X-Request-Id`: visible characters of ASCII without quotes and brackets.
    pub(crate) fn request_id(&self) -> Option<&str> {
        let id = only(&self.headers, "x-request-id")?;
        let is_safe =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'<' | b'>');
        let is_id = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(is_safe);
        is_id.then_some(id)
    }
}

impl Response {
    /// Repeats the names of the request that it answers.
    pub(crate) fn echo_names_of(&mut self, request: &Request) {
        if let Some(id) = request.request_id() {
            self.headers.push(("X-Request-Id", id.to_owned().into()));
        }
        if let Some(trace) = request.trace_parent() {
            // The answer follows version 00 of the standard, whatever version the request has.
            let value = format!("00{}", trace.text);
            self.headers.push(("traceparent", value.into()));
        }
    }
}

/// The value of a field that is there once.
fn only<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let mut values = headers.values(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_malformed_traceparent_is_dropped() {
        let zeros = "0".repeat(32);
        for (value, is_valid) in [
            (format!("00-{TRACE}-{PARENT}-01"), true),
            (format!("00-{TRACE}-{PARENT}-00"), true),
            (format!("01-{TRACE}-{PARENT}-01"), true),
            (
                format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"),
                true,
            ),
            (format!("cc-{TRACE}-{PARENT}-01.what"), false),
            (format!("00-{TRACE}-{PARENT}-01-more"), false),
            (format!("ff-{TRACE}-{PARENT}-01"), false),
            (format!("00-{zeros}-{PARENT}-01"), false),
            (format!("00-{TRACE}-{}-01", &zeros[..16]), false),
            (format!("00-{}-{PARENT}-01", TRACE.to_uppercase()), false),
            (format!("00-{TRACE}-{PARENT}-1"), false),
            (format!("00-{TRACE}-{PARENT}-0x"), false),
            (format!("00_{TRACE}_{PARENT}_01"), false),
            (format!("0-{TRACE}a-{PARENT}-01"), false),
            (format!("00-{TRACE}-é{}-01", &PARENT[..14]), false),
            (TRACE.to_owned(), false),
            (String::new(), false),
        ] {
            let parsed = TraceParent::parse(&value);
            assert_eq!(parsed.is_some(), is_valid, "{value}");
            if let Some(parsed) = parsed {
                assert_eq!((parsed.trace_id(), parsed.parent_id()), (TRACE, PARENT));
            }
        }
    }
}
