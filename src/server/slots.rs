//! Connection slots: how many connections there may be, in all and from each network.
//!
//! When all slots are taken, a new connection takes the slot of the one that has asked for nothing for the
//! longest time; clients that have proved who they are go last. Only when all others are being answered is
//! the new one refused. The listeners of operators have slots of their own.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::wait::lock;

use super::limits::ConnectionLimits;
use super::peer::PeerNetwork;
use super::status::ConnectionStatus;
use super::sweeper::Sweeper;

/// The slots of one or several listeners.
pub(super) struct ConnectionSlots {
    /// Distinguishes these slots from others.
    number: usize,
    slots_max: usize,
    per_address_max: usize,
    per_local_max: usize,
    usage: Mutex<SlotUsage>,
}

#[derive(Default)]
struct SlotUsage {
    taken: usize,
    by_network: HashMap<PeerNetwork, usize>,
    candidates: EvictionCandidates,
}

/// Connections that had been idle the longest when they were last looked for, with the time of their last
/// request. Looking for one at a time would cost a walk over all connections for each new one.
#[derive(Default)]
struct EvictionCandidates {
    /// All of them come from this network, if any.
    network: Option<PeerNetwork>,
    queue: VecDeque<(Arc<ConnectionStatus>, u64)>,
}

/// The slot of one connection; given back when dropped.
pub(super) struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    pub(super) network: PeerNetwork,
}

/// What a new connection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A slot was free.
    Free,
    /// Another connection must end.
    Evict,
    /// Another connection of this network must end.
    EvictFrom(PeerNetwork),
    /// There are far too many: it is closed without an answer.
    Close,
}

/// Connections beyond the bound: those that are about to end, and those that are being answered "503".
const BEYOND_MAX: usize = 256;

/// Candidates that are looked for together.
const CANDIDATES_MAX: usize = 64;

impl ConnectionSlots {
    /// Slots for clients.
    pub(super) fn for_clients(number: usize, limits: &ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            number,
            slots_max: limits.connections_max,
            per_address_max: limits.per_address_max,
            per_local_max: limits.per_local_max,
            usage: Mutex::default(),
        })
    }

    /// Slots that the clients of no other listener can take.
    pub(super) fn reserved(number: usize, limits: &ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            number,
            slots_max: limits.reserved_max,
            per_address_max: limits.reserved_max,
            per_local_max: limits.reserved_max,
            usage: Mutex::default(),
        })
    }

    /// Takes a slot for a connection from `peer`. Returns it with what it needs.
    pub(super) fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> (ConnectionSlot, Admission) {
        let network = PeerNetwork::of(peer);
        let mut usage = lock(&self.usage);
        usage.taken += 1;
        let taken = usage.taken;
        let from_network = usage.by_network.entry(network).or_default();
        *from_network += 1;
        let network_max = if network.is_local() {
            self.per_local_max
        } else {
            self.per_address_max
        };
        let admission = if taken > self.slots_max + BEYOND_MAX {
            Admission::Close
        } else if *from_network > network_max {
            Admission::EvictFrom(network)
        } else if taken > self.slots_max {
            Admission::Evict
        } else {
            Admission::Free
        };
        let slot = ConnectionSlot {
            slots: Arc::clone(self),
            network,
        };
        (slot, admission)
    }

    /// Ends the connection that has been idle the longest, of this network if one is given. Returns
    /// whether there was one.
    pub(super) fn end_longest_idle(&self, sweeper: &Sweeper, network: Option<PeerNetwork>) -> bool {
        let mut candidates = mem::take(&mut lock(&self.usage).candidates);
        if candidates.network != network {
            candidates = EvictionCandidates {
                network,
                queue: VecDeque::new(),
            };
        }
        let mut has_ended = candidates.end_first();
        if !has_ended {
            let is_candidate = |status: &ConnectionStatus| {
                status.slots == self.number
                    && network.is_none_or(|network| status.network == network)
            };
            candidates.queue = sweeper.longest_idle(is_candidate, CANDIDATES_MAX).into();
            has_ended = candidates.end_first();
        }
        lock(&self.usage).candidates = candidates;
        has_ended
    }

    fn give_back(&self, network: PeerNetwork) {
        let mut usage = lock(&self.usage);
        usage.taken -= 1;
        if let Some(count) = usage.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                usage.by_network.remove(&network);
            }
        }
    }
}

impl EvictionCandidates {
    /// Ends the first one that has asked for nothing since. Returns whether there was one.
    fn end_first(&mut self) -> bool {
        while let Some((status, request_ms)) = self.queue.pop_front() {
            if status.is_evictable() && status.request_ms() == request_ms {
                status.end_now();
                return true;
            }
        }
        false
    }
}

impl ConnectionSlot {
    /// The number of the slots that it is one of.
    pub(super) fn number(&self) -> usize {
        self.slots.number
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.give_back(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_bound_and_local_clients_have_another() {
        let limits = ConnectionLimits {
            connections_max: 7,
            per_address_max: 2,
            per_local_max: 3,
            ..ConnectionLimits::default()
        };
        let slots = ConnectionSlots::for_clients(0, &limits);
        let remote = PeerNetwork::of("192.0.2.1".parse().ok());
        {
            let mut taken = Vec::new();
            for (peer, expected) in [
                ("192.0.2.1", Admission::Free),
                ("::ffff:192.0.2.1", Admission::Free),
                ("192.0.2.1", Admission::EvictFrom(remote)),
                ("127.0.0.1", Admission::Free),
                ("127.0.0.1", Admission::Free),
                ("unix", Admission::Free),
                ("unix", Admission::Free),
                ("192.0.2.2", Admission::Evict),
                ("192.0.2.1", Admission::EvictFrom(remote)),
            ] {
                let (slot, admission) = slots.take(peer.parse().ok());
                taken.push(slot);
                assert_eq!(admission, expected, "{peer}");
            }
        }
        let usage = lock(&slots.usage);
        assert_eq!(usage.taken, 0);
        assert!(usage.by_network.is_empty());
    }
}
