//! How much memory the machine and the control groups leave to this process.

use std::fs;
use std::path::{Path, PathBuf};

/// Assumed where the system does not say: enough for one usual keystore at a time.
const ASSUMED_BYTES: u64 = 512 << 20;

/// How much memory this process may still take: what the machine has free, or what is left in its control
/// group and those above it. `root` is `/`, but for tests.
pub(super) fn available_bytes(root: &Path) -> u64 {
    let mut least = meminfo(root, "MemAvailable:");
    for group in control_groups(root) {
        if let Some(limit) = number_in(&group.limit) {
            let left = limit.saturating_sub(number_in(&group.used).unwrap_or(0));
            least = Some(least.map_or(left, |least| least.min(left)));
        }
    }
    least.unwrap_or(ASSUMED_BYTES)
}

/// How much memory this process may have in total: the memory of the machine, or the limit of its control
/// group and those above it.
pub(super) fn limit_bytes(root: &Path) -> u64 {
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

/// The files of a control group with its memory.
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
    use super::*;

    #[test]
    fn the_least_of_the_machine_and_all_control_groups_is_what_is_left() {
        const CONTAINER: &str = "5:cpu:/docker/1f\n4:memory:/docker/1f\n";
        let root = std::env::temp_dir().join(format!("signerd-memory-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        assert_eq!(available_bytes(&root), ASSUMED_BYTES);
        assert_eq!(limit_bytes(&root), u64::MAX);
        write(
            "proc/meminfo",
            "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n",
        );
        write("sys/fs/cgroup/slice/service/memory.max", "max\n");
        // Each case adds its file to those of the cases before it.
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
            assert_eq!(available_bytes(&root), left_mib << 20, "{path}");
            assert_eq!(limit_bytes(&root), most_mib << 20, "{path}");
        }
        let _ = fs::remove_dir_all(&root);
    }
}
