//! A long run: two signers on one PostgreSQL and one with a store of its own, under load, while clients
//! misbehave and everything fails that can fail.
//!
//! `scripts/soak` starts it. What it checks: no two slashable signatures, no wrong signature, no error that no
//! fault explains, no key lost or back again, and memory and descriptors that stay flat.
//!
//! The files in their order: `chain.rs` makes messages, `fleet.rs` runs the signers, `traffic.rs` asks them,
//! `ledger.rs` remembers what they signed, `faults.rs` breaks things, `report.rs` prints.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a run that cannot go on must stop; its figures are approximate"
)]

mod chain;
mod faults;
mod fleet;
#[path = "../keymanager.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the run takes what it needs of the suite"
)]
mod keymanager;
#[path = "../keystore_text.rs"]
mod keystore_text;
mod ledger;
#[path = "../random.rs"]
mod random;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod traffic;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use faults::{FAULTS, Fault, Targets};
use fleet::{Node, Usage};
use report::Interval;
use support::postgres::PostgresServer;
use support::{Scratch, secured};
use traffic::Traffic;

/// Clients of each signer.
const CLIENTS: u64 = 8;

/// Share of the machine's time that the run aims at, in percent.
const BUSY_PERCENT: u64 = 70;

/// A process is judged by its memory when it has run for this long.
const SETTLED: Duration = Duration::from_secs(5 * 60);

const MEMORY_KIB_MAX: u64 = 2 * 1024;

/// Descriptors that may come and go: connections to the database, of the last clients.
const DESCRIPTORS_MAX: usize = 10;

fn main() -> ExitCode {
    ledger::check_conditions();
    let seconds = std::env::var("SIGNERD_SOAK_SECONDS").map_or(3_600, |text| {
        text.parse().expect("SIGNERD_SOAK_SECONDS is a number")
    });
    let scratch = Scratch::new("soak");
    let Some(database) = PostgresServer::start("") else {
        eprintln!("the run needs PostgreSQL: apt-get install postgresql");
        return ExitCode::FAILURE;
    };
    let small_disk = SmallDisk::mount(scratch.path());
    let clock_file = clock_file(&scratch);
    let embedded_data_dir = small_disk.as_ref().map_or_else(
        || scratch.path().join("embedded"),
        |disk| disk.0.join("data"),
    );
    let nodes = start_nodes(
        &scratch,
        &database,
        &embedded_data_dir,
        clock_file.as_deref(),
    );
    let database = Mutex::new(database);
    let targets = Targets {
        nodes: &nodes,
        database: &database,
        small_disk: small_disk.as_ref().map(|disk| disk.0.as_path()),
        embedded_data_dir: &embedded_data_dir,
        clock_file: clock_file.as_deref(),
        certificates: &scratch,
    };
    let traffic = Traffic::new();
    let intervals = run(&targets, &traffic, Duration::from_secs(seconds));
    let errors: Vec<_> = nodes.iter().flat_map(Node::errors_in_log).collect();
    finish(&traffic, &intervals, &nodes, &errors)
}

/// Two signers that share the database, and, as the last, one with a store of its own, over TLS.
fn start_nodes(
    scratch: &Scratch,
    database: &PostgresServer,
    embedded_data_dir: &Path,
    clock_file: Option<&Path>,
) -> Vec<Node> {
    let name = database.create_database();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let words = |text: &[&str]| text.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let sharing = |node: &'static str| {
        make_private_directory(&scratch.path().join(node));
        let arguments = words(&[
            "--interop-keys",
            "0..64",
            "--data-dir",
            &path(node),
            "--slashing-protection-db-url",
            &database.url(&name),
        ]);
        Node::start(node, scratch.path(), arguments, Vec::new())
    };
    let first = sharing("first");
    let second = sharing("second");

    make_private_directory(embedded_data_dir);
    for suffix in ["pem", "key"] {
        let file = format!("server.{suffix}");
        scratch.write(&file, fs::read(secured::source(&file)).unwrap());
    }
    let mut environment = Vec::new();
    if let (Some(library), Some(file)) = (clock_library(), clock_file) {
        environment.push(("LD_PRELOAD", library.display().to_string()));
        environment.push(("FAKETIME_TIMESTAMP_FILE", file.display().to_string()));
        environment.push(("FAKETIME_NO_CACHE", "1".to_owned()));
        environment.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
    }
    let arguments = words(&[
        "--interop-keys",
        "100..164",
        "--data-dir",
        &embedded_data_dir.display().to_string(),
        "--tls-cert",
        &path("server.pem"),
        "--tls-key",
        &path("server.key"),
    ]);
    let embedded = Node::start("embedded", scratch.path(), arguments, environment);
    vec![first, second, embedded]
}

fn make_private_directory(path: &Path) {
    DirBuilder::new().mode(0o700).create(path).unwrap();
}

