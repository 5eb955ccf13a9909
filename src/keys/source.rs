//! [`KeySource`]: one thing that can be opened and gives a key, or a few.
//!
//! A source is listed, then read, then opened. Only opening shows which key it holds: neither the name of a
//! file nor the public key that it declares proves anything.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use zeroize::Zeroizing;

use super::cache::{CacheEntryName, KeyCache};
use super::kdf::Kdf;
use super::key_config;
use super::keystore::{FILE_BYTES_MAX, Keystore, WALLET_BYTES_MAX};
use super::keystore_error::KeystoreError;
use super::other_json::is_other_json;
use super::password::PasswordVariant;
use super::password_source::{PasswordReader, PasswordSource};
use super::pool::{DerivationPool, Urgency};
use super::reader::TimedReader;
use super::secret::SecretKey;
use super::seed::{self, ParentKey};
use super::table::KeyOrigin;
use super::wallet;
use crate::consensus::primitives::PublicKey;
use crate::files::{self, FileError, PathKind};

/// Where one key comes from, or a few keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeySource {
    /// An EIP-2335 file.
    Keystore {
        file: Arc<Path>,
        password: PasswordSource,
        /// Whether this program wrote it for an import, so that it may remove it.
        is_imported: bool,
    },
    /// Prysm's wallet: many keys in one keystore.
    Wallet {
        file: Arc<Path>,
        password: PasswordSource,
    },
    /// The bare keys of a key configuration file.
    Raw { file: Arc<Path> },
    /// The well-known keys of devnets.
    Interop(Range<u32>),
    /// Keys derived from the mnemonic.
    Derived(Range<u32>),
}

/// A source that was read: the cost of opening it is known, and mostly its public key.
pub(crate) struct ReadSource {
    pub(crate) source: KeySource,
    keystore: Option<ReadKeystore>,
}

struct ReadKeystore {
    keystore: Keystore,
    /// The size of its file.
    bytes: u64,
    /// When its file was changed, since 1970.
    modified_nanoseconds: u128,
}

/// Why a source was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Its file is not there any more.
    Gone,
    /// Its file is JSON, and plainly not a keystore.
    OtherJson,
    /// It cannot be read or understood.
    Failed(FileError),
}

/// A key with its origin, ready for the table.
pub(crate) type OpenedKey = (SecretKey, KeyOrigin);

/// The keys of an opened source.
pub(crate) struct OpenedSource {
    pub(crate) keys: Vec<OpenedKey>,
    /// The password that opened it.
    pub(crate) password: Option<Zeroizing<String>>,
    /// Whether the key cache needs no new entry: it has this one, or cannot hold such a source.
    pub(crate) is_from_cache: bool,
}

/// What opening needs in addition to the source.
pub(crate) struct OpenContext {
    pub(crate) pool: DerivationPool,
    pub(crate) passwords: PasswordReader,
    /// The keys that were sealed for this start: in the first load only.
    pub(crate) cache: Option<KeyCache>,
    /// The parent of the keys of the mnemonic.
    pub(crate) parent: Option<ParentKey>,
}

impl KeySource {
    /// A keystore that this program must not remove.
    pub(super) fn read_only(file: &Path, password: PasswordSource) -> Self {
        Self::Keystore {
            file: file.into(),
            password,
            is_imported: false,
        }
    }

