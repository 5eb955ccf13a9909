//! Under load: signing is saturated, large bodies are read; everybody else is answered all the same.
//!
//! The bound of 50 ms is that of a release build: `SIGNERD_ATTACK=full` asserts it, other runs are content
//! with a second.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use signerd::server::{Server, ServerSettings};

use crate::support::client::Client;
use crate::support::{Signer, Transport, vectors};

/// Signatures that wait at most; `server::signers` has the constant.
const JOBS_WAITING_MAX: usize = 2048;

#[test]
fn beyond_its_bound_signing_is_refused_at_once_and_health_is_answered_meanwhile() {
    drop(Server::bind(ServerSettings::default()).unwrap()); // raises the limit of descriptors of this process
    let signer = Signer::start(&["--interop-keys", "0..1", "--workers", "1"]);
    signer.wait_loaded();
    let key = signer.client().get("/api/v1/eth2/publicKeys").json()[0]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/eth2/sign/{key}");
    let mut clients: Vec<Client> = (0..JOBS_WAITING_MAX + 800)
        .map(|_| signer.client())
        .collect();
    let slowest = while_asking_for_health(&signer, || {
        for round in 0..3 {
            for (number, client) in clients.iter_mut().enumerate() {
                let body = format!(
                    r#"{{"signingRoot":"0x{round:032x}{number:032x}","domain":"0x01000000"}}"#
                );
                let length = body.len();
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
                );
                client.send((head + &body).as_bytes());
                if number % 64 == 0 {
                    std::thread::sleep(Duration::from_millis(2)); // so many clients are not of one mind
                }
            }
            let answers: Vec<_> = clients
                .iter_mut()
                .map(|client| client.answer(false))
                .collect();
            let refused = answers
                .iter()
                .filter(|answer| answer.status != 200)
                .collect::<Vec<_>>();
            for answer in &refused {
                assert_eq!(
                    (answer.status, answer.header("retry-after")),
                    (503, Some("1")),
                    "{}",
                    answer.text()
                );
                assert_eq!(answer.header("connection"), Some("keep-alive"));
            }
            println!(
                "{} signatures, {} refused",
                answers.len() - refused.len(),
                refused.len()
            );
            assert!(!refused.is_empty() && answers.len() - refused.len() > JOBS_WAITING_MAX);
        }
    });
    println!("slowest health: {slowest:?}");
    assert!(slowest < bound(), "{slowest:?}");
}

#[test]
fn large_bodies_do_not_hold_up_other_requests() {
    let lines = vectors::lines("sign_requests_gloas.jsonl");
    let mut line = lines
        .into_iter()
        .find(|line| line["request"]["type"] == "EXECUTION_PAYLOAD_ENVELOPE")
        .unwrap();
    let config = vectors::config_yaml(&line["config"]);
    let request = line["request"].as_object_mut().unwrap();
    request.retain(|name, _| !name.to_lowercase().starts_with("signing"));
    // 28 MiB of JSON: the root of the payload is computed over 14 MiB.
    let transactions = vec![Value::from(format!("0x{}", "5a".repeat(1 << 20))); 14];
    request["execution_payload_envelope"]["data"]["payload"]["transactions"] = transactions.into();
    let (body, path) = (
        vectors::body(&line),
        format!("/api/v1/eth2/sign/{}", line["public_key"].as_str().unwrap()),
    );
    let (_scratch, signer) = vectors::signer("large", Transport::Tcp, &config, &[line]);
    let address = &signer.address;
    let slowest = while_asking_for_health(&signer, || {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let started = Instant::now();
                    let answer = Client::connect(address).post(&path, &body);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    println!("{} bytes signed after {:?}", body.len(), started.elapsed());
                });
            }
        });
    });
    println!("slowest health: {slowest:?}");
    assert!(slowest < bound(), "{slowest:?}");
}

fn bound() -> Duration {
    match std::env::var_os("SIGNERD_ATTACK").is_some_and(|size| size == "full") {
        true => Duration::from_millis(50),
        false => Duration::from_secs(1),
    }
}

/// Runs `action`; gives the slowest answer to /upcheck, /health and /metrics meanwhile.
fn while_asking_for_health(signer: &Signer, action: impl FnOnce()) -> Duration {
    let over = AtomicBool::new(false);
    let (mut client, mut slowest) = (signer.client(), Duration::ZERO);
    let mut metrics = Client::connect(signer.metrics.as_deref().unwrap());
    let over = &over;
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for path in ["/upcheck", "/health", "/metrics"] {
                    let asked = if path == "/metrics" {
                        &mut metrics
                    } else {
                        &mut client
                    };
                    let started = Instant::now();
                    assert_eq!(asked.get(path).status, 200, "{path}");
                    slowest = slowest.max(started.elapsed());
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            slowest
        });
        let end = End(over);
        action();
        drop(end);
        asking.join().unwrap()
    })
}

/// Ends the asking, even when the action fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
