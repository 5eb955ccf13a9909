//! Routes for the operator: reload all sources of keys.

use serde_json::json;

use super::refusal::Refusal;
use super::state::ListenerApi;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::keys::progress::ReloadStage;

/// `POST /reload`: lists all sources of keys again. A reload that is asked for during a load follows it.
pub(super) fn start(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    listener.api.keyring.reload();
    let body = json!({"status": "accepted", "message": "GET /reload shows how far it is"});
    Ok(Response::json(202, &body))
}

/// `GET /reload`: the result of the last reload, in Web3Signer's words.
pub(super) fn state(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    let state = listener.api.keyring.reload_state();
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
    let body = json!({
        "status": status,
        "lastOperationTime": ended.map(|time| time.to_string()),
        "lastError": state.last_error,
    });
    Ok(Response::json(200, &body))
}
