//! [`Scan`]: the sources that were found, and what could not be listed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::KeySource;
use crate::files::{self, FileError, FileStamp};

/// A source that was found.
#[derive(Clone, Debug)]
pub(crate) struct ListedSource {
    pub(crate) source: KeySource,
    /// The directory or key configuration file that names it.
    pub(crate) listed_in: Arc<Path>,
    /// What its file looked like; `None` without a file.
    pub(crate) stamp: Option<FileStamp>,
}

/// What was found in one root, or in all.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) sources: Vec<ListedSource>,
    /// Files and directories below the roots that cannot be read or understood.
    pub(crate) problems: Vec<FileError>,
    /// Files that are named somewhere and do not exist: their keys are gone.
    pub(crate) missing: Vec<FileError>,
    /// Roots that cannot be read or understood at all. In the first load they end the process.
    pub(crate) root_problems: Vec<FileError>,
}

impl Scan {
    /// Adds a source with a file. A file that cannot be looked at is a problem of its own; one that has
    /// gone in the meantime is skipped.
    pub(super) fn add(&mut self, source: KeySource, listed_in: &Arc<Path>) {
        let Some(file) = source.file() else {
            return self.add_without_file(source);
        };
        match FileStamp::of(file) {
            Ok(None) => {}
            Ok(stamp) => self.sources.push(ListedSource {
                source,
                listed_in: Arc::clone(listed_in),
                stamp,
            }),
            Err(error) => self.problems.push(error),
        }
    }

    /// Adds a source that has no file.
    pub(super) fn add_without_file(&mut self, source: KeySource) {
        self.sources.push(ListedSource {
            source,
            listed_in: Path::new("").into(),
            stamp: None,
        });
    }

    /// Adds everything that another scan has found.
    pub(super) fn append(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.problems.extend(other.problems);
        self.missing.extend(other.missing);
        self.root_problems.extend(other.root_problems);
    }
}

/// Lists the `*.json` files of a directory, without hidden ones.
pub(super) fn json_files(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = files::list_directory(directory)?;
    files.retain(|path| has_extension(path, "json") && !file_name(path).starts_with('.'));
    Ok(files)
}

/// Whether the name of a file has this extension, in any case.
pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// The name of a file; empty when it is not UTF-8.
pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
