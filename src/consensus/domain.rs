//! Domains: what a signature is for, on which fork and which chain; and the root that is signed.
//!
//! Source: consensus-specs, `phase0/beacon-chain.md`: `compute_fork_data_root`, `compute_domain`,
//! `get_domain`, `compute_signing_root`; `deneb/beacon-chain.md`: `process_voluntary_exit`.

use super::block::ForkInfo;
use super::network::{Fork, Network};
use super::primitives::{Domain, DomainType, Epoch, Root, Slot, Version};
use super::ssz::{self, HashTreeRoot};

/// Which fork version and which chain the domain of a message has.
#[derive(Clone, Copy)]
pub(super) enum DomainRule {
    /// The version of the fork at this moment, on the chain of the request.
    Fork(ForkMoment),
    /// A genesis version and the zero root, for a message that holds across forks. The version is the
    /// one that the message names, or the network's.
    Genesis(Option<Version>),
}

/// The moment that decides between the previous and the current version of a fork.
#[derive(Clone, Copy)]
pub(super) enum ForkMoment {
    /// The epoch of this slot.
    Slot(Slot),
    /// This epoch.
    Epoch(Epoch),
    /// The epoch of an exit. From DENEB on, an exit stays in the domain of CAPELLA (EIP-7044).
    Exit(Epoch),
}

impl ForkMoment {
    /// The epoch of the moment.
    pub(super) fn epoch(self, network: &Network) -> Epoch {
        match self {
            Self::Slot(slot) => network.epoch_at(slot),
            Self::Epoch(epoch) | Self::Exit(epoch) => epoch,
        }
    }

    /// The fork version at the moment, by the fork of the request.
    ///
    /// For an exit, the version of the request's fork shows whether the network is at DENEB.
    pub(super) fn version(self, fork_info: &ForkInfo, network: &Network) -> Version {
        let fork = &fork_info.fork;
        if let Self::Exit(_) = self
            && network.fork_of(fork.current_version) >= Some(Fork::Deneb)
            && let Some(capella) = network.version(Fork::Capella)
        {
            return capella;
        }
        if self.epoch(network) < fork.epoch {
            fork.previous_version
        } else {
            fork.current_version
        }
    }

    /// The version in whose domain an exit is valid on a network that is at DENEB or later: that of
    /// CAPELLA, whatever the fork of the request (EIP-7044). `None` for other messages and earlier
    /// forks.
    ///
    /// The network is at DENEB by the clock, by the fork of the request, or by the exit itself, which
    /// is not valid before its epoch.
    pub(super) fn exit_version_now(
        self,
        fork_info: &ForkInfo,
        network: &Network,
        now_seconds: u64,
    ) -> Option<Version> {
        let Self::Exit(epoch) = self else {
            return None;
        };
        let fork = &fork_info.fork;
        let epoch_now = network.epoch_now(now_seconds).unwrap_or(Epoch(0));
        let latest_epoch = epoch_now.max(fork.epoch).max(epoch);
        let is_at_deneb = network.has(Fork::Deneb, latest_epoch)
            || network.fork_of(fork.previous_version) >= Some(Fork::Deneb)
            || network.fork_of(fork.current_version) >= Some(Fork::Deneb);
        if is_at_deneb {
            network.version(Fork::Capella)
        } else {
            None
        }
    }
}

/// Computes the domain of a type, for a version on a chain: the type, then 28 bytes of the fork data
/// root.
pub(super) fn domain(
    domain_type: DomainType,
    version: Version,
    genesis_validators_root: Root,
) -> Domain {
    let fork_data = ssz::container(&mut [version.hash_tree_root().0, genesis_validators_root.0]);
    let mut domain = [0; 32];
    domain[..4].copy_from_slice(&domain_type.0);
    domain[4..].copy_from_slice(&fork_data.0[..28]);
    Domain(domain)
}

/// Computes the root that is signed.
pub(super) fn signing_root(message: Root, domain: Domain) -> Root {
    ssz::container(&mut [message.0, domain.0])
}

/// Finds a domain type by its name as py3signer spells it, with or without `domain_`, in any case.
pub(super) fn domain_type_named(name: &str) -> Option<DomainType> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("domain_").unwrap_or(&name);
    DOMAIN_TYPES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, domain_type)| *domain_type)
}

/// Domain types by name. Sources: consensus-specs, "Domain types" of each fork; builder-specs.
const DOMAIN_TYPES: [(&str, DomainType); 16] = [
    ("beacon_proposer", BEACON_PROPOSER),
    ("beacon_attester", BEACON_ATTESTER),
    ("randao", RANDAO),
    ("deposit", DEPOSIT),
    ("voluntary_exit", VOLUNTARY_EXIT),
    ("selection_proof", SELECTION_PROOF),
    ("aggregate_and_proof", AGGREGATE_AND_PROOF),
    ("sync_committee", SYNC_COMMITTEE),
    (
        "sync_committee_selection_proof",
        SYNC_COMMITTEE_SELECTION_PROOF,
    ),
    ("contribution_and_proof", CONTRIBUTION_AND_PROOF),
    ("beacon_builder", BEACON_BUILDER),
    ("ptc_attester", PTC_ATTESTER),
    ("proposer_preferences", PROPOSER_PREFERENCES),
    ("application_mask", DomainType([0, 0, 0, 1])),
    ("application_builder", APPLICATION_BUILDER),
    ("builder_request_auth", BUILDER_REQUEST_AUTH),
];

pub(super) const BEACON_PROPOSER: DomainType = DomainType([0x00, 0, 0, 0]);
pub(super) const BEACON_ATTESTER: DomainType = DomainType([0x01, 0, 0, 0]);
pub(super) const RANDAO: DomainType = DomainType([0x02, 0, 0, 0]);
pub(super) const DEPOSIT: DomainType = DomainType([0x03, 0, 0, 0]);
pub(super) const VOLUNTARY_EXIT: DomainType = DomainType([0x04, 0, 0, 0]);
pub(super) const SELECTION_PROOF: DomainType = DomainType([0x05, 0, 0, 0]);
pub(super) const AGGREGATE_AND_PROOF: DomainType = DomainType([0x06, 0, 0, 0]);
pub(super) const SYNC_COMMITTEE: DomainType = DomainType([0x07, 0, 0, 0]);
pub(super) const SYNC_COMMITTEE_SELECTION_PROOF: DomainType = DomainType([0x08, 0, 0, 0]);
pub(super) const CONTRIBUTION_AND_PROOF: DomainType = DomainType([0x09, 0, 0, 0]);
pub(super) const BEACON_BUILDER: DomainType = DomainType([0x0b, 0, 0, 0]);
pub(super) const PTC_ATTESTER: DomainType = DomainType([0x0c, 0, 0, 0]);
pub(super) const PROPOSER_PREFERENCES: DomainType = DomainType([0x0d, 0, 0, 0]);
pub(super) const APPLICATION_BUILDER: DomainType = DomainType([0, 0, 0, 1]);
pub(super) const BUILDER_REQUEST_AUTH: DomainType = DomainType([0x0b, 0, 0, 1]);
