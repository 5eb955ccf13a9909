//! CPU time: that of the server's threads, and that of the yardstick.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use blst::min_pk;

use super::DST;
use super::loads::new_block;

/// Raw signatures before and after each load.
const RAW_SIGNATURES: u64 = 150;

/// CPU time of one raw signature: blst's sign and compression.
pub(crate) fn raw_seconds() -> f64 {
    raw_seconds_every(Duration::ZERO)
}

/// The same when one is made in each so long time: processors that were idle are slower at first.
pub(crate) fn raw_seconds_every(pause: Duration) -> f64 {
    let key = min_pk::SecretKey::from_bytes(&[0x5a; 32]).expect("a secret key");
    let before = own_cpu_seconds();
    let mut due = Instant::now();
    for _ in 0..RAW_SIGNATURES {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pause;
        let root = new_block().to_le_bytes().repeat(4);
        std::hint::black_box(key.sign(&root, DST, &[]).to_bytes());
    }
    (own_cpu_seconds() - before) / RAW_SIGNATURES as f64
}

/// CPU time of this thread. The system counts it at a switch only: hence the yield.
fn own_cpu_seconds() -> f64 {
    thread::yield_now();
    on_cpu("/proc/thread-self/schedstat")
}

/// CPU time of all threads of a process.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let mut sum = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).expect("it runs") {
        let path = task.expect("an entry").path().join("schedstat");
        sum += on_cpu(&path.display().to_string());
    }
    sum
}

/// The first field of schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds on a CPU.
fn on_cpu(path: &str) -> f64 {
    let text = fs::read_to_string(path).expect("schedstat is there");
    let field = text.split(' ').next().expect("three fields");
    field.parse::<f64>().expect("nanoseconds") / 1e9
}
