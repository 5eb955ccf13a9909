//! The signing queue: what a thread takes, when the worker signs, and that no signature is lost.

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
    // Away from the worker the task is returned. The worker signs it, from the fifth on with a table.
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
        // The caller of a lost task would wait for ever.
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
