//! Reads and changes the records of validators: marks, the chain, the high watermark, `enabled`.
//!
//! The database keeps every message since the last pruning. Here a validator's marks are the maximum of
//! its messages and its low watermarks. To write a mark, the low watermark is set to it, and a row of the
//! same slot or target is added, so that another message for it is refused. A mark is written even when it
//! equals the highest message: the low watermark alone keeps what a file holds about lower ones. A mark
//! that sinks, which an operator must force, removes the messages above it.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::{DatabaseConnection, TextRow};
use super::error::DatabaseError;
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::slashing::backend::ChangeMarks;
use crate::slashing::repair::RepairError;
use crate::slashing::rule::{BlockMark, HighWatermark, Marks, VoteMark};

/// More keys than this are changed under a lock on the tables: advisory locks would fill the server's
/// table of locks.
const LOCKED_VALIDATORS_MAX: usize = 500;

const MARKS_STATEMENT: &str = "
SELECT encode(v.public_key, 'hex'), l.slot, b.slot, encode(b.signing_root, 'hex'),
    l.source_epoch, l.target_epoch, s.source_epoch, t.source_epoch, t.target_epoch, encode(t.signing_root, 'hex')
FROM validators v
LEFT JOIN low_watermarks l ON l.validator_id = v.id
LEFT JOIN LATERAL (
    SELECT * FROM signed_blocks WHERE validator_id = v.id ORDER BY slot DESC LIMIT 1
) AS b ON true
LEFT JOIN LATERAL (
    SELECT * FROM signed_attestations WHERE validator_id = v.id ORDER BY target_epoch DESC LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT max(source_epoch) AS source_epoch FROM signed_attestations WHERE validator_id = v.id
) AS s ON true
WHERE $1::bytea[] IS NULL OR v.public_key = ANY ($1::bytea[])
ORDER BY v.public_key";

const SET_BLOCK_MARKS: &str = "
WITH marks AS (SELECT * FROM unnest($1::int[], $2::numeric[], $3::bytea[]) AS marks (id, slot, root)),
above AS (DELETE FROM signed_blocks b USING marks WHERE b.validator_id = marks.id AND b.slot > marks.slot),
row AS (INSERT INTO signed_blocks (validator_id, slot, signing_root)
    SELECT id, slot, root FROM marks ORDER BY id ON CONFLICT DO NOTHING)
INSERT INTO low_watermarks (validator_id, slot) SELECT id, slot FROM marks ORDER BY id
    ON CONFLICT (validator_id) DO UPDATE SET slot = excluded.slot";

const SET_VOTE_MARKS: &str = "
WITH marks AS (SELECT * FROM unnest($1::int[], $2::numeric[], $3::numeric[], $4::bytea[])
    AS marks (id, source, target, root)),
above AS (DELETE FROM signed_attestations a USING marks
    WHERE a.validator_id = marks.id AND (a.target_epoch > marks.target OR a.source_epoch > marks.source)),
row AS (INSERT INTO signed_attestations (validator_id, source_epoch, target_epoch, signing_root)
    SELECT id, source, target, root FROM marks ORDER BY id ON CONFLICT DO NOTHING)
INSERT INTO low_watermarks (validator_id, source_epoch, target_epoch)
    SELECT id, source, target FROM marks ORDER BY id
    ON CONFLICT (validator_id) DO UPDATE
        SET source_epoch = excluded.source_epoch, target_epoch = excluded.target_epoch";

/// Reads the chain of the database; `None` before the first message.
pub(super) fn read_chain(
    connection: &mut DatabaseConnection,
) -> Result<Option<Root>, DatabaseError> {
    let rows = connection
        .query("SELECT encode(genesis_validators_root, 'hex') FROM metadata WHERE id = 1")?;
    Ok(rows.first().and_then(|row| root(row, 0)))
}

