//! Importing keystores: parse, derive, reserve, store, publish.
//!
//! A key that is reported as imported is on disk, can be loaded again, and is in the table. If a file cannot
//! be written, nothing is imported, and existing files are not touched.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::arena;
use super::change::{ChangeError, Outcome, log_keys};
use super::imported::{self, NewKey};
use super::keyring_state::{KeyringShared, KnownSource, SourceCondition};
use super::keystore::Keystore;
use super::password::PasswordVariant;
use super::pool::Urgency;
use super::source::{KeySource, OpenedKey};
use super::table::{Found, KeyOrigin};
use crate::consensus::primitives::PublicKey;
use crate::counted::counted;
use crate::files::FileStamp;
use crate::slashing::ImportError;
use crate::wait::lock;

/// How long an import waits for a key that is being loaded, or that another request imports or deletes.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// How many failures of one import the log explains.
const FAILURES_LOGGED_MAX: usize = 16;

/// One keystore of an import: its key, or the outcome if it is not imported.
type OpenedImport = Result<OpenedKey, Outcome>;

/// Imports the slashing protection data in `interchange`, then the keystores in their order.
pub(super) fn import(
    shared: &KeyringShared,
    new_keys: &[NewKey],
    interchange: Option<String>,
) -> Result<Vec<Outcome>, ChangeError> {
    if let Some(json) = interchange {
        import_slashing_data(shared, json)?;
    }
    let mut items = open_all(shared, new_keys);
    let reserved = reserve(shared, &mut items);
    let stored = store(shared, new_keys, &items);
    let outcomes = publish(shared, new_keys, items, stored);
    {
        let mut state = shared.state();
        for key in &reserved {
            state.busy.remove(key);
        }
    }
    shared.notify();
    let mut failed = 0;
    for outcome in &outcomes {
        if let Outcome::Error(reason) = outcome {
            failed += 1;
            if failed <= FAILURES_LOGGED_MAX {
                log::warn!("a keystore was not imported: {reason}");
            }
        }
    }
    if failed > FAILURES_LOGGED_MAX {
        log::warn!("{failed} keystores were not imported");
    }
    Ok(outcomes)
}

fn log_duplicate(key: &PublicKey) {
    log::info!("{key}: not imported, it is loaded already");
}

fn import_slashing_data(shared: &KeyringShared, json: String) -> Result<(), ChangeError> {
    match shared.protection.import_text(json, false) {
        Ok(imported) => {
            log::info!(
                "slashing protection data of {} imported",
                counted(imported.keys, "key", "keys")
            );
            Ok(())
        }
        Err(ImportError::Unavailable(error)) => Err(ChangeError::Unavailable(error.0)),
        Err(error) => Err(ChangeError::Interchange(error.to_string())),
    }
}

