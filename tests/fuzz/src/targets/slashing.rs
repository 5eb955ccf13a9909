//! Sequences of messages, imports and restarts on the embedded store, and, where `SIGNERD_FUZZ_DATABASE`
//! is the JDBC URL of an empty PostgreSQL database, on that store as well: against everything a key ever
//! signed, and the slashing conditions written out.

use std::cell::RefCell;
use std::path::PathBuf;

use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::{Slashable, SlashableMessage};
use signerd::slashing::{Cleared, DatabaseSettings, Protection, ProtectionSettings, Refused};

use super::choices::Choices;
use crate::memory_disk::MemoryDisk;

const CHAIN: Root = Root([0xcc; 32]);

/// Sequences on one store; then a new one is made, so that its memory stays small.
const SEQUENCES_PER_STORE: u64 = 2000;

/// A message and its root; an imported one has none.
type Signed = (SlashableMessage, Option<Root>);

struct Stores {
    sequences: u64,
    disk: MemoryDisk,
    embedded: Option<Protection>,
    database: Option<Protection>,
}

thread_local! {
    static STORES: RefCell<Stores> = RefCell::new(Stores::new());
    static KEYS: RefCell<u64> = const { RefCell::new(0) };
}

pub(crate) fn run(data: &[u8]) {
    STORES.with_borrow_mut(|stores| {
        stores.sequences += 1;
        if stores.sequences > SEQUENCES_PER_STORE {
            *stores = Stores::new();
        }
        stores.run(&mut Choices::new(data), new_key());
    });
}

/// A key that no sequence had before.
fn new_key() -> PublicKey {
    let number = KEYS.with_borrow_mut(|number| {
        *number += 1;
        *number
    });
    let mut key = PublicKey([0xa0; 48]);
    key.0[8..16].copy_from_slice(&number.to_be_bytes());
    key.0[16..20].copy_from_slice(&std::process::id().to_be_bytes());
    key
}

impl Stores {
    fn new() -> Self {
        let disk = MemoryDisk::default();
        Self {
            sequences: 0,
            embedded: Some(open_embedded(&disk)),
            disk,
            database: open_database(),
        }
    }

    fn run(&mut self, choices: &mut Choices<'_>, key: PublicKey) {
        // They differ: the database remembers every message, and repeats an earlier one.
        let mut history = Vec::new();
        let mut history_of_database = Vec::new();
        let mut steps = 0;
        while !choices.is_empty() && steps < 24 {
            steps += 1;
            let step = choices.below(16);
            if step == 15 {
                // The store is closed and opened again.
                self.embedded = None;
                self.embedded = Some(open_embedded(&self.disk));
                continue;
            }
            let (message, root) = any_message(choices);
            if step == 14 {
                // Invalid ones, too, are compared: both stores take the same files.
                let file = interchange(key, message);
                let taken = self.embedded().import(&file).is_ok();
                if let Some(database) = &self.database {
                    assert_eq!(database.import(&file).is_ok(), taken, "{file}");
                }
                if taken {
                    history.push((message, None));
                    history_of_database.push((message, None));
                }
                continue;
            }
            let slashable = Slashable::On(CHAIN, message);
            let cleared = self.embedded().clear(&key, &slashable, root);
            compare(&mut history, message, root, &cleared);
            if let Some(database) = &self.database {
                let cleared = database.clear(&key, &slashable, root);
                compare(&mut history_of_database, message, root, &cleared);
            }
        }
    }

    fn embedded(&self) -> &Protection {
        self.embedded.as_ref().expect("it is open between steps")
    }
}

fn settings(database: Option<DatabaseSettings>) -> ProtectionSettings {
    ProtectionSettings {
        directory: PathBuf::from("memory"),
        database,
        pruning: None,
        min_slot: Some(Slot(0)),
        min_epoch: Some(Epoch(0)),
        chain: None,
        clock: None,
        has_keys: false,
        replaces_lost_store: false,
    }
}

