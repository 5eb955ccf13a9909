//! The data directory: made for us alone, refused when others can write it, and with the token of the
//! Keymanager routes in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::error::{StartError, exit};
use crate::cli::token::read_token;
use crate::config::Settings;
use crate::files::{self, random};
use crate::keys::imported;

/// Makes the data directory where only its parent exists; refuses one that others can write; and takes over
/// what an older version imported. Nothing is written to it before.
pub(crate) fn prepare(settings: &Settings) -> Result<(), StartError> {
    let Some(path) = &settings.data_dir else {
        return Ok(());
    };
    let fault =
        |code, error: &dyn std::fmt::Display| StartError::new(code, format!("--data-dir: {error}"));
    if !path.exists() {
        let made = DirBuilder::new().mode(0o700).create(path);
        made.map_err(|error| {
            let message = format!("{}: {error}", path.display());
            fault(exit::CANNOT_CREATE, &message)
        })?;
    }
    if !settings.sources.allow_insecure_permissions {
        files::check_directory_is_private(path).map_err(|error| fault(exit::PERMISSION, &error))?;
    }
    imported::adopt_older_imports(path).map_err(|error| fault(exit::IO, &error))
}

/// The token in this file, which is made, with a random one, when it does not exist.
pub(crate) fn read_or_make_token(path: &Path) -> Result<Zeroizing<String>, StartError> {
    if !path.exists() {
        let bytes = random::<32>().map_err(|error| StartError::new(exit::OS, error))?;
        let token = Zeroizing::new(const_hex::encode(*bytes));
        let line = Zeroizing::new([token.as_str(), "\n"].concat());
        files::write_private(path, line.as_bytes()).map_err(|error| {
            StartError::new(exit::CANNOT_CREATE, format!("{}: {error}", path.display()))
        })?;
    }
    read_token(path, false)
}
