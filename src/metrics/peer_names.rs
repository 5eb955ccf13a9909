//! The figures under the names of py3signer and of Web3Signer, and under those that signerd 0.1.0 had.
//!
//! Web3Signer's pool of workers is here the pool of signing threads. Its labels are as Web3Signer writes
//! them.

use super::durations::DurationCounts;
use super::snapshot::{MetricsSnapshot, ServiceSnapshot};
use super::text::{MetricType, MetricsText};
use super::{ERROR_TYPES, STORE_OPERATIONS};

/// The buckets of py3signer's histogram: a signature takes about 0.3 ms, the burst of a slot about 50 ms.
const PY3SIGNER_BUCKETS_SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// The labels of Web3Signer's pool of workers.
const POOL_LABELS: [(&str, &str); 2] =
    [("poolType", "worker"), ("poolName", "vert.x-worker-thread")];

pub(super) fn write(text: &mut MetricsText, now: &MetricsSnapshot) {
    write_signatures(text, now);
    write_refusals(text, now);
    write_protection(text, now);
    write_pool(text, now);
    write_keys(text, &now.service);
    write_first_names(text, &now.service);
    write_version(text);
}

fn write_signatures(text: &mut MetricsText, now: &MetricsSnapshot) {
    let mut labels = Vec::new();
    for (signed_type, _) in &now.signed {
        labels.push([("key_type", "bls"), ("type", *signed_type)]);
    }
    let mut samples = Vec::new();
    for (labels, (_, counts)) in labels.iter().zip(&now.signed) {
        samples.push((&labels[..], counts.count()));
    }
    text.peer_counter(
        "signing_requests",
        "Signatures given, by type of request",
        &samples,
    );
    let name = "signing_duration_seconds";
    text.begin(
        name,
        MetricType::Histogram,
        "Time from the start of a sign request to its signature",
    );
    for (labels, (_, counts)) in labels.iter().zip(&now.signed) {
        text.durations(name, labels, counts, &PY3SIGNER_BUCKETS_SECONDS);
    }
    write_summary(
        text,
        "signing_bls_signing_duration",
        "Time of a signature in seconds, under Web3Signer's name",
        &[(&[], &now.all_signed())],
    );
    write_summary(
        text,
        "signing_private_key_retrieval_time",
        "Under Web3Signer's name: no key is fetched from another service",
        &[(&[], &DurationCounts::NONE)],
    );
}

fn write_refusals(text: &mut MetricsText, now: &MetricsSnapshot) {
    let labels = ERROR_TYPES.map(|error_type| [("error_type", error_type)]);
    let mut samples = Vec::new();
    for (labels, (_, count)) in labels.iter().zip(&now.refused) {
        samples.push((&labels[..], *count));
    }
    text.peer_counter("signing_errors", "Requests refused, by reason", &samples);
    text.peer_counter(
        "signing_bls_missing_identifier_count",
        "Sign requests for a key that is not loaded, under Web3Signer's name",
        &[(&[], now.refused_count("unknown_key"))],
    );
    text.peer_counter(
        "http_bls_malformed_request_count",
        "Malformed requests, under Web3Signer's name",
        &[(&[], now.refused_count("malformed"))],
    );
}

fn write_protection(text: &mut MetricsText, now: &MetricsSnapshot) {
    let (permitted, prevented) = now.service.protection_counts;
    text.peer_counter(
        "eth2_slashingprotection_permitted_signings",
        "Signatures that slashing protection permitted",
        &[(&[], permitted)],
    );
    text.peer_counter(
        "eth2_slashingprotection_prevented_signings",
        "Signatures that slashing protection prevented",
        &[(&[], prevented)],
    );
    let labels = STORE_OPERATIONS.map(|operation| [("signingOperation", operation)]);
    let [blocks, attestations] = &now.store.operations;
    write_summary(
        text,
        "eth2_slashingprotection_database_duration",
        "Time in seconds until a message is on record, under Web3Signer's name",
        &[(&labels[0], blocks), (&labels[1], attestations)],
    );
}

