//! The slashing protection database goes away, comes back, stalls, or asks for a login: what clients and
//! operators see, and that nothing slashable is signed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use signerd::consensus::primitives::{Epoch, PublicKey, Root};
use signerd::consensus::slashable::Slashable;
use signerd::slashing::rule::SlashableMessage;
use signerd::slashing::{
    DatabaseSettings, Protection, ProtectionSettings, Refused, StoreOpenError,
};

use crate::scratch::Scratch;
use crate::slashing::{KEY, ZERO, fork_info, vote};
use crate::support::Signer;
use crate::support::client::{Answer, Client};
use crate::support::postgres::{PostgresServer, give_to_postgres};

const OURS: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

fn open(url: &str) -> Result<Protection, StoreOpenError> {
    let scratch = Scratch::new();
    Protection::open(&ProtectionSettings {
        database: Some(DatabaseSettings::from_url(url).unwrap()),
        ..scratch.settings()
    })
}

fn start(url: &str) -> Signer {
    let url = format!("--slashing-protection-db-url={url}");
    let signer = Signer::start(&["--interop-keys", "0..2", &url]);
    signer.wait_loaded();
    signer
}

fn sign(client: &mut Client, request: &serde_json::Value) -> Answer {
    let path = format!("/api/v1/eth2/sign/{KEY}");
    client.post(&path, request.to_string().as_bytes())
}

fn signed(client: &mut Client, epoch: u64, root: &str) -> u16 {
    let source = (epoch - 1).to_string();
    sign(client, &vote(ZERO, &source, &epoch.to_string(), root)).status
}

fn randao() -> serde_json::Value {
    json!({"type": "RANDAO_REVEAL", "fork_info": fork_info(ZERO), "randao_reveal": {"epoch": "1"}})
}

fn wait_healthy(client: &mut Client) {
    let begun = Instant::now();
    while client.get("/healthcheck").status != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it does not recover"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn while_the_database_is_away_only_what_can_be_slashed_waits_and_then_goes_on() {
    let Some(mut server) = PostgresServer::start("") else {
        return;
    };
    let database = server.create_database();
    let mut signer = start(&server.url(&database));
    let mut client = signer.client();
    for (round, mode) in ["immediate", "fast"].into_iter().enumerate() {
        let epoch = 10 * (round as u64 + 1);
        assert_eq!(signed(&mut client, epoch, ZERO), 200);
        server.kill(mode);
        for _ in 0..3 {
            let begun = Instant::now();
            let answer = sign(&mut client, &vote(ZERO, "98", "99", ZERO));
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "a client waits 5 s"
            );
        }
        assert_eq!(sign(&mut client, &randao()).status, 200);
        assert_eq!(client.get("/healthcheck").status, 503);
        assert_eq!(client.get("/upcheck").status, 200);
        server.resume();
        wait_healthy(&mut client);
        assert_eq!(signed(&mut client, epoch, ZERO), 200, "the same again");
        assert_eq!(signed(&mut client, epoch, OURS), 412, "it remembers");
        assert_eq!(signed(&mut client, epoch + 1, ZERO), 200);
    }
    let log = signer.log();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(count("nothing that can be slashed is signed"), 2, "{log}");
    assert_eq!(count("works again"), 2, "{log}");
}

#[test]
fn started_while_the_database_is_away_it_listens_unhealthy_and_comes_up_by_itself() {
    let Some(mut server) = PostgresServer::start("") else {
        return;
    };
    let database = server.create_database();
    server.kill("fast");
    let signer = start(&server.url(&database));
    let mut client = signer.client();
    assert_eq!(client.get("/healthcheck").status, 503);
    assert_eq!(signed(&mut client, 5, ZERO), 503);
    assert_eq!(sign(&mut client, &randao()).status, 200);
    server.resume();
    wait_healthy(&mut client);
    assert_eq!(signed(&mut client, 5, ZERO), 200);
    let metrics = signer.metrics.clone().unwrap();
    let page = Client::connect(&metrics).get("/metrics").text();
    assert!(page.contains("slashing"), "{page}");
}

