//! The rule as tables, and against a plain reference: everything a key ever signed, and the slashing
//! conditions written out.

#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

use super::{
    BlockMark, Bounds, Floor, Marks, Position, Rule, SlashableMessage, Verdict, VoteMark, check,
};
use super::{HighWatermark, Refused, Unavailable};
use crate::consensus::primitives::{Epoch, Root, Slot};
use crate::testing::random::Random;
use crate::testing::slashing_reference::{Signed, any_message, is_slashable};

const OURS: Root = Root([1; 32]);
const FREE: Bounds = Bounds {
    block: Floor::Set(0),
    vote: Floor::Set(0),
    future: None,
    high: None,
};
const OTHER: Root = Root([2; 32]);

fn verdict(marks: Marks, message: SlashableMessage, root: Root) -> Result<(), Rule> {
    match check(&marks, &FREE, message, root) {
        Ok(_) => Ok(()),
        Err(Refused::Conflict { rule, .. }) => Err(rule),
        Err(refused) => panic!("{refused}"),
    }
}

#[test]
fn after_a_block_at_slot_5() {
    let after = |root| Marks {
        block: Some(BlockMark {
            slot: Slot(5),
            root,
        }),
        vote: None,
    };
    for (case, known, slot, root, expected) in [
        ("the next slot", Some(OURS), 6, OTHER, Ok(())),
        ("a far slot", None, u64::MAX, OTHER, Ok(())),
        ("the same block again", Some(OURS), 5, OURS, Ok(())),
        (
            "another block of the slot",
            Some(OURS),
            5,
            OTHER,
            Err(Rule::DoubleProposal),
        ),
        (
            "any block of an imported slot",
            None,
            5,
            OURS,
            Err(Rule::DoubleProposal),
        ),
        ("a slot before", Some(OURS), 4, OTHER, Err(Rule::SlotBelow)),
        (
            "a slot before with the same root",
            Some(OURS),
            0,
            OURS,
            Err(Rule::SlotBelow),
        ),
    ] {
        assert_eq!(
            verdict(after(known), SlashableMessage::Block(Slot(slot)), root),
            expected,
            "{case}"
        );
    }
}

#[test]
fn after_a_vote_from_epoch_2_to_4() {
    for (case, known, source, target, root, expected) in [
        ("the next target", Some(OURS), 2, 5, OTHER, Ok(())),
        (
            "the next source and target",
            Some(OURS),
            3,
            5,
            OTHER,
            Ok(()),
        ),
        (
            "source and target alike, as at genesis",
            None,
            5,
            5,
            OTHER,
            Ok(()),
        ),
        ("the same vote again", Some(OURS), 2, 4, OURS, Ok(())),
        (
            "another vote for the target",
            Some(OURS),
            2,
            4,
            OTHER,
            Err(Rule::DoubleVote),
        ),
        (
            "any vote for an imported target",
            None,
            2,
            4,
            OURS,
            Err(Rule::DoubleVote),
        ),
        (
            "the same target from another source",
            Some(OURS),
            3,
            4,
            OURS,
            Err(Rule::DoubleVote),
        ),
        ("around it", Some(OURS), 1, 5, OTHER, Err(Rule::Surrounding)),
        (
            "inside of it",
            Some(OURS),
            3,
            3,
            OTHER,
            Err(Rule::Surrounded),
        ),
        (
            "a target before",
            Some(OURS),
            2,
            3,
            OTHER,
            Err(Rule::TargetBelow),
        ),
        (
            "source and target before",
            Some(OURS),
            1,
            3,
            OTHER,
            Err(Rule::SourceBelow),
        ),
    ] {
        let message = SlashableMessage::Vote(Epoch(source), Epoch(target));
        assert_eq!(
            verdict(vote(2, 4, known), message, root),
            expected,
            "{case}"
        );
    }
}

