//! The rule as tables, and against a plain reference: everything a key ever signed, and the slashing
//! conditions written out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::Slashable;
use signerd::slashing::rule::{BlockMark, Bounds, Marks, Message, Rule, Verdict, VoteMark, check};
use signerd::slashing::{Floor, HighWatermark, Protection, Refused, Settings};

use crate::memory_disk::MemoryDisk;
use crate::random::Random;
use crate::scratch::Scratch;

const CHAIN: Root = Root([0xcc; 32]);
const OURS: Root = Root([1; 32]);
const FREE: Bounds = Bounds {
    block: Floor::Set(0),
    vote: Floor::Set(0),
    chain: Some(CHAIN),
    high: None,
};
const OTHER: Root = Root([2; 32]);

fn verdict(marks: Marks, message: Message, root: Root) -> Result<(), Rule> {
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
            verdict(after(known), Message::Block(Slot(slot)), root),
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
        let message = Message::Vote(Epoch(source), Epoch(target));
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
    let (at, below) = (Message::Block(Slot(64)), Message::Block(Slot(63)));
    let vote = |source, target| Message::Vote(Epoch(source), Epoch(target));
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
            Some("below 64, the floor for a key without a block on record: clock and genesis time"),
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
            Some("below 2, the floor for a key without a vote on record: clock and genesis time"),
        ),
        (
            "block on a chain that the clock is not of",
            clock.on(OTHER),
            below,
            None,
        ),
        (
            "vote on a chain that the clock is not of",
            clock.on(OTHER),
            vote(0, 0),
            None,
        ),
        (
            "block below on the clock's chain",
            clock.on(CHAIN),
            below,
            Some("clock and genesis time"),
        ),
        (
            "block below on any chain, when it is not known",
            Bounds {
                chain: None,
                ..clock
            }
            .on(OTHER),
            below,
            Some("clock"),
        ),
        (
            "block below on another chain than that of an option",
            set.on(OTHER),
            below,
            Some("set by"),
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
    let known = Marks {
        block: Some(BlockMark {
            slot: Slot(5),
            root: None,
        }),
        vote: None,
    };
    assert!(
        check(&known, &clock, Message::Block(Slot(6)), OURS).is_ok(),
        "its own mark decides"
    );
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
        ("block below", Message::Block(Slot(63)), true),
        ("block at it", Message::Block(Slot(64)), false),
        ("vote below", Message::Vote(Epoch(1), Epoch(1)), true),
        ("target at it", Message::Vote(Epoch(1), Epoch(2)), false),
    ] {
        assert_eq!(
            check(&Marks::default(), &bounds, message, OURS).is_ok(),
            expected,
            "{case}"
        );
    }
    assert!(
        check(&marks, &bounds, Message::Block(Slot(64)), OURS).is_err(),
        "a repeat"
    );
}