#[test]
fn each_way_to_log_in_and_to_encrypt_works_or_has_its_own_sentence() {
    let certificate = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let configuration = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'";
    let Some(mut server) = PostgresServer::start("") else {
        return;
    };
    let database = server.create_database();
    server.kill("fast");
    for name in ["server.pem", "server.key"] {
        let target = server.data().join(name);
        fs::copy(certificate(name), &target).unwrap();
        give_to_postgres(&target);
        fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(server.data().join("postgresql.conf"))
        .unwrap();
    file.write_all(configuration.as_bytes()).unwrap();
    server.resume();
    server.psql("postgres", "SET password_encryption = 'scram-sha-256'; CREATE ROLE scram SUPERUSER LOGIN PASSWORD 'right pass'");
    server.psql(
        "postgres",
        "SET password_encryption = 'md5'; CREATE ROLE old SUPERUSER LOGIN PASSWORD 'right pass'",
    );
    server.set_access(
        "local all all trust\nhostssl all scram 127.0.0.1/32 scram-sha-256\nhost all old 127.0.0.1/32 md5\n",
    );
    let base = format!("jdbc:postgresql://127.0.0.1:{}/{database}?", server.port);
    let ca = certificate("ca.pem");
    let stranger = certificate("stranger.pem");
    for (case, parameters, expected) in [
        (
            "the default",
            "user=scram&password=right%20pass".to_owned(),
            Ok(()),
        ),
        (
            "require",
            "user=scram&password=right%20pass&sslmode=require".to_owned(),
            Ok(()),
        ),
        (
            "allow",
            "user=scram&password=right%20pass&sslmode=allow".to_owned(),
            Ok(()),
        ),
        (
            "verify-ca",
            format!("user=scram&password=right%20pass&sslmode=verify-ca&sslrootcert={ca}"),
            Ok(()),
        ),
        (
            "verify-full",
            format!("user=scram&password=right%20pass&sslmode=verify-full&sslrootcert={ca}"),
            Ok(()),
        ),
        (
            "md5",
            "user=old&password=right%20pass&sslmode=disable".to_owned(),
            Ok(()),
        ),
        (
            "another CA",
            format!("user=scram&password=right%20pass&sslmode=verify-full&sslrootcert={stranger}"),
            Err("certificate"),
        ),
        (
            "no TLS where it is asked for",
            "user=scram&password=right%20pass&sslmode=disable".to_owned(),
            Err("may not connect"),
        ),
        (
            "a wrong password",
            "user=scram&password=wrong".to_owned(),
            Err("wrong password"),
        ),
        (
            "no password",
            "user=scram".to_owned(),
            Err("asks for a password"),
        ),
        (
            "a missing CA file",
            "user=scram&sslmode=verify-full&sslrootcert=/missing.pem".to_owned(),
            Err("/missing.pem"),
        ),
    ] {
        let opened = open(&format!("{base}{parameters}"));
        let outcome = opened
            .map_err(|error| error.to_string())
            .and_then(|protection| protection.health().map_err(|error| error.to_string()));
        match (&outcome, expected) {
            (Ok(()), Ok(())) => {}
            (Err(text), Err(part)) => assert!(text.contains(part), "{case}: {text}"),
            (outcome, expected) => panic!("{case}: {outcome:?}, expected {expected:?}"),
        }
    }
    // Over the Unix socket, without a password.
    let socket = server
        .socket_directory()
        .display()
        .to_string()
        .replace('/', "%2F");
    let url = format!("postgresql://postgres@{socket}:{}/{database}", server.port);
    open(&url).unwrap().health().unwrap();
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

/// What happens when the bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
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
    let url = server
        .url(&database)
        .replace(&server.port.to_string(), &proxy.port.to_string());
    let protection = open(&format!("{url}&sslmode=disable")).unwrap();
    let key = PublicKey([7; 48]);
    let rounds: u64 = std::env::var("SIGNERD_TEST_LONG").map_or(120, |_| 2000);
    let mut signed = Vec::new();
    let mut failures = 0;
    for round in 1..=rounds {
        let cuts = 1 + i64::from(round % 3 == 0);
        proxy.traffic.cut_after(round * 13 % 1500, cuts);
        // The same target with two roots, whatever became of the first.
        for root in [1, 2] {
            let root = Root([root; 32]);
            let vote = SlashableMessage::Vote(Epoch(round - 1), Epoch(round));
            match protection.clear(&key, &Slashable::On(Root::ZERO, vote), root) {
                Ok(_) => signed.push((round, root)),
                Err(Refused::Unavailable(_)) => failures += 1,
                Err(_) => {}
            }
        }
        proxy.traffic.cut_after(1 << 40, 0);
        while protection.health().is_err() {
            thread::sleep(Duration::from_millis(10));
        }
    }
    let cuts = proxy.traffic.cuts.load(Ordering::SeqCst);
    assert!(
        cuts > 50 && failures > 5,
        "{cuts} cuts, felt {failures} times"
    );
    for (index, (round, root)) in signed.iter().enumerate() {
        let twice = signed[..index]
            .iter()
            .find(|(other, other_root)| other == round && other_root != root);
        assert_eq!(twice, None, "a double vote at {round}");
    }
    let recorded = server.psql(
        &database,
        "SELECT target_epoch, encode(signing_root, 'hex') FROM signed_attestations",
    );
    for (round, root) in signed {
        let row = format!("{round}|{}", &root.to_string()[2..]);
        assert!(
            recorded.lines().any(|line| line == row),
            "{row} is signed and not on record"
        );
    }
}

#[test]
fn a_database_that_stops_answering_is_given_up_within_the_time_of_a_client() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let proxy = Proxy::start(server.port, Cut::HalfOpen);
    let url = server
        .url(&database)
        .replace(&server.port.to_string(), &proxy.port.to_string());
    let protection = open(&format!("{url}&sslmode=disable")).unwrap();
    let key = PublicKey([7; 48]);
    let clear = |epoch: u64| {
        let vote = SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch));
        protection.clear(&key, &Slashable::On(Root::ZERO, vote), Root::ZERO)
    };
    clear(1).unwrap();
    proxy.traffic.cut_after(300, 1);
    let begun = Instant::now();
    let refused = clear(2).unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a client waits 5 s"
    );
    while protection.health().is_err() {
        thread::sleep(Duration::from_millis(10));
    }
    clear(3).unwrap();
}

