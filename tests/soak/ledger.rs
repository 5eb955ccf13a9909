//! All that was asked for and signed in the run, and whether two signatures are slashable.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::chain::{Bytes32, SlashableDuty};

/// What every key has signed.
#[derive(Debug, Default)]
pub(crate) struct SignedDuties(Mutex<HashMap<String, KeyHistory>>);

#[derive(Debug, Default)]
struct KeyHistory {
    latest_block_asked: u64,
    latest_target_asked: u64,
    /// Slot to signing root.
    blocks: BTreeMap<u64, Bytes32>,
    /// Target epoch to source epoch and signing root.
    votes: BTreeMap<u64, (u64, Bytes32)>,
}

impl SignedDuties {
    /// Adds what a key has signed.
    ///
    /// # Errors
    ///
    /// A sentence about the two messages, when this one and an earlier one are slashable.
    pub(crate) fn add(
        &self,
        public_key: &str,
        duty: SlashableDuty,
        signing_root: Bytes32,
    ) -> Result<(), String> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = keys.entry(public_key.to_owned()).or_default();
        match duty {
            SlashableDuty::Block { slot } => history.add_block(slot, signing_root),
            SlashableDuty::Vote { source, target } => {
                history.add_vote(source, target, signing_root)
            }
        }
        .map_err(|what| format!("SLASHABLE: key {public_key} has signed {what}"))
    }

    /// Records that a signature is asked for.
    pub(crate) fn ask(&self, public_key: &str, duty: SlashableDuty) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = keys.entry(public_key.to_owned()).or_default();
        match duty {
            SlashableDuty::Block { slot } => {
                history.latest_block_asked = history.latest_block_asked.max(slot);
            }
            SlashableDuty::Vote { target, .. } => {
                history.latest_target_asked = history.latest_target_asked.max(target);
            }
        }
    }

    /// Whether the key may have signed something later than this: then a refusal is right.
    pub(crate) fn may_have_later(&self, public_key: &str, duty: SlashableDuty) -> bool {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(public_key).is_some_and(|history| match duty {
            SlashableDuty::Block { slot } => history.latest_block_asked > slot,
            SlashableDuty::Vote { target, .. } => history.latest_target_asked > target,
        })
    }
}

/// Stops the run if the slashing conditions of this file do not find what they must.
pub(crate) fn check_conditions() {
    let vote = |source, target| SlashableDuty::Vote { source, target };
    let block = |slot| SlashableDuty::Block { slot };
    for (first, second, is_slashable) in [
        (block(5), block(5), true),
        (block(5), block(6), false),
        (block(6), block(5), false),
        (vote(1, 5), vote(1, 5), true),
        (vote(1, 5), vote(2, 5), true),
        (vote(2, 3), vote(1, 4), true),
        (vote(1, 4), vote(2, 3), true),
        (vote(1, 4), vote(1, 3), false),
        (vote(1, 4), vote(4, 5), false),
    ] {
        let duties = SignedDuties::default();
        duties.add("key", first, [1; 32]).expect("the first one");
        duties.add("key", first, [1; 32]).expect("the same again");
        duties.add("other", second, [2; 32]).expect("another key");
        let found = duties.add("key", second, [2; 32]).is_err();
        assert_eq!(found, is_slashable, "{first:?} and {second:?}");
    }
}

impl KeyHistory {
    fn add_block(&mut self, slot: u64, root: Bytes32) -> Result<(), String> {
        let known = *self.blocks.entry(slot).or_insert(root);
        if known == root {
            Ok(())
        } else {
            Err(format!("two blocks of slot {slot}"))
        }
    }

    fn add_vote(&mut self, source: u64, target: u64, root: Bytes32) -> Result<(), String> {
        if let Some(&(known_source, known_root)) = self.votes.get(&target) {
            return if (known_source, known_root) == (source, root) {
                Ok(())
            } else {
                Err(format!("two votes for target {target}"))
            };
        }
        let surrounding = self
            .votes
            .range(target + 1..)
            .find(|(_, (known_source, _))| *known_source < source);
        let surrounded = self
            .votes
            .range(source + 1..target)
            .find(|(_, (known_source, _))| *known_source > source);
        if let Some((known_target, (known_source, _))) = surrounding.or(surrounded) {
            return Err(format!(
                "the votes {source} to {target} and {known_source} to {known_target}"
            ));
        }
        self.votes.insert(target, (source, root));
        Ok(())
    }
}
