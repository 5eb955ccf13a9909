//! The metrics and their names. They have the names of py3signer and of Web3Signer, so that dashboards and
//! alerts of both keep working.
//!
//! Everything on the way of a signature is counted in atomics: no lock is taken. Every series that can
//! exist starts at 0.

mod counts;
mod durations;
mod process;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::durations::{DurationCounts, Durations};
use self::process::ProcessValues;
use self::text::{MetricType, MetricsText};

pub(crate) use self::text::MetricsFormat;

/// The types of sign requests. The last one stands for all that are not in this list.
pub(crate) const SIGNED_TYPES: [&str; 21] = [
    "AGGREGATE_AND_PROOF",
    "AGGREGATE_AND_PROOF_V2",
    "AGGREGATION_SLOT",
    "ATTESTATION",
    "BLOCK",
    "BLOCK_V2",
    "BUILDER_REQUEST_AUTH",
    "DEPOSIT",
    "EXECUTION_PAYLOAD_BID",
    "EXECUTION_PAYLOAD_ENVELOPE",
    "PAYLOAD_ATTESTATION_MESSAGE",
    "PROOF_OF_VALIDATION",
    "PROPOSER_PREFERENCES",
    "RANDAO_REVEAL",
    "RAW",
    "SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF",
    "SYNC_COMMITTEE_MESSAGE",
    "SYNC_COMMITTEE_SELECTION_PROOF",
    "VALIDATOR_REGISTRATION",
    "VOLUNTARY_EXIT",
    "OTHER",
];

/// The reasons of refusals. The last one stands for all that are not in this list.
pub(crate) const ERROR_TYPES: [&str; 11] = [
    "forbidden",
    "internal",
    "key_pending",
    "loading",
    "malformed",
    "overloaded",
    "protection_unavailable",
    "slashing_protection",
    "unauthorized",
    "unknown_key",
    "unknown_route",
];

/// The buckets of py3signer's histogram: a signature takes about 0.3 ms, the burst of a slot about 50 ms.
const PY3SIGNER_BUCKETS_SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// The quantiles of Web3Signer's summaries.
const WEB3SIGNER_QUANTILES: [f64; 6] = [0.2, 0.5, 0.8, 0.95, 0.99, 1.0];

/// The counters that the routes increment, and what is read for each scrape.
pub(crate) struct Metrics {
    /// The time of each signature, by type.
    signed: [Durations; SIGNED_TYPES.len()],
    refused: [AtomicU64; ERROR_TYPES.len()],
    read: Box<dyn Fn() -> ServiceSnapshot + Send + Sync>,
}

/// Values that other parts of the service keep. They are read for each scrape.
pub(crate) struct ServiceSnapshot {
    /// Keys that can sign.
    pub(crate) keys_loaded: u64,
    /// Keystores that are still to be decrypted.
    pub(crate) keys_pending: u64,
    /// Keystores that did not open.
    pub(crate) keys_failed: u64,
    /// Whether the keys' memory is locked.
    pub(crate) memory_locked: bool,
    /// Bytes of the keys' memory.
    pub(crate) memory_bytes: u64,
    /// Whether slashing protection is on.
    pub(crate) protection_on: bool,
    /// Signatures that slashing protection permitted, and those that it prevented.
    pub(crate) protection_counts: (u64, u64),
    /// How often a key was used by two clients, once an epoch and key.
    pub(crate) duplicate_uses: u64,
    /// Hits and misses of the message cache.
    pub(crate) cache_counts: (u64, u64),
    /// Whether signatures are made the fast way; not after a failed self-test or a fault.
    pub(crate) signing_accelerated: bool,
    /// What is known of TLS, when it is served.
    pub(crate) tls: Option<TlsSnapshot>,
}

/// What is known of TLS.
pub(crate) struct TlsSnapshot {
    /// When our own certificate expires, in seconds of Unix time.
    pub(crate) certificate_not_after: i64,
    /// Handshakes that have failed.
    pub(crate) failed_handshakes: u64,
}

