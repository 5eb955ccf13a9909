//! The figures of one moment, as far as their reader may see them, and what they mean for the operator.
//!
//! What a reader may not see is not in the report: neither the page nor the JSON has to conceal anything.

use crate::counted::counted;

use super::warnings::WarningLine;
use super::{LatenessCounts, Quantiles, SLOTS_SHOWN};

/// The figures of one moment.
pub(crate) struct StatusReport {
    pub(crate) health: HealthReport,
    /// `None` without the token that the listener asks for.
    pub(crate) figures: Option<FiguresReport>,
    pub(crate) token: TokenState,
}

/// What the token of the reader has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    /// No token is configured, so nothing can be opened.
    NotConfigured,
    NotSent,
    Wrong,
    /// The report holds names, addresses and reasons.
    Right,
}

/// What everybody may know, as `/health` and `/healthcheck` say it.
pub(crate) struct HealthReport {
    pub(crate) network: String,
    /// Whether it was chosen. Otherwise slots are not known.
    pub(crate) is_network_chosen: bool,
    pub(crate) keys_loaded: u64,
    /// `None` while the sources are listed.
    pub(crate) keys_pending: Option<u64>,
    pub(crate) keys_failed: u64,
    pub(crate) keys_expected: Option<u64>,
    pub(crate) first_load_ended: bool,
    pub(crate) seconds_left: Option<u64>,
    pub(crate) memory_locked: bool,
    /// Whether signatures are made the fast way.
    pub(crate) accelerated: bool,
    pub(crate) store: StoreKind,
    pub(crate) store_works: bool,
}

/// Where the records of slashing protection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// Protection is off.
    Off,
    Directory,
    Database,
}

/// What a scrape of the metrics shows too, and details for a reader with a token.
pub(crate) struct FiguresReport {
    pub(crate) version: &'static str,
    pub(crate) uptime_seconds: u64,
    /// In Unix time.
    pub(crate) now_seconds: u64,
    /// The current slot and epoch, where the network is known.
    pub(crate) position: Option<(u64, u64)>,
    pub(crate) slot_ms: u64,
    pub(crate) signatures: Vec<SignedTypeReport>,
    pub(crate) latency: Option<Quantiles>,
    pub(crate) lateness: Vec<LatenessReport>,
    /// Refused requests, by reason.
    pub(crate) refusals: Vec<CountReport>,
    /// What slashing protection refused, by rule.
    pub(crate) rules: Vec<CountReport>,
    pub(crate) permitted: u64,
    pub(crate) prevented: u64,
    /// Seconds since the last record of slashing protection.
    pub(crate) last_record_seconds: Option<u64>,
    pub(crate) duplicate_uses: u64,
    /// Whether the last one was within two epochs.
    pub(crate) duplicate_use_is_recent: bool,
    pub(crate) connections: u64,
    /// Addresses that have one.
    pub(crate) clients: u64,
    pub(crate) warnings: u64,
    /// Seconds until the certificate expires, where TLS is served.
    pub(crate) certificate_seconds_left: Option<i64>,
    pub(crate) details: Option<DetailsReport>,
}

/// The signatures of one type.
pub(crate) struct SignedTypeReport {
    /// As the remote signing API spells it.
    pub(crate) name: &'static str,
    /// In each of the last slots, the oldest first.
    pub(crate) per_slot: [u64; SLOTS_SHOWN],
    /// Since the start.
    pub(crate) total: u64,
}

/// How late the duties of one type were asked for in the last slots.
pub(crate) struct LatenessReport {
    /// As the remote signing API spells it.
    pub(crate) name: &'static str,
    pub(crate) counts: LatenessCounts,
}

/// The events of one kind.
pub(crate) struct CountReport {
    /// The reason of a refusal, or the rule.
    pub(crate) name: &'static str,
    /// In the last slots.
    pub(crate) recent: u64,
    /// Since the start.
    pub(crate) total: u64,
}

/// Names, addresses and reasons, for a reader with a token.
pub(crate) struct DetailsReport {
    /// Files that did not open, with the reasons.
    pub(crate) failures: Vec<(String, String)>,
    pub(crate) store_error: Option<String>,
    pub(crate) duplicates: Vec<DuplicateReport>,
    pub(crate) clients: Vec<ConnectedClient>,
    /// The latest first.
    pub(crate) warnings: Vec<WarningLine>,
}

/// A key that two clients use.
pub(crate) struct DuplicateReport {
    pub(crate) key: String,
    pub(crate) clients: [String; 2],
    pub(crate) epoch: u64,
    pub(crate) epochs: u64,
    pub(crate) seconds_ago: u64,
}

/// The connections of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectedClient {
    /// Its address, or `unix`.
    pub(crate) name: String,
    pub(crate) connections: u64,
    /// Since its last request.
    pub(crate) idle_seconds: u64,
}

/// How the service is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceState {
    Good,
    /// It signs, but somebody should look at it.
    Attention,
    /// Duties are missed, or will be.
    Problem,
}

