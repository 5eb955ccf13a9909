//! Deleting keys: wait for what is being loaded → decide → export → stop signing → export → remove.
//!
//! A deletion is final and honest. It knows every source of a key before it answers, removes only what
//! this program wrote, and gives the slashing protection data as they are after the last signature. If
//! those cannot be had, nothing has changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::change::{ChangeError, Outcome};
use super::imported::{self, RemoveError};
use super::keyring_state::{KeyringShared, KeyringState, KnownSource, SourceCondition};
use super::pool::Urgency;
use super::reader::Reader;
use super::scan::ListedSource;
use super::source::{KeySource, OpenContext, Stamp};
use crate::consensus::primitives::{PublicKey, Root};
use crate::slashing::ExportError;

/// How long a deletion waits for sources that are still being opened and may hold the key.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// What is to become of one key.
enum Decision {
    /// It goes, with these files, and from memory.
    Delete(Vec<(KeySource, KnownSource)>),
    /// It stays as it is.
    Answer(Outcome),
}

/// Deletes keys that were imported, and returns what became of each, with the slashing protection data
/// (EIP-3076) of those that are deleted or not active. `chain` chooses whose data, where a key has
/// signed on several.
pub(super) fn delete(
    shared: &KeyringShared,
    keys: &[PublicKey],
    chain: Option<Root>,
) -> Result<(Vec<Outcome>, String), ChangeError> {
    let wanted: HashSet<PublicKey> = keys.iter().copied().collect();
    open_unopened(shared, &wanted);
    let undecided = reserve(shared, &wanted);
    let done = delete_reserved(shared, keys, &wanted, &undecided, chain);
    {
        let mut state = shared.state();
        for key in wanted.difference(&undecided) {
            state.busy.remove(key);
        }
    }
    shared.tell();
    done
}

/// Opens the files that declare one of these keys and were not needed so far: only content counts.
fn open_unopened(shared: &KeyringShared, keys: &HashSet<PublicKey>) {
    let mut unopened = Vec::new();
    for (source, known) in &shared.state().known {
        let is_asked_for = known.keys.iter().any(|key| keys.contains(key));
        if known.condition == SourceCondition::Unopened && is_asked_for {
            unopened.push(ListedSource {
                source: source.clone(),
                listed_in: Arc::clone(&known.listed_in),
                stamp: known.stamp,
            });
        }
    }
    let context = OpenContext {
        pool: shared.pool.clone(),
        urgency: Urgency::Request,
        allow_insecure_permissions: shared.sources.allow_insecure_permissions,
        cache: None,
        parent: None,
    };
    let mut reader = Reader::new(&Arc::default());
    for listed in unopened {
        let source = listed.source.clone();
        let Ok(Ok(read)) = reader.run(move || source.read()) else {
            continue;
        };
        match read.open(&context, &mut reader) {
            Ok(opened) => {
                shared.take_opened(&listed, opened);
            }
            Err(reason) => log::warn!("{}: {reason}", listed.source.name()),
        }
    }
}

/// Makes these keys busy, once nothing that is being loaded can bring them any more and no other request
/// changes them. Returns those of which that cannot be said in time.
fn reserve(shared: &KeyringShared, keys: &HashSet<PublicKey>) -> HashSet<PublicKey> {
    let deadline = Instant::now() + WAIT_MAX;
    let mut state = shared.state();
    loop {
        let undecided: HashSet<PublicKey> = keys
            .iter()
            .filter(|key| state.busy.contains(key) || !state.is_wholly_decided(key))
            .copied()
            .collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if undecided.is_empty() || left.is_zero() {
            state.busy.extend(keys.difference(&undecided));
            return undecided;
        }
        state = shared.wait_for(state, left);
    }
}

