//! The terminal of a command that draws again and again: its size, its second screen, and the signals that end
//! the command. The screen that was there before comes back at the end.

use std::io::{self, Write};
use std::time::Duration;

use super::system;

/// Switches to the second screen, and hides the cursor (xterm's control sequences).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";

/// The reverse.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// What the size is when the terminal does not say it.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The terminal, as long as the command draws.
pub(crate) struct Terminal {}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalEvent {
    /// The time is over.
    Nothing,
    /// Ctrl-C, or another signal that ends the command.
    End,
}

impl Terminal {
    /// Takes the terminal. Call it while the process has one thread.
    pub(crate) fn take() -> Self {
        system::block_terminal_signals();
        write(ENTER);
        Self {}
    }

    /// Waits for this time or a signal. At Ctrl-Z the process stops here, with the first screen in place.
    pub(crate) fn wait(&mut self, within: Duration) -> TerminalEvent {
        match system::wait_for_terminal_signal(within) {
            None => TerminalEvent::Nothing,
            Some(system::TerminalSignal::End) => TerminalEvent::End,
            Some(system::TerminalSignal::Suspend) => {
                write(LEAVE);
                system::stop_process();
                write(ENTER);
                TerminalEvent::Nothing
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        write(LEAVE);
    }
}

/// Returns columns and rows of the terminal on standard output.
pub(crate) fn size() -> (usize, usize) {
    system::terminal_size()
        .filter(|(columns, rows)| *columns > 0 && *rows > 0)
        .unwrap_or(USUAL_SIZE)
}

/// A terminal that has gone needs nothing.
fn write(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
