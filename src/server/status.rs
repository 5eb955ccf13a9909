//! What others know of a connection: its deadline, what it does, and whether it must end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use may::io::WaitIoWaker;

use crate::wait::{self, Promise, lock};

use super::peer::PeerNetwork;
use super::stream::Phase;
use super::tls::VerifiedClient;

/// Shared by the connection, which writes most of it, and the sweeper. Times are milliseconds of the
/// sweeper's clock.
pub(super) struct ConnectionStatus {
    /// The number of the slots that the connection belongs to.
    pub(super) slots: usize,
    pub(super) network: PeerNetwork,
    deadline_ms: AtomicU64,
    /// When the last whole request came.
    request_ms: AtomicU64,
    /// It waits for a request: it may end as soon as the server drains.
    is_idle: AtomicBool,
    /// A request is being answered.
    is_answering: AtomicBool,
    /// The client has proved who it is.
    is_trusted: AtomicBool,
    /// Its slot or its permission was taken away.
    must_end: AtomicBool,
    has_ended: AtomicBool,
    /// `None` for threads, which look at the clock by themselves.
    waker: Option<WaitIoWaker>,
    /// The end of the current pause, and the promise that the connection waits for.
    pause: Mutex<Option<(u64, Promise<()>)>>,
    /// Set when the client was accepted by its certificate.
    client: OnceLock<VerifiedClient>,
}

/// The order in which connections are ended when there are too many: those whose client has not proved
/// who it is first, then by the time of the last request.
pub(super) type EvictionOrder = (bool, u64);

impl ConnectionStatus {
    pub(super) fn new(
        slots: usize,
        network: PeerNetwork,
        waker: Option<WaitIoWaker>,
        now_ms: u64,
    ) -> Self {
        Self {
            slots,
            network,
            deadline_ms: AtomicU64::new(u64::MAX),
            request_ms: AtomicU64::new(now_ms),
            is_idle: AtomicBool::new(false),
            is_answering: AtomicBool::new(false),
            // The mode of its file keeps strangers away from a Unix socket.
            is_trusted: AtomicBool::new(network == PeerNetwork::Unix),
            must_end: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            waker,
            pause: Mutex::new(None),
            client: OnceLock::new(),
        }
    }

    /// The connection enters a phase at `now_ms`, and must leave it before `deadline_ms`.
    pub(super) fn enter(&self, phase: Phase, now_ms: u64, deadline_ms: u64) {
        let is_answering = phase == Phase::Answer;
        let is_idle = matches!(phase, Phase::KeepAlive | Phase::Idle | Phase::Held(_));
        self.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        if is_answering {
            self.request_ms.store(now_ms, Ordering::Relaxed);
        }
        self.is_answering.store(is_answering, Ordering::Relaxed);
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Whether the connection must stop waiting. While the server drains, no connection may be idle.
    pub(super) fn is_due(&self, now_ms: u64, is_draining: bool) -> bool {
        now_ms >= self.deadline_ms.load(Ordering::Relaxed)
            || self.must_end()
            || is_draining && self.is_idle.load(Ordering::Relaxed)
    }

    /// Puts the connection to sleep until [`Self::end_pause_if_due`], or until it must end.
    pub(super) fn pause_until(&self, until_ms: u64) {
        let (promise, answer) = wait::promise();
        *lock(&self.pause) = Some((until_ms, promise));
        if self.must_end() {
            self.end_pause();
        }
        answer.wait();
    }

    /// Ends a pause that is over. Returns whether there was one.
    pub(super) fn end_pause_if_due(&self, now_ms: u64, is_draining: bool) -> bool {
        let mut pause = lock(&self.pause);
        // Dropping the promise wakes the connection.
        pause
            .take_if(|(until_ms, _)| *until_ms <= now_ms || is_draining)
            .is_some()
    }

    fn end_pause(&self) {
        lock(&self.pause).take();
    }

    /// The client has proved who it is.
    pub(super) fn trust(&self) {
        self.is_trusted.store(true, Ordering::Relaxed);
    }

    /// The client was accepted by its certificate.
    pub(super) fn set_client(&self, client: VerifiedClient) {
        self.client.set(client).ok();
        self.trust();
    }

    /// The client, if it was accepted by a certificate.
    pub(super) fn client(&self) -> Option<&VerifiedClient> {
        self.client.get()
    }

    /// Whether the slot or the permission of the connection was taken away.
    pub(super) fn must_end(&self) -> bool {
        self.must_end.load(Ordering::Acquire)
    }

    /// Makes every wait of the connection fail from now on.
    pub(super) fn end_now(&self) {
        self.must_end.store(true, Ordering::Release);
        self.end_pause();
        self.wake();
    }

    /// The connection has ended.
    pub(super) fn set_ended(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Wakes a coroutine that waits for its socket.
    pub(super) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wakeup();
        }
    }

    /// Whether the connection may be ended in favour of a new one.
    pub(super) fn is_evictable(&self) -> bool {
        !self.must_end() && !self.has_ended() && !self.is_answering.load(Ordering::Relaxed)
    }

    pub(super) fn eviction_order(&self) -> EvictionOrder {
        let is_trusted = self.is_trusted.load(Ordering::Relaxed);
        (is_trusted, self.request_ms.load(Ordering::Relaxed))
    }

    /// When the last whole request came.
    pub(super) fn request_ms(&self) -> u64 {
        self.request_ms.load(Ordering::Relaxed)
    }
}
