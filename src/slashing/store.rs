//! The marks on disk: one redb file, and the one thread that writes it.
//!
//! Invariants:
//! - "Recorded" is answered only when the commit that holds the record is synced.
//! - Check and record are one step on one thread: of two conflicting messages one is recorded.
//! - A mark never sinks.
//! - After an error the file is not trusted: a failed sync can leave pages in the system's cache
//!   that read as written and are gone with the power. Before anything else is recorded, all marks
//!   are copied into a new, synced file that replaces the old one.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, iter};

use redb::{Database, ReadableTable, WriteTransaction};

use super::disk::Disk;
use super::rule::{self, Bounds, HighWatermark, Marks, Message, Refused, Unavailable, Verdict};
use super::tables::{
    FACTS, HIGH_WATERMARK, LAST_CHAIN, MARKS, View, copy, decode, encode, encode_high, open,
};
use crate::consensus::primitives::{PublicKey, Root};
use crate::critical_thread;
use crate::wait::{self, Promise, lock};

/// Requests in one commit: as many as there are connections.
const BATCH_REQUESTS_MAX: usize = 4096;

/// From one commit to the next when requests come faster: a commit costs as much CPU as half a signature,
/// however many it serves. After a pause, and on a disk that is slower, nobody waits for this.
const COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// The callers' side: hands jobs to the thread and waits. Dropping it closes the database.
pub(super) struct Store {
    /// `None` only while it is dropped: that ends the thread.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    board: Arc<Board>,
}

/// What the thread lets everybody see without asking.
#[derive(Default)]
struct Board {
    failure: Mutex<Option<Unavailable>>,
    high: Mutex<Option<HighWatermark>>,
}

enum Job {
    Record(Request),
    Other(Box<dyn FnOnce(&mut Ledger) + Send>),
}

/// One message that wants a signature.
struct Request {
    key: PublicKey,
    chain: Root,
    message: Message,
    root: Root,
    promise: Promise<Result<(), Refused>>,
}

/// The thread's side.
struct Ledger {
    disk: Box<dyn Disk>,
    /// `None` after an error.
    database: Option<Database>,
    floor: Bounds,
    board: Arc<Board>,
}

