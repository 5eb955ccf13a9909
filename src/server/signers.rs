//! The signing threads: a signature takes up to a third of a millisecond, too long for the one worker of all
//! connections.
//!
//! Waking threads costs more than all parsing of a request, so it is avoided: a thread is woken only when one
//! sleeps, takes several tasks at a time, and delivers their signatures together. Tasks of one root are
//! taken together, because together they are cheapest. Where nothing else is to be done the worker signs by
//! itself ([`super::worker_signer`]).
//!
//! Measured with `cargo bench --bench signature` on two cores, in multiples of blst's signature:
//! - [`TASKS_TAKEN_MAX`] 1, 2, 4, 8: 1.07, 1.05, 1.05, 1.04 with every root new over 64 connections, while p99
//!   stays between 16 and 18 ms, which the queue makes; 4, 8: 0.210, 0.206 with one root and 1,000 keys.
//! - 50 requests a second, of which the worker signs all or none: 1.26 to 1.34, or 1.40 to 1.49.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::delivery::{self, FinishedSignature};
use super::signing_times::SigningTimes;
use super::worker_signer;
use crate::api::refusal::Refusal;
use crate::api::state::Signer;
use crate::consensus::primitives::Signature;
use crate::critical_thread;
use crate::keys::secret::{SecretKey, SigningTask, TASKS_TOGETHER_MAX, sign_all};
use crate::metrics::SignerCounts;
use crate::slashing::Cleared;
use crate::sync::{Condvar, Mutex, lock};
use crate::wait::{self, Promise};

/// Plain threads, one a core, behind one bounded queue.
pub(crate) struct Signers {
    queue: Arc<SignQueue>,
}

/// Reads what the signing threads do.
pub(crate) struct SignersGauge {
    queue: Arc<SignQueue>,
}

struct SignQueue {
    threads: usize,
    state: Mutex<QueueState>,
    arrived: Condvar,
    times: Arc<SigningTimes>,
}

struct QueueState {
    waiting: VecDeque<WaitingTask>,
    threads_asleep: usize,
    /// When a thread last had nothing more to do, or a signature was asked for while all slept.
    last_busy: Instant,
    /// How many batches were taken, and how many of them at the last look of the watchdog.
    taken: u64,
    taken_before: u64,
    /// Tasks that were refused.
    rejected: u64,
}

/// A signature to be made, and who waits for it.
pub(super) struct WaitingTask {
    task: SigningTask,
    caller: WaitingCaller,
}

/// Who waits for a signature, and since when.
struct WaitingCaller {
    promise: Promise<Signature>,
    asked_at: Instant,
}

/// What a thread takes at a time.
struct TaskBatch {
    tasks: Vec<SigningTask>,
    callers: Vec<WaitingCaller>,
    /// Tasks with the root of the first one that were seen and left.
    same_root_left: usize,
}

/// Signatures that wait for a thread: half a second of work for two cores. Validator clients give up after
/// 5 s at the earliest, and a refusal is better than a wait of more than a second.
const TASKS_WAITING_MAX: usize = 2048;

/// Tasks that a thread takes at a time, at most half of what waits. They share a wake-up of the worker and, if
/// they have one root, an inversion; but the first is answered with the last.
const TASKS_TAKEN_MAX: usize = TASKS_TOGETHER_MAX;

/// The worker signs by itself when no signature was asked for or finished within this time: so it is away from
/// its connections for less than a tenth of the time, and a burst has all threads from its second signature on.
const WORKER_SIGNS_AFTER: Duration = Duration::from_millis(5);

/// Tasks that are searched for the root of the first: what a burst leaves at the front of the queue.
const TASKS_SEARCHED_MAX: usize = 64;

impl Signers {
    /// Starts so many threads; `None` means one a core.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(threads: Option<usize>) -> io::Result<Self> {
        let threads =
            threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let queue = Arc::new(SignQueue::new(threads));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            critical_thread::spawn(format!("sign-{number}"), move || queue.work())?;
        }
        Ok(Self { queue })
    }

    /// Returns what reads the figures of these threads.
    pub(crate) fn gauge(&self) -> SignersGauge {
        SignersGauge {
            queue: Arc::clone(&self.queue),
        }
    }
}

impl Signer for Signers {
    fn is_alive(&self) -> bool {
        let mut state = lock(&self.queue.state);
        let has_progress = state.taken != state.taken_before;
        state.taken_before = state.taken;
        has_progress || state.waiting.is_empty()
    }

    fn sign(&self, key: Arc<SecretKey>, cleared: Cleared) -> Result<Signature, Refusal> {
        let (promise, answer) = wait::promise();
        let task = SigningTask { key, cleared };
        let caller = WaitingCaller {
            promise,
            asked_at: Instant::now(),
        };
        self.queue.push(WaitingTask { task, caller })?;
        answer
            .wait()
            .ok_or(Refusal::Internal("a signing thread gave up"))
    }
}

