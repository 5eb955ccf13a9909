//! Decides whether a message may be signed, given what its key has signed before. Pure.
//!
//! This is the minimal form of EIP-3076: only the highest slot, source epoch and target epoch that a
//! key has signed are kept, with the signing root where it is known. A key's marks never sink.
//! Condition numbers are those of the EIP's section "Conditions".

use std::cmp::Ordering;
use std::fmt;

use crate::consensus::primitives::{Epoch, Root, Slot};
pub use crate::consensus::slashable::SlashableMessage;

/// Chains on which one key can have a record. Devnets are re-created under the same keys, but nobody
/// needs more of them at a time.
pub(crate) const CHAINS_PER_KEY_MAX: usize = 16;

/// The highest that one key has signed on one chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The block of the highest slot.
    pub block: Option<BlockMark>,
    /// The highest epochs of all votes.
    pub vote: Option<VoteMark>,
}

/// The highest block that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockMark {
    /// Its slot.
    pub slot: Slot,
    /// The signing root. `None` when the mark was imported; its message is then not signed again.
    pub root: Option<Root>,
}

/// The highest epochs that were signed: of one vote, or of several when they were imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteMark {
    /// The highest source.
    pub source: Epoch,
    /// The highest target.
    pub target: Epoch,
    /// The signing root. `None` when the mark was imported; its message is then not signed again.
    pub root: Option<Root>,
}

/// What limits every key on one chain at one time, whatever it has signed.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The lowest slot.
    pub block: Floor,
    /// The lowest epoch.
    pub vote: Floor,
    /// Nothing after it is signed: it is too far in the future. `None` without a clock.
    pub future: Option<Position>,
    /// Nothing at or above it is signed.
    pub high: Option<HighWatermark>,
}

/// The lowest slot or epoch that is signed, so that the past is not signed after a store was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// Set by an option, for keys without a block or vote on record: a slot, or an epoch that a vote's
    /// source must reach, and so its target.
    Set(u64),
    /// Set by clock and genesis time, for every key: a slot, or an epoch that a vote's target must
    /// reach. Its source may be far older, on a chain that does not finalize.
    Clock(u64),
    /// As [`Floor::Clock`], but set when the store was made: what keys had signed before is not known.
    NewStore(u64),
}

/// A position on a chain: a slot for blocks, an epoch for votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// For blocks.
    pub slot: Slot,
    /// For votes.
    pub epoch: Epoch,
}

/// Nothing is signed at or above this: it stops the old host while keys move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighWatermark {
    /// For blocks.
    pub slot: Slot,
    /// For a vote's target, and so for its source.
    pub epoch: Epoch,
}

/// What to do before the message is signed.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: this very message is on record.
    Repeat,
    /// Store these marks durably.
    Record(Marks),
}

/// Why a message is not signed. `Display` names the rule and both messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A bare root: it may belong to a block or a vote.
    Opaque,
    /// The message is not on the chain of the chosen network.
    OtherChain {
        /// The message to sign.
        asked: SlashableMessage,
        /// The chain of the message.
        chain: Root,
        /// The chain of the network.
        expected: Root,
    },
    /// The message is not on the chain that the shared database is about.
    DatabaseChain {
        /// The message to sign.
        asked: SlashableMessage,
        /// The chain of the message.
        chain: Root,
        /// The chain of the database.
        expected: Root,
    },
    /// The key is disabled in the shared database, for all instances.
    Disabled(SlashableMessage),
    /// The key has records on [`CHAINS_PER_KEY_MAX`] chains, and none of them is old.
    ManyChains(SlashableMessage),
    /// The message is too far in the future: the last position that is signed.
    InFuture(SlashableMessage, Position),
    /// The source of the vote is after its target.
    SourceAfterTarget(SlashableMessage),
    /// The message is at or above the high watermark.
    AboveHighWatermark(SlashableMessage, HighWatermark),
    /// The message is below the floor.
    BelowFloor(SlashableMessage, Floor),
    /// The message conflicts with what the key has signed.
    Conflict {
        /// The condition of EIP-3076 and its name.
        rule: Rule,
        /// The message to sign.
        asked: SlashableMessage,
        /// Its signing root.
        root: Root,
        /// The mark on record.
        signed: SlashableMessage,
        /// The mark's signing root, where it is known.
        signed_root: Option<Root>,
    },
    /// The record could not be written; the same request may succeed later.
    Unavailable(Unavailable),
}

