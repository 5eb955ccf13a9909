//! Prysm's wallet: the keys in an opened keystore of many accounts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::secret::SecretKey;

/// The decrypted JSON; public keys are left out.
#[derive(Deserialize)]
struct PrysmAccounts<'a> {
    /// In base64.
    #[serde(borrow)]
    private_keys: Vec<&'a str>,
}

/// Reads the keys in the decrypted JSON of a wallet.
///
/// # Errors
/// A sentence that repeats nothing of the JSON.
pub(super) fn read_keys(json: &[u8]) -> Result<Vec<SecretKey>, String> {
    // The parser's own message could repeat a key.
    let accounts: PrysmAccounts<'_> = serde_json::from_slice(json)
        .map_err(|_| "the wallet has no list private_keys of base64 texts".to_owned())?;
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
