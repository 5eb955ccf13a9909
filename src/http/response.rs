//! An answer and its bytes.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::HttpError;

/// A complete answer. Its framing (`Date`, `Connection`, `Keep-Alive`, `Content-Length`) is added when it is
/// written.
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
    /// Kept until the last byte is written. While a signature is on its way its key is in use, and a
    /// deletion of the key waits.
    pub lease: Option<Arc<dyn Any + Send + Sync>>,
    /// Whether the request was refused for lack of a right token, or brought a wrong one to a route that
    /// needs none. After some of these, answers to the same address are delayed.
    pub is_wrong_guess: bool,
}

/// The header fields that all answers of one second have in common.
#[derive(Default)]
pub(crate) struct CommonFields {
    /// Of an answer after which the connection stays open.
    keep_alive: String,
    /// Of the last answer of a connection.
    close: String,
}

impl CommonFields {
    /// Writes the fields for this second. They announce that a connection may be idle for
    /// `keep_alive_seconds`.
    pub(crate) fn new(unix_seconds: u64, keep_alive_seconds: u64) -> Self {
        let date = format!("\r\nDate: {}\r\nConnection: ", date(unix_seconds));
        Self {
            keep_alive: format!("{date}keep-alive\r\nKeep-Alive: timeout={keep_alive_seconds}"),
            close: date + "close",
        }
    }
}

/// The media type of every JSON body.
pub(crate) const JSON: &str = "application/json";
/// The media type of every text body.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl Response {
    /// Creates an answer without further fields.
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

    /// Creates an answer in JSON.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, JSON, body.to_string().into_bytes())
    }

    /// Creates the answer to a refused request: `{"code":status,"message":"…"}`.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({ "code": status, "message": message }),
        )
    }

    /// Adds a header field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Appends the bytes of the answer to `out`; without the body when it answers HEAD.
    pub(crate) fn write(
        &self,
        common: &CommonFields,
        goes_on: bool,
        head_only: bool,
        out: &mut Vec<u8>,
    ) {
        out.reserve(self.body.len() + HEAD_BYTES_TYPICAL);
        out.extend_from_slice(status_line(self.status).as_bytes());
        let connection = if goes_on {
            &common.keep_alive
        } else {
            &common.close
        };
        out.extend_from_slice(connection.as_bytes());
        // RFC 9110, section 8.6: neither of these has a body or a Content-Length.
        let is_bodiless = self.status < 200 || matches!(self.status, 204 | 304);
        if !is_bodiless {
            out.extend_from_slice(b"\r\nContent-Type: ");
            out.extend_from_slice(self.content_type.as_bytes());
            out.extend_from_slice(b"\r\nContent-Length: ");
            let mut digits = itoa::Buffer::new();
            out.extend_from_slice(digits.format(self.body.len()).as_bytes());
        }
        for (name, value) in &self.headers {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        if !is_bodiless && !head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

/// The length of a usual head, so that `out` grows once.
const HEAD_BYTES_TYPICAL: usize = 256;

impl From<&HttpError> for Response {
    fn from(error: &HttpError) -> Self {
        let response = Self::error(error.status, &error.message);
        if error.status == 503 {
            response.with("Retry-After", "1")
        } else {
            response
        }
    }
}

/// Formats seconds since 1970 as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7). Empty after the
/// year 9999, which this format cannot express.
fn date(unix_seconds: u64) -> String {
    let time = i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time.unwrap_or_default())
        .unwrap_or_default()
}

/// Returns the status line of a status that signerd uses.
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_error_message_stays_one_json_string() {
        let response = Response::error(400, "\"\\\n\u{1}é");
        assert_eq!(
            &*response.body,
            r#"{"code":400,"message":"\"\\\n\u0001é"}"#.as_bytes()
        );
    }

    #[test]
    fn head_and_204_have_no_body() {
        let common = CommonFields::new(0, 9);
        let written = |response: Response, head_only| {
            let mut out = Vec::new();
            response.write(&common, true, head_only, &mut out);
            String::from_utf8(out).expect("text")
        };
        let head = written(Response::new(200, TEXT, b"OK".as_slice()), true);
        assert!(head.ends_with("\r\n\r\n"));
        assert!(head.contains("Keep-Alive: timeout=9\r\n"));
        assert!(head.contains("Content-Length: 2\r\n"));
        let empty = written(Response::new(204, TEXT, b"".as_slice()), false);
        assert!(!empty.contains("Content-"));
    }
}
