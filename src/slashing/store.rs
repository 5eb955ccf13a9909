//! The records on disk: one redb file, and the one thread that writes it.
//!
//! Invariants:
//! - "Recorded" is answered only when the commit that holds the record is synced, in the file that
//!   has the database's name.
//! - Check and record are one step on one thread: of two conflicting messages one is recorded.
//! - A mark never sinks while the service runs.
//! - After an error the file is not trusted: a failed sync can leave pages in the system's cache
//!   that read as written and are gone with the power. Before anything else is recorded, all records
//!   are copied into a new, synced file that replaces the old one.
//! - A large import is written into another file, by another thread (`slashing::rebuild`), which
//!   replaces this one whole. What is written here meanwhile is noted, and written there too.

use std::collections::{BTreeSet, HashSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, iter};

use redb::{Database, WriteTransaction};

use super::changes::{self, Asked, Changes, Present};
use super::disk::{Disk, Draft};
use super::limits::Limits;
use super::rule::{HighWatermark, Refused, SlashableMessage, Unavailable};
use super::tables::{self, View};
use crate::consensus::primitives::{PublicKey, Root};
use crate::critical_thread;
use crate::wait::{self, Promise, lock};

/// Requests in one commit: as many as there are connections.
const BATCH_REQUESTS_MAX: usize = 4096;

/// From one commit to the next when requests come faster: a commit costs as much CPU as half a signature,
/// however many it serves. After a pause, and on a disk that is slower, nobody waits for this.
const COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// How often an idle store looks whether its file still has its name, for health.
const VERIFY_INTERVAL: Duration = Duration::from_secs(1);

/// So many chains are remembered as known, to warn once of a new one.
const KNOWN_CHAINS_MAX: usize = 4096;

/// So many records, some 10 ms of work, are copied while signatures wait for the store.
const LAST_COPIED_MAX: usize = 1000;

/// The callers' side: hands jobs to the thread and waits. Dropping it closes the database.
pub(super) struct Store {
    /// `None` only while it is dropped: that ends the thread.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    board: Arc<Board>,
    /// Held by the thread that imports a large file: one at a time is read and merged.
    pub(super) large_import: Mutex<()>,
    limits: Limits,
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
    asked: Asked,
    promise: Promise<Result<(), Refused>>,
}

/// The thread's side.
struct Ledger {
    disk: Box<dyn Disk>,
    /// `None` after an error.
    database: Option<Database>,
    limits: Limits,
    board: Arc<Board>,
    /// The chains that have records.
    known_chains: HashSet<Root>,
    /// What was written since the view of a rebuild; `None` when there is none, or it must give up.
    changed: Option<BTreeSet<(PublicKey, Root)>>,
}

/// The next step of a rebuild.
pub(super) enum Step {
    /// Many records have changed since the last view: copy them from this one into the new database.
    Copy(Database, View, BTreeSet<(PublicKey, Root)>),
    /// The new database is in its place. The old one, to be closed.
    Done(Option<Database>),
}

