//! The threads that derive keys: as many as there are cores, at the lowest priority, within a bound
//! of memory. They exist only while there is work.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::locked;

/// One piece of work.
pub(super) struct Job {
    /// The memory that it takes while it runs.
    pub(super) memory_bytes: u64,
    /// Whether somebody waits for it: it goes before all others.
    pub(super) urgent: bool,
    /// What to do; must not panic.
    pub(super) work: Box<dyn FnOnce() + Send>,
}

/// Runs jobs. Cheap to clone; clones share the threads and the bound.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    memory_bytes_max: u64,
    threads_max: usize,
    state: Mutex<State>,
    /// Some job has ended, so there is memory again.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    memory_bytes: u64,
    threads: usize,
}

impl Pool {
    /// A pool that uses at most `memory_bytes_max`, or else half of what the machine or the
    /// container has left. A single job above the bound runs alone.
    pub(super) fn new(memory_bytes_max: Option<u64>) -> Self {
        let memory_bytes_max = memory_bytes_max.unwrap_or_else(|| memory_bytes_available() / 2);
        let threads_max = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            memory_bytes_max,
            threads_max,
            state: Mutex::default(),
            ended: Condvar::new(),
        }))
    }

    /// Queues a job; returns at once.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.0.lock();
        if job.urgent {
            state.jobs.push_front(job)
        } else {
            state.jobs.push_back(job)
        }
        if state.threads < self.0.threads_max {
            let shared = Arc::clone(&self.0);
            let spawned = thread::Builder::new().name("decrypter".to_owned()).spawn(move || shared.work());
            match spawned {
                Ok(_) => state.threads += 1,
                Err(error) => log::error!("no thread to open keystores with: {error}"),
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        locked::lower_priority();
        while let Some(job) = self.next() {
            (job.work)();
            self.lock().memory_bytes -= job.memory_bytes;
            self.ended.notify_all();
        }
    }

    /// The next job, with its memory taken; `None` when there is no more work for this thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let Some(job) = state.jobs.pop_front() else {
                state.threads -= 1;
                return None;
            };
            let memory_bytes = state.memory_bytes + job.memory_bytes;
            if state.memory_bytes == 0 || memory_bytes <= self.memory_bytes_max {
                state.memory_bytes = memory_bytes;
                return Some(job);
            }
            state.jobs.push_front(job);
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this process may still take: the machine's free memory, or less in a container.
fn memory_bytes_available() -> u64 {
    let number = |file: &str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let left = |limit, used| Some(number(limit)?.saturating_sub(number(used)?));
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    // The root of the cgroup file system is the container's own group.
    let group = left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
    let old_group =
        left("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    [machine, group, old_group].into_iter().flatten().min().unwrap_or(MEMORY_BYTES_ASSUMED)
}

/// Where the system does not tell: enough for one usual keystore at a time.
const MEMORY_BYTES_ASSUMED: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_never_hold_more_memory_than_the_bound_unless_one_alone_does() {
        static HELD: AtomicU64 = AtomicU64::new(0);
        let pool = Pool::new(Some(100));
        let (sender, most) = mpsc::channel();
        for memory_bytes in [60, 60, 40, 300, 10, 90, 100, 1, 0] {
            let sender = sender.clone();
            let work = Box::new(move || {
                let held = HELD.fetch_add(memory_bytes, Ordering::SeqCst) + memory_bytes;
                thread::yield_now();
                HELD.fetch_sub(memory_bytes, Ordering::SeqCst);
                sender.send((held, memory_bytes)).unwrap();
            });
            pool.push(Job { memory_bytes, urgent: false, work });
        }
        drop(sender);
        let runs: Vec<_> = most.iter().collect();
        assert_eq!(runs.len(), 9);
        assert!(runs.iter().all(|&(held, own)| held <= 100.max(own) || held == 300), "{runs:?}");
    }
}
