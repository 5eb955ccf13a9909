//! The slashing protection database goes away, comes back, stalls, or asks for a login: what clients and
//! operators see, and that nothing slashable is signed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use signerd::consensus::primitives::{Epoch, PublicKey, Root};
use signerd::consensus::slashable::{Slashable, SlashableMessage};
use signerd::slashing::{DatabaseSettings, Protection, ProtectionSettings, StoreOpenError};

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
    let unchecked = "the connection to the slashing protection database may be unencrypted";
    assert_eq!(count(unchecked), 1, "{log}");
    assert_eq!(count("fsync=off: after a power cut"), 1, "{log}");
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
    assert_shown_as_working(&signer, false);
    server.resume();
    wait_healthy(&mut client);
    assert_eq!(signed(&mut client, 5, ZERO), 200);
    assert_shown_as_working(&signer, true);
}

/// Metrics and status say that records are in a database, and whether it works.
fn assert_shown_as_working(signer: &Signer, works: bool) {
    let mut client = Client::connect(signer.metrics.as_ref().unwrap());
    let metrics = client.get("/metrics").text();
    let line = format!("signerd_store_available {}\n", u8::from(works));
    assert!(metrics.contains(&line), "{metrics}");
    let status = client.get("/status").json();
    let protection = &status["slashing_protection"];
    assert_eq!(
        (&protection["store"], &protection["works"]),
        (&json!("database"), &json!(works)),
        "{status}"
    );
}

#[test]
fn a_connection_that_the_server_ends_while_it_is_idle_costs_no_signature() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(&server.url(&database)).unwrap();
    for epoch in 1..=5 {
        let vote = SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch));
        let cleared = protection.clear(
            &PublicKey([7; 48]),
            &Slashable::On(Root::ZERO, vote),
            Root::ZERO,
        );
        assert!(cleared.is_ok(), "{epoch}");
        let ended = server.psql(
            &database,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        assert_ne!(ended.trim(), "0");
    }
}

/// Starts a server that answers each statement by the first of `answers` whose text it contains, with one row
/// of values, and any other statement without rows. Returns its port.
fn fake_server(answers: Vec<(&'static str, Vec<&'static str>)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let answers = answers.clone();
            // A client that goes away ends its thread.
            thread::spawn(move || serve(client, &answers));
        }
    });
    port
}

fn serve(
    mut client: TcpStream,
    answers: &[(&'static str, Vec<&'static str>)],
) -> std::io::Result<()> {
    const READY: &[u8] = b"Z\0\0\0\x05I";
    let mut has_type = false;
    let mut output = [b"R\0\0\0\x08\0\0\0\0", READY].concat();
    loop {
        // The first message has a length, but no type.
        let mut kind = [0];
        if has_type {
            client.write_all(&output)?;
            output.clear();
            client.read_exact(&mut kind)?;
        }
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut body)?;
        has_type = true;
        let kind = kind[0];
        let statement = String::from_utf8_lossy(&body);
        if kind == b'Q' {
            let found = answers.iter().find(|(part, _)| statement.contains(part));
            if let Some((_, values)) = found {
                let mut row = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
                for value in values {
                    row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                    row.extend(value.as_bytes());
                }
                output.push(b'D');
                output.extend(u32::try_from(row.len() + 4).unwrap().to_be_bytes());
                output.extend(row);
            }
            output.extend(b"C\0\0\0\x05\0");
        }
        if matches!(kind, b'Q' | b'S') {
            output.extend(READY);
        }
    }
}

#[test]
fn a_server_whose_locks_do_not_exclude_is_refused_whatever_it_calls_itself() {
    for (version, lock_is_granted, expected) in [
        ("PostgreSQL 15.6 on x86_64-pc-linux-gnu", "f", None),
        (
            "PostgreSQL 15.6 on x86_64-pc-linux-gnu",
            "t",
            Some("its advisory locks do not exclude two sessions"),
        ),
        (
            "CockroachDB CCL v23.2.4 (x86_64-pc-linux-gnu, built 2024/04/08, go1.21.5)",
            "t",
            Some("this is CockroachDB"),
        ),
        (
            "PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu, compiled by clang",
            "t",
            Some("this is YugabyteDB"),
        ),
    ] {
        let port = fake_server(vec![
            ("SELECT version()", vec![version]),
            ("pg_try_advisory_xact_lock", vec![lock_is_granted]),
            ("pg_is_in_recovery", vec!["on", "f", "off"]),
            ("synchronous_standby_names", vec!["on", "on", ""]),
            (
                "unnest(ARRAY['validators'",
                vec!["validators", "database_version"],
            ),
            ("FROM database_version", vec!["12"]),
        ]);
        let url = format!("postgresql://u:hidden@127.0.0.1:{port}/w?sslmode=disable");
        let opened = open(&url);
        match expected {
            None => opened.unwrap().health().unwrap(),
            Some(part) => {
                let error = opened.err().expect(part).to_string();
                assert!(error.contains(part), "{version}: {error}");
                assert!(!error.contains("hidden"), "{error}");
            }
        }
    }
}

