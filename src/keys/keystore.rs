//! EIP-2335 keystores: JSON and password to a secret key in its locked slot.
//!
//! [`Keystore::parse`] checks every size and cost before any work is done, so that a hostile file
//! costs microseconds; [`Keystore::open`] derives, compares the checksum and decrypts in place.
//! Strict about what protects the key and about JSON, lenient about the rest: `uuid`, `path`,
//! `description` and `pubkey` may be missing, unknown fields are ignored. What may be imported may be
//! loaded: both ways lead through here.
//!
//! Source: EIP-2335; SP 800-38A (counter mode).

use std::fmt;

use aes::cipher::{KeyIvInit, StreamCipher};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::kdf::{Bytes, DERIVED_KEY_BYTES, Kdf};
use super::secret::{FillError, SecretKey};
use crate::consensus::primitives::{PublicKey, Root};
use crate::hex;
use crate::http::wipe;
use crate::json;

/// The largest keystore, in a file or in an import; real ones have about 1 KiB.
pub const FILE_BYTES_MAX: usize = 64 << 10;
/// The largest wallet of Prysm: 100,000 keys.
pub const WALLET_BYTES_MAX: usize = 32 << 20;
/// The longest password, normalised as EIP-2335 says.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// The longest password before it is normalised: NFKD makes at best one byte of a character of four.
pub const RAW_PASSWORD_BYTES_MAX: usize = 4 * PASSWORD_BYTES_MAX;
/// The longest description, as it is written in JSON: it is for people.
const DESCRIPTION_BYTES_MAX: usize = 4096;
/// The longest path; `m/12381/3600/0/0/0` is a usual one. It is kept with the key and listed.
const PATH_BYTES_MAX: usize = 256;
/// The longest message of an error: a wrong value may be long.
const MESSAGE_BYTES_MAX: usize = 512;

/// Why a keystore did not open.
#[derive(Debug, PartialEq, Eq)]
pub enum KeystoreError {
    /// Not the JSON of a keystore: which field, its value, and what was expected.
    Malformed(String),
    /// The file asks for more than one derivation may take.
    Memory {
        /// What it asks for; `u64::MAX` when that does not even fit.
        asked_bytes: u64,
        /// The limit that it breaks.
        limit_bytes: u64,
    },
    /// The password is longer than [`PASSWORD_BYTES_MAX`].
    PasswordLength,
    /// Checksum mismatch: the password is wrong, or the file is damaged.
    Checksum,
    /// The decrypted bytes are no secret key, or there is no memory for it.
    Secret(FillError),
    /// The secret belongs to another public key than the file declares.
    PublicKey {
        /// What the file says.
        declared: PublicKey,
        /// What the secret gives.
        derived: PublicKey,
    },
}

/// A keystore that was read and found sound, still locked.
pub struct Keystore(File);

impl Keystore {
    /// Reads the JSON of a keystore and checks all limits; spends no memory on the derivation.
    ///
    /// # Errors
    /// Every [`KeystoreError`] that does not need the password.
    pub fn parse(json: &[u8]) -> Result<Self, KeystoreError> {
        Self::parse_up_to(FILE_BYTES_MAX, json)
    }

    /// As [`Keystore::parse`], of a wallet that holds many keys (Prysm's).
    ///
    /// # Errors
    /// As there.
    pub fn parse_wallet(json: &[u8]) -> Result<Self, KeystoreError> {
        Self::parse_up_to(WALLET_BYTES_MAX, json)
    }

    fn parse_up_to(bytes_max: usize, json: &[u8]) -> Result<Self, KeystoreError> {
        if json.len() > bytes_max {
            return Err(malformed(format_args!("longer than {bytes_max} bytes")));
        }
        // The JSON library repeats wrong values: a password that was sent as a keystore must not
        // come back in a message, so what is not an object is refused before.
        let json = json::check(json).map_err(malformed)?;
        let AnyVersion { version } = read(json)?;
        if version != VERSION {
            return Err(malformed(format_args!(
                "version is {version}, expected {VERSION}"
            )));
        }
        let file: File = read(json)?;
        file.crypto.kdf.check()?;
        Ok(Self(file))
    }

    /// The public key that the file declares.
    pub fn public_key(&self) -> Option<PublicKey> {
        self.0.pubkey
    }

