//! The figures under our own names, which begin with `signerd_` and follow the rules of Prometheus for names
//! and units.

use super::durations::DurationCounts;
use super::snapshot::{ConnectionCounts, MetricsSnapshot, ServiceSnapshot, TlsSnapshot};
use super::text::{MetricType, MetricsText};
use crate::audit_log::AuditCounts;

/// The buckets of durations: 0.1 to 50 ms with some beyond either end.
const BUCKETS_SECONDS: [f64; 20] = [
    0.0001, 0.000_15, 0.0002, 0.0003, 0.0004, 0.0005, 0.000_75, 0.001, 0.0015, 0.0025, 0.005,
    0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// The buckets of lateness. An early duty counts as 0.
const LATENESS_BUCKETS_SECONDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0];

/// Where slashing protection may keep its records.
const PROTECTION_STATES: [&str; 3] = ["off", "directory", "database"];

pub(super) fn write(text: &mut MetricsText, now: &MetricsSnapshot) {
    let version = ("version", env!("CARGO_PKG_VERSION"));
    text.info("signerd_build", "Version", &[version]);
    write_requests(text, now);
    write_signatures(text, now);
    write_keys(text, &now.service);
    write_protection(text, now);
    write_server(text, &now.service);
    if let Some(tls) = &now.service.tls {
        write_tls(text, tls);
    }
}

fn write_requests(text: &mut MetricsText, now: &MetricsSnapshot) {
    text.begin_counter(
        "signerd_requests",
        "Answers, by route and status. A route of none is a request that was not understood",
    );
    for answer in &now.answers {
        let labels = [
            ("method", answer.method),
            ("route", answer.path),
            ("status", answer.status),
        ];
        text.sample("signerd_requests_total", &labels, answer.count);
    }
    write_counts(
        text,
        "signerd_refusals",
        "Requests refused, by reason",
        "reason",
        &now.refused,
    );
    write_counts(
        text,
        "signerd_tokens_refused",
        "Requests without the token that they need, or with a wrong one",
        "reason",
        &now.tokens_refused,
    );
}

fn write_signatures(text: &mut MetricsText, now: &MetricsSnapshot) {
    let signed: Vec<_> = now
        .signed
        .iter()
        .map(|(signed_type, counts)| (*signed_type, counts.count()))
        .collect();
    write_counts(
        text,
        "signerd_signatures",
        "Signatures given, by type of request",
        "type",
        &signed,
    );
    write_durations(
        text,
        "signerd_signature_duration_seconds",
        "Time from the start of a sign request to its signature",
        &now.all_signed(),
    );
    let name = "signerd_duty_lateness_seconds";
    text.begin(
        name,
        MetricType::Histogram,
        "How long after its time a duty was asked for: the start of its slot, or the third of the slot of its type",
    );
    for (signed_type, counts) in &now.lateness {
        let labels = [("type", *signed_type)];
        text.durations(name, &labels, counts, &LATENESS_BUCKETS_SECONDS);
    }
    text.gauge(
        "signerd_signing_accelerated",
        "0 after a fault of the signature code or of the machine: blst alone signs, more slowly",
        u8::from(now.service.signing_accelerated),
    );
    let (hits, misses) = now.service.cache_counts;
    text.counter(
        "signerd_message_cache_hits",
        "Signing roots found hashed to the curve",
        &[(&[], hits)],
    );
    text.counter(
        "signerd_message_cache_misses",
        "Signing roots hashed to the curve",
        &[(&[], misses)],
    );
}

fn write_keys(text: &mut MetricsText, service: &ServiceSnapshot) {
    text.begin(
        "signerd_keys",
        MetricType::Gauge,
        "Keys that can sign, keystores still to be decrypted, keystores that did not open",
    );
    for (state, count) in [
        ("loaded", service.keys_loaded),
        ("pending", service.keys_pending),
        ("failed", service.keys_failed),
    ] {
        text.sample("signerd_keys", &[("state", state)], count);
    }
    for (name, help, value) in [
        (
            "signerd_keys_expected",
            "How many keys there should be at least (--expect-keys), or 0",
            service.keys_expected,
        ),
        (
            "signerd_ready",
            "1 when the first load of keys has ended",
            u64::from(service.first_load_ended),
        ),
        (
            "signerd_memory_locked",
            "1 when the keys' memory is locked",
            u64::from(service.memory_locked),
        ),
        (
            "signerd_key_memory_bytes",
            "Bytes of the keys' memory",
            service.memory_bytes,
        ),
    ] {
        text.gauge(name, help, value);
    }
    text.counter(
        "signerd_duplicate_use",
        "Keys that two clients have used in turns, once an epoch and key",
        &[(&[], service.duplicate_uses)],
    );
    write_audit(text, service.audit.unwrap_or_default());
}

