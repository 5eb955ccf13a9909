//! What the store decides, against a plain reference, for many threads, after a restart, and for observers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::rule::Floor;
use super::rule::tests::compare;
use super::{
    ChainClock, ExportError, HighWatermark, ImportSummary, Protection, ProtectionSettings, Refused,
    StoreCommit, StoreObserver,
};
use crate::consensus::network::SlotTimes;
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::consensus::slashable::{Slashable, SlashableMessage};
use crate::testing::memory_disk::MemoryDisk;
use crate::testing::random::Random;
use crate::testing::slashing_reference::any_message;
use crate::testing::store_scratch::Scratch;

const CHAIN: Root = Root([0xcc; 32]);
const OURS: Root = Root([1; 32]);
const OTHER: Root = Root([2; 32]);

fn slashable(message: SlashableMessage) -> Slashable {
    Slashable::On(CHAIN, message)
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
        let mut requests = 0;
        let mut imports = 0;
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
        // Its slots are so long that the whole test is in the first epoch.
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
    // Setting the clock back makes no chain old.
    NOW.store(0, Ordering::Relaxed);
    protection.clear(&key, &block(18, 1), OURS).unwrap_err();
    assert_eq!(chains(), expected);
    // An import finds no room either.
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

#[test]
fn an_export_and_a_copy_are_about_one_chain() {
    let (scratch, target_scratch) = (Scratch::new(), Scratch::new());
    let (source, target) = (scratch.open().unwrap(), target_scratch.open().unwrap());
    let key = PublicKey([1; 48]);
    let block = |slot| SlashableMessage::Block(Slot(slot));
    let nothing = source.copy_to(&target, None).unwrap_err().to_string();
    assert!(nothing.contains("nothing on record"), "{nothing}");

    source.import(&interchange(OURS, key, block(5))).unwrap();
    let of_the_only_chain = source.export(None, None).unwrap();
    assert!(of_the_only_chain.contains(&OURS.to_string()));
    source.import(&interchange(OTHER, key, block(7))).unwrap();
    let several = source.export(None, None);
    assert!(
        matches!(several, Err(ExportError::SeveralChains(_))),
        "{several:?}"
    );
    let of_one = source.export(Some(OTHER), None).unwrap();
    assert!(of_one.contains(r#""slot":"7""#), "{of_one}");
    assert!(!of_one.contains(r#""slot":"5""#), "{of_one}");

    let several = source.copy_to(&target, None).unwrap_err().to_string();
    assert!(several.contains(&OTHER.to_string()), "{several}");
    let unknown = source
        .copy_to(&target, Some(CHAIN))
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("nothing on record"), "{unknown}");
    let copied = source.copy_to(&target, Some(OTHER)).unwrap();
    assert_eq!(
        copied,
        ImportSummary {
            chain: OTHER,
            keys: 1
        }
    );
    let marks = target.marks(None).unwrap();
    let chains: Vec<_> = marks.iter().map(|(_, chain, _)| *chain).collect();
    assert_eq!(chains, [OTHER]);
    for (slot, is_good) in [(7, false), (8, true)] {
        let slashable = Slashable::On(OTHER, block(slot));
        assert_eq!(
            target.clear(&key, &slashable, OURS).is_ok(),
            is_good,
            "{slot}"
        );
    }
}

#[test]
fn a_store_tells_what_it_is_its_floors_and_when_it_recorded_last() {
    let scratch = Scratch::new();
    let settings = ProtectionSettings {
        min_slot: Some(Slot(10)),
        min_epoch: Some(Epoch(2)),
        chain: Some(OURS),
        ..scratch.settings()
    };
    let on = Protection::open(&settings).unwrap();
    let Protection::On(store) = &on else {
        panic!("protection is on");
    };
    assert!(!store.is_database());
    assert_eq!(store.location(), settings.directory.display().to_string());
    assert_eq!(on.floors(), Some((Floor::Set(10), Floor::Set(2))));
    assert_eq!(on.last_record_seconds(), None);

    let key = PublicKey([1; 48]);
    let block = SlashableMessage::Block(Slot(10));
    let elsewhere = on.clear(&key, &Slashable::On(OTHER, block), OURS);
    assert!(
        matches!(elsewhere, Err(Refused::OtherChain { .. })),
        "{elsewhere:?}"
    );
    assert_eq!(on.last_record_seconds(), None, "a refusal is not a record");
    let before = super::limits::unix_seconds();
    on.clear(&key, &Slashable::On(OURS, block), OURS).unwrap();
    let recorded = on.last_record_seconds().expect("a record");
    assert!((before..=before + 600).contains(&recorded), "{recorded}");

    assert_eq!(Protection::Off.floors(), None);
    assert_eq!(Protection::Off.last_record_seconds(), None);
}
