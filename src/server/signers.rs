//! The signing threads: a signature takes a third of a millisecond, too long for the one worker of all
//! connections.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::api::Signer;
use crate::api::refusal::Refusal;
use crate::consensus::primitives::Signature;
use crate::critical_thread;
use crate::keys::secret::SecretKey;
use crate::slashing::Cleared;
use crate::wait::{self, Promise, lock};

/// Plain threads, one a core, behind one bounded queue.
pub(crate) struct Signers {
    queue: Arc<SignQueue>,
}

struct SignQueue {
    tasks: Mutex<VecDeque<SignTask>>,
    arrived: Condvar,
}

struct SignTask {
    key: Arc<SecretKey>,
    cleared: Cleared,
    promise: Promise<Signature>,
}

/// Signatures that wait for a thread: half a second of work for two cores. Validator clients give up after
/// 5 s at the earliest, and one that would wait longer than a second is better told so.
const TASKS_WAITING_MAX: usize = 2048;

impl Signers {
    /// Starts so many threads; `None` means one a core.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(threads: Option<usize>) -> io::Result<Self> {
        let threads =
            threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let queue = Arc::new(SignQueue {
            tasks: Mutex::default(),
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
        self.queue.push(SignTask {
            key,
            cleared,
            promise,
        })?;
        answer
            .wait()
            .ok_or(Refusal::Internal("a signing thread gave up"))
    }
}

impl SignQueue {
    fn push(&self, task: SignTask) -> Result<(), Refusal> {
        {
            let mut tasks = lock(&self.tasks);
            if tasks.len() >= TASKS_WAITING_MAX {
                return Err(Refusal::Overloaded);
            }
            tasks.push_back(task);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// Signs for ever; sleeps only when nothing waits.
    fn work(&self) {
        loop {
            let (signature, promise) = self.next().sign();
            promise.keep(signature);
        }
    }

    fn next(&self) -> SignTask {
        let mut tasks = lock(&self.tasks);
        loop {
            if let Some(task) = tasks.pop_front() {
                return task;
            }
            tasks = self
                .arrived
                .wait(tasks)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl SignTask {
    /// Signs. The key is let go before the caller is answered, who may delete it at once.
    fn sign(self) -> (Signature, Promise<Signature>) {
        (self.key.sign(self.cleared), self.promise)
    }
}