impl SignersGauge {
    pub(crate) fn read(&self) -> SignerCounts {
        let (waiting, rejected) = {
            let state = lock(&self.queue.state);
            (state.waiting.len() as u64, state.rejected)
        };
        let times = &self.queue.times;
        SignerCounts {
            threads: self.queue.threads as u64,
            waiting,
            completed: times.completed(),
            rejected,
            delays: times.delays.read(),
            work: times.work.read(),
        }
    }
}

impl WaitingTask {
    /// Signs and answers.
    pub(super) fn sign_alone(self, times: &SigningTimes) {
        let begun = Instant::now();
        times.note_delay(self.caller.asked_at, begun);
        let signature = {
            // Release the key first, because the caller may delete it at once.
            let SigningTask { key, cleared } = self.task;
            key.sign(cleared)
        };
        times.note_work(begun, 1);
        self.caller.promise.keep(signature);
    }
}

impl SignQueue {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            state: Mutex::new(QueueState {
                waiting: VecDeque::new(),
                threads_asleep: 0,
                last_busy: Instant::now(),
                taken: 0,
                taken_before: 0,
                rejected: 0,
            }),
            arrived: Condvar::new(),
            times: Arc::default(),
        }
    }

    fn push(&self, mut task: WaitingTask) -> Result<(), Refusal> {
        let must_wake;
        {
            let mut state = lock(&self.state);
            if state.is_idle(self.threads) && state.was_quiet_until(Instant::now()) {
                match worker_signer::offer(task, &self.times) {
                    None => return Ok(()),
                    Some(refused) => task = refused,
                }
            }
            if state.waiting.len() >= TASKS_WAITING_MAX {
                state.rejected += 1;
                return Err(Refusal::Overloaded);
            }
            state.waiting.push_back(task);
            must_wake = state.threads_asleep > 0;
        }
        if must_wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Signs for ever; sleeps only when nothing waits.
    fn work(&self) {
        loop {
            self.next().sign(&self.times);
        }
    }

    fn next(&self) -> TaskBatch {
        let mut state = lock(&self.state);
        loop {
            if let Some(batch) = TaskBatch::take(&mut state.waiting) {
                state.taken += 1;
                return batch;
            }
            state.threads_asleep += 1;
            state.last_busy = Instant::now();
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.threads_asleep -= 1;
        }
    }
}

impl QueueState {
    /// Whether no signature waits or is being made by a thread.
    fn is_idle(&self, threads: usize) -> bool {
        self.threads_asleep == threads && self.waiting.is_empty()
    }

    /// Notes that a signature is asked for. Returns whether it is the first for some time.
    fn was_quiet_until(&mut self, now: Instant) -> bool {
        let quiet = now.duration_since(self.last_busy);
        self.last_busy = now;
        quiet >= WORKER_SIGNS_AFTER
    }
}

impl TaskBatch {
    /// Takes the first task and at most half of the others, which leaves work for the other threads: those
    /// of the same root, or else the next ones.
    fn take(waiting: &mut VecDeque<WaitingTask>) -> Option<Self> {
        let first = waiting.pop_front()?;
        let share = waiting.len() / 2;
        let mut batch = Self {
            tasks: Vec::with_capacity(TASKS_TAKEN_MAX),
            callers: Vec::with_capacity(TASKS_TAKEN_MAX),
            same_root_left: 0,
        };
        batch.push(first);
        batch.take_same_root(waiting, share.min(TASKS_TAKEN_MAX - 1));
        while batch.tasks.len() < TASKS_TAKEN_MAX.min(1 + share)
            && let Some(task) = waiting.pop_front()
        {
            batch.push(task);
        }
        Some(batch)
    }

    /// Takes up to `count` tasks with the root of the first one. The others keep their order.
    fn take_same_root(&mut self, waiting: &mut VecDeque<WaitingTask>, count: usize) {
        let root = *self.tasks[0].cleared.root();
        let mut number = 0;
        let mut searched = 0;
        while searched < TASKS_SEARCHED_MAX && number < waiting.len() {
            searched += 1;
            let is_same = *waiting[number].task.cleared.root() == root;
            if is_same && self.tasks.len() <= count {
                if let Some(task) = waiting.remove(number) {
                    self.push(task);
                }
                continue;
            }
            self.same_root_left += usize::from(is_same);
            number += 1;
        }
    }

    fn push(&mut self, task: WaitingTask) {
        self.tasks.push(task.task);
        self.callers.push(task.caller);
    }

    /// Signs and answers. The keys are let go before, because a caller may delete its key at once.
    fn sign(self, times: &SigningTimes) {
        let begun = Instant::now();
        for caller in &self.callers {
            times.note_delay(caller.asked_at, begun);
        }
        let signatures = sign_all(self.tasks, self.same_root_left);
        times.note_work(begun, self.callers.len() as u64);
        let mut finished = Vec::with_capacity(signatures.len());
        for (caller, signature) in self.callers.into_iter().zip(signatures) {
            let promise = caller.promise;
            finished.push(FinishedSignature { promise, signature });
        }
        delivery::deliver(finished);
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "model"))]
mod model_tests;
