//! Waiting for an answer that another thread makes: the one place where a request pauses.
//!
//! The caller may be a coroutine, whose thread must never block, or a plain thread. `server` says
//! once, with [`install`], how coroutines park; without it every caller is a plain thread. No lock
//! is held while parked.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Puts its maker to sleep until somebody wakes it. A wake that comes first is remembered.
pub trait Park: Send + Sync {
    /// Sleeps until [`Park::unpark`] has been called. Called by the maker only. May return early.
    fn park(&self);
    /// Wakes the maker; from any thread, any number of times.
    fn unpark(&self);
}

static NEW_PARK: OnceLock<fn() -> Arc<dyn Park>> = OnceLock::new();

/// Chooses how callers park, for the whole process; the first choice holds.
pub fn install(new_park: fn() -> Arc<dyn Park>) {
    NEW_PARK.get_or_init(|| new_park);
}

/// The two ends of one answer: the worker keeps the [`Promise`], the caller waits on the [`Answer`].
pub fn promise<T>() -> (Promise<T>, Answer<T>) {
    let park = NEW_PARK
        .get()
        .map_or_else(this_thread, |new_park| new_park());
    let shared = Arc::new(Shared {
        slot: Mutex::new(PromiseState::Empty),
        park,
    });
    (
        Promise {
            shared: Arc::clone(&shared),
        },
        Answer { shared },
    )
}

/// The worker's end. Dropped without [`Promise::keep`], it wakes the caller with `None`.
pub struct Promise<T> {
    shared: Arc<Shared<T>>,
}

/// The caller's end.
pub struct Answer<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    slot: Mutex<PromiseState<T>>,
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
        *lock(&self.shared.slot) = PromiseState::Kept(value);
        // Dropping wakes.
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut slot = lock(&self.shared.slot);
        if matches!(*slot, PromiseState::Empty) {
            *slot = PromiseState::Broken;
        }
        drop(slot);
        self.shared.park.unpark();
    }
}

impl<T> Answer<T> {
    /// Sleeps until the promise is kept; `None` when the worker gave up on it (it panicked).
    pub fn wait(self) -> Option<T> {
        loop {
            let slot = std::mem::replace(&mut *lock(&self.shared.slot), PromiseState::Empty);
            match slot {
                PromiseState::Kept(value) => return Some(value),
                PromiseState::Broken => return None,
                PromiseState::Empty => self.shared.park.park(),
            }
        }
    }
}

/// Does `work` on a thread of its own and waits for it: what may block, or need more stack than a coroutine
/// has. `None` when it panicked.
///
/// # Errors
/// When the system gives no thread.
pub fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<Option<T>> {
    let (promise, answer) = promise();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || promise.keep(work()))?;
    Ok(answer.wait())
}

/// Takes a lock whose data is sound after a panic as well.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ThreadPark(std::thread::Thread);

fn this_thread() -> Arc<dyn Park> {
    Arc::new(ThreadPark(std::thread::current()))
}

impl Park for ThreadPark {
    fn park(&self) {
        std::thread::park();
    }
    fn unpark(&self) {
        self.0.unpark();
    }
}
