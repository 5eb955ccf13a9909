//! Why a store does not open, and why an export fails.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::rule::Unavailable;
use crate::consensus::primitives::Root;

/// Chains that a message names.
const CHAINS_NAMED_MAX: usize = 16;

/// Why the store does not open. `main` prints [`StoreOpenError::hint`] below it.
#[derive(Debug)]
pub enum StoreOpenError {
    /// Another process uses it: the directory or the file, and the process id where it is known.
    InUse(PathBuf, Option<u32>),
    /// There was a store in this file, and it is gone.
    Lost(PathBuf),
    /// An error of the system: the file, and why.
    Io(PathBuf, io::Error),
    /// The file is not our database, or it is damaged: the file, and what is wrong.
    Damaged(PathBuf, String),
    /// The database cannot be used: which one, and why.
    Database(String, String),
}

impl StoreOpenError {
    /// Classifies what redb says about the file at `path`.
    pub(super) fn of(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        if matches!(error, redb::Error::DatabaseAlreadyOpen) {
            return Self::InUse(path, None);
        }
        let reason = error.to_string();
        if let redb::Error::Io(error) = error
            && !is_damage(&error)
        {
            return Self::Io(path, error);
        }
        Self::Damaged(path, reason)
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::InUse(..) => "stop the other process, or give this one its own directory",
            Self::Lost(_) => {
                "restore an up-to-date backup of the file; or import an interchange file with \
                 `signerd slashing import`; or start once with --slashing-protection-new-store, which signs \
                 nothing of the present epoch"
            }
            Self::Database(..) => {
                "correct --slashing-protection-db-url and its options, or the database"
            }
            Self::Io(..) => "the directory must exist and be writable for this user",
            Self::Damaged(..) => {
                "restore an up-to-date backup of the file; or move the file away and import an interchange \
                 file with `signerd slashing import`, or start once with --slashing-protection-new-store"
            }
        }
    }
}

/// redb reports a foreign or shortened file by these.
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
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(database, reason) => write!(f, "{database}: {reason}"),
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

/// Why an export failed.
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
                for (index, chain) in chains.iter().take(CHAINS_NAMED_MAX).enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{chain}")?;
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_that_needs_a_choice_names_some_chains_and_counts_the_others() {
        for (count, more) in [
            (2, None),
            (CHAINS_NAMED_MAX, None),
            (CHAINS_NAMED_MAX + 1, Some(" and 1 more; choose one")),
        ] {
            let chains: Vec<_> = (1..=u8::MAX)
                .take(count)
                .map(|number| Root([number; 32]))
                .collect();
            let text = ExportError::SeveralChains(chains.clone()).to_string();
            let named: Vec<_> = chains
                .iter()
                .take(CHAINS_NAMED_MAX)
                .map(Root::to_string)
                .collect();
            let start = format!(
                "there are records on {count} chains, and an interchange file is about one: {}{}",
                named.join(", "),
                more.unwrap_or("; choose one")
            );
            assert!(text.starts_with(&start), "{text}");
        }
    }

    #[test]
    fn a_foreign_or_shortened_file_is_damaged_and_other_errors_are_of_the_system() {
        for (kind, expected) in [
            (io::ErrorKind::InvalidData, true),
            (io::ErrorKind::UnexpectedEof, true),
            (io::ErrorKind::PermissionDenied, false),
            (io::ErrorKind::StorageFull, false),
        ] {
            assert_eq!(is_damage(&kind.into()), expected, "{kind}");
        }
    }
}