fn write_pool(text: &mut MetricsText, now: &MetricsSnapshot) {
    let signers = &now.service.signers;
    let submitted = signers.completed + signers.rejected + signers.waiting;
    for (name, help, count) in [
        (
            "http_vertx_worker_pool_submitted",
            "Signatures asked of the signing threads, under Web3Signer's name",
            submitted,
        ),
        (
            "http_vertx_worker_pool_completed",
            "Signatures of the signing threads, under Web3Signer's name",
            signers.completed,
        ),
        (
            "http_vertx_worker_pool_rejected",
            "Signatures refused because too many were waiting, under Web3Signer's name",
            signers.rejected,
        ),
    ] {
        text.peer_counter(name, help, &[(&POOL_LABELS, count)]);
    }
    write_summary(
        text,
        "http_vertx_worker_pool_usage",
        "Time in seconds that a signing thread works at a time, under Web3Signer's name",
        &[(&POOL_LABELS, &signers.work)],
    );
    // Web3Signer writes the first name; its manual has the second one as well.
    for name in [
        "http_vertx_worker_queue_delay",
        "http_vertx_worker_pool_queue_delay",
    ] {
        write_summary(
            text,
            name,
            "Time in seconds that a signature waits for a thread, under Web3Signer's name",
            &[(&POOL_LABELS, &signers.delays)],
        );
    }
}

fn write_keys(text: &mut MetricsText, service: &ServiceSnapshot) {
    text.gauge("keys_loaded", "Keys that can sign", service.keys_loaded);
    text.gauge(
        "signing_signers_loaded_count",
        "Keys that can sign, under Web3Signer's name",
        service.keys_loaded,
    );
}

/// Writes the names of signerd 0.1.0, so that its dashboards go on.
fn write_first_names(text: &mut MetricsText, service: &ServiceSnapshot) {
    for (name, help, value) in [
        ("keys_pending", "As signerd_keys", service.keys_pending),
        ("keys_failed", "As signerd_keys", service.keys_failed),
        (
            "keys_memory_locked",
            "As signerd_memory_locked",
            u64::from(service.memory_locked),
        ),
        (
            "keys_memory_bytes",
            "As signerd_key_memory_bytes",
            service.memory_bytes,
        ),
        (
            "slashing_protection_on",
            "1 when slashing protection is on",
            u64::from(service.protection != "off"),
        ),
    ] {
        text.gauge(name, help, value);
    }
    let (hits, misses) = service.cache_counts;
    for (name, help, count) in [
        (
            "message_cache_hits",
            "As signerd_message_cache_hits_total",
            hits,
        ),
        (
            "message_cache_misses",
            "As signerd_message_cache_misses_total",
            misses,
        ),
    ] {
        text.peer_counter(name, help, &[(&[], count)]);
    }
    if let Some(tls) = &service.tls {
        text.gauge(
            "tls_certificate_not_after_seconds",
            "As signerd_tls_certificate_expiry_timestamp_seconds",
            tls.certificate_not_after,
        );
        let failed = tls.failed_handshakes.iter().map(|(_, count)| count).sum();
        text.peer_counter(
            "tls_failed_handshakes",
            "As signerd_tls_handshakes_failed_total",
            &[(&[], failed)],
        );
    }
}

fn write_version(text: &mut MetricsText) {
    let version = ("version", env!("CARGO_PKG_VERSION"));
    text.info(
        "py3signer_build_info",
        "Version, under py3signer's name",
        &[version, ("name", "signerd")],
    );
    text.begin(
        "process_release",
        MetricType::Gauge,
        "Version, under Web3Signer's name",
    );
    text.sample("process_release", &[version], 1);
}

/// The quantiles of Web3Signer's summaries.
const WEB3SIGNER_QUANTILES: [f64; 6] = [0.2, 0.5, 0.8, 0.95, 0.99, 1.0];

fn write_summary(
    text: &mut MetricsText,
    name: &str,
    help: &str,
    series: &[(&[(&str, &str)], &DurationCounts)],
) {
    text.begin(name, MetricType::Summary, help);
    for (labels, counts) in series {
        for quantile in WEB3SIGNER_QUANTILES {
            let part = format!("{quantile:?}");
            let labels = [labels, &[("quantile", part.as_str())][..]].concat();
            text.sample(name, &labels, counts.quantile_seconds(quantile));
        }
        text.sample(&format!("{name}_sum"), labels, counts.sum_seconds());
        text.sample(&format!("{name}_count"), labels, counts.count());
    }
}