#[test]
fn a_source_after_its_target_is_refused() {
    let refused = check(
        &Marks::default(),
        &FREE,
        Message::Vote(Epoch(3), Epoch(2)),
        OURS,
    );
    assert_eq!(
        refused,
        Err(Refused::SourceAfterTarget(Message::Vote(
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
    let refused = check(&marks, &FREE, Message::Vote(Epoch(1), Epoch(5)), OTHER);
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

/// A signed message; an imported one has no root.
type Signed = (Message, Option<Root>);

/// Slashable offences of the consensus specification: `process_proposer_slashing` and
/// `is_slashable_attestation_data`. A message without a root may be any of its slot or target.
pub(crate) fn is_slashable(one: &Signed, other: &Signed) -> bool {
    let same = one == other && one.1.is_some();
    match (one.0, other.0) {
        (Message::Block(one), Message::Block(other)) => one == other && !same,
        (Message::Vote(source, target), Message::Vote(other_source, other_target)) => {
            let double = target == other_target && !same;
            let surrounds = source < other_source && other_target < target;
            let surrounded = other_source < source && target < other_target;
            double || surrounds || surrounded
        }
        (Message::Block(_), Message::Vote(..)) | (Message::Vote(..), Message::Block(_)) => false,
    }
}

/// What minimal protection must refuse, slashable or not: it does not know what lies below.
fn is_below_the_highest(history: &[Signed], message: Message) -> bool {
    history.iter().any(|(signed, _)| match (*signed, message) {
        (Message::Block(signed), Message::Block(slot)) => slot <= signed,
        (Message::Vote(signed_source, signed_target), Message::Vote(source, target)) => {
            target <= signed_target || source < signed_source
        }
        (Message::Block(_), Message::Vote(..)) | (Message::Vote(..), Message::Block(_)) => false,
    })
}

/// Compares one verdict with the reference; a message that passed becomes history.
fn compare(history: &mut Vec<Signed>, message: Message, root: Root, passed: bool) {
    let asked = (message, Some(root));
    let valid = !matches!(message, Message::Vote(source, target) if source > target);
    // The very message again adds nothing that is not out already, whatever was imported since.
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

/// Few slots, epochs and roots, so that conflicts are frequent.
pub(crate) fn any_message(random: &mut Random) -> (Message, Root) {
    let message = match random.below(2) {
        0 => Message::Block(Slot(random.below(6))),
        _ => Message::Vote(Epoch(random.below(6)), Epoch(random.below(6))),
    };
    (message, Root([u8::from(random.below(3) == 0); 32]))
}

pub(crate) fn slashable(message: Message) -> Slashable {
    Slashable::On(CHAIN, message)
}

fn marks_of(message: Message) -> Marks {
    match message {
        Message::Block(slot) => Marks {
            block: Some(BlockMark { slot, root: None }),
            vote: None,
        },
        Message::Vote(source, target) => Marks {
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
                // What another signer signed: true, whatever it is.
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
fn thousands_of_random_histories_through_the_store_hold_no_slashable_pair() {
    let scratch = Scratch::new();
    let disk = MemoryDisk::default();
    let protection = Protection::open_on(Box::new(disk), &scratch.settings()).unwrap();
    thread::scope(|scope| {
        for number in 0..8u8 {
            let protection = &protection;
            scope.spawn(move || {
                let mut random = Random::new(u64::from(number));
                for sequence in 0..500u16 {
                    let mut key = PublicKey([number; 48]);
                    key.0[..2].copy_from_slice(&sequence.to_le_bytes());
                    let mut history = Vec::new();
                    for _ in 0..8 {
                        let (message, root) = any_message(&mut random);
                        let cleared = protection.clear(&key, &slashable(message), root);
                        assert!(
                            !matches!(cleared, Err(Refused::Unavailable(_))),
                            "{cleared:?}"
                        );
                        compare(&mut history, message, root, cleared.is_ok());
                    }
                }
            });
        }
    });
    let (permitted, prevented) = protection.counters();
    assert_eq!(permitted + prevented, 8 * 500 * 8);
}

#[test]
fn of_conflicting_requests_at_the_same_time_exactly_one_is_cleared() {
    const THREADS: u8 = 16;
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let together = Barrier::new(usize::from(THREADS));
    let mut cleared = BTreeMap::<u64, u32>::new();
    thread::scope(|scope| {
        let rivals: Vec<_> = (0..THREADS)
            .map(|number| {
                let (protection, together) = (&protection, &together);
                scope.spawn(move || {
                    let mut won = Vec::new();
                    for slot in 0..50 {
                        together.wait();
                        let block = slashable(Message::Block(Slot(slot)));
                        if protection
                            .clear(&PublicKey([1; 48]), &block, Root([number; 32]))
                            .is_ok()
                        {
                            won.push(slot);
                        }
                    }
                    won
                })
            })
            .collect();
        for slot in rivals.into_iter().flat_map(|rival| rival.join().unwrap()) {
            *cleared.entry(slot).or_default() += 1;
        }
    });
    assert_eq!(cleared, (0..50).map(|slot| (slot, 1)).collect());
}

#[test]
fn what_was_signed_is_known_after_a_restart() {
    let scratch = Scratch::new();
    let key = PublicKey([1; 48]);
    let high = HighWatermark {
        slot: Slot(100),
        epoch: Epoch(3),
    };
    let open = || scratch.open().unwrap();
    let protection = open();
    protection
        .clear(&key, &slashable(Message::Vote(Epoch(1), Epoch(2))), OURS)
        .unwrap();
    protection.set_high_watermark(Some(high)).unwrap();
    drop(protection);
    let protection = open();
    assert!(protection.knows(&key) && !protection.knows(&PublicKey([2; 48])));
    protection
        .clear(&key, &slashable(Message::Vote(Epoch(1), Epoch(2))), OURS)
        .expect("the same again");
    protection
        .clear(&key, &slashable(Message::Vote(Epoch(1), Epoch(2))), OTHER)
        .expect_err("a double vote");
    assert_eq!(protection.high_watermark(), Some(high));
    protection
        .clear(&key, &slashable(Message::Vote(Epoch(2), Epoch(3))), OURS)
        .expect_err("too high");
    protection.set_high_watermark(None).unwrap();
    protection
        .clear(&key, &slashable(Message::Vote(Epoch(2), Epoch(3))), OURS)
        .expect("the line is gone");
    drop(protection);
    assert_eq!(open().high_watermark(), None);
}

#[test]
fn only_what_can_be_slashed_is_checked_and_counted() {
    let scratch = Scratch::new();
    let settings = Settings {
        block_floor: Floor::Set(10),
        ..scratch.settings()
    };
    let on = Protection::open(&settings).unwrap();
    let key = PublicKey([1; 48]);
    for (case, slashable, protected) in [
        ("a selection proof", Slashable::Never, true),
        ("a bare root", Slashable::Opaque, false),
        (
            "a block below the floor",
            slashable(Message::Block(Slot(9))),
            false,
        ),
        (
            "a block at the floor",
            slashable(Message::Block(Slot(10))),
            true,
        ),
    ] {
        assert_eq!(
            on.clear(&key, &slashable, OURS).is_ok(),
            protected,
            "{case}"
        );
        assert!(
            Protection::Off.clear(&key, &slashable, OURS).is_ok(),
            "{case} without protection"
        );
    }
    assert_eq!(on.counters(), (1, 2));
}
