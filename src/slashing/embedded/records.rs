//! What the database file holds, byte by byte, and how it is read and changed.
//!
//! Tables of format 2. Numbers are little-endian; "maybe X" is a byte, 1 or 0, and X or zeros.
//!
//! | table     | key               | value                                                       |
//! |-----------|-------------------|-------------------------------------------------------------|
//! | `records` | public key, 48    | maybe (block slot, 8; maybe its signing root, 32): 42       |
//! |           | chain, 32         | maybe (source, 8; target, 8; maybe their root, 32): 50      |
//! |           |                   | last used, Unix seconds, 8                                  |
//! | `facts`   | `high_watermark`  | slot, 8; epoch, 8; 16 zeros; no entry without one           |
//! |           | `new_store`       | the floor set when it was made: slot, 8; epoch, 8;          |
//! |           |                   | genesis time of its chain, 8; 8 zeros; or no entry          |
//! |           | `new_store_chain` | the chain of that floor, 32; no entry when not known        |
//! |           | `format`          | 2, a byte; 31 zeros                                         |
//!
//! Format 1 had a table `marks` instead of `records`, without the time of the last use, and
//! `last_chain` among the facts. It is copied into a new file of format 2 when it is opened.

use std::collections::BTreeSet;

use redb::{
    Database, Error, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::slashing::backend::Snapshot;
use crate::slashing::limits::{NewStoreFloor, unix_seconds};
use crate::slashing::rule::{
    BlockMark, CHAINS_PER_KEY_MAX, HighWatermark, Marks, Position, Unavailable, VoteMark,
};

type RecordKey = (&'static [u8; 48], &'static [u8; 32]);
type BlockColumn<'a> = Option<(u64, Option<&'a [u8; 32]>)>;
type VoteColumn<'a> = Option<(u64, u64, Option<&'a [u8; 32]>)>;
type RecordValue<'a> = (BlockColumn<'a>, VoteColumn<'a>, u64);

const RECORDS: TableDefinition<RecordKey, RecordValue<'static>> = TableDefinition::new("records");
const MARKS_OF_FORMAT_1: TableDefinition<RecordKey, (BlockColumn<'static>, VoteColumn<'static>)> =
    TableDefinition::new("marks");
const FACTS: TableDefinition<&str, &[u8; 32]> = TableDefinition::new("facts");
const HIGH_WATERMARK: &str = "high_watermark";
const NEW_STORE: &str = "new_store";
const NEW_STORE_CHAIN: &str = "new_store_chain";
const FORMAT: &str = "format";

/// The present format.
pub(super) const FORMAT_VERSION: u8 = 2;

/// After this time without use, a record may be removed for one of another chain.
const UNUSED_SECONDS: u64 = 86_400;

/// What a key has signed on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: PublicKey,
    pub(super) chain: Root,
    pub(super) marks: Marks,
    /// When it was last written, by a signature or an import. Unix seconds.
    pub(super) used_seconds: u64,
}

/// Takes one record after the other; an error ends the reading.
pub(super) type VisitRecord<'v> = dyn FnMut(Record) -> Result<(), Error> + 'v;

/// Makes the tables of a new database.
pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), Error> {
    transaction.open_table(RECORDS)?;
    let mut format = [0; 32];
    format[0] = FORMAT_VERSION;
    transaction.open_table(FACTS)?.insert(FORMAT, &format)?;
    Ok(())
}

/// Stores the floor of a new store.
pub(super) fn set_new_store_floor(
    transaction: &WriteTransaction,
    floor: &NewStoreFloor,
) -> Result<(), Error> {
    let mut facts = transaction.open_table(FACTS)?;
    let mut fact = encode_position(floor.lowest.slot, floor.lowest.epoch);
    fact[16..24].copy_from_slice(&floor.genesis_time_seconds.to_le_bytes());
    facts.insert(NEW_STORE, &fact)?;
    if let Some(chain) = floor.chain {
        facts.insert(NEW_STORE_CHAIN, &chain.0)?;
    }
    Ok(())
}

/// Stores or removes the high watermark.
pub(super) fn set_high_watermark(
    transaction: &WriteTransaction,
    high: Option<HighWatermark>,
) -> Result<(), Error> {
    let mut facts = transaction.open_table(FACTS)?;
    match high {
        Some(high) => facts.insert(HIGH_WATERMARK, &encode_position(high.slot, high.epoch))?,
        None => facts.remove(HIGH_WATERMARK)?,
    };
    Ok(())
}

/// Copies every fact but the format.
pub(super) fn copy_facts(from: &RecordSnapshot, to: &WriteTransaction) -> Result<(), Error> {
    let mut facts = to.open_table(FACTS)?;
    for name in [HIGH_WATERMARK, NEW_STORE, NEW_STORE_CHAIN] {
        match from.fact(name)? {
            Some(fact) => facts.insert(name, &fact)?,
            None => facts.remove(name)?,
        };
    }
    Ok(())
}

/// The records of the database at one moment.
pub(super) struct RecordSnapshot(ReadTransaction);

