//! Memory of what arrives and of what is answered: bounded over all connections together.
//!
//! A body takes memory for what has arrived of it, not for what is announced. Beyond a small body it lies
//! in segments, so that it never needs twice its memory to grow; they are joined by the thread that reads
//! it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::HttpError;

/// Bodies up to this size are always taken, so that a few huge ones cannot keep out the duties (1 to 4
/// KiB each); all connections together hold at most 16 MiB of these. They are read by the worker: with
/// the most elements that fit, measured, it takes 36 µs (118 for 16 KiB).
pub(super) const SMALL_BODY_BYTES_MAX: usize = 4 * 1024;

/// The largest segment of a body: what a body holds beyond what has arrived.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// Memory of connections that counts as the process's own: three hundred of them at work. Only what is
/// beyond leaves less for bodies.
const CONNECTIONS_BYTES_FREE: usize = 8 * 1024 * 1024;

/// Something that there is only so much of: bytes of memory, or threads.
pub(super) struct Supply {
    amount_max: usize,
    taken: AtomicUsize,
    connections_bytes: AtomicUsize,
}

/// What somebody has taken of it; given back when dropped.
pub(super) struct Share<'a> {
    supply: &'a Supply,
    amount: usize,
}

impl Supply {
    /// So much of it.
    pub(super) fn new(amount_max: usize) -> Self {
        Self {
            amount_max,
            taken: AtomicUsize::new(0),
            connections_bytes: AtomicUsize::new(0),
        }
    }

    /// A share of this size, if there is so much left.
    pub(super) fn take(&self, amount: usize) -> Option<Share<'_>> {
        self.reserve(amount).then(|| Share {
            supply: self,
            amount,
        })
    }

    /// Notes what a connection costs, which cannot be refused.
    pub(super) fn note(&self, bytes: usize) -> Note<'_> {
        self.connections_bytes.fetch_add(bytes, Ordering::AcqRel);
        Note {
            supply: self,
            bytes,
        }
    }

    fn reserve(&self, amount: usize) -> bool {
        let connections = self.connections_bytes.load(Ordering::Acquire);
        let amount_max = self
            .amount_max
            .saturating_sub(connections.saturating_sub(CONNECTIONS_BYTES_FREE));
        let add = |taken: usize| taken.checked_add(amount).filter(|sum| *sum <= amount_max);
        let changed = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        changed.is_ok()
    }
}

impl Share<'_> {
    /// Takes more; says whether there was so much left.
    fn grow(&mut self, amount: usize) -> bool {
        let is_there = self.supply.reserve(amount);
        if is_there {
            self.amount += amount;
        }
        is_there
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.supply.taken.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

/// What a connection costs; forgotten when dropped.
pub(super) struct Note<'a> {
    supply: &'a Supply,
    bytes: usize,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.supply
            .connections_bytes
            .fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// One body while it arrives.
pub(super) struct Body<'a> {
    /// All of a small body, and the beginning of any other.
    start: Vec<u8>,
    segments: Vec<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
    memory: &'a Supply,
    share: Option<Share<'a>>,
}

/// A body that has arrived whole.
pub(super) struct Arrived<'a> {
    /// Its pieces, for [`join`].
    pub(super) pieces: Vec<Vec<u8>>,
    /// How long it is.
    pub(super) bytes: usize,
    /// What it holds of the common memory.
    pub(super) share: Option<Share<'a>>,
}

impl<'a> Body<'a> {
    /// An empty body, at first in the room that `start` has, that may grow to `bytes_max`; what is not
    /// small is taken from `memory`.
    pub(super) fn new(start: Vec<u8>, bytes_max: usize, memory: &'a Supply) -> Self {
        Self {
            start,
            segments: Vec::new(),
            bytes: 0,
            bytes_max,
            memory,
            share: None,
        }
    }

