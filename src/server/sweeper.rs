//! Time for connections: one coarse clock, and a thread that wakes those whose deadline has passed.
//!
//! The sweeper only wakes: the connection itself looks at the clock and decides, so a wake-up that
//! comes too late for one wait and too early for the next does no harm. It uses `may`'s waker of socket
//! waits, which works from any thread and is remembered when nobody waits. `may`'s own timeouts and
//! cancellation are never used.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use may::io::WaitIoWaker;

use crate::http::response::CommonFields;
use crate::status::report::ConnectedClient;
use crate::wait::lock;

use super::limits::ConnectionLimits;
use super::peer::PeerNetwork;
use super::status::{ConnectionStatus, EvictionOrder};
use super::stream::Phase;
use super::tls::VerifiedClient;

/// How often deadlines are looked at; they are late by at most this much. Each time costs some 50 µs of CPU,
/// most of it for the wake-up, also when nothing is asked for.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// Connections that are woken together. Thousands may be due at once, which came at once, and all of them
/// would run before the next request is looked at.
const WAKES_IN_A_ROW_MAX: usize = 64;

/// How long the others have then.
const WAKES_PAUSE: Duration = Duration::from_millis(1);

/// The clock, and the status of every connection.
pub(super) struct Sweeper {
    started: Instant,
    now_ms: AtomicU64,
    /// The second that `common_fields` are of, since 1970; `u64::MAX` before the first.
    unix_seconds: AtomicU64,
    common_fields: Mutex<CommonFields>,
    keep_alive_seconds: u64,
    draining: AtomicBool,
    connections: Mutex<Vec<Arc<ConnectionStatus>>>,
}

