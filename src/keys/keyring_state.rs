//! What the keyring knows: every source with the keys that it was found to hold, and who is at work.
//!
//! The law of a key's life:
//! - A source stands for the keys that were found when it was opened, and for nothing else.
//! - A key is in the table while one source at least holds it, or an import in memory, and not longer.
//! - What cannot be read or understood any more keeps the keys of before.
//!
//! All of it is behind one lock, which is held for moments only: never while a file is read, a key is
//! derived or a signature is waited for.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keystore::scrubbed;
use super::pool::DerivationPool;
use super::progress::{Progress, ReloadStage, ReloadState};
use super::scan::ListedSource;
use super::source::{KeySource, OpenedSource, Stamp};
use super::sources::Sources;
use super::table::{Found, KeyOriginFile, KeyTable};
use crate::consensus::primitives::PublicKey;
use crate::files::FileError;
use crate::slashing::Protection;
use crate::wait::lock;

/// How to load; the sources themselves are [`Sources`].
#[derive(Clone, Debug)]
pub struct KeyringSettings {
    /// `--decrypt-memory`: the most memory for derivations; otherwise half of what is free.
    pub decrypt_memory_bytes: Option<u64>,
    /// `--key-cache`: where opened keys are kept sealed for the next start.
    pub key_cache: Option<PathBuf>,
    /// Whether imported keys are only held in memory, although there is a data directory.
    pub imports_in_memory: bool,
    /// `--reload-timeout`: after so long a reload counts as failed.
    pub reload_timeout: Duration,
}

/// Everything that loading, importing and deleting share.
pub(super) struct KeyringShared {
    pub(super) sources: Sources,
    pub(super) settings: KeyringSettings,
    pub(super) table: Arc<KeyTable>,
    pub(super) protection: Arc<Protection>,
    pub(super) pool: DerivationPool,
    /// What the marks of passwords are made with.
    pub(super) mark_key: Box<Zeroizing<[u8; 32]>>,
    state: Mutex<KeyringState>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct KeyringState {
    pub(super) known: HashMap<KeySource, KnownSource>,
    /// Imported keys that have no file.
    pub(super) in_memory: HashSet<PublicKey>,
    /// Keys that a request is importing or deleting.
    pub(super) busy: HashSet<PublicKey>,
    /// Sources that were deleted, or are about to be, and that a load may still have listed.
    pub(super) deleted: HashSet<KeySource>,
    pub(super) deletions_running: usize,
    /// How many loads have begun to list the sources.
    pub(super) scans: u32,
    pub(super) load: Option<RunningLoad>,
    pub(super) is_reload_wanted: bool,
    pub(super) first_load_ended: bool,
    pub(super) failures: Vec<(String, String)>,
    pub(super) reload: ReloadState,
    /// The root that the first load could not list.
    pub(super) unlistable: Option<FileError>,
    /// Held for as long as this process may clean the directory of imports.
    pub(super) directory_lock: Option<File>,
    /// Whether the key cache does not fit the keys any more.
    pub(super) is_cache_stale: bool,
    pub(super) is_sealing: bool,
}

/// A source that was found.
#[derive(Clone)]
pub(super) struct KnownSource {
    pub(super) listed_in: Arc<Path>,
    /// The last scan that found it, or during which it was imported.
    pub(super) seen_in_scan: u32,
    /// What its file looked like when it was read last.
    pub(super) stamp: Option<Stamp>,
    pub(super) condition: SourceCondition,
    /// The keys that it was found to hold; of an unopened source the key that it declares.
    pub(super) keys: Box<[PublicKey]>,
    /// Which password opened it, kept for the key cache.
    pub(super) password_mark: Option<Box<[u8; 32]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceCondition {
    /// It holds its keys.
    Opened,
    /// Another source holds the key that it declares; it is opened when that one goes.
    Unopened,
    /// It cannot be read or opened; it holds the keys of before.
    Failed,
}

/// A load that is running.
pub(super) struct RunningLoad {
    is_reload: bool,
    /// Why it counts as failed although it still goes on.
    late: Option<String>,
    began: Instant,
    /// Keys to be opened, once that is known, and those that are done.
    total: Option<usize>,
    done: usize,
    pub(super) failures: Vec<(String, String)>,
    /// Whether a root could not be listed.
    pub(super) is_partial: bool,
    /// How many sources are still to be opened that declare each key, and how many declare none.
    declared: HashMap<PublicKey, usize>,
    undeclared: usize,
}

impl Default for KeyringSettings {
    fn default() -> Self {
        Self {
            decrypt_memory_bytes: None,
            key_cache: None,
            imports_in_memory: false,
            reload_timeout: Duration::from_secs(30 * 60),
        }
    }
}

impl KnownSource {
    /// The keys that sign because of it.
    pub(super) fn held_keys(&self) -> &[PublicKey] {
        match self.condition {
            SourceCondition::Opened | SourceCondition::Failed => &self.keys,
            SourceCondition::Unopened => &[],
        }
    }
}

impl KeyringShared {
    pub(super) fn new(
        sources: Sources,
        settings: KeyringSettings,
        table: Arc<KeyTable>,
        protection: Arc<Protection>,
    ) -> Result<Self, String> {
        Ok(Self {
            pool: DerivationPool::new(settings.decrypt_memory_bytes),
            mark_key: Box::new(crate::files::random()?),
            sources,
            settings,
            table,
            protection,
            // Before anybody can ask: a start is a load that has not ended.
            state: Mutex::new(KeyringState {
                load: Some(RunningLoad::new(false)),
                ..KeyringState::default()
            }),
            changed: Condvar::new(),
        })
    }

