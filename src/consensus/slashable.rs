//! What slashing protection must know of a message before it may be signed.

use std::fmt;

use super::primitives::{Epoch, Root, Slot};

/// The slashing class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashable {
    /// Two of these slash nobody: selection proofs, sync messages, exits, registrations.
    Never,
    /// A message on the chain of this genesis validators root.
    On(Root, SlashableMessage),
    /// A bare root. It may be that of a block or a vote, whatever domain the client names, so it is signed
    /// only without protection.
    Opaque,
}

/// A message that can get its signer slashed.
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
