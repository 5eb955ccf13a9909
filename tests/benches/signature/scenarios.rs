//! The loads that validators make, in turns, each with its budget (DESIGN.md, section 7).

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;

use super::afternoon::Afternoon;
use super::cpu::{raw_seconds, raw_seconds_every};
use super::loads::{CONNECTIONS, KEYS, bursts, distinct, distinct_over, mix};
use super::report::{Report, TIMES_RAW};
use super::server::{Server, measure_afternoon};
use super::support::postgres::PostgresServer;
use super::support::{Scratch, Transport};

/// Scenarios take turns in so many rounds, so that what else the machine does hits all of them alike.
const ROUNDS: usize = 9;

/// Signatures of a load.
const SIGNATURES: usize = 1_500;

/// Names the database of another PostgreSQL than the one that is started here, as `signerd` takes it.
const DATABASE_VARIABLE: &str = "SIGNERD_BENCH_DATABASE";

/// Runs the scenarios whose names contain `only`.
pub(crate) fn all(only: &str) -> Report {
    let mut report = Report::of(only);
    let keys = format!("0..{KEYS}");
    let plain = Server::start(&["--interop-keys", &keys], Transport::Tcp);
    let tls = Server::start(&["--interop-keys", &keys], Transport::Tls);
    let scratch = Scratch::new("signature-bench");
    let protected = start_protected(&scratch, &keys);
    let postgres = PostgresServer::start("");
    let with_database = start_with_database(postgres.as_ref(), &keys);
    let afternoon = Afternoon::start();
    for _ in 0..ROUNDS {
        measure_kinds(&mut report, &plain);
        measure_small_operator(&mut report, &plain);
        // Each key once: its votes must rise.
        let once = || distinct(CONNECTIONS, 1_000);
        report.take("TLS, roots distinct", TIMES_RAW, None, |report| {
            tls.measure(report, &distinct(CONNECTIONS, SIGNATURES))
        });
        report.take(
            "slashing protection, roots distinct",
            TIMES_RAW,
            None,
            |report| protected.measure(report, &once()),
        );
        if let Some(server) = &with_database {
            report.take("PostgreSQL, roots distinct", TIMES_RAW, None, |report| {
                server.measure(report, &once())
            });
        }
        report.take(
            "an afternoon's signer, roots distinct",
            TIMES_RAW,
            None,
            |report| measure_afternoon(report, &afternoon, &distinct(CONNECTIONS, SIGNATURES)),
        );
        report.take("an afternoon's signer, duties", TIMES_RAW, None, |report| {
            measure_afternoon(report, &afternoon, &mix(15))
        });
    }
    let only_mix = Server::start(&["--interop-keys", &keys], Transport::Tcp);
    report.take("memory, duties of 1,000", "MiB", Some(8.0), |report| {
        only_mix.measure(report, &mix(25));
        only_mix.resident_mib()
    });
    report
}

/// What is signed, and by how many keys at a time.
fn measure_kinds(report: &mut Report, server: &Server) {
    for (name, p99_name, load, budget) in [
        (
            "every root new",
            "every root new, p99",
            distinct(CONNECTIONS, SIGNATURES),
            Some(1.04),
        ),
        (
            "one root, 1,000 keys",
            "one root, 1,000 keys, p99",
            bursts(1_000, 4),
            Some(0.23),
        ),
        (
            "one root, 100 keys",
            "one root, 100 keys, p99",
            bursts(100, 20),
            Some(0.28),
        ),
        (
            "one root, 10 keys",
            "one root, 10 keys, p99",
            bursts(10, 100),
            None,
        ),
        (
            "one root, 3 keys",
            "one root, 3 keys, p99",
            bursts(3, 300),
            None,
        ),
        (
            "the duties of 1,000 validators",
            "the duties of 1,000 validators, p99",
            mix(25),
            Some(0.40),
        ),
    ] {
        let mut p99_ms = None;
        report.take(name, TIMES_RAW, budget, |report| {
            let (ratio, latency_ms) = server.measure_with_p99(report, &load);
            p99_ms = Some(latency_ms);
            ratio
        });
        if let Some(p99_ms) = p99_ms {
            report.take(p99_name, "ms", None, |_| p99_ms);
        }
    }
}

fn measure_small_operator(report: &mut Report, server: &Server) {
    let mut p99_ms = None;
    report.take("50 requests/s", TIMES_RAW, Some(1.30), |report| {
        let (ratio, latency_ms) = server.paced(report);
        p99_ms = Some(latency_ms);
        ratio
    });
    if let Some(p99_ms) = p99_ms {
        report.take("50 requests/s, p99", "ms", Some(2.0), |_| p99_ms);
    }
    report.take("50 a second by blst alone", TIMES_RAW, None, |_| {
        raw_seconds_every(Duration::from_millis(20)) / raw_seconds()
    });
    report.take("/upcheck while saturated, p99", "ms", Some(5.0), |_| {
        server.upcheck_p99_ms(SIGNATURES)
    });
}

fn start_protected(scratch: &Scratch, keys: &str) -> Server {
    let data = scratch.path().join("data");
    DirBuilder::new()
        .mode(0o700)
        .create(&data)
        .expect("a data directory");
    let data = data.display().to_string();
    Server::start(
        &["--interop-keys", keys, "--data-dir", &data],
        Transport::Tcp,
    )
}

/// `None` where there is no PostgreSQL.
fn start_with_database(postgres: Option<&PostgresServer>, keys: &str) -> Option<Server> {
    let url = match (env::var(DATABASE_VARIABLE), postgres) {
        (Ok(url), _) => url,
        (Err(_), Some(server)) => server.url(&server.create_database()),
        (Err(_), None) => return None,
    };
    let arguments = ["--interop-keys", keys, "--slashing-protection-db-url", &url];
    Some(Server::start(&arguments, Transport::Tcp))
}

/// Whether the cost of a signature depends on how many connections and keys there are: each beside the mean of
/// all.
pub(crate) fn flat() -> Report {
    let mut report = Report::of("");
    let few = Server::start(&["--interop-keys", "0..10"], Transport::Tcp);
    let many = Server::start(&["--interop-keys", "0..100000"], Transport::Tcp);
    let by_connections = [
        ("1 connection", 1),
        ("10 connections", 10),
        ("100 connections", 100),
        ("1,000 connections", 1_000),
    ];
    for _ in 0..ROUNDS {
        for (name, connections) in by_connections {
            let load = distinct_over(10, connections, SIGNATURES.max(10 * connections));
            report.take(name, TIMES_RAW, None, |report| few.measure(report, &load));
        }
        for (name, server, keys) in [("10 keys", &few, 10), ("100,000 keys", &many, 100_000)] {
            let load = distinct_over(keys, CONNECTIONS, SIGNATURES);
            report.take(name, TIMES_RAW, None, |report| {
                server.measure(report, &load)
            });
        }
    }
    report.compare(
        "largest by connections, of the mean",
        &by_connections.map(|(name, _)| name),
    );
    report.compare("largest by keys, of the mean", &["10 keys", "100,000 keys"]);
    report
}
