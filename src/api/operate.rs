//! The operator's routes: reload, and the slashing protection data.

use std::str::FromStr;

use serde_json::json;

use super::Api;
use super::refusal::Refusal;
use crate::consensus::primitives::Root;
use crate::hex;
use crate::http::request::Request;
use crate::http::response::{JSON, Response};
use crate::keys::progress::ReloadStage;
use crate::slashing::{ExportError, ImportError, Refused};

/// `POST /reload`: lists all sources of keys again, after the load that runs, if one does.
pub(super) fn reload(api: &Api) -> Response {
    api.keyring.reload();
    let body = json!({"status": "accepted", "message": "GET /reload tells its state"});
    Response::json(202, &body)
}

/// `GET /reload`: Web3Signer's words for what became of the last one.
pub(super) fn reload_state(api: &Api) -> Response {
    let state = api.keyring.reload_state();
    let status = match state.stage {
        ReloadStage::Idle => "idle",
        ReloadStage::Running => "running",
        ReloadStage::Completed => "completed",
        ReloadStage::CompletedWithErrors => "completed_with_errors",
        ReloadStage::Failed => "failed",
    };
    let ended = state
        .last_operation
        .and_then(|time| jiff::Timestamp::try_from(time).ok());
    Response::json(
        200,
        &json!({
            "status": status,
            "lastOperationTime": ended.map(|time| time.to_string()),
            "lastError": state.last_error,
        }),
    )
}

/// `GET /api/v1/eth2/highWatermark`: `{}` when none is set.
pub(super) fn high_watermark(api: &Api) -> Response {
    let body = api.protection.high_watermark().map_or_else(
        || json!({}),
        |high| json!({"epoch": high.epoch.to_string(), "slot": high.slot.to_string()}),
    );
    Response::json(200, &body)
}

/// `GET /api/v1/slashing-protection[?genesis_validators_root=0x…]`: all that is on record of a chain, as
/// EIP-3076 interchange; without the parameter, of the network's chain, or of the only one.
pub(super) fn export(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let chain = chain(request)?;
    let text = api
        .protection
        .export(chain, None)
        .map_err(|error| match error {
            ExportError::Unavailable(unavailable) => Refused::Unavailable(unavailable).into(),
            ExportError::SeveralChains(_) => Refusal::Malformed(error.to_string()),
        })?;
    Ok(Response::new(200, JSON, text.into_bytes()))
}

/// `POST /api/v1/slashing-protection[?force=true]`: adds an interchange file to what is on record, or
/// nothing of it; marks in the future with `force` only.
pub(super) fn import(api: &Api, request: &mut Request) -> Result<Response, Refusal> {
    let force = match parameter(&request.query, "force") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let other = hex::shorten(other);
            let message = format!("force: expected true or false, got {other:?}");
            return Err(Refusal::Malformed(message));
        }
    };
    // Moved, not copied: it may be large.
    let text = String::from_utf8(std::mem::take(&mut request.body)).map_err(|error| {
        Refusal::Malformed(format!(
            "the body is not UTF-8 at byte {}: expected an EIP-3076 interchange",
            error.utf8_error().valid_up_to()
        ))
    })?;
    let imported = api.protection.import_text(text, force);
    let imported = imported.map_err(|error| match error {
        ImportError::Unavailable(unavailable) => Refused::Unavailable(unavailable).into(),
        invalid => Refusal::Malformed(invalid.to_string()),
    })?;
    Ok(Response::json(
        200,
        &json!({"genesis_validators_root": imported.chain.to_string(), "keys": imported.keys}),
    ))
}

/// The chain that a request names.
pub(super) fn chain(request: &Request) -> Result<Option<Root>, Refusal> {
    parameter(&request.query, "genesis_validators_root")
        .map(Root::from_str)
        .transpose()
        .map_err(|error| Refusal::Malformed(format!("genesis_validators_root: {error}")))
}

/// The value of a query parameter; all that we take is hex, which nobody percent-encodes.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}
