//! Floods: no client occupies the one worker, takes all connections or fills the memory, and honest clients
//! are served meanwhile. `SIGNERD_ATTACK=full` asserts the bounds of a release build.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};
use signerd::server::{ConnectionLimits, Server, ServerSettings};

use crate::keymanager::{Manager, keystore, statuses};
use crate::rig::{RUNTIMES, Rig, connect, read_all, read_answer};
use crate::support::client::{Client, tcp};
use crate::support::secured::{Secured, private, secure, source};
use crate::support::{Scratch, Signer, Transport, vectors};

/// Resident memory that no flood may exceed.
const RESIDENT_KIB_MAX: u64 = 128 * 1024;

/// The first interop key.
const KEY: &str = "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";

fn sign_path() -> String {
    format!("/api/v1/eth2/sign/{KEY}")
}

fn is_full() -> bool {
    std::env::var_os("SIGNERD_ATTACK").is_some_and(|size| size == "full")
}

/// What a flood may add to the time of an honest signature; the machine of a quick run may be busy with
/// other tests, and its build is slower.
fn bound() -> Duration {
    if is_full() {
        Duration::from_millis(100)
    } else {
        Duration::from_millis(250)
    }
}

/// Sends a signing request again and again while `flood` runs; asserts that the slowest but one in a hundred is
/// hardly slower than without it.
fn assert_signatures_meanwhile(client: &mut Client, flood: impl FnOnce(&AtomicBool) + Send) {
    let mut number = 0_u64;
    let mut sign = |client: &mut Client| {
        number += 1;
        let body = format!(r#"{{"signingRoot":"0x{number:064x}","domain_name":"randao"}}"#);
        let started = Instant::now();
        let answer = client.post(&sign_path(), body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        started.elapsed()
    };
    let slow = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100]
    };
    let before = slow((0..200).map(|_| sign(client)).collect());
    let is_over = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| flood(&is_over));
        let started = Instant::now();
        std::thread::sleep(Duration::from_millis(500));
        while started.elapsed() < Duration::from_secs(4) {
            times.push(sign(client));
            std::thread::sleep(Duration::from_millis(5));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let count = times.len();
    let meanwhile = slow(times);
    println!("p99 of {count} signatures: {before:?} before, {meanwhile:?} meanwhile");
    assert!(
        meanwhile < before + bound(),
        "{before:?}, then {meanwhile:?}"
    );
}

#[test]
fn large_arrays_do_not_hold_up_signatures() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    // The largest bodies that are read by the worker, that go through a tape, and larger ones.
    for kib in [4, 16, 254, 400] {
        // Most elements in the fewest bytes, in an object that is read to its end before it is refused.
        let array = "[],".repeat(kib * 1024 / 3 - 20);
        let body = format!(r#"{{"a":[{array}0]}}"#);
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            sign_path(),
            body.len()
        );
        println!("{kib} KiB:");
        assert_signatures_meanwhile(&mut signer.client(), |is_over| {
            std::thread::scope(|scope| {
                for _ in 0..150 {
                    scope.spawn(|| {
                        let mut client = Client::connect(&signer.address);
                        while !is_over.load(Ordering::Relaxed) {
                            client.send(request.as_bytes());
                            assert_eq!(client.answer(false).status, 400);
                        }
                    });
                }
            });
        });
    }
}

#[test]
fn a_flood_of_handshakes_does_not_hold_up_signatures() {
    let scratch = Scratch::new("flood-handshakes");
    let [certificate, key] =
        ["server-rsa.pem", "server-rsa.key"].map(|name| private(&scratch, name));
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ]);
    let address = signer.address.clone();
    let open = move || {
        let stream = secure(tcp(&address)?, None);
        Some(Box::new(Secured(stream)) as _)
    };
    let mut client = Client::over(&signer.address, Box::new(open)).unwrap();
    while client.get("/health").status != 200 {}
    let hello = client_hello();
    assert_signatures_meanwhile(&mut client, |is_over| {
        let mut open = VecDeque::new();
        while !is_over.load(Ordering::Relaxed) {
            let mut stream = connect(signer.address.parse().unwrap());
            stream.write_all(&hello).unwrap();
            open.push_back(stream);
            if open.len() > 500 {
                open.pop_front();
            }
            std::thread::sleep(Duration::from_millis(4)); // 250 a second
        }
    });
}

