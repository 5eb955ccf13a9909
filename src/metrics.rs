//! The metrics: what is counted, and its names. They have the names of py3signer and of Web3Signer, so that
//! dashboards and alerts of both keep working, and our own, which begin with `signerd_`.
//!
//! Everything on the way of a signature is counted in atomics in arrays of fixed size: no lock is taken.
//! Every series that can exist starts at 0.

mod counts;
mod durations;
mod own_names;
mod peer_names;
mod process;
mod snapshot;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use self::durations::Sizes;
use self::text::MetricsText;
use crate::slashing::{StoreCommit, StoreObserver};

pub(crate) use self::durations::Durations;
pub(crate) use self::snapshot::{
    AnswerCount, ConnectionCounts, MetricsSnapshot, ServiceSnapshot, SignerCounts, StoreCounts,
    TlsSnapshot,
};
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

/// The types of sign requests whose messages have a time.
pub(crate) const TIMED_TYPES: [&str; 8] = [
    "AGGREGATE_AND_PROOF",
    "AGGREGATE_AND_PROOF_V2",
    "ATTESTATION",
    "BLOCK",
    "BLOCK_V2",
    "PAYLOAD_ATTESTATION_MESSAGE",
    "SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF",
    "SYNC_COMMITTEE_MESSAGE",
];

/// The rules of slashing protection, as [`crate::slashing::Refused::rule_name`] names them. The last one
/// stands for all that are not in this list.
pub(crate) const RULES: [&str; 18] = [
    "above_high_watermark",
    "below_floor",
    "database_chain",
    "double_proposal",
    "double_vote",
    "in_future",
    "key_disabled",
    "many_chains",
    "other_chain",
    "raw_root",
    "slot_below",
    "source_after_target",
    "source_below",
    "surrounded",
    "surrounding",
    "target_below",
    "unavailable",
    "other",
];

/// What may be wrong with a token.
const TOKEN_FAULTS: [&str; 3] = ["missing", "not_configured", "wrong"];

/// The statuses of answers. The last one stands for all that are not in this list.
const STATUSES: [(u16, &str); 23] = [
    (200, "200"),
    (202, "202"),
    (204, "204"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (408, "408"),
    (409, "409"),
    (411, "411"),
    (412, "412"),
    (413, "413"),
    (414, "414"),
    (417, "417"),
    (421, "421"),
    (429, "429"),
    (431, "431"),
    (500, "500"),
    (501, "501"),
    (503, "503"),
    (505, "505"),
    (0, "other"),
];

/// What the store of slashing protection is asked for.
pub(crate) const STORE_OPERATIONS: [&str; 2] = ["block", "attestation"];

/// A route whose answers are counted, with the statuses that it usually has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedRoute {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) statuses: &'static [u16],
}

/// The counters that the routes increment, and what is read when somebody asks.
pub(crate) struct Metrics {
    /// The time of each signature, by type.
    signed: [Durations; SIGNED_TYPES.len()],
    lateness: [Durations; TIMED_TYPES.len()],
    refused: [AtomicU64; ERROR_TYPES.len()],
    prevented: [AtomicU64; RULES.len()],
    tokens_refused: [AtomicU64; TOKEN_FAULTS.len()],
    /// By the number of the route.
    answers: Vec<(CountedRoute, [AtomicU64; STATUSES.len()])>,
    store_operations: [Durations; STORE_OPERATIONS.len()],
    store_commits: Durations,
    store_batches: Sizes,
    read: Box<dyn Fn() -> ServiceSnapshot + Send + Sync>,
}

impl Metrics {
    /// Starts all counters at zero. `read` is called for each snapshot.
    pub(crate) fn new(
        routes: Vec<CountedRoute>,
        read: impl Fn() -> ServiceSnapshot + Send + Sync + 'static,
    ) -> Arc<Self> {
        let mut answers = Vec::with_capacity(routes.len());
        for route in routes {
            answers.push((route, [const { AtomicU64::new(0) }; STATUSES.len()]));
        }
        Arc::new(Self {
            signed: [const { Durations::new() }; SIGNED_TYPES.len()],
            lateness: [const { Durations::new() }; TIMED_TYPES.len()],
            refused: [const { AtomicU64::new(0) }; ERROR_TYPES.len()],
            prevented: [const { AtomicU64::new(0) }; RULES.len()],
            tokens_refused: [const { AtomicU64::new(0) }; TOKEN_FAULTS.len()],
            answers,
            store_operations: [const { Durations::new() }; STORE_OPERATIONS.len()],
            store_commits: Durations::new(),
            store_batches: Sizes::new(),
            read: Box::new(read),
        })
    }

