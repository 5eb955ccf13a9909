//! What the system knows of this process, from `/proc`.

use std::fs;

/// The kernel reports times of a process in hundredths of a second, on every architecture that we build
/// for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Values under the names that client libraries of Prometheus give them.
#[derive(Default)]
pub(super) struct ProcessValues {
    pub(super) cpu_seconds: Option<f64>,
    /// In Unix time.
    pub(super) start_seconds: Option<f64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_descriptors: Option<u64>,
    pub(super) descriptors_max: Option<u64>,
}

impl ProcessValues {
    /// Reads what can be read. Only root may count the descriptors of a process that is closed to
    /// debuggers.
    pub(super) fn read() -> Self {
        let mut values = Self::default();
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            values.read_stat(&stat);
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            values.virtual_bytes = kib_of(&status, "VmSize:").map(|kib| kib << 10);
            values.resident_bytes = kib_of(&status, "VmRSS:").map(|kib| kib << 10);
        }
        if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
            values.descriptors_max = limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files"))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        }
        if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself.
            values.open_descriptors = Some((descriptors.count() as u64).saturating_sub(1));
        }
        values
    }

    fn read_stat(&mut self, stat: &str) {
        // The second field is the name of the program, which may hold spaces.
        let Some((_, rest)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |number: usize| -> Option<f64> {
            // The first of these is field 3 of proc(5).
            fields.get(number - 3)?.parse().ok()
        };
        if let (Some(user), Some(system)) = (ticks(14), ticks(15)) {
            self.cpu_seconds = Some((user + system) / TICKS_PER_SECOND);
        }
        if let (Some(start), Some(boot)) = (ticks(22), boot_seconds()) {
            self.start_seconds = Some(boot + start / TICKS_PER_SECOND);
        }
    }
}

/// Returns when the system was started, in Unix time.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn kib_of(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_all_values() {
        let values = ProcessValues::read();
        assert!(values.cpu_seconds.is_some());
        assert!(values.start_seconds.is_some_and(|start| start > 1e9));
        assert!(values.resident_bytes.is_some_and(|bytes| bytes > 0));
        assert!(values.virtual_bytes >= values.resident_bytes);
        assert!(values.descriptors_max.is_some());
    }
}
