//! The runtime under stress: clients that abort in every phase beside clients that want every answer,
//! on coroutines and on threads. `SIGNERD_STRESS_SECONDS` makes it longer; run it so at every new
//! version of may.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signerd::server::ConnectionLimits;
use signerd::server::tls::Tls;
use signerd::wait::promise;

use crate::rig::{RUNTIMES, Rig, connect, read_answer};
use crate::support::Scratch;
use crate::support::secured::secure;

/// Deadlines that are short enough to pass all the time, for clients that abort. On a busy machine others
/// miss them too.
fn hasty() -> ConnectionLimits {
    let soon = Duration::from_millis(150);
    ConnectionLimits {
        head: soon,
        body: soon,
        ..ConnectionLimits::default()
    }
}

#[test]
fn no_answer_is_lost_while_others_abort_in_every_phase() {
    let seconds = std::env::var("SIGNERD_STRESS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2);
    let scratch = Scratch::new("stress");
    let tls = Tls::open(crate::tls::files(&scratch, "server")).unwrap();
    for runtime in RUNTIMES {
        // All three have the same worker.
        let (rig, hasty) = (
            Rig::start(runtime, ConnectionLimits::default()),
            Rig::start(runtime, hasty()),
        );
        let secured = Rig::secure(runtime, ConnectionLimits::default(), Some(Arc::clone(&tls)));
        let (over, answers, aborts) = (
            AtomicBool::new(false),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        std::thread::scope(|scope| {
            let over = &over;
            let honest: [(Honest, SocketAddr); 7] = [
                (keep_alive, rig.address),
                (new_connections, rig.address),
                (pipeline, rig.address),
                (slow, rig.address),
                (bodies, rig.address),
                (secure_keep_alive, secured.address),
                (secure_pipeline, secured.address),
            ];
            for (client, address) in honest {
                let answers = &answers;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        answers.fetch_add(client(address), Ordering::Relaxed);
                    }
                });
            }
            for (seed, address) in [(1, hasty.address), (2, rig.address), (3, secured.address)] {
                let aborts = &aborts;
                scope.spawn(move || {
                    let mut random = seed;
                    while !over.load(Ordering::Relaxed) {
                        abort_somewhere(address, seed == 3, &mut random);
                        aborts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            std::thread::sleep(Duration::from_secs(seconds));
            over.store(true, Ordering::Relaxed);
        });
        let (answers, aborts) = (answers.into_inner(), aborts.into_inner());
        println!("{runtime:?}: {answers} answers, none lost; {aborts} aborted connections");
        assert!(answers > 0 && aborts > 0);
        for rig in [rig, hasty, secured] {
            rig.wait_for_connections(0);
            assert!(rig.running.stop());
        }
    }
}

#[test]
fn no_deadline_of_the_connection_ends_a_request_that_waits_for_its_answer() {
    let short = Duration::from_millis(50); // the answer takes 300
    for runtime in RUNTIMES {
        let rig = Rig::start(
            runtime,
            ConnectionLimits {
                head: short,
                body: short,
                idle: short,
                write: short,
                write_signature: short,
                ..ConnectionLimits::default()
            },
        );
        let answer = rig.exchange(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.ends_with("waited"), "{runtime:?}: {answer}");
    }
}

#[test]
fn waiting_requests_do_not_hold_up_the_others() {
    for runtime in RUNTIMES {
        let rig = Arc::new(Rig::start(runtime, ConnectionLimits::default()));
        let waiting = (0..100).map(|_| {
            let rig = Arc::clone(&rig);
            std::thread::spawn(move || rig.exchange(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"))
        });
        let waiting = waiting.collect::<Vec<_>>();
        for _ in 0..10 {
            assert_eq!(keep_alive(rig.address), 50);
        }
        assert!(
            waiting
                .into_iter()
                .all(|client| client.join().unwrap().ends_with("waited"))
        );
    }
}

/// Asks, and gives the number of answers that it got.
type Honest = fn(SocketAddr) -> usize;

const UPCHECK: &[u8] = b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n";

fn keep_alive(address: SocketAddr) -> usize {
    let mut stream = connect(address);
    for _ in 0..50 {
        stream.write_all(UPCHECK).unwrap();
        assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    }
    50
}

fn new_connections(address: SocketAddr) -> usize {
    let mut stream = connect(address);
    stream.write_all(UPCHECK).unwrap();
    assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    1
}

fn pipeline(address: SocketAddr) -> usize {
    let mut stream = connect(address);
    stream.write_all(&UPCHECK.repeat(200)).unwrap();
    for _ in 0..200 {
        assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    }
    200
}

/// Takes its time for every piece.
fn slow(address: SocketAddr) -> usize {
    let mut stream = connect(address);
    for piece in UPCHECK.chunks(10) {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    1
}

fn secure_keep_alive(address: SocketAddr) -> usize {
    let mut stream = secure(connect(address), None);
    for _ in 0..50 {
        stream.write_all(UPCHECK).unwrap();
        assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    }
    50
}

fn secure_pipeline(address: SocketAddr) -> usize {
    let mut stream = secure(connect(address), None);
    stream.write_all(&UPCHECK.repeat(200)).unwrap();
    for _ in 0..200 {
        assert!(read_answer(&mut stream).ends_with("\r\n\r\nOK"));
    }
    200
}

fn bodies(address: SocketAddr) -> usize {
    let mut stream = connect(address);
    for length in [1, 5_000, 300_000] {
        write!(
            stream,
            "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&vec![1; length]).unwrap();
        assert!(
            read_answer(&mut stream).ends_with(&format!("\r\n\r\n{length} bytes, sum {length}"))
        );
    }
    3
}

/// Sends a part of two requests, perhaps waits past a deadline, and leaves in one way or another.
fn abort_somewhere(address: SocketAddr, is_secure: bool, random: &mut u64) {
    let mut next = |bound: u64| {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % bound
    };
    let script = [
        b"POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n".as_slice(),
        &[b'x'; 90],
        b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    .concat();
    let mut stream = connect(address);
    let cut = usize::try_from(next(script.len() as u64 + 1)).unwrap();
    if is_secure && next(4) > 0 {
        let mut secured = secure(stream, None);
        // The clock may have run out: then the other side is gone.
        secured
            .write_all(&script[..cut])
            .and_then(|()| secured.flush())
            .ok();
        stream = secured.sock;
    } else {
        stream.write_all(&script[..cut]).unwrap(); // no TLS at all, where TLS is expected
    }
    if next(8) == 0 {
        std::thread::sleep(Duration::from_millis(next(300)));
    }
    match next(4) {
        0 => drop(
            stream
                .shutdown(Shutdown::Write)
                .and_then(|()| stream.read(&mut [0; 4096])),
        ),
        1 => drop(stream.read(&mut [0; 10])), // leaves the rest unread: a reset
        2 => drop(stream.shutdown(Shutdown::Both)),
        _ => {}
    }
}

#[test]
fn an_answer_arrives_before_or_after_the_caller_waits() {
    let (kept, answer) = promise();
    kept.keep(1);
    assert_eq!(answer.wait(), Some(1));

    let (kept, answer) = promise();
    let worker = std::thread::spawn(move || kept.keep(2));
    assert_eq!(answer.wait(), Some(2));
    worker.join().expect("the worker does not panic");
}

#[test]
fn a_dropped_promise_wakes_the_caller_with_nothing() {
    let (kept, answer) = promise::<u8>();
    std::thread::spawn(move || drop(kept));
    assert_eq!(answer.wait(), None);
}
