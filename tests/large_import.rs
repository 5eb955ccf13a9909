//! An interchange file of many keys: all or nothing when the process is killed,
//! while signatures go on. And a store that has grown, or is of the format before.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use serde_json::Value;
use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::{Slashable, SlashableMessage};

use crate::random::Random;
use crate::scratch::Scratch;
use crate::slashing::{KEY, ZERO, block, start};
use crate::support;
use crate::support::client::Client;

const CHAIN: Root = Root([0xcc; 32]);

fn key(number: u32) -> PublicKey {
    let mut key = PublicKey([0xab; 48]);
    key.0[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// A file about keys 0 to `keys` - 1, each with a block at this slot and a vote for this target.
fn interchange(chain: &str, keys: u32, slot: u64) -> String {
    let mut text = format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{chain}"}},"data":["#
    );
    for number in 0..keys {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"pubkey":"{}","signed_blocks":[{{"slot":"{slot}"}}],"#,
            key(number)
        )
        .unwrap();
        write!(
            text,
            r#""signed_attestations":[{{"source_epoch":"0","target_epoch":"{slot}"}}]}}"#
        )
        .unwrap();
    }
    text + "]}"
}

/// The slot of each key of an interchange file.
fn slots(file: &str) -> Vec<String> {
    let file: Value = serde_json::from_str(file).unwrap();
    let keys = file["data"].as_array().unwrap().iter();
    let slot = |key: &Value| key["signed_blocks"][0]["slot"].as_str().unwrap().to_owned();
    keys.map(slot).collect()
}

#[test]
fn what_is_signed_while_a_large_file_is_imported_is_on_record_afterwards() {
    const THREADS: u32 = 4;
    const KEYS: u32 = 20_000;
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    for number in 0..100 {
        let vote = Slashable::On(CHAIN, SlashableMessage::Vote(Epoch(3), Epoch(9)));
        protection
            .clear(&key(number), &vote, Root([1; 32]))
            .unwrap();
    }
    let is_done = AtomicBool::new(false);
    let file = interchange(&CHAIN.to_string(), KEYS, 5);
    // Half of these keys are in the file, half are not, and one slot follows the other.
    let signed: u32 = thread::scope(|scope| {
        let signers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (protection, is_done) = (&protection, &is_done);
                scope.spawn(move || {
                    let mut signed = 0;
                    while !is_done.load(Ordering::Relaxed) {
                        let number = KEYS - 5_000 + thread + THREADS * (signed % 2_500);
                        let slot = 6 + u64::from(signed / 2_500);
                        let block = Slashable::On(CHAIN, SlashableMessage::Block(Slot(slot)));
                        let root = Root([2; 32]);
                        protection.clear(&key(number), &block, root).unwrap();
                        signed += 1;
                    }
                    signed
                })
            })
            .collect();
        let imported = protection.import(&file).unwrap();
        assert_eq!(imported.keys, usize::try_from(KEYS).unwrap());
        is_done.store(true, Ordering::Relaxed);
        let counts = signers.into_iter().map(|signer| signer.join().unwrap());
        counts.sum()
    });
    assert!(signed > THREADS, "only {signed} signatures meanwhile");
    drop(protection);
    let protection = scratch.open().unwrap();
    let mut found = 0;
    for (of, chain, marks) in protection.marks(None).unwrap() {
        assert_eq!(chain, CHAIN);
        let number = u32::from_be_bytes(of.0[..4].try_into().unwrap());
        let block = marks.block.unwrap();
        if number < KEYS {
            assert_eq!(
                marks.vote.unwrap().target,
                Epoch(if number < 100 { 9 } else { 5 })
            );
        }
        if block.slot > Slot(5) {
            assert_eq!(block.root, Some(Root([2; 32])), "{number}");
            found += 1;
        }
    }
    let distinct = (0..THREADS).map(|_| signed.div_ceil(THREADS).min(2_500));
    let expected: u32 = distinct.sum();
    assert!(
        found > 0 && found <= expected + THREADS * 2_500,
        "{found} of {expected}"
    );
    for (of, _, marks) in protection.marks(None).unwrap() {
        let block = Slashable::On(CHAIN, SlashableMessage::Block(marks.block.unwrap().slot));
        protection
            .clear(&of, &block, Root([3; 32]))
            .expect_err("another block of its highest slot");
    }
}

