//! What goes wrong in the run, one thing after the other, and clients that misbehave all the time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet::Node;
use crate::keymanager;
use crate::random::Random;
use crate::support::postgres::PostgresServer;
use crate::support::{Scratch, secured};
use crate::traffic::Traffic;

/// How long a fault lasts.
const FAULT: Duration = Duration::from_secs(4);

/// Keys that are imported and deleted again and again.
const CHANGING_KEYS: u32 = 12;

/// Connections of a flood.
const FLOOD: usize = 400;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    KillOne,
    KillAll,
    DatabaseAway(&'static str),
    FullDisk,
    ClockStep(&'static str),
    Flood,
    Reload,
    NewCertificate,
}

/// The order in which faults follow each other.
pub(crate) const FAULTS: [Fault; 12] = [
    Fault::Reload,
    Fault::KillOne,
    Fault::Flood,
    Fault::DatabaseAway("immediate"),
    Fault::NewCertificate,
    Fault::KillOne,
    Fault::FullDisk,
    Fault::ClockStep("+1h"),
    Fault::Flood,
    Fault::DatabaseAway("fast"),
    Fault::ClockStep("-1h"),
    Fault::KillAll,
];

/// The parts that faults are done to.
pub(crate) struct Targets<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) database: &'a Mutex<PostgresServer>,
    /// The small disk of the signer with a store of its own; `None` where none can be mounted.
    pub(crate) small_disk: Option<&'a Path>,
    /// The file that libfaketime reads; `None` where it is not installed.
    pub(crate) clock_file: Option<&'a Path>,
    pub(crate) certificates: &'a Scratch,
}

impl Targets<'_> {
    /// Does it, and waits until it is over. `victim` is the signer that [`Fault::KillOne`] kills.
    ///
    /// Returns whether it could be done on this machine.
    pub(crate) fn inflict(&self, fault: Fault, victim: usize) -> bool {
        let embedded = self.embedded();
        match fault {
            Fault::KillOne => {
                self.nodes[victim].kill();
                self.nodes[victim].resume();
            }
            Fault::KillAll => {
                self.nodes.iter().for_each(Node::kill);
                self.nodes.iter().for_each(Node::resume);
            }
            Fault::DatabaseAway(mode) => {
                let sharing = &self.nodes[..self.nodes.len() - 1];
                for node in sharing {
                    node.store_trouble.begin();
                }
                let mut database = self.database.lock().expect("no fault has panicked");
                database.kill(mode);
                thread::sleep(FAULT);
                database.resume();
                for node in sharing {
                    node.store_trouble.end();
                }
            }
            Fault::FullDisk => {
                let Some(disk) = self.small_disk else {
                    return false;
                };
                embedded.store_trouble.begin();
                let ballast = disk.join("ballast");
                fill(&ballast);
                thread::sleep(FAULT);
                fs::remove_file(&ballast).expect("it is ours");
                embedded.store_trouble.end();
            }
            Fault::ClockStep(step) => {
                let Some(file) = self.clock_file else {
                    return false;
                };
                fs::write(file, step).expect("it is ours");
                thread::sleep(FAULT);
                fs::write(file, "+0").expect("it is ours");
            }
            Fault::Flood => flood(embedded),
            Fault::Reload => embedded.signal("HUP"),
            Fault::NewCertificate => {
                self.renew_certificate();
                embedded.signal("HUP");
            }
        }
        true
    }

    /// The signer with a store of its own.
    fn embedded(&self) -> &Node {
        self.nodes.last().expect("there are three")
    }

    /// Replaces the certificate and its key by the other pair.
    fn renew_certificate(&self) {
        let path = |name: &str| self.certificates.path().join(name);
        let present = fs::read(path("server.pem")).expect("it is ours");
        let rsa = fs::read(secured::source("server-rsa.pem")).expect("it is there");
        let next = if present == rsa {
            "server"
        } else {
            "server-rsa"
        };
        for suffix in ["key", "pem"] {
            let content = fs::read(secured::source(&format!("{next}.{suffix}")));
            self.certificates
                .write(&format!("new.{suffix}"), content.expect("it is there"));
            fs::rename(
                path(&format!("new.{suffix}")),
                path(&format!("server.{suffix}")),
            )
            .expect("both are ours");
        }
    }
}

