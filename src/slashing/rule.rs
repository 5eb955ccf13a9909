//! The decision, pure: what a key has signed before, and a new message → a [`Verdict`].
//!
//! The minimal form of EIP-3076: of everything a key signed only the highest slot, source epoch and
//! target epoch are kept, with the signing root where it is known. A key's marks never sink.
//! Condition numbers are those of the EIP's section "Conditions".

use std::cmp::Ordering;

use super::refused::{Refused, Rule};
use crate::consensus::primitives::{Epoch, Root, Slot};
use crate::consensus::slashable::Slashable;

/// The highest that one key has signed on one chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The block of the highest slot.
    pub block: Option<BlockMark>,
    /// The highest source and target of all votes.
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

/// The highest epochs of all votes: those of the last one, or of several when they were imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteMark {
    /// The highest source epoch.
    pub source: Epoch,
    /// The highest target epoch.
    pub target: Epoch,
    /// What was signed; `None` when it was imported, and is then never signed again.
    pub root: Option<Root>,
}

/// A message that can be slashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A block at this slot.
    Block(Slot),
    /// A vote from this source epoch to this target epoch.
    Vote(Epoch, Epoch),
}

/// What holds for every key beside its own marks.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A key without a block on record signs none below this slot.
    pub min_slot: Slot,
    /// A key without a vote on record signs none whose source is below this epoch.
    pub min_epoch: Epoch,
    /// Nothing at or above is signed.
    pub high: Option<HighWatermark>,
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

/// The chain and message to check, or `None` for what nobody is slashed for.
///
/// # Errors
/// [`Refused::Opaque`] for a bare root that may hide anything.
pub fn subject(slashable: &Slashable) -> Result<Option<(Root, Message)>, Refused> {
    match *slashable {
        Slashable::Never => Ok(None),
        Slashable::Opaque => Err(Refused::Opaque),
        Slashable::Block { genesis_validators_root, slot } => {
            Ok(Some((genesis_validators_root, Message::Block(slot))))
        }
        Slashable::Attestation { genesis_validators_root, source, target } => {
            Ok(Some((genesis_validators_root, Message::Vote(source, target))))
        }
    }
}

/// Whether a key with these marks may sign `message`, whose signing root is `root`.
///
/// # Errors
/// [`Refused`], with the first rule that the message breaks.
pub fn check(marks: &Marks, bounds: &Bounds, message: Message, root: Root) -> Result<Verdict, Refused> {
    if let Some(high) = bounds.high.filter(|high| high.stops(message)) {
        return Err(Refused::AboveHighWatermark(message, high));
    }
    let root = Some(root);
    match message {
        Message::Block(slot) => check_block(marks, bounds, BlockMark { slot, root }),
        Message::Vote(source, target) => check_vote(marks, bounds, VoteMark { source, target, root }),
    }
}

fn check_block(marks: &Marks, bounds: &Bounds, asked: BlockMark) -> Result<Verdict, Refused> {
    let record = Ok(Verdict::Record(Marks { block: Some(asked), ..*marks }));
    let Some(signed) = marks.block else {
        let below = asked.slot < bounds.min_slot;
        return if below { Err(Refused::SlotBelowFloor(asked.slot, bounds.min_slot)) } else { record };
    };
    let rule = match asked.slot.cmp(&signed.slot) {
        Ordering::Greater => return record,
        Ordering::Equal if asked == signed => return Ok(Verdict::Repeat),
        Ordering::Equal => Rule::DoubleProposal,
        Ordering::Less => Rule::SlotBelow,
    };
    Err(Refused::Conflict { rule, asked: asked.into(), signed: signed.into() })
}

