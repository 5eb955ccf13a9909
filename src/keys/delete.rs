//! Deleting keys: wait for what is being loaded, decide, export, stop signing, export again, remove.
//!
//! A deletion is final. It knows every source of a key before it decides, removes only files that this
//! program wrote, and returns the slashing protection data as they are after the last signature. If these
//! cannot be exported, nothing is changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::{ChangeError, Outcome, log_keys};
use super::imported::{self, RemoveError};
use super::keyring_state::{KeyringShared, KeyringState, KnownSource, SourceCondition};
use super::pool::Urgency;
use super::reader::TimedReader;
use super::scan::ListedSource;
use super::source::{KeySource, OpenContext};
use super::table::Withdrawn;
use crate::consensus::primitives::{PublicKey, Root};
use crate::files::FileStamp;
use crate::slashing::ExportError;

/// How long a deletion waits for sources that are still being opened and may have the key.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// What is decided for one key.
enum DeletionDecision {
    /// It is deleted, with these sources.
    Delete(Vec<(KeySource, KnownSource)>),
    /// Nothing is changed.
    Refuse(Outcome),
}

/// The keys to be deleted, with their sources.
type KeysToDelete = HashMap<PublicKey, Vec<(KeySource, KnownSource)>>;

/// Deletes imported keys. Returns the outcome for each, and the slashing protection data (EIP-3076) of those
/// that are deleted or not active. `chain` chooses the data if a key has signed on several chains.
pub(super) fn delete(
    shared: &KeyringShared,
    keys: &[PublicKey],
    chain: Option<Root>,
) -> Result<(Vec<Outcome>, String), ChangeError> {
    let wanted: HashSet<PublicKey> = keys.iter().copied().collect();
    open_unopened(shared, &wanted);
    let undecided = reserve(shared, &wanted);
    let result = delete_reserved(shared, keys, &wanted, &undecided, chain);
    {
        let mut state = shared.state();
        for key in wanted.difference(&undecided) {
            state.busy.remove(key);
        }
    }
    shared.notify();
    result
}

/// Opens the files that declare one of these keys and were not opened so far, because another source has the
/// key: only opening shows whether they have it too.
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
        passwords: shared.password_reader(),
        cache: None,
        parent: None,
    };
    let mut reader = TimedReader::new(&Arc::default());
    for listed in unopened {
        let source = listed.source.clone();
        let Ok(Ok(read)) = reader.run(move || source.read()) else {
            continue;
        };
        match read.open(&context, Urgency::Request, &mut reader) {
            Ok(opened) => {
                shared.publish_opened(&listed, opened);
            }
            Err(reason) => log::warn!("{}: {reason}", listed.source.name()),
        }
    }
}

