//! One connection: requests in, answers out, in their order, until one side wants to end.
//!
//! The loop is written over [`Stream`] and knows neither sockets nor coroutines nor TLS: it runs on
//! `may` and on plain threads alike. It never reads past what it needs without looking, so a client may
//! send the next request before it has the last answer (pipelining); answers that are ready go out
//! together.
//!
//! Over 500 lines because the steps of an exchange are read in one place, in their order.

use std::io::ErrorKind;
use std::mem;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::api::{AnswerCost, BodyRule, Service};
use crate::http::HttpError;
use crate::http::body::{BodyDecoder, BodyPart};
use crate::http::request::{self, BodyFraming, Method, Request, RequestHead};
use crate::http::response::Response;
use crate::wait;

use super::ServerState;
use super::bodies::{Arrived, Body, SMALL_BODY_BYTES_MAX, Share, join, memory_in_use, too_large};
use super::inbox::Inbox;
use super::pool::PoolError;
use super::stream::{Phase, Stream};
use super::system;

/// Answers that wait to go out together with the next one.
const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// Larger answers take their memory from what there is for all connections together.
const SMALL_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Refusals that are held back on one connection; the last one ends it.
const HELD_ANSWERS_MAX: usize = 32;

/// The same as [`OUTBOX_BYTES_MAX`], while answers are held back.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// The largest body of a request that may wait for long and yet is answered in its coroutine: others
/// cannot keep out a deletion of a hundred keys.
const QUICK_BODY_BYTES_MAX: usize = 16 * 1024;

/// What is read and forgotten after the last answer: closing with unread bytes would reset the
/// connection, and a reset eats the answer on its way (RFC 9112, section 9.6).
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// The largest body that is read at the same time as others: what is made of one takes up to half its
/// size again.
const LARGE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves one client to the end.
pub(super) fn serve(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    peer: Option<IpAddr>,
) {
    let mut connection = Connection::new(stream, service, state, peer);
    match connection.run() {
        Ok(()) => connection.linger(),
        Err(End::Gone) => connection.part(),
        Err(End::HttpError(refused)) => connection.refuse(&refused),
    }
}

/// Turns one client away.
pub(super) fn turn_away(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    refused: &HttpError,
) {
    Connection::new(stream, service, state, None).refuse(refused);
}

struct Connection<'a, S> {
    stream: S,
    service: &'a Arc<dyn Service>,
    state: &'a ServerState,
    request: Request,
    inbox: Inbox<'a>,
    outbox: Vec<u8>,
    /// Until when the answers in the outbox are held back.
    held_until: Option<Instant>,
    /// How many of them are refusals.
    held_answers: usize,
    /// An answer has promised that the connection stays open.
    has_promised: bool,
    /// The request at hand is a HEAD.
    head_only: bool,
}

/// Why a connection ends without a last proper answer.
enum End {
    /// The client left, or is not worth an answer.
    Gone,
    /// The client gets this answer.
    HttpError(HttpError),
}

impl From<HttpError> for End {
    fn from(refused: HttpError) -> Self {
        Self::HttpError(refused)
    }
}

impl<'a, S: Stream> Connection<'a, S> {
    fn new(
        stream: S,
        service: &'a Arc<dyn Service>,
        state: &'a ServerState,
        peer: Option<IpAddr>,
    ) -> Self {
        let request = Request {
            peer,
            ..Request::default()
        };
        Self {
            stream,
            service,
            state,
            request,
            inbox: Inbox::new(&state.memory),
            outbox: Vec::new(),
            held_until: None,
            held_answers: 0,
            has_promised: false,
            head_only: false,
        }
    }

    fn run(&mut self) -> Result<(), End> {
        loop {
            let head = self.read_head()?;
            self.head_only = self.request.method == Method::Head;
            let goes_on = self.exchange(head)?;
            self.request.clear();
            if !goes_on {
                return Ok(());
            }
            self.stream.cede();
        }
    }

