//! An import of many keys, while signatures go on.
//!
//! One commit of all of them would delay every signature for seconds. So the importing thread writes a
//! new database beside the old one: what is on record, merged with what is imported. Then it copies
//! what was signed meanwhile, and the new file replaces the old one. Until then nothing of the import
//! counts, afterwards all of it does. A process that is killed leaves one or the other. The new file is
//! about as small as its records allow.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::sync::{Arc, Mutex};

use redb::{Database, Error};

use super::records::{
    ChainLimit, Record, RecordSnapshot, RecordTable, chain_limit, copy_facts, warn_removed,
};
use crate::consensus::primitives::{PublicKey, Root};
use crate::slashing::backend::LargeImport;
use crate::slashing::repair::RepairError;
use crate::slashing::rule::{Marks, Unavailable};
use crate::wait::lock;

/// Records in one commit of the new file. A disk that syncs a few MB at a time delays nobody.
const CHUNK_RECORDS: usize = 5_000;

/// What the importing thread and the writer thread share. They take turns: the writer thread looks at
/// it only while the importing thread waits for it.
pub(super) struct Rebuild {
    /// The database that is written; taken when it replaces the old one.
    pub(super) new: Option<Database>,
    /// One of the imported records.
    pub(super) first: Option<(PublicKey, Root)>,
    /// The records to copy next.
    pub(super) source: RebuildSource,
    /// The database that was replaced. Closing it takes a while, so the importing thread does it.
    pub(super) old: Option<Database>,
}

pub(super) enum RebuildSource {
    /// All records, merged with the imported marks.
    Everything(RecordSnapshot, ImportedMarks),
    /// The records that have changed since the snapshot before.
    Changed(RecordSnapshot, BTreeSet<(PublicKey, Root)>),
    /// Nothing to copy.
    Nothing,
}

pub(super) struct ImportedMarks {
    pub(super) chain: Root,
    pub(super) marks: BTreeMap<PublicKey, Marks>,
    pub(super) now_seconds: u64,
}

/// The importing thread's handle.
pub(super) struct RebuildImport(pub(super) Arc<Mutex<Rebuild>>);

impl LargeImport for RebuildImport {
    fn write(&mut self) -> Result<Result<(), RepairError>, Unavailable> {
        lock(&self.0)
            .write()
            .map_err(|error| Unavailable(error.to_string()))
    }
}

impl Rebuild {
    fn write(&mut self) -> Result<Result<(), RepairError>, Error> {
        let Some(new) = &self.new else {
            return Ok(Ok(()));
        };
        match std::mem::replace(&mut self.source, RebuildSource::Nothing) {
            RebuildSource::Everything(snapshot, imported) => write_merged(new, &snapshot, imported),
            RebuildSource::Changed(snapshot, changed) => {
                let transaction = new.begin_write()?;
                copy_changed(&snapshot, &mut RecordTable::open(&transaction)?, &changed)?;
                transaction.commit()?;
                Ok(Ok(()))
            }
            RebuildSource::Nothing => Ok(Ok(())),
        }
    }
}

/// Brings the last changes and the facts into the new database, in one commit.
pub(super) fn copy_last(
    from: &RecordSnapshot,
    to: &Database,
    changed: &BTreeSet<(PublicKey, Root)>,
) -> Result<(), Error> {
    let transaction = to.begin_write()?;
    copy_changed(from, &mut RecordTable::open(&transaction)?, changed)?;
    copy_facts(from, &transaction)?;
    Ok(transaction.commit()?)
}

/// Merges records into the copy; what the copy has more stays.
fn copy_changed(
    from: &RecordSnapshot,
    to: &mut RecordTable<'_>,
    changed: &BTreeSet<(PublicKey, Root)>,
) -> Result<(), Error> {
    for (key, chain) in changed {
        match (from.find(*key, *chain)?, to.find(*key, *chain)?) {
            // It was removed for a record of another chain.
            (None, _) => to.remove(*key, *chain)?,
            (Some(present), None) => to.put(&present)?,
            (Some(present), Some(copied)) => to.put(&Record {
                marks: present.marks.merge(copied.marks),
                used_seconds: present.used_seconds.max(copied.used_seconds),
                ..present
            })?,
        }
    }
    Ok(())
}

