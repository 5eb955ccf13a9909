//! One connection: requests in, answers out, in their order, until one side wants to end.
//!
//! The loop is written over [`Stream`] and knows neither sockets nor coroutines nor TLS: it runs on
//! `may` and on plain threads alike. A client may send the next request before it has the last answer
//! (pipelining); answers that are ready go out together.
//!
//! Over 500 lines because the steps of an exchange are read in one place, in their order.

use std::io::ErrorKind;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::api::{AnswerCost, BodyRule, Service};
use crate::http::HttpError;
use crate::http::body::{BodyDecoder, BodyPart};
use crate::http::client::ClientIdentity;
use crate::http::request::{self, BodyFraming, Method, Request, RequestHead};
use crate::http::response::Response;
use crate::wait;

use super::body::{BodyBuffer, ReceivedBody, SMALL_BODY_BYTES_MAX, join, memory_in_use, too_large};
use super::budget::Reservation;
use super::pool::PoolError;
use super::read_buffer::ReadBuffer;
use super::state::ServerState;
use super::stream::{Phase, Stream};
use super::system;

/// Bytes of answers that wait to go out together with the next one.
const PENDING_BYTES_MAX: usize = 4 * 1024;

/// Larger answers reserve memory from the budget of all connections.
const SMALL_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Refusals that are held back on one connection; the last one ends it.
const HELD_ANSWERS_MAX: usize = 32;

/// The same as [`PENDING_BYTES_MAX`], while answers are held back.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// The largest body of a request that may wait for long and yet is answered in its coroutine: others
/// cannot keep out a deletion of a hundred keys.
const QUICK_BODY_BYTES_MAX: usize = 16 * 1024;

/// Bytes that are read and ignored after the last answer: closing with unread bytes would reset the
/// connection, and a reset destroys the answer on its way (RFC 9112, section 9.6).
const CLOSING_BYTES_MAX: usize = 64 * 1024;

/// The largest body that is parsed at the same time as others: what is made of one takes up to half its
/// size again.
const LARGE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves one client to the end.
pub(super) fn serve(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    client: ClientIdentity,
) {
    let mut connection = Connection::new(stream, service, state, client);
    match connection.run() {
        Ok(()) => connection.close(),
        Err(ConnectionEnd::Gone) => connection.close_writing(),
        Err(ConnectionEnd::Refused(error)) => connection.refuse(&error),
    }
}

/// Answers one client with `error`, and closes its connection.
pub(super) fn refuse(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    error: &HttpError,
) {
    Connection::new(stream, service, state, ClientIdentity::default()).refuse(error);
}

struct Connection<'a, S> {
    stream: S,
    service: &'a Arc<dyn Service>,
    state: &'a ServerState,
    request: Request,
    read_buffer: ReadBuffer<'a>,
    /// Answers that are not sent yet.
    pending: Vec<u8>,
    /// The time until which they are held back.
    held_until: Option<Instant>,
    /// How many refusals are among them.
    held_answers: usize,
    /// An answer has announced that the connection stays open.
    is_kept_alive: bool,
    /// The current request is a HEAD.
    head_only: bool,
}

/// Why a connection ends before an answer that closes it.
enum ConnectionEnd {
    /// The client left, or sent nothing in time.
    Gone,
    /// The client gets this answer.
    Refused(HttpError),
}

impl From<HttpError> for ConnectionEnd {
    fn from(error: HttpError) -> Self {
        Self::Refused(error)
    }
}

impl<'a, S: Stream> Connection<'a, S> {
    fn new(
        stream: S,
        service: &'a Arc<dyn Service>,
        state: &'a ServerState,
        client: ClientIdentity,
    ) -> Self {
        let request = Request {
            client,
            ..Request::default()
        };
        Self {
            stream,
            service,
            state,
            request,
            read_buffer: ReadBuffer::new(&state.memory),
            pending: Vec::new(),
            held_until: None,
            held_answers: 0,
            is_kept_alive: false,
            head_only: false,
        }
    }

