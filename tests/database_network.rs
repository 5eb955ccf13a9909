//! The network between signerd and the slashing protection database: connections that are cut at any byte
//! and at each message, that stall, and that are slow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signerd::consensus::primitives::{Epoch, PublicKey, Root};
use signerd::consensus::slashable::{Slashable, SlashableMessage};
use signerd::slashing::{
    DatabaseSettings, Protection, ProtectionSettings, Refused, StoreOpenError,
};

use crate::scratch::Scratch;
use crate::support::postgres::PostgresServer;

const KEY: PublicKey = PublicKey([7; 48]);

fn open(url: &str) -> Result<Protection, StoreOpenError> {
    let scratch = Scratch::new();
    Protection::open(&ProtectionSettings {
        database: Some(DatabaseSettings::from_url(url).unwrap()),
        ..scratch.settings()
    })
}

/// The URL of a database behind a proxy, which reads no TLS.
fn url_over(port: u16, database: &str) -> String {
    format!("jdbc:postgresql://127.0.0.1:{port}/{database}?user=postgres&sslmode=disable")
}

fn clear(protection: &Protection, epoch: u64, root: Root) -> Result<(), Refused> {
    let vote = SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch));
    let cleared = protection.clear(&KEY, &Slashable::On(Root::ZERO, vote), root);
    cleared.map(|_| ())
}

