//! The tables of Web3Signer at version 12, and whether a server can keep them safely.
//!
//! Several instances may start on an empty database at once: one of them makes the tables, under an
//! advisory lock and in one transaction.

use super::connection::{DatabaseConnection, DatabaseError, TextRow};

/// The statements that make an empty database one of version 12.
pub const SCHEMA: &str = "\
CREATE TABLE validators (
    id serial PRIMARY KEY,
    public_key bytea NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    CONSTRAINT validators_public_key_key UNIQUE (public_key)
);

CREATE TABLE signed_blocks (
    validator_id integer NOT NULL REFERENCES validators (id),
    slot numeric(20) NOT NULL,
    signing_root bytea,
    id bigserial PRIMARY KEY,
    CONSTRAINT unique_signed_block UNIQUE (validator_id, slot)
);
CREATE INDEX signed_blocks_validator_id_slot_idx ON signed_blocks (validator_id, slot);

CREATE TABLE signed_attestations (
    validator_id integer REFERENCES validators (id),
    source_epoch numeric(20) NOT NULL,
    target_epoch numeric(20) NOT NULL,
    signing_root bytea,
    id bigserial PRIMARY KEY,
    CONSTRAINT unique_signed_attestation UNIQUE (validator_id, target_epoch)
);
CREATE INDEX signed_attestations_validator_id_target_epoch_idx
    ON signed_attestations (validator_id, target_epoch);

CREATE TABLE low_watermarks (
    validator_id integer NOT NULL REFERENCES validators (id),
    slot numeric(20),
    target_epoch numeric(20),
    source_epoch numeric(20),
    CONSTRAINT low_watermarks_validator_id_key UNIQUE (validator_id),
    CONSTRAINT both_epochs_set_or_null
        CHECK ((target_epoch IS NULL) = (source_epoch IS NULL))
);

CREATE TABLE metadata (
    id integer PRIMARY KEY,
    genesis_validators_root bytea NOT NULL,
    high_watermark_epoch numeric(20),
    high_watermark_slot numeric(20)
);

CREATE TABLE database_version (
    id integer PRIMARY KEY,
    version integer NOT NULL
);

CREATE FUNCTION check_low_watermarks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    high metadata%ROWTYPE;
BEGIN
    SELECT * INTO high FROM metadata LIMIT 1;
    IF NEW.slot > high.high_watermark_slot THEN
        RAISE EXCEPTION 'low slot % is above the high watermark %', NEW.slot, high.high_watermark_slot;
    END IF;
    IF greatest(NEW.source_epoch, NEW.target_epoch) > high.high_watermark_epoch THEN
        RAISE EXCEPTION 'low epochs % and % are above the high watermark %',
            NEW.source_epoch, NEW.target_epoch, high.high_watermark_epoch;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER check_before_insert_or_update_low_watermarks
    BEFORE INSERT OR UPDATE ON low_watermarks
    FOR EACH ROW EXECUTE FUNCTION check_low_watermarks();

CREATE FUNCTION check_high_watermarks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    low_slot numeric;
    low_epoch numeric;
BEGIN
    SELECT max(slot), greatest(max(source_epoch), max(target_epoch))
        INTO low_slot, low_epoch FROM low_watermarks;
    IF NEW.high_watermark_slot <= low_slot THEN
        RAISE EXCEPTION 'high slot % must be above the low watermark %', NEW.high_watermark_slot, low_slot;
    END IF;
    IF NEW.high_watermark_epoch <= low_epoch THEN
        RAISE EXCEPTION 'high epoch % must be above the low watermark %', NEW.high_watermark_epoch, low_epoch;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER check_before_insert_or_update_high_watermarks
    BEFORE INSERT OR UPDATE ON metadata
    FOR EACH ROW EXECUTE FUNCTION check_high_watermarks();

CREATE FUNCTION upsert_validators(_vals bytea[])
    RETURNS TABLE (v_id integer, v_public_key bytea) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO validators (public_key)
        SELECT DISTINCT wanted.key FROM unnest(_vals) AS wanted (key) ORDER BY wanted.key
        ON CONFLICT ON CONSTRAINT validators_public_key_key DO NOTHING;
    RETURN QUERY
        SELECT validators.id, validators.public_key
        FROM unnest(_vals) WITH ORDINALITY AS wanted (key, place)
        JOIN validators ON validators.public_key = wanted.key
        ORDER BY wanted.place;
END;
$$;

INSERT INTO database_version (id, version) VALUES (1, 12);
";

/// The version that Web3Signer and signerd work on.
const VERSION: u32 = 12;

/// The number of the advisory lock that is held while the tables are made.
const SCHEMA_LOCK: u64 = 7_369_676;

/// Checks the server and the tables, and makes the tables when there are none.
pub(super) fn prepare(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    check_server(connection)?;
    if tables(connection)?.is_empty() {
        create(connection)?;
    }
    check_version(connection)
}

fn check_server(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    let rows = connection.query(
        "SELECT version(), current_setting('synchronous_commit'), pg_is_in_recovery(), \
         current_setting('default_transaction_read_only'), current_setting('fsync')",
    )?;
    let [version, synchronous_commit, in_recovery, read_only, fsync] = five(&rows)?;
    for (name, marker) in [("CockroachDB", "CockroachDB"), ("YugabyteDB", "-YB-")] {
        if version.contains(marker) {
            return Err(unusable(format!(
                "this is {name}, whose advisory locks do not exclude two signers in all of its versions: \
                 use PostgreSQL"
            )));
        }
    }
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
    if fsync == "off" {
        log::warn!(
            "the database server runs with fsync=off: after a power cut it may forget what was signed"
        );
    }
    Ok(())
}

fn five(rows: &[TextRow]) -> Result<[&str; 5], DatabaseError> {
    let row = rows.first().map(Vec::as_slice);
    let Some([Some(a), Some(b), Some(c), Some(d), Some(e)]) = row else {
        return Err(unusable("the server does not tell its settings"));
    };
    Ok([a, b, c, d, e])
}

/// The names of those of our tables that are there.
fn tables(connection: &mut DatabaseConnection) -> Result<Vec<String>, DatabaseError> {
    let rows = connection.query(
        "SELECT name FROM unnest(ARRAY['validators', 'signed_blocks', 'signed_attestations', \
         'low_watermarks', 'metadata', 'database_version']) AS name WHERE to_regclass(name) IS NOT NULL",
    )?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

fn create(connection: &mut DatabaseConnection) -> Result<(), DatabaseError> {
    // The lock comes before the transaction, which then sees what the holder before us has made.
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
    if !tables(connection)?
        .iter()
        .any(|name| name == "database_version")
    {
        return Err(unusable(
            "its tables are older than version 7: apply Web3Signer's migrations up to 12 first",
        ));
    }
    let rows = connection.query("SELECT version FROM database_version WHERE id = 1")?;
    let version = rows
        .first()
        .and_then(|row| row.first()?.as_deref()?.parse::<u32>().ok());
    match version {
        Some(VERSION) => Ok(()),
        Some(version) if version < VERSION => Err(unusable(format!(
            "its tables have version {version}, expected {VERSION}: apply Web3Signer's migrations {} to \
             {VERSION} first",
            version + 1
        ))),
        Some(version) => Err(unusable(format!(
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
