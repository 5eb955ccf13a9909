//! Slashing protection: a signature needs a [`Cleared`], and only this module makes one.
//!
//! Check, record durably, then [`Cleared`], in this order. When protection is off, the log, health and
//! metrics show it.
//!
//! A store serves several chains, each named by its genesis validators root: a devnet that is
//! re-created every day under the same keys just works. An interchange file is about one chain.

mod backend;
mod embedded;
mod error;
mod interchange;
mod limits;
mod postgres;
mod repair;
pub(crate) mod rule;
mod settings;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use backend::{Backend, RecordRequest, Snapshot};
use embedded::EmbeddedStore;
use limits::NewStoreFloor;
use postgres::{PostgresStore, start_pruning};
use settings::read_checked;
use store::Store;

pub(crate) use embedded::DATABASE_FILE;
pub use embedded::{Disk, Draft};
pub use error::{ExportError, StoreOpenError};
pub use interchange::ImportError;
pub use limits::ChainClock;
pub(crate) use postgres::talk_to_database;
pub use postgres::{DatabaseSettings, PruningSettings, SCHEMA as DATABASE_SCHEMA};
pub(crate) use repair::{MarkChange, RepairError};
pub use rule::{Floor, HighWatermark, Marks, Refused, Rule, Unavailable};
pub use settings::ProtectionSettings;
pub(crate) use store::{StoreCommit, StoreObserver};

use crate::consensus::primitives::{PublicKey, Root};
use crate::consensus::slashable::Slashable;
use crate::wait::{self, lock};

/// A larger import is written by another thread: one commit of so many keys takes some 20 ms.
const SMALL_IMPORT_KEYS_MAX: usize = 1000;

/// A shorter file is about fewer keys than that: each key takes at least 150 bytes.
const SMALL_IMPORT_BYTES_MAX: usize = 128 << 10;

/// The proof that a signing root may be signed once: its record is durable, the message cannot be
/// slashed, or protection is off by choice. Neither `Clone` nor `Copy`: keep it so.
#[derive(Debug)]
pub struct Cleared {
    root: Root,
}

impl Cleared {
    /// The signing root that may be signed.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }
}

/// Slashing protection of this process; chosen once, in `config`.
pub enum Protection {
    /// Signs every request, as py3signer does.
    Off,
    /// Signs what the store clears.
    On(ProtectionStore),
}

/// An open store, the chain that it is for, and its counters.
pub struct ProtectionStore {
    store: Arc<Store>,
    /// Dropped with the store, which ends the pruning.
    _pruning: Option<Mutex<Sender<()>>>,
    chain: Option<Root>,
    permitted: AtomicU64,
    prevented: AtomicU64,
    /// When the last message was recorded, in Unix time; 0 is never.
    recorded_seconds: AtomicU64,
    is_database: bool,
    /// The directory or the database, for the log.
    location: String,
}

/// What an import has added.
#[derive(Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The file's chain.
    pub chain: Root,
    /// How many keys the file is about.
    pub keys: usize,
}

impl Protection {
    /// Opens the store in `settings.directory`, or makes one.
    ///
    /// # Errors
    /// [`StoreOpenError`]: in use by another process, lost, damaged, or an error of the system.
    pub fn open(settings: &ProtectionSettings) -> Result<Self, StoreOpenError> {
        if let Some(database) = &settings.database {
            let backend = PostgresStore::open(database)?;
            let pruning = match &settings.pruning {
                None => None,
                Some(pruning) => Some(Mutex::new(start_pruning(database, pruning)?)),
            };
            return Self::start(Box::new(backend), settings, None, pruning);
        }
        let directory = embedded::lock_directory(&settings.directory)?;
        Self::open_on(directory, settings)
    }

    /// Opens the store of `disk`. `settings.directory` is only named in messages.
    ///
    /// # Errors
    /// As [`Protection::open`].
    pub fn open_on(
        disk: Box<dyn Disk>,
        settings: &ProtectionSettings,
    ) -> Result<Self, StoreOpenError> {
        let (backend, floor) = EmbeddedStore::open(
            disk,
            &settings.directory,
            settings.replaces_lost_store,
            |was_lost| settings.new_store_floor(was_lost),
        )?;
        Self::start(Box::new(backend), settings, floor, None)
    }

