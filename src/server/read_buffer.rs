//! What has arrived on a connection and is not yet parsed.

use std::io::{self, ErrorKind, Read};

use crate::http::request::HEAD_BYTES_MAX;
use crate::http::wipe;

use super::budget::{Budget, Charge, Reservation};

/// The bytes that are not yet parsed. What has been parsed is wiped: it may be a password.
pub(super) struct ReadBuffer<'a> {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    memory: &'a Budget,
    /// What the connection costs once something has arrived.
    charge: Option<Charge<'a>>,
    /// The memory of a long head.
    reservation: Option<Reservation<'a>>,
}

/// The memory of a connection, beside that of an idle one, while a small request arrives and is answered:
/// together, measured, 21 KiB.
const ACTIVE_BYTES: usize = 16 * 1024;

/// The first size: a usual head fits. The buffer grows fourfold, until the longest head fits.
const FIRST_BYTES: usize = HEAD_BYTES_MAX / 16;

/// The largest size without a reservation.
const UNRESERVED_BYTES_MAX: usize = HEAD_BYTES_MAX / 4;

impl<'a> ReadBuffer<'a> {
    /// An empty buffer, without memory of its own.
    pub(super) fn new(memory: &'a Budget) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            memory,
            charge: None,
            reservation: None,
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Wipes so many bytes at the front, which have been parsed.
    pub(super) fn consume(&mut self, length: usize) {
        wipe(&mut self.bytes[self.start..self.start + length]);
        self.start += length;
    }

    /// Reads what there is, or waits until there is something. Returns the number of bytes.
    ///
    /// # Errors
    /// Those of the stream, and [`ErrorKind::OutOfMemory`] when there is no memory for a long head.
    pub(super) fn receive(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = vec![0; FIRST_BYTES];
        } else if self.end == self.bytes.len() {
            self.make_space()?;
        } else if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        let length = stream.read(&mut self.bytes[self.end..])?;
        self.end += length;
        if self.charge.is_none() && length > 0 {
            self.charge = Some(self.memory.charge(ACTIVE_BYTES));
        }
        Ok(length)
    }

    /// Moves what is unread to the front, of a larger buffer where there is memory for one.
    fn make_space(&mut self) -> io::Result<()> {
        let length = self.unread().len();
        let larger = (4 * self.bytes.len()).min(HEAD_BYTES_MAX);
        if larger > UNRESERVED_BYTES_MAX && self.reservation.is_none() {
            self.reservation = self.memory.reserve(larger);
        }
        if larger <= UNRESERVED_BYTES_MAX || self.reservation.is_some() {
            let mut moved = vec![0; larger];
            moved[..length].copy_from_slice(self.unread());
            wipe(&mut self.bytes);
            self.bytes = moved;
        } else if length < self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            wipe(&mut self.bytes[length..]);
        } else {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.start = 0;
        self.end = length;
        Ok(())
    }
}
