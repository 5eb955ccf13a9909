//! EIP-2335 keystores: from JSON and password to a secret key in its locked slot, and back.
//!
//! [`Keystore::parse`] checks every size and cost before any work is done, so that a hostile file costs
//! microseconds. [`Keystore::open`] derives, compares the checksum and decrypts in place. Both are strict
//! about JSON and about what protects the key, and lenient about the rest: `uuid`, `path`, `description`
//! and `pubkey` may be missing, and unknown fields are ignored. Files and imports are read by the same
//! code, so that what was imported can be loaded.
//!
//! Source: EIP-2335; SP 800-38A (counter mode); RFC 9562 (UUID).

use aes::cipher::{KeyIvInit, StreamCipher};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::kdf::{DERIVED_KEY_BYTES, HexBytes, Kdf};
use super::keystore_error::{KeystoreError, unsupported};
use super::password::PasswordVariant;
use super::scrub::scrubbed;
use super::secret::SecretKey;
use super::seed::{self, ParentKey};
use crate::consensus::primitives::{PublicKey, Root};
use crate::files::{self, random};
use crate::hex;
use crate::json;

/// The largest keystore, in a file or in an import; real ones have about 1 KiB.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 10;
/// The largest wallet of Prysm: 100,000 keys.
pub(super) const WALLET_BYTES_MAX: usize = 32 << 20;
/// The longest description, as it is written in JSON: it is for people.
const DESCRIPTION_BYTES_MAX: usize = 4096;
/// The longest path; `m/12381/3600/0/0/0` is a usual one. It is kept with the key and listed.
const PATH_BYTES_MAX: usize = 256;
/// The only version of EIP-2335.
const VERSION: u64 = 4;
/// The cost of new keystores, as deposit tools and clients choose it: about a tenth of a second. PBKDF2
/// needs no memory, so that thousands can be opened at once.
const NEW_KEYSTORE_ROUNDS: u32 = 1 << 18;

/// A keystore that was read and is within all limits, still locked.
pub struct Keystore(KeystoreFile);

/// The key that the derivation gives.
type DerivedKey = Zeroizing<[u8; DERIVED_KEY_BYTES]>;

/// A new keystore for `signerd keys new`, and its password.
pub(crate) struct NewKeystore {
    /// The public key of its secret.
    pub(crate) key: PublicKey,
    /// `m_12381_3600_0_0_0`: what deposit tools put into the name of the file.
    pub(crate) path_in_name: String,
    /// The content of the file.
    pub(crate) json: String,
    /// Random; 32 hex digits.
    pub(crate) password: Zeroizing<String>,
}

impl Keystore {
    /// Reads the JSON of a keystore and checks all limits; spends no memory on the derivation.
    ///
    /// # Errors
    /// Every [`KeystoreError`] that does not need the password.
    pub fn parse(json: &[u8]) -> Result<Self, KeystoreError> {
        Self::parse_up_to(FILE_BYTES_MAX, json)
    }

    /// Does the same as [`Keystore::parse`] for a wallet that holds many keys (Prysm's).
    ///
    /// # Errors
    /// As [`Keystore::parse`].
    pub(super) fn parse_wallet(json: &[u8]) -> Result<Self, KeystoreError> {
        Self::parse_up_to(WALLET_BYTES_MAX, json)
    }

    fn parse_up_to(bytes_max: usize, json: &[u8]) -> Result<Self, KeystoreError> {
        if json.len() > bytes_max {
            return Err(KeystoreError::malformed(format_args!(
                "longer than {bytes_max} bytes"
            )));
        }
        // The JSON library repeats wrong values in its errors. A password that was sent as a keystore must
        // not appear in one, so anything but an object is refused here.
        let json = files::trim_bytes(json);
        let json = json::check(json).map_err(KeystoreError::malformed)?;
        let parsed = read::<KeystoreFile>(json);
        let version = match &parsed {
            Ok(file) => file.version,
            // Other versions have other fields, so the version is the mistake to report.
            Err(_) => read::<VersionField>(json)?.version,
        };
        if version != VERSION {
            return Err(KeystoreError::malformed(format_args!(
                "version is {version}, expected {VERSION}"
            )));
        }
        let file = parsed?;
        file.crypto.kdf.check()?;
        Ok(Self(file))
    }

