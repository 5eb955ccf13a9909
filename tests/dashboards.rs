//! The dashboards and alerts in `packaging/`, and those that others have published, on real metrics in a
//! real Prometheus.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::slashing::{KEY, ZERO, block, vote};
use crate::support::prometheus::{self, PrometheusServer};
use crate::support::secured::private;
use crate::support::{Scratch, Signer};

fn packaging(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(path)
}

/// Every dashboard: its file name and its content.
fn dashboards() -> Vec<(String, Value)> {
    let mut dashboards = Vec::new();
    for entry in fs::read_dir(packaging("grafana")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        dashboards.push((name, serde_json::from_str(&text).unwrap()));
    }
    assert!(dashboards.len() >= 2);
    dashboards
}

/// The expressions of a dashboard, each with the title of its panel.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap().to_owned();
            expressions.push((title, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    expressions
}

/// An expression as Grafana sends it when everything is chosen.
fn filled_in(expression: &str) -> String {
    expression
        .replace("$job", ".*")
        .replace("$instance", ".*")
        .replace("$__rate_interval", "10s")
        .replace("$__range", "1m")
}

#[test]
fn dashboards_can_be_imported_as_they_are() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        assert!(dashboard["schemaVersion"].as_u64() >= Some(36), "{file}");
        assert_eq!(
            dashboard["id"],
            Value::Null,
            "{file}: Grafana gives the number"
        );
        assert!(
            uids.insert(dashboard["uid"].as_str().unwrap().to_owned()),
            "{file}"
        );
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["name"], "datasource", "{file}");
        assert_eq!(variables[0]["type"], "datasource", "{file}");
        assert_eq!(variables[0]["query"], "prometheus", "{file}");
        for variable in &variables[1..] {
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{file}");
        }
        let mut ids = BTreeSet::new();
        let mut places = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {title}");
            let [x, y, width, height] =
                ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().unwrap());
            assert!(x + width <= 24, "{file}: {title} is too wide");
            for row in y..y + height {
                for column in x..x + width {
                    assert!(
                        places.insert((row, column)),
                        "{file}: {title} covers another panel"
                    );
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                panel["description"].as_str().unwrap().ends_with('.'),
                "{file}: {title}"
            );
            assert_eq!(
                panel["datasource"]["uid"], "${datasource}",
                "{file}: {title}"
            );
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(
                    target["datasource"]["uid"], "${datasource}",
                    "{file}: {title}"
                );
            }
        }
    }
}

/// The names of metrics in an expression.
fn metric_names(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut names = BTreeSet::new();
    for word in expression.split(|c| !is_name(c)) {
        let prefixes = ["signerd_", "process_", "eth2_", "signing_", "http_"];
        if prefixes.iter().any(|prefix| word.starts_with(prefix)) {
            names.insert(word.to_owned());
        }
    }
    names
}

/// The rules: each alert with its expression and what it tells people.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string(packaging("prometheus/signerd.rules.yaml")).unwrap();
    let mut alerts = Vec::new();
    for part in text.split("- alert: ").skip(1) {
        let (name, rest) = part.split_once('\n').unwrap();
        alerts.push((name.to_owned(), rest.to_owned()));
    }
    alerts
}

/// Two signers with the metrics of every feature, and the Scratch that holds their files.
fn two_signers(scratch: &Scratch) -> [Signer; 2] {
    let [cert, key] = ["server.pem", "server.key"].map(|name| private(scratch, name));
    let directory = scratch.path().join("data");
    fs::create_dir(&directory).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&directory, permissions).unwrap();
    let directory = directory.display().to_string();
    let first = Signer::start(&["--interop-keys", "0..2", "--data-dir", &directory]);
    let second = Signer::start(&[
        "--interop-keys",
        "0..4",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ]);
    first.wait_loaded();
    [first, second]
}

