//! A request: its head read from bytes, its body framed, as RFC 9112 asks it.
//!
//! [`find_end`] looks for the end of a head while bytes arrive, [`parse`] reads the whole head. Both
//! refuse what two readers could understand differently; a signer behind a proxy must not be the one
//! who reads leniently.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::IpAddr;

use zeroize::Zeroizing;

use super::Refused;
use super::target::{self, TARGET_BYTES_MAX, Target};

/// What a client asks for, framing resolved: the head's fields that the service needs, and the body.
pub struct Request {
    /// `GET`, `POST`, … as sent; methods are case-sensitive.
    pub method: Method,
    /// The path in its one spelling (see [`Target`]): begins with `/`, or is the `*` of `OPTIONS *`.
    pub path: String,
    /// What follows `?`, undecoded; empty without.
    pub query: String,
    /// All header fields. `host` is there, and once, unless the client speaks HTTP/1.0.
    pub headers: Headers,
    /// The whole body, un-chunked, wiped when dropped: it may hold passwords.
    pub body: Zeroizing<Vec<u8>>,
    /// The address of the client; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
}

/// Header fields in their order, names in lower case; wiped when dropped: some hold tokens.
#[derive(Default)]
pub struct Headers {
    text: Zeroizing<String>,
    /// Where each name and its value end in `text`; each begins where the last one ended.
    ends: Vec<(usize, usize)>,
}

/// The methods that some route knows; HEAD is answered as GET without a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
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

impl Method {
    /// As sent, or `OTHER`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }
}

/// A head that has been read: a request without its body, and what is needed to read that.
pub struct Head {
    /// The request; its body is still empty.
    pub request: Request,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the client speaks HTTP/1.1, not 1.0.
    pub is_http11: bool,
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

/// Longest request line: the target, the method and the version around it.
const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;

impl Request {
    /// The value of the first header field of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.values(name).next()
    }
}

impl Headers {
    /// The values of all fields of this name (in lower case).
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let field = (&self.text[start..name_end], &self.text[name_end..end]);
            start = end;
            field
        })
    }

    /// The members of a list field, over all its lines (RFC 9110, section 5.6.1).
    fn tokens<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|found| found.eq_ignore_ascii_case(token))
    }

    fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        self.text[start..].make_ascii_lowercase();
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut headers = Self::default();
        fields.into_iter().for_each(|(name, value)| headers.push(name, value));
        headers
    }
}

/// The length of the head at the front of `received`, once its end is there.
///
/// `searched` is 0 for a new head and belongs to this function between calls: no byte is looked at
/// twice.
///
/// # Errors
/// 400 for a lone LF or a first byte that begins no request, 414 and 431 when no end is in sight.
pub fn find_end(received: &[u8], searched: &mut usize) -> Result<Option<usize>, Refused> {
    if received.first().is_some_and(|&byte| !byte.is_ascii_graphic() && byte != b'\r') {
        return Err(Refused::new(400, "expected an HTTP/1.1 request line"));
    }
    while let Some(offset) = received[*searched..].iter().position(|&byte| byte == b'\n') {
        let end = *searched + offset + 1;
        if end > HEAD_BYTES_MAX {
            break;
        }
        *searched = end;
        if !received[..end].ends_with(b"\r\n") {
            return Err(Refused::new(400, "a line of the head ends with LF instead of CR LF"));
        }
        if received[..end].ends_with(b"\r\n\r\n") {
            return Ok(Some(end));
        }
    }
    match *searched {
        0 if received.len() > LINE_BYTES_MAX => Err(target::too_long()),
        _ if received.len() >= HEAD_BYTES_MAX => Err(Refused::new(
            431,
            format!("the request line and header fields are longer than {HEAD_BYTES_MAX} bytes"),
        )),
        _ => Ok(None),
    }
}

/// Reads a head that [`find_end`] has found.
///
/// # Errors
/// 400, 414, 417, 431, 501 or 505, as RFC 9110 and 9112 ask it.
pub fn parse(head: &[u8], peer: Option<IpAddr>) -> Result<Head, Refused> {
    match parse_with::<HEADERS_USUAL_MAX>(head, peer) {
        Err(Refused { status: 431, .. }) => parse_with::<HEADERS_MAX>(head, peer),
        result => result,
    }
}

