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
            // The key is let go first, because a caller may delete its key at once.
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
mod tests {
    use std::sync::mpsc;

    use super::super::runtime::{Runtime, STACK_WORDS};
    use super::super::system;
    use super::*;
    use crate::consensus::primitives::Root;
    use crate::consensus::slashable::Slashable;
    use crate::slashing::Protection;

    fn task(key: &Arc<SecretKey>, root: u8) -> SigningTask {
        let cleared = Protection::Off
            .clear(&key.public_key(), &Slashable::Never, Root([root; 32]))
            .unwrap();
        let key = Arc::clone(key);
        SigningTask { key, cleared }
    }

    fn key(number: u8) -> Arc<SecretKey> {
        let key = SecretKey::fill(|slot| slot[31] = number);
        Arc::new(key.unwrap_or_else(|_| unreachable!("a small number is a key")))
    }

    /// A queue of tasks whose roots are these.
    fn queue(roots: &[u8]) -> VecDeque<WaitingTask> {
        let key = key(1);
        let mut waiting = VecDeque::new();
        for root in roots {
            let (promise, _) = wait::promise();
            let task = task(&key, *root);
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
                Some(&[1, 2, 3, 4, 5]),
                &[6, 7, 8, 9],
                0,
            ),
            (
                &[
                    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                ],
                Some(&[1, 2, 3, 4, 5, 6, 7, 8]),
                &[9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
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

    #[test]
    fn signers_are_not_alive_when_tasks_wait_and_none_was_taken_since_the_last_look() {
        let queue = Arc::new(SignQueue::new(0));
        let signers = Signers {
            queue: Arc::clone(&queue),
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

    #[test]
    fn the_worker_signs_only_what_comes_after_a_quiet_time() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut state = QueueState {
            waiting: VecDeque::new(),
            threads_asleep: 2,
            last_busy: start,
            taken: 0,
            taken_before: 0,
            rejected: 0,
        };
        assert!(!state.was_quiet_until(at(4)), "a thread signed 4 ms ago");
        assert!(!state.was_quiet_until(at(8)), "the last one came 4 ms ago");
        assert!(state.was_quiet_until(at(13)));
        assert!(!state.was_quiet_until(at(14)), "the second of a burst");
        assert!(state.is_idle(2));
        assert!(!state.is_idle(3), "a thread signs");
        state.waiting = queue(&[1]);
        assert!(!state.is_idle(2), "another one waits");
    }

    /// A key, a root and their signature.
    struct Case {
        key: Arc<SecretKey>,
        root: u8,
        expected: Signature,
    }

    impl Case {
        fn all() -> Arc<Vec<Self>> {
            let mut cases = Vec::new();
            for number in 1..=12 {
                let key = key(number);
                let root = number % 3;
                let task = task(&key, root);
                let expected = task.key.sign(task.cleared);
                cases.push(Self {
                    key,
                    root,
                    expected,
                });
            }
            Arc::new(cases)
        }

        fn ask(&self, signers: &Signers) {
            let SigningTask { key, cleared } = task(&self.key, self.root);
            let signature = signers.sign(key, cleared).unwrap();
            assert_eq!(signature, self.expected);
        }

        fn waiting(&self) -> (WaitingTask, wait::Answer<Signature>) {
            let (promise, answer) = wait::promise();
            let task = task(&self.key, self.root);
            let caller = WaitingCaller {
                promise,
                asked_at: Instant::now(),
            };
            (WaitingTask { task, caller }, answer)
        }
    }

    /// `SIGNERD_STRESS_SECONDS` makes it longer; run it so at every new version of may.
    #[test]
    fn no_signature_is_lost_on_coroutines_on_threads_and_on_the_worker() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let seconds = std::env::var("SIGNERD_STRESS_SECONDS")
            .map_or(2, |text| text.parse().expect("a number of seconds"));
        Runtime::Coroutines.start().unwrap();
        let cases = Case::all();
        // Off the worker, the task is given back; on it, it is signed there, with a table from the fifth on.
        let (task, _) = cases[0].waiting();
        let times = Arc::new(SigningTimes::default());
        assert!(worker_signer::offer(task, &times).is_some());
        let (sender, signed) = mpsc::channel();
        let on_worker = Arc::clone(&cases);
        system::spawn_coroutine(STACK_WORDS, move || {
            for case in &*on_worker {
                let (task, answer) = case.waiting();
                assert!(worker_signer::offer(task, &times).is_none());
                assert_eq!(answer.wait(), Some(case.expected));
                sender.send(()).unwrap();
            }
        })
        .unwrap();
        for _ in &*cases {
            signed.recv_timeout(PATIENCE).unwrap();
        }

        let signers = Arc::new(Signers::start(None).unwrap());
        let until = Instant::now() + Duration::from_secs(seconds);
        let (sender, asked) = mpsc::channel();
        for caller in 0..64 {
            let signers = Arc::clone(&signers);
            let cases = Arc::clone(&cases);
            let sender = sender.clone();
            let work = move || {
                let mut asked = 0;
                while Instant::now() < until {
                    cases[(caller + asked) % cases.len()].ask(&signers);
                    asked += 1;
                }
                sender.send(asked).unwrap();
            };
            if caller % 4 == 0 {
                thread::spawn(work);
            } else {
                system::spawn_coroutine(STACK_WORDS, work).unwrap();
            }
        }
        let mut signatures = 0;
        for _ in 0..64 {
            // One that is lost keeps its caller waiting for ever.
            signatures += asked
                .recv_timeout(PATIENCE + Duration::from_secs(seconds))
                .unwrap();
        }
        println!("{signatures} signatures, none lost");

        for number in 0..50 {
            thread::sleep(WORKER_SIGNS_AFTER + Duration::from_millis(1));
            let signers = Arc::clone(&signers);
            let cases = Arc::clone(&cases);
            let sender = sender.clone();
            system::spawn_coroutine(STACK_WORDS, move || {
                cases[number % cases.len()].ask(&signers);
                sender.send(1).unwrap();
            })
            .unwrap();
            asked.recv_timeout(PATIENCE).unwrap();
        }
    }
}

#[cfg(all(test, feature = "model"))]
mod model_tests;
