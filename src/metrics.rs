//! Names and counters, in OpenMetrics text: py3signer's names, so that its dashboards go on working,
//! and Web3Signer's beside them.

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

/// The counters that routes add to, and the registry that writes them all.
pub struct Metrics {
    requests: Family<Kind, Counter>,
    errors: Family<ErrorType, Counter>,
    duration: Family<Kind, Histogram, fn() -> Histogram>,
    registry: Registry,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    key_type: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorType {
    error_type: &'static str,
}

/// What is counted elsewhere, read when somebody asks.
pub struct Readings {
    /// Keys that can sign.
    pub keys_loaded: u64,
    /// Keystores that are still to be decrypted.
    pub keys_pending: u64,
    /// Keystores that did not open.
    pub keys_failed: u64,
    /// 1 when the keys' memory is locked.
    pub memory_locked: bool,
    /// Bytes of the keys' memory.
    pub memory_bytes: u64,
    /// 1 when slashing protection is on.
    pub protection_on: bool,
    /// Signatures that slashing protection let pass, and refused.
    pub protection_counts: (u64, u64),
    /// Hits and misses of the message cache.
    pub cache_counts: (u64, u64),
    /// 1 while signatures are made the fast way, 0 after a failed self-test or a fault.
    pub signing_accelerated: bool,
}

impl Metrics {
    /// All counters at zero; `read` is called at each request for the text.
    pub fn new(read: impl Fn() -> Readings + Send + Sync + 'static) -> Arc<Self> {
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
            "py3signer_build",
            "Version, under py3signer's name",
            version,
        );
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("signerd_build", "Version", version);
        registry.register_collector(Box::new(Reader(Box::new(read))));
        Arc::new(Self {
            requests,
            errors,
            duration,
            registry,
        })
    }

    /// The time of one signature begins.
    pub fn begin(&self) -> Timer<'_> {
        Timer {
            metrics: self,
            begun: Instant::now(),
        }
    }

    /// One request was refused.
    pub fn refused(&self, error_type: &'static str) {
        self.errors.get_or_create(&ErrorType { error_type }).inc();
    }

    /// The text for Prometheus.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// The clock of one request, so that the routes need none.
pub struct Timer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl Timer<'_> {
    /// A signature of this type was given.
    pub fn signed(self, kind: &'static str) {
        let labels = Kind {
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

struct Reader(Box<dyn Fn() -> Readings + Send + Sync>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Collector for Reader {
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
            (
                "signing_accelerated",
                "0 after a fault of the signature code or of the machine: blst alone signs, more slowly",
                u64::from(now.signing_accelerated),
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
        Ok(())
    }
}

/// py3signer's buckets: a signature takes some 0.3 ms, a burst of a slot some 50.
const BUCKETS_SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_py3signer_and_web3signer_are_in_the_text() {
        let metrics = Metrics::new(|| Readings {
            keys_loaded: 3,
            keys_pending: 0,
            keys_failed: 0,
            memory_locked: true,
            memory_bytes: 65536,
            protection_on: true,
            protection_counts: (7, 1),
            cache_counts: (5, 2),
            signing_accelerated: true,
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
            "signing_accelerated 1",
            "py3signer_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
