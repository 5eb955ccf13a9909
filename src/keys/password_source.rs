//! [`PasswordSource`]: where the password of a keystore is, and how it is read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::definitions;
use super::piped_secrets::PipedSecrets;
use super::reader::TimedReader;
use crate::consensus::primitives::PublicKey;
use crate::wait::lock;

/// Where the password of a keystore is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PasswordSource {
    /// A file of its own, or one for all keystores of a directory.
    File(Arc<Path>),
    /// A file that an option names: it may be a pipe.
    Option(Arc<Path>),
    /// The first line of a file, as Web3Signer's key configuration files name it.
    FirstLine(Arc<Path>),
    /// The entry of a key in Lighthouse's `validator_definitions.yml`.
    Definition { file: Arc<Path>, key: PublicKey },
}

/// Reads passwords. Made for one load: the passwords in Lighthouse's definitions are kept as long as this.
pub(crate) struct PasswordReader {
    allow_insecure_permissions: bool,
    piped: Arc<PipedSecrets>,
    definitions: Mutex<HashMap<Arc<Path>, HashMap<PublicKey, Zeroizing<String>>>>,
}

impl PasswordSource {
    /// The file that has the password.
    pub(crate) fn file(&self) -> &Arc<Path> {
        match self {
            Self::File(file)
            | Self::Option(file)
            | Self::FirstLine(file)
            | Self::Definition { file, .. } => file,
        }
    }
}

impl PasswordReader {
    pub(crate) fn new(piped: Arc<PipedSecrets>, allow_insecure_permissions: bool) -> Self {
        Self {
            allow_insecure_permissions,
            piped,
            definitions: Mutex::default(),
        }
    }

    /// Reads a password.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(
        &self,
        password: &PasswordSource,
        reader: &mut TimedReader,
    ) -> Result<Zeroizing<String>, String> {
        let allow_insecure = self.allow_insecure_permissions;
        match password {
            PasswordSource::File(file) => reader.read_private(file, allow_insecure),
            PasswordSource::Option(file) => self.piped.read(file, allow_insecure, reader),
            PasswordSource::FirstLine(file) => {
                let text = reader.read_private(file, allow_insecure)?;
                let first = text.lines().next().unwrap_or_default();
                Ok(Zeroizing::new(first.to_owned()))
            }
            PasswordSource::Definition { file, key } => self.read_definition(file, key, reader),
        }
    }

    /// Reads the text of a private file that is not a password.
    pub(super) fn read_private(
        &self,
        file: &Arc<Path>,
        reader: &mut TimedReader,
    ) -> Result<Zeroizing<String>, String> {
        reader.read_private(file, self.allow_insecure_permissions)
    }

    /// Reads the definitions once, since they have the passwords of all keys.
    fn read_definition(
        &self,
        file: &Arc<Path>,
        key: &PublicKey,
        reader: &mut TimedReader,
    ) -> Result<Zeroizing<String>, String> {
        let mut read = lock(&self.definitions);
        if !read.contains_key(file) {
            let text = reader.read_private(file, self.allow_insecure_permissions)?;
            let passwords = definitions::read_passwords(&text)
                .map_err(|reason| format!("{}: {reason}", file.display()))?;
            read.insert(Arc::clone(file), passwords);
        }
        let password = read.get(file).and_then(|passwords| passwords.get(key));
        password
            .cloned()
            .ok_or_else(|| format!("{}: no password for {key}", file.display()))
    }
}