#[test]
fn no_password_of_the_database_is_in_the_log_or_in_an_error() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let scratch = crate::support::Scratch::new("database-passwords");
    let password = "very secret word";
    let file = scratch.write("password", format!("{password}\n"));
    let url = server.url(&database);
    let escaped = password.replace(' ', "%20");
    let away = format!("jdbc:postgresql://127.0.0.1:1/{database}?user=u");
    for options in [
        vec![format!(
            "--slashing-protection-db-url={url}&password={escaped}"
        )],
        vec![format!(
            "--slashing-protection-db-url={away}&password={escaped}"
        )],
        vec![format!(
            "--slashing-protection-db-url={away}&password={escaped}&sslmode=maybe"
        )],
        vec![
            format!("--slashing-protection-db-url={url}"),
            format!("--slashing-protection-db-password={password}"),
        ],
        vec![
            format!("--slashing-protection-db-url={away}"),
            format!("--slashing-protection-db-password-file={file}"),
        ],
        vec![
            format!("--slashing-protection-db-url={url}"),
            format!("--slashing-protection-db-password-file={file}x"),
        ],
        vec![format!(
            "--slashing-protection-db-url=postgresql://u:{escaped}@127.0.0.1:1/w/x"
        )],
    ] {
        let mut child = std::process::Command::new(crate::support::binary())
            .args([
                "--port=0",
                "--metrics-port=0",
                "--interop-keys=0..1",
                "--log-level=debug",
            ])
            .args(&options)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(700));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.is_empty());
        for secret in [password, escaped.as_str()] {
            assert!(!text.contains(secret), "{options:?}: {text}");
        }
    }
}

#[test]
fn each_way_to_log_in_and_to_encrypt_works_or_has_its_own_sentence() {
    let certificate = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let configuration = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n\
         listen_addresses = '127.0.0.1,127.0.0.2'";
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
    let by_another_name = base.replace("127.0.0.1", "127.0.0.2");
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
            Err("or there is no such user"),
        ),
        (
            "a key file without a key",
            format!("user=scram&sslcert={ca}&sslkey={ca}"),
            Err("in PEM or DER without a password"),
        ),
        (
            "a schema that is missing",
            "user=scram&password=right%20pass&currentSchema=absent".to_owned(),
            Err("there is no schema \"absent\""),
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
    // The certificate is one of 127.0.0.1.
    for (mode, root, is_good) in [
        ("verify-ca", &ca, true),
        ("verify-ca", &stranger, false),
        ("verify-full", &ca, false),
    ] {
        let parameters =
            format!("user=scram&password=right%20pass&sslmode={mode}&sslrootcert={root}");
        let opened = open(&format!("{by_another_name}{parameters}")).unwrap();
        let health = opened.health();
        assert_eq!(health.is_ok(), is_good, "{mode} {root}: {health:?}");
    }
    if let Some(plain) = PostgresServer::shared() {
        let url = format!("{}&sslmode=require", plain.url("postgres"));
        let error = open(&url).err().unwrap().to_string();
        assert!(error.contains("does not offer TLS"), "{error}");
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

#[test]
fn one_connection_serves_all_signatures() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(&format!("{}&socketTimeout=1", server.url(&database))).unwrap();
    let connections = || {
        server.psql(
            &database,
            "SELECT array_agg(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    };
    let before = connections();
    // Beyond the time of a request, and beyond some checks while it is idle.
    for epoch in 1..=4 {
        let vote = SlashableMessage::Vote(Epoch(epoch - 1), Epoch(epoch));
        let slashable = Slashable::On(Root::ZERO, vote);
        let cleared = protection.clear(&PublicKey([7; 48]), &slashable, Root::ZERO);
        assert!(cleared.is_ok(), "{epoch}");
        thread::sleep(Duration::from_millis(700));
    }
    assert_eq!(connections(), before);
}

#[test]
fn a_server_that_falls_silent_before_the_login_is_given_up() {
    for (case, said) in [("no answer about TLS", &b""[..]), ("no handshake", b"S")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut open = Vec::new();
            for mut client in listener.incoming().flatten() {
                client.write_all(said).unwrap();
                open.push(client);
            }
        });
        thread::spawn(move || {
            let url = format!("postgresql://u@127.0.0.1:{port}/w?sslmode=require&socketTimeout=1");
            sender.send(open(&url).map(|protection| protection.health().is_err()))
        });
        let opened = receiver.recv_timeout(Duration::from_secs(30)).expect(case);
        assert!(opened.unwrap(), "{case}");
    }
}

/// A server that refuses every login with this code, and offers no TLS. Returns its port, and how many
/// connections it got.
fn refusing_server(code: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            // A client that goes away ends its thread.
            thread::spawn(move || refuse(client, code));
        }
    });
    (port, connections)
}

fn refuse(mut client: TcpStream, code: &str) -> std::io::Result<()> {
    const SSL_REQUEST: u32 = 80_877_103;
    loop {
        let mut head = [0; 8];
        client.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        client.read_exact(&mut vec![0; length - head.len()])?;
        if head[4..] != SSL_REQUEST.to_be_bytes() {
            break;
        }
        client.write_all(b"N")?;
    }
    let fields = format!("SFATAL\0C{code}\0Mno\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    client.write_all(&[b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat())
}

#[test]
fn only_with_sslmode_allow_is_a_login_that_was_refused_tried_again_with_tls() {
    for (mode, code, expected) in [
        ("disable", "28000", 1),
        ("prefer", "28000", 1),
        ("prefer", "28P01", 1),
        ("allow", "28000", 2),
        ("allow", "28P01", 1),
    ] {
        let (port, connections) = refusing_server(code);
        let url = format!("postgresql://u:p@127.0.0.1:{port}/w?sslmode={mode}");
        assert!(open(&url).is_err(), "{mode} {code}");
        let connections = connections.load(Ordering::SeqCst);
        assert_eq!(connections, expected, "{mode} {code}");
    }
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
            refused
                .to_string()
                .contains("another process holds the key"),
            "{refused}"
        );
    });
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