/// The first bytes of a handshake.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut connection =
        ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn a_duty_has_at_most_as_many_elements_as_the_largest_of_its_type() {
    let block = largest_block();
    let lines = vectors::lines("sign_requests.jsonl");
    let fork_info = &lines
        .iter()
        .find(|line| line["request"]["type"] == "BLOCK")
        .unwrap()["request"]["fork_info"];
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let mut client = signer.client();
    let mut post = |request: &Value| {
        let answer = client.post(&sign_path(), request.to_string().as_bytes());
        (answer.status, answer.text())
    };
    let mut altair = block.clone();
    altair["body"]["sync_aggregate"] = json!({
        "sync_committee_bits": format!("0x{}", "ff".repeat(64)),
        "sync_committee_signature": format!("0x{}", "c0".repeat(96)),
    });
    for request in [
        json!({"type": "BLOCK", "fork_info": fork_info, "block": block}),
        json!({"type": "BLOCK_V2", "fork_info": fork_info, "beacon_block": {"version": "ALTAIR", "block": altair}}),
    ] {
        println!("{} elements", elements(&request));
        let (status, text) = post(&request);
        assert_eq!(status, 200, "the largest block: {text}");
    }
    let commitments = vec![format!("0x{}", "c0".repeat(48)); 4096];
    let bid = json!({
        "parent_block_hash": root(), "parent_block_root": root(), "block_hash": root(), "prev_randao": root(),
        "fee_recipient": format!("0x{}", "11".repeat(20)), "gas_limit": "1", "builder_index": "1", "slot": "1",
        "value": "1", "execution_payment": "1", "blob_kzg_commitments": commitments,
        "execution_requests_root": root(),
    });
    let request = json!({"type": "EXECUTION_PAYLOAD_BID", "fork_info": fork_info, "execution_payload_bid": bid});
    println!("{} elements", elements(&request));
    let (status, text) = post(&request);
    assert_eq!(status, 200, "the largest bid: {text}");

    for (kind, elements_max) in [
        ("ATTESTATION", 8_192),
        ("RANDAO_REVEAL", 8_192),
        ("BLOCK_V2", 16_384),
        ("EXECUTION_PAYLOAD_ENVELOPE", 524_288),
    ] {
        let with = |numbers: usize| json!({"type": kind, "junk": vec![1_000; numbers]});
        let few = with(elements_max - 10);
        assert!(elements(&few) <= elements_max);
        let (status, text) = post(&few);
        assert!(
            status == 400 && text.contains("is missing"),
            "as many as there may be: {text}"
        );
        let (status, text) = post(&with(elements_max + 10));
        // No type has more than an envelope: beyond its bound a body is not even parsed to its type.
        let expected = if kind == "EXECUTION_PAYLOAD_ENVELOPE" {
            format!("more than {elements_max} JSON elements")
        } else {
            format!("expected at most {elements_max} for ")
        };
        assert!(status == 400 && text.contains(&expected), "{kind}: {text}");
    }
    let (status, text) = post(&json!({"signingRoot": root(), "junk": vec![1_000; 8_200]}));
    assert!(
        status == 400 && text.contains("at most 8192 for a request without a type"),
        "{text}"
    );
}

fn root() -> String {
    format!("0x{}", "5a".repeat(32))
}

