//! The store on a disk that fails at each of its operations in turn: nothing is cleared that could
//! be forgotten.

use std::fs;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::consensus::slashable::{Slashable, SlashableMessage};
use crate::slashing::{Protection, ProtectionSettings, Refused, StoreOpenError};

use crate::testing::memory_disk::{Fault, MemoryDisk};
use crate::testing::random::Random;
use crate::testing::slashing_reference::is_slashable;
use crate::testing::store_scratch::Scratch;

const CHAIN: Root = Root([0xcc; 32]);
const KEY: PublicKey = PublicKey([1; 48]);
/// More disk operations than one life below does.
const OPERATIONS: u64 = 400;

fn slashable(message: SlashableMessage) -> Slashable {
    Slashable::On(CHAIN, message)
}

#[test]
fn no_slashable_pair_is_cleared_wherever_the_disk_fails() {
    for fault in [Fault::Full, Fault::FailedSync, Fault::PowerCut] {
        let mut failures = 0;
        for operation in 1..OPERATIONS {
            failures += live_three_times(fault, operation);
        }
        assert!(failures > 50, "{fault:?} was felt {failures} times only");
    }
}

/// Three lives of a store, ended by power cuts, with one fault. Gives how many requests felt it.
fn live_three_times(fault: Fault, operation: u64) -> u32 {
    let scratch = Scratch::new();
    let mut random = Random::new(operation);
    let disk = MemoryDisk::default();
    disk.plan(fault, operation);
    let mut signed = Vec::new();
    let mut failures = 0;
    for life in 0..3 {
        let case = format!("{fault:?} at operation {operation}, life {life}");
        match Protection::open_on(Box::new(disk.clone()), &scratch.settings()) {
            Err(error) => {
                assert!(life == 0, "{case}: {error}");
                failures += 1;
            }
            Ok(protection) => {
                for number in 0..12 {
                    let (message, root) = near(life * 12 + number, &mut random);
                    match protection.clear(&KEY, &slashable(message), root) {
                        Ok(_) => signed.push((message, Some(root))),
                        Err(Refused::Unavailable(_)) => {
                            failures += 1;
                            heal(&protection, fault, &case);
                        }
                        Err(_) => {}
                    }
                }
            }
        }
        disk.restart(&mut random);
    }
    for (at, one) in signed.iter().enumerate() {
        let other = signed[..at].iter().find(|other| is_slashable(one, other));
        assert_eq!(
            other, None,
            "{fault:?} at operation {operation}: signed with {one:?}"
        );
    }
    failures
}

/// Health says that the store does not work, and repairs it unless the power is gone.
fn heal(protection: &Protection, fault: Fault, case: &str) {
    let healthy = (0..10).any(|_| protection.health().is_ok());
    assert_eq!(healthy, fault != Fault::PowerCut, "{case}");
}

/// A message that conflicts with its neighbours more often than not.
fn near(number: u64, random: &mut Random) -> (SlashableMessage, Root) {
    let around = |random: &mut Random| number / 3 + random.below(3);
    let message = match random.below(2) {
        0 => SlashableMessage::Block(Slot(around(random))),
        _ => SlashableMessage::Vote(Epoch(around(random)), Epoch(around(random))),
    };
    (message, Root([u8::from(random.below(2) == 0); 32]))
}

#[test]
fn a_full_disk_is_felt_told_and_forgotten() {
    let scratch = Scratch::new();
    let disk = MemoryDisk::default();
    let protection = Protection::open_on(Box::new(disk.clone()), &scratch.settings()).unwrap();
    let block = |slot| slashable(SlashableMessage::Block(Slot(slot)));
    protection.clear(&KEY, &block(1), Root::ZERO).unwrap();
    disk.plan(Fault::Full, 1);
    let refused = protection.clear(&KEY, &block(2), Root::ZERO).unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    protection.health().expect_err("the disk is still full");
    (0..10)
        .find(|_| protection.health().is_ok())
        .expect("the disk has room again");
    protection
        .clear(&KEY, &block(1), Root([1; 32]))
        .expect_err("it remembers");
    protection.clear(&KEY, &block(3), Root::ZERO).unwrap();
    assert_eq!(protection.counters(), (2, 1), "a failure is neither");
}

#[test]
fn while_the_disk_stalls_nothing_is_cleared_but_what_needs_no_record_and_then_one_commit_serves_all()
 {
    const KEYS: u8 = 64;
    let scratch = Scratch::new();
    let disk = MemoryDisk::default();
    let protection = Protection::open_on(Box::new(disk.clone()), &scratch.settings()).unwrap();
    let before = disk.syncs();
    let cleared = AtomicU8::new(0);
    thread::scope(|scope| {
        let stalled = disk.stall();
        for key in 0..KEYS {
            let (protection, cleared) = (&protection, &cleared);
            scope.spawn(move || {
                let block = slashable(SlashableMessage::Block(Slot(1)));
                protection
                    .clear(&PublicKey([key; 48]), &block, Root::ZERO)
                    .unwrap();
                cleared.fetch_add(1, Ordering::Relaxed);
            });
        }
        // Gives the threads time to ask. A late request is in a later commit.
        thread::sleep(Duration::from_millis(200));
        protection
            .clear(&KEY, &Slashable::Never, Root::ZERO)
            .expect("no record is needed");
        assert_eq!(cleared.load(Ordering::Relaxed), 0);
        drop(stalled);
    });
    let syncs = disk.syncs() - before;
    assert!(
        (1..=u32::from(KEYS) / 4).contains(&syncs),
        "{syncs} syncs for {KEYS} records"
    );
}

