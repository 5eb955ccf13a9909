//! What a change of the keys comes to, in the words of the Keymanager API.

/// What became of one key of an import or a deletion.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Import: it signs from now on.
    Imported,
    /// Import: it was there before.
    Duplicate,
    /// Deletion: it does not sign any more, and its files are gone.
    Deleted,
    /// Deletion: it was not there, but it has signed here before.
    NotActive,
    /// Deletion: nothing is known of it.
    NotFound,
    /// It did not open, was left alone, or is not wholly gone: a sentence for the caller.
    Error(String),
}

/// Why a change was not made at all.
#[derive(Debug)]
pub enum ChangeError {
    /// The slashing protection data of the request cannot be taken: the caller's fault.
    Interchange(String),
    /// The records of the keys are on several chains, and the request does not say which is meant.
    SeveralChains(String),
    /// The slashing protection store does not work.
    Unavailable(String),
    /// Too many changes are being made at the same time.
    Overloaded,
    /// A bug of ours.
    Internal(&'static str),
}
