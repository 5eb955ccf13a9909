//! The real binary over loopback, and what a load costs it: the CPU time of its threads, divided by that of as
//! many raw signatures, which are measured before and after each load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::afternoon::Afternoon;
use super::cpu::{cpu_seconds, raw_seconds};
use super::loads::{CONNECTIONS, Load, Vote, distinct};
use super::report::Report;
use super::support::client::Client;
use super::support::{Signer, Transport};

/// A running server.
pub(crate) struct Server {
    signer: Signer,
    keys: Vec<String>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str], transport: Transport) -> Self {
        let signer = Signer::start_over(transport, arguments);
        signer.wait_loaded();
        let list = signer.client().get("/api/v1/eth2/publicKeys");
        let keys: Vec<String> = serde_json::from_slice(&list.body).expect("an array of keys");
        Self { signer, keys }
    }

    pub(crate) fn resident_mib(&self) -> f64 {
        self.signer.memory_kib("VmRSS") as f64 / 1024.0
    }

    /// The CPU time of a signature under this load, in raw signatures.
    pub(crate) fn measure(&self, report: &mut Report, load: &Load) -> f64 {
        let (ratio, _) = self.measure_with_p99(report, load);
        ratio
    }

    /// The same, and how long clients wait, in milliseconds: p99.
    pub(crate) fn measure_with_p99(&self, report: &mut Report, load: &Load) -> (f64, f64) {
        let clients = self.clients(load.len());
        let mut latencies = Vec::new();
        let ratio = beside_raw(report, self.signer.pid(), load, || {
            latencies = sign_all(&self.keys, clients, load);
        });
        (ratio, percentile_99(&mut latencies))
    }

    /// 50 requests a second for three seconds, each of a root of its own: CPU in raw signatures, and p99.
    pub(crate) fn paced(&self, report: &mut Report) -> (f64, f64) {
        let load = distinct(1, 150);
        let mut client = self.signer.client();
        let mut latencies = Vec::new();
        let ratio = beside_raw(report, self.signer.pid(), &load, || {
            let mut due = Instant::now();
            for vote in &load[0] {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                due += Duration::from_millis(20);
                let sent = Instant::now();
                sign(&self.keys, &mut client, *vote);
                latencies.push(sent.elapsed().as_secs_f64() * 1e3);
            }
        });
        (ratio, percentile_99(&mut latencies))
    }

    /// How long `/upcheck` takes while all threads sign.
    pub(crate) fn upcheck_p99_ms(&self, signatures: usize) -> f64 {
        let load = distinct(CONNECTIONS, signatures);
        let clients = self.clients(load.len());
        let keys = &self.keys;
        let is_over = AtomicBool::new(false);
        let mut latencies = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                sign_all(keys, clients, &load);
                is_over.store(true, Ordering::Relaxed);
            });
            let mut client = self.signer.client();
            while !is_over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                client.get("/upcheck");
                latencies.push(asked.elapsed().as_secs_f64() * 1e3);
                thread::sleep(Duration::from_millis(1));
            }
        });
        percentile_99(&mut latencies)
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

/// Returns how long each signature took, in milliseconds.
fn sign_all(keys: &[String], clients: Vec<Client>, load: &Load) -> Vec<f64> {
    run(clients, load, |client, vote| sign(keys, client, vote))
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
    post(client, &format!("/api/v1/eth2/sign/{}", keys[key]), &body);
}

/// The CPU time of a signature of the afternoon's signer under this load, in raw signatures.
pub(crate) fn measure_afternoon(report: &mut Report, afternoon: &Afternoon, load: &Load) -> f64 {
    let clients = load
        .iter()
        .map(|_| Client::connect(&afternoon.address))
        .collect();
    beside_raw(report, afternoon.pid(), load, || {
        run(clients, load, |client, Vote { key, block }| {
            let body = format!("{{\"signingRoot\":\"0x{block:064x}\"}}");
            post(client, &format!("/sign/{key}"), &body);
        });
    })
}

/// Sends head and body together, as the HTTP clients of validators do.
fn post(client: &mut Client, path: &str, body: &str) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.send(request.as_bytes());
    let answer = client.answer(false);
    assert_eq!(answer.status, 200, "{}", answer.text());
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

/// Each connection works through its part on a thread of its own. Returns how long each request took, in
/// milliseconds.
fn run(clients: Vec<Client>, load: &Load, request: impl Fn(&mut Client, Vote) + Sync) -> Vec<f64> {
    let mut latencies = Vec::new();
    thread::scope(|scope| {
        let mut connections = Vec::new();
        for (mut client, votes) in clients.into_iter().zip(load) {
            let request = &request;
            connections.push(scope.spawn(move || {
                let mut latencies = Vec::with_capacity(votes.len());
                for vote in votes {
                    let sent = Instant::now();
                    request(&mut client, *vote);
                    latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            }));
        }
        for connection in connections {
            latencies.extend(connection.join().expect("all requests are answered"));
        }
    });
    latencies
}

fn percentile_99(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(samples.len() - 1) * 99 / 100]
}
