//! The data directory: made for us alone, refused when others can write it; the token of the Keymanager
//! routes lies in it.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::error::{StartError, exit};
use crate::cli::options;
use crate::cli::token::read_token;
use crate::config::Settings;
use crate::files::{self, random};
use crate::keys::imported;
use crate::path_advice;

/// Makes the data directory if only its parent exists, refuses one that others can write, and takes over what
/// an older version imported. Nothing is written to the directory before.
pub(crate) fn prepare(settings: &Settings) -> Result<(), StartError> {
    let Some(path) = &settings.data_dir else {
        return Ok(());
    };
    if !path.exists() {
        DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|error| about_data_dir(StartError::cannot_create(path, &error)))?;
    }
    if !settings.sources.allow_insecure_permissions {
        files::check_directory_is_private(path).map_err(|error| {
            about_data_dir(StartError::new(exit::PERMISSION, error.to_string()))
        })?;
    }
    imported::adopt_older_imports(path)
        .map_err(|error| about_data_dir(StartError::new(exit::IO, error.to_string())))
}

fn about_data_dir(error: StartError) -> StartError {
    error.about_option(options::DATA_DIR.row.name)
}

/// Reads the token in this file. If the file does not exist, makes it with a random token.
pub(crate) fn read_or_make_token(path: &Path) -> Result<Zeroizing<String>, StartError> {
    if !path.exists() {
        let bytes = random::<32>().map_err(|error| StartError::new(exit::OS, error))?;
        let token = Zeroizing::new(const_hex::encode(*bytes));
        let line = Zeroizing::new([token.as_str(), "\n"].concat());
        files::write_private(path, line.as_bytes()).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            let failure = StartError::new(exit::CANNOT_CREATE, message);
            match path.parent() {
                Some(directory) if error.kind() == ErrorKind::PermissionDenied => {
                    failure.hint(path_advice::unwritable(directory))
                }
                Some(_) | None => failure,
            }
        })?;
    }
    read_token(path, false)
}
