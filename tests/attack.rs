//! The real binary under attack: memory stays bounded, descriptors come back, and an honest client gets
//! every signature. `SIGNERD_ATTACK=full` runs it at full size.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::{Signer, Transport, binary};

/// Resident memory that no attack may exceed.
const RESIDENT_KIB_MAX: u64 = 128 * 1024;

/// One attack: the address, and how much of it.
type Attack = fn(&str, usize);

/// Name, attack, its amount in a quick run and in a full one.
const ATTACKS: [(&str, Attack, [usize; 2]); 13] = [
    ("heads without end", endless_heads, [8, 64]),
    ("chunked bodies without end", endless_bodies, [2, 8]),
    ("32 MiB of zeros", zeros, [1, 4]),
    ("idle connections", idle, [400, 4_000]),
    ("connections that trickle", trickle, [100, 1_000]),
    (
        "connections opened and closed",
        open_and_close,
        [2_000, 200_000],
    ),
    (
        "half-closed and reset in the body",
        cut_bodies,
        [200, 5_000],
    ),
    ("TLS and other garbage", garbage, [200, 5_000]),
    ("bad tokens", bad_tokens, [200, 10_000]),
    ("more idle connections than places", idle, [4_500, 4_500]),
    (
        "bodies without their last byte",
        unfinished_bodies,
        [12, 48],
    ),
    (
        "long heads and bodies without their end",
        unfinished_requests,
        [500, 4_500],
    ),
    ("large arrays", large_arrays, [50, 150]),
];

#[test]
fn an_honest_client_gets_every_signature_while_others_attack() {
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token",
        "correct-horse-battery",
    ]);
    signer.wait_loaded();
    let descriptors = descriptors(&signer);
    let (over, slowest_us) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let address = &signer.address;
        let _end = End(&over);
        let honest = scope.spawn(|| sign_until(address, &over));
        scope.spawn(|| ask_until(address, &over, &slowest_us));
        for (name, attack, amounts) in ATTACKS {
            let started = Instant::now();
            slowest_us.store(0, Ordering::Relaxed);
            attack(address, amounts[usize::from(is_full())]);
            let (resident, slowest) = (
                signer.memory_kib("VmRSS"),
                slowest_us.load(Ordering::Relaxed),
            );
            let seconds = started.elapsed().as_secs_f32();
            println!(
                "{name}: {seconds:.1} s, {resident} KiB resident, slowest upcheck {slowest} us"
            );
            assert!(resident < RESIDENT_KIB_MAX, "{name}: {resident} KiB");
        }
        over.store(true, Ordering::Relaxed);
        println!("{} signatures, none lost", honest.join().unwrap());
    });
    for _ in 0..1500 {
        if self::descriptors(&signer) <= descriptors {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!(
        "{} descriptors after 15 s, {descriptors} before",
        self::descriptors(&signer)
    );
}

#[test]
fn an_idle_connection_costs_little_memory() {
    let connections = if is_full() { 4_000 } else { 400 };
    for (transport, kib_max) in [
        (Transport::Tcp, 16),
        (Transport::Unix, 16),
        (Transport::Tls, 30),
    ] {
        for signs in [false, true] {
            let signer = Signer::start_over(transport, &["--interop-keys", "0..1"]);
            signer.wait_loaded();
            let ask = |_| {
                let mut client = signer.client();
                let answer = match signs {
                    false => client.get("/health"),
                    true => client.post(SIGN, br#"{"signingRoot":"0x0000000000000000000000000000000000000000000000000000000000000000","domain_name":"beacon_attester"}"#),
                };
                assert_eq!(answer.status, 200, "{}", answer.text());
                client
            };
            (0..20).map(ask).for_each(drop); // what is made once
            let before = signer.memory_kib("VmRSS");
            let clients = (0..connections).map(ask).collect::<Vec<_>>();
            std::thread::sleep(Duration::from_secs(2)); // after one, an idle connection gives back memory
            let each = (signer.memory_kib("VmRSS") - before) as f64 / clients.len() as f64;
            println!(
                "{transport:?}, signs: {signs}: {each:.1} KiB each of {connections} idle connections"
            );
            // The budget is that of the static release binary, which a full attack is meant for.
            let slack = if is_full() { 1.0 } else { 2.0 };
            assert!(
                each <= f64::from(kib_max) * slack,
                "{transport:?}: {each} KiB"
            );
        }
    }
}

#[test]
fn without_descriptors_it_pauses_and_recovers() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(binary());
    command.args([
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
    ]);
    let mut signer = Signer::spawn(&mut command);
    let streams = (0..100)
        .map(|_| connect(&signer.address))
        .collect::<Vec<_>>();
    signer.wait_for_line("cannot accept a connection: ");
    let lines = signer.log().lines().count();
    std::thread::sleep(Duration::from_secs(1));
    let more = signer.log().lines().count() - lines;
    assert!(more < 100, "{more} attempts a second: it spins");
    drop(streams);
    assert_eq!(signer.client().get("/health").status, 200);
}

fn is_full() -> bool {
    std::env::var_os("SIGNERD_ATTACK").is_some_and(|size| size == "full")
}

/// Ends the honest clients, even when an attack fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn descriptors(signer: &Signer) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", signer.pid()))
        .unwrap()
        .count()
}

