//! What the keyring knows: every source with its keys, and which changes are running.
//!
//! The rules of a key's life:
//! - A source has the keys that were in it when it was opened, and no others.
//! - A key is in the table as long as at least one source has it, or an import in memory.
//! - A source that cannot be read or understood any more keeps its keys.
//!
//! One lock protects all of it. It is never held while a file is read, a key is derived or a signature is
//! waited for.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::password_source::PasswordReader;
use super::piped_secrets::PipedSecrets;
use super::pool::DerivationPool;
use super::progress::{Progress, ReloadStage, ReloadState};
use super::running_load::RunningLoad;
use super::scan::ListedSource;
use super::scrub::scrubbed;
use super::source::{KeySource, OpenedSource};
use super::sources::Sources;
use super::table::{Found, KeyOriginFile, KeyTable};
use super::waiters::{KeyArrival, Waiters, arrival};
use crate::consensus::primitives::PublicKey;
use crate::files::{FileError, FileStamp};
use crate::slashing::Protection;
use crate::wait::lock;

/// How to load; the sources themselves are [`Sources`].
#[derive(Clone, Debug)]
pub(crate) struct KeyringSettings {
    /// `--decrypt-memory`: the most memory for derivations; by default half of what is free.
    pub decrypt_memory_bytes: Option<u64>,
    /// `--key-cache`: the file with opened keys, sealed for the next start.
    pub key_cache: Option<PathBuf>,
    /// Whether imported keys stay in memory only, although there is a data directory.
    pub imports_in_memory: bool,
    /// `--reload-timeout`: the time after which a reload counts as failed.
    pub reload_timeout: Duration,
}

/// What loading, importing and deleting share.
pub(super) struct KeyringShared {
    pub(super) sources: Sources,
    pub(super) settings: KeyringSettings,
    pub(super) table: Arc<KeyTable>,
    pub(super) protection: Arc<Protection>,
    pub(super) pool: DerivationPool,
    pub(super) piped: Arc<PipedSecrets>,
    /// The random key of [`KeyringShared::password_mark`].
    pub(super) mark_key: Box<Zeroizing<[u8; 32]>>,
    state: Mutex<KeyringState>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct KeyringState {
    pub(super) known: HashMap<KeySource, KnownSource>,
    /// Imported keys that have no file.
    pub(super) in_memory: HashSet<PublicKey>,
    /// Keys that an import or a deletion works on.
    pub(super) busy: HashSet<PublicKey>,
    /// Sources that were deleted or are being deleted, and that a running load may have listed.
    pub(super) deleted: HashSet<KeySource>,
    pub(super) deletions_running: usize,
    /// How many scans of the sources have begun.
    pub(super) scans: u32,
    pub(super) load: Option<RunningLoad>,
    pub(super) is_reload_wanted: bool,
    pub(super) first_load_ended: bool,
    pub(super) failures: Vec<(String, String)>,
    pub(super) reload: ReloadState,
    /// The root that the first load could not list: nothing is loaded then.
    pub(super) unlistable: Option<FileError>,
    /// The lock of the directory of imports, held until the process ends.
    pub(super) directory_lock: Option<File>,
    /// Whether the key cache must be written anew.
    pub(super) is_cache_stale: bool,
    pub(super) is_sealing: bool,
    pub(super) waiters: Waiters,
}

/// A source that was found.
#[derive(Clone)]
pub(super) struct KnownSource {
    pub(super) listed_in: Arc<Path>,
    /// The last scan that found it, or that was running when it was imported.
    pub(super) seen_in_scan: u32,
    /// What its file looked like when it was last read.
    pub(super) stamp: Option<FileStamp>,
    pub(super) condition: SourceCondition,
    /// The keys that were in it; of an unopened source the key that it declares.
    pub(super) keys: Box<[PublicKey]>,
    /// The mark of the password that opened it, for the key cache.
    pub(super) password_mark: Option<Box<[u8; 32]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceCondition {
    /// It was opened, and has its keys.
    Opened,
    /// Another source has the key that it declares; it is opened when that source goes.
    Unopened,
    /// It cannot be read or opened; it keeps the keys that it had.
    Failed,
    /// Its file is JSON but clearly not a keystore, and holds no keys.
    OtherJson,
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
    /// The keys that are in the table because of it.
    pub(super) fn held_keys(&self) -> &[PublicKey] {
        match self.condition {
            SourceCondition::Opened | SourceCondition::Failed => &self.keys,
            SourceCondition::Unopened | SourceCondition::OtherJson => &[],
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
            piped: Arc::default(),
            mark_key: Box::new(crate::files::random()?),
            sources,
            settings,
            table,
            protection,
            // From the start, so that a process that has not begun to load counts as loading.
            state: Mutex::new(KeyringState {
                load: Some(RunningLoad::new(false)),
                ..KeyringState::default()
            }),
            changed: Condvar::new(),
        })
    }

    /// Makes a reader of passwords, for one load.
    pub(super) fn password_reader(&self) -> PasswordReader {
        PasswordReader::new(
            Arc::clone(&self.piped),
            self.sources.allow_insecure_permissions,
        )
    }

    /// Locks the state.
    pub(super) fn state(&self) -> MutexGuard<'_, KeyringState> {
        lock(&self.state)
    }

