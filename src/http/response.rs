//! An answer, and its bytes.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::HttpError;

/// A complete answer; framing (`Date`, `Connection`, `Keep-Alive`, `Content-Length`) is added when
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
    /// Whether the request was refused for who asks, or brought a wrong token to a route that needs none:
    /// after some of these, the answers to an address wait.
    pub is_wrong_guess: bool,
}

/// What every answer of one second says of the time and of its connection.
#[derive(Default)]
pub struct Control {
    goes_on: String,
    ends: String,
}

impl Control {
    /// At `unix_seconds`; a connection that goes on stays open for `keep_alive` idle seconds at least.
    pub fn at(unix_seconds: u64, keep_alive: u64) -> Self {
        let date = format!("\r\nDate: {}\r\nConnection: ", date(unix_seconds));
        let goes_on = format!("{date}keep-alive\r\nKeep-Alive: timeout={keep_alive}");
        Self {
            goes_on,
            ends: date + "close",
        }
    }
}

/// The media type of every JSON body.
pub const JSON: &str = "application/json";
/// The media type of every text body.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl Response {
    /// An answer without further fields.
    pub fn new(
        status: u16,
        content_type: &'static str,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            headers: Vec::new(),
            close: false,
            lease: None,
            is_wrong_guess: matches!(status, 401 | 403),
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, JSON, body.to_string().into_bytes())
    }

    /// The body of every error: `{"code":status,"message":"…"}`.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({ "code": status, "message": message }),
        )
    }

    /// The same answer with one more header field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Appends the answer's bytes to `out`; without the body for HEAD.
    pub fn write(&self, control: &Control, goes_on: bool, head_only: bool, out: &mut Vec<u8>) {
        out.reserve(self.body.len() + HEAD_BYTES_TYPICAL);
        let status = status_line(self.status).as_bytes();
        let control = if goes_on {
            &control.goes_on
        } else {
            &control.ends
        }
        .as_bytes();
        let kind = self.content_type.as_bytes();
        let mut digits = itoa::Buffer::new();
        let length = digits.format(self.body.len()).as_bytes();
        let head = [
            status,
            control,
            b"\r\nContent-Type: ",
            kind,
            b"\r\nContent-Length: ",
            length,
        ];
        // RFC 9110, section 8.6: neither of these has a body, nor a length of it.
        let bodiless = self.status < 200 || matches!(self.status, 204 | 304);
        put(out, if bodiless { &head[..2] } else { &head });
        for (name, value) in &self.headers {
            put(out, &[b"\r\n", name.as_bytes(), b": ", value.as_bytes()]);
        }
        put(
            out,
            &[
                b"\r\n\r\n",
                if bodiless || head_only {
                    &[]
                } else {
                    &self.body
                },
            ],
        );
    }
}

/// Head of a usual answer, so that `out` grows once.
const HEAD_BYTES_TYPICAL: usize = 256;

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

impl From<&HttpError> for Response {
    fn from(refused: &HttpError) -> Self {
        let response = Self::error(refused.status, &refused.message);
        match refused.status {
            503 => response.with("Retry-After", "1"),
            _ => response,
        }
    }
}

/// Seconds since 1970 as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7); empty after the year
/// 9999, for which there is no such form.
pub fn date(unix_seconds: u64) -> String {
    let time = i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time.unwrap_or_default())
        .unwrap_or_default()
}

/// The statuses that we use, with their phrases.
fn status_line(status: u16) -> &'static str {
    match status {
        100 => "HTTP/1.1 100 Continue",
        200 => "HTTP/1.1 200 OK",
        202 => "HTTP/1.1 202 Accepted",
        204 => "HTTP/1.1 204 No Content",
        400 => "HTTP/1.1 400 Bad Request",
        401 => "HTTP/1.1 401 Unauthorized",
        403 => "HTTP/1.1 403 Forbidden",
        404 => "HTTP/1.1 404 Not Found",
        405 => "HTTP/1.1 405 Method Not Allowed",
        408 => "HTTP/1.1 408 Request Timeout",
        409 => "HTTP/1.1 409 Conflict",
        411 => "HTTP/1.1 411 Length Required",
        412 => "HTTP/1.1 412 Precondition Failed",
        413 => "HTTP/1.1 413 Content Too Large",
        414 => "HTTP/1.1 414 URI Too Long",
        415 => "HTTP/1.1 415 Unsupported Media Type",
        417 => "HTTP/1.1 417 Expectation Failed",
        429 => "HTTP/1.1 429 Too Many Requests",
        431 => "HTTP/1.1 431 Request Header Fields Too Large",
        500 => "HTTP/1.1 500 Internal Server Error",
        501 => "HTTP/1.1 501 Not Implemented",
        503 => "HTTP/1.1 503 Service Unavailable",
        505 => "HTTP/1.1 505 HTTP Version Not Supported",
        _ => "HTTP/1.1 500 Unknown Status",
    }
}
