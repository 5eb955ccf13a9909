//! Reads the head of a request and settles how its body is framed, as RFC 9112 asks.
//!
//! [`read`] tries to read a head while its bytes arrive. It refuses what two readers could understand
//! differently: behind a proxy, a lenient signer would be the reader that is deceived.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::client::ClientIdentity;
use super::headers::{FieldPosition, Headers, mark};
use super::target::{self, TARGET_BYTES_MAX};
use super::{HttpError, wipe};

/// What a client asks for, framing resolved. A connection has one and reuses its memory.
#[derive(Default)]
pub struct Request {
    /// `GET`, `POST`, … as sent; methods are case-sensitive.
    pub method: Method,
    /// The path in its one spelling: normal form of RFC 3986, no repeated slash, no final one. Begins with
    /// `/`, or is the `*` of `OPTIONS *`.
    pub path: String,
    /// The text after `?`, undecoded; empty when there is none.
    pub query: String,
    /// All header fields.
    pub headers: Headers,
    /// The whole body, without its chunks.
    pub body: Vec<u8>,
    /// Who sends it.
    pub client: ClientIdentity,
    /// The type of the message to sign, once it is known.
    pub(crate) message_type: Option<&'static str>,
    /// The authority of a target in absolute form. It overrides the field `Host`.
    pub authority: Option<String>,
}

/// The methods that some route has. HEAD is answered as GET, without the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
    /// `OPTIONS`: CORS preflight
    Options,
    /// Any other token: answered with 405 or 501.
    Other,
}

const METHODS: [(&str, Method); 5] = [
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("POST", Method::Post),
    ("DELETE", Method::Delete),
    ("OPTIONS", Method::Options),
];

impl Method {
    /// Returns the method as sent, or `OTHER`.
    pub(crate) fn name(self) -> &'static str {
        METHODS
            .iter()
            .find(|(_, method)| *method == self)
            .map_or("OTHER", |(name, _)| name)
    }

    fn named(sent: &str) -> Self {
        METHODS
            .iter()
            .find(|(name, _)| *name == sent)
            .map_or(Self::Other, |(_, method)| *method)
    }
}

/// What the connection must know of a head.
#[derive(Clone, Copy)]
pub(crate) struct RequestHead {
    /// The length of the head.
    pub(crate) bytes: usize,
    pub(crate) framing: BodyFraming,
    /// Whether the client wants to keep the connection.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// There is no body.
    Absent,
    /// `Content-Length`
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// Longest head. Browsers and proxies stay below 8 KiB; every connection may hold this much.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most header fields of a head. Clients send about ten, proxies add some.
const HEADERS_MAX: usize = 100;

/// A head with more fields is parsed a second time, with 3 KiB of stack. A connection keeps every page of
/// stack that it has touched, so the first attempt is small.
const HEADERS_USUAL_MAX: usize = 24;

/// The largest body whose memory a connection reuses. Most duties are smaller.
const BODY_BYTES_KEPT_MAX: usize = 4 * 1024;

/// Longest request line: a target with its method and version.
const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;

impl Request {
    /// Returns the value of the first header field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.values(name).next()
    }

