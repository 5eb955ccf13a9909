//! Memory of request bodies: bounded over all connections together, wiped when it is given back.

use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use crate::http::Refused;

/// Bodies up to this size are always taken, so that a few huge ones cannot keep out the duties (1 to 4
/// KiB each). All connections together hold at most 64 MiB of these.
const SMALL_BODY_BYTES_MAX: usize = 16 * 1024;

/// What larger bodies may take together.
pub(super) struct Bodies {
    free_bytes: AtomicUsize,
}

/// One body while it arrives.
pub(super) struct Body<'a> {
    bytes: Zeroizing<Vec<u8>>,
    bytes_max: usize,
    share: Share<'a>,
}

/// What one body has taken; given back when dropped.
pub(super) struct Share<'a> {
    bodies: &'a Bodies,
    bytes: usize,
}

impl Bodies {
    /// Room for large bodies of this size, besides the small ones.
    pub(super) fn new(large_bytes_max: usize) -> Self {
        Self { free_bytes: AtomicUsize::new(large_bytes_max) }
    }

    /// An empty body that may grow to `bytes_max`.
    pub(super) fn body(&self, bytes_max: usize) -> Body<'_> {
        Body { bytes: Zeroizing::default(), bytes_max, share: Share { bodies: self, bytes: 0 } }
    }
}

impl<'a> Body<'a> {
    /// Appends `data`. `announced_bytes` is the length of the whole body, if the client gave one.
    ///
    /// # Errors
    /// 413 when the body gets too large, 503 when the memory for bodies is used up.
    pub(super) fn extend(&mut self, data: &[u8], announced_bytes: Option<usize>) -> Result<(), Refused> {
        let needed = self.bytes.len() + data.len();
        if needed > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        let capacity = self.bytes.capacity();
        if needed > capacity {
            // What is only announced costs nothing yet, beyond a small body.
            let small = announced_bytes.unwrap_or(0).min(SMALL_BODY_BYTES_MAX);
            let ceiling = announced_bytes.unwrap_or(self.bytes_max);
            self.grow(needed.max(small).max(2 * capacity).min(ceiling))?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The complete body, and what it holds of the common memory.
    pub(super) fn finish(self) -> (Zeroizing<Vec<u8>>, Share<'a>) {
        (self.bytes, self.share)
    }

    /// Moves to a larger piece of memory by hand: a reallocation would leave an unwiped copy behind.
    fn grow(&mut self, capacity: usize) -> Result<(), Refused> {
        let mut share = Share { bodies: self.share.bodies, bytes: 0 };
        if capacity > SMALL_BODY_BYTES_MAX && !share.take(capacity) {
            return Err(Refused::new(503, "the memory for request bodies is in use, try again"));
        }
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(&self.bytes);
        self.bytes = larger;
        self.share = share;
        Ok(())
    }
}

impl Share<'_> {
    fn take(&mut self, bytes: usize) -> bool {
        let free = &self.bodies.free_bytes;
        let taken = free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        self.bytes = if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.bodies.free_bytes.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

/// The answer to a body that is larger than its route takes.
pub(super) fn too_large(bytes_max: usize) -> Refused {
    Refused::new(413, format!("the body is larger than {bytes_max} bytes, the most that this route takes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_one_memory_and_small_ones_are_always_taken() {
        let bodies = Bodies::new(100_000);
        let status = |body: &mut Body<'_>, bytes| body.extend(&vec![0; bytes], None).map_err(|it| it.status);
        let (mut first, mut second) = (bodies.body(1 << 20), bodies.body(1 << 20));
        assert_eq!(status(&mut first, 60_000), Ok(()));
        assert_eq!(status(&mut second, 60_000), Err(503));
        assert_eq!(status(&mut second, SMALL_BODY_BYTES_MAX), Ok(()));
        drop(first);
        assert_eq!(status(&mut second, 60_000), Ok(()));
        assert_eq!(status(&mut second, 1 << 20), Err(413));
        drop(second);
        assert_eq!(bodies.free_bytes.load(Ordering::Relaxed), 100_000);
    }
}
