//! Memory of request bodies: bounded over all connections together, wiped when it is given back.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::{Refused, Wiped};

/// Bodies up to this size are always taken, so that a few huge ones cannot keep out the duties (1 to 4
/// KiB each). All connections together hold at most 64 MiB of these.
const SMALL_BODY_BYTES_MAX: usize = 16 * 1024;

/// Something that there is only so much of.
pub(super) struct Supply(AtomicUsize);

/// What somebody has taken; given back when dropped.
pub(super) struct Share<'a> {
    supply: &'a Supply,
    amount: usize,
}

impl Supply {
    /// So much of it.
    pub(super) fn new(amount: usize) -> Self {
        Self(AtomicUsize::new(amount))
    }

    /// A share of this size, if there is so much left.
    pub(super) fn take(&self, amount: usize) -> Option<Share<'_>> {
        let taken = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(amount)
            });
        taken.is_ok().then(|| Share {
            supply: self,
            amount,
        })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.supply.0.fetch_add(self.amount, Ordering::AcqRel);
    }
}

/// One body while it arrives.
pub(super) struct Body<'a> {
    bytes: Wiped,
    bytes_max: usize,
    memory: &'a Supply,
    share: Option<Share<'a>>,
}

impl<'a> Body<'a> {
    /// An empty body, at first in the room that `bytes` has, that may grow to `bytes_max`; what is not small
    /// is taken from `memory`.
    pub(super) fn new(bytes: Wiped, bytes_max: usize, memory: &'a Supply) -> Self {
        Self {
            bytes,
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
    ) -> Result<(), Refused> {
        let needed = self.bytes.0.len() + data.len();
        if needed > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        let capacity = self.bytes.0.capacity();
        if needed > capacity {
            // What is only announced costs nothing yet, beyond a small body.
            let small = announced_bytes.unwrap_or(0).min(SMALL_BODY_BYTES_MAX);
            let ceiling = announced_bytes.unwrap_or(self.bytes_max);
            self.grow(needed.max(small).max(2 * capacity).min(ceiling))?;
        }
        self.bytes.0.extend_from_slice(data);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.0.is_empty()
    }

    /// Hands over the complete body; gives what it holds of the common memory.
    pub(super) fn finish(self, complete: &mut Wiped) -> Option<Share<'a>> {
        *complete = self.bytes;
        self.share
    }

    /// Moves to a larger piece of memory by hand: a reallocation would leave an unwiped copy behind.
    fn grow(&mut self, capacity: usize) -> Result<(), Refused> {
        let share = match capacity > SMALL_BODY_BYTES_MAX {
            true => Some(self.memory.take(capacity).ok_or_else(|| {
                Refused::new(503, "the memory for request bodies is in use, try again")
            })?),
            false => None,
        };
        let mut larger = Wiped(Vec::with_capacity(capacity));
        larger.0.extend_from_slice(&self.bytes.0);
        self.bytes = larger;
        self.share = share;
        Ok(())
    }
}

/// The answer to a body that is larger than its route takes.
pub(super) fn too_large(bytes_max: usize) -> Refused {
    Refused::new(
        413,
        format!("the body is larger than {bytes_max} bytes, the most that this route takes"),
    )
}