    /// The public key that the file declares.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        self.0.pubkey
    }

    /// The EIP-2334 path of the key, if the file names one.
    pub(super) fn path(&self) -> Option<&str> {
        self.0.path.as_deref().filter(|path| !path.is_empty())
    }

    /// The checksum of the file: differs when the password, the salt or the secret differs.
    pub(super) fn checksum(&self) -> &Root {
        &self.0.crypto.checksum.message
    }

    /// The derivation that opens it.
    pub(super) fn kdf(&self) -> &Kdf {
        &self.0.crypto.kdf
    }

    /// How much memory the derivation takes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.0.crypto.kdf.memory_bytes()
    }

    /// Derives, compares the checksum and decrypts into a locked slot. The file decides how long this
    /// takes: call it on a plain thread.
    ///
    /// # Errors
    /// A wrong password, an invalid secret, another public key, or no locked memory.
    pub fn open(&self, password: &str) -> Result<SecretKey, KeystoreError> {
        let opened = self.open_with(&[PasswordVariant::AsGiven], password)?;
        Ok(opened.0)
    }

    /// Does the same, and tries the variants of the password too. Returns the one that fits.
    ///
    /// # Errors
    /// As [`Keystore::open`].
    pub(super) fn open_with_variants(
        &self,
        password: &str,
    ) -> Result<(SecretKey, PasswordVariant), KeystoreError> {
        self.open_with(&PasswordVariant::ALL, password)
    }

    fn open_with(
        &self,
        variants: &[PasswordVariant],
        password: &str,
    ) -> Result<(SecretKey, PasswordVariant), KeystoreError> {
        let cipher = &self.0.crypto.cipher;
        let message: &[u8; 32] = cipher.message.0.as_slice().try_into().map_err(|_| {
            KeystoreError::malformed(format_args!(
                "crypto.cipher.message has {} bytes, expected 32",
                cipher.message.0.len()
            ))
        })?;
        let (secret, variant) = scrubbed(|| {
            let (key, variant) = self.unlock(variants, password)?;
            let filled = SecretKey::fill(|slot| {
                *slot = *message;
                cipher.apply(&key, slot);
            });
            let secret = filled.map_err(KeystoreError::Secret)?;
            Ok((secret, variant))
        })?;
        match self.0.pubkey {
            Some(declared) if declared != secret.public_key() => Err(KeystoreError::PublicKey {
                declared,
                derived: secret.public_key(),
            }),
            Some(_) | None => Ok((secret, variant)),
        }
    }

    /// Opens a keystore that holds something else than one key (Prysm's wallet).
    ///
    /// # Errors
    /// [`KeystoreError::Checksum`] when the password is wrong.
    pub(super) fn open_bytes(
        &self,
        password: &str,
    ) -> Result<(Vec<u8>, PasswordVariant), KeystoreError> {
        let cipher = &self.0.crypto.cipher;
        scrubbed(|| {
            let (key, variant) = self.unlock(&PasswordVariant::ALL, password)?;
            let mut bytes = cipher.message.0.clone();
            cipher.apply(&key, &mut bytes);
            Ok((bytes, variant))
        })
    }

    /// Tries variants of the password, as far as they differ. Returns the derived key that fits the checksum.
    fn unlock(
        &self,
        variants: &[PasswordVariant],
        password: &str,
    ) -> Result<(DerivedKey, PasswordVariant), KeystoreError> {
        let crypto = &self.0.crypto;
        let mut tried: Vec<Zeroizing<String>> = Vec::new();
        for &variant in variants {
            let normalised = variant.normalise(password)?;
            if tried.contains(&normalised) {
                continue;
            }
            let key = crypto.kdf.derive(normalised.as_bytes())?;
            let sum = Sha256::new()
                .chain_update(&key[16..])
                .chain_update(&crypto.cipher.message.0)
                .finalize();
            if sum.as_slice().ct_eq(&crypto.checksum.message.0).into() {
                return Ok((key, variant));
            }
            tried.push(normalised);
        }
        Err(KeystoreError::Checksum)
    }
}

