//! The slashing protection data: the high watermark, and the EIP-3076 interchange of all records.

use std::mem;
use std::str::FromStr;

use serde_json::json;

use super::refusal::Refusal;
use super::state::ListenerApi;
use crate::consensus::primitives::Root;
use crate::hex;
use crate::http::request::Request;
use crate::http::response::{JSON, Response};
use crate::slashing::{ExportError, ImportError, Refused};

/// `GET /api/v1/eth2/highWatermark`: `{}` when none is set.
pub(super) fn high_watermark(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    let body = match listener.api.protection.high_watermark() {
        Some(high) => json!({"epoch": high.epoch.to_string(), "slot": high.slot.to_string()}),
        None => json!({}),
    };
    Ok(Response::json(200, &body))
}

/// `GET /api/v1/slashing-protection[?genesis_validators_root=0x…]`: all records of a chain as EIP-3076
/// interchange. Without the parameter it is the chain of the network, or the only chain on record.
pub(super) fn export(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let chain = chain(&request.query)?;
    let exported = listener.api.protection.export(chain, None);
    let text = exported.map_err(|error| match error {
        ExportError::Unavailable(unavailable) => Refused::Unavailable(unavailable).into(),
        ExportError::SeveralChains(_) => Refusal::Malformed(error.to_string()),
    })?;
    Ok(Response::new(200, JSON, text.into_bytes()))
}

/// `POST /api/v1/slashing-protection[?force=true]`: adds the records of an interchange file, all or none.
/// Records in the future are added with `force` only.
pub(super) fn import(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let force = match parameter(&request.query, "force") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let other = hex::shorten(other);
            let message = format!("force: expected true or false, got {other:?}");
            return Err(Refusal::Malformed(message));
        }
    };
    // The body may be large: it is moved, not copied.
    let text = String::from_utf8(mem::take(&mut request.body)).map_err(|error| {
        Refusal::Malformed(format!(
            "the body is not UTF-8 at byte {}: expected an EIP-3076 interchange",
            error.utf8_error().valid_up_to()
        ))
    })?;
    let imported = listener.api.protection.import_text(text, force);
    let imported = imported.map_err(|error| match error {
        ImportError::Unavailable(unavailable) => Refused::Unavailable(unavailable).into(),
        invalid => Refusal::Malformed(invalid.to_string()),
    })?;
    let body = json!({
        "genesis_validators_root": imported.chain.to_string(),
        "keys": imported.keys,
    });
    Ok(Response::json(200, &body))
}

/// Returns the chain that a query names.
pub(super) fn chain(query: &str) -> Result<Option<Root>, Refusal> {
    let Some(root) = parameter(query, "genesis_validators_root") else {
        return Ok(None);
    };
    let root = Root::from_str(root)
        .map_err(|error| Refusal::Malformed(format!("genesis_validators_root: {error}")))?;
    Ok(Some(root))
}

/// Returns the value of a query parameter. Ours are hex and words, which need no percent-encoding.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