    /// Wakes all threads that wait for a change of the state.
    pub(super) fn notify(&self) {
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

    /// Sleeps until the state has changed, at most for this time.
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

    /// The data directory, if imports are kept there.
    pub(super) fn imports_dir(&self) -> Option<&Path> {
        if self.settings.imports_in_memory {
            None
        } else {
            self.sources.data_dir.as_deref()
        }
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

    /// A keyed hash that shows whether a password has changed, without keeping it: for the key cache.
    pub(super) fn password_mark(&self, password: &str) -> Box<[u8; 32]> {
        scrubbed(|| {
            let hash = Sha256::new()
                .chain_update(**self.mark_key)
                .chain_update(password.as_bytes());
            Box::new(hash.finalize().into())
        })
    }

    /// Publishes the keys of a source that was opened; they replace those that it had. Returns `false` when
    /// the source was deleted in the meantime; its keys are wiped then.
    pub(super) fn publish_opened(&self, listed: &ListedSource, opened: OpenedSource) -> bool {
        let OpenedSource {
            keys,
            password,
            is_from_cache,
        } = opened;
        let public_keys: Box<[PublicKey]> =
            keys.iter().map(|(secret, _)| secret.public_key()).collect();
        let password_mark = match password {
            Some(password) if self.settings.key_cache.is_some() => {
                Some(self.password_mark(&password))
            }
            Some(_) | None => None,
        };
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
        let mut changed = Vec::new();
        let mut known_before = 0;
        for key in &public_keys {
            if !new.contains(key) {
                changed.push(*key);
                known_before += 1;
            }
        }
        if known_before > 0 && before.is_none() {
            log::info!(
                "{}: {known_before} of its keys come from another source as well",
                listed.source.name()
            );
        }
        for key in before.iter().flat_map(KnownSource::held_keys) {
            if !public_keys.contains(key) {
                changed.push(*key);
            }
        }
        state.release(&changed, &self.table);
        self.notify();
        true
    }
}

impl KeyringState {
    /// Whether a source or an import in memory has this key.
    pub(super) fn is_held(&self, key: &PublicKey, table: &KeyTable) -> bool {
        matches!(table.find(key), Found::Ready(_)) || self.in_memory.contains(key)
    }

    /// Removes those of `keys` from the table that no source has any more, and updates the origins of the
    /// others. Returns how many were removed.
    pub(super) fn release(&mut self, keys: &[PublicKey], table: &KeyTable) -> usize {
        if keys.is_empty() {
            return 0;
        }
        let asked: HashSet<&PublicKey> = keys.iter().collect();
        // A source that must not be deleted takes precedence over imports.
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
        // Signatures that use one of them may go on; nothing waits for them here.
        let withdrawn = table.withdraw(&gone);
        table.forget(&gone);
        withdrawn.keys().len()
    }

    /// Whether the running load may bring this key from a source that declares it.
    pub(super) fn may_be_loaded_as_declared(&self, key: &PublicKey) -> bool {
        self.load
            .as_ref()
            .is_some_and(|load| load.may_bring_declared(key))
    }

    /// Whether the running load may bring this key at all.
    pub(super) fn may_be_loaded(&self, key: &PublicKey) -> bool {
        self.load.as_ref().is_some_and(|load| load.may_bring(key))
    }

    /// Whether a key is in the table, may still come, or cannot come.
    pub(super) fn arrival(&self, key: &PublicKey, table: &KeyTable) -> KeyArrival {
        arrival(key, table, |key| self.may_be_loaded(key))
    }

    /// Ends the waits of requests that are over.
    pub(super) fn end_waits(&mut self, table: &KeyTable) {
        let load = &self.load;
        self.waiters.end_waits(table, self.first_load_ended, |key| {
            load.as_ref().is_some_and(|load| load.may_bring(key))
        });
    }

    /// Reports the running reload as failed. It goes on, and the keys that it still opens are published.
    pub(super) fn end_as_late(&mut self, reason: String) {
        let Some(load) = &mut self.load else { return };
        log::error!("reload: {reason}");
        load.set_late(reason.clone());
        self.failures.push(("reload".to_owned(), reason.clone()));
        self.reload.fail(reason);
    }

    /// Whether a load is running or wanted; a load that is late does not count.
    pub(super) fn is_loading(&self) -> bool {
        let is_on_time = self.load.as_ref().is_some_and(|load| load.late().is_none());
        is_on_time || self.is_reload_wanted
    }

    /// Forgets which sources were deleted, once no running load can have listed them.
    pub(super) fn forget_deleted(&mut self) {
        if self.load.is_none() && self.deletions_running == 0 {
            self.deleted.clear();
        }
    }

    /// Ends the running load: its failures replace those of the last load.
    pub(super) fn end_load(&mut self) {
        let Some(mut load) = self.load.take() else {
            return;
        };
        let late = load.late().map(str::to_owned);
        let is_late = late.is_some();
        if let Some(reason) = late {
            load.failures.push(("reload".to_owned(), reason));
        }
        let is_reload = load.is_reload();
        self.failures = load.failures;
        self.first_load_ended = true;
        if is_reload && !is_late {
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