impl Metrics {
    /// Starts all counters at zero. `read` is called for each scrape.
    pub(crate) fn new(read: impl Fn() -> ServiceSnapshot + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            signed: [const { Durations::new() }; SIGNED_TYPES.len()],
            refused: [const { AtomicU64::new(0) }; ERROR_TYPES.len()],
            read: Box::new(read),
        })
    }

    /// Starts the clock of one sign request.
    pub(crate) fn begin(&self) -> SigningTimer<'_> {
        SigningTimer {
            metrics: self,
            begun: Instant::now(),
        }
    }

    /// Counts a refused request.
    pub(crate) fn refused(&self, error_type: &str) {
        self.refused[index_of(&ERROR_TYPES, error_type)].fetch_add(1, Ordering::Relaxed);
    }

    fn refused_count(&self, error_type: &str) -> u64 {
        self.refused[index_of(&ERROR_TYPES, error_type)].load(Ordering::Relaxed)
    }

    /// Writes the text for Prometheus.
    pub(crate) fn text(&self, format: MetricsFormat) -> String {
        let mut text = MetricsText::new(format);
        let now = (self.read)();
        self.write_signatures(&mut text);
        self.write_refusals(&mut text);
        write_keys(&mut text, &now);
        write_protection(&mut text, &now);
        write_process(&mut text);
        text.finish()
    }

    fn write_signatures(&self, text: &mut MetricsText) {
        let counts = self.signed.each_ref().map(Durations::read);
        let labels = SIGNED_TYPES.map(|signed_type| [("key_type", "bls"), ("type", signed_type)]);
        let mut samples = Vec::new();
        for (labels, counts) in labels.iter().zip(&counts) {
            samples.push((&labels[..], counts.count()));
        }
        text.counter(
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
        for (labels, counts) in labels.iter().zip(&counts) {
            write_histogram(text, name, *labels, counts);
        }

        let mut all = DurationCounts::NONE;
        for counts in &counts {
            all.add(counts);
        }
        write_summary(
            text,
            "signing_bls_signing_duration",
            "Time of a signature in seconds, under Web3Signer's name",
            &all,
        );
        write_summary(
            text,
            "signing_private_key_retrieval_time",
            "Under Web3Signer's name; no key is fetched from another service",
            &DurationCounts::NONE,
        );
    }

    fn write_refusals(&self, text: &mut MetricsText) {
        let labels = ERROR_TYPES.map(|error_type| [("error_type", error_type)]);
        let mut samples = Vec::new();
        for (labels, count) in labels.iter().zip(&self.refused) {
            samples.push((&labels[..], count.load(Ordering::Relaxed)));
        }
        text.counter("signing_errors", "Requests refused, by reason", &samples);
        text.counter(
            "signing_bls_missing_identifier_count",
            "Sign requests for a key that is not loaded, under Web3Signer's name",
            &[(&[], self.refused_count("unknown_key"))],
        );
        text.counter(
            "http_bls_malformed_request_count",
            "Malformed requests, under Web3Signer's name",
            &[(&[], self.refused_count("malformed"))],
        );
    }
}

/// Returns the position of the name; the last one stands for all that are not in the list.
pub(crate) fn index_of(names: &[&str], name: &str) -> usize {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or(names.len() - 1)
}

fn write_histogram(
    text: &mut MetricsText,
    name: &str,
    labels: [(&str, &str); 2],
    counts: &DurationCounts,
) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in counts.cumulative() {
        if PY3SIGNER_BUCKETS_SECONDS.contains(&bound) {
            let bound = format!("{bound:?}");
            text.sample(&bucket, &[labels[0], labels[1], ("le", &bound)], count);
        }
    }
    text.sample(
        &bucket,
        &[labels[0], labels[1], ("le", "+Inf")],
        counts.count(),
    );
    text.sample(&format!("{name}_sum"), &labels, counts.sum_seconds());
    text.sample(&format!("{name}_count"), &labels, counts.count());
}

fn write_summary(text: &mut MetricsText, name: &str, help: &str, counts: &DurationCounts) {
    text.begin(name, MetricType::Summary, help);
    for quantile in WEB3SIGNER_QUANTILES {
        let part = format!("{quantile:?}");
        text.sample(
            name,
            &[("quantile", &part)],
            counts.quantile_seconds(quantile),
        );
    }
    text.sample(&format!("{name}_sum"), &[], counts.sum_seconds());
    text.sample(&format!("{name}_count"), &[], counts.count());
}

fn write_keys(text: &mut MetricsText, now: &ServiceSnapshot) {
    text.gauge("keys_loaded", "Keys that can sign", now.keys_loaded);
    text.gauge(
        "signing_signers_loaded_count",
        "Keys that can sign, under Web3Signer's name",
        now.keys_loaded,
    );
    text.gauge(
        "keys_pending",
        "Keystores still to be decrypted",
        now.keys_pending,
    );
    text.gauge(
        "keys_failed",
        "Keystores that did not open",
        now.keys_failed,
    );
    text.gauge(
        "keys_memory_locked",
        "1 when the keys' memory is locked",
        u8::from(now.memory_locked),
    );
    text.gauge(
        "signing_accelerated",
        "0 after a fault of the signature code or of the machine: blst alone signs, more slowly",
        u8::from(now.signing_accelerated),
    );
    text.gauge(
        "keys_memory_bytes",
        "Bytes of the keys' memory",
        now.memory_bytes,
    );
    let (hits, misses) = now.cache_counts;
    text.counter(
        "message_cache_hits",
        "Signing roots found hashed to the curve",
        &[(&[], hits)],
    );
    text.counter(
        "message_cache_misses",
        "Signing roots hashed to the curve",
        &[(&[], misses)],
    );
    if let Some(tls) = &now.tls {
        text.gauge(
            "tls_certificate_not_after_seconds",
            "When the certificate of this server expires, in Unix time",
            tls.certificate_not_after,
        );
        text.counter(
            "tls_failed_handshakes",
            "Handshakes of TLS that failed",
            &[(&[], tls.failed_handshakes)],
        );
    }
}

