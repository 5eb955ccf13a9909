//! The network of a request: the one that `--network` chose, or one that the request shows.

use std::sync::Arc;

use super::built_in_networks::BUILT_IN_NETWORKS;
use super::network::{Fork, ForkAt, Network, SlotTimes};
use super::network_config::NetworkConfig;
use super::primitives::{Epoch, Root, Slot, Version};
use super::seen_networks::{SeenNetworks, warning};

/// The network that `--network` chose. Without it mainnet, and whichever built-in network the fork
/// versions of a request belong to.
///
/// A message without a fork, such as a validator registration, does not show its network. Without
/// `--network` it is that of the other requests, as long as these agree.
#[derive(Clone)]
pub struct Networks {
    chosen: Network,
    /// What requests have shown; `None` when a network was chosen.
    seen: Option<Arc<SeenNetworks>>,
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            chosen: BUILT_IN_NETWORKS[0].clone(),
            seen: Some(Arc::default()),
        }
    }
}

impl Networks {
    /// Finds the built-in network of this name, in any case, and with `_` for `-` as in Teku. "prater" is
    /// the name that goerli had before.
    pub fn named(name: &str) -> Option<Self> {
        let mut name = name.trim().replace('_', "-");
        if name.eq_ignore_ascii_case("prater") {
            "goerli".clone_into(&mut name);
        }
        let network = BUILT_IN_NETWORKS
            .iter()
            .find(|network| network.name.eq_ignore_ascii_case(&name))?;
        Some(Self {
            chosen: network.clone(),
            seen: None,
        })
    }

