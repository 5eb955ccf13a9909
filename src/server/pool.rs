//! Threads for work that would delay all connections: parsing large bodies, computing TLS handshakes. The
//! connection that asks for it waits.
//!
//! Their priority is lower than that of the threads that serve and sign, so that a flood of such work
//! takes only what those leave over.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::wait::{self, lock};

use super::system;

/// Threads behind one bounded queue. They end when the pool is dropped.
pub(super) struct WorkerPool {
    tasks: SyncSender<PoolTask>,
}

/// Why a task has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolError {
    /// The queue is full.
    Full,
    /// The work panicked.
    Panicked,
}

type PoolTask = Box<dyn FnOnce() + Send>;

impl WorkerPool {
    /// Starts `threads` threads of this name; `waiting_max` tasks may wait for one of them.
    pub(super) fn start(name: &str, threads: usize, waiting_max: usize) -> io::Result<Self> {
        let (tasks, receiver) = mpsc::sync_channel(waiting_max);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work(&receiver))?;
        }
        Ok(Self { tasks })
    }

    /// Runs `action` on one of the threads, in the order of the calls. The caller waits for the result.
    pub(super) fn run<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (promise, answer) = wait::promise();
        let task = move || {
            // Without a value the promise is dropped, which wakes the caller.
            if let Ok(value) = catch_unwind(AssertUnwindSafe(action)) {
                promise.keep(value);
            }
        };
        match self.tasks.try_send(Box::new(task)) {
            Ok(()) => answer.wait().ok_or(PoolError::Panicked),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(PoolError::Full),
        }
    }
}

/// One thread: runs tasks until the pool is dropped.
fn work(tasks: &Mutex<Receiver<PoolTask>>) {
    system::lower_priority();
    loop {
        let next = lock(tasks).recv();
        let Ok(task) = next else {
            return;
        };
        task();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_a_panic_is_reported_and_the_thread_goes_on() {
        let pool = WorkerPool::start("test", 1, 1).expect("a thread");
        assert_eq!(pool.run(|| 1), Ok(1));
        assert_eq!(
            pool.run(|| panic!("as asked")),
            Err::<(), _>(PoolError::Panicked)
        );
        assert_eq!(pool.run(|| 2), Ok(2));

        let (release, blocked) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.run(move || {
                    begun.send(()).ok();
                    blocked.recv().ok();
                })
            });
            has_begun.recv().expect("the first task runs");
            pool.tasks.try_send(Box::new(|| ())).expect("one may wait");
            assert_eq!(pool.run(|| ()), Err(PoolError::Full));
            release.send(()).expect("the first task waits");
        });
        while pool.run(|| ()) == Err(PoolError::Full) {
            thread::yield_now();
        }
    }
}
