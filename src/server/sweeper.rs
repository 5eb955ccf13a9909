//! Time for connections: one coarse clock, and a thread that wakes those whose deadline has passed.
//!
//! The sweeper only wakes: the connection itself looks at the clock and decides, so a wake-up that
//! comes too late for one wait and too early for the next does no harm. It is woken by `may`'s waker of
//! socket waits, which works from any thread and is remembered when nobody waits; `may`'s own timeouts
//! and cancellation are never used.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use may::io::WaitIoWaker;

use crate::http::response::CommonFields;
use crate::wait::{self, Promise, lock};

use super::places::{Place, Places, Source};
use super::stream::Phase;
use super::tls::Client;

/// How often deadlines are looked at; they are late by at most this much.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The clock, and all connections that live by it.
pub(super) struct Sweeper {
    started: Instant,
    now_ms: AtomicU64,
    control: Mutex<CommonFields>,
    keep_alive_seconds: u64,
    draining: AtomicBool,
    watches: Mutex<Vec<Arc<Watch>>>,
}

/// What others know of a connection: its deadline, what it is about, and whether it may stay.
pub(super) struct Watch {
    places: Arc<Places>,
    source: Source,
    deadline_ms: AtomicU64,
    /// When a whole request last came.
    request_ms: AtomicU64,
    /// It has nothing to do: it may end as soon as the server drains.
    is_idle: AtomicBool,
    /// A request is being answered.
    is_busy: AtomicBool,
    /// The client has proved who it is.
    is_trusted: AtomicBool,
    /// Its place or its permission has been taken away.
    must_end: AtomicBool,
    is_over: AtomicBool,
    waker: Option<WaitIoWaker>,
    /// While the connection pauses: until when. Dropping the promise lets it go on.
    pause: Mutex<Option<(u64, Promise<()>)>>,
    /// Whose certificate was accepted.
    client: OnceLock<Client>,
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
            self.end_unlisted();
        }
    }

    /// Watches over a new connection; `waker` is none for threads, which look by themselves.
    pub(super) fn watch(&self, place: &Place, waker: Option<WaitIoWaker>) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            places: Arc::clone(place.places()),
            source: place.source,
            deadline_ms: AtomicU64::new(u64::MAX),
            request_ms: AtomicU64::new(self.now_ms()),
            is_idle: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
            // The mode of its file keeps strangers away from a Unix socket.
            is_trusted: AtomicBool::new(place.source == Source::Unix),
            must_end: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            waker,
            pause: Mutex::new(None),
            client: OnceLock::new(),
        });
        lock(&self.watches).push(Arc::clone(&watch));
        watch
    }

    /// The connection enters a phase, which may take so long; without a bound it ends by itself.
    pub(super) fn enter(&self, watch: &Watch, phase: Phase, within: Option<Duration>) {
        let now_ms = self.now_ms();
        let deadline_ms = within.map_or(u64::MAX, |within| now_ms.saturating_add(millis(within)));
        watch.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        if phase == Phase::Answer {
            watch.request_ms.store(now_ms, Ordering::Relaxed);
        }
        watch
            .is_busy
            .store(phase == Phase::Answer, Ordering::Relaxed);
        let is_idle = matches!(phase, Phase::Lull | Phase::Idle | Phase::Held(_));
        watch.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Whether the time of `watch` is over. While draining, nobody may be idle.
    pub(super) fn is_due(&self, watch: &Watch) -> bool {
        self.now_ms() >= watch.deadline_ms.load(Ordering::Relaxed)
            || watch.must_end()
            || self.is_draining() && watch.is_idle.load(Ordering::Relaxed)
    }

    /// Holds the connection back for so long, or until it must end or the server drains.
    pub(super) fn pause(&self, watch: &Watch, duration: Duration) {
        let (promise, answer) = wait::promise();
        let until = self.now_ms().saturating_add(millis(duration));
        *lock(&watch.pause) = Some((until, promise));
        if watch.must_end() {
            watch.go_on();
        }
        answer.wait();
    }

    /// What answers say now. Not to be held across a wait.
    pub(super) fn control(&self) -> impl Deref<Target = CommonFields> {
        lock(&self.control)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on answers close their connection, and idle connections end.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// The connections that `is_meant` names and that may end, beginning with the one that goes first:
    /// those who have not proved who they are, in the order of their last request.
    pub(super) fn longest_idle(
        &self,
        is_meant: impl Fn(&Watch) -> bool,
        number_max: usize,
    ) -> Vec<(Arc<Watch>, u64)> {
        let watches = lock(&self.watches);
        let mut candidates = watches
            .iter()
            .filter(|watch| watch.may_end() && is_meant(watch))
            .map(|watch| (watch.order(), watch))
            .collect::<Vec<_>>();
        if candidates.len() > number_max {
            candidates.select_nth_unstable_by_key(number_max, |(order, _)| *order);
            candidates.truncate(number_max);
        }
        candidates.sort_by_key(|(order, _)| *order);
        let mut first = Vec::with_capacity(candidates.len());
        for ((_, request_ms), watch) in candidates {
            first.push((Arc::clone(watch), request_ms));
        }
        first
    }

    /// Ends the first of these that has not been heard of since. Says whether there was one.
    pub(super) fn end_first(&self, candidates: &mut VecDeque<(Arc<Watch>, u64)>) -> bool {
        while let Some((watch, request_ms)) = candidates.pop_front() {
            if watch.may_end() && watch.request_ms.load(Ordering::Relaxed) == request_ms {
                watch.end_now();
                return true;
            }
        }
        false
    }

    /// Ends the connections whose certificate is not accepted any more, after the list was read again.
    fn end_unlisted(&self) {
        let mut changed = Vec::new();
        for watch in lock(&self.watches).iter() {
            if watch.client.get().is_some_and(Client::is_outdated) {
                changed.push(Arc::clone(watch));
            }
        }
        for watch in changed {
            if watch.client.get().is_some_and(|client| !client.renew()) {
                log::info!("a connection ends: its client certificate is not accepted any more");
                watch.end_now();
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Acquire)
    }

    fn read_clocks(&self) {
        let seconds = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_secs();
        let control = CommonFields::new(seconds, self.keep_alive_seconds);
        *lock(&self.control) = control;
        self.now_ms
            .store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Wakes those who are due and forgets those who are over; says whether nobody is left.
    fn sweep(&self) -> bool {
        let now_ms = self.now_ms();
        let is_draining = self.is_draining();
        let mut watches = lock(&self.watches);
        watches.retain(|watch| !watch.is_over.load(Ordering::Acquire));
        for watch in watches.iter() {
            let pause = lock(&watch.pause).take_if(|(until, _)| *until <= now_ms || is_draining);
            if pause.is_some() || self.is_due(watch) {
                watch.wake();
            }
        }
        watches.is_empty()
    }
}

impl Watch {
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    /// The client has proved who it is: its connection goes last when there is no place left.
    pub(super) fn trust(&self) {
        self.is_trusted.store(true, Ordering::Relaxed);
    }

    /// The client is known by a certificate.
    pub(super) fn set_client(&self, client: Client) {
        self.client.set(client).ok();
        self.trust();
    }

    /// Whether its place or its permission has been taken away.
    pub(super) fn must_end(&self) -> bool {
        self.must_end.load(Ordering::Acquire)
    }

    /// The connection has ended.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// From now on every wait of the connection fails.
    fn end_now(&self) {
        self.must_end.store(true, Ordering::Release);
        self.go_on();
        self.wake();
    }

    fn go_on(&self) {
        lock(&self.pause).take();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wakeup();
        }
    }

    fn may_end(&self) -> bool {
        let is_ending = self.must_end() || self.is_over.load(Ordering::Acquire);
        !is_ending && !self.is_busy.load(Ordering::Relaxed)
    }

    /// Who goes first when there is no place left.
    fn order(&self) -> (bool, u64) {
        let is_trusted = self.is_trusted.load(Ordering::Relaxed);
        (is_trusted, self.request_ms.load(Ordering::Relaxed))
    }
}

fn millis(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000)
        .saturating_add(duration.subsec_millis().into())
}
