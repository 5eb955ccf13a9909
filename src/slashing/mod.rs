//! Slashing protection: nothing is signed but for the holder of a [`Cleared`], and only this module
//! makes one.
//!
//! Check → record on disk → [`Cleared`], in this order. Without protection the proof says so at
//! start-up, in the log, in health and in metrics.
//!
//! One store serves several chains, each named by its genesis validators root: a devnet that is
//! re-created every day under the same keys just works. An interchange file is about one chain.

mod changes;
mod disk;
mod error;
mod interchange;
mod limits;
mod rebuild;
mod repair;
pub mod rule;
mod store;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use disk::DATABASE_FILE;
use disk::Directory;
use limits::{Limits, NewStoreFloor};
use rule::Bounds;
use store::Store;
use tables::View;

pub use disk::{Disk, Draft};
pub use error::{ExportError, StoreOpenError};
pub use interchange::ImportError;
pub use limits::ChainClock;
pub use repair::{MarkChange, RepairError};
pub use rule::{Floor, HighWatermark, Marks, Refused, Unavailable};

use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::consensus::slashable::Slashable;
use crate::wait::{self, lock};

/// An import of more keys is written into a new file by another thread; one commit of so many takes
/// some 20 ms.
const SMALL_IMPORT_KEYS_MAX: usize = 1000;

/// A shorter file is about fewer keys than that: each takes 150 bytes at least.
const SMALL_IMPORT_BYTES_MAX: usize = 128 << 10;

/// The proof that a signing root may be signed once: its record is on disk, its kind cannot be
/// slashed, or protection is off by choice. Neither `Clone` nor `Copy`: keep it so.
#[derive(Debug)]
pub struct Cleared {
    root: Root,
}

impl Cleared {
    /// The signing root that may be signed.
    pub fn root(&self) -> &Root {
        &self.root
    }
}

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct ProtectionSettings {
    /// An existing directory; one process at a time uses it.
    pub directory: PathBuf,
    /// The lowest slot for a key without a block on record, in the place of the clock's.
    pub min_slot: Option<Slot>,
    /// The lowest epoch for a key without a vote on record, in the place of the clock's.
    pub min_epoch: Option<Epoch>,
    /// The chain of the network that was chosen: no other one is signed for, or imported. `None`: not
    /// known, so any.
    pub chain: Option<Root>,
    /// The clock of that chain, where its genesis time is known.
    pub clock: Option<ChainClock>,
    /// Whether keys are there that may have signed before, if there is no store yet.
    pub has_keys: bool,
    /// Whether a new store may take the place of one that was lost.
    pub replaces_lost_store: bool,
}

/// Whether this process protects against slashing; chosen once, in `config`.
pub enum Protection {
    /// Signs whatever is requested, as py3signer does.
    Off,
    /// Signs what the store clears.
    On(Guard),
}

/// An open store, its settings and its counters.
pub struct Guard {
    store: Arc<Store>,
    chain: Option<Root>,
    permitted: AtomicU64,
    prevented: AtomicU64,
}

/// What an import brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file's chain.
    pub chain: Root,
    /// How many keys the file is about.
    pub keys: usize,
}

impl Protection {
    /// Protection by the store in `settings.directory`, which is made when there is none.
    ///
    /// # Errors
    /// [`StoreOpenError`]: in use by another process, lost, damaged, or whatever the system says.
    pub fn open(settings: &ProtectionSettings) -> Result<Self, StoreOpenError> {
        let directory = Directory::lock(&settings.directory)?;
        Self::open_on(Box::new(directory), settings)
    }