    /// The EIP-2334 path of the key, if the file tells one.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref().filter(|path| !path.is_empty())
    }

    /// The checksum of the file: differs when the password, the salt or the secret does.
    pub fn checksum(&self) -> &Root {
        &self.0.crypto.checksum.message
    }

    /// How much memory the derivation takes.
    pub fn memory_bytes(&self) -> u64 {
        self.0.crypto.kdf.memory_bytes()
    }

    /// Derives, compares the checksum and decrypts into a locked slot. Takes as long as the file wants:
    /// call it from a thread of its own.
    ///
    /// # Errors
    /// A wrong password, a secret that is none, another public key, or no locked memory.
    pub fn open(&self, password: &str) -> Result<SecretKey, KeystoreError> {
        let cipher = &self.0.crypto.cipher;
        let message: &[u8; 32] = cipher.message.0.as_slice().try_into().map_err(|_| {
            malformed(format_args!(
                "crypto.cipher.message has {} bytes, expected 32",
                cipher.message.0.len()
            ))
        })?;
        let secret = scrubbed(|| {
            let key = self.unlock(password)?;
            let filled = SecretKey::fill(|slot| {
                *slot = *message;
                cipher.apply(&key, slot);
            });
            filled.map_err(KeystoreError::Secret)
        })?;
        match self.0.pubkey {
            Some(declared) if declared != secret.public_key() => Err(KeystoreError::PublicKey {
                declared,
                derived: secret.public_key(),
            }),
            Some(_) | None => Ok(secret),
        }
    }

    /// Opens a keystore that holds something else than one key (Prysm's wallet).
    ///
    /// # Errors
    /// [`KeystoreError::Checksum`] when the password is wrong.
    pub fn open_bytes(&self, password: &str) -> Result<Vec<u8>, KeystoreError> {
        let cipher = &self.0.crypto.cipher;
        scrubbed(|| {
            let key = self.unlock(password)?;
            let mut bytes = cipher.message.0.clone();
            cipher.apply(&key, &mut bytes);
            Ok(bytes)
        })
    }

    /// The derived key, once the checksum says that it is the right one.
    fn unlock(&self, password: &str) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, KeystoreError> {
        let crypto = &self.0.crypto;
        let key = crypto.kdf.derive(normalise(password)?.as_bytes())?;
        let sum = Sha256::new()
            .chain_update(&key[16..])
            .chain_update(&crypto.cipher.message.0)
            .finalize();
        if sum.as_slice().ct_eq(&crypto.checksum.message.0).into() {
            Ok(key)
        } else {
            Err(KeystoreError::Checksum)
        }
    }
}

/// NFKD, then without C0, C1 and Delete: a line end goes, spaces stay. Bounded before and after, since
/// a character may become 18 (UAX #15), and a row of combining marks is sorted as a whole.
fn normalise(password: &str) -> Result<String, KeystoreError> {
    if password.len() > RAW_PASSWORD_BYTES_MAX {
        return Err(KeystoreError::PasswordLength);
    }
    let characters = password.nfkd().filter(|character| !character.is_control());
    let normalised: String = characters.collect();
    if normalised.len() > PASSWORD_BYTES_MAX {
        return Err(KeystoreError::PasswordLength);
    }
    Ok(normalised)
}

/// Does `work` in frames of its own and overwrites those: the cipher and hash crates keep padded
/// passwords and key schedules in local variables and do not wipe all of them. It overwrites several
/// times what they use, well below the stack of any thread. What lies in the caller's own frame is out of
/// reach.
pub fn scrubbed<T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    #[inline(never)]
    fn scrub() {
        wipe(std::hint::black_box(&mut [0; 16 << 10]));
    }
    let made = apart(work);
    scrub();
    made
}

const VERSION: u64 = 4;

fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, KeystoreError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

pub(super) fn malformed(what: impl fmt::Display) -> KeystoreError {
    let mut what = what.to_string();
    what.truncate(what.floor_char_boundary(MESSAGE_BYTES_MAX));
    KeystoreError::Malformed(what)
}

#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

