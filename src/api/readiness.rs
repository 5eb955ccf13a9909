//! While keys are loaded for the first time, no client may take the signer for a ready one: Vero, Lodestar
//! and Teku believe the first list of keys for an epoch, and Lighthouse does not repeat a request that was
//! answered with 503.
//!
//! So a list waits for the end of the first load, and a sign request waits for its key. They wait in their
//! coroutines. A later load takes no key away and nobody waits for its end.

use std::sync::Arc;
use std::time::Duration;

use super::refusal::Refusal;
use super::state::Api;
use crate::consensus::primitives::PublicKey;
use crate::keys::secret::SecretKey;
use crate::keys::table::Found;
use crate::keys::waiters::KeyArrival;

/// How long a list of keys waits for the end of the first load: as long as validator clients are patient
/// with a request.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a sign request waits for its key. A slot has 12 seconds, and a duty that comes later is lost.
const KEY_WAIT_MAX: Duration = Duration::from_secs(8);

/// Requires that the first load has ended.
///
/// # Errors
/// 503 while it runs.
pub(super) fn require_load(api: &Api) -> Result<(), Refusal> {
    if api.keyring.first_load_ended() {
        Ok(())
    } else {
        Err(Refusal::Loading)
    }
}

/// Waits for the end of the first load.
///
/// # Errors
/// 503 when it takes too long.
pub(super) fn wait_for_load(api: &Api) -> Result<(), Refusal> {
    if api.keyring.wait_first_load(LOAD_WAIT_MAX) {
        Ok(())
    } else {
        Err(Refusal::Loading)
    }
}

/// Finds the key of a sign request. Waits for a key that is still being loaded, or that may still come.
///
/// # Errors
/// 404 for a key that cannot come, 503 when it takes too long.
pub(super) fn wait_for_key(api: &Api, identifier: &str) -> Result<Arc<SecretKey>, Refusal> {
    let Ok(public_key) = identifier.parse::<PublicKey>() else {
        return Err(Refusal::UnknownKey(identifier.to_owned()));
    };
    if let Found::Ready(key) = api.keys.find(&public_key) {
        return Ok(key);
    }
    match api.keyring.wait_for_key(&public_key, KEY_WAIT_MAX) {
        KeyArrival::Loaded | KeyArrival::Pending => match api.keys.find(&public_key) {
            Found::Ready(key) => Ok(key),
            // Deleted in the meantime, or not loaded yet.
            Found::Pending | Found::Unknown => Err(Refusal::KeyPending(public_key)),
        },
        KeyArrival::CannotCome => Err(Refusal::UnknownKey(identifier.to_owned())),
    }
}
