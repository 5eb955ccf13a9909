//! A request, complete with its body.

use zeroize::Zeroizing;

/// What a client asks for, framing resolved: the head's fields that the service needs, and the body.
pub struct Request {
    /// `GET`, `POST`, … as sent; methods are case-sensitive.
    pub method: Method,
    /// The path, percent-decoded where it is unreserved; never empty, begins with `/`.
    pub path: String,
    /// What follows `?`, undecoded; empty without.
    pub query: String,
    /// All header fields in their order, names in lower case.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// The whole body, un-chunked, wiped when dropped: it may hold passwords.
    pub body: Zeroizing<Vec<u8>>,
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

impl Request {
    /// The value of the first header field of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
