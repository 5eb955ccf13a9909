//! One connection: requests in, answers out, in their order, until one side wants to end.
//!
//! The loop is written over [`Stream`] and knows neither sockets nor coroutines nor TLS: it runs on
//! `may` and on plain threads alike. It never reads past what it needs without looking, so a client may
//! send the next request before it has the last answer (pipelining); answers that are ready go out
//! together.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::api::{BodyRule, Service};
use crate::http::body::{Decoder, Part};
use crate::http::request::{self, Framing, HEAD_BYTES_MAX, Head, Method, Request};
use crate::http::response::Response;
use crate::http::{Refused, wipe};
use crate::wait;

use super::House;
use super::bodies::{Body, Share, too_large};

/// What a connection is waiting for; each phase has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first byte of the next request, which usually comes soon.
    Lull,
    /// The same, when it has not come soon.
    Idle,
    /// The rest of the head; at the beginning the handshake and the first byte as well.
    Head,
    /// The rest of the body.
    Body,
    /// The client, who must take the answer.
    Write,
    /// The client's goodbye.
    Linger,
}

/// The byte stream under a connection. Reads and writes wait, and fail with
/// [`ErrorKind::TimedOut`] when the deadline of the phase has passed.
pub(super) trait Stream: Read + Write {
    /// Begins a phase: its time counts from now.
    fn enter(&mut self, phase: Phase);
    /// Waits until there is something to read, and needs no buffer for it. May return early.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`].
    fn wait_readable(&mut self) -> io::Result<()>;
    /// Nothing is at hand: gives back what memory there is to give back.
    fn release_memory(&mut self);
    /// A piece of work is done: others may run now.
    fn cede(&mut self);
    /// Tells the client that nothing more will come.
    fn close_writing(&mut self);
}

/// Answers that are held back to go out together with the next one.
const OUTBOX_BYTES_MAX: usize = 16 * 1024;

/// What is read and forgotten after the last answer: closing with unread bytes would reset the
/// connection, and a reset eats the answer on its way (RFC 9112, section 9.6).
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// The largest body that is read in a coroutine: a few milliseconds of work. Duties have 1 to 4 KiB.
const QUICK_BODY_BYTES_MAX: usize = 256 * 1024;

/// Serves one client to the end.
pub(super) fn serve(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    house: &House,
    peer: Option<IpAddr>,
) {
    let mut connection = Connection::new(stream, service, house, peer);
    match connection.run() {
        Ok(()) => connection.linger(),
        Err(End::Gone) => connection.part(),
        Err(End::Refused(refused)) => connection.refuse(&refused),
    }
}

/// Turns one client away.
pub(super) fn turn_away(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    house: &House,
    refused: &Refused,
) {
    Connection::new(stream, service, house, None).refuse(refused);
}

