//! Slashing protection: nothing is signed but for the holder of a [`Cleared`], and only this module
//! makes one.
//!
//! Check → record on disk → [`Cleared`], in this order. Without protection the proof says so at
//! start-up, in the log, in health and in metrics.
//!
//! One store serves several chains, each named by its genesis validators root: a devnet that is
//! re-created every day under the same keys just works. An interchange file is about one chain.

mod disk;
mod interchange;
pub mod rule;
mod store;
mod tables;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

pub(crate) use disk::DATABASE_FILE;
use disk::Directory;
use rule::Bounds;
use store::Store;
use tables::View;

pub use disk::Disk;
pub use interchange::ImportError;
pub use rule::{Floor, HighWatermark, Refused, Unavailable};

use crate::consensus::primitives::{PublicKey, Root};
use crate::consensus::slashable::Slashable;
use crate::wait;

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
pub struct Settings {
    /// An existing directory; one process at a time uses it.
    pub directory: PathBuf,
    /// For a key without a block on record.
    pub block_floor: Floor,
    /// For a key without a vote on record.
    pub vote_floor: Floor,
    /// The only chain that interchange files are taken for, and floors of the clock hold on; `None`:
    /// any.
    pub chain: Option<Root>,
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
    store: Store,
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
    /// [`OpenError`]: in use by another process, damaged, or whatever the system says.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let directory = Directory::lock(&settings.directory)?;
        Self::open_on(Box::new(directory), settings)
    }

    /// Protection by the store on `disk`. `settings.directory` is for messages only.
    ///
    /// # Errors
    /// As [`Protection::open`].
    pub fn open_on(disk: Box<dyn Disk>, settings: &Settings) -> Result<Self, OpenError> {
        let Settings {
            block_floor: block,
            vote_floor: vote,
            chain,
            ..
        } = *settings;
        let store = Store::open(
            disk,
            Bounds {
                block,
                vote,
                chain,
                high: None,
            },
        );
        let store = store.map_err(|error| OpenError::of(&settings.directory, error))?;
        let (permitted, prevented) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self::On(Guard {
            store,
            chain,
            permitted,
            prevented,
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
        let verdict = match (self.guard(), *slashable) {
            (None, _) | (_, Slashable::Never) => return Ok(Cleared { root }),
            (Some(guard), Slashable::Opaque) => (guard, Err(Refused::Opaque)),
            (Some(guard), Slashable::On(chain, message)) => {
                (guard, guard.store.record(*key, chain, message, root))
            }
        };
        match verdict {
            (guard, Ok(())) => drop(guard.permitted.fetch_add(1, Ordering::Relaxed)),
            (_, Err(Refused::Unavailable(_))) => {}
            (guard, Err(_)) => drop(guard.prevented.fetch_add(1, Ordering::Relaxed)),
        }
        verdict.1.map(|()| Cleared { root })
    }

    /// The interchange file (EIP-3076) of some keys, or of all, on one chain, or on that which was
    /// recorded last. Without protection, or without records, a valid file about no key.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be read.
    pub fn export(
        &self,
        chain: Option<Root>,
        keys: Option<&[PublicKey]>,
    ) -> Result<String, Unavailable> {
        let keys = keys.map(|keys| BTreeSet::from_iter(keys.iter().copied()));
        let file = self.look(move |view| {
            let last_chain = view.last_chain()?;
            let chain = chain.or(last_chain).unwrap_or(Root::ZERO);
            Ok(interchange::write(
                chain,
                &view.marks(chain, keys.as_ref())?,
            ))
        });
        Ok(file?.unwrap_or_else(|| interchange::write(chain.unwrap_or(Root::ZERO), &[])))
    }

    /// Adds an interchange file to what is on record: the maximum of both, all of it or nothing.
    /// Without protection it is checked, and nothing else.
    ///
    /// # Errors
    /// [`ImportError`]; nothing has changed then, unless the disk failed in the middle of the commit.
    pub fn import(&self, json: &str) -> Result<Imported, ImportError> {
        let expected = self.guard().and_then(|guard| guard.chain);
        let json = json.to_owned();
        let (chain, marks) = aside(move || interchange::read(&json, expected))??;
        let keys = marks.len();
        self.guard().map_or(Ok(()), |guard| {
            guard.store.merge(chain, marks.into_iter().collect())
        })?;
        Ok(Imported { chain, keys })
    }

    /// Whether there is a record of this key, on any chain. `false` when the store cannot be read.
    pub fn knows(&self, key: &PublicKey) -> bool {
        let key = *key;
        matches!(self.look(move |view| view.knows(&key)), Ok(Some(true)))
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
    let (promise, answer) = wait::promise();
    let thread = thread::Builder::new().name("slashing data".to_owned());
    let spawned = thread.spawn(move || promise.keep(work()));
    spawned.map_err(|error| Unavailable(format!("the system gives no thread: {error}")))?;
    answer
        .wait()
        .ok_or_else(|| Unavailable("its reader has ended".to_owned()))
}

/// Why the store does not open. `main` prints [`OpenError::hint`] below it.
#[derive(Debug)]
pub enum OpenError {
    /// Another process uses the directory: the directory, and the process id.
    InUse(PathBuf, String),
    /// The system refuses: the file, and why.
    Io(PathBuf, io::Error),
    /// The file is no database of ours, or a broken one: the file, and what is wrong.
    Damaged(PathBuf, String),
}

impl OpenError {
    fn of(directory: &Path, error: redb::Error) -> Self {
        let (path, reason) = (directory.join(DATABASE_FILE), error.to_string());
        if let redb::Error::Io(error) = error
            && !is_damage(&error)
        {
            return Self::Io(path, error);
        }
        Self::Damaged(path, reason)
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse(..) => "stop the other process, or give this one a directory of its own",
            Self::Io(..) => "the directory must exist and be writable for this user",
            Self::Damaged(..) => {
                "restore a backup of the file; or move it away and import an interchange file, or set a \
                 lowest slot and epoch that no key has reached"
            }
        }
    }
}

/// redb tells of a strange or shortened file by these.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, pid) => write!(f, "{} is in use by process {pid}", path.display()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Damaged(path, reason) => {
                write!(
                    f,
                    "{}: damaged slashing protection store: {reason}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}
