//! The decision, pure: what a key has signed before, and a new message → a [`Verdict`].
//!
//! The minimal form of EIP-3076: of everything a key signed only the highest slot, source epoch and
//! target epoch are kept, with the signing root where it is known. A key's marks never sink.
//! Condition numbers are those of the EIP's section "Conditions".

use std::cmp::Ordering;
use std::fmt;

use crate::consensus::primitives::{Epoch, Root, Slot};
pub use crate::consensus::slashable::Message;

/// The highest that one key has signed on one chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The block of the highest slot.
    pub block: Option<BlockMark>,
    /// The highest epochs of all votes.
    pub vote: Option<VoteMark>,
}

/// The highest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockMark {
    /// Its slot.
    pub slot: Slot,
    /// What was signed; `None` when it was imported, and is then never signed again.
    pub root: Option<Root>,
}

/// The highest epochs: those of the last vote, or of several when they were imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteMark {
    /// The highest source.
    pub source: Epoch,
    /// The highest target.
    pub target: Epoch,
    /// What was signed; `None` when it was imported, and is then never signed again.
    pub root: Option<Root>,
}

/// What holds for every key beside its own marks.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For a key without a block on record: the lowest slot.
    pub block: Floor,
    /// For a key without a vote on record: the lowest epoch.
    pub vote: Floor,
    /// The chain whose clock set these floors; `None`: not known, so any.
    pub chain: Option<Root>,
    /// Nothing at or above is signed.
    pub high: Option<HighWatermark>,
}

/// The lowest that a key signs of whose kind nothing is on record: a lost store signs no past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// An option sets it: a slot, or an epoch that a vote's source must reach, and so its target.
    Set(u64),
    /// Clock and genesis time set it: a slot, or an epoch that a vote's target must reach. Its source
    /// may be far older, on a chain that does not finalize.
    Clock(u64),
}

/// The line that nothing is signed at or above: it stops an old host while its keys move.
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
    /// Nothing: it is the very message that the mark stands for.
    Repeat,
    /// These marks must be on disk.
    Record(Marks),
}

/// Why a message is not signed. `Display` names the rule and both messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A bare root that may hide a block or a vote.
    Opaque,
    /// A vote whose source is after its target: no chain makes one.
    SourceAfterTarget(Message),
    /// At or above the high watermark.
    AboveHighWatermark(Message, HighWatermark),
    /// No message of its kind is on record for the key, and it is below the floor for such keys.
    BelowFloor(Message, Floor),
    /// In conflict with what the key has signed.
    Conflict {
        /// The condition of EIP-3076 and its name.
        rule: Rule,
        /// What is to be signed.
        asked: Message,
        /// Its signing root.
        root: Root,
        /// The mark on record.
        signed: Message,
        /// The mark's signing root, where it is known.
        signed_root: Option<Root>,
    },
    /// The record could not be written; the same request may pass later.
    Unavailable(Unavailable),
}

/// The store cannot be read or written, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// A condition of EIP-3076, and what breaks it.
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

/// Whether a key with these marks may sign `message`, whose signing root is `root`.
///
/// # Errors
/// [`Refused`], with the first rule that the message breaks.
pub fn check(
    marks: &Marks,
    bounds: &Bounds,
    message: Message,
    root: Root,
) -> Result<Verdict, Refused> {
    if let Some(high) = bounds.high.filter(|high| high.stops(message)) {
        return Err(Refused::AboveHighWatermark(message, high));
    }
    match message {
        Message::Block(slot) => check_block(marks, bounds, slot, root),
        Message::Vote(source, target) => check_vote(marks, bounds, source, target, root),
    }
}

fn check_block(marks: &Marks, bounds: &Bounds, slot: Slot, root: Root) -> Result<Verdict, Refused> {
    let asked = BlockMark {
        slot,
        root: Some(root),
    };
    let record = Ok(Verdict::Record(Marks {
        block: Some(asked),
        ..*marks
    }));
    let message = Message::Block(slot);
    let Some(signed) = marks.block else {
        return bounds.block.admit(message).and(record);
    };
    let rule = match slot.cmp(&signed.slot) {
        Ordering::Greater => return record,
        Ordering::Equal if asked == signed => return Ok(Verdict::Repeat),
        Ordering::Equal => Rule::DoubleProposal,
        Ordering::Less => Rule::SlotBelow,
    };
    let (signed, signed_root) = (Message::Block(signed.slot), signed.root);
    Err(Refused::Conflict {
        rule,
        asked: message,
        root,
        signed,
        signed_root,
    })
}

