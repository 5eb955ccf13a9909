//! What a large import writes, for keys that are on record, imported, or both.

use std::collections::BTreeMap;
use std::path::Path;

use super::records::{Record, RecordSnapshot};
use super::tests::{CHAIN, LIMITS, block};
use super::{EmbeddedStore, HighWatermark, NewStoreFloor};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::consensus::slashable::SlashableMessage;
use crate::slashing::backend::{
    Backend, BatchTime, LargeImportProgress, RecordOutcome, RecordRequest,
};
use crate::slashing::repair::RepairError;
use crate::slashing::rule::{CHAINS_PER_KEY_MAX, Position};
use crate::testing::memory_disk::MemoryDisk;

const OTHER: Root = Root([0xdd; 32]);
/// A day, after which a record that is not used may be removed.
const DAY: u64 = 86_400;
const SIGNED_AT: u64 = 1_700_000_000;
const IMPORTED_AT: u64 = SIGNED_AT + 100;

fn open(disk: &MemoryDisk, floor: Option<NewStoreFloor>) -> (EmbeddedStore, Option<NewStoreFloor>) {
    let path = Path::new("memory");
    EmbeddedStore::open(Box::new(disk.clone()), path, false, |_| floor).unwrap()
}

fn key(number: u8) -> PublicKey {
    PublicKey([number; 48])
}

fn at(unix_seconds: u64) -> BatchTime<'static> {
    let mut time = BatchTime::now(&LIMITS);
    time.unix_seconds = unix_seconds;
    time
}

fn sign(store: &mut EmbeddedStore, number: u8, chain: Root, slot: u64, unix_seconds: u64) {
    let request = RecordRequest {
        key: key(number),
        chain,
        message: SlashableMessage::Block(Slot(slot)),
        root: Root([1; 32]),
    };
    let outcomes = store.record(&[request], &at(unix_seconds)).unwrap();
    assert!(
        matches!(outcomes[..], [RecordOutcome::Recorded]),
        "{outcomes:?}"
    );
}

/// Each record: its key's number, its chain, its slot, and when it was last used.
fn records(store: &mut EmbeddedStore) -> Vec<(u8, Root, u64, u64)> {
    let mut found = Vec::new();
    let snapshot = RecordSnapshot::of(store.database().unwrap()).unwrap();
    let mut add = |record: Record| {
        let slot = record.marks.block.expect("a block").slot.0;
        found.push((record.key.0[0], record.chain, slot, record.used_seconds));
        Ok(())
    };
    snapshot.for_each(&mut add).unwrap();
    found
}

#[test]
fn a_key_has_the_higher_of_both_marks_on_the_imported_chain_and_its_own_on_the_others() {
    let (mut store, _) = open(&MemoryDisk::default(), None);
    for (number, chain, slot) in [
        (1, CHAIN, 5),
        (2, CHAIN, 5),
        (2, OTHER, 9),
        (3, CHAIN, 5),
        (4, OTHER, 5),
        (6, CHAIN, 5),
    ] {
        sign(&mut store, number, chain, slot, SIGNED_AT);
    }
    let imported = [(0, 7), (2, 8), (3, 2), (4, 3), (5, 7), (7, 7)];
    let imported: BTreeMap<_, _> = imported
        .into_iter()
        .map(|(number, slot)| (key(number), block(slot)))
        .collect();
    let mut import = store
        .begin_large_import(CHAIN, imported, &at(IMPORTED_AT))
        .unwrap();
    // Signed meanwhile, while the clock was set back: what is later stays, of the slots and of the times.
    sign(&mut store, 3, CHAIN, 6, SIGNED_AT + 50);
    import.write().unwrap().unwrap();
    assert_eq!(store.end_large_import(), Ok(LargeImportProgress::Done));
    assert_eq!(
        records(&mut store),
        [
            (0, CHAIN, 7, IMPORTED_AT),
            (1, CHAIN, 5, SIGNED_AT),
            (2, CHAIN, 8, IMPORTED_AT),
            (2, OTHER, 9, SIGNED_AT),
            (3, CHAIN, 6, IMPORTED_AT),
            (4, CHAIN, 3, IMPORTED_AT),
            (4, OTHER, 5, SIGNED_AT),
            (5, CHAIN, 7, IMPORTED_AT),
            (6, CHAIN, 5, SIGNED_AT),
            (7, CHAIN, 7, IMPORTED_AT),
        ]
    );
}

#[test]
fn a_key_on_too_many_chains_loses_the_record_that_was_unused_for_longest_or_refuses_the_import() {
    let chain = |number: usize| Root([u8::try_from(number).unwrap(); 32]);
    for (last_used, is_refused) in [(IMPORTED_AT - DAY - 1, false), (IMPORTED_AT - DAY, true)] {
        let (mut store, _) = open(&MemoryDisk::default(), None);
        for number in 0..CHAINS_PER_KEY_MAX {
            let used_seconds = if number == 2 { last_used } else { IMPORTED_AT };
            sign(&mut store, 1, chain(number), 5, used_seconds);
        }
        let before = records(&mut store);
        let imported = BTreeMap::from([(key(1), block(7))]);
        let mut import = store
            .begin_large_import(CHAIN, imported, &at(IMPORTED_AT))
            .unwrap();
        match import.write().unwrap() {
            Ok(()) => {
                assert!(!is_refused);
                assert_eq!(store.end_large_import(), Ok(LargeImportProgress::Done));
                let mut expected = before;
                expected.remove(2);
                expected.push((1, CHAIN, 7, IMPORTED_AT));
                assert_eq!(records(&mut store), expected);
            }
            Err(refused) => {
                assert!(is_refused);
                assert!(
                    matches!(refused, RepairError::ManyChains(refused) if refused == key(1)),
                    "{refused:?}"
                );
                store.abandon_large_import();
                assert_eq!(records(&mut store), before);
            }
        }
    }
}

#[test]
fn the_high_watermark_and_the_floor_of_the_store_are_in_the_new_file() {
    let disk = MemoryDisk::default();
    let floor = NewStoreFloor {
        lowest: Position {
            slot: Slot(320),
            epoch: Epoch(10),
        },
        chain: Some(OTHER),
        genesis_time_seconds: 1_606_824_023,
    };
    let high = HighWatermark {
        slot: Slot(6400),
        epoch: Epoch(200),
    };
    let (mut store, opened) = open(&disk, Some(floor));
    assert_eq!(opened, Some(floor));
    store.set_high_watermark(Some(high)).unwrap();
    let imported = BTreeMap::from([(key(1), block(7))]);
    let mut import = store
        .begin_large_import(CHAIN, imported, &at(IMPORTED_AT))
        .unwrap();
    import.write().unwrap().unwrap();
    assert_eq!(store.end_large_import(), Ok(LargeImportProgress::Done));
    drop((store, import));

    let (mut store, opened) = open(&disk, None);
    assert_eq!((store.high_watermark(), opened), (Some(high), Some(floor)));
    store.set_high_watermark(None).unwrap();
    drop(store);
    let (store, opened) = open(&disk, None);
    assert_eq!((store.high_watermark(), opened), (None, Some(floor)));
}
