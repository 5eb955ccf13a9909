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