impl Sweeper {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        // The server waits an eighth longer than its answers announce, so that a client that trusts the
        // announcement never meets a closed connection.
        let keep_alive_seconds = limits.idle.mul_f32(0.875).as_secs();
        let sweeper = Self {
            started: Instant::now(),
            now_ms: AtomicU64::new(0),
            unix_seconds: AtomicU64::new(u64::MAX),
            common_fields: Mutex::default(),
            keep_alive_seconds,
            draining: AtomicBool::new(false),
            connections: Mutex::default(),
        };
        sweeper.read_clocks();
        sweeper
    }

    /// Runs the sweeper's thread. Returns when the server drains and the last connection has ended.
    pub(super) fn run(&self) {
        while !self.is_draining() || !self.sweep() {
            thread::sleep(TICK);
            self.read_clocks();
            self.sweep();
            self.end_revoked();
        }
    }

    /// Adds a connection. `waker` is `None` for one that runs on a thread.
    pub(super) fn add(
        &self,
        slots: usize,
        network: PeerNetwork,
        waker: Option<WaitIoWaker>,
    ) -> Arc<ConnectionStatus> {
        let status = ConnectionStatus::new(slots, network, waker, self.now_ms());
        let status = Arc::new(status);
        lock(&self.connections).push(Arc::clone(&status));
        status
    }

    /// The connection enters a phase, which may take so long; `None` means that it ends by itself.
    pub(super) fn enter(&self, status: &ConnectionStatus, phase: Phase, within: Option<Duration>) {
        let now_ms = self.now_ms();
        let deadline_ms = within.map_or(u64::MAX, |within| now_ms.saturating_add(millis(within)));
        status.enter(phase, now_ms, deadline_ms);
    }

    /// Whether the connection must stop waiting.
    pub(super) fn is_due(&self, status: &ConnectionStatus) -> bool {
        status.is_due(self.now_ms(), self.is_draining())
    }

    /// Holds the connection back for this time, or until it must end or the server drains.
    pub(super) fn pause(&self, status: &ConnectionStatus, duration: Duration) {
        status.pause_until(self.now_ms().saturating_add(millis(duration)));
    }

    /// The header fields that all answers of this second have in common. Not to be held across a wait.
    pub(super) fn common_fields(&self) -> impl Deref<Target = CommonFields> {
        lock(&self.common_fields)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on answers close their connection, and idle connections end.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// The evictable connections that `is_candidate` accepts, at most `number_max` of them, the first one
    /// to end in front; with the time of their last request.
    pub(super) fn longest_idle(
        &self,
        is_candidate: impl Fn(&ConnectionStatus) -> bool,
        number_max: usize,
    ) -> Vec<(Arc<ConnectionStatus>, u64)> {
        let connections = lock(&self.connections);
        let mut candidates: Vec<(EvictionOrder, &Arc<ConnectionStatus>)> = Vec::new();
        for status in connections.iter() {
            if status.is_evictable() && is_candidate(status) {
                candidates.push((status.eviction_order(), status));
            }
        }
        if candidates.len() > number_max {
            candidates.select_nth_unstable_by_key(number_max, |(order, _)| *order);
            candidates.truncate(number_max);
        }
        candidates.sort_by_key(|(order, _)| *order);
        let mut first = Vec::with_capacity(candidates.len());
        for ((_, request_ms), status) in candidates {
            first.push((Arc::clone(status), request_ms));
        }
        first
    }

    /// Lists who is connected, those with the most connections first.
    pub(super) fn clients(&self) -> Vec<ConnectedClient> {
        let now_ms = self.now_ms();
        let mut by_network: HashMap<PeerNetwork, (u64, u64)> = HashMap::new();
        for status in lock(&self.connections).iter() {
            if !status.has_ended() {
                let (connections, request_ms) = by_network.entry(status.network).or_default();
                *connections += 1;
                *request_ms = status.request_ms().max(*request_ms);
            }
        }
        let mut clients = Vec::new();
        for (network, (connections, request_ms)) in by_network {
            clients.push(ConnectedClient {
                name: network.to_string(),
                connections,
                idle_seconds: now_ms.saturating_sub(request_ms) / 1000,
            });
        }
        clients.sort_by(|one, other| {
            let most_first = other.connections.cmp(&one.connections);
            most_first.then_with(|| one.name.cmp(&other.name))
        });
        clients
    }

    /// Ends the connections whose certificate is not accepted any more, after the files were read again.
    fn end_revoked(&self) {
        // Checking a certificate takes long, so it happens outside the lock.
        let mut outdated = Vec::new();
        for status in lock(&self.connections).iter() {
            if status.client().is_some_and(VerifiedClient::is_outdated) {
                outdated.push(Arc::clone(status));
            }
        }
        for status in outdated {
            if status.client().is_some_and(|client| !client.renew()) {
                log::info!("a connection ends: its client certificate is not accepted any more");
                status.end_now();
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Acquire)
    }

    fn read_clocks(&self) {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let unix_seconds = since_epoch.as_secs();
        if self.unix_seconds.swap(unix_seconds, Ordering::Relaxed) != unix_seconds {
            let common_fields = CommonFields::new(unix_seconds, self.keep_alive_seconds);
            *lock(&self.common_fields) = common_fields;
        }
        self.now_ms
            .store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Wakes the connections that are due and forgets those that have ended. Returns whether none is left.
    fn sweep(&self) -> bool {
        let now_ms = self.now_ms();
        let is_draining = self.is_draining();
        let mut due = Vec::new();
        let is_empty;
        {
            let mut connections = lock(&self.connections);
            connections.retain(|status| !status.has_ended());
            for status in connections.iter() {
                if status.end_pause_if_due(now_ms, is_draining)
                    || status.is_due(now_ms, is_draining)
                {
                    due.push(Arc::clone(status));
                }
            }
            is_empty = connections.is_empty();
        }
        for (index, status) in due.iter().enumerate() {
            if index > 0 && index % WAKES_IN_A_ROW_MAX == 0 {
                thread::sleep(WAKES_PAUSE);
            }
            status.wake();
        }
        is_empty
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
