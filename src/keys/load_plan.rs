//! The decisions of a load: what to read, what to open, and what is gone.
//!
//! Nothing here reads a file or derives a key: all of it runs under the lock of the keyring.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::keyring_state::{KeyringShared, KeyringState, KnownSource, SourceCondition};
use super::scan::{ListedSource, Scan};
use super::source::{KeySource, ReadError, ReadSource};
use crate::consensus::primitives::PublicKey;
use crate::counted::counted;
use crate::files::FileError;

/// One source to be opened, or several that declare the same key, which are tried until one opens.
pub(super) struct OpenTask {
    pub(super) declared: Option<PublicKey>,
    /// Whether a request waits for its key.
    pub(super) is_wanted: bool,
    pub(super) alternatives: Vec<(ListedSource, ReadSource)>,
}

/// What a load decides after it has read what is new.
pub(super) struct LoadPlan {
    pub(super) tasks: Vec<OpenTask>,
    /// Sources that are gone, but whose keys may come from one of the tasks.
    pub(super) gone: Vec<KeySource>,
}

pub(super) type ReadResult = (ListedSource, Result<ReadSource, ReadError>);

/// Finds the sources that are new, have changed, did not open the last time, or declare a key that no source
/// has any more.
pub(super) fn sources_to_read(shared: &KeyringShared, scan: &Scan) -> Vec<ListedSource> {
    let mut state = shared.state();
    let kept = kept_keys(&state, scan);
    let scan_number = state.scans;
    let mut to_read = Vec::new();
    for listed in &scan.sources {
        if state.deleted.contains(&listed.source) {
            continue;
        }
        if let Some(known) = state.known.get_mut(&listed.source) {
            let is_unchanged = known.stamp == listed.stamp
                && match known.condition {
                    SourceCondition::Opened | SourceCondition::OtherJson => true,
                    SourceCondition::Unopened => known.keys.iter().all(|key| kept.contains(key)),
                    SourceCondition::Failed => false,
                };
            if is_unchanged {
                known.seen_in_scan = scan_number;
                continue;
            }
        }
        to_read.push(listed.clone());
    }
    to_read
}

/// Decides what to open, and removes the keys that are gone and cannot come from what is opened.
pub(super) fn plan(shared: &KeyringShared, scan: &Scan, read: Vec<ReadResult>) -> LoadPlan {
    let mut state = shared.state();
    let scan_number = state.scans;
    let kept = kept_keys(&state, scan);
    let mut by_key: HashMap<PublicKey, OpenTask> = HashMap::new();
    let mut tasks: Vec<OpenTask> = Vec::new();
    let mut replaced: Vec<PublicKey> = Vec::new();
    for (listed, result) in read {
        if state.deleted.contains(&listed.source) {
            continue;
        }
        let read = match result {
            Ok(read) => read,
            // Its entry is not marked as seen, and so it counts as gone.
            Err(ReadError::Gone) => continue,
            Err(ReadError::OtherJson) => {
                log::info!("{}: skipped, not a keystore", listed.source.name());
                replaced.extend(note_other_json(&mut state, &listed));
                continue;
            }
            Err(ReadError::Failed(error)) => {
                note_unreadable(&mut state, &listed, &error);
                continue;
            }
        };
        let declared = read.declared_key();
        if let Some(key) = declared.filter(|key| kept.contains(key)) {
            let before = note_unopened(&mut state, &listed, key);
            replaced.extend(before.into_iter().filter(|before| *before != key));
            continue;
        }
        if let Some(known) = state.known.get_mut(&listed.source) {
            known.seen_in_scan = scan_number;
        }
        let alternative = (listed, read);
        match declared {
            Some(key) => {
                let task = by_key.entry(key).or_insert_with(|| OpenTask {
                    declared,
                    is_wanted: false,
                    alternatives: Vec::new(),
                });
                task.alternatives.push(alternative);
            }
            None => tasks.push(OpenTask {
                declared,
                is_wanted: false,
                alternatives: vec![alternative],
            }),
        }
    }
    tasks.extend(by_key.into_values());
    // Cheap ones first: they sign while the others are opened.
    tasks.sort_by_key(|task| (task.memory_bytes(), task.name()));
    state.release(&replaced, &shared.table);
    let gone = drop_gone(shared, &mut state, scan, &tasks);
    shared
        .table
        .expect(tasks.iter().filter_map(|task| task.declared).collect());
    if let Some(load) = &mut state.load {
        for task in &tasks {
            load.await_source(task.declared);
        }
        load.begin_to_open(tasks.iter().map(OpenTask::keys_expected).sum());
    }
    shared.notify();
    LoadPlan { tasks, gone }
}

/// Notes that a source failed. It keeps its keys, unless it declares another key. Returns the keys that it has
/// no more.
#[must_use = "a key that no source has must be released"]
pub(super) fn note_failed(
    state: &mut KeyringState,
    listed: &ListedSource,
    declared: Option<PublicKey>,
) -> Vec<PublicKey> {
    let scan_number = state.scans;
    let known = state
        .known
        .entry(listed.source.clone())
        .or_insert_with(|| KnownSource {
            listed_in: Arc::clone(&listed.listed_in),
            seen_in_scan: scan_number,
            stamp: None,
            condition: SourceCondition::Failed,
            keys: Box::default(),
            password_mark: None,
        });
    known.seen_in_scan = scan_number;
    known.stamp = listed.stamp;
    known.password_mark = None;
    let before = known.held_keys().to_vec();
    known.condition = SourceCondition::Failed;
    let is_another = declared.is_some_and(|key| before.iter().any(|held| *held != key));
    known.keys = if is_another {
        Box::default()
    } else {
        before.clone().into()
    };
    if is_another { before } else { Vec::new() }
}

