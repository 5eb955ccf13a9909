//! All figures at one time, with types: for the metrics' text and for whoever shows them otherwise.

use super::durations::{DurationCounts, SizeCounts};
use crate::audit_log::AuditCounts;

/// What is counted here, and what other parts of the service keep.
pub(crate) struct MetricsSnapshot {
    /// Answers, by route and status; each that can come is there.
    pub(crate) answers: Vec<AnswerCount>,
    /// The time of each signature, by type of request.
    pub(crate) signed: Vec<(&'static str, DurationCounts)>,
    /// How late duties were asked for, by type of request.
    pub(crate) lateness: Vec<(&'static str, DurationCounts)>,
    /// Refused requests, by reason.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// Messages that slashing protection refused, by rule.
    pub(crate) prevented: Vec<(&'static str, u64)>,
    /// Requests whose token was missing or wrong.
    pub(crate) tokens_refused: Vec<(&'static str, u64)>,
    pub(crate) store: StoreCounts,
    pub(crate) service: ServiceSnapshot,
}

/// How often a route answered with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerCount {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// The status, or `other`.
    pub(crate) status: &'static str,
    pub(crate) count: u64,
}

/// What the store of slashing protection has done.
pub(crate) struct StoreCounts {
    /// The time until a message was on record, by [`super::STORE_OPERATIONS`].
    pub(crate) operations: [DurationCounts; 2],
    /// The time of one commit.
    pub(crate) commits: DurationCounts,
    /// Messages of one commit.
    pub(crate) batches: SizeCounts,
}

/// Values that other parts of the service keep. They are read when they are asked for.
pub(crate) struct ServiceSnapshot {
    /// Keys that can sign.
    pub(crate) keys_loaded: u64,
    /// Keystores that are still to be decrypted.
    pub(crate) keys_pending: u64,
    /// Keystores that did not open.
    pub(crate) keys_failed: u64,
    /// How many keys there should be at least, when that was said.
    pub(crate) keys_expected: u64,
    /// Whether the first load has ended.
    pub(crate) first_load_ended: bool,
    /// Whether the keys' memory is locked.
    pub(crate) memory_locked: bool,
    /// Bytes of the keys' memory.
    pub(crate) memory_bytes: u64,
    /// Where slashing protection keeps its records: `off`, `directory` or `database`.
    pub(crate) protection: &'static str,
    /// Whether the last access to the records worked.
    pub(crate) store_available: bool,
    /// Signatures that slashing protection permitted, and those that it prevented.
    pub(crate) protection_counts: (u64, u64),
    /// How often a key was used by two clients, once an epoch and key.
    pub(crate) duplicate_uses: u64,
    /// The lines of the audit log, if there is one.
    pub(crate) audit: Option<AuditCounts>,
    /// Hits and misses of the message cache.
    pub(crate) cache_counts: (u64, u64),
    /// Whether signatures are made the fast way; not after a failed self-test or a fault.
    pub(crate) signing_accelerated: bool,
    /// Connections of each kind of listener.
    pub(crate) connections: Vec<ConnectionCounts>,
    /// Memory of bodies and large answers in flight: bytes in use, and the most there may be.
    pub(crate) in_flight_bytes: (u64, u64),
    pub(crate) signers: SignerCounts,
    /// What is known of TLS, when it is served.
    pub(crate) tls: Option<TlsSnapshot>,
}

/// The connections of one kind of listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionCounts {
    pub(crate) listener: &'static str,
    /// Open now.
    pub(crate) open: u64,
    /// Accepted since the start.
    pub(crate) accepted: u64,
    /// Refused because there were too many.
    pub(crate) refused: u64,
}

/// What the signing threads do.
#[derive(Clone)]
pub(crate) struct SignerCounts {
    pub(crate) threads: u64,
    /// Signatures that wait for a thread.
    pub(crate) waiting: u64,
    /// Signatures made since the start.
    pub(crate) completed: u64,
    /// Signatures refused because too many were waiting.
    pub(crate) rejected: u64,
    /// How long signatures waited for a thread.
    pub(crate) delays: DurationCounts,
    /// How long threads took for what they took at a time.
    pub(crate) work: DurationCounts,
}

/// What is known of TLS.
pub(crate) struct TlsSnapshot {
    /// When our own certificate expires, in seconds of Unix time.
    pub(crate) certificate_not_after: i64,
    /// Handshakes that have failed, by reason.
    pub(crate) failed_handshakes: Vec<(&'static str, u64)>,
}

impl MetricsSnapshot {
    /// Returns how many requests were refused for this reason.
    pub(super) fn refused_count(&self, reason: &str) -> u64 {
        let known = self.refused.iter().find(|(known, _)| *known == reason);
        known.map_or(0, |(_, count)| *count)
    }

    /// Returns the time of all signatures.
    pub(crate) fn all_signed(&self) -> DurationCounts {
        let mut all = DurationCounts::NONE;
        for (_, counts) in &self.signed {
            all.merge(counts);
        }
        all
    }
}