impl Store {
    /// Starts the thread on a database that is open.
    pub(super) fn start(
        disk: Box<dyn Disk>,
        database: Database,
        limits: Limits,
    ) -> Result<Self, redb::Error> {
        let view = View::of(&database)?;
        let board = Arc::new(Board {
            high: Mutex::new(view.high_watermark()?),
            ..Board::default()
        });
        let ledger = Ledger {
            disk,
            database: Some(database),
            limits,
            board: Arc::clone(&board),
            known_chains: view.chains(None)?.into_iter().collect(),
            changed: None,
        };
        let (jobs, inbox) = mpsc::channel();
        let thread = critical_thread::spawn("store", move || ledger.run(&inbox))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            board,
            large_import: Mutex::new(()),
            limits,
        })
    }

    /// What the operator and the clock allow.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns when the message may be signed: its record is on disk.
    pub(super) fn record(
        &self,
        key: PublicKey,
        chain: Root,
        message: SlashableMessage,
        root: Root,
    ) -> Result<(), Refused> {
        let asked = Asked {
            key,
            chain,
            message,
            root,
        };
        self.ask(|promise| Job::Record(Request { asked, promise }))
    }

    /// Changes records in one commit; none of them when `change` refuses.
    pub(super) fn change<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<Result<(), R>, redb::Error> + Send + 'static,
    ) -> Result<Result<(), R>, Unavailable> {
        self.run(move |ledger| ledger.change(change))
    }

    /// Sets or removes the high watermark.
    pub(super) fn limit(&self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.run(move |ledger| {
            ledger.write(|transaction| {
                tables::set_high_watermark(transaction, high)?;
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

    /// Begins a rebuild: a new, empty database, and what is on record now. The caller holds
    /// [`Store::large_import`].
    pub(super) fn begin_rebuild(&self) -> Result<(Database, View), Unavailable> {
        self.run(|ledger| {
            let begun = ledger.begin_rebuild();
            ledger.note(begun)
        })
    }

    /// Puts the rebuilt database in the place of the old one, unless much has changed since the last
    /// view. `added` is one of the records that it has more.
    pub(super) fn end_rebuild(
        &self,
        new: Database,
        added: (PublicKey, Root),
    ) -> Result<Step, Unavailable> {
        self.run(move |ledger| {
            let step = ledger.end_rebuild(new);
            if matches!(step, Ok(Step::Done(_))) {
                ledger.note_written(vec![added]);
            }
            ledger.note(step)
        })
    }

    /// Forgets a rebuild that failed; its file goes, since the disk may be full of it.
    pub(super) fn give_up_rebuild(&self) -> Result<(), Unavailable> {
        self.run(|ledger| {
            ledger.changed = None;
            ledger.disk.discard(Draft::Rebuild);
            Ok(())
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
            let _ = jobs.send(job(promise));
        }
        answer
            .wait()
            .unwrap_or_else(|| Err(Unavailable("its thread has ended".to_owned()).into()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself.
            let _ = thread.join();
        }
    }
}

impl Ledger {
    /// Serves until the last sender is gone. One commit serves all requests that wait for one.
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut due = Instant::now();
        loop {
            let first = match jobs.recv_timeout(VERIFY_INTERVAL) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.verify();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
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
        let present = Present {
            position: self.limits.now(),
            unix_seconds: self.limits.unix_seconds(),
            high: *lock(&self.board.high),
        };
        let limits = self.limits;
        let batch = self.write(|transaction| {
            let batch = {
                let asked = requests.iter().map(|request| &request.asked);
                changes::check_and_record(transaction, &limits, &present, asked)?
            };
            let is_changed = !batch.written.is_empty();
            Ok((batch, is_changed))
        });
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                for request in requests {
                    request.promise.keep(Err(error.clone().into()));
                }
                return;
            }
        };
        self.note_written(batch.written);
        for (request, verdict) in requests.into_iter().zip(batch.verdicts) {
            request.promise.keep(verdict);
        }
    }

    /// For a rebuild, and so that a chain that comes up is seen: somebody may have mistyped it.
    fn note_written(&mut self, written: Vec<(PublicKey, Root)>) {
        for (key, chain) in &written {
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
        if let Some(changed) = &mut self.changed {
            changed.extend(written);
        }
    }

    fn change<R>(
        &mut self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<Result<(), R>, redb::Error>,
    ) -> Result<Result<(), R>, Unavailable> {
        let now_seconds = self.limits.unix_seconds();
        let result = self.write(|transaction| {
            let mut changes = Changes::new(transaction, now_seconds)?;
            let outcome = change(&mut changes)?;
            let is_changed = outcome.is_ok() && !changes.written.is_empty();
            let written = changes.written;
            Ok(((outcome, written), is_changed))
        });
        let (outcome, written) = result?;
        if outcome.is_ok() {
            self.note_written(written);
        }
        Ok(outcome)
    }

    /// Makes a change in one transaction, and commits it if `change` says so. After an error it may
    /// be on disk or not.
    fn write<T>(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, Unavailable> {
        let result = self.write_and_verify(change);
        self.note(result)
    }

    fn write_and_verify<T>(
        &mut self,
        change: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, redb::Error> {
        let transaction = self.database()?.begin_write()?;
        let (value, is_changed) = change(&transaction)?;
        if is_changed {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        // A record in a file without a name is gone with this process.
        self.disk.verify()?;
        Ok(value)
    }

    /// The database; after an error a copy of what is on disk.
    fn database(&mut self) -> Result<&Database, redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let old =
                    tables::open(&*self.disk)?.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                let new = tables::recreate(&*self.disk, &old)?;
                *lock(&self.board.high) = View::of(&new)?.high_watermark()?;
                new
            }
        };
        Ok(self.database.insert(database))
    }

    /// For health: a file that is gone is noticed without a signature.
    fn verify(&mut self) {
        if self.database.is_some() {
            let verified = self.disk.verify().map_err(redb::Error::from);
            // The board has the failure.
            let _ = self.note(verified);
        }
    }

    /// Keeps the board true: an error closes the database, a success ends the failure.
    fn note<T>(&mut self, result: Result<T, redb::Error>) -> Result<T, Unavailable> {
        let result = result.map_err(|error| Unavailable(error.to_string()));
        let failure = result.as_ref().err().cloned();
        if failure.is_some() {
            self.database = None;
            self.changed = None;
        }
        let before = std::mem::replace(&mut *lock(&self.board.failure), failure);
        match (before, &result) {
            (None, Err(failure)) => log::error!("{failure}: nothing that can be slashed is signed"),
            (Some(_), Ok(_)) => log::info!("slashing protection store works again"),
            (None, Ok(_)) | (Some(_), Err(_)) => {}
        }
        result
    }

    fn begin_rebuild(&mut self) -> Result<(Database, View), redb::Error> {
        let view = View::of(self.database()?)?;
        let new = tables::draft(&*self.disk, Draft::Rebuild)?;
        self.changed = Some(BTreeSet::new());
        Ok((new, view))
    }

    fn end_rebuild(&mut self, new: Database) -> Result<Step, redb::Error> {
        let view = View::of(self.database()?)?;
        let Some(changed) = self.changed.take() else {
            return Err(io::Error::other("it failed in the middle of an import").into());
        };
        if changed.len() > LAST_COPIED_MAX {
            self.changed = Some(BTreeSet::new());
            return Ok(Step::Copy(new, view, changed));
        }
        let transaction = new.begin_write()?;
        tables::copy_changed(&view, &transaction, &changed)?;
        tables::copy_facts(&view, &transaction)?;
        transaction.commit()?;
        // Whatever was put in the place of our file meanwhile is not overwritten.
        self.disk.verify()?;
        let old = self.database.take();
        self.disk.adopt(Draft::Rebuild)?;
        self.database = Some(new);
        Ok(Step::Done(old))
    }
}
