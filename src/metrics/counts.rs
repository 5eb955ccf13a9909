//! The counters as the status page reads them.

use std::sync::atomic::Ordering;

use super::{ERROR_TYPES, Metrics, RULES, SIGNED_TYPES};

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

    /// Returns how many messages slashing protection did not let be signed, for each of [`RULES`].
    pub(crate) fn prevented_counts(&self) -> [u64; RULES.len()] {
        self.prevented
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }
}