/// Runs load and faults for this long.
fn run(targets: &Targets<'_>, traffic: &Traffic, duration: Duration) -> Vec<Interval> {
    let keys: Vec<Vec<String>> = targets.nodes.iter().map(public_keys).collect();
    let is_paused = AtomicBool::new(false);
    let inflicted = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (node, keys) in targets.nodes.iter().zip(&keys) {
            for client in 0..CLIENTS {
                scope.spawn(move || traffic.ask(node, keys, client + 1));
            }
        }
        let embedded = targets.nodes.last().unwrap();
        scope.spawn(move || faults::change_keys(traffic, embedded, targets.embedded_data_dir));
        scope.spawn(|| faults::misbehave(traffic, targets.nodes, &is_paused));
        scope.spawn(|| inflict_faults(targets, traffic, duration, &inflicted));
        let intervals = watch(targets.nodes, traffic, duration, &is_paused, &inflicted);
        traffic.is_over.store(true, Ordering::Relaxed);
        intervals
    })
}

/// One fault after the other. Each signer is killed in its third of the run, so that the others grow old.
fn inflict_faults(
    targets: &Targets<'_>,
    traffic: &Traffic,
    duration: Duration,
    inflicted: &Mutex<Vec<String>>,
) {
    let started = Instant::now();
    // The first faults come soon, so that a short run has them all.
    let pause = (duration / 60).clamp(Duration::from_secs(1), Duration::from_secs(20));
    for fault in FAULTS.iter().cycle() {
        thread::sleep(pause);
        if traffic.is_over() {
            return;
        }
        let third = started.elapsed().as_secs_f64() / duration.as_secs_f64() * 3.0;
        let victim = (0..targets.nodes.len())
            .rev()
            .find(|&node| third >= node as f64)
            .unwrap_or(0);
        // All signers at once are killed only near the ends, for the same reason.
        if *fault == Fault::KillAll && (0.5..2.9).contains(&third) {
            continue;
        }
        // Locked meanwhile: nothing is measured during a fault.
        let mut inflicted = inflicted.lock().unwrap();
        let is_done = targets.inflict(*fault, victim);
        let name = if is_done {
            format!("{fault:?}")
        } else {
            format!("{fault:?} cannot be done here")
        };
        inflicted.push(name);
    }
}

