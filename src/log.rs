//! One line per event on stderr; never a secret, never a request body.
//!
//! The lines go through a bounded channel to a thread of their own: a pipe that nobody reads must not
//! stall the service. Lines that do not fit are dropped; the next one that fits gives their number.

mod layout;

use std::fs::File;
use std::io::{self, Write};
use std::iter;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use env_logger::fmt::Formatter;
use env_logger::{Builder, Target, WriteStyle};
use jiff::Timestamp;
use log::{Level, LevelFilter, Record};

use crate::critical_thread;
use crate::status::warnings;

use self::layout::LogLine;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level and message.
    #[default]
    Plain,
    /// A JSON object with short names.
    Json,
    /// The fields of the Elastic Common Schema, as log4j's `EcsLayout` has them.
    Ecs,
    /// The fields of Google Cloud, as log4j's `GcpLayout` has them.
    Gcp,
    /// The fields of Logstash, as log4j's `LogstashJsonEventLayoutV1` has them.
    Logstash,
    /// The Graylog Extended Log Format 1.1, as log4j's `GelfLayout` has it.
    Gelf,
}

/// 4,096 lines are a few hundred KiB, and longer than any burst before a healthy reader catches up.
const LINES_WAITING_MAX: usize = 4096;

/// How long the log thread pauses after each write. Lines that come meanwhile are written together, and their
/// senders need not wake the thread.
const WRITE_PAUSE: Duration = Duration::from_millis(5);

/// Lines are written together until they have this many bytes.
const BATCH_BYTES_MAX: usize = 64 * 1024;

/// What the log thread receives.
enum LogEvent {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

static SENDER: OnceLock<SyncSender<LogEvent>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Whether stderr is the journal of systemd, which adds the time and takes the level from a prefix.
static IS_JOURNAL: OnceLock<bool> = OnceLock::new();

/// Log lines that wait for their thread. Dropped without [`LogWriter::start`], it writes them.
pub(crate) struct LogWriter {
    events: Option<Receiver<LogEvent>>,
}

/// Sends all later log lines to stderr, from a thread of its own. A panic becomes such a line, too. Call
/// once.
pub fn start(level: LevelFilter, format: LogFormat) {
    install(level, format).start();
}

/// Collects all later log lines until the writer starts, which needs a thread. Call once.
pub(crate) fn install(level: LevelFilter, format: LogFormat) -> LogWriter {
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    if SENDER.set(sender).is_err() {
        return LogWriter { events: None };
    }
    IS_JOURNAL.get_or_init(stderr_is_journal);
    Builder::new()
        // Libraries log details that only their authors need.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("signerd", level)
        .write_style(WriteStyle::Never)
        .format(move |out, record| write_record(out, record, format))
        .target(Target::Pipe(Box::new(LogChannel)))
        .init();
    // The message of a panic may hold a secret, so only its place is logged.
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(location) => log::error!("a bug: panic at {location}"),
        None => log::error!("a bug: panic"),
    }));
    LogWriter {
        events: Some(receiver),
    }
}

impl LogWriter {
    /// Starts the thread that writes the lines.
    pub(crate) fn start(mut self) {
        let Some(events) = self.events.take() else {
            return;
        };
        let builder = thread::Builder::new().name("log".into());
        if builder.spawn(move || run_log_thread(&events)).is_err() {
            // Without its thread the channel fills up and lines are dropped; the service goes on.
            let _ = io::stderr().write_all(b"error: the log thread does not start\n");
        }
        critical_thread::install(write_last);
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if let Some(events) = &self.events {
            write_batch(events.try_iter());
        }
    }
}

/// Writes a text that is not a log line, after the lines so far. Waits a second at most.
fn write_last(text: &str) {
    if let Some(sender) = SENDER.get()
        && !text.is_empty()
    {
        let mut lines = String::new();
        for line in text.lines() {
            lines.push_str(journal_prefix(Level::Error));
            lines.push_str(line);
            lines.push('\n');
        }
        // When nobody reads stderr, the channel is full and the text is lost.
        let _ = sender.try_send(LogEvent::Line(lines.into_bytes()));
    }
    flush();
}

/// Waits until the lines so far are written, a second at most. Call it before the process ends.
pub(crate) fn flush() {
    let Some(sender) = SENDER.get() else { return };
    let (done, written) = sync_channel(1);
    if sender.try_send(LogEvent::Flush(done)).is_ok() {
        let _ = written.recv_timeout(Duration::from_secs(1));
    }
}

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

/// The work of the log thread.
fn run_log_thread(events: &Receiver<LogEvent>) {
    while let Ok(first) = events.recv() {
        write_batch(iter::once(first).chain(events.try_iter()));
        thread::sleep(WRITE_PAUSE);
    }
}

/// Writes the lines of these events, many lines with one system call.
fn write_batch(events: impl Iterator<Item = LogEvent>) {
    let mut lines = Vec::new();
    for event in events {
        match event {
            LogEvent::Line(line) => lines.extend_from_slice(&line),
            LogEvent::Flush(done) => {
                write_out(&mut lines);
                let _ = done.try_send(());
            }
        }
        if lines.len() >= BATCH_BYTES_MAX {
            write_out(&mut lines);
        }
    }
    write_out(&mut lines);
}

fn write_out(lines: &mut Vec<u8>) {
    if lines.is_empty() {
        return;
    }
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        let prefix = journal_prefix(Level::Warn);
        let line = format!("{prefix}WARN  {dropped} log lines were dropped: stderr is not read\n");
        lines.extend_from_slice(line.as_bytes());
    }
    // Signing goes on when stderr is closed.
    let _ = io::stderr().write_all(lines);
    lines.clear();
}

fn write_record(out: &mut Formatter, record: &Record<'_>, format: LogFormat) -> io::Result<()> {
    let message = record.args().to_string();
    // `may` calls it an error when a signal interrupts its wait, as SIGSTOP and SIGCONT do.
    if record.target().starts_with("may::") && message.contains("Interrupted") {
        return Ok(());
    }
    let level = record.level();
    warnings::note(level, &message);
    out.write_all(journal_prefix(level).as_bytes())?;
    let line = LogLine {
        level,
        target: record.target(),
        message: &message,
        time: Timestamp::now(),
        place: record.file().zip(record.line()),
        fields: layout::fields_of(record),
    };
    if format == LogFormat::Plain {
        if journal_prefix(level).is_empty() {
            write!(out, "{} ", out.timestamp())?;
        }
        let fields = line.plain_fields();
        return writeln!(out, "{level:<5} {}{fields}", one_line(&message));
    }
    writeln!(out, "{}", line.json(format))
}

/// Severities of syslog (RFC 5424, section 6.2.1).
fn syslog_severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// The prefix that gives the journal the level (sd-daemon(3)); nothing elsewhere.
fn journal_prefix(level: Level) -> &'static str {
    if !IS_JOURNAL.get().is_some_and(|is_journal| *is_journal) {
        return "";
    }
    match syslog_severity(level) {
        3 => "<3>",
        4 => "<4>",
        6 => "<6>",
        _ => "<7>",
    }
}

/// Whether stderr is the stream that systemd names in `JOURNAL_STREAM` (systemd.exec(5)): device and inode.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    let Ok(found) = File::from(stderr).metadata() else {
        return false;
    };
    stream == format!("{}:{}", found.st_dev(), found.st_ino())
}

/// Escapes control characters: what a client sent must not forge a line or drive a terminal.
pub(crate) fn one_line(text: &str) -> String {
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