#[test]
fn a_key_that_another_signer_holds_delays_no_other_key() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(&server.url(&database)).unwrap();
    let clear = |key: u8, epoch: u64| {
        let vote = SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch));
        protection.clear(
            &PublicKey([key; 48]),
            &Slashable::On(Root::ZERO, vote),
            Root::ZERO,
        )
    };
    clear(1, 1).unwrap();
    clear(2, 1).unwrap();
    let id = server.psql(
        &database,
        "SELECT id FROM validators WHERE public_key = decode(repeat('01', 48), 'hex')",
    );
    let mut holder = server.session(&database);
    holder.run("BEGIN");
    holder.run(&format!("SELECT pg_advisory_xact_lock(1, {id})"));
    thread::scope(|scope| {
        let held = scope.spawn(|| clear(1, 2));
        thread::sleep(Duration::from_millis(100));
        clear(2, 2).expect("it is free");
        holder.run("COMMIT");
        held.join().unwrap().expect("it is free again");
        holder.run("BEGIN");
        holder.run(&format!("SELECT pg_advisory_xact_lock(1, {id})"));
        let refused = clear(1, 3).unwrap_err();
        assert!(
            refused.to_string().contains("in use by another process"),
            "{refused}"
        );
    });
}

#[test]
fn after_a_failover_under_load_every_signature_is_on_record_and_signing_goes_on() {
    let Some(mut primary) = PostgresServer::start("") else {
        return;
    };
    let database = primary.create_database();
    let standby = primary.start_standby();
    let replica = format!(
        "postgresql://postgres@127.0.0.1:{}/{database}",
        standby.port
    );
    let refused = open(&replica).err().expect("a replica").to_string();
    assert!(refused.contains("is a replica"), "{refused}");
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{},127.0.0.1:{}/{database}?user=postgres&targetServerType=primary",
        primary.port, standby.port
    );
    let signer = start(&url);
    let address = signer.address.clone();
    let (sender, answers) = std::sync::mpsc::channel();
    let is_promoted = Arc::new(AtomicBool::new(false));
    let promoted_meanwhile = Arc::clone(&is_promoted);
    let writer = thread::spawn(move || {
        let mut client = Client::connect(&address);
        let mut last = Instant::now();
        let mut longest = Duration::ZERO;
        let mut after_failure = 0;
        for epoch in 1..100_000 {
            match signed(&mut client, epoch, ZERO) {
                200 => {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    sender.send(epoch).unwrap();
                    after_failure += u32::from(promoted_meanwhile.load(Ordering::SeqCst));
                }
                503 => thread::sleep(Duration::from_millis(20)),
                status => panic!("status {status}"),
            }
            if after_failure > 20 {
                break;
            }
        }
        longest
    });
    thread::sleep(Duration::from_millis(700));
    primary.kill("immediate");
    let promoted = standby
        .command("pg_ctl")
        .args(["promote", "-s", "-w", "-D"])
        .arg(standby.data())
        .status();
    assert!(
        promoted.is_ok_and(|status| status.success()),
        "pg_ctl promote"
    );
    is_promoted.store(true, Ordering::SeqCst);
    let longest = writer.join().unwrap();
    println!("longest time without a signature: {longest:?}");
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    let recorded = standby.psql(&database, "SELECT target_epoch FROM signed_attestations");
    let recorded: Vec<u64> = recorded.lines().map(|line| line.parse().unwrap()).collect();
    for epoch in answers.try_iter() {
        assert!(
            recorded.contains(&epoch),
            "{epoch} is signed and not on record"
        );
    }
}