struct Connection<'a, S> {
    stream: S,
    service: &'a Arc<dyn Service>,
    house: &'a House,
    request: Request,
    inbox: Inbox,
    outbox: Vec<u8>,
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
    Refused(Refused),
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<'a, S: Stream> Connection<'a, S> {
    fn new(
        stream: S,
        service: &'a Arc<dyn Service>,
        house: &'a House,
        peer: Option<IpAddr>,
    ) -> Self {
        let request = Request {
            peer,
            ..Request::default()
        };
        let (inbox, outbox) = (Inbox::default(), Vec::new());
        Self {
            stream,
            service,
            house,
            request,
            inbox,
            outbox,
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

    fn read_head(&mut self) -> Result<Head, End> {
        let mut tried = 0;
        if !self.inbox.unread().is_empty()
            && let Some(head) = self.take_head(&mut tried)?
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
        self.inbox = Inbox::default();
        self.outbox = Vec::new();
        self.request = Request {
            peer: self.request.peer,
            ..Request::default()
        };
        self.stream.release_memory();
    }

    #[inline(never)]
    fn take_head(&mut self, tried: &mut usize) -> Result<Option<Head>, End> {
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
    fn exchange(&mut self, head: Head) -> Result<bool, End> {
        let has_body = !matches!(head.framing, Framing::Absent | Framing::Length(0));
        let (response, is_read) = match caught(|| self.service.admit(&self.request)).flatten() {
            Ok(rule) => (self.answer(head, rule)?, true),
            Err(response) => (response, !has_body),
        };
        if response.is_wrong_guess {
            self.house
                .sweeper
                .pause(self.house.penalties.note(self.request.peer));
        }
        let goes_on =
            head.keep_alive && is_read && !response.close && !self.house.sweeper.is_draining();
        self.write(&response, goes_on);
        // Whoever holds a lease waits for this answer to be gone.
        if !goes_on || response.lease.is_some() || self.outbox.len() > OUTBOX_BYTES_MAX {
            self.flush()?;
        }
        self.has_promised = true;
        Ok(goes_on)
    }

    fn answer(&mut self, head: Head, rule: BodyRule) -> Result<Response, End> {
        let _share = match head.framing {
            Framing::Absent if rule.is_required => {
                return Err(Refused::new(
                    411,
                    "expected Content-Length or Transfer-Encoding: chunked",
                )
                .into());
            }
            Framing::Absent => None,
            Framing::Length(_) | Framing::Chunked => self.read_body(head, rule.bytes_max)?,
        };
        if self.request.body.0.len() > QUICK_BODY_BYTES_MAX {
            return self.answer_elsewhere();
        }
        Ok(caught(|| self.service.answer(&mut self.request)).unwrap_or_else(|response| response))
    }

    /// Answers on a thread of its own: to read a large body takes long, and all others would wait.
    fn answer_elsewhere(&mut self) -> Result<Response, End> {
        let Some(_seat) = self.house.large_requests.take(1) else {
            return Err(
                Refused::new(503, "too many large requests are being answered, try again").into(),
            );
        };
        let (promise, answer) = wait::promise();
        let service = Arc::clone(self.service);
        let next = Request {
            peer: self.request.peer,
            ..Request::default()
        };
        let mut request = mem::replace(&mut self.request, next);
        let work = move || promise.keep(service.answer(&mut request));
        thread::Builder::new().name("large".into()).spawn(work).ok();
        Ok(answer.wait().unwrap_or_else(internal_error))
    }

    fn read_body(&mut self, head: Head, bytes_max: usize) -> Result<Option<Share<'a>>, End> {
        let announced = match head.framing {
            Framing::Absent | Framing::Chunked => None,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= bytes_max => Some(length),
                _ => return Err(too_large(bytes_max).into()),
            },
        };
        let room = mem::take(&mut self.request.body);
        let mut body = Body::new(room, bytes_max, &self.house.bodies_bytes);
        let mut decoder = Decoder::new(head.framing);
        let mut is_waiting = false;
        loop {
            let mut input = self.inbox.unread();
            let part = decoder.next(&mut input)?;
            if let Part::Data(data) = part {
                body.extend(data, announced)?;
            }
            let (is_complete, needs_more) = (part == Part::End, part == Part::NeedsMore);
            let used = self.inbox.unread().len() - input.len();
            self.inbox.consume(used);
            if is_complete {
                return Ok(body.finish(&mut self.request.body));
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
                Err(Refused::new(400, "the request ends before it is complete").into())
            }
            Err(error) if error.kind() == ErrorKind::TimedOut && has_begun => {
                Err(Refused::new(408, "the request did not arrive in time").into())
            }
            Ok(0) | Err(_) => Err(End::Gone),
        }
    }

    fn write(&mut self, response: &Response, goes_on: bool) {
        let control = self.house.sweeper.control();
        response.write(&control, goes_on, self.head_only, &mut self.outbox);
    }

    fn flush(&mut self) -> Result<(), End> {
        if !self.outbox.is_empty() {
            self.stream.enter(Phase::Write);
            let written = self
                .stream
                .write_all(&self.outbox)
                .and_then(|()| self.stream.flush());
            self.outbox.clear();
            written.map_err(|_| End::Gone)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn refuse(&mut self, refused: &Refused) {
        self.write(&Response::from(refused), false);
        if self.flush().is_ok() {
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

/// What has arrived and is not yet understood. What has been understood is wiped: it may be a password.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// First size of an inbox: a usual head fits. It grows fourfold, until the longest head fits.
const INBOX_BYTES: usize = HEAD_BYTES_MAX / 16;

impl Inbox {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn consume(&mut self, length: usize) {
        wipe(&mut self.bytes[self.start..self.start + length]);
        self.start += length;
    }

    fn receive(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = vec![0; INBOX_BYTES];
        } else if self.end == self.bytes.len() {
            // Full: more is coming than fits.
            let mut larger = vec![0; (4 * self.bytes.len()).min(HEAD_BYTES_MAX)];
            let length = self.unread().len();
            larger[..length].copy_from_slice(self.unread());
            wipe(&mut self.bytes);
            *self = Self {
                bytes: larger,
                start: 0,
                end: length,
            };
        } else if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let length = stream.read(&mut self.bytes[self.end..])?;
        self.end += length;
        Ok(length)
    }
}
