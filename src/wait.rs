//! Waiting for an answer that another thread makes: the one place where a request waits.
//!
//! The caller may be a coroutine, whose thread must never block, or a plain thread. `server` chooses once,
//! with `install`, how coroutines park; without it every caller is a plain thread. No lock is held while
//! parked.

use std::io;
use std::mem;
use std::sync::{Arc, OnceLock};

use crate::sync::Mutex;
pub(crate) use crate::sync::lock;
use crate::sync::thread::{self, Thread};

/// Puts the coroutine or thread that made it to sleep until it is woken. A wake that comes first is
/// remembered.
pub(crate) trait Park: Send + Sync {
    /// Sleeps until [`Park::unpark`] has been called. Called by the maker only. May return early.
    fn park(&self);
    /// Wakes the maker. Called from any thread, any number of times.
    fn unpark(&self);
}

static NEW_PARK: OnceLock<fn() -> Arc<dyn Park>> = OnceLock::new();

/// Chooses how callers park, for the whole process; the first choice holds.
pub(crate) fn install(new_park: fn() -> Arc<dyn Park>) {
    NEW_PARK.get_or_init(|| new_park);
}

/// Makes the two ends of one answer: another thread keeps the [`Promise`], the caller waits for the
/// [`Answer`].
pub fn promise<T>() -> (Promise<T>, Answer<T>) {
    let park: Arc<dyn Park> = match NEW_PARK.get() {
        Some(new_park) => new_park(),
        None => Arc::new(ThreadPark(thread::current())),
    };
    let cell = Arc::new(PromiseCell {
        state: Mutex::new(PromiseState::Empty),
        park,
    });
    let promise = Promise {
        cell: Arc::clone(&cell),
    };
    (promise, Answer { cell })
}

/// The end of the thread that makes the answer. Dropped without [`Promise::keep`], it wakes the caller with
/// `None`.
pub struct Promise<T> {
    cell: Arc<PromiseCell<T>>,
}

/// The end of the caller.
pub struct Answer<T> {
    cell: Arc<PromiseCell<T>>,
}

struct PromiseCell<T> {
    state: Mutex<PromiseState<T>>,
    park: Arc<dyn Park>,
}

enum PromiseState<T> {
    Empty,
    Kept(T),
    Broken,
}

impl<T> Promise<T> {
    /// Gives the answer and wakes the caller.
    pub fn keep(self, value: T) {
        *lock(&self.cell.state) = PromiseState::Kept(value);
        // Dropping wakes the caller.
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.cell.state);
            if matches!(*state, PromiseState::Empty) {
                *state = PromiseState::Broken;
            }
        }
        self.cell.park.unpark();
    }
}

impl<T> Answer<T> {
    /// Sleeps until the promise is kept; `None` when it was dropped, by a panic for instance.
    pub fn wait(self) -> Option<T> {
        loop {
            let state = mem::replace(&mut *lock(&self.cell.state), PromiseState::Empty);
            match state {
                PromiseState::Kept(value) => return Some(value),
                PromiseState::Broken => return None,
                PromiseState::Empty => self.cell.park.park(),
            }
        }
    }
}

/// Runs `work` on a thread of its own and waits for it: work that blocks, or needs more stack than a
/// coroutine has. `None` when it panicked.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (promise, answer) = promise();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || promise.keep(work()))?;
    Ok(answer.wait())
}

struct ThreadPark(Thread);

impl Park for ThreadPark {
    fn park(&self) {
        thread::park();
    }
    fn unpark(&self) {
        self.0.unpark();
    }
}