/// Opens all keystores, on as many threads as derivations can run.
fn open_all(shared: &KeyringShared, new_keys: &[NewKey]) -> Vec<OpenedImport> {
    let openers = shared.pool.threads_max().min(new_keys.len());
    let queue = Mutex::new((0..new_keys.len()).collect::<VecDeque<usize>>());
    let results = Mutex::new(Vec::with_capacity(new_keys.len()));
    thread::scope(|scope| {
        for _ in 0..openers {
            scope.spawn(|| {
                arena::lower_priority();
                loop {
                    let Some(index) = lock(&queue).pop_front() else {
                        return;
                    };
                    let opened = catch_unwind(AssertUnwindSafe(|| open(shared, &new_keys[index])))
                        .unwrap_or_else(|_| Err(Outcome::Error("internal fault".to_owned())));
                    lock(&results).push((index, opened));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, opened)| opened).collect()
}

fn open(shared: &KeyringShared, new: &NewKey) -> OpenedImport {
    let error = |reason: String| Outcome::Error(reason);
    // Files have the same limits, so that an imported keystore can be loaded at the next start.
    let keystore =
        Keystore::parse(new.keystore.as_bytes()).map_err(|fault| error(fault.to_string()))?;
    if let Some(key) = keystore.public_key()
        && matches!(shared.table.find(&key), Found::Ready(_))
    {
        log_duplicate(&key);
        return Err(Outcome::Duplicate);
    }
    let _permit = shared
        .pool
        .acquire(keystore.memory_bytes(), Urgency::Request)
        .map_err(error)?;
    let (secret, variant) = keystore
        .open_with_variants(&new.password)
        .map_err(|fault| error(fault.to_string()))?;
    if variant != PasswordVariant::AsGiven {
        log::info!(
            "{}: opened with its password {variant}",
            secret.public_key()
        );
    }
    let origin = KeyOrigin {
        derivation_path: keystore.path().map(str::to_owned),
        readonly: false,
        file: None,
    };
    Ok((secret, origin))
}

/// Marks the keys of this import as busy, so that no other request changes them in the meantime. Keys that
/// are loaded already, or twice in the import, become duplicates. Waits for keys that are being loaded, or
/// that another request imports or deletes.
fn reserve(shared: &KeyringShared, items: &mut [OpenedImport]) -> Vec<PublicKey> {
    let deadline = Instant::now() + WAIT_MAX;
    let mut state = shared.state();
    loop {
        let mut seen = HashSet::new();
        let mut undecided = false;
        for item in items.iter_mut() {
            let Ok((secret, _)) = item else { continue };
            let key = secret.public_key();
            if state.is_held(&key, &shared.table) || !seen.insert(key) {
                log_duplicate(&key);
                *item = Err(Outcome::Duplicate);
            } else if state.busy.contains(&key) || state.may_be_loaded_as_declared(&key) {
                undecided = true;
            }
        }
        if !undecided {
            break;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            for item in items.iter_mut() {
                let Ok((secret, _)) = item else { continue };
                let key = secret.public_key();
                if state.busy.contains(&key) || state.may_be_loaded_as_declared(&key) {
                    *item = Err(Outcome::Error(format!(
                        "{key} is still being loaded from another source: try again when loading has ended"
                    )));
                }
            }
            break;
        }
        state = shared.wait_for(state, left);
    }
    let mut reserved = Vec::new();
    for (secret, _) in items.iter().flatten() {
        reserved.push(secret.public_key());
    }
    state.busy.extend(&reserved);
    reserved
}

/// Writes all keystores that have opened, or none, if imports are kept on disk.
fn store(
    shared: &KeyringShared,
    new_keys: &[NewKey],
    items: &[OpenedImport],
) -> Result<Vec<KeySource>, String> {
    let Some(data_dir) = shared.imports_dir() else {
        return Ok(Vec::new());
    };
    let mut imports = Vec::new();
    for (new, item) in new_keys.iter().zip(items) {
        if let Ok((secret, _)) = item {
            imports.push((secret.public_key(), new));
        }
    }
    if imports.is_empty() {
        return Ok(Vec::new());
    }
    imported::store(data_dir, &imports)
        .map_err(|error| format!("it could not be stored in {}: {error}", data_dir.display()))
}

/// Publishes the keys that were stored, all at once.
fn publish(
    shared: &KeyringShared,
    new_keys: &[NewKey],
    items: Vec<OpenedImport>,
    stored: Result<Vec<KeySource>, String>,
) -> Vec<Outcome> {
    let is_in_memory = shared.imports_dir().is_none();
    let mut sources = stored.as_ref().map_or(Vec::new(), Clone::clone).into_iter();
    let mut outcomes = Vec::with_capacity(items.len());
    let mut ready: Vec<OpenedKey> = Vec::new();
    let mut known: Vec<(KeySource, KnownSource)> = Vec::new();
    for (new, item) in new_keys.iter().zip(items) {
        let (secret, mut origin) = match (item, &stored) {
            (Err(outcome), _) => {
                outcomes.push(outcome);
                continue;
            }
            (Ok(_), Err(reason)) => {
                outcomes.push(Outcome::Error(reason.clone()));
                continue;
            }
            (Ok(opened), Ok(_)) => opened,
        };
        outcomes.push(Outcome::Imported);
        if let Some(source) = sources.next() {
            origin.file = source.file().map(ToOwned::to_owned);
            known.push(known_source(shared, source, secret.public_key(), new));
        }
        ready.push((secret, origin));
    }
    if ready.is_empty() {
        return outcomes;
    }
    let keys: Vec<PublicKey> = ready
        .iter()
        .map(|(secret, _)| secret.public_key())
        .collect();
    // A shared database may have them disabled, by a deletion on any instance.
    if let Err(unavailable) = shared.protection.set_enabled(keys.clone(), true) {
        log::warn!("imported keys may still be disabled: {unavailable}");
    }
    {
        let mut state = shared.state();
        for (source, mut entry) in known {
            entry.seen_in_scan = state.scans;
            state.known.insert(source, entry);
        }
        if is_in_memory {
            state.in_memory.extend(&keys);
        }
        shared.table.insert(ready);
        state.is_cache_stale = true;
    }
    let what_happened = if is_in_memory {
        "imported, in memory only: gone after a restart"
    } else {
        "imported"
    };
    log_keys(&keys, what_happened);
    outcomes
}

fn known_source(
    shared: &KeyringShared,
    source: KeySource,
    key: PublicKey,
    new: &NewKey,
) -> (KeySource, KnownSource) {
    let file = source.file();
    let known = KnownSource {
        listed_in: Arc::from(file.and_then(Path::parent).unwrap_or(Path::new(""))),
        seen_in_scan: 0,
        stamp: file.and_then(|file| FileStamp::of(file).ok().flatten()),
        condition: SourceCondition::Opened,
        keys: [key].into(),
        password_mark: Some(shared.password_mark(&new.password)),
    };
    (source, known)
}
