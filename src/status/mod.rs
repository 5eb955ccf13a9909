//! The status page and its figures: what an operator sees in a browser (`GET /`), as JSON (`GET /status`) and
//! in a terminal (`signerd top`).
//!
//! [`RecentActivity`] and [`warnings`] count in the background. [`report::StatusReport`] holds the figures of one
//! moment, and only those that its reader may see. [`page`] and [`json`] write them. This module gathers nothing
//! by itself: `api/status_page.rs` fills the report.

pub(crate) mod json;
pub(crate) mod page;
mod recent_lateness;
pub(crate) mod report;
mod slot_ring;
pub(crate) mod warnings;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::recent_lateness::RecentLateness;
use self::slot_ring::{RecentDurations, SlotRing};
use crate::consensus::network::SlotTimes;
use crate::metrics::{ERROR_TYPES, RULES, SIGNED_TYPES, TIMED_TYPES, index_of};

pub(crate) use self::recent_lateness::LatenessCounts;
pub(crate) use self::slot_ring::{Quantiles, SLOTS_SHOWN};

/// Stands for slots where the network is not known: their length on mainnet, counted from 1970.
const UNKNOWN_SLOTS: SlotTimes = SlotTimes {
    genesis_time_seconds: 0,
    slot_ms: 12_000,
    slots_per_epoch: 32,
};

/// What happened in each of the last slots.
pub(crate) struct RecentActivity {
    slots: SlotTimes,
    signed: SlotRing<{ SIGNED_TYPES.len() }>,
    refused: SlotRing<{ ERROR_TYPES.len() }>,
    prevented: SlotRing<{ RULES.len() }>,
    lateness: RecentLateness,
    durations: RecentDurations,
}

/// The activity up to one moment.
pub(crate) struct ActivitySnapshot {
    /// For each of [`SIGNED_TYPES`], the signatures in each slot, the oldest first.
    pub(crate) signed: [[u64; SLOTS_SHOWN]; SIGNED_TYPES.len()],
    /// For each of [`ERROR_TYPES`], the refusals in all of these slots.
    pub(crate) refused: [u64; ERROR_TYPES.len()],
    /// For each of [`RULES`], the messages not signed in all of these slots.
    pub(crate) prevented: [u64; RULES.len()],
    /// For each of [`TIMED_TYPES`], how late its duties were asked for in these slots.
    pub(crate) lateness: [LatenessCounts; TIMED_TYPES.len()],
    /// How long a signature took in these slots.
    pub(crate) durations: Option<Quantiles>,
    pub(crate) slot_ms: u64,
}

impl RecentActivity {
    /// `slots` is `None` when the network or its genesis is not known.
    pub(crate) fn new(slots: Option<SlotTimes>) -> Self {
        Self {
            slots: slots.unwrap_or(UNKNOWN_SLOTS),
            signed: SlotRing::new(),
            refused: SlotRing::new(),
            prevented: SlotRing::new(),
            lateness: RecentLateness::new(),
            durations: RecentDurations::new(),
        }
    }

    /// Counts a signature of this type, which took so long, and how late it was asked for, where that is
    /// known.
    pub(crate) fn signed(&self, signed_type: &str, duration: Duration, lateness: Option<Duration>) {
        let slot = self.slot_now();
        if let Some(lateness) = lateness {
            self.lateness.add(slot, signed_type, lateness);
        }
        self.signed
            .count(slot, index_of(&SIGNED_TYPES, signed_type));
        self.durations.add(slot, duration);
    }

    /// Counts a refused request.
    pub(crate) fn refused(&self, error_type: &str) {
        self.refused
            .count(self.slot_now(), index_of(&ERROR_TYPES, error_type));
    }

    /// Counts a message that a rule of slashing protection does not let be signed.
    pub(crate) fn prevented(&self, rule: &str) {
        self.prevented
            .count(self.slot_now(), index_of(&RULES, rule));
    }

    pub(crate) fn snapshot(&self) -> ActivitySnapshot {
        let now = self.slot_now();
        let mut signed = [[0; SLOTS_SHOWN]; SIGNED_TYPES.len()];
        for (kind, counts) in signed.iter_mut().enumerate() {
            *counts = self.signed.per_slot(now, kind);
        }
        let mut refused = [0; ERROR_TYPES.len()];
        for (kind, count) in refused.iter_mut().enumerate() {
            *count = self.refused.sum(now, kind);
        }
        let mut prevented = [0; RULES.len()];
        for (kind, count) in prevented.iter_mut().enumerate() {
            *count = self.prevented.sum(now, kind);
        }
        ActivitySnapshot {
            signed,
            refused,
            prevented,
            lateness: self.lateness.read(now),
            durations: self.durations.quantiles(now),
            slot_ms: self.slots.slot_ms,
        }
    }

    /// Slot 0 lasts from 1970 to the end of the first slot.
    fn slot_now(&self) -> u64 {
        let slot = self.slots.slot_at(unix_seconds());
        slot.map_or(0, |slot| slot.0)
    }
}

/// Returns Unix time.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
