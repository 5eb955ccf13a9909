//! Lines of the log for refused requests, so few that a client that goes wrong cannot flood it.
//!
//! A message that slashing protection refused is a warning: one line a key and second. Of all other kinds
//! of refusal there is at most one line a second; it counts those that had none.

use std::collections::{HashMap, HashSet};
use std::fmt::Arguments;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::Level;

use super::access_log::{self, LogFields};
use super::refusal::Refusal;
use crate::http::request::Request;
use crate::wait::lock;

/// How long another line of the same kind, or for the same key, is held back.
const PAUSE: Duration = Duration::from_secs(1);

/// Decides which refusals are logged.
#[derive(Default)]
pub(crate) struct RefusalLog(Mutex<LoggedRefusals>);

#[derive(Default)]
struct LoggedRefusals {
    kinds: HashMap<&'static str, LoggedKind>,
    /// The keys that had a warning within the second that began then.
    warned_keys: HashSet<String>,
    warned_since: Option<Instant>,
}

struct LoggedKind {
    last_line: Instant,
    /// Refusals since that line.
    held_back: u64,
}

impl RefusalLog {
    /// Logs a refusal, or counts it.
    pub(super) fn note(&self, request: &Request, refusal: &Refusal) {
        // The loader writes lines of its own.
        if matches!(refusal, Refusal::Loading) {
            return;
        }
        let now = Instant::now();
        if refusal.is_slashing() {
            let key = request.last_segment();
            if lock(&self.0).begins_warning(key, now) {
                write(
                    Level::Warn,
                    request,
                    format_args!("slashing protection refused to sign for {key}: {refusal}"),
                );
            }
            return;
        }
        let Some(held_back) = lock(&self.0).begins_line(refusal.kind(), now) else {
            return;
        };
        let method = request.method.name();
        let path = &request.path;
        let status = refusal.status();
        let others = match held_back {
            0 => String::new(),
            count => format!(" ({count} more of this kind since its last line)"),
        };
        write(
            Level::Info,
            request,
            format_args!("refused: {method} {path}: {status} {refusal}{others}"),
        );
    }
}

/// Writes a line with the client and the names that it has given to the request.
fn write(level: Level, request: &Request, message: Arguments<'_>) {
    if level > log::max_level() {
        return;
    }
    let client = request.client.to_string();
    let mut fields: LogFields<'_> = vec![("client", client.as_str().into())];
    access_log::push_names(&mut fields, request);
    access_log::write_line(level, module_path!(), &fields, message);
}

impl LoggedRefusals {
    /// Whether a warning for this key is due.
    fn begins_warning(&mut self, key: &str, now: Instant) -> bool {
        let is_over = |since| now.duration_since(since) >= PAUSE;
        if self.warned_since.is_none_or(is_over) {
            self.warned_keys.clear();
            self.warned_since = Some(now);
        }
        self.warned_keys.insert(key.to_owned())
    }

    /// Returns how many refusals of this kind had no line, when a line is due.
    fn begins_line(&mut self, kind: &'static str, now: Instant) -> Option<u64> {
        let Some(logged) = self.kinds.get_mut(kind) else {
            let first = LoggedKind {
                last_line: now,
                held_back: 0,
            };
            self.kinds.insert(kind, first);
            return Some(0);
        };
        if now.duration_since(logged.last_line) < PAUSE {
            logged.held_back += 1;
            return None;
        }
        logged.last_line = now;
        Some(std::mem::take(&mut logged.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_a_line_a_second_that_counts_the_others() {
        let mut logged = LoggedRefusals::default();
        let start = Instant::now();
        for (after_ms, kind, line) in [
            (0, "malformed", Some(0)),
            (0, "unknown_key", Some(0)),
            (1, "malformed", None),
            (999, "malformed", None),
            (1000, "malformed", Some(2)),
            (1001, "unknown_key", Some(0)),
            (1999, "malformed", None),
            (9000, "malformed", Some(1)),
        ] {
            let now = start + Duration::from_millis(after_ms);
            assert_eq!(logged.begins_line(kind, now), line, "{after_ms} {kind}");
        }
    }

    #[test]
    fn a_key_has_a_warning_a_second() {
        let mut logged = LoggedRefusals::default();
        let start = Instant::now();
        for (after_ms, key, warns) in [
            (0, "a", true),
            (1, "b", true),
            (2, "a", false),
            (999, "b", false),
            (1000, "b", true),
            (1001, "a", true),
            (1002, "a", false),
        ] {
            let now = start + Duration::from_millis(after_ms);
            assert_eq!(logged.begins_warning(key, now), warns, "{after_ms} {key}");
        }
    }
}
