//! The access log: one line for each request that was read (`--access-logs-enabled`).
//!
//! Query, body and most header fields are not logged: they may hold secrets.

use std::time::Instant;

use log::kv::Value;
use log::{Level, Record};

use crate::consensus::primitives::PublicKey;
use crate::http::request::Request;
use crate::http::response::Response;

/// The digits of a key that make it known to a person, with `0x`.
const KEY_PREFIX: usize = 10;

/// Longest part of a `User-Agent` that is logged. It is longer than that of any validator client.
const USER_AGENT_CHARS_MAX: usize = 120;

/// Fields of a log line, with the names that the JSON format gives them.
pub(super) type LogFields<'r> = Vec<(&'static str, Value<'r>)>;

/// Writes the line of an answered request. `begun` is when its answer was begun.
pub(super) fn write(request: &Request, response: &Response, begun: Option<Instant>) {
    if log::max_level() < Level::Info {
        return;
    }
    let client = request.client.to_string();
    let method = request.method.name();
    let path = &request.path;
    let bytes = response.body.len();
    let agent = request.header("user-agent").map(|agent| {
        let shown: String = agent.chars().take(USER_AGENT_CHARS_MAX).collect();
        shown
    });
    let key = request.last_segment();
    let mut fields: LogFields<'_> = vec![
        ("client", Value::from(client.as_str())),
        ("method", method.into()),
        ("path", path.as_str().into()),
        ("status", response.status.into()),
        ("bytes", bytes.into()),
    ];
    if let Some(begun) = begun {
        let us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        fields.push(("duration_us", us.into()));
    }
    if let Some(message_type) = request.message_type {
        fields.push(("type", message_type.into()));
    }
    if key.parse::<PublicKey>().is_ok() {
        fields.push(("key", key[..KEY_PREFIX].into()));
    }
    if let Some(agent) = &agent {
        fields.push(("user_agent", agent.as_str().into()));
    }
    if let Some(user) = request.client.user {
        fields.push(("user", user.into()));
    }
    if let Some(certificate) = &request.client.certificate {
        fields.push(("certificate", Value::from(&**certificate)));
    }
    push_names(&mut fields, request);
    write_line(
        Level::Info,
        "signerd::access",
        &fields,
        format_args!("{client} {method} {path} {} {bytes}", response.status),
    );
}

/// Adds the names that the client has given to the request.
pub(super) fn push_names<'r>(fields: &mut LogFields<'r>, request: &'r Request) {
    if let Some(id) = request.request_id() {
        fields.push(("request_id", id.into()));
    }
    if let Some(trace) = request.trace_parent() {
        fields.push(("trace_id", trace.trace_id().into()));
        fields.push(("span_id", trace.parent_id().into()));
    }
}

/// Writes a line with fields.
pub(super) fn write_line(
    level: Level,
    target: &str,
    fields: &LogFields<'_>,
    message: std::fmt::Arguments<'_>,
) {
    let record = Record::builder()
        .level(level)
        .target(target)
        .key_values(fields)
        .args(message)
        .build();
    log::logger().log(&record);
}
