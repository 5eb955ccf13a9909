//! Time for connections: one coarse clock, and a thread that wakes those whose deadline has passed.
//!
//! The sweeper only wakes: the connection itself looks at the clock and decides, so a wake-up that
//! comes too late for one wait and too early for the next does no harm. It is woken by `may`'s waker of
//! socket waits, which works from any thread and is remembered when nobody waits; `may`'s own timeouts
//! and cancellation are never used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};
use may::io::WaitIoWaker;

use crate::http::response::date;
use crate::wait::{self, Promise};

/// How often deadlines are looked at; they are late by at most this much.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The clock, and all connections that live by it.
pub(super) struct Sweeper {
    started: Instant,
    now_ms: AtomicU64,
    date: ArcSwap<(u64, String)>,
    draining: AtomicBool,
    watches: Mutex<Vec<Arc<Watch>>>,
    /// Who is held back, and until when: dropping the promise lets them go.
    paused: Mutex<Vec<(u64, Promise<()>)>>,
}

/// One connection's deadline.
pub(super) struct Watch {
    deadline_ms: AtomicU64,
    is_idle: AtomicBool,
    is_over: AtomicBool,
    waker: Option<WaitIoWaker>,
}

impl Sweeper {
    pub(super) fn new() -> Self {
        let sweeper = Self {
            started: Instant::now(),
            now_ms: AtomicU64::new(0),
            date: ArcSwap::default(),
            draining: AtomicBool::new(false),
            watches: Mutex::default(),
            paused: Mutex::default(),
        };
        sweeper.read_clocks();
        sweeper
    }

    /// The sweeper's thread. Ends when the server drains and the last connection has gone.
    pub(super) fn run(&self) {
        while !self.is_draining() || !self.sweep() {
            std::thread::sleep(TICK);
            self.read_clocks();
            self.sweep();
        }
    }

    /// Watches over a new connection; `waker` is none for threads, which look by themselves.
    pub(super) fn watch(&self, waker: Option<WaitIoWaker>) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            deadline_ms: AtomicU64::new(u64::MAX),
            is_idle: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            waker,
        });
        self.lock().push(Arc::clone(&watch));
        watch
    }

    /// Sets what `watch` waits for from now on: forever without a duration.
    pub(super) fn set(&self, watch: &Watch, within: Option<Duration>, is_idle: bool) {
        let deadline_ms = within.map_or(u64::MAX, |within| self.now_ms() + millis(within));
        watch.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        watch.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Whether the time of `watch` is over. While draining, nobody may be idle.
    pub(super) fn is_due(&self, watch: &Watch) -> bool {
        self.now_ms() >= watch.deadline_ms.load(Ordering::Relaxed)
            || self.is_draining() && watch.is_idle.load(Ordering::Relaxed)
    }

    /// Holds the caller back for so long, or until the server drains.
    pub(super) fn pause(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let (promise, answer) = wait::promise();
        let until = self.now_ms() + millis(duration);
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).push((until, promise));
        answer.wait();
    }

    /// Now, and its text for the field `Date`. Not to be held across a wait.
    pub(super) fn date(&self) -> Guard<Arc<(u64, String)>> {
        self.date.load()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on answers close their connection, and idle connections end.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Acquire)
    }

    fn read_clocks(&self) {
        let seconds = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        if self.date.load().0 != seconds {
            self.date.store(Arc::new((seconds, date(seconds))));
        }
        self.now_ms.store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Wakes those who are due and forgets those who are over; says whether nobody is left.
    fn sweep(&self) -> bool {
        let (now_ms, draining) = (self.now_ms(), self.is_draining());
        self.paused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(until, _)| *until > now_ms && !draining);
        let mut watches = self.lock();
        watches.retain(|watch| !watch.is_over.load(Ordering::Acquire));
        for watch in watches.iter().filter(|watch| self.is_due(watch)) {
            if let Some(waker) = &watch.waker {
                waker.wakeup();
            }
        }
        watches.is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Watch>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// The connection has ended.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
