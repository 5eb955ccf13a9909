//! `POST /api/v1/eth2/ext/sign/{identifier}`: Web3Signer's signing extension.

use std::mem;
use std::sync::Arc;

use base64::Engine;
use serde_json::json;

use super::audit::AuditedMessage;
use super::readiness;
use super::refusal::Refusal;
use super::state::ListenerApi;
use crate::consensus::extension::ExtensionPayload;
use crate::consensus::slashable::Slashable;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::wait;

/// The type of what is signed, for metrics and logs.
const TYPE_NAME: &str = "PROOF_OF_VALIDATION";

/// Signs the body itself. Slashing protection has nothing to say: the body is not a consensus message.
pub(super) fn sign(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let api = &listener.api;
    let timer = api.metrics.begin();
    let key = readiness::wait_for_key(api, request.last_segment())?; // 404, 503
    let payload =
        ExtensionPayload::parse(mem::take(&mut request.body)).map_err(Refusal::Malformed)?; // 400
    request.message_type = Some(TYPE_NAME);
    let encoded = base64::engine::general_purpose::STANDARD.encode(payload.bytes());
    let signing_key = Arc::clone(&key);
    // Such requests come about once a day, so no thread waits for them.
    let signed = wait::on_thread("sign-extension", move || {
        signing_key.sign_extension(&payload)
    });
    let signature = match signed {
        Ok(Some(signature)) => signature,
        Ok(None) => return Err(Refusal::Internal("the extension was not signed")),
        Err(_) => return Err(Refusal::Overloaded),
    };
    if let Some(audit_log) = &api.audit_log {
        let message = AuditedMessage {
            key: key.public_key(),
            type_name: TYPE_NAME,
            slashable: Slashable::Never,
            epoch: None,
            signing_root: None,
        };
        audit_log.write(&message.line(request));
    }
    let duration = timer.signed(TYPE_NAME, None);
    api.activity.signed(TYPE_NAME, duration, None);
    let body = json!({"payload": encoded, "signature": signature.to_string()});
    let mut response = Response::json(200, &body);
    response.lease = Some(key);
    Ok(response)
}