#[inline(never)] // else its slots would be on the stack of every connection that waits
fn parse_with<const N: usize>(head: &[u8], peer: Option<IpAddr>) -> Result<Head, Refused> {
    let mut slots = [const { MaybeUninit::uninit() }; N];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut slots) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Refused::new(400, "the head is not complete")),
        Err(error) => return Err(syntax_error(error, head)),
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Refused::new(400, "the request line is not complete"));
    };
    let is_http11 = minor == 1;
    let target = target::parse(method, target)?;
    // Longer only where bytes are no UTF-8: no copy is left behind by growing.
    let text = Zeroizing::new(String::with_capacity(head.len()));
    let mut headers = Headers { text, ends: Vec::with_capacity(parsed.headers.len() + 1) };
    for field in parsed.headers.iter() {
        // Bytes above 0x7f have no meaning that anybody agrees on (RFC 9110, section 5.5).
        headers.push(field.name, &String::from_utf8_lossy(field.value));
    }
    let headers = settle_host(headers, &target, is_http11)?;
    let framing = framing(&headers, is_http11)?;
    let expects_continue = expectation(&headers)? && is_http11;
    let keep_alive = !headers.has_token("connection", "close")
        && (is_http11 || headers.has_token("connection", "keep-alive"));
    let (method, path, query) = (Method::from(method), target.path, target.query);
    let request = Request { method, path, query, headers, body: Zeroizing::default(), peer };
    Ok(Head { request, framing, is_http11, keep_alive, expects_continue })
}

impl From<&str> for Method {
    fn from(method: &str) -> Self {
        match method {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// Leaves exactly one `host`, that of the absolute form when there is one (RFC 9112, section 3.2).
fn settle_host(headers: Headers, target: &Target, is_http11: bool) -> Result<Headers, Refused> {
    let mut hosts = headers.values("host");
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Refused::new(400, "the field Host is there twice")),
        (None, None) if is_http11 => return Err(Refused::new(400, "the field Host is missing")),
        (Some(host), None) if !target::is_authority(host) => {
            return Err(Refused::new(400, "the field Host is no host and port"));
        }
        (_, None) => drop(hosts),
    }
    let Some(authority) = &target.authority else { return Ok(headers) };
    let others = headers.iter().filter(|(name, _)| *name != "host");
    Ok(others.chain([("host", authority.as_str())]).collect())
}

fn framing(headers: &Headers, is_http11: bool) -> Result<Framing, Refused> {
    let mut lengths = headers.values("content-length");
    let (length, second) = (lengths.next(), lengths.next());
    let is_coded = headers.values("transfer-encoding").next().is_some();
    match (length, second) {
        (_, Some(_)) => Err(Refused::new(400, "the field Content-Length is there twice")),
        (Some(_), None) if is_coded => {
            Err(Refused::new(400, "Content-Length and Transfer-Encoding exclude each other"))
        }
        (Some(length), None) => content_length(length),
        (None, None) if !is_coded => Ok(Framing::Absent),
        (None, None) if !is_http11 => Err(Refused::new(400, "HTTP/1.0 has no Transfer-Encoding")),
        (None, None) => transfer_coding(headers),
    }
}

fn content_length(text: &str) -> Result<Framing, Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::new(400, "Content-Length must be one decimal number"));
    }
    // Too many digits for 64 bits is too large for any route as well.
    Ok(Framing::Length(text.parse().unwrap_or(u64::MAX)))
}

fn transfer_coding(headers: &Headers) -> Result<Framing, Refused> {
    let mut codings = headers.tokens("transfer-encoding");
    match (codings.next(), codings.next()) {
        (None, _) => Err(Refused::new(400, "Transfer-Encoding is empty")),
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (Some(first), Some(second))
            if [first, second].iter().all(|it| it.eq_ignore_ascii_case("chunked")) =>
        {
            Err(Refused::new(400, "Transfer-Encoding names chunked twice"))
        }
        (Some(_), _) => Err(Refused::new(501, "the only Transfer-Encoding here is chunked")),
    }
}

fn expectation(headers: &Headers) -> Result<bool, Refused> {
    let mut expects = false;
    for token in headers.tokens("expect") {
        if !token.eq_ignore_ascii_case("100-continue") {
            return Err(Refused::new(417, "the only expectation here is 100-continue"));
        }
        expects = true;
    }
    Ok(expects)
}

fn syntax_error(error: httparse::Error, head: &[u8]) -> Refused {
    let message: Cow<'static, str> = match error {
        httparse::Error::Version if names_a_version(head) => {
            return Refused::new(505, "the only versions here are HTTP/1.1 and HTTP/1.0");
        }
        httparse::Error::TooManyHeaders => {
            return Refused::new(431, format!("more than {HEADERS_MAX} header fields"));
        }
        httparse::Error::HeaderName => "a header field's name is followed by no colon, or is no token".into(),
        httparse::Error::HeaderValue => "a header field's value holds a control character".into(),
        httparse::Error::NewLine => "a line of the head ends with CR instead of CR LF".into(),
        httparse::Error::Status | httparse::Error::Token | httparse::Error::Version => {
            "expected a request line: method, target and HTTP/1.1, one space between them".into()
        }
    };
    Refused::new(400, message)
}

/// Whether the request line has three parts, and the last is `HTTP/`, a digit, a dot and a digit.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ').skip(2);
    let version = parts.next().filter(|_| parts.next().is_none()).unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}
