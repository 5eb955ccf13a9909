//! Permits to derive keys: as many at a time as there are cores, within a bound of memory.
//!
//! Whoever derives takes a [`DerivationPermit`] first and waits for it. Permits are given in the order in which they
//! were asked for, those that a client waits for before all others.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::wait::lock;

/// Where the system does not tell: enough for one usual keystore at a time.
const MEMORY_BYTES_ASSUMED: u64 = 512 << 20;

/// What this process takes beside a derivation.
const MEMORY_BYTES_OF_PROCESS: u64 = 8 << 20;

/// Gives permits. Cheap to clone; clones share the bounds.
#[derive(Clone)]
pub(crate) struct DerivationPool(Arc<Shared>);

/// The right to derive one key; given back when dropped.
pub(crate) struct DerivationPermit {
    shared: Arc<Shared>,
    memory_bytes: u64,
}

/// Who waits for a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A client of the Keymanager API.
    Request,
    /// Nobody in particular: keys are being loaded.
    Load,
}

struct Shared {
    /// The bound of all derivations together. One that asks for more runs alone.
    memory_bytes_max: u64,
    /// What the machine or the control group allows this process at the very most.
    memory_bytes_limit: u64,
    threads_max: usize,
    state: Mutex<State>,
    /// A permit was given or given back.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    memory_bytes: u64,
    permits: usize,
    next_ticket: u64,
    /// Tickets that wait, in their order.
    requests: VecDeque<u64>,
    loads: VecDeque<u64>,
}