    fn start(
        backend: Box<dyn Backend>,
        settings: &ProtectionSettings,
        floor: Option<NewStoreFloor>,
        pruning: Option<Mutex<Sender<()>>>,
    ) -> Result<Self, StoreOpenError> {
        let is_database = settings.database.is_some();
        let store = Store::start(backend, settings.limits(floor))
            .map_err(|error| StoreOpenError::Io(settings.directory.clone(), error))?;
        Ok(Self::On(ProtectionStore {
            store: Arc::new(store),
            _pruning: pruning,
            chain: settings.chain,
            permitted: AtomicU64::new(0),
            prevented: AtomicU64::new(0),
            recorded_seconds: AtomicU64::new(0),
            is_database,
            location: match &settings.database {
                Some(database) => database.shown(),
                None => settings.directory.display().to_string(),
            },
        }))
    }

    /// Permits one signature of `key` over `root`. The record of the message is durable when this
    /// returns `Ok`. Waits through [`crate::wait`], and only for a message that can be slashed.
    ///
    /// # Errors
    /// [`Refused`] with the rule and both messages, or [`Refused::Unavailable`].
    pub fn clear(
        &self,
        key: &PublicKey,
        slashable: &Slashable,
        root: Root,
    ) -> Result<Cleared, Refused> {
        let Self::On(protection) = self else {
            return Ok(Cleared { root });
        };
        let recorded = match *slashable {
            Slashable::Never => return Ok(Cleared { root }),
            Slashable::Opaque => Err(Refused::Opaque),
            Slashable::On(chain, message) => protection.record(RecordRequest {
                key: *key,
                chain,
                message,
                root,
            }),
        };
        match &recorded {
            Ok(()) => {
                protection.permitted.fetch_add(1, Ordering::Relaxed);
                let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
                protection.recorded_seconds.store(now, Ordering::Relaxed);
            }
            Err(Refused::Unavailable(_)) => {}
            Err(_) => {
                protection.prevented.fetch_add(1, Ordering::Relaxed);
            }
        }
        recorded.map(|()| Cleared { root })
    }

    /// Writes the interchange file (EIP-3076) of some keys, or of all with `None`. It is about `chain`;
    /// without one, about the chosen network's chain; without that, about the only chain on record.
    /// Without protection or records the file is valid and has no keys.
    ///
    /// # Errors
    /// [`ExportError`]: the store cannot be read, or the keys have records on several chains.
    pub fn export(
        &self,
        chain: Option<Root>,
        keys: Option<&[PublicKey]>,
    ) -> Result<String, ExportError> {
        let Self::On(protection) = self else {
            return Ok(interchange::write(chain.unwrap_or(Root::ZERO), &[]));
        };
        let chain = chain.or(protection.chain);
        let keys = keys.map(|keys| BTreeSet::from_iter(keys.iter().copied()));
        protection.read(move |snapshot| {
            let chain = match chain {
                Some(chain) => chain,
                None => {
                    let mut chains = Vec::from_iter(snapshot.chains(keys.as_ref())?);
                    if chains.len() > 1 {
                        return Ok(Err(ExportError::SeveralChains(chains)));
                    }
                    chains.pop().unwrap_or(Root::ZERO)
                }
            };
            let marks = snapshot.marks(Some(chain), keys.as_ref())?;
            Ok(Ok(interchange::write(chain, &marks)))
        })?
    }

    /// Adds an interchange file to what is on record: the maximum of both, all of it or nothing.
    /// Without protection the file is only checked.
    ///
    /// # Errors
    /// [`ImportError`]. Nothing has changed then, unless the disk failed during the commit.
    pub fn import(&self, json: &str) -> Result<ImportSummary, ImportError> {
        self.import_text(json.to_owned(), false)
    }