fn wait_healthy(protection: &Protection) {
    let begun = Instant::now();
    while let Err(failure) = protection.health() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{failure:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks that nothing slashable was signed, and that all that was signed is on record.
fn check_signed(server: &PostgresServer, database: &str, signed: &[(u64, Root)]) {
    for (index, (epoch, root)) in signed.iter().enumerate() {
        let twice = signed[..index]
            .iter()
            .find(|(other, other_root)| other == epoch && other_root != root);
        assert_eq!(twice, None, "a double vote at {epoch}");
    }
    let recorded = server.psql(
        database,
        "SELECT target_epoch, encode(signing_root, 'hex') FROM signed_attestations",
    );
    for (epoch, root) in signed {
        let row = format!("{epoch}|{}", &root.to_string()[2..]);
        assert!(
            recorded.lines().any(|line| line == row),
            "{row} is signed and not on record"
        );
    }
}

/// A proxy that passes whole messages of PostgreSQL's protocol, each after a delay, and ends or stalls the
/// connection of the message of a chosen number.
pub(crate) struct MessageProxy {
    pub(crate) port: u16,
    /// Messages that pass before the one that does not, both directions together.
    left: Arc<AtomicI64>,
    delay_ms: Arc<AtomicU64>,
    /// Whether nobody is let through.
    pub(crate) is_closed: Arc<AtomicBool>,
}

impl MessageProxy {
    pub(crate) fn start(target: u16, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let delay_ms = Arc::new(AtomicU64::new(0));
        let is_closed = Arc::new(AtomicBool::new(false));
        let proxy = Self {
            port,
            left: Arc::clone(&left),
            delay_ms: Arc::clone(&delay_ms),
            is_closed: Arc::clone(&is_closed),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                // Each message is a packet of its own.
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                for (from, to, is_client) in [(&client, &server, true), (&server, &client, false)] {
                    let from = from.try_clone().unwrap();
                    let to = to.try_clone().unwrap();
                    let left = Arc::clone(&left);
                    let delay_ms = Arc::clone(&delay_ms);
                    let is_closed = Arc::clone(&is_closed);
                    thread::spawn(move || {
                        let _ = pass_messages(&from, &to, is_client, cut, || {
                            thread::sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst)));
                            left.fetch_sub(1, Ordering::SeqCst) != 0
                                && !is_closed.load(Ordering::SeqCst)
                        });
                        let _ = from.shutdown(Shutdown::Both);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        proxy
    }
}

/// The first message of a client has no type, but a length as all others.
fn pass_messages(
    mut from: &TcpStream,
    mut to: &TcpStream,
    is_client: bool,
    cut: Cut,
    mut passes: impl FnMut() -> bool,
) -> std::io::Result<()> {
    let mut has_type = !is_client;
    loop {
        let mut head = [0; 5];
        let head = &mut head[usize::from(!has_type)..];
        from.read_exact(head)?;
        let length: [u8; 4] = head[head.len() - 4..].try_into().unwrap();
        let mut message = head.to_vec();
        message.resize(head.len() - 4 + u32::from_be_bytes(length) as usize, 0);
        from.read_exact(&mut message[head.len()..])?;
        has_type = true;
        if !passes() {
            if cut == Cut::HalfOpen {
                thread::sleep(Duration::from_secs(5));
            }
            return Ok(());
        }
        to.write_all(&message)?;
    }
}

#[test]
fn a_connection_cut_at_each_message_forgets_nothing_that_was_signed() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let is_long = std::env::var_os("SIGNERD_TEST_LONG").is_some();
    for cut in [Cut::Close, Cut::HalfOpen] {
        let database = server.create_database();
        let proxy = MessageProxy::start(server.port, cut);
        // How many messages a start and two votes take.
        proxy.left.store(1_000_000, Ordering::SeqCst);
        let protection = open(&url_over(proxy.port, &database)).unwrap();
        clear(&protection, 1, Root::ZERO).unwrap();
        clear(&protection, 2, Root::ZERO).unwrap();
        drop(protection);
        let messages = 1_000_000 - proxy.left.load(Ordering::SeqCst);
        assert!(messages > 60, "{messages}");
        let mut signed = vec![(1, Root::ZERO), (2, Root::ZERO)];
        let mut failures = 0;
        // A stalled connection takes two seconds to be given up.
        let step = if cut == Cut::HalfOpen && !is_long {
            17
        } else {
            1
        };
        for (round, number) in (0..messages).step_by(step).enumerate() {
            let epoch = 3 + 2 * round as u64;
            proxy.left.store(number, Ordering::SeqCst);
            let protection = open(&url_over(proxy.port, &database)).unwrap();
            for (epoch, root) in [(epoch, 1), (epoch, 2), (epoch + 1, 1), (epoch + 1, 2)] {
                let root = Root([root; 32]);
                match clear(&protection, epoch, root) {
                    Ok(()) => signed.push((epoch, root)),
                    Err(Refused::Unavailable(_)) => failures += 1,
                    Err(_) => {}
                }
            }
            proxy.left.store(i64::MAX, Ordering::SeqCst);
            wait_healthy(&protection);
            if clear(&protection, epoch + 1, Root([3; 32])).is_ok() {
                signed.push((epoch + 1, Root([3; 32])));
            }
        }
        println!(
            "{messages} messages, {cut:?}: {} signed, {failures} failures",
            signed.len()
        );
        assert!(failures > 3, "{failures}");
        check_signed(server, &database, &signed);
    }
}

#[test]
fn a_slow_database_is_given_up_within_the_time_of_a_client_and_used_again() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let proxy = MessageProxy::start(server.port, Cut::Close);
    let protection = open(&url_over(proxy.port, &database)).unwrap();
    clear(&protection, 1, Root::ZERO).unwrap();
    // Slow, but in time: the messages of one flush follow each other.
    proxy.delay_ms.store(20, Ordering::SeqCst);
    clear(&protection, 2, Root::ZERO).unwrap();
    for delay_ms in [150, 600] {
        proxy.delay_ms.store(delay_ms, Ordering::SeqCst);
        for _ in 0..3 {
            let begun = Instant::now();
            let refused = clear(&protection, 3, Root([9; 32])).unwrap_err();
            assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
            let took = begun.elapsed();
            assert!(
                took < Duration::from_secs(5),
                "a client waits 5 s: {took:?}"
            );
        }
    }
    proxy.delay_ms.store(0, Ordering::SeqCst);
    wait_healthy(&protection);
    clear(&protection, 4, Root::ZERO).unwrap();
}

/// A proxy between signerd and the database, which can cut and stall.
struct Proxy {
    port: u16,
    traffic: Arc<Traffic>,
}

struct Traffic {
    /// Bytes that still pass, both directions together.
    left: AtomicI64,
    /// How often a connection is still cut when they are used up.
    cuts_left: AtomicI64,
    cuts: AtomicI64,
}

impl Traffic {
    /// Cuts connections so often, each after so many bytes.
    fn cut_after(&self, bytes: u64, cuts: i64) {
        self.cuts_left.store(cuts, Ordering::SeqCst);
        self.left
            .store(i64::try_from(bytes).unwrap(), Ordering::SeqCst);
    }

    fn note_cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
        let is_last = self.cuts_left.fetch_sub(1, Ordering::SeqCst) <= 1;
        let left = if is_last { i64::MAX } else { 700 };
        self.left.store(left, Ordering::SeqCst);
    }
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Close,
    /// Nothing passes any more, and nobody is told.
    HalfOpen,
}

