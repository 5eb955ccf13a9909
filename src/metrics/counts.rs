//! The counters as the status page reads them.

use std::sync::atomic::Ordering;

use super::{ERROR_TYPES, Metrics, SIGNED_TYPES};

impl Metrics {
    /// Returns how many signatures there were, for each of [`SIGNED_TYPES`].
    pub(crate) fn signed_counts(&self) -> [u64; SIGNED_TYPES.len()] {
        self.signed
            .each_ref()
            .map(|durations| durations.read().count())
    }

    /// Returns how many requests were refused, for each of [`ERROR_TYPES`].
    pub(crate) fn refused_counts(&self) -> [u64; ERROR_TYPES.len()] {
        self.refused
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }
}
