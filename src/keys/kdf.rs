//! The key derivations of EIP-2335: which parameters are allowed, what they cost, and the derived key.
//!
//! Source: RFC 7914 (scrypt), RFC 8018 (PBKDF2).

use std::ops::RangeInclusive;

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keystore_error::{KeystoreError, unsupported};
use crate::hex;
use crate::json;

/// The most memory that one scrypt derivation may ask for; the usual n = 2^18, r = 8 takes 256 MiB.
const SCRYPT_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// The most memory that scrypt may go through in all of its p rounds: 64 usual derivations.
const SCRYPT_WORK_BYTES_MAX: u64 = 16 << 30;
/// The most rounds of PBKDF2; the usual count is 2^18.
const PBKDF2_ROUNDS_MAX: u64 = 1 << 24;
/// The longest derived key; only its first [`DERIVED_KEY_BYTES`] are ever used.
const DERIVED_KEY_BYTES_MAX: u64 = 1024;
/// The longest salt; the usual one has 32 bytes.
const SALT_BYTES_MAX: u64 = 1024;

/// How much of the derived key is used. The first bytes do not depend on the length.
pub(super) const DERIVED_KEY_BYTES: usize = 32;

#[derive(Clone, Deserialize)]
#[serde(try_from = "KdfFile")]
pub(super) enum Kdf {
    Scrypt {
        dklen: u64,
        n: u64,
        r: u64,
        p: u64,
        salt: HexBytes,
    },
    Pbkdf2 {
        dklen: u64,
        c: u64,
        prf: Prf,
        salt: HexBytes,
    },
}

/// A derivation as it is written. The parameters of both functions are read into one struct, since `params`
/// may come before `function`.
#[derive(Deserialize)]
struct KdfFile {
    function: String,
    #[serde(deserialize_with = "json::object")]
    params: KdfParams,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    salt: HexBytes,
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    c: Option<u64>,
    prf: Option<Prf>,
}

impl TryFrom<KdfFile> for Kdf {
    type Error = String;

    fn try_from(KdfFile { function, params }: KdfFile) -> Result<Self, String> {
        let KdfParams { dklen, salt, .. } = params;
        let needed = |name: &str, value: Option<u64>| {
            value.ok_or_else(|| format!("{function} needs params.{name}"))
        };
        match function.as_str() {
            "scrypt" => Ok(Self::Scrypt {
                dklen,
                n: needed("n", params.n)?,
                r: needed("r", params.r)?,
                p: needed("p", params.p)?,
                salt,
            }),
            "pbkdf2" => Ok(Self::Pbkdf2 {
                dklen,
                c: needed("c", params.c)?,
                prf: params.prf.ok_or("pbkdf2 needs params.prf")?,
                salt,
            }),
            other => Err(unsupported("function scrypt or pbkdf2", other)),
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Prf {
    HmacSha256,
}

impl TryFrom<String> for Prf {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "hmac-sha256" => Ok(Self::HmacSha256),
            other => Err(unsupported("hmac-sha256", other)),
        }
    }
}

/// Hex of any length.
#[derive(Clone)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match hex::decode_any(&text) {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(D::Error::custom(format_args!(
                "expected hex, got {:?}",
                hex::shorten(&text)
            ))),
        }
    }
}

/// As a keystore writes it.
impl Serialize for Kdf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match self {
            Self::Scrypt {
                dklen,
                n,
                r,
                p,
                salt,
            } => json!({
                "function": "scrypt",
                "params": {"dklen": dklen, "n": n, "r": r, "p": p, "salt": hex::encode(&salt.0)},
            }),
            Self::Pbkdf2 {
                dklen,
                c,
                prf: Prf::HmacSha256,
                salt,
            } => json!({
                "function": "pbkdf2",
                "params": {"dklen": dklen, "c": c, "prf": "hmac-sha256", "salt": hex::encode(&salt.0)},
            }),
        };
        value.serialize(serializer)
    }
}

impl Kdf {
    /// The work of the derivation, to compare derivations with each other: calls of a compression function.
    /// A round of PBKDF2 has two of SHA-256; scrypt mixes 2r blocks of 64 bytes 2np times.
    pub(super) fn work(&self) -> u64 {
        match *self {
            Self::Scrypt { n, r, p, .. } => [4, n, r, p].into_iter().fold(1, u64::saturating_mul),
            Self::Pbkdf2 { c, .. } => c.saturating_mul(2),
        }
    }

