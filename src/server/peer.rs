//! Where a connection comes from, as far as bounds and penalties are concerned.

use std::fmt;
use std::net::IpAddr;

/// The clients that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PeerNetwork {
    /// All clients of Unix sockets.
    Unix,
    /// An IPv4 address, or the 64 bits of an IPv6 address that one host can have to itself.
    Address(IpAddr),
}

impl PeerNetwork {
    /// The network of `peer`; `None` is the client of a Unix socket.
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

    /// Whether only clients on this host are in it.
    pub(super) fn is_local(self) -> bool {
        match self {
            Self::Unix => true,
            Self::Address(address) => address.is_loopback(),
        }
    }
}

/// `192.0.2.1`, `2001:db8::/64`, or `Unix socket`.
impl fmt::Display for PeerNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("Unix socket"),
            Self::Address(IpAddr::V6(address)) if !address.is_loopback() => {
                write!(f, "{address}/64")
            }
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        let network = |text: &str| PeerNetwork::of(text.parse().ok());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(
            network("::1"),
            PeerNetwork::Address("::1".parse().expect("valid"))
        );
    }
}
