//! Two signerds behind a real HAProxy with the configuration of packaging/haproxy, over one PostgreSQL: a client
//! gets each of its signatures, whichever part is away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::database_network::{Cut, MessageProxy};
use crate::slashing::{KEY, ZERO, vote};
use crate::support::client::Client;
use crate::support::postgres::PostgresServer;
use crate::support::{Scratch, Signer};

/// HAProxy, ended when dropped.
struct Haproxy {
    process: Child,
    address: String,
    _files: Scratch,
}

impl Haproxy {
    /// Starts it in front of these signers; `None` where it is not installed.
    fn start(signers: [&str; 2]) -> Option<Self> {
        let program = [
            "/usr/sbin/haproxy",
            "/usr/bin/haproxy",
            "/usr/local/sbin/haproxy",
        ]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else {
            assert!(
                std::env::var_os("CI").is_none(),
                "HAProxy is not installed: apt-get install haproxy"
            );
            eprintln!("SKIPPED: HAProxy is not installed: apt-get install haproxy");
            return None;
        };
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let address = format!("127.0.0.1:{port}");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/haproxy/haproxy.cfg");
        let mut configuration = std::fs::read_to_string(shipped).unwrap();
        for (name, real) in [
            ("bind :9000", format!("bind {address}")),
            ("signerd-1:9000", signers[0].to_owned()),
            ("signerd-2:9000", signers[1].to_owned()),
        ] {
            assert!(configuration.contains(name), "{name}");
            configuration = configuration.replace(name, &real);
        }
        let files = Scratch::new("haproxy");
        let path = files.write("haproxy.cfg", configuration);
        let process = Command::new(program)
            .args(["-f", &path])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self {
            process,
            address,
            _files: files,
        })
    }

    fn wait_status(&self, status: u16) {
        let begun = Instant::now();
        loop {
            let answer = Client::try_connect(&self.address)
                .and_then(|mut client| client.try_request("GET", "/healthcheck", &[], b""));
            if answer.is_some_and(|answer| answer.status == status) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "no {status} from HAProxy"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(port: &str, database: &str) -> Signer {
    let database = format!("--slashing-protection-db-url={database}");
    let signer = Signer::spawn(Command::new(crate::support::binary()).args([
        "--port",
        port,
        "--metrics-port=0",
        "--http-host-allowlist=*",
        "--interop-keys=0..2",
        &database,
    ]));
    signer.wait_loaded();
    signer
}

#[test]
fn behind_haproxy_a_client_gets_each_signature_while_a_signer_or_its_database_is_away() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let proxies = [(); 2].map(|()| MessageProxy::start(server.port, Cut::Close));
    let urls = [&proxies[0], &proxies[1]].map(|proxy| {
        format!(
            "postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            proxy.port
        )
    });
    let mut first = Some(start("0", &urls[0]));
    let second = start("0", &urls[1]);
    let addresses = [first.as_ref().unwrap(), &second].map(|signer| signer.address.clone());
    let Some(haproxy) = Haproxy::start([&addresses[0], &addresses[1]]) else {
        return;
    };
    haproxy.wait_status(200);
    let is_over = AtomicBool::new(false);
    let signed = AtomicU64::new(0);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut client = Client::connect(&haproxy.address);
            let mut refused = Vec::new();
            let mut epoch = 0;
            while !is_over.load(Ordering::SeqCst) {
                epoch += 1;
                let request = vote(ZERO, &(epoch - 1).to_string(), &epoch.to_string(), ZERO);
                let path = format!("/api/v1/eth2/sign/{KEY}");
                let answer = client.try_post(&path, request.to_string().as_bytes());
                match answer {
                    Some(answer) if answer.status == 200 => {
                        signed.fetch_add(1, Ordering::SeqCst);
                    }
                    Some(answer) => {
                        refused.push(format!("{epoch}: {} {}", answer.status, answer.text()))
                    }
                    None => client = Client::connect(&haproxy.address),
                }
            }
            refused
        });
        let wait_more = |what: &str| {
            let goal = signed.load(Ordering::SeqCst) + 30;
            let begun = Instant::now();
            while signed.load(Ordering::SeqCst) < goal {
                assert!(
                    !client.is_finished() && begun.elapsed() < Duration::from_secs(30),
                    "no signatures {what}"
                );
                thread::sleep(Duration::from_millis(10));
            }
        };
        wait_more("at the beginning");
        first.take().unwrap().signal("TERM");
        wait_more("while one signer is stopped");
        let port = addresses[0].rsplit(':').next().unwrap();
        first = Some(start(port, &urls[0]));
        wait_more("after its restart");
        first.take().unwrap().signal("KILL");
        wait_more("after a kill");
        first = Some(start(port, &urls[0]));
        // HAProxy takes it back after a check.
        thread::sleep(Duration::from_millis(1500));
        proxies[1].is_closed.store(true, Ordering::SeqCst);
        wait_more("while the other one has no database");
        proxies[1].is_closed.store(false, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1500));
        proxies[0].is_closed.store(true, Ordering::SeqCst);
        wait_more("while the first one has no database");
        proxies[0].is_closed.store(false, Ordering::SeqCst);
        is_over.store(true, Ordering::SeqCst);
        let refused = client.join().unwrap();
        assert!(refused.is_empty(), "{refused:?}");
    });
    println!("{} signed through HAProxy", signed.load(Ordering::SeqCst));
    for proxy in &proxies {
        proxy.is_closed.store(true, Ordering::SeqCst);
    }
    haproxy.wait_status(503);
    for proxy in &proxies {
        proxy.is_closed.store(false, Ordering::SeqCst);
    }
    haproxy.wait_status(200);
    drop(first);
}
