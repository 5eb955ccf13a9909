//! A writer that behaves as Web3Signer: one validator at a time, its statements in its order, on a session
//! of its own.

use signerd::consensus::primitives::Root;

use super::postgres::{PostgresServer, Session};

/// One connection of its pool.
pub(crate) struct Web3SignerSession {
    session: Session,
    /// The id of the validator in the database.
    validator: String,
}

impl Web3SignerSession {
    /// Opens a session for the validator with this public key, which must be registered.
    pub(crate) fn open(server: &PostgresServer, database: &str, public_key: &str) -> Self {
        let mut session = server.session(database);
        let hex = public_key.trim_start_matches("0x");
        let rows = session.run(&format!(
            "SELECT v_id FROM upsert_validators(ARRAY[decode('{hex}', 'hex')])"
        ));
        Self {
            session,
            validator: rows[0].clone(),
        }
    }

    /// Records a vote, unless that is refused. Returns whether it may be signed.
    pub(crate) fn vote(&mut self, source: u64, target: u64, root: Root) -> bool {
        let root = &root.to_string()[2..];
        let id = self.validator.clone();
        let of_validator = format!("FROM signed_attestations WHERE validator_id = {id}");
        self.begin("1");
        let mut passes =
            self.is_enabled() && self.is_below("high_watermark_epoch", source.max(target));
        passes &= self.none(&format!(
            "FROM low_watermarks WHERE validator_id = {id} AND {source} < source_epoch"
        ));
        let known = !self.none(&format!(
            "{of_validator} AND target_epoch = {target} AND signing_root = '\\x{root}'"
        ));
        passes &= known
            || self.none(&format!(
                "FROM low_watermarks WHERE validator_id = {id} AND {target} <= target_epoch"
            ));
        passes &= self.none(&format!(
            "{of_validator} AND target_epoch = {target} AND signing_root <> '\\x{root}'"
        ));
        passes &= self.none(&format!(
            "{of_validator} AND target_epoch = {target} AND signing_root IS NULL"
        ));
        passes &= self.none(&format!(
            "{of_validator} AND source_epoch < {source} AND target_epoch > {target}"
        ));
        passes &= self.none(&format!(
            "{of_validator} AND source_epoch > {source} AND target_epoch < {target}"
        ));
        if passes && !known {
            self.session.run(&format!(
                "INSERT INTO signed_attestations (validator_id, source_epoch, target_epoch, signing_root)
                 VALUES ({id}, {source}, {target}, '\\x{root}')"
            ));
            self.mark_first(
                "target_epoch",
                &format!(
                    "INSERT INTO low_watermarks (validator_id, source_epoch, target_epoch)
                     VALUES ({id}, {source}, {target}) ON CONFLICT (validator_id)
                     DO UPDATE SET source_epoch = {source}, target_epoch = {target}"
                ),
            );
        }
        self.session.run("COMMIT");
        passes
    }

    /// Records a block, unless that is refused. Returns whether it may be signed.
    pub(crate) fn block(&mut self, slot: u64, root: Root) -> bool {
        let root = &root.to_string()[2..];
        let id = self.validator.clone();
        let same_slot = format!("FROM signed_blocks WHERE validator_id = {id} AND slot = {slot}");
        self.begin("0");
        let mut passes = self.is_enabled() && self.is_below("high_watermark_slot", slot);
        passes &= self.none(&format!("{same_slot} AND signing_root <> '\\x{root}'"));
        passes &= self.none(&format!("{same_slot} AND signing_root IS NULL"));
        passes &= self.none(&format!(
            "FROM low_watermarks WHERE validator_id = {id} AND {slot} < slot"
        ));
        let known = !self.none(&format!("{same_slot} AND signing_root = '\\x{root}'"));
        if passes && !known {
            self.session.run(&format!(
                "INSERT INTO signed_blocks (validator_id, slot, signing_root) VALUES ({id}, {slot}, '\\x{root}')"
            ));
            self.mark_first(
                "slot",
                &format!(
                    "INSERT INTO low_watermarks (validator_id, slot) VALUES ({id}, {slot})
                     ON CONFLICT (validator_id) DO UPDATE SET slot = {slot}"
                ),
            );
        }
        self.session.run("COMMIT");
        passes
    }

    fn begin(&mut self, lock_class: &str) {
        let id = &self.validator;
        self.session.run("BEGIN ISOLATION LEVEL READ COMMITTED");
        self.session
            .run(&format!("SELECT pg_advisory_xact_lock({lock_class}, {id})"));
    }

    fn is_enabled(&mut self) -> bool {
        let id = &self.validator;
        let rows = self
            .session
            .run(&format!("SELECT enabled FROM validators WHERE id = {id}"));
        rows == ["t"]
    }

    fn is_below(&mut self, high: &str, number: u64) -> bool {
        self.none(&format!(
            "FROM metadata WHERE id = 1 AND {number} >= {high}"
        ))
    }

    fn none(&mut self, rest: &str) -> bool {
        self.session.run(&format!("SELECT count(*) {rest}")) == ["0"]
    }

    /// Sets the low watermark if this is the first message of its kind.
    fn mark_first(&mut self, column: &str, statement: &str) {
        let id = self.validator.clone();
        if self.none(&format!(
            "FROM low_watermarks WHERE validator_id = {id} AND {column} IS NOT NULL"
        )) {
            self.session.run(statement);
        }
    }
}
