//! Notices when two clients use the same key: two validator clients with one key get it slashed sooner or
//! later.
//!
//! What counts is who asks for attestations and blocks. A change of the client alone says nothing: its
//! address may have changed, or another machine has taken over. The alarm needs a client that comes back:
//! A, B, A within two epochs, each of which has one attestation of each key. Clients are told apart by
//! their certificate, else by their user on a Unix socket, else by their address.
//!
//! Each key has a [`UseRecord`] of fixed size. A request of the same client as before costs one atomic
//! load; a lock is taken only when the client of a key changes.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::SystemTime;

use crate::consensus::primitives::{Epoch, PublicKey};
use crate::http::client::ClientIdentity;
use crate::wait::lock;

/// Clients before the last one that are kept for a key: four machines that take turns are found.
const EARLIER_CLIENTS: usize = 3;

/// Bits of an epoch in a record. Epochs repeat after 18 days.
const EPOCH_BITS: u32 = 12;

const EPOCH_MASK: u32 = (1 << EPOCH_BITS) - 1;

/// Keys in the list of duplicate uses; the oldest ones leave it.
const LISTED_KEYS_MAX: usize = 100;

/// Clients whose names are kept, so that a warning can name both.
const NAMED_CLIENTS_MAX: usize = 256;

/// Who used a key last.
#[derive(Default)]
pub(crate) struct UseRecord {
    last: AtomicU32,
    /// Clients before that, the latest first. Written under the lock of [`DuplicateUses`].
    earlier: [AtomicU32; EARLIER_CLIENTS],
    /// The epoch of the last warning, plus one.
    warned: AtomicU32,
}

/// A client and the epoch of its last request: 20 bits of a hash, 12 bits of the epoch. 0 is nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ClientUse(u32);

/// A key that two clients use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateUse {
    pub(crate) key: PublicKey,
    /// The client that came back, and the one before it.
    pub(crate) clients: [String; 2],
    /// The epoch of the last message.
    pub(crate) epoch: Epoch,
    /// How many epochs had such a use.
    pub(crate) epochs: u64,
    /// When it was noticed last.
    pub(crate) noticed: SystemTime,
}

/// The clients that do not count, such as the nodes of a redundant set-up (`--duplicate-use-ignore`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IgnoredClients {
    pub(crate) all: bool,
    pub(crate) networks: Vec<IpNetwork>,
}

/// An address and the number of its leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpNetwork {
    address: IpAddr,
    bits: u32,
}

/// The duplicate uses of all keys.
pub(crate) struct DuplicateUses {
    ignored: IgnoredClients,
    /// Keys and epochs with such a use.
    count: AtomicU64,
    seen: Mutex<SeenClients>,
}

#[derive(Default)]
struct SeenClients {
    /// Names of clients by their tags, the latest first.
    names: VecDeque<(u32, String)>,
    /// The latest first.
    duplicates: VecDeque<DuplicateUse>,
}

