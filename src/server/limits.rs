//! The limits of connections.

use std::time::Duration;

/// Bounds of number, memory and time. The defaults are the ones to use; tests make them smaller.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections at the same time. A validator client has a handful; each costs 16 KiB when idle.
    pub connections_max: usize,
    /// Connections from one remote address (with IPv6, from one network of 64 bits): a quarter of all.
    pub per_address_max: usize,
    /// Connections from one loopback address, and through Unix sockets: all, because proxies and the
    /// validator clients of the same host come from there.
    pub per_local_max: usize,
    /// Connections to each listener with reserved slots, beside all others: a few probes.
    pub reserved_max: usize,
    /// Memory for bodies over 4 KiB, for what is made of large ones, and for large answers. It keeps the
    /// whole process under 128 MiB.
    pub bodies_bytes_max: usize,
    /// Time for a whole head, the first one with the TLS handshake: it fits in a few packets.
    pub head: Duration,
    /// Time for a whole body: 32 MiB at 10 Mbit/s.
    pub body: Duration,
    /// Time without a request: validator clients are silent for an epoch (6.4 minutes) at most, and open
    /// a new connection without harm.
    pub idle: Duration,
    /// Time for a client to take its answers.
    pub write: Duration,
    /// Time for a client to take a signature: deleting the key waits for it.
    pub write_signature: Duration,
    /// Time to finish the requests at hand once the server stops.
    pub drain: Duration,
}

/// All connections together, except those with reserved slots.
pub const CONNECTIONS_MAX: usize = 4_096;

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            per_address_max: CONNECTIONS_MAX / 4,
            per_local_max: CONNECTIONS_MAX,
            reserved_max: 64,
            bodies_bytes_max: 88 * 1024 * 1024,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            write: Duration::from_secs(30),
            write_signature: Duration::from_secs(5),
            drain: Duration::from_millis(4_500),
        }
    }
}