impl NewKeystore {
    /// Makes the keystore of validator `index`, under a new random password.
    pub(crate) fn derive(parent: &ParentKey, index: u32) -> Result<Self, String> {
        let key = parent
            .signing_key(index)
            .map_err(|error| error.to_string())?
            .public_key();
        let password = Zeroizing::new(const_hex::encode(*random::<16>()?));
        let salt = *random::<32>()?;
        let iv = *random::<16>()?;
        let uuid = *random::<16>()?;
        let mut derived = Zeroizing::new([0; DERIVED_KEY_BYTES]);
        pbkdf2::pbkdf2_hmac::<Sha256>(
            password.as_bytes(),
            &salt,
            NEW_KEYSTORE_ROUNDS,
            &mut *derived,
        );
        let (cipher_key, checksum_key) = split_derived_key(&derived);
        let mut secret = parent.scalar(index);
        ctr::Ctr128BE::<aes::Aes128>::new(cipher_key.into(), &iv.into())
            .apply_keystream(&mut *secret);
        let checksum = Sha256::new()
            .chain_update(checksum_key)
            .chain_update(*secret)
            .finalize();
        let hex = |bytes: &[u8]| const_hex::encode(bytes);
        let json = serde_json::json!({
            "crypto": {
                "kdf": {
                    "function": "pbkdf2",
                    "params": { "dklen": 32, "c": NEW_KEYSTORE_ROUNDS, "prf": "hmac-sha256", "salt": hex(&salt) },
                    "message": "",
                },
                "checksum": { "function": "sha256", "params": {}, "message": hex(&checksum) },
                "cipher": { "function": "aes-128-ctr", "params": { "iv": hex(&iv) }, "message": hex(&*secret) },
            },
            "description": "",
            "pubkey": hex(&key.0),
            "path": seed::path(index),
            "uuid": format_uuid(uuid),
            "version": VERSION,
        });
        Ok(Self {
            key,
            path_in_name: seed::path(index).replace('/', "_"),
            json: format!("{json:#}\n"),
            password,
        })
    }
}

/// The half for AES-128, and the half for the checksum.
fn split_derived_key(key: &[u8; DERIVED_KEY_BYTES]) -> (&[u8; 16], &[u8]) {
    key.split_first_chunk::<16>()
        .expect("32 bytes have a first half")
}

/// Formats random bytes as a UUID of version 4.
fn format_uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = const_hex::encode(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, KeystoreError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(KeystoreError::malformed)?;
    deserializer.end().map_err(KeystoreError::malformed)?;
    Ok(value)
}

/// The field that every version has.
#[derive(Deserialize)]
struct VersionField {
    version: u64,
}

#[derive(Deserialize)]
struct KeystoreFile {
    version: u64,
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

/// A description may be any JSON, within its length.
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

/// Prysm's wallets have an empty public key.
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
    _function: ChecksumFunction,
    message: Root,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ChecksumFunction;

impl TryFrom<String> for ChecksumFunction {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "sha256" => Ok(Self),
            other => Err(unsupported("sha256", other)),
        }
    }
}

#[derive(Deserialize)]
struct Cipher {
    function: CipherFunction,
    #[serde(deserialize_with = "json::object")]
    params: CipherParams,
    message: HexBytes,
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
            other => Err(unsupported("aes-128-ctr or aes-256-ctr", other)),
        }
    }
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
    /// Encrypts or decrypts: in counter mode both are the same.
    fn apply(&self, key: &[u8; DERIVED_KEY_BYTES], message: &mut [u8]) {
        let iv = &self.params.iv.into();
        match self.function {
            CipherFunction::Aes128Ctr => {
                let (half, _) = split_derived_key(key);
                ctr::Ctr128BE::<aes::Aes128>::new(half.into(), iv).apply_keystream(message);
            }
            CipherFunction::Aes256Ctr => {
                ctr::Ctr128BE::<aes::Aes256>::new(key.into(), iv).apply_keystream(message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
