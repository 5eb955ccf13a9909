//! [`KeySource`]: one thing that can be opened and gives a key, or a few.
//!
//! A source is listed, then read, then opened. What it is worth shows only when it is opened: neither the
//! name of a file nor the public key that it declares says which key it holds.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::cache::{Cache, CacheEntryName};
use super::key_config;
use super::keystore::{FILE_BYTES_MAX, Keystore, KeystoreError, WALLET_BYTES_MAX};
use super::pool::{DerivationPool, Urgency};
use super::reader::Reader;
use super::secret::SecretKey;
use super::seed::{self, Parent};
use super::table::KeyOrigin;
use crate::consensus::primitives::PublicKey;
use crate::files::{self, FileError, PathKind};

/// A key, or a few, that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeySource {
    /// An EIP-2335 file.
    Keystore {
        file: Arc<Path>,
        /// The file with its password.
        password: Arc<Path>,
        /// Whether this program wrote it for an import, so that it may remove it.
        is_imported: bool,
    },
    /// Prysm's wallet: many keys in the form of one keystore.
    Wallet {
        file: Arc<Path>,
        password: Arc<Path>,
    },
    /// The bare keys of a key configuration file.
    Raw { file: Arc<Path> },
    /// Devnet keys.
    Interop(Range<u32>),
    /// Keys derived from the phrase.
    Derived(Range<u32>),
}

/// What a file looked like. Two files that differ in content differ in this, unless somebody forges the
/// time of change of the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

/// A source that was read, so that its cost and, mostly, its public key are known.
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
    /// It cannot be read or understood.
    Failed(FileError),
}

/// A key with its origin, ready for the table.
pub(crate) type OpenedKey = (SecretKey, KeyOrigin);

/// What a source has brought.
pub(crate) struct OpenedSource {
    pub(crate) keys: Vec<OpenedKey>,
    /// The password that opened it.
    pub(crate) password: Option<Zeroizing<String>>,
    /// Whether the key cache holds it as it is, or never will.
    pub(crate) is_from_cache: bool,
}

/// What opening needs beside the source itself.
pub(crate) struct OpenContext {
    pub(crate) pool: DerivationPool,
    pub(crate) urgency: Urgency,
    pub(crate) allow_insecure_permissions: bool,
    /// The keys sealed at the last start, while the first load runs.
    pub(crate) cache: Option<Cache>,
    /// The parent of the keys of the phrase.
    pub(crate) parent: Option<Parent>,
}

impl KeySource {
    /// A keystore that somebody else put there.
    pub(super) fn read_only(file: &Path, password: &Path) -> Self {
        Self::Keystore {
            file: file.into(),
            password: password.into(),
            is_imported: false,
        }
    }

    /// The file that it is made of.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Keystore { file, .. } | Self::Wallet { file, .. } | Self::Raw { file } => {
                Some(file)
            }
            Self::Interop(_) | Self::Derived(_) => None,
        }
    }

    /// What a message calls it.
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

    /// How many keys it brings, as far as can be told without opening it.
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
            failed(error.to_string())
        }
    };
    // A FIFO or a device is not opened: that could wait for ever.
    match files::look_at(file).map_err(ReadError::Failed)? {
        PathKind::File => {}
        PathKind::Directory => return Err(failed("a directory, not a file".to_owned())),
        PathKind::Absent => return Err(ReadError::Gone),
    }
    let metadata = fs::metadata(file).map_err(unreadable)?;
    let modified = metadata.modified().map_err(unreadable)?;
    let json = files::read_bounded(file, bytes_max).map_err(unreadable)?;
    Ok(ReadKeystore {
        keystore: parse(&json).map_err(|error| failed(error.to_string()))?,
        bytes: metadata.len(),
        modified_nanoseconds: modified
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos(),
    })
}

impl Stamp {
    /// The stamp of a regular file; `None` when there is none.
    ///
    /// # Errors
    /// As [`files::look_at`], and when it is a directory.
    pub(crate) fn of(file: &Path) -> Result<Option<Self>, FileError> {
        match files::look_at(file)? {
            PathKind::File => {}
            PathKind::Directory => return Err(FileError::new(file, "a directory, not a file")),
            PathKind::Absent => return Ok(None),
        }
        match fs::metadata(file) {
            Ok(metadata) => Ok(Some(Self::of_metadata(&metadata))),
            Err(error) if files::is_absent(&error) => Ok(None),
            Err(error) => Err(FileError::new(file, error)),
        }
    }

