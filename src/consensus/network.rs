//! Networks: the few facts of a chain that a signing root depends on, built in or from `config.yaml`.
//!
//! Over 500 lines because the built-in networks are one table.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::primitives::{Epoch, Root, Slot, Version};
use super::seen_networks::{SeenNetworks, warning};
use crate::hex::{self, HexError};
use crate::yaml::{self, Node};

/// The forks in their order. From one to the next the format of messages may change.
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
pub enum Preset {
    /// 64 committees a slot, 512 members of the sync committee. Gnosis has these too.
    Mainnet,
    /// 4 committees a slot, 32 members of the sync committee. Teku's swift has these too.
    Minimal,
}

/// The network that `--network` chose; without it mainnet, and whichever built-in network the fork
/// versions of a request belong to.
#[derive(Clone)]
pub struct Networks {
    chosen: Network,
    /// The networks that requests have shown; `None` when one was chosen.
    seen: Option<Arc<SeenNetworks>>,
}

/// The fork of a network at some epoch (consensus-specs, the container `Fork`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkAt {
    /// The version of the fork before it.
    pub previous_version: Version,
    /// Its version.
    pub current_version: Version,
    /// When it began.
    pub epoch: Epoch,
}

/// When the slots of a chain begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotTimes {
    /// When slot 0 begins, in Unix seconds; or later, where only a `config.yaml` tells.
    pub genesis_time_seconds: u64,
    /// The length of a slot, in milliseconds; not 0.
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
    slots_per_epoch: u64,
    slot_ms: u64,
    /// When slot 0 began, in Unix seconds; or later, where only a `config.yaml` tells.
    genesis_time: Option<u64>,
    /// The root of its first validators; only built-in networks know it.
    pub(super) genesis_validators_root: Option<Root>,
    /// Version and first epoch of each fork, in the order of [`Fork::ALL`].
    forks: [Option<(Version, Epoch)>; Fork::ALL.len()],
}

impl Fork {
    /// Every fork, in order.
    #[rustfmt::skip]
    pub const ALL: [Self; 9] = [
        Self::Phase0, Self::Altair, Self::Bellatrix, Self::Capella, Self::Deneb, Self::Electra, Self::Fulu,
        Self::Gloas, Self::Heze,
    ];

    const NAMES: [&str; Self::ALL.len()] = [
        "PHASE0",
        "ALTAIR",
        "BELLATRIX",
        "CAPELLA",
        "DENEB",
        "ELECTRA",
        "FULU",
        "GLOAS",
        "HEZE",
    ];

    /// The name, as `version` in a request has it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The fork of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|fork| fork.name().eq_ignore_ascii_case(name))
    }
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            chosen: BUILT_IN[0].clone(),
            seen: Some(Arc::default()),
        }
    }
}

impl Networks {
    /// The built-in network of this name, in any case. As for Teku, `_` is the same as `-`.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().replace('_', "-");
        let network = BUILT_IN
            .iter()
            .find(|network| network.name.eq_ignore_ascii_case(&name))?;
        Some(Self {
            chosen: network.clone(),
            seen: None,
        })
    }

    /// The network that a `config.yaml` describes. Only the keys that matter are read: the name,
    /// the preset, slots per epoch, versions and epochs of forks, times. A fork without an epoch
    /// never comes.
    ///
    /// # Errors
    /// When it is no YAML, has no `GENESIS_FORK_VERSION`, or a value cannot be read: which, and why.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let config =
            Config(yaml::map(text).map_err(|error| format!("no network configuration: {error}"))?);
        Ok(Self {
            chosen: config.network()?,
            seen: None,
        })
    }

    /// The names of the built-in networks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|network| &*network.name)
    }

    /// The name of the chosen network.
    pub fn name(&self) -> &str {
        &self.chosen.name
    }

    /// How many slots an epoch of the chosen network has.
    pub fn slots_per_epoch(&self) -> u64 {
        self.chosen.slots_per_epoch
    }

    /// The slot of the chosen network at this time (Unix, in seconds), or an earlier one where the
    /// genesis time is only estimated. `None` when no network was chosen, its genesis time is not
    /// known, or has not come.
    pub fn slot_at(&self, now_seconds: u64) -> Option<Slot> {
        self.slot_times()?.slot_at(now_seconds)
    }

    /// When the slots of the chosen network begin. `None` when no network was chosen, or its genesis
    /// time is not known.
    pub fn slot_times(&self) -> Option<SlotTimes> {
        if self.seen.is_some() {
            return None;
        }
        self.chosen.slot_times()
    }

    /// The epoch of the chosen network at this time, as [`Networks::slot_at`]; epoch 0 before its
    /// genesis. `None` when its genesis time is not known.
    pub fn epoch_now(&self, now_seconds: u64) -> Option<Epoch> {
        self.chosen.epoch_now(now_seconds)
    }

    /// The root of the chosen network's first validators; only built-in networks know it.
    pub fn genesis_validators_root(&self) -> Option<Root> {
        self.chosen.genesis_validators_root
    }

    /// The fork that the chosen network has at this epoch, as a beacon state tells it.
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

    /// Moves a fork of the chosen network, for rehearsals. `false` when the network does not know
    /// the fork's version.
    pub fn set_fork_epoch(&mut self, fork: Fork, epoch: Epoch) -> bool {
        let known = &mut self.chosen.forks[fork as usize];
        known.as_mut().map(|(_, begin)| *begin = epoch).is_some()
    }

    /// The network of a request whose fork has this version. `None` when nothing was chosen and no
    /// built-in network has it.
    pub(super) fn of(&self, version: Version) -> Option<&Network> {
        if self.seen.is_none() || self.chosen.fork_of(version).is_some() {
            return Some(&self.chosen);
        }
        BUILT_IN
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
        let index = BUILT_IN
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
            Some([only]) if BUILT_IN[*only].name != self.chosen.name => &BUILT_IN[*only],
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
            names.push(&*BUILT_IN[index].name);
        }
        warning(type_name, &self.for_all_forks().name, &names)
    }
}

