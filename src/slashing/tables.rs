//! What the database holds, byte by byte, and how it is read.
//!
//! Tables of format 1. Numbers are little-endian; "maybe X" is a byte, 1 or 0, and X or zeros.
//!
//! | table   | key              | value                                                         |
//! |---------|------------------|---------------------------------------------------------------|
//! | `marks` | public key, 48   | maybe (block slot, 8; maybe its signing root, 32): 42         |
//! |         | chain, 32        | maybe (source, 8; target, 8; maybe their root, 32): 50        |
//! | `facts` | `last_chain`     | the chain last written, 32                                    |
//! |         | `high_watermark` | slot, 8; epoch, 8; 16 zeros; no entry without one             |
//! |         | `format`         | 1, a byte; 31 zeros                                           |
//!
//! Two tables, not four: each pair of types brings its own copy of the tree's code, 25 KB.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};

use redb::{
    Builder, Database, Error, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};

use super::disk::Disk;
use super::rule::{BlockMark, HighWatermark, Marks, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

type Key = (&'static [u8; 48], &'static [u8; 32]);
type Block<'a> = Option<(u64, Option<&'a [u8; 32]>)>;
type Vote<'a> = Option<(u64, u64, Option<&'a [u8; 32]>)>;
pub(super) const MARKS: TableDefinition<Key, (Block<'static>, Vote<'static>)> =
    TableDefinition::new("marks");
pub(super) const FACTS: TableDefinition<&str, &[u8; 32]> = TableDefinition::new("facts");
pub(super) const LAST_CHAIN: &str = "last_chain";
pub(super) const HIGH_WATERMARK: &str = "high_watermark";
const FORMAT: &str = "format";
const FORMAT_VERSION: u8 = 1;

/// What redb keeps in memory; the marks of 100,000 keys are some 20 MB on disk.
const CACHE_BYTES: usize = 4 << 20;

/// The database of this disk: ours, and whole.
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
        Some(FORMAT_VERSION) => Ok(Some(database)),
        other => Err(Error::Corrupted(format!(
            "format {other:?}, expected {FORMAT_VERSION}"
        ))),
    }
}

/// A new database with everything that is in `old`, synced and in its place.
pub(super) fn copy(disk: &dyn Disk, old: Option<&Database>) -> Result<Database, Error> {
    let new = disk.create(Builder::new().set_cache_size(CACHE_BYTES))?;
    let transaction = new.begin_write()?;
    transaction
        .open_table(FACTS)?
        .insert(FORMAT, &pad([FORMAT_VERSION]))?;
    let view = old.map(Database::begin_read).transpose()?;
    copy_table(MARKS, view.as_ref(), &transaction)?;
    copy_table(FACTS, view.as_ref(), &transaction)?;
    transaction.commit()?;
    disk.adopt()?;
    Ok(new)
}

fn copy_table<K: redb::Key, V: redb::Value>(
    table: TableDefinition<'_, K, V>,
    from: Option<&ReadTransaction>,
    to: &WriteTransaction,
) -> Result<(), Error> {
    let mut new = to.open_table(table)?;
    let Some(view) = from else { return Ok(()) };
    for entry in view.open_table(table)?.iter()? {
        let (key, value) = entry?;
        new.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// The marks as they were at one moment.
pub(super) struct View(ReadTransaction);

impl View {
    pub(super) fn of(database: &Database) -> Result<Self, Error> {
        Ok(Self(database.begin_read()?))
    }

    /// The chain that was written last.
    pub(super) fn last_chain(&self) -> Result<Option<Root>, Error> {
        Ok(self.fact(LAST_CHAIN)?.map(Root))
    }

    /// The bounds set by hand.
    pub(super) fn high_watermark(&self) -> Result<Option<HighWatermark>, Error> {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        Ok(self.fact(HIGH_WATERMARK)?.map(|fact| HighWatermark {
            slot: Slot(number(&fact[..8])),
            epoch: Epoch(number(&fact[8..16])),
        }))
    }

    fn fact(&self, name: &str) -> Result<Option<[u8; 32]>, Error> {
        Ok(self
            .0
            .open_table(FACTS)?
            .get(name)?
            .map(|fact| *fact.value()))
    }

    /// Whether the key has a record on any chain.
    pub(super) fn knows(&self, key: &PublicKey) -> Result<bool, Error> {
        let (first, last) = ((&key.0, &[0; 32]), (&key.0, &[0xff; 32]));
        Ok(self
            .0
            .open_table(MARKS)?
            .range::<(&[u8; 48], &[u8; 32])>(first..=last)?
            .next()
            .is_some())
    }

    /// The marks of these keys on a chain, of all keys with `None`; sorted.
    pub(super) fn marks(
        &self,
        chain: Root,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Marks)>, Error> {
        let mut found = Vec::new();
        for entry in self.0.open_table(MARKS)?.iter()? {
            let (key, value) = entry?;
            let (public_key, of) = (PublicKey(*key.value().0), Root(*key.value().1));
            if of == chain && keys.is_none_or(|keys| keys.contains(&public_key)) {
                found.push((public_key, decode(value.value())));
            }
        }
        Ok(found)
    }
}

/// The value of [`HIGH_WATERMARK`].
pub(super) fn encode_high(high: HighWatermark) -> [u8; 32] {
    let mut fact = pad(high.slot.0.to_le_bytes());
    fact[8..16].copy_from_slice(&high.epoch.0.to_le_bytes());
    fact
}

const fn pad<const LENGTH: usize>(bytes: [u8; LENGTH]) -> [u8; 32] {
    let mut fact = [0; 32];
    fact.split_at_mut(LENGTH).0.copy_from_slice(&bytes);
    fact
}

pub(super) fn encode(marks: &Marks) -> (Block<'_>, Vote<'_>) {
    let block = marks
        .block
        .as_ref()
        .map(|mark| (mark.slot.0, mark.root.as_ref().map(|root| &root.0)));
    let vote = marks.vote.as_ref();
    (
        block,
        vote.map(|mark| {
            (
                mark.source.0,
                mark.target.0,
                mark.root.as_ref().map(|root| &root.0),
            )
        }),
    )
}

pub(super) fn decode((block, vote): (Block<'_>, Vote<'_>)) -> Marks {
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