fn open_embedded(disk: &MemoryDisk) -> Protection {
    Protection::open_on(Box::new(disk.clone()), &settings(None)).expect("a disk in memory")
}

fn open_database() -> Option<Protection> {
    let url = std::env::var("SIGNERD_FUZZ_DATABASE").ok()?;
    let database = DatabaseSettings::from_url(&url).expect("SIGNERD_FUZZ_DATABASE is a JDBC URL");
    Some(Protection::open(&settings(Some(database))).expect("SIGNERD_FUZZ_DATABASE can be used"))
}

/// Few slots, epochs and roots, so that conflicts are frequent; sometimes the largest numbers.
fn any_message(choices: &mut Choices<'_>) -> (SlashableMessage, Root) {
    let mut number = || match choices.byte() {
        byte @ 0..=247 => u64::from(byte % 6),
        byte => u64::MAX >> (byte - 247),
    };
    let (source, target) = (number(), number());
    let message = match choices.below(2) {
        0 => SlashableMessage::Block(Slot(source)),
        _ => SlashableMessage::Vote(Epoch(source), Epoch(target)),
    };
    (message, Root([u8::from(choices.below(3) == 0); 32]))
}

fn interchange(key: PublicKey, message: SlashableMessage) -> String {
    let (blocks, votes) = match message {
        SlashableMessage::Block(slot) => (format!(r#"{{"slot":"{slot}"}}"#), String::new()),
        SlashableMessage::Vote(source, target) => {
            let vote = format!(r#"{{"source_epoch":"{source}","target_epoch":"{target}"}}"#);
            (String::new(), vote)
        }
    };
    format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},
        "data":[{{"pubkey":"{key}","signed_blocks":[{blocks}],"signed_attestations":[{votes}]}}]}}"#
    )
}

/// `process_proposer_slashing` and `is_slashable_attestation_data` of the consensus specification. A
/// message without a root may be any of its slot or target.
fn is_slashable(one: &Signed, other: &Signed) -> bool {
    let is_same = one == other && one.1.is_some();
    match (one.0, other.0) {
        (SlashableMessage::Block(one), SlashableMessage::Block(other)) => one == other && !is_same,
        (SlashableMessage::Vote(s1, t1), SlashableMessage::Vote(s2, t2)) => {
            let is_double = t1 == t2 && !is_same;
            is_double || (s1 < s2 && t2 < t1) || (s2 < s1 && t1 < t2)
        }
        _ => false,
    }
}

/// What minimal protection must refuse, slashable or not.
fn is_below(history: &[Signed], message: SlashableMessage) -> bool {
    history.iter().any(|(signed, _)| match (*signed, message) {
        (SlashableMessage::Block(signed), SlashableMessage::Block(slot)) => slot <= signed,
        (SlashableMessage::Vote(s1, t1), SlashableMessage::Vote(source, target)) => {
            target <= t1 || source < s1
        }
        _ => false,
    })
}

/// Checks a verdict against what the store has signed, and notes a signature.
fn compare(
    history: &mut Vec<Signed>,
    message: SlashableMessage,
    root: Root,
    cleared: &Result<Cleared, Refused>,
) {
    assert!(
        !matches!(cleared, Err(Refused::Unavailable(_))),
        "{cleared:?}"
    );
    let passed = cleared.is_ok();
    let asked = (message, Some(root));
    let is_valid = !matches!(message, SlashableMessage::Vote(source, target) if source > target);
    let is_repeat = history.contains(&asked);
    let is_safe =
        is_valid && (is_repeat || !history.iter().any(|signed| is_slashable(signed, &asked)));
    assert!(is_safe || !passed, "signed {asked:?} after {history:?}");
    assert!(
        passed || !is_safe || is_below(history, message),
        "refused {asked:?} after {history:?}"
    );
    if passed && !is_repeat {
        history.push(asked);
    }
}