fn check_vote(
    marks: &Marks,
    bounds: &Bounds,
    source: Epoch,
    target: Epoch,
    root: Root,
) -> Result<Verdict, Refused> {
    let asked = VoteMark {
        source,
        target,
        root: Some(root),
    };
    let record = Ok(Verdict::Record(Marks {
        vote: Some(asked),
        ..*marks
    }));
    let message = Message::Vote(source, target);
    if source > target {
        return Err(Refused::SourceAfterTarget(message));
    }
    let Some(signed) = marks.vote else {
        return bounds.vote.admit(message).and(record);
    };
    let rule = match (target.cmp(&signed.target), source.cmp(&signed.source)) {
        (Ordering::Greater, Ordering::Greater | Ordering::Equal) => return record,
        (Ordering::Greater, Ordering::Less) => Rule::Surrounding,
        (Ordering::Equal, _) if asked == signed => return Ok(Verdict::Repeat),
        (Ordering::Equal, _) => Rule::DoubleVote,
        (Ordering::Less, Ordering::Greater) => Rule::Surrounded,
        (Ordering::Less, Ordering::Equal) => Rule::TargetBelow,
        (Ordering::Less, Ordering::Less) => Rule::SourceBelow,
    };
    let (signed, signed_root) = (Message::Vote(signed.source, signed.target), signed.root);
    Err(Refused::Conflict {
        rule,
        asked: message,
        root,
        signed,
        signed_root,
    })
}

impl Bounds {
    /// These bounds on one chain: the clock of another says nothing of it.
    pub fn on(self, chain: Root) -> Self {
        let free = |floor| {
            if matches!(floor, Floor::Clock(_)) {
                Floor::Set(0)
            } else {
                floor
            }
        };
        match self.chain.is_none_or(|own| own == chain) {
            true => self,
            false => Self {
                block: free(self.block),
                vote: free(self.vote),
                ..self
            },
        }
    }
}

impl Floor {
    /// The lowest slot or epoch.
    pub fn lowest(self) -> u64 {
        let (Self::Set(lowest) | Self::Clock(lowest)) = self;
        lowest
    }

    fn admit(self, message: Message) -> Result<(), Refused> {
        let asked = match (self, message) {
            (_, Message::Block(slot)) => slot.0,
            (Self::Set(_), Message::Vote(source, _)) => source.0,
            (Self::Clock(_), Message::Vote(_, target)) => target.0,
        };
        if asked >= self.lowest() {
            Ok(())
        } else {
            Err(Refused::BelowFloor(message, self))
        }
    }
}

impl Marks {
    /// Both histories in one: the maximum of each number. A root stays with the very message that
    /// it stands for; of two roots for one message, this one's.
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
        let (source, target) = (self.source.max(other.source), self.target.max(other.target));
        let highest = [self, other]
            .into_iter()
            .find(|vote| (vote.source, vote.target) == (source, target));
        highest.unwrap_or(Self {
            source,
            target,
            root: None,
        })
    }
}

impl HighWatermark {
    fn stops(self, message: Message) -> bool {
        match message {
            Message::Block(slot) => slot >= self.slot,
            Message::Vote(source, target) => source.max(target) >= self.epoch,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => f.write_str(
                "slashing protection is on: a bare root in the proposer's or attester's domain, or in none \
                 that was named, may hide a block or a vote; send the whole message with its \"type\"",
            ),
            Self::SourceAfterTarget(asked) => write!(f, "{asked}: the source is after the target"),
            Self::AboveHighWatermark(asked, HighWatermark { slot, epoch }) => {
                write!(f, "{asked} is at or above the high watermark: slot {slot}, epoch {epoch}")
            }
            Self::BelowFloor(asked, floor) => {
                let (kind, option) = match asked {
                    Message::Block(_) => ("block", "--slashing-protection-min-slot"),
                    Message::Vote(..) => ("vote", "--slashing-protection-min-epoch"),
                };
                let origin = match floor {
                    Floor::Set(_) => "it is set by",
                    Floor::Clock(_) => "clock and genesis time say that this is past; for another floor set",
                };
                let lowest = floor.lowest();
                write!(
                    f,
                    "{asked} is below {lowest}, the floor for a key without a {kind} on record: {origin} {option}"
                )
            }
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