    /// The same derivation with another salt.
    pub(super) fn with_salt(&self, new_salt: &[u8; 32]) -> Self {
        let mut kdf = self.clone();
        match &mut kdf {
            Self::Scrypt { salt, .. } | Self::Pbkdf2 { salt, .. } => salt.0 = new_salt.to_vec(),
        }
        kdf
    }

    /// The memory that the derivation takes.
    pub(super) fn memory_bytes(&self) -> u64 {
        match *self {
            Self::Scrypt { n, r, p, .. } => scrypt_memory_bytes(n, r, p),
            Self::Pbkdf2 { .. } => 0,
        }
    }

    /// Checks that all parameters are within the limits.
    pub(super) fn check(&self) -> Result<(), KeystoreError> {
        let (dklen, salt) = match self {
            Self::Scrypt {
                dklen,
                n,
                r,
                p,
                salt,
            } => {
                check_scrypt(*n, *r, *p)?;
                (dklen, salt)
            }
            Self::Pbkdf2 {
                dklen,
                c,
                prf: Prf::HmacSha256,
                salt,
            } => {
                within("c", *c, 1..=PBKDF2_ROUNDS_MAX)?;
                (dklen, salt)
            }
        };
        within(
            "dklen",
            *dklen,
            DERIVED_KEY_BYTES as u64..=DERIVED_KEY_BYTES_MAX,
        )?;
        within("salt (its length)", salt.0.len() as u64, 0..=SALT_BYTES_MAX)
    }

    pub(super) fn derive(
        &self,
        password: &[u8],
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, KeystoreError> {
        let mut key = Zeroizing::new([0; DERIVED_KEY_BYTES]);
        match self {
            Self::Scrypt { n, r, p, salt, .. } => {
                let params = scrypt_params(*n, *r, *p)?;
                scrypt::scrypt(password, &salt.0, &params, &mut *key)
                    .map_err(KeystoreError::malformed)?;
            }
            Self::Pbkdf2 { c, salt, .. } => {
                let rounds = u32::try_from(*c).map_err(KeystoreError::malformed)?;
                pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt.0, rounds, &mut *key);
            }
        }
        Ok(key)
    }
}

fn check_scrypt(n: u64, r: u64, p: u64) -> Result<(), KeystoreError> {
    if !n.is_power_of_two() || n == 1 {
        return Err(KeystoreError::malformed(format_args!(
            "crypto.kdf.params.n is {n}, expected a power of two above 1"
        )));
    }
    within("r", r, 1..=u64::MAX)?;
    within("p", p, 1..=u64::MAX)?;
    let work = scrypt_memory_bytes(n, r, 0).saturating_mul(p);
    for (asked_bytes, limit_bytes) in [
        (scrypt_memory_bytes(n, r, p), SCRYPT_MEMORY_BYTES_MAX),
        (work, SCRYPT_WORK_BYTES_MAX),
    ] {
        if asked_bytes > limit_bytes {
            return Err(KeystoreError::Memory {
                asked_bytes,
                limit_bytes,
            });
        }
    }
    scrypt_params(n, r, p).map(|_| ())
}

/// The memory of n blocks of the table and p blocks of state, each of 128r bytes (RFC 7914, section 5).
fn scrypt_memory_bytes(n: u64, r: u64, p: u64) -> u64 {
    n.saturating_add(p).saturating_mul(128).saturating_mul(r)
}

fn scrypt_params(n: u64, r: u64, p: u64) -> Result<scrypt::Params, KeystoreError> {
    let narrow = |number| u32::try_from(number).map_err(KeystoreError::malformed);
    let log_n = u8::try_from(n.ilog2()).map_err(KeystoreError::malformed)?;
    scrypt::Params::new(log_n, narrow(r)?, narrow(p)?).map_err(|_| {
        KeystoreError::malformed(format_args!(
            "crypto.kdf.params: n = {n}, r = {r}, p = {p} are outside of RFC 7914: n must be below 2^(16r)"
        ))
    })
}

fn within(name: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), KeystoreError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(KeystoreError::malformed(format_args!(
        "crypto.kdf.params.{name} is {value}, expected {} to {}",
        range.start(),
        range.end()
    )))
}
