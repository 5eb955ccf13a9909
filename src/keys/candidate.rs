//! A [`Candidate`]: one thing that can be opened and gives a key, or a few.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::derive;
use super::keyconfig;
use super::keystore::{FILE_BYTES_MAX, Keystore, WALLET_BYTES_MAX};
use super::sealed::Cache;
use super::secret::SecretKey;
use super::sources::{SourceError, Sources, read_bounded};
use super::table::Origin;
use crate::consensus::primitives::{PublicKey, Root};

/// A key, or a few, that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Candidate {
    /// An EIP-2335 file.
    Keystore {
        file: Arc<Path>,
        /// The file with its password.
        password: Arc<Path>,
        /// Whether it came in through the API, and may be deleted by it.
        imported: bool,
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

/// A key with its origin, ready for the table.
pub(crate) type Opened = (SecretKey, Origin);

/// A file with the same size and time of change is the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: SystemTime,
}

/// A candidate whose file was read, so that its cost and, mostly, its public key are known. Of the
/// file itself nothing is kept: there may be very many.
pub(crate) struct Prepared {
    pub(crate) candidate: Candidate,
    /// What its file looked like before it was read.
    pub(super) stamp: Option<Stamp>,
    /// The checksum in the keystore: changes with the secret and the password.
    pub(super) checksum: Option<Root>,
    /// The public key, where the file declares it.
    pub(crate) declared_key: Option<PublicKey>,
    /// What its derivation takes.
    pub(crate) memory_bytes: u64,
}

impl Candidate {
    /// The file that holds the secret.
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

    /// How many keys it will bring, as far as can be told without opening it.
    pub(crate) fn keys_expected(&self) -> usize {
        match self {
            Self::Keystore { .. } | Self::Wallet { .. } | Self::Raw { .. } => 1,
            Self::Interop(range) | Self::Derived(range) => range.len(),
        }
    }

    /// What its file looks like now; `None` when it has none, or it cannot be seen.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(self.file()?).ok()?;
        Some(Stamp {
            bytes: metadata.len(),
            modified: metadata.modified().ok()?,
        })
    }

    /// Reads the file, if it is a keystore.
    pub(crate) fn prepare(self) -> Result<Prepared, SourceError> {
        let stamp = self.stamp();
        let keystore = self.keystore()?;
        Ok(Prepared {
            stamp,
            checksum: keystore.as_ref().map(|keystore| *keystore.checksum()),
            declared_key: keystore.as_ref().and_then(Keystore::public_key),
            memory_bytes: keystore.as_ref().map_or(0, Keystore::memory_bytes),
            candidate: self,
        })
    }

    fn keystore(&self) -> Result<Option<Keystore>, SourceError> {
        let (file, bytes_max) = match self {
            Self::Keystore { file, .. } => (file, FILE_BYTES_MAX),
            Self::Wallet { file, .. } => (file, WALLET_BYTES_MAX),
            Self::Raw { .. } | Self::Interop(_) | Self::Derived(_) => return Ok(None),
        };
        let json = File::open(file).and_then(|opened| read_bounded(opened, bytes_max));
        let json = json.map_err(|error| SourceError::new(file, error))?;
        let parsed = match self {
            Self::Wallet { .. } => Keystore::parse_wallet(&json),
            Self::Keystore { .. } | Self::Raw { .. } | Self::Interop(_) | Self::Derived(_) => {
                Keystore::parse(&json)
            }
        };
        parsed
            .map(Some)
            .map_err(|error| SourceError::new(file, error))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modified = self
            .modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        write!(f, "{} {}", self.bytes, modified.as_nanos())
    }
}

impl Prepared {
    /// Opens it, or takes it from the cache. May take long: for a thread of the pool. An error names the
    /// file that is to blame, if that is not the candidate's own.
    pub(crate) fn open(
        &self,
        sources: &Sources,
        cache: Option<&Cache>,
    ) -> Result<Vec<Opened>, Box<dyn Error>> {
        let origin = |path: Option<String>, imported: bool| Origin {
            derivation_path: path,
            readonly: !imported,
            file: self.candidate.file().map(Path::to_owned),
        };
        let keystore = || {
            self.candidate
                .keystore()
                .map_err(|error| error.reason)?
                .ok_or("not a keystore".to_owned())
        };
        match &self.candidate {
            Candidate::Keystore {
                password, imported, ..
            } => {
                let keystore = keystore()?;
                let secret = match cache.and_then(|cache| cache.unseal(self)) {
                    Some(secret) => secret,
                    None => keystore.open(&sources.read_secret(password)?)?,
                };
                Ok(vec![(
                    secret,
                    origin(keystore.path().map(str::to_owned), *imported),
                )])
            }
            Candidate::Wallet { password, .. } => {
                let keys = open_wallet(&keystore()?.open_bytes(&sources.read_secret(password)?)?)?;
                Ok(keys
                    .into_iter()
                    .map(|secret| (secret, origin(None, false)))
                    .collect())
            }
            Candidate::Raw { file } => {
                let keys = keyconfig::open(&sources.read_secret(file)?)?;
                Ok(keys
                    .into_iter()
                    .map(|secret| (secret, origin(None, false)))
                    .collect())
            }
            Candidate::Interop(range) => range
                .clone()
                .map(|index| Ok((derive::interop(index)?, origin(None, false))))
                .collect(),
            Candidate::Derived(range) => {
                let parent = sources
                    .mnemonic
                    .as_ref()
                    .ok_or("no mnemonic")?
                    .parent(sources)?;
                let open = |index| {
                    Ok((
                        parent.signing_key(index)?,
                        origin(Some(derive::path(index)), false),
                    ))
                };
                range.clone().map(open).collect()
            }
        }
    }
}

/// Prysm's accounts: lists of private and public keys in base64, as JSON.
fn open_wallet(json: &[u8]) -> Result<Vec<SecretKey>, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Accounts<'a> {
        #[serde(borrow)]
        private_keys: Vec<&'a str>,
    }
    // The parser's own words could repeat a key.
    let accounts: Accounts<'_> = serde_json::from_slice(json)
        .map_err(|_| "the wallet holds no list private_keys of base64 texts")?;
    let open = |key: &str| {
        let bytes = STANDARD.decode(key).map(Zeroizing::new);
        let scalar: Option<&[u8; 32]> = bytes
            .as_ref()
            .ok()
            .and_then(|bytes| bytes.as_slice().try_into().ok());
        let scalar = scalar.ok_or("a private key of the wallet is not 32 bytes of base64")?;
        Ok(SecretKey::fill(|slot| *slot = *scalar)?)
    };
    accounts.private_keys.into_iter().map(open).collect()
}
