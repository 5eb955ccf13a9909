//! Where the database's bytes live: a directory in production, memory that fails in tests.
//!
//! A file appears under the database's name only when it is complete and synced, so an empty or
//! shortened one is damage, never a new store that knows nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::{Builder, Database};

use super::OpenError;

/// The database's name in its directory.
pub(crate) const DATABASE_FILE: &str = "slashing-protection.redb";
/// A database that is being made, beside the one it will replace.
const NEW_FILE: &str = "slashing-protection.redb.new";
/// Locked by the process that uses the directory; holds its id.
const LOCK_FILE: &str = "slashing-protection.lock";

/// The place of one database.
pub trait Disk: Send {
    /// The database; `None` when there has never been one.
    ///
    /// # Errors
    /// Whatever the system or redb says.
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error>;

    /// A new, empty database beside it.
    ///
    /// # Errors
    /// Whatever the system or redb says.
    fn create(&self, builder: &Builder) -> Result<Database, redb::Error>;

    /// Puts the new database in the place of the old one; it stays there through a power cut.
    ///
    /// # Errors
    /// Whatever the system says; either of the two is then in that place.
    fn adopt(&self) -> io::Result<()>;
}

/// A directory that this process alone uses.
pub(super) struct Directory {
    path: PathBuf,
    /// Closing it gives the lock back.
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let lock_path = path.join(LOCK_FILE);
        let io_error = |error| OpenError::Io(lock_path.clone(), error);
        let mut lock = create_private(&lock_path).map_err(io_error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                lock.read_to_string(&mut pid).map_err(io_error)?;
                return Err(OpenError::InUse(path.to_owned(), pid.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io_error)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }
}

impl Disk for Directory {
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error> {
        let path = self.path.join(DATABASE_FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            // redb would make a new database of it.
            Ok(metadata) if metadata.len() == 0 => {
                Err(redb::Error::Corrupted("empty file".to_owned()))
            }
            Ok(_) => Ok(Some(builder.open(&path)?)),
        }
    }

    fn create(&self, builder: &Builder) -> Result<Database, redb::Error> {
        let file = create_private(&self.path.join(NEW_FILE))?;
        file.set_len(0)?;
        Ok(builder.create_file(file)?)
    }

    fn adopt(&self) -> io::Result<()> {
        fs::rename(self.path.join(NEW_FILE), self.path.join(DATABASE_FILE))?;
        // A name is on disk only when its directory is.
        File::open(&self.path)?.sync_all()
    }
}

/// Opens or creates a file that only its owner can read.
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
