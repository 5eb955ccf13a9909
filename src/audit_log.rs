//! The audit log: a line for each signature in a file of its own, written before the signature leaves.
//!
//! A thread writes the lines that wait, together. Whoever signs waits for the write of its line, but at
//! most [`WAIT_MAX`]: a second thread, the clock, ends the waits that take longer. So a disk that hangs or
//! is full delays no signature by more, and signing goes on. Failures are reported: signatures that
//! left before their line was written are counted as late; the file's failure is one ERROR; lines that
//! found the queue full are lost and counted, and the file says how many when it works again.
//!
//! `reopen` opens the file of the same name again, for tools that have renamed it. Invariant: lines are
//! written in their order and whole, also after a write that was cut short.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::critical_thread;
use crate::wait::{self, Promise, lock};

/// How long a signature waits for its line: as long as for a slow commit of the store.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// Lines that wait to be written: two megabytes, the signatures of seconds.
const LINES_WAITING_MAX: usize = 4096;

/// How long to wait before a failed write is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Mode of a new file, less what the umask takes. It holds no secret, but shows who does what.
const MODE: u32 = 0o640;

/// The open file, before its threads run.
pub(crate) struct AuditFile {
    path: PathBuf,
    file: File,
}

/// The running audit log.
pub(crate) struct AuditLog {
    queue: Arc<AuditQueue>,
}

/// How many lines there were, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditCounts {
    pub(crate) written: u64,
    /// Signatures that left before their line was written.
    pub(crate) late: u64,
    /// Lines that found the queue full.
    pub(crate) lost: u64,
    /// Whether the last write has failed.
    pub(crate) is_failing: bool,
}

#[derive(Default)]
struct AuditQueue {
    state: Mutex<AuditState>,
    /// There is something for the writer.
    arrived: Condvar,
    /// There is something for the clock.
    begun: Condvar,
    late: AtomicU64,
}

#[derive(Default)]
struct AuditState {
    lines: Vec<u8>,
    lines_count: usize,
    /// Signatures that wait for their line, the first one first.
    waiting: VecDeque<WaitingSignature>,
    /// Lines that have come, and of these the ones that are written.
    arrived: u64,
    written: u64,
    lost: u64,
    /// Lost lines that the file does not mention yet.
    lost_unmentioned: u64,
    /// The file fails or takes long: nobody waits for it.
    is_behind: bool,
    is_failing: bool,
    must_reopen: bool,
    is_clock_asleep: bool,
    is_writer_asleep: bool,
}

struct WaitingSignature {
    /// The number of its line.
    line: u64,
    until: Instant,
    /// Kept by the writer or, when the time is over, by the clock.
    promise: Promise<()>,
}

/// What the writer does next.
struct AuditBatch {
    lines: Vec<u8>,
    /// The number of the last line.
    last: u64,
    must_reopen: bool,
}

impl AuditFile {
    /// Opens the file to append to it, or creates it.
    ///
    /// # Errors
    /// Why it cannot be written. It must be a regular file and not a symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            // Do not wait for the reader of a FIFO, which is refused below.
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ELOOP) => {
                    io::Error::other("it is a symbolic link: name the file itself")
                }
                Some(libc::ENXIO) => not_regular(),
                Some(_) | None => error,
            })?;
        if !file.metadata()?.is_file() {
            return Err(not_regular());
        }
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(self) -> io::Result<AuditLog> {
        let queue = Arc::new(AuditQueue::default());
        let clock = Arc::clone(&queue);
        critical_thread::spawn("audit-clock", move || clock.end_long_waits())?;
        let writer = AuditWriter {
            queue: Arc::clone(&queue),
            file: self.file,
            path: self.path,
        };
        critical_thread::spawn("audit", move || writer.run())?;
        Ok(AuditLog { queue })
    }
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

impl AuditLog {
    /// Writes a line, which ends with a newline. Returns when it is written, or after [`WAIT_MAX`].
    pub(crate) fn write(&self, line: &[u8]) {
        if let Some(answer) = self.queue.push(line) {
            answer.wait();
        }
    }

