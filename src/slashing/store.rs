//! The writer thread: it alone uses the back-end, and serves all waiting requests with one commit.
//!
//! Check and record are one step on one thread, so of two conflicting messages one is recorded. A
//! request is answered only when its record is durable.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, iter};

use super::backend::{
    Backend, BatchTime, LargeImportProgress, RecordOutcome, RecordRequest, Snapshot,
};
use super::limits::SigningLimits;
use super::repair::RepairError;
use super::rule::{HighWatermark, Marks, Refused, SlashableMessage, Unavailable};
use crate::consensus::primitives::{PublicKey, Root};
use crate::critical_thread;
use crate::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, lock};
use crate::wait::{self, Promise};

/// Requests in one commit: as many as there are connections.
const BATCH_REQUESTS_MAX: usize = 4096;

/// The time between two commits when requests come faster: a commit costs as much CPU as half a
/// signature, however many it serves. After a pause, and on a slower disk, nobody waits for this.
const COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// How often an idle store is checked, for health.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A request that the back-end defers is given up after this time.
const DEFERRED_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a deferred request waits before it is tried again when nothing else comes.
const DEFERRED_INTERVAL: Duration = Duration::from_millis(5);

/// Observes what the store does, for metrics. Its method runs on the store's thread and must not wait.
pub(crate) trait StoreObserver: Send + Sync {
    /// Some messages were checked, and recorded where a rule permits it.
    fn committed(&self, commit: StoreCommit);
}

/// One batch of messages that the back-end has decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreCommit {
    /// How many of the messages are blocks.
    pub blocks: u64,
    /// How many of the messages are votes.
    pub votes: u64,
    /// How long the first message waited until the back-end began with the batch.
    pub waited: Duration,
    /// How long the back-end took until all records were durable.
    pub took: Duration,
}

/// The callers' side: sends tasks to the writer thread and waits. Dropping it closes the back-end.
pub(super) struct Store {
    /// `None` only while it is dropped, which ends the thread.
    tasks: Option<Sender<StoreTask>>,
    thread: Option<JoinHandle<()>>,
    status: Arc<StoreStatus>,
    /// Held during a large import: only one is read and merged at a time.
    pub(super) large_import: Mutex<()>,
    limits: SigningLimits,
}

/// What the writer thread publishes.
#[derive(Default)]
struct StoreStatus {
    failure: Mutex<Option<Unavailable>>,
    high: Mutex<Option<HighWatermark>>,
    observer: OnceLock<Arc<dyn StoreObserver>>,
}

enum StoreTask {
    Record(PendingRecord),
    Other(Box<dyn FnOnce(&mut StoreWriter) + Send>),
}

/// A request and its caller.
struct PendingRecord {
    request: RecordRequest,
    promise: Promise<Result<(), Refused>>,
    asked_at: Instant,
    /// When the back-end first deferred it.
    deferred_since: Option<Instant>,
}

/// The writer thread's side.
struct StoreWriter {
    backend: Box<dyn Backend>,
    limits: SigningLimits,
    status: Arc<StoreStatus>,
    /// Requests that the back-end has deferred; they come first in the next batch.
    deferred: Vec<PendingRecord>,
}