impl DuplicateUses {
    pub(crate) fn new(ignored: IgnoredClients) -> Self {
        Self {
            ignored,
            count: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    /// How often a key was used by two clients; once an epoch and key.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The keys that were used by two clients, the latest first.
    pub(crate) fn list(&self) -> Vec<DuplicateUse> {
        lock(&self.seen).duplicates.iter().cloned().collect()
    }

    /// Notes that a client asks a key for a message of this epoch. Logs a duplicate use once an epoch.
    pub(crate) fn note(
        &self,
        key: PublicKey,
        uses: &UseRecord,
        client: &ClientIdentity,
        epoch: Epoch,
    ) {
        if self.ignored.has(client) {
            return;
        }
        let now = ClientUse::new(client, epoch);
        let last = ClientUse(uses.last.load(Ordering::Relaxed));
        if last == now {
            return;
        }
        if last.tag() == now.tag() || last.is_nobody() {
            uses.last.store(now.0, Ordering::Relaxed);
            return;
        }
        if let Some(duplicate) = self.note_change(key, uses, client, now, epoch) {
            let [returned, other] = duplicate.clients;
            log::warn!(
                "two clients use the key {} in turns, {returned} and {other}: it will be slashed unless both \
                 belong to one validator client; stop one of them, or name the addresses of a redundant \
                 set-up with --duplicate-use-ignore (epoch {epoch})",
                duplicate.key
            );
        }
    }

    /// Notes that the client of a key has changed. Returns the duplicate use when that is new in this epoch.
    #[inline(never)]
    fn note_change(
        &self,
        key: PublicKey,
        uses: &UseRecord,
        client: &ClientIdentity,
        now: ClientUse,
        epoch: Epoch,
    ) -> Option<DuplicateUse> {
        let mut seen = lock(&self.seen);
        let name = name(client);
        seen.remember(now.tag(), &name);
        let other = uses.replace_last(now)?;
        let mark = low_bits(epoch.0).wrapping_add(1);
        if uses.warned.swap(mark, Ordering::Relaxed) == mark {
            return None;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let clients = [name, seen.name(other.tag())];
        Some(seen.add(key, clients, epoch))
    }
}

impl UseRecord {
    /// Makes `now` the last use. Returns the one before when the client of `now` has come back.
    fn replace_last(&self, now: ClientUse) -> Option<ClientUse> {
        let last = ClientUse(self.last.swap(now.0, Ordering::Relaxed));
        let mut uses = [last; EARLIER_CLIENTS];
        let mut kept = 1;
        let mut has_returned = false;
        for earlier in &self.earlier {
            let earlier = ClientUse(earlier.load(Ordering::Relaxed));
            if earlier.tag() == now.tag() {
                has_returned = earlier.is_recent(now);
            } else if earlier.tag() != last.tag() && kept < EARLIER_CLIENTS {
                uses[kept] = earlier;
                kept += 1;
            }
        }
        for unused in &mut uses[kept..] {
            *unused = ClientUse(0);
        }
        for (slot, client_use) in self.earlier.iter().zip(uses) {
            slot.store(client_use.0, Ordering::Relaxed);
        }
        has_returned.then_some(last)
    }
}

impl ClientUse {
    fn new(client: &ClientIdentity, epoch: Epoch) -> Self {
        let mut hasher = DefaultHasher::new();
        match (&client.certificate, client.address) {
            (Some(certificate), _) => certificate.hash(&mut hasher),
            // `localhost` is either of the two addresses, by chance.
            (None, Some(IpAddr::V6(Ipv6Addr::LOCALHOST))) => {
                IpAddr::V4(Ipv4Addr::LOCALHOST).hash(&mut hasher);
            }
            (None, Some(address)) => address.hash(&mut hasher),
            (None, None) => client.user.hash(&mut hasher),
        }
        let tag = (low_bits(hasher.finish()) & !EPOCH_MASK).max(1 << EPOCH_BITS);
        Self(tag | (low_bits(epoch.0) & EPOCH_MASK))
    }

    fn tag(self) -> u32 {
        self.0 >> EPOCH_BITS
    }

    fn is_nobody(self) -> bool {
        self.0 == 0
    }

    /// Whether this is of the same epoch as `now` or of one beside it.
    fn is_recent(self, now: Self) -> bool {
        let difference = now.0.wrapping_sub(self.0) & EPOCH_MASK;
        matches!(difference, 0 | 1 | EPOCH_MASK)
    }
}

impl SeenClients {
    fn remember(&mut self, tag: u32, name: &str) {
        let known = self.names.iter().position(|(known, _)| *known == tag);
        if known.is_some() {
            return;
        }
        self.names.truncate(NAMED_CLIENTS_MAX - 1);
        self.names.push_front((tag, name.to_owned()));
    }

    fn name(&self, tag: u32) -> String {
        let known = self.names.iter().find(|(known, _)| *known == tag);
        known.map_or_else(|| "another one".to_owned(), |(_, name)| name.clone())
    }

    fn add(&mut self, key: PublicKey, clients: [String; 2], epoch: Epoch) -> DuplicateUse {
        let known = self.duplicates.iter().position(|known| known.key == key);
        let before = known.and_then(|position| self.duplicates.remove(position));
        let duplicate = DuplicateUse {
            key,
            clients,
            epoch,
            epochs: before.map_or(0, |before| before.epochs) + 1,
            noticed: SystemTime::now(),
        };
        self.duplicates.truncate(LISTED_KEYS_MAX - 1);
        self.duplicates.push_front(duplicate.clone());
        duplicate
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
fn low_bits(number: u64) -> u32 {
    number as u32
}

/// What identifies a client.
fn name(client: &ClientIdentity) -> String {
    match &client.certificate {
        Some(certificate) => format!("the certificate {certificate} ({client})"),
        None => client.to_string(),
    }
}

impl IgnoredClients {
    fn has(&self, client: &ClientIdentity) -> bool {
        self.all
            || client.address.is_some_and(|address| {
                self.networks
                    .iter()
                    .any(|network| network.contains(address))
            })
    }
}

impl IpNetwork {
    /// Reads an address, or a network such as `10.0.0.0/24`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(bits_max);
        (bits <= bits_max).then_some(Self { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let different = own.to_bits() ^ other.to_bits();
                different.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let different = own.to_bits() ^ other.to_bits();
                different.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> ClientIdentity {
        ClientIdentity::at(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    const KEY: PublicKey = PublicKey([9; 48]);

    #[test]
    fn only_a_client_that_comes_back_within_two_epochs_is_a_duplicate_use_once_an_epoch() {
        for (uses, epochs_with_warning) in [
            (
                &[(1, 10), (1, 10), (1, 11), (2, 11), (2, 12), (2, 13)][..],
                &[][..],
            ),
            (&[(1, 10), (2, 10), (3, 10), (4, 10)], &[]),
            (&[(1, 10), (2, 10), (1, 10)], &[10]),
            (&[(1, 10), (2, 10), (1, 11)], &[11]),
            (&[(1, 10), (2, 10), (1, 10), (2, 10), (1, 10)], &[10]),
            (
                &[(1, 10), (2, 10), (1, 11), (2, 11), (1, 12), (2, 12)],
                &[11, 12],
            ),
            (&[(1, 10), (2, 11), (2, 12), (1, 12), (1, 13), (1, 14)], &[]),
            (&[(1, 10), (2, 10), (2, 11), (2, 12), (1, 13), (1, 14)], &[]),
            (&[(1, 10), (2, 10), (3, 10), (1, 11), (2, 11)], &[11]),
            (&[(1, 10), (2, 10), (3, 10), (4, 10), (1, 11)], &[11]),
            // Requests of two threads may come in another order than their epochs.
            (&[(1, 11), (2, 11), (1, 10)], &[10]),
            // The low bits of an epoch are the same again after 4,096 epochs, not after 4,095.
            (&[(1, 10), (2, 10), (1, 10 + 4000)], &[]),
        ] {
            let all = DuplicateUses::new(IgnoredClients::default());
            let record = UseRecord::default();
            let mut warned = Vec::new();
            for (last, epoch) in uses {
                let before = all.count();
                all.note(KEY, &record, &client(*last), Epoch(*epoch));
                if all.count() > before {
                    warned.push(*epoch);
                }
            }
            assert_eq!(warned, epochs_with_warning, "{uses:?}");
            let listed = all.list();
            assert_eq!(listed.len(), usize::from(!warned.is_empty()), "{uses:?}");
            if let Some(first) = listed.first() {
                assert_eq!(first.epochs, warned.len() as u64, "{uses:?}");
                assert_eq!(first.epoch.0, warned[warned.len() - 1], "{uses:?}");
            }
        }
    }

    #[test]
    fn a_certificate_is_one_client_at_all_its_addresses() {
        let holder = |last, certificate: Option<&str>| ClientIdentity {
            certificate: certificate.map(Into::into),
            ..client(last)
        };
        let local = |text: &str| ClientIdentity::at(text.parse().expect("an address"));
        for (first, second, is_one) in [
            (holder(1, Some("AA")), holder(2, Some("AA")), true),
            (holder(1, Some("AA")), holder(1, Some("BB")), false),
            (holder(1, None), holder(1, None), true),
            (holder(1, None), holder(2, None), false),
            (
                ClientIdentity::local(Some(7)),
                ClientIdentity::local(Some(7)),
                true,
            ),
            (
                ClientIdentity::local(Some(7)),
                ClientIdentity::local(Some(8)),
                false,
            ),
            (local("127.0.0.1"), local("::1"), true),
            (local("::ffff:192.0.2.1"), client(1), true),
            (local("127.0.0.1"), local("127.0.0.2"), false),
        ] {
            let all = DuplicateUses::new(IgnoredClients::default());
            let record = UseRecord::default();
            for client in [&first, &second, &first] {
                all.note(KEY, &record, client, Epoch(5));
            }
            assert_eq!(all.count() == 0, is_one, "{first:?} {second:?}");
        }
    }

    #[test]
    fn clients_of_ignored_networks_do_not_count() {
        for (networks, clients, count) in [
            (&[][..], [1, 2], 1),
            (&["192.0.2.2"][..], [1, 2], 0),
            (&["192.0.2.0/30"], [1, 2], 0),
            (&["192.0.2.0/31"], [2, 3], 1),
            (&["0.0.0.0/0"], [1, 200], 0),
            (&["::/0"], [1, 2], 1),
        ] {
            let networks: Vec<_> = networks
                .iter()
                .map(|text| IpNetwork::parse(text).expect("a network"))
                .collect();
            let ignored = IgnoredClients {
                all: false,
                networks: networks.clone(),
            };
            let all = DuplicateUses::new(ignored);
            let record = UseRecord::default();
            for last in [clients[0], clients[1], clients[0]] {
                all.note(KEY, &record, &client(last), Epoch(5));
            }
            assert_eq!(all.count(), count, "{networks:?} {clients:?}");
        }
        for text in [
            "",
            "192.0.2.1/33",
            "::/129",
            "192.0.2.0/x",
            "host",
            "1.2.3.4/",
        ] {
            assert_eq!(IpNetwork::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_list_has_the_latest_keys_and_names_both_clients() {
        let all = DuplicateUses::new(IgnoredClients::default());
        let record = UseRecord::default();
        for (last, epoch) in [(1, 5), (2, 5), (1, 5)] {
            all.note(KEY, &record, &client(last), Epoch(epoch));
        }
        let listed = all.list();
        assert_eq!(listed[0].clients, ["192.0.2.1", "192.0.2.2"]);
        for number in 0..LISTED_KEYS_MAX + 20 {
            let mut other = PublicKey([0; 48]);
            other.0[..8].copy_from_slice(&number.to_be_bytes());
            lock(&all.seen).add(other, Default::default(), Epoch(6));
        }
        let listed = all.list();
        assert_eq!(listed.len(), LISTED_KEYS_MAX);
        assert_ne!(listed[0].key, listed[1].key);
    }
}