/// Objects, arrays, and members of these.
fn elements(value: &Value) -> usize {
    match value {
        Value::Array(items) => {
            1 + items.len().saturating_sub(1) + items.iter().map(elements).sum::<usize>()
        }
        Value::Object(members) => {
            1 + members.len().saturating_sub(1) + members.values().map(elements).sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A block of PHASE0 with all that fits.
fn largest_block() -> Value {
    let signature = format!("0x{}", "c0".repeat(96));
    let key = format!("0x{}", "c0".repeat(48));
    let data = json!({
        "slot": "1", "index": "1", "beacon_block_root": root(),
        "source": {"epoch": "0", "root": root()}, "target": {"epoch": "1", "root": root()},
    });
    let header = json!({
        "message": {
            "slot": "1", "proposer_index": "1", "parent_root": root(), "state_root": root(), "body_root": root(),
        },
        "signature": signature,
    });
    let attestation = json!({
        "aggregation_bits": format!("0x{}01", "ff".repeat(256)), "data": data, "signature": signature,
    });
    let indices = (0..2048).map(|index| index.to_string()).collect::<Vec<_>>();
    let vote = json!({"attesting_indices": indices, "data": data, "signature": signature});
    let deposit = json!({
        "proof": vec![root(); 33],
        "data": {
            "pubkey": key, "withdrawal_credentials": root(), "amount": "32000000000", "signature": signature,
        },
    });
    let exit = json!({"message": {"epoch": "1", "validator_index": "1"}, "signature": signature});
    let body = json!({
        "randao_reveal": signature,
        "eth1_data": {"deposit_root": root(), "deposit_count": "1", "block_hash": root()},
        "graffiti": root(),
        "proposer_slashings": vec![json!({"signed_header_1": header, "signed_header_2": header}); 16],
        "attester_slashings": vec![json!({"attestation_1": vote, "attestation_2": vote}); 2],
        "attestations": vec![attestation; 128],
        "deposits": vec![deposit; 16],
        "voluntary_exits": vec![exit; 16],
    });
    json!({
        "slot": "1", "proposer_index": "1", "parent_root": root(), "state_root": root(), "body": body,
    })
}

#[test]
fn idle_connections_keep_no_client_from_either_port() {
    drop(Server::bind(ServerSettings::default()).unwrap()); // raises the limit of descriptors of this process
    let signer = Signer::start(&["--interop-keys", "0..1", "--auth-token", "correct-horse"]);
    signer.wait_loaded();
    let token = [("Authorization", "Bearer correct-horse")];
    let keys = "/api/v1/eth2/publicKeys";
    let mut known = signer.client();
    assert_eq!(known.request("GET", keys, &token, b"").status, 200);
    let metrics = signer.metrics.clone().unwrap();
    for address in [&signer.address, &metrics] {
        let mut idle = Vec::new();
        for _ in 0..4_500 {
            idle.push(connect(address.parse().unwrap()));
        }
        let mut new = signer.client();
        assert_eq!(
            new.request("GET", keys, &token, b"").status,
            200,
            "a new one"
        );
        assert_eq!(
            known
                .try_request("GET", keys, &token, b"")
                .map(|answer| answer.status),
            Some(200),
            "one that has shown its token goes last"
        );
        for path in ["/healthcheck", "/metrics"] {
            let answer = Client::connect(&metrics).request("GET", path, &token, b"");
            assert_eq!(answer.status, 200, "{path} of the metrics port");
        }
        assert!(signer.memory_kib("VmRSS") < RESIDENT_KIB_MAX);
        drop(idle);
    }
}

#[test]
fn one_address_has_a_bound_of_its_own() {
    let scratch = Scratch::new("flood-address");
    let socket = scratch.path().join("socket").display().to_string();
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--max-connections-local",
        "3",
        "--listen-unix",
        &socket,
    ]);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = signer.client();
        assert_eq!(client.get("/health").status, 200);
        std::thread::sleep(Duration::from_millis(250)); // the clock of the connections is a coarse one
        clients.push(client);
    }
    assert!(
        clients[0].is_closed(),
        "the one that has been idle for the longest time"
    );
    for client in &mut clients[1..] {
        assert_eq!(client.get("/health").status, 200);
    }
    let mut unix = UnixStream::connect(&socket).unwrap();
    unix.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(
        read_answer(&mut unix).starts_with("HTTP/1.1 200 "),
        "the Unix socket has its own"
    );
}

