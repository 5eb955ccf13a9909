//! Several signers, and Web3Signer, on one slashing protection database: conflicting requests to all of
//! them at once, while signers and servers are killed, and over a failover. Nothing slashable is signed,
//! and no signature is without its record.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use signerd::consensus::networks::Networks;
use signerd::consensus::primitives::Root;
use signerd::consensus::request::SignRequest;

use crate::random::Random;
use crate::slashing::{ZERO, block, vote};
use crate::support::Signer;
use crate::support::client::Client;
use crate::support::postgres::PostgresServer;
use crate::support::web3signer::Web3SignerSession;

/// What was signed: key, epoch or slot, and the root that the request named.
type Signed = (String, u64, u8);

fn start(url: &str, keys: usize) -> Signer {
    let range = format!("0..{keys}");
    let url = format!("--slashing-protection-db-url={url}");
    let signer = Signer::start(&["--interop-keys", &range, &url]);
    signer.wait_loaded();
    signer
}

fn keys_of(signer: &Signer) -> Vec<String> {
    let answer = signer.client().get("/api/v1/eth2/publicKeys");
    let keys = answer.json();
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn root_text(number: u8) -> String {
    Root([number; 32]).to_string()
}

fn vote_request(epoch: u64, root: u8) -> Value {
    vote(
        ZERO,
        &(epoch - 1).to_string(),
        &epoch.to_string(),
        &root_text(root),
    )
}

/// The status of the answer; `None` when the connection ended before it.
fn ask(client: &mut Client, key: &str, request: &Value) -> Option<u16> {
    let path = format!("/api/v1/eth2/sign/{key}");
    let answer = client.try_post(&path, request.to_string().as_bytes())?;
    Some(answer.status)
}

fn signing_root(request: &Value) -> Root {
    let networks = Networks::default();
    let parsed = SignRequest::parse(request.to_string().as_bytes(), &networks).unwrap();
    parsed.signing_root(&networks, 0).unwrap()
}

/// Checks that no key has signed two roots for one epoch, and that each signed epoch is on record.
fn check(server: &PostgresServer, database: &str, signed: &[Signed]) {
    let mut by_target: BTreeMap<(&str, u64), u8> = BTreeMap::new();
    for (key, epoch, root) in signed {
        let first = *by_target.entry((key, *epoch)).or_insert(*root);
        assert_eq!(first, *root, "a double vote of {key} at {epoch}");
    }
    let rows = server.psql(
        database,
        "SELECT '0x' || encode(v.public_key, 'hex'), a.target_epoch
         FROM signed_attestations a JOIN validators v ON v.id = a.validator_id",
    );
    let recorded: std::collections::BTreeSet<(&str, u64)> = rows
        .lines()
        .map(|row| row.split_once('|').unwrap())
        .map(|(key, epoch)| (key, epoch.parse().unwrap()))
        .collect();
    for target in by_target.keys() {
        assert!(
            recorded.contains(target),
            "{target:?} is signed and not on record"
        );
    }
}

#[test]
fn of_conflicting_requests_over_http_to_three_instances_and_web3signer_one_is_signed_and_identical_ones_by_all()
 {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    const KEYS: usize = 16;
    let steps: u64 = std::env::var("SIGNERD_TEST_LONG").map_or(40, |_| 2_200);
    let database = server.create_database();
    let signers: Vec<_> = (0..3)
        .map(|_| start(&server.url(&database), KEYS))
        .collect();
    let keys = keys_of(&signers[0]);
    // The first message of each key sets its low watermark, and the chain of the database.
    for key in &keys {
        let mut client = signers[0].client();
        assert_eq!(ask(&mut client, key, &vote_request(1, 0)), Some(200));
        let first_block = block(ZERO, "1", &root_text(0));
        assert_eq!(ask(&mut client, key, &first_block), Some(200));
    }
    let addresses: Vec<_> = signers
        .iter()
        .map(|signer| signer.address.clone())
        .collect();
    let seed: u64 = std::env::var("SIGNERD_TEST_SEED").map_or(18, |seed| seed.parse().unwrap());
    let conflicts = AtomicU64::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for (index, key) in keys.iter().enumerate() {
            // Half of the keys are used by a Web3Signer as well.
            let has_web3signer = index % 2 == 0;
            let writers = 3 + usize::from(has_web3signer);
            let barrier = std::sync::Arc::new(Barrier::new(writers));
            let signed = std::sync::Arc::new(Mutex::new(Vec::new()));
            for writer in 0..writers {
                let (barrier, signed) = (barrier.clone(), signed.clone());
                let (address, database, conflicts) =
                    (addresses.get(writer).cloned(), &database, &conflicts);
                scope.spawn(move || {
                    let mut random = Random::new(seed * 1000 + index as u64);
                    let mut client = address.map(|address| Client::connect(&address));
                    let mut web3signer = Web3SignerSession::open(server, database, key);
                    for step in 2..2 + steps {
                        // All writers of a key draw the same numbers.
                        let is_block = random.below(4) == 0;
                        let is_conflict = random.below(3) > 0;
                        let shift = usize::try_from(random.below(4)).unwrap();
                        let root = if is_conflict {
                            [1, 2, 3, 4][(writer + shift) % 4]
                        } else {
                            9
                        };
                        let request = if is_block {
                            block(ZERO, &step.to_string(), &root_text(root))
                        } else {
                            vote_request(step, root)
                        };
                        barrier.wait();
                        let is_signed = match &mut client {
                            Some(client) => match ask(client, key, &request) {
                                Some(200) => true,
                                Some(412) => false,
                                status => panic!("{key} at {step}: {status:?}"),
                            },
                            None if is_block => web3signer.block(step, signing_root(&request)),
                            None => web3signer.vote(step - 1, step, signing_root(&request)),
                        };
                        if is_signed {
                            signed.lock().unwrap().push(writer);
                        }
                        if barrier.wait().is_leader() {
                            let mut signed = signed.lock().unwrap();
                            let expected = if is_conflict { 1 } else { writers };
                            assert_eq!(signed.len(), expected, "{key} at {step}: {signed:?}");
                            if is_conflict {
                                let pairs = writers * (writers - 1) / 2;
                                conflicts.fetch_add(pairs as u64, Ordering::Relaxed);
                            }
                            signed.clear();
                        }
                        barrier.wait();
                    }
                });
            }
        }
    });
    let deadlocks = server.psql(
        &database,
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    );
    assert_eq!(deadlocks, "0");
    println!(
        "seed {seed}: {} conflicting pairs, {} messages in {:?}",
        conflicts.load(Ordering::Relaxed),
        steps * KEYS as u64,
        begun.elapsed()
    );
}

