//! Keystores of secret keys that are small numbers. The end-to-end suite and the unit tests use it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use aes::cipher::{KeyIvInit, StreamCipher};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The secret key with this number.
pub(crate) fn numbered_secret(number: u32) -> [u8; 32] {
    let mut secret = [0; 32];
    secret[28..].copy_from_slice(&(number + 1).to_be_bytes());
    secret
}

/// The keystore of [`numbered_secret`] under this key derivation function, and its password.
pub(crate) fn keystore_text(
    number: u32,
    public_key: &[u8; 48],
    mut kdf: Value,
) -> (String, String) {
    let mut secret = numbered_secret(number);
    let (password, salt) = (
        format!("password \u{e9} \"{number}\""),
        number.to_be_bytes(),
    );
    let normalised = password.replace('\u{e9}', "e\u{301}");
    let mut derived = [0; 32];
    match kdf["function"].as_str() {
        Some("scrypt") => {
            let log_n = kdf["params"]["n"].as_u64().unwrap().ilog2();
            let params = scrypt::Params::new(u8::try_from(log_n).unwrap(), 8, 1).unwrap();
            scrypt::scrypt(normalised.as_bytes(), &salt, &params, &mut derived).unwrap();
        }
        _ => pbkdf2::pbkdf2_hmac::<Sha256>(normalised.as_bytes(), &salt, 1, &mut derived),
    }
    kdf["params"]["dklen"] = json!(32);
    kdf["params"]["salt"] = json!(const_hex::encode(salt));
    let half: [u8; 16] = derived[..16].try_into().unwrap();
    ctr::Ctr128BE::<aes::Aes128>::new(&half.into(), &[7; 16].into()).apply_keystream(&mut secret);
    let checksum = Sha256::new()
        .chain_update(&derived[16..])
        .chain_update(secret)
        .finalize();
    let keystore = json!({
        "crypto": {
            "kdf": kdf,
            "checksum": {"function": "sha256", "params": {}, "message": const_hex::encode(checksum)},
            "cipher": {
                "function": "aes-128-ctr",
                "params": {"iv": const_hex::encode([7; 16])},
                "message": const_hex::encode(secret),
            },
        },
        "pubkey": const_hex::encode(public_key),
        "path": format!("m/12381/3600/{number}/0/0"),
        "uuid": "00000000-0000-4000-8000-000000000000",
        "version": 4,
    });
    (keystore.to_string(), password)
}
