//! Why a message is not signed, in words for the caller: the rule, and both messages.

use std::fmt;

use super::rule::{BlockMark, HighWatermark, Message, VoteMark};
use crate::consensus::primitives::{Epoch, Root, Slot};

/// Why a message is not signed. `Display` names the rule and both messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A bare root that may hide a block or a vote.
    Opaque,
    /// A vote whose source epoch is after its target epoch: no chain makes one.
    SourceAfterTarget(Epoch, Epoch),
    /// At or above the high watermark.
    AboveHighWatermark(Message, HighWatermark),
    /// No block of the key is on record, and the slot is below the lowest for such keys.
    SlotBelowFloor(Slot, Slot),
    /// No vote of the key is on record, and the source is below the lowest for such keys.
    SourceBelowFloor(Epoch, Epoch),
    /// In conflict with what the key has signed.
    Conflict {
        /// The broken rule.
        rule: Rule,
        /// What is to be signed.
        asked: Signed,
        /// The mark on record.
        signed: Signed,
    },
    /// The record could not be written, for this reason; the same request may pass later.
    Unavailable(String),
}

/// A message and its signing root, as a refusal shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The slot or the epochs.
    pub message: Message,
    /// The signing root, where it is known.
    pub root: Option<Root>,
}

/// The rules for two messages of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Same slot, another root or an unknown one: condition 1.
    DoubleProposal,
    /// Below the highest slot: condition 2.
    SlotBelow,
    /// Same target, another vote or an unknown one: condition 3.
    DoubleVote,
    /// Earlier source and later target: condition 3.
    Surrounding,
    /// Later source and earlier target: condition 3.
    Surrounded,
    /// Earlier source and target: condition 4.
    SourceBelow,
    /// Same source, earlier target: condition 5.
    TargetBelow,
}

impl Rule {
    /// The number in EIP-3076, and the rule in a few words.
    pub fn condition(self) -> (u8, &'static str) {
        match self {
            Self::DoubleProposal => (1, "double proposal"),
            Self::SlotBelow => (2, "slot below the highest one signed"),
            Self::DoubleVote => (3, "double vote"),
            Self::Surrounding => (3, "surrounding vote"),
            Self::Surrounded => (3, "surrounded vote"),
            Self::SourceBelow => (4, "source epoch below the highest one signed"),
            Self::TargetBelow => (5, "target epoch below the highest one signed"),
        }
    }
}

impl From<BlockMark> for Signed {
    fn from(mark: BlockMark) -> Self {
        Self { message: Message::Block(mark.slot), root: mark.root }
    }
}

impl From<VoteMark> for Signed {
    fn from(mark: VoteMark) -> Self {
        Self { message: Message::Vote(mark.source, mark.target), root: mark.root }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => f.write_str(
                "slashing protection is on: a bare root in the proposer's or attester's domain, or in none \
                 that was named, may hide a block or a vote; send the whole message with its \"type\"",
            ),
            Self::SourceAfterTarget(source, target) => {
                write!(f, "source epoch {source} is after target epoch {target}")
            }
            Self::AboveHighWatermark(message, high) => write!(
                f,
                "{message} is at or above the high watermark: slot {}, epoch {}",
                high.slot, high.epoch
            ),
            Self::SlotBelowFloor(slot, min) => {
                write!(f, "slot {slot} is below {min}, the lowest slot for a key without a block on record")
            }
            Self::SourceBelowFloor(source, min) => write!(
                f,
                "source epoch {source} is below {min}, the lowest for a key without a vote on record"
            ),
            Self::Conflict { rule, asked, signed } => {
                let (number, name) = rule.condition();
                write!(f, "EIP-3076 condition {number}, {name}: asked for {asked}; on record is {signed}")
            }
            Self::Unavailable(reason) => write!(f, "the slashing protection store cannot write: {reason}"),
        }
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.root {
            Some(root) => write!(f, "{} with signing root {root}", self.message),
            None => write!(f, "{} with an unknown signing root", self.message),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(slot) => write!(f, "block at slot {slot}"),
            Self::Vote(source, target) => {
                write!(f, "vote from source epoch {source} to target epoch {target}")
            }
        }
    }
}
