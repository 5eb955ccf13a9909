//! What the operator and the clock allow, whatever a key has signed: which chain, how old, how far
//! ahead. Pure except for the clock, which is read once for each commit.

use std::time::{SystemTime, UNIX_EPOCH};

use super::rule::{Bounds, Floor, HighWatermark, Position};
use crate::consensus::network::SlotTimes;
use crate::consensus::primitives::{Epoch, Root, Slot};

/// A message may be this old, in epochs: a duty may be two epochs old, and clocks differ.
const PRESENT_EPOCHS: u64 = 4;

/// A message may be this far ahead, in epochs: a duty may be one epoch early, and clocks differ. A
/// signature far ahead would stop its key for good.
const FUTURE_EPOCHS: u64 = 2;

/// The clock of the chain that is protected.
#[derive(Clone, Copy, Debug)]
pub struct ChainClock {
    /// When its slots begin.
    pub times: SlotTimes,
    /// Returns the Unix time in seconds; tests set another.
    pub now_seconds: fn() -> u64,
}

/// The floor of a store that was made when keys may have signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewStoreFloor {
    pub(super) lowest: Position,
    /// The chain that it is for; `None` means any chain with this genesis time.
    pub(super) chain: Option<Root>,
    /// When that chain began: a re-created devnet has another genesis time.
    pub(super) genesis_time_seconds: u64,
}

/// All limits on what is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningLimits {
    pub(super) min_slot: Option<Slot>,
    pub(super) min_epoch: Option<Epoch>,
    /// The chain of the clock; `None` means any chain.
    pub(super) chain: Option<Root>,
    pub(super) clock: Option<ChainClock>,
    pub(super) new_store: Option<NewStoreFloor>,
}

impl ChainClock {
    /// Makes a clock from this host's.
    pub(crate) fn of_this_host(times: SlotTimes) -> Self {
        Self {
            times,
            now_seconds: unix_seconds,
        }
    }

    /// Returns where the chain is now; before genesis, its beginning.
    pub(crate) fn now(&self) -> Position {
        let slot = self.times.slot_at((self.now_seconds)());
        self.position(slot.unwrap_or(Slot(0)))
    }

    /// Returns the seconds until genesis; `None` from genesis on.
    pub(crate) fn seconds_before_genesis(&self) -> Option<u64> {
        let seconds = self
            .times
            .genesis_time_seconds
            .checked_sub((self.now_seconds)())?;
        Some(seconds).filter(|seconds| *seconds > 0)
    }

    /// Returns the last position that is not too far ahead.
    pub(crate) fn last_signed(&self, now: Position) -> Position {
        let ahead = self.times.slots_per_epoch.saturating_mul(FUTURE_EPOCHS);
        Position {
            slot: Slot(now.slot.0.saturating_add(ahead)),
            epoch: Epoch(now.epoch.0.saturating_add(FUTURE_EPOCHS)),
        }
    }

    /// Returns the first position that is not too old.
    pub(crate) fn first_signed(&self, now: Position) -> Position {
        self.start_of(now.epoch.0.saturating_sub(PRESENT_EPOCHS))
    }

    /// Returns the first position after the present epoch. Before genesis, when nothing can have been
    /// signed, it is the first of all.
    pub(super) fn after_present(&self) -> Position {
        if self.seconds_before_genesis().is_some() {
            return self.start_of(0);
        }
        self.start_of(self.now().epoch.0.saturating_add(1))
    }

    fn start_of(&self, epoch: u64) -> Position {
        self.position(Slot(epoch.saturating_mul(self.times.slots_per_epoch)))
    }

    fn position(&self, slot: Slot) -> Position {
        Position {
            slot,
            epoch: Epoch(slot.0 / self.times.slots_per_epoch),
        }
    }
}

impl SigningLimits {
    /// Returns where the clock's chain is now, to be read once for several messages.
    pub(super) fn now(&self) -> Option<Position> {
        self.clock.map(|clock| clock.now())
    }