    /// The file of the keystore, the wallet or the bare keys.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Keystore { file, .. } | Self::Wallet { file, .. } | Self::Raw { file } => {
                Some(file)
            }
            Self::Interop(_) | Self::Derived(_) => None,
        }
    }

    /// The name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Keystore { file, .. } | Self::Wallet { file, .. } | Self::Raw { file } => {
                file.display().to_string()
            }
            Self::Interop(range) => format!("interop keys {range:?}"),
            Self::Derived(range) => format!("mnemonic keys {range:?}"),
        }
    }

    /// Whether this program wrote it for an import.
    pub(crate) fn is_imported(&self) -> bool {
        matches!(
            self,
            Self::Keystore {
                is_imported: true,
                ..
            }
        )
    }

    /// How many keys it has, as far as that is known without opening it.
    pub(crate) fn keys_expected(&self) -> usize {
        match self {
            Self::Keystore { .. } | Self::Wallet { .. } | Self::Raw { .. } => 1,
            Self::Interop(range) | Self::Derived(range) => range.len(),
        }
    }

    /// Reads and parses the file, if it has one.
    pub(crate) fn read(self) -> Result<ReadSource, ReadError> {
        let keystore = match &self {
            Self::Keystore { file, .. } => {
                Some(read_keystore(file, FILE_BYTES_MAX, Keystore::parse)?)
            }
            Self::Wallet { file, .. } => Some(read_keystore(
                file,
                WALLET_BYTES_MAX,
                Keystore::parse_wallet,
            )?),
            Self::Raw { .. } | Self::Interop(_) | Self::Derived(_) => None,
        };
        Ok(ReadSource {
            source: self,
            keystore,
        })
    }
}

fn read_keystore(
    file: &Path,
    bytes_max: usize,
    parse: fn(&[u8]) -> Result<Keystore, KeystoreError>,
) -> Result<ReadKeystore, ReadError> {
    let failed = |reason: String| ReadError::Failed(FileError::new(file, reason));
    let unreadable = |error: io::Error| {
        if files::is_absent(&error) {
            ReadError::Gone
        } else {
            failed(files::explain(file, &error))
        }
    };
    // Opening a FIFO or a device could wait for ever.
    match files::look_at(file).map_err(ReadError::Failed)? {
        PathKind::File => {}
        PathKind::Directory => return Err(failed("a directory, not a file".to_owned())),
        PathKind::Absent => return Err(ReadError::Gone),
    }
    let metadata = fs::metadata(file).map_err(unreadable)?;
    let modified = metadata.modified().map_err(unreadable)?;
    if metadata.len() > bytes_max as u64 && is_other_json(file) {
        return Err(ReadError::OtherJson);
    }
    let json = files::read_bounded(file, bytes_max).map_err(unreadable)?;
    let keystore = match parse(&json) {
        Ok(keystore) => keystore,
        Err(_) if is_other_json(file) => return Err(ReadError::OtherJson),
        Err(error) => return Err(failed(error.to_string())),
    };
    Ok(ReadKeystore {
        keystore,
        bytes: metadata.len(),
        modified_nanoseconds: modified
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos(),
    })
}

impl ReadSource {
    /// The key that the file declares; opening it shows whether that is true.
    pub(crate) fn declared_key(&self) -> Option<PublicKey> {
        match self.source {
            KeySource::Keystore { .. } => self
                .keystore
                .as_ref()
                .and_then(|read| read.keystore.public_key()),
            KeySource::Wallet { .. }
            | KeySource::Raw { .. }
            | KeySource::Interop(_)
            | KeySource::Derived(_) => None,
        }
    }

