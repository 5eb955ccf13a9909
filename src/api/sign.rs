//! `POST /api/v1/eth2/sign/{identifier}`: the duty of this program.

use std::sync::Arc;
use std::time::SystemTime;

use super::Api;
use super::refusal::Refusal;
use crate::consensus::primitives::{PublicKey, Signature};
use crate::consensus::request::SignRequest;
use crate::http::request::Headers;
use crate::http::response::{JSON, Response, TEXT};
use crate::keys::secret::SecretKey;
use crate::keys::table::Found;

/// One line per decision, each with its answer.
pub(super) fn sign(
    api: &Api,
    identifier: &str,
    headers: &Headers,
    body: &mut [u8],
) -> Result<Response, Refusal> {
    let timer = api.metrics.begin();
    let key = find(api, identifier)?; // 404, 503
    let duty = SignRequest::parse(body, &api.networks)?; // 400
    let root = duty.signing_root(&api.networks, now_seconds())?; // 400 when it differs from the root that was sent
    let cleared = api
        .protection
        .clear(&key.public_key(), &duty.slashable(), root)?; // 412; else on disk
    let signature = api.signer.sign(Arc::clone(&key), cleared)?; // 503 when overloaded
    timer.signed(duty.type_name());
    Ok(answer(headers.values("accept").next(), &signature, key))
}

/// The time of Unix: consensus has no clock of its own.
fn now_seconds() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}

fn find(api: &Api, identifier: &str) -> Result<Arc<SecretKey>, Refusal> {
    let unknown = || Refusal::UnknownKey(identifier.to_owned());
    let public_key: PublicKey = identifier.parse().map_err(|_| unknown())?;
    match api.keys.find(&public_key) {
        Found::Ready(key) => Ok(key),
        Found::Pending => Err(Refusal::KeyPending(public_key)),
        Found::Unknown if api.keyring.may_bring_others() => Err(Refusal::KeyPending(public_key)),
        Found::Unknown => Err(unknown()),
    }
}

/// JSON for those who accept it, else the bare hex: Vero takes the body as the signature, as it is;
/// Teku and Prysm send no `Accept` and go by the `Content-Type`.
fn answer(accept: Option<&str>, signature: &Signature, key: Arc<SecretKey>) -> Response {
    let mut response = match prefers_json(accept) {
        true => Response::new(
            200,
            JSON,
            format!("{{\"signature\":\"{signature}\"}}").into_bytes(),
        ),
        false => Response::new(200, TEXT, signature.to_string().into_bytes()),
    };
    response.lease = Some(key);
    response
}

/// Content negotiation (RFC 9110, section 12.5.1) between `application/json` and `text/plain`.
/// `*/*` means JSON, and no `Accept` at all means text: so does Web3Signer.
fn prefers_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let quality = |media: &str| {
        let (kind, _) = media.split_once('/').unwrap_or((media, ""));
        [media.to_owned(), format!("{kind}/*"), "*/*".to_owned()]
            .iter()
            .find_map(|range| quality_of(accept, range))
    };
    let json = quality("application/json").unwrap_or(0.0);
    json > 0.0 && json >= quality("text/plain").unwrap_or(0.0)
}

/// The weight that `accept` gives to exactly this media range.
fn quality_of(accept: &str, range: &str) -> Option<f32> {
    accept.split(',').find_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts
            .next()
            .filter(|media| media.eq_ignore_ascii_case(range))?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(weight.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_json_for_those_who_accept_it_and_text_for_the_rest() {
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
