//! The rule as tables, and against a plain reference: everything a key ever signed, and the slashing
//! conditions written out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use signerd::consensus::network::SlotTimes;
use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::Slashable;
use signerd::slashing::rule::{
    BlockMark, Bounds, Marks, Position, Rule, SlashableMessage, Verdict, VoteMark, check,
};
use signerd::slashing::{
    ChainClock, Floor, HighWatermark, Protection, ProtectionSettings, Refused, StoreCommit,
    StoreObserver,
};

use crate::memory_disk::MemoryDisk;
use crate::random::Random;
use crate::scratch::Scratch;

const CHAIN: Root = Root([0xcc; 32]);
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

/// A signed message; an imported one has no root.
type Signed = (SlashableMessage, Option<Root>);

/// Slashable offences of the consensus specification: `process_proposer_slashing` and
/// `is_slashable_attestation_data`. A message without a root may be any of its slot or target.
pub(crate) fn is_slashable(one: &Signed, other: &Signed) -> bool {
    let same = one == other && one.1.is_some();
    match (one.0, other.0) {
        (SlashableMessage::Block(one), SlashableMessage::Block(other)) => one == other && !same,
        (
            SlashableMessage::Vote(source, target),
            SlashableMessage::Vote(other_source, other_target),
        ) => {
            let double = target == other_target && !same;
            let surrounds = source < other_source && other_target < target;
            let surrounded = other_source < source && target < other_target;
            double || surrounds || surrounded
        }
        (SlashableMessage::Block(_), SlashableMessage::Vote(..))
        | (SlashableMessage::Vote(..), SlashableMessage::Block(_)) => false,
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
fn compare(history: &mut Vec<Signed>, message: SlashableMessage, root: Root, passed: bool) {
    let asked = (message, Some(root));
    let valid = !matches!(message, SlashableMessage::Vote(source, target) if source > target);
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
pub(crate) fn any_message(random: &mut Random) -> (SlashableMessage, Root) {
    let message = match random.below(2) {
        0 => SlashableMessage::Block(Slot(random.below(6))),
        _ => SlashableMessage::Vote(Epoch(random.below(6)), Epoch(random.below(6))),
    };
    (message, Root([u8::from(random.below(3) == 0); 32]))
}

pub(crate) fn slashable(message: SlashableMessage) -> Slashable {
    Slashable::On(CHAIN, message)
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

/// Slots and epochs of a second; the present is 4, so that 0 to 6 may be signed.
const CLOCK: ChainClock = ChainClock {
    times: SlotTimes {
        genesis_time_seconds: 1_000,
        slot_ms: 1_000,
        slots_per_epoch: 1,
    },
    now_seconds: || 1_004,
};
const LAST_SIGNED: u64 = 6;

/// An interchange file with this one message.
fn interchange(chain: Root, key: PublicKey, message: SlashableMessage) -> String {
    let (blocks, votes) = match message {
        SlashableMessage::Block(slot) => (format!(r#"{{"slot":"{slot}"}}"#), String::new()),
        SlashableMessage::Vote(source, target) => (
            String::new(),
            format!(r#"{{"source_epoch":"{source}","target_epoch":"{target}"}}"#),
        ),
    };
    format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{chain}"}},
        "data":[{{"pubkey":"{key}","signed_blocks":[{blocks}],"signed_attestations":[{votes}]}}]}}"#
    )
}

/// A message, and whether it is too far in the future.
fn any_message_with_some_in_the_future(random: &mut Random) -> (SlashableMessage, Root, bool) {
    let (message, root) = match any_message(random) {
        (SlashableMessage::Block(_), root) => {
            (SlashableMessage::Block(Slot(random.below(9))), root)
        }
        (SlashableMessage::Vote(..), root) => {
            let source = Epoch(random.below(9));
            (SlashableMessage::Vote(source, Epoch(random.below(9))), root)
        }
    };
    let is_far = match message {
        SlashableMessage::Block(slot) => slot.0 > LAST_SIGNED,
        SlashableMessage::Vote(source, target) => source.max(target).0 > LAST_SIGNED,
    };
    (message, root, is_far)
}

#[test]
fn of_120_000_random_requests_and_imports_on_two_chains_none_differs_from_the_full_history() {
    const THREADS: u8 = 40;
    const KEYS: u16 = 150;
    const CHAINS: [Root; 2] = [CHAIN, Root([0xdd; 32])];
    let scratch = Scratch::new();
    let disk = MemoryDisk::default();
    let settings = ProtectionSettings {
        clock: Some(CLOCK),
        ..scratch.settings()
    };
    let protection = Protection::open_on(Box::new(disk), &settings).unwrap();
    let one_thread = |number: u8| {
        let mut random = Random::new(u64::from(number));
        let (mut requests, mut imports) = (0, 0);
        for sequence in 0..KEYS {
            let mut key = PublicKey([number; 48]);
            key.0[..2].copy_from_slice(&sequence.to_le_bytes());
            let mut histories = [Vec::new(), Vec::new()];
            for _ in 0..20 {
                let at = usize::from(random.below(2) == 0);
                let (message, root, is_far) = any_message_with_some_in_the_future(&mut random);
                if random.below(16) == 0 {
                    let file = interchange(CHAINS[at], key, message);
                    let imported = protection.import(&file);
                    assert_eq!(imported.is_err(), is_far, "{message:?}: {imported:?}");
                    if !is_far {
                        histories[at].push((message, None));
                    }
                    imports += 1;
                    continue;
                }
                let cleared = protection.clear(&key, &Slashable::On(CHAINS[at], message), root);
                requests += 1;
                if is_far {
                    let refused = cleared.expect_err("too far in the future");
                    assert!(matches!(refused, Refused::InFuture(..)), "{refused}");
                } else {
                    compare(&mut histories[at], message, root, cleared.is_ok());
                }
            }
        }
        (requests, imports)
    };
    let counts: Vec<(u32, u32)> = thread::scope(|scope| {
        let one_thread = &one_thread;
        let threads: Vec<_> = (0..THREADS)
            .map(|number| scope.spawn(move || one_thread(number)))
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.collect()
    });
    let requests: u32 = counts.iter().map(|(requests, _)| requests).sum();
    let imports: u32 = counts.iter().map(|(_, imports)| imports).sum();
    assert_eq!(requests + imports, 120_000);
    assert!(imports > 5_000, "{imports} imports");
    let (permitted, prevented) = protection.counters();
    assert_eq!(permitted + prevented, u64::from(requests));
    assert!(permitted > 10_000, "{permitted} permitted");
}

#[test]
fn the_chain_that_a_key_has_not_used_for_longest_makes_room_but_never_one_of_the_last_day() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    const DAY: u64 = 86_400;
    let clock = ChainClock {
        // So slow that all of this is in its first epoch.
        times: SlotTimes {
            genesis_time_seconds: 0,
            slot_ms: 1_000_000_000_000,
            slots_per_epoch: 8,
        },
        now_seconds: || NOW.load(Ordering::Relaxed),
    };
    let scratch = Scratch::new();
    let settings = ProtectionSettings {
        clock: Some(clock),
        ..scratch.settings()
    };
    let protection = Protection::open(&settings).unwrap();
    let key = PublicKey([1; 48]);
    let block = |chain, slot| Slashable::On(Root([chain; 32]), SlashableMessage::Block(Slot(slot)));
    // Chain 1 is used again on the last day; chain 2 is then the one unused for longest.
    for chain in 1..=16 {
        NOW.store(10 * DAY + u64::from(chain), Ordering::Relaxed);
        protection.clear(&key, &block(chain, 1), OURS).unwrap();
    }
    NOW.store(11 * DAY + 1, Ordering::Relaxed);
    protection.clear(&key, &block(1, 2), OURS).unwrap();
    let refused = protection.clear(&key, &block(17, 1), OURS).unwrap_err();
    assert!(matches!(refused, Refused::ManyChains(_)), "{refused}");
    NOW.store(11 * DAY + 3, Ordering::Relaxed);
    protection.clear(&key, &block(17, 1), OURS).unwrap();
    let chains = || {
        let marks = protection.marks(Some(&[key])).unwrap();
        let mut chains: Vec<_> = marks.iter().map(|(_, chain, _)| chain.0[0]).collect();
        chains.sort_unstable();
        chains
    };
    let expected: Vec<u8> = (1..=17).filter(|chain| *chain != 2).collect();
    assert_eq!(chains(), expected);
    // Chain 3 was used at this very second a day ago.
    let refused = protection.clear(&key, &block(18, 1), OURS).unwrap_err();
    assert!(matches!(refused, Refused::ManyChains(_)), "{refused}");
    // A clock that was set back makes nothing old.
    NOW.store(0, Ordering::Relaxed);
    protection.clear(&key, &block(18, 1), OURS).unwrap_err();
    assert_eq!(chains(), expected);
    // Nor does an import find room.
    NOW.store(11 * DAY + 3, Ordering::Relaxed);
    let file = interchange(Root([18; 32]), key, SlashableMessage::Block(Slot(1)));
    protection.import(&file).expect_err("no room");
    assert_eq!(chains(), expected);
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
                        let block = slashable(SlashableMessage::Block(Slot(slot)));
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
        .clear(
            &key,
            &slashable(SlashableMessage::Vote(Epoch(1), Epoch(2))),
            OURS,
        )
        .unwrap();
    protection.set_high_watermark(Some(high)).unwrap();
    drop(protection);
    let protection = open();
    assert!(protection.knows(&key) && !protection.knows(&PublicKey([2; 48])));
    protection
        .clear(
            &key,
            &slashable(SlashableMessage::Vote(Epoch(1), Epoch(2))),
            OURS,
        )
        .expect("the same again");
    protection
        .clear(
            &key,
            &slashable(SlashableMessage::Vote(Epoch(1), Epoch(2))),
            OTHER,
        )
        .expect_err("a double vote");
    assert_eq!(protection.high_watermark(), Some(high));
    protection
        .clear(
            &key,
            &slashable(SlashableMessage::Vote(Epoch(2), Epoch(3))),
            OURS,
        )
        .expect_err("too high");
    protection.set_high_watermark(None).unwrap();
    protection
        .clear(
            &key,
            &slashable(SlashableMessage::Vote(Epoch(2), Epoch(3))),
            OURS,
        )
        .expect("the line is gone");
    drop(protection);
    assert_eq!(open().high_watermark(), None);
}

#[test]
fn only_what_can_be_slashed_is_checked_and_counted() {
    let scratch = Scratch::new();
    let settings = ProtectionSettings {
        min_slot: Some(Slot(10)),
        ..scratch.settings()
    };
    let on = Protection::open(&settings).unwrap();
    let key = PublicKey([1; 48]);
    for (case, slashable, protected) in [
        ("a selection proof", Slashable::Never, true),
        ("a bare root", Slashable::Opaque, false),
        (
            "a block below the floor",
            slashable(SlashableMessage::Block(Slot(9))),
            false,
        ),
        (
            "a block at the floor",
            slashable(SlashableMessage::Block(Slot(10))),
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

#[test]
fn an_observer_is_told_of_every_message_that_the_store_decides() {
    #[derive(Default)]
    struct Counter(Mutex<(u64, u64, u64)>);
    impl StoreObserver for Counter {
        fn committed(&self, commit: StoreCommit) {
            assert!(commit.blocks + commit.votes > 0, "{commit:?}");
            let mut counted = self.0.lock().unwrap();
            counted.0 += commit.blocks;
            counted.1 += commit.votes;
            counted.2 += u64::from(!commit.took.is_zero());
        }
    }
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let counter = Arc::new(Counter::default());
    protection.observe(Arc::clone(&counter) as Arc<dyn StoreObserver>);
    assert!(protection.is_available());
    let key = PublicKey([1; 48]);
    for (slot, expected) in [(5, true), (4, false), (5, true)] {
        let block = slashable(SlashableMessage::Block(Slot(slot)));
        assert_eq!(protection.clear(&key, &block, Root::ZERO).is_ok(), expected);
    }
    let vote = slashable(SlashableMessage::Vote(Epoch(1), Epoch(2)));
    protection.clear(&key, &vote, Root::ZERO).unwrap();
    protection
        .clear(&key, &Slashable::Never, Root::ZERO)
        .unwrap();
    let (blocks, votes, commits) = *counter.0.lock().unwrap();
    assert_eq!((blocks, votes), (3, 1), "refused and repeated ones too");
    assert!((1..=4).contains(&commits), "{commits}");
}