/// Signs on one connection, again and again; every answer must be a signature.
fn sign_until(address: &str, over: &AtomicBool) -> usize {
    let mut client = Client::connect(address);
    let authorization = [
        ("Authorization", "Bearer correct-horse-battery"),
        ("Accept", "application/json"),
    ];
    let keys = client
        .request("GET", "/api/v1/eth2/publicKeys", &authorization, b"")
        .json();
    let path = format!("/api/v1/eth2/sign/{}", keys[0].as_str().unwrap());
    let mut signatures = 0;
    while !over.load(Ordering::Relaxed) {
        let body =
            format!(r#"{{"signingRoot":"0x{signatures:064x}","domain_name":"beacon_attester"}}"#);
        let answer = client.request("POST", &path, &authorization, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        signatures += 1;
    }
    signatures
}

/// Asks for health on one connection; every answer must come.
fn ask_until(address: &str, over: &AtomicBool, slowest_us: &AtomicU64) {
    let mut client = Client::connect(address);
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        assert_eq!(client.get("/health").status, 200);
        let us = u64::try_from(started.elapsed().as_micros()).unwrap();
        slowest_us.fetch_max(us, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Sends `start`, then `more` until the server refuses. Returns the answer.
fn pour(address: &str, start: &[u8], more: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(start).unwrap();
    while stream.write_all(more).is_ok() {}
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

fn endless_heads(address: &str, amount: usize) {
    let pours = |_| {
        std::thread::spawn({
            let address = address.to_owned();
            move || pour(&address, b"GET / HTTP/1.1\r\nX: ", &[b'x'; 65_536])
        })
    };
    (0..amount)
        .map(pours)
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|it| drop(it.join().unwrap()));
}

fn endless_bodies(address: &str, amount: usize) {
    let start = format!("POST {SIGN} HTTP/1.1\r\n{FIELDS}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[0; 65_536], b"\r\n"].concat();
    (0..amount).for_each(|_| drop(pour(address, start.as_bytes(), &chunk)));
}

fn zeros(address: &str, amount: usize) {
    let length = 32 << 20;
    let send = |stream: &mut TcpStream| (0..512).try_for_each(|_| stream.write_all(&[0; 65_536]));
    for _ in 0..amount {
        let mut stream = connect(address);
        write!(
            stream,
            "POST {SIGN} HTTP/1.1\r\n{FIELDS}Content-Length: {length}\r\n\r\n"
        )
        .unwrap();
        send(&mut stream).unwrap();
        assert_eq!(status(&mut stream), "HTTP/1.1 400");

        // Without a token the answer does not wait for the body, and a body that is sent all the same is cut off.
        let mut stream = connect(address);
        write!(
            stream,
            "POST {SIGN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        assert_eq!(status(&mut stream), "HTTP/1.1 401");
        send(&mut stream).unwrap_err();
    }
}

fn status(stream: &mut TcpStream) -> String {
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    String::from_utf8_lossy(&status).into_owned()
}

fn idle(address: &str, amount: usize) {
    let streams = (0..amount).map(|_| connect(address)).collect::<Vec<_>>();
    std::thread::sleep(Duration::from_millis(500));
    drop(streams);
}

fn trickle(address: &str, amount: usize) {
    let mut streams = (0..amount).map(|_| connect(address)).collect::<Vec<_>>();
    for byte in b"GET /health HTTP/1.1\r\n" {
        streams
            .iter_mut()
            .for_each(|stream| stream.write_all(&[*byte]).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn open_and_close(address: &str, amount: usize) {
    (0..amount).for_each(|_| drop(connect(address)));
}

fn cut_bodies(address: &str, amount: usize) {
    for number in 0..amount {
        let mut stream = connect(address);
        write!(
            stream,
            "POST {SIGN} HTTP/1.1\r\n{FIELDS}Content-Length: 99\r\n\r\nabc"
        )
        .unwrap();
        match number % 3 {
            0 => stream.shutdown(Shutdown::Write).unwrap(),
            1 => {}
            _ => stream.shutdown(Shutdown::Both).unwrap(),
        }
        if number % 3 == 0 {
            assert_eq!(status(&mut stream), "HTTP/1.1 400"); // and leaves the rest: a reset
        }
    }
}

fn garbage(address: &str, amount: usize) {
    for number in 0..amount {
        let mut stream = connect(address);
        let noise = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
            b"\x80\x80\x80",
            b"\r\n\r\n\0",
        ];
        stream.write_all(noise[number % noise.len()]).unwrap();
        assert_eq!(status(&mut stream), "HTTP/1.1 400");
    }
}

/// At the same time, as much of each as the server takes.
fn unfinished_bodies(address: &str, amount: usize) {
    let length = 32 << 20;
    std::thread::scope(|scope| {
        for _ in 0..amount {
            scope.spawn(|| {
                let mut stream = connect(address);
                write!(
                    stream,
                    "POST {SIGN} HTTP/1.1\r\n{FIELDS}Content-Length: {length}\r\n\r\n"
                )
                .unwrap();
                let sent = (0..511).try_for_each(|_| stream.write_all(&[b' '; 65_536]));
                std::thread::sleep(Duration::from_secs(2));
                sent.is_ok()
            });
        }
    });
}

/// On each connection either a head of 15 KiB or a body of 15 KiB, and nothing more.
fn unfinished_requests(address: &str, amount: usize) {
    let filler = "x".repeat(15 * 1024);
    let mut streams = Vec::new();
    for number in 0..amount {
        let mut stream = connect(address);
        let sent = if number % 2 == 0 {
            write!(stream, "POST {SIGN} HTTP/1.1\r\nX: {filler}")
        } else {
            write!(
                stream,
                "POST {SIGN} HTTP/1.1\r\n{FIELDS}Content-Length: 16000\r\n\r\n{filler}"
            )
        };
        if sent.is_ok() {
            streams.push(stream);
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    drop(streams);
}

/// Bodies of 254 KiB with as many elements as fit, again and again.
fn large_arrays(address: &str, amount: usize) {
    let body = format!(r#"{{"a":[{}0]}}"#, "[],".repeat(86_000));
    let request = format!(
        "POST {SIGN} HTTP/1.1\r\n{FIELDS}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::scope(|scope| {
        for _ in 0..amount {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                for _ in 0..20 {
                    client.send(request.as_bytes());
                    assert_eq!(client.answer(false).status, 400);
                }
            });
        }
    });
}

/// From many connections: the answers to an address that guesses are held back.
fn bad_tokens(address: &str, amount: usize) {
    const CONNECTIONS: usize = 100;
    std::thread::scope(|scope| {
        for guesser in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for number in (guesser..amount).step_by(CONNECTIONS) {
                    let token = format!("Bearer wrong-{number}");
                    let path = "/api/v1/eth2/publicKeys";
                    let answer = client.request("GET", path, &[("Authorization", &token)], b"");
                    assert_eq!(answer.status, 403);
                }
            });
        }
    });
}

/// What the service asks for before it reads a body.
const FIELDS: &str = "Host: localhost\r\nAuthorization: Bearer correct-horse-battery\r\n";

/// A path that takes the largest bodies.
const SIGN: &str = "/api/v1/eth2/sign/0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";