#[test]
fn a_key_without_a_record_starts_at_the_floor() {
    let set = Bounds {
        block: Floor::Set(64),
        vote: Floor::Set(2),
        ..FREE
    };
    let clock = Bounds {
        block: Floor::Clock(64),
        vote: Floor::Clock(2),
        ..FREE
    };
    let (at, below) = (
        SlashableMessage::Block(Slot(64)),
        SlashableMessage::Block(Slot(63)),
    );
    let vote = |source, target| SlashableMessage::Vote(Epoch(source), Epoch(target));
    for (case, bounds, message, refused_for) in [
        ("block at the floor", set, at, None),
        (
            "block below",
            set,
            below,
            Some(
                "below 64, the floor for a key without a block on record: it is set by --slashing-protection-min-slot",
            ),
        ),
        ("vote at the floor", set, vote(2, 2), None),
        (
            "vote whose source is below",
            set,
            vote(1, 9),
            Some(
                "below 2, the floor for a key without a vote on record: it is set by --slashing-protection-min-epoch",
            ),
        ),
        ("block at the clock's floor", clock, at, None),
        (
            "block below the clock's",
            clock,
            below,
            Some("below 64, the floor: by clock and genesis time this is past"),
        ),
        (
            "vote at the clock's floor from an old source, without finality",
            clock,
            vote(0, 2),
            None,
        ),
        (
            "vote whose target is below the clock's",
            clock,
            vote(1, 1),
            Some("below 2, the floor: by clock and genesis time this is past"),
        ),
    ] {
        let text = check(&Marks::default(), &bounds, message, OURS)
            .err()
            .map(|refused| refused.to_string());
        let expected = text
            .as_ref()
            .zip(refused_for)
            .is_some_and(|(text, part)| text.contains(part));
        assert!(
            expected || text.is_none() && refused_for.is_none(),
            "{case}: {text:?}"
        );
    }
}

#[test]
fn a_record_however_old_does_not_switch_the_floor_of_the_clock_off() {
    let known = Marks {
        block: Some(BlockMark {
            slot: Slot(5),
            root: Some(OURS),
        }),
        vote: Some(VoteMark {
            source: Epoch(0),
            target: Epoch(1),
            root: Some(OURS),
        }),
    };
    let block = |slot| SlashableMessage::Block(Slot(slot));
    let vote = |target| SlashableMessage::Vote(Epoch(0), Epoch(target));
    let clock = Bounds {
        block: Floor::Clock(64),
        vote: Floor::Clock(8),
        ..FREE
    };
    let new_store = Bounds {
        block: Floor::NewStore(64),
        vote: Floor::NewStore(8),
        ..FREE
    };
    let set = Bounds {
        block: Floor::Set(64),
        vote: Floor::Set(8),
        ..FREE
    };
    for (case, bounds, message, passes) in [
        ("clock: a block below", clock, block(63), false),
        ("clock: a block at it", clock, block(64), true),
        ("clock: the same block again", clock, block(5), true),
        ("clock: a vote below", clock, vote(7), false),
        ("clock: a vote at it", clock, vote(8), true),
        ("clock: the same vote again", clock, vote(1), true),
        ("new store: a block below", new_store, block(63), false),
        ("new store: a block at it", new_store, block(64), true),
        ("new store: a vote below", new_store, vote(7), false),
        ("new store: a vote at it", new_store, vote(8), true),
        (
            "an option is for keys without a record",
            set,
            block(6),
            true,
        ),
        ("an option is for keys without a record", set, vote(2), true),
    ] {
        let checked = check(&known, &bounds, message, OURS);
        assert_eq!(checked.is_ok(), passes, "{case}: {checked:?}");
    }
}

