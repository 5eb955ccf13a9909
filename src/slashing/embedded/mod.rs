//! The default back-end: one redb file in the data directory, for one process.
//!
//! Invariants:
//! - A record is reported only when its commit is synced, in the file that has the database's name.
//! - A mark never sinks while the service runs.
//! - After an error the file is not trusted: a failed sync can leave pages in the system's cache that
//!   read as written and are lost with the power. Before anything else is recorded, all records are
//!   copied into a new, synced file that replaces the old one.
//! - A large import writes another file ([`rebuild`]), which replaces this one whole. What is recorded
//!   meanwhile is noted, and copied into that file too.

mod disk;
mod rebuild;
mod records;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::{Database, Error, WriteTransaction};

pub(crate) use disk::DATABASE_FILE;
pub use disk::{Disk, Draft};
use disk::{StoreDirectory, copy_database, create_database, create_draft, open_database};
use rebuild::{ImportedMarks, Rebuild, RebuildImport, RebuildSource, copy_last};
use records::{Record, RecordSnapshot, RecordTable, set_high_watermark};

use super::backend::{
    Backend, BatchTime, ChangeMarks, LargeImport, LargeImportProgress, RecordOutcome,
    RecordRequest, Snapshot,
};
use super::error::StoreOpenError;
use super::limits::NewStoreFloor;
use super::repair::RepairError;
use super::rule::{self, HighWatermark, Marks, Refused, Unavailable, Verdict};
use crate::consensus::primitives::{PublicKey, Root};
use crate::wait::lock;

/// Chains that are remembered, to warn once of a new one.
const KNOWN_CHAINS_MAX: usize = 4096;

/// Records that are copied while signatures wait, at the end of a rebuild: some 10 ms of work.
const LAST_COPIED_MAX: usize = 1000;

/// The open store.
pub(super) struct EmbeddedStore {
    disk: Box<dyn Disk>,
    /// `None` after an error.
    database: Option<Database>,
    high: Option<HighWatermark>,
    /// The chains that have records.
    known_chains: HashSet<Root>,
    rebuild: Option<Arc<Mutex<Rebuild>>>,
    /// The records that were written since the last snapshot of the rebuild. `None` without one, and
    /// when it must fail.
    changed: Option<BTreeSet<(PublicKey, Root)>>,
}

/// Reserves a directory for this process.
pub(super) fn lock_directory(path: &Path) -> Result<Box<dyn Disk>, StoreOpenError> {
    Ok(Box::new(StoreDirectory::lock(path)?))
}

impl EmbeddedStore {
    /// Opens the store of this disk, or makes one. `new_store_floor` is asked for the floor of a new
    /// store; its parameter is whether the store before was lost. Returns the store and its floor.
    pub(super) fn open(
        disk: Box<dyn Disk>,
        directory: &Path,
        replaces_lost_store: bool,
        new_store_floor: impl FnOnce(bool) -> Option<NewStoreFloor>,
    ) -> Result<(Self, Option<NewStoreFloor>), StoreOpenError> {
        let path = directory.join(DATABASE_FILE);
        let failed = |error| StoreOpenError::of(&path, error);
        let database = match open_database(&*disk).map_err(failed)? {
            Some(database) => database,
            None => {
                let was_lost = disk.had_database().map_err(|error| failed(error.into()))?;
                if was_lost && !replaces_lost_store {
                    return Err(StoreOpenError::Lost(path));
                }
                create_database(&*disk, new_store_floor(was_lost)).map_err(failed)?
            }
        };
        disk.remember().map_err(|error| failed(error.into()))?;
        Self::start(disk, database).map_err(failed)
    }

    fn start(
        disk: Box<dyn Disk>,
        database: Database,
    ) -> Result<(Self, Option<NewStoreFloor>), Error> {
        let mut snapshot = RecordSnapshot::of(&database)?;
        let floor = snapshot.new_store_floor()?;
        let chains =
            Snapshot::chains(&mut snapshot, None).map_err(|error| io::Error::other(error.0))?;
        let store = Self {
            disk,
            high: snapshot.high_watermark()?,
            known_chains: chains.into_iter().collect(),
            database: Some(database),
            rebuild: None,
            changed: None,
        };
        Ok((store, floor))
    }