#[test]
fn every_metric_of_the_dashboards_and_alerts_exists() {
    let scratch = Scratch::new("dashboards-names");
    let signers = two_signers(&scratch);
    let mut known = BTreeSet::new();
    for signer in &signers {
        let mut client = crate::support::client::Client::connect(signer.metrics.as_ref().unwrap());
        for line in client.get("/metrics").text().lines() {
            known.insert(line.split(['{', ' ']).next().unwrap().to_owned());
        }
    }
    let mut used = BTreeSet::new();
    for (_, dashboard) in dashboards() {
        for (_, expression) in expressions(&dashboard) {
            used.extend(metric_names(&expression));
        }
    }
    for (_, rest) in alerts() {
        used.extend(metric_names(rest.split("annotations:").next().unwrap()));
    }
    assert!(used.len() > 30, "{used:?}");
    let missing: Vec<_> = used.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_alert_is_tested_and_says_what_to_do() {
    let tests = fs::read_to_string(packaging("prometheus/signerd.rules.test.yaml")).unwrap();
    let alerts = alerts();
    assert!(alerts.len() >= 10);
    for (name, rest) in alerts {
        assert!(
            tests.contains(&format!("alertname=\"{name}\"")),
            "no test of {name}"
        );
        assert!(
            tests.contains(&format!("{name} is quiet")),
            "no test that {name} is quiet"
        );
        assert!(
            rest.contains("severity: ") && rest.contains("summary: "),
            "{name}"
        );
        let description = rest.split("description: >-").nth(1).unwrap();
        assert!(
            description.split_whitespace().count() >= 25,
            "{name} says too little"
        );
    }
}

#[test]
fn promtool_accepts_the_alerts_and_their_tests_pass() {
    if !prometheus::is_installed() {
        return;
    }
    let rules = packaging("prometheus/signerd.rules.yaml")
        .display()
        .to_string();
    let (is_good, output) = prometheus::promtool(&["check", "rules", &rules], "");
    assert!(is_good, "{output}");
    let tests = packaging("prometheus/signerd.rules.test.yaml")
        .display()
        .to_string();
    let (is_good, output) = prometheus::promtool(&["test", "rules", &tests], "");
    assert!(is_good, "{output}");
}

/// The panels of Web3Signer's dashboard (grafana.com 13687) and of those that are made of it, but for those
/// about the JVM. `INSTANCE` stands for one signer.
const PUBLISHED_EXPRESSIONS: [&str; 15] = [
    "signing_signers_loaded_count{instance=\"INSTANCE\"}",
    "signing_bls_signing_duration{instance=\"INSTANCE\"}",
    "sum(rate(signing_bls_signing_duration_count{instance=\"INSTANCE\"}[1m]))",
    "rate(signing_bls_signing_duration_sum[1m]) / rate(signing_bls_signing_duration_count[1m])",
    "rate(eth2_slashingprotection_prevented_signings{instance=\"INSTANCE\"}[1m])",
    "rate(eth2_slashingprotection_prevented_signings_total{instance=\"INSTANCE\"}[1m])",
    "rate(eth2_slashingprotection_permitted_signings_total{instance=\"INSTANCE\"}[1m])",
    "eth2_slashingprotection_database_duration{instance=\"INSTANCE\",signingOperation=\"attestation\"}",
    "rate(signing_bls_missing_identifier_count{instance=\"INSTANCE\"}[1m])",
    "rate(http_bls_malformed_request_count{instance=\"INSTANCE\"}[1m])",
    "rate(http_vertx_worker_pool_completed_total{instance=\"INSTANCE\"}[1m])",
    "http_vertx_worker_queue_delay{instance=\"INSTANCE\",quantile=\"0.99\"}",
    "irate(process_cpu_seconds_total{instance=\"INSTANCE\"}[1m])",
    "process_resident_memory_bytes{instance=\"INSTANCE\"}",
    "process_release{instance=\"INSTANCE\"}",
];

#[test]
fn prometheus_evaluates_every_alert_and_every_panel_shows_data() {
    if !prometheus::is_installed() {
        return;
    }
    let scratch = Scratch::new("dashboards");
    let signers = two_signers(&scratch);
    let targets = signers
        .each_ref()
        .map(|signer| signer.metrics.as_deref().unwrap());
    let rules = packaging("prometheus/signerd.rules.yaml")
        .display()
        .to_string();
    let server = PrometheusServer::start("dashboards-prometheus", &targets, &rules);
    // The second round of requests is what rates are made of.
    server.wait_for("count(signerd_ready) == 2");
    let path = format!("/api/v1/eth2/sign/{KEY}");
    for round in 1..=2 {
        let mut client = signers[0].client();
        for request in [
            vote(ZERO, "0", &round.to_string(), ZERO),
            block(ZERO, &round.to_string(), ZERO),
        ] {
            let answer = client.post(&path, request.to_string().as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        server.wait_for(&format!(
            "signerd_signatures_total{{type=\"ATTESTATION\"}} == {round}"
        ));
    }
    server.wait_for("sum(rate(signerd_signatures_total[10s])) > 0");

    let mut panels: Vec<(String, String)> = Vec::new();
    for (_, dashboard) in dashboards() {
        panels.extend(expressions(&dashboard));
    }
    for expression in PUBLISHED_EXPRESSIONS {
        panels.push((
            "published".to_owned(),
            expression.replace("INSTANCE", targets[0]),
        ));
    }
    for (title, expression) in &panels {
        let series = server.query(&filled_in(expression));
        assert!(!series.is_empty(), "{title} shows nothing: {expression}");
    }

    // A minute of scrapes and evaluations of both signers.
    server.wait_for("count(count_over_time(signerd_ready[2m]) >= 60) == 2");
    let rules = server.get("/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert!(rule["lastEvaluation"].as_str().unwrap() > "2000", "{rule}");
        // Memory may not be locked on the machine of the test; nothing else is wrong.
        if rule["name"] != "SignerdMemoryNotLocked" && rule["name"] != "SignerdCertificateExpiring"
        {
            assert_eq!(rule["state"], "inactive", "{rule}");
        }
    }
}