    /// Protection by the store on `disk`. `settings.directory` is for messages only.
    ///
    /// # Errors
    /// As [`Protection::open`].
    pub fn open_on(
        disk: Box<dyn Disk>,
        settings: &ProtectionSettings,
    ) -> Result<Self, StoreOpenError> {
        let failed = |error| StoreOpenError::of(&settings.directory, error);
        let database = match tables::open(&*disk).map_err(failed)? {
            Some(database) => database,
            None => {
                let was_lost = disk.had_database().map_err(|error| failed(error.into()))?;
                if was_lost && !settings.replaces_lost_store {
                    return Err(StoreOpenError::Lost(settings.directory.clone()));
                }
                let floor = settings.new_store_floor(was_lost);
                tables::create(&*disk, floor).map_err(failed)?
            }
        };
        disk.remember().map_err(|error| failed(error.into()))?;
        let view = View::of(&database).map_err(failed)?;
        let limits = settings.limits(view.new_store_floor().map_err(failed)?);
        let store = Store::start(disk, database, limits).map_err(failed)?;
        Ok(Self::On(Guard {
            store: Arc::new(store),
            chain: settings.chain,
            permitted: AtomicU64::new(0),
            prevented: AtomicU64::new(0),
        }))
    }

    /// Clears the way for one signature of `key` over `root`. When this returns `Ok`, the record of
    /// the message is on disk. Waits through [`crate::wait`], and only for a message that can be
    /// slashed.
    ///
    /// # Errors
    /// [`Refused`] with the rule and both messages, or [`Refused::Unavailable`].
    pub fn clear(
        &self,
        key: &PublicKey,
        slashable: &Slashable,
        root: Root,
    ) -> Result<Cleared, Refused> {
        let Some(guard) = self.guard() else {
            return Ok(Cleared { root });
        };
        let verdict = match *slashable {
            Slashable::Never => return Ok(Cleared { root }),
            Slashable::Opaque => Err(Refused::Opaque),
            Slashable::On(chain, message) => match guard.chain {
                Some(expected) if expected != chain => Err(Refused::OtherChain {
                    asked: message,
                    chain,
                    expected,
                }),
                Some(_) | None => guard.store.record(*key, chain, message, root),
            },
        };
        match &verdict {
            Ok(()) => {
                guard.permitted.fetch_add(1, Ordering::Relaxed);
            }
            Err(Refused::Unavailable(_)) => {}
            Err(_) => {
                guard.prevented.fetch_add(1, Ordering::Relaxed);
            }
        }
        verdict.map(|()| Cleared { root })
    }

    /// The interchange file (EIP-3076) of some keys, or of all with `None`: on the chain that is told,
    /// else on that of the network that was chosen, else on the one where they have records. Without
    /// protection, or without records, a valid file about no key.
    ///
    /// # Errors
    /// [`ExportError`]: the store cannot be read, or the keys have records on several chains.
    pub fn export(
        &self,
        chain: Option<Root>,
        keys: Option<&[PublicKey]>,
    ) -> Result<String, ExportError> {
        let chain = chain.or(self.guard().and_then(|guard| guard.chain));
        let keys = keys.map(|keys| BTreeSet::from_iter(keys.iter().copied()));
        let file = self.look(move |view| {
            let chain = match chain {
                Some(chain) => chain,
                None => {
                    let mut chains = Vec::from_iter(view.chains(keys.as_ref())?);
                    if chains.len() > 1 {
                        return Ok(Err(ExportError::SeveralChains(chains)));
                    }
                    chains.pop().unwrap_or(Root::ZERO)
                }
            };
            let marks = view.marks(chain, keys.as_ref())?;
            Ok(Ok(interchange::write(chain, &marks)))
        })?;
        file.unwrap_or_else(|| Ok(interchange::write(chain.unwrap_or(Root::ZERO), &[])))
    }

    /// Adds an interchange file to what is on record: the maximum of both, all of it or nothing.
    /// Without protection it is checked, and nothing else.
    ///
    /// # Errors
    /// [`ImportError`]; nothing has changed then, unless the disk failed in the middle of the commit.
    pub fn import(&self, json: &str) -> Result<Imported, ImportError> {
        self.import_text(json.to_owned(), false)
    }