    /// Appends `data`. `announced_bytes` is the length of the whole body, if the client gave one.
    ///
    /// # Errors
    /// 413 when the body gets too large, 503 when the memory for bodies is used up.
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
            let room = SMALL_BODY_BYTES_MAX - self.start.len();
            let (small, large) = rest.split_at(room.min(rest.len()));
            self.extend_start(small, announced_bytes);
            rest = large;
        }
        while !rest.is_empty() {
            let room = self
                .segments
                .last()
                .map_or(0, |segment| segment.capacity() - segment.len());
            if room == 0 {
                self.add_segment(announced_bytes)?;
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            if let Some(segment) = self.segments.last_mut() {
                segment.extend_from_slice(now);
            }
            self.bytes += now.len();
            rest = later;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Hands over the complete body.
    pub(super) fn finish(self) -> Arrived<'a> {
        let mut pieces = self.segments;
        pieces.insert(0, self.start);
        Arrived {
            pieces,
            bytes: self.bytes,
            share: self.share,
        }
    }

    /// Grows to what is announced, within a small body.
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

    /// Makes room for as much again as has arrived, within bounds.
    fn add_segment(&mut self, announced_bytes: Option<usize>) -> Result<(), HttpError> {
        let left = announced_bytes.unwrap_or(self.bytes_max) - self.bytes;
        let room = self.bytes.min(SEGMENT_BYTES_MAX).min(left);
        let is_there = match &mut self.share {
            Some(share) => share.grow(room),
            None => {
                self.share = self.memory.take(room);
                self.share.is_some()
            }
        };
        if !is_there {
            return Err(memory_in_use());
        }
        self.segments.push(Vec::with_capacity(room));
        Ok(())
    }
}

/// One piece of memory with what the pieces hold. Each piece is given back as soon as it is
/// copied, so that the body is in memory once, and a segment of it twice.
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

/// The answer to a body that is larger than its route takes.
pub(super) fn too_large(bytes_max: usize) -> HttpError {
    HttpError::new(
        413,
        format!("the body is larger than {bytes_max} bytes, the most that this route takes"),
    )
}

/// The answer when others hold all the memory that there is for requests.
pub(super) fn memory_in_use() -> HttpError {
    HttpError::new(503, "the memory for requests is in use, try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_at_most_twice_what_has_arrived_and_gives_all_of_it_back() {
        const MIB: usize = 1024 * 1024;
        let memory = Supply::new(64 * MIB);
        for announced in [Some(32 * MIB), None] {
            let mut body = Body::new(Vec::new(), 32 * MIB, &memory);
            let mut arrived = 0;
            let mut chunk = 1;
            while arrived < 32 * MIB {
                let length = chunk.min(32 * MIB - arrived);
                body.extend(&vec![b'x'; length], announced).expect("memory");
                arrived += length;
                chunk = chunk * 2 % 100_003 + 1;
                let held = memory.taken.load(Ordering::Relaxed);
                assert!(
                    held <= 2 * arrived
                        && held <= arrived.saturating_sub(SMALL_BODY_BYTES_MAX) + SEGMENT_BYTES_MAX,
                    "{held} bytes for {arrived}"
                );
            }
            let whole = body.finish();
            assert_eq!(whole.bytes, 32 * MIB);
            let joined = join(whole.pieces, whole.bytes);
            assert!(joined.len() == 32 * MIB && joined.iter().all(|&byte| byte == b'x'));
            drop(whole.share);
            assert_eq!(memory.taken.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn many_connections_leave_less_memory_for_bodies() {
        let memory = Supply::new(1_000);
        let free = memory.note(CONNECTIONS_BYTES_FREE);
        assert!(memory.take(1_000).is_some());
        let more = memory.note(900);
        assert!(memory.take(101).is_none());
        let mut share = memory.take(60).expect("100 bytes are left");
        assert!(!share.grow(41) && share.grow(40));
        drop(more);
        assert!(memory.take(900).is_some() && memory.take(901).is_none());
        drop((free, share));
        assert_eq!(memory.connections_bytes.load(Ordering::Relaxed), 0);
    }
}
