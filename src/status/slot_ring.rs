//! Counters for each of the last slots, in atomics: no lock is taken to count.
//!
//! A counter holds the slot that it is of beside its count, in one word. The first event of a new slot
//! overwrites what was counted [`SLOTS_SHOWN`] slots ago, so that nobody has to clear anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many slots are kept, the current one included: one epoch of mainnet.
pub(crate) const SLOTS_SHOWN: usize = 32;

/// Bits of the count; those above hold the low bits of the slot.
const COUNT_BITS: u32 = 32;

/// Counts of `N` kinds of events in the last slots.
pub(super) struct SlotRing<const N: usize> {
    counters: [[AtomicU64; N]; SLOTS_SHOWN],
}

impl<const N: usize> SlotRing<N> {
    pub(super) const fn new() -> Self {
        Self {
            counters: [const { [const { AtomicU64::new(0) }; N] }; SLOTS_SHOWN],
        }
    }

    /// Counts an event of this kind in this slot. One of an older slot than the counter's is too late.
    pub(super) fn count(&self, slot: u64, kind: usize) {
        let tag = tag(slot);
        let counter = &self.counters[position(slot)][kind];
        let next = |current: u64| {
            let its_tag = current >> COUNT_BITS;
            if its_tag == tag {
                Some(current + 1)
            } else {
                (its_tag < tag).then_some(tag << COUNT_BITS | 1)
            }
        };
        // An error means that the event is too late.
        let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Returns how often the event happened in each slot up to `now`, the oldest first.
    pub(super) fn per_slot(&self, now: u64, kind: usize) -> [u64; SLOTS_SHOWN] {
        let mut counts = [0; SLOTS_SHOWN];
        for (back, count) in counts.iter_mut().rev().enumerate() {
            let Some(slot) = now.checked_sub(back as u64) else {
                break;
            };
            let value = self.counters[position(slot)][kind].load(Ordering::Relaxed);
            if value >> COUNT_BITS == tag(slot) {
                *count = value & ((1 << COUNT_BITS) - 1);
            }
        }
        counts
    }

    /// Returns how often the event happened in all slots up to `now`.
    pub(super) fn sum(&self, now: u64, kind: usize) -> u64 {
        self.per_slot(now, kind).iter().sum()
    }
}

/// The tag is never 0, which is that of a counter that has not counted.
fn tag(slot: u64) -> u64 {
    (slot + 1) & ((1 << COUNT_BITS) - 1)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a remainder of a small number"
)]
fn position(slot: u64) -> usize {
    (slot % SLOTS_SHOWN as u64) as usize
}

/// Four buckets for each doubling, from 1 µs to 16 s: a quantile is at most a fifth too long.
const BUCKETS: usize = 24 * STEPS;

const STEPS: usize = 4;

/// Durations in the last slots.
pub(super) struct RecentDurations {
    buckets: SlotRing<BUCKETS>,
}

/// Two quantiles of durations, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantiles {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

impl RecentDurations {
    pub(super) fn new() -> Self {
        Self {
            buckets: SlotRing::new(),
        }
    }

    pub(super) fn add(&self, slot: u64, duration: Duration) {
        self.buckets.count(slot, bucket_of(duration.as_micros()));
    }

    /// Returns the quantiles of all slots up to `now`; `None` when there were no durations.
    pub(super) fn quantiles(&self, now: u64) -> Option<Quantiles> {
        let mut counts = [0; BUCKETS];
        for (kind, count) in counts.iter_mut().enumerate() {
            *count = self.buckets.sum(now, kind);
        }
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        Some(Quantiles {
            p50_us: quantile_us(&counts, total.div_ceil(2)),
            p99_us: quantile_us(&counts, (total * 99).div_ceil(100)),
        })
    }
}

/// Returns the upper bound of the bucket that holds the `wanted`-th of all durations.
fn quantile_us(counts: &[u64; BUCKETS], wanted: u64) -> u64 {
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= wanted {
            return upper_bound_us(bucket);
        }
    }
    upper_bound_us(BUCKETS - 1)
}

fn bucket_of(us: u128) -> usize {
    let us = us.clamp(1, (1 << 24) - 1);
    let doublings = us.ilog2();
    // The two bits below the highest one.
    let step = (us << 2 >> doublings) & 3;
    (doublings as usize * STEPS + step as usize).min(BUCKETS - 1)
}

fn upper_bound_us(bucket: usize) -> u64 {
    let step = (bucket % STEPS) as u64;
    ((5 + step) << (bucket / STEPS)).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_forgets_what_is_older_than_the_slots_shown() {
        let ring = SlotRing::<2>::new();
        for (slot, kind) in [(100, 0), (100, 0), (101, 1), (131, 0), (132, 0), (100, 0)] {
            ring.count(slot, kind);
        }
        // Slot 132 has the counter of slot 100, whose late event does not count.
        assert_eq!(ring.per_slot(132, 0)[SLOTS_SHOWN - 2..], [1, 1]);
        assert_eq!(ring.sum(132, 0), 2);
        assert_eq!(ring.per_slot(132, 1)[0], 1);
        assert_eq!(ring.sum(133, 1), 0);
        assert_eq!(ring.sum(5, 0), 0);
    }

    #[test]
    fn slot_zero_counts() {
        let ring = SlotRing::<1>::new();
        assert_eq!(ring.sum(0, 0), 0);
        ring.count(0, 0);
        assert_eq!(ring.per_slot(0, 0)[SLOTS_SHOWN - 1], 1);
    }

    #[test]
    fn threads_that_count_together_lose_nothing() {
        let ring = SlotRing::<1>::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..4_000 {
                        ring.count(number / 1_000, 0);
                    }
                });
            }
        });
        // A thread may come to an old slot late, but its counter has not been taken by another slot.
        assert_eq!(ring.sum(3, 0), 16_000);
    }

    #[test]
    fn a_quantile_is_at_most_a_quarter_too_long_and_never_too_short() {
        for us in [1, 2, 3, 7, 99, 100, 333, 1_000, 12_345, 1_000_000] {
            let durations = RecentDurations::new();
            durations.add(9, Duration::from_micros(us));
            let quantiles = durations.quantiles(10).expect("one duration");
            let longest = (us + us / 4).max(us + 1);
            assert!((us..=longest).contains(&quantiles.p50_us), "{us}");
            assert_eq!(quantiles.p99_us, quantiles.p50_us);
        }
        assert_eq!(RecentDurations::new().quantiles(10), None);
    }

    #[test]
    fn the_slowest_of_a_hundred_is_not_the_99th() {
        let durations = RecentDurations::new();
        for number in 0..100 {
            let us = if number == 0 { 90_000 } else { 300 };
            durations.add(1, Duration::from_micros(us));
        }
        let quantiles = durations.quantiles(1).expect("durations");
        assert!(quantiles.p99_us < 500, "{quantiles:?}");
        durations.add(1, Duration::from_micros(90_000));
        let quantiles = durations.quantiles(1).expect("durations");
        assert!(quantiles.p99_us > 80_000, "{quantiles:?}");
    }
}
