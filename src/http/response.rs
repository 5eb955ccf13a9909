//! An answer, and its bytes.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// A complete answer; framing (`Content-Length`, `Connection`, `Keep-Alive`, `Date`) is added when
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
}
