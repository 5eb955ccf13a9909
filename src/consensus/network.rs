//! The few facts of a network that a signing root depends on.

use std::borrow::Cow;

use super::primitives::{Epoch, Root, Slot, Version};

/// The forks in their order. The format of messages may change from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Fork {
    Phase0,
    Altair,
    Bellatrix,
    Capella,
    Deneb,
    Electra,
    Fulu,
    Gloas,
    Heze,
}

/// The set of constants that a network is built on, as far as they shape what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// 64 committees a slot, 512 members of the sync committee. Gnosis has these too.
    Mainnet,
    /// 4 committees a slot, 32 members of the sync committee. Teku's preset "swift" has these too.
    Minimal,
}

/// The fork of a network at some epoch (consensus-specs, the container `Fork`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkAt {
    /// The version of the fork before it.
    pub previous_version: Version,
    /// Its version.
    pub current_version: Version,
    /// Its first epoch.
    pub epoch: Epoch,
}

/// When the slots of a chain begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotTimes {
    /// Start of slot 0 as Unix time; a later time where `config.yaml` allows an estimate only.
    pub genesis_time_seconds: u64,
    /// The length of a slot; not 0.
    pub slot_ms: u64,
    /// Not 0.
    pub slots_per_epoch: u64,
}

/// The facts of one network.
#[derive(Clone)]
pub(super) struct Network {
    /// Its name, for messages.
    pub(super) name: Cow<'static, str>,
    /// Decides the lengths of bit vectors.
    pub(super) preset: Preset,
    pub(super) slots_per_epoch: u64,
    pub(super) slot_ms: u64,
    /// Start of slot 0 as Unix time; a later time where `config.yaml` allows an estimate only.
    pub(super) genesis_time_seconds: Option<u64>,
    /// The root of the validators at genesis; known for built-in networks only.
    pub(super) genesis_validators_root: Option<Root>,
    /// Version and first epoch of each fork, in the order of [`Fork::ALL`].
    pub(super) forks: [Option<(Version, Epoch)>; Fork::ALL.len()],
}

impl Fork {
    /// Every fork, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Phase0,
        Self::Altair,
        Self::Bellatrix,
        Self::Capella,
        Self::Deneb,
        Self::Electra,
        Self::Fulu,
        Self::Gloas,
        Self::Heze,
    ];

    /// Returns the name, as `version` in a request has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Phase0 => "PHASE0",
            Self::Altair => "ALTAIR",
            Self::Bellatrix => "BELLATRIX",
            Self::Capella => "CAPELLA",
            Self::Deneb => "DENEB",
            Self::Electra => "ELECTRA",
            Self::Fulu => "FULU",
            Self::Gloas => "GLOAS",
            Self::Heze => "HEZE",
        }
    }

    /// Finds the fork of this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|fork| fork.name().eq_ignore_ascii_case(name))
    }
}

impl SlotTimes {
    /// Returns the slot at this Unix time, or an earlier one where genesis is only estimated. `None`
    /// before genesis.
    pub(crate) fn slot_at(&self, now_seconds: u64) -> Option<Slot> {
        let since_seconds = now_seconds.checked_sub(self.genesis_time_seconds)?;
        Some(Slot(since_seconds.saturating_mul(1000) / self.slot_ms))
    }
}

impl Network {
    /// Returns what is assumed of an unknown network that shows its preset. It has no forks.
    pub(super) const fn unknown(preset: Preset) -> &'static Self {
        static UNKNOWN_MAINNET: Network = unknown(Preset::Mainnet, 32);
        static UNKNOWN_MINIMAL: Network = unknown(Preset::Minimal, 8);
        match preset {
            Preset::Mainnet => &UNKNOWN_MAINNET,
            Preset::Minimal => &UNKNOWN_MINIMAL,
        }
    }

    /// Returns the epoch of a slot.
    pub(super) fn epoch_at(&self, slot: Slot) -> Epoch {
        Epoch(slot.0 / self.slots_per_epoch)
    }

    /// Returns when the slots begin; `None` when the genesis time is not known.
    pub(super) fn slot_times(&self) -> Option<SlotTimes> {
        Some(SlotTimes {
            genesis_time_seconds: self.genesis_time_seconds?,
            slot_ms: self.slot_ms,
            slots_per_epoch: self.slots_per_epoch,
        })
    }

    /// Returns the epoch at this Unix time, 0 before genesis; `None` when the genesis time is not known.
    pub(super) fn epoch_now(&self, now_seconds: u64) -> Option<Epoch> {
        let slot = self.slot_times()?.slot_at(now_seconds).unwrap_or(Slot(0));
        Some(self.epoch_at(slot))
    }

    /// Returns the version of the first fork.
    pub(super) fn genesis_version(&self) -> Version {
        self.version(Fork::Phase0)
            .expect("every network but an unknown one has the version of its genesis")
    }

    /// Returns the version of a fork.
    pub(super) fn version(&self, fork: Fork) -> Option<Version> {
        self.forks[fork as usize].map(|(version, _)| version)
    }

    /// Finds the fork that has this version; where a network uses a version again, the latest.
    pub(super) fn fork_of(&self, version: Version) -> Option<Fork> {
        Fork::ALL
            .into_iter()
            .rev()
            .find(|fork| self.version(*fork) == Some(version))
    }

    /// Whether a fork has come by this epoch.
    pub(super) fn has(&self, fork: Fork, epoch: Epoch) -> bool {
        self.forks[fork as usize].is_some_and(|(_, begin)| begin != Epoch::NEVER && begin <= epoch)
    }
}

const fn unknown(preset: Preset, slots_per_epoch: u64) -> Network {
    Network {
        name: Cow::Borrowed("unknown"),
        preset,
        slots_per_epoch,
        slot_ms: 12_000,
        genesis_time_seconds: None,
        genesis_validators_root: None,
        forks: [None; Fork::ALL.len()],
    }
}