    /// Returns the part of the path after its last slash.
    pub(crate) fn last_segment(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the host that the client addressed (RFC 9112, section 3.2). HTTP/1.0 may name none.
    pub fn host(&self) -> Option<&str> {
        self.authority.as_deref().or_else(|| self.header("host"))
    }

    /// Wipes what may be secret and keeps the memory.
    pub(crate) fn clear(&mut self) {
        wipe(&mut self.headers.bytes);
        self.message_type = None;
        if self.body.capacity() > BODY_BYTES_KEPT_MAX {
            self.body = Vec::new();
            return;
        }
        wipe(&mut self.body);
        self.body.clear();
    }
}

/// The fields that decide where a request ends and whether its connection goes on.
const FRAMING_FIELDS: [&str; 4] = [
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
];

/// Reads the head at the front of `received` into `request`, once all of it is there.
///
/// `tried` is 0 for a new head and belongs to this function between calls: it tries again only when
/// another line has arrived.
///
/// # Errors
/// 400, 414, 417, 431, 501 or 505, as RFC 9110 and 9112 ask.
pub(crate) fn read(
    received: &[u8],
    tried: &mut usize,
    request: &mut Request,
) -> Result<Option<RequestHead>, HttpError> {
    if received
        .first()
        .is_some_and(|&byte| !byte.is_ascii_graphic() && byte != b'\r')
    {
        return Err(HttpError::new(400, "expected an HTTP/1.1 request line"));
    }
    if received.ends_with(b"\n") || received[*tried..].contains(&b'\n') {
        let minor = match read_lines::<HEADERS_USUAL_MAX>(received, request) {
            Err(HttpError { status: 431, .. }) => read_lines::<HEADERS_MAX>(received, request)?,
            Err(HttpError { status: 505, .. }) if let Some(at) = later_minor_version(received) => {
                read_as_http11(received, at, request)?
            }
            result => result?,
        };
        if let Some(minor) = minor {
            return settle(request, minor == 1).map(Some);
        }
    }
    *tried = received.len();
    match received.len() {
        LINE_BYTES_MAX.. if !received.contains(&b'\n') => Err(target::too_long()),
        HEAD_BYTES_MAX.. => Err(HttpError::new(
            431,
            format!("the request line and header fields are longer than {HEAD_BYTES_MAX} bytes"),
        )),
        _ => Ok(None),
    }
}

/// Fills the request, without its body. Returns the minor version, or `None` while the head is not
/// complete.
#[inline(never)] // Its arrays must not be on the stack of every connection that waits.
fn read_lines<const N: usize>(
    received: &[u8],
    request: &mut Request,
) -> Result<Option<u8>, HttpError> {
    let mut slots = [const { MaybeUninit::uninit() }; N];
    let mut parsed = httparse::Request::new(&mut []);
    let parse = parsed.parse_with_uninit_headers(received, &mut slots);
    let length = match parse.map_err(|error| syntax_error(error, received))? {
        httparse::Status::Complete(length) if length <= HEAD_BYTES_MAX => length,
        httparse::Status::Complete(_) | httparse::Status::Partial => return Ok(None),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Ok(None);
    };
    let head = &received[..length];
    let position = |part: &[u8]| {
        let start = part.as_ptr().addr() - head.as_ptr().addr();
        start..start + part.len()
    };
    // The parser accepts LF without CR, so every line end is checked here.
    let line_end = position(target.as_bytes()).end + " HTTP/1.1".len();
    let mut is_crlf = head[line_end] == b'\r' && head.ends_with(b"\r\n\r\n");
    let headers = &mut request.headers;
    headers.bytes.clear();
    headers.bytes.extend_from_slice(head);
    headers.fields.clear();
    headers.marks = 0;
    for field in parsed.headers.iter() {
        let name = position(field.name.as_bytes());
        let value = position(field.value);
        let mut after_value = head[value.end..].iter();
        is_crlf &= after_value.find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'\r');
        headers.marks |= mark(field.name.as_bytes());
        headers.fields.push(FieldPosition { name, value });
    }
    if !is_crlf {
        return Err(HttpError::new(
            400,
            "a line of the head ends with LF instead of CR LF",
        ));
    }
    let target = target::parse(method, target)?;
    request.method = Method::named(method);
    target.path.as_ref().clone_into(&mut request.path);
    target.query.clone_into(&mut request.query);
    request.authority = target.authority.map(Into::into);
    Ok(parsed.version)
}

/// Works out what the fields mean for the connection.
fn settle(request: &Request, is_http11: bool) -> Result<RequestHead, HttpError> {
    const MARKS: u64 = mark(b"content-length")
        | mark(b"transfer-encoding")
        | mark(b"expect")
        | mark(b"connection");
    let headers = &request.headers;
    check_host(headers, is_http11)?;
    let bytes = headers.bytes.len();
    if headers.marks & MARKS == 0 {
        return Ok(RequestHead {
            bytes,
            framing: BodyFraming::Absent,
            keep_alive: is_http11,
            expects_continue: false,
        });
    }
    check_framing_fields(headers)?;
    let framing = framing(headers, is_http11)?;
    let expects_continue = expectation(headers)? && is_http11;
    let keep_alive = !headers.has_token("connection", "close")
        && (is_http11 || headers.has_token("connection", "keep-alive"));
    Ok(RequestHead {
        bytes,
        framing,
        keep_alive,
        expects_continue,
    })
}

/// Requires exactly one `Host`, even where the absolute form overrides it (RFC 9112, section 3.2).
fn check_host(headers: &Headers, is_http11: bool) -> Result<(), HttpError> {
    let mut hosts = headers.raw_values("host");
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(HttpError::new(400, "the field Host is there twice"));
    }
    match first {
        Some(host) if !target::is_authority(host) => {
            Err(HttpError::new(400, "the field Host is not a host and port"))
        }
        None if is_http11 => Err(HttpError::new(400, "the field Host is missing")),
        Some(_) | None => Ok(()),
    }
}

/// Refuses what two readers could understand differently: bytes that are not ASCII, and a field without a
/// value beside another one of its name.
fn check_framing_fields(headers: &Headers) -> Result<(), HttpError> {
    for name in FRAMING_FIELDS {
        let mut lines = 0;
        let mut has_empty_line = false;
        for value in headers.raw_values(name) {
            lines += 1;
            has_empty_line |= value.is_empty();
            if !value.is_ascii() {
                let message = format!("the field {name} holds a byte that is not ASCII");
                return Err(HttpError::new(400, message));
            }
        }
        if lines > 1 && has_empty_line {
            let message = format!("the field {name} is there twice, once without a value");
            return Err(HttpError::new(400, message));
        }
    }
    Ok(())
}

