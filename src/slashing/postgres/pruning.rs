//! Removes old messages, as Web3Signer does: the low watermark rises to the last epochs that are kept, and
//! the rows below it go.
//!
//! One statement for each table instead of four transactions for each validator. An advisory lock lets one
//! instance do it; signatures do not wait for it.
//!
//! Web3Signer reads the low watermark first and looks for conflicting rows in later statements. So rows go
//! only when each transaction that may have read the old watermark has ended.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::DatabaseConnection;
use super::connector::Connector;
use super::error::DatabaseError;
use super::url::DatabaseSettings;
use crate::slashing::error::StoreOpenError;

/// The number of the advisory lock of the instance that prunes.
const PRUNING_LOCK: u64 = 7_369_677;

/// For one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1800);

/// A transaction that holds a validator's lock for longer is not that of a signer at work.
const SIGNERS_TIMEOUT: Duration = Duration::from_secs(60);

/// How often to check whether those transactions have ended.
const SIGNERS_INTERVAL: Duration = Duration::from_millis(20);

/// What is removed, and when.
#[derive(Clone, Debug)]
pub struct PruningSettings {
    /// Epochs that are kept below a validator's last vote, and slots below its last block.
    pub epochs_to_keep: u64,
    /// Of the chain.
    pub slots_per_epoch: u64,
    /// Between two rounds.
    pub interval: Duration,
    /// Whether the first round is at the start.
    pub at_boot: bool,
}

/// Prunes on a thread of its own, until the returned sender is dropped.
pub(in crate::slashing) fn start_pruning(
    database: &DatabaseSettings,
    settings: &PruningSettings,
) -> Result<Sender<()>, StoreOpenError> {
    let connector = Connector::new(database)?;
    let settings = settings.clone();
    let (sender, receiver) = mpsc::channel::<()>();
    let started = thread::Builder::new()
        .name("prune".to_owned())
        .spawn(move || {
            if settings.at_boot {
                prune(&connector, &settings);
            }
            while receiver.recv_timeout(settings.interval) == Err(RecvTimeoutError::Timeout) {
                prune(&connector, &settings);
            }
        });
    match started {
        Ok(_) => Ok(sender),
        Err(error) => Err(StoreOpenError::Database(
            database.shown(),
            error.to_string(),
        )),
    }
}

fn prune(connector: &Connector, settings: &PruningSettings) {
    let connected = connector.connect_for(STATEMENT_TIMEOUT);
    let pruned = connected.and_then(|mut connection| prune_tables(&mut connection, settings));
    match pruned {
        Ok(Some((blocks, votes))) => {
            log::info!(
                "slashing protection database: {blocks} old blocks and {votes} old votes removed"
            );
        }
        Ok(None) => log::debug!("another instance prunes the slashing protection database"),
        Err(error) => log::warn!(
            "the slashing protection database was not pruned: {}",
            connector.unavailable(&error).0
        ),
    }
}

/// Returns how many blocks and votes were removed; `None` when another instance does it.
fn prune_tables(
    connection: &mut DatabaseConnection,
    settings: &PruningSettings,
) -> Result<Option<(u64, u64)>, DatabaseError> {
    let locked = connection.query(&format!("SELECT pg_try_advisory_lock({PRUNING_LOCK})"))?;
    if locked.first().and_then(|row| row.first()?.as_deref()) != Some("t") {
        return Ok(None);
    }
    let epochs = settings.epochs_to_keep;
    let slots = epochs.saturating_mul(settings.slots_per_epoch);
    connection.query(&format!(
        "UPDATE low_watermarks l SET slot = h.slot - {slots} + 1
         FROM (SELECT validator_id, max(slot) AS slot FROM signed_blocks GROUP BY validator_id) AS h
         WHERE h.validator_id = l.validator_id AND h.slot - {slots} + 1 > l.slot"
    ))?;
    // The mark of the source does not rise above the highest source: a chain may go on for long without
    // justifying a new epoch. A vote that surrounds a removed one has a source below both.
    connection.query(&format!(
        "UPDATE low_watermarks l
         SET source_epoch = greatest(l.source_epoch, least(h.source, h.target - {epochs} + 1)),
             target_epoch = h.target - {epochs} + 1
         FROM (SELECT validator_id, max(source_epoch) AS source, max(target_epoch) AS target
             FROM signed_attestations GROUP BY validator_id) AS h
         WHERE h.validator_id = l.validator_id AND h.target - {epochs} + 1 > l.target_epoch"
    ))?;
    wait_for_signers(connection)?;
    let blocks = connection.query(
        "WITH removed AS (DELETE FROM signed_blocks b USING low_watermarks l
             WHERE b.validator_id = l.validator_id AND b.slot < l.slot RETURNING 1)
         SELECT count(*) FROM removed",
    )?;
    let votes = connection.query(
        "WITH removed AS (DELETE FROM signed_attestations a USING low_watermarks l
             WHERE a.validator_id = l.validator_id AND a.target_epoch < l.target_epoch RETURNING 1)
         SELECT count(*) FROM removed",
    )?;
    let count = |rows: &[super::connection::TextRow]| {
        let count = rows
            .first()
            .and_then(|row| row.first()?.as_deref()?.parse().ok());
        count.unwrap_or(0)
    };
    Ok(Some((count(&blocks), count(&votes))))
}

/// Waits until each transaction that holds the lock of a validator now has ended.
fn wait_for_signers(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    // Web3Signer's classes of advisory locks: 0 for blocks, 1 for votes.
    const HOLDERS: &str =
        "SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}')::text FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND classid IN (0, 1) AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let rows = connection.query(HOLDERS)?;
    let holders = rows.first().and_then(|row| row.first()?.clone());
    let begun = Instant::now();
    loop {
        let left = connection.run(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND virtualtransaction = ANY ($1::text[]) LIMIT 1",
            std::slice::from_ref(&holders),
        )?;
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > SIGNERS_TIMEOUT {
            return Err(DatabaseError::Connection(format!(
                "a transaction has held the lock of a validator for {} s",
                SIGNERS_TIMEOUT.as_secs()
            )));
        }
        thread::sleep(SIGNERS_INTERVAL);
    }
}