/// Notes a source whose declared key another source has; returns the keys that it had before.
#[must_use = "a key that no source has must be released"]
pub(super) fn note_unopened(
    state: &mut KeyringState,
    listed: &ListedSource,
    declared: PublicKey,
) -> Vec<PublicKey> {
    note_without_keys(state, listed, SourceCondition::Unopened, [declared].into())
}

/// Notes a file that is not a keystore; returns the keys that it had before.
#[must_use = "a key that no source has must be released"]
fn note_other_json(state: &mut KeyringState, listed: &ListedSource) -> Vec<PublicKey> {
    note_without_keys(state, listed, SourceCondition::OtherJson, Box::default())
}

fn note_without_keys(
    state: &mut KeyringState,
    listed: &ListedSource,
    condition: SourceCondition,
    keys: Box<[PublicKey]>,
) -> Vec<PublicKey> {
    let known = KnownSource {
        listed_in: Arc::clone(&listed.listed_in),
        seen_in_scan: state.scans,
        stamp: listed.stamp,
        condition,
        keys,
        password_mark: None,
    };
    let before = state.known.insert(listed.source.clone(), known);
    before.map_or(Vec::new(), |known| known.held_keys().to_vec())
}

/// Forgets sources that are gone, and removes their keys unless another source has them.
pub(super) fn drop_sources(shared: &KeyringShared, state: &mut KeyringState, gone: &[KeySource]) {
    let mut keys = Vec::new();
    for source in gone {
        if let Some(known) = state.known.remove(source) {
            keys.extend(known.held_keys().iter().copied());
        }
    }
    let dropped = state.release(&keys, &shared.table);
    if dropped > 0 {
        let keys = counted(dropped, "key", "keys");
        log::info!("dropped {keys} whose files are gone");
    }
}

/// The name and the reason of a failure, as health reports them.
pub(super) fn failure(error: &FileError) -> (String, String) {
    (error.path.display().to_string(), error.reason.clone())
}

/// Whether a source may still exist although it was not found, because of a problem in its directory.
fn is_hidden(source: &KeySource, listed_in: &Path, scan: &Scan) -> bool {
    let mut problems = scan.problems.iter().chain(&scan.root_problems);
    problems.any(|problem| {
        listed_in == problem.path
            || source
                .file()
                .is_some_and(|file| file.starts_with(&problem.path))
    })
}

/// The keys that stay whatever is opened: those of sources that are unchanged or hidden by a problem.
fn kept_keys(state: &KeyringState, scan: &Scan) -> HashSet<PublicKey> {
    let listed: HashMap<&KeySource, &ListedSource> = scan
        .sources
        .iter()
        .map(|listed| (&listed.source, listed))
        .collect();
    let mut kept = state.in_memory.clone();
    for (source, known) in &state.known {
        let is_kept = match listed.get(source) {
            Some(listed) => known.stamp == listed.stamp,
            None => is_hidden(source, &known.listed_in, scan),
        };
        if is_kept && known.condition == SourceCondition::Opened {
            kept.extend(known.keys.iter().copied());
        }
    }
    kept
}

/// Removes the sources that are gone, but returns those whose keys may come from one of the tasks: their keys
/// sign until that is known.
fn drop_gone(
    shared: &KeyringShared,
    state: &mut KeyringState,
    scan: &Scan,
    tasks: &[OpenTask],
) -> Vec<KeySource> {
    let scan_number = state.scans;
    let is_undeclared = tasks.iter().any(|task| task.declared.is_none());
    let declared: HashSet<PublicKey> = tasks.iter().filter_map(|task| task.declared).collect();
    let may_come = |known: &KnownSource| {
        let mut keys = known.held_keys().iter();
        !known.held_keys().is_empty() && (is_undeclared || keys.any(|key| declared.contains(key)))
    };
    let mut now = Vec::new();
    let mut later = Vec::new();
    for (source, known) in &state.known {
        if known.seen_in_scan == scan_number || is_hidden(source, &known.listed_in, scan) {
            continue;
        }
        if may_come(known) {
            later.push(source.clone());
        } else {
            now.push(source.clone());
        }
    }
    drop_sources(shared, state, &now);
    later
}

/// Notes a file that cannot be read or understood: it keeps its keys.
fn note_unreadable(state: &mut KeyringState, listed: &ListedSource, error: &FileError) {
    log::error!("{error}");
    if let Some(load) = &mut state.load {
        load.failures.push(failure(error));
    }
    let dropped = note_failed(state, listed, None);
    debug_assert!(dropped.is_empty(), "it does not declare another key");
}

impl OpenTask {
    pub(super) fn memory_bytes(&self) -> u64 {
        let costs = self
            .alternatives
            .iter()
            .map(|(_, read)| read.memory_bytes());
        costs.max().unwrap_or(0)
    }

    pub(super) fn keys_expected(&self) -> usize {
        let counts = self
            .alternatives
            .iter()
            .map(|(listed, _)| listed.source.keys_expected());
        counts.max().unwrap_or(0)
    }

    pub(super) fn name(&self) -> String {
        let first = self.alternatives.first();
        first.map_or(String::new(), |(listed, _)| listed.source.name())
    }
}
