//! Threads that the process cannot do without: when one of them dies, the process ends, so that its
//! supervisor starts it again. A signer whose store or accept thread has died would look alive and serve
//! nobody.
//!
//! Ending cannot fail in its turn: it does not panic when stderr is closed, and does not wait for ever when
//! stderr is not read.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use log::LevelFilter;

use crate::sync::thread::{Builder, JoinHandle};

/// The exit code when a thread has died: `EX_SOFTWARE` of BSD's `sysexits.h`.
pub(crate) const EXIT_CODE: u8 = 70;

static WRITE_LAST: OnceLock<fn(&str)> = OnceLock::new();

/// Chooses how [`end_process`] writes: to the log, within a bounded time. The first choice holds; without
/// one, the text goes to stderr.
pub(crate) fn install(write_last: fn(&str)) {
    WRITE_LAST.get_or_init(|| write_last);
}

/// Starts a thread whose panic ends the process with an ERROR line and [`EXIT_CODE`]. The thread may return
/// when it was stopped.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let name = name.into();
    Builder::new()
        .name(name.clone())
        .spawn(move || run(&name, work))
}

/// Does `work`, whose panic ends the process in the same way.
pub(crate) fn run(name: &str, work: impl FnOnce()) {
    // The process ends, so no other code sees what the panic has left half done.
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        report_death(name);
    }
}

/// Writes the text as a line and ends the process. With an empty text it only waits for the log lines so far
/// to be written.
pub(crate) fn end_process(code: u8, text: &str) -> ! {
    write_last(text);
    std::process::exit(i32::from(code))
}

/// Writes the last text of the process. A closed stderr does not keep it from ending.
pub(crate) fn write_last(text: &str) {
    match WRITE_LAST.get() {
        Some(write_last) => write_last(text),
        None if text.is_empty() => {}
        None => {
            let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
        }
    }
}

fn report_death(name: &str) -> ! {
    let reason = format!("the thread \"{name}\" has died, which is a bug: signerd ends");
    if log::max_level() == LevelFilter::Off {
        end_process(EXIT_CODE, &format!("error: {reason}"));
    }
    log::error!("{reason}");
    end_process(EXIT_CODE, "")
}