#[test]
fn the_keymanager_disables_and_enables_keys_for_all_instances() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let option = format!("--slashing-protection-db-url={}", server.url(&database));
    let here = crate::support::Scratch::new("database-keymanager-here");
    let there = crate::support::Scratch::new("database-keymanager-there");
    let first = crate::keymanager::Manager::start(&here, &[&option]);
    let second = crate::keymanager::Manager::start(&there, &[&option]);
    let (key, _, _) = crate::keymanager::keystore(1);
    assert_eq!(first.import([1]), ["imported"]);
    assert_eq!(second.import([1]), ["imported"]);
    let mut client = second.signer.client();
    let mut sign = |epoch: u64| {
        let request = vote(ZERO, &(epoch - 1).to_string(), &epoch.to_string(), ZERO);
        let path = format!("/api/v1/eth2/sign/{key}");
        client.post(&path, request.to_string().as_bytes())
    };
    assert_eq!(sign(5).status, 200);
    let deleted = first.delete(&[key]).json();
    assert_eq!(deleted["data"][0]["status"], "deleted", "{deleted}");
    let history = deleted["slashing_protection"].as_str().unwrap();
    assert!(history.contains("\"target_epoch\":\"5\""), "{history}");
    let answer = sign(6);
    assert_eq!(answer.status, 412);
    assert!(answer.text().contains("disabled"), "{}", answer.text());
    assert_eq!(first.import([1]), ["imported"]);
    assert_eq!(sign(6).status, 200);
}

#[test]
fn after_a_kill_of_the_signer_every_signature_is_on_record() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let rounds: u64 = std::env::var("SIGNERD_TEST_LONG").map_or(4, |_| 200);
    let mut signed_roots = Vec::new();
    for round in 0..rounds {
        let signer = start(&server.url(&database));
        let address = signer.address.clone();
        let (sender, answers) = std::sync::mpsc::channel();
        let writer = thread::spawn(move || {
            let mut client = Client::connect(&address);
            for step in 1..1000 {
                let epoch = round * 1000 + step;
                let request = vote(ZERO, &(epoch - 1).to_string(), &epoch.to_string(), ZERO);
                let path = format!("/api/v1/eth2/sign/{KEY}");
                let Some(answer) = client.try_post(&path, request.to_string().as_bytes()) else {
                    return;
                };
                if answer.status != 200 || sender.send(epoch).is_err() {
                    return;
                }
            }
        });
        thread::sleep(Duration::from_millis(50 + 30 * (round % 7)));
        signer.signal("KILL");
        writer.join().unwrap();
        signed_roots.extend(answers.try_iter());
    }
    assert!(!signed_roots.is_empty());
    let recorded = server.psql(&database, "SELECT target_epoch FROM signed_attestations");
    let recorded: Vec<u64> = recorded.lines().map(|line| line.parse().unwrap()).collect();
    for epoch in signed_roots {
        assert!(
            recorded.contains(&epoch),
            "{epoch} is signed and not on record"
        );
    }
}