fn framing(headers: &Headers, is_http11: bool) -> Result<BodyFraming, HttpError> {
    let mut lengths = headers.values("content-length");
    let length = lengths.next();
    if lengths.next().is_some() {
        let message = "the field Content-Length is there twice";
        return Err(HttpError::new(400, message));
    }
    let is_coded = headers.values("transfer-encoding").next().is_some();
    match length {
        Some(_) if is_coded => {
            let message = "Content-Length and Transfer-Encoding exclude each other";
            Err(HttpError::new(400, message))
        }
        Some(length) => content_length(length),
        None if !is_coded => Ok(BodyFraming::Absent),
        None if !is_http11 => Err(HttpError::new(400, "HTTP/1.0 has no Transfer-Encoding")),
        None => transfer_coding(headers),
    }
}

fn content_length(text: &str) -> Result<BodyFraming, HttpError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HttpError::new(
            400,
            "Content-Length must be one decimal number",
        ));
    }
    // A number beyond 64 bits is too large for every route anyway.
    Ok(BodyFraming::Length(text.parse().unwrap_or(u64::MAX)))
}

/// Accepts `chunked` alone. Without a final `chunked` the end of the body is unknown (RFC 9112, section
/// 6.3).
fn transfer_coding(headers: &Headers) -> Result<BodyFraming, HttpError> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let codings = headers.tokens("transfer-encoding").collect::<Vec<_>>();
    let Some((last, others)) = codings.split_last() else {
        return Err(HttpError::new(400, "Transfer-Encoding is empty"));
    };
    if !is_chunked(last) {
        return Err(HttpError::new(
            400,
            "the last Transfer-Encoding must be chunked",
        ));
    }
    if others.iter().any(|coding| is_chunked(coding)) {
        return Err(HttpError::new(400, "Transfer-Encoding names chunked twice"));
    }
    if !others.is_empty() {
        return Err(HttpError::new(
            501,
            "the only Transfer-Encoding supported is chunked",
        ));
    }
    Ok(BodyFraming::Chunked)
}

fn expectation(headers: &Headers) -> Result<bool, HttpError> {
    let mut expects = false;
    for token in headers.tokens("expect") {
        if !token.eq_ignore_ascii_case(b"100-continue") {
            return Err(HttpError::new(
                417,
                "the only expectation supported is 100-continue",
            ));
        }
        expects = true;
    }
    Ok(expects)
}

fn syntax_error(error: httparse::Error, head: &[u8]) -> HttpError {
    let message: Cow<'static, str> = match error {
        httparse::Error::Version if version(head).is_some() => {
            return HttpError::new(505, "the only versions supported are HTTP/1.1 and HTTP/1.0");
        }
        httparse::Error::TooManyHeaders => {
            return HttpError::new(431, format!("more than {HEADERS_MAX} header fields"));
        }
        httparse::Error::HeaderName => {
            "expected a header field: a name of token characters and a colon".into()
        }
        httparse::Error::HeaderValue => "a header field's value holds a control character".into(),
        httparse::Error::NewLine => "a line of the head ends with CR instead of CR LF".into(),
        httparse::Error::Status | httparse::Error::Token | httparse::Error::Version => {
            "expected a request line: method, target and HTTP/1.1, one space between them".into()
        }
    };
    HttpError::new(400, message)
}

/// Reads a head of HTTP/1.2 or later as one of HTTP/1.1 (RFC 9110, section 6.2). `minor_at` is the position
/// of its minor version.
#[inline(never)]
fn read_as_http11(
    received: &[u8],
    minor_at: usize,
    request: &mut Request,
) -> Result<Option<u8>, HttpError> {
    let mut copy = received.to_vec();
    copy[minor_at] = b'1';
    read_lines::<HEADERS_MAX>(&copy, request)
}

/// Returns the position of the minor version in the request line of HTTP/1.2 to HTTP/1.9.
fn later_minor_version(head: &[u8]) -> Option<usize> {
    let version = version(head)?;
    let is_later = version[5] == b'1' && version[7] > b'1';
    is_later.then(|| version.as_ptr().addr() - head.as_ptr().addr() + 7)
}

/// Returns the version in the request line: `HTTP/`, a digit, a dot and a digit, the last of three parts.
fn version(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut parts = line.split(|&byte| byte == b' ').skip(2);
    let version = parts.next().filter(|_| parts.next().is_none())?;
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
    .then_some(version)
}

#[cfg(test)]
mod tests;