impl SlotTimes {
    /// The slot at this time (Unix, in seconds), or an earlier one where the genesis time is only
    /// estimated. `None` before genesis.
    pub fn slot_at(&self, now_seconds: u64) -> Option<Slot> {
        let since_seconds = now_seconds.checked_sub(self.genesis_time_seconds)?;
        Some(Slot(since_seconds.saturating_mul(1000) / self.slot_ms))
    }
}

impl Network {
    /// What is assumed of a network that nobody knows, but whose preset shows.
    pub(super) fn unknown(preset: Preset) -> &'static Self {
        match preset {
            Preset::Mainnet => &UNKNOWN_MAINNET,
            Preset::Minimal => &UNKNOWN_MINIMAL,
        }
    }

    /// The epoch that this slot is in.
    pub(super) fn epoch_at(&self, slot: Slot) -> Epoch {
        Epoch(slot.0 / self.slots_per_epoch)
    }

    /// When its slots begin; `None` when its genesis time is not known.
    fn slot_times(&self) -> Option<SlotTimes> {
        Some(SlotTimes {
            genesis_time_seconds: self.genesis_time?,
            slot_ms: self.slot_ms,
            slots_per_epoch: self.slots_per_epoch,
        })
    }

    /// The epoch at this time, 0 before genesis; `None` when the genesis time is not known.
    pub(super) fn epoch_now(&self, now_seconds: u64) -> Option<Epoch> {
        let slot = self.slot_times()?.slot_at(now_seconds).unwrap_or(Slot(0));
        Some(self.epoch_at(slot))
    }

    /// The version of the first fork.
    pub(super) fn genesis_version(&self) -> Version {
        self.version(Fork::Phase0)
            .expect("only unknown networks have no versions, and nobody chose one")
    }

    /// The version of a fork.
    pub(super) fn version(&self, fork: Fork) -> Option<Version> {
        self.forks[fork as usize].map(|(version, _)| version)
    }

    /// The fork that has this version. Where networks reuse a version, the latest.
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

/// The keys of a `config.yaml`, of which few matter.
struct Config(BTreeMap<String, Node>);

impl Config {
    fn network(&self) -> Result<Network, String> {
        let (preset, slots_per_epoch, slot_s) = match self.get("PRESET_BASE").unwrap_or("mainnet") {
            "mainnet" => (Preset::Mainnet, 32, 12),
            "gnosis" => (Preset::Mainnet, 16, 5),
            "minimal" => (Preset::Minimal, 8, 6),
            "swift" => (Preset::Minimal, 4, 2),
            other => {
                return Err(format!(
                    "PRESET_BASE: expected mainnet, minimal, gnosis or swift, got {other:?}"
                ));
            }
        };
        let slots_per_epoch = self
            .number("SLOTS_PER_EPOCH", 1)?
            .unwrap_or(slots_per_epoch);
        let slot_s = self.number("SECONDS_PER_SLOT", 1)?.unwrap_or(slot_s);
        let slot_ms = self
            .number("SLOT_DURATION_MS", 1)?
            .unwrap_or(slot_s.saturating_mul(1000));
        let genesis = self
            .version("GENESIS")?
            .ok_or("GENESIS_FORK_VERSION is missing")?;
        let mut forks = [None; Fork::ALL.len()];
        forks[0] = Some((genesis, Epoch(0)));
        for fork in &Fork::ALL[1..] {
            let epoch = self
                .number(&format!("{}_FORK_EPOCH", fork.name()), 0)?
                .map_or(Epoch::NEVER, Epoch);
            forks[*fork as usize] = self.version(fork.name())?.map(|version| (version, epoch));
        }
        let name = Cow::Owned(self.get("CONFIG_NAME").unwrap_or("custom").to_owned());
        let (genesis_time, genesis_validators_root) = (self.genesis_time()?, None);
        Ok(Network {
            name,
            preset,
            slots_per_epoch,
            slot_ms,
            genesis_time,
            genesis_validators_root,
            forks,
        })
    }

