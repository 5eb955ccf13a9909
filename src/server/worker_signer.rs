//! Signing on the worker of all connections, which saves both wake-ups of a signature: that of a signing thread
//! and that of the worker. It is done when nothing else is to be done, as for the few duties of a small
//! operator; under load it would make all connections wait ([`super::signers`] decides).
//!
//! **The stack.** A connection's stack is too small for the signature code. So the connection waits as for a
//! signing thread, and a coroutine with a stack of its own signs: no depth of the caller is under it, which
//! is why no room must be checked. Below the stack is `may`'s guard page; who meets it ends the process
//! (`system::restore_fault_signals`), and a panic does so too, as in a signing thread.

use std::io;
use std::sync::{Arc, Mutex};

use super::signers::WaitingTask;
use super::signing_times::SigningTimes;
use super::system;
use crate::critical_thread;
use crate::wait::{self, Promise, lock};

/// Stack of the signature code in words of 8 bytes: 1 MiB, mapped as it is touched.
const STACK_WORDS: usize = 0x2_0000;

/// What wakes the coroutine; `None` while it signs, and where there is no worker.
static ASLEEP: Mutex<Option<Promise<WorkerTask>>> = Mutex::new(None);

/// A signature to be made on the worker, and where its time is counted.
struct WorkerTask {
    task: WaitingTask,
    times: Arc<SigningTimes>,
}

/// Starts the coroutine on the worker, once for the process.
///
/// # Errors
/// When there is no memory for its stack.
pub(super) fn start() -> io::Result<()> {
    system::spawn_coroutine(STACK_WORDS, || {
        critical_thread::run("worker-signer", || {
            loop {
                let (promise, answer) = wait::promise();
                *lock(&ASLEEP) = Some(promise);
                // The promise is always kept.
                if let Some(WorkerTask { task, times }) = answer.wait() {
                    task.sign_alone(&times);
                }
            }
        });
    })
}

/// Signs this on the worker. Gives it back when the caller is not on the worker, or when it cannot be.
pub(super) fn offer(task: WaitingTask, times: &Arc<SigningTimes>) -> Option<WaitingTask> {
    if !system::is_on_worker() {
        return Some(task);
    }
    let Some(promise) = lock(&ASLEEP).take() else {
        return Some(task);
    };
    let times = Arc::clone(times);
    promise.keep(WorkerTask { task, times });
    None
}