impl Store {
    /// Starts the writer thread.
    pub(super) fn start(mut backend: Box<dyn Backend>, limits: SigningLimits) -> io::Result<Self> {
        let checked = backend.check_idle().unwrap_or(Ok(()));
        let status = Arc::new(StoreStatus::default());
        let writer = StoreWriter {
            backend,
            limits,
            status: Arc::clone(&status),
            deferred: Vec::new(),
        };
        // A database may be unreachable at start. The status shows the failure.
        let _ = writer.publish(checked);
        let (tasks, inbox) = mpsc::channel();
        let thread = critical_thread::spawn("store", move || writer.run(&inbox))?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
            status,
            large_import: Mutex::new(()),
            limits,
        })
    }

    /// Returns what the operator and the clock allow.
    pub(super) fn limits(&self) -> &SigningLimits {
        &self.limits
    }

    /// Returns when the record is durable: the message may be signed.
    pub(super) fn record(&self, request: RecordRequest) -> Result<(), Refused> {
        self.send(|promise| {
            StoreTask::Record(PendingRecord {
                request,
                promise,
                asked_at: Instant::now(),
                deferred_since: None,
            })
        })
    }

    /// Changes the marks of keys on a chain in one transaction: all, or none when `change` refuses.
    pub(super) fn change_marks(
        &self,
        chain: Root,
        keys: Vec<PublicKey>,
        mut change: impl FnMut(PublicKey, Option<Marks>) -> Result<Marks, RepairError> + Send + 'static,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        self.run(move |backend, time| backend.change_marks(chain, &keys, &mut change, time))
    }

    /// Merges many marks into those on record: all or none. The calling thread holds
    /// [`Store::large_import`], and does what takes long; signatures go on meanwhile.
    pub(super) fn import_many(
        &self,
        chain: Root,
        marks: BTreeMap<PublicKey, Marks>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        let imported = self.write_import(chain, marks);
        if !matches!(imported, Ok(Ok(()))) {
            // The first error is the one to report.
            let _ = self.run(|backend, _| {
                backend.abandon_large_import();
                Ok(())
            });
        }
        imported
    }

    fn write_import(
        &self,
        chain: Root,
        marks: BTreeMap<PublicKey, Marks>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        let mut import =
            self.run(move |backend, time| backend.begin_large_import(chain, marks, time))?;
        loop {
            if let Err(refused) = import.write()? {
                return Ok(Err(refused));
            }
            match self.run(|backend, _| backend.end_large_import())? {
                LargeImportProgress::CatchUp => {}
                LargeImportProgress::Done => return Ok(Ok(())),
            }
        }
    }

    /// Sets or removes the high watermark.
    pub(super) fn set_high_watermark(
        &self,
        high: Option<HighWatermark>,
    ) -> Result<(), Unavailable> {
        self.run(move |backend, _| backend.set_high_watermark(high))
    }

    /// Allows or forbids keys to sign, for all users of the store.
    pub(super) fn set_enabled(
        &self,
        keys: Vec<PublicKey>,
        enabled: bool,
    ) -> Result<(), Unavailable> {
        self.run(move |backend, _| backend.set_enabled(&keys, enabled))
    }

    /// Returns the high watermark without waiting.
    pub(super) fn high_watermark(&self) -> Option<HighWatermark> {
        *lock(&self.status.high)
    }

    /// Sets who is told of each batch; only the first call counts.
    pub(super) fn observe(&self, observer: Arc<dyn StoreObserver>) {
        // A second observer is a mistake of the caller that harms nobody.
        let _ = self.status.observer.set(observer);
    }

    /// Returns whether the last access worked, without waiting.
    pub(super) fn is_available(&self) -> bool {
        lock(&self.status.failure).is_none()
    }

    /// Returns whether the last access worked; after a failure this is the next attempt.
    pub(super) fn health(&self) -> Result<(), Unavailable> {
        if lock(&self.status.failure).is_none() {
            // The thread is alive: the process would have ended with it.
            Ok(())
        } else {
            self.run(|backend, _| backend.recover())
        }
    }

    /// Returns what is on record now, to be read on any other thread.
    pub(super) fn snapshot(&self) -> Result<Box<dyn Snapshot>, Unavailable> {
        self.run(|backend, _| backend.snapshot())
    }

    /// Runs `work` on the writer thread, and publishes whether it failed.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Backend, &BatchTime<'_>) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.send(|promise| {
            StoreTask::Other(Box::new(|writer| {
                let time = BatchTime::now(&writer.limits);
                let result = work(&mut *writer.backend, &time);
                promise.keep(writer.publish(result));
            }))
        })
    }

    fn send<T, E: From<Unavailable>>(
        &self,
        task: impl FnOnce(Promise<Result<T, E>>) -> StoreTask,
    ) -> Result<T, E> {
        let (promise, answer) = wait::promise();
        if let Some(tasks) = &self.tasks {
            // A task that cannot be sent is dropped together with its promise.
            let _ = tasks.send(task(promise));
        }
        answer
            .wait()
            .unwrap_or_else(|| Err(Unavailable("its thread has ended".to_owned()).into()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // The thread itself has reported its panic.
            let _ = thread.join();
        }
    }
}

