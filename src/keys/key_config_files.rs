//! `--key-config-path`: lists the keys that Web3Signer's YAML files name.

use std::path::Path;

use super::key_config::{self, KeyConfig};
use super::scan::{Scan, has_extension};
use super::source::KeySource;
use crate::files::{self, FileError, PathKind};

/// Lists what the `*.yaml` and `*.yml` files of a directory name. Relative paths begin there. A file that
/// cannot be understood is a problem of its own.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn list(
    directory: &Path,
    file_bytes_max: usize,
    scan: &mut Scan,
) -> Result<(), FileError> {
    for file in files::list_directory(directory)? {
        if !has_extension(&file, "yaml") && !has_extension(&file, "yml") {
            continue;
        }
        match read_file(directory, &file, file_bytes_max) {
            Ok(sources) => {
                for source in sources {
                    add(source, &file, scan);
                }
            }
            Err(error) => scan.problems.push(error),
        }
    }
    Ok(())
}

/// A keystore that a key configuration file names has to be there.
fn add(source: KeySource, named_in: &Path, scan: &mut Scan) {
    if let Some(file) = source.file()
        && matches!(files::look_at(file), Ok(PathKind::Absent))
    {
        let reason = format_args!("no such file; it is named in {}", named_in.display());
        scan.missing.push(FileError::new(file, reason));
        return;
    }
    scan.add(source, &named_in.into());
}

fn read_file(directory: &Path, file: &Path, bytes_max: usize) -> Result<Vec<KeySource>, FileError> {
    let fault = |reason: String| FileError::new(file, reason);
    match files::look_at(file)? {
        PathKind::File => {}
        PathKind::Directory => return Err(fault("a directory, not a file".to_owned())),
        PathKind::Absent => return Ok(Vec::new()),
    }
    let bytes =
        files::read_bounded(file, bytes_max).map_err(|error| FileError::new(file, error))?;
    let yaml = str::from_utf8(&bytes).map_err(|_| fault("expected UTF-8 text".to_owned()))?;
    let mut sources: Vec<KeySource> = Vec::new();
    for config in key_config::read(yaml, directory).map_err(fault)? {
        let source = match config {
            KeyConfig::Raw => KeySource::Raw { file: file.into() },
            KeyConfig::Keystore { file, password } => KeySource::read_only(&file, &password),
        };
        // All bare keys of a file are one source.
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    Ok(sources)
}