    /// Does the same with a text that may be large. With `force`, it takes marks in the future too.
    ///
    /// # Errors
    /// As [`Protection::import`].
    pub(crate) fn import_text(
        &self,
        json: String,
        force: bool,
    ) -> Result<ImportSummary, ImportError> {
        let Self::On(protection) = self else {
            let (chain, keys) = on_own_thread(move || interchange::read(&json, None))??;
            let keys = keys.len();
            return Ok(ImportSummary { chain, keys });
        };
        let store = Arc::clone(&protection.store);
        let expected = protection.chain;
        on_own_thread(move || {
            // One at a time, which bounds the memory.
            let is_large = json.len() > SMALL_IMPORT_BYTES_MAX;
            let _alone = is_large.then(|| lock(&store.large_import));
            let (chain, keys) = {
                // Freed before the merge needs memory.
                let json = json;
                read_checked(&json, expected, store.limits(), force)?
            };
            let summary = ImportSummary {
                chain,
                keys: keys.len(),
            };
            merge(&store, chain, keys, is_large)?;
            Ok(summary)
        })?
    }

    /// Returns the marks of these keys on all chains, or of all keys; sorted.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be read.
    pub fn marks(
        &self,
        keys: Option<&[PublicKey]>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable> {
        let Self::On(protection) = self else {
            return Ok(Vec::new());
        };
        let keys = keys.map(|keys| BTreeSet::from_iter(keys.iter().copied()));
        protection.read(move |snapshot| snapshot.marks(None, keys.as_ref()))
    }

    /// Returns the present floors for a key without a record: a slot and an epoch. `None` without
    /// protection.
    pub(crate) fn floors(&self) -> Option<(Floor, Floor)> {
        let Self::On(protection) = self else {
            return None;
        };
        let limits = protection.store.limits();
        let chain = limits.new_store.and_then(|floor| floor.chain);
        let chain = protection.chain.or(chain).unwrap_or(Root::ZERO);
        let bounds = limits.on(chain, limits.now(), None);
        Some((bounds.block, bounds.vote))
    }

    /// Returns whether this key has a record, on any chain. `false` when the store cannot be read.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.known_among(vec![*key]).contains(key)
    }

    /// Returns those of `keys` that have a record, on any chain. None when the store cannot be read.
    pub(crate) fn known_among(&self, keys: Vec<PublicKey>) -> BTreeSet<PublicKey> {
        let Self::On(protection) = self else {
            return BTreeSet::new();
        };
        let known = protection.read(move |snapshot| snapshot.known(&BTreeSet::from_iter(keys)));
        known.unwrap_or_default()
    }

    /// Returns whether records can be written. After a failure this tries to repair the store, and
    /// waits through [`crate::wait`].
    ///
    /// # Errors
    /// The reason, for health and log.
    pub fn health(&self) -> Result<(), Unavailable> {
        match self {
            Self::Off => Ok(()),
            Self::On(protection) => protection.store.health(),
        }
    }

    /// Returns whether the last access to the store worked, without waiting. `true` without protection.
    pub(crate) fn is_available(&self) -> bool {
        match self {
            Self::Off => true,
            Self::On(protection) => protection.store.is_available(),
        }
    }

    /// Sets who is told of each batch that the store has decided. Does nothing without protection.
    pub(crate) fn observe(&self, observer: Arc<dyn StoreObserver>) {
        if let Self::On(protection) = self {
            protection.store.observe(observer);
        }
    }

    /// Returns the line that nothing is signed at or above.
    pub fn high_watermark(&self) -> Option<HighWatermark> {
        match self {
            Self::Off => None,
            Self::On(protection) => protection.store.high_watermark(),
        }
    }

    /// Sets that line, for all keys and chains, or removes it. It is durable when this returns.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be written, or when protection is off.
    pub fn set_high_watermark(&self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.open_store()?.store.set_high_watermark(high)
    }

    /// Allows or forbids keys to sign, in all instances that share a database. Does nothing for a store
    /// in a directory, which is of one instance.
    ///
    /// # Errors
    /// [`Unavailable`] when the database could not be changed.
    pub fn set_enabled(&self, keys: Vec<PublicKey>, enabled: bool) -> Result<(), Unavailable> {
        match self {
            Self::Off => Ok(()),
            Self::On(protection) => protection.store.set_enabled(keys, enabled),
        }
    }

