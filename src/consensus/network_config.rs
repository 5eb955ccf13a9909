//! Networks from a `config.yaml`. Only the keys that matter are read: the name, the preset, slots per
//! epoch, versions and epochs of forks, times. A fork without an epoch never comes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::network::{Fork, Network, Preset};
use super::primitives::{Epoch, Version};
use crate::hex::{self, HexError};
use crate::yaml::{self, Node};

/// `MIN_GENESIS_TIME` of the configurations that others are copied from: mainnet, minimal, gnosis. In a
/// copy it says nothing; and gnosis began hours after it.
const COPIED_GENESIS_TIMES: [u64; 3] = [1_606_824_000, 1_578_009_600, 1_638_968_400];

/// The keys and values of a `config.yaml`.
pub(super) struct NetworkConfig(BTreeMap<String, Node>);

impl NetworkConfig {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// When it is not a YAML map.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match yaml::map(text) {
            Ok(keys) => Ok(Self(keys)),
            Err(error) => Err(format!("no network configuration: {error}")),
        }
    }

    /// Reads the network.
    ///
    /// # Errors
    /// When there is no `GENESIS_FORK_VERSION`, or a value cannot be read.
    pub(super) fn network(&self) -> Result<Network, String> {
        let preset_base = self.text("PRESET_BASE").unwrap_or("mainnet");
        let (preset, slots_per_epoch, slot_seconds) = match preset_base {
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
        let slot_seconds = self.number("SECONDS_PER_SLOT", 1)?.unwrap_or(slot_seconds);
        let slot_ms = self.number("SLOT_DURATION_MS", 1)?;
        Ok(Network {
            name: Cow::Owned(self.text("CONFIG_NAME").unwrap_or("custom").to_owned()),
            preset,
            slots_per_epoch: self
                .number("SLOTS_PER_EPOCH", 1)?
                .unwrap_or(slots_per_epoch),
            slot_ms: slot_ms.unwrap_or(slot_seconds.saturating_mul(1000)),
            genesis_time_seconds: self.genesis_time_seconds()?,
            genesis_validators_root: None,
            forks: self.forks()?,
        })
    }

    fn forks(&self) -> Result<[Option<(Version, Epoch)>; Fork::ALL.len()], String> {
        let genesis = self
            .version("GENESIS")?
            .ok_or("GENESIS_FORK_VERSION is missing")?;
        let mut forks = [None; Fork::ALL.len()];
        forks[0] = Some((genesis, Epoch(0)));
        for fork in &Fork::ALL[1..] {
            let epoch = self.number(&format!("{}_FORK_EPOCH", fork.name()), 0)?;
            if let Some(version) = self.version(fork.name())? {
                let epoch = epoch.map_or(Epoch::NEVER, Epoch);
                forks[*fork as usize] = Some((version, epoch));
            }
        }
        Ok(forks)
    }

    /// Returns the genesis time, or an estimate that is not too early: that would make the present look
    /// past. Generators of devnets write the time as a sum; those that mean `MIN_GENESIS_TIME` alone
    /// have a short delay.
    fn genesis_time_seconds(&self) -> Result<Option<u64>, String> {
        let min = self.number("MIN_GENESIS_TIME", 0)?;
        let delay = self.number("GENESIS_DELAY", 0)?;
        match (min, delay) {
            (Some(min), Some(delay)) if !COPIED_GENESIS_TIMES.contains(&min) => {
                Ok(Some(min.saturating_add(delay)))
            }
            (Some(_) | None, Some(_) | None) => Ok(None),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
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
        match text.parse() {
            Ok(version) => Ok(Some(version)),
            Err(error) => {
                let error: HexError = error;
                Err(format!("{key}: {error}"))
            }
        }
    }

    fn number(&self, key: &str, min: u64) -> Result<Option<u64>, String> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if number >= min => Ok(Some(number)),
            Ok(_) | Err(_) => {
                let max = u64::MAX;
                Err(format!(
                    "{key}: expected a whole number from {min} to {max}, got {text:?}"
                ))
            }
        }
    }
}
