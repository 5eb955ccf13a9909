//! `POST /api/v1/eth2/sign/{identifier}`: what this program is for.

use std::sync::Arc;

use super::audit::AuditedMessage;
use super::readiness;
use super::refusal::Refusal;
use super::state::ListenerApi;
use crate::consensus::primitives::Signature;
use crate::consensus::request::SignRequest;
use crate::consensus::slashable::Slashable;
use crate::http::request::Request;
use crate::http::response::{JSON, Response, TEXT};
use crate::keys::secret::SecretKey;

/// Signs: one line per decision, each with its answer.
pub(super) fn sign(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let api = &listener.api;
    let timer = api.metrics.begin();
    let key = readiness::wait_for_key(api, request.last_segment())?; // 404, 503
    let duty = SignRequest::parse(&request.body, &api.networks)?; // 400
    request.message_type = Some(duty.type_name());
    let root = duty.signing_root(&api.networks, timer.begun_at().as_secs())?; // 400 when the client sent another root
    if let Some(warning) = duty.network_warning(&api.networks) {
        log::warn!("{warning}");
    }
    let slashable = duty.slashable();
    if let Slashable::On(..) = slashable
        && let Some(epoch) = duty.epoch(&api.networks)
    {
        let uses = &api.duplicate_uses;
        uses.note(key.public_key(), key.uses(), &request.client, epoch);
    }
    let cleared = api.protection.clear(&key.public_key(), &slashable, root)?; // 412; otherwise on disk by now
    let signature = api.signer.sign(Arc::clone(&key), cleared)?; // 503 when overloaded
    if let Some(audit_log) = &api.audit_log {
        let message = AuditedMessage {
            key: key.public_key(),
            type_name: duty.type_name(),
            slashable,
            epoch: duty.epoch(&api.networks),
            signing_root: Some(root),
        };
        audit_log.write(&message.line(request));
    }
    let lateness = duty.lateness(&api.networks, timer.begun_at());
    let duration = timer.signed(duty.type_name(), lateness);
    api.activity.signed(duty.type_name(), duration, lateness);
    Ok(answer(request.header("accept"), &signature, key))
}

/// Writes JSON for clients that accept it, and the bare hex for others: Vero takes the body as the
/// signature, as it is; Teku and Prysm send no `Accept` and look at the `Content-Type`.
fn answer(accept: Option<&str>, signature: &Signature, key: Arc<SecretKey>) -> Response {
    let mut response = if prefers_json(accept) {
        let body = format!("{{\"signature\":\"{signature}\"}}");
        Response::new(200, JSON, body.into_bytes())
    } else {
        Response::new(200, TEXT, signature.to_string().into_bytes())
    };
    response.lease = Some(key);
    response
}

/// Chooses between `application/json` and `text/plain` (RFC 9110, section 12.5.1). As in Web3Signer,
/// `*/*` means JSON, and a request without `Accept` gets text.
fn prefers_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let json = quality(accept, &["application/json", "application/*", "*/*"]);
    let text = quality(accept, &["text/plain", "text/*", "*/*"]);
    json > 0.0 && json >= text
}

/// Returns the weight of the first of these media ranges that `accept` lists, or 0.
fn quality(accept: &str, ranges: &[&str]) -> f32 {
    ranges
        .iter()
        .find_map(|range| quality_of(accept, range))
        .unwrap_or(0.0)
}

/// Returns the weight that `accept` gives to exactly this media range.
fn quality_of(accept: &str, range: &str) -> Option<f32> {
    for listed in accept.split(',') {
        let mut parts = listed.split(';').map(str::trim);
        if !parts
            .next()
            .is_some_and(|media| media.eq_ignore_ascii_case(range))
        {
            continue;
        }
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        return Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_json_for_clients_that_accept_it_and_text_for_others() {
        for (accept, json) in [
            (None, false),
            (Some("application/json"), true),
            (Some("*/*"), true),
            (Some("application/*"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("application/json, text/plain, */*"), true),
            (Some("text/plain"), false),
            (Some("text/plain, */*;q=0.1"), false),
            (Some("text/plain;q=0.5, application/json"), true),
            (Some("application/json;q=0"), false),
            (Some("text/html"), false),
            (Some(""), false),
        ] {
            assert_eq!(prefers_json(accept), json, "{accept:?}");
        }
    }
}
