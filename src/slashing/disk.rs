//! Where the store's bytes live: a directory in production, memory that fails in tests.
//!
//! A database file appears under its name only when it is complete and synced, and so is never
//! empty: an empty or shortened file is damage, not a new store that knows nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::OpenError;

/// The database's name in its directory.
pub const DATABASE_FILE: &str = "slashing-protection.redb";
/// A database that is being made, beside the one it will replace.
const NEW_FILE: &str = "slashing-protection.redb.new";
/// Locked by the process that uses the directory, whose id it holds.
const LOCK_FILE: &str = "slashing-protection.lock";
/// Readable by its owner alone.
const FILE_MODE: u32 = 0o600;

/// The place of one database.
pub trait Disk: Send + 'static {
    /// One file.
    type File: StorageBackend;

    /// The database; `None` when there has never been one.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self) -> io::Result<Option<Self::File>>;

    /// A new, empty file beside the database.
    ///
    /// # Errors
    /// Whatever the system says.
    fn create(&self) -> io::Result<Self::File>;

    /// Puts the created file in the database's place, for good: it survives a power cut.
    ///
    /// # Errors
    /// Whatever the system says; the database is then the old or the new one.
    fn adopt(&self) -> io::Result<()>;
}

/// A directory that this process alone uses.
pub struct Directory {
    path: PathBuf,
    /// Held open: closing it gives the lock back.
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process.
    ///
    /// # Errors
    /// [`OpenError::InUse`] with the id of the process that has it; [`OpenError::Io`].
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let lock_path = path.join(LOCK_FILE);
        let io_error = |error| OpenError::Io { path: lock_path.clone(), error };
        let mut lock = options().truncate(false).open(&lock_path).map_err(io_error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                lock.read_to_string(&mut pid).map_err(io_error)?;
                return Err(OpenError::InUse { path: path.to_owned(), pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(io_error)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The database's path, for messages.
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }
}

impl Disk for Directory {
    type File = FileBackend;

    fn open(&self) -> io::Result<Option<FileBackend>> {
        match OpenOptions::new().read(true).write(true).open(self.database()) {
            Ok(file) => FileBackend::new(file).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self) -> io::Result<FileBackend> {
        let file = options().truncate(true).open(self.path.join(NEW_FILE))?;
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn adopt(&self) -> io::Result<()> {
        fs::rename(self.path.join(NEW_FILE), self.database())?;
        // The name is on disk only when the directory is.
        File::open(&self.path)?.sync_all()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(FILE_MODE);
    options
}
