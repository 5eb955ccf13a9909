//! What slashing protection must know of a message before it may be signed.

use super::primitives::{Epoch, Root, Slot};

/// The slashing class of a duty: an answer of the duty itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashable {
    /// Nobody is slashed for two of these: selection proofs, sync messages, exits, registrations.
    Never,
    /// A beacon block, or its header.
    Block {
        /// Names the chain.
        genesis_validators_root: Root,
        /// The block's slot.
        slot: Slot,
    },
    /// A vote.
    Attestation {
        /// Names the chain.
        genesis_validators_root: Root,
        /// Epoch of the source checkpoint.
        source: Epoch,
        /// Epoch of the target checkpoint.
        target: Epoch,
    },
    /// A bare root in the proposer's or the attester's domain, or in none that was named: it may
    /// hide a block or a vote, so it is signed only without protection.
    Opaque,
}
