//! Who sends the requests of a connection, as far as the connection shows it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The client at the other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Its address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// The user of its process, on a Unix socket.
    pub user: Option<u32>,
    /// SHA-256 of the certificate by which TLS has accepted it, in hex with colons.
    pub certificate: Option<Arc<str>>,
}

impl ClientIdentity {
    /// The client of a TCP connection from this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self {
            address: Some(address.to_canonical()),
            ..Self::default()
        }
    }

    /// The client of a Unix socket.
    pub(crate) fn local(user: Option<u32>) -> Self {
        Self {
            user,
            ..Self::default()
        }
    }
}

/// The address, or `user 1000` on a Unix socket.
impl fmt::Display for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.user) {
            (Some(address), _) => write!(f, "{address}"),
            (None, Some(user)) => write!(f, "user {user}"),
            (None, None) => f.write_str("unix"),
        }
    }
}
