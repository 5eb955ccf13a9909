//! Marks set by hand: raised before a key moves, or lowered when one is wrong and stops its key.

use std::fmt;

use super::Protection;
use super::rule::{BlockMark, Marks, Position, Unavailable, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

/// New marks for some keys on one chain.
#[derive(Clone, Debug)]
pub struct MarkChange {
    /// Whose.
    pub keys: Vec<PublicKey>,
    /// On which chain.
    pub chain: Root,
    /// The highest slot of a block.
    pub slot: Option<Slot>,
    /// The highest source of a vote.
    pub source: Option<Epoch>,
    /// The highest target of a vote.
    pub target: Option<Epoch>,
    /// Whether marks may sink, or lie in the future.
    pub force: bool,
}

/// Why no mark was changed.
#[derive(Debug, PartialEq, Eq)]
pub enum RepairError {
    /// The mark of this key would sink: which, from where, and to where.
    Sinks(PublicKey, &'static str, u64, u64),
    /// The marks of this key would be a vote whose source is after its target, or half a vote.
    Vote(PublicKey, Option<Epoch>, Option<Epoch>),
    /// Beyond what clock and genesis time allow: the last position that is signed.
    Future(Position),
    /// The key has records on too many chains.
    ManyChains(PublicKey),
    /// The store cannot be read or written.
    Unavailable(Unavailable),
}

impl Protection {
    /// Sets marks, of all the keys or of none. What was signed under a mark that changes is forgotten:
    /// it is not signed again.
    ///
    /// # Errors
    /// [`RepairError`]; nothing has changed then.
    pub fn set_marks(&self, change: MarkChange) -> Result<(), RepairError> {
        let Some(guard) = self.guard() else {
            let off = Unavailable("slashing protection is off".to_owned());
            return Err(RepairError::Unavailable(off));
        };
        let limits = guard.store.limits();
        let bounds = limits.on(change.chain, limits.now(), None);
        if let Some(last) = bounds.future.filter(|_| !change.force) {
            let epoch = change.source.max(change.target);
            if change.slot.is_some_and(|slot| slot > last.slot)
                || epoch.is_some_and(|epoch| epoch > last.epoch)
            {
                return Err(RepairError::Future(last));
            }
        }
        let changed = guard.store.change(move |changes| {
            for key in &change.keys {
                let before = changes.marks(*key, change.chain)?;
                let marks = match change.apply(*key, before.unwrap_or_default()) {
                    Ok(marks) => marks,
                    Err(error) => return Ok(Err(error)),
                };
                if !changes.has_room(*key, change.chain)? {
                    return Ok(Err(RepairError::ManyChains(*key)));
                }
                changes.put(*key, change.chain, marks)?;
            }
            Ok(Ok(()))
        });
        changed.map_err(RepairError::Unavailable)?
    }
}

impl MarkChange {
    fn apply(&self, key: PublicKey, before: Marks) -> Result<Marks, RepairError> {
        let block = before.block;
        let vote = before.vote;
        if !self.force {
            for (name, old, new) in [
                (
                    "block slot",
                    block.map(|mark| mark.slot.0),
                    self.slot.map(|slot| slot.0),
                ),
                (
                    "source epoch",
                    vote.map(|mark| mark.source.0),
                    self.source.map(|epoch| epoch.0),
                ),
                (
                    "target epoch",
                    vote.map(|mark| mark.target.0),
                    self.target.map(|epoch| epoch.0),
                ),
            ] {
                if let Some((old, new)) = old.zip(new).filter(|(old, new)| new < old) {
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
                "{key}: the {name} on record is {old}: lowering it to {new} lets the key sign again what is \
                 between, and needs --force"
            ),
            Self::Vote(key, Some(source), Some(target)) => write!(
                f,
                "{key}: source epoch {source} is after target epoch {target}: expected it at or before"
            ),
            Self::Vote(key, _, _) => write!(
                f,
                "{key} has no vote on record: expected --source-epoch with --target-epoch"
            ),
            Self::Future(last) => write!(
                f,
                "expected nothing beyond slot {}, epoch {}, by clock and genesis time: a key with such a mark \
                 signs nothing until then; --force sets it all the same",
                last.slot, last.epoch
            ),
            Self::ManyChains(key) => write!(
                f,
                "{key} has records on as many chains as are kept, all of them used within the last day"
            ),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl std::error::Error for RepairError {}