    /// The state, for a moment.
    pub(super) fn state(&self) -> MutexGuard<'_, KeyringState> {
        lock(&self.state)
    }

    /// Wakes everybody who waits for a change of the state.
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Sleeps until the state has changed.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, KeyringState>,
    ) -> MutexGuard<'a, KeyringState> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until the state has changed, or for so long.
    pub(super) fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, KeyringState>,
        time: Duration,
    ) -> MutexGuard<'a, KeyringState> {
        let waited = self.changed.wait_timeout(state, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether the key cache is being written, or will be.
    pub(super) fn is_sealing(&self, state: &KeyringState) -> bool {
        state.is_sealing || (state.is_cache_stale && self.settings.key_cache.is_some())
    }

    /// Where imports are kept, if they are.
    pub(super) fn imports_dir(&self) -> Option<&Path> {
        let data_dir = self.sources.data_dir.as_deref();
        data_dir.filter(|_| !self.settings.imports_in_memory)
    }

    /// How far loading is.
    pub(super) fn progress(&self) -> Progress {
        let state = self.state();
        let load = state.load.as_ref();
        let failures = if state.first_load_ended {
            &state.failures
        } else {
            load.map_or(&state.failures, |load| &load.failures)
        };
        Progress {
            loaded: self.table.len(),
            pending: load.map_or(Some(0), RunningLoad::pending),
            failed: failures.len(),
            seconds_left: load.and_then(RunningLoad::seconds_left),
            failures: failures.clone(),
            complete: !state.is_loading(),
            first_load_ended: state.first_load_ended,
        }
    }

    /// Tells one password from another without keeping it: for the key cache alone.
    pub(super) fn password_mark(&self, password: &str) -> Box<[u8; 32]> {
        scrubbed(|| {
            let hash = Sha256::new()
                .chain_update(**self.mark_key)
                .chain_update(password.as_bytes());
            Box::new(hash.finalize().into())
        })
    }

    /// Takes what a source has brought: it holds these keys now, and not those of before. `false` when it
    /// was deleted in the meantime; what it has brought is wiped then.
    pub(super) fn take_opened(&self, listed: &ListedSource, opened: OpenedSource) -> bool {
        let OpenedSource {
            keys,
            password,
            is_from_cache,
        } = opened;
        let public_keys: Box<[PublicKey]> =
            keys.iter().map(|(secret, _)| secret.public_key()).collect();
        let mark = password.filter(|_| self.settings.key_cache.is_some());
        let password_mark = mark.map(|password| self.password_mark(&password));
        let mut state = self.state();
        let is_busy = || public_keys.iter().any(|key| state.busy.contains(key));
        if state.deleted.contains(&listed.source) || (listed.source.is_imported() && is_busy()) {
            return false;
        }
        let known = KnownSource {
            listed_in: Arc::clone(&listed.listed_in),
            seen_in_scan: state.scans,
            stamp: listed.stamp,
            condition: SourceCondition::Opened,
            keys: public_keys.clone(),
            password_mark,
        };
        let before = state.known.insert(listed.source.clone(), known);
        let new = self.table.insert(keys);
        state.is_cache_stale |= !is_from_cache;
        let mut touched: Vec<PublicKey> = before
            .iter()
            .flat_map(|known| known.held_keys())
            .filter(|key| !public_keys.contains(key))
            .copied()
            .collect();
        let shared: Vec<_> = public_keys
            .iter()
            .filter(|key| !new.contains(key))
            .collect();
        if !shared.is_empty() && before.is_none() {
            log::info!(
                "{}: {} key(s) of it come from another source as well",
                listed.source.name(),
                shared.len()
            );
        }
        touched.extend(shared);
        state.release(&touched, &self.table);
        drop(state);
        self.tell();
        true
    }
}