    /// Starts the clock of one sign request.
    pub(crate) fn begin(&self) -> SigningTimer<'_> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        SigningTimer {
            metrics: self,
            begun: Instant::now(),
            begun_at: since_1970.unwrap_or_default(),
        }
    }

    /// Counts a refused request.
    pub(crate) fn refused(&self, error_type: &str) {
        increment(&ERROR_TYPES, &self.refused, error_type);
    }

    /// Counts a message that slashing protection refuses.
    pub(crate) fn prevented(&self, rule: &str) {
        increment(&RULES, &self.prevented, rule);
    }

    /// Counts a request whose token is `missing`, `wrong` or `not_configured`.
    pub(crate) fn token_refused(&self, fault: &str) {
        increment(&TOKEN_FAULTS, &self.tokens_refused, fault);
    }

    /// Counts an answer of the route with this number.
    pub(crate) fn answered(&self, route: usize, status: u16) {
        let known = STATUSES.iter().position(|(known, _)| *known == status);
        if let Some((_, counters)) = self.answers.get(route) {
            counters[known.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads all figures.
    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            answers: self.read_answers(),
            signed: read_durations(&SIGNED_TYPES, &self.signed),
            lateness: read_durations(&TIMED_TYPES, &self.lateness),
            refused: read_counters(&ERROR_TYPES, &self.refused),
            prevented: read_counters(&RULES, &self.prevented),
            tokens_refused: read_counters(&TOKEN_FAULTS, &self.tokens_refused),
            store: StoreCounts {
                operations: self.store_operations.each_ref().map(Durations::read),
                commits: self.store_commits.read(),
                batches: self.store_batches.read(),
            },
            service: (self.read)(),
        }
    }

    fn read_answers(&self) -> Vec<AnswerCount> {
        let mut answers = Vec::new();
        for (route, counters) in &self.answers {
            for ((number, status), counter) in STATUSES.iter().zip(counters) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 || route.statuses.contains(number) {
                    answers.push(AnswerCount {
                        method: route.method,
                        path: route.path,
                        status,
                        count,
                    });
                }
            }
        }
        answers
    }

    /// Writes the text for Prometheus.
    pub(crate) fn text(&self, format: MetricsFormat) -> String {
        let snapshot = self.snapshot();
        let mut text = MetricsText::new(format);
        peer_names::write(&mut text, &snapshot);
        own_names::write(&mut text, &snapshot);
        process::write(&mut text);
        text.finish()
    }
}

impl StoreObserver for Metrics {
    fn committed(&self, commit: StoreCommit) {
        self.store_commits.add(commit.took);
        self.store_batches.add(commit.blocks + commit.votes);
        for (durations, count) in self
            .store_operations
            .iter()
            .zip([commit.blocks, commit.votes])
        {
            durations.add_many(commit.waited + commit.took, count);
        }
    }
}

/// Returns the place of a name, or the last place, which stands for all other names.
pub(crate) fn index_of(names: &[&str], name: &str) -> usize {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or(names.len() - 1)
}

fn increment(names: &[&str], counters: &[AtomicU64], name: &str) {
    counters[index_of(names, name)].fetch_add(1, Ordering::Relaxed);
}

fn read_counters(names: &[&'static str], counters: &[AtomicU64]) -> Vec<(&'static str, u64)> {
    let mut counts = Vec::with_capacity(names.len());
    for (name, counter) in names.iter().zip(counters) {
        counts.push((*name, counter.load(Ordering::Relaxed)));
    }
    counts
}

fn read_durations(
    names: &[&'static str],
    durations: &[Durations],
) -> Vec<(&'static str, durations::DurationCounts)> {
    let mut counts = Vec::with_capacity(names.len());
    for (name, durations) in names.iter().zip(durations) {
        counts.push((*name, durations.read()));
    }
    counts
}

/// Measures one sign request, so that the routes need no clock.
pub(crate) struct SigningTimer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
    begun_at: Duration,
}

impl SigningTimer<'_> {
    /// Returns when the request came, in Unix time.
    pub(crate) fn begun_at(&self) -> Duration {
        self.begun_at
    }

    /// Counts a signature of this type, and how late it was asked for, where that is known.
    /// Returns how long it took.
    pub(crate) fn signed(self, signed_type: &str, lateness: Option<Duration>) -> Duration {
        let duration = self.begun.elapsed();
        self.metrics.signed[index_of(&SIGNED_TYPES, signed_type)].add(duration);
        let timed = TIMED_TYPES.iter().position(|known| *known == signed_type);
        if let (Some(index), Some(lateness)) = (timed, lateness) {
            self.metrics.lateness[index].add(lateness);
        }
        duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::primitives::{Epoch, Root, Slot};
    use crate::slashing::rule::{Position, Rule, SlashableMessage};
    use crate::slashing::{Floor, HighWatermark, Refused, Unavailable};

    #[test]
    fn every_rule_has_a_counter_and_every_counter_a_rule() {
        let asked = SlashableMessage::Block(Slot(1));
        let slot = Slot(1);
        let epoch = Epoch(1);
        let chain = Root::ZERO;
        let expected = Root::ZERO;
        let conflict = |rule| Refused::Conflict {
            rule,
            asked,
            root: chain,
            signed: asked,
            signed_root: None,
        };
        let refused = [
            Refused::Opaque,
            Refused::OtherChain {
                asked,
                chain,
                expected,
            },
            Refused::DatabaseChain {
                asked,
                chain,
                expected,
            },
            Refused::Disabled(asked),
            Refused::ManyChains(asked),
            Refused::InFuture(asked, Position { slot, epoch }),
            Refused::SourceAfterTarget(asked),
            Refused::AboveHighWatermark(asked, HighWatermark { slot, epoch }),
            Refused::BelowFloor(asked, Floor::Set(1)),
            Refused::Unavailable(Unavailable(String::new())),
            conflict(Rule::DoubleProposal),
            conflict(Rule::SlotBelow),
            conflict(Rule::DoubleVote),
            conflict(Rule::Surrounding),
            conflict(Rule::Surrounded),
            conflict(Rule::SourceBelow),
            conflict(Rule::TargetBelow),
        ];
        let mut names = refused.each_ref().map(Refused::rule_name).to_vec();
        names.sort_unstable();
        names.push("other");
        assert_eq!(names, RULES);
    }

    #[test]
    fn the_last_name_of_a_list_stands_for_unknown_ones() {
        let counters = [const { AtomicU64::new(0) }; 2];
        increment(&["a", "b"], &counters, "a");
        increment(&["a", "b"], &counters, "c");
        let counts = read_counters(&["a", "b"], &counters);
        assert_eq!(counts, [("a", 1), ("b", 1)]);
    }
}
