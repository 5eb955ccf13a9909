//! What the outside may know: the keys, whether the service is up, and whether all of it works.

use serde_json::json;

use super::Api;
use super::guard::Credential;
use crate::http::response::{JSON, Response, TEXT};
use crate::keys::arena;
use crate::keys::progress::Progress;
use crate::keys::secret;
use crate::slashing::Protection;

/// `GET /api/v1/eth2/publicKeys`: the loaded keys, sorted.
pub(super) fn public_keys(api: &Api) -> Response {
    let keys: Vec<String> = api.keys.list().iter().map(ToString::to_string).collect();
    Response::json(200, &json!(keys))
}

/// `GET /upcheck`: text as Web3Signer, JSON for those who ask for it by name (Lodestar).
pub(super) fn upcheck(accept: Option<&str>) -> Response {
    match accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("application/json")) {
        true => Response::new(200, JSON, &br#"{"status":"OK"}"#[..]),
        false => Response::new(200, TEXT, &b"OK"[..]),
    }
}

/// `GET /health`: py3signer's form, and how the keys are guarded.
pub(super) fn health(api: &Api) -> Response {
    let body = json!({
        "status": "healthy",
        "keys_loaded": api.keys.len(),
        "locked": arena::report().locked,
        "accelerated": secret::is_accelerated(),
        "slashing_protection": matches!(*api.protection, Protection::On(_)),
        "network": api.networks.name(),
    });
    Response::json(200, &body)
}

/// `GET /healthcheck`: Web3Signer's form, truthful: 503 while keys load, when one did not open, when
/// there are fewer than expected, when the slashing store cannot write. Whoever brings no token learns how
/// many and whether, but no path and no reason.
pub(super) fn healthcheck(api: &Api, credential: Credential) -> Response {
    let tells_reasons = credential == Credential::Right;
    let progress = api.keyring.progress();
    let keys_up = progress.verdict(api.expect_keys).is_ok();
    let store = api.protection.health();
    let all_up = keys_up && store.is_ok();

    let mut checks = vec![
        json!({"id": "default-check", "status": "UP"}),
        json!({"id": "keys-check", "status": word(keys_up), "checks": [{
            "id": "keystores-bulk-loading",
            "status": word(keys_up),
            "data": loading(api, &progress, tells_reasons),
        }]}),
    ];
    if let Protection::On(_) = *api.protection {
        let is_up = store.is_ok();
        let reason = store.err().map(|error| error.to_string());
        checks.push(json!({
            "id": "slashing-protection-db-health-check",
            "status": word(is_up),
            "data": {"error": reason.filter(|_| tells_reasons)},
        }));
    }
    let body = json!({"status": word(all_up), "checks": checks, "outcome": word(all_up)});
    let mut response = Response::json(if all_up { 200 } else { 503 }, &body);
    response.is_wrong_guess = credential == Credential::Wrong;
    response
}

fn loading(api: &Api, progress: &Progress, tells_reasons: bool) -> serde_json::Value {
    let failures_shown = if tells_reasons { FAILURES_SHOWN_MAX } else { 0 };
    let failures = progress.failures.iter().take(failures_shown);
    json!({
        "keys-loaded": api.keys.len(),
        "keys-expected": api.expect_keys,
        "keys-pending": progress.pending,
        "loading": !progress.complete,
        "error-count": progress.failed,
        "errors": failures.map(|(file, reason)| json!({"file": file, "reason": reason})).collect::<Vec<_>>(),
        "seconds-left": progress.seconds_left,
    })
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// Vero asks every second: the answer stays small however many keystores do not open.
const FAILURES_SHOWN_MAX: usize = 20;
