//! Penalties slow down the guessing of tokens: after a few refusals, further refusals to the same address
//! are held back. Good requests are not, neither from the same address nor on the same connection, so
//! nobody is locked out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::wait::lock;

use super::peer::PeerNetwork;

/// Refusals to one network without a penalty: a validator client with an old token tries a few times.
const REFUSALS_FREE: u32 = 8;

/// How long each further refusal is held back: a connection guesses twice a second, and all connections
/// together do not guess 256 bits.
const PENALTY: Duration = Duration::from_millis(500);

/// A network is forgotten after this time without a refusal.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Networks that are remembered: half a MiB.
const NETWORKS_MAX: usize = 8192;

/// The networks with recent refusals: how many, and when the last one was.
#[derive(Default)]
pub(super) struct Penalties {
    refusals: Mutex<HashMap<PeerNetwork, (u32, Instant)>>,
}

impl Penalties {
    /// Counts a refusal, and returns how long it is to be held back. On a Unix socket nothing is: the
    /// file's mode keeps strangers out.
    pub(super) fn record_refusal(&self, peer: Option<IpAddr>) -> Duration {
        let network = PeerNetwork::of(peer);
        if network == PeerNetwork::Unix {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let mut refusals = lock(&self.refusals);
        if refusals.len() >= NETWORKS_MAX {
            refusals.retain(|_, (_, last)| now.duration_since(*last) < FORGET_AFTER);
        }
        if refusals.len() >= NETWORKS_MAX && !refusals.contains_key(&network) {
            return PENALTY;
        }
        let (count, last) = refusals.entry(network).or_insert((0, now));
        if now.duration_since(*last) >= FORGET_AFTER {
            *count = 0;
        }
        *count = count.saturating_add(1);
        *last = now;
        if *count > REFUSALS_FREE {
            PENALTY
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusals_are_free_and_the_next_ones_wait_for_each_address_alone() {
        let penalties = Penalties::default();
        let one = "192.0.2.1".parse().ok();
        for number in 1..=REFUSALS_FREE + 2 {
            let expected = if number <= REFUSALS_FREE {
                Duration::ZERO
            } else {
                PENALTY
            };
            assert_eq!(penalties.record_refusal(one), expected, "refusal {number}");
        }
        let other = "192.0.2.2".parse().ok();
        assert_eq!(penalties.record_refusal(other), Duration::ZERO);
        assert_eq!(penalties.record_refusal(None), Duration::ZERO);
    }
}