    fn of_metadata(metadata: &fs::Metadata) -> Self {
        let mut hasher = DefaultHasher::new();
        for number in [metadata.dev(), metadata.ino(), metadata.len()] {
            hasher.write_u64(number);
        }
        for number in [
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ] {
            hasher.write_i64(number);
        }
        Self(hasher.finish())
    }
}

impl ReadSource {
    /// The key that the file declares. Whether it holds that key shows when it is opened.
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

    /// What the key cache calls it.
    pub(super) fn cache_name(&self) -> Option<CacheEntryName> {
        let KeySource::Keystore { file, .. } = &self.source else {
            return None;
        };
        let read = self.keystore.as_ref()?;
        let checksum = read.keystore.checksum();
        CacheEntryName::of(file, read.bytes, read.modified_nanoseconds, checksum)
    }

    /// Opens it, or takes its key from the cache. Takes as long as the derivation: for a plain thread.
    /// Files are read by `reader`, so that one that does not answer is an error.
    ///
    /// # Errors
    /// A sentence that names the file to blame, if that is not the source's own.
    pub(super) fn open(
        &self,
        context: &OpenContext,
        reader: &mut Reader,
    ) -> Result<OpenedSource, String> {
        match &self.source {
            KeySource::Keystore {
                file,
                password,
                is_imported,
            } => self.open_keystore(file, password, *is_imported, context, reader),
            KeySource::Wallet { file, password } => {
                let keystore = self.keystore()?;
                let password = reader.read_private(password, context.allow_insecure_permissions)?;
                let memory_bytes = keystore.memory_bytes();
                let _permit = context.pool.acquire(memory_bytes, context.urgency)?;
                let json = keystore
                    .open_bytes(&password)
                    .map_err(|error| error.to_string())?;
                Ok(of_file(file, open_wallet(&json)?))
            }
            KeySource::Raw { file } => {
                let text = reader.read_private(file, context.allow_insecure_permissions)?;
                Ok(of_file(file, key_config::open(&text)?))
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
                let parent = context.parent.as_ref().ok_or("no mnemonic")?;
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
        password: &Arc<Path>,
        is_imported: bool,
        context: &OpenContext,
        reader: &mut Reader,
    ) -> Result<OpenedSource, String> {
        let keystore = self.keystore()?;
        let password = reader.read_private(password, context.allow_insecure_permissions)?;
        let sealed = match (&context.cache, self.cache_name()) {
            (Some(cache), Some(name)) => cache.unseal(&name, keystore.public_key()),
            (Some(_) | None, _) => None,
        };
        let is_from_cache = sealed.is_some();
        let secret = match sealed {
            Some(secret) => secret,
            None => {
                let memory_bytes = keystore.memory_bytes();
                let _permit = context.pool.acquire(memory_bytes, context.urgency)?;
                keystore
                    .open(&password)
                    .map_err(|error| error.to_string())?
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
    fn without_password(keys: Vec<OpenedKey>) -> Self {
        Self {
            keys,
            password: None,
            is_from_cache: true,
        }
    }
}

fn of_file(file: &Path, secrets: Vec<SecretKey>) -> OpenedSource {
    let keys = secrets
        .into_iter()
        .map(|secret| (secret, KeyOrigin::read_only(Some(file), None)))
        .collect();
    OpenedSource::without_password(keys)
}

/// Prysm's accounts: lists of private and public keys in base64, as JSON.
fn open_wallet(json: &[u8]) -> Result<Vec<SecretKey>, String> {
    #[derive(Deserialize)]
    struct Accounts<'a> {
        #[serde(borrow)]
        private_keys: Vec<&'a str>,
    }
    // The parser's own words could repeat a key.
    let accounts: Accounts<'_> = serde_json::from_slice(json)
        .map_err(|_| "the wallet holds no list private_keys of base64 texts".to_owned())?;
    let mut secrets = Vec::with_capacity(accounts.private_keys.len());
    for key in accounts.private_keys {
        let bytes = STANDARD.decode(key).map(Zeroizing::new).unwrap_or_default();
        let scalar: &[u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| "a private key of the wallet is not 32 bytes of base64".to_owned())?;
        let secret = SecretKey::fill(|slot| *slot = *scalar).map_err(|error| error.to_string())?;
        secrets.push(secret);
    }
    Ok(secrets)
}
