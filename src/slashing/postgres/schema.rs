//! The tables of Web3Signer at version 12 (schema.sql), and whether a server can keep them safely.
//!
//! Several instances may start on an empty database at once: one of them makes the tables, under an
//! advisory lock and in one transaction.

use std::cmp::Ordering;

use super::connection::{DatabaseConnection, TextRow};
use super::error::DatabaseError;

/// The statements that make an empty database one of version 12.
pub const SCHEMA: &str = include_str!("schema.sql");

/// The version that Web3Signer and signerd work on.
const VERSION: u32 = 12;

/// The number of the advisory lock that is held while the tables are made.
const SCHEMA_LOCK: u64 = 7_369_676;

/// The number of the advisory lock on which the check of locks is made.
const CHECKED_LOCK: u32 = 7_369_678;

/// Checks the server and the tables, and makes the tables when there are none.
pub(super) fn prepare(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    check_server(connection)?;
    if tables(connection)?.is_empty() {
        create(connection)?;
    }
    check_version(connection)
}

fn check_server(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    // A query of its own, before all others: other systems do not know all settings below.
    let [version] = values(&connection.query("SELECT version()")?)?;
    for (name, marker) in [("CockroachDB", "CockroachDB"), ("YugabyteDB", "-YB-")] {
        if version.contains(marker) {
            return Err(unusable(format!(
                "this is {name}, whose advisory locks do not exclude two signers in all of its versions: \
                 use PostgreSQL"
            )));
        }
    }
    let rows = connection.query(
        "SELECT current_setting('synchronous_commit'), pg_is_in_recovery(), \
         current_setting('default_transaction_read_only')",
    )?;
    let [synchronous_commit, in_recovery, read_only] = values(&rows)?;
    if synchronous_commit == "off" {
        return Err(unusable(
            "synchronous_commit is off: after a crash of the server, signatures would be forgotten; set it to on",
        ));
    }
    if in_recovery == "t" {
        return Err(unusable(
            "the server is a replica and records nothing: name the primary, or all hosts with \
             targetServerType=primary",
        ));
    }
    if read_only == "on" {
        return Err(unusable(
            "default_transaction_read_only is on for this role or database: records cannot be written",
        ));
    }
    Ok(())
}

/// Checks that a lock of one session excludes another: all signers of a database rely on that. A system
/// that takes the statements and locks nothing would let two of them sign a slashable pair.
pub(super) fn check_locks(
    one: &mut DatabaseConnection,
    another: &mut DatabaseConnection,
) -> Result<(), DatabaseError> {
    one.query("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    one.query(&format!("SELECT pg_advisory_xact_lock(0, {CHECKED_LOCK})"))?;
    let tried = another.query(&format!(
        "SELECT pg_try_advisory_xact_lock(0, {CHECKED_LOCK})"
    ))?;
    one.query("ROLLBACK")?;
    let [was_granted] = values(&tried)?;
    if was_granted == "f" {
        return Ok(());
    }
    Err(unusable(
        "its advisory locks do not exclude two sessions, so two signers could sign a slashable pair: use \
         PostgreSQL itself",
    ))
}

/// Warns of settings with which the server may forget what it has confirmed.
pub(super) fn warn_of_risks(
    connection: &mut DatabaseConnection,
    hosts: usize,
) -> Result<(), DatabaseError> {
    let rows = connection.query(
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
         current_setting('synchronous_standby_names')",
    )?;
    for risk in risks(&values(&rows)?, hosts) {
        log::warn!("{risk}");
    }
    Ok(())
}

/// The risks of these values of `fsync`, `synchronous_commit` and `synchronous_standby_names`.
fn risks(settings: &[String; 3], hosts: usize) -> Vec<&'static str> {
    let [fsync, synchronous_commit, standbys] = settings;
    let mut risks = Vec::new();
    if fsync == "off" {
        risks.push(
            "the database server runs with fsync=off: after a power cut it may forget what was signed",
        );
    }
    if hosts > 1 && standbys.is_empty() {
        risks.push(
            "the database has several hosts and no synchronous standby: after a failover it may forget what \
             was signed; set synchronous_standby_names on the primary",
        );
    }
    if synchronous_commit == "local" && !standbys.is_empty() {
        risks.push(
            "synchronous_commit is local, so the database does not wait for its standbys: after a failover it \
             may forget what was signed; set it to on",
        );
    }
    risks
}