#[test]
fn a_wrong_token_does_not_hold_up_good_requests_on_the_same_connection() {
    let signer = Signer::start(&["--interop-keys", "0..1", "--auth-token", "correct-horse"]);
    signer.wait_loaded();
    let request = |token: &str| {
        format!(
            "GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
    };
    let (wrong, good) = (request("wrong"), request("correct-horse"));
    let timed = |requests: &[&str]| {
        let mut client = signer.client();
        let started = Instant::now();
        client.send(requests.concat().as_bytes());
        let mut statuses = Vec::new();
        for _ in requests {
            statuses.push(client.answer(false).status);
        }
        (statuses, started.elapsed())
    };
    for _ in 0..8 {
        assert_eq!(timed(&[&wrong]).0, [403], "the first ones are free");
    }
    let (statuses, time) = timed(&[&wrong]);
    assert!(
        statuses == [403] && time >= Duration::from_millis(300),
        "guessing is slow: {time:?}"
    );
    let (statuses, time) = timed(&[&wrong, &wrong, &wrong]);
    assert!(
        statuses == [403; 3] && time >= Duration::from_millis(1_200),
        "also without waiting for the answers: {time:?}"
    );
    for requests in [
        &[&wrong as &str, &good][..],
        &[&good, &wrong, &good],
        &[&wrong, &wrong, &wrong, &good],
        &[&[&wrong as &str; 20][..], &[&good]].concat(),
    ] {
        let (statuses, time) = timed(requests);
        assert_eq!(statuses.last(), Some(&200));
        assert!(
            time < Duration::from_millis(300),
            "{requests:?} took {time:?}"
        );
    }
    // Not all at once: the good one comes while the answer to the wrong one is held back.
    let mut client = signer.client();
    let started = Instant::now();
    client.send(wrong.as_bytes());
    std::thread::sleep(Duration::from_millis(50));
    client.send(good.as_bytes());
    assert_eq!(
        [client.answer(false).status, client.answer(false).status],
        [403, 200]
    );
    assert!(
        started.elapsed() < Duration::from_millis(350),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn unfinished_bodies_keep_the_process_under_128_mib() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut stream = connect(signer.address.parse().unwrap());
                let length = 32 << 20;
                let head = format!(
                    "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n",
                    sign_path()
                );
                // All but the last byte, or until it is refused.
                let sent = stream
                    .write_all(head.as_bytes())
                    .and_then(|()| (0..511).try_for_each(|_| stream.write_all(&[b' '; 65_536])))
                    .and_then(|()| stream.write_all(&[b' '; 65_535]));
                std::thread::sleep(Duration::from_secs(1));
                sent.is_ok()
            });
        }
        std::thread::sleep(Duration::from_millis(1_500));
        let mut client = signer.client();
        assert_eq!(client.get("/health").status, 200);
        let body = br#"{"signingRoot":"0x0000000000000000000000000000000000000000000000000000000000000000","domain_name":"randao"}"#;
        assert_eq!(
            client.post(&sign_path(), body).status,
            200,
            "duties are small"
        );
    });
    let peak = signer.memory_kib("VmHWM");
    println!("{peak} KiB at most");
    assert!(peak < RESIDENT_KIB_MAX, "{peak} KiB");
}