/// Signers that are started again after they were killed, each with clients that ask it for votes with a root of
/// their own: whatever two clients ask for at one epoch conflicts.
struct Fleet {
    url: String,
    signers: Vec<Mutex<Option<Signer>>>,
    addresses: Vec<RwLock<String>>,
    keys: Vec<String>,
    is_over: AtomicBool,
    epoch: AtomicU64,
    unavailable: AtomicU32,
    refused: AtomicU32,
}

impl Fleet {
    const KEYS: usize = 4;

    fn start(url: &str, signers: usize) -> Self {
        let signers: Vec<_> = (0..signers).map(|_| start(url, Self::KEYS)).collect();
        let keys = keys_of(&signers[0]);
        let addresses = signers
            .iter()
            .map(|signer| RwLock::new(signer.address.clone()));
        Self {
            url: url.to_owned(),
            addresses: addresses.collect(),
            keys,
            signers: signers
                .into_iter()
                .map(|signer| Mutex::new(Some(signer)))
                .collect(),
            is_over: AtomicBool::new(false),
            epoch: AtomicU64::new(10),
            unavailable: AtomicU32::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// Asks one signer until the end. Returns what was signed, and the longest time between two signatures.
    fn load(&self, signer: usize, root: u8) -> (Vec<Signed>, Duration) {
        let mut signed = Vec::new();
        let mut client = None;
        let mut last = Instant::now();
        let mut longest = Duration::ZERO;
        let mut step = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            // Every client asks for the same few epochs, one after the other.
            step += 1;
            let epoch = self.epoch.load(Ordering::SeqCst) + step % 3;
            let key = &self.keys[usize::try_from(step).unwrap() % self.keys.len()];
            if client.is_none() {
                client = Client::try_connect(&self.addresses[signer].read().unwrap());
            }
            let status = client
                .as_mut()
                .and_then(|client| ask(client, key, &vote_request(epoch, root)));
            match status {
                Some(200) => {
                    signed.push((key.clone(), epoch, root));
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    self.epoch.fetch_max(epoch, Ordering::SeqCst);
                }
                Some(412) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    self.epoch.fetch_max(epoch, Ordering::SeqCst);
                }
                Some(503) => {
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(10));
                }
                Some(status) => panic!("status {status}"),
                None => {
                    client = None;
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
        (signed, longest)
    }

    fn kill_and_start(&self, signer: usize) {
        let mut running = self.signers[signer].lock().unwrap();
        running.take().unwrap().signal("KILL");
        let started = start(&self.url, Self::KEYS);
        *self.addresses[signer].write().unwrap() = started.address.clone();
        *running = Some(started);
    }

    fn wait_healthy(&self) {
        for address in &self.addresses {
            let begun = Instant::now();
            let mut client = Client::connect(&address.read().unwrap());
            while client.get("/healthcheck").status != 200 {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "it does not recover"
                );
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Runs four clients, two for each of two signers, while `trouble` runs.
    fn run(&self, trouble: impl FnOnce()) -> (Vec<Signed>, Duration) {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..4u8)
                .map(|root| scope.spawn(move || self.load(usize::from(root % 2), root)))
                .collect();
            trouble();
            self.is_over.store(true, Ordering::SeqCst);
            let mut signed = Vec::new();
            let mut longest = Duration::ZERO;
            for client in clients {
                let (more, its_longest) = client.join().unwrap();
                signed.extend(more);
                longest = longest.max(its_longest);
            }
            (signed, longest)
        })
    }
}

#[test]
fn kills_of_signers_servers_and_connections_under_load_leave_nothing_slashable_and_no_signature_unrecorded()
 {
    let Some(server) = PostgresServer::start("") else {
        return;
    };
    let database = server.create_database();
    let rounds: usize = std::env::var("SIGNERD_TEST_LONG").map_or(5, |_| 200);
    let fleet = Fleet::start(&server.url(&database), 2);
    let server = Mutex::new(server);
    let mut random = Random::new(18);
    let (signed, _) = fleet.run(|| {
        for round in 0..rounds {
            thread::sleep(Duration::from_millis(60 + random.below(120)));
            let mut server = server.lock().unwrap();
            match round % 5 {
                0 => fleet.kill_and_start(round / 5 % 2),
                1 | 2 => {
                    server.kill(if round % 5 == 1 { "immediate" } else { "fast" });
                    thread::sleep(Duration::from_millis(random.below(300)));
                    server.resume();
                }
                3 => {
                    server.psql(
                        "postgres",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE application_name = 'signerd'",
                    );
                }
                _ => {
                    server.kill("immediate");
                    fleet.kill_and_start(round / 5 % 2);
                    server.resume();
                }
            }
            fleet.wait_healthy();
        }
    });
    let [unavailable, refused] =
        [&fleet.unavailable, &fleet.refused].map(|count| count.load(Ordering::SeqCst));
    println!(
        "{rounds} kills: {} signed, {refused} refused, {unavailable} times unavailable",
        signed.len()
    );
    assert!(
        signed.len() > 10 * rounds && refused > 0,
        "{} {refused}",
        signed.len()
    );
    check(&server.into_inner().unwrap(), &database, &signed);
}

#[test]
fn after_a_failover_under_load_nothing_slashable_is_signed_and_every_signature_is_on_record() {
    let Some(primary) = PostgresServer::start("") else {
        return;
    };
    let database = primary.create_database();
    let standby = primary.start_standby();
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{},127.0.0.1:{}/{database}?user=postgres&targetServerType=primary",
        primary.port, standby.port
    );
    let replica = format!("--slashing-protection-db-url={}", standby.url(&database));
    let refused = std::process::Command::new(crate::support::binary())
        .args([
            "--port=0",
            "--metrics-port=0",
            "--interop-keys=0..1",
            &replica,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("is a replica"),
        "{text}"
    );
    let fleet = Fleet::start(&url, 2);
    let primary = Mutex::new(primary);
    let (signed, longest) = fleet.run(|| {
        thread::sleep(Duration::from_millis(700));
        primary.lock().unwrap().kill("immediate");
        let promoted = standby
            .command("pg_ctl")
            .args(["promote", "-s", "-w", "-D"])
            .arg(standby.data())
            .status();
        assert!(
            promoted.is_ok_and(|status| status.success()),
            "pg_ctl promote"
        );
        fleet.wait_healthy();
        thread::sleep(Duration::from_millis(700));
    });
    println!(
        "{} signed, {} refused, {} times unavailable, longest time of a client without a signature: {longest:?}",
        signed.len(),
        fleet.refused.load(Ordering::SeqCst),
        fleet.unavailable.load(Ordering::SeqCst)
    );
    assert!(signed.len() > 50, "{}", signed.len());
    check(&standby, &database, &signed);
}