impl RecordSnapshot {
    pub(super) fn of(database: &Database) -> Result<Self, Error> {
        Ok(Self(database.begin_read()?))
    }

    /// The number of the format; `None` when this is not our database.
    pub(super) fn format(&self) -> Result<Option<u8>, Error> {
        Ok(self.fact(FORMAT)?.map(|fact| fact[0]))
    }

    pub(super) fn high_watermark(&self) -> Result<Option<HighWatermark>, Error> {
        let fact = self.fact(HIGH_WATERMARK)?;
        Ok(fact.map(|fact| {
            let position = decode_position(&fact);
            HighWatermark {
                slot: position.slot,
                epoch: position.epoch,
            }
        }))
    }

    /// The floor that was set when the store was made.
    pub(super) fn new_store_floor(&self) -> Result<Option<NewStoreFloor>, Error> {
        let chain = self.fact(NEW_STORE_CHAIN)?.map(Root);
        let fact = self.fact(NEW_STORE)?;
        Ok(fact.map(|fact| NewStoreFloor {
            lowest: decode_position(&fact),
            chain,
            genesis_time_seconds: decode_number(&fact[16..24]),
        }))
    }

    pub(super) fn count(&self) -> Result<u64, Error> {
        Ok(self.records()?.len()?)
    }

    pub(super) fn find(&self, key: PublicKey, chain: Root) -> Result<Option<Record>, Error> {
        let value = self.records()?.get((&key.0, &chain.0))?;
        Ok(value.map(|value| decode_record(key, chain, value.value())))
    }

    /// Reads all records, sorted by key and chain.
    pub(super) fn for_each(&self, visit: &mut VisitRecord<'_>) -> Result<(), Error> {
        for entry in self.records()?.iter()? {
            let (record_key, value) = entry?;
            let (key, chain) = record_key.value();
            visit(decode_record(PublicKey(*key), Root(*chain), value.value()))?;
        }
        Ok(())
    }

    /// Reads all records of format 1. They count as used now: when they were used is not known.
    pub(super) fn for_each_of_format_1(&self, visit: &mut VisitRecord<'_>) -> Result<(), Error> {
        let used_seconds = unix_seconds();
        for entry in self.0.open_table(MARKS_OF_FORMAT_1)?.iter()? {
            let (record_key, value) = entry?;
            let (key, chain) = record_key.value();
            let (block, vote) = value.value();
            visit(Record {
                key: PublicKey(*key),
                chain: Root(*chain),
                marks: decode_marks(block, vote),
                used_seconds,
            })?;
        }
        Ok(())
    }

    fn of_key(&self, key: &PublicKey) -> Result<Vec<Record>, Error> {
        records_of_key(&self.records()?, key)
    }

    fn records(&self) -> Result<ReadOnlyTable<RecordKey, RecordValue<'static>>, Error> {
        Ok(self.0.open_table(RECORDS)?)
    }

    fn fact(&self, name: &str) -> Result<Option<[u8; 32]>, Error> {
        let fact = self.0.open_table(FACTS)?.get(name)?;
        Ok(fact.map(|fact| *fact.value()))
    }

    fn find_chains(&self, keys: Option<&BTreeSet<PublicKey>>) -> Result<BTreeSet<Root>, Error> {
        let mut chains = BTreeSet::new();
        let Some(keys) = keys else {
            self.for_each(&mut |record| {
                chains.insert(record.chain);
                Ok(())
            })?;
            return Ok(chains);
        };
        for key in keys {
            chains.extend(self.of_key(key)?.iter().map(|record| record.chain));
        }
        Ok(chains)
    }

    fn find_marks(
        &self,
        chain: Option<Root>,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Error> {
        let mut found = Vec::new();
        let mut add = |record: Record| {
            if chain.is_none_or(|chain| chain == record.chain) {
                found.push((record.key, record.chain, record.marks));
            }
        };
        match keys {
            None => self.for_each(&mut |record| {
                add(record);
                Ok(())
            })?,
            Some(keys) => {
                for key in keys {
                    self.of_key(key)?.into_iter().for_each(&mut add);
                }
            }
        }
        Ok(found)
    }
}

