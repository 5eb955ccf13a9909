//! What a connection runs over: a byte stream in both directions whose waits end at a deadline.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// What a connection is waiting for; each phase has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The next request, which usually comes soon.
    KeepAlive,
    /// The next request, when it has not come soon.
    Idle,
    /// The rest of the head; at the beginning the handshake and the first byte as well.
    Head,
    /// The rest of the body.
    Body,
    /// The service, which makes the answer.
    Answer,
    /// The end of a penalty: answers are held back for this time.
    Held(Duration),
    /// The client, which must take the answer.
    Write,
    /// The client, which must take a signature: meanwhile its key cannot be deleted.
    WriteSignature,
    /// The client, which closes its side after the last answer.
    Closing,
}

/// The byte stream under a connection. Reads and writes wait, and fail with
/// [`io::ErrorKind::TimedOut`] when the deadline of the phase has passed.
pub(super) trait Stream: Read + Write {
    /// The memory of an idle connection over this stream.
    fn idle_bytes(&self) -> usize;
    /// Begins a phase: its time counts from now.
    fn enter(&mut self, phase: Phase);
    /// Marks the client as one that has proved who it is: its connection is ended last when there are
    /// too many.
    fn trust(&mut self);
    /// SHA-256 of the certificate by which the client was accepted, in hex with colons.
    fn client_certificate(&self) -> Option<Arc<str>>;
    /// Waits for this time, even when data arrives.
    fn pause(&mut self, duration: Duration);
    /// Waits until there is something to read, without a buffer for it. May return early.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`].
    fn wait_readable(&mut self) -> io::Result<()>;
    /// Frees the memory that an idle connection does not need.
    fn release_memory(&mut self);
    /// Counts one piece of work, and lets other connections run when there were many in a row.
    fn yield_now(&mut self);
    /// Closes the sending side.
    fn close_writing(&mut self);
}
