//! Removes old messages, as Web3Signer does: the low watermark rises to the last epochs that are kept, and
//! the rows below it go.
//!
//! One statement for each table instead of four transactions for each validator. An advisory lock lets one
//! instance do it; signatures do not wait for it.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::connection::{DatabaseConnection, DatabaseError};
use super::connector::Connector;
use super::url::DatabaseSettings;
use crate::slashing::error::StoreOpenError;

/// The number of the advisory lock of the instance that prunes.
const PRUNING_LOCK: u64 = 7_369_677;

/// For one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1800);

/// When, and what, is removed.
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
    connection.query(&format!(
        "UPDATE low_watermarks l
         SET source_epoch = greatest(l.source_epoch, h.epoch - {epochs} + 1), target_epoch = h.epoch - {epochs} + 1
         FROM (SELECT validator_id, max(target_epoch) AS epoch FROM signed_attestations GROUP BY validator_id) AS h
         WHERE h.validator_id = l.validator_id AND h.epoch - {epochs} + 1 > l.target_epoch"
    ))?;
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