#[derive(Deserialize)]
struct File {
    #[serde(deserialize_with = "json::object")]
    crypto: Crypto,
    #[serde(default, deserialize_with = "read_public_key")]
    pubkey: Option<PublicKey>,
    #[serde(default, deserialize_with = "read_path")]
    path: Option<String>,
    #[serde(
        default,
        rename = "description",
        deserialize_with = "check_description"
    )]
    _description: (),
}

fn read_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let path = Option::<String>::deserialize(deserializer)?;
    match &path {
        Some(text) if text.len() > PATH_BYTES_MAX => Err(D::Error::custom(format_args!(
            "has {} bytes, expected at most {PATH_BYTES_MAX}",
            text.len()
        ))),
        Some(_) | None => Ok(path),
    }
}

/// Whatever a description is, it must not be long.
fn check_description<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    if raw.len() > DESCRIPTION_BYTES_MAX {
        return Err(D::Error::custom(format_args!(
            "has {} bytes, expected at most {DESCRIPTION_BYTES_MAX}",
            raw.len()
        )));
    }
    Ok(())
}

/// Wallets of Prysm have an empty one.
fn read_public_key<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PublicKey>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("" | "0x") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

#[derive(Deserialize)]
struct Crypto {
    #[serde(deserialize_with = "json::object")]
    kdf: Kdf,
    #[serde(deserialize_with = "json::object")]
    checksum: Checksum,
    #[serde(deserialize_with = "json::object")]
    cipher: Cipher,
}

#[derive(Deserialize)]
struct Checksum {
    #[serde(rename = "function")]
    _function: Hash,
    message: Root,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hash;

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "sha256" => Ok(Self),
            other => Err(unknown("sha256", other)),
        }
    }
}

#[derive(Deserialize)]
struct Cipher {
    function: CipherFunction,
    #[serde(deserialize_with = "json::object")]
    params: CipherParams,
    message: Bytes,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
enum CipherFunction {
    Aes128Ctr,
    /// Not in the EIP; py3signer reads it.
    Aes256Ctr,
}

impl TryFrom<String> for CipherFunction {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "aes-128-ctr" => Ok(Self::Aes128Ctr),
            "aes-256-ctr" => Ok(Self::Aes256Ctr),
            other => Err(unknown("aes-128-ctr or aes-256-ctr", other)),
        }
    }
}

/// A name that stands for nothing we know.
pub(super) fn unknown(expected: &str, found: &str) -> String {
    format!("expected {expected}, got {:?}", hex::shorten(found))
}

#[derive(Deserialize)]
struct CipherParams {
    #[serde(deserialize_with = "read_iv")]
    iv: [u8; 16],
}

fn read_iv<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    hex::decode(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl Cipher {
    /// Encrypts and decrypts: a counter mode is its own inverse.
    fn apply(&self, key: &[u8; DERIVED_KEY_BYTES], message: &mut [u8]) {
        let iv = &self.params.iv.into();
        match self.function {
            CipherFunction::Aes128Ctr => {
                let (half, _) = key
                    .split_first_chunk::<16>()
                    .expect("32 bytes have a first half");
                ctr::Ctr128BE::<aes::Aes128>::new(half.into(), iv).apply_keystream(message);
            }
            CipherFunction::Aes256Ctr => {
                ctr::Ctr128BE::<aes::Aes256>::new(key.into(), iv).apply_keystream(message);
            }
        }
    }
}

impl fmt::Display for KeystoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "not an EIP-2335 keystore: {what}"),
            Self::PasswordLength => write!(
                f,
                "the password is longer than {PASSWORD_BYTES_MAX} bytes (normalised, EIP-2335)"
            ),
            Self::Memory {
                asked_bytes,
                limit_bytes,
            } => {
                let (asked, limit) = (asked_bytes >> 20, limit_bytes >> 20);
                write!(
                    f,
                    "scrypt asks for {asked} MiB of memory or work, the limit is {limit} MiB"
                )
            }
            Self::Checksum => {
                f.write_str("checksum mismatch: the password is wrong, or the keystore is damaged")
            }
            Self::Secret(error) => error.fmt(f),
            Self::PublicKey { declared, derived } => {
                write!(
                    f,
                    "the keystore declares the public key {declared}, its secret has {derived}"
                )
            }
        }
    }
}

impl std::error::Error for KeystoreError {}
