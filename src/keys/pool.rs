//! Permits to derive keys: one for each core at a time, within a bound of memory.
//!
//! A thread takes a [`DerivationPermit`] before it derives a key, and waits for it. Permits are given in the
//! order of the requests; those that a client waits for come first.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::memory_limit;
use crate::wait::lock;

/// The memory that this process needs in addition to a derivation.
const MEMORY_BYTES_OF_PROCESS: u64 = 8 << 20;

/// Gives permits. Cheap to clone; clones share the bounds.
#[derive(Clone)]
pub(crate) struct DerivationPool(Arc<PoolShared>);

/// The right to derive one key; dropping it gives it back.
pub(crate) struct DerivationPermit {
    shared: Arc<PoolShared>,
    memory_bytes: u64,
}

/// Who waits for a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A client of the Keymanager API.
    Request,
    /// Nobody: keys are being loaded.
    Load,
}

struct PoolShared {
    /// The bound of all derivations together. One that asks for more runs alone.
    memory_bytes_max: u64,
    /// The most that the machine or the control group allows this process.
    memory_bytes_limit: u64,
    threads_max: usize,
    state: Mutex<PoolState>,
    /// Signals that a permit was given or came back.
    changed: Condvar,
}

#[derive(Default)]
struct PoolState {
    memory_bytes: u64,
    permits: usize,
    next_ticket: u64,
    /// The tickets that wait, in their order.
    requests: VecDeque<u64>,
    loads: VecDeque<u64>,
}

impl DerivationPool {
    /// Makes a pool that uses at most `memory_bytes_max`; by default half of what the machine or the
    /// container has left.
    pub(crate) fn new(memory_bytes_max: Option<u64>) -> Self {
        let root = Path::new("/");
        Self(Arc::new(PoolShared {
            memory_bytes_max: memory_bytes_max
                .unwrap_or_else(|| memory_limit::available_bytes(root) / 2),
            memory_bytes_limit: memory_limit::limit_bytes(root),
            threads_max: thread::available_parallelism().map_or(1, usize::from),
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// How many derivations can run at a time.
    pub(crate) fn threads_max(&self) -> usize {
        self.0.threads_max
    }

    /// Waits for the right to a derivation that takes this much memory.
    ///
    /// # Errors
    /// When the machine or the control group does not have that much: the system would kill the process.
    pub(crate) fn acquire(
        &self,
        memory_bytes: u64,
        urgency: Urgency,
    ) -> Result<DerivationPermit, String> {
        let limit = self.0.memory_bytes_limit;
        if memory_bytes > 0 && memory_bytes.saturating_add(MEMORY_BYTES_OF_PROCESS) > limit {
            let needed = memory_bytes >> 20;
            let allowed = limit >> 20;
            return Err(format!(
                "opening it takes {needed} MiB of memory, and this machine or control group allows \
                 {allowed} MiB: raise the limit (MemoryMax= of the unit, --memory of the container)"
            ));
        }
        let mut state = lock(&self.0.state);
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue(urgency).push_back(ticket);
        while !state.may_start(ticket, memory_bytes, &self.0) {
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.queue(urgency).pop_front();
        state.permits += 1;
        state.memory_bytes += memory_bytes;
        // The next one may fit as well.
        self.0.changed.notify_all();
        Ok(DerivationPermit {
            shared: Arc::clone(&self.0),
            memory_bytes,
        })
    }
}

impl Drop for DerivationPermit {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.permits -= 1;
        state.memory_bytes -= self.memory_bytes;
        self.shared.changed.notify_all();
    }
}

impl PoolState {
    fn queue(&mut self, urgency: Urgency) -> &mut VecDeque<u64> {
        match urgency {
            Urgency::Request => &mut self.requests,
            Urgency::Load => &mut self.loads,
        }
    }

    /// Whether this ticket is the next, and its derivation fits.
    fn may_start(&self, ticket: u64, memory_bytes: u64, shared: &PoolShared) -> bool {
        let first = self.requests.front().or(self.loads.front());
        let memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
        let fits = self.permits == 0 || memory_bytes <= shared.memory_bytes_max;
        first == Some(&ticket) && self.permits < shared.threads_max && fits
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn pool(memory_bytes_max: u64, memory_bytes_limit: u64, threads_max: usize) -> DerivationPool {
        DerivationPool(Arc::new(PoolShared {
            memory_bytes_max,
            memory_bytes_limit,
            threads_max,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    #[test]
    fn derivations_never_hold_more_memory_than_the_bound_unless_one_alone_does() {
        let pool = pool(100, u64::MAX, 4);
        let held = AtomicU64::new(0);
        thread::scope(|scope| {
            for memory_bytes in [60, 60, 40, 300, 10, 90, 100, 1, 0] {
                let pool = &pool;
                let held = &held;
                scope.spawn(move || {
                    let _permit = pool.acquire(memory_bytes, Urgency::Load).unwrap();
                    let now = held.fetch_add(memory_bytes, Ordering::SeqCst) + memory_bytes;
                    thread::yield_now();
                    held.fetch_sub(memory_bytes, Ordering::SeqCst);
                    assert!(now <= 100 || now == 300, "{now} of {memory_bytes}");
                });
            }
        });
    }

    #[test]
    fn what_a_client_waits_for_goes_before_what_is_being_loaded() {
        let pool = pool(100, u64::MAX, 1);
        let order = Mutex::new(Vec::new());
        let first = pool.acquire(0, Urgency::Load).unwrap();
        thread::scope(|scope| {
            let waiting = || {
                let state = lock(&pool.0.state);
                state.requests.len() + state.loads.len()
            };
            for (number, urgency) in [
                (1, Urgency::Load),
                (2, Urgency::Load),
                (3, Urgency::Request),
            ] {
                let pool = &pool;
                let order = &order;
                scope.spawn(move || {
                    let _permit = pool.acquire(0, urgency).unwrap();
                    lock(order).push(number);
                });
                while waiting() < number {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), [3, 1, 2]);
    }

    #[test]
    fn a_derivation_that_the_control_group_cannot_hold_is_refused_with_both_figures() {
        let pool = pool(64 << 20, 128 << 20, 2);
        let refused = pool.acquire(256 << 20, Urgency::Load).err().unwrap();
        assert!(
            refused.contains("takes 256 MiB") && refused.contains("allows 128 MiB"),
            "{refused}"
        );
        assert!(pool.acquire(100 << 20, Urgency::Load).is_ok());
    }
}