/// Ties the database to this chain if it has none yet. Returns the chain of the database.
pub(super) fn settle_chain(
    connection: &mut DatabaseConnection,
    chain: Root,
) -> Result<Root, DatabaseError> {
    connection.run(
        "INSERT INTO metadata (id, genesis_validators_root) VALUES (1, $1::bytea) ON CONFLICT DO NOTHING",
        &[Some(format!("\\x{}", &chain.to_string()[2..]))],
    )?;
    let settled = read_chain(connection)?;
    settled.ok_or_else(|| DatabaseError::Connection("its chain cannot be read".to_owned()))
}

pub(super) fn read_high_watermark(
    connection: &mut DatabaseConnection,
) -> Result<Option<HighWatermark>, DatabaseError> {
    let rows = connection
        .query("SELECT high_watermark_slot, high_watermark_epoch FROM metadata WHERE id = 1")?;
    Ok(rows
        .first()
        .and_then(|row| high_watermark(number(row, 0), number(row, 1))))
}

pub(super) fn set_high_watermark(
    connection: &mut DatabaseConnection,
    high: Option<HighWatermark>,
) -> Result<(), DatabaseError> {
    let rows = connection.run(
        "UPDATE metadata SET high_watermark_slot = $1::numeric, high_watermark_epoch = $2::numeric \
         WHERE id = 1 RETURNING id",
        &[
            high.map(|high| high.slot.to_string()),
            high.map(|high| high.epoch.to_string()),
        ],
    )?;
    if rows.is_empty() && high.is_some() {
        return Err(DatabaseError::Connection(
            "the database has no chain yet: import an interchange file, or sign once, then set the high watermark"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Gives each key an id.
pub(super) fn register<'k>(
    connection: &mut DatabaseConnection,
    keys: impl Iterator<Item = &'k PublicKey>,
) -> Result<BTreeMap<PublicKey, i32>, DatabaseError> {
    let rows = connection.run(
        "SELECT encode(v_public_key, 'hex'), v_id FROM upsert_validators($1::bytea[])",
        &[Some(key_array(keys))],
    )?;
    let mut ids = BTreeMap::new();
    for row in &rows {
        let id = text(row, 1).and_then(|id| id.parse().ok());
        if let (Some(key), Some(id)) = (key(row), id) {
            ids.insert(key, id);
        }
    }
    Ok(ids)
}

/// Sets `enabled`, for all instances; returns the keys for which that is new.
pub(super) fn set_enabled(
    connection: &mut DatabaseConnection,
    keys: &[PublicKey],
    enabled: bool,
) -> Result<Vec<PublicKey>, DatabaseError> {
    // A key that is unknown is registered, so that no other instance signs with it as a new one.
    register(connection, keys.iter())?;
    let rows = connection.run(
        "UPDATE validators SET enabled = $2::boolean WHERE public_key = ANY ($1::bytea[]) \
         AND enabled <> $2::boolean RETURNING encode(public_key, 'hex')",
        &[Some(key_array(keys.iter())), Some(enabled.to_string())],
    )?;
    Ok(rows.iter().filter_map(key).collect())
}

/// Reads the marks of these keys, or of all; keys without a record are left out.
pub(super) fn read(
    connection: &mut DatabaseConnection,
    keys: Option<&BTreeSet<PublicKey>>,
) -> Result<BTreeMap<PublicKey, Marks>, DatabaseError> {
    let rows = connection.run(MARKS_STATEMENT, &[keys.map(|keys| key_array(keys.iter()))])?;
    let mut found = BTreeMap::new();
    for row in &rows {
        let marks = Marks {
            block: block_mark(row),
            vote: vote_mark(row),
        };
        if let Some(key) = key(row)
            && marks != Marks::default()
        {
            found.insert(key, marks);
        }
    }
    Ok(found)
}

fn block_mark(row: &TextRow) -> Option<BlockMark> {
    let low = number(row, 1);
    let highest = number(row, 2);
    let slot = low.max(highest)?;
    Some(BlockMark {
        slot: Slot(slot),
        root: root(row, 3).filter(|_| highest == Some(slot)),
    })
}

fn vote_mark(row: &TextRow) -> Option<VoteMark> {
    let source = number(row, 4).max(number(row, 6))?;
    let target = number(row, 5).max(number(row, 8))?;
    let is_last = number(row, 7) == Some(source) && number(row, 8) == Some(target);
    Some(VoteMark {
        source: Epoch(source),
        target: Epoch(target),
        root: root(row, 9).filter(|_| is_last),
    })
}

/// Changes marks in one transaction: all, or none when `change` refuses.
pub(super) fn change(
    connection: &mut DatabaseConnection,
    chain: Root,
    keys: &[PublicKey],
    change: &mut ChangeMarks<'_>,
) -> Result<Result<(), RepairError>, DatabaseError> {
    if keys.is_empty() {
        return Ok(Ok(()));
    }
    let own_chain = settle_chain(connection, chain)?;
    if own_chain != chain {
        return Ok(Err(RepairError::OtherChain(chain, own_chain)));
    }
    let ids = register(connection, keys.iter())?;
    connection.query("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    lock(connection, &ids)?;
    let before = read(connection, Some(&keys.iter().copied().collect()))?;
    let mut blocks = ["{", "{", "{"].map(str::to_owned);
    let mut votes = ["{", "{", "{", "{"].map(str::to_owned);
    for (key, id) in &ids {
        let old = before.get(key).copied();
        let new = match change(*key, old) {
            Ok(new) => new,
            Err(refused) => {
                connection.query("ROLLBACK")?;
                return Ok(Err(refused));
            }
        };
        let id = id.to_string();
        if let Some(block) = new.block {
            append(
                &mut blocks,
                [id.clone(), block.slot.to_string(), bytes(block.root)],
            );
        }
        if let Some(vote) = new.vote {
            let source = vote.source.to_string();
            let target = vote.target.to_string();
            append(&mut votes, [id, source, target, bytes(vote.root)]);
        }
    }
    if blocks[0].len() > 1 {
        connection.run(SET_BLOCK_MARKS, &blocks.map(|array| Some(array + "}")))?;
    }
    if votes[0].len() > 1 {
        connection.run(SET_VOTE_MARKS, &votes.map(|array| Some(array + "}")))?;
    }
    connection.query("COMMIT")?;
    Ok(Ok(()))
}

/// Excludes other signers from these validators until the transaction ends.
fn lock(
    connection: &mut DatabaseConnection,
    ids: &BTreeMap<PublicKey, i32>,
) -> Result<(), DatabaseError> {
    if ids.len() > LOCKED_VALIDATORS_MAX {
        connection.query(
            "LOCK TABLE signed_blocks, signed_attestations, low_watermarks IN SHARE ROW EXCLUSIVE MODE",
        )?;
        return Ok(());
    }
    let mut sorted: Vec<_> = ids.values().collect();
    sorted.sort();
    let sorted: Vec<_> = sorted.into_iter().map(ToString::to_string).collect();
    connection.run(
        "SELECT count(pg_advisory_xact_lock(0, id)), count(pg_advisory_xact_lock(1, id)) \
         FROM (SELECT id FROM unnest($1::int[]) AS wanted (id) ORDER BY id) AS ordered",
        &[Some(format!("{{{}}}", sorted.join(",")))],
    )?;
    Ok(())
}

fn append<const N: usize>(arrays: &mut [String; N], values: [String; N]) {
    for (array, value) in arrays.iter_mut().zip(values) {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(&value);
    }
}

/// A root as an item of an array of bytes.
fn bytes(root: Option<Root>) -> String {
    root.map_or("NULL".to_owned(), |root| {
        format!("\"\\\\x{}\"", &root.to_string()[2..])
    })
}

fn key_array<'k>(keys: impl Iterator<Item = &'k PublicKey>) -> String {
    let items: Vec<_> = keys
        .map(|key| format!("\"\\\\x{}\"", &key.to_string()[2..]))
        .collect();
    format!("{{{}}}", items.join(","))
}

fn text(row: &TextRow, index: usize) -> Option<&str> {
    row.get(index)?.as_deref()
}

fn number(row: &TextRow, index: usize) -> Option<u64> {
    text(row, index)?.parse().ok()
}

fn root(row: &TextRow, index: usize) -> Option<Root> {
    format!("0x{}", text(row, index)?).parse().ok()
}

fn key(row: &TextRow) -> Option<PublicKey> {
    format!("0x{}", text(row, 0)?).parse().ok()
}

/// A mark of which the database has only one half counts as set beyond all numbers.
fn high_watermark(slot: Option<u64>, epoch: Option<u64>) -> Option<HighWatermark> {
    if slot.is_none() && epoch.is_none() {
        return None;
    }
    Some(HighWatermark {
        slot: Slot(slot.unwrap_or(u64::MAX)),
        epoch: Epoch(epoch.unwrap_or(u64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Root = Root([0xab; 32]);

    /// A row of [`MARKS_STATEMENT`] with these numbers, and with [`ROOT`] for both signing roots.
    fn row(low: [u64; 3], block: u64, highest_source: u64, vote: [u64; 2]) -> TextRow {
        let root = Some("ab".repeat(32));
        let number = |number: u64| (number > 0).then(|| number.to_string());
        vec![
            None,
            number(low[0]),
            number(block),
            root.clone(),
            number(low[1]),
            number(low[2]),
            number(highest_source),
            number(vote[0]),
            number(vote[1]),
            root,
        ]
    }

    #[test]
    fn a_mark_is_the_higher_of_both_and_has_the_root_of_the_message_that_it_is_at() {
        for (low, block, expected) in [
            (0, 0, None),
            (0, 5, Some((5, true))),
            (5, 5, Some((5, true))),
            (6, 5, Some((6, false))),
            (4, 5, Some((5, true))),
            (5, 0, Some((5, false))),
        ] {
            let mark = block_mark(&row([low, 0, 0], block, 0, [0, 0]));
            let expected = expected.map(|(slot, has_root)| BlockMark {
                slot: Slot(slot),
                root: Some(ROOT).filter(|_| has_root),
            });
            assert_eq!(mark, expected, "{low} {block}");
        }
        for (low, highest_source, vote, expected) in [
            ([0, 0], 0, [0, 0], None),
            ([0, 0], 3, [3, 4], Some((3, 4, true))),
            ([3, 4], 3, [3, 4], Some((3, 4, true))),
            ([3, 5], 3, [3, 4], Some((3, 5, false))),
            ([4, 4], 3, [3, 4], Some((4, 4, false))),
            ([1, 2], 3, [2, 4], Some((3, 4, false))),
            ([3, 4], 0, [0, 0], Some((3, 4, false))),
        ] {
            let mark = vote_mark(&row([0, low[0], low[1]], 0, highest_source, vote));
            let expected = expected.map(|(source, target, has_root)| VoteMark {
                source: Epoch(source),
                target: Epoch(target),
                root: Some(ROOT).filter(|_| has_root),
            });
            assert_eq!(mark, expected, "{low:?} {highest_source} {vote:?}");
        }
    }

    #[test]
    fn a_high_watermark_with_one_half_is_beyond_all_numbers_in_the_other() {
        let number = u64::MAX;
        for (slot, epoch, expected) in [
            (None, None, None),
            (Some(5), Some(2), Some((5, 2))),
            (Some(5), None, Some((5, number))),
            (None, Some(2), Some((number, 2))),
        ] {
            let expected = expected.map(|(slot, epoch)| HighWatermark {
                slot: Slot(slot),
                epoch: Epoch(epoch),
            });
            assert_eq!(high_watermark(slot, epoch), expected, "{slot:?} {epoch:?}");
        }
    }
}
