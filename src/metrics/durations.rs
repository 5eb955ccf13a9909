//! Durations counted in buckets of atomics: no lock is taken to add one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets in microseconds: seven a decade from 10 µs to 10 s, among them the
/// bounds of py3signer's histogram.
pub(super) const BOUNDS_US: [u64; 31] = [
    10, 15, 25, 40, 60, 80, 100, 150, 250, 500, 750, 1_000, 1_500, 2_500, 5_000, 7_500, 10_000,
    15_000, 25_000, 50_000, 75_000, 100_000, 150_000, 250_000, 500_000, 750_000, 1_000_000,
    1_500_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How many durations fell into each bucket; the last bucket has no bound.
pub(super) struct Durations {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// One reading of [`Durations`].
#[derive(Clone)]
pub(super) struct DurationCounts {
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Durations {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BOUNDS_US.len() + 1],
            sum_us: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> DurationCounts {
        DurationCounts {
            buckets: self
                .buckets
                .each_ref()
                .map(|bucket| bucket.load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

impl DurationCounts {
    pub(super) const NONE: Self = Self {
        buckets: [0; BOUNDS_US.len() + 1],
        sum_us: 0,
    };

    pub(super) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.sum_us += other.sum_us;
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn sum_seconds(&self) -> f64 {
        seconds(self.sum_us)
    }

    /// Returns each bound in seconds, with the number of durations up to it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut count = 0;
        BOUNDS_US
            .iter()
            .zip(&self.buckets)
            .map(move |(bound, more)| {
                count += more;
                (seconds(*bound), count)
            })
    }

    /// Returns the duration in seconds that this part of all durations stays below: the bound of its
    /// bucket. Not a number when there is none.
    pub(super) fn quantile_seconds(&self, part: f64) -> f64 {
        let count = self.count();
        if count == 0 {
            return f64::NAN;
        }
        let wanted = part * count as f64;
        let last = seconds(BOUNDS_US[BOUNDS_US.len() - 1]);
        self.cumulative()
            .find(|(_, count)| *count as f64 >= wanted)
            .map_or(last, |(bound, _)| bound)
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let durations = Durations::new();
        assert!(durations.read().quantile_seconds(0.5).is_nan());
        for us in [1, 10, 11, 300, 300, 300, 300, 300, 9_000, 20_000_000] {
            durations.add(Duration::from_micros(us));
        }
        let counts = durations.read();
        assert_eq!(counts.count(), 10);
        for (part, seconds) in [
            (0.1, 0.000_010),
            (0.2, 0.000_010),
            (0.3, 0.000_015),
            (0.5, 0.000_5),
            (0.8, 0.000_5),
            (0.9, 0.01),
            (1.0, 10.0),
        ] {
            assert_eq!(counts.quantile_seconds(part), seconds, "{part}");
        }
    }
}
