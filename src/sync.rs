//! What threads share: the one place that says which primitives the program is built on.
//!
//! In the program they are those of the standard library and of `arc_swap`. With the feature `model`, unit tests
//! get those of shuttle, which runs the threads of a model one at a time and chooses at every access which one
//! goes on. So the modules named `model_tests` run the program's own code, in thousands of orders:
//! `cargo test --lib --features model model_tests::`.
//!
//! What shuttle cannot see, because it is not built on this file: the coroutine runtime `may`, whose callers are
//! plain threads in a model; the orderings of atomics, which are all sequentially consistent there; and the inside
//! of `arc_swap`, which a model replaces by what its documentation promises.

use std::sync::PoisonError;

pub(crate) use primitives::*;

#[cfg(not(all(test, feature = "model")))]
mod primitives {
    use super::PoisonError;

    pub(crate) use arc_swap::ArcSwap;
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, mpsc};
    pub(crate) use std::thread;

    /// Locks a mutex whose data is sound after a panic as well.
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "model"))]
mod primitives {
    use std::sync::Arc;

    use super::PoisonError;

    pub(crate) use shuttle::sync::atomic::AtomicU64;
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, mpsc};

    pub(crate) mod thread {
        use std::time::Duration;

        pub(crate) use shuttle::thread::{Builder, JoinHandle, Thread, current, park, spawn};

        /// A model has no clock: it lets other threads run.
        pub(crate) fn sleep(_: Duration) {
            shuttle::thread::yield_now();
        }
    }

    /// The promise of `arc_swap`: after a store, an older value is used only by those who hold a reference that
    /// counts.
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(value: T) -> Self {
            Self(Mutex::new(Arc::new(value)))
        }

        /// Others go on before the value is used.
        pub(crate) fn load(&self) -> Arc<T> {
            let loaded = Arc::clone(&lock(&self.0));
            shuttle::thread::sleep(std::time::Duration::ZERO);
            loaded
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            *lock(&self.0) = value;
        }
    }

    /// A mutex of a model, or one of the standard library where no model waits.
    pub(crate) trait Lockable {
        type Guard<'m>
        where
            Self: 'm;

        fn lock_anyway(&self) -> Self::Guard<'_>;
    }

    impl<T> Lockable for Mutex<T> {
        type Guard<'m>
            = MutexGuard<'m, T>
        where
            Self: 'm;

        fn lock_anyway(&self) -> Self::Guard<'_> {
            self.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T> Lockable for std::sync::Mutex<T> {
        type Guard<'m>
            = std::sync::MutexGuard<'m, T>
        where
            Self: 'm;

        fn lock_anyway(&self) -> Self::Guard<'_> {
            self.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<M: Lockable> Lockable for Arc<M> {
        type Guard<'m>
            = M::Guard<'m>
        where
            Self: 'm;

        fn lock_anyway(&self) -> Self::Guard<'_> {
            self.as_ref().lock_anyway()
        }
    }

    pub(crate) fn lock<M: Lockable>(mutex: &M) -> M::Guard<'_> {
        mutex.lock_anyway()
    }

    /// Runs a model in so many random orders of its threads. A failure prints the order.
    pub(crate) fn check(orders: usize, model: impl Fn() + Send + Sync + 'static) {
        let mut config = shuttle::Config::new();
        // Signature code and the log need more than shuttle's 60 KB.
        config.stack_size = 1 << 20;
        config.silence_warnings = true;
        let scheduler = shuttle::scheduler::RandomScheduler::new(orders);
        shuttle::Runner::new(scheduler, config).run(model);
    }
}
