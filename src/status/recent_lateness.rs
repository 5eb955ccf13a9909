//! How late the duties of the last slots were asked for, by type of request.

use std::time::Duration;

use super::slot_ring::SlotRing;
use crate::metrics::TIMED_TYPES;

/// Upper bounds of lateness. Longer than an epoch of mainnet counts as one.
const BOUNDS_MS: [u64; 16] = [
    50,
    100,
    150,
    250,
    350,
    500,
    750,
    LATE_MS,
    1_500,
    2_000,
    3_000,
    4_000,
    6_000,
    12_000,
    60_000,
    32 * 12_000,
];

/// A duty that comes later is called late, as by the alert `SignerdLateDuties`.
const LATE_MS: u64 = 1_000;

/// The lateness of each of [`TIMED_TYPES`].
pub(super) struct RecentLateness {
    types: [SlotRing<{ BOUNDS_MS.len() }>; TIMED_TYPES.len()],
}

/// The lateness of one type in the last slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LatenessCounts {
    /// Duties whose time is known.
    pub(crate) duties: u64,
    /// Those that came more than a second after their time.
    pub(crate) late: u64,
    /// Half of them came within this time; 0 when there are none.
    pub(crate) p50_ms: u64,
    /// So many came within this time.
    pub(crate) p99_ms: u64,
}

impl RecentLateness {
    pub(super) fn new() -> Self {
        Self {
            types: [const { SlotRing::new() }; TIMED_TYPES.len()],
        }
    }

    /// Counts a duty of this type. Other types have no time and are not counted.
    pub(super) fn add(&self, slot: u64, signed_type: &str, lateness: Duration) {
        let timed = TIMED_TYPES.iter().position(|known| *known == signed_type);
        if let Some(timed) = timed {
            let bucket =
                BOUNDS_MS.partition_point(|bound| u128::from(*bound) < lateness.as_millis());
            self.types[timed].count(slot, bucket.min(BOUNDS_MS.len() - 1));
        }
    }

    /// Returns the lateness in all slots up to `now`, for each of [`TIMED_TYPES`].
    pub(super) fn read(&self, now: u64) -> [LatenessCounts; TIMED_TYPES.len()] {
        self.types.each_ref().map(|ring| {
            let mut counts = [0; BOUNDS_MS.len()];
            for (bucket, count) in counts.iter_mut().enumerate() {
                *count = ring.sum(now, bucket);
            }
            summarize(&counts)
        })
    }
}

fn summarize(counts: &[u64; BOUNDS_MS.len()]) -> LatenessCounts {
    let mut summary = LatenessCounts {
        duties: counts.iter().sum(),
        ..LatenessCounts::default()
    };
    let half = summary.duties.div_ceil(2);
    let most = (summary.duties * 99).div_ceil(100);
    let mut seen = 0;
    for (bound, count) in BOUNDS_MS.into_iter().zip(counts) {
        let before = seen;
        seen += count;
        if before < half && seen >= half {
            summary.p50_ms = bound;
        }
        if before < most && seen >= most {
            summary.p99_ms = bound;
        }
        if bound > LATE_MS {
            summary.late += count;
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lateness_ms: &[u64]) -> LatenessCounts {
        let recent = RecentLateness::new();
        for ms in lateness_ms {
            recent.add(7, TIMED_TYPES[2], Duration::from_millis(*ms));
            recent.add(7, "RANDAO_REVEAL", Duration::from_millis(*ms));
        }
        let counts = recent.read(7);
        assert_eq!(counts[0], LatenessCounts::default());
        assert_eq!(recent.read(7 + 32)[2], LatenessCounts::default());
        counts[2]
    }

    #[test]
    fn lateness_is_the_bound_of_its_bucket_and_late_is_more_than_a_second() {
        let counts = |duties, late, p50_ms, p99_ms| LatenessCounts {
            duties,
            late,
            p50_ms,
            p99_ms,
        };
        let mut one_of_a_hundred = vec![0; 99];
        one_of_a_hundred.push(5_000);
        for (lateness_ms, expected) in [
            (&[][..], counts(0, 0, 0, 0)),
            (&[0], counts(1, 0, 50, 50)),
            (&[50, 51], counts(2, 0, 50, 100)),
            (&[1_000, 1_001], counts(2, 1, 1_000, 1_500)),
            (&[700, 4_100, 4_200], counts(3, 2, 6_000, 6_000)),
            (&[10_000_000], counts(1, 1, 384_000, 384_000)),
            (&one_of_a_hundred, counts(100, 1, 50, 50)),
        ] {
            assert_eq!(after(lateness_ms), expected, "{lateness_ms:?}");
        }
    }
}