impl Refused {
    /// Returns a word for the rule that the message breaks, for metrics.
    pub(crate) fn rule_name(&self) -> &'static str {
        match self {
            Self::Opaque => "raw_root",
            Self::OtherChain { .. } => "other_chain",
            Self::DatabaseChain { .. } => "database_chain",
            Self::Disabled(_) => "key_disabled",
            Self::ManyChains(_) => "many_chains",
            Self::InFuture(..) => "in_future",
            Self::SourceAfterTarget(_) => "source_after_target",
            Self::AboveHighWatermark(..) => "above_high_watermark",
            Self::BelowFloor(..) => "below_floor",
            Self::Conflict { rule, .. } => match rule {
                Rule::DoubleProposal => "double_proposal",
                Rule::SlotBelow => "slot_below",
                Rule::DoubleVote => "double_vote",
                Rule::Surrounding => "surrounding",
                Rule::Surrounded => "surrounded",
                Rule::SourceBelow => "source_below",
                Rule::TargetBelow => "target_below",
            },
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// The reason why the store cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// A condition of EIP-3076, and how a message breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// 1: another block of the highest slot.
    DoubleProposal,
    /// 2: a slot below the highest.
    SlotBelow,
    /// 3: another vote for the highest target.
    DoubleVote,
    /// 3: a source below the highest and a target above.
    Surrounding,
    /// 3: a source above the highest and a target below.
    Surrounded,
    /// 4: a source and target below the highest.
    SourceBelow,
    /// 5: a target below the highest.
    TargetBelow,
}

/// Decides whether a key with these marks may sign `message`, whose signing root is `root`.
///
/// # Errors
/// [`Refused`], with the first rule that the message breaks.
pub fn check(
    marks: &Marks,
    bounds: &Bounds,
    message: SlashableMessage,
    root: Root,
) -> Result<Verdict, Refused> {
    if let Some(high) = bounds.high.filter(|high| high.stops(message)) {
        return Err(Refused::AboveHighWatermark(message, high));
    }
    if let Some(last) = bounds.future.filter(|last| last.is_before(message)) {
        return Err(Refused::InFuture(message, last));
    }
    match message {
        SlashableMessage::Block(slot) => check_block(marks, bounds, slot, root),
        SlashableMessage::Vote(source, target) => check_vote(marks, bounds, source, target, root),
    }
}

fn check_block(marks: &Marks, bounds: &Bounds, slot: Slot, root: Root) -> Result<Verdict, Refused> {
    let message = SlashableMessage::Block(slot);
    let asked = BlockMark {
        slot,
        root: Some(root),
    };
    let record = Verdict::Record(Marks {
        block: Some(asked),
        ..*marks
    });
    let Some(signed) = marks.block else {
        bounds.block.check(message, false)?;
        return Ok(record);
    };
    let rule = match slot.cmp(&signed.slot) {
        Ordering::Greater => {
            bounds.block.check(message, true)?;
            return Ok(record);
        }
        Ordering::Equal if asked == signed => return Ok(Verdict::Repeat),
        Ordering::Equal => Rule::DoubleProposal,
        Ordering::Less => Rule::SlotBelow,
    };
    Err(Refused::Conflict {
        rule,
        asked: message,
        root,
        signed: SlashableMessage::Block(signed.slot),
        signed_root: signed.root,
    })
}

fn check_vote(
    marks: &Marks,
    bounds: &Bounds,
    source: Epoch,
    target: Epoch,
    root: Root,
) -> Result<Verdict, Refused> {
    let message = SlashableMessage::Vote(source, target);
    let asked = VoteMark {
        source,
        target,
        root: Some(root),
    };
    let record = Verdict::Record(Marks {
        vote: Some(asked),
        ..*marks
    });
    if source > target {
        return Err(Refused::SourceAfterTarget(message));
    }
    let Some(signed) = marks.vote else {
        bounds.vote.check(message, false)?;
        return Ok(record);
    };
    let rule = match (target.cmp(&signed.target), source.cmp(&signed.source)) {
        (Ordering::Greater, Ordering::Greater | Ordering::Equal) => {
            bounds.vote.check(message, true)?;
            return Ok(record);
        }
        (Ordering::Greater, Ordering::Less) => Rule::Surrounding,
        (Ordering::Equal, _) if asked == signed => return Ok(Verdict::Repeat),
        (Ordering::Equal, _) => Rule::DoubleVote,
        (Ordering::Less, Ordering::Greater) => Rule::Surrounded,
        (Ordering::Less, Ordering::Equal) => Rule::TargetBelow,
        (Ordering::Less, Ordering::Less) => Rule::SourceBelow,
    };
    Err(Refused::Conflict {
        rule,
        asked: message,
        root,
        signed: SlashableMessage::Vote(signed.source, signed.target),
        signed_root: signed.root,
    })
}

impl Position {
    /// Returns whether the message is after this position.
    pub(crate) fn is_before(self, message: SlashableMessage) -> bool {
        match message {
            SlashableMessage::Block(slot) => slot > self.slot,
            SlashableMessage::Vote(source, target) => source.max(target) > self.epoch,
        }
    }
}

impl Floor {
    /// Returns the lowest slot or epoch.
    pub(crate) fn lowest(self) -> u64 {
        match self {
            Self::Set(lowest) | Self::Clock(lowest) | Self::NewStore(lowest) => lowest,
        }
    }

    /// Returns whether the message is at or above the floor.
    pub(super) fn admits(self, message: SlashableMessage) -> bool {
        let asked = match (self, message) {
            (_, SlashableMessage::Block(slot)) => slot.0,
            (Self::Set(_), SlashableMessage::Vote(source, _)) => source.0,
            (Self::Clock(_) | Self::NewStore(_), SlashableMessage::Vote(_, target)) => target.0,
        };
        asked >= self.lowest()
    }

