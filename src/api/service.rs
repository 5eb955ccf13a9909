//! [`Service`]: what the server asks of the code that answers requests.

use std::sync::Arc;

use crate::http::request::Request;
use crate::http::response::Response;

/// Answers the requests of a listener. Called from a coroutine: it waits through [`crate::wait`] alone. A
/// panic is answered with 500.
pub trait Service: Send + Sync + 'static {
    /// Judges a request by its head, before its body is read.
    ///
    /// # Errors
    /// The answer to a request that is not served.
    fn admit(&self, request: &Request) -> Result<BodyRule, Response>;

    /// Answers a request that was admitted.
    fn answer(&self, request: &mut Request) -> Response;
}

impl<T: Service> Service for Arc<T> {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        (**self).admit(request)
    }

    fn answer(&self, request: &mut Request) -> Response {
        (**self).answer(request)
    }
}

/// Which body a request may have, and how it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyRule {
    /// The answer to a longer body is 413.
    pub bytes_max: usize,
    /// Whether a request that announces no body is answered with 411.
    pub is_required: bool,
    /// What the answer costs besides reading the body.
    pub cost: AnswerCost,
    /// Whether the client has proved a right that not everybody has: its connection is closed last when
    /// there are too many.
    pub is_trusted: bool,
}

/// What an answer costs. It decides which thread computes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerCost {
    /// Well below a millisecond when the body is small.
    #[default]
    Low,
    /// Milliseconds of computing, such as a list of very many keys.
    High,
    /// Up to minutes, such as an import of many keystores.
    Long,
}