/// Measures each minute, and keeps the machine as busy as it should be.
fn watch(
    nodes: &[Node],
    traffic: &Traffic,
    duration: Duration,
    is_paused: &AtomicBool,
    inflicted: &Mutex<Vec<String>>,
) -> Vec<Interval> {
    let started = Instant::now();
    let length = (duration / 10).clamp(Duration::from_secs(5), Duration::from_secs(60));
    let mut intervals: Vec<Interval> = Vec::new();
    let mut settled: Vec<Option<(Instant, Usage)>> = vec![None; nodes.len()];
    let mut totals = [0; 4];
    while started.elapsed() < duration {
        let begun = Instant::now();
        let first_ticks = processor_ticks();
        let mut ticks = first_ticks;
        while begun.elapsed() < length {
            thread::sleep(Duration::from_secs(1));
            let now = processor_ticks();
            adjust_rate(traffic, busy_percent(ticks, now));
            ticks = now;
        }
        let (usage, faults) = {
            // No fault begins before all is measured.
            let mut inflicted = inflicted.lock().unwrap();
            is_paused.store(true, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(700));
            let usage: Vec<_> = nodes.iter().map(Node::usage).collect();
            is_paused.store(false, Ordering::Relaxed);
            (usage, std::mem::take(&mut *inflicted))
        };
        for ((node, usage), settled) in nodes.iter().zip(&usage).zip(&mut settled) {
            judge_usage(traffic, node, *usage, settled);
        }
        let counts = &traffic.counts;
        let now = [
            &counts.signatures,
            &counts.refused,
            &counts.excused,
            &counts.violations,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        let latencies = traffic.take_latencies();
        let quantile = |share: usize| {
            let index = (latencies.len() * share / 100).min(latencies.len().saturating_sub(1));
            latencies.get(index).copied().unwrap_or_default()
        };
        let interval = Interval {
            seconds: started.elapsed().as_secs(),
            signatures: now[0] - totals[0],
            refused: now[1] - totals[1],
            excused: now[2] - totals[2],
            violations: now[3] - totals[3],
            median: quantile(50),
            p99: quantile(99),
            busy_percent: busy_percent(first_ticks, ticks),
            usage,
            faults,
        };
        println!("{}", interval.line());
        totals = now;
        intervals.push(interval);
    }
    intervals
}

/// Memory and descriptors of a process stay as they were when it had run for five minutes.
fn judge_usage(
    traffic: &Traffic,
    node: &Node,
    usage: Option<Usage>,
    settled: &mut Option<(Instant, Usage)>,
) {
    let Some(usage) = usage else {
        *settled = None;
        return;
    };
    let Some((since, before)) = settled.filter(|(_, before)| before.pid == usage.pid) else {
        *settled = Some((Instant::now(), usage));
        return;
    };
    if since.elapsed() < SETTLED {
        // Not settled yet: the figures are those of now, the time is that of the start.
        *settled = Some((since, usage));
        return;
    }
    if usage.resident_kib > before.resident_kib + MEMORY_KIB_MAX {
        traffic.violation(format!(
            "{}: memory has grown from {} to {} KiB",
            node.name, before.resident_kib, usage.resident_kib
        ));
    }
    if usage.descriptors > before.descriptors + DESCRIPTORS_MAX {
        traffic.violation(format!(
            "{}: descriptors have grown from {} to {}",
            node.name, before.descriptors, usage.descriptors
        ));
    }
}

/// Prints the end, writes the files, and returns whether all went well.
fn finish(
    traffic: &Traffic,
    intervals: &[Interval],
    nodes: &[Node],
    errors: &[String],
) -> ExitCode {
    let violations = traffic.violations();
    let signatures = traffic.counts.signatures.load(Ordering::Relaxed);
    let verified = traffic.counts.verified.load(Ordering::Relaxed);
    let seconds = intervals.last().map_or(0, |interval| interval.seconds);
    println!(
        "{seconds} s: {signatures} signatures, {verified} verified, {} violations",
        violations.len()
    );
    for violation in &violations {
        println!("  {violation}");
    }
    println!("{} errors in the logs", errors.len());
    for error in errors.iter().take(20) {
        println!("  {error}");
    }
    let names: Vec<_> = nodes.iter().map(|node| node.name).collect();
    let (date, commit) = (
        output_of("date", &["-I"]),
        output_of("git", &["rev-parse", "--short", "HEAD"]),
    );
    if let Ok(file) = std::env::var("SIGNERD_SOAK_JSON") {
        let figures = json!({
            "date": date,
            "commit": commit,
            "signers": names,
            "signatures": signatures,
            "verified": verified,
            "violations": violations,
            "errors_in_logs": errors.len(),
            "intervals": intervals.iter().map(Interval::json).collect::<Vec<_>>(),
        });
        fs::write(file, format!("{figures:#}\n")).unwrap();
    }
    if let Ok(file) = std::env::var("SIGNERD_SOAK_SVG") {
        let title = format!(
            "{} minutes under load and faults, {date}, {commit}",
            seconds / 60
        );
        fs::write(file, report::svg(intervals, &names, &title).unwrap()).unwrap();
    }
    if violations.is_empty() && signatures > 0 && verified > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn public_keys(node: &Node) -> Vec<String> {
    let list = node
        .connect()
        .unwrap()
        .get("/api/v1/eth2/publicKeys")
        .json();
    let mut keys: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap().to_owned())
        .collect();
    // The clients of all signers number the keys alike.
    keys.sort();
    keys
}

/// More or fewer requests, until the machine is as busy as it should be.
fn adjust_rate(traffic: &Traffic, busy: u64) {
    let pause = traffic.pause_micros.load(Ordering::Relaxed);
    let next = if busy < BUSY_PERCENT {
        pause - pause / 10
    } else {
        pause + pause / 10
    };
    traffic
        .pause_micros
        .store(next.clamp(1_000, 100_000), Ordering::Relaxed);
}

/// Idle and all ticks of the processors since the machine's start. Work of lower priority, such as a build
/// under `nice`, counts as idle: it gives way.
fn processor_ticks() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let ticks: Vec<u64> = stat
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|ticks| ticks.parse().unwrap())
        .collect();
    let [_, nice, _, idle, waiting, ..] = ticks[..] else {
        panic!("/proc/stat has too few columns: {stat}")
    };
    (nice + idle + waiting, ticks.iter().take(8).sum())
}

fn busy_percent(before: (u64, u64), after: (u64, u64)) -> u64 {
    let all = (after.1 - before.1).max(1);
    100 - (after.0 - before.0).min(all) * 100 / all
}

/// A file system in memory that is soon full, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it; `None` where this user may not.
    fn mount(directory: &Path) -> Option<Self> {
        let path = directory.join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(&path)
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("no disk can be filled: only root can mount one");
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The library that steps the clock of one process; Debian's package `faketime` has it.
fn clock_library() -> Option<PathBuf> {
    let libraries = fs::read_dir("/usr/lib").ok()?;
    libraries
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
}

/// The file with the step of the clock; `None` where it cannot be stepped for one process alone.
fn clock_file(scratch: &Scratch) -> Option<PathBuf> {
    let is_dynamic = Command::new("ldd")
        .arg(support::binary())
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("libc.so"));
    if clock_library().is_none() || !is_dynamic {
        eprintln!("no clock can be stepped: that needs the package faketime and a dynamic binary");
        return None;
    }
    Some(PathBuf::from(scratch.write("clock", "+0")))
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
