//! The slashing conditions written out, for comparison with what a store decides. The end-to-end suite and the
//! unit tests use it.

use signerd::consensus::primitives::{Epoch, Root, Slot};
use signerd::consensus::slashable::SlashableMessage;

use super::random::Random;

/// A signed message; an imported one has no root.
pub(crate) type Signed = (SlashableMessage, Option<Root>);

/// Slashable offences of the consensus specification: `process_proposer_slashing` and
/// `is_slashable_attestation_data`. A message without a root may be any of its slot or target.
pub(crate) fn is_slashable(one: &Signed, other: &Signed) -> bool {
    let same = one == other && one.1.is_some();
    match (one.0, other.0) {
        (SlashableMessage::Block(one), SlashableMessage::Block(other)) => one == other && !same,
        (
            SlashableMessage::Vote(source, target),
            SlashableMessage::Vote(other_source, other_target),
        ) => {
            let double = target == other_target && !same;
            let surrounds = source < other_source && other_target < target;
            let surrounded = other_source < source && target < other_target;
            double || surrounds || surrounded
        }
        (SlashableMessage::Block(_), SlashableMessage::Vote(..))
        | (SlashableMessage::Vote(..), SlashableMessage::Block(_)) => false,
    }
}

/// Few slots, epochs and roots, so that conflicts are frequent.
pub(crate) fn any_message(random: &mut Random) -> (SlashableMessage, Root) {
    let message = match random.below(2) {
        0 => SlashableMessage::Block(Slot(random.below(6))),
        _ => SlashableMessage::Vote(Epoch(random.below(6)), Epoch(random.below(6))),
    };
    (message, Root([u8::from(random.below(3) == 0); 32]))
}
