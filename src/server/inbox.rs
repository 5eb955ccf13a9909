//! What has arrived on a connection and is not yet understood.

use std::io::{self, ErrorKind, Read};

use crate::http::request::HEAD_BYTES_MAX;
use crate::http::wipe;

use super::bodies::{Note, Share, Supply};

/// What has arrived and is not yet understood. What has been understood is wiped: it may be a password.
pub(super) struct Inbox<'a> {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    memory: &'a Supply,
    /// What the connection takes once something has arrived.
    note: Option<Note<'a>>,
    share: Option<Share<'a>>,
}

/// What a connection takes beside its idle memory while a small request arrives and is answered: together,
/// measured, 21 KiB.
const ACTIVE_BYTES: usize = 16 * 1024;

/// First size of an inbox: a usual head fits. It grows fourfold, until the longest head fits.
const INBOX_BYTES: usize = HEAD_BYTES_MAX / 16;

/// The largest inbox that takes nothing from the memory for all connections together.
const SMALL_INBOX_BYTES_MAX: usize = HEAD_BYTES_MAX / 4;

impl<'a> Inbox<'a> {
    /// Without memory of its own.
    pub(super) fn new(memory: &'a Supply) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            memory,
            note: None,
            share: None,
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Wipes what has been understood: so many bytes at the front.
    pub(super) fn consume(&mut self, length: usize) {
        wipe(&mut self.bytes[self.start..self.start + length]);
        self.start += length;
    }

    /// Reads what there is, or waits until there is something. Gives the number of bytes.
    ///
    /// # Errors
    /// Those of the stream, and [`ErrorKind::OutOfMemory`] when there is no memory for a long head.
    pub(super) fn receive(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = vec![0; INBOX_BYTES];
        } else if self.end == self.bytes.len() {
            // Full: more is coming than fits.
            self.make_room()?;
        } else if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let length = stream.read(&mut self.bytes[self.end..])?;
        self.end += length;
        if self.note.is_none() && length > 0 {
            self.note = Some(self.memory.note(ACTIVE_BYTES));
        }
        Ok(length)
    }

    /// Grows, as far as there is memory, and moves what is unread to the front.
    fn make_room(&mut self) -> io::Result<()> {
        let length = self.unread().len();
        let larger = (4 * self.bytes.len()).min(HEAD_BYTES_MAX);
        if larger > SMALL_INBOX_BYTES_MAX && self.share.is_none() {
            self.share = self.memory.take(larger);
        }
        if larger > SMALL_INBOX_BYTES_MAX && self.share.is_none() {
            if length == self.bytes.len() {
                return Err(ErrorKind::OutOfMemory.into());
            }
            self.bytes.copy_within(self.start..self.end, 0);
            wipe(&mut self.bytes[length..]);
            (self.start, self.end) = (0, length);
            return Ok(());
        }
        let mut moved = vec![0; larger];
        moved[..length].copy_from_slice(self.unread());
        wipe(&mut self.bytes);
        self.bytes = moved;
        (self.start, self.end) = (0, length);
        Ok(())
    }
}