/// Writes a file until the disk is full.
fn fill(path: &PathBuf) {
    let mut file = fs::File::create(path).expect("the disk has room for a name");
    let block = vec![0x55; 64 * 1024];
    while file.write_all(&block).is_ok() {}
}

/// Hundreds of connections at once, each with something that is not a request, or only half of one.
fn flood(node: &Node) {
    let mut connections = Vec::new();
    for number in 0..FLOOD {
        let Ok(mut stream) = TcpStream::connect(&node.address) else {
            continue;
        };
        let _ = match number % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"POST /api/v1/eth2/sign/0x HTTP/1.1\r\nHost: loc"),
            _ => stream.write_all(&[0xff; 2_000]),
        };
        connections.push(stream);
    }
    thread::sleep(FAULT);
}

/// Clients that leave at a bad moment or read too slowly, until the run is over.
pub(crate) fn misbehave(traffic: &Traffic, nodes: &[Node], is_paused: &AtomicBool) {
    let mut random = Random::new(77);
    while !traffic.is_over() {
        thread::sleep(Duration::from_millis(50));
        if is_paused.load(Ordering::Relaxed) {
            continue;
        }
        let node = &nodes[usize::try_from(random.below(nodes.len() as u64)).expect("an index")];
        let Ok(mut stream) = TcpStream::connect(&node.address) else {
            continue;
        };
        let request = b"GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let sent = usize::try_from(random.below(request.len() as u64)).expect("small");
        match random.below(3) {
            // Leaves in the middle of a request.
            0 => {
                let _ = stream.write_all(&request[..sent]);
            }
            // Asks, and leaves without the answer.
            1 => {
                let _ = stream.write_all(request);
            }
            // Sends and reads byte by byte.
            _ => {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                for byte in request {
                    let _ = stream.write_all(&[*byte]);
                    thread::sleep(Duration::from_millis(2));
                }
                let _ = stream.read(&mut [0]);
            }
        }
    }
}

/// What is known of a key that is imported and deleted again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Gone,
    /// The last change was not answered.
    Either,
}

/// Imports and deletes keys, and checks the list, until the run is over.
pub(crate) fn change_keys(traffic: &Traffic, node: &Node, data_dir: &Path) {
    let mut random = Random::new(5);
    let token =
        fs::read_to_string(data_dir.join("api-token.txt")).expect("it was made at the start");
    let authorization = format!("Bearer {}", token.trim());
    let keystores: Vec<_> = (0..CHANGING_KEYS).map(keymanager::keystore).collect();
    let mut known: BTreeMap<String, Known> = keystores
        .iter()
        .map(|(key, ..)| (key.to_string(), Known::Gone))
        .collect();
    let ask = |method: &str, body: &Value| {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = [("Authorization", authorization.as_str())];
        let answer =
            node.connect()?
                .try_request(method, "/eth/v1/keystores", &headers, body.as_bytes())?;
        (answer.status == 200).then(|| answer.json())
    };
    while !traffic.is_over() {
        thread::sleep(Duration::from_millis(500));
        if let Some(list) = ask("GET", &Value::Null) {
            check_list(traffic, &list, &mut known);
        }
        let number = usize::try_from(random.below(CHANGING_KEYS.into())).expect("an index");
        let (key, keystore, password) = &keystores[number];
        let key = key.to_string();
        let (method, body, then) = if known[&key] == Known::There {
            ("DELETE", json!({"pubkeys": [key]}), Known::Gone)
        } else {
            let body = json!({"keystores": [keystore], "passwords": [password]});
            ("POST", body, Known::There)
        };
        known.insert(key.clone(), Known::Either);
        let status = ask(method, &body).map(|answer| answer["data"][0]["status"].clone());
        let is_done = status.is_some_and(|status| {
            ["imported", "duplicate", "deleted"].contains(&status.as_str().unwrap_or_default())
        });
        if is_done {
            known.insert(key, then);
        }
    }
}

/// No key is lost, and none comes back.
fn check_list(traffic: &Traffic, list: &Value, known: &mut BTreeMap<String, Known>) {
    let listed: Vec<_> = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| key["validating_pubkey"].as_str())
        .collect();
    for (key, known) in known.iter_mut() {
        let found = if listed.contains(&key.as_str()) {
            Known::There
        } else {
            Known::Gone
        };
        if *known != Known::Either && *known != found {
            traffic.violation(format!("the key {key} is {found:?}, and was {known:?}"));
        }
        *known = found;
    }
}
