//! The metrics: names of the peers, both forms of the text, and what each of our own counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::slashing::{KEY, ZERO, vote};
use crate::support::client::Client;
use crate::support::secured::private;
use crate::support::{Scratch, Signer, prometheus};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

const PLAIN: &str = "text/plain; version=0.0.4";

/// The metrics of a signer in the form that `accept` names.
fn scrape(signer: &Signer, accept: &str) -> String {
    let mut client = Client::connect(signer.metrics.as_ref().unwrap());
    let answer = client.request("GET", "/metrics", &[("Accept", accept)], b"");
    assert_eq!(answer.status, 200);
    answer.text()
}

fn sign(signer: &Signer, request: &Value) -> u16 {
    let path = format!("/api/v1/eth2/sign/{KEY}");
    let answer = signer.client().post(&path, request.to_string().as_bytes());
    answer.status
}

/// A signer with slashing protection, an authentication by token and TLS files, which has served a few good
/// and bad requests.
fn used_signer(scratch: &Scratch) -> Signer {
    let directory = scratch.path().join("data");
    std::fs::create_dir(&directory).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&directory, permissions).unwrap();
    let directory = directory.display().to_string();
    let signer = Signer::start(&["--interop-keys", "0..2", "--data-dir", &directory]);
    signer.wait_loaded();
    let other_root = format!("0x{}", "1".repeat(64));
    assert_eq!(sign(&signer, &vote(ZERO, "0", "5", ZERO)), 200);
    assert_eq!(sign(&signer, &vote(ZERO, "0", "6", ZERO)), 200);
    assert_eq!(sign(&signer, &vote(ZERO, "0", "6", &other_root)), 412);
    assert_eq!(sign(&signer, &vote(ZERO, "0", "3", ZERO)), 412);
    assert_eq!(sign(&signer, &json!({"type": "ATTESTATION"})), 400);
    let unknown = format!("/api/v1/eth2/sign/0x{}", "11".repeat(48));
    assert_eq!(signer.client().post(&unknown, b"{}").status, 404);
    assert_eq!(signer.client().get("/nothing").status, 404);
    assert_eq!(signer.client().get("/upcheck").status, 200);
    let mut broken = signer.client();
    broken.send(b"nonsense\r\n\r\n");
    assert_eq!(broken.answer(false).status, 400);
    signer
}

/// The names, types and labels that public dashboards and alerts of Web3Signer and py3signer read.
const PEER_METRICS: [(&str, &str, &[&str]); 24] = [
    ("signing_requests_total", "counter", &["key_type", "type"]),
    ("signing_errors_total", "counter", &["error_type"]),
    (
        "signing_duration_seconds",
        "histogram",
        &["key_type", "type"],
    ),
    ("keys_loaded", "gauge", &[]),
    ("py3signer_build_info_info", "info", &["name", "version"]),
    ("signing_bls_signing_duration", "summary", &["quantile"]),
    ("signing_bls_missing_identifier_count_total", "counter", &[]),
    ("signing_signers_loaded_count", "gauge", &[]),
    (
        "signing_private_key_retrieval_time",
        "summary",
        &["quantile"],
    ),
    ("http_bls_malformed_request_count_total", "counter", &[]),
    (
        "eth2_slashingprotection_permitted_signings_total",
        "counter",
        &[],
    ),
    (
        "eth2_slashingprotection_prevented_signings_total",
        "counter",
        &[],
    ),
    (
        "eth2_slashingprotection_database_duration",
        "summary",
        &["quantile", "signingOperation"],
    ),
    (
        "http_vertx_worker_pool_usage",
        "summary",
        &["poolName", "poolType", "quantile"],
    ),
    (
        "http_vertx_worker_pool_rejected_total",
        "counter",
        &["poolName", "poolType"],
    ),
    (
        "http_vertx_worker_pool_completed_total",
        "counter",
        &["poolName", "poolType"],
    ),
    (
        "http_vertx_worker_pool_queue_delay",
        "summary",
        &["poolName", "poolType", "quantile"],
    ),
    ("process_release", "gauge", &["version"]),
    ("process_cpu_seconds_total", "counter", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_open_fds", "gauge", &[]),
    ("process_max_fds", "gauge", &[]),
];

/// The names of the labels of a sample.
fn labels(sample: &str) -> Vec<&str> {
    let Some((_, rest)) = sample.split_once('{') else {
        return Vec::new();
    };
    let (inside, _) = rest.rsplit_once('}').unwrap();
    let mut names: Vec<&str> = inside
        .split("\",")
        .map(|pair| pair.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn the_names_that_dashboards_of_the_peers_read_have_their_types_and_labels_in_both_forms() {
    let signer = Signer::start(&["--interop-keys", "0..2"]);
    for accept in [PLAIN, OPEN_METRICS] {
        let text = scrape(&signer, accept);
        let mut types = BTreeMap::new();
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, word) = rest.split_once(' ').unwrap();
                assert_eq!(types.insert(name, word), None, "{name} has two types");
                let help = format!("# HELP {name} ");
                assert!(text.contains(&help), "{name} has no help");
            } else if let Some((name, _)) = line.rsplit_once(' ') {
                assert!(
                    name.starts_with('#') || series.insert(name),
                    "{name} is there twice"
                );
            }
        }
        for (name, expected_type, expected_labels) in PEER_METRICS {
            let family = if accept == OPEN_METRICS {
                name.strip_suffix("_total")
                    .or(name.strip_suffix("_info"))
                    .unwrap_or(name)
            } else {
                name
            };
            // The plain form has no type `info`.
            let expected_type = if accept == PLAIN && expected_type == "info" {
                "gauge"
            } else {
                expected_type
            };
            assert_eq!(types.get(family), Some(&expected_type), "{name}, {accept}");
            let sample = match expected_type {
                "histogram" => format!("{name}_count"),
                _ => name.to_owned(),
            };
            let line = text
                .lines()
                .find(|line| line.split(['{', ' ']).next() == Some(&sample));
            let line = line.unwrap_or_else(|| panic!("{sample} is missing, {accept}"));
            assert_eq!(labels(line), expected_labels, "{name}, {accept}");
        }
        // Old boards read counters without `_total`; the other form forbids those names.
        for (name, expected_type, _) in PEER_METRICS {
            let old_name = name
                .strip_suffix("_total")
                .filter(|_| expected_type == "counter");
            let Some(old_name) = old_name.filter(|name| !name.starts_with("process_")) else {
                continue;
            };
            let is_there = text.contains(&format!("\n{old_name} "))
                || text.contains(&format!("\n{old_name}{{"));
            assert_eq!(is_there, accept == PLAIN, "{old_name}, {accept}");
        }
    }
}

