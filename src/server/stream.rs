//! What a connection runs over: bytes in both directions, waits that end, and what others must know of it.

use std::io::{self, Read, Write};
use std::time::Duration;

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
    /// The service, which makes the answer.
    Answer,
    /// The end of a penalty: answers are held back for so long.
    Held(Duration),
    /// The client, who must take the answer.
    Write,
    /// The same, when the answer is a signature: meanwhile its key cannot be deleted.
    WriteSignature,
    /// The client's goodbye.
    Linger,
}

/// The byte stream under a connection. Reads and writes wait, and fail with
/// [`io::ErrorKind::TimedOut`] when the deadline of the phase has passed.
pub(super) trait Stream: Read + Write {
    /// What a connection over it takes of memory when it is idle.
    fn idle_bytes(&self) -> usize;
    /// Begins a phase: its time counts from now.
    fn enter(&mut self, phase: Phase);
    /// The client has proved who it is: its connection goes last when there are too many.
    fn trust(&mut self);
    /// Waits for so long, whatever arrives meanwhile.
    fn pause(&mut self, duration: Duration);
    /// Waits until there is something to read, and needs no buffer for it. May return early.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`].
    fn wait_readable(&mut self) -> io::Result<()>;
    /// Nothing is at hand: gives back what memory there is to give back.
    fn release_memory(&mut self);
    /// A piece of work is done: others may run now.
    fn cede(&mut self);
    /// Tells the client that nothing more will come.
    fn close_writing(&mut self);
}
