//! Killed at random moments under load, again and again: among all that any client was told is
//! cleared there is no slashable pair.
//!
//! `SIGNERD_CRASH_KILLS=500 cargo test --test main crash` runs longer than the default.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, io, thread};

use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::slashing::rule::Message;
use signerd::slashing::{Floor, Protection, Refused, Settings};

use crate::protection::slashable;
use crate::random::Random;
use crate::scratch::Scratch;

const KILLS: u64 = 20;
const CONNECTIONS: u64 = 32;
const KEYS: u64 = 8;
/// Where the child finds its store; the parent sets it.
const DIRECTORY: &str = "SIGNERD_CRASH_DIRECTORY";

/// Key, slot or source, target (for a block: `BLOCK`) and root, in a few bytes for the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    key: u8,
    first: u64,
    target: u64,
    root: u8,
}

const BLOCK: u64 = u64::MAX;
const FRAME_BYTES: usize = 18;

#[test]
fn no_slashable_pair_leaves_a_process_that_is_killed_again_and_again() {
    let kills = env::var("SIGNERD_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let mut random = Random::new(kills);
    let (mut cleared, mut felt) = (Vec::new(), 0);
    // Time goes on while the process does not: what is asked moves up with every answer.
    let clock = AtomicU64::new(0);
    for kill in 0..kills {
        let (mut child, port) = start(&scratch);
        replay_conflicts(port, &cleared);
        let answers = thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|client| {
                    let clock = &clock;
                    scope.spawn(move || ask_until_it_dies(port, clock, kill * CONNECTIONS + client))
                })
                .collect();
            thread::sleep(Duration::from_micros(5_000 + random.below(50_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        felt += answers.iter().filter(|(_, cut)| *cut).count();
        cleared.extend(answers.into_iter().flat_map(|(cleared, _)| cleared));
    }
    assert!(felt > 0 && cleared.len() as u64 > kills * 10, "{} cleared, {felt} cut", cleared.len());
    assert_no_slashable_pair(&cleared);
}

fn start(scratch: &Scratch) -> (Child, u16) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, scratch.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.filter_map(|line| line.strip_prefix("port ")?.parse().ok()).next();
    (child, port.expect("the child opens its store after every kill"))
}

/// The other block or vote for what was cleared last must be refused now.
fn replay_conflicts(port: u16, cleared: &[Asked]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for asked in cleared.iter().rev().take(100) {
        let conflict = Asked { root: 1 - asked.root, ..*asked };
        assert!(!ask(&mut stream, conflict).unwrap(), "{conflict:?}");
    }
}

/// What was cleared on one connection, and whether the end came in the middle of a request.
fn ask_until_it_dies(port: u16, clock: &AtomicU64, seed: u64) -> (Vec<Asked>, bool) {
    let mut cleared = Vec::new();
    let mut random = Random::new(seed);
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (cleared, false) };
    loop {
        let now = clock.fetch_add(1, Ordering::Relaxed) / CONNECTIONS;
        let [first, target] = [now + random.below(3), now + random.below(3)];
        let target = if random.below(2) == 0 { BLOCK } else { target };
        let key = u8::try_from(random.below(KEYS)).unwrap();
        let asked = Asked { key, first, target, root: u8::from(random.below(2) == 0) };
        match ask(&mut stream, asked) {
            Ok(true) => cleared.push(asked),
            Ok(false) => {}
            Err(_) => return (cleared, true),
        }
    }
}

fn ask(stream: &mut TcpStream, asked: Asked) -> io::Result<bool> {
    let mut frame = [0; FRAME_BYTES];
    frame[0] = asked.key;
    frame[1..9].copy_from_slice(&asked.first.to_le_bytes());
    frame[9..17].copy_from_slice(&asked.target.to_le_bytes());
    frame[17] = asked.root;
    stream.write_all(&frame)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0] == 1)
}

fn assert_no_slashable_pair(cleared: &[Asked]) {
    let mut blocks = BTreeMap::new();
    let mut votes = BTreeMap::<u8, BTreeMap<u64, Asked>>::new();
    for asked in cleared {
        let known = match asked.target {
            BLOCK => *blocks.entry((asked.key, asked.first)).or_insert(*asked),
            target => *votes.entry(asked.key).or_default().entry(target).or_insert(*asked),
        };
        assert_eq!(known, *asked, "double");
    }
    for votes in votes.values() {
        // In the order of their targets: a source that goes back is surrounded by, or surrounds.
        let votes: Vec<_> = votes.values().collect();
        for pair in votes.windows(2) {
            assert!(pair[0].first <= pair[1].first, "surround: {pair:?}");
        }
    }
}

/// Not a test of its own but the process that is killed: serves frames on a port that it prints.
#[test]
#[ignore = "started by the test above"]
fn child() {
    let directory = env::var_os(DIRECTORY).expect("started by the test above");
    let settings = Settings {
        directory: directory.into(),
        block_floor: Floor::Set(0),
        vote_floor: Floor::Set(0),
        chain: None,
    };
    let protection = Protection::open(&settings).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    println!("\nport {}", listener.local_addr().unwrap().port());
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let protection = &protection;
            scope.spawn(move || answer_frames(stream.unwrap(), protection));
        }
    });
}

fn answer_frames(mut stream: TcpStream, protection: &Protection) {
    let mut frame = [0; FRAME_BYTES];
    while stream.read_exact(&mut frame).is_ok() {
        let [first, target] = [1, 9].map(|at| u64::from_le_bytes(frame[at..at + 8].try_into().unwrap()));
        let message = match target {
            BLOCK => Message::Block(Slot(first)),
            target => Message::Vote(Epoch(first), Epoch(target)),
        };
        let cleared =
            protection.clear(&PublicKey([frame[0]; 48]), &slashable(message), Root([frame[17]; 32]));
        assert!(!matches!(cleared, Err(Refused::Unavailable(_))), "{cleared:?}");
        if stream.write_all(&[u8::from(cleared.is_ok())]).is_err() {
            return;
        }
    }
}
