//! The token of the Keymanager routes, kept in the data directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::cli::{self, Usage, exit};

/// The token in this file, which is made, with a random one, when it does not exist.
///
/// # Errors
/// When it cannot be read or made, or others can read it.
pub fn read_or_make(path: &Path) -> Result<Zeroizing<String>, Usage> {
    if !path.exists() {
        make(path)
            .map_err(|error| Usage::new(exit::CANNOT_CREATE, format!("{}: {error}", path.display())))?;
    }
    cli::read_token(path, false)
}

/// 32 random bytes as hex, readable by us alone, and whole or not there at all.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| io::Error::other("no random numbers"))?;
    let token = Zeroizing::new(const_hex::encode(*bytes));
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", *token)?;
    file.sync_all()?;
    fs::rename(beside, path)
}
