//! How long signatures take, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::Durations;

pub(super) struct SigningTimes {
    /// From the request to the thread that signs.
    pub(super) delays: Durations,
    /// What a thread takes at a time, from the first signature to the last one.
    pub(super) work: Durations,
    completed: AtomicU64,
}

impl Default for SigningTimes {
    fn default() -> Self {
        Self {
            delays: Durations::new(),
            work: Durations::new(),
            completed: AtomicU64::new(0),
        }
    }
}

impl SigningTimes {
    /// Counts how long a request waited until its signature was begun.
    pub(super) fn note_delay(&self, asked_at: Instant, begun: Instant) {
        self.delays.add(begun.saturating_duration_since(asked_at));
    }

    /// Counts the signatures that were made together since then.
    pub(super) fn note_work(&self, begun: Instant, signatures: u64) {
        self.work.add(begun.elapsed());
        self.completed.fetch_add(signatures, Ordering::Relaxed);
    }

    /// Returns how many signatures were made.
    pub(super) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }
}
