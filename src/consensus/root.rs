//! From a message's root and the fork it belongs to, to what is signed.
//!
//! Source: consensus-specs, `phase0/beacon-chain.md`: `compute_fork_data_root`, `compute_domain`,
//! `get_domain`, `compute_signing_root`; `deneb/beacon-chain.md`: `process_voluntary_exit`.

use super::block::ForkInfo;
use super::duty::{Duty, Moment};
use super::network::{Fork, Network};
use super::primitives::{Domain, DomainType, Epoch, Root, Version};
use super::ssz::{self, HashTreeRoot};

/// The epoch that decides between the versions of a fork.
pub(super) fn epoch(moment: Moment, network: &Network) -> Epoch {
    match moment {
        Moment::At(slot) => network.epoch_at(slot),
        Moment::In(epoch) => epoch,
    }
}

/// The version whose domain a duty of this epoch is signed in.
///
/// From DENEB on an exit stays in the domain of CAPELLA for good, whatever its epoch (EIP-7044).
/// That DENEB has come shows in the version of the request's fork.
pub(super) fn version(
    duty: &Duty,
    epoch: Epoch,
    fork_info: &ForkInfo,
    network: &Network,
) -> Version {
    let fork = &fork_info.fork;
    let deneb_has_come = network.fork_of(fork.current_version) >= Some(Fork::Deneb);
    let capella = network.version(Fork::Capella);
    match (duty, capella) {
        (Duty::VoluntaryExit(_), Some(capella)) if deneb_has_come => capella,
        _ if epoch < fork.epoch => fork.previous_version,
        _ => fork.current_version,
    }
}

/// The version whose domain an exit is valid in on a network that is at DENEB or later: CAPELLA's,
/// whatever the fork of the request (EIP-7044). `None` for other duties and earlier forks.
///
/// That DENEB has come shows in the clock, in the request's fork, or in the exit itself, which is not
/// valid before its epoch.
pub(super) fn exit_version_now(
    duty: &Duty,
    fork_info: &ForkInfo,
    network: &Network,
    now_seconds: u64,
) -> Option<Version> {
    let Duty::VoluntaryExit(exit) = duty else {
        return None;
    };
    let fork = &fork_info.fork;
    let clock = network.epoch_now(now_seconds).unwrap_or(Epoch(0));
    let latest = clock.max(fork.epoch).max(exit.epoch);
    let at_deneb = network.has(Fork::Deneb, latest)
        || network.fork_of(fork.previous_version) >= Some(Fork::Deneb)
        || network.fork_of(fork.current_version) >= Some(Fork::Deneb);
    if at_deneb {
        network.version(Fork::Capella)
    } else {
        None
    }
}

/// The domain of a type, for a version on a chain: the type, then 28 bytes of the fork data's root.
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

/// The root that is signed.
pub(super) fn signing_root(message: Root, domain: Domain) -> Root {
    ssz::container(&mut [message.0, domain.0])
}
