//! Why a store does not open, and why there is no export.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::DATABASE_FILE;
use super::rule::Unavailable;
use crate::consensus::primitives::Root;

/// So many chains are named in a message.
const CHAINS_NAMED_MAX: usize = 16;

/// Why the store does not open. `main` prints [`StoreOpenError::hint`] below it.
#[derive(Debug)]
pub enum StoreOpenError {
    /// Another process uses it: the directory, and the process id where it is known.
    InUse(PathBuf, Option<u32>),
    /// There was a store in this directory, and it is gone.
    Lost(PathBuf),
    /// The system refuses: the file, and why.
    Io(PathBuf, io::Error),
    /// The file is no database of ours, or a broken one: the file, and what is wrong.
    Damaged(PathBuf, String),
}

impl StoreOpenError {
    pub(super) fn of(directory: &Path, error: redb::Error) -> Self {
        let path = directory.join(DATABASE_FILE);
        if matches!(error, redb::Error::DatabaseAlreadyOpen) {
            return Self::InUse(directory.to_owned(), None);
        }
        let reason = error.to_string();
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
            Self::Lost(_) => {
                "restore a backup of the file that is up to date; or import an interchange file with \
                 `signerd slashing import`; or start once with --slashing-protection-new-store, which signs \
                 nothing of the present epoch"
            }
            Self::Io(..) => "the directory must exist and be writable for this user",
            Self::Damaged(..) => {
                "restore a backup of the file that is up to date; or move it away and import an interchange \
                 file with `signerd slashing import`, or start once with --slashing-protection-new-store"
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

impl fmt::Display for StoreOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, Some(pid)) => {
                write!(f, "{} is in use by process {pid}", path.display())
            }
            Self::InUse(path, None) => {
                write!(
                    f,
                    "the slashing protection store of {} is in use by another process",
                    path.display()
                )
            }
            Self::Lost(path) => write!(
                f,
                "{}: the slashing protection store is gone, and with it what the keys have signed",
                path.join(DATABASE_FILE).display()
            ),
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

impl std::error::Error for StoreOpenError {}

/// Why there is no interchange file.
#[derive(Debug, PartialEq, Eq)]
pub enum ExportError {
    /// The store cannot be read.
    Unavailable(Unavailable),
    /// The keys have records on all of these chains, and a file is about one.
    SeveralChains(Vec<Root>),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(unavailable) => unavailable.fmt(f),
            Self::SeveralChains(chains) => {
                write!(
                    f,
                    "there are records on {} chains, and an interchange file is about one: ",
                    chains.len()
                )?;
                let named = chains.iter().take(CHAINS_NAMED_MAX).map(Root::to_string);
                let named: Vec<_> = named.collect();
                f.write_str(&named.join(", "))?;
                if chains.len() > CHAINS_NAMED_MAX {
                    write!(f, " and {} more", chains.len() - CHAINS_NAMED_MAX)?;
                }
                f.write_str(
                    "; choose one with genesis_validators_root=0x… in the query, or with \
                     --genesis-validators-root on the command line",
                )
            }
        }
    }
}

impl std::error::Error for ExportError {}

impl From<Unavailable> for ExportError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}