    /// The same, of a text that may be large. With `force`, marks in the future are taken as well.
    ///
    /// # Errors
    /// As [`Protection::import`].
    pub fn import_text(&self, json: String, force: bool) -> Result<Imported, ImportError> {
        let Some(guard) = self.guard() else {
            let (chain, keys) = aside(move || interchange::read(&json, None))??;
            let keys = keys.len();
            return Ok(Imported { chain, keys });
        };
        let store = Arc::clone(&guard.store);
        let expected = guard.chain;
        aside(move || {
            // Several at once would need the memory of several.
            let is_large = json.len() > SMALL_IMPORT_BYTES_MAX;
            let _alone = is_large.then(|| lock(&store.large_import));
            let (chain, keys) = {
                // It goes before memory is needed for the merge.
                let text = json;
                read_checked(&text, expected, store.limits(), force)?
            };
            let imported = Imported {
                chain,
                keys: keys.len(),
            };
            merge(&store, chain, keys, is_large)?;
            Ok(imported)
        })?
    }

    /// The marks of these keys on all chains, or of all keys; sorted.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be read.
    pub fn marks(
        &self,
        keys: Option<&[PublicKey]>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable> {
        let keys = keys.map(|keys| BTreeSet::from_iter(keys.iter().copied()));
        let marks = self.look(move |view| {
            let mut marks = Vec::new();
            view.for_each(&mut |key, chain, record| {
                if keys.as_ref().is_none_or(|keys| keys.contains(&key)) {
                    marks.push((key, chain, record.marks));
                }
                Ok(())
            })?;
            Ok(marks)
        })?;
        Ok(marks.unwrap_or_default())
    }

    /// The floors for a key without a record, as they are now: a slot, and an epoch. `None` without
    /// protection.
    pub fn floors(&self) -> Option<(Floor, Floor)> {
        let guard = self.guard()?;
        let limits = guard.store.limits();
        let chain = limits.new_store.and_then(|floor| floor.chain);
        let chain = guard.chain.or(chain).unwrap_or(Root::ZERO);
        let Bounds { block, vote, .. } = limits.on(chain, limits.now(), None);
        Some((block, vote))
    }

    /// Whether there is a record of this key, on any chain. `false` when the store cannot be read.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.known_among(vec![*key]).contains(key)
    }

    /// Those of `keys` of which there is a record, on any chain. None when the store cannot be read.
    pub fn known_among(&self, keys: Vec<PublicKey>) -> BTreeSet<PublicKey> {
        let known = self.look(move |view| {
            let mut known = BTreeSet::new();
            for key in keys {
                if view.knows(&key)? {
                    known.insert(key);
                }
            }
            Ok(known)
        });
        known.ok().flatten().unwrap_or_default()
    }

    /// Whether records can be written. After a failure this tries again, and repairs the store when
    /// the disk is back; then it waits through [`crate::wait`].
    ///
    /// # Errors
    /// The reason, for health and log.
    pub fn health(&self) -> Result<(), Unavailable> {
        self.guard().map_or(Ok(()), |guard| guard.store.health())
    }

    /// The line that nothing is signed at or above.
    pub fn high_watermark(&self) -> Option<HighWatermark> {
        self.guard().and_then(|guard| guard.store.high_watermark())
    }

    /// Draws that line, for all keys and chains, or removes it. On disk when this returns.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be written, or when protection is off.
    pub fn set_high_watermark(&self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        let off = || Unavailable("slashing protection is off".to_owned());
        self.guard().ok_or_else(off)?.store.limit(high)
    }

    /// How many messages that can be slashed were cleared since the start, repeats included, and how
    /// many a rule refused.
    pub fn counters(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.guard().map_or((0, 0), |guard| {
            (read(&guard.permitted), read(&guard.prevented))
        })
    }

    fn guard(&self) -> Option<&Guard> {
        match self {
            Self::Off => None,
            Self::On(guard) => Some(guard),
        }
    }