fn delete_reserved(
    shared: &KeyringShared,
    keys: &[PublicKey],
    wanted: &HashSet<PublicKey>,
    undecided: &HashSet<PublicKey>,
    chain: Option<Root>,
) -> Result<(Vec<Outcome>, String), ChangeError> {
    let holders = holders_of(shared, wanted);
    let recorded = shared
        .protection
        .known_among(wanted.iter().copied().collect());
    let mut decisions = decide(shared, keys, undecided, &holders, &recorded);
    let told = told_keys(keys, &decisions);
    // Before anything changes: the records may be on several chains, or unreadable.
    export(shared, chain, &told)?;

    let mut deleted: HashMap<PublicKey, Vec<(KeySource, KnownSource)>> = HashMap::new();
    for (key, decision) in keys.iter().zip(&mut decisions) {
        if let Decision::Delete(sources) = decision {
            deleted.insert(*key, std::mem::take(sources));
        }
    }
    let gone: Vec<PublicKey> = deleted.keys().copied().collect();
    let mut state = shared.state();
    state.deletions_running += 1;
    let mut was_in_memory = Vec::new();
    for (key, sources) in &deleted {
        for (source, _) in sources {
            state.known.remove(source);
            state.deleted.insert(source.clone());
        }
        if state.in_memory.remove(key) {
            was_in_memory.push(*key);
        }
    }
    let withdrawn = shared.table.withdraw(&gone);
    drop(state);
    withdrawn.wait();

    let interchange = match export(shared, chain, &told) {
        Ok(interchange) => interchange,
        Err(error) => {
            let mut state = shared.state();
            shared.table.restore(withdrawn);
            state.in_memory.extend(was_in_memory);
            put_back(&mut state, deleted);
            end_deletion(state);
            return Err(error);
        }
    };

    let mut failed: HashMap<PublicKey, String> = HashMap::new();
    for (key, sources) in &deleted {
        for file in sources.iter().filter_map(|(source, _)| source.file()) {
            if let Err(error) = imported::remove(file) {
                failed.insert(*key, not_removed(file, error));
            }
        }
    }
    let mut state = shared.state();
    shared.table.forget(&gone);
    state.is_cache_stale |= !gone.is_empty();
    end_deletion(state);
    drop(withdrawn);
    log::info!("{} key(s) deleted", gone.len());

    let mut outcomes = Vec::with_capacity(keys.len());
    for (key, decision) in keys.iter().zip(decisions) {
        outcomes.push(match (decision, failed.get(key)) {
            (Decision::Answer(outcome), _) => outcome,
            (Decision::Delete(_), None) => Outcome::Deleted,
            (Decision::Delete(_), Some(reason)) => Outcome::Error(reason.clone()),
        });
    }
    Ok((outcomes, interchange))
}

/// A source that holds one of the keys, and whether its file is what it was when it was opened.
struct Holder {
    source: KeySource,
    known: KnownSource,
    has_changed: bool,
}

impl Holder {
    fn is_opened(&self) -> bool {
        self.known.condition == SourceCondition::Opened
    }
}

/// The sources of each key: those that hold it, and imports that are named after it and do not open.
fn holders_of(
    shared: &KeyringShared,
    keys: &HashSet<PublicKey>,
) -> HashMap<PublicKey, Vec<Holder>> {
    let mut holders: HashMap<PublicKey, Vec<Holder>> = HashMap::new();
    let mut add = |key: PublicKey, source: &KeySource, known: &KnownSource| {
        holders.entry(key).or_default().push(Holder {
            source: source.clone(),
            known: known.clone(),
            has_changed: false,
        });
    };
    for (source, known) in &shared.state().known {
        for key in known.held_keys().iter().filter(|key| keys.contains(key)) {
            add(*key, source, known);
        }
        if known.condition == SourceCondition::Failed
            && known.keys.is_empty()
            && let Some(key) = key_in_name(source)
            && keys.contains(&key)
        {
            add(key, source, known);
        }
    }
    // Nobody knows what a file holds that has changed since it was opened.
    for holder in holders.values_mut().flatten() {
        holder.has_changed = match holder.source.file().map(Stamp::of) {
            // What is not there any more cannot be destroyed.
            None | Some(Ok(None)) => false,
            Some(Ok(now)) => now != holder.known.stamp,
            Some(Err(_)) => true,
        };
    }
    holders
}

/// The key after which an import is named.
fn key_in_name(source: &KeySource) -> Option<PublicKey> {
    let stem = source.file()?.file_stem()?.to_str()?;
    let name = stem.split('-').next()?;
    source.is_imported().then(|| name.parse().ok())?
}

