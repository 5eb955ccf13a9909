//! The signing threads: a signature takes up to a third of a millisecond, too long for the one worker of all
//! connections.
//!
//! Waking threads costs more than all parsing of a request, so it is avoided: a thread is woken only when one
//! sleeps, takes several tasks at a time, and delivers their signatures together. Tasks of one root are
//! taken together, because together they are cheapest.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::delivery::{self, FinishedSignature};
use crate::api::refusal::Refusal;
use crate::api::state::Signer;
use crate::consensus::primitives::Signature;
use crate::critical_thread;
use crate::keys::secret::{SecretKey, SigningTask, sign_all};
use crate::metrics::{Durations, SignerCounts};
use crate::slashing::Cleared;
use crate::wait::{self, Promise, lock};

/// Plain threads, one a core, behind one bounded queue.
pub(crate) struct Signers {
    queue: Arc<SignQueue>,
    threads: usize,
}

/// Reads what the signing threads do.
pub(crate) struct SignersGauge {
    queue: Arc<SignQueue>,
    threads: usize,
}

#[derive(Default)]
struct SignQueue {
    state: Mutex<QueueState>,
    arrived: Condvar,
    times: SigningTimes,
}

/// How long signatures take here.
struct SigningTimes {
    /// From the request to the thread.
    delays: Durations,
    /// What a thread takes at a time, from the first signature to the last one.
    work: Durations,
    completed: AtomicU64,
}

impl Default for SigningTimes {
    fn default() -> Self {
        Self {
            delays: Durations::new(),
            work: Durations::new(),
            completed: AtomicU64::new(0),
        }
    }
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<WaitingTask>,
    threads_asleep: usize,
    /// How many batches were taken, and how many of them at the last look of the watchdog.
    taken: u64,
    taken_before: u64,
    /// Tasks that were refused.
    rejected: u64,
}

struct WaitingTask {
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

/// Tasks of one root that a thread takes at a time: with a table, eight take as long as one signature
/// without.
const SAME_ROOT_TASKS_MAX: usize = 8;

/// Tasks of any roots that a thread takes at a time. The first of them is answered with the last, so
/// a large number would delay it; four share one wake-up.
const TASKS_TAKEN_MAX: usize = 4;

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
        let queue = Arc::new(SignQueue::default());
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            critical_thread::spawn(format!("sign-{number}"), move || queue.work())?;
        }
        Ok(Self { queue, threads })
    }

    /// Returns what reads the figures of these threads.
    pub(crate) fn gauge(&self) -> SignersGauge {
        SignersGauge {
            queue: Arc::clone(&self.queue),
            threads: self.threads,
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
            threads: self.threads as u64,
            waiting,
            completed: times.completed.load(Ordering::Relaxed),
            rejected,
            delays: times.delays.read(),
            work: times.work.read(),
        }
    }
}

impl SignQueue {
    fn push(&self, task: WaitingTask) -> Result<(), Refusal> {
        let must_wake;
        {
            let mut state = lock(&self.state);
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
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.threads_asleep -= 1;
        }
    }
}

impl TaskBatch {
    /// Takes the first task and at most half of the others, which leaves work for the other threads: those
    /// of the same root, or else the next ones.
    fn take(waiting: &mut VecDeque<WaitingTask>) -> Option<Self> {
        let first = waiting.pop_front()?;
        let share = waiting.len() / 2;
        let mut batch = Self {
            tasks: Vec::with_capacity(SAME_ROOT_TASKS_MAX),
            callers: Vec::with_capacity(SAME_ROOT_TASKS_MAX),
            same_root_left: 0,
        };
        batch.push(first);
        batch.take_same_root(waiting, share.min(SAME_ROOT_TASKS_MAX - 1));
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
            let delay = begun.saturating_duration_since(caller.asked_at);
            times.delays.add(delay);
        }
        let count = self.callers.len() as u64;
        let signatures = sign_all(self.tasks, self.same_root_left);
        times.work.add(begun.elapsed());
        times.completed.fetch_add(count, Ordering::Relaxed);
        let mut finished = Vec::with_capacity(signatures.len());
        for (caller, signature) in self.callers.into_iter().zip(signatures) {
            let promise = caller.promise;
            finished.push(FinishedSignature { promise, signature });
        }
        delivery::deliver(finished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signers_are_not_alive_when_tasks_wait_and_none_was_taken_since_the_last_look() {
        let queue = Arc::new(SignQueue::default());
        let signers = Signers {
            queue: Arc::clone(&queue),
            threads: 0,
        };
        assert!(signers.is_alive());
        lock(&queue.state).waiting = self::queue(&[1, 2, 3, 4]);
        assert!(!signers.is_alive());
        queue.next();
        assert!(signers.is_alive());
        assert!(!signers.is_alive());
        lock(&queue.state).waiting.clear();
        assert!(signers.is_alive());
    }
    use crate::consensus::primitives::Root;
    use crate::consensus::slashable::Slashable;
    use crate::slashing::Protection;

    /// A queue of tasks whose roots are these.
    fn queue(roots: &[u8]) -> VecDeque<WaitingTask> {
        let mut waiting = VecDeque::new();
        for root in roots {
            let key = SecretKey::fill(|slot| slot[31] = 1).unwrap_or_else(|_| unreachable!());
            let cleared = Protection::Off
                .clear(&key.public_key(), &Slashable::Never, Root([*root; 32]))
                .unwrap();
            let key = Arc::new(key);
            let task = SigningTask { key, cleared };
            let (promise, _) = wait::promise();
            let caller = WaitingCaller {
                promise,
                asked_at: Instant::now(),
            };
            waiting.push_back(WaitingTask { task, caller });
        }
        waiting
    }

    fn roots<'a>(tasks: impl Iterator<Item = &'a SigningTask>) -> Vec<u8> {
        tasks.map(|task| task.cleared.root().0[0]).collect()
    }

    #[test]
    fn a_thread_takes_the_first_task_and_at_most_half_of_the_others_by_root() {
        for (waiting, taken, left, same_root_left) in [
            (&[][..], None, &[][..], 0),
            (&[1], Some(&[1][..]), &[], 0),
            (&[1, 1], Some(&[1]), &[1], 1),
            (&[1, 1, 1], Some(&[1, 1]), &[1], 1),
            (&[1, 2, 3, 1, 4], Some(&[1, 1, 2]), &[3, 4], 0),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9],
                Some(&[1, 2, 3, 4]),
                &[5, 6, 7, 8, 9],
                0,
            ),
            (&[1, 2, 1, 2, 1, 2, 1], Some(&[1, 1, 1, 1]), &[2, 2, 2], 0),
            (&[1; 20], Some(&[1; 8]), &[1; 12], 12),
        ] {
            let mut queue = queue(waiting);
            let batch = TaskBatch::take(&mut queue);
            assert_eq!(
                batch
                    .as_ref()
                    .map(|batch| roots(batch.tasks.iter()))
                    .as_deref(),
                taken,
                "{waiting:?}"
            );
            assert_eq!(
                roots(queue.iter().map(|task| &task.task)),
                left,
                "{waiting:?}"
            );
            assert_eq!(
                batch.map_or(0, |batch| batch.same_root_left),
                same_root_left
            );
        }
    }
}