#[test]
fn beyond_the_near_future_nothing_is_signed_whatever_is_on_record() {
    let future = Some(Position {
        slot: Slot(80),
        epoch: Epoch(10),
    });
    let bounds = Bounds { future, ..FREE };
    let far = Marks {
        block: Some(BlockMark {
            slot: Slot(81),
            root: Some(OURS),
        }),
        vote: Some(VoteMark {
            source: Epoch(0),
            target: Epoch(11),
            root: Some(OURS),
        }),
    };
    for marks in [Marks::default(), far] {
        for message in [
            SlashableMessage::Block(Slot(81)),
            SlashableMessage::Block(Slot(u64::MAX)),
            SlashableMessage::Vote(Epoch(0), Epoch(11)),
            SlashableMessage::Vote(Epoch(u64::MAX), Epoch(u64::MAX)),
        ] {
            let refused = check(&marks, &bounds, message, OURS).expect_err("far ahead");
            let text = refused.to_string();
            assert!(text.contains("in the future"), "{text}");
            assert!(text.contains("slot 80, epoch 10"), "{text}");
        }
    }
    for message in [
        SlashableMessage::Block(Slot(80)),
        SlashableMessage::Vote(Epoch(0), Epoch(10)),
    ] {
        check(&Marks::default(), &bounds, message, OURS).expect("it is near");
    }
}

#[test]
fn nothing_at_or_above_the_high_watermark_is_signed_not_even_again() {
    let high = Some(HighWatermark {
        slot: Slot(64),
        epoch: Epoch(2),
    });
    let bounds = Bounds { high, ..FREE };
    let marks = Marks {
        block: Some(BlockMark {
            slot: Slot(64),
            root: Some(OURS),
        }),
        vote: None,
    };
    for (case, message, expected) in [
        ("block below", SlashableMessage::Block(Slot(63)), true),
        ("block at it", SlashableMessage::Block(Slot(64)), false),
        (
            "vote below",
            SlashableMessage::Vote(Epoch(1), Epoch(1)),
            true,
        ),
        (
            "target at it",
            SlashableMessage::Vote(Epoch(1), Epoch(2)),
            false,
        ),
    ] {
        assert_eq!(
            check(&Marks::default(), &bounds, message, OURS).is_ok(),
            expected,
            "{case}"
        );
    }
    assert!(
        check(&marks, &bounds, SlashableMessage::Block(Slot(64)), OURS).is_err(),
        "a repeat"
    );
}

#[test]
fn a_source_after_its_target_is_refused() {
    let refused = check(
        &Marks::default(),
        &FREE,
        SlashableMessage::Vote(Epoch(3), Epoch(2)),
        OURS,
    );
    assert_eq!(
        refused,
        Err(Refused::SourceAfterTarget(SlashableMessage::Vote(
            Epoch(3),
            Epoch(2)
        )))
    );
}

#[test]
fn a_merge_is_the_maximum_and_keeps_a_root_only_with_its_own_message() {
    for (case, mine, theirs, merged) in [
        (
            "nothing",
            Marks::default(),
            vote(2, 4, None),
            vote(2, 4, None),
        ),
        (
            "older",
            vote(2, 4, Some(OURS)),
            vote(1, 3, None),
            vote(2, 4, Some(OURS)),
        ),
        (
            "the same",
            vote(2, 4, Some(OURS)),
            vote(2, 4, None),
            vote(2, 4, Some(OURS)),
        ),
        (
            "newer",
            vote(2, 4, Some(OURS)),
            vote(2, 5, None),
            vote(2, 5, None),
        ),
        (
            "surrounding",
            vote(2, 4, Some(OURS)),
            vote(1, 5, None),
            vote(2, 5, None),
        ),
        (
            "surrounded",
            vote(2, 5, Some(OURS)),
            vote(3, 4, None),
            vote(3, 5, None),
        ),
    ] {
        assert_eq!(mine.merge(theirs), merged, "{case}");
    }
}

