//! What everybody may know: the keys, whether the service is up, whether all of it works, and the metrics.

use serde_json::json;

use super::guard::Credential;
use super::readiness;
use super::refusal::Refusal;
use super::state::{Api, ListenerApi};
use crate::http::request::Request;
use crate::http::response::{JSON, Response, TEXT};
use crate::keys::arena;
use crate::keys::progress::Progress;
use crate::keys::secret;
use crate::metrics::MetricsFormat;
use crate::slashing::Protection;

/// The media type of Prometheus' text.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The media type of Prometheus' text in the form of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Most failures that `/healthcheck` lists. Vero asks every second: the answer stays small however many
/// keystores do not open.
const FAILURES_SHOWN_MAX: usize = 20;

/// `GET /api/v1/eth2/publicKeys`: all keys, sorted. Waits for the end of the first load.
pub(super) fn public_keys(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    readiness::wait_for_load(&listener.api)?;
    let keys = listener.api.keys.list();
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Ok(Response::json(200, &json!(keys)))
}

/// `GET /upcheck`: 200 once the first load has ended. Text as Web3Signer's, JSON for a client that names it
/// (Lodestar).
pub(super) fn upcheck(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    readiness::require_load(&listener.api)?;
    let accept = request.header("accept").unwrap_or_default();
    Ok(
        if accept.to_ascii_lowercase().contains("application/json") {
            Response::new(200, JSON, &br#"{"status":"OK"}"#[..])
        } else {
            Response::new(200, TEXT, &b"OK"[..])
        },
    )
}

/// `GET /health`: py3signer's form, and how the keys are protected. Always 200: the process is alive.
pub(super) fn health(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    let api = &listener.api;
    let progress = api.keyring.progress();
    let status = if progress.first_load_ended {
        "healthy"
    } else {
        "loading"
    };
    let body = json!({
        "status": status,
        "keys_loaded": api.keys.len(),
        "keys_pending": progress.pending,
        "keys_failed": progress.failed,
        "locked": arena::report().locked,
        "accelerated": secret::is_accelerated(),
        "slashing_protection": matches!(*api.protection, Protection::On(_)),
        "network": api.networks.name(),
    });
    Ok(Response::json(200, &body))
}

/// `GET /healthcheck`: Web3Signer's form. It is 503 while keys load, when a key did not open, when there
/// are fewer keys than expected, and when the slashing protection store cannot write. Paths and reasons
/// are shown to a client with a token only.
pub(super) fn healthcheck(
    listener: &ListenerApi,
    request: &mut Request,
) -> Result<Response, Refusal> {
    let api = &listener.api;
    let credential = match &listener.guard {
        Some(guard) => guard.credential(request),
        None => Credential::Right,
    };
    let shows_reasons = credential == Credential::Right;
    let progress = api.keyring.progress();
    let keys_up = progress.verdict(api.expect_keys).is_ok();
    let store = api.protection.health();
    let all_up = keys_up && store.is_ok();

    let mut checks = vec![
        json!({"id": "default-check", "status": "UP"}),
        json!({"id": "keys-check", "status": word(keys_up), "checks": [{
            "id": "keystores-bulk-loading",
            "status": word(keys_up),
            "data": loading(api, &progress, shows_reasons),
        }]}),
    ];
    if let Protection::On(_) = *api.protection {
        let is_up = store.is_ok();
        let reason = store.err().map(|error| error.to_string());
        checks.push(json!({
            "id": "slashing-protection-db-health-check",
            "status": word(is_up),
            "data": {"error": reason.filter(|_| shows_reasons)},
        }));
    }
    let body = json!({"status": word(all_up), "checks": checks, "outcome": word(all_up)});
    let mut response = Response::json(if all_up { 200 } else { 503 }, &body);
    response.is_wrong_guess = credential == Credential::Wrong;
    Ok(response)
}

fn loading(api: &Api, progress: &Progress, shows_reasons: bool) -> serde_json::Value {
    let mut errors = Vec::new();
    if shows_reasons {
        for (file, reason) in progress.failures.iter().take(FAILURES_SHOWN_MAX) {
            errors.push(json!({"file": file, "reason": reason}));
        }
    }
    json!({
        "keys-loaded": api.keys.len(),
        "keys-expected": api.expect_keys,
        "keys-pending": progress.pending,
        "loading": !progress.complete,
        "error-count": progress.failed,
        "errors": errors,
        "seconds-left": progress.seconds_left,
    })
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// `GET /metrics`: the text for Prometheus, in a form that it accepts. The plain form comes first, although
/// Prometheus would rather have the other: it alone has counters under their names without `_total`, which
/// some dashboards of Web3Signer read.
pub(super) fn metrics(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let accept = request.header("accept").unwrap_or_default();
    let wants_open_metrics =
        accept.contains("application/openmetrics-text") && !accept.contains("text/plain");
    let (format, content_type) = if wants_open_metrics {
        (MetricsFormat::OpenMetrics, OPEN_METRICS)
    } else {
        (MetricsFormat::Plain, PROMETHEUS_TEXT)
    };
    let text = listener.api.metrics.text(format);
    Ok(Response::new(200, content_type, text.into_bytes()))
}