    fn run(&mut self) -> Result<(), ConnectionEnd> {
        loop {
            let head = self.read_head()?;
            self.head_only = self.request.method == Method::Head;
            let goes_on = self.exchange(head)?;
            self.request.clear();
            if !goes_on {
                return Ok(());
            }
            self.stream.yield_now();
        }
    }

    fn read_head(&mut self) -> Result<RequestHead, ConnectionEnd> {
        // Length of the incomplete head that was parsed last, so that it is not parsed again for each byte.
        let mut tried = 0;
        if !self.read_buffer.unread().is_empty()
            && let Some(head) = self.parse_head(&mut tried)?
        {
            return Ok(head);
        }
        if self.held_until.is_some()
            && let Some(head) = self.read_head_while_held(&mut tried)?
        {
            return Ok(head);
        }
        self.flush()?;
        if self.read_buffer.unread().is_empty() && self.is_kept_alive {
            self.wait_for_request()?;
            if let Some(head) = self.parse_head(&mut tried)? {
                return Ok(head);
            }
        }
        self.stream.enter(Phase::Head);
        loop {
            let has_begun = !self.read_buffer.unread().is_empty();
            self.receive(has_begun)?;
            if let Some(head) = self.parse_head(&mut tried)? {
                return Ok(head);
            }
        }
    }

