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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_news_once_and_the_networks_are_in_order() {
        let seen = SeenNetworks::default();
        assert!(seen.indices().is_empty());
        assert!(!seen.has_news(), "nothing was seen");
        for (index, indices, is_news) in [
            (3, vec![3], true),
            (3, vec![3], false),
            (0, vec![0, 3], true),
            (12, vec![0, 3, 12], true),
            (0, vec![0, 3, 12], false),
        ] {
            seen.note(index);
            assert_eq!(seen.indices(), indices);
            assert_eq!(seen.has_news(), is_news, "{index} in {indices:?}");
            assert!(!seen.has_news(), "{index} is not news twice");
        }
    }

    #[test]
    fn the_operator_is_warned_unless_all_requests_are_of_mainnet() {
        for (seen, expected) in [
            (&[][..], None),
            (&["mainnet"], None),
            (
                &["hoodi"],
                Some("start with --network=hoodi to be sure of it"),
            ),
            (
                &["mainnet", "hoodi"],
                Some("contradict each other (they are of mainnet and of hoodi)"),
            ),
        ] {
            let warning = warning("VALIDATOR_REGISTRATION", "hoodi", seen);
            match expected {
                Some(part) => {
                    let warning = warning.expect(part);
                    assert!(warning.contains(part), "{warning}");
                    let start = "VALIDATOR_REGISTRATION is signed for hoodi, ";
                    assert!(warning.starts_with(start), "{warning}");
                }
                None => assert_eq!(warning, None, "{seen:?}"),
            }
        }
    }
}
