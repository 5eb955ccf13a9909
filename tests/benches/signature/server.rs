//! The real binary under the loads that validators make, over loopback.
//!
//! A load is a list of signatures for each connection, one request in flight on each. What it costs is the
//! CPU time of the server's threads, divided by that of as many raw signatures, which are measured before and
//! after each load.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use blst::min_pk;

use super::DST;
use super::afternoon::Afternoon;
use super::report::{Report, TIMES_RAW};
use super::support::client::Client;
use super::support::{Scratch, Signer, Transport};

/// Loads take turns in so many rounds, so that what else the machine does hits all of them alike.
const ROUNDS: usize = 5;

const KEYS: u64 = 1_000;

/// Connections of a load that keeps the server busy.
const CONNECTIONS: usize = 64;

/// Signatures of a load.
const SIGNATURES: usize = 1_500;

/// Raw signatures before and after each load.
const RAW_SIGNATURES: u64 = 150;

/// One duty: which key signs which vote. Equal blocks are equal roots.
#[derive(Clone, Copy)]
struct Vote {
    key: u64,
    block: u64,
}

/// For each connection, what is signed there one after the other.
type Load = Vec<Vec<Vote>>;

/// Numbers blocks, so that no two loads share a root.
static BLOCKS: AtomicU64 = AtomicU64::new(1);

pub(crate) fn all() -> Report {
    let scratch = Scratch::new("signature-bench");
    let data = scratch.path().join("data");
    DirBuilder::new()
        .mode(0o700)
        .create(&data)
        .expect("a data directory");
    let data = data.display().to_string();
    let keys = format!("0..{KEYS}");
    let plain = Server::start(&["--interop-keys", &keys], Transport::Tcp);
    let tls = Server::start(&["--interop-keys", &keys], Transport::Tls);
    let protected = Server::start(
        &["--interop-keys", &keys, "--data-dir", &data],
        Transport::Tcp,
    );
    let afternoon = Afternoon::start();
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        for (name, load, budget) in [
            (
                "all roots distinct",
                distinct(CONNECTIONS, SIGNATURES),
                Some(1.04),
            ),
            ("one root, 1,000 keys", bursts(1_000, 4), Some(0.23)),
            ("one root, 100 keys", bursts(100, 20), Some(0.28)),
            ("one root, 10 keys", bursts(10, 100), None),
            ("the duties of 1,000 validators", mix(25), Some(0.40)),
        ] {
            let sample = measure(&mut report, &plain, &load);
            report.add(name, TIMES_RAW, budget, sample);
        }
        let (ratio, p99_ms) = paced(&mut report, &plain);
        report.add("50 requests/s", TIMES_RAW, Some(1.35), ratio);
        report.add("50 requests/s, p99", "ms", Some(2.0), p99_ms);
        report.add(
            "/upcheck while saturated, p99",
            "ms",
            Some(5.0),
            upcheck_p99_ms(&plain),
        );
        let load = distinct(CONNECTIONS, SIGNATURES);
        let sample = measure(&mut report, &tls, &load);
        report.add("all roots distinct, TLS", TIMES_RAW, None, sample);
        // Each key once: its votes must rise.
        let load = distinct(CONNECTIONS, 1_000);
        let sample = measure(&mut report, &protected, &load);
        report.add("all roots distinct, protection on", TIMES_RAW, None, sample);
        let sample = of_afternoon(&mut report, &afternoon, &distinct(CONNECTIONS, SIGNATURES));
        report.add(
            "an afternoon's signer, roots distinct",
            TIMES_RAW,
            None,
            sample,
        );
        let sample = of_afternoon(&mut report, &afternoon, &mix(15));
        report.add("an afternoon's signer, duties", TIMES_RAW, None, sample);
    }
    report.add(
        "memory after all this",
        "MiB",
        Some(8.0),
        plain.signer.memory_kib("VmRSS") as f64 / 1024.0,
    );
    report
}

