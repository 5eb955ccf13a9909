//! Reading files within a bound of time.
//!
//! A read from a network mount that has gone may never end, and cannot be interrupted. So another thread
//! does it. When that takes too long, the thread is given up, and the caller goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// The time in which one file must be read; real ones have a few hundred bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// After this many reads without an answer no other is tried, because each one blocks a thread for ever.
const UNANSWERED_MAX: usize = 16;

/// What the other thread does; it sends the result itself.
type ReadTask = Box<dyn FnOnce() + Send>;

/// Reads one thing at a time, each within a bound of time.
pub(super) struct TimedReader {
    /// Leads to the thread that reads; `None` before the first read, and after one that was given up.
    tasks: Option<Sender<ReadTask>>,
    /// How many reads were given up by all readers of one load.
    unanswered: Arc<AtomicUsize>,
    timeout: Duration,
}

impl TimedReader {
    /// Makes a reader that shares the count of reads without an answer.
    pub(super) fn new(unanswered: &Arc<AtomicUsize>) -> Self {
        Self {
            tasks: None,
            unanswered: Arc::clone(unanswered),
            timeout: READ_TIMEOUT,
        }
    }

    /// Allows another time, for example to list a large directory.
    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Runs `read` on the other thread, and returns its result.
    ///
    /// # Errors
    /// A sentence, when it does not end in time.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        if self.unanswered.load(Ordering::Relaxed) >= UNANSWERED_MAX {
            return Err(format!(
                "not read, because {UNANSWERED_MAX} other files did not answer"
            ));
        }
        let (sender, answer) = mpsc::channel();
        self.send(Box::new(move || {
            // The caller may have given up.
            let _ = sender.send(read());
        }))?;
        match answer.recv_timeout(self.timeout) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Timeout) => {
                self.tasks = None;
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                let seconds = self.timeout.as_secs();
                Err(format!("does not answer: not read within {seconds} s"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.tasks = None;
                Err("internal fault while it was read".to_owned())
            }
        }
    }

    /// Does the same as [`files::read_private_file`], within the time.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read_private(
        &mut self,
        path: &Arc<Path>,
        allow_insecure_permissions: bool,
    ) -> Result<Zeroizing<String>, String> {
        let file = Arc::clone(path);
        let read = self.run(move || files::read_private_file(&file, allow_insecure_permissions));
        named(path, read)
    }

    /// Does the same for a path that may be a pipe or a device too.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read_private_or_pipe(
        &mut self,
        path: &Arc<Path>,
        allow_insecure_permissions: bool,
    ) -> Result<Zeroizing<String>, String> {
        let file = Arc::clone(path);
        let read = self.run(move || files::read_private(&file, allow_insecure_permissions));
        named(path, read)
    }

    fn send(&mut self, task: ReadTask) -> Result<(), String> {
        let tasks = match self.tasks.take() {
            Some(tasks) => tasks,
            None => start_thread()?,
        };
        tasks
            .send(task)
            .map_err(|_| "the thread that reads files has ended".to_owned())?;
        self.tasks = Some(tasks);
        Ok(())
    }
}

/// Names the file in an error.
fn named<T>(path: &Path, read: Result<Result<T, FileError>, String>) -> Result<T, String> {
    match read {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(reason) => Err(FileError::new(path, reason).to_string()),
    }
}

fn start_thread() -> Result<Sender<ReadTask>, String> {
    let (sender, tasks) = mpsc::channel::<ReadTask>();
    thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            for task in tasks {
                task();
            }
        })
        .map_err(|error| format!("the system gives no thread: {error}"))?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_does_not_end_is_given_up_and_the_next_one_is_served() {
        let unanswered = Arc::new(AtomicUsize::new(0));
        let mut reader = TimedReader::new(&unanswered).with_timeout(Duration::from_millis(50));
        assert_eq!(reader.run(|| 1), Ok(1));
        let (_held, never) = mpsc::channel::<()>();
        let refused = reader.run(move || never.recv()).unwrap_err();
        assert!(refused.contains("does not answer"), "{refused}");
        assert_eq!(reader.run(|| 2), Ok(2));
        unanswered.store(UNANSWERED_MAX, Ordering::Relaxed);
        assert!(reader.run(|| 3).unwrap_err().contains("not read"));
    }

    #[test]
    fn a_read_that_panics_is_an_error_of_its_own() {
        let mut reader = TimedReader::new(&Arc::default());
        assert!(reader.run(|| assert_eq!(1, 2, "on purpose")).is_err());
        assert_eq!(reader.run(|| 2), Ok(2));
    }
}