#[test]
fn every_series_starts_at_zero_and_counts_what_happens() {
    let scratch = Scratch::new("metrics-counts");
    let fresh = scrape(&Signer::start(&["--interop-keys", "0..2"]), PLAIN);
    let used = scrape(&used_signer(&scratch), PLAIN);
    for (series, expected) in [
        ("signerd_signatures_total{type=\"ATTESTATION\"}", "2"),
        ("signerd_signatures_total{type=\"BLOCK_V2\"}", "0"),
        (
            "signing_requests_total{key_type=\"bls\",type=\"ATTESTATION\"}",
            "2",
        ),
        ("signerd_signature_duration_seconds_count", "2"),
        (
            "signerd_signature_duration_seconds_bucket{le=\"+Inf\"}",
            "2",
        ),
        ("signing_bls_signing_duration_count", "2"),
        (
            "signerd_requests_total{method=\"POST\",route=\"/api/v1/eth2/sign/{identifier}\",status=\"200\"}",
            "2",
        ),
        (
            "signerd_requests_total{method=\"POST\",route=\"/api/v1/eth2/sign/{identifier}\",status=\"412\"}",
            "2",
        ),
        (
            "signerd_requests_total{method=\"POST\",route=\"/api/v1/eth2/sign/{identifier}\",status=\"400\"}",
            "1",
        ),
        (
            "signerd_requests_total{method=\"POST\",route=\"/api/v1/eth2/sign/{identifier}\",status=\"404\"}",
            "1",
        ),
        (
            "signerd_requests_total{method=\"none\",route=\"none\",status=\"404\"}",
            "1",
        ),
        (
            "signerd_requests_total{method=\"none\",route=\"none\",status=\"400\"}",
            "1",
        ),
        ("signerd_refusals_total{reason=\"malformed\"}", "1"),
        ("signerd_refusals_total{reason=\"unknown_key\"}", "1"),
        ("signerd_refusals_total{reason=\"unknown_route\"}", "1"),
        (
            "signerd_refusals_total{reason=\"slashing_protection\"}",
            "2",
        ),
        ("signerd_slashing_refusals_total{rule=\"double_vote\"}", "1"),
        (
            "signerd_slashing_refusals_total{rule=\"target_below\"}",
            "1",
        ),
        ("signerd_slashing_refusals_total{rule=\"surrounded\"}", "0"),
        ("eth2_slashingprotection_permitted_signings_total", "2"),
        ("eth2_slashingprotection_prevented_signings", "2"),
        (
            "eth2_slashingprotection_database_duration_count{signingOperation=\"attestation\"}",
            "4",
        ),
        (
            "eth2_slashingprotection_database_duration_count{signingOperation=\"block\"}",
            "0",
        ),
        ("signerd_store_commit_duration_seconds_count", "4"),
        ("signerd_store_batch_size_sum", "4"),
        ("signerd_queue_delay_seconds_count", "2"),
        (
            "http_vertx_worker_pool_completed_total{poolType=\"worker\",poolName=\"vert.x-worker-thread\"}",
            "2",
        ),
        ("signerd_queue_rejected_total", "0"),
        ("signing_bls_missing_identifier_count_total", "1"),
        ("http_bls_malformed_request_count_total", "1"),
        ("signerd_message_cache_misses_total", "2"),
    ] {
        let value = |text: &str| {
            let line = text.lines().find_map(|line| {
                line.strip_prefix(series)?
                    .strip_prefix(' ')
                    .map(str::to_owned)
            });
            line.unwrap_or_else(|| panic!("{series} is missing in\n{text}"))
        };
        assert_eq!(value(&fresh), "0", "{series} of a fresh signer");
        assert_eq!(value(&used), expected, "{series}");
    }
    for line in [
        "signerd_keys{state=\"loaded\"} 2\n",
        "signerd_keys{state=\"failed\"} 0\n",
        "signerd_ready 1\n",
        "signerd_slashing_protection{store=\"directory\"} 1\n",
        "signerd_slashing_protection{store=\"off\"} 0\n",
        "signerd_store_available 1\n",
        "signerd_connections{listener=\"metrics\"} 1\n",
        "signerd_in_flight_bytes ",
        "signerd_queue_length 0\n",
    ] {
        assert!(used.contains(line), "{line} is missing in\n{used}");
    }
}

