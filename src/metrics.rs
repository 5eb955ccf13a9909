//! The metrics and their names, as OpenMetrics text. They have py3signer's names, so that its dashboards
//! keep working, and Web3Signer's beside them.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// py3signer's buckets: a signature takes about 0.3 ms, the burst of a slot about 50 ms.
const BUCKETS_SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// The counters that the routes increment, and the registry that writes all metrics.
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    duration: Family<RequestLabels, Histogram, fn() -> Histogram>,
    registry: Registry,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    key_type: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    error_type: &'static str,
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
    /// Hits and misses of the message cache.
    pub(crate) cache_counts: (u64, u64),
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
        let mut registry = Registry::default();
        let requests = Family::default();
        let errors = Family::default();
        let duration =
            Family::new_with_constructor((|| Histogram::new(BUCKETS_SECONDS)) as fn() -> Histogram);
        registry.register(
            "signing_requests",
            "Signatures given, by type of request",
            requests.clone(),
        );
        registry.register(
            "signing_errors",
            "Requests refused, by reason",
            errors.clone(),
        );
        registry.register(
            "signing_duration_seconds",
            "Time spent on a request",
            duration.clone(),
        );
        let version = Info::new([("version", env!("CARGO_PKG_VERSION")), ("name", "signerd")]);
        registry.register(
            "py3signer_build_info",
            "Version, under py3signer's name",
            version,
        );
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("signerd_build", "Version", version);
        registry.register_collector(Box::new(SnapshotCollector(Box::new(read))));
        Arc::new(Self {
            requests,
            errors,
            duration,
            registry,
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
    pub(crate) fn refused(&self, error_type: &'static str) {
        self.errors.get_or_create(&ErrorLabels { error_type }).inc();
    }

    /// Writes the text for Prometheus.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// Measures one sign request, so that the routes need no clock.
pub(crate) struct SigningTimer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl SigningTimer<'_> {
    /// Counts a signature of this type.
    pub(crate) fn signed(self, kind: &'static str) {
        let labels = RequestLabels {
            key_type: "bls",
            r#type: kind,
        };
        self.metrics.requests.get_or_create(&labels).inc();
        self.metrics
            .duration
            .get_or_create(&labels)
            .observe(self.begun.elapsed().as_secs_f64());
    }
}

struct SnapshotCollector(Box<dyn Fn() -> ServiceSnapshot + Send + Sync>);

impl std::fmt::Debug for SnapshotCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SnapshotCollector")
    }
}

impl Collector for SnapshotCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = (self.0)();
        for (name, help, value) in [
            ("keys_loaded", "Keys that can sign", now.keys_loaded),
            (
                "signing_signers_loaded_count",
                "Keys that can sign, under Web3Signer's name",
                now.keys_loaded,
            ),
            (
                "keys_pending",
                "Keystores still to be decrypted",
                now.keys_pending,
            ),
            (
                "keys_failed",
                "Keystores that did not open",
                now.keys_failed,
            ),
            (
                "keys_memory_locked",
                "1 when the keys' memory is locked",
                u64::from(now.memory_locked),
            ),
            (
                "keys_memory_bytes",
                "Bytes of the keys' memory",
                now.memory_bytes,
            ),
            (
                "slashing_protection_on",
                "1 when slashing protection is on",
                u64::from(now.protection_on),
            ),
        ] {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        for (name, help, value) in [
            (
                "eth2_slashingprotection_permitted_signings",
                "Passed by slashing protection",
                now.protection_counts.0,
            ),
            (
                "eth2_slashingprotection_prevented_signings",
                "Refused by slashing protection",
                now.protection_counts.1,
            ),
            (
                "message_cache_hits",
                "Signing roots found hashed to the curve",
                now.cache_counts.0,
            ),
            (
                "message_cache_misses",
                "Signing roots hashed to the curve",
                now.cache_counts.1,
            ),
        ] {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        if let Some(tls) = now.tls {
            let metric = ConstGauge::new(tls.certificate_not_after);
            metric.encode(encoder.encode_descriptor(
                "tls_certificate_not_after_seconds",
                "When the certificate of this server expires, in Unix time",
                None,
                metric.metric_type(),
            )?)?;
            let metric = ConstCounter::new(tls.failed_handshakes);
            metric.encode(encoder.encode_descriptor(
                "tls_failed_handshakes",
                "Handshakes of TLS that failed",
                None,
                metric.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_py3signer_and_web3signer_are_in_the_text() {
        let metrics = Metrics::new(|| ServiceSnapshot {
            keys_loaded: 3,
            keys_pending: 0,
            keys_failed: 0,
            memory_locked: true,
            memory_bytes: 65536,
            protection_on: true,
            protection_counts: (7, 1),
            cache_counts: (5, 2),
            tls: None,
        });
        metrics.begin().signed("ATTESTATION");
        metrics.refused("malformed");
        let text = metrics.text();
        for line in [
            "signing_requests_total{key_type=\"bls\",type=\"ATTESTATION\"} 1",
            "signing_errors_total{error_type=\"malformed\"} 1",
            "signing_duration_seconds_count{key_type=\"bls\",type=\"ATTESTATION\"} 1",
            "keys_loaded 3",
            "signing_signers_loaded_count 3",
            "eth2_slashingprotection_permitted_signings_total 7",
            "eth2_slashingprotection_prevented_signings_total 1",
            "message_cache_hits_total 5",
            "py3signer_build_info_info{version=",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
