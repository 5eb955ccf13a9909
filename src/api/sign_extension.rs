//! `POST /api/v1/eth2/ext/sign/{identifier}`: Web3Signer's signing extension.

use std::mem;
use std::sync::Arc;

use base64::Engine;
use serde_json::json;

use super::readiness;
use super::refusal::Refusal;
use super::state::ListenerApi;
use crate::consensus::extension::ExtensionPayload;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::wait;

/// Signs the body itself. Slashing protection has nothing to say: the body is not a consensus message.
pub(super) fn sign(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let api = &listener.api;
    let timer = api.metrics.begin();
    let key = readiness::wait_for_key(api, request.last_segment())?; // 404, 503
    let payload =
        ExtensionPayload::parse(mem::take(&mut request.body)).map_err(Refusal::Malformed)?; // 400
    let encoded = base64::engine::general_purpose::STANDARD.encode(payload.bytes());
    let signing_key = Arc::clone(&key);
    // Requests of this kind come once a day, so they have no thread that waits for them.
    let signed = wait::on_thread("sign-extension", move || {
        signing_key.sign_extension(&payload)
    });
    let signature = match signed {
        Ok(Some(signature)) => signature,
        Ok(None) => return Err(Refusal::Internal("the extension was not signed")),
        Err(_) => return Err(Refusal::Overloaded),
    };
    let duration = timer.signed("PROOF_OF_VALIDATION");
    api.activity.signed("PROOF_OF_VALIDATION", duration);
    let body = json!({"payload": encoded, "signature": signature.to_string()});
    let mut response = Response::json(200, &body);
    response.lease = Some(key);
    Ok(response)
}
