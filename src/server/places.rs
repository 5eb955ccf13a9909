//! How many connections there may be: of all, and of each address.
//!
//! When there is no place left, the connection that has asked for nothing for the longest time ends, and
//! the new one takes its place; those that have proved who they are go last. Only when all others are
//! being answered is the new one turned away. Listeners of operators have places of their own.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::wait::lock;

use super::ConnectionLimits;
use super::sweeper::{Sweeper, Watch};

/// The places of some listeners.
pub(super) struct Places {
    places_max: usize,
    per_address_max: usize,
    per_local_max: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    taken: usize,
    by_source: HashMap<Source, usize>,
    candidates: Candidates,
}

/// Who goes next: the watches that had waited the longest when they were last looked for. Looking for
/// one at a time would cost a walk over all connections for each that comes.
#[derive(Default)]
struct Candidates {
    /// All of these come from there, if anybody is named.
    source: Option<Source>,
    queue: VecDeque<(Arc<Watch>, u64)>,
}

/// Where a connection comes from, as far as bounds are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A Unix socket.
    Unix,
    /// An IPv4 address, or the 64 bits of an IPv6 address that one host can have to itself.
    Address(IpAddr),
}

/// One connection's place; given back when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    pub(super) source: Source,
}

/// What a connection finds when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is a place for it.
    Free,
    /// There is one when another connection ends.
    Full,
    /// The same, and it must be one from there.
    FullFrom(Source),
    /// There are far too many.
    None,
}

/// Connections that may be there beyond the bound: those that are about to end, and those that are being
/// told "503".
const BEYOND_MAX: usize = 256;

/// Candidates that are looked for together.
const CANDIDATES_MAX: usize = 64;

impl Places {
    /// Places for clients.
    pub(super) fn new(limits: &ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            places_max: limits.connections_max,
            per_address_max: limits.per_address_max,
            per_local_max: limits.per_local_max,
            table: Mutex::default(),
        })
    }

    /// Places that no other listener's clients can take, shared by all who come there.
    pub(super) fn reserved(limits: &ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            places_max: limits.reserved_max,
            per_address_max: limits.reserved_max,
            per_local_max: limits.reserved_max,
            table: Mutex::default(),
        })
    }

    /// A place for a connection from there, and what it costs others.
    pub(super) fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> (Place, Room) {
        let source = Source::of(peer);
        let mut table = lock(&self.table);
        table.taken += 1;
        let taken = table.taken;
        let from_there = table.by_source.entry(source).or_default();
        *from_there += 1;
        let room = if taken > self.places_max + BEYOND_MAX {
            Room::None
        } else if *from_there > self.max_of(source) {
            Room::FullFrom(source)
        } else if taken > self.places_max {
            Room::Full
        } else {
            Room::Free
        };
        let places = Arc::clone(self);
        (Place { places, source }, room)
    }

    /// Ends the connection here that has asked for nothing for the longest time, of this source if one is
    /// given. Says whether there was one.
    pub(super) fn end_longest_idle(
        self: &Arc<Self>,
        sweeper: &Sweeper,
        source: Option<Source>,
    ) -> bool {
        let mut candidates = std::mem::take(&mut lock(&self.table).candidates);
        if candidates.source != source {
            candidates = Candidates {
                source,
                queue: VecDeque::new(),
            };
        }
        let mut ended = sweeper.end_first(&mut candidates.queue);
        if !ended {
            let is_here = |watch: &Watch| {
                Arc::ptr_eq(watch.places(), self)
                    && source.is_none_or(|source| watch.source() == source)
            };
            candidates.queue = sweeper.longest_idle(is_here, CANDIDATES_MAX).into();
            ended = sweeper.end_first(&mut candidates.queue);
        }
        lock(&self.table).candidates = candidates;
        ended
    }

    fn max_of(&self, source: Source) -> usize {
        match source {
            Source::Unix => self.per_local_max,
            Source::Address(address) if address.is_loopback() => self.per_local_max,
            Source::Address(_) => self.per_address_max,
        }
    }

    fn give_back(&self, source: Source) {
        let mut table = lock(&self.table);
        table.taken -= 1;
        if let Some(count) = table.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                table.by_source.remove(&source);
            }
        }
    }
}

impl Source {
    /// The source of a connection from `peer`; `None` is a Unix socket.
    pub(super) fn of(peer: Option<IpAddr>) -> Self {
        let Some(peer) = peer else {
            return Self::Unix;
        };
        let address = peer.to_canonical();
        if let IpAddr::V6(address) = address
            && !address.is_loopback()
        {
            let network = address.to_bits() & !u128::from(u64::MAX);
            return Self::Address(IpAddr::V6(network.into()));
        }
        Self::Address(address)
    }
}

impl Place {
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_bound_and_local_clients_have_another() {
        let places = Places::new(&ConnectionLimits {
            connections_max: 7,
            per_address_max: 2,
            per_local_max: 3,
            ..ConnectionLimits::default()
        });
        let mut taken = Vec::new();
        let mut take = |peer: &str| {
            let (place, room) = places.take(peer.parse().ok());
            taken.push(place);
            room
        };
        let remote = Source::of("192.0.2.1".parse().ok());
        for (peer, room) in [
            ("192.0.2.1", Room::Free),
            ("::ffff:192.0.2.1", Room::Free),
            ("192.0.2.1", Room::FullFrom(remote)),
            ("127.0.0.1", Room::Free),
            ("127.0.0.1", Room::Free),
            ("unix", Room::Free),
            ("unix", Room::Free),
            ("192.0.2.2", Room::Full),
            ("192.0.2.1", Room::FullFrom(remote)),
        ] {
            assert_eq!(take(peer), room, "{peer}");
        }
        drop(taken);
        let table = lock(&places.table);
        assert!(table.taken == 0 && table.by_source.is_empty());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let source = |text: &str| Source::of(text.parse().ok());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(
            source("::1"),
            Source::Address("::1".parse().expect("valid"))
        );
    }
}
