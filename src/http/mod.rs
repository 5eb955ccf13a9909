//! HTTP/1.1 without sockets: bytes to a [`request::Request`] or an [`HttpError`], a [`response::Response`]
//! to bytes.
//!
//! Imports nothing of ours; serves `api` and `server`. Source: RFC 9110, RFC 9112.

pub(crate) mod body;
pub(crate) mod client;
mod correlation;
mod headers;
pub mod request;
pub mod response;
mod target;

use std::borrow::Cow;

/// Why a request is not served: its framing, its size or its timing. Its answer is the last one of the
/// connection, because nobody knows where the next request begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError {
    /// 400, 408, 413, …
    pub(crate) status: u16,
    /// What was found and what was expected. Repeats nothing that could be a secret.
    pub(crate) message: Cow<'static, str>,
}

impl HttpError {
    pub(crate) fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// Writes zeros that the compiler keeps. For memory that is used again; the allocator wipes what is
/// freed.
pub(crate) fn wipe(bytes: &mut [u8]) {
    // On some processors, filling an empty slice (a masked store to no address) costs a hundred cycles.
    if !bytes.is_empty() {
        bytes.fill(0);
        zeroize::optimization_barrier(bytes);
    }
}
