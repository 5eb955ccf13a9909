//! Marks set by hand: raised before a key moves, or lowered when a wrong mark stops its key.

use std::fmt;

use super::Protection;
use super::rule::{BlockMark, CHAINS_PER_KEY_MAX, Marks, Position, Unavailable, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

/// New marks for some keys on one chain.
#[derive(Clone, Debug)]
pub(crate) struct MarkChange {
    /// The keys whose marks change.
    pub keys: Vec<PublicKey>,
    /// The chain whose marks change.
    pub chain: Root,
    /// The highest slot of a block.
    pub slot: Option<Slot>,
    /// The highest source of a vote.
    pub source: Option<Epoch>,
    /// The highest target of a vote.
    pub target: Option<Epoch>,
    /// Whether marks may sink or lie in the future.
    pub force: bool,
}

/// Why no mark was changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RepairError {
    /// A mark of this key would sink: the name of the mark, the old value, and the new one.
    Sinks(PublicKey, &'static str, u64, u64),
    /// The source of this key's vote would be after its target, or one of them would be missing.
    Vote(PublicKey, Option<Epoch>, Option<Epoch>),
    /// Beyond the last position that clock and genesis time allow.
    Future(Position),
    /// The key has records on too many chains.
    ManyChains(PublicKey),
    /// The database is about one chain: the chain that was asked for, and its own.
    OtherChain(Root, Root),
    /// The store cannot be read or written.
    Unavailable(Unavailable),
}

impl Protection {
    /// Sets marks: of all the keys, or of none. The signing root of a mark that changes is removed, so
    /// that its message is not signed again.
    ///
    /// # Errors
    /// [`RepairError`]; nothing has changed then.
    pub(crate) fn set_marks(&self, change: MarkChange) -> Result<(), RepairError> {
        let store = &self.open_store()?.store;
        let limits = store.limits();
        let bounds = limits.on(change.chain, limits.now(), None);
        if let Some(last) = bounds.future
            && !change.force
        {
            let epoch = change.source.max(change.target);
            if change.slot.is_some_and(|slot| slot > last.slot)
                || epoch.is_some_and(|epoch| epoch > last.epoch)
            {
                return Err(RepairError::Future(last));
            }
        }
        let keys = change.keys.clone();
        store.change_marks(change.chain, keys, move |key, before| {
            change.apply(key, before.unwrap_or_default())
        })?
    }
}

impl MarkChange {
    /// Returns the new marks of a key.
    fn apply(&self, key: PublicKey, before: Marks) -> Result<Marks, RepairError> {
        let block = before.block;
        let vote = before.vote;
        if !self.force {
            let old_slot = block.map(|mark| mark.slot.0);
            let old_source = vote.map(|mark| mark.source.0);
            let old_target = vote.map(|mark| mark.target.0);
            for (name, old, new) in [
                ("block slot", old_slot, self.slot.map(|slot| slot.0)),
                ("source epoch", old_source, self.source.map(|epoch| epoch.0)),
                ("target epoch", old_target, self.target.map(|epoch| epoch.0)),
            ] {
                if let (Some(old), Some(new)) = (old, new)
                    && new < old
                {
                    return Err(RepairError::Sinks(key, name, old, new));
                }
            }
        }
        let block = match self.slot {
            Some(slot) if block.is_none_or(|mark| mark.slot != slot) => {
                Some(BlockMark { slot, root: None })
            }
            Some(_) | None => block,
        };
        let source = self.source.or(vote.map(|mark| mark.source));
        let target = self.target.or(vote.map(|mark| mark.target));
        let vote = match (source, target) {
            (None, None) => None,
            (Some(source), Some(target)) if source <= target => {
                let is_same = |mark: &VoteMark| (mark.source, mark.target) == (source, target);
                vote.filter(is_same).or(Some(VoteMark {
                    source,
                    target,
                    root: None,
                }))
            }
            (source, target) => return Err(RepairError::Vote(key, source, target)),
        };
        Ok(Marks { block, vote })
    }
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sinks(key, name, old, new) => write!(
                f,
                "{key}: the {name} on record is {old}: lowering it to {new} allows the key to sign again what \
                 is between, and needs --force"
            ),
            Self::Vote(key, Some(source), Some(target)) => write!(
                f,
                "{key}: source epoch {source} is after target epoch {target}: expected it at or before"
            ),
            Self::Vote(key, _, _) => write!(
                f,
                "{key} has no vote on record: expected both --source-epoch and --target-epoch"
            ),
            Self::Future(last) => write!(
                f,
                "expected nothing beyond slot {}, epoch {}, by clock and genesis time: a key with such a mark \
                 signs nothing until then; to set it nevertheless, use --force",
                last.slot, last.epoch
            ),
            Self::ManyChains(key) => write!(
                f,
                "{key} has records on {CHAINS_PER_KEY_MAX} chains, all of them used within the last day"
            ),
            Self::OtherChain(chain, own_chain) => write!(
                f,
                "genesis_validators_root: got {chain}, but the slashing protection database is about the \
                 chain {own_chain}"
            ),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl std::error::Error for RepairError {}

impl From<Unavailable> for RepairError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::network::SlotTimes;
    use crate::slashing::{ChainClock, ProtectionSettings};
    use crate::testing::store_scratch::Scratch;

    const KEY: PublicKey = PublicKey([1; 48]);
    const CHAIN: Root = Root([0xcc; 32]);
    const ROOT: Option<Root> = Some(Root([7; 32]));

    fn change(slot: Option<u64>, source: Option<u64>, target: Option<u64>) -> MarkChange {
        MarkChange {
            keys: vec![KEY],
            chain: CHAIN,
            slot: slot.map(Slot),
            source: source.map(Epoch),
            target: target.map(Epoch),
            force: false,
        }
    }

    fn marks(slot: (u64, Option<Root>), vote: (u64, u64, Option<Root>)) -> Marks {
        Marks {
            block: Some(BlockMark {
                slot: Slot(slot.0),
                root: slot.1,
            }),
            vote: Some(VoteMark {
                source: Epoch(vote.0),
                target: Epoch(vote.1),
                root: vote.2,
            }),
        }
    }

    #[test]
    fn a_mark_rises_and_loses_its_root_and_sinks_only_by_force() {
        let before = marks((10, ROOT), (2, 4, ROOT));
        let sinks = |name, old, new| Err(RepairError::Sinks(KEY, name, old, new));
        for (change, expected) in [
            (change(None, None, None), Ok(before)),
            (change(Some(10), Some(2), Some(4)), Ok(before)),
            (
                change(Some(11), None, None),
                Ok(marks((11, None), (2, 4, ROOT))),
            ),
            (
                change(None, Some(3), None),
                Ok(marks((10, ROOT), (3, 4, None))),
            ),
            (
                change(None, None, Some(5)),
                Ok(marks((10, ROOT), (2, 5, None))),
            ),
            (
                change(None, Some(4), None),
                Ok(marks((10, ROOT), (4, 4, None))),
            ),
            (change(Some(9), None, None), sinks("block slot", 10, 9)),
            (change(None, Some(1), None), sinks("source epoch", 2, 1)),
            (change(None, None, Some(3)), sinks("target epoch", 4, 3)),
            (
                change(None, Some(5), None),
                Err(RepairError::Vote(KEY, Some(Epoch(5)), Some(Epoch(4)))),
            ),
        ] {
            assert_eq!(change.apply(KEY, before), expected, "{change:?}");
        }
        let by_force = MarkChange {
            force: true,
            ..change(Some(9), Some(1), Some(3))
        };
        let expected = marks((9, None), (1, 3, None));
        assert_eq!(by_force.apply(KEY, before), Ok(expected));

        let first = change(None, Some(1), None).apply(KEY, Marks::default());
        let refused = RepairError::Vote(KEY, Some(Epoch(1)), None);
        assert_eq!(first, Err(refused), "a vote has a target");
    }

    #[test]
    fn a_mark_beyond_the_clock_needs_force() {
        let scratch = Scratch::new();
        // Slots and epochs of a second; the present is 4, so that 0 to 6 may be signed.
        let clock = ChainClock {
            times: SlotTimes {
                genesis_time_seconds: 1_000,
                slot_ms: 1_000,
                slots_per_epoch: 1,
            },
            now_seconds: || 1_004,
        };
        let protection = Protection::open(&ProtectionSettings {
            clock: Some(clock),
            ..scratch.settings()
        })
        .unwrap();
        for (change, is_good) in [
            (change(Some(6), None, None), true),
            (change(Some(7), None, None), false),
            (change(None, Some(5), Some(6)), true),
            (change(None, Some(6), Some(7)), false),
            (change(Some(6), Some(6), Some(7)), false),
            (change(Some(7), Some(5), Some(6)), false),
        ] {
            let shown = format!("{change:?}");
            let changed = protection.set_marks(change);
            assert_eq!(changed.is_ok(), is_good, "{shown}: {changed:?}");
            if let Err(refused) = changed {
                assert!(matches!(refused, RepairError::Future(_)), "{refused:?}");
                assert!(
                    refused.to_string().contains("beyond slot 6, epoch 6"),
                    "{refused}"
                );
            }
        }
        let by_force = MarkChange {
            force: true,
            ..change(Some(7), None, None)
        };
        protection.set_marks(by_force).unwrap();
        let recorded = protection.marks(None).unwrap();
        assert_eq!(recorded, [(KEY, CHAIN, marks((7, None), (5, 6, None)))]);
    }
}