impl Store {
    /// Opens the database on `disk`, or makes the first one, and starts the thread.
    pub(super) fn open(disk: Box<dyn Disk>, floor: Bounds) -> Result<Self, redb::Error> {
        let database = match open(&*disk)? {
            Some(database) => database,
            None => copy(&*disk, None)?,
        };
        let board = Arc::new(Board {
            high: Mutex::new(View::of(&database)?.high_watermark()?),
            ..Board::default()
        });
        let ledger = Ledger {
            disk,
            database: Some(database),
            floor,
            board: Arc::clone(&board),
        };
        let (jobs, inbox) = mpsc::channel();
        let thread = critical_thread::spawn("store", move || ledger.run(&inbox))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            board,
        })
    }

    /// Returns when the message may be signed: its record is on disk.
    pub(super) fn record(
        &self,
        key: PublicKey,
        chain: Root,
        message: Message,
        root: Root,
    ) -> Result<(), Refused> {
        self.ask(|promise| {
            Job::Record(Request {
                key,
                chain,
                message,
                root,
                promise,
            })
        })
    }

    /// Adds marks to those on record, all or none.
    pub(super) fn merge(
        &self,
        chain: Root,
        imported: Vec<(PublicKey, Marks)>,
    ) -> Result<(), Unavailable> {
        self.run(move |ledger| {
            ledger.write(|transaction| {
                let mut table = transaction.open_table(MARKS)?;
                for (public_key, marks) in &imported {
                    let key = (&public_key.0, &chain.0);
                    let before = table
                        .get(key)?
                        .map(|value| decode(value.value()))
                        .unwrap_or_default();
                    table.insert(key, encode(&before.merge(*marks)))?;
                }
                note_chain(transaction, chain)?;
                Ok(((), true))
            })
        })
    }

    /// Sets or removes the high watermark.
    pub(super) fn limit(&self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.run(move |ledger| {
            ledger.write(|transaction| {
                let mut table = transaction.open_table(FACTS)?;
                match high {
                    Some(high) => drop(table.insert(HIGH_WATERMARK, &encode_high(high))?),
                    None => drop(table.remove(HIGH_WATERMARK)?),
                }
                Ok(((), true))
            })?;
            *lock(&ledger.board.high) = high;
            Ok(())
        })
    }

    /// The high watermark, without waiting.
    pub(super) fn high_watermark(&self) -> Option<HighWatermark> {
        *lock(&self.board.high)
    }

    /// Whether records can be written, as far as the last attempt tells; after a failure this is
    /// the next attempt.
    pub(super) fn health(&self) -> Result<(), Unavailable> {
        let thread_runs = self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        if thread_runs && lock(&self.board.failure).is_none() {
            Ok(())
        } else {
            self.view().map(drop)
        }
    }

    /// What is on record now, to be read on any other thread.
    pub(super) fn view(&self) -> Result<View, Unavailable> {
        self.run(|ledger| {
            let view = ledger.database().and_then(View::of);
            ledger.note(view)
        })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.ask(|promise| Job::Other(Box::new(|ledger| promise.keep(work(ledger)))))
    }

    fn ask<T, E: From<Unavailable>>(
        &self,
        job: impl FnOnce(Promise<Result<T, E>>) -> Job,
    ) -> Result<T, E> {
        let (promise, answer) = wait::promise();
        if let Some(jobs) = &self.jobs {
            // A job that cannot be sent is dropped, and its promise with it.
            drop(jobs.send(job(promise)));
        }
        answer
            .wait()
            .unwrap_or_else(|| Err(Unavailable("its thread has ended".to_owned()).into()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        // A panic of the thread has been reported by itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Ledger {
    /// Serves until the last sender is gone. One commit serves all requests that wait for one.
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut due = Instant::now();
        while let Ok(first) = jobs.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut requests = Vec::new();
            for job in iter::once(first)
                .chain(jobs.try_iter())
                .take(BATCH_REQUESTS_MAX)
            {
                match job {
                    Job::Record(request) => requests.push(request),
                    Job::Other(work) => work(&mut self),
                }
            }
            if !requests.is_empty() {
                due = Instant::now() + COMMIT_INTERVAL;
                self.record(requests);
            }
        }
    }

    fn record(&mut self, requests: Vec<Request>) {
        let bounds = Bounds {
            high: *lock(&self.board.high),
            ..self.floor
        };
        let verdicts = self.write(|transaction| check_and_record(transaction, &bounds, &requests));
        let verdicts = verdicts.unwrap_or_else(|error| vec![Err(error.into()); requests.len()]);
        for (request, verdict) in requests.into_iter().zip(verdicts) {
            request.promise.keep(verdict);
        }
    }

    /// Makes a change in one transaction, and commits it if `change` says so. After an error it may
    /// be on disk or not.
    fn write<T>(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, Unavailable> {
        let result = self.database().and_then(|database| {
            let transaction = database.begin_write()?;
            let (value, changed) = change(&transaction)?;
            if changed {
                transaction.commit()?
            } else {
                transaction.abort()?
            }
            Ok(value)
        });
        self.note(result)
    }

    /// The database; after an error a copy of what is on disk.
    fn database(&mut self) -> Result<&Database, redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let old = open(&*self.disk)?.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                let new = copy(&*self.disk, Some(&old))?;
                *lock(&self.board.high) = View::of(&new)?.high_watermark()?;
                new
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
        let before = std::mem::replace(&mut *lock(&self.board.failure), failure);
        match (before, &result) {
            (None, Err(failure)) => log::error!("{failure}: nothing that can be slashed is signed"),
            (Some(_), Ok(_)) => log::info!("slashing protection store works again"),
            (None, Ok(_)) | (Some(_), Err(_)) => {}
        }
        result
    }
}

/// The verdicts in the order of the requests, and whether there is something to commit.
fn check_and_record(
    transaction: &WriteTransaction,
    bounds: &Bounds,
    requests: &[Request],
) -> Result<(Vec<Result<(), Refused>>, bool), redb::Error> {
    let mut table = transaction.open_table(MARKS)?;
    let mut verdicts = Vec::with_capacity(requests.len());
    let mut recorded = None;
    for request in requests {
        let key = (&request.key.0, &request.chain.0);
        let marks = table
            .get(key)?
            .map(|value| decode(value.value()))
            .unwrap_or_default();
        verdicts.push(
            match rule::check(
                &marks,
                &bounds.on(request.chain),
                request.message,
                request.root,
            ) {
                Ok(Verdict::Record(marks)) => {
                    table.insert(key, encode(&marks))?;
                    recorded = Some(request.chain);
                    Ok(())
                }
                Ok(Verdict::Repeat) => Ok(()),
                Err(refused) => Err(refused),
            },
        );
    }
    if let Some(chain) = recorded {
        note_chain(transaction, chain)?;
    }
    Ok((verdicts, recorded.is_some()))
}

/// Notes the chain that is written to; most often it is the same again, and no page is dirtied.
fn note_chain(transaction: &WriteTransaction, chain: Root) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(FACTS)?;
    let same = table
        .get(LAST_CHAIN)?
        .is_some_and(|last| *last.value() == chain.0);
    if !same {
        table.insert(LAST_CHAIN, &chain.0)?;
    }
    Ok(())
}
