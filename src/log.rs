//! One line per event on stderr; never a secret, never a request body.
//!
//! The lines go through a bounded channel to a thread of their own: a pipe that nobody reads must not
//! stall the service. Lines that do not fit are dropped; the next one that fits gives their number.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use env_logger::fmt::Formatter;
use env_logger::{Builder, Target, WriteStyle};
use log::{LevelFilter, Record};

use crate::critical_thread;

/// 4,096 lines are a few hundred KiB, and longer than any burst before a healthy reader catches up.
const LINES_WAITING_MAX: usize = 4096;

/// Sends all later log lines to stderr, from a thread of its own, each as text or as a JSON object. A panic
/// becomes such a line, too. Call once.
pub fn start(level: LevelFilter, as_json: bool) {
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    if SENDER.set(sender).is_err() {
        return;
    }
    let write = if as_json { write_json } else { write_plain };
    Builder::new()
        // Libraries log details that only their authors need.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("signerd", level)
        .write_style(WriteStyle::Never)
        .format(write)
        .target(Target::Pipe(Box::new(LogChannel)))
        .init();
    let writer = std::thread::Builder::new().name("log".into());
    if writer.spawn(move || write_out(&receiver)).is_err() {
        // Without its thread the channel fills up and lines are dropped; the service goes on.
        let _ = io::stderr().write_all(b"error: the log thread does not start\n");
    }
    critical_thread::install(write_last);
    // The message of a panic may hold a secret; its place is enough.
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(location) => log::error!("a bug: panic at {location}"),
        None => log::error!("a bug: panic"),
    }));
}

/// Writes a text that is not a log line, after the lines so far. Waits a second at most.
fn write_last(text: &str) {
    if let Some(sender) = SENDER.get()
        && !text.is_empty()
    {
        // When nobody reads stderr, the channel is full and the text is lost.
        let _ = sender.try_send(LogEvent::Line(format!("{text}\n").into_bytes()));
    }
    flush();
}

/// Waits until the lines so far are written, a second at most. Call it before the process ends.
pub fn flush() {
    let Some(sender) = SENDER.get() else { return };
    let (done, written) = sync_channel(1);
    if sender.try_send(LogEvent::Flush(done)).is_ok() {
        let _ = written.recv_timeout(Duration::from_secs(1));
    }
}

/// What the log thread receives.
enum LogEvent {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

static SENDER: OnceLock<SyncSender<LogEvent>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The target of env_logger, which writes one line a call.
struct LogChannel;

impl Write for LogChannel {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let sent = SENDER
            .get()
            .is_some_and(|sender| sender.try_send(LogEvent::Line(line.to_vec())).is_ok());
        if !sent {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(events: &Receiver<LogEvent>) {
    let mut stderr = io::stderr();
    for event in events {
        match event {
            LogEvent::Line(line) => {
                // Signing goes on when stderr is closed.
                let _ = stderr.write_all(&line);
                let dropped = DROPPED.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = writeln!(
                        stderr,
                        "WARN  {dropped} log lines were dropped: stderr is not read"
                    );
                }
            }
            LogEvent::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

fn write_plain(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let message = one_line(&record.args().to_string());
    writeln!(out, "{} {:<5} {message}", out.timestamp(), record.level())
}

fn write_json(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let line = serde_json::json!({
        "time": out.timestamp().to_string(),
        "level": record.level().as_str(),
        "target": record.target(),
        "message": record.args().to_string(),
    });
    writeln!(out, "{line}")
}

/// Escapes control characters: what a client sent must not forge a line or drive a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_one_line() {
        assert_eq!(
            one_line("a\nERROR forged\u{1b}[2J"),
            "a\\nERROR forged\\u{1b}[2J"
        );
        assert_eq!(one_line("schlüssel"), "schlüssel");
    }
}