    /// The memory that opening it takes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.keystore
            .as_ref()
            .map_or(0, |read| read.keystore.memory_bytes())
    }

    /// The name of its entry in the key cache.
    pub(super) fn cache_name(&self) -> Option<CacheEntryName> {
        let KeySource::Keystore { file, .. } = &self.source else {
            return None;
        };
        let read = self.keystore.as_ref()?;
        let checksum = read.keystore.checksum();
        CacheEntryName::of(file, read.bytes, read.modified_nanoseconds, checksum)
    }

    /// The derivation that opens the keystore, if it is one.
    pub(super) fn kdf(&self) -> Option<&Kdf> {
        self.keystore.as_ref().map(|read| read.keystore.kdf())
    }

    /// Opens it, or takes its key from the cache. Takes as long as the derivation: call it on a plain
    /// thread. `reader` reads the files, so that a file that does not answer is an error.
    ///
    /// # Errors
    /// A sentence that names the file to blame, if that is not the source's own.
    pub(super) fn open(
        &self,
        context: &OpenContext,
        urgency: Urgency,
        reader: &mut TimedReader,
    ) -> Result<OpenedSource, String> {
        match &self.source {
            KeySource::Keystore {
                file,
                password,
                is_imported,
            } => self.open_keystore(file, password, *is_imported, context, urgency, reader),
            KeySource::Wallet { file, password } => {
                let keystore = self.keystore()?;
                let text = context.passwords.read(password, reader)?;
                let memory_bytes = keystore.memory_bytes();
                let _permit = context.pool.acquire(memory_bytes, urgency)?;
                let (json, variant) = keystore
                    .open_bytes(&text)
                    .map_err(|error| explain(&error, password))?;
                log_variant(file, variant);
                Ok(keys_of_file(file, wallet::read_keys(&json)?))
            }
            KeySource::Raw { file } => {
                let text = context.passwords.read_private(file, reader)?;
                Ok(keys_of_file(file, key_config::read_raw_keys(&text)?))
            }
            KeySource::Interop(range) => {
                let mut keys = Vec::with_capacity(range.len());
                for index in range.clone() {
                    let secret = seed::interop(index).map_err(|error| error.to_string())?;
                    keys.push((secret, KeyOrigin::read_only(None, None)));
                }
                Ok(OpenedSource::without_password(keys))
            }
            KeySource::Derived(range) => {
                let parent = context.parent.as_ref().ok_or("there is no mnemonic")?;
                let mut keys = Vec::with_capacity(range.len());
                for index in range.clone() {
                    let secret = parent
                        .signing_key(index)
                        .map_err(|error| error.to_string())?;
                    keys.push((secret, KeyOrigin::read_only(None, Some(seed::path(index)))));
                }
                Ok(OpenedSource::without_password(keys))
            }
        }
    }

    fn open_keystore(
        &self,
        file: &Path,
        password_source: &PasswordSource,
        is_imported: bool,
        context: &OpenContext,
        urgency: Urgency,
        reader: &mut TimedReader,
    ) -> Result<OpenedSource, String> {
        let keystore = self.keystore()?;
        let password = context.passwords.read(password_source, reader)?;
        let sealed = match (&context.cache, self.cache_name()) {
            (Some(cache), Some(name)) => cache.unseal(&name, keystore.public_key()),
            (Some(_) | None, _) => None,
        };
        let is_from_cache = sealed.is_some();
        let secret = match sealed {
            Some(secret) => secret,
            None => {
                let memory_bytes = keystore.memory_bytes();
                let _permit = context.pool.acquire(memory_bytes, urgency)?;
                let (secret, variant) = keystore
                    .open_with_variants(&password)
                    .map_err(|error| explain(&error, password_source))?;
                log_variant(file, variant);
                secret
            }
        };
        let origin = KeyOrigin {
            derivation_path: keystore.path().map(str::to_owned),
            readonly: !is_imported,
            file: Some(file.to_path_buf()),
        };
        Ok(OpenedSource {
            keys: vec![(secret, origin)],
            password: Some(password),
            is_from_cache,
        })
    }

    fn keystore(&self) -> Result<&Keystore, String> {
        match &self.keystore {
            Some(read) => Ok(&read.keystore),
            None => Err("not a keystore".to_owned()),
        }
    }
}

impl OpenedSource {
    /// Keys that were not opened with a password of their own.
    fn without_password(keys: Vec<OpenedKey>) -> Self {
        Self {
            keys,
            password: None,
            is_from_cache: true,
        }
    }
}

/// Names the file of the password when the password may be wrong.
fn explain(error: &KeystoreError, password: &PasswordSource) -> String {
    match error {
        KeystoreError::Checksum | KeystoreError::PasswordLength => {
            format!("{error}; its password is in {}", password.file().display())
        }
        KeystoreError::Malformed(_)
        | KeystoreError::Memory { .. }
        | KeystoreError::Secret(_)
        | KeystoreError::PublicKey { .. } => error.to_string(),
    }
}

/// Says which variant of its password opened a keystore.
fn log_variant(file: &Path, variant: PasswordVariant) {
    if variant != PasswordVariant::AsGiven {
        log::info!("{}: opened with its password {variant}", file.display());
    }
}

fn keys_of_file(file: &Path, secrets: Vec<SecretKey>) -> OpenedSource {
    let mut keys = Vec::with_capacity(secrets.len());
    for secret in secrets {
        keys.push((secret, KeyOrigin::read_only(Some(file), None)));
    }
    OpenedSource::without_password(keys)
}
