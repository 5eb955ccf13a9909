//! What the database holds, byte by byte, and how it is read.
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
//! Format 1 had `marks` in the place of `records`, without the time of the last use, and `last_chain`
//! among the facts. Opening one copies it into a new file of format 2, which takes its place whole.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};

use redb::{
    Builder, Database, Error, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

use super::disk::{Disk, Draft};
use super::limits::{NewStoreFloor, unix_seconds};
use super::rule::{BlockMark, CHAINS_PER_KEY_MAX, HighWatermark, Marks, Position, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

type Key = (&'static [u8; 48], &'static [u8; 32]);
type Block<'a> = Option<(u64, Option<&'a [u8; 32]>)>;
type Vote<'a> = Option<(u64, u64, Option<&'a [u8; 32]>)>;
type Value<'a> = (Block<'a>, Vote<'a>, u64);
/// The records, open for writing.
pub(super) type Records<'t> = Table<'t, Key, Value<'static>>;

const RECORDS: TableDefinition<Key, Value<'static>> = TableDefinition::new("records");
const MARKS_OF_FORMAT_1: TableDefinition<Key, (Block<'static>, Vote<'static>)> =
    TableDefinition::new("marks");
const FACTS: TableDefinition<&str, &[u8; 32]> = TableDefinition::new("facts");
const HIGH_WATERMARK: &str = "high_watermark";
const NEW_STORE: &str = "new_store";
const NEW_STORE_CHAIN: &str = "new_store_chain";
const FORMAT: &str = "format";
const FORMAT_VERSION: u8 = 2;

/// What redb keeps in memory; the records of 100,000 keys are some 20 MB on disk.
const CACHE_BYTES: usize = 4 << 20;

/// A file larger than this may be worth a copy that is smaller.
const GROWN_BYTES_MIN: u64 = 16 << 20;
/// A record in a file that was just written takes less than this, its share of the tree included.
const RECORD_BYTES_MAX: u64 = 400;

/// A record that was not used for so long may make room for one of another chain.
const UNUSED_SECONDS: u64 = 86_400;

/// What is on record of a key on a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) marks: Marks,
    /// When it was written last: by a signature, or by an import. Unix seconds.
    pub(super) used_seconds: u64,
}

impl Record {
    /// Both in one: the maximum of each number.
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            marks: self.marks.merge(other.marks),
            used_seconds: self.used_seconds.max(other.used_seconds),
        }
    }
}

/// The database of this disk: ours, whole, of the present format, and not much larger than needed.
pub(super) fn open(disk: &dyn Disk) -> Result<Option<Database>, Error> {
    // Some damage makes redb panic.
    let checked = panic::catch_unwind(AssertUnwindSafe(|| open_checked(disk)));
    checked.unwrap_or_else(|_| Err(Error::Corrupted("it cannot be read".to_owned())))
}

fn open_checked(disk: &dyn Disk) -> Result<Option<Database>, Error> {
    let Some(mut database) = disk.open(Builder::new().set_cache_size(CACHE_BYTES))? else {
        return Ok(None);
    };
    // 25 ms for 100,000 keys. What could be repaired only by going back may have forgotten the last.
    if !database.check_integrity()? {
        return Err(Error::Corrupted("checksums differ".to_owned()));
    }
    match View::of(&database)?.fact(FORMAT)?.map(|fact| fact[0]) {
        Some(FORMAT_VERSION) => {}
        Some(1) => return copy(disk, &database, read_format_1).map(Some),
        other => {
            return Err(Error::Corrupted(format!(
                "format {other:?}, expected {FORMAT_VERSION}"
            )));
        }
    }
    let bytes = disk.database_bytes()?;
    let records = View::of(&database)?.records()?.len()?;
    if bytes > GROWN_BYTES_MIN && bytes > records * RECORD_BYTES_MAX {
        return copy(disk, &database, View::for_each).map(Some);
    }
    Ok(Some(database))
}

/// The first database, synced and in its place.
pub(super) fn create(disk: &dyn Disk, floor: Option<NewStoreFloor>) -> Result<Database, Error> {
    let database = draft(disk, Draft::Copy)?;
    let transaction = database.begin_write()?;
    {
        let mut facts = transaction.open_table(FACTS)?;
        if let Some(floor) = floor {
            let mut fact = encode_position(floor.lowest.slot, floor.lowest.epoch);
            fact[16..24].copy_from_slice(&floor.genesis_time_seconds.to_le_bytes());
            facts.insert(NEW_STORE, &fact)?;
            if let Some(chain) = floor.chain {
                facts.insert(NEW_STORE_CHAIN, &chain.0)?;
            }
        }
    }
    transaction.commit()?;
    disk.adopt(Draft::Copy)?;
    Ok(database)
}

/// A database in the place of this one, with everything that is in it, synced.
pub(super) fn recreate(disk: &dyn Disk, old: &Database) -> Result<Database, Error> {
    copy(disk, old, View::for_each)
}