    /// Copies the marks of one chain into another store, all of them or none; marks there only rise.
    ///
    /// # Errors
    /// [`ImportError`]: a store is unavailable, or there are several chains and none is chosen.
    pub fn copy_to(
        &self,
        target: &Self,
        chain: Option<Root>,
    ) -> Result<ImportSummary, ImportError> {
        let chains = BTreeSet::from_iter(self.marks(None)?.into_iter().map(|(_, chain, _)| chain));
        let mut chains = Vec::from_iter(chains);
        if let Some(chain) = chain {
            chains.retain(|its_chain| *its_chain == chain);
        }
        let (Some(chain), 0..=1) = (chains.first().copied(), chains.len()) else {
            let error = if chains.is_empty() {
                "there is nothing on record to copy".to_owned()
            } else {
                ExportError::SeveralChains(chains).to_string()
            };
            return Err(ImportError::Invalid(error));
        };
        let mut marks = BTreeMap::new();
        for (key, its_chain, its_marks) in self.marks(None)? {
            if its_chain == chain {
                marks.insert(key, its_marks);
            }
        }
        let keys = marks.len();
        let store = &target.open_store()?.store;
        let _alone = lock(&store.large_import);
        merge(store, chain, marks, true)?;
        Ok(ImportSummary { chain, keys })
    }

    /// Returns how many messages that can be slashed were cleared since the start, repeats included,
    /// and how many a rule refused.
    pub fn counters(&self) -> (u64, u64) {
        match self {
            Self::Off => (0, 0),
            Self::On(protection) => (
                protection.permitted.load(Ordering::Relaxed),
                protection.prevented.load(Ordering::Relaxed),
            ),
        }
    }

    /// Returns when the last message was recorded since the start, in Unix time.
    pub(crate) fn last_record_seconds(&self) -> Option<u64> {
        let Self::On(protection) = self else {
            return None;
        };
        let seconds = protection.recorded_seconds.load(Ordering::Relaxed);
        (seconds > 0).then_some(seconds)
    }

    fn open_store(&self) -> Result<&ProtectionStore, Unavailable> {
        match self {
            Self::Off => Err(Unavailable("slashing protection is off".to_owned())),
            Self::On(protection) => Ok(protection),
        }
    }
}

impl ProtectionStore {
    /// Whether the records are in a database, which other instances may share.
    pub(crate) fn is_database(&self) -> bool {
        self.is_database
    }

    /// Names the directory or the database, without secrets.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    fn record(&self, request: RecordRequest) -> Result<(), Refused> {
        match self.chain {
            Some(expected) if expected != request.chain => Err(Refused::OtherChain {
                asked: request.message,
                chain: request.chain,
                expected,
            }),
            Some(_) | None => self.store.record(request),
        }
    }

    /// Reads the store on a thread of its own.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn Snapshot) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let mut snapshot = self.store.snapshot()?;
        on_own_thread(move || read(&mut *snapshot))?
    }
}

/// Runs what may read much, or need more stack than a coroutine has, on a thread of its own.
fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unavailable> {
    let done = wait::on_thread("slashing data", work)
        .map_err(|error| Unavailable(format!("the system gives no thread: {error}")))?;
    done.ok_or_else(|| Unavailable("its reader has ended".to_owned()))
}

/// Merges marks into those on record: all or none.
fn merge(
    store: &Store,
    chain: Root,
    imported: BTreeMap<PublicKey, Marks>,
    is_large: bool,
) -> Result<(), ImportError> {
    let merged = if is_large && imported.len() > SMALL_IMPORT_KEYS_MAX {
        store.import_many(chain, imported)?
    } else {
        let keys = imported.keys().copied().collect();
        store.change_marks(chain, keys, move |key, before| {
            let marks = imported[&key];
            Ok(before.map_or(marks, |before| before.merge(marks)))
        })?
    };
    merged.map_err(|refused| ImportError::Invalid(format!("data: {refused}")))
}

#[cfg(test)]
mod tests;
