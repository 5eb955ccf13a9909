//! The statements that check and record messages, and what their answers mean.
//!
//! One transaction for a batch, sent in one flush: `BEGIN`, the locks, the checks with the inserts,
//! `COMMIT`. The locks are those of Web3Signer, and a statement of their own: under READ COMMITTED only
//! the next statement sees what the holder before us has written. They are tried, not waited for: one key
//! that is locked elsewhere does not hold up the batch. The statement that follows reads from a setting
//! of the transaction which locks it has.
//!
//! The checks are Web3Signer's (blocks.sql, votes.sql). A validator occurs once in a batch, and the batch is
//! in the order of ids.

use super::connection::{DatabaseConnection, TextRow};
use super::error::DatabaseError;
use crate::consensus::primitives::{Epoch, Root, Slot};
use crate::slashing::backend::{RecordOutcome, RecordRequest};
use crate::slashing::rule::{
    Bounds, Floor, HighWatermark, Refused, Rule, SlashableMessage, Unavailable,
};

/// Names of the prepared statements.
const BEGIN: &str = "begin";
const LOCK: &str = "lock";
const BLOCKS: &str = "blocks";
const VOTES: &str = "votes";
const COMMIT: &str = "commit";

const LOCK_STATEMENT: &str = "SELECT set_config('signerd.locked', coalesce(array_agg(id), '{}')::text, true) \
     FROM (SELECT id FROM unnest($2::int[]) AS wanted (id) WHERE pg_try_advisory_xact_lock($1::int, id)) AS locked";

const BLOCKS_STATEMENT: &str = include_str!("blocks.sql");
const VOTES_STATEMENT: &str = include_str!("votes.sql");