#[test]
fn a_refusal_names_the_condition_and_both_messages() {
    let marks = vote(2, 4, Some(OURS));
    let refused = check(
        &marks,
        &FREE,
        SlashableMessage::Vote(Epoch(1), Epoch(5)),
        OTHER,
    );
    let text = refused.expect_err("surrounding").to_string();
    for part in [
        "condition 3",
        "source epoch 1 to target epoch 5",
        "source epoch 2 to target epoch 4",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(
        text.contains(&OURS.to_string()) && text.contains(&OTHER.to_string()),
        "{text}"
    );
}

fn vote(source: u64, target: u64, root: Option<Root>) -> Marks {
    let vote = VoteMark {
        source: Epoch(source),
        target: Epoch(target),
        root,
    };
    Marks {
        block: None,
        vote: Some(vote),
    }
}

/// What minimal protection must refuse, slashable or not: it does not know what lies below.
fn is_below_the_highest(history: &[Signed], message: SlashableMessage) -> bool {
    history.iter().any(|(signed, _)| match (*signed, message) {
        (SlashableMessage::Block(signed), SlashableMessage::Block(slot)) => slot <= signed,
        (
            SlashableMessage::Vote(signed_source, signed_target),
            SlashableMessage::Vote(source, target),
        ) => target <= signed_target || source < signed_source,
        (SlashableMessage::Block(_), SlashableMessage::Vote(..))
        | (SlashableMessage::Vote(..), SlashableMessage::Block(_)) => false,
    })
}

/// Compares one verdict with the reference; a message that passed becomes history.
pub(crate) fn compare(
    history: &mut Vec<Signed>,
    message: SlashableMessage,
    root: Root,
    passed: bool,
) {
    let asked = (message, Some(root));
    let valid = !matches!(message, SlashableMessage::Vote(source, target) if source > target);
    // Signing the same message again reveals nothing new, whatever was imported since.
    let repeat = history.contains(&asked);
    let reference = valid && (repeat || !history.iter().any(|signed| is_slashable(signed, &asked)));
    assert!(reference || !passed, "signed {asked:?} after {history:?}");
    let known = is_below_the_highest(history, message);
    assert!(
        passed || !reference || known,
        "refused {asked:?} after {history:?}"
    );
    if passed && !repeat {
        history.push(asked);
    }
}

fn marks_of(message: SlashableMessage) -> Marks {
    match message {
        SlashableMessage::Block(slot) => Marks {
            block: Some(BlockMark { slot, root: None }),
            vote: None,
        },
        SlashableMessage::Vote(source, target) => Marks {
            block: None,
            vote: Some(VoteMark {
                source,
                target,
                root: None,
            }),
        },
    }
}

#[test]
fn a_million_random_histories_hold_no_slashable_pair() {
    let mut random = Random::new(3076);
    let (mut passed, mut repeated) = (0u32, 0u32);
    for _ in 0..1_000_000 {
        let (mut marks, mut history) = (Marks::default(), Vec::new());
        for _ in 0..8 {
            let (message, root) = any_message(&mut random);
            if random.below(16) == 0 {
                // An import: another signer has signed this message, right or wrong.
                marks = marks.merge(marks_of(message));
                history.push((message, None));
                continue;
            }
            let verdict = check(&marks, &FREE, message, root);
            compare(&mut history, message, root, verdict.is_ok());
            match verdict {
                Ok(Verdict::Record(new)) => (marks, passed) = (new, passed + 1),
                Ok(Verdict::Repeat) => repeated += 1,
                Err(_) => {}
            }
        }
    }
    assert!(
        passed > 1_000_000 && repeated > 10_000,
        "passed {passed}, repeated {repeated}"
    );
}

#[test]
fn of_two_roots_for_one_block_the_first_stays() {
    let mark = |slot, root| Marks {
        block: Some(BlockMark {
            slot: Slot(slot),
            root: Some(Root([root; 32])),
        }),
        vote: None,
    };
    for (mine, theirs, merged) in [
        (mark(5, 1), mark(5, 2), mark(5, 1)),
        (mark(5, 1), mark(6, 2), mark(6, 2)),
        (mark(5, 1), mark(4, 2), mark(5, 1)),
        (mark(5, 1), Marks::default(), mark(5, 1)),
        (Marks::default(), mark(5, 2), mark(5, 2)),
    ] {
        assert_eq!(mine.merge(theirs), merged);
    }
}

#[test]
fn a_store_that_is_not_available_says_why() {
    let unavailable = Unavailable("the disk is full".to_owned());
    assert!(unavailable.to_string().contains("the disk is full"));
}
