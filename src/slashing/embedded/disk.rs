//! Where the database file lives, and how one is opened, made and replaced.
//!
//! - A file gets the database's name only when it is complete and synced. An empty or shortened file is
//!   therefore damage, never a new store that knows nothing.
//! - A directory remembers that it had a store, so a lost one is noticed.
//! - An open database is checked to still have its name, so a removed or replaced file is noticed.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, Error};

use super::records::{
    FORMAT_VERSION, RecordSnapshot, RecordTable, VisitRecord, copy_facts, create_tables,
    set_new_store_floor,
};
use crate::slashing::error::StoreOpenError;
use crate::slashing::limits::NewStoreFloor;

/// The database's name in its directory.
pub(crate) const DATABASE_FILE: &str = "slashing-protection.redb";
/// Locked by the process that uses the directory; holds its process id.
const LOCK_FILE: &str = "slashing-protection.lock";
/// A process id and a line break; a longer file is not ours.
const PID_BYTES_MAX: u64 = 32;
/// Marks a directory that has a store, or had one.
const MARKER_FILE: &str = "slashing-protection.made";
const MARKER_TEXT: &str = "A slashing protection store was made here: slashing-protection.redb.\n\
     If that file is lost, signerd does not start, and says what to do. Do not remove this file.\n";

/// What redb keeps in memory; the records of 100,000 keys take some 20 MB on disk.
const CACHE_BYTES: usize = 4 << 20;

/// A larger file is copied when its records need much less.
const GROWN_BYTES_MIN: u64 = 16 << 20;

/// A record takes less than this in a file that was just written, its share of the tree included.
const RECORD_BYTES_MAX: u64 = 400;

/// A database that is written beside the present one, to replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// Written by the writer thread: the first database, or a copy that replaces a bad one.
    Copy,
    /// Written by another thread, while the store goes on.
    Rebuild,
}

/// Holds one database, and drafts of the next one.
pub trait Disk: Send {
    /// Opens the database; `None` when there is none.
    ///
    /// # Errors
    /// An error of the system or of redb.
    fn open(&self, builder: &Builder) -> Result<Option<Database>, Error>;

    /// Makes a new, empty database beside the present one.
    ///
    /// # Errors
    /// An error of the system or of redb.
    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, Error>;

    /// Replaces the database by the draft. A power cut does not undo it.
    ///
    /// # Errors
    /// An error of the system; either database has the name then.
    fn adopt(&self, draft: Draft) -> io::Result<()>;

    /// Removes a draft, as far as that is possible.
    fn discard(&self, draft: Draft);

    /// Checks that the open database still has its name.
    ///
    /// # Errors
    /// The file was removed or replaced, or an error of the system.
    fn verify(&self) -> io::Result<()>;

    /// Returns whether there ever was a database.
    ///
    /// # Errors
    /// An error of the system.
    fn had_database(&self) -> io::Result<bool>;

    /// Remembers that there is a database.
    ///
    /// # Errors
    /// An error of the system.
    fn remember(&self) -> io::Result<()>;

    /// Returns the size of the database.
    ///
    /// # Errors
    /// An error of the system.
    fn database_bytes(&self) -> io::Result<u64>;
}

/// Opens the database of this disk: ours, undamaged, of the present format, and not much larger than
/// its records need.
pub(super) fn open_database(disk: &dyn Disk) -> Result<Option<Database>, Error> {
    // Some damage makes redb panic.
    let opened = panic::catch_unwind(AssertUnwindSafe(|| open_checked(disk)));
    opened.unwrap_or_else(|_| Err(Error::Corrupted("it cannot be read".to_owned())))
}

fn open_checked(disk: &dyn Disk) -> Result<Option<Database>, Error> {
    let Some(mut database) = disk.open(Builder::new().set_cache_size(CACHE_BYTES))? else {
        return Ok(None);
    };
    // Takes 25 ms for 100,000 keys. A repair that goes back to an earlier commit may lose the last record.
    if !database.check_integrity()? {
        return Err(Error::Corrupted("checksums differ".to_owned()));
    }
    let snapshot = RecordSnapshot::of(&database)?;
    match snapshot.format()? {
        Some(FORMAT_VERSION) => {}
        Some(1) => {
            return copy(disk, &snapshot, RecordSnapshot::for_each_of_format_1).map(Some);
        }
        other => {
            return Err(Error::Corrupted(format!(
                "format {other:?}, expected {FORMAT_VERSION}"
            )));
        }
    }
    let bytes = disk.database_bytes()?;
    if bytes > GROWN_BYTES_MIN && bytes > snapshot.count()? * RECORD_BYTES_MAX {
        return copy(disk, &snapshot, RecordSnapshot::for_each).map(Some);
    }
    Ok(Some(database))
}

