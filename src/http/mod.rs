//! HTTP/1.1 without sockets: bytes → [`request::Request`] or a refusal, [`response::Response`] → bytes.
//!
//! Imports nothing of ours; serves `api` and `server`. Source: RFC 9110, RFC 9112.

pub mod body;
pub mod request;
pub mod response;
pub mod target;

use std::borrow::Cow;

/// Why a request is not served: its framing, size or timing. Always the last answer of its
/// connection, because where the next request begins is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// 400, 408, 413, …
    pub status: u16,
    /// What was found and what was expected; repeats nothing that could be a secret.
    pub message: Cow<'static, str>,
}

impl HttpError {
    /// A refusal with this status and message.
    pub fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// Writes zeros that the compiler keeps; many times faster than one volatile write a byte. For memory that
/// is used again: what is freed is wiped by the allocator.
pub fn wipe(bytes: &mut [u8]) {
    // Nothing is no quick case everywhere: a masked store to no address costs a hundred cycles.
    if !bytes.is_empty() {
        bytes.fill(0);
        zeroize::optimization_barrier(bytes);
    }
}