/// Whether the cost of a signature depends on how many connections and keys there are.
pub(crate) fn flat() {
    let mut report = Report::default();
    let few = Server::start(&["--interop-keys", "0..10"], Transport::Tcp);
    let many = Server::start(&["--interop-keys", "0..100000"], Transport::Tcp);
    let names = [
        "1 connection",
        "10 connections",
        "100 connections",
        "1,000 connections",
    ];
    for _ in 0..ROUNDS {
        for (name, connections) in names.into_iter().zip([1, 10, 100, 1_000]) {
            let load = distinct(connections, SIGNATURES.max(2 * connections));
            let sample = measure(&mut report, &few, &load);
            report.add(name, TIMES_RAW, None, sample);
        }
        let load = distinct(CONNECTIONS, SIGNATURES);
        let sample = measure(&mut report, &few, &load);
        report.add("10 keys", TIMES_RAW, None, sample);
        let sample = measure(&mut report, &many, &load_of(&load, many.keys.len() as u64));
        report.add("100,000 keys", TIMES_RAW, None, sample);
    }
    report.print();
}

/// The same load over more keys.
fn load_of(load: &Load, keys: u64) -> Load {
    let mut spread = load.clone();
    for vote in spread.iter_mut().flatten() {
        vote.key = vote.block.wrapping_mul(7_919) % keys;
        vote.block = BLOCKS.fetch_add(1, Ordering::Relaxed);
    }
    spread
}

fn new_block() -> u64 {
    BLOCKS.fetch_add(1, Ordering::Relaxed)
}

/// Each signature is of another root.
fn distinct(connections: usize, signatures: usize) -> Load {
    let mut load = vec![Vec::new(); connections];
    for number in 0..signatures {
        let key = number as u64 % KEYS;
        let block = new_block();
        load[number % connections].push(Vote { key, block });
    }
    load
}

/// So many keys sign one root, then the next: the attestations of one slot after the other.
fn bursts(keys: u64, count: usize) -> Load {
    let connections = CONNECTIONS.min(usize::try_from(keys).expect("few"));
    let mut load = vec![Vec::new(); connections];
    for _ in 0..count {
        let block = new_block();
        for key in 0..keys {
            let connection = usize::try_from(key).expect("few") % connections;
            load[connection].push(Vote { key, block });
        }
    }
    load
}

/// What 1,000 validators sign in a slot: 31 attestations, 31 selection proofs and 16 messages of the sync
/// committee, of one root each, and 7 aggregates, contributions and blocks with roots of their own.
fn mix(slots: usize) -> Load {
    let mut load = vec![Vec::new(); CONNECTIONS];
    let mut number = 0;
    for _ in 0..slots {
        for (keys, is_shared) in [(31, true), (31, true), (16, true), (7, false)] {
            let shared = new_block();
            for _ in 0..keys {
                let block = if is_shared { shared } else { new_block() };
                let key = number as u64 % KEYS;
                load[number % CONNECTIONS].push(Vote { key, block });
                number += 1;
            }
        }
    }
    load
}

struct Server {
    signer: Signer,
    keys: Vec<String>,
}

impl Server {
    fn start(arguments: &[&str], transport: Transport) -> Self {
        let signer = Signer::start_over(transport, arguments);
        signer.wait_loaded();
        let list = signer.client().get("/api/v1/eth2/publicKeys");
        let keys: Vec<String> = serde_json::from_slice(&list.body).expect("an array of keys");
        Self { signer, keys }
    }

    /// Open connections, whose handshakes are over.
    fn clients(&self, count: usize) -> Vec<Client> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            let mut client = self.signer.client();
            client.get("/upcheck");
            clients.push(client);
        }
        clients
    }
}

