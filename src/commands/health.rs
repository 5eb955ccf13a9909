//! `healthcheck` and `wait`: asks the running service how it is.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use super::client::RunningServer;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::{HealthcheckArguments, WaitArguments};
use crate::cli::values::OptionValues;
use crate::hex;

/// How long one question to the server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two questions of `wait`.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);

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
    let _ = output::print_line(format_args!("{server} is healthy, {keys} keys"));
    Ok(ExitCode::SUCCESS)
}

/// `wait`: succeeds once the server is healthy.
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
    loop {
        // Look again each time: the control socket appears when the server starts.
        let server = RunningServer::find(url.as_deref(), values)?;
        match healthy_keys(&server, *expect_keys) {
            Ok(_) => return Ok(ExitCode::SUCCESS),
            Err(error) if deadline.is_some_and(|deadline| Instant::now() > deadline) => {
                return Err(error);
            }
            Err(_) => thread::sleep(WAIT_INTERVAL),
        }
    }
}

/// Returns the number of keys that a healthy server holds.
fn healthy_keys(server: &RunningServer, expect_keys: Option<u64>) -> Result<u64, StartError> {
    let answer = server.ask("GET /healthcheck", None, "", ANSWER_TIMEOUT);
    let (status, body) = answer.map_err(|error| {
        StartError::new(exit::UNHEALTHY, format!("{server}: {error}"))
            .hint("is it running, and there?")
    })?;
    if status != 200 {
        let body = hex::shorten(&body);
        let message = format!("{server} is not healthy ({status}): {body}");
        return Err(StartError::new(exit::UNHEALTHY, message));
    }
    let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let keys = json
        .pointer("/checks/1/checks/0/data/keys-loaded")
        .and_then(|keys| keys.as_u64())
        .unwrap_or(0);
    if let Some(expected) = expect_keys
        && keys < expected
    {
        let message = format!("{server}: expected {expected} keys, got {keys}");
        return Err(StartError::new(exit::UNHEALTHY, message));
    }
    Ok(keys)
}
