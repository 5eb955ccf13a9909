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

    /// Waits until a request can be answered, for so long as its route allows. Called in the coroutine,
    /// before an answer that is made on another thread: it must not keep that thread waiting.
    ///
    /// # Errors
    /// The answer to a request whose wait has ended without a result.
    fn wait_until_ready(&self, _request: &Request) -> Result<(), Response> {
        Ok(())
    }

    /// Answers a request that was admitted.
    fn answer(&self, request: &mut Request) -> Response;

    /// Takes note that the server itself refuses a request with this status: one that it cannot read.
    fn note_refusal(&self, _status: u16) {}
}

impl<T: Service> Service for Arc<T> {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        (**self).admit(request)
    }

    fn wait_until_ready(&self, request: &Request) -> Result<(), Response> {
        (**self).wait_until_ready(request)
    }

    fn answer(&self, request: &mut Request) -> Response {
        (**self).answer(request)
    }

    fn note_refusal(&self, status: u16) {
        (**self).note_refusal(status);
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
