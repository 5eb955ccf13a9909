//! An import of many keys, while the service signs on.
//!
//! One commit of all of them would hold up every signature for seconds. So this thread writes a new
//! database beside the old one, in steps: what is on record, merged with what is imported. Then it
//! catches up with what was signed meanwhile, and the new file takes the name of the old one. Until
//! then nothing of the import counts, afterwards all of it does; a process that is killed leaves one
//! or the other. And the new file is about as small as its records allow.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;

use redb::{Database, Error};

use super::changes;
use super::rule::{Marks, Unavailable};
use super::store::{Step, Store};
use super::tables::{self, Record, Room, View};
use crate::consensus::primitives::{PublicKey, Root};

/// Records in one commit of the new file: a disk that syncs a few MB at a time holds nobody up.
const CHUNK_RECORDS: usize = 5_000;

/// A record to be written.
type Row = (PublicKey, Root, Record);

/// Adds marks to those on record, all or none. Blocks the thread, which holds [`Store::large_import`].
///
/// # Errors
/// The store cannot be read or written. Inside: a key that has records on too many chains.
pub(super) fn merge(
    store: &Store,
    chain: Root,
    imported: BTreeMap<PublicKey, Marks>,
) -> Result<Result<(), PublicKey>, Unavailable> {
    let Some(first) = imported.keys().next().copied() else {
        return Ok(Ok(()));
    };
    let merged = rebuild(store, chain, first, imported);
    if !matches!(merged, Ok(Ok(()))) {
        // What is told is why the rebuild failed.
        let _ = store.give_up_rebuild();
    }
    merged
}

fn rebuild(
    store: &Store,
    chain: Root,
    first: PublicKey,
    imported: BTreeMap<PublicKey, Marks>,
) -> Result<Result<(), PublicKey>, Unavailable> {
    let failed = |error: Error| Unavailable(error.to_string());
    let (mut new, view) = store.begin_rebuild()?;
    let now_seconds = store.limits().unix_seconds();
    if let Err(key) = fill(&new, view, chain, imported, now_seconds).map_err(failed)? {
        return Ok(Err(key));
    }
    loop {
        match store.end_rebuild(new, (first, chain))? {
            Step::Copy(copied, view, changed) => {
                catch_up(&copied, &view, &changed).map_err(failed)?;
                new = copied;
            }
            // Closing the old database takes a while: here, where nobody waits for it.
            Step::Done(_old) => return Ok(Ok(())),
        }
    }
}

/// Everything on record, merged with what is imported.
fn fill(
    new: &Database,
    view: View,
    chain: Root,
    imported: BTreeMap<PublicKey, Marks>,
    now_seconds: u64,
) -> Result<Result<(), PublicKey>, Error> {
    let mut filling = Filling {
        new,
        rows: Vec::new(),
        imported: imported.into_iter().peekable(),
        chain,
        now_seconds,
        refused: None,
    };
    let mut of_one_key: Vec<Row> = Vec::new();
    view.for_each(&mut |key, its_chain, record| {
        if of_one_key.last().is_some_and(|(last, _, _)| *last != key) {
            filling.add_key(std::mem::take(&mut of_one_key))?;
        }
        of_one_key.push((key, its_chain, record));
        Ok(())
    })?;
    filling.add_key(of_one_key)?;
    filling.add_imported_before(None)?;
    filling.write()?;
    Ok(filling.refused.map_or(Ok(()), Err))
}

/// A new database that is filled in the order of its keys: that leaves no page half empty.
struct Filling<'d> {
    new: &'d Database,
    /// Not written yet.
    rows: Vec<Row>,
    imported: Peekable<btree_map::IntoIter<PublicKey, Marks>>,
    chain: Root,
    now_seconds: u64,
    /// A key that has records on too many chains.
    refused: Option<PublicKey>,
}

impl Filling<'_> {
    /// Adds all records of a key, with what is imported of it, after all that come before.
    fn add_key(&mut self, mut rows: Vec<Row>) -> Result<(), Error> {
        let Some((key, _, _)) = rows.first().copied() else {
            return Ok(());
        };
        self.add_imported_before(Some(key))?;
        if let Some((_, marks)) = self.imported.next_if(|(next, _)| *next == key) {
            self.merge(key, marks, &mut rows);
        }
        for row in rows {
            self.add(row)?;
        }
        Ok(())
    }

    /// Adds what is imported of keys that have no record, up to `key`.
    fn add_imported_before(&mut self, key: Option<PublicKey>) -> Result<(), Error> {
        let is_before = |next: &(PublicKey, Marks)| key.is_none_or(|key| next.0 < key);
        while let Some((next, marks)) = self.imported.next_if(is_before) {
            let record = Record {
                marks,
                used_seconds: self.now_seconds,
            };
            self.add((next, self.chain, record))?;
        }
        Ok(())
    }

    fn merge(&mut self, key: PublicKey, marks: Marks, rows: &mut Vec<Row>) {
        let chain = self.chain;
        let is_ours = |(_, its_chain, _): &&mut Row| *its_chain == chain;
        if let Some((_, _, record)) = rows.iter_mut().find(is_ours) {
            record.marks = record.marks.merge(marks);
            record.used_seconds = self.now_seconds;
            return;
        }
        let uses = rows
            .iter()
            .map(|(_, chain, record)| (record.used_seconds, *chain));
        let uses: Vec<_> = uses.collect();
        match tables::find_room(&uses, self.now_seconds) {
            Room::Free => {}
            Room::Made(unused_chain) => {
                changes::warn_forgotten(key, unused_chain);
                rows.retain(|(_, its_chain, _)| *its_chain != unused_chain);
            }
            Room::None => {
                self.refused = Some(key);
                return;
            }
        }
        let record = Record {
            marks,
            used_seconds: self.now_seconds,
        };
        let place = rows.partition_point(|(_, its_chain, _)| *its_chain < chain);
        rows.insert(place, (key, chain, record));
    }

    fn add(&mut self, row: Row) -> Result<(), Error> {
        self.rows.push(row);
        if self.rows.len() == CHUNK_RECORDS {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        let transaction = self.new.begin_write()?;
        {
            let mut records = tables::open_records(&transaction)?;
            for (key, chain, record) in self.rows.drain(..) {
                tables::put(&mut records, key, chain, &record)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

fn catch_up(
    new: &Database,
    view: &View,
    changed: &BTreeSet<(PublicKey, Root)>,
) -> Result<(), Error> {
    let transaction = new.begin_write()?;
    tables::copy_changed(view, &transaction, changed)?;
    Ok(transaction.commit()?)
}
