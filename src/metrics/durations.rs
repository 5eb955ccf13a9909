//! Distributions counted in buckets of atomics: no lock is taken to add a value.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many buckets durations have.
const DURATION_BUCKETS: usize = 42;

/// The upper bounds of the buckets of durations in microseconds, from 10 µs to 10 s. Between 0.1 and 50 ms,
/// where signatures are, each is at most half as large again as the one before. The bounds of
/// py3signer's histogram are among them.
const DURATION_BOUNDS_US: [u64; DURATION_BUCKETS] = [
    10, 15, 25, 40, 60, 80, 100, 150, 200, 250, 300, 400, 500, 600, 750, 1_000, 1_250, 1_500,
    2_000, 2_500, 3_000, 4_000, 5_000, 7_500, 10_000, 15_000, 20_000, 25_000, 30_000, 40_000,
    50_000, 75_000, 100_000, 150_000, 250_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// How many buckets the sizes of batches have.
const SIZE_BUCKETS: usize = 12;

/// The upper bounds of the buckets of sizes.
const SIZE_BOUNDS: [u64; SIZE_BUCKETS] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

/// Counts of values up to each of `N` bounds, and above the last one.
pub(crate) struct Distribution<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

/// Durations.
pub(crate) type Durations = Distribution<DURATION_BUCKETS>;

/// Sizes of batches.
pub(crate) type Sizes = Distribution<SIZE_BUCKETS>;

/// One reading of a [`Distribution`].
#[derive(Clone, Debug)]
pub(crate) struct DistributionCounts<const N: usize> {
    counts: [u64; N],
    above: u64,
    sum: u64,
}

/// One reading of [`Durations`].
pub(crate) type DurationCounts = DistributionCounts<DURATION_BUCKETS>;

/// One reading of [`Sizes`].
pub(crate) type SizeCounts = DistributionCounts<SIZE_BUCKETS>;

impl<const N: usize> Distribution<N> {
    pub(crate) const fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; N],
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn read(&self) -> DistributionCounts<N> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DistributionCounts {
            counts: self.counts.each_ref().map(load),
            above: load(&self.above),
            sum: load(&self.sum),
        }
    }

    fn add_value(&self, bounds: &[u64; N], value: u64, times: u64) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        let counter = self.counts.get(bucket).unwrap_or(&self.above);
        counter.fetch_add(times, Ordering::Relaxed);
        let sum = value.saturating_mul(times);
        self.sum.fetch_add(sum, Ordering::Relaxed);
    }
}

impl Durations {
    pub(crate) fn add(&self, duration: Duration) {
        self.add_many(duration, 1);
    }

    /// Adds so many values of the same duration.
    pub(crate) fn add_many(&self, duration: Duration, times: u64) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.add_value(&DURATION_BOUNDS_US, us, times);
    }
}

impl Sizes {
    pub(crate) fn add(&self, size: u64) {
        self.add_value(&SIZE_BOUNDS, size, 1);
    }
}

impl<const N: usize> DistributionCounts<N> {
    pub(crate) const NONE: Self = Self {
        counts: [0; N],
        above: 0,
        sum: 0,
    };

    /// Adds another reading.
    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.above += other.above;
        self.sum += other.sum;
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// Returns each bound with the number of values up to it.
    fn cumulative(&self, bounds: &'static [u64; N]) -> impl Iterator<Item = (u64, u64)> {
        let mut count = 0;
        bounds.iter().zip(self.counts).map(move |(bound, more)| {
            count += more;
            (*bound, count)
        })
    }
}

impl DurationCounts {
    pub(super) fn sum_seconds(&self) -> f64 {
        seconds(self.sum)
    }

    /// Returns each bound in seconds, with the number of durations up to it.
    pub(super) fn up_to_seconds(&self) -> impl Iterator<Item = (f64, u64)> {
        self.cumulative(&DURATION_BOUNDS_US)
            .map(|(bound, count)| (seconds(bound), count))
    }

    /// Returns the duration in seconds that this part of all durations stays below: the bound of its
    /// bucket. Not a number when there is none.
    pub(crate) fn quantile_seconds(&self, part: f64) -> f64 {
        let count = self.count();
        if count == 0 {
            return f64::NAN;
        }
        let wanted = part * count as f64;
        let last = seconds(DURATION_BOUNDS_US[DURATION_BUCKETS - 1]);
        self.up_to_seconds()
            .find(|(_, count)| *count as f64 >= wanted)
            .map_or(last, |(bound, _)| bound)
    }
}

impl SizeCounts {
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns each bound with the number of sizes up to it.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (u64, u64)> {
        self.cumulative(&SIZE_BOUNDS)
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
            (0.5, 0.000_3),
            (0.8, 0.000_3),
            (0.9, 0.01),
            (1.0, 10.0),
        ] {
            assert_eq!(counts.quantile_seconds(part), seconds, "{part}");
        }
    }

    #[test]
    fn bounds_rise_and_resolve_what_signatures_take() {
        assert!(DURATION_BOUNDS_US.is_sorted() && SIZE_BOUNDS.is_sorted());
        for pair in DURATION_BOUNDS_US.windows(2) {
            if (100..50_000).contains(&pair[0]) {
                assert!(pair[1] * 2 <= pair[0] * 3, "{pair:?}");
            }
        }
    }

    #[test]
    fn a_size_counts_up_to_its_bound() {
        let sizes = Sizes::new();
        for size in [1, 1, 3, 4_096, 5_000] {
            sizes.add(size);
        }
        let counts = sizes.read();
        let up_to: Vec<_> = counts.up_to().collect();
        assert_eq!(up_to[..3], [(1, 2), (2, 2), (4, 3)]);
        assert_eq!(up_to[SIZE_BUCKETS - 1], (4_096, 4));
        assert_eq!((counts.count(), counts.sum()), (5, 9_101));
    }
}