    /// What `look` sees in the store, on a thread of its own; `None` without protection.
    fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<Option<T>, Unavailable> {
        let Some(guard) = self.guard() else {
            return Ok(None);
        };
        let view = guard.store.view()?;
        aside(move || look(&view))?
            .map(Some)
            .map_err(|error| Unavailable(error.to_string()))
    }
}

/// Does what may read much, or need more stack than a coroutine has, on a thread of its own.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unavailable> {
    let done = wait::on_thread("slashing data", work)
        .map_err(|error| Unavailable(format!("the system gives no thread: {error}")))?;
    done.ok_or_else(|| Unavailable("its reader has ended".to_owned()))
}

impl ProtectionSettings {
    /// Whether an interchange file can be imported under these settings, as far as the file tells.
    ///
    /// # Errors
    /// [`ImportError::Invalid`].
    pub fn check_import(&self, json: &str, force: bool) -> Result<(), ImportError> {
        read_checked(json, self.chain, &self.limits(None), force).map(|_| ())
    }

    /// What a person must know of the floors, or do about them.
    pub fn floor_notice(&self) -> Option<String> {
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
             a record signs the past as well, and what is far in the future is not noticed; choose the chain \
             with --network (`network:` in the configuration file), or set --slashing-protection-min-slot \
             and --slashing-protection-min-epoch"
                .to_owned(),
        )
    }

    fn limits(&self, new_store: Option<NewStoreFloor>) -> Limits {
        Limits {
            min_slot: self.min_slot,
            min_epoch: self.min_epoch,
            chain: self.chain,
            clock: self.clock,
            new_store,
        }
    }

    /// The floor of a store that is made now: after the present, where keys may have signed before.
    fn new_store_floor(&self, was_lost: bool) -> Option<NewStoreFloor> {
        let reason = if was_lost {
            "the slashing protection store was lost and is made anew"
        } else if self.has_keys {
            "there are keys here, and there was no slashing protection store before"
        } else {
            return None;
        };
        let Some(clock) = self.clock else {
            log::warn!(
                "{reason}: what the keys signed before is not known, nor is the genesis time of the chain, \
                 so there is no floor; import an interchange file, or choose the chain with --network"
            );
            return None;
        };
        let lowest = clock.after_present();
        log::warn!(
            "{reason}: what the keys signed before is not known, so nothing is signed below slot {}, epoch {}, \
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

/// The chain and the marks of a file that may be imported.
fn read_checked(
    json: &str,
    expected: Option<Root>,
    limits: &Limits,
    force: bool,
) -> Result<(Root, BTreeMap<PublicKey, Marks>), ImportError> {
    let (chain, keys) = interchange::read(json, expected)?;
    let bounds = limits.on(chain, limits.now(), None);
    if let Some(last) = bounds.future.filter(|_| !force) {
        interchange::check_future(&keys, last)?;
    }
    Ok((chain, keys))
}

/// Adds marks to those on record, all or none. Blocks the thread.
fn merge(
    store: &Arc<Store>,
    chain: Root,
    keys: BTreeMap<PublicKey, Marks>,
    is_large: bool,
) -> Result<(), ImportError> {
    let merged = if is_large && keys.len() > SMALL_IMPORT_KEYS_MAX {
        rebuild::merge(store, chain, keys)?
    } else {
        store.change(move |changes| {
            for (key, marks) in &keys {
                let Some(before) = changes.marks(*key, chain)? else {
                    if !changes.has_room(*key, chain)? {
                        return Ok(Err(*key));
                    }
                    changes.put(*key, chain, *marks)?;
                    continue;
                };
                changes.put(*key, chain, before.merge(*marks))?;
            }
            Ok(Ok(()))
        })?
    };
    merged.map_err(|key| {
        ImportError::Invalid(format!(
            "data: {key} has records on {} chains, all of them used within the last day",
            rule::CHAINS_PER_KEY_MAX
        ))
    })
}
