//! A thread that reads files for another one, so that a file that does not answer holds up nobody.
//!
//! A read from a network mount that has gone can take for ever, and nothing can end it. So it is done by
//! a thread that is given up when it takes too long, and the caller goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// How long one file may take; real ones have a few hundred bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// After so many reads without an answer the rest is not tried: each of them keeps a thread for ever.
const UNANSWERED_MAX: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Reads one thing at a time, each within a bound of time.
pub(super) struct Reader {
    /// The thread that reads; none before the first read, and after one that was given up.
    jobs: Option<Sender<Job>>,
    /// How many reads were given up, shared by the readers of one load.
    unanswered: Arc<AtomicUsize>,
    timeout: Duration,
}

impl Reader {
    /// A reader that shares the count of reads without an answer.
    pub(super) fn new(unanswered: &Arc<AtomicUsize>) -> Self {
        Self {
            jobs: None,
            unanswered: Arc::clone(unanswered),
            timeout: READ_TIMEOUT,
        }
    }

    /// The same, for reads that may take longer, such as listing a large directory.
    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Does `read` on the other thread, and returns what it brings.
    ///
    /// # Errors
    /// A sentence, when it does not end in time.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        if self.unanswered.load(Ordering::Relaxed) >= UNANSWERED_MAX {
            return Err(format!(
                "not read, because {UNANSWERED_MAX} other files do not answer"
            ));
        }
        let (sender, answer) = mpsc::channel();
        let job = Box::new(move || {
            // The caller may have given up.
            let _ = sender.send(read());
        });
        self.send(job)?;
        match answer.recv_timeout(self.timeout) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Timeout) => {
                self.jobs = None;
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                let seconds = self.timeout.as_secs();
                Err(format!("does not answer: not read within {seconds} s"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.jobs = None;
                Err("internal fault while it was read".to_owned())
            }
        }
    }

    /// The text of a file that only its owner and group may read, as [`files::read_private`].
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read_private(
        &mut self,
        path: &Arc<Path>,
        allow_insecure_permissions: bool,
    ) -> Result<Zeroizing<String>, String> {
        let file = Arc::clone(path);
        let read = self.run(move || files::read_private(&file, allow_insecure_permissions));
        match read {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(error.to_string()),
            Err(reason) => Err(FileError::new(path, reason).to_string()),
        }
    }

    fn send(&mut self, job: Job) -> Result<(), String> {
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => start_thread()?,
        };
        jobs.send(job)
            .map_err(|_| "the thread that reads files has ended".to_owned())?;
        self.jobs = Some(jobs);
        Ok(())
    }
}

fn start_thread() -> Result<Sender<Job>, String> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            for job in jobs {
                job();
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
        let mut reader = Reader::new(&unanswered).with_timeout(Duration::from_millis(50));
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
        let mut reader = Reader::new(&Arc::default());
        assert!(reader.run(|| assert_eq!(1, 2, "on purpose")).is_err());
        assert_eq!(reader.run(|| 2), Ok(2));
    }
}