#[test]
fn connections_are_counted_by_listener_while_they_are_open() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    let open = |listener: &str, count: usize| {
        let line = format!("signerd_connections{{listener=\"{listener}\"}} {count}\n");
        for _ in 0..300 {
            if scrape(&signer, PLAIN).contains(&line) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{line} is missing in\n{}", scrape(&signer, PLAIN));
    };
    let mut first = signer.client();
    first.get("/upcheck");
    {
        let mut second = signer.client();
        second.get("/upcheck");
        open("signing", 2);
    }
    open("signing", 1);
    open("metrics", 1);
}

/// An attestation of this slot on mainnet.
fn attestation(slot: u64) -> Value {
    let epoch = slot / 32;
    json!({
        "type": "ATTESTATION",
        "fork_info": {
            "fork": {"previous_version": "0x05000000", "current_version": "0x06000000", "epoch": "411392"},
            "genesis_validators_root": "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        },
        "attestation": {
            "slot": slot.to_string(), "index": "0", "beacon_block_root": ZERO,
            "source": {"epoch": (epoch - 1).to_string(), "root": ZERO},
            "target": {"epoch": epoch.to_string(), "root": ZERO},
        },
    })
}

#[test]
fn the_lateness_of_duties_of_now_is_counted_and_that_of_others_is_not() {
    let signer = Signer::start(&["--interop-keys", "0..2"]);
    signer.wait_loaded();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let slot = (now - 1_606_824_023) / 12;
    for (case, slot, counted, on_time) in [
        ("last year's", slot - 2_628_000, 0, 0),
        ("ten slots ago", slot - 10, 1, 0),
        ("the next slot's", slot + 1, 2, 1),
    ] {
        assert_eq!(sign(&signer, &attestation(slot)), 200, "{case}");
        let text = scrape(&signer, PLAIN);
        for line in [
            format!("signerd_duty_lateness_seconds_count{{type=\"ATTESTATION\"}} {counted}\n"),
            format!(
                "signerd_duty_lateness_seconds_bucket{{type=\"ATTESTATION\",le=\"10.0\"}} {on_time}\n"
            ),
            "signerd_duty_lateness_seconds_count{type=\"BLOCK_V2\"} 0\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{case}: {line} is missing in\n{text}");
        }
    }
}