fn write_audit(text: &mut MetricsText, audit: AuditCounts) {
    for (name, help, count) in [
        (
            "signerd_audit_log_lines",
            "Lines of the audit log that are written",
            audit.written,
        ),
        (
            "signerd_audit_log_late",
            "Signatures that left before their line of the audit log was written",
            audit.late,
        ),
        (
            "signerd_audit_log_lost",
            "Lines of the audit log that were lost",
            audit.lost,
        ),
    ] {
        text.counter(name, help, &[(&[], count)]);
    }
    text.gauge(
        "signerd_audit_log_failing",
        "1 while the audit log cannot be written",
        u8::from(audit.is_failing),
    );
}

fn write_protection(text: &mut MetricsText, now: &MetricsSnapshot) {
    text.begin(
        "signerd_slashing_protection",
        MetricType::Gauge,
        "1 for the place where slashing protection keeps its records",
    );
    for state in PROTECTION_STATES {
        let is_state = state == now.service.protection;
        let labels = [("store", state)];
        text.sample("signerd_slashing_protection", &labels, u8::from(is_state));
    }
    text.gauge(
        "signerd_store_available",
        "0 when slashing protection cannot read or write its records: nothing that can be slashed is signed",
        u8::from(now.service.store_available),
    );
    write_counts(
        text,
        "signerd_slashing_refusals",
        "Messages that slashing protection did not let be signed, by rule",
        "rule",
        &now.prevented,
    );
    write_durations(
        text,
        "signerd_store_commit_duration_seconds",
        "Time in which slashing protection checked and recorded one batch of messages",
        &now.store.commits,
    );
    let name = "signerd_store_batch_size";
    text.begin(
        name,
        MetricType::Histogram,
        "Messages that slashing protection recorded together",
    );
    let batches = &now.store.batches;
    let up_to = batches
        .up_to()
        .map(|(bound, count)| (bound.to_string(), count));
    text.buckets(name, &[], up_to, batches.count());
    text.sample("signerd_store_batch_size_sum", &[], batches.sum());
    text.sample("signerd_store_batch_size_count", &[], batches.count());
}

fn write_connections(text: &mut MetricsText, connections: &[ConnectionCounts]) {
    text.begin(
        "signerd_connections",
        MetricType::Gauge,
        "Connections that are open",
    );
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for counts in connections {
        let labels = [("listener", counts.listener)];
        text.sample("signerd_connections", &labels, counts.open);
        accepted.push((counts.listener, counts.accepted));
        refused.push((counts.listener, counts.refused));
    }
    write_counts(
        text,
        "signerd_connections_accepted",
        "Connections accepted",
        "listener",
        &accepted,
    );
    write_counts(
        text,
        "signerd_connections_refused",
        "Connections refused because there were too many",
        "listener",
        &refused,
    );
}

fn write_server(text: &mut MetricsText, service: &ServiceSnapshot) {
    write_connections(text, &service.connections);
    let (in_flight, in_flight_max) = service.in_flight_bytes;
    for (name, help, value) in [
        (
            "signerd_in_flight_bytes",
            "Memory of bodies and large answers that are being read or sent",
            in_flight,
        ),
        (
            "signerd_in_flight_limit_bytes",
            "The most memory that bodies and large answers may take",
            in_flight_max,
        ),
        (
            "signerd_queue_length",
            "Signatures that wait for a signing thread",
            service.signers.waiting,
        ),
        (
            "signerd_signing_threads",
            "Signing threads",
            service.signers.threads,
        ),
    ] {
        text.gauge(name, help, value);
    }
    text.counter(
        "signerd_queue_rejected",
        "Signatures refused because too many were waiting",
        &[(&[], service.signers.rejected)],
    );
    write_durations(
        text,
        "signerd_queue_delay_seconds",
        "Time from the request of a signature until it is begun, by a signing thread or by the worker that has read it",
        &service.signers.delays,
    );
}

fn write_tls(text: &mut MetricsText, tls: &TlsSnapshot) {
    text.gauge(
        "signerd_tls_certificate_expiry_timestamp_seconds",
        "When the certificate of this server expires, in Unix time",
        tls.certificate_not_after,
    );
    write_counts(
        text,
        "signerd_tls_handshakes_failed",
        "Handshakes of TLS that failed, by reason",
        "reason",
        &tls.failed_handshakes,
    );
}

fn write_durations(text: &mut MetricsText, name: &str, help: &str, counts: &DurationCounts) {
    text.begin(name, MetricType::Histogram, help);
    text.durations(name, &[], counts, &BUCKETS_SECONDS);
}

/// Writes a counter with one label.
fn write_counts(
    text: &mut MetricsText,
    name: &str,
    help: &str,
    label: &str,
    counts: &[(&'static str, u64)],
) {
    text.begin_counter(name, help);
    let total = format!("{name}_total");
    for (value, count) in counts {
        text.sample(&total, &[(label, value)], count);
    }
}
