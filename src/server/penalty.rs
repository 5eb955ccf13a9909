//! Guessing tokens is slow: after a few refusals, the answers to an address wait. Good requests do not,
//! neither from the same address nor on the same connection, so nobody is locked out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::wait::lock;

use super::places::Source;

/// Refusals of one address that cost nothing: a validator client with an old token tries a few times.
const REFUSALS_FREE: u32 = 8;
/// How long each further answer waits: a connection guesses twice a second, and all connections
/// together do not guess 256 bits.
const PENALTY: Duration = Duration::from_millis(500);
/// After so long without a refusal an address is forgotten.
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses that are remembered: half a MiB.
const ADDRESSES_MAX: usize = 8192;

/// The addresses that were refused of late.
#[derive(Default)]
pub(super) struct Penalties {
    refusals: Mutex<HashMap<Source, (u32, Instant)>>,
}

impl Penalties {
    /// Notes a refusal, and says how long its answer is to be held back. On a Unix socket the file's
    /// mode keeps strangers out.
    pub(super) fn note(&self, peer: Option<IpAddr>) -> Duration {
        let source = Source::of(peer);
        if source == Source::Unix {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let mut refusals = lock(&self.refusals);
        if refusals.len() >= ADDRESSES_MAX {
            refusals.retain(|_, (_, last)| now.duration_since(*last) < MEMORY);
        }
        if refusals.len() >= ADDRESSES_MAX && !refusals.contains_key(&source) {
            return PENALTY;
        }
        let (count, last) = refusals.entry(source).or_insert((0, now));
        *count = if now.duration_since(*last) < MEMORY {
            count.saturating_add(1)
        } else {
            1
        };
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
        let (one, other) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let waits: Vec<_> = (0..REFUSALS_FREE + 2)
            .map(|_| penalties.note(one))
            .collect();
        assert!(
            waits[..8].iter().all(Duration::is_zero) && waits[8..] == [PENALTY, PENALTY],
            "{waits:?}"
        );
        assert_eq!(penalties.note(other), Duration::ZERO);
        assert_eq!(penalties.note(None), Duration::ZERO);
    }
}