#[test]
fn a_large_file_is_imported_whole_or_not_at_all_when_the_process_is_killed() {
    const KEYS: u32 = 4_000;
    let scratch = support::Scratch::new("killed-import");
    let mut random = Random::new(9);
    let (mut answered, mut cut_off) = (0, 0);
    // The slot of the last file that was answered, and of the last one that was sent.
    let mut known = 0;
    for slot in 1..=25 {
        let mut signer = start(&scratch);
        let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str())];
        let file = interchange(ZERO, KEYS, slot);
        let path = "/api/v1/slashing-protection";
        let answer = thread::scope(|scope| {
            let (file, headers) = (&file, &headers);
            let mut client = signer.client();
            let import =
                scope.spawn(move || client.try_request("POST", path, headers, file.as_bytes()));
            thread::sleep(Duration::from_micros(random.below(120_000)));
            signer.signal("KILL");
            import.join().unwrap()
        });
        signer.wait_exit();
        drop(signer);
        match answer {
            Some(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.text());
                known = slot;
                answered += 1;
            }
            None => cut_off += 1,
        }
        let signer = start(&scratch);
        let export = signer.client().request("GET", path, &headers, b"").text();
        let slots = slots(&export);
        let first = slots.first().map_or(0, |slot| slot.parse().unwrap());
        assert!(
            slots.iter().all(|slot| *slot == first.to_string()),
            "after file {slot}: some of it"
        );
        assert!([0, 4_000].contains(&slots.len()), "{} keys", slots.len());
        assert!(
            (known..=slot).contains(&first),
            "{first} after {known} and {slot}"
        );
        known = first;
        drop(signer);
        let rest = fs::read_dir(scratch.path()).unwrap();
        let rest = rest.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = rest.filter(|name| name.contains("rebuild")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert!(
        answered > 0 && cut_off > 0,
        "{answered} answered, {cut_off} cut off"
    );
}

#[test]
fn while_a_file_of_200_000_keys_is_imported_signatures_go_on() {
    let scratch = support::Scratch::new("large-import");
    let signer = start(&scratch);
    let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str())];
    let file = interchange(ZERO, 200_000, 5);
    let is_done = AtomicBool::new(false);
    let mut waits = thread::scope(|scope| {
        let is_done = &is_done;
        let mut client = signer.client();
        let waits = scope.spawn(move || {
            let mut waits = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                let slot = (waits.len() + 1).to_string();
                let request = block(ZERO, &slot, ZERO).to_string();
                let begin = Instant::now();
                let answer = client.post(&format!("/api/v1/eth2/sign/{KEY}"), request.as_bytes());
                waits.push(begin.elapsed());
                assert_eq!(answer.status, 200, "{}", answer.text());
                thread::sleep(Duration::from_millis(5));
            }
            waits
        });
        let begin = Instant::now();
        let path = "/api/v1/slashing-protection";
        let answer = signer
            .client()
            .request("POST", path, &headers, file.as_bytes());
        println!("imported in {:?}", begin.elapsed());
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["keys"], 200_000);
        waits.join().unwrap()
    });
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    let longest = waits.last().unwrap();
    println!(
        "{} signatures, p99 {p99:?}, longest {longest:?}",
        waits.len()
    );
    println!("{} KiB at most", signer.memory_kib("VmHWM"));
    let bytes = fs::metadata(scratch.path().join("slashing-protection.redb"))
        .unwrap()
        .len();
    println!("{} MiB on disk", bytes >> 20);
    // 100 ms on a quiet machine; this one may be busy. One commit of all would be seconds.
    assert!(p99 < Duration::from_millis(400), "p99 {p99:?}");
    assert!(bytes < 80 << 20, "{bytes} bytes on disk");
}

#[test]
fn a_large_file_with_one_key_on_too_many_chains_changes_nothing_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let block = |chain| Slashable::On(Root([chain; 32]), SlashableMessage::Block(Slot(7)));
    for chain in 1..=16 {
        protection
            .clear(&key(1_200), &block(chain), Root::ZERO)
            .unwrap();
    }
    let before = protection.marks(None).unwrap();
    let refused = protection.import(&interchange(&CHAIN.to_string(), 1_500, 5));
    let text = refused.expect_err("a 17th chain").to_string();
    assert!(text.contains(&key(1_200).to_string()), "{text}");
    assert_eq!(protection.marks(None).unwrap(), before);
    assert!(
        !scratch
            .path()
            .join("slashing-protection.redb.rebuild")
            .exists()
    );
    // On a chain that it knows all goes well.
    let known = Root([16; 32]).to_string();
    protection.import(&interchange(&known, 1_500, 9)).unwrap();
    assert_eq!(protection.marks(None).unwrap().len(), 15 + 1_500);
    protection
        .clear(&key(1_200), &block(16), Root::ZERO)
        .expect_err("below the imported one");
    let untouched = block(15);
    protection
        .clear(&key(1_200), &untouched, Root::ZERO)
        .expect("the same block again");
}

