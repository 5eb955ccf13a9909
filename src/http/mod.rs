//! HTTP/1.1 without sockets: bytes → [`request::Request`] or a refusal, [`response::Response`] → bytes.
//!
//! Imports nothing of ours; serves `api` and `server`. Source: RFC 9110, RFC 9112.

pub mod request;
pub mod response;