    /// Reads the next head until the answers that are held back may go out: a good request releases them
    /// earlier.
    #[inline(never)]
    fn read_head_while_held(
        &mut self,
        tried: &mut usize,
    ) -> Result<Option<RequestHead>, ConnectionEnd> {
        while let Some(left) = self.held_for() {
            self.stream.enter(Phase::Held(left));
            let received = self
                .stream
                .wait_readable()
                .and_then(|()| self.read_buffer.receive(&mut self.stream));
            match received {
                Ok(1..) => {
                    if let Some(head) = self.parse_head(tried)? {
                        return Ok(Some(head));
                    }
                }
                // The deadline has passed, or nothing more comes. The client may still wait for its answers.
                Ok(0) | Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// How long the answers are still held back.
    fn held_for(&self) -> Option<Duration> {
        let left = self.held_until?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    /// Waits for the next request, and frees memory when it does not come soon.
    fn wait_for_request(&mut self) -> Result<(), ConnectionEnd> {
        self.stream.enter(Phase::KeepAlive);
        let received = self
            .stream
            .wait_readable()
            .and_then(|()| self.read_buffer.receive(&mut self.stream));
        match received {
            Err(error) if error.kind() == ErrorKind::TimedOut => self.release_memory(),
            Ok(1..) => return Ok(()),
            Ok(0) | Err(_) => return Err(ConnectionEnd::Gone),
        }
        self.stream.enter(Phase::Idle);
        self.stream
            .wait_readable()
            .map_err(|_| ConnectionEnd::Gone)?;
        self.receive(false)
    }

    #[inline(never)]
    fn release_memory(&mut self) {
        self.read_buffer = ReadBuffer::new(&self.state.memory);
        self.pending = Vec::new();
        self.request = Request {
            client: mem::take(&mut self.request.client),
            ..Request::default()
        };
        self.stream.release_memory();
    }

    /// Parses what has arrived; `None` when the head is not complete.
    #[inline(never)]
    fn parse_head(&mut self, tried: &mut usize) -> Result<Option<RequestHead>, ConnectionEnd> {
        // Empty lines before a request are ignored (RFC 9112, section 2.2).
        while self.read_buffer.unread().starts_with(b"\r\n") {
            self.read_buffer.consume(2);
            *tried = 0;
        }
        let head = request::read(self.read_buffer.unread(), tried, &mut self.request)?;
        self.read_buffer.consume(head.map_or(0, |head| head.bytes));
        Ok(head)
    }

    // Not inlined, like others below: an idle connection must not hold the stack frame of a busy one.
    /// Admits the request, reads its body, answers. Returns whether the connection goes on.
    #[inline(never)]
    fn exchange(&mut self, head: RequestHead) -> Result<bool, ConnectionEnd> {
        let has_body = !matches!(head.framing, BodyFraming::Absent | BodyFraming::Length(0));
        let mut is_body_read = true;
        if self.request.client.certificate.is_none() {
            self.request.client.certificate = self.stream.client_certificate();
        }
        let response = match catch_panic(|| self.service.admit(&self.request)).flatten() {
            Ok(rule) => {
                if rule.is_trusted {
                    self.trust();
                }
                self.answer(head, rule)?
            }
            Err(refusal) => {
                is_body_read = !has_body;
                refusal
            }
        };
        if response.is_wrong_guess {
            self.hold_back();
        }
        let goes_on = head.keep_alive
            && is_body_read
            && !response.close
            && self.held_answers < HELD_ANSWERS_MAX
            && !self.state.sweeper.is_draining();
        self.send(response, goes_on)?;
        self.is_kept_alive = true;
        Ok(goes_on)
    }

    /// A good request does not wait for the penalty of others on the same connection.
    fn trust(&mut self) {
        self.held_until = None;
        self.held_answers = 0;
        self.stream.trust();
    }

    /// Holds the answers back when the address has guessed tokens; see [`super::penalty`].
    #[inline(never)]
    fn hold_back(&mut self) {
        let penalty = self
            .state
            .penalties
            .record_refusal(self.request.client.address);
        if penalty.is_zero() {
            return;
        }
        let now = Instant::now();
        let from = self.held_until.map_or(now, |until| until.max(now));
        self.held_until = Some(from + penalty);
        self.held_answers += 1;
    }

    fn answer(&mut self, head: RequestHead, rule: BodyRule) -> Result<Response, ConnectionEnd> {
        let body = match head.framing {
            BodyFraming::Absent if rule.is_required => {
                let expected = "expected Content-Length or Transfer-Encoding: chunked";
                return Err(HttpError::new(411, expected).into());
            }
            BodyFraming::Absent => None,
            BodyFraming::Length(_) | BodyFraming::Chunked => {
                Some(self.read_body(head, rule.bytes_max)?)
            }
        };
        self.stream.enter(Phase::Answer);
        let bytes = body.as_ref().map_or(0, |body| body.bytes);
        let is_quick = match rule.cost {
            AnswerCost::Low => bytes <= SMALL_BODY_BYTES_MAX,
            AnswerCost::High => false,
            AnswerCost::Long => bytes <= QUICK_BODY_BYTES_MAX,
        };
        if !is_quick {
            let ready = catch_panic(|| self.service.wait_until_ready(&self.request)).flatten();
            return Ok(match ready {
                Ok(()) => self.answer_on_other_thread(body, rule.cost),
                Err(response) => response,
            });
        }
        if let Some(body) = body {
            self.request.body = join(body.pieces, body.bytes);
        }
        let answered = catch_panic(|| self.service.answer(&mut self.request));
        Ok(answered.unwrap_or_else(|internal_error| internal_error))
    }

    /// Answers on another thread, because parsing a large body would make all other connections wait.
    #[inline(never)]
    fn answer_on_other_thread(
        &mut self,
        body: Option<ReceivedBody<'a>>,
        cost: AnswerCost,
    ) -> Response {
        let body = body.unwrap_or(ReceivedBody {
            pieces: Vec::new(),
            bytes: 0,
            reservation: None,
        });
        let _reservation = body.reservation;
        let pieces = body.pieces;
        let bytes = body.bytes;
        let next = Request {
            client: self.request.client.clone(),
            ..Request::default()
        };
        let mut request = mem::replace(&mut self.request, next);
        let service = Arc::clone(self.service);
        let work = move || {
            if bytes > 0 {
                request.body = join(pieces, bytes);
            }
            service.answer(&mut request)
        };
        if cost == AnswerCost::Long {
            return self.answer_on_own_thread(bytes, work);
        }
        let parsers = if bytes > LARGE_BODY_BYTES_MAX {
            &self.state.huge_parser
        } else {
            &self.state.parsers
        };
        match parsers.run(work) {
            Ok(response) => response,
            Err(PoolError::Panicked) => internal_error(),
            Err(PoolError::Full) => overloaded("too many large requests are waiting, try again"),
        }
    }

    /// Answers what may wait for long on a thread of its own: large duties need the parsers.
    fn answer_on_own_thread(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Response + Send + 'static,
    ) -> Response {
        let Some(_thread) = self.state.long_requests.reserve(1) else {
            return overloaded("too many large requests are being answered, try again");
        };
        // What is made of such a body takes memory too. A third of its size is what the budget has left beside
        // the largest body.
        let Some(_reservation) = self.state.memory.reserve(bytes / 3) else {
            return Response::from(&memory_in_use());
        };
        let (promise, answer) = wait::promise();
        let work = move || {
            system::lower_priority();
            promise.keep(work());
        };
        thread::Builder::new().name("long".into()).spawn(work).ok();
        answer.wait().unwrap_or_else(internal_error)
    }

    fn read_body(
        &mut self,
        head: RequestHead,
        bytes_max: usize,
    ) -> Result<ReceivedBody<'a>, ConnectionEnd> {
        let announced = match head.framing {
            BodyFraming::Absent | BodyFraming::Chunked => None,
            BodyFraming::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= bytes_max => Some(length),
                _ => return Err(too_large(bytes_max).into()),
            },
        };
        let start = mem::take(&mut self.request.body);
        let mut body = BodyBuffer::new(start, bytes_max, &self.state.memory);
        let received = self.receive_body(head, announced, &mut body);
        let body = body.finish();
        match received {
            Ok(()) => Ok(body),
            Err(end) => {
                self.discard(body);
                Err(end)
            }
        }
    }

    fn receive_body(
        &mut self,
        head: RequestHead,
        announced: Option<usize>,
        body: &mut BodyBuffer<'a>,
    ) -> Result<(), ConnectionEnd> {
        let mut decoder = BodyDecoder::new(head.framing);
        let mut has_waited = false;
        loop {
            let unread = self.read_buffer.unread();
            let mut rest = unread;
            let part = decoder.next(&mut rest)?;
            if let BodyPart::Data(data) = part {
                body.extend(data, announced)?;
            }
            let is_complete = part == BodyPart::End;
            let needs_more = part == BodyPart::NeedsMore;
            let used = unread.len() - rest.len();
            self.read_buffer.consume(used);
            if is_complete {
                return Ok(());
            }
            if needs_more && !has_waited {
                has_waited = true;
                if head.expects_continue && body.is_empty() {
                    self.pending
                        .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                self.flush()?;
                self.stream.enter(Phase::Body);
            }
            if needs_more {
                self.receive(true)?;
            }
        }
    }

    /// Frees a body that did not arrive whole: another thread wipes a large one, which takes milliseconds.
    fn discard(&self, body: ReceivedBody<'a>) {
        if body.bytes <= LARGE_BODY_BYTES_MAX {
            return;
        }
        // The reservation lasts until the memory is free.
        let _reservation = body.reservation;
        let pieces = body.pieces;
        self.state
            .parsers
            .run(move || {
                let _freed_here = pieces;
            })
            .ok();
    }

    /// Reads what there is. `has_begun` is whether a part of the request has arrived before.
    #[inline(never)]
    fn receive(&mut self, has_begun: bool) -> Result<(), ConnectionEnd> {
        match self.read_buffer.receive(&mut self.stream) {
            Ok(1..) => Ok(()),
            Ok(0) if has_begun => {
                Err(HttpError::new(400, "the request ends before it is complete").into())
            }
            Err(error) if error.kind() == ErrorKind::TimedOut && has_begun => {
                Err(HttpError::new(408, "the request did not arrive in time").into())
            }
            Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(memory_in_use().into()),
            Ok(0) | Err(_) => Err(ConnectionEnd::Gone),
        }
    }

    /// Sends an answer, or keeps it to go out together with the next one.
    fn send(&mut self, mut response: Response, goes_on: bool) -> Result<(), ConnectionEnd> {
        let _reservation = match self.reserve_for(&response) {
            Ok(reservation) => reservation,
            Err(error) => {
                response = Response::from(&error);
                None
            }
        };
        // A large body is not copied.
        let is_large = response.body.len() > PENDING_BYTES_MAX && !self.head_only;
        self.append(&response, goes_on, self.head_only || is_large);
        let pending_bytes_max = if self.held_until.is_some() {
            HELD_BYTES_MAX
        } else {
            PENDING_BYTES_MAX
        };
        let phase = if response.lease.is_some() {
            Phase::WriteSignature
        } else {
            Phase::Write
        };
        if is_large {
            self.flush_with(phase, &response.body)
        } else if !goes_on || response.lease.is_some() || self.pending.len() > pending_bytes_max {
            // A deletion waits until an answer with a lease is sent.
            self.flush_with(phase, b"")
        } else {
            Ok(())
        }
    }

    fn reserve_for(&self, response: &Response) -> Result<Option<Reservation<'a>>, HttpError> {
        let bytes = response.body.len();
        if bytes <= SMALL_ANSWER_BYTES_MAX {
            return Ok(None);
        }
        let reservation = self.state.memory.reserve(bytes);
        reservation.map(Some).ok_or_else(memory_in_use)
    }

    fn append(&mut self, response: &Response, goes_on: bool, head_only: bool) {
        let common = self.state.sweeper.common_fields();
        response.write(&common, goes_on, head_only, &mut self.pending);
    }

    fn flush(&mut self) -> Result<(), ConnectionEnd> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.flush_with(Phase::Write, b"")
    }

    /// Sends the pending answers, and then `body`. First waits for the end of a penalty.
    fn flush_with(&mut self, phase: Phase, body: &[u8]) -> Result<(), ConnectionEnd> {
        if let Some(left) = self.held_for() {
            self.stream.enter(Phase::Held(left));
            self.stream.pause(left);
        }
        self.held_until = None;
        self.held_answers = 0;
        self.stream.enter(phase);
        let written = self
            .stream
            .write_all(&self.pending)
            .and_then(|()| self.stream.write_all(body))
            .and_then(|()| self.stream.flush());
        self.pending.clear();
        written.map_err(|_| ConnectionEnd::Gone)
    }

    #[inline(never)]
    fn refuse(&mut self, error: &HttpError) {
        self.service.note_refusal(error.status);
        let mut response = Response::from(error);
        response.echo_names_of(&self.request);
        self.append(&response, false, self.head_only);
        if self.flush().is_ok() {
            // Many may be refused at once because there is no memory left.
            self.release_memory();
            self.close();
        }
    }

    /// Closes the sending side, with the alert that TLS asks for (RFC 8446, section 6.1).
    fn close_writing(&mut self) {
        self.stream.enter(Phase::Closing);
        self.stream.close_writing();
    }

    /// Closes the sending side, and waits a moment for the client to close its own.
    #[inline(never)]
    fn close(&mut self) {
        self.close_writing();
        let mut left = CLOSING_BYTES_MAX;
        while left > 0 {
            self.read_buffer.consume(self.read_buffer.unread().len());
            match self.read_buffer.receive(&mut self.stream) {
                Ok(length @ 1..) => left = left.saturating_sub(length),
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// Runs `action`; a panic costs this answer alone.
fn catch_panic<T>(action: impl FnOnce() -> T) -> Result<T, Response> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|_| internal_error())
}

fn internal_error() -> Response {
    Response::error(500, "internal error, see the log")
}

fn overloaded(message: &'static str) -> Response {
    Response::from(&HttpError::new(503, message))
}
