//! Slashing protection: nothing is signed but for the holder of a [`Cleared`], and only this module
//! makes one.
//!
//! Check → record on disk → [`Cleared`], in this order. Without protection the proof says so at
//! start-up, in the log, in health and in metrics.

use crate::consensus::primitives::{PublicKey, Root};
use crate::consensus::slashable::Slashable;

/// The proof that a signing root may be signed once: its record is on disk, its kind cannot be
/// slashed, or protection is off by choice. Neither `Clone` nor `Copy`: keep it so.
#[derive(Debug)]
pub struct Cleared {
    root: Root,
}

impl Cleared {
    /// The signing root that may be signed.
    pub fn root(&self) -> &Root {
        &self.root
    }
}

/// Whether this process protects against slashing; chosen once, in `config`.
pub enum Protection {
    /// Signs whatever is requested, as py3signer does.
    Off,
}

impl Protection {
    /// Clears the way for one signature of `key` over `root`.
    pub fn clear(&self, _key: &PublicKey, _slashable: &Slashable, root: Root) -> Cleared {
        match self {
            Self::Off => Cleared { root },
        }
    }
}
