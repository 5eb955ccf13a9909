//! A request: its head read from bytes, its body framed, as RFC 9112 asks it.
//!
//! [`read`] tries to read a head while its bytes arrive. It refuses what two readers could understand
//! differently; a signer behind a proxy must not be the one who reads leniently.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::IpAddr;

use super::target::{self, TARGET_BYTES_MAX};
use super::{HttpError, wipe};

/// What a client asks for, framing resolved: the head's fields that the service needs, and the body. A
/// connection has one, and uses its memory again.
#[derive(Default)]
pub struct Request {
    /// `GET`, `POST`, … as sent; methods are case-sensitive.
    pub method: Method,
    /// The path in its one spelling (see [`target::Target`]): begins with `/`, or is the `*` of `OPTIONS *`.
    pub path: String,
    /// What follows `?`, undecoded; empty without.
    pub query: String,
    /// All header fields.
    pub headers: Headers,
    /// The whole body, un-chunked.
    pub body: Vec<u8>,
    /// The address of the client; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
    /// The authority of a target in absolute form; it overrides the field `Host`.
    pub authority: Option<String>,
}

/// Header fields in their order, as sent.
#[derive(Default)]
pub struct Headers {
    /// The whole head.
    bytes: Vec<u8>,
    /// Where each name and its value are.
    fields: Vec<[Span; 2]>,
    /// The marks of all names: most names that are not there need no search.
    marks: u64,
}

type Span = (usize, usize); // start and end

/// The methods that some route knows; HEAD is answered as GET without a body.
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
    /// As sent, or `OTHER`.
    pub fn name(self) -> &'static str {
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

/// A head that has been read: what the connection must know of it.
#[derive(Clone, Copy)]
pub struct Head {
    /// How long it is.
    pub bytes: usize,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the client wants to go on with this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Neither field is there: no body.
    Absent,
    /// `Content-Length`
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// Longest head: browsers and proxies stay below 8 KiB; every connection may hold this much.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most header fields of a head: clients send about ten, proxies add some.
pub const HEADERS_MAX: usize = 100;

/// Heads with more fields are parsed a second time, with 3 KiB of stack: a connection keeps all pages of
/// stack that it has ever touched.
const HEADERS_USUAL_MAX: usize = 24;

/// The largest body whose memory a connection uses again: most duties have less.
const BODY_BYTES_KEPT_MAX: usize = 4 * 1024;

/// Longest request line: the target, the method and the version around it.
const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;

impl Request {
    /// The value of the first header field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.values(name).next()
    }

    /// Whom the client believes to speak to (RFC 9112, section 3.2); there, unless it speaks HTTP/1.0.
    pub fn host(&self) -> Option<&str> {
        self.authority.as_deref().or_else(|| self.header("host"))
    }

    /// Wipes what may be secret, and keeps its memory.
    pub fn clear(&mut self) {
        wipe(&mut self.headers.bytes);
        if self.body.capacity() > BODY_BYTES_KEPT_MAX {
            self.body = Vec::new();
            return;
        }
        wipe(&mut self.body);
        self.body.clear();
    }
}

impl Headers {
    /// The values of all fields of this name, in any case. Bytes above 0x7f have no meaning that anybody
    /// agrees on (RFC 9110, section 5.5): a value that is no UTF-8 counts as empty.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.raw_values(name)
            .map(|value| std::str::from_utf8(value).unwrap_or_default())
    }

    fn raw_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let fields = if self.marks & mark(name.as_bytes()) == 0 {
            &[][..]
        } else {
            &self.fields
        };
        let named = fields
            .iter()
            .filter(|&&[known, _]| self.at(known).eq_ignore_ascii_case(name.as_bytes()));
        named.map(|&[_, value]| self.at(value))
    }

    fn at(&self, (start, end): Span) -> &[u8] {
        &self.bytes[start..end]
    }

    /// The members of a list field, over all its lines (RFC 9110, section 5.6.1). Only spaces and tabs
    /// stand around a member: Unicode knows more spaces, and no other reader takes them for such.
    fn tokens<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.raw_values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(without_spaces)
            .filter(|token| !token.is_empty())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name)
            .any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// The fields that say where a request ends and what becomes of its connection.
const FRAMING_FIELDS: [&str; 4] = [
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
];

fn without_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// One bit of 64, by length and first letter.
const fn mark(name: &[u8]) -> u64 {
    match name {
        [] => 1,
        [first, ..] => 1 << ((name.len() + (*first | 0x20) as usize) % 64),
    }
}