/// Prepares the statements on a new connection.
pub(super) fn prepare(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    for (name, statement) in [
        (BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
        (LOCK, LOCK_STATEMENT),
        (BLOCKS, BLOCKS_STATEMENT),
        (VOTES, VOTES_STATEMENT),
        (COMMIT, "COMMIT"),
    ] {
        connection.add_prepare(name, statement)?;
    }
    connection.sync().map(|_| ())
}

/// A request that passed all limits but those that depend on the database.
pub(super) struct CheckedRequest {
    pub(super) request: RecordRequest,
    pub(super) validator_id: i32,
    /// The floor that it is below, if any.
    pub(super) floor: Option<Floor>,
}

impl CheckedRequest {
    /// Checks what needs no record: the future, the order of a vote's epochs, and the floor.
    pub(super) fn new(
        request: RecordRequest,
        validator_id: i32,
        bounds: &Bounds,
    ) -> Result<Self, Refused> {
        let message = request.message;
        if let Some(last) = bounds.future
            && last.is_before(message)
        {
            return Err(Refused::InFuture(message, last));
        }
        if let SlashableMessage::Vote(source, target) = message
            && source > target
        {
            return Err(Refused::SourceAfterTarget(message));
        }
        let floor = match message {
            SlashableMessage::Block(_) => bounds.block,
            SlashableMessage::Vote(..) => bounds.vote,
        };
        Ok(Self {
            request,
            validator_id,
            floor: Some(floor).filter(|floor| !floor.admits(message)),
        })
    }
}

/// Checks and records messages of one kind, at most one of each validator, sorted by validator id. What
/// was recorded is committed when this returns.
pub(super) fn record_batch(
    connection: &mut DatabaseConnection,
    batch: &[CheckedRequest],
) -> Result<Vec<RecordOutcome>, DatabaseError> {
    let mut blocks = ["{", "{", "{", "{"].map(str::to_owned);
    let mut votes = ["{", "{", "{", "{", "{"].map(str::to_owned);
    for checked in batch {
        let id = checked.validator_id.to_string();
        let root = format!("\"\\\\x{}\"", &checked.request.root.to_string()[2..]);
        let floor = match checked.floor {
            None => "0",
            Some(Floor::Set(_)) => "1",
            Some(Floor::Clock(_) | Floor::NewStore(_)) => "2",
        };
        match checked.request.message {
            SlashableMessage::Block(slot) => {
                append(&mut blocks, [&id, &slot.to_string(), &root, floor]);
            }
            SlashableMessage::Vote(source, target) => {
                let epochs = [source.to_string(), target.to_string()];
                append(&mut votes, [&id, &epochs[0], &epochs[1], &root, floor]);
            }
        }
    }
    // Web3Signer's classes of advisory locks.
    let (statement, lock_class, arrays) = match batch.first().map(|first| first.request.message) {
        None => return Ok(Vec::new()),
        Some(SlashableMessage::Block(_)) => (BLOCKS, "0", close(&blocks)),
        Some(SlashableMessage::Vote(..)) => (VOTES, "1", close(&votes)),
    };
    connection.add_bind(BEGIN, &[])?;
    connection.add_bind(LOCK, &[Some(lock_class.to_owned()), arrays[0].clone()])?;
    connection.add_bind(statement, &arrays)?;
    connection.add_bind(COMMIT, &[])?;
    let rows = connection.sync()?;
    // The first row belongs to the locks.
    let verdicts = rows.get(1..).unwrap_or_default();
    if verdicts.len() != batch.len() {
        return Err(DatabaseError::Connection(format!(
            "expected {} verdicts, got {}",
            batch.len(),
            verdicts.len()
        )));
    }
    batch
        .iter()
        .zip(verdicts)
        .map(|(checked, row)| outcome(checked, row))
        .collect()
}

fn append<const N: usize>(arrays: &mut [String; N], values: [&str; N]) {
    for (array, value) in arrays.iter_mut().zip(values) {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(value);
    }
}

fn close(arrays: &[String]) -> Vec<Option<String>> {
    arrays
        .iter()
        .map(|array| Some(format!("{array}}}")))
        .collect()
}

fn outcome(checked: &CheckedRequest, row: &TextRow) -> Result<RecordOutcome, DatabaseError> {
    let [Some(verdict), high, source, target, root] = row.as_slice() else {
        return Err(DatabaseError::Connection(
            "the verdicts have an unknown form".to_owned(),
        ));
    };
    let message = checked.request.message;
    let number = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let signed = match message {
        SlashableMessage::Block(_) => SlashableMessage::Block(Slot(number(target))),
        SlashableMessage::Vote(..) => {
            SlashableMessage::Vote(Epoch(number(source)), Epoch(number(target)))
        }
    };
    let signed_root = root
        .as_deref()
        .and_then(|hex| format!("0x{hex}").parse::<Root>().ok());
    let conflict = |rule, signed| {
        RecordOutcome::Refused(Refused::Conflict {
            rule,
            asked: message,
            root: checked.request.root,
            signed,
            signed_root,
        })
    };
    let is_block = matches!(message, SlashableMessage::Block(_));
    Ok(match verdict.as_str() {
        "record" | "repeat" => RecordOutcome::Recorded,
        "locked" => RecordOutcome::Deferred,
        "disabled" => RecordOutcome::Refused(Refused::Disabled(message)),
        "high" => {
            let high = HighWatermark {
                slot: Slot(number(high)),
                epoch: Epoch(number(high)),
            };
            RecordOutcome::Refused(Refused::AboveHighWatermark(message, high))
        }
        "double" if is_block => conflict(Rule::DoubleProposal, message),
        "double" => conflict(Rule::DoubleVote, signed),
        "low" => conflict(Rule::SlotBelow, signed),
        "low source" => conflict(Rule::SourceBelow, signed),
        "low target" => conflict(Rule::TargetBelow, signed),
        "surrounded" => conflict(Rule::Surrounded, signed),
        "surrounding" => conflict(Rule::Surrounding, signed),
        "floor" => {
            let floor = checked.floor.unwrap_or(Floor::Set(0));
            RecordOutcome::Refused(Refused::BelowFloor(message, floor))
        }
        other => {
            let unknown = Unavailable(format!("the database gave the verdict {other:?}"));
            RecordOutcome::Refused(unknown.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::primitives::PublicKey;

    #[test]
    fn a_verdict_names_the_rule_and_the_message_that_was_signed() {
        let block = SlashableMessage::Block(Slot(5));
        let vote = SlashableMessage::Vote(Epoch(5), Epoch(6));
        let signed_vote = SlashableMessage::Vote(Epoch(3), Epoch(9));
        for (message, verdict, rule, signed) in [
            (block, "double", Rule::DoubleProposal, block),
            (
                block,
                "low",
                Rule::SlotBelow,
                SlashableMessage::Block(Slot(9)),
            ),
            (vote, "double", Rule::DoubleVote, signed_vote),
            (vote, "low source", Rule::SourceBelow, signed_vote),
            (vote, "low target", Rule::TargetBelow, signed_vote),
            (vote, "surrounded", Rule::Surrounded, signed_vote),
            (vote, "surrounding", Rule::Surrounding, signed_vote),
        ] {
            let checked = CheckedRequest {
                request: RecordRequest {
                    key: PublicKey([1; 48]),
                    chain: Root::ZERO,
                    message,
                    root: Root([2; 32]),
                },
                validator_id: 1,
                floor: None,
            };
            let row = [verdict, "7", "3", "9", &"ab".repeat(32)].map(|text| Some(text.to_owned()));
            let outcome = outcome(&checked, &row.to_vec()).unwrap();
            let RecordOutcome::Refused(Refused::Conflict {
                rule: found_rule,
                signed: found,
                signed_root,
                ..
            }) = outcome
            else {
                panic!("{verdict}: {outcome:?}");
            };
            assert_eq!((found_rule, found), (rule, signed), "{verdict}");
            assert_eq!(signed_root, Some(Root([0xab; 32])), "{verdict}");
        }
    }
}
