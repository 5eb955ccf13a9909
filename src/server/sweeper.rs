//! Time for connections: one coarse clock, and a thread that wakes those whose deadline has passed.
//!
//! The sweeper only wakes: the connection itself looks at the clock and decides, so a wake-up that
//! comes too late for one wait and too early for the next does no harm. It is woken by `may`'s waker of
//! socket waits, which works from any thread and is remembered when nobody waits; `may`'s own timeouts
//! and cancellation are never used.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use may::io::WaitIoWaker;

use crate::http::response::Control;
use crate::wait::{self, Promise, lock};

/// How often deadlines are looked at; they are late by at most this much.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The clock, and all connections that live by it.
pub(super) struct Sweeper {
    started: Instant,
    now_ms: AtomicU64,
    control: Mutex<Control>,
    keep_alive_seconds: u64,
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
    /// Answers announce that connections stay open for so many idle seconds.
    pub(super) fn new(keep_alive_seconds: u64) -> Self {
        let sweeper = Self {
            started: Instant::now(),
            now_ms: AtomicU64::new(0),
            control: Mutex::default(),
            keep_alive_seconds,
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
        lock(&self.watches).push(Arc::clone(&watch));
        watch
    }

    /// Sets how long `watch` may wait from now on.
    pub(super) fn set(&self, watch: &Watch, within: Duration, is_idle: bool) {
        watch.deadline_ms.store(
            self.now_ms().saturating_add(millis(within)),
            Ordering::Relaxed,
        );
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
        lock(&self.paused).push((until, promise));
        answer.wait();
    }

    /// What answers say now. Not to be held across a wait.
    pub(super) fn control(&self) -> impl Deref<Target = Control> {
        lock(&self.control)
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
        let seconds = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_secs();
        let control = Control::at(seconds, self.keep_alive_seconds);
        *lock(&self.control) = control;
        self.now_ms
            .store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Wakes those who are due and forgets those who are over; says whether nobody is left.
    fn sweep(&self) -> bool {
        let (now_ms, draining) = (self.now_ms(), self.is_draining());
        lock(&self.paused).retain(|(until, _)| *until > now_ms && !draining);
        let mut watches = lock(&self.watches);
        watches.retain(|watch| !watch.is_over.load(Ordering::Acquire));
        for watch in watches.iter().filter(|watch| self.is_due(watch)) {
            if let Some(waker) = &watch.waker {
                waker.wakeup();
            }
        }
        watches.is_empty()
    }
}

impl Watch {
    /// The connection has ended.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn millis(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000)
        .saturating_add(duration.subsec_millis().into())
}