/// Marks these keys as busy, once the running load cannot bring them any more and no other request changes
/// them. Returns those that are not marked within the time.
fn reserve(shared: &KeyringShared, keys: &HashSet<PublicKey>) -> HashSet<PublicKey> {
    let deadline = Instant::now() + WAIT_MAX;
    let mut state = shared.state();
    loop {
        let undecided: HashSet<PublicKey> = keys
            .iter()
            .filter(|key| state.busy.contains(key) || state.may_be_loaded(key))
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

/// Deletes keys that no other change works on.
fn delete_reserved(
    shared: &KeyringShared,
    keys: &[PublicKey],
    wanted: &HashSet<PublicKey>,
    undecided: &HashSet<PublicKey>,
    chain: Option<Root>,
) -> Result<(Vec<Outcome>, String), ChangeError> {
    let holders = find_holders(shared, wanted);
    let recorded = shared
        .protection
        .known_among(wanted.iter().copied().collect());
    let decisions = decide(shared, keys, undecided, &holders, &recorded);
    let exported = keys_to_export(keys, &decisions);
    // Try the export before anything changes: the records may be on several chains, or unreadable.
    export(shared, chain, &exported)?;

    let mut to_delete: KeysToDelete = HashMap::new();
    for (key, decision) in keys.iter().zip(&decisions) {
        if let DeletionDecision::Delete(sources) = decision {
            to_delete.insert(*key, sources.clone());
        }
    }
    let (withdrawn, was_in_memory) = withdraw(shared, &to_delete);
    withdrawn.wait();

    let gone: Vec<PublicKey> = to_delete.keys().copied().collect();
    // In a shared database, no other instance signs with these keys from now on.
    let disabled = shared.protection.set_enabled(gone.clone(), false);
    let disabled = disabled.map_err(|unavailable| ChangeError::Unavailable(unavailable.0));
    let interchange = match disabled.and_then(|()| export(shared, chain, &exported)) {
        Ok(interchange) => interchange,
        Err(error) => {
            // The first error is the one to report. A key that stays disabled is an error when it is used.
            let _ = shared.protection.set_enabled(gone, true);
            restore(shared, to_delete, was_in_memory, withdrawn);
            return Err(error);
        }
    };

    let failed = remove_files(&to_delete);
    {
        let mut state = shared.state();
        shared.table.forget(&gone);
        state.is_cache_stale |= !gone.is_empty();
        end_deletion(&mut state);
    }
    let mut deleted = Vec::new();
    let mut outcomes = Vec::with_capacity(keys.len());
    for (key, decision) in keys.iter().zip(decisions) {
        outcomes.push(match (decision, failed.get(key)) {
            (DeletionDecision::Refuse(outcome), _) => outcome,
            (DeletionDecision::Delete(_), None) => {
                deleted.push(*key);
                Outcome::Deleted
            }
            (DeletionDecision::Delete(_), Some(reason)) => Outcome::Error(reason.clone()),
        });
    }
    log_keys(&deleted, "deleted");
    Ok((outcomes, interchange))
}

/// Takes the keys out of the table and forgets their sources. Returns those that were in memory too.
fn withdraw(shared: &KeyringShared, to_delete: &KeysToDelete) -> (Withdrawn, Vec<PublicKey>) {
    let keys: Vec<PublicKey> = to_delete.keys().copied().collect();
    let mut was_in_memory = Vec::new();
    let mut state = shared.state();
    state.deletions_running += 1;
    for (key, sources) in to_delete {
        for (source, _) in sources {
            state.known.remove(source);
            state.deleted.insert(source.clone());
        }
        if state.in_memory.remove(key) {
            was_in_memory.push(*key);
        }
    }
    (shared.table.withdraw(&keys), was_in_memory)
}

/// Undoes [`withdraw`].
fn restore(
    shared: &KeyringShared,
    to_delete: KeysToDelete,
    was_in_memory: Vec<PublicKey>,
    withdrawn: Withdrawn,
) {
    let mut state = shared.state();
    shared.table.restore(withdrawn);
    state.in_memory.extend(was_in_memory);
    let scan = state.scans;
    for (source, mut known) in to_delete.into_values().flatten() {
        state.deleted.remove(&source);
        known.seen_in_scan = scan;
        state.known.insert(source, known);
    }
    end_deletion(&mut state);
}

/// Removes the files of the keys. Returns what could not be removed, for each key.
fn remove_files(to_delete: &KeysToDelete) -> HashMap<PublicKey, String> {
    let mut failed = HashMap::new();
    for (key, sources) in to_delete {
        for file in sources.iter().filter_map(|(source, _)| source.file()) {
            if let Err(error) = imported::remove(file) {
                failed.insert(*key, not_removed(file, error));
            }
        }
    }
    failed
}

/// A source that has one of the keys, and whether its file has changed since it was opened.
struct KeyHolder {
    source: KeySource,
    known: KnownSource,
    has_changed: bool,
}

impl KeyHolder {
    fn is_opened(&self) -> bool {
        self.known.condition == SourceCondition::Opened
    }
}

/// Finds the sources of each key: those that have it, and imports that are named after it and do not open.
fn find_holders(
    shared: &KeyringShared,
    keys: &HashSet<PublicKey>,
) -> HashMap<PublicKey, Vec<KeyHolder>> {
    let mut holders: HashMap<PublicKey, Vec<KeyHolder>> = HashMap::new();
    let mut add = |key: PublicKey, source: &KeySource, known: &KnownSource| {
        holders.entry(key).or_default().push(KeyHolder {
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
    // A file that has changed since it was opened may have another key.
    for holder in holders.values_mut().flatten() {
        holder.has_changed = match holder.source.file().map(FileStamp::of) {
            // A missing file cannot be removed.
            None | Some(Ok(None)) => false,
            Some(Ok(now)) => now != holder.known.stamp,
            Some(Err(_)) => true,
        };
    }
    holders
}

/// The key in the name of an import.
fn key_in_name(source: &KeySource) -> Option<PublicKey> {
    let stem = source.file()?.file_stem()?.to_str()?;
    let name = stem.split('-').next()?;
    source.is_imported().then(|| name.parse().ok())?
}

/// Decides for each key, in the order of the request.
fn decide(
    shared: &KeyringShared,
    keys: &[PublicKey],
    undecided: &HashSet<PublicKey>,
    holders: &HashMap<PublicKey, Vec<KeyHolder>>,
    recorded: &BTreeSet<PublicKey>,
) -> Vec<DeletionDecision> {
    let not_here = |key: &PublicKey| {
        DeletionDecision::Refuse(if recorded.contains(key) {
            Outcome::NotActive
        } else {
            Outcome::NotFound
        })
    };
    let mut seen = HashSet::new();
    let mut decisions: Vec<DeletionDecision> = Vec::with_capacity(keys.len());
    for key in keys {
        let is_again = !seen.insert(*key);
        let decision = if undecided.contains(key) {
            DeletionDecision::Refuse(Outcome::Error(
                "keys are still being loaded, and this may be one of them: nothing was removed; try again"
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

/// Decides for one key; `None` when nothing has it.
fn decide_one(
    shared: &KeyringShared,
    key: &PublicKey,
    holders: &[KeyHolder],
) -> Option<DeletionDecision> {
    let error = |reason: String| Some(DeletionDecision::Refuse(Outcome::Error(reason)));
    let mut own = Vec::new();
    for holder in holders {
        let name = holder.source.name();
        if !holder.source.is_imported() {
            return error(format!(
                "read-only: the key comes from {name}; nothing was removed"
            ));
        }
        if holder.known.condition == SourceCondition::Failed {
            if holder.known.keys.is_empty() && holders.iter().any(KeyHolder::is_opened) {
                // Only its name says that it has the key.
                continue;
            }
            return error(format!(
                "{name} does not open, so it is not known which key it has; nothing was removed: repair it, or \
                 remove it by hand, then reload"
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
    is_here.then_some(DeletionDecision::Delete(own))
}

/// The keys whose slashing protection data are returned.
fn keys_to_export(keys: &[PublicKey], decisions: &[DeletionDecision]) -> Vec<PublicKey> {
    let mut exported = Vec::new();
    let mut seen = HashSet::new();
    for (key, decision) in keys.iter().zip(decisions) {
        let is_exported = match decision {
            DeletionDecision::Delete(_) => true,
            DeletionDecision::Refuse(outcome) => *outcome == Outcome::NotActive,
        };
        if is_exported && seen.insert(*key) {
            exported.push(*key);
        }
    }
    exported
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

fn end_deletion(state: &mut KeyringState) {
    state.deletions_running -= 1;
    state.forget_deleted();
}

/// Makes the message for a file that could not be removed, and marks a keystore as deleted, so that it is not
/// loaded again.
fn not_removed(file: &Path, error: RemoveError) -> String {
    let shown = file.display();
    match error {
        RemoveError::Password(error) => format!(
            "the key does not sign any more and its keystore is removed, but its password is not, {}: {error}: \
             remove it by hand",
            file.with_extension("txt").display()
        ),
        RemoveError::Keystore(error) => match imported::mark_deleted(file) {
            Ok(()) => {
                log::error!("{shown}: cannot be removed: {error}; marked as deleted");
                format!(
                    "the key does not sign any more, but {shown} cannot be removed: {error}; it is marked as \
                     deleted and will not be loaded again: remove it by hand"
                )
            }
            Err(mark_error) => {
                log::error!(
                    "{shown}: cannot be removed: {error}; nor marked as deleted: {mark_error}"
                );
                format!(
                    "the key does not sign any more, but it will after the next start or reload: {shown} \
                     cannot be removed: {error}; nor can it be marked as deleted: {mark_error}: remove it by \
                     hand at once"
                )
            }
        },
    }
}