    fn read_head(&mut self) -> Result<RequestHead, End> {
        let mut tried = 0;
        if !self.inbox.unread().is_empty()
            && let Some(head) = self.take_head(&mut tried)?
        {
            return Ok(head);
        }
        if self.held_until.is_some()
            && let Some(head) = self.wait_for_held(&mut tried)?
        {
            return Ok(head);
        }
        self.flush()?;
        if self.inbox.unread().is_empty() && self.has_promised {
            self.rest()?;
            if let Some(head) = self.take_head(&mut tried)? {
                return Ok(head);
            }
        }
        self.stream.enter(Phase::Head);
        loop {
            let has_begun = !self.inbox.unread().is_empty();
            self.receive(has_begun)?;
            if let Some(head) = self.take_head(&mut tried)? {
                return Ok(head);
            }
        }
    }

    /// Waits until the answers that are held back may go out, or the next request is there: a good one
    /// sets them free.
    #[inline(never)]
    fn wait_for_held(&mut self, tried: &mut usize) -> Result<Option<RequestHead>, End> {
        while let Some(left) = self.held_for() {
            self.stream.enter(Phase::Held(left));
            let received = self
                .stream
                .wait_readable()
                .and_then(|()| self.inbox.receive(&mut self.stream));
            match received {
                Ok(1..) => {
                    if let Some(head) = self.take_head(tried)? {
                        return Ok(Some(head));
                    }
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(None),
                // Nothing more comes; the client may still want its answers.
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

    /// Waits for the next request; holds little memory when it does not come soon.
    fn rest(&mut self) -> Result<(), End> {
        self.stream.enter(Phase::Lull);
        let received = self
            .stream
            .wait_readable()
            .and_then(|()| self.inbox.receive(&mut self.stream));
        match received {
            Err(error) if error.kind() == ErrorKind::TimedOut => self.release_memory(),
            Ok(1..) => return Ok(()),
            Ok(0) | Err(_) => return Err(End::Gone),
        }
        self.stream.enter(Phase::Idle);
        self.stream.wait_readable().map_err(|_| End::Gone)?;
        self.receive(false)
    }

    #[inline(never)]
    fn release_memory(&mut self) {
        self.inbox = Inbox::new(&self.state.memory);
        self.outbox = Vec::new();
        self.request = Request {
            peer: self.request.peer,
            ..Request::default()
        };
        self.stream.release_memory();
    }

    #[inline(never)]
    fn take_head(&mut self, tried: &mut usize) -> Result<Option<RequestHead>, End> {
        // RFC 9112, section 2.2: empty lines before a request are noise.
        while self.inbox.unread().starts_with(b"\r\n") {
            self.inbox.consume(2);
            *tried = 0;
        }
        let head = request::read(self.inbox.unread(), tried, &mut self.request)?;
        self.inbox.consume(head.map_or(0, |head| head.bytes));
        Ok(head)
    }

    // Not inlined, as others below: an idle connection must not keep the room for what it does at work.
    /// Judges, reads the body, answers; says whether the connection goes on.
    #[inline(never)]
    fn exchange(&mut self, head: RequestHead) -> Result<bool, End> {
        let has_body = !matches!(head.framing, BodyFraming::Absent | BodyFraming::Length(0));
        let (response, is_read) = match caught(|| self.service.admit(&self.request)).flatten() {
            Ok(rule) => {
                if rule.is_trusted {
                    self.trust();
                }
                (self.answer(head, rule)?, true)
            }
            Err(response) => (response, !has_body),
        };
        if response.is_wrong_guess {
            self.hold_back();
        }
        let goes_on = head.keep_alive
            && is_read
            && !response.close
            && self.held_answers < HELD_ANSWERS_MAX
            && !self.state.sweeper.is_draining();
        self.send(response, goes_on)?;
        self.has_promised = true;
        Ok(goes_on)
    }

    /// Good requests do not wait for the penalty of others that came on the same connection.
    fn trust(&mut self) {
        self.held_until = None;
        self.held_answers = 0;
        self.stream.trust();
    }

    /// Refusals to an address that guesses are held back; see [`super::penalty`].
    #[inline(never)]
    fn hold_back(&mut self) {
        let penalty = self.state.penalties.note(self.request.peer);
        if penalty.is_zero() {
            return;
        }
        let now = Instant::now();
        let from = self.held_until.map_or(now, |until| until.max(now));
        self.held_until = Some(from + penalty);
        self.held_answers += 1;
    }

    fn answer(&mut self, head: RequestHead, rule: BodyRule) -> Result<Response, End> {
        let arrived = match head.framing {
            BodyFraming::Absent if rule.is_required => {
                return Err(HttpError::new(
                    411,
                    "expected Content-Length or Transfer-Encoding: chunked",
                )
                .into());
            }
            BodyFraming::Absent => None,
            BodyFraming::Length(_) | BodyFraming::Chunked => {
                Some(self.read_body(head, rule.bytes_max)?)
            }
        };
        self.stream.enter(Phase::Answer);
        let bytes = arrived.as_ref().map_or(0, |arrived| arrived.bytes);
        let is_quick = match rule.cost {
            AnswerCost::Low => bytes <= SMALL_BODY_BYTES_MAX,
            AnswerCost::High => false,
            AnswerCost::Long => bytes <= QUICK_BODY_BYTES_MAX,
        };
        if !is_quick {
            return Ok(self.answer_elsewhere(arrived, rule.cost));
        }
        if let Some(arrived) = arrived {
            self.request.body = join(arrived.pieces, arrived.bytes);
        }
        Ok(caught(|| self.service.answer(&mut self.request)).unwrap_or_else(|response| response))
    }

    /// Answers on another thread: to read a large body takes long, and all others would wait.
    #[inline(never)]
    fn answer_elsewhere(&mut self, arrived: Option<Arrived<'a>>, cost: AnswerCost) -> Response {
        let (pieces, bytes, _share) = match arrived {
            Some(arrived) => (arrived.pieces, arrived.bytes, arrived.share),
            None => (Vec::new(), 0, None),
        };
        let next = Request {
            peer: self.request.peer,
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
            return self.answer_on_a_thread(bytes, work);
        }
        let readers = if bytes > LARGE_BODY_BYTES_MAX {
            &self.state.huge_reader
        } else {
            &self.state.readers
        };
        match readers.run(work) {
            Ok(response) => response,
            Err(PoolError::Panicked) => internal_error(),
            Err(PoolError::Full) => Response::from(&HttpError::new(
                503,
                "too many large requests are waiting, try again",
            )),
        }
    }

    /// Runs what may wait for long: it would keep large duties from the threads that read them.
    fn answer_on_a_thread(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Response + Send + 'static,
    ) -> Response {
        let Some(_permit) = self.state.long_requests.take(1) else {
            return Response::from(&HttpError::new(
                503,
                "too many large requests are being answered, try again",
            ));
        };
        // What is made of such a body takes memory too; beside the largest one there is a third of its size.
        let Some(_share) = self.state.memory.take(bytes / 3) else {
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

    fn read_body(&mut self, head: RequestHead, bytes_max: usize) -> Result<Arrived<'a>, End> {
        let announced = match head.framing {
            BodyFraming::Absent | BodyFraming::Chunked => None,
            BodyFraming::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= bytes_max => Some(length),
                _ => return Err(too_large(bytes_max).into()),
            },
        };
        let room = mem::take(&mut self.request.body);
        let mut body = Body::new(room, bytes_max, &self.state.memory);
        let mut decoder = BodyDecoder::new(head.framing);
        let mut is_waiting = false;
        loop {
            let mut input = self.inbox.unread();
            let part = decoder.next(&mut input)?;
            if let BodyPart::Data(data) = part {
                body.extend(data, announced)?;
            }
            let (is_complete, needs_more) = (part == BodyPart::End, part == BodyPart::NeedsMore);
            let used = self.inbox.unread().len() - input.len();
            self.inbox.consume(used);
            if is_complete {
                return Ok(body.finish());
            }
            if needs_more && !is_waiting {
                is_waiting = true;
                if head.expects_continue && body.is_empty() {
                    self.outbox
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

    /// Reads what there is; `has_begun` says whether a part of a request has arrived before.
    #[inline(never)]
    fn receive(&mut self, has_begun: bool) -> Result<(), End> {
        match self.inbox.receive(&mut self.stream) {
            Ok(1..) => Ok(()),
            Ok(0) if has_begun => {
                Err(HttpError::new(400, "the request ends before it is complete").into())
            }
            Err(error) if error.kind() == ErrorKind::TimedOut && has_begun => {
                Err(HttpError::new(408, "the request did not arrive in time").into())
            }
            Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(memory_in_use().into()),
            Ok(0) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends an answer, or puts it where it goes out together with the next one.
    fn send(&mut self, mut response: Response, goes_on: bool) -> Result<(), End> {
        let _share = match self.share_of(&response) {
            Ok(share) => share,
            Err(refused) => {
                response = Response::from(&refused);
                None
            }
        };
        // A large body is not copied.
        let is_large = response.body.len() > OUTBOX_BYTES_MAX && !self.head_only;
        self.write(&response, goes_on, self.head_only || is_large);
        let outbox_bytes_max = if self.held_until.is_some() {
            HELD_BYTES_MAX
        } else {
            OUTBOX_BYTES_MAX
        };
        let phase = if response.lease.is_some() {
            Phase::WriteSignature
        } else {
            Phase::Write
        };
        if is_large {
            self.flush_with(phase, &response.body)
        } else if !goes_on || response.lease.is_some() || self.outbox.len() > outbox_bytes_max {
            // Whoever holds a lease waits for this answer to be gone.
            self.flush_with(phase, b"")
        } else {
            Ok(())
        }
    }

    fn share_of(&self, response: &Response) -> Result<Option<Share<'a>>, HttpError> {
        if response.body.len() <= SMALL_ANSWER_BYTES_MAX {
            return Ok(None);
        }
        let share = self.state.memory.take(response.body.len());
        share.map(Some).ok_or_else(memory_in_use)
    }

    fn write(&mut self, response: &Response, goes_on: bool, head_only: bool) {
        let control = self.state.sweeper.control();
        response.write(&control, goes_on, head_only, &mut self.outbox);
    }

    fn flush(&mut self) -> Result<(), End> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        self.flush_with(Phase::Write, b"")
    }

    /// Sends what is in the outbox, and then `body`; first waits until it may.
    fn flush_with(&mut self, phase: Phase, body: &[u8]) -> Result<(), End> {
        if let Some(left) = self.held_for() {
            self.stream.enter(Phase::Held(left));
            self.stream.pause(left);
        }
        self.held_until = None;
        self.held_answers = 0;
        self.stream.enter(phase);
        let written = self
            .stream
            .write_all(&self.outbox)
            .and_then(|()| self.stream.write_all(body))
            .and_then(|()| self.stream.flush());
        self.outbox.clear();
        written.map_err(|_| End::Gone)
    }

    #[inline(never)]
    fn refuse(&mut self, refused: &HttpError) {
        self.write(&Response::from(refused), false, self.head_only);
        if self.flush().is_ok() {
            // Many may be refused at once because there is no memory left.
            self.release_memory();
            self.linger();
        }
    }

    /// Says goodbye, which TLS asks for (RFC 8446, section 6.1).
    fn part(&mut self) {
        self.stream.enter(Phase::Linger);
        self.stream.close_writing();
    }

    #[inline(never)]
    fn linger(&mut self) {
        self.part();
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            self.inbox.consume(self.inbox.unread().len());
            match self.inbox.receive(&mut self.stream) {
                Ok(length @ 1..) => left = left.saturating_sub(length),
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// A panic costs this answer alone.
fn caught<T>(action: impl FnOnce() -> T) -> Result<T, Response> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|_| internal_error())
}

fn internal_error() -> Response {
    Response::error(500, "internal error, see the log")
}