#[test]
fn what_is_only_announced_takes_no_memory() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let before = signer.memory_kib("VmRSS");
    let mut streams = Vec::new();
    for _ in 0..500 {
        let mut stream = connect(signer.address.parse().unwrap());
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33554432\r\n\r\n",
            sign_path()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[b' '; 5_000]).unwrap();
        streams.push(stream);
    }
    std::thread::sleep(Duration::from_millis(500));
    let each = (signer.memory_kib("VmRSS") - before) / 500;
    println!("{each} KiB each");
    assert!(each < 64, "{each} KiB for a body of which 5 have come");
}

#[test]
fn answers_that_are_not_read_share_a_bounded_memory() {
    for runtime in RUNTIMES {
        let rig = Rig::start(
            runtime,
            ConnectionLimits {
                bodies_bytes_max: 20 << 20,
                ..ConnectionLimits::default()
            },
        );
        let request = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut silent = [rig.connect(), rig.connect()];
        for stream in &mut silent {
            stream.write_all(request).unwrap();
            stream.read_exact(&mut [0; 1_000]).unwrap();
        }
        let answer = rig.exchange(request);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{:.200}", answer);
        let [mut first, second] = silent;
        assert_eq!(
            read_all(&mut first).len() % 1_000_000,
            (8 << 20) % 1_000_000 + first_head() - 1_000,
            "the answer is whole"
        );
        drop((first, second));
        rig.wait_for_connections(0);
        assert!(
            rig.exchange(request).starts_with("HTTP/1.1 200 "),
            "given back"
        );
    }
}

/// Bytes of the head of an answer of 8 MiB.
fn first_head() -> usize {
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\
     Content-Type: text/plain; charset=utf-8\r\nContent-Length: 8388608\r\n\r\n"
        .len()
}

#[test]
fn a_client_that_reads_no_answers_delays_the_deletion_of_its_key_by_five_seconds_at_most() {
    let scratch = Scratch::new("flood-lease");
    let socket = scratch.path().join("socket");
    let socket_option = socket.display().to_string();
    let manager = Manager::start(
        &scratch,
        &[
            "--slashing-protection-enabled=false",
            "--listen-unix",
            &socket_option,
        ],
    );
    manager.signer.wait_loaded();
    assert_eq!(manager.import([1, 2]), ["imported"; 2]);
    let [(held, ..), (other, ..)] = [keystore(1), keystore(2)];
    let body = format!(r#"{{"signingRoot":"{}","domain_name":"randao"}}"#, root());
    let request = format!(
        "POST /api/v1/eth2/sign/{held} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Its buffers are small, and soon full of answers that it does not read.
    let mut silent = UnixStream::connect(&socket).unwrap();
    silent
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let requests = request.repeat(50);
    let error = loop {
        if let Err(error) = silent.write_all(requests.as_bytes()) {
            break error;
        }
    };
    assert_eq!(
        error.kind(),
        ErrorKind::WouldBlock,
        "the server takes no more"
    );
    let delete = |key: &dyn std::fmt::Display| {
        let started = Instant::now();
        let answer = manager.call("DELETE", &json!({"pubkeys": [key.to_string()]}));
        assert_eq!(statuses(&answer), ["deleted"]);
        started.elapsed()
    };
    let time = delete(&held);
    println!("deleted after {time:?}");
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert!(
        delete(&other) < Duration::from_secs(4),
        "nothing holds this one"
    );
}

#[test]
fn a_reload_ends_the_connections_of_clients_that_are_not_listed_any_more() {
    let scratch = Scratch::new("flood-unlisted");
    let [certificate, key] = ["server.pem", "server.key"].map(|name| private(&scratch, name));
    let list = scratch.write("known", std::fs::read(source("known_clients.txt")).unwrap());
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--tls-known-clients",
        &list,
        "--tls-client-ca",
        &source("ca.pem"),
    ]);
    let client = |name: &'static str| {
        let address = signer.address.clone();
        let open = move || {
            let stream = secure(tcp(&address)?, Some(name));
            Some(Box::new(Secured(stream)) as _)
        };
        Client::over(&signer.address, Box::new(open)).unwrap()
    };
    let (mut listed, mut of_the_ca) = (client("stranger"), client("client"));
    assert_eq!(listed.get("/health").status, 200);
    assert_eq!(of_the_ca.get("/health").status, 200);
    signer.signal("HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(listed.get("/health").status, 200, "nothing has changed");

    std::fs::write(&list, "# nobody\n").unwrap();
    signer.signal("HUP");
    let started = Instant::now();
    assert!(listed.is_closed(), "its certificate is not listed any more");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "it does not wait for the end of its idle time"
    );
    assert_eq!(of_the_ca.get("/health").status, 200, "the others go on");
}

