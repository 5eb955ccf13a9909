//! The operator's routes: reload, and the slashing protection data.

use std::str::FromStr;

use serde_json::json;

use super::Api;
use super::refusal::Refusal;
use crate::consensus::primitives::Root;
use crate::http::request::Request;
use crate::http::response::{JSON, Response};
use crate::keys::loader::ReloadStage;
use crate::slashing::{ImportError, Refused};

/// `POST /reload`: begins to scan the key directories again.
pub(super) fn reload(api: &Api) -> Result<Response, Refusal> {
    api.loader.reload().map_err(|_| Refusal::ReloadRunning)?;
    let body = json!({"status": "accepted", "message": "GET /reload tells its state"});
    Ok(Response::json(202, &body))
}

/// `GET /reload`: Web3Signer's words for what became of the last one.
pub(super) fn reload_state(api: &Api) -> Response {
    let state = api.loader.reload_state();
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
/// EIP-3076 interchange; without the parameter, of the chain that was signed for last.
pub(super) fn export(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let chain = parameter(&request.query, "genesis_validators_root")
        .map(Root::from_str)
        .transpose();
    let chain =
        chain.map_err(|error| Refusal::Malformed(format!("genesis_validators_root: {error}")))?;
    let text = api
        .protection
        .export(chain, None)
        .map_err(Refused::Unavailable)?;
    Ok(Response::new(200, JSON, text.into_bytes()))
}

/// `POST /api/v1/slashing-protection`: adds an interchange file to what is on record, or nothing of it.
pub(super) fn import(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let text = std::str::from_utf8(&request.body).map_err(|_| {
        Refusal::Malformed("the body is no UTF-8: expected an EIP-3076 interchange".to_owned())
    })?;
    let imported = api.protection.import(text).map_err(|error| match error {
        ImportError::Unavailable(unavailable) => Refused::Unavailable(unavailable).into(),
        invalid => Refusal::Malformed(invalid.to_string()),
    })?;
    Ok(Response::json(
        200,
        &json!({"genesis_validators_root": imported.chain.to_string(), "keys": imported.keys}),
    ))
}

/// The value of a query parameter; all that we take is hex, which nobody percent-encodes.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}