/// Signs a vote with one of these keys.
fn sign(keys: &[String], client: &mut Client, vote: Vote) {
    let zero = "0x0000000000000000000000000000000000000000000000000000000000000000";
    let Vote { key, block } = vote;
    let key = usize::try_from(key).expect("few") % keys.len();
    // Epochs rise with blocks, for slashing protection.
    let body = format!(
        "{{\"type\":\"ATTESTATION\",\"fork_info\":{{\"fork\":{{\"previous_version\":\"0x02000000\",\
         \"current_version\":\"0x02000000\",\"epoch\":\"0\"}},\"genesis_validators_root\":\"{zero}\"}},\
         \"attestation\":{{\"slot\":\"{}\",\"index\":\"0\",\"beacon_block_root\":\"0x{block:064x}\",\
         \"source\":{{\"epoch\":\"{}\",\"root\":\"{zero}\"}},\"target\":{{\"epoch\":\"{block}\",\"root\":\
         \"{zero}\"}}}}}}",
        block * 32,
        block - 1,
    );
    let answer = client.post(&format!("/api/v1/eth2/sign/{}", keys[key]), body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The CPU time of a signature under this load, in raw signatures.
fn measure(report: &mut Report, server: &Server, load: &Load) -> f64 {
    let clients = server.clients(load.len());
    let keys = &server.keys;
    beside_raw(report, server.signer.pid(), load, || {
        run(clients, load, |client, vote| sign(keys, client, vote));
    })
}

fn of_afternoon(report: &mut Report, afternoon: &Afternoon, load: &Load) -> f64 {
    let clients = load
        .iter()
        .map(|_| Client::connect(&afternoon.address))
        .collect();
    beside_raw(report, afternoon.pid(), load, || {
        run(clients, load, |client, Vote { key, block }| {
            let body = format!("{{\"signingRoot\":\"0x{block:064x}\"}}");
            let answer = client.post(&format!("/sign/{key}"), body.as_bytes());
            assert_eq!(answer.status, 200);
        });
    })
}

fn beside_raw(report: &mut Report, pid: u32, load: &Load, work: impl FnOnce()) -> f64 {
    let before = raw_seconds();
    let server_before = cpu_seconds(pid);
    work();
    let server = cpu_seconds(pid) - server_before;
    let raw = (before + raw_seconds()) / 2.0;
    report.raw_us.push(raw * 1e6);
    let signatures = load.iter().map(Vec::len).sum::<usize>() as f64;
    server / signatures / raw
}

/// Each connection works through its part on a thread of its own.
fn run(clients: Vec<Client>, load: &Load, request: impl Fn(&mut Client, Vote) + Sync) {
    thread::scope(|scope| {
        for (mut client, votes) in clients.into_iter().zip(load) {
            let request = &request;
            scope.spawn(move || {
                for vote in votes {
                    request(&mut client, *vote);
                }
            });
        }
    });
}

/// 50 requests a second for three seconds, each a root of its own: CPU in raw signatures, and p99.
fn paced(report: &mut Report, server: &Server) -> (f64, f64) {
    let load = distinct(1, 150);
    let mut client = server.signer.client();
    let mut latencies = Vec::new();
    let ratio = beside_raw(report, server.signer.pid(), &load, || {
        let mut due = Instant::now();
        for vote in &load[0] {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due += Duration::from_millis(20);
            let sent = Instant::now();
            sign(&server.keys, &mut client, *vote);
            latencies.push(sent.elapsed().as_secs_f64() * 1e3);
        }
    });
    (ratio, percentile_99(&mut latencies))
}

fn upcheck_p99_ms(server: &Server) -> f64 {
    let load = distinct(CONNECTIONS, SIGNATURES);
    let clients = server.clients(load.len());
    let keys = &server.keys;
    let is_over = AtomicBool::new(false);
    let mut latencies = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            run(clients, &load, |client, vote| sign(keys, client, vote));
            is_over.store(true, Ordering::Relaxed);
        });
        let mut client = server.signer.client();
        while !is_over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            client.get("/upcheck");
            latencies.push(asked.elapsed().as_secs_f64() * 1e3);
            thread::sleep(Duration::from_millis(1));
        }
    });
    percentile_99(&mut latencies)
}

fn percentile_99(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(samples.len() - 1) * 99 / 100]
}

/// CPU time of one raw signature: blst's sign and compression.
fn raw_seconds() -> f64 {
    let key = min_pk::SecretKey::from_bytes(&[0x5a; 32]).expect("a secret key");
    let before = own_cpu_seconds();
    for _ in 0..RAW_SIGNATURES {
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
fn cpu_seconds(pid: u32) -> f64 {
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