    /// Opens the file again before the next line.
    pub(crate) fn reopen(&self) {
        lock(&self.queue.state).must_reopen = true;
        self.queue.arrived.notify_one();
    }

    /// Waits until all lines are written, a second at most.
    pub(crate) fn flush(&self) {
        let until = Instant::now() + FLUSH_MAX;
        let is_done = || {
            let state = lock(&self.queue.state);
            state.written == state.arrived
        };
        while !is_done() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn counts(&self) -> AuditCounts {
        let state = lock(&self.queue.state);
        AuditCounts {
            written: state.written,
            late: self.queue.late.load(Ordering::Relaxed),
            lost: state.lost,
            is_failing: state.is_failing,
        }
    }
}

impl AuditQueue {
    /// Adds a line. Returns what to wait for, if anything.
    fn push(&self, line: &[u8]) -> Option<wait::Answer<()>> {
        let answer;
        let must_wake_writer;
        let must_wake_clock;
        {
            let mut state = lock(&self.state);
            if state.lines_count >= LINES_WAITING_MAX {
                state.lost += 1;
                state.lost_unmentioned += 1;
                return None;
            }
            state.lines.extend_from_slice(line);
            state.lines_count += 1;
            state.arrived += 1;
            if state.is_behind {
                self.late.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            let (promise, of_promise) = wait::promise();
            let line = state.arrived;
            let until = Instant::now() + WAIT_MAX;
            state.waiting.push_back(WaitingSignature {
                line,
                until,
                promise,
            });
            answer = of_promise;
            must_wake_writer = mem::take(&mut state.is_writer_asleep);
            must_wake_clock = mem::take(&mut state.is_clock_asleep);
        }
        if must_wake_writer {
            self.arrived.notify_one();
        }
        if must_wake_clock {
            self.begun.notify_one();
        }
        Some(answer)
    }

    /// The clock's work: nobody waits for longer than [`WAIT_MAX`].
    fn end_long_waits(&self) {
        loop {
            let next = self.next_end();
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let overdue = {
                let mut state = lock(&self.state);
                let now = Instant::now();
                let overdue = state.take_waiting(|waiting| waiting.until <= now);
                state.is_behind |= !overdue.is_empty();
                overdue
            };
            self.release_late(overdue);
        }
    }

    /// Sleeps until somebody waits. Returns when that ends.
    fn next_end(&self) -> Instant {
        let mut state = lock(&self.state);
        loop {
            if let Some(first) = state.waiting.front() {
                return first.until;
            }
            state.is_clock_asleep = true;
            state = self
                .begun
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn release_late(&self, waiting: Vec<WaitingSignature>) {
        self.late.fetch_add(waiting.len() as u64, Ordering::Relaxed);
        for signature in waiting {
            signature.promise.keep(());
        }
    }

    fn next_batch(&self) -> AuditBatch {
        let mut state = lock(&self.state);
        while state.lines.is_empty() && !state.must_reopen {
            state.is_writer_asleep = true;
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_writer_asleep = false;
        state.lines_count = 0;
        AuditBatch {
            lines: mem::take(&mut state.lines),
            last: state.arrived,
            must_reopen: mem::take(&mut state.must_reopen),
        }
    }
}

impl AuditState {
    /// Takes those at the front that meet a condition.
    fn take_waiting(
        &mut self,
        is_meant: impl Fn(&WaitingSignature) -> bool,
    ) -> Vec<WaitingSignature> {
        let mut taken = Vec::new();
        while let Some(first) = self.waiting.pop_front_if(|first| is_meant(first)) {
            taken.push(first);
        }
        taken
    }
}

/// Belongs to the writer's thread.
struct AuditWriter {
    queue: Arc<AuditQueue>,
    file: File,
    path: PathBuf,
}

impl AuditWriter {
    fn run(mut self) {
        loop {
            let batch = self.queue.next_batch();
            if batch.must_reopen {
                self.reopen();
            }
            self.write(&batch.lines);
            let (written, lost) = {
                let mut state = lock(&self.queue.state);
                state.written = batch.last;
                state.is_behind = false;
                state.is_failing = false;
                let written = state.take_waiting(|waiting| waiting.line <= batch.last);
                (written, mem::take(&mut state.lost_unmentioned))
            };
            for signature in written {
                signature.promise.keep(());
            }
            if lost > 0 {
                self.mention_lost(lost);
            }
        }
    }

    /// Opens the file of the same name, if that is possible.
    fn reopen(&mut self) {
        match AuditFile::open(&self.path) {
            Ok(opened) => {
                self.file = opened.file;
                log::info!("the audit log {} is opened again", self.path.display());
            }
            Err(error) => log::error!(
                "the audit log {} cannot be opened again: {error}; lines go on to the file that was open",
                self.path.display()
            ),
        }
    }

    /// Writes all of it, however long that takes.
    fn write(&mut self, mut lines: &[u8]) {
        let mut has_failed = false;
        while !lines.is_empty() {
            match self.file.write(lines) {
                Ok(length) if length > 0 => lines = &lines[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    if !has_failed {
                        let error = result
                            .err()
                            .unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                        self.report_failure(&error);
                        has_failed = true;
                    }
                    thread::sleep(RETRY_PAUSE);
                    if mem::take(&mut lock(&self.queue.state).must_reopen) {
                        self.reopen();
                    }
                }
            }
        }
        if has_failed {
            log::info!("the audit log {} is written again", self.path.display());
        }
    }

    /// Logs the failure, and lets all go on that wait.
    fn report_failure(&self, error: &io::Error) {
        log::error!(
            "the audit log {} cannot be written: {error}; signing goes on, and up to {LINES_WAITING_MAX} lines \
             wait until it can be written again",
            self.path.display()
        );
        let waiting = {
            let mut state = lock(&self.queue.state);
            state.is_behind = true;
            state.is_failing = true;
            state.take_waiting(|_| true)
        };
        self.queue.release_late(waiting);
    }

    /// Says in the file itself that lines are missing.
    fn mention_lost(&mut self, lost: u64) {
        log::error!(
            "{lost} lines of the audit log {} were lost: it could not be written for too long",
            self.path.display()
        );
        let now = Timestamp::now();
        self.write(format!("{{\"time\":\"{now:.6}\",\"lost_lines\":{lost}}}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue whose writer has died or hangs.
    fn queue_without_writer() -> Arc<AuditQueue> {
        let queue = Arc::new(AuditQueue::default());
        let clock = Arc::clone(&queue);
        thread::spawn(move || clock.end_long_waits());
        queue
    }

    #[test]
    fn a_write_that_hangs_delays_the_first_signatures_alone_and_what_finds_no_room_is_counted() {
        let queue = queue_without_writer();
        let first = queue.push(b"1\n").expect("the file has not failed yet");
        let second = queue.push(b"2\n").expect("the file has not failed yet");
        // The clock ends both waits.
        first.wait();
        second.wait();
        assert_eq!(queue.late.load(Ordering::Relaxed), 2);
        assert!(lock(&queue.state).is_behind);
        for _ in 2..LINES_WAITING_MAX {
            assert!(queue.push(b"3\n").is_none(), "nobody waits any more");
        }
        let log = AuditLog {
            queue: Arc::clone(&queue),
        };
        let full = LINES_WAITING_MAX as u64;
        let before = log.counts();
        assert_eq!((before.late, before.lost, before.written), (full, 0, 0));
        for _ in 0..7 {
            assert!(queue.push(b"4\n").is_none());
        }
        assert_eq!((log.counts().late, log.counts().lost), (full, 7));
        let batch = queue.next_batch();
        assert_eq!(batch.lines.len(), 2 * LINES_WAITING_MAX);
        assert_eq!(batch.last, full);
    }
}
