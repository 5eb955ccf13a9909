//! The outcome of an import or a deletion, in the terms of the Keymanager API.

use crate::consensus::primitives::PublicKey;
use crate::counted::counted;

/// How many keys one line of the log names.
const KEYS_IN_LINE: usize = 16;

/// The outcome for one key of an import or a deletion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Import: it signs from now on.
    Imported,
    /// Import: it was loaded before.
    Duplicate,
    /// Deletion: it does not sign any more, and its files are removed.
    Deleted,
    /// Deletion: it is not loaded, but it has signed here before.
    NotActive,
    /// Deletion: it is unknown.
    NotFound,
    /// It did not open, must not be deleted, or was not fully removed: a sentence for the client.
    Error(String),
}

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The slashing protection data of the request are not valid.
    Interchange(String),
    /// The records of the keys are on several chains, and the request does not name one.
    SeveralChains(String),
    /// The slashing protection store does not work.
    Unavailable(String),
    /// Too many changes are running.
    Overloaded,
    /// A bug in this program.
    Internal(&'static str),
}

/// Names the keys of a change in the log, in several lines when there are many.
pub(super) fn log_keys(keys: &[PublicKey], what_happened: &str) {
    for part in keys.chunks(KEYS_IN_LINE) {
        let names: Vec<String> = part.iter().map(PublicKey::to_string).collect();
        log::info!(
            "{} {what_happened}: {}",
            counted(part.len(), "key", "keys"),
            names.join(", ")
        );
    }
}