#[test]
fn missing_and_wrong_tokens_are_counted() {
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--auth-token",
        "right-token-of-the-test",
    ]);
    let path = "/api/v1/eth2/publicKeys";
    assert_eq!(signer.client().get(path).status, 401);
    for _ in 0..2 {
        let wrong = [("Authorization", "Bearer wrong")];
        assert_eq!(
            signer.client().request("GET", path, &wrong, b"").status,
            403
        );
    }
    let right = [("Authorization", "Bearer right-token-of-the-test")];
    let mut client = Client::connect(signer.metrics.as_ref().unwrap());
    let text = client.request("GET", "/metrics", &right, b"").text();
    for line in [
        "signerd_tokens_refused_total{reason=\"missing\"} 1\n",
        "signerd_tokens_refused_total{reason=\"wrong\"} 2\n",
        "signerd_tokens_refused_total{reason=\"not_configured\"} 0\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn tls_handshakes_that_fail_and_the_end_of_the_certificate_are_metrics() {
    let scratch = Scratch::new("metrics-tls");
    let [cert, key] = ["server.pem", "server.key"].map(|name| private(&scratch, name));
    let signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ]);
    let mut plain = std::net::TcpStream::connect(&signer.address).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let failed = "signerd_tls_handshakes_failed_total{reason=\"protocol\"} 1\n";
    for attempt in 0.. {
        let text = scrape(&signer, PLAIN);
        assert!(text.contains("signerd_tls_certificate_expiry_timestamp_seconds "));
        if text.contains(failed) {
            break;
        }
        assert!(attempt < 300, "{failed} is missing in\n{text}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn nothing_that_counts_on_the_way_of_a_signature_takes_a_lock() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("metrics.rs")];
    for entry in std::fs::read_dir(source.join("metrics")).unwrap() {
        files.push(entry.unwrap().path());
    }
    for file in [
        "status/mod.rs",
        "status/slot_ring.rs",
        "status/recent_lateness.rs",
        "server/gauges.rs",
        "server/signing_times.rs",
    ] {
        files.push(source.join(file));
    }
    let mut atomics = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["Mutex", "RwLock", "Condvar", "lock(&", "OnceLock"] {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
        atomics += text.matches("Ordering::Relaxed").count();
    }
    assert!(atomics > 10, "the counters are elsewhere");
}

/// What `promtool check metrics` says of the peers' names. Ours are clean.
const PEERS_LINTS: [(&str, &[&str]); 4] = [
    (
        "counter metrics should have \"_total\" suffix",
        &[
            "eth2_slashingprotection_permitted_signings",
            "eth2_slashingprotection_prevented_signings",
            "http_bls_malformed_request_count",
            "http_vertx_worker_pool_completed",
            "http_vertx_worker_pool_rejected",
            "http_vertx_worker_pool_submitted",
            "message_cache_hits",
            "message_cache_misses",
            "signing_bls_missing_identifier_count",
            "signing_errors",
            "signing_requests",
        ],
    ),
    (
        "non-histogram and non-summary metrics should not have \"_count\" suffix",
        &[
            "http_bls_malformed_request_count",
            "signing_bls_missing_identifier_count",
            "signing_signers_loaded_count",
        ],
    ),
    (
        "label names should be written in 'snake_case' not 'camelCase'",
        &[
            "eth2_slashingprotection_database_duration",
            "http_vertx_worker_pool_completed",
            "http_vertx_worker_pool_completed_total",
            "http_vertx_worker_pool_queue_delay",
            "http_vertx_worker_pool_rejected",
            "http_vertx_worker_pool_rejected_total",
            "http_vertx_worker_pool_submitted",
            "http_vertx_worker_pool_submitted_total",
            "http_vertx_worker_pool_usage",
            "http_vertx_worker_queue_delay",
        ],
    ),
    ("no help text", &[]),
];

#[test]
fn promtool_finds_no_fault_but_those_of_the_peers_names() {
    if !prometheus::is_installed() {
        return;
    }
    let scratch = Scratch::new("metrics-promtool");
    let text = scrape(&used_signer(&scratch), PLAIN);
    let (_, output) = prometheus::promtool(&["check", "metrics"], &text);
    let found: BTreeSet<&str> = output.lines().filter(|line| !line.is_empty()).collect();
    let mut expected = BTreeSet::new();
    for (lint, names) in PEERS_LINTS {
        expected.extend(names.iter().map(|name| format!("{name} {lint}")));
    }
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(found, expected);
}

const PYTHON_PARSER: &str = "
import sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_parser
parse = {'plain': parser, 'open': open_parser}[sys.argv[1]].text_string_to_metric_families
for family in parse(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        print(family.type, sample.name, *sorted(sample.labels))
";

#[test]
fn the_parser_of_the_python_client_reads_both_forms() {
    let python = std::env::var("SIGNERD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let scratch = Scratch::new("metrics-python");
    let signer = used_signer(&scratch);
    for (form, accept) in [("plain", PLAIN), ("open", OPEN_METRICS)] {
        let mut child = Command::new(&python)
            .args(["-c", PYTHON_PARSER, form])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text = scrape(&signer, accept);
        // Without the package it ends before it reads.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains("No module named") {
            assert!(std::env::var_os("CI").is_none(), "{errors}");
            eprintln!("skipped: {errors}");
            return;
        }
        assert!(output.status.success(), "{form}: {errors}");
        let samples = String::from_utf8_lossy(&output.stdout);
        for sample in [
            "counter signing_requests_total key_type type",
            "summary signing_bls_signing_duration quantile",
            "summary eth2_slashingprotection_database_duration quantile signingOperation",
            "histogram signerd_duty_lateness_seconds_bucket le type",
            "counter signerd_requests_total method route status",
            "gauge signerd_keys state",
        ] {
            assert!(
                samples.lines().any(|line| line == sample),
                "{form}: {sample} is missing in\n{samples}"
            );
        }
    }
}