/// Reads the head at the front of `received` into `request`, once its end is there.
///
/// `tried` is 0 for a new head and belongs to this function between calls: it tries again only when
/// another line has come.
///
/// # Errors
/// 400, 414, 417, 431, 501 or 505, as RFC 9110 and 9112 ask it.
pub fn read(
    received: &[u8],
    tried: &mut usize,
    request: &mut Request,
) -> Result<Option<Head>, HttpError> {
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

/// Fills the request, without its body; gives the minor version, or nothing while the head is not whole.
#[inline(never)] // else its slots would be on the stack of every connection that waits
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
    let span = |part: &[u8]| {
        let start = part.as_ptr().addr() - head.as_ptr().addr();
        (start, start + part.len())
    };
    // The parser takes LF for CR LF.
    let line_end = span(target.as_bytes()).1 + " HTTP/1.1".len();
    let mut is_crlf = head[line_end] == b'\r' && head.ends_with(b"\r\n\r\n");
    let headers = &mut request.headers;
    headers.bytes.clear();
    headers.bytes.extend_from_slice(head);
    headers.fields.clear();
    headers.marks = 0;
    headers.fields.extend(parsed.headers.iter().map(|field| {
        let (name, value) = (span(field.name.as_bytes()), span(field.value));
        let end = head[value.1..]
            .iter()
            .find(|byte| !matches!(byte, b' ' | b'\t'));
        is_crlf &= end == Some(&b'\r');
        headers.marks |= mark(field.name.as_bytes());
        [name, value]
    }));
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

/// What the fields mean for the connection.
fn settle(request: &Request, is_http11: bool) -> Result<Head, HttpError> {
    const MARKS: u64 = mark(b"content-length")
        | mark(b"transfer-encoding")
        | mark(b"expect")
        | mark(b"connection");
    let headers = &request.headers;
    check_host(headers, is_http11)?;
    let bytes = headers.bytes.len();
    if headers.marks & MARKS == 0 {
        return Ok(Head {
            bytes,
            framing: Framing::Absent,
            keep_alive: is_http11,
            expects_continue: false,
        });
    }
    check_framing_fields(headers)?;
    let framing = framing(headers, is_http11)?;
    let expects_continue = expectation(headers)? && is_http11;
    let keep_alive = !headers.has_token("connection", "close")
        && (is_http11 || headers.has_token("connection", "keep-alive"));
    Ok(Head {
        bytes,
        framing,
        keep_alive,
        expects_continue,
    })
}

/// Wants exactly one `Host`, even where the absolute form overrides it (RFC 9112, section 3.2).
fn check_host(headers: &Headers, is_http11: bool) -> Result<(), HttpError> {
    let mut hosts = headers.raw_values("host");
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(HttpError::new(400, "the field Host is there twice")),
        (None, None) if is_http11 => Err(HttpError::new(400, "the field Host is missing")),
        (Some(host), None) if !target::is_authority(host) => {
            Err(HttpError::new(400, "the field Host is no host and port"))
        }
        (_, None) => Ok(()),
    }
}

/// Refuses what two readers could take for different fields: bytes that are not ASCII, and an empty line
/// beside another one of the same name.
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

fn framing(headers: &Headers, is_http11: bool) -> Result<Framing, HttpError> {
    let mut lengths = headers.values("content-length");
    let (length, second) = (lengths.next(), lengths.next());
    let is_coded = headers.values("transfer-encoding").next().is_some();
    match (length, second) {
        (_, Some(_)) => Err(HttpError::new(
            400,
            "the field Content-Length is there twice",
        )),
        (Some(_), None) if is_coded => Err(HttpError::new(
            400,
            "Content-Length and Transfer-Encoding exclude each other",
        )),
        (Some(length), None) => content_length(length),
        (None, None) if !is_coded => Ok(Framing::Absent),
        (None, None) if !is_http11 => Err(HttpError::new(400, "HTTP/1.0 has no Transfer-Encoding")),
        (None, None) => transfer_coding(headers),
    }
}

fn content_length(text: &str) -> Result<Framing, HttpError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HttpError::new(
            400,
            "Content-Length must be one decimal number",
        ));
    }
    // Too many digits for 64 bits is too large for any route as well.
    Ok(Framing::Length(text.parse().unwrap_or(u64::MAX)))
}

/// Without a final `chunked` nobody knows where the body ends (RFC 9112, section 6.3).
fn transfer_coding(headers: &Headers) -> Result<Framing, HttpError> {
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
            "the only Transfer-Encoding here is chunked",
        ));
    }
    Ok(Framing::Chunked)
}

fn expectation(headers: &Headers) -> Result<bool, HttpError> {
    let mut expects = false;
    for token in headers.tokens("expect") {
        if !token.eq_ignore_ascii_case(b"100-continue") {
            return Err(HttpError::new(
                417,
                "the only expectation here is 100-continue",
            ));
        }
        expects = true;
    }
    Ok(expects)
}

fn syntax_error(error: httparse::Error, head: &[u8]) -> HttpError {
    let message: Cow<'static, str> = match error {
        httparse::Error::Version if version(head).is_some() => {
            return HttpError::new(505, "the only versions here are HTTP/1.1 and HTTP/1.0");
        }
        httparse::Error::TooManyHeaders => {
            return HttpError::new(431, format!("more than {HEADERS_MAX} header fields"));
        }
        httparse::Error::HeaderName => {
            "a header field's name is followed by no colon, or is no token".into()
        }
        httparse::Error::HeaderValue => "a header field's value holds a control character".into(),
        httparse::Error::NewLine => "a line of the head ends with CR instead of CR LF".into(),
        httparse::Error::Status | httparse::Error::Token | httparse::Error::Version => {
            "expected a request line: method, target and HTTP/1.1, one space between them".into()
        }
    };
    HttpError::new(400, message)
}

/// Reads a head of HTTP/1.2 or later as one of HTTP/1.1 (RFC 9110, section 6.2). `minor_at` is where its
/// minor version stands.
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

/// Where the minor version of HTTP/1.2 to HTTP/1.9 stands in the request line.
fn later_minor_version(head: &[u8]) -> Option<usize> {
    let version = version(head)?;
    let is_later = version[5] == b'1' && version[7] > b'1';
    is_later.then(|| version.as_ptr().addr() - head.as_ptr().addr() + 7)
}

/// The version in the request line: `HTTP/`, a digit, a dot and a digit, the last of three parts.
fn version(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut parts = line.split(|&byte| byte == b' ').skip(2);
    let version = parts.next().filter(|_| parts.next().is_none())?;
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
    .then_some(version)
}