    /// Generators of devnets write the time of genesis as a sum; those that mean `MIN_GENESIS_TIME`
    /// alone have a short delay. Never a time before the true one: it would make the present look past.
    fn genesis_time(&self) -> Result<Option<u64>, String> {
        let min = self
            .number("MIN_GENESIS_TIME", 0)?
            .filter(|time| !COPIED_GENESIS_TIMES.contains(time));
        let delay = self.number("GENESIS_DELAY", 0)?;
        Ok(min.zip(delay).map(|(min, delay)| min.saturating_add(delay)))
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Node::text)
    }

    /// Reads the version of a fork. Without `0x` the digits may be those of a number that a YAML tool made
    /// of the version: 0x01017000 becomes 16871424, which would pass for hex of another version.
    fn version(&self, fork: &str) -> Result<Option<Version>, String> {
        let key = format!("{fork}_FORK_VERSION");
        let Some(node) = self.0.get(&key) else {
            return Ok(None);
        };
        let text = node.text().unwrap_or("a list or map");
        if !text.starts_with("0x") && !text.starts_with("0X") {
            return Err(format!(
                "{key}: expected 0x and 8 hex digits, as '0x01017000', got {:?}: a YAML tool may have written \
                 the version as a number; restore it from the network's own file, in quotes",
                hex::shorten(text)
            ));
        }
        let version = text.parse();
        version
            .map(Some)
            .map_err(|error: HexError| format!("{key}: {error}"))
    }

    fn number(&self, key: &str, min: u64) -> Result<Option<u64>, String> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| *number >= min);
        let wrong = || {
            format!(
                "{key}: expected a whole number from {min} to {}, got {text:?}",
                u64::MAX
            )
        };
        number.map(Some).ok_or_else(wrong)
    }
}

