//! The callers' side of the store: hands jobs to its thread and waits; reads a view of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use redb::{ReadTransaction, ReadableTable};

use super::disk::Disk;
use super::ledger::{Board, CHAIN, Job, Ledger, MARKS, META, Request, Unavailable};
use super::record::{self, KEY_BYTES};
use super::refused::Refused;
use super::rule::{Bounds, HighWatermark, Marks, Message};
use crate::consensus::primitives::{PublicKey, Root};
use crate::wait::{self, Promise};

/// An open store. Dropping it waits for the thread, which closes the database.
pub(super) struct Store {
    /// `None` only while it is dropped: that ends the thread.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    board: Arc<Board>,
}

impl Store {
    /// Opens the database on `disk`, or makes the first one, and starts the thread.
    pub(super) fn open(disk: impl Disk, floor: Bounds) -> Result<Self, redb::Error> {
        let board = Arc::new(Board::default());
        let ledger = Ledger::open(disk, floor, Arc::clone(&board))?;
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || ledger.run(&inbox))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), board })
    }

    /// Returns when the message may be signed: its record is on disk.
    pub(super) fn record(
        &self,
        key: PublicKey,
        chain: Root,
        message: Message,
        root: Root,
    ) -> Result<(), Refused> {
        self.ask(|promise| Job::Record(Request { key, chain, message, root, promise }))
    }

    /// Adds marks to those on record, all or none.
    pub(super) fn merge(&self, chain: Root, marks: Vec<(PublicKey, Marks)>) -> Result<(), Unavailable> {
        self.ask(|promise| Job::Merge(chain, marks, promise))
    }

    /// Sets or removes the high watermark.
    pub(super) fn limit(&self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.ask(|promise| Job::Limit(high, promise))
    }

    /// The high watermark, without waiting.
    pub(super) fn high_watermark(&self) -> Option<HighWatermark> {
        self.board.high()
    }

    /// Whether records can be written, as far as the last attempt tells; after a failure this is a
    /// new attempt.
    pub(super) fn health(&self) -> Result<(), Unavailable> {
        let thread_ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if self.board.failure().is_some() || thread_ended { self.view().map(drop) } else { Ok(()) }
    }

    /// What is on record now.
    pub(super) fn view(&self) -> Result<View, Unavailable> {
        self.ask(Job::Read).map(View)
    }

    fn ask<T, E: From<Unavailable>>(&self, job: impl FnOnce(Promise<Result<T, E>>) -> Job) -> Result<T, E> {
        let (promise, answer) = wait::promise();
        if let Some(jobs) = &self.jobs {
            // A job that cannot be sent is dropped, and its promise with it.
            drop(jobs.send(job(promise)));
        }
        answer.wait().unwrap_or_else(|| Err(Unavailable("its thread has ended".to_owned()).into()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has already been reported by the thread itself.
            drop(thread.join());
        }
    }
}

/// The marks as they were at one moment. Reading is done on the caller's thread.
pub(super) struct View(ReadTransaction);

impl View {
    /// The chain that was written last.
    pub(super) fn last_chain(&self) -> Result<Option<Root>, redb::Error> {
        let chain = self.0.open_table(META)?.get(CHAIN)?.map(|value| value.value().try_into());
        let chain = chain.transpose().map_err(|_| redb::Error::Corrupted("chain".to_owned()))?;
        Ok(chain.map(Root))
    }

    /// All chains on record.
    pub(super) fn chains(&self) -> Result<BTreeSet<Root>, redb::Error> {
        self.0.open_table(MARKS)?.iter()?.map(|entry| Ok(record::split(entry?.0.value()).1)).collect()
    }

    /// Whether the key has a record on any chain.
    pub(super) fn knows(&self, key: &PublicKey) -> Result<bool, redb::Error> {
        let (first, last) = (record::key(key, &Root([0; 32])), record::key(key, &Root([0xff; 32])));
        Ok(self.0.open_table(MARKS)?.range::<&[u8; KEY_BYTES]>(&first..=&last)?.next().is_some())
    }

    /// The marks of these keys on a chain, of all without `keys`, sorted by key.
    pub(super) fn marks(
        &self,
        chain: &Root,
        keys: Option<&[PublicKey]>,
    ) -> Result<Vec<(PublicKey, Marks)>, redb::Error> {
        let table = self.0.open_table(MARKS)?;
        let mut found = Vec::new();
        match keys {
            None => {
                for entry in table.iter()? {
                    let (key, value) = entry?;
                    let (public_key, of) = record::split(key.value());
                    if of == *chain {
                        found.push((public_key, record::decode(value.value())));
                    }
                }
            }
            Some(keys) => {
                for key in BTreeSet::from_iter(keys) {
                    if let Some(value) = table.get(&record::key(key, chain))? {
                        found.push((*key, record::decode(value.value())));
                    }
                }
            }
        }
        Ok(found)
    }
}
