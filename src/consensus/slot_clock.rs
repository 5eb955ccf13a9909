//! When duties are due, and how late a request for one comes. Pure: the time is given.

use std::time::Duration;

use super::network::SlotTimes;
use super::primitives::Slot;

/// Parts of a slot, as the consensus specifications count them.
const BASIS_POINTS: u64 = 10_000;

/// A request further than so many epochs from its slot is not a duty of now: a test, a replay, or a chain
/// with another genesis time.
const PRESENT_EPOCHS: u64 = 1;

/// When a message is due: which slot, and where in it.
///
/// Source: consensus-specs, `phase0/validator.md`, `altair/validator.md` and `gloas/validator.md`
/// (`ATTESTATION_DUE_BPS` and the like).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DutyTime {
    /// At no certain time, or the message does not show its slot.
    Anytime,
    /// At the start of the slot: a block.
    SlotStart(Slot),
    /// After a third of the slot, a quarter from GLOAS on: attestations and messages of the sync committee.
    Attestation(Slot),
    /// After two thirds of the slot, a half from GLOAS on: aggregates and contributions.
    Aggregate(Slot),
    /// After three quarters of the slot: attestations of the payload.
    PayloadAttestation(Slot),
}

impl DutyTime {
    /// Returns the slot of the duty.
    pub(crate) fn slot(self) -> Option<Slot> {
        match self {
            Self::Anytime => None,
            Self::SlotStart(slot)
            | Self::Attestation(slot)
            | Self::Aggregate(slot)
            | Self::PayloadAttestation(slot) => Some(slot),
        }
    }

    /// Returns the part of the slot after which the duty is due, in basis points.
    fn due_basis_points(self, is_gloas: bool) -> u64 {
        match self {
            Self::Anytime | Self::SlotStart(_) => 0,
            Self::Attestation(_) if is_gloas => 2_500,
            Self::Attestation(_) => 3_333,
            Self::Aggregate(_) if is_gloas => 5_000,
            Self::Aggregate(_) => 6_667,
            Self::PayloadAttestation(_) => 7_500,
        }
    }
}

impl SlotTimes {
    /// Returns how long after its time a duty is asked for, zero when it is early. `asked_at` is Unix time.
    /// `None` when the duty has no time, or when its slot is far from the present.
    pub(crate) fn lateness(
        &self,
        duty: DutyTime,
        is_gloas: bool,
        asked_at: Duration,
    ) -> Option<Duration> {
        let slot = duty.slot()?;
        let start_ms = slot
            .0
            .checked_mul(self.slot_ms)?
            .checked_add(self.genesis_time_seconds.checked_mul(1_000)?)?;
        let start = Duration::from_millis(start_ms);
        let present_ms = PRESENT_EPOCHS
            .checked_mul(self.slots_per_epoch)?
            .checked_mul(self.slot_ms)?;
        if asked_at.abs_diff(start) > Duration::from_millis(present_ms) {
            return None;
        }
        let due_ms = self.slot_ms * duty.due_basis_points(is_gloas) / BASIS_POINTS;
        Some(asked_at.saturating_sub(start + Duration::from_millis(due_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: SlotTimes = SlotTimes {
        genesis_time_seconds: 1_000,
        slot_ms: 12_000,
        slots_per_epoch: 32,
    };

    /// The same slot, which begins at 1,120 s.
    const SLOT: Slot = Slot(10);

    /// What is asked for, whether at GLOAS, when, and how late that is; in milliseconds.
    type LateCase = (&'static str, DutyTime, bool, u64, Option<u64>);

    #[rustfmt::skip] // One row a line.
    const CASES: [LateCase; 14] = [
        ("a block at once", DutyTime::SlotStart(SLOT), false, 1_120_000, Some(0)),
        ("a block", DutyTime::SlotStart(SLOT), false, 1_121_500, Some(1_500)),
        ("a block before its slot", DutyTime::SlotStart(SLOT), false, 1_119_000, Some(0)),
        ("an attestation before", DutyTime::Attestation(SLOT), false, 1_123_000, Some(0)),
        ("an attestation", DutyTime::Attestation(SLOT), false, 1_124_000, Some(1)),
        ("one of GLOAS", DutyTime::Attestation(SLOT), true, 1_124_000, Some(1_000)),
        ("an aggregate", DutyTime::Aggregate(SLOT), false, 1_129_000, Some(1_000)),
        ("one of GLOAS", DutyTime::Aggregate(SLOT), true, 1_129_000, Some(3_000)),
        ("the payload", DutyTime::PayloadAttestation(SLOT), true, 1_130_000, Some(1_000)),
        ("an epoch later", DutyTime::SlotStart(SLOT), false, 1_504_000, Some(384_000)),
        ("long ago", DutyTime::SlotStart(SLOT), false, 1_504_001, None),
        ("far ahead", DutyTime::SlotStart(Slot(42)), false, 1_119_999, None),
        ("an impossible slot", DutyTime::SlotStart(Slot(u64::MAX)), false, 1_120_000, None),
        ("no time", DutyTime::Anytime, false, 1_120_000, None),
    ];

    #[test]
    fn a_duty_is_late_from_its_part_of_the_slot_on() {
        for (case, duty, is_gloas, asked_at_ms, late_ms) in CASES {
            let asked_at = Duration::from_millis(asked_at_ms);
            let lateness = TIMES.lateness(duty, is_gloas, asked_at);
            assert_eq!(lateness, late_ms.map(Duration::from_millis), "{case}");
        }
    }
}
