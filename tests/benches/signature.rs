//! The signature stage beside its yardstick, blst's own `sign`, in the same run; and what a key costs
//! in memory.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use blst::min_pk;
use signerd::consensus::primitives::Root;
use signerd::consensus::slashable::Slashable;
use signerd::keys::arena;
use signerd::keys::secret::{self, SecretKey};
use signerd::keys::table::{KeyOrigin, KeyTable};
use signerd::slashing::Protection;

/// How often each way of signing is timed.
const SAMPLES: u64 = 2_000;

const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

fn main() {
    match env::args()
        .skip(1)
        .find_map(|argument| argument.strip_prefix("keys=")?.parse().ok())
    {
        Some(keys) => memory_of(keys),
        None => {
            signatures();
            memory();
        }
    }
}

/// Times the three ways in turns, so that whatever disturbs the machine disturbs all of them.
fn signatures() {
    let scalar = scalar(1);
    let yardstick = min_pk::SecretKey::from_bytes(&scalar).expect("one is a secret key");
    let ours = key(1);
    let (mut raw, mut miss, mut hit) = (Vec::new(), Vec::new(), Vec::new());
    let same = root(0);
    sign(&ours, same);
    for number in 1..=SAMPLES {
        let distinct = root(number);
        raw.push(time(|| yardstick.sign(&distinct.0, DST, &[]).to_bytes()));
        miss.push(time(|| sign(&ours, distinct)));
        hit.push(time(|| sign(&ours, same)));
    }
    let raw = median(raw);
    println!("one signature, median of {SAMPLES}:");
    for (name, median) in [
        ("blst alone", raw),
        ("new root", median(miss)),
        ("known root", median(hit)),
    ] {
        let ratio = median.as_secs_f64() / raw.as_secs_f64();
        println!(
            "  {name:<12} {:>8.1} µs  {ratio:.3} of blst alone",
            median.as_secs_f64() * 1e6
        );
    }
    let (hits, misses) = secret::cache_counters();
    println!("  message cache: {hits} hits, {misses} misses");
}

/// Each number of keys in a process of its own.
fn memory() {
    println!("resident memory and the table:");
    let program = env::current_exe().expect("this program has a path");
    for keys in [0, 1_000, 10_000, 100_000] {
        let status = Command::new(&program).arg(format!("keys={keys}")).status();
        assert!(status.is_ok_and(|status| status.success()), "{keys} keys");
    }
}

/// Publishes the keys one by one, as importing them one by one would, and prints what that took.
fn memory_of(keys: u32) {
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

fn sign(key: &SecretKey, root: Root) -> signerd::consensus::primitives::Signature {
    let cleared = Protection::Off.clear(&key.public_key(), &Slashable::Never, root);
    key.sign(cleared.expect("nothing to protect"))
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

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}
