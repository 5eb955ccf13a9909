//! What a change leaves behind: all of it or nothing, and during a large import what is signed meanwhile too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io};

use redb::{Builder, Database};

use super::disk::{Disk, Draft};
use super::{EmbeddedStore, KNOWN_CHAINS_MAX, LAST_COPIED_MAX, lock_directory};
use crate::consensus::primitives::{PublicKey, Root, Slot};
use crate::consensus::slashable::SlashableMessage;
use crate::slashing::backend::{
    Backend, BatchTime, LargeImportProgress, RecordOutcome, RecordRequest,
};
use crate::slashing::limits::SigningLimits;
use crate::slashing::repair::RepairError;
use crate::slashing::rule::{BlockMark, Marks};

use crate::testing::memory_disk::MemoryDisk;
use crate::testing::store_scratch::Scratch;

pub(super) const CHAIN: Root = Root([0xcc; 32]);
pub(super) const LIMITS: SigningLimits = SigningLimits {
    min_slot: Some(Slot(0)),
    min_epoch: None,
    chain: None,
    clock: None,
    new_store: None,
};

fn key(number: usize) -> PublicKey {
    let mut key = PublicKey([0xa0; 48]);
    key.0[8..16].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn block(slot: u64) -> Marks {
    Marks {
        block: Some(BlockMark {
            slot: Slot(slot),
            root: None,
        }),
        vote: None,
    }
}

/// Records a block of this slot for each key.
fn record(store: &mut EmbeddedStore, keys: &[usize], slot: u64) {
    let requests: Vec<_> = keys
        .iter()
        .map(|number| RecordRequest {
            key: key(*number),
            chain: CHAIN,
            message: SlashableMessage::Block(Slot(slot)),
            root: Root([1; 32]),
        })
        .collect();
    let outcomes = store.record(&requests, &BatchTime::now(&LIMITS)).unwrap();
    for outcome in outcomes {
        assert!(matches!(outcome, RecordOutcome::Recorded), "{outcome:?}");
    }
}

fn slots(store: &mut EmbeddedStore) -> BTreeMap<PublicKey, u64> {
    let marks = store.snapshot().unwrap().marks(None, None).unwrap();
    let slots = marks
        .into_iter()
        .map(|(key, _, marks)| (key, marks.block.expect("a block").slot.0));
    slots.collect()
}

#[test]
fn what_is_signed_during_a_large_import_is_in_the_new_file() {
    const BEFORE: usize = 10_000;
    const IMPORTED: usize = 20_000;
    const LATE: usize = 30_000;
    for signed_meanwhile in [0, 1, LAST_COPIED_MAX, LAST_COPIED_MAX + 1] {
        let disk = Box::new(MemoryDisk::default());
        let path = Path::new("memory");
        let (mut store, _) = EmbeddedStore::open(disk, path, false, |_| None).unwrap();
        record(&mut store, &[BEFORE], 5);

        // The higher mark counts: of the record for one key, of the file for two others.
        let imported = BTreeMap::from([
            (key(BEFORE), block(3)),
            (key(IMPORTED), block(7)),
            (key(0), block(100)),
        ]);
        let time = BatchTime::now(&LIMITS);
        let mut import = store.begin_large_import(CHAIN, imported, &time).unwrap();
        let numbers: Vec<_> = (0..signed_meanwhile).collect();
        record(&mut store, &numbers, 8);
        import.write().unwrap().unwrap();
        let mut expected = BTreeMap::from([(key(BEFORE), 5), (key(IMPORTED), 7)]);
        expected.extend(numbers.iter().map(|number| (key(*number), 8)));
        expected.insert(key(0), 100);

        let mut progress = store.end_large_import().unwrap();
        let is_much = signed_meanwhile > LAST_COPIED_MAX;
        assert_eq!(progress == LargeImportProgress::CatchUp, is_much);
        if is_much {
            // The import does not count yet; what is signed now is copied at the end.
            assert_eq!(slots(&mut store).get(&key(IMPORTED)), None);
            record(&mut store, &[LATE, 0], 9);
            expected.insert(key(LATE), 9);
            import.write().unwrap().unwrap();
            progress = store.end_large_import().unwrap();
        }
        assert_eq!(progress, LargeImportProgress::Done);
        assert_eq!(slots(&mut store), expected, "{signed_meanwhile}");
    }
}

#[test]
fn an_abandoned_import_leaves_no_file_and_no_change() {
    let files = |directory: &Path| -> BTreeSet<_> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let scratch = Scratch::new();
    let disk = lock_directory(scratch.path()).unwrap();
    let (mut store, _) = EmbeddedStore::open(disk, scratch.path(), false, |_| None).unwrap();
    record(&mut store, &[1], 5);
    let (before, files_before) = (slots(&mut store), files(scratch.path()));

    let imported = BTreeMap::from([(key(2), block(7))]);
    let time = BatchTime::now(&LIMITS);
    let mut import = store.begin_large_import(CHAIN, imported, &time).unwrap();
    import.write().unwrap().unwrap();
    assert_ne!(
        files(scratch.path()),
        files_before,
        "it writes another file"
    );
    store.abandon_large_import();
    drop(import);

    assert_eq!(files(scratch.path()), files_before);
    assert_eq!(slots(&mut store), before);
    store.end_large_import().expect_err("there is none to end");
    assert_eq!(slots(&mut store), before);
}

#[test]
fn a_chain_is_new_with_its_first_record_alone_and_so_many_are_remembered() {
    let disk = Box::new(MemoryDisk::default());
    let path = Path::new("memory");
    let (mut store, _) = EmbeddedStore::open(disk, path, false, |_| None).unwrap();
    record(&mut store, &[1, 2], 5);
    assert_eq!(store.known_chains.iter().collect::<Vec<_>>(), [&CHAIN]);

    let mut chain = [0; 32];
    for number in 0..KNOWN_CHAINS_MAX {
        chain[..8].copy_from_slice(&number.to_be_bytes());
        store.note_changed(vec![(key(1), Root(chain))]);
    }
    assert_eq!(store.known_chains.len(), KNOWN_CHAINS_MAX);
    assert!(
        !store.known_chains.contains(&Root(chain)),
        "it is one too many"
    );
}

#[test]
fn a_change_of_several_keys_is_made_for_all_or_for_none() {
    let disk = Box::new(MemoryDisk::default());
    let path = Path::new("memory");
    let (mut store, _) = EmbeddedStore::open(disk, path, false, |_| None).unwrap();
    record(&mut store, &[1, 2], 5);
    for (refused, expected) in [(Some(key(2)), 5), (None, 9)] {
        let mut change = |key, before: Option<Marks>| {
            assert_eq!(before.and_then(|marks| marks.block).unwrap().slot.0, 5);
            if refused == Some(key) {
                return Err(RepairError::ManyChains(key));
            }
            Ok(block(9))
        };
        let time = BatchTime::now(&LIMITS);
        let changed = store.change_marks(CHAIN, &[key(1), key(2)], &mut change, &time);
        assert_eq!(changed.unwrap().is_ok(), refused.is_none());
        let slots: Vec<_> = slots(&mut store).into_values().collect();
        assert_eq!(slots, [expected, expected]);
    }
}

/// A disk that says what the size of its database is, and counts the copies that are made of it.
struct SizedDisk {
    disk: MemoryDisk,
    bytes: u64,
    copies: Arc<AtomicUsize>,
}

impl Disk for SizedDisk {
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error> {
        self.disk.open(builder)
    }

    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, redb::Error> {
        self.copies.fetch_add(1, Ordering::Relaxed);
        self.disk.create(builder, draft)
    }

    fn adopt(&self, draft: Draft) -> io::Result<()> {
        self.disk.adopt(draft)
    }

    fn discard(&self, draft: Draft) {
        self.disk.discard(draft);
    }

    fn verify(&self) -> io::Result<()> {
        self.disk.verify()
    }

    fn had_database(&self) -> io::Result<bool> {
        self.disk.had_database()
    }

    fn remember(&self) -> io::Result<()> {
        self.disk.remember()
    }

    fn database_bytes(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }
}

#[test]
fn a_file_is_copied_when_it_is_large_and_its_records_need_much_less() {
    const LARGE: u64 = 16 << 20;
    const RECORDS: usize = 41_944;
    /// The least that so many records may take without a copy: 400 bytes each.
    const NEEDED: u64 = 16_777_600;
    let disk = MemoryDisk::default();
    let path = Path::new("memory");
    let mut records = 0;
    for (more_records, bytes, is_copied) in [
        (10, LARGE - 1, false),
        (10, LARGE, false),
        (10, LARGE + 1, true),
        (RECORDS, LARGE + 1, false),
        (RECORDS, NEEDED, false),
        (RECORDS, NEEDED + 1, true),
    ] {
        if records < more_records {
            let boxed = Box::new(disk.clone());
            let (mut store, _) = EmbeddedStore::open(boxed, path, false, |_| None).unwrap();
            let numbers: Vec<_> = (records..more_records).collect();
            record(&mut store, &numbers, 5);
            records = more_records;
        }
        let copies = Arc::new(AtomicUsize::new(0));
        let sized = SizedDisk {
            disk: disk.clone(),
            bytes,
            copies: Arc::clone(&copies),
        };
        let (mut store, _) = EmbeddedStore::open(Box::new(sized), path, false, |_| None).unwrap();
        let copies = copies.load(Ordering::Relaxed);
        assert_eq!(
            copies,
            usize::from(is_copied),
            "{records} records, {bytes} bytes"
        );
        assert_eq!(slots(&mut store).len(), records);
    }
}
