//! Signatures without a server: each way beside blst's `sign`, in the same run; and what keys cost in memory.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use blst::min_pk;
use signerd::consensus::primitives::Root;
use signerd::consensus::slashable::Slashable;
use signerd::keys::arena;
use signerd::keys::secret::{self, SecretKey, SigningTask};
use signerd::keys::table::{KeyOrigin, KeyTable};
use signerd::slashing::Protection;

use super::report::median;

/// How often each way of signing is timed.
const SAMPLES: u64 = 1_000;

/// Keys that sign together.
const BATCHES: [usize; 4] = [1, 2, 4, 8];

/// Times all ways in turns, so that whatever disturbs the machine disturbs all of them.
pub(crate) fn signatures() {
    let yardstick = min_pk::SecretKey::from_bytes(&scalar(1)).expect("one is a secret key");
    let keys: Vec<_> = (1..=8).map(|number| Arc::new(key(number))).collect();
    let mut raw = Vec::new();
    let mut new_root = Vec::new();
    let mut second_use = Vec::new();
    let mut with_table = BATCHES.map(|_| Vec::new());
    let same = root(0);
    sign(&keys, same);
    for number in 1..=SAMPLES {
        let distinct = root(number);
        raw.push(seconds(|| {
            yardstick.sign(&distinct.0, super::DST, &[]).to_bytes()
        }));
        new_root.push(seconds(|| sign(&keys[..1], distinct)));
        second_use.push(seconds(|| sign(&keys[..1], distinct)));
        for (samples, keys_together) in with_table.iter_mut().zip(BATCHES) {
            let seconds = seconds(|| sign(&keys[..keys_together], same));
            samples.push(seconds / keys_together as f64);
        }
    }
    let raw = median(&mut raw);
    println!("a signature, median of {SAMPLES}:");
    let print = |name: &str, samples: &mut Vec<f64>| {
        let median = median(samples);
        println!(
            "  {name:<26} {:>7.1} µs  {:.3} × raw",
            median * 1e6,
            median / raw
        );
    };
    println!("  {:<26} {:>7.1} µs", "blst, raw", raw * 1e6);
    print("a new root", &mut new_root);
    print("a known root, no table", &mut second_use);
    for (mut samples, keys_together) in with_table.into_iter().zip(BATCHES) {
        print(&format!("a table, {keys_together} together"), &mut samples);
    }
    let mut table_and_eight = Vec::new();
    for number in 0..SAMPLES / 5 {
        let root = root(1_000_000 + number);
        table_and_eight.push(seconds(|| sign(&keys, root)) / 8.0);
    }
    print("hash, table and 8, each", &mut table_and_eight);
}

/// Each number of keys in a process of its own.
pub(crate) fn memory() {
    println!("resident memory and the table:");
    let program = env::current_exe().expect("this program has a path");
    for keys in [0, 1_000, 10_000, 100_000] {
        let status = Command::new(&program).arg(format!("keys={keys}")).status();
        assert!(status.is_ok_and(|status| status.success()), "{keys} keys");
    }
}

/// Publishes the keys one by one, as importing them one by one would, and prints what that took.
pub(crate) fn memory_of(keys: u32) {
    let before = resident_kib();
    let table = KeyTable::new();
    let mut insertions = Duration::ZERO;
    for number in 1..=keys {
        let key = key(u64::from(number));
        let file = PathBuf::from(format!(
            "/var/lib/signerd/keystores/{}.json",
            key.public_key()
        ));
        let path = format!("m/12381/3600/{number}/0/0");
        let origin = KeyOrigin {
            derivation_path: Some(path),
            readonly: true,
            file: Some(file),
        };
        insertions += time(|| table.insert(vec![(key, origin)]));
    }
    let resident = resident_kib();
    let report = arena::report();
    println!(
        "  {keys:>7} keys: {:.1} MiB ({} bytes a key), {} KiB of it {}; {:.1} µs to insert one",
        f64::from(resident) / 1024.0,
        u64::from(resident - before) * 1024 / u64::from(keys.max(1)),
        report.bytes / 1024,
        if report.locked {
            "locked"
        } else {
            "for secrets, NOT locked"
        },
        insertions.as_secs_f64() * 1e6 / f64::from(keys.max(1)),
    );
}

/// `VmRSS` of this process (proc_pid_status(5)).
fn resident_kib() -> u32 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("it is in there");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of KiB")
}

fn sign(keys: &[Arc<SecretKey>], root: Root) -> Vec<signerd::consensus::primitives::Signature> {
    let mut tasks = Vec::with_capacity(keys.len());
    for key in keys {
        let cleared = Protection::Off.clear(&key.public_key(), &Slashable::Never, root);
        let cleared = cleared.expect("nothing to protect");
        let key = Arc::clone(key);
        tasks.push(SigningTask { key, cleared });
    }
    secret::sign_all(tasks, 0)
}

fn key(number: u64) -> SecretKey {
    SecretKey::fill(|slot| *slot = scalar(number))
        .unwrap_or_else(|_| unreachable!("a small number is a secret key"))
}

fn scalar(number: u64) -> [u8; 32] {
    let mut scalar = [0; 32];
    scalar[24..].copy_from_slice(&number.to_be_bytes());
    // A scalar with few bits would be no fair sample.
    scalar[1..24].fill(0x5a);
    scalar
}

/// Roots that differ in their first byte too, as hashes do.
fn root(number: u64) -> Root {
    let mut root = [0xc3; 32];
    root[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    Root(root)
}

fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    time(work).as_secs_f64()
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}
