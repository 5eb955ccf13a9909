//! The memory of one body while it arrives.
//!
//! A body takes memory for what has arrived of it, not for what is announced. What exceeds a small body
//! lies in segments, so that growing never needs twice its memory. The thread that parses the body joins
//! them.

use crate::http::HttpError;

use super::budget::{Budget, Reservation};

/// Bodies up to this size need no reservation, so that a few huge ones cannot keep out the duties (1 to 4
/// KiB each). All connections together hold at most 16 MiB of them. The worker parses them: measured, one
/// with the most elements that fit takes 36 µs (118 for 16 KiB).
pub(super) const SMALL_BODY_BYTES_MAX: usize = 4 * 1024;

/// The largest segment: a body holds at most this much more than what has arrived of it.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// One body while it arrives.
pub(super) struct BodyBuffer<'a> {
    /// A small body, or the beginning of a larger one.
    start: Vec<u8>,
    segments: Vec<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
    memory: &'a Budget,
    reservation: Option<Reservation<'a>>,
}

/// A body that has arrived whole.
pub(super) struct ReceivedBody<'a> {
    /// Its pieces, for [`join`].
    pub(super) pieces: Vec<Vec<u8>>,
    /// Its length.
    pub(super) bytes: usize,
    /// The memory that is reserved for it.
    pub(super) reservation: Option<Reservation<'a>>,
}

impl<'a> BodyBuffer<'a> {
    /// An empty body that may grow to `bytes_max`. It fills the capacity of `start` first; what exceeds a
    /// small body is reserved from `memory`.
    pub(super) fn new(start: Vec<u8>, bytes_max: usize, memory: &'a Budget) -> Self {
        Self {
            start,
            segments: Vec::new(),
            bytes: 0,
            bytes_max,
            memory,
            reservation: None,
        }
    }

    /// Appends `data`. `announced_bytes` is the length of the whole body, if the client gave one.
    ///
    /// # Errors
    /// 413 when the body becomes too large, 503 when the memory for bodies is used up.
    pub(super) fn extend(
        &mut self,
        data: &[u8],
        announced_bytes: Option<usize>,
    ) -> Result<(), HttpError> {
        if self.bytes + data.len() > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        let mut rest = data;
        if self.segments.is_empty() {
            let space = SMALL_BODY_BYTES_MAX - self.start.len();
            let (small, large) = rest.split_at(space.min(rest.len()));
            self.extend_start(small, announced_bytes);
            rest = large;
        }
        while !rest.is_empty() {
            let Some(segment) = self
                .segments
                .last_mut()
                .filter(|segment| segment.len() < segment.capacity())
            else {
                self.add_segment(announced_bytes)?;
                continue;
            };
            let space = segment.capacity() - segment.len();
            let (now, later) = rest.split_at(space.min(rest.len()));
            segment.extend_from_slice(now);
            self.bytes += now.len();
            rest = later;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Hands over the complete body.
    pub(super) fn finish(self) -> ReceivedBody<'a> {
        let mut pieces = self.segments;
        pieces.insert(0, self.start);
        ReceivedBody {
            pieces,
            bytes: self.bytes,
            reservation: self.reservation,
        }
    }

    /// Appends to the start, which grows to the announced length at once, within a small body.
    fn extend_start(&mut self, data: &[u8], announced_bytes: Option<usize>) {
        let needed = self.start.len() + data.len();
        let capacity = self.start.capacity();
        if needed > capacity {
            let announced = announced_bytes.unwrap_or(0);
            let larger = needed.max(announced).max(2 * capacity);
            let larger = larger.min(SMALL_BODY_BYTES_MAX);
            self.start.reserve_exact(larger - self.start.len());
        }
        self.start.extend_from_slice(data);
        self.bytes += data.len();
    }

    /// Adds a segment for as many bytes as have arrived, within bounds.
    fn add_segment(&mut self, announced_bytes: Option<usize>) -> Result<(), HttpError> {
        let left = announced_bytes.unwrap_or(self.bytes_max) - self.bytes;
        let capacity = self.bytes.min(SEGMENT_BYTES_MAX).min(left);
        let is_reserved = match &mut self.reservation {
            Some(reservation) => reservation.grow(capacity),
            None => {
                self.reservation = self.memory.reserve(capacity);
                self.reservation.is_some()
            }
        };
        if !is_reserved {
            return Err(memory_in_use());
        }
        self.segments.push(Vec::with_capacity(capacity));
        Ok(())
    }
}

/// Joins the pieces of a body of this length. Each piece is freed as soon as it is copied, so that at most
/// one segment is in memory twice.
pub(super) fn join(pieces: Vec<Vec<u8>>, bytes: usize) -> Vec<u8> {
    let mut pieces = pieces.into_iter();
    let first = pieces.next().unwrap_or_default();
    if first.len() == bytes {
        return first;
    }
    let mut joined = Vec::with_capacity(bytes);
    joined.extend_from_slice(&first);
    for piece in pieces {
        joined.extend_from_slice(&piece);
    }
    joined
}

/// The answer to a body that exceeds the limit of its route.
pub(super) fn too_large(bytes_max: usize) -> HttpError {
    HttpError::new(
        413,
        format!("the body is larger than {bytes_max} bytes, the most that this route takes"),
    )
}

/// The answer when others hold all the memory for requests.
pub(super) fn memory_in_use() -> HttpError {
    HttpError::new(503, "the memory for requests is in use, try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_at_most_twice_what_has_arrived_and_gives_all_of_it_back() {
        const MIB: usize = 1024 * 1024;
        let memory = Budget::new(64 * MIB);
        for announced in [Some(32 * MIB), None] {
            let mut body = BodyBuffer::new(Vec::new(), 32 * MIB, &memory);
            let mut arrived = 0;
            let mut chunk = 1;
            while arrived < 32 * MIB {
                let length = chunk.min(32 * MIB - arrived);
                body.extend(&vec![b'x'; length], announced).expect("memory");
                arrived += length;
                chunk = chunk * 2 % 100_003 + 1;
                let held = memory.reserved();
                let held_max = arrived.saturating_sub(SMALL_BODY_BYTES_MAX) + SEGMENT_BYTES_MAX;
                assert!(
                    held <= held_max.min(2 * arrived),
                    "{held} bytes for {arrived}"
                );
            }
            {
                let whole = body.finish();
                assert_eq!(whole.bytes, 32 * MIB);
                let joined = join(whole.pieces, whole.bytes);
                assert_eq!(joined.len(), 32 * MIB);
                assert!(joined.iter().all(|&byte| byte == b'x'));
            }
            assert_eq!(memory.reserved(), 0);
        }
    }
}