impl StoreWriter {
    /// Serves until the last sender is gone. One commit serves all waiting requests.
    fn run(mut self, tasks: &Receiver<StoreTask>) {
        let mut next_commit = Instant::now();
        loop {
            let first = match tasks.recv_timeout(self.wait_max()) {
                Ok(task) => Some(task),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if first.is_none() && self.deferred.is_empty() {
                if let Some(result) = self.backend.check_idle() {
                    // The status shows the failure.
                    let _ = self.publish(result);
                }
                continue;
            }
            thread::sleep(next_commit.saturating_duration_since(Instant::now()));
            let mut batch = std::mem::take(&mut self.deferred);
            let waiting = first
                .into_iter()
                .chain(iter::from_fn(|| tasks.try_recv().ok()));
            for task in waiting.take(BATCH_REQUESTS_MAX) {
                match task {
                    StoreTask::Record(pending) => batch.push(pending),
                    StoreTask::Other(work) => work(&mut self),
                }
            }
            if !batch.is_empty() {
                next_commit = Instant::now() + COMMIT_INTERVAL;
                self.record(batch);
            }
        }
    }

    fn wait_max(&self) -> Duration {
        if self.deferred.is_empty() {
            IDLE_CHECK_INTERVAL
        } else {
            DEFERRED_INTERVAL
        }
    }

    fn record(&mut self, batch: Vec<PendingRecord>) {
        let requests: Vec<_> = batch.iter().map(|pending| pending.request).collect();
        let begun = Instant::now();
        let recorded = self
            .backend
            .record(&requests, &BatchTime::now(&self.limits));
        let outcomes = match self.publish(recorded) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                for pending in batch {
                    pending.promise.keep(Err(error.clone().into()));
                }
                return;
            }
        };
        self.tell_observer(&batch, &outcomes, begun);
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                RecordOutcome::Recorded => pending.promise.keep(Ok(())),
                RecordOutcome::Refused(refused) => pending.promise.keep(Err(refused)),
                RecordOutcome::Deferred => self.defer(pending),
            }
        }
    }

    fn tell_observer(&self, batch: &[PendingRecord], outcomes: &[RecordOutcome], begun: Instant) {
        let Some(observer) = self.status.observer.get() else {
            return;
        };
        let mut commit = StoreCommit {
            blocks: 0,
            votes: 0,
            waited: Duration::ZERO,
            took: begun.elapsed(),
        };
        for (pending, outcome) in batch.iter().zip(outcomes) {
            if matches!(outcome, RecordOutcome::Deferred) {
                continue;
            }
            match pending.request.message {
                SlashableMessage::Block(_) => commit.blocks += 1,
                SlashableMessage::Vote(..) => commit.votes += 1,
            }
            let waited = begun.saturating_duration_since(pending.asked_at);
            commit.waited = commit.waited.max(waited);
        }
        observer.committed(commit);
    }

    fn defer(&mut self, mut pending: PendingRecord) {
        let since = *pending.deferred_since.get_or_insert_with(Instant::now);
        if since.elapsed() < DEFERRED_TIMEOUT {
            self.deferred.push(pending);
            return;
        }
        let busy = Unavailable(format!(
            "{}: not recorded within {} s, since another process holds the key or the store is slow",
            pending.request.key,
            DEFERRED_TIMEOUT.as_secs()
        ));
        pending.promise.keep(Err(busy.into()));
    }

    /// Publishes the high watermark, and whether the back-end works. Logs when that changes.
    fn publish<T>(&self, result: Result<T, Unavailable>) -> Result<T, Unavailable> {
        let failure = result.as_ref().err().cloned();
        *lock(&self.status.high) = self.backend.high_watermark();
        let before = std::mem::replace(&mut *lock(&self.status.failure), failure);
        match (before, &result) {
            (None, Err(failure)) => log::error!("{failure}: nothing that can be slashed is signed"),
            (Some(_), Ok(_)) => log::info!("slashing protection store works again"),
            (None, Ok(_)) | (Some(_), Err(_)) => {}
        }
        result
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "model"))]
mod model_tests;