impl Proxy {
    fn start(target: u16, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let traffic = Arc::new(Traffic {
            left: AtomicI64::new(i64::MAX),
            cuts_left: AtomicI64::new(0),
            cuts: AtomicI64::new(0),
        });
        let shared = Arc::clone(&traffic);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let from = from.try_clone().unwrap();
                    let to = to.try_clone().unwrap();
                    let traffic = Arc::clone(&shared);
                    thread::spawn(move || pass(from, to, &traffic, cut));
                }
            }
        });
        Self { port, traffic }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, traffic: &Traffic, cut: Cut) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer) {
        let allowed = traffic.left.fetch_sub(count as i64, Ordering::SeqCst);
        let passed = usize::try_from(allowed).unwrap_or(0).min(count);
        if count == 0 || to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        if passed < count {
            traffic.note_cut();
            if cut == Cut::HalfOpen {
                // The connection stays; later ones pass.
                thread::sleep(Duration::from_secs(6));
            }
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_connection_cut_at_any_byte_forgets_nothing_that_was_signed() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let proxy = Proxy::start(server.port, Cut::Close);
    let protection = open(&url_over(proxy.port, &database)).unwrap();
    let rounds: u64 = std::env::var("SIGNERD_TEST_LONG").map_or(120, |_| 2000);
    let mut signed = Vec::new();
    let mut failures = 0;
    for round in 1..=rounds {
        let cuts = 1 + i64::from(round % 3 == 0);
        proxy.traffic.cut_after(round * 13 % 1500, cuts);
        // The same target with two roots, whatever became of the first.
        for root in [1, 2] {
            let root = Root([root; 32]);
            match clear(&protection, round, root) {
                Ok(()) => signed.push((round, root)),
                Err(Refused::Unavailable(_)) => failures += 1,
                Err(_) => {}
            }
        }
        proxy.traffic.cut_after(1 << 40, 0);
        wait_healthy(&protection);
    }
    let cuts = proxy.traffic.cuts.load(Ordering::SeqCst);
    assert!(
        cuts > 50 && failures > 5,
        "{cuts} cuts, felt {failures} times"
    );
    println!("{rounds} rounds, {cuts} cuts, {failures} failures");
    check_signed(server, &database, &signed);
}

#[test]
fn a_database_that_stops_answering_is_given_up_within_the_time_of_a_client() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let proxy = Proxy::start(server.port, Cut::HalfOpen);
    let protection = open(&url_over(proxy.port, &database)).unwrap();
    let clear = |epoch| clear(&protection, epoch, Root::ZERO);
    clear(1).unwrap();
    proxy.traffic.cut_after(300, 1);
    let begun = Instant::now();
    let refused = clear(2).unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a client waits 5 s"
    );
    wait_healthy(&protection);
    clear(3).unwrap();
}