/// A new, empty database of our format beside the one that is open.
pub(super) fn draft(disk: &dyn Disk, draft: Draft) -> Result<Database, Error> {
    let database = disk.create(Builder::new().set_cache_size(CACHE_BYTES), draft)?;
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    let mut format = [0; 32];
    format[0] = FORMAT_VERSION;
    transaction.open_table(FACTS)?.insert(FORMAT, &format)?;
    transaction.commit()?;
    Ok(database)
}

/// Takes a key, a chain and what is on record of both; an error ends the reading.
pub(super) type Visit<'v> = dyn FnMut(PublicKey, Root, Record) -> Result<(), Error> + 'v;

fn copy(
    disk: &dyn Disk,
    old: &Database,
    read: fn(&View, &mut Visit<'_>) -> Result<(), Error>,
) -> Result<Database, Error> {
    let new = draft(disk, Draft::Copy)?;
    let view = View::of(old)?;
    let transaction = new.begin_write()?;
    {
        let mut records = open_records(&transaction)?;
        read(&view, &mut |key, chain, record| {
            put(&mut records, key, chain, &record)
        })?;
    }
    copy_facts(&view, &transaction)?;
    transaction.commit()?;
    disk.adopt(Draft::Copy)?;
    Ok(new)
}

/// All facts that are kept.
pub(super) fn copy_facts(from: &View, to: &WriteTransaction) -> Result<(), Error> {
    let mut facts = to.open_table(FACTS)?;
    for name in [HIGH_WATERMARK, NEW_STORE, NEW_STORE_CHAIN] {
        match from.fact(name)? {
            Some(fact) => {
                facts.insert(name, &fact)?;
            }
            None => {
                facts.remove(name)?;
            }
        }
    }
    Ok(())
}

/// Brings what has changed since a copy was begun into it; what the copy has more stays.
pub(super) fn copy_changed(
    from: &View,
    to: &WriteTransaction,
    changed: &BTreeSet<(PublicKey, Root)>,
) -> Result<(), Error> {
    let mut records = open_records(to)?;
    for (key, chain) in changed {
        let Some(present) = from.record(*key, *chain)? else {
            // It made room for another one.
            remove(&mut records, *key, *chain)?;
            continue;
        };
        let copied = find(&records, *key, *chain)?.unwrap_or_default();
        put(&mut records, *key, *chain, &present.merge(copied))?;
    }
    Ok(())
}

/// The records of format 1, as used just now: when they were used is not known.
fn read_format_1(view: &View, visit: &mut Visit<'_>) -> Result<(), Error> {
    let used_seconds = unix_seconds();
    for entry in view.0.open_table(MARKS_OF_FORMAT_1)?.iter()? {
        let (key, value) = entry?;
        let (block, vote) = value.value();
        let marks = decode_marks(block, vote);
        let record = Record {
            marks,
            used_seconds,
        };
        visit(PublicKey(*key.value().0), Root(*key.value().1), record)?;
    }
    Ok(())
}

/// The records as they were at one moment.
pub(super) struct View(ReadTransaction);

impl View {
    pub(super) fn of(database: &Database) -> Result<Self, Error> {
        Ok(Self(database.begin_read()?))
    }

    /// The line that is set by hand.
    pub(super) fn high_watermark(&self) -> Result<Option<HighWatermark>, Error> {
        let fact = self.fact(HIGH_WATERMARK)?;
        Ok(fact.map(|fact| {
            let Position { slot, epoch } = decode_position(&fact);
            HighWatermark { slot, epoch }
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

    /// What is on record of a key on a chain.
    pub(super) fn record(&self, key: PublicKey, chain: Root) -> Result<Option<Record>, Error> {
        let record = self.records()?.get((&key.0, &chain.0))?;
        Ok(record.map(|value| decode(value.value())))
    }

    /// Whether the key has a record on any chain.
    pub(super) fn knows(&self, key: &PublicKey) -> Result<bool, Error> {
        Ok(!self.chains_of(key)?.is_empty())
    }

    /// All records, sorted by key and chain.
    pub(super) fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        for entry in self.records()?.iter()? {
            let (key, value) = entry?;
            visit(
                PublicKey(*key.value().0),
                Root(*key.value().1),
                decode(value.value()),
            )?;
        }
        Ok(())
    }

    /// The chains on which these keys have records; all keys with `None`.
    pub(super) fn chains(
        &self,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<BTreeSet<Root>, Error> {
        let mut chains = BTreeSet::new();
        let Some(keys) = keys else {
            self.for_each(&mut |_, chain, _| {
                chains.insert(chain);
                Ok(())
            })?;
            return Ok(chains);
        };
        for key in keys {
            chains.extend(self.chains_of(key)?);
        }
        Ok(chains)
    }

    /// The marks of these keys on a chain, of all keys with `None`; sorted.
    pub(super) fn marks(
        &self,
        chain: Root,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Marks)>, Error> {
        let mut found = Vec::new();
        let Some(keys) = keys else {
            self.for_each(&mut |key, its_chain, record| {
                if its_chain == chain {
                    found.push((key, record.marks));
                }
                Ok(())
            })?;
            return Ok(found);
        };
        for key in keys {
            if let Some(record) = self.record(*key, chain)? {
                found.push((*key, record.marks));
            }
        }
        Ok(found)
    }

    fn chains_of(&self, key: &PublicKey) -> Result<Vec<Root>, Error> {
        let mut chains = Vec::new();
        for entry in self
            .records()?
            .range::<(&[u8; 48], &[u8; 32])>(all_chains_of(key))?
        {
            let (entry_key, _) = entry?;
            chains.push(Root(*entry_key.value().1));
        }
        Ok(chains)
    }

    fn records(&self) -> Result<ReadOnlyTable<Key, Value<'static>>, Error> {
        Ok(self.0.open_table(RECORDS)?)
    }

    fn fact(&self, name: &str) -> Result<Option<[u8; 32]>, Error> {
        let fact = self.0.open_table(FACTS)?.get(name)?;
        Ok(fact.map(|fact| *fact.value()))
    }
}

/// The records, to be changed.
pub(super) fn open_records(transaction: &WriteTransaction) -> Result<Records<'_>, Error> {
    Ok(transaction.open_table(RECORDS)?)
}

/// What is on record of a key on a chain.
pub(super) fn find(
    records: &Records<'_>,
    key: PublicKey,
    chain: Root,
) -> Result<Option<Record>, Error> {
    let value = records.get((&key.0, &chain.0))?;
    Ok(value.map(|value| decode(value.value())))
}

/// Puts a record in the place of the one before.
pub(super) fn put(
    records: &mut Records<'_>,
    key: PublicKey,
    chain: Root,
    record: &Record,
) -> Result<(), Error> {
    records.insert((&key.0, &chain.0), encode(record))?;
    Ok(())
}

/// Takes a record away.
pub(super) fn remove(records: &mut Records<'_>, key: PublicKey, chain: Root) -> Result<(), Error> {
    records.remove((&key.0, &chain.0))?;
    Ok(())
}

/// What became of the search for room for one more chain of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is some.
    Free,
    /// The record on this chain had to go: it was not used for longest.
    Made(Root),
    /// All records were used within the last day.
    None,
}

/// Makes room for one more chain of a key.
pub(super) fn make_room(
    records: &mut Records<'_>,
    key: PublicKey,
    now_seconds: u64,
) -> Result<Room, Error> {
    let mut uses = Vec::new();
    for entry in records.range::<(&[u8; 48], &[u8; 32])>(all_chains_of(&key))? {
        let (entry_key, value) = entry?;
        let used_seconds = decode(value.value()).used_seconds;
        uses.push((used_seconds, Root(*entry_key.value().1)));
    }
    let room = find_room(&uses, now_seconds);
    if let Room::Made(chain) = room {
        remove(records, key, chain)?;
    }
    Ok(room)
}

/// Which of a key's chains makes room for one more: each with the time of its last use.
pub(super) fn find_room(uses: &[(u64, Root)], now_seconds: u64) -> Room {
    if uses.len() < CHAINS_PER_KEY_MAX {
        return Room::Free;
    }
    match uses.iter().min() {
        Some((used_seconds, chain))
            if *used_seconds < now_seconds.saturating_sub(UNUSED_SECONDS) =>
        {
            Room::Made(*chain)
        }
        Some(_) | None => Room::None,
    }
}

/// Sets or removes the high watermark.
pub(super) fn set_high_watermark(
    transaction: &WriteTransaction,
    high: Option<HighWatermark>,
) -> Result<(), Error> {
    let mut facts = transaction.open_table(FACTS)?;
    match high {
        Some(high) => {
            facts.insert(HIGH_WATERMARK, &encode_position(high.slot, high.epoch))?;
        }
        None => {
            facts.remove(HIGH_WATERMARK)?;
        }
    }
    Ok(())
}

fn all_chains_of(key: &PublicKey) -> std::ops::RangeInclusive<(&[u8; 48], &'static [u8; 32])> {
    (&key.0, &[0; 32])..=(&key.0, &[0xff; 32])
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

fn encode(record: &Record) -> Value<'_> {
    let block = record.marks.block.as_ref();
    let vote = record.marks.vote.as_ref();
    (
        block.map(|mark| (mark.slot.0, mark.root.as_ref().map(|root| &root.0))),
        vote.map(|mark| {
            let root = mark.root.as_ref().map(|root| &root.0);
            (mark.source.0, mark.target.0, root)
        }),
        record.used_seconds,
    )
}

fn decode((block, vote, used_seconds): Value<'_>) -> Record {
    Record {
        marks: decode_marks(block, vote),
        used_seconds,
    }
}

fn decode_marks(block: Block<'_>, vote: Vote<'_>) -> Marks {
    let root = |root: Option<&[u8; 32]>| root.copied().map(Root);
    Marks {
        block: block.map(|(slot, of)| BlockMark {
            slot: Slot(slot),
            root: root(of),
        }),
        vote: vote.map(|(source, target, of)| VoteMark {
            source: Epoch(source),
            target: Epoch(target),
            root: root(of),
        }),
    }
}
