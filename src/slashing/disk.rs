//! Where the database's bytes live: a directory in production, memory that fails in tests.
//!
//! A file appears under the database's name only when it is complete and synced, so an empty or
//! shortened one is damage, never a new store that knows nothing. A directory remembers that it had
//! a store, and an open store that it still has its name: what is lost is noticed.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::{Builder, Database};

use super::error::StoreOpenError;

/// The database's name in its directory.
pub(crate) const DATABASE_FILE: &str = "slashing-protection.redb";
/// Locked by the process that uses the directory; holds its id.
const LOCK_FILE: &str = "slashing-protection.lock";
/// A process id and a line's end; a longer file is not one of ours.
const PID_BYTES_MAX: u64 = 32;
/// Lies in a directory that has a store, or had one.
const MARKER_FILE: &str = "slashing-protection.made";
const MARKER_TEXT: &str = "A slashing protection store was made here: slashing-protection.redb.\n\
     When it is gone, signerd does not start, and says what to do. Leave this file where it is.\n";

/// A database that is being made beside the one whose place it will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// By the thread of the store: the first database, or a copy in the place of a bad one.
    Copy,
    /// By another thread, while the store goes on.
    Rebuild,
}

/// The place of one database.
pub trait Disk: Send {
    /// The database; `None` when there is none.
    ///
    /// # Errors
    /// Whatever the system or redb says.
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error>;

    /// A new, empty database beside it.
    ///
    /// # Errors
    /// Whatever the system or redb says.
    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, redb::Error>;

    /// Puts the new database in the place of the old one; it stays there through a power cut.
    ///
    /// # Errors
    /// Whatever the system says; either of the two is then in that place.
    fn adopt(&self, draft: Draft) -> io::Result<()>;

    /// Removes a new database that will not be adopted, as far as that is possible.
    fn discard(&self, draft: Draft);

    /// Whether the database that is open is still the file of that name.
    ///
    /// # Errors
    /// When it was removed or replaced, or the system does not say.
    fn verify(&self) -> io::Result<()>;

    /// Whether there was a database here before, be it gone now.
    ///
    /// # Errors
    /// Whatever the system says.
    fn had_database(&self) -> io::Result<bool>;

    /// Remembers that there is a database here.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remember(&self) -> io::Result<()>;

    /// How many bytes the database takes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn database_bytes(&self) -> io::Result<u64>;
}

/// A directory that this process alone uses.
pub(super) struct Directory {
    path: PathBuf,
    /// The database's file, and not a symbolic link to it: a new file takes the place of the old one.
    database: PathBuf,
    /// The file that is open under the database's name; `None` before there is one.
    open_file: Cell<Option<FileId>>,
    /// Closing it gives the lock back.
    lock: File,
    /// Whether another process has used the directory before.
    was_used: bool,
}

/// Names a file for as long as it is open: device and inode.
type FileId = (u64, u64);

impl Directory {
    /// Takes the directory for this process.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreOpenError> {
        let lock_path = path.join(LOCK_FILE);
        let io_error = |error| StoreOpenError::Io(lock_path.clone(), error);
        let lock = private().create(true).open(&lock_path).map_err(io_error)?;
        let mut pid = Vec::new();
        let locked = lock.try_lock();
        (&lock)
            .take(PID_BYTES_MAX)
            .read_to_end(&mut pid)
            .map_err(io_error)?;
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = String::from_utf8_lossy(&pid).trim().parse().ok();
                return Err(StoreOpenError::InUse(path.to_owned(), pid));
            }
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let database = path.join(DATABASE_FILE);
        let directory = Self {
            path: path.to_owned(),
            database: database.canonicalize().unwrap_or(database),
            open_file: Cell::new(None),
            lock,
            was_used: !pid.is_empty(),
        };
        if directory.was_used {
            directory.write_process_id().map_err(io_error)?;
        }
        Ok(directory)
    }

    /// Into the lock file, which stays empty until there is a store: a start that is cut off before is
    /// not a store that was lost.
    fn write_process_id(&self) -> io::Result<()> {
        let mut lock = &self.lock;
        lock.set_len(0)?;
        io::Seek::rewind(&mut lock)?;
        writeln!(lock, "{}", std::process::id())
    }

    fn draft(&self, draft: Draft) -> PathBuf {
        self.database.with_extension(match draft {
            Draft::Copy => "redb.new",
            Draft::Rebuild => "redb.rebuild",
        })
    }

    fn sync(&self) -> io::Result<()> {
        // A name is on disk only when its directory is.
        let directory = self.database.parent().unwrap_or(&self.path);
        File::open(directory)?.sync_all()
    }

    fn changed(&self, what: &str) -> io::Error {
        io::Error::other(format!(
            "{} was {what} while signerd used it: stop signerd, then put the file back",
            self.path.join(DATABASE_FILE).display()
        ))
    }
}

impl Disk for Directory {
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error> {
        // After an error. An older copy in its place has forgotten what was signed since.
        if self.open_file.get().is_some() {
            self.verify()?;
        }
        let metadata = match fs::metadata(&self.database) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !metadata.is_file() {
            return Err(redb::Error::Corrupted("not a file".to_owned()));
        }
        // redb would make a new database of it.
        if metadata.len() == 0 {
            return Err(redb::Error::Corrupted("empty file".to_owned()));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.database)?;
        self.open_file.set(Some(file_id(&file.metadata()?)));
        Ok(Some(builder.create_file(file)?))
    }

    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, redb::Error> {
        let path = self.draft(draft);
        // One that was left behind; and whatever else is there, nothing is written through it.
        let _ = fs::remove_file(&path);
        let file = private().create_new(true).open(path)?;
        Ok(builder.create_file(file)?)
    }

    fn adopt(&self, draft: Draft) -> io::Result<()> {
        let new = self.draft(draft);
        let id = file_id(&fs::metadata(&new)?);
        fs::rename(new, &self.database)?;
        self.open_file.set(Some(id));
        self.sync()
    }

    fn discard(&self, draft: Draft) {
        // What stays is removed at the next start, or before the next draft.
        let _ = fs::remove_file(self.draft(draft));
    }

    fn verify(&self) -> io::Result<()> {
        match fs::metadata(self.path.join(DATABASE_FILE)) {
            Ok(metadata) if metadata.nlink() == 0 => Err(self.changed("removed")),
            Ok(metadata) if self.open_file.get() == Some(file_id(&metadata)) => Ok(()),
            Ok(_) => Err(self.changed("replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.changed("removed")),
            Err(error) => Err(error),
        }
    }

    fn had_database(&self) -> io::Result<bool> {
        // A link that leads nowhere led to a database.
        let names = [MARKER_FILE, DATABASE_FILE].map(|name| self.path.join(name));
        let is_there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
        Ok(self.was_used || names.iter().any(is_there))
    }

    fn remember(&self) -> io::Result<()> {
        let marker = self.path.join(MARKER_FILE);
        if fs::symlink_metadata(&marker).is_err() {
            let mut file = private().create_new(true).open(marker)?;
            file.write_all(MARKER_TEXT.as_bytes())?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()?;
        }
        // Left by a process that was killed. They can be large, and nobody reads them.
        for draft in [Draft::Copy, Draft::Rebuild] {
            self.discard(draft);
        }
        self.write_process_id()
    }

    fn database_bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.database)?.len())
    }
}

fn file_id(metadata: &fs::Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// For files that only their owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