/// The built-in networks, mainnet first. Where several have the same version, the first is recognised.
/// Sources: the configurations of eth-clients, gnosischain, ethpandaops, consensus-specs, lukso-network,
/// ephemery-testnet and Teku.
///
/// Ephemery starts again every 28 days with the same versions, but with another genesis time and other
/// validators. A signer may run across a restart, so neither is here. The root comes with each request.
#[rustfmt::skip]
static BUILT_IN: [Network; 12] = [
    network("mainnet", Preset::Mainnet, [32, 12, 1_606_824_023], "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        &[0x0000_0000, 0x0100_0000, 0x0200_0000, 0x0300_0000, 0x0400_0000, 0x0500_0000, 0x0600_0000, 0x0700_0000],
        &[74_240, 144_896, 194_048, 269_568, 364_032, 411_392, NEVER]),
    network("sepolia", Preset::Mainnet, [32, 12, 1_655_733_600], "d8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078",
        &[0x9000_0069, 0x9000_0070, 0x9000_0071, 0x9000_0072, 0x9000_0073, 0x9000_0074, 0x9000_0075, 0x9000_0076],
        &[50, 100, 56_832, 132_608, 222_464, 272_640, NEVER]),
    network("hoodi", Preset::Mainnet, [32, 12, 1_742_213_400], "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        &[0x1000_0910, 0x2000_0910, 0x3000_0910, 0x4000_0910, 0x5000_0910, 0x6000_0910, 0x7000_0910, 0x8000_0910],
        &[0, 0, 0, 0, 2_048, 50_688, NEVER]),
    network("holesky", Preset::Mainnet, [32, 12, 1_695_902_400], "9143aa7c615a7f7115e2b6aac319c03529df8242ae705fba9df39b79c59fa8b1",
        &[0x0101_7000, 0x0201_7000, 0x0301_7000, 0x0401_7000, 0x0501_7000, 0x0601_7000, 0x0701_7000, 0x0801_7000],
        &[0, 0, 256, 29_696, 115_968, 165_120, NEVER]),
    network("plataberget", Preset::Mainnet, [32, 12, 1_786_622_400], "bb4a1a9e3f7f4e10edcd734e4acc3b5ffd4f830efe0af2748fa458cfee5d2658",
        &[0x1073_3183, 0x2073_3183, 0x3073_3183, 0x4073_3183, 0x5073_3183, 0x6073_3183, 0x7073_3183, 0x8073_3183],
        &[0, 0, 0, 0, 0, 0, 1_536]),
    network("gnosis", Preset::Mainnet, [16, 5, 1_638_993_340], "f5dcb5564e829aab27264b9becd5dfaa017085611224cb3036f573368dbb9d47",
        &[0x0000_0064, 0x0100_0064, 0x0200_0064, 0x0300_0064, 0x0400_0064, 0x0500_0064, 0x0600_0064, 0x0700_0064],
        &[512, 385_536, 648_704, 889_856, 1_337_856, 1_714_688, NEVER]),
    network("chiado", Preset::Mainnet, [16, 5, 1_665_396_300], "9d642dac73058fbf39c0ae41ab1e34e4d889043cb199851ded7095bc99eb4c1e",
        &[0x0000_006f, 0x0100_006f, 0x0200_006f, 0x0300_006f, 0x0400_006f, 0x0500_006f, 0x0600_006f, 0x0700_006f],
        &[90, 180, 244_224, 516_608, 948_224, 1_353_216, NEVER]),
    network("lukso", Preset::Mainnet, [32, 12, 1_684_858_800], "a27edd68cde5c396f499157945d062a010308ce5ed5719a6b1e12ad2a51b97e6",
        &[0x4200_0001, 0x4200_0002, 0x4200_0003, 0x4200_0004, 0x4200_0005, 0x4200_0006, 0x4200_0007],
        &[0, 0, 8_100, 123_075, 190_800, 238_050]),
    network("ephemery", Preset::Mainnet, [32, 12, 0], "",
        &[0x1000_101b, 0x2000_101b, 0x3000_101b, 0x4000_101b, 0x5000_101b, 0x6000_101b, 0x7000_101b],
        &[0, 0, 0, 0, 0, 0]),
    network("minimal", Preset::Minimal, [8, 6, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001, 0x0700_0001],
        &[NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER]),
    network("swift", Preset::Minimal, [4, 2, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001],
        &[0, NEVER, NEVER, NEVER, NEVER, NEVER]),
    // Its file says that only the length of slots and the wait for exits differ from swift.
    network("less-swift", Preset::Minimal, [4, 6, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001],
        &[0, NEVER, NEVER, NEVER, NEVER, NEVER]),
];

static UNKNOWN_MAINNET: Network = unknown(Preset::Mainnet, 32);
static UNKNOWN_MINIMAL: Network = unknown(Preset::Minimal, 8);

const NEVER: u64 = Epoch::NEVER.0;

/// `MIN_GENESIS_TIME` of the configurations that others are copied from: mainnet, minimal, gnosis.
/// It says nothing of the copy; and gnosis began hours after it.
const COPIED_GENESIS_TIMES: [u64; 3] = [1_606_824_000, 1_578_009_600, 1_638_968_400];

/// One row of the table: slots an epoch, seconds a slot and genesis time (0: not known); versions from
/// genesis to the last known one, and epochs from ALTAIR on.
const fn network(
    name: &'static str,
    preset: Preset,
    [slots_per_epoch, slot_s, genesis_time]: [u64; 3],
    validators_root: &str,
    versions: &[u32],
    epochs: &[u64],
) -> Network {
    let genesis_validators_root = match const_hex::const_decode_to_array(validators_root.as_bytes())
    {
        Ok(root) => Some(Root(root)),
        Err(_) => None,
    };
    let mut forks = [None; Fork::ALL.len()];
    let mut index = 0;
    while index < versions.len() {
        let epoch = if index == 0 { 0 } else { epochs[index - 1] };
        forks[index] = Some((Version(versions[index].to_be_bytes()), Epoch(epoch)));
        index += 1;
    }
    let genesis_time = if genesis_time == 0 {
        None
    } else {
        Some(genesis_time)
    };
    let (name, slot_ms) = (Cow::Borrowed(name), slot_s * 1000);
    Network {
        name,
        preset,
        slots_per_epoch,
        slot_ms,
        genesis_time,
        genesis_validators_root,
        forks,
    }
}

const fn unknown(preset: Preset, slots_per_epoch: u64) -> Network {
    network("unknown", preset, [slots_per_epoch, 12, 0], "", &[], &[])
}
