//! The store's keys and values, byte by byte.
//!
//! Key, 80 bytes: public key (48), genesis validators root (32). One key's chains stand together.
//!
//! Value, 89 bytes, numbers big-endian, absent ones zero:
//!
//! | bytes  | what                                                               |
//! |--------|--------------------------------------------------------------------|
//! | 0      | bits: 1 a block, 2 its root is known, 4 a vote, 8 its root is known |
//! | 1..9   | highest block slot                                                 |
//! | 9..41  | its signing root                                                   |
//! | 41..49 | highest source epoch                                               |
//! | 49..57 | highest target epoch                                               |
//! | 57..89 | the vote's signing root                                            |

use super::rule::{BlockMark, Marks, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 80;
/// Bytes of a value.
pub(super) const VALUE_BYTES: usize = 89;

const HAS_BLOCK: u8 = 1;
const HAS_BLOCK_ROOT: u8 = 2;
const HAS_VOTE: u8 = 4;
const HAS_VOTE_ROOT: u8 = 8;

/// Whose marks, and on which chain.
pub(super) fn key(public_key: &PublicKey, chain: &Root) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    bytes[..48].copy_from_slice(&public_key.0);
    bytes[48..].copy_from_slice(&chain.0);
    bytes
}

/// What [`key`] was made of.
pub(super) fn split(key: &[u8; KEY_BYTES]) -> (PublicKey, Root) {
    (PublicKey(part(key, 0)), Root(part(key, 48)))
}

/// The marks as a value.
pub(super) fn encode(marks: &Marks) -> [u8; VALUE_BYTES] {
    let mut bytes = [0; VALUE_BYTES];
    if let Some(block) = marks.block {
        bytes[0] |= HAS_BLOCK;
        bytes[1..9].copy_from_slice(&block.slot.0.to_be_bytes());
        if let Some(root) = block.root {
            bytes[0] |= HAS_BLOCK_ROOT;
            bytes[9..41].copy_from_slice(&root.0);
        }
    }
    if let Some(vote) = marks.vote {
        bytes[0] |= HAS_VOTE;
        bytes[41..49].copy_from_slice(&vote.source.0.to_be_bytes());
        bytes[49..57].copy_from_slice(&vote.target.0.to_be_bytes());
        if let Some(root) = vote.root {
            bytes[0] |= HAS_VOTE_ROOT;
            bytes[57..89].copy_from_slice(&root.0);
        }
    }
    bytes
}

/// The marks of a value.
pub(super) fn decode(bytes: &[u8; VALUE_BYTES]) -> Marks {
    let has = |bit| bytes[0] & bit != 0;
    let number = |at| u64::from_be_bytes(part(bytes, at));
    let block = has(HAS_BLOCK).then(|| BlockMark {
        slot: Slot(number(1)),
        root: has(HAS_BLOCK_ROOT).then(|| Root(part(bytes, 9))),
    });
    let vote = has(HAS_VOTE).then(|| VoteMark {
        source: Epoch(number(41)),
        target: Epoch(number(49)),
        root: has(HAS_VOTE_ROOT).then(|| Root(part(bytes, 57))),
    });
    Marks { block, vote }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_marks_survives_the_way_to_bytes_and_back() {
        let root = Root([7; 32]);
        let block = |root| BlockMark { slot: Slot(u64::MAX), root };
        let vote = |root| VoteMark { source: Epoch(1), target: Epoch(u64::MAX - 1), root };
        for one in [None, Some(block(None)), Some(block(Some(root)))] {
            for other in [None, Some(vote(None)), Some(vote(Some(root)))] {
                let marks = Marks { block: one, vote: other };
                assert_eq!(decode(&encode(&marks)), marks);
            }
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let vote = VoteMark { source: Epoch(2), target: Epoch(3), root: Some(Root([5; 32])) };
        let block = BlockMark { slot: Slot(1), root: Some(Root([4; 32])) };
        let bytes = encode(&Marks { block: Some(block), vote: Some(vote) });
        let expected = [&[15][..], &1u64.to_be_bytes(), &[4; 32], &2u64.to_be_bytes(), &3u64.to_be_bytes()];
        assert_eq!(bytes[..57], expected.concat());
        assert_eq!(bytes[57..], [5; 32]);
        let (public_key, chain) = (PublicKey([6; 48]), Root([8; 32]));
        assert_eq!(key(&public_key, &chain)[..], [&[6; 48][..], &[8; 32]].concat());
        assert_eq!(split(&key(&public_key, &chain)), (public_key, chain));
    }
}
