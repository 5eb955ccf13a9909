//! What needs no server: how requests are divided into batches. And messages as a server sends them.

use super::{BATCH_VALIDATORS_MAX, CheckedRequest, next_batch};
use crate::consensus::primitives::{PublicKey, Root, Slot};
use crate::consensus::slashable::SlashableMessage;
use crate::slashing::backend::RecordRequest;

/// A message of a server: its type and its body.
pub(super) fn server_message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn checked(validator_id: i32) -> CheckedRequest {
    CheckedRequest {
        request: RecordRequest {
            key: PublicKey([0xa0; 48]),
            chain: Root::ZERO,
            message: SlashableMessage::Block(Slot(1)),
            root: Root::ZERO,
        },
        validator_id,
        floor: None,
    }
}

/// The validators of each batch, and the places of their requests.
fn batches(validators: &[i32]) -> Vec<Vec<(i32, usize)>> {
    let mut waiting: Vec<_> = validators
        .iter()
        .map(|id| checked(*id))
        .enumerate()
        .collect();
    let mut batches = Vec::new();
    while !waiting.is_empty() {
        let (places, batch) = next_batch(&mut waiting);
        let validators = batch.iter().map(|checked| checked.validator_id);
        batches.push(validators.zip(places).collect());
    }
    batches
}

#[test]
fn a_batch_has_each_validator_once_in_the_order_of_ids() {
    assert_eq!(
        batches(&[7, 5, 7, 9, 5, 7]),
        [
            vec![(5, 1), (7, 0), (9, 3)],
            vec![(5, 4), (7, 2)],
            vec![(7, 5)]
        ]
    );
}

#[test]
fn a_batch_has_so_many_validators_at_most() {
    let most = i32::try_from(BATCH_VALIDATORS_MAX).unwrap();
    for (count, expected) in [
        (most, vec![BATCH_VALIDATORS_MAX]),
        (most + 1, vec![BATCH_VALIDATORS_MAX, 1]),
    ] {
        let validators: Vec<i32> = (0..count).collect();
        let sizes: Vec<usize> = batches(&validators).iter().map(Vec::len).collect();
        assert_eq!(sizes, expected);
    }
}