    /// Reads the network that a `config.yaml` describes.
    ///
    /// # Errors
    /// When it is not YAML, has no `GENESIS_FORK_VERSION`, or a value cannot be read: which, and why.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        Ok(Self {
            chosen: NetworkConfig::parse(text)?.network()?,
            seen: None,
        })
    }

    /// Returns the names of the built-in networks.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN_NETWORKS.iter().map(|network| &*network.name)
    }

    /// Returns the name of the chosen network.
    pub(crate) fn name(&self) -> &str {
        &self.chosen.name
    }

    /// Whether a network was chosen. Without one, slots are not known.
    pub(crate) fn is_chosen(&self) -> bool {
        self.seen.is_none()
    }

    /// Returns how many slots an epoch of the chosen network has.
    pub fn slots_per_epoch(&self) -> u64 {
        self.chosen.slots_per_epoch
    }

    /// Returns the slot of the chosen network at this Unix time, or an earlier one where genesis is only
    /// estimated. `None` when no network was chosen, its genesis time is not known, or has not come.
    pub fn slot_at(&self, now_seconds: u64) -> Option<Slot> {
        self.slot_times()?.slot_at(now_seconds)
    }

    /// Returns when the slots of the chosen network begin. `None` when no network was chosen, or its
    /// genesis time is not known.
    pub(crate) fn slot_times(&self) -> Option<SlotTimes> {
        if self.seen.is_some() {
            return None;
        }
        self.chosen.slot_times()
    }

    /// Returns the epoch of the chosen network at this Unix time, as [`Networks::slot_at`]; epoch 0
    /// before its genesis. `None` when its genesis time is not known.
    pub fn epoch_now(&self, now_seconds: u64) -> Option<Epoch> {
        self.chosen.epoch_now(now_seconds)
    }

    /// Returns the root of the validators at genesis of the chosen network; known for built-in networks
    /// only.
    pub(crate) fn genesis_validators_root(&self) -> Option<Root> {
        self.chosen.genesis_validators_root
    }

    /// Returns the fork of the chosen network at this epoch, as in a beacon state.
    pub fn fork_at(&self, epoch: Epoch) -> ForkAt {
        let mut fork_at = ForkAt {
            previous_version: self.chosen.genesis_version(),
            current_version: self.chosen.genesis_version(),
            epoch: Epoch(0),
        };
        for (version, begin) in self.chosen.forks.iter().flatten() {
            if *begin != Epoch::NEVER && *begin <= epoch {
                fork_at = ForkAt {
                    previous_version: fork_at.current_version,
                    current_version: *version,
                    epoch: *begin,
                };
            }
        }
        fork_at
    }

    /// Whether the chosen network has this fork by this epoch.
    pub fn has(&self, fork: Fork, epoch: Epoch) -> bool {
        self.chosen.has(fork, epoch)
    }

    /// Moves a fork of the chosen network, for rehearsals. Returns whether the network knows the
    /// version of the fork.
    pub(crate) fn set_fork_epoch(&mut self, fork: Fork, epoch: Epoch) -> bool {
        match &mut self.chosen.forks[fork as usize] {
            Some((_, begin)) => {
                *begin = epoch;
                true
            }
            None => false,
        }
    }

    /// Finds the network of a request with this fork version. `None` when no network was chosen and no
    /// built-in network has the version.
    pub(super) fn of(&self, version: Version) -> Option<&Network> {
        if self.seen.is_none() || self.chosen.fork_of(version).is_some() {
            return Some(&self.chosen);
        }
        BUILT_IN_NETWORKS
            .iter()
            .find(|network| network.fork_of(version).is_some())
    }

    /// Notes that a request was of this network and this chain.
    pub(super) fn note(&self, network: &Network, genesis_validators_root: Root) {
        let Some(seen) = &self.seen else {
            return;
        };
        let known_root = network.genesis_validators_root;
        if known_root.is_some_and(|root| root != genesis_validators_root) {
            return;
        }
        let index = BUILT_IN_NETWORKS
            .iter()
            .position(|built_in| built_in.name == network.name);
        if let Some(index) = index {
            seen.note(index);
        }
    }

    /// Returns the network of a message that does not show its own: the chosen one, or the only one that
    /// other requests have shown, or mainnet.
    pub(super) fn for_all_forks(&self) -> &Network {
        let seen = self.seen.as_ref().map(|seen| seen.indices());
        match seen.as_deref() {
            Some([only]) if BUILT_IN_NETWORKS[*only].name != self.chosen.name => {
                &BUILT_IN_NETWORKS[*only]
            }
            Some(_) | None => &self.chosen,
        }
    }

    /// Returns a warning about the network that is assumed for a message that does not show its own.
    /// Returns it once, and again when requests have shown another network.
    pub(super) fn warning(&self, type_name: &str) -> Option<String> {
        let seen = self.seen.as_ref()?;
        if !seen.has_news() {
            return None;
        }
        let mut names = Vec::new();
        for index in seen.indices() {
            names.push(&*BUILT_IN_NETWORKS[index].name);
        }
        warning(type_name, &self.for_all_forks().name, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> &'static Network {
        let mut networks = BUILT_IN_NETWORKS.iter();
        networks.find(|network| network.name == name).expect(name)
    }

    #[test]
    fn the_fork_of_an_epoch_is_the_last_one_that_has_begun() {
        let mainnet = Networks::named("mainnet").expect("mainnet");
        for (epoch, previous_version, current_version, begin) in [
            (0, [0, 0, 0, 0], [0, 0, 0, 0], 0),
            (74_239, [0, 0, 0, 0], [0, 0, 0, 0], 0),
            (74_240, [0, 0, 0, 0], [1, 0, 0, 0], 74_240),
            (194_047, [1, 0, 0, 0], [2, 0, 0, 0], 144_896),
            (411_392, [5, 0, 0, 0], [6, 0, 0, 0], 411_392),
            // GLOAS has no date: that it never begins is not an epoch.
            (u64::MAX, [5, 0, 0, 0], [6, 0, 0, 0], 411_392),
        ] {
            let fork_at = mainnet.fork_at(Epoch(epoch));
            assert_eq!(
                fork_at.previous_version,
                Version(previous_version),
                "{epoch}"
            );
            assert_eq!(fork_at.current_version, Version(current_version), "{epoch}");
            assert_eq!(fork_at.epoch, Epoch(begin), "{epoch}");
        }
    }

    #[test]
    fn without_a_chosen_network_the_others_show_the_one_of_a_registration() {
        let networks = Networks::default();
        assert!(!networks.is_chosen());
        let root = |name: &str| built_in(name).genesis_validators_root.expect(name);
        let assumed = || networks.for_all_forks().name.to_string();
        assert_eq!(assumed(), "mainnet");
        assert_eq!(networks.warning("A_TYPE"), None, "nothing was seen");
        networks.note(built_in("hoodi"), root("holesky"));
        assert_eq!(assumed(), "mainnet", "versions of hoodi on another chain");
        networks.note(built_in("hoodi"), root("hoodi"));
        assert_eq!(assumed(), "hoodi");
        let warning = networks.warning("A_TYPE").expect("a warning");
        assert!(warning.contains("--network=hoodi"), "{warning}");
        assert_eq!(networks.warning("A_TYPE"), None, "it was said");
        networks.note(built_in("mainnet"), root("mainnet"));
        assert_eq!(assumed(), "mainnet", "the others contradict each other");
        let warning = networks.warning("A_TYPE").expect("a warning");
        assert!(warning.contains("contradict"), "{warning}");
    }

    #[test]
    fn a_moved_fork_stays_moved_when_all_requests_are_of_the_network_that_is_assumed() {
        let mut networks = Networks::default();
        let (epoch, mainnet) = (Epoch(500_000), built_in("mainnet"));
        assert!(networks.set_fork_epoch(Fork::Gloas, epoch));
        networks.note(mainnet, mainnet.genesis_validators_root.expect("a root"));
        assert!(networks.for_all_forks().has(Fork::Gloas, epoch));
        assert!(!networks.for_all_forks().has(Fork::Gloas, Epoch(499_999)));
    }

    #[test]
    fn a_chosen_network_is_that_of_every_request() {
        let gnosis = Networks::named("gnosis").expect("gnosis");
        assert!(gnosis.is_chosen());
        let hoodi = built_in("hoodi");
        gnosis.note(hoodi, hoodi.genesis_validators_root.expect("a root"));
        assert_eq!(gnosis.for_all_forks().name, "gnosis");
        assert_eq!(gnosis.warning("A_TYPE"), None);
        for (networks, version, name) in [
            (&gnosis, hoodi.genesis_version(), Some("gnosis")),
            (&Networks::default(), hoodi.genesis_version(), Some("hoodi")),
            (&Networks::default(), Version([0; 4]), Some("mainnet")),
            (&Networks::default(), Version([0x7a; 4]), None),
        ] {
            let found = networks.of(version).map(|network| &*network.name);
            assert_eq!(found, name, "{version}");
        }
    }
}
