//! Keystores of keys that are easy to tell from each other.

use serde_json::Value;

use super::keystore_text::{keystore_text, numbered_secret};
use crate::consensus::primitives::PublicKey;
use crate::keys::secret::SecretKey;

/// The keystore of the key `number` under this key derivation function: its key, its text, its password.
pub(crate) fn keystore_at(number: u32, kdf: Value) -> (PublicKey, String, String) {
    let secret = numbered_secret(number);
    let key = SecretKey::fill(|slot| *slot = secret).ok().unwrap();
    let key = key.public_key();
    let (keystore, password) = keystore_text(number, &key.0, kdf);
    (key, keystore, password)
}