impl Snapshot for RecordSnapshot {
    fn chains(
        &mut self,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<BTreeSet<Root>, Unavailable> {
        self.find_chains(keys).map_err(unreadable)
    }

    fn marks(
        &mut self,
        chain: Option<Root>,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable> {
        self.find_marks(chain, keys).map_err(unreadable)
    }

    fn known(&mut self, keys: &BTreeSet<PublicKey>) -> Result<BTreeSet<PublicKey>, Unavailable> {
        let mut known = BTreeSet::new();
        for key in keys {
            if !self.of_key(key).map_err(unreadable)?.is_empty() {
                known.insert(*key);
            }
        }
        Ok(known)
    }
}

/// Whether a key can have a record on one more chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChainLimit {
    Below,
    /// The record on this chain must be removed first: it was not used for longest.
    Remove(Root),
    /// All records were used within the last day.
    Reached,
}

/// Applies [`CHAINS_PER_KEY_MAX`] to the records of one key.
pub(super) fn chain_limit(records: &[Record], now_seconds: u64) -> ChainLimit {
    if records.len() < CHAINS_PER_KEY_MAX {
        return ChainLimit::Below;
    }
    let unused_since = now_seconds.saturating_sub(UNUSED_SECONDS);
    let oldest = records
        .iter()
        .min_by_key(|record| (record.used_seconds, record.chain));
    match oldest {
        Some(record) if record.used_seconds < unused_since => ChainLimit::Remove(record.chain),
        Some(_) | None => ChainLimit::Reached,
    }
}

/// Reports a record that was removed for one of another chain.
pub(super) fn warn_removed(key: PublicKey, chain: Root) {
    log::warn!(
        "slashing protection: {key} has records on {CHAINS_PER_KEY_MAX} chains: the record on {chain}, which \
         was not used for longest, is removed"
    );
}

/// The records, while one transaction changes them.
pub(super) struct RecordTable<'t> {
    table: Table<'t, RecordKey, RecordValue<'static>>,
    /// The records that were written or removed.
    pub(super) changed: Vec<(PublicKey, Root)>,
}

impl<'t> RecordTable<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            table: transaction.open_table(RECORDS)?,
            changed: Vec::new(),
        })
    }

    pub(super) fn find(&self, key: PublicKey, chain: Root) -> Result<Option<Record>, Error> {
        let value = self.table.get((&key.0, &chain.0))?;
        Ok(value.map(|value| decode_record(key, chain, value.value())))
    }

    /// Writes a record, and replaces the one before.
    pub(super) fn put(&mut self, record: &Record) -> Result<(), Error> {
        let key = (&record.key.0, &record.chain.0);
        self.table.insert(key, encode_record(record))?;
        self.changed.push((record.key, record.chain));
        Ok(())
    }

    pub(super) fn remove(&mut self, key: PublicKey, chain: Root) -> Result<(), Error> {
        self.table.remove((&key.0, &chain.0))?;
        self.changed.push((key, chain));
        Ok(())
    }

    /// Makes sure that a key can have a record on this chain: one of another chain may be removed for
    /// it. Returns `false` when the key has too many.
    pub(super) fn admit(
        &mut self,
        key: PublicKey,
        chain: Root,
        now_seconds: u64,
    ) -> Result<bool, Error> {
        if self.find(key, chain)?.is_some() {
            return Ok(true);
        }
        let records = records_of_key(&self.table, &key)?;
        match chain_limit(&records, now_seconds) {
            ChainLimit::Below => Ok(true),
            ChainLimit::Remove(unused_chain) => {
                warn_removed(key, unused_chain);
                self.remove(key, unused_chain)?;
                Ok(true)
            }
            ChainLimit::Reached => Ok(false),
        }
    }
}

fn records_of_key(
    table: &impl ReadableTable<RecordKey, RecordValue<'static>>,
    key: &PublicKey,
) -> Result<Vec<Record>, Error> {
    let all_chains = (&key.0, &[0; 32])..=(&key.0, &[0xff; 32]);
    let mut records = Vec::new();
    for entry in table.range::<(&[u8; 48], &[u8; 32])>(all_chains)? {
        let (record_key, value) = entry?;
        let chain = Root(*record_key.value().1);
        records.push(decode_record(*key, chain, value.value()));
    }
    Ok(records)
}

fn unreadable(error: Error) -> Unavailable {
    Unavailable(error.to_string())
}

fn encode_position(slot: Slot, epoch: Epoch) -> [u8; 32] {
    let mut fact = [0; 32];
    fact[..8].copy_from_slice(&slot.0.to_le_bytes());
    fact[8..16].copy_from_slice(&epoch.0.to_le_bytes());
    fact
}

fn decode_position(fact: &[u8; 32]) -> Position {
    Position {
        slot: Slot(decode_number(&fact[..8])),
        epoch: Epoch(decode_number(&fact[8..16])),
    }
}

fn decode_number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

fn encode_record(record: &Record) -> RecordValue<'_> {
    let block = record.marks.block.as_ref().map(|mark| {
        let root = mark.root.as_ref().map(|root| &root.0);
        (mark.slot.0, root)
    });
    let vote = record.marks.vote.as_ref().map(|mark| {
        let root = mark.root.as_ref().map(|root| &root.0);
        (mark.source.0, mark.target.0, root)
    });
    (block, vote, record.used_seconds)
}

fn decode_record(key: PublicKey, chain: Root, value: RecordValue<'_>) -> Record {
    let (block, vote, used_seconds) = value;
    Record {
        key,
        chain,
        marks: decode_marks(block, vote),
        used_seconds,
    }
}

fn decode_marks(block: BlockColumn<'_>, vote: VoteColumn<'_>) -> Marks {
    Marks {
        block: block.map(|(slot, root)| BlockMark {
            slot: Slot(slot),
            root: root.copied().map(Root),
        }),
        vote: vote.map(|(source, target, root)| VoteMark {
            source: Epoch(source),
            target: Epoch(target),
            root: root.copied().map(Root),
        }),
    }
}
