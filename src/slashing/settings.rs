//! How slashing protection is opened, and the limits that follow from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::interchange::{self, ImportError};
use super::limits::{ChainClock, NewStoreFloor, SigningLimits};
use super::postgres::{DatabaseSettings, PruningSettings};
use super::rule::Marks;
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct ProtectionSettings {
    /// An existing directory; one process at a time uses it.
    pub directory: PathBuf,
    /// A database for several instances; it is used instead of the directory.
    pub database: Option<DatabaseSettings>,
    /// How the database is pruned, if at all.
    pub pruning: Option<PruningSettings>,
    /// The lowest slot for a key without a block on record; replaces the clock's floor.
    pub min_slot: Option<Slot>,
    /// The lowest epoch for a key without a vote on record; replaces the clock's floor.
    pub min_epoch: Option<Epoch>,
    /// The chain of the chosen network: messages and imports of other chains are refused. `None` allows
    /// all chains.
    pub chain: Option<Root>,
    /// The clock of that chain, where its genesis time is known.
    pub clock: Option<ChainClock>,
    /// Whether there are keys that may have signed before; it matters when there is no store yet.
    pub has_keys: bool,
    /// Whether a lost store may be replaced by a new one.
    pub replaces_lost_store: bool,
}

impl ProtectionSettings {
    /// Checks whether an interchange file can be imported under these settings.
    ///
    /// # Errors
    /// [`ImportError::Invalid`].
    pub fn check_import(&self, json: &str, force: bool) -> Result<(), ImportError> {
        read_checked(json, self.chain, &self.limits(None), force).map(|_| ())
    }

    /// Returns what the operator must know, or do, about the floors.
    pub(crate) fn floor_notice(&self) -> Option<String> {
        if let Some(clock) = &self.clock {
            let seconds = clock.seconds_before_genesis()?;
            return Some(format!(
                "the clock of this host is {seconds} s before the genesis of --network: until then only the \
                 first epochs are signed; check the clock, unless the chain is new"
            ));
        }
        if self.min_slot.is_some() && self.min_epoch.is_some() {
            return None;
        }
        Some(
            "slashing protection has no floor: the genesis time of the chain is not known, so a key without \
             a record signs messages of the past, and messages of the far future are not refused; choose the \
             chain with --network (`network:` in the configuration file), or set \
             --slashing-protection-min-slot and --slashing-protection-min-epoch"
                .to_owned(),
        )
    }

    pub(super) fn limits(&self, new_store: Option<NewStoreFloor>) -> SigningLimits {
        SigningLimits {
            min_slot: self.min_slot,
            min_epoch: self.min_epoch,
            chain: self.chain,
            clock: self.clock,
            new_store,
        }
    }

    /// Returns the floor of a store that is made now: after the present, if keys may have signed before.
    pub(super) fn new_store_floor(&self, was_lost: bool) -> Option<NewStoreFloor> {
        let reason = if was_lost {
            "the slashing protection store was lost, and a new one is made"
        } else if self.has_keys {
            "there are keys, and there was no slashing protection store before"
        } else {
            return None;
        };
        let Some(clock) = self.clock else {
            log::warn!(
                "{reason}: neither what the keys have signed nor the genesis time of the chain is known, so \
                 there is no floor; import an interchange file, or choose the chain with --network"
            );
            return None;
        };
        let lowest = clock.after_present();
        log::warn!(
            "{reason}: what the keys have signed is not known, so nothing is signed below slot {}, epoch {}, \
             which is after the present epoch; import an interchange file if there is one",
            lowest.slot,
            lowest.epoch
        );
        Some(NewStoreFloor {
            lowest,
            chain: self.chain,
            genesis_time_seconds: clock.times.genesis_time_seconds,
        })
    }
}

/// Reads the chain and the marks of a file, and checks that they may be imported.
pub(super) fn read_checked(
    json: &str,
    expected: Option<Root>,
    limits: &SigningLimits,
    force: bool,
) -> Result<(Root, BTreeMap<PublicKey, Marks>), ImportError> {
    let (chain, keys) = interchange::read(json, expected)?;
    let bounds = limits.on(chain, limits.now(), None);
    if let Some(last) = bounds.future.filter(|_| !force) {
        interchange::check_future(&keys, last)?;
    }
    Ok((chain, keys))
}
