//! The routes: one match on method and path, each answer a value.

use crate::http::request::Request;
use crate::http::response::Response;

/// What a listener serves. Called from a coroutine: it may wait through [`crate::wait`] alone.
pub trait Service: Send + Sync + 'static {
    /// The answer to one request. A panic in here is answered with 500.
    fn answer(&self, request: Request) -> Response;

    /// How many bytes of body this route takes, decided from method and path before the body is
    /// read; beyond it the answer is 413.
    fn body_bytes_max(&self, method: crate::http::request::Method, path: &str) -> usize;
}
