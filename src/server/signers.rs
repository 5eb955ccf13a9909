//! The signing threads: a signature takes a third of a millisecond, and the coroutines' one worker has
//! better things to do.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::api::refusal::Refusal;
use crate::api::state::Signer;
use crate::consensus::primitives::Signature;
use crate::critical_thread;
use crate::keys::secret::SecretKey;
use crate::slashing::Cleared;
use crate::wait::{self, Promise, lock};

/// Plain threads, one a core, behind one bounded queue.
pub struct Signers {
    queue: Arc<Queue>,
}

struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    arrived: Condvar,
}

struct Job {
    key: Arc<SecretKey>,
    cleared: Cleared,
    promise: Promise<Signature>,
}

impl Signers {
    /// Starts so many threads; `None` means one a core.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: Option<usize>) -> io::Result<Self> {
        let threads =
            threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let queue = Arc::new(Queue {
            jobs: Mutex::default(),
            arrived: Condvar::new(),
        });
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            critical_thread::spawn(format!("sign-{number}"), move || queue.work())?;
        }
        Ok(Self { queue })
    }
}

impl Signer for Signers {
    fn sign(&self, key: Arc<SecretKey>, cleared: Cleared) -> Result<Signature, Refusal> {
        let (promise, answer) = wait::promise();
        self.queue.push(Job {
            key,
            cleared,
            promise,
        })?;
        answer
            .wait()
            .ok_or(Refusal::Internal("a signing thread gave up"))
    }
}

impl Queue {
    fn push(&self, job: Job) -> Result<(), Refusal> {
        let mut jobs = lock(&self.jobs);
        if jobs.len() >= JOBS_WAITING_MAX {
            return Err(Refusal::Overloaded);
        }
        jobs.push_back(job);
        drop(jobs);
        self.arrived.notify_one();
        Ok(())
    }

    /// Signs for ever; sleeps only when nothing waits.
    fn work(&self) {
        loop {
            let Job {
                key,
                cleared,
                promise,
            } = self.next();
            let signature = key.sign(cleared);
            // The caller may find its key deleted as soon as it is answered: let go of it first.
            drop(key);
            promise.keep(signature);
        }
    }

    fn next(&self) -> Job {
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some(job) = jobs.pop_front() {
                return job;
            }
            jobs = self
                .arrived
                .wait(jobs)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Half a second of work for two cores: validator clients give up after 5 s at the earliest, and one
/// that waits longer than a second is better told so.
const JOBS_WAITING_MAX: usize = 2048;
