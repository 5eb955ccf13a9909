//! The last warnings and errors of the log, for the status page.
//!
//! The log notes them here. They are few: what a client can provoke is limited where it is logged.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::wait::lock;

/// Lines that are kept.
const LINES_MAX: usize = 20;

/// Characters of a line that are kept.
const LINE_CHARACTERS_MAX: usize = 400;

static WARNINGS: Mutex<Warnings> = Mutex::new(Warnings {
    count: 0,
    lines: VecDeque::new(),
});

/// The last lines, and how many there were in all.
#[derive(Clone)]
pub(crate) struct Warnings {
    pub(crate) count: u64,
    /// The latest first.
    pub(crate) lines: VecDeque<WarningLine>,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WarningLine {
    /// In Unix time.
    pub(crate) seconds: u64,
    /// `WARN` or `ERROR`.
    pub(crate) level: &'static str,
    pub(crate) message: String,
}

/// Notes a line of the log.
pub(crate) fn note(level: log::Level, message: &str) {
    if level > log::Level::Warn {
        return;
    }
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let line = WarningLine {
        seconds,
        level: level.as_str(),
        message: shortened(message),
    };
    lock(&WARNINGS).add(line);
}

/// Returns the last lines.
pub(crate) fn read() -> Warnings {
    lock(&WARNINGS).clone()
}

impl Warnings {
    fn add(&mut self, line: WarningLine) {
        self.count += 1;
        self.lines.truncate(LINES_MAX - 1);
        self.lines.push_front(line);
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LINE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept_and_all_are_counted() {
        let mut warnings = Warnings {
            count: 0,
            lines: VecDeque::new(),
        };
        for seconds in 0..50 {
            warnings.add(WarningLine {
                seconds,
                level: "WARN",
                message: String::new(),
            });
        }
        assert_eq!(warnings.count, 50);
        let seconds: Vec<u64> = warnings.lines.iter().map(|line| line.seconds).collect();
        assert_eq!(seconds, Vec::from_iter((30..50).rev()));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let cut = shortened(&"ü".repeat(500));
        assert_eq!(cut, "ü".repeat(400) + "…");
        assert_eq!(shortened("short"), "short");
    }
}