/// Something that the operator should know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatusFinding {
    pub(crate) state: ServiceState,
    pub(crate) text: String,
}

/// When one of so many duties is late, that needs attention.
const LATE_PART: u64 = 20;

/// A certificate that expires earlier needs attention.
const CERTIFICATE_SECONDS_MIN: i64 = 14 * 86_400;

impl ServiceState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Problem => "problem",
        }
    }
}

impl StoreKind {
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Directory => Some("directory"),
            Self::Database => Some("database"),
        }
    }
}

impl StatusReport {
    /// Returns what the operator should know, the worst first. None of it names a key, a file or a client.
    pub(crate) fn findings(&self) -> Vec<StatusFinding> {
        let mut findings = Vec::new();
        self.health.add_findings(&mut findings);
        if let Some(figures) = &self.figures {
            figures.add_findings(&mut findings);
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        findings
    }
}

/// Returns the worst state of all findings.
pub(crate) fn worst(findings: &[StatusFinding]) -> ServiceState {
    let states = findings.iter().map(|finding| finding.state);
    states.max().unwrap_or(ServiceState::Good)
}

impl HealthReport {
    fn add_findings(&self, findings: &mut Vec<StatusFinding>) {
        let mut add = |state, text: String| findings.push(StatusFinding { state, text });
        let loaded = self.keys_loaded;
        if !self.first_load_ended {
            let left = match self.seconds_left {
                Some(seconds) => format!(", about {} left", duration(seconds)),
                None => String::new(),
            };
            let pending = self.keys_pending.unwrap_or(0);
            add(
                ServiceState::Attention,
                format!(
                    "Keys are being loaded: {loaded} of {}{left}.",
                    loaded + pending
                ),
            );
        } else if let Some(expected) = self.keys_expected
            && loaded < expected
        {
            add(
                ServiceState::Problem,
                format!("Only {loaded} of {expected} expected keys are loaded."),
            );
        } else if loaded == 0 {
            add(
                ServiceState::Problem,
                "No key is loaded, so nothing can be signed.".to_owned(),
            );
        }
        if self.keys_failed > 0 {
            let files = counted(self.keys_failed, "keystore", "keystores");
            add(ServiceState::Problem, format!("{files} did not open."));
        }
        if !self.store_works {
            add(
                ServiceState::Problem,
                "Slashing protection cannot write, so no attestation and no block is signed."
                    .to_owned(),
            );
        }
        if self.store == StoreKind::Off {
            add(
                ServiceState::Attention,
                "Slashing protection is off: every request is signed.".to_owned(),
            );
        }
        if !self.memory_locked {
            add(
                ServiceState::Attention,
                "The memory of the keys is not locked and may be swapped to disk.".to_owned(),
            );
        }
        if !self.accelerated {
            add(
                ServiceState::Attention,
                "Signatures are made the slow way after a fault of this machine.".to_owned(),
            );
        }
    }
}

impl FiguresReport {
    fn add_findings(&self, findings: &mut Vec<StatusFinding>) {
        let mut add = |state, text: String| findings.push(StatusFinding { state, text });
        if self.duplicate_use_is_recent {
            add(
                ServiceState::Problem,
                "Two clients use the same key: it will be slashed unless both belong to one validator client."
                    .to_owned(),
            );
        }
        for refusal in &self.refusals {
            if refusal.name == "slashing_protection" && refusal.recent > 0 {
                let signatures = counted(refusal.recent, "signature", "signatures");
                add(
                    ServiceState::Attention,
                    format!(
                        "Slashing protection has prevented {signatures} in the last {SLOTS_SHOWN} slots."
                    ),
                );
            }
        }
        for LatenessReport { name, counts } in &self.lateness {
            if counts.late * LATE_PART > counts.duties {
                add(
                    ServiceState::Attention,
                    format!(
                        "{} of {} requests of type {} in the last {SLOTS_SHOWN} slots came more than a second late.",
                        counts.late,
                        counts.duties,
                        words(name)
                    ),
                );
            }
        }
        let Some(left) = self.certificate_seconds_left else {
            return;
        };
        if left <= 0 {
            add(
                ServiceState::Problem,
                "The TLS certificate has expired.".to_owned(),
            );
        } else if left < CERTIFICATE_SECONDS_MIN {
            let left = duration(left.unsigned_abs());
            add(
                ServiceState::Attention,
                format!("The TLS certificate expires in {left}."),
            );
        }
    }
}

/// Returns `SYNC_COMMITTEE_MESSAGE` as `sync committee message`.
pub(crate) fn words(type_name: &str) -> String {
    type_name.to_ascii_lowercase().replace('_', " ")
}

/// Returns the two largest units of a duration: `3 d 4 h`, `5 min 12 s`.
pub(crate) fn duration(seconds: u64) -> String {
    let minutes = seconds / 60;
    let hours = minutes / 60;
    if seconds < 60 {
        format!("{seconds} s")
    } else if minutes < 60 {
        format!("{minutes} min {} s", seconds % 60)
    } else if hours < 24 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{} d {} h", hours / 24, hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
