//! Requests that wait for a key, or for the end of the first load.
//!
//! They wait through [`crate::wait`], so that a coroutine may wait. One thread ends their waits: when the state
//! of the keyring has changed, and at their deadlines. Keys that a request waits for are opened first.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::table::{Found, KeyTable};
use crate::consensus::primitives::PublicKey;
use crate::wait::{self, Answer, Promise};

/// The most requests that wait at the same time. Each has a coroutine, and perhaps a body in memory.
pub(super) const WAITERS_MAX: usize = 1024;

/// What came of waiting for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyArrival {
    /// The key is in the table.
    Loaded,
    /// It was not loaded within the time, or too many requests wait already.
    Pending,
    /// No source can bring it.
    CannotCome,
}

/// All requests that wait.
#[derive(Default)]
pub(super) struct Waiters {
    for_key: Vec<KeyWaiter>,
    for_first_load: Vec<LoadWaiter>,
    /// Keys that a request waits for, and that are not moved to the front of the queue yet.
    wanted: HashSet<PublicKey>,
}

struct KeyWaiter {
    key: PublicKey,
    deadline: Instant,
    promise: Promise<KeyArrival>,
}

struct LoadWaiter {
    deadline: Instant,
    promise: Promise<bool>,
}

impl Waiters {
    /// Adds a request that waits for a key; `None` when there are too many.
    pub(super) fn add_for_key(
        &mut self,
        key: PublicKey,
        timeout: Duration,
    ) -> Option<Answer<KeyArrival>> {
        if self.is_full() {
            return None;
        }
        if self.wanted.len() < WAITERS_MAX {
            self.wanted.insert(key);
        }
        let (promise, answer) = wait::promise();
        self.for_key.push(KeyWaiter {
            key,
            deadline: Instant::now() + timeout,
            promise,
        });
        Some(answer)
    }

    /// Adds a request that waits for the end of the first load; `None` when there are too many.
    pub(super) fn add_for_first_load(&mut self, timeout: Duration) -> Option<Answer<bool>> {
        if self.is_full() {
            return None;
        }
        let (promise, answer) = wait::promise();
        self.for_first_load.push(LoadWaiter {
            deadline: Instant::now() + timeout,
            promise,
        });
        Some(answer)
    }

    fn is_full(&self) -> bool {
        self.for_key.len() + self.for_first_load.len() >= WAITERS_MAX
    }

    /// Takes the keys that are to be moved to the front of the queue.
    pub(super) fn take_wanted(&mut self) -> HashSet<PublicKey> {
        std::mem::take(&mut self.wanted)
    }

    /// Ends the waits that are over. `may_come` says whether a key that is not in the table may still come.
    pub(super) fn end_waits(
        &mut self,
        table: &KeyTable,
        first_load_ended: bool,
        may_come: impl Fn(&PublicKey) -> bool,
    ) {
        let now = Instant::now();
        for waiter in std::mem::take(&mut self.for_key) {
            let arrival = arrival(&waiter.key, table, &may_come);
            if arrival == KeyArrival::Pending && now < waiter.deadline {
                self.for_key.push(waiter);
            } else {
                waiter.promise.keep(arrival);
            }
        }
        for waiter in std::mem::take(&mut self.for_first_load) {
            if first_load_ended || now >= waiter.deadline {
                waiter.promise.keep(first_load_ended);
            } else {
                self.for_first_load.push(waiter);
            }
        }
    }

    /// How long until the next deadline; `None` when nothing waits.
    pub(super) fn time_to_next_deadline(&self) -> Option<Duration> {
        let for_key = self.for_key.iter().map(|waiter| waiter.deadline);
        let for_load = self.for_first_load.iter().map(|waiter| waiter.deadline);
        let next = for_key.chain(for_load).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

/// Whether a key is in the table, may still come, or cannot come.
pub(super) fn arrival(
    key: &PublicKey,
    table: &KeyTable,
    may_come: impl Fn(&PublicKey) -> bool,
) -> KeyArrival {
    match table.find(key) {
        Found::Ready(_) => KeyArrival::Loaded,
        Found::Pending => KeyArrival::Pending,
        Found::Unknown if may_come(key) => KeyArrival::Pending,
        Found::Unknown => KeyArrival::CannotCome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_requests_that_wait_is_bounded_and_ended_waits_make_room() {
        let mut waiters = Waiters::default();
        let minute = Duration::from_secs(60);
        let key = PublicKey([1; 48]);
        let mut answers = Vec::new();
        for _ in 0..WAITERS_MAX {
            answers.push(waiters.add_for_key(key, minute).unwrap());
        }
        assert!(waiters.add_for_key(key, minute).is_none());
        assert!(waiters.add_for_first_load(minute).is_none());
        assert_eq!(waiters.take_wanted().len(), 1);

        waiters.end_waits(&KeyTable::new(), false, |_| false);
        for answer in answers {
            assert_eq!(answer.wait(), Some(KeyArrival::CannotCome));
        }
        assert_eq!(waiters.time_to_next_deadline(), None);
        assert!(waiters.add_for_first_load(minute).is_some());
    }
}