#[test]
fn a_damaged_file_stops_the_start_with_a_hint() {
    for (case, damage) in [
        ("empty", (|_| Vec::new()) as fn(Vec<u8>) -> Vec<u8>),
        ("cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("cut in its head", |bytes| bytes[..100].to_vec()),
        ("another file", |bytes| b"hello".repeat(bytes.len() / 5)),
        ("zeros", |bytes| vec![0; bytes.len()]),
    ] {
        let scratch = Scratch::new();
        drop(scratch.open().unwrap());
        let path = scratch.path().join("slashing-protection.redb");
        fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
        let error = scratch.open().err().expect(case);
        assert!(
            matches!(error, StoreOpenError::Damaged(..)),
            "{case}: {error}"
        );
        assert!(
            error.to_string().contains("slashing-protection.redb")
                && error.hint().contains("backup")
        );
    }
}

#[test]
fn a_flipped_byte_anywhere_stops_the_start_or_changes_nothing() {
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    for slot in 0..20 {
        protection
            .clear(
                &KEY,
                &slashable(SlashableMessage::Block(Slot(slot))),
                Root::ZERO,
            )
            .unwrap();
    }
    drop(protection);
    let path = scratch.path().join("slashing-protection.redb");
    let whole = fs::read(&path).unwrap();
    let used: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut stopped = 0;
    // One bit of each byte of the head, all bits of byte 9 (one of them names the last commit), and a
    // sample of the rest.
    let head = (0..64).map(|at| at * 8 + at % 8).chain(9 * 8..10 * 8);
    for bit in head.chain(
        used.iter()
            .step_by(used.len() / 60)
            .map(|at| at * 8 + at % 8),
    ) {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, damaged).unwrap();
        match scratch.open() {
            Err(StoreOpenError::Damaged(..)) => stopped += 1,
            Err(error) => panic!("bit {bit}: {error}"),
            Ok(protection) => {
                let double = protection.clear(
                    &KEY,
                    &slashable(SlashableMessage::Block(Slot(19))),
                    Root([1; 32]),
                );
                assert!(double.is_err(), "bit {bit} made it forget");
            }
        }
    }
    assert!(stopped > 20, "only {stopped} flips were noticed");
}

#[test]
fn a_second_instance_is_refused_and_told_the_process_id() {
    let scratch = Scratch::new();
    let first = scratch.open().unwrap();
    let error = Protection::open(&scratch.settings())
        .err()
        .expect("in use")
        .to_string();
    assert!(
        error.ends_with(&format!("in use by process {}", std::process::id())),
        "{error}"
    );
    drop(first);
    scratch.open().expect("free again");
}

#[test]
fn a_missing_directory_stops_the_start() {
    let scratch = Scratch::new();
    let settings = ProtectionSettings {
        directory: scratch.path().join("missing"),
        ..scratch.settings()
    };
    let error = Protection::open(&settings).err().expect("no directory");
    assert!(matches!(error, StoreOpenError::Io(..)), "{error}");
}

#[test]
fn all_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let _protection = scratch.open().unwrap();
    let files: Vec<_> = fs::read_dir(scratch.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{file:?}"
        );
    }
}

fn numbered_key(number: u32) -> PublicKey {
    let mut key = PublicKey([0xab; 48]);
    key.0[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// A file about so many keys, each with a block at slot 5 and a vote for epoch 5.
fn large_file(keys: u32) -> String {
    let mut data = Vec::new();
    for number in 0..keys {
        data.push(json!({
            "pubkey": numbered_key(number).to_string(),
            "signed_blocks": [{"slot": "5"}],
            "signed_attestations": [{"source_epoch": "0", "target_epoch": "5"}],
        }));
    }
    json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": CHAIN.to_string()},
        "data": data,
    })
    .to_string()
}

/// The highest slot of each key of an interchange file.
fn slots(file: &str) -> Vec<String> {
    let file: Value = serde_json::from_str(file).unwrap();
    let mut slots = Vec::new();
    for key in file["data"].as_array().unwrap() {
        slots.push(key["signed_blocks"][0]["slot"].as_str().unwrap().to_owned());
    }
    slots
}

#[test]
fn a_large_file_is_imported_whole_or_not_at_all_wherever_the_disk_fails() {
    const KEYS: u32 = 1_500;
    let file = large_file(KEYS);
    for fault in [Fault::Full, Fault::FailedSync, Fault::PowerCut] {
        let mut whole = 0;
        let mut nothing = 0;
        for operation in (1..400).step_by(3) {
            let case = format!("{fault:?} at operation {operation}");
            let scratch = Scratch::new();
            let disk = MemoryDisk::default();
            let mut random = Random::new(operation);
            let open = || Protection::open_on(Box::new(disk.clone()), &scratch.settings());
            let protection = open().unwrap();
            let block = Slashable::On(CHAIN, SlashableMessage::Block(Slot(7)));
            protection
                .clear(&numbered_key(0), &block, Root::ZERO)
                .unwrap();
            disk.plan(fault, operation);
            let imported = protection.import(&file);
            drop(protection);
            disk.restart(&mut random);
            let protection = open().unwrap();
            let slots = slots(&protection.export(Some(CHAIN), None).unwrap());
            assert_eq!(slots[0], "7", "{case}");
            match slots.len() {
                1 => nothing += 1,
                1_500 => whole += 1,
                other => panic!("{case}: {other} keys"),
            }
            assert!(imported.is_err() || slots.len() == 1_500, "{case}");
            protection
                .clear(&numbered_key(0), &block, Root([1; 32]))
                .expect_err("a double proposal");
        }
        assert!(nothing > 10, "{fault:?}: {nothing} times nothing");
        assert!(whole > 0, "{fault:?}: {whole} times all");
    }
}
