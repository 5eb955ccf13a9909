//! An answer, and its bytes.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::Refused;

/// A complete answer; framing (`Content-Length`, `Connection`, `Keep-Alive`, `Date`) is added when
/// it is written.
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// The media type of `body`.
    pub content_type: &'static str,
    /// The whole body; not sent for HEAD.
    pub body: Cow<'static, [u8]>,
    /// Further header fields: `Allow`, `Retry-After`, `WWW-Authenticate`, …
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Whether the connection must end with this answer.
    pub close: bool,
    /// Kept alive until the last byte is written: while a signature is on its way, its key is in
    /// use, and deleting the key waits.
    pub lease: Option<Arc<dyn Any + Send + Sync>>,
}

/// What the connection adds to an answer.
pub struct Terms<'a> {
    /// Answers HEAD: everything but the body.
    pub head_only: bool,
    /// Whether the connection goes on, and for how many idle seconds at least.
    pub keep_alive: Option<&'a str>,
    /// Now: see [`date`].
    pub date: &'a str,
}

/// The media type of every JSON body.
pub const JSON: &str = "application/json";
/// The media type of every text body.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl Response {
    /// An answer without further fields.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { status, content_type, body: body.into(), headers: Vec::new(), close: false, lease: None }
    }

    /// The body of every error: `{"code":status,"message":"…"}`.
    pub fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "code": status, "message": message });
        Self::new(status, JSON, body.to_string().into_bytes())
    }

    /// The same answer with one more header field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Appends the answer's bytes to `out`.
    pub fn write(&self, terms: &Terms<'_>, out: &mut Vec<u8>) {
        out.reserve(self.body.len() + HEAD_BYTES_TYPICAL);
        put(out, &["HTTP/1.1 ", status(self.status), "\r\nDate: ", terms.date]);
        // RFC 9110, section 8.6: neither of these has a body, nor a length of it.
        let bodiless = self.status < 200 || matches!(self.status, 204 | 304);
        if !bodiless {
            put(out, &["\r\nContent-Type: ", self.content_type, "\r\nContent-Length: "]);
            put_number(out, self.body.len());
        }
        for (name, value) in &self.headers {
            put(out, &["\r\n", name, ": ", value]);
        }
        match terms.keep_alive {
            Some(timeout) => {
                put(out, &["\r\nConnection: keep-alive\r\nKeep-Alive: timeout=", timeout, "\r\n\r\n"]);
            }
            None => put(out, &["\r\nConnection: close\r\n\r\n"]),
        }
        if !bodiless && !terms.head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

/// Several times faster than the formatting of the standard library.
fn put_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        put_number(out, number / 10);
    }
    out.push(b"0123456789"[number % 10]);
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

impl From<&Refused> for Response {
    fn from(refused: &Refused) -> Self {
        let response = Self::error(refused.status, &refused.message);
        match refused.status {
            503 => response.with("Retry-After", "1"),
            _ => response,
        }
    }
}

/// Head of a usual answer, so that `out` grows once.
const HEAD_BYTES_TYPICAL: usize = 256;

/// Seconds since 1970 as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7); empty after the year
/// 9999, for which there is no such form.
pub fn date(unix_seconds: u64) -> String {
    let time = i64::try_from(unix_seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time.unwrap_or_default()).unwrap_or_default()
}

/// The statuses that we use, with their phrases.
fn status(status: u16) -> &'static str {
    match status {
        100 => "100 Continue",
        200 => "200 OK",
        202 => "202 Accepted",
        204 => "204 No Content",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        408 => "408 Request Timeout",
        409 => "409 Conflict",
        411 => "411 Length Required",
        412 => "412 Precondition Failed",
        413 => "413 Content Too Large",
        414 => "414 URI Too Long",
        415 => "415 Unsupported Media Type",
        417 => "417 Expectation Failed",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        503 => "503 Service Unavailable",
        505 => "505 HTTP Version Not Supported",
        _ => "500 Unknown Status",
    }
}