    /// Closes the database after an error, so that nothing more is written to it.
    fn guard<T>(&mut self, result: Result<T, Error>) -> Result<T, Unavailable> {
        result.map_err(|error| {
            self.database = None;
            self.changed = None;
            Unavailable(error.to_string())
        })
    }

    /// Returns the database; after an error a copy of what is on disk.
    fn database(&mut self) -> Result<&Database, Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let copied = copy_database(&*self.disk)?;
                let new = copied.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                self.high = RecordSnapshot::of(&new)?.high_watermark()?;
                new
            }
        };
        Ok(self.database.insert(database))
    }

    /// Makes a change in one transaction. It is committed if `change` returns `true` beside its value.
    fn write<T>(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        let transaction = self.database()?.begin_write()?;
        let (value, is_changed) = change(&transaction)?;
        if is_changed {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        // A record in a file without a name is lost with this process.
        self.disk.verify()?;
        Ok(value)
    }

    fn check_and_record(
        &mut self,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Error> {
        let high = self.high;
        let (outcomes, changed) = self.write(|transaction| {
            let mut table = RecordTable::open(transaction)?;
            let mut outcomes = Vec::with_capacity(requests.len());
            for request in requests {
                outcomes.push(check_and_put(&mut table, request, time, high)?);
            }
            let is_changed = !table.changed.is_empty();
            Ok(((outcomes, table.changed), is_changed))
        })?;
        self.note_changed(changed);
        Ok(outcomes)
    }

    /// Notes changed records for a rebuild, and warns of a new chain: its root may be mistyped.
    fn note_changed(&mut self, changed: Vec<(PublicKey, Root)>) {
        for (key, chain) in &changed {
            if self.known_chains.contains(chain) {
                continue;
            }
            if self.known_chains.len() < KNOWN_CHAINS_MAX {
                self.known_chains.insert(*chain);
            }
            log::warn!(
                "slashing protection: first record on the chain with genesis_validators_root {chain}, of {key}"
            );
        }
        if let Some(noted) = &mut self.changed {
            noted.extend(changed);
        }
    }

    fn change_records(
        &mut self,
        chain: Root,
        keys: &[PublicKey],
        change: &mut ChangeMarks<'_>,
        now_seconds: u64,
    ) -> Result<Result<(), RepairError>, Error> {
        let (outcome, changed) = self.write(|transaction| {
            let mut table = RecordTable::open(transaction)?;
            let outcome = change_all(&mut table, chain, keys, change, now_seconds)?;
            let is_changed = outcome.is_ok() && !table.changed.is_empty();
            Ok(((outcome, table.changed), is_changed))
        })?;
        if outcome.is_ok() {
            self.note_changed(changed);
        }
        Ok(outcome)
    }

    fn begin_rebuild(&mut self, imported: ImportedMarks) -> Result<Arc<Mutex<Rebuild>>, Error> {
        let snapshot = RecordSnapshot::of(self.database()?)?;
        let new = create_draft(&*self.disk, Draft::Rebuild)?;
        self.changed = Some(BTreeSet::new());
        let first_key = imported.marks.keys().next().copied();
        let rebuild = Arc::new(Mutex::new(Rebuild {
            new: Some(new),
            first: first_key.map(|key| (key, imported.chain)),
            source: RebuildSource::Everything(snapshot, imported),
            old: None,
        }));
        self.rebuild = Some(Arc::clone(&rebuild));
        Ok(rebuild)
    }

    fn end_rebuild(&mut self) -> Result<LargeImportProgress, Error> {
        let snapshot = RecordSnapshot::of(self.database()?)?;
        let failed = || io::Error::other("it failed in the middle of an import");
        let changed = self.changed.take().ok_or_else(failed)?;
        let rebuild = self.rebuild.clone().ok_or_else(failed)?;
        let mut rebuild = lock(&rebuild);
        if changed.len() > LAST_COPIED_MAX {
            self.changed = Some(BTreeSet::new());
            rebuild.source = RebuildSource::Changed(snapshot, changed);
            return Ok(LargeImportProgress::CatchUp);
        }
        let new = rebuild.new.take().ok_or_else(failed)?;
        copy_last(&snapshot, &new, &changed)?;
        // Do not overwrite a file that has replaced ours meanwhile.
        self.disk.verify()?;
        rebuild.old = self.database.take();
        self.disk.adopt(Draft::Rebuild)?;
        self.database = Some(new);
        self.rebuild = None;
        self.note_changed(rebuild.first.into_iter().collect());
        Ok(LargeImportProgress::Done)
    }
}

fn check_and_put(
    table: &mut RecordTable<'_>,
    request: &RecordRequest,
    time: &BatchTime<'_>,
    high: Option<HighWatermark>,
) -> Result<RecordOutcome, Error> {
    let RecordRequest {
        key,
        chain,
        message,
        root,
    } = *request;
    let record = table.find(key, chain)?;
    let marks = record.map_or_else(Marks::default, |record| record.marks);
    let marks = match rule::check(&marks, &time.bounds(chain, high), message, root) {
        Err(refused) => return Ok(RecordOutcome::Refused(refused)),
        Ok(Verdict::Repeat) => return Ok(RecordOutcome::Recorded),
        Ok(Verdict::Record(marks)) => marks,
    };
    if !table.admit(key, chain, time.unix_seconds)? {
        return Ok(RecordOutcome::Refused(Refused::ManyChains(message)));
    }
    table.put(&Record {
        key,
        chain,
        marks,
        used_seconds: time.unix_seconds,
    })?;
    Ok(RecordOutcome::Recorded)
}

fn change_all(
    table: &mut RecordTable<'_>,
    chain: Root,
    keys: &[PublicKey],
    change: &mut ChangeMarks<'_>,
    now_seconds: u64,
) -> Result<Result<(), RepairError>, Error> {
    for key in keys {
        let before = table.find(*key, chain)?.map(|record| record.marks);
        let marks = match change(*key, before) {
            Ok(marks) => marks,
            Err(refused) => return Ok(Err(refused)),
        };
        if !table.admit(*key, chain, now_seconds)? {
            return Ok(Err(RepairError::ManyChains(*key)));
        }
        table.put(&Record {
            key: *key,
            chain,
            marks,
            used_seconds: now_seconds,
        })?;
    }
    Ok(Ok(()))
}

impl Backend for EmbeddedStore {
    fn record(
        &mut self,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Unavailable> {
        let recorded = self.check_and_record(requests, time);
        self.guard(recorded)
    }

    fn change_marks(
        &mut self,
        chain: Root,
        keys: &[PublicKey],
        change: &mut ChangeMarks<'_>,
        time: &BatchTime<'_>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        let changed = self.change_records(chain, keys, change, time.unix_seconds);
        self.guard(changed)
    }

    fn begin_large_import(
        &mut self,
        chain: Root,
        marks: BTreeMap<PublicKey, Marks>,
        time: &BatchTime<'_>,
    ) -> Result<Box<dyn LargeImport>, Unavailable> {
        let begun = self.begin_rebuild(ImportedMarks {
            chain,
            marks,
            now_seconds: time.unix_seconds,
        });
        Ok(Box::new(RebuildImport(self.guard(begun)?)))
    }

    fn end_large_import(&mut self) -> Result<LargeImportProgress, Unavailable> {
        let ended = self.end_rebuild();
        self.guard(ended)
    }

    fn abandon_large_import(&mut self) {
        self.changed = None;
        self.rebuild = None;
        // The draft may have filled the disk.
        self.disk.discard(Draft::Rebuild);
    }

    fn high_watermark(&self) -> Option<HighWatermark> {
        self.high
    }

    fn set_high_watermark(&mut self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        let written = self.write(|transaction| {
            set_high_watermark(transaction, high)?;
            Ok(((), true))
        });
        self.guard(written)?;
        self.high = high;
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>, Unavailable> {
        let snapshot = self.database().and_then(RecordSnapshot::of);
        Ok(Box::new(self.guard(snapshot)?))
    }

    fn check_idle(&mut self) -> Option<Result<(), Unavailable>> {
        // A lost file must be noticed even if nothing is signed.
        self.database.as_ref()?;
        let verified = self.disk.verify().map_err(Error::from);
        Some(self.guard(verified))
    }

    fn recover(&mut self) -> Result<(), Unavailable> {
        let opened = self.database().and_then(RecordSnapshot::of).map(|_| ());
        self.guard(opened)
    }
}

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod tests;
