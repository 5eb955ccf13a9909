//! The runtime of connections: one `may` worker, or one thread each.
//!
//! `may` is sound in this form only: one worker, no default features, none of its timeouts, sleeps or
//! cancellations. With several workers and timeouts it was measured to lose a worker within seconds, while
//! the process looked alive. Tests run the same connections on coroutines and on threads, and threads are
//! the way out should `may` ever fail.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};

use may::sync::Blocker;

use crate::wait::{self, Park, Promise};

use super::{delivery, system, worker_signer};

/// What runs a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// A coroutine each, all on one worker thread.
    #[default]
    Coroutines,
    /// A thread each.
    Threads,
}

/// Stack of a connection in words of 8 bytes: 64 KiB, mapped as it is touched. Measured (an odd number
/// of words makes may print what a coroutine has used): 11 KiB for plain requests; handshakes of TLS,
/// which take 26, are computed on other threads.
pub(super) const STACK_WORDS: usize = 0x2000;

/// Stacks that are kept for new connections. A kept one holds all pages that it ever touched.
const STACKS_KEPT_MAX: usize = 16;

impl Runtime {
    /// Runs `connection` to its end, in a coroutine or thread of its own.
    pub(super) fn spawn(self, connection: impl FnOnce() + Send + 'static) -> io::Result<()> {
        match self {
            Self::Coroutines => system::spawn_coroutine(STACK_WORDS, connection),
            Self::Threads => {
                std::thread::Builder::new().spawn(connection)?;
                Ok(())
            }
        }
    }

    /// Starts the worker, once for the process. Signals must be blocked before.
    pub(super) fn start(self) -> io::Result<()> {
        static STARTED: OnceLock<()> = OnceLock::new();
        if self == Self::Threads || STARTED.get().is_some() {
            return Ok(());
        }
        // No pinning: `may` would choose the first core, where a signer works as well.
        may::config()
            .set_workers(1)
            .set_stack_size(STACK_WORDS)
            .set_pool_capacity(STACKS_KEPT_MAX);
        may::config().set_worker_pin(false);
        wait::install(|| Arc::new(CoroutinePark(Blocker::new(true))));
        // The first coroutine installs `may`'s signal handlers; it must have run before they are removed.
        let (promise, answer) = wait::promise();
        system::spawn_coroutine(STACK_WORDS, move || promise.keep(()))?;
        answer.wait();
        system::restore_fault_signals();
        delivery::start(STACK_WORDS)?;
        worker_signer::start()?;
        STARTED.set(()).ok();
        Ok(())
    }
}

/// Lets all other coroutines run: the caller goes to the end of the queue, behind fresh events.
///
/// `may`'s own yield keeps the worker in its local queue and away from epoll; a wake-up from another
/// thread does not.
pub(super) fn yield_now() {
    static WAKER: OnceLock<Sender<Promise<()>>> = OnceLock::new();
    let waker = WAKER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Promise<()>>();
        std::thread::spawn(move || {
            for promise in receiver {
                promise.keep(());
            }
        });
        sender
    });
    let (promise, answer) = wait::promise();
    if waker.send(promise).is_ok() {
        answer.wait();
    }
}

/// Parks coroutines and threads alike: `Blocker` finds out which one made it.
struct CoroutinePark(Blocker);

impl Park for CoroutinePark {
    fn park(&self) {
        // Fails only when timed or cancelled, and neither is ever used.
        self.0.park(None).ok();
    }

    fn unpark(&self) {
        self.0.unpark();
    }
}