/// Makes the first database.
pub(super) fn create_database(
    disk: &dyn Disk,
    floor: Option<NewStoreFloor>,
) -> Result<Database, Error> {
    let database = create_draft(disk, Draft::Copy)?;
    if let Some(floor) = floor {
        let transaction = database.begin_write()?;
        set_new_store_floor(&transaction, &floor)?;
        transaction.commit()?;
    }
    disk.adopt(Draft::Copy)?;
    Ok(database)
}

/// Replaces the database of this disk by a copy that was written and synced anew. `None` when there is
/// no database.
pub(super) fn copy_database(disk: &dyn Disk) -> Result<Option<Database>, Error> {
    let Some(old) = open_database(disk)? else {
        return Ok(None);
    };
    copy(disk, &RecordSnapshot::of(&old)?, RecordSnapshot::for_each).map(Some)
}

/// Makes an empty database of our format beside the present one.
pub(super) fn create_draft(disk: &dyn Disk, draft: Draft) -> Result<Database, Error> {
    let database = disk.create(Builder::new().set_cache_size(CACHE_BYTES), draft)?;
    let transaction = database.begin_write()?;
    create_tables(&transaction)?;
    transaction.commit()?;
    Ok(database)
}

fn copy(
    disk: &dyn Disk,
    old: &RecordSnapshot,
    for_each: fn(&RecordSnapshot, &mut VisitRecord<'_>) -> Result<(), Error>,
) -> Result<Database, Error> {
    let new = create_draft(disk, Draft::Copy)?;
    let transaction = new.begin_write()?;
    {
        let mut table = RecordTable::open(&transaction)?;
        for_each(old, &mut |record| table.put(&record))?;
    }
    copy_facts(old, &transaction)?;
    transaction.commit()?;
    disk.adopt(Draft::Copy)?;
    Ok(new)
}

/// A directory that this process alone uses.
pub(super) struct StoreDirectory {
    path: PathBuf,
    /// The database file itself, where the name is a symbolic link: the draft replaces the file.
    database: PathBuf,
    /// The file that is open under the database's name; `None` before there is one.
    open_file: Cell<Option<FileId>>,
    /// Closing it releases the lock.
    lock: File,
    /// Whether a process has used the directory before.
    was_used: bool,
}

/// Names a file for as long as it is open: device and inode.
type FileId = (u64, u64);

impl StoreDirectory {
    /// Reserves the directory for this process.
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

    /// Writes the process id into the lock file. The file stays empty until there is a store, so that
    /// a start that was cut off earlier does not look like a lost store.
    fn write_process_id(&self) -> io::Result<()> {
        let mut lock = &self.lock;
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())
    }

    fn draft(&self, draft: Draft) -> PathBuf {
        self.database.with_extension(match draft {
            Draft::Copy => "redb.new",
            Draft::Rebuild => "redb.rebuild",
        })
    }

    fn sync(&self) -> io::Result<()> {
        // A name is durable when its directory is synced.
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

impl Disk for StoreDirectory {
    fn open(&self, builder: &Builder) -> Result<Option<Database>, Error> {
        // After an error the file is opened again. An older copy under its name lacks the last signatures.
        if self.open_file.get().is_some() {
            self.verify()?;
        }
        let metadata = match fs::metadata(&self.database) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !metadata.is_file() {
            return Err(Error::Corrupted("not a file".to_owned()));
        }
        // redb would turn it into a new database.
        if metadata.len() == 0 {
            return Err(Error::Corrupted("empty file".to_owned()));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.database)?;
        self.open_file.set(Some(file_id(&file.metadata()?)));
        Ok(Some(builder.create_file(file)?))
    }

    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, Error> {
        let path = self.draft(draft);
        // Remove a draft that was left behind, and never write through a link.
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
        // A draft that stays is removed at the next start, or before the next draft.
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
        // A dangling link once led to a database.
        let has = |name| fs::symlink_metadata(self.path.join(name)).is_ok();
        Ok(self.was_used || has(MARKER_FILE) || has(DATABASE_FILE))
    }

    fn remember(&self) -> io::Result<()> {
        let marker = self.path.join(MARKER_FILE);
        if fs::symlink_metadata(&marker).is_err() {
            let mut file = private().create_new(true).open(marker)?;
            file.write_all(MARKER_TEXT.as_bytes())?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()?;
        }
        // Drafts of a process that was killed can be large.
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

/// Opens files that only their owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
