//! New keystores (EIP-2335) from a phrase, for networks that begin: `signerd keys new`.

use aes::cipher::{KeyIvInit, StreamCipher};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::seed::{self, Parent};
use crate::consensus::primitives::PublicKey;
use crate::files::random;

/// A keystore that is to be written, and what opens it.
pub(crate) struct NewKeystore {
    /// Whose it is.
    pub(crate) key: PublicKey,
    /// `m_12381_3600_0_0_0`: what deposit tools put into the name of the file.
    pub(crate) path_in_name: String,
    /// The file.
    pub(crate) json: String,
    /// Random; 32 hex digits.
    pub(crate) password: Zeroizing<String>,
}

/// What deposit tools and clients use, about a tenth of a second: PBKDF2 needs no memory, so that
/// thousands can be opened at once.
const ROUNDS: u32 = 1 << 18;

impl NewKeystore {
    /// The keystore of validator `index`, under a new random password.
    pub(crate) fn derive(parent: &Parent, index: u32) -> Result<Self, String> {
        let key = parent
            .signing_key(index)
            .map_err(|error| error.to_string())?
            .public_key();
        let password = Zeroizing::new(const_hex::encode(*random::<16>()?));
        let (salt, iv, uuid) = (*random::<32>()?, *random::<16>()?, *random::<16>()?);
        let mut derived = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, ROUNDS, &mut *derived);
        let (cipher_key, checksum_key) = derived
            .split_first_chunk::<16>()
            .expect("32 bytes have a first half");
        let mut secret = parent.scalar(index);
        ctr::Ctr128BE::<aes::Aes128>::new(cipher_key.into(), &iv.into())
            .apply_keystream(&mut *secret);
        let checksum = Sha256::new()
            .chain_update(checksum_key)
            .chain_update(*secret)
            .finalize();
        let hex = |bytes: &[u8]| const_hex::encode(bytes);
        let json = json!({
            "crypto": {
                "kdf": {
                    "function": "pbkdf2",
                    "params": { "dklen": 32, "c": ROUNDS, "prf": "hmac-sha256", "salt": hex(&salt) },
                    "message": "",
                },
                "checksum": { "function": "sha256", "params": {}, "message": hex(&checksum) },
                "cipher": { "function": "aes-128-ctr", "params": { "iv": hex(&iv) }, "message": hex(&*secret) },
            },
            "description": "",
            "pubkey": hex(&key.0),
            "path": seed::path(index),
            "uuid": uuid_of(uuid),
            "version": 4,
        });
        let path_in_name = seed::path(index).replace('/', "_");
        Ok(Self {
            key,
            path_in_name,
            json: format!("{json:#}\n"),
            password,
        })
    }
}

/// Version 4, as RFC 9562 wants it.
fn uuid_of(mut bytes: [u8; 16]) -> String {
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