/// The tables of both formats, as a reader of the file sees them.
type Key = (&'static [u8; 48], &'static [u8; 32]);
type Block = Option<(u64, Option<&'static [u8; 32]>)>;
type Vote = Option<(u64, u64, Option<&'static [u8; 32]>)>;
const MARKS_OF_FORMAT_1: TableDefinition<Key, (Block, Vote)> = TableDefinition::new("marks");
const RECORDS: TableDefinition<Key, (Block, Vote, u64)> = TableDefinition::new("records");
const FACTS: TableDefinition<&str, &[u8; 32]> = TableDefinition::new("facts");

/// A store of format 1 about so many keys; as large as one transaction made it.
fn write_format_1(scratch: &Scratch, keys: u32) {
    let database = Database::create(scratch.path().join("slashing-protection.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut marks = transaction.open_table(MARKS_OF_FORMAT_1).unwrap();
        for number in 0..keys {
            let block = Some((7, Some(&[1; 32])));
            let vote = Some((2, 4, None));
            let key = key(number);
            marks.insert((&key.0, &CHAIN.0), (block, vote)).unwrap();
        }
        let mut facts = transaction.open_table(FACTS).unwrap();
        let mut format = [0; 32];
        format[0] = 1;
        facts.insert("format", &format).unwrap();
        facts.insert("last_chain", &CHAIN.0).unwrap();
        let mut high = [0; 32];
        high[0] = 100;
        high[8] = 50;
        facts.insert("high_watermark", &high).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_store_of_format_1_is_opened_with_all_that_is_in_it() {
    let scratch = Scratch::new();
    write_format_1(&scratch, 3);
    for _ in 0..2 {
        let protection = scratch.open().unwrap();
        let high = protection.high_watermark().unwrap();
        assert_eq!((high.slot, high.epoch), (Slot(100), Epoch(50)));
        for number in 0..3 {
            let block = |slot| Slashable::On(CHAIN, SlashableMessage::Block(Slot(slot)));
            let clear = |slot, root| protection.clear(&key(number), &block(slot), Root([root; 32]));
            clear(7, 1).expect("the same block again");
            clear(7, 2).expect_err("a double proposal");
            clear(6, 1).expect_err("a slot below");
            let vote = Slashable::On(CHAIN, SlashableMessage::Vote(Epoch(2), Epoch(4)));
            protection
                .clear(&key(number), &vote, Root::ZERO)
                .expect_err("a vote with an unknown root");
        }
        assert_eq!(protection.marks(None).unwrap().len(), 3);
    }
}

#[test]
fn a_store_that_has_grown_is_made_small_when_it_is_opened() {
    let scratch = Scratch::new();
    let path = scratch.path().join("slashing-protection.redb");
    drop(scratch.open().unwrap());
    // Filled up and emptied: its pages are free, and its file is as large as before.
    const FILLER: TableDefinition<u64, &[u8]> = TableDefinition::new("filler");
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut filler = transaction.open_table(FILLER).unwrap();
        for number in 0..40_000 {
            filler.insert(number, &[7; 1_000][..]).unwrap();
        }
    }
    transaction.commit().unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(FILLER).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = fs::metadata(&path).unwrap().len();
    assert!(before > 32 << 20, "{before}");
    let protection = scratch.open().unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < 8 << 20, "{after} of {before}");
    let block = Slashable::On(CHAIN, SlashableMessage::Block(Slot(7)));
    protection.clear(&key(0), &block, Root::ZERO).unwrap();
    drop(protection);
    let database = Database::open(&path).unwrap();
    let view = database.begin_read().unwrap();
    assert_eq!(view.open_table(RECORDS).unwrap().len().unwrap(), 1);
}

#[test]
fn a_record_that_makes_room_for_another_chain_is_named_in_the_log() {
    let scratch = support::Scratch::new("old-chain");
    let chain = |number: u8| Root([number; 32]).to_string();
    let sign = |client: &mut Client, number: u8| {
        let path = format!("/api/v1/eth2/sign/{KEY}");
        let request = block(&chain(number), "1", ZERO).to_string();
        client.post(&path, request.as_bytes()).status
    };
    let signer = start(&scratch);
    for number in 1..=16 {
        assert_eq!(sign(&mut signer.client(), number), 200, "{number}");
    }
    drop(signer);

    // The record on one chain becomes as old as can be.
    let path = scratch.path().join("slashing-protection.redb");
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut records = transaction.open_table(RECORDS).unwrap();
        let key: PublicKey = KEY.parse().unwrap();
        let block = Some((1, Some(&[0; 32])));
        records
            .insert((&key.0, &[3; 32]), (block, None, 0))
            .unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    let mut signer = start(&scratch);
    assert_eq!(sign(&mut signer.client(), 17), 200);
    assert_eq!(sign(&mut signer.client(), 18), 412, "no other one is old");
    let log = signer.log();
    let removed = format!(
        "the record on {}, which was not used for longest, is removed",
        chain(3)
    );
    assert_eq!(log.matches(&removed).count(), 1, "{log}");
}