    /// Refuses a message below the floor.
    fn check(self, message: SlashableMessage, is_on_record: bool) -> Result<(), Refused> {
        let is_exempt = is_on_record && matches!(self, Self::Set(_));
        if is_exempt || self.admits(message) {
            Ok(())
        } else {
            Err(Refused::BelowFloor(message, self))
        }
    }
}

impl Marks {
    /// Merges two histories: the maximum of each number. A root is kept only with its own message; of
    /// two roots for one message, that of `self`.
    pub fn merge(self, other: Self) -> Self {
        let block = match (self.block, other.block) {
            (Some(mine), Some(theirs)) if theirs.slot > mine.slot => Some(theirs),
            (mine, theirs) => mine.or(theirs),
        };
        let vote = match (self.vote, other.vote) {
            (Some(mine), Some(theirs)) => Some(mine.merge(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        Self { block, vote }
    }
}

impl VoteMark {
    fn merge(self, other: Self) -> Self {
        let source = self.source.max(other.source);
        let target = self.target.max(other.target);
        for vote in [self, other] {
            if vote.source == source && vote.target == target {
                return vote;
            }
        }
        Self {
            source,
            target,
            root: None,
        }
    }
}

impl HighWatermark {
    fn stops(self, message: SlashableMessage) -> bool {
        match message {
            SlashableMessage::Block(slot) => slot >= self.slot,
            SlashableMessage::Vote(source, target) => source.max(target) >= self.epoch,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => f.write_str(
                "slashing protection is on: a bare signing root may belong to a block or a vote, whatever \
                 domain the request names; send the whole message with its \"type\", or run signerd with \
                 --slashing-protection-enabled=false",
            ),
            Self::OtherChain { asked, chain, expected } => write!(
                f,
                "{asked}: genesis_validators_root: got {chain}, but the chain of --network is {expected}"
            ),
            Self::DatabaseChain { asked, chain, expected } => write!(
                f,
                "{asked}: genesis_validators_root: got {chain}, but the slashing protection database is about \
                 the chain {expected}; each chain needs its own database"
            ),
            Self::Disabled(asked) => write!(
                f,
                "{asked}: this key is disabled in the slashing protection database, for all instances, since \
                 it was deleted on one of them; import it through the Keymanager API to enable it"
            ),
            Self::ManyChains(asked) => write!(
                f,
                "{asked}: this key has records on {CHAINS_PER_KEY_MAX} chains, all of them used within the \
                 last day; wait until one of them is older, or choose the chain with --network"
            ),
            Self::InFuture(asked, last) => write!(
                f,
                "{asked} is in the future: by clock and genesis time, nothing beyond slot {}, epoch {} is signed \
                 now; check the clocks of this host and of the validator client",
                last.slot, last.epoch
            ),
            Self::SourceAfterTarget(asked) => write!(f, "{asked}: the source is after the target"),
            Self::AboveHighWatermark(asked, HighWatermark { slot, epoch }) => {
                write!(f, "{asked} is at or above the high watermark: slot {slot}, epoch {epoch}")
            }
            Self::BelowFloor(asked, floor) => write_below_floor(f, *asked, *floor),
            Self::Conflict { rule, asked, root, signed, signed_root } => {
                write!(f, "EIP-3076 condition {rule}: asked for {asked} with signing root {root}; ")?;
                match signed_root {
                    Some(signed_root) => write!(f, "on record is {signed} with signing root {signed_root}"),
                    None => write!(f, "on record is {signed} with an unknown signing root"),
                }
            }
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

fn write_below_floor(
    f: &mut fmt::Formatter<'_>,
    asked: SlashableMessage,
    floor: Floor,
) -> fmt::Result {
    let (kind, option) = match asked {
        SlashableMessage::Block(_) => ("block", "--slashing-protection-min-slot"),
        SlashableMessage::Vote(..) => ("vote", "--slashing-protection-min-epoch"),
    };
    let lowest = floor.lowest();
    write!(f, "{asked} is below {lowest}, ")?;
    match floor {
        Floor::Set(_) => write!(
            f,
            "the floor for a key without a {kind} on record: it is set by {option}"
        ),
        Floor::Clock(_) => write!(
            f,
            "the floor: by clock and genesis time this is past; to set another floor, use {option}"
        ),
        Floor::NewStore(_) => write!(
            f,
            "the floor: the slashing protection store was made after the chain began, and what was signed \
             before is not known; to set another floor, use {option}"
        ),
    }
}

impl std::error::Error for Refused {}

impl From<Unavailable> for Refused {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slashing protection store: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DoubleProposal => "1, double proposal",
            Self::SlotBelow => "2, slot below the highest signed",
            Self::DoubleVote => "3, double vote",
            Self::Surrounding => "3, surrounding vote",
            Self::Surrounded => "3, surrounded vote",
            Self::SourceBelow => "4, source epoch below the highest signed",
            Self::TargetBelow => "5, target epoch below the highest signed",
        })
    }
}
