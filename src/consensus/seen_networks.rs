//! The networks that requests have shown: without `--network`, a message that does not show its own is
//! taken to be of the network of the others.

use std::sync::atomic::{AtomicU32, Ordering};

/// The built-in networks that requests have shown since the process started, by their index.
#[derive(Default)]
pub(super) struct SeenNetworks {
    /// A bit for each network.
    seen: AtomicU32,
    /// The bits that the operator knows of.
    reported: AtomicU32,
}

impl SeenNetworks {
    /// Notes that a request was of this network.
    pub(super) fn note(&self, index: usize) {
        if self.seen.load(Ordering::Relaxed) & 1 << index == 0 {
            self.seen.fetch_or(1 << index, Ordering::Relaxed);
        }
    }

    /// Returns the indices of the networks, in order.
    pub(super) fn indices(&self) -> Vec<usize> {
        let seen = self.seen.load(Ordering::Relaxed);
        (0..32).filter(|index| seen & 1 << index != 0).collect()
    }

    /// Whether networks have been seen since this was asked last.
    pub(super) fn has_news(&self) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        self.reported.swap(seen, Ordering::Relaxed) != seen
    }
}

/// Words the warning for a message of `type_name` that was signed for `assumed`, where requests have
/// shown the networks `seen`. `None` when they have shown nothing else.
pub(super) fn warning(type_name: &str, assumed: &str, seen: &[&str]) -> Option<String> {
    match seen {
        [] => None,
        [only] if *only == DEFAULT_NETWORK => None,
        [only] => Some(format!(
            "{type_name} is signed for {assumed}, the network of the other requests: \
             start with --network={only} to be sure of it"
        )),
        several => Some(format!(
            "{type_name} is signed for {assumed}, but the other requests contradict each other (they are \
             of {}): name the right network with --network",
            several.join(" and of ")
        )),
    }
}

/// The network without `--network`, as long as requests do not agree on another one.
const DEFAULT_NETWORK: &str = "mainnet";