    /// Returns the Unix time in seconds, by the same clock.
    pub(super) fn unix_seconds(&self) -> u64 {
        self.clock
            .map_or_else(unix_seconds, |clock| (clock.now_seconds)())
    }

    /// Returns what holds on a chain when the clock's chain is at `now`.
    pub(super) fn on(
        &self,
        chain: Root,
        now: Option<Position>,
        high: Option<HighWatermark>,
    ) -> Bounds {
        let is_ours = self.chain.is_none_or(|ours| ours == chain);
        let clock = self.clock.zip(now).filter(|_| is_ours);
        let past = clock.map(|(clock, now)| clock.first_signed(now));
        let new_store = self
            .new_store
            .filter(|floor| self.concerns(floor, chain))
            .map(|floor| floor.lowest);
        Bounds {
            block: floor(
                self.min_slot.map(|slot| slot.0),
                past.map(|first| first.slot.0),
                new_store.map(|first| first.slot.0),
            ),
            vote: floor(
                self.min_epoch.map(|epoch| epoch.0),
                past.map(|first| first.epoch.0),
                new_store.map(|first| first.epoch.0),
            ),
            future: clock.map(|(clock, now)| clock.last_signed(now)),
            high,
        }
    }

    fn concerns(&self, floor: &NewStoreFloor, chain: Root) -> bool {
        let genesis = self.clock.map(|clock| clock.times.genesis_time_seconds);
        match floor.chain {
            Some(its_chain) => its_chain == chain,
            None => genesis.is_none_or(|genesis| genesis == floor.genesis_time_seconds),
        }
    }
}

/// An option wins; without one, the higher floor counts.
fn floor(set: Option<u64>, clock: Option<u64>, new_store: Option<u64>) -> Floor {
    if let Some(lowest) = set {
        return Floor::Set(lowest);
    }
    let clock = clock.unwrap_or(0);
    match new_store {
        Some(lowest) if lowest > clock => Floor::NewStore(lowest),
        Some(_) | None => Floor::Clock(clock),
    }
}

