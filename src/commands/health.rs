//! `healthcheck` and `wait`: asks the running service how it is.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::RunningServer;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::{HealthcheckArguments, WaitArguments};
use crate::cli::values::OptionValues;
use crate::counted::counted;

/// How long one question to the server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two questions of `wait`.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);

/// Between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Keystores that a message names.
const REASONS_MAX: usize = 3;

/// Where the answer has the keys and the slashing protection store.
const LOADING_DATA: &str = "/checks/1/checks/0/data";
const STORE_STATUS: &str = "/checks/2/status";
const STORE_ERROR: &str = "/checks/2/data/error";

/// `healthcheck`: succeeds if the server is healthy now.
///
/// # Errors
/// The server is not healthy, or cannot be asked.
pub(super) fn healthcheck(
    values: &OptionValues,
    HealthcheckArguments { url, expect_keys }: &HealthcheckArguments,
) -> Result<ExitCode, StartError> {
    let server = RunningServer::find(url.as_deref(), values)?;
    let keys = healthy_keys(&server, *expect_keys)?;
    // The exit code is the answer, whether or not anybody reads this line.
    let _ = output::print_line(format_args!(
        "{server} is healthy, {}",
        counted(keys, "key", "keys")
    ));
    Ok(ExitCode::SUCCESS)
}

/// `wait`: succeeds once the server is healthy. Meanwhile standard error shows how far it is.
///
/// # Errors
/// The server is not healthy in time, or cannot be asked.
pub(super) fn wait(
    values: &OptionValues,
    WaitArguments {
        url,
        expect_keys,
        timeout,
    }: &WaitArguments,
) -> Result<ExitCode, StartError> {
    // None means no deadline: it lies beyond what the clock can represent.
    let deadline = Instant::now().checked_add(Duration::from_secs(*timeout));
    let mut shown = String::new();
    let mut shown_at: Option<Instant> = None;
    loop {
        // Look again each time: the control socket appears when the server starts.
        let server = RunningServer::find(url.as_deref(), values)?;
        let error = match healthy_keys(&server, *expect_keys) {
            Ok(keys) => {
                let _ = output::print_line(format_args!(
                    "{server} is healthy, {}",
                    counted(keys, "key", "keys")
                ));
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => error,
        };
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now > deadline) {
            return Err(error);
        }
        let is_due = shown_at.is_none_or(|at| now.duration_since(at) >= PROGRESS_INTERVAL);
        if is_due && error.message != shown {
            output::print_error_line(format_args!("waiting: {}", error.message));
            shown.clone_from(&error.message);
            shown_at = Some(now);
        }
        thread::sleep(WAIT_INTERVAL);
    }
}

/// Returns the number of keys that a healthy server holds. An error says in words why it is not healthy.
fn healthy_keys(server: &RunningServer, expect_keys: Option<u64>) -> Result<u64, StartError> {
    let answer = server.ask("GET /healthcheck", None, "", ANSWER_TIMEOUT);
    let (status, body) = answer.map_err(|error| {
        StartError::new(exit::UNHEALTHY, format!("{server}: {error}"))
            .hint("is it running, and there?")
    })?;
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    if status != 200 {
        let reasons = reasons(&json).unwrap_or_else(|| format!("it answered {status}"));
        let message = format!("{server} is not healthy: {reasons}");
        return Err(StartError::new(exit::UNHEALTHY, message));
    }
    let keys = number(&json, "keys-loaded");
    if let Some(expected) = expect_keys
        && keys < expected
    {
        let message = format!("{server}: {keys} of {expected} expected keys");
        return Err(StartError::new(exit::UNHEALTHY, message));
    }
    Ok(keys)
}

/// Returns in words what the answer of an unhealthy server says; `None` when it is not such an answer.
fn reasons(json: &Value) -> Option<String> {
    if let Some(message) = json["message"].as_str() {
        return Some(message.to_owned());
    }
    let data = json.pointer(LOADING_DATA)?;
    let loaded = number(json, "keys-loaded");
    let pending = number(json, "keys-pending");
    let failed = number(json, "error-count");
    let total = loaded + pending + failed;
    let mut reasons = Vec::new();
    if pending > 0 || data["loading"] == true {
        let left = match data["seconds-left"].as_u64() {
            Some(seconds) => format!(", about {seconds} s left"),
            None => String::new(),
        };
        reasons.push(format!(
            "loading, {loaded} of {}{left}",
            counted(total, "key", "keys")
        ));
    } else if let Some(expected) = data["keys-expected"].as_u64()
        && loaded < expected
    {
        reasons.push(format!(
            "{loaded} of {}",
            counted(expected, "expected key", "expected keys")
        ));
    } else {
        reasons.push(format!("{loaded} of {}", counted(total, "key", "keys")));
    }
    let errors = data["errors"].as_array().map_or(&[][..], Vec::as_slice);
    for error in errors.iter().take(REASONS_MAX) {
        let file = error["file"].as_str().unwrap_or_default();
        let reason = error["reason"].as_str().unwrap_or_default();
        let name = file.rsplit('/').next().unwrap_or(file);
        reasons.push(format!("{name}: {reason}"));
    }
    let unnamed = failed.saturating_sub(errors.len().min(REASONS_MAX) as u64);
    match (unnamed, errors.is_empty()) {
        (0, _) => {}
        (count, true) => reasons.push(format!("{count} did not load; the log says why")),
        (count, false) => reasons.push(format!("and {count} more did not load")),
    }
    if json
        .pointer(STORE_STATUS)
        .is_some_and(|status| status == "DOWN")
    {
        let error = json.pointer(STORE_ERROR).and_then(Value::as_str);
        let error = error.unwrap_or("it cannot write; the log says why");
        reasons.push(format!("slashing protection: {error}"));
    }
    Some(reasons.join("; "))
}

fn number(json: &Value, name: &str) -> u64 {
    json.pointer(LOADING_DATA)
        .and_then(|data| data[name].as_u64())
        .unwrap_or(0)
}