impl DerivationPool {
    /// A pool that uses at most `memory_bytes_max`, or else half of what the machine or the container
    /// has left.
    pub(crate) fn new(memory_bytes_max: Option<u64>) -> Self {
        let root = Path::new("/");
        Self(Arc::new(Shared {
            memory_bytes_max: memory_bytes_max.unwrap_or_else(|| memory_bytes_available(root) / 2),
            memory_bytes_limit: memory_bytes_limit(root),
            threads_max: thread::available_parallelism().map_or(1, usize::from),
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// How many derivations can run at a time.
    pub(crate) fn threads_max(&self) -> usize {
        self.0.threads_max
    }

    /// Waits for the right to a derivation that takes so much memory.
    ///
    /// # Errors
    /// When the machine or the control group does not have that much: the system would kill the process.
    pub(crate) fn acquire(
        &self,
        memory_bytes: u64,
        urgency: Urgency,
    ) -> Result<DerivationPermit, String> {
        let limit = self.0.memory_bytes_limit;
        if memory_bytes > 0 && memory_bytes.saturating_add(MEMORY_BYTES_OF_PROCESS) > limit {
            let needed = memory_bytes >> 20;
            let allowed = limit >> 20;
            return Err(format!(
                "opening it takes {needed} MiB of memory, and this machine or control group allows \
                 {allowed} MiB: raise the limit (MemoryMax= of the unit, --memory of the container)"
            ));
        }
        let mut state = lock(&self.0.state);
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue(urgency).push_back(ticket);
        while !state.may_start(ticket, memory_bytes, &self.0) {
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.queue(urgency).pop_front();
        state.permits += 1;
        state.memory_bytes += memory_bytes;
        drop(state);
        // The next in the line may fit as well.
        self.0.changed.notify_all();
        Ok(DerivationPermit {
            shared: Arc::clone(&self.0),
            memory_bytes,
        })
    }
}

impl Drop for DerivationPermit {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.permits -= 1;
        state.memory_bytes -= self.memory_bytes;
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl State {
    fn queue(&mut self, urgency: Urgency) -> &mut VecDeque<u64> {
        match urgency {
            Urgency::Request => &mut self.requests,
            Urgency::Load => &mut self.loads,
        }
    }

    /// Whether this ticket is the first in the line, and its derivation fits.
    fn may_start(&self, ticket: u64, memory_bytes: u64, shared: &Shared) -> bool {
        let first = self.requests.front().or(self.loads.front());
        let memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
        let fits = self.permits == 0 || memory_bytes <= shared.memory_bytes_max;
        first == Some(&ticket) && self.permits < shared.threads_max && fits
    }
}

/// What this process may still take: the machine's free memory, or what is left in its control group and
/// those above it.
fn memory_bytes_available(root: &Path) -> u64 {
    let mut least = meminfo(root, "MemAvailable:");
    for group in control_groups(root) {
        if let Some(limit) = number_in(&group.limit) {
            let left = limit.saturating_sub(number_in(&group.used).unwrap_or(0));
            least = Some(least.map_or(left, |least| least.min(left)));
        }
    }
    least.unwrap_or(MEMORY_BYTES_ASSUMED)
}

/// What this process may ever have: the machine's memory, or the limit of its control group and those
/// above it.
fn memory_bytes_limit(root: &Path) -> u64 {
    let limits = control_groups(root)
        .into_iter()
        .filter_map(|group| number_in(&group.limit));
    limits
        .chain(meminfo(root, "MemTotal:"))
        .min()
        .unwrap_or(u64::MAX)
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(root: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The files of a control group that tell about memory.
struct ControlGroup {
    limit: PathBuf,
    used: PathBuf,
}

/// The control groups of this process and all above them (cgroups(7)). Inside a container the mount shows
/// the container's group as its root.
fn control_groups(root: &Path) -> Vec<ControlGroup> {
    let mut groups = Vec::new();
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    for line in text.lines() {
        // `ID:CONTROLLERS:PATH`; version 2 names no controllers.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (mount, limit, used) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current"),
            "memory" => (
                "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            ),
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let directory = root.join(mount).join(group);
            groups.push(ControlGroup {
                limit: directory.join(limit),
                used: directory.join(used),
            });
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

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
        assert_eq!(memory_bytes_limit(&root), u64::MAX);
        write(
            "proc/meminfo",
            "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n",
        );
        write("sys/fs/cgroup/slice/service/memory.max", "max\n");
        // One after the other, each beside those before it.
        let cases: [(&str, &str, u64, u64, u64, u64); 5] = [
            ("0::/slice/service\n", "other/memory.max", 1, 0, 4096, 8192),
            (
                "0::/slice/service\n",
                "slice/memory.max",
                1000,
                100,
                900,
                1000,
            ),
            (
                "0::/slice/service\n",
                "slice/service/memory.max",
                500,
                100,
                400,
                500,
            ),
            (
                CONTAINER,
                "memory/docker/memory.limit_in_bytes",
                8000,
                0,
                4096,
                8000,
            ),
            (CONTAINER, "memory/memory.limit_in_bytes", 300, 400, 0, 300),
        ];
        for (groups, path, limit_mib, used_mib, left_mib, most_mib) in cases {
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
            assert_eq!(memory_bytes_limit(&root), most_mib << 20, "{path}");
        }
        let _ = fs::remove_dir_all(&root);
    }

    fn pool(memory_bytes_max: u64, memory_bytes_limit: u64, threads_max: usize) -> DerivationPool {
        DerivationPool(Arc::new(Shared {
            memory_bytes_max,
            memory_bytes_limit,
            threads_max,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    #[test]
    fn derivations_never_hold_more_memory_than_the_bound_unless_one_alone_does() {
        let pool = pool(100, u64::MAX, 4);
        let held = AtomicU64::new(0);
        thread::scope(|scope| {
            for memory_bytes in [60, 60, 40, 300, 10, 90, 100, 1, 0] {
                let (pool, held) = (&pool, &held);
                scope.spawn(move || {
                    let _permit = pool.acquire(memory_bytes, Urgency::Load).unwrap();
                    let now = held.fetch_add(memory_bytes, Ordering::SeqCst) + memory_bytes;
                    thread::yield_now();
                    held.fetch_sub(memory_bytes, Ordering::SeqCst);
                    assert!(now <= 100 || now == 300, "{now} of {memory_bytes}");
                });
            }
        });
    }

    #[test]
    fn what_a_client_waits_for_goes_before_what_is_being_loaded() {
        let pool = pool(100, u64::MAX, 1);
        let order = Mutex::new(Vec::new());
        let first = pool.acquire(0, Urgency::Load).unwrap();
        thread::scope(|scope| {
            let waiting = || {
                let state = lock(&pool.0.state);
                state.requests.len() + state.loads.len()
            };
            for (number, urgency) in [
                (1, Urgency::Load),
                (2, Urgency::Load),
                (3, Urgency::Request),
            ] {
                let (pool, order) = (&pool, &order);
                scope.spawn(move || {
                    let _permit = pool.acquire(0, urgency).unwrap();
                    lock(order).push(number);
                });
                while waiting() < number {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), [3, 1, 2]);
    }

    #[test]
    fn a_derivation_that_the_control_group_cannot_hold_is_refused_with_both_figures() {
        let pool = pool(64 << 20, 128 << 20, 2);
        let refused = pool.acquire(256 << 20, Urgency::Load).err().unwrap();
        assert!(
            refused.contains("takes 256 MiB") && refused.contains("allows 128 MiB"),
            "{refused}"
        );
        assert!(pool.acquire(100 << 20, Urgency::Load).is_ok());
    }
}