/// An import whose one value is huge. Beside this flood the bounds of keystores are tested where they
/// are.
#[test]
fn an_import_of_one_huge_value_keeps_the_process_under_128_mib() {
    let (_, good, _) = keystore(1);
    let good: Value = serde_json::from_str(&good).unwrap();
    for what in ["a password of 60 MiB", "parameters before their function"] {
        let mut body = String::new();
        if what == "a password of 60 MiB" {
            let keystore = serde_json::to_string(&good.to_string()).unwrap();
            write!(
                body,
                r#"{{"keystores":[{keystore}],"passwords":["{}"]}}"#,
                "\u{e9}".repeat(30 << 20)
            )
            .unwrap();
        } else {
            let numbers = "1,".repeat(27 << 20);
            let keystore =
                format!(r#"{{"crypto":{{"kdf":{{"params":[{numbers}1],"function":"scrypt"}}}}}}"#);
            let keystore = serde_json::to_string(&keystore).unwrap();
            write!(body, r#"{{"keystores":[{keystore}],"passwords":["x"]}}"#).unwrap();
        }
        let signer = Signer::start(&["--interop-keys", "0..1"]);
        signer.wait_loaded();
        let answer = signer.client().post("/eth/v1/keystores", body.as_bytes());
        println!("{what}: {} {}", answer.status, answer.text());
        assert_eq!(signer.client().get("/health").status, 200, "{what}");
        let peak = signer.memory_kib("VmHWM");
        println!("{what}: {peak} KiB at most");
        assert!(peak < RESIDENT_KIB_MAX, "{what}: {peak} KiB");
    }
}

#[test]
fn requests_for_many_keys_do_not_hold_up_the_others() {
    let signer = Signer::start(&["--interop-keys", "0..8000"]);
    signer.wait_loaded();
    let request = b"GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_signatures_meanwhile(&mut signer.client(), |is_over| {
        std::thread::scope(|scope| {
            for _ in 0..60 {
                scope.spawn(|| {
                    let mut client = Client::connect(&signer.address);
                    while !is_over.load(Ordering::Relaxed) {
                        client.send(request);
                        assert_eq!(client.answer(false).body.len(), 8000 * 101 + 1);
                    }
                });
            }
        });
    });
}

#[test]
fn a_flood_over_each_transport_leaves_health_alone() {
    for transport in Transport::ALL {
        let signer = Signer::start_over(transport, &["--interop-keys", "0..1"]);
        signer.wait_loaded();
        let body = format!(
            r#"{{"type":"ATTESTATION","a":[{}0]}}"#,
            "0,".repeat(500_000)
        );
        std::thread::scope(|scope| {
            for _ in 0..20 {
                let mut client = signer.client();
                let body = &body;
                scope.spawn(move || {
                    let answer = client.post(&sign_path(), body.as_bytes());
                    assert_eq!(answer.status, 400, "{}", answer.text());
                });
            }
            let started = Instant::now();
            assert_eq!(signer.client().get("/health").status, 200);
            assert!(started.elapsed() < Duration::from_secs(5), "{transport:?}");
        });
        assert!(
            signer.memory_kib("VmHWM") < RESIDENT_KIB_MAX,
            "{transport:?}"
        );
    }
}