/// What is to become of each key, in the order in which they were asked for.
fn decide(
    shared: &KeyringShared,
    keys: &[PublicKey],
    undecided: &HashSet<PublicKey>,
    holders: &HashMap<PublicKey, Vec<Holder>>,
    recorded: &BTreeSet<PublicKey>,
) -> Vec<Decision> {
    let not_here = |key: &PublicKey| {
        Decision::Answer(if recorded.contains(key) {
            Outcome::NotActive
        } else {
            Outcome::NotFound
        })
    };
    let mut seen = HashSet::new();
    let mut decisions: Vec<Decision> = Vec::with_capacity(keys.len());
    for key in keys {
        let is_again = !seen.insert(*key);
        let decision = if undecided.contains(key) {
            Decision::Answer(Outcome::Error(
                "keys are still being loaded, and this may be one of them: nothing was removed; ask again"
                    .to_owned(),
            ))
        } else if is_again {
            not_here(key)
        } else {
            let holders = holders.get(key).map_or(&[][..], Vec::as_slice);
            decide_one(shared, key, holders).unwrap_or_else(|| not_here(key))
        };
        decisions.push(decision);
    }
    decisions
}

/// `None` when nobody holds the key.
fn decide_one(shared: &KeyringShared, key: &PublicKey, holders: &[Holder]) -> Option<Decision> {
    let error = |reason: String| Some(Decision::Answer(Outcome::Error(reason)));
    let mut own = Vec::new();
    for holder in holders {
        let name = holder.source.name();
        if !holder.source.is_imported() {
            return error(format!(
                "read-only: the key comes from {name}; nothing was removed"
            ));
        }
        if holder.known.condition == SourceCondition::Failed {
            if holder.known.keys.is_empty() && holders.iter().any(Holder::is_opened) {
                // Its name says nothing about what it holds.
                continue;
            }
            return error(format!(
                "{name} does not open, so that nobody knows what it holds; nothing was removed: mend it, or \
                 remove it by hand, and reload"
            ));
        }
        if holder.has_changed {
            return error(format!(
                "{name} has changed since it was opened; nothing was removed: reload (POST /reload), then \
                 delete again"
            ));
        }
        own.push((holder.source.clone(), holder.known.clone()));
    }
    let is_here = !own.is_empty() || shared.state().in_memory.contains(key);
    is_here.then_some(Decision::Delete(own))
}

/// The keys whose slashing protection data are told.
fn told_keys(keys: &[PublicKey], decisions: &[Decision]) -> Vec<PublicKey> {
    let mut told = Vec::new();
    let mut seen = HashSet::new();
    for (key, decision) in keys.iter().zip(decisions) {
        let is_told = match decision {
            Decision::Delete(_) => true,
            Decision::Answer(outcome) => *outcome == Outcome::NotActive,
        };
        if is_told && seen.insert(*key) {
            told.push(*key);
        }
    }
    told
}

fn export(
    shared: &KeyringShared,
    chain: Option<Root>,
    keys: &[PublicKey],
) -> Result<String, ChangeError> {
    let exported = shared.protection.export(chain, Some(keys));
    exported.map_err(|error| match error {
        ExportError::SeveralChains(_) => ChangeError::SeveralChains(error.to_string()),
        ExportError::Unavailable(unavailable) => ChangeError::Unavailable(unavailable.0),
    })
}

fn put_back(state: &mut KeyringState, deleted: HashMap<PublicKey, Vec<(KeySource, KnownSource)>>) {
    let number = state.scans;
    for (source, mut known) in deleted.into_values().flatten() {
        state.deleted.remove(&source);
        known.seen_in_scan = number;
        state.known.insert(source, known);
    }
}

fn end_deletion(mut state: MutexGuard<'_, KeyringState>) {
    state.deletions_running -= 1;
    state.forget_deleted();
}

/// What the caller is told when a file is still there. It is marked, so that it is not loaded again.
fn not_removed(file: &std::path::Path, error: RemoveError) -> String {
    let shown = file.display();
    match error {
        RemoveError::Password(error) => format!(
            "the key signs no more and its keystore is removed, but not its password, {}: {error}: remove \
             it by hand",
            file.with_extension("txt").display()
        ),
        RemoveError::Keystore(error) => match imported::bury(file) {
            Ok(()) => {
                log::error!("{shown}: cannot be removed: {error}; marked as deleted");
                format!(
                    "the key signs no more, but {shown} cannot be removed: {error}; it is marked as deleted \
                     and will not be loaded again: remove it by hand"
                )
            }
            Err(mark_error) => {
                log::error!(
                    "{shown}: cannot be removed: {error}; nor marked as deleted: {mark_error}"
                );
                format!(
                    "the key signs no more until the next start or reload: {shown} cannot be removed: \
                     {error}; nor can it be marked as deleted: {mark_error}: remove it by hand at once"
                )
            }
        },
    }
}