fn check_vote(marks: &Marks, bounds: &Bounds, asked: VoteMark) -> Result<Verdict, Refused> {
    if asked.source > asked.target {
        return Err(Refused::SourceAfterTarget(asked.source, asked.target));
    }
    let record = Ok(Verdict::Record(Marks { vote: Some(asked), ..*marks }));
    let Some(signed) = marks.vote else {
        let below = asked.source < bounds.min_epoch;
        return if below { Err(Refused::SourceBelowFloor(asked.source, bounds.min_epoch)) } else { record };
    };
    let rule = match (asked.target.cmp(&signed.target), asked.source.cmp(&signed.source)) {
        (Ordering::Greater, Ordering::Greater | Ordering::Equal) => return record,
        (Ordering::Greater, Ordering::Less) => Rule::Surrounding,
        (Ordering::Equal, _) if asked == signed => return Ok(Verdict::Repeat),
        (Ordering::Equal, _) => Rule::DoubleVote,
        (Ordering::Less, Ordering::Greater) => Rule::Surrounded,
        (Ordering::Less, Ordering::Equal) => Rule::TargetBelow,
        (Ordering::Less, Ordering::Less) => Rule::SourceBelow,
    };
    Err(Refused::Conflict { rule, asked: asked.into(), signed: signed.into() })
}

impl Default for Bounds {
    fn default() -> Self {
        Self { min_slot: Slot(0), min_epoch: Epoch(0), high: None }
    }
}

