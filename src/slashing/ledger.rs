//! The marks on disk: one redb file, and the one thread that writes it.
//!
//! Tables of format 1; keys and values byte by byte in `record.rs`:
//!
//! | table   | key                    | value                                                    |
//! |---------|------------------------|----------------------------------------------------------|
//! | `marks` | public key, chain: 80 B | highest slot and epochs, and their signing roots: 89 B   |
//! | `meta`  | `format`               | 1 byte: 1                                                |
//! |         | `chain`                | 32 bytes: the chain last written; absent before          |
//! |         | `high`                 | 16 bytes: high watermark, slot then epoch; absent without |
//!
//! Invariants:
//! - "Recorded" is answered only when the commit that holds the record is synced.
//! - Check and record are one step on one thread: of two conflicting messages one is recorded.
//! - A mark never sinks.
//! - After an error the file is not trusted: a failed sync can leave pages in the system's cache
//!   that read as written and are gone with the power. Before anything else is recorded, all marks
//!   are copied into a new, synced file that replaces the old one.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, iter};

use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::disk::Disk;
use super::record::{self, KEY_BYTES, VALUE_BYTES};
use super::refused::Refused;
use super::rule::{self, Bounds, HighWatermark, Marks, Message, Verdict};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::wait::Promise;

pub(super) const MARKS: TableDefinition<&[u8; KEY_BYTES], &[u8; VALUE_BYTES]> = TableDefinition::new("marks");
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub(super) const CHAIN: &str = "chain";
const FORMAT: &str = "format";
const FORMAT_VERSION: &[u8] = &[1];
const HIGH: &str = "high";
/// What redb keeps in memory; the marks of 100,000 keys are some 20 MB on disk.
const CACHE_BYTES: usize = 4 << 20;
/// Requests in one commit: as many as there are connections.
const BATCH_REQUESTS_MAX: usize = 4096;

/// What the thread does for a caller.
pub(super) enum Job {
    /// Checks one message and records it.
    Record(Request),
    /// Adds these marks of a chain to those on record: all or none.
    Merge(Root, Vec<(PublicKey, Marks)>, Promise<Result<(), Unavailable>>),
    /// Sets or removes the high watermark.
    Limit(Option<HighWatermark>, Promise<Result<(), Unavailable>>),
    /// Hands out a view of what is on record now; repairs the store first when it failed before.
    Read(Promise<Result<ReadTransaction, Unavailable>>),
}

/// One message that wants a signature.
pub(super) struct Request {
    pub(super) key: PublicKey,
    pub(super) chain: Root,
    pub(super) message: Message,
    pub(super) root: Root,
    pub(super) promise: Promise<Result<(), Refused>>,
}

/// The store cannot be read or written, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// What the thread lets everybody see at any time.
#[derive(Default)]
pub(super) struct Board {
    failure: Mutex<Option<Unavailable>>,
    high: Mutex<Option<HighWatermark>>,
}

/// The thread's own state.
pub(super) struct Ledger<D: Disk> {
    disk: D,
    /// `None` after an error.
    database: Option<Database>,
    floor: Bounds,
    board: Arc<Board>,
}

/// Whether a change must be committed.
#[derive(PartialEq, Eq)]
enum Change {
    None,
    Made,
}

impl<D: Disk> Ledger<D> {
    /// Opens the database, or makes the first one. `floor.high` is not used: it stands on record.
    pub(super) fn open(disk: D, floor: Bounds, board: Arc<Board>) -> Result<Self, redb::Error> {
        let database = match disk.open()? {
            Some(file) => open_database(file)?,
            None => copy_database(&disk, None)?,
        };
        let high =
            database.begin_read()?.open_table(META)?.get(HIGH)?.map(|value| decode_high(value.value()));
        board.set_high(high.transpose()?);
        Ok(Self { disk, database: Some(database), floor, board })
    }

    /// Serves until the last sender is gone. One commit serves all requests that wait for one.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut requests = Vec::new();
            for job in iter::once(first).chain(jobs.try_iter()).take(BATCH_REQUESTS_MAX) {
                match job {
                    Job::Record(request) => requests.push(request),
                    Job::Merge(chain, marks, promise) => promise.keep(self.merge(chain, &marks)),
                    Job::Limit(high, promise) => promise.keep(self.limit(high)),
                    Job::Read(promise) => promise.keep(self.read()),
                }
            }
            self.record(requests);
        }
    }

    fn record(&mut self, requests: Vec<Request>) {
        let bounds = Bounds { high: self.board.high(), ..self.floor };
        let verdicts = self.write(|transaction| check_and_record(transaction, &bounds, &requests));
        match verdicts {
            Ok(verdicts) => {
                for (request, verdict) in requests.into_iter().zip(verdicts) {
                    request.promise.keep(verdict);
                }
            }
            Err(Unavailable(reason)) => {
                for request in requests {
                    request.promise.keep(Err(Refused::Unavailable(reason.clone())));
                }
            }
        }
    }

    fn merge(&mut self, chain: Root, imported: &[(PublicKey, Marks)]) -> Result<(), Unavailable> {
        self.write(|transaction| {
            let mut table = transaction.open_table(MARKS)?;
            for (public_key, marks) in imported {
                let key = record::key(public_key, &chain);
                let before = table.get(&key)?.map(|value| record::decode(value.value())).unwrap_or_default();
                table.insert(&key, &record::encode(&before.merge(*marks)))?;
            }
            transaction.open_table(META)?.insert(CHAIN, &chain.0[..])?;
            Ok(((), Change::Made))
        })
    }

    fn limit(&mut self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            match high {
                Some(high) => drop(meta.insert(HIGH, &encode_high(high)[..])?),
                None => drop(meta.remove(HIGH)?),
            }
            Ok(((), Change::Made))
        })?;
        self.board.set_high(high);
        Ok(())
    }

    fn read(&mut self) -> Result<ReadTransaction, Unavailable> {
        let result = self.database().and_then(|database| Ok(database.begin_read()?));
        self.note(result)
    }

    /// Makes a change in one transaction; it is on disk when this returns, or nothing is said to be.
    fn write<T>(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(T, Change), redb::Error>,
    ) -> Result<T, Unavailable> {
        let result = self.database().and_then(|database| {
            let transaction = database.begin_write()?;
            let (value, change) = change(&transaction)?;
            match change {
                Change::Made => transaction.commit()?,
                Change::None => transaction.abort()?,
            }
            Ok(value)
        });
        self.note(result)
    }

    /// The database; after an error a new one, copied from what is there.
    fn database(&mut self) -> Result<&Database, redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let file = self.disk.open()?.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                copy_database(&self.disk, Some(&open_database(file)?))?
            }
        };
        Ok(self.database.insert(database))
    }

    /// Keeps the board true: an error closes the database, a success ends the failure.
    fn note<T>(&mut self, result: Result<T, redb::Error>) -> Result<T, Unavailable> {
        let result = result.map_err(|error| Unavailable(error.to_string()));
        let failure = result.as_ref().err().cloned();
        if failure.is_some() {
            self.database = None;
        }
        match (self.board.set_failure(failure), &result) {
            (None, Err(Unavailable(reason))) => log::error!("slashing protection store failed: {reason}"),
            (Some(_), Ok(_)) => log::info!("slashing protection store works again"),
            (None, Ok(_)) | (Some(_), Err(_)) => {}
        }
        result
    }
}

