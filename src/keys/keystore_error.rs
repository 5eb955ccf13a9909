//! [`KeystoreError`]: why a keystore does not open.

use std::fmt;

use super::secret::FillError;
use crate::consensus::primitives::PublicKey;
use crate::hex;

/// The longest password, normalised as EIP-2335 says.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;

/// The longest message of an error: a wrong value may be long.
const MESSAGE_BYTES_MAX: usize = 512;

/// Why a keystore did not open.
#[derive(Debug, PartialEq, Eq)]
pub enum KeystoreError {
    /// Not the JSON of a keystore: which field, its value, and what was expected.
    Malformed(String),
    /// The file asks for more than one derivation may take.
    Memory {
        /// What it asks for; `u64::MAX` when the number is even larger.
        asked_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The password is longer than 1,024 bytes, normalised.
    PasswordLength,
    /// Checksum mismatch: the password is wrong, or the file is damaged.
    Checksum,
    /// The decrypted bytes are not a secret key, or there is no memory for it.
    Secret(FillError),
    /// The secret belongs to another public key than the file declares.
    PublicKey {
        /// What the file says.
        declared: PublicKey,
        /// What the secret gives.
        derived: PublicKey,
    },
}

impl KeystoreError {
    pub(super) fn malformed(reason: impl fmt::Display) -> Self {
        let mut reason = reason.to_string();
        reason.truncate(reason.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self::Malformed(reason)
    }
}

/// The message for a name that is not supported.
pub(super) fn unsupported(expected: &str, found: &str) -> String {
    format!("expected {expected}, got {:?}", hex::shorten(found))
}

impl fmt::Display for KeystoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => write!(f, "not an EIP-2335 keystore: {reason}"),
            Self::PasswordLength => write!(
                f,
                "the password is longer than {PASSWORD_BYTES_MAX} bytes (normalised, EIP-2335)"
            ),
            Self::Memory {
                asked_bytes,
                limit_bytes,
            } => write!(
                f,
                "scrypt asks for {} MiB of memory or work, the limit is {} MiB",
                asked_bytes >> 20,
                limit_bytes >> 20
            ),
            Self::Checksum => {
                f.write_str("checksum mismatch: the password is wrong, or the keystore is damaged")
            }
            Self::Secret(error) => error.fmt(f),
            Self::PublicKey { declared, derived } => write!(
                f,
                "the keystore declares the public key {declared}, its secret has {derived}"
            ),
        }
    }
}

impl std::error::Error for KeystoreError {}