/// The values of the first row.
fn values<const N: usize>(rows: &[TextRow]) -> Result<[String; N], DatabaseError> {
    let row = rows.first().cloned().unwrap_or_default();
    let values: Option<Vec<String>> = row.into_iter().collect();
    values
        .and_then(|values| values.try_into().ok())
        .ok_or_else(|| unusable("the server does not show its settings"))
}

/// Returns which of our tables exist.
fn tables(connection: &mut DatabaseConnection) -> Result<Vec<String>, DatabaseError> {
    let rows = connection.query(
        "SELECT name FROM unnest(ARRAY['validators', 'signed_blocks', 'signed_attestations', \
         'low_watermarks', 'metadata', 'database_version']) AS name WHERE to_regclass(name) IS NOT NULL",
    )?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

fn create(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    // Lock before the transaction starts, so that it sees the tables that another instance has made.
    connection.query(&format!("SELECT pg_advisory_lock({SCHEMA_LOCK})"))?;
    connection.query("BEGIN")?;
    if tables(connection)?.is_empty() {
        connection.query(SCHEMA)?;
        log::info!("slashing protection tables are made in the empty database");
    }
    connection.query("COMMIT")?;
    connection.query(&format!("SELECT pg_advisory_unlock({SCHEMA_LOCK})"))?;
    Ok(())
}

fn check_version(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    if !tables(connection)?.contains(&"database_version".to_owned()) {
        return Err(unusable(
            "its tables are older than version 7: apply Web3Signer's migrations up to 12 first",
        ));
    }
    let rows = connection.query("SELECT version FROM database_version WHERE id = 1")?;
    let version = rows
        .first()
        .and_then(|row| row.first()?.as_deref()?.parse::<u32>().ok());
    match version.map(|version| (version, version.cmp(&VERSION))) {
        Some((_, Ordering::Equal)) => Ok(()),
        Some((version, Ordering::Less)) => Err(unusable(format!(
            "its tables have version {version}, expected {VERSION}: apply Web3Signer's migrations {} to \
             {VERSION} first",
            version + 1
        ))),
        Some((version, Ordering::Greater)) => Err(unusable(format!(
            "its tables have version {version}, expected {VERSION}: this signerd is too old for them"
        ))),
        None => Err(unusable(
            "its table database_version is empty: this is not a database of Web3Signer",
        )),
    }
}

fn unusable(reason: impl Into<String>) -> DatabaseError {
    DatabaseError::Unusable(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_with_which_the_server_may_forget_is_a_risk() {
        for (settings, hosts, expected) in [
            (["on", "on", ""], 1, vec![]),
            (["off", "on", ""], 1, vec!["fsync=off"]),
            (["on", "on", ""], 2, vec!["several hosts"]),
            (["on", "on", "*"], 2, vec![]),
            (["on", "local", ""], 1, vec![]),
            (["on", "local", "*"], 1, vec!["is local"]),
            (["on", "local", "*"], 2, vec!["is local"]),
            (["off", "local", ""], 2, vec!["fsync=off", "several hosts"]),
        ] {
            let found = risks(&settings.map(str::to_owned), hosts);
            assert_eq!(found.len(), expected.len(), "{settings:?} {hosts}");
            for (risk, part) in found.iter().zip(expected) {
                assert!(risk.contains(part), "{settings:?} {hosts}: {risk}");
            }
        }
    }
}
