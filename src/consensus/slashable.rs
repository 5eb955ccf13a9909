//! What slashing protection must know of a message before it may be signed.

use std::fmt;

use super::primitives::{Epoch, Root, Slot};

/// The slashing class of a duty: an answer of the duty itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashable {
    /// Nobody is slashed for two of these: selection proofs, sync messages, exits, registrations.
    Never,
    /// A message on the chain of this genesis validators root.
    On(Root, SlashableMessage),
    /// A bare root: whatever domain is named with it, it may be that of a block or a vote, so it is
    /// signed only without protection.
    Opaque,
}

/// A message that can be slashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashableMessage {
    /// A beacon block, or its header, at this slot.
    Block(Slot),
    /// A vote from this source epoch to this target epoch.
    Vote(Epoch, Epoch),
}

impl fmt::Display for SlashableMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(slot) => write!(f, "block at slot {slot}"),
            Self::Vote(source, target) => {
                write!(
                    f,
                    "vote from source epoch {source} to target epoch {target}"
                )
            }
        }
    }
}