fn write_merged(
    new: &Database,
    snapshot: &RecordSnapshot,
    imported: ImportedMarks,
) -> Result<Result<(), RepairError>, Error> {
    let mut writer = MergeWriter {
        new,
        waiting: Vec::new(),
        chain: imported.chain,
        now_seconds: imported.now_seconds,
        imported: imported.marks.into_iter().peekable(),
        refused: None,
    };
    let mut of_one_key: Vec<Record> = Vec::new();
    snapshot.for_each(&mut |record| {
        if of_one_key.last().is_some_and(|last| last.key != record.key) {
            writer.add_key(std::mem::take(&mut of_one_key))?;
        }
        of_one_key.push(record);
        Ok(())
    })?;
    writer.add_key(of_one_key)?;
    writer.add_imported_before(None)?;
    writer.commit()?;
    match writer.refused {
        Some(key) => Ok(Err(RepairError::ManyChains(key))),
        None => Ok(Ok(())),
    }
}

/// Writes a new database in the order of its keys: that leaves no page half empty.
struct MergeWriter<'d> {
    new: &'d Database,
    /// Records for the next commit.
    waiting: Vec<Record>,
    chain: Root,
    now_seconds: u64,
    imported: Peekable<btree_map::IntoIter<PublicKey, Marks>>,
    /// A key that has records on too many chains.
    refused: Option<PublicKey>,
}

impl MergeWriter<'_> {
    /// Adds all records of one key with its imported marks, and before them the imported keys that
    /// come first.
    fn add_key(&mut self, mut records: Vec<Record>) -> Result<(), Error> {
        let Some(key) = records.first().map(|record| record.key) else {
            return Ok(());
        };
        self.add_imported_before(Some(key))?;
        if let Some((_, marks)) = self.imported.next_if(|(next, _)| *next == key) {
            self.merge(key, marks, &mut records);
        }
        for record in records {
            self.add(record)?;
        }
        Ok(())
    }

    /// Adds imported keys that have no record, up to `key`.
    fn add_imported_before(&mut self, key: Option<PublicKey>) -> Result<(), Error> {
        let is_before = |next: &(PublicKey, Marks)| key.is_none_or(|key| next.0 < key);
        while let Some((next, marks)) = self.imported.next_if(is_before) {
            self.add(self.imported_record(next, marks))?;
        }
        Ok(())
    }

    fn merge(&mut self, key: PublicKey, marks: Marks, records: &mut Vec<Record>) {
        let chain = self.chain;
        if let Some(record) = records.iter_mut().find(|record| record.chain == chain) {
            record.marks = record.marks.merge(marks);
            record.used_seconds = self.now_seconds;
            return;
        }
        match chain_limit(records, self.now_seconds) {
            ChainLimit::Below => {}
            ChainLimit::Remove(unused_chain) => {
                warn_removed(key, unused_chain);
                records.retain(|record| record.chain != unused_chain);
            }
            ChainLimit::Reached => {
                self.refused = Some(key);
                return;
            }
        }
        let index = records.partition_point(|record| record.chain < chain);
        records.insert(index, self.imported_record(key, marks));
    }

    fn imported_record(&self, key: PublicKey, marks: Marks) -> Record {
        Record {
            key,
            chain: self.chain,
            marks,
            used_seconds: self.now_seconds,
        }
    }

    fn add(&mut self, record: Record) -> Result<(), Error> {
        self.waiting.push(record);
        if self.waiting.len() == CHUNK_RECORDS {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        let transaction = self.new.begin_write()?;
        {
            let mut table = RecordTable::open(&transaction)?;
            for record in self.waiting.drain(..) {
                table.put(&record)?;
            }
        }
        Ok(transaction.commit()?)
    }
}