fn write_protection(text: &mut MetricsText, now: &ServiceSnapshot) {
    text.gauge(
        "slashing_protection_on",
        "1 when slashing protection is on",
        u8::from(now.protection_on),
    );
    let (permitted, prevented) = now.protection_counts;
    text.counter(
        "eth2_slashingprotection_permitted_signings",
        "Signatures that slashing protection permitted",
        &[(&[], permitted)],
    );
    text.counter(
        "eth2_slashingprotection_prevented_signings",
        "Signatures that slashing protection prevented",
        &[(&[], prevented)],
    );
    text.counter(
        "signerd_duplicate_use",
        "Keys that two clients have used in turns, once an epoch and key",
        &[(&[], now.duplicate_uses)],
    );
}

/// Writes the version, and what the system knows of the process.
fn write_process(text: &mut MetricsText) {
    let version = ("version", env!("CARGO_PKG_VERSION"));
    text.info("signerd_build", "Version", &[version]);
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

    let process = ProcessValues::read();
    if let Some(seconds) = process.cpu_seconds {
        text.float_counter(
            "process_cpu_seconds",
            "Processor time of the process",
            seconds,
        );
    }
    if let Some(seconds) = process.start_seconds {
        text.gauge(
            "process_start_time_seconds",
            "When the process began, in Unix time",
            seconds,
        );
    }
    for (name, help, value) in [
        (
            "process_virtual_memory_bytes",
            "Virtual memory",
            process.virtual_bytes,
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory",
            process.resident_bytes,
        ),
        (
            "process_open_fds",
            "Open file descriptors",
            process.open_descriptors,
        ),
        (
            "process_max_fds",
            "Most file descriptors that may be open",
            process.descriptors_max,
        ),
    ] {
        if let Some(value) = value {
            text.gauge(name, help, value);
        }
    }
}

/// Measures one sign request, so that the routes need no clock.
pub(crate) struct SigningTimer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl SigningTimer<'_> {
    /// Counts a signature of this type. Returns how long it took.
    pub(crate) fn signed(self, signed_type: &str) -> Duration {
        let index = index_of(&SIGNED_TYPES, signed_type);
        let duration = self.begun.elapsed();
        self.metrics.signed[index].add(duration);
        duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Arc<Metrics> {
        let metrics = Metrics::new(|| ServiceSnapshot {
            keys_loaded: 3,
            keys_pending: 0,
            keys_failed: 0,
            memory_locked: true,
            memory_bytes: 65536,
            protection_on: true,
            protection_counts: (7, 1),
            duplicate_uses: 0,
            cache_counts: (5, 2),
            signing_accelerated: true,
            tls: None,
        });
        metrics.begin().signed("ATTESTATION");
        metrics.refused("malformed");
        metrics.refused("unknown_key");
        metrics
    }

    #[test]
    fn the_names_of_py3signer_and_web3signer_are_in_both_forms() {
        let metrics = metrics();
        for format in [MetricsFormat::Plain, MetricsFormat::OpenMetrics] {
            let text = metrics.text(format);
            for line in [
                "signing_requests_total{key_type=\"bls\",type=\"ATTESTATION\"} 1",
                "signing_requests_total{key_type=\"bls\",type=\"BLOCK_V2\"} 0",
                "signing_errors_total{error_type=\"malformed\"} 1",
                "signing_errors_total{error_type=\"internal\"} 0",
                "signing_duration_seconds_count{key_type=\"bls\",type=\"ATTESTATION\"} 1",
                "signing_duration_seconds_bucket{key_type=\"bls\",type=\"ATTESTATION\",le=\"1.0\"} 1",
                "signing_duration_seconds_bucket{key_type=\"bls\",type=\"ATTESTATION\",le=\"+Inf\"} 1",
                "signing_bls_signing_duration{quantile=\"0.99\"} 0.",
                "signing_bls_signing_duration_count 1",
                "signing_bls_missing_identifier_count_total 1",
                "http_bls_malformed_request_count_total 1",
                "keys_loaded 3",
                "signing_signers_loaded_count 3",
                "eth2_slashingprotection_permitted_signings_total 7",
                "eth2_slashingprotection_prevented_signings_total 1",
                "message_cache_hits_total 5",
                "py3signer_build_info_info{version=",
                "process_release{version=",
                "process_resident_memory_bytes ",
                "process_cpu_seconds_total ",
                "process_start_time_seconds ",
                "process_max_fds ",
            ] {
                assert!(text.contains(line), "{line} is missing in\n{text}");
            }
        }
    }

    #[test]
    fn counters_have_both_names_in_the_plain_form_alone() {
        let metrics = metrics();
        let name = "\neth2_slashingprotection_permitted_signings 7\n";
        assert!(metrics.text(MetricsFormat::Plain).contains(name));
        let open = metrics.text(MetricsFormat::OpenMetrics);
        assert!(!open.contains(name) && open.ends_with("# EOF\n"));
    }

    #[test]
    fn each_metric_has_one_head() {
        for format in [MetricsFormat::Plain, MetricsFormat::OpenMetrics] {
            let text = metrics().text(format);
            let mut heads: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("# TYPE "))
                .collect();
            let count = heads.len();
            heads.sort_unstable();
            heads.dedup();
            assert_eq!(heads.len(), count);
        }
    }
}