fn check_and_record(
    transaction: &WriteTransaction,
    bounds: &Bounds,
    requests: &[Request],
) -> Result<(Vec<Result<(), Refused>>, Change), redb::Error> {
    let mut table = transaction.open_table(MARKS)?;
    let mut verdicts = Vec::with_capacity(requests.len());
    let mut last_chain = None;
    for request in requests {
        let key = record::key(&request.key, &request.chain);
        let marks = table.get(&key)?.map(|value| record::decode(value.value())).unwrap_or_default();
        verdicts.push(match rule::check(&marks, bounds, request.message, request.root) {
            Ok(Verdict::Record(marks)) => {
                table.insert(&key, &record::encode(&marks))?;
                last_chain = Some(request.chain);
                Ok(())
            }
            Ok(Verdict::Repeat) => Ok(()),
            Err(refused) => Err(refused),
        });
    }
    let Some(chain) = last_chain else { return Ok((verdicts, Change::None)) };
    let mut meta = transaction.open_table(META)?;
    if meta.get(CHAIN)?.is_none_or(|known| known.value() != chain.0) {
        meta.insert(CHAIN, &chain.0[..])?;
    }
    Ok((verdicts, Change::Made))
}

/// A database that must be ours.
fn open_database(file: impl StorageBackend) -> Result<Database, redb::Error> {
    if file.len()? == 0 {
        // redb would make a new one of it.
        return Err(redb::Error::Corrupted("the file is empty".to_owned()));
    }
    let database = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file)?;
    let view = database.begin_read()?;
    let version = view.open_table(META)?.get(FORMAT)?.map(|value| value.value().to_vec());
    if version.as_deref() != Some(FORMAT_VERSION) {
        let text = format!("format {version:?}, expected {FORMAT_VERSION:?}");
        return Err(redb::Error::Corrupted(text));
    }
    view.open_table(MARKS)?;
    Ok(database)
}

/// A new database with everything that is in `old`, synced and in its place.
fn copy_database<D: Disk>(disk: &D, old: Option<&Database>) -> Result<Database, redb::Error> {
    let new = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(disk.create()?)?;
    let transaction = new.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let mut marks = transaction.open_table(MARKS)?;
        meta.insert(FORMAT, FORMAT_VERSION)?;
        if let Some(old) = old {
            let view = old.begin_read()?;
            for entry in view.open_table(META)?.iter()? {
                let (key, value) = entry?;
                meta.insert(key.value(), value.value())?;
            }
            for entry in view.open_table(MARKS)?.iter()? {
                let (key, value) = entry?;
                marks.insert(key.value(), value.value())?;
            }
        }
    }
    transaction.commit()?;
    disk.adopt()?;
    Ok(new)
}

fn encode_high(high: HighWatermark) -> [u8; 16] {
    (u128::from(high.slot.0) << 64 | u128::from(high.epoch.0)).to_be_bytes()
}

fn decode_high(bytes: &[u8]) -> Result<HighWatermark, redb::Error> {
    let (slot, epoch) = bytes.split_at_checked(8).unwrap_or_default();
    match (slot.try_into(), epoch.try_into()) {
        (Ok(slot), Ok(epoch)) => {
            let (slot, epoch) = (u64::from_be_bytes(slot), u64::from_be_bytes(epoch));
            Ok(HighWatermark { slot: Slot(slot), epoch: Epoch(epoch) })
        }
        (_, _) => Err(redb::Error::Corrupted(format!("high watermark of {} bytes", bytes.len()))),
    }
}

impl Board {
    /// Why the store does not work, if it does not.
    pub(super) fn failure(&self) -> Option<Unavailable> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn high(&self) -> Option<HighWatermark> {
        *self.high.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_failure(&self, failure: Option<Unavailable>) -> Option<Unavailable> {
        let mut current = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, failure)
    }

    fn set_high(&self, high: Option<HighWatermark>) {
        *self.high.lock().unwrap_or_else(PoisonError::into_inner) = high;
    }
}

impl From<Unavailable> for Refused {
    fn from(Unavailable(reason): Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the slashing protection store does not work: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}