impl KeyringState {
    /// Whether a source, or an import in memory, holds this key.
    pub(super) fn is_held(&self, key: &PublicKey, table: &KeyTable) -> bool {
        matches!(table.find(key), Found::Ready(_)) || self.in_memory.contains(key)
    }

    /// Removes those of `keys` from the table that no source holds any more, and says anew where the
    /// others come from. Returns how many were removed.
    pub(super) fn release(&mut self, keys: &[PublicKey], table: &KeyTable) -> usize {
        if keys.is_empty() {
            return 0;
        }
        let asked: HashSet<&PublicKey> = keys.iter().collect();
        // Of several holders the one that cannot be deleted counts.
        let mut holders: HashMap<PublicKey, &KeySource> = HashMap::new();
        for (source, known) in &self.known {
            for key in known.held_keys().iter().filter(|key| asked.contains(key)) {
                let holder = holders.entry(*key).or_insert(source);
                if !source.is_imported() {
                    *holder = source;
                }
            }
        }
        let mut gone = Vec::new();
        let mut origins = Vec::new();
        for key in asked {
            match holders.get(key) {
                Some(holder) => origins.push((
                    *key,
                    KeyOriginFile {
                        readonly: !holder.is_imported(),
                        file: holder.file().map(Path::to_owned),
                    },
                )),
                None if self.in_memory.contains(key) => {}
                None => gone.push(*key),
            }
        }
        if !origins.is_empty() {
            table.set_origins(origins);
        }
        if gone.is_empty() {
            return 0;
        }
        self.is_cache_stale = true;
        // Signatures that hold one of them end by themselves; nobody waits for that here.
        let withdrawn = table.withdraw(&gone);
        table.forget(&gone);
        withdrawn.keys().len()
    }

    /// Whether no running load can still bring this key, as far as its sources declare it.
    pub(super) fn is_decided(&self, key: &PublicKey) -> bool {
        self.load
            .as_ref()
            .is_none_or(|load| load.total.is_some() && !load.declared.contains_key(key))
    }

    /// Whether no running load can bring this key at all.
    pub(super) fn is_wholly_decided(&self, key: &PublicKey) -> bool {
        let undeclared = self.load.as_ref().map_or(0, |load| load.undeclared);
        self.is_decided(key) && undeclared == 0
    }

