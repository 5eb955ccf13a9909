//! The threads that derive keys: as many as there are cores, at the lowest priority, within a bound
//! of memory. They exist only while there is work.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::locked;
use crate::wait::lock;

/// One piece of work.
pub(crate) struct Job {
    /// The memory that it takes while it runs.
    pub(crate) memory_bytes: u64,
    /// Whether somebody waits for it: it goes before all others.
    pub(crate) urgent: bool,
    /// What to do; must not panic.
    pub(crate) work: Box<dyn FnOnce() + Send>,
}

/// Runs jobs. Cheap to clone; clones share the threads and the bound.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

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
    pub(crate) fn new(memory_bytes_max: Option<u64>) -> Self {
        let memory_bytes_max =
            memory_bytes_max.unwrap_or_else(|| memory_bytes_available(Path::new("/")) / 2);
        let threads_max = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            memory_bytes_max,
            threads_max,
            state: Mutex::default(),
            ended: Condvar::new(),
        }))
    }

    /// Queues a job; returns at once.
    pub(crate) fn push(&self, job: Job) {
        let mut state = lock(&self.0.state);
        if job.urgent {
            state.jobs.push_front(job)
        } else {
            state.jobs.push_back(job)
        }
        if state.threads < self.0.threads_max {
            let shared = Arc::clone(&self.0);
            let spawned = thread::Builder::new()
                .name("decrypter".to_owned())
                .spawn(move || shared.work());
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
            lock(&self.state).memory_bytes -= job.memory_bytes;
            self.ended.notify_all();
        }
    }

    /// The next job, with its memory taken; `None` when there is no more work for this thread.
    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
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
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What this process may still take: the machine's free memory, or what is left in its control group and
/// those above it (cgroups(7)). Inside a container the mount shows the container's group as its root.
fn memory_bytes_available(root: &Path) -> u64 {
    let text = |path: &Path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let number = |path: &Path| text(path).trim().parse::<u64>().ok();
    let meminfo = text(Path::new("proc/meminfo"));
    let machine = meminfo.lines().find_map(|line| {
        let kib = line
            .strip_prefix("MemAvailable:")?
            .trim()
            .strip_suffix(" kB")?;
        kib.parse::<u64>().ok().map(|kib| kib << 10)
    });
    let left_in = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (mount, limit, used) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current"),
            "memory" => (
                "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            ),
            _ => return None,
        };
        let groups = Path::new(path.trim_start_matches('/'))
            .ancestors()
            .map(|group| Path::new(mount).join(group));
        groups
            .filter_map(|dir| {
                Some(number(&dir.join(limit))?.saturating_sub(number(&dir.join(used))?))
            })
            .min()
    };
    let groups = text(Path::new("proc/self/cgroup"));
    groups
        .lines()
        .filter_map(left_in)
        .chain(machine)
        .min()
        .unwrap_or(MEMORY_BYTES_ASSUMED)
}

/// Where the system does not tell: enough for one usual keystore at a time.
const MEMORY_BYTES_ASSUMED: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_least_of_the_machine_and_all_control_groups_is_what_is_left() {
        const CONTAINER: &str = "5:cpu:/docker/1f\n4:memory:/docker/1f\n";
        let root = std::env::temp_dir().join(format!("signerd-memory-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        assert_eq!(memory_bytes_available(&root), MEMORY_BYTES_ASSUMED);
        write(
            "proc/meminfo",
            "MemTotal: 9 kB\nMemAvailable:    4194304 kB\n",
        );
        write("sys/fs/cgroup/slice/service/memory.max", "max\n");
        // One after the other, each beside those before it.
        for (groups, path, limit_mib, used_mib, left_mib) in [
            ("0::/slice/service\n", "other/memory.max", 1, 0, 4096),
            ("0::/slice/service\n", "slice/memory.max", 1000, 100, 900),
            (
                "0::/slice/service\n",
                "slice/service/memory.max",
                500,
                100,
                400,
            ),
            (
                CONTAINER,
                "memory/docker/memory.limit_in_bytes",
                8000,
                0,
                4096,
            ),
            (CONTAINER, "memory/memory.limit_in_bytes", 300, 400, 0),
        ] {
            write("proc/self/cgroup", groups);
            let used = path
                .replace("memory.max", "memory.current")
                .replace(".limit", ".usage");
            for (path, mib) in [(path, limit_mib), (&used, used_mib)] {
                write(
                    &format!("sys/fs/cgroup/{path}"),
                    &format!("{}\n", mib << 20),
                );
            }
            assert_eq!(memory_bytes_available(&root), left_mib << 20, "{path}");
        }
        let _ = fs::remove_dir_all(&root);
    }

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
            pool.push(Job {
                memory_bytes,
                urgent: false,
                work,
            });
        }
        drop(sender);
        let runs: Vec<_> = most.iter().collect();
        assert_eq!(runs.len(), 9);
        assert!(
            runs.iter()
                .all(|&(held, own)| held <= 100.max(own) || held == 300),
            "{runs:?}"
        );
    }
}
