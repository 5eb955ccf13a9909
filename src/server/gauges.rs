//! What the server counts for metrics: its connections, and the memory that they use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::ConnectionCounts;

use super::budget::Budget;
use super::listener::ListenerRole;

/// Handed out before the server runs, and read at any time.
#[derive(Clone)]
pub(crate) struct ServerGauges {
    /// Memory of bodies and large answers, in bytes.
    pub(super) memory: Arc<Budget>,
    listeners: Arc<[ListenerCounters; ListenerRole::ALL.len()]>,
}

/// The connections of the listeners of one role.
#[derive(Default)]
pub(super) struct ListenerCounters {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl ServerGauges {
    /// Starts at zero; `bytes_max` is the most memory that bodies may use.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            memory: Arc::new(Budget::new(bytes_max)),
            listeners: Arc::default(),
        }
    }

    pub(super) fn of(&self, role: ListenerRole) -> &ListenerCounters {
        &self.listeners[role as usize]
    }

    /// Returns the connections of each role.
    pub(crate) fn connections(&self) -> Vec<ConnectionCounts> {
        let mut connections = Vec::new();
        for role in ListenerRole::ALL {
            let counters = self.of(role);
            connections.push(ConnectionCounts {
                listener: role.name(),
                open: counters.open.load(Ordering::Relaxed),
                accepted: counters.accepted.load(Ordering::Relaxed),
                refused: counters.refused.load(Ordering::Relaxed),
            });
        }
        connections
    }

    /// Returns the bytes of bodies and large answers in flight, and how many there may be.
    pub(crate) fn in_flight_bytes(&self) -> (u64, u64) {
        (self.memory.reserved() as u64, self.memory.amount() as u64)
    }
}

impl ListenerCounters {
    pub(super) fn count_opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