impl Marks {
    /// Both histories in one: the maximum of each number. A root stays only with the very message
    /// that it stands for.
    pub fn merge(self, other: Self) -> Self {
        let block = match (self.block, other.block) {
            (Some(mine), Some(theirs)) => Some(if theirs.slot > mine.slot { theirs } else { mine }),
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
        let either = [self, other].into_iter().find(|vote| (vote.source, vote.target) == (source, target));
        either.unwrap_or(Self { source, target, root: None })
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

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Root = Root([1; 32]);
    const OTHER: Root = Root([2; 32]);

    fn verdict(marks: Marks, message: Message, root: Root) -> Result<(), Rule> {
        match check(&marks, &Bounds::default(), message, root) {
            Ok(_) => Ok(()),
            Err(Refused::Conflict { rule, .. }) => Err(rule),
            Err(refused) => panic!("{refused}"),
        }
    }

    #[test]
    fn after_a_block_at_slot_5() {
        let after = |root| Marks { block: Some(BlockMark { slot: Slot(5), root }), vote: None };
        for (case, known, slot, root, expected) in [
            ("the next slot", Some(OURS), 6, OTHER, Ok(())),
            ("a far slot", None, u64::MAX, OTHER, Ok(())),
            ("the same block again", Some(OURS), 5, OURS, Ok(())),
            ("another block of the slot", Some(OURS), 5, OTHER, Err(Rule::DoubleProposal)),
            ("any block of an imported slot", None, 5, OURS, Err(Rule::DoubleProposal)),
            ("a slot before", Some(OURS), 4, OTHER, Err(Rule::SlotBelow)),
            ("a slot before with the same root", Some(OURS), 0, OURS, Err(Rule::SlotBelow)),
        ] {
            assert_eq!(verdict(after(known), Message::Block(Slot(slot)), root), expected, "{case}");
        }
    }

    #[test]
    fn after_a_vote_from_epoch_2_to_4() {
        let after = |root| vote(2, 4, root);
        for (case, known, source, target, root, expected) in [
            ("the next target", Some(OURS), 2, 5, OTHER, Ok(())),
            ("the next source and target", Some(OURS), 3, 5, OTHER, Ok(())),
            ("source and target alike, as at genesis", None, 5, 5, OTHER, Ok(())),
            ("the same vote again", Some(OURS), 2, 4, OURS, Ok(())),
            ("another vote for the target", Some(OURS), 2, 4, OTHER, Err(Rule::DoubleVote)),
            ("any vote for an imported target", None, 2, 4, OURS, Err(Rule::DoubleVote)),
            ("the same target from another source", Some(OURS), 3, 4, OURS, Err(Rule::DoubleVote)),
            ("around it", Some(OURS), 1, 5, OTHER, Err(Rule::Surrounding)),
            ("inside of it", Some(OURS), 3, 3, OTHER, Err(Rule::Surrounded)),
            ("a target before", Some(OURS), 2, 3, OTHER, Err(Rule::TargetBelow)),
            ("source and target before", Some(OURS), 1, 3, OTHER, Err(Rule::SourceBelow)),
        ] {
            let message = Message::Vote(Epoch(source), Epoch(target));
            assert_eq!(verdict(after(known), message, root), expected, "{case}");
        }
    }

    #[test]
    fn a_key_without_a_record_starts_at_the_floor() {
        let bounds = Bounds { min_slot: Slot(64), min_epoch: Epoch(2), high: None };
        for (case, message, expected) in [
            ("block at the floor", Message::Block(Slot(64)), true),
            ("block below", Message::Block(Slot(63)), false),
            ("vote at the floor", Message::Vote(Epoch(2), Epoch(2)), true),
            ("vote whose source is below", Message::Vote(Epoch(1), Epoch(9)), false),
        ] {
            assert_eq!(check(&Marks::default(), &bounds, message, OURS).is_ok(), expected, "{case}");
        }
        let known = Marks { block: Some(BlockMark { slot: Slot(5), root: None }), vote: None };
        assert!(check(&known, &bounds, Message::Block(Slot(6)), OURS).is_ok(), "its own mark decides");
    }

    #[test]
    fn nothing_at_or_above_the_high_watermark_is_signed_not_even_again() {
        let high = Some(HighWatermark { slot: Slot(64), epoch: Epoch(2) });
        let bounds = Bounds { high, ..Bounds::default() };
        let marks = Marks { block: Some(BlockMark { slot: Slot(64), root: Some(OURS) }), vote: None };
        for (case, message, expected) in [
            ("block below", Message::Block(Slot(63)), true),
            ("block at it", Message::Block(Slot(64)), false),
            ("vote below", Message::Vote(Epoch(1), Epoch(1)), true),
            ("target at it", Message::Vote(Epoch(1), Epoch(2)), false),
        ] {
            assert_eq!(check(&Marks::default(), &bounds, message, OURS).is_ok(), expected, "{case}");
        }
        assert!(check(&marks, &bounds, Message::Block(Slot(64)), OURS).is_err(), "a repeat");
    }

    #[test]
    fn a_source_after_its_target_is_refused() {
        let refused = check(&Marks::default(), &Bounds::default(), Message::Vote(Epoch(3), Epoch(2)), OURS);
        assert_eq!(refused, Err(Refused::SourceAfterTarget(Epoch(3), Epoch(2))));
    }

    #[test]
    fn a_merge_is_the_maximum_and_keeps_a_root_only_with_its_own_message() {
        for (case, mine, theirs, merged) in [
            ("nothing", Marks::default(), vote(2, 4, None), vote(2, 4, None)),
            ("older", vote(2, 4, Some(OURS)), vote(1, 3, None), vote(2, 4, Some(OURS))),
            ("the same", vote(2, 4, Some(OURS)), vote(2, 4, None), vote(2, 4, Some(OURS))),
            ("newer", vote(2, 4, Some(OURS)), vote(2, 5, None), vote(2, 5, None)),
            ("surrounding", vote(2, 4, Some(OURS)), vote(1, 5, None), vote(2, 5, None)),
            ("surrounded", vote(2, 5, Some(OURS)), vote(3, 4, None), vote(3, 5, None)),
        ] {
            assert_eq!(mine.merge(theirs), merged, "{case}");
        }
    }

    #[test]
    fn a_refusal_names_the_condition_and_both_messages() {
        let marks = vote(2, 4, Some(OURS));
        let refused = check(&marks, &Bounds::default(), Message::Vote(Epoch(1), Epoch(5)), OTHER);
        let text = refused.expect_err("surrounding").to_string();
        for part in ["condition 3", "source epoch 1 to target epoch 5", "source epoch 2 to target epoch 4"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        assert!(text.contains(&OURS.to_string()) && text.contains(&OTHER.to_string()), "{text}");
    }

    fn vote(source: u64, target: u64, root: Option<Root>) -> Marks {
        let vote = VoteMark { source: Epoch(source), target: Epoch(target), root };
        Marks { block: None, vote: Some(vote) }
    }
}
