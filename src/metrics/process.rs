//! What the system knows of this process, from `/proc`.

use std::fs;

use super::text::MetricsText;

/// The kernel reports times of a process in hundredths of a second, on every architecture that we build
/// for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes what the system knows of the process.
pub(super) fn write(text: &mut MetricsText) {
    let process = ProcessValues::read();
    if let Some(seconds) = process.cpu_seconds {
        text.float_counter(
            "process_cpu_seconds",
            "Processor time of the process",
            seconds,
        );
    }
    if let Some(seconds) = process.start_seconds {
        text.gauge(
            "process_start_time_seconds",
            "When the process began, in Unix time",
            seconds,
        );
    }
    for (name, help, value) in [
        (
            "process_virtual_memory_bytes",
            "Virtual memory",
            process.virtual_bytes,
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory",
            process.resident_bytes,
        ),
        (
            "process_open_fds",
            "Open file descriptors",
            process.open_descriptors,
        ),
        (
            "process_max_fds",
            "Most file descriptors that may be open",
            process.descriptors_max,
        ),
    ] {
        if let Some(value) = value {
            text.gauge(name, help, value);
        }
    }
}

/// Values under the names that client libraries of Prometheus give them.
#[derive(Default)]
struct ProcessValues {
    cpu_seconds: Option<f64>,
    /// In Unix time.
    start_seconds: Option<f64>,
    virtual_bytes: Option<u64>,
    resident_bytes: Option<u64>,
    open_descriptors: Option<u64>,
    descriptors_max: Option<u64>,
}

impl ProcessValues {
    /// Reads what can be read.
    fn read() -> Self {
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
        values.open_descriptors = open_descriptors();
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

/// Returns how many descriptors are open. Only root may list those of a process that is closed to debuggers;
/// since Linux 6.2 the size of the directory is their number.
fn open_descriptors() -> Option<u64> {
    let directory = "/proc/self/fd";
    if let Ok(descriptors) = fs::read_dir(directory) {
        // One of them is the descriptor of the directory itself.
        return Some((descriptors.count() as u64).saturating_sub(1));
    }
    let size = fs::metadata(directory).ok()?.len();
    (size > 0).then_some(size)
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
