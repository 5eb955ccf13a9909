//! A connected socket whose waits end at a deadline, for coroutines and for threads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use may::io::{CoIo, WaitIo};

use super::limits::ConnectionLimits;
use super::runtime::{self, Runtime};
use super::slots::ConnectionSlot;
use super::status::ConnectionStatus;
use super::stream::{Phase, Stream};
use super::sweeper::{Sweeper, TICK};
use super::system::{self, HANGUP, POLLIN, POLLOUT};
use super::tls::VerifiedClient;

/// Pieces of work (a request, a read of up to 4 KiB) that a connection may do in a row; then the others
/// run.
const WORK_IN_A_ROW_MAX: usize = 32;

/// Bytes read that count as one more piece of work.
const WORK_BYTES: usize = 4 * 1024;

/// After the last answer the client has this long to take it and to close its side.
const CLOSING: Duration = Duration::from_secs(1);

/// A connection gives back its memory after this time without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Measured: 10 KiB, of which some are the process's own.
const IDLE_BYTES: usize = 8 * 1024;

/// TCP or Unix, connected, non-blocking.
pub(super) struct Socket {
    // Declared before `stream`, so that it leaves epoll before the descriptor is closed. Otherwise the
    // number could already belong to another connection.
    readiness: Readiness,
    // Reads and writes any stream socket, not only TCP.
    stream: TcpStream,
    sweeper: Arc<Sweeper>,
    status: Arc<ConnectionStatus>,
    limits: Arc<ConnectionLimits>,
    /// An address near the top of the coroutine's stack.
    stack_top: usize,
    is_drained: bool,
    has_hangup: bool,
    work_in_a_row: usize,
}

/// How the socket waits until it is ready.
enum Readiness {
    Coroutine(CoIo<BorrowedDescriptor>),
    /// With `poll`.
    Thread,
}

/// A descriptor that another owner closes.
struct BorrowedDescriptor(RawFd);

impl AsRawFd for BorrowedDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Socket {
    pub(super) fn new(
        stream: TcpStream,
        runtime: Runtime,
        sweeper: &Arc<Sweeper>,
        limits: &Arc<ConnectionLimits>,
        slot: &ConnectionSlot,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let readiness = match runtime {
            Runtime::Coroutines => {
                Readiness::Coroutine(CoIo::new(BorrowedDescriptor(stream.as_raw_fd()))?)
            }
            Runtime::Threads => Readiness::Thread,
        };
        let waker = match &readiness {
            Readiness::Coroutine(io) => Some(io.waker()),
            Readiness::Thread => None,
        };
        Ok(Self {
            readiness,
            stream,
            sweeper: Arc::clone(sweeper),
            status: sweeper.add(slot.number(), slot.network, waker),
            limits: Arc::clone(limits),
            stack_top: 0,
            is_drained: false,
            has_hangup: false,
            work_in_a_row: 0,
        })
    }

    /// Sets an address in the first frame on the stack of this connection.
    pub(super) fn on_stack_below(mut self, top: usize) -> Self {
        self.stack_top = top;
        self
    }

    /// The client was accepted by its certificate.
    pub(super) fn set_client(&self, client: VerifiedClient) {
        self.status.set_client(client);
    }

    /// Sleeps until something happens on the socket, or fails when the time is over.
    fn wait(&mut self, events: i16) -> io::Result<()> {
        if self.sweeper.is_due(&self.status) {
            return Err(ErrorKind::TimedOut.into());
        }
        match &self.readiness {
            Readiness::Coroutine(io) => self.has_hangup |= io.wait_io() & HANGUP != 0,
            Readiness::Thread => {
                let mut sources = [system::pollfd(self.stream.as_fd(), events)];
                system::poll(&mut sources, Some(TICK));
            }
        }
        self.is_drained = false;
        self.work_in_a_row = 0;
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.yield_now();
        // A client that sends without a pause never makes the connection wait.
        if self.status.must_end() {
            return Err(ErrorKind::TimedOut.into());
        }
        loop {
            if self.is_drained {
                self.wait(POLLIN)?;
            }
            match (&self.stream).read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(POLLIN)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(length) => {
                    // A short read has emptied the socket: whatever comes now makes a new event
                    // (epoll(7), question 9), and the next read can wait for it at once.
                    self.is_drained = length > 0 && length < buffer.len() && !self.has_hangup;
                    self.work_in_a_row += length / WORK_BYTES;
                    return Ok(length);
                }
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(POLLOUT)?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn idle_bytes(&self) -> usize {
        IDLE_BYTES
    }

    fn enter(&mut self, phase: Phase) {
        let within = match phase {
            Phase::KeepAlive => Some(KEEP_ALIVE.min(self.limits.idle)),
            Phase::Idle => Some(self.limits.idle),
            Phase::Head => Some(self.limits.head),
            Phase::Body => Some(self.limits.body),
            Phase::Answer => None,
            Phase::Held(duration) => Some(duration),
            Phase::Write => Some(self.limits.write),
            Phase::WriteSignature => Some(self.limits.write_signature),
            Phase::Closing => Some(CLOSING),
        };
        self.sweeper.enter(&self.status, phase, within);
    }

    fn trust(&mut self) {
        self.status.trust();
    }

    fn client_certificate(&self) -> Option<Arc<str>> {
        self.status.client().map(VerifiedClient::fingerprint)
    }

    fn pause(&mut self, duration: Duration) {
        self.sweeper.pause(&self.status, duration);
    }

    fn wait_readable(&mut self) -> io::Result<()> {
        if !self.is_drained {
            let peeked = self.stream.peek(&mut [0]);
            if peeked.map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {
                return Ok(()); // data, the end, or an error: the next read finds out
            }
        }
        self.wait(POLLIN)
    }

    fn release_memory(&mut self) {
        if let Readiness::Coroutine(_) = self.readiness {
            system::release_stack(self.stack_top, runtime::STACK_WORDS * size_of::<usize>());
        }
    }

    fn yield_now(&mut self) {
        self.work_in_a_row += 1;
        if self.work_in_a_row >= WORK_IN_A_ROW_MAX {
            self.work_in_a_row = 0;
            if let Readiness::Coroutine(_) = self.readiness {
                runtime::yield_now();
            }
        }
    }

    fn close_writing(&mut self) {
        self.stream.shutdown(Shutdown::Write).ok();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.status.set_ended();
    }
}