    /// Reports the running reload as failed. It goes on, and what it still opens comes in.
    pub(super) fn end_as_late(&mut self, reason: String) {
        let Some(load) = &mut self.load else { return };
        log::error!("reload: {reason}");
        load.late = Some(reason.clone());
        self.failures.push(late_failure(reason.clone()));
        self.reload.fail(reason);
    }

    /// Whether a load is running that nobody has given up.
    pub(super) fn is_loading(&self) -> bool {
        let is_on_time = self.load.as_ref().is_some_and(|load| load.late.is_none());
        is_on_time || self.is_reload_wanted
    }

    /// Forgets which sources were deleted, once no load can have listed them.
    pub(super) fn forget_deleted(&mut self) {
        if self.load.is_none() && self.deletions_running == 0 {
            self.deleted.clear();
        }
    }

    /// Ends the running load: its failures are those that count from now on.
    pub(super) fn end_load(&mut self) {
        let Some(mut load) = self.load.take() else {
            return;
        };
        let is_late = load.late.is_some();
        load.failures.extend(load.late.map(late_failure));
        self.failures = load.failures;
        self.first_load_ended = true;
        if load.is_reload && !is_late {
            let first = self.failures.first();
            self.reload = ReloadState {
                stage: if load.is_partial {
                    ReloadStage::Failed
                } else if first.is_some() {
                    ReloadStage::CompletedWithErrors
                } else {
                    ReloadStage::Completed
                },
                last_operation: Some(SystemTime::now()),
                last_error: first.map(|(name, reason)| format!("{name}: {reason}")),
            };
        }
        if self.is_reload_wanted {
            self.reload.stage = ReloadStage::Running;
        }
        self.forget_deleted();
    }
}

fn late_failure(reason: String) -> (String, String) {
    ("reload".to_owned(), reason)
}

impl RunningLoad {
    pub(super) fn new(is_reload: bool) -> Self {
        Self {
            is_reload,
            late: None,
            began: Instant::now(),
            total: None,
            done: 0,
            failures: Vec::new(),
            is_partial: false,
            declared: HashMap::new(),
            undeclared: 0,
        }
    }

    pub(super) fn is_reload(&self) -> bool {
        self.is_reload
    }

    /// Whether the sources are still being listed.
    pub(super) fn is_listing(&self) -> bool {
        self.total.is_none()
    }

    /// Whether keys may come that nobody has declared, or the sources are still being listed.
    pub(super) fn may_bring_others(&self) -> bool {
        self.total.is_none() || self.undeclared > 0
    }

    /// Notes a source that will be opened.
    pub(super) fn await_source(&mut self, declared: Option<PublicKey>) {
        match declared {
            Some(key) => *self.declared.entry(key).or_default() += 1,
            None => self.undeclared += 1,
        }
    }

    /// Says that all sources are listed, and how many keys will be opened.
    pub(super) fn begin_to_open(&mut self, keys: usize) {
        self.total = Some(keys);
    }

    /// Notes that a source was opened, or has failed: once for each.
    pub(super) fn source_done(&mut self, declared: Option<PublicKey>, keys: usize) {
        self.done += keys;
        match declared {
            None => self.undeclared = self.undeclared.saturating_sub(1),
            Some(key) => {
                if let Some(count) = self.declared.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        self.declared.remove(&key);
                    }
                }
            }
        }
    }

    /// Whether it is a reload that nobody has given up yet.
    pub(super) fn may_be_late(&self) -> bool {
        self.is_reload && self.late.is_none()
    }

    /// How many keys are still to be opened; `None` while the sources are being listed.
    pub(super) fn pending(&self) -> Option<usize> {
        Some(self.total?.saturating_sub(self.done))
    }

    fn seconds_left(&self) -> Option<u64> {
        let left = self.pending()? as u64;
        (self.began.elapsed().as_secs() * left).checked_div(self.done as u64)
    }
}