/// Reads the clock of this host; 0 before 1970.
pub(super) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slashing::rule::{Marks, Refused, SlashableMessage, check};

    const OURS: Root = Root([1; 32]);
    const OTHER: Root = Root([2; 32]);
    /// Slots of 10 s, epochs of 8 slots, from second 1,000 on.
    const TIMES: SlotTimes = SlotTimes {
        genesis_time_seconds: 1_000,
        slot_ms: 10_000,
        slots_per_epoch: 8,
    };

    fn at(now_seconds: fn() -> u64) -> ChainClock {
        ChainClock {
            times: TIMES,
            now_seconds,
        }
    }

    fn limits(clock: Option<ChainClock>) -> SigningLimits {
        SigningLimits {
            min_slot: None,
            min_epoch: None,
            chain: Some(OURS),
            clock,
            new_store: None,
        }
    }

    #[test]
    fn the_clock_allows_four_epochs_back_and_two_ahead_on_its_own_chain_alone() {
        // Slot 801: epoch 100.
        let limits = limits(Some(at(|| 1_000 + 8_010)));
        let vote = |target| SlashableMessage::Vote(Epoch(0), Epoch(target));
        for (case, message, passes) in [
            ("the present", SlashableMessage::Block(Slot(801)), true),
            (
                "four epochs back",
                SlashableMessage::Block(Slot(96 * 8)),
                true,
            ),
            (
                "one slot more",
                SlashableMessage::Block(Slot(96 * 8 - 1)),
                false,
            ),
            (
                "two epochs ahead",
                SlashableMessage::Block(Slot(801 + 16)),
                true,
            ),
            (
                "one slot more",
                SlashableMessage::Block(Slot(801 + 17)),
                false,
            ),
            (
                "the end of time",
                SlashableMessage::Block(Slot(u64::MAX)),
                false,
            ),
            ("the present", vote(100), true),
            ("four epochs back", vote(96), true),
            ("five epochs back", vote(95), false),
            ("two epochs ahead", vote(102), true),
            ("three epochs ahead", vote(103), false),
            ("the end of time", vote(u64::MAX), false),
        ] {
            let check = |chain| {
                let bounds = limits.on(chain, limits.now(), None);
                check(&Marks::default(), &bounds, message, OURS)
            };
            assert_eq!(check(OURS).is_ok(), passes, "{case}: {message}");
            assert!(check(OTHER).is_ok(), "{case}: {message} elsewhere");
        }
    }

    #[test]
    fn before_genesis_only_the_first_epochs_are_signed_and_a_new_store_has_no_floor() {
        let clock = at(|| 10);
        assert_eq!(clock.seconds_before_genesis(), Some(990));
        assert_eq!(at(|| 1_000).seconds_before_genesis(), None);
        assert_eq!(clock.after_present().slot, Slot(0));
        let limits = limits(Some(clock));
        let bounds = limits.on(OURS, limits.now(), None);
        for (epoch, passes) in [(0, true), (2, true), (3, false)] {
            let vote = SlashableMessage::Vote(Epoch(0), Epoch(epoch));
            let checked = check(&Marks::default(), &bounds, vote, OURS);
            assert_eq!(checked.is_ok(), passes, "epoch {epoch}");
        }
    }

    #[test]
    fn the_floor_of_a_new_store_holds_until_the_clock_has_passed_it_and_an_option_replaces_both() {
        let lowest = at(|| 1_000 + 8_010).after_present();
        assert_eq!((lowest.slot, lowest.epoch), (Slot(101 * 8), Epoch(101)));
        let new_store = Some(NewStoreFloor {
            lowest,
            chain: Some(OURS),
            genesis_time_seconds: 1_000,
        });
        let floors = |limits: SigningLimits, chain| {
            let bounds = limits.on(chain, limits.now(), None);
            (bounds.block, bounds.vote)
        };
        for (case, now, expected) in [
            (
                "at once",
                at(|| 1_000 + 8_010),
                (Floor::NewStore(808), Floor::NewStore(101)),
            ),
            (
                "when the clock is there too",
                at(|| 1_000 + 105 * 80),
                (Floor::Clock(808), Floor::Clock(101)),
            ),
            (
                "much later",
                at(|| 1_000 + 16_000),
                (Floor::Clock(1_568), Floor::Clock(196)),
            ),
        ] {
            let limits = SigningLimits {
                new_store,
                ..limits(Some(now))
            };
            assert_eq!(floors(limits, OURS), expected, "{case}");
            let none = (Floor::Clock(0), Floor::Clock(0));
            assert_eq!(floors(limits, OTHER), none, "{case}, elsewhere");
            let set = SigningLimits {
                min_slot: Some(Slot(5)),
                min_epoch: Some(Epoch(0)),
                ..limits
            };
            let expected = (Floor::Set(5), Floor::Set(0));
            assert_eq!(floors(set, OURS), expected, "{case}, with options");
        }
        let without_clock = SigningLimits {
            new_store,
            ..limits(None)
        };
        let bounds = without_clock.on(OURS, None, None);
        let refused = check(
            &Marks::default(),
            &bounds,
            SlashableMessage::Block(Slot(807)),
            OTHER,
        );
        assert!(
            matches!(refused, Err(Refused::BelowFloor(..))),
            "{refused:?}"
        );
    }

    #[test]
    fn the_floor_of_a_new_store_says_nothing_of_a_devnet_that_was_made_anew() {
        let new_store = Some(NewStoreFloor {
            lowest: at(|| 1_000 + 8_010).after_present(),
            chain: None,
            genesis_time_seconds: 1_000,
        });
        let mut later = at(|| 20_000);
        later.times.genesis_time_seconds = 20_000;
        for (case, clock, expected) in [
            ("the same", at(|| 1_000 + 8_010), Floor::NewStore(808)),
            ("made anew", later, Floor::Clock(0)),
        ] {
            let limits = SigningLimits {
                new_store,
                chain: None,
                ..limits(Some(clock))
            };
            let bounds = limits.on(OTHER, limits.now(), None);
            assert_eq!(bounds.block, expected, "{case}");
        }
    }
}
