//! The way of signatures from the signing threads back to the coroutines that wait for them.
//!
//! To wake a coroutine from another thread costs a system call there and another one on the worker. So
//! one coroutine, the deliverer, is woken for all signatures that are finished by then, and wakes the others
//! on the worker itself, where that costs nothing.
//!
//! Invariant: when the list of finished signatures is not empty, the deliverer runs or has been woken. Both
//! are decided under one lock. Without a worker, callers are threads, and are woken at once.

use std::io;
use std::mem;

use super::system;
use crate::consensus::primitives::Signature;
use crate::sync::{Mutex, lock};
use crate::wait::{self, Promise};

/// A signature and who waits for it.
pub(super) struct FinishedSignature {
    pub(super) promise: Promise<Signature>,
    pub(super) signature: Signature,
}

struct Deliverer {
    state: Mutex<DelivererState>,
}

struct DelivererState {
    /// Whether there is a worker.
    is_running: bool,
    finished: Vec<FinishedSignature>,
    /// Set while it sleeps: what wakes it.
    asleep: Option<Promise<Vec<FinishedSignature>>>,
}

static DELIVERER: Deliverer = Deliverer::new(false);

/// Starts the deliverer on the worker, once for the process.
///
/// # Errors
/// When there is no memory for its stack.
pub(super) fn start(stack_words: usize) -> io::Result<()> {
    system::spawn_coroutine(stack_words, || {
        loop {
            keep_all(DELIVERER.next_batch());
        }
    })?;
    lock(&DELIVERER.state).is_running = true;
    Ok(())
}

/// Answers all of these callers.
pub(super) fn deliver(batch: Vec<FinishedSignature>) {
    DELIVERER.deliver(batch);
}

impl Deliverer {
    const fn new(is_running: bool) -> Self {
        Self {
            state: Mutex::new(DelivererState {
                is_running,
                finished: Vec::new(),
                asleep: None,
            }),
        }
    }

    fn deliver(&self, mut batch: Vec<FinishedSignature>) {
        let asleep;
        {
            let mut state = lock(&self.state);
            asleep = state.asleep.take();
            if state.is_running && asleep.is_none() {
                state.finished.append(&mut batch);
                return;
            }
        }
        match asleep {
            Some(promise) => promise.keep(batch),
            None => keep_all(batch),
        }
    }

    /// Waits until there is something to deliver.
    fn next_batch(&self) -> Vec<FinishedSignature> {
        let answer;
        {
            let mut state = lock(&self.state);
            if !state.finished.is_empty() {
                return mem::take(&mut state.finished);
            }
            let (promise, of_promise) = wait::promise();
            state.asleep = Some(promise);
            answer = of_promise;
        }
        // The promise is always kept.
        answer.wait().unwrap_or_default()
    }
}

fn keep_all(batch: Vec<FinishedSignature>) {
    for finished in batch {
        finished.promise.keep(finished.signature);
    }
}

#[cfg(all(test, feature = "model"))]
mod model_tests;
