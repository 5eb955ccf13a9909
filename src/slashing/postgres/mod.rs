//! The back-end for several instances: slashing protection in PostgreSQL, in Web3Signer's schema.
//!
//! Invariants:
//! - A record is reported only when its transaction is committed. A commit whose answer is lost is safe:
//!   nothing was signed, and the identical request is recognised later.
//! - Instances exclude each other by Web3Signer's advisory locks, so Web3Signers may work on the same
//!   database at the same time.
//! - A database is about one chain.
//! - Every wait is bounded: a batch is given up after the socket's time-out, a new connection included.
//!   While the database is away, requests fail at once, and the connection is tried again with growing
//!   pauses.

mod connection;
mod connector;
mod error;
mod login;
mod marks;
mod pruning;
mod reconnect;
mod schema;
mod server_limits;
mod signing;
mod stream;
mod tls;
mod url;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use connection::DatabaseConnection;
pub(crate) use connection::talk_to_database;
use connector::{Connector, is_lasting, sentence, warn_of_unverified_server};
use error::DatabaseError;
pub use pruning::PruningSettings;
pub(super) use pruning::start_pruning;
use reconnect::{Reconnect, is_check_due, is_worth_a_retry};
pub use schema::SCHEMA;
use signing::{CheckedRequest, record_batch};
pub use url::DatabaseSettings;

use super::backend::{
    Backend, BatchTime, ChangeMarks, LargeImport, LargeImportProgress, RecordOutcome,
    RecordRequest, Snapshot,
};
use super::error::StoreOpenError;
use super::repair::RepairError;
use super::rule::{HighWatermark, Marks, Refused, SlashableMessage, Unavailable};
use crate::consensus::primitives::{PublicKey, Root};

/// Validators in one transaction: each needs an entry in the server's table of locks, which has some
/// 6,400 for all sessions.
const BATCH_VALIDATORS_MAX: usize = 1000;

/// For reading or writing many keys.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// The store of one instance.
pub(super) struct PostgresStore {
    connector: Connector,
    /// `None` while the database is away.
    connection: Option<DatabaseConnection>,
    /// Why there is no connection.
    failure: Unavailable,
    reconnect: Reconnect,
    last_check: Instant,
    high: Option<HighWatermark>,
    /// The chain of the database, once it is known.
    chain: Option<Root>,
    validator_ids: HashMap<PublicKey, i32>,
    /// Whether the server's locks and replicas were checked, which is done once.
    is_checked: bool,
}

impl PostgresStore {
    /// Connects. A database that is away is waited for later; one that cannot be used is an error.
    pub(super) fn open(settings: &DatabaseSettings) -> Result<Self, StoreOpenError> {
        for notice in &settings.notices {
            log::warn!("{notice}");
        }
        warn_of_unverified_server(settings);
        let mut store = Self {
            connector: Connector::new(settings)?,
            connection: None,
            failure: Unavailable(format!("{} is not connected yet", settings.shown())),
            reconnect: Reconnect::new(Instant::now()),
            last_check: Instant::now(),
            high: None,
            chain: None,
            validator_ids: HashMap::new(),
            is_checked: false,
        };
        let end = store.end_of_request();
        let connected = store.connector.connect(end);
        match connected.and_then(|connection| store.adopt(connection, end)) {
            Ok(()) => {}
            Err(error) if is_lasting(&error) => {
                let reason = sentence(settings, &error);
                return Err(StoreOpenError::Database(settings.shown(), reason));
            }
            Err(error) => {
                store.fail(&error);
            }
        }
        Ok(store)
    }

    /// When a request that begins now is given up.
    fn end_of_request(&self) -> Instant {
        Instant::now() + self.connector.settings.socket_timeout
    }

    /// Makes a connection if there is none, unless the last attempt was just now.
    fn connect(&mut self, end: Instant) -> Result<(), Unavailable> {
        if self.connection.is_some() {
            return Ok(());
        }
        if !self.reconnect.is_due(Instant::now()) {
            return Err(self.failure.clone());
        }
        let connected = self.connector.connect(end);
        let adopted = connected.and_then(|connection| self.adopt(connection, end));
        adopted.map_err(|error| self.fail(&error))
    }

    fn adopt(
        &mut self,
        mut connection: DatabaseConnection,
        end: Instant,
    ) -> Result<(), DatabaseError> {
        if !self.is_checked {
            let mut another = self.connector.connect(end)?;
            schema::check_locks(&mut connection, &mut another)?;
            schema::warn_of_risks(&mut connection, self.connector.settings.hosts.len())?;
            self.is_checked = true;
        }
        self.chain = marks::read_chain(&mut connection)?;
        self.high = marks::read_high_watermark(&mut connection)?;
        // Another database may be behind the name now.
        self.validator_ids.clear();
        self.connection = Some(connection);
        self.reconnect.note_success();
        self.last_check = Instant::now();
        Ok(())
    }

    /// Closes the connection after an error, and says when the next one is tried: at once when others held a
    /// lock, since nothing is wrong with the server then.
    fn fail(&mut self, error: &DatabaseError) -> Unavailable {
        self.connection = None;
        if error.is_contention() {
            self.reconnect.set_due(Instant::now());
        } else {
            self.reconnect.note_failure(Instant::now());
        }
        self.failure = self.connector.unavailable(error);
        self.failure.clone()
    }

    /// Runs `work` on the connection; an error closes it. When an idle connection turns out to be
    /// broken, `work` runs once more on a new one.
    fn with_connection<T>(
        &mut self,
        mut work: impl FnMut(&mut Self, &mut DatabaseConnection) -> Result<T, DatabaseError>,
    ) -> Result<T, Unavailable> {
        let was_idle = self.connection.is_some();
        let begun = Instant::now();
        let end = self.end_of_request();
        self.connect(end)?;
        let error = match self.attempt(&mut work, end) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let failure = self.fail(&error);
        if !is_worth_a_retry(was_idle, begun.elapsed()) {
            return Err(failure);
        }
        self.reconnect.set_due(Instant::now());
        self.connect(end)?;
        let again = self.attempt(&mut work, end);
        again.map_err(|error| self.fail(&error))
    }

    fn attempt<T>(
        &mut self,
        work: &mut impl FnMut(&mut Self, &mut DatabaseConnection) -> Result<T, DatabaseError>,
        end: Instant,
    ) -> Result<T, DatabaseError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(DatabaseError::Connection(
                "there is no connection".to_owned(),
            ));
        };
        connection.set_end(end);
        let value = work(self, &mut connection)?;
        self.connection = Some(connection);
        Ok(value)
    }

    /// Reads the chain of the database, or makes it this one.
    fn settle_chain(
        &mut self,
        connection: &mut DatabaseConnection,
        chain: Root,
    ) -> Result<Root, DatabaseError> {
        match self.chain {
            Some(chain) => Ok(chain),
            None => {
                let settled = marks::settle_chain(connection, chain)?;
                self.chain = Some(settled);
                Ok(settled)
            }
        }
    }

    /// Makes sure that all keys have an id.
    fn register(
        &mut self,
        connection: &mut DatabaseConnection,
        keys: impl Iterator<Item = PublicKey>,
    ) -> Result<(), DatabaseError> {
        let unknown: BTreeSet<_> = keys
            .filter(|key| !self.validator_ids.contains_key(key))
            .collect();
        if !unknown.is_empty() {
            let ids = marks::register(connection, unknown.iter())?;
            self.validator_ids.extend(ids);
        }
        Ok(())
    }

    fn check_and_record(
        &mut self,
        connection: &mut DatabaseConnection,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, DatabaseError> {
        let mut outcomes: Vec<Option<RecordOutcome>> = Vec::new();
        outcomes.resize_with(requests.len(), || None);
        let mut open = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let expected = self.settle_chain(connection, request.chain)?;
            if expected == request.chain {
                open.push(index);
                continue;
            }
            outcomes[index] = Some(RecordOutcome::Refused(Refused::DatabaseChain {
                asked: request.message,
                chain: request.chain,
                expected,
            }));
        }
        self.register(connection, open.iter().map(|index| requests[*index].key))?;
        let mut blocks = Vec::new();
        let mut votes = Vec::new();
        for index in open {
            let request = requests[index];
            let id = self.validator_ids.get(&request.key).copied();
            let id = id.ok_or_else(|| {
                DatabaseError::Connection(format!("the database gave no id for {}", request.key))
            })?;
            // The high watermark of the database is checked by the statement.
            let bounds = time.bounds(request.chain, None);
            match CheckedRequest::new(request, id, &bounds) {
                Err(refused) => outcomes[index] = Some(RecordOutcome::Refused(refused)),
                Ok(checked) => match request.message {
                    SlashableMessage::Block(_) => blocks.push((index, checked)),
                    SlashableMessage::Vote(..) => votes.push((index, checked)),
                },
            }
        }
        // What does not fit into this time is left for the next batch.
        let begun = Instant::now();
        let time_max = self.connector.settings.batch_time_max();
        for mut waiting in [blocks, votes] {
            while !waiting.is_empty() && begun.elapsed() < time_max {
                let (indices, batch) = next_batch(&mut waiting);
                let recorded = record_batch(connection, &batch)?;
                for (index, outcome) in indices.into_iter().zip(recorded) {
                    outcomes[index] = Some(outcome);
                }
            }
        }
        let outcomes = outcomes.into_iter();
        Ok(outcomes
            .map(|outcome| outcome.unwrap_or(RecordOutcome::Deferred))
            .collect())
    }
}

/// Takes the next batch out of what waits: each validator once, in the order of ids.
fn next_batch(waiting: &mut Vec<(usize, CheckedRequest)>) -> (Vec<usize>, Vec<CheckedRequest>) {
    let mut seen = HashSet::new();
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for entry in waiting.drain(..) {
        if taken.len() < BATCH_VALIDATORS_MAX && seen.insert(entry.1.validator_id) {
            taken.push(entry);
        } else {
            left.push(entry);
        }
    }
    *waiting = left;
    taken.sort_by_key(|(_, checked)| checked.validator_id);
    taken.into_iter().unzip()
}

impl Backend for PostgresStore {
    fn record(
        &mut self,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Unavailable> {
        self.with_connection(|store, connection| store.check_and_record(connection, requests, time))
    }

    fn change_marks(
        &mut self,
        chain: Root,
        keys: &[PublicKey],
        change: &mut ChangeMarks<'_>,
        _: &BatchTime<'_>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        self.with_connection(|_, connection| marks::change(connection, chain, keys, change))
    }

    fn begin_large_import(
        &mut self,
        chain: Root,
        marks: BTreeMap<PublicKey, Marks>,
        _: &BatchTime<'_>,
    ) -> Result<Box<dyn LargeImport>, Unavailable> {
        self.connect(self.end_of_request())?;
        Ok(Box::new(PostgresImport {
            connector: self.connector.clone(),
            chain,
            marks,
        }))
    }

    fn end_large_import(&mut self) -> Result<LargeImportProgress, Unavailable> {
        Ok(LargeImportProgress::Done)
    }

    fn abandon_large_import(&mut self) {}

    fn high_watermark(&self) -> Option<HighWatermark> {
        self.high
    }

    fn set_high_watermark(&mut self, high: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.with_connection(|_, connection| marks::set_high_watermark(connection, high))?;
        self.high = high;
        Ok(())
    }

    fn set_enabled(&mut self, keys: &[PublicKey], enabled: bool) -> Result<(), Unavailable> {
        let changed =
            self.with_connection(|_, connection| marks::set_enabled(connection, keys, enabled))?;
        for key in changed {
            let what = if enabled { "enabled" } else { "disabled" };
            log::warn!(
                "{key} is {what} in the slashing protection database, for all instances that use it"
            );
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>, Unavailable> {
        self.connect(self.end_of_request())?;
        Ok(Box::new(PostgresSnapshot {
            connector: self.connector.clone(),
        }))
    }

    fn check_idle(&mut self) -> Option<Result<(), Unavailable>> {
        let interval = self.connector.settings.health_interval;
        if self.connection.is_some() && !is_check_due(self.last_check.elapsed(), interval) {
            return None;
        }
        Some(self.recover())
    }

    fn recover(&mut self) -> Result<(), Unavailable> {
        self.last_check = Instant::now();
        let timeout = self.connector.settings.health_timeout;
        let high = self.with_connection(|_, connection| {
            connection.wait_at_most(timeout, marks::read_high_watermark)
        })?;
        self.high = high;
        Ok(())
    }
}

/// Reads over a connection of its own: an export must not hold up signatures.
struct PostgresSnapshot {
    connector: Connector,
}

impl PostgresSnapshot {
    fn read<T>(
        &self,
        read: impl FnOnce(&mut DatabaseConnection) -> Result<T, DatabaseError>,
    ) -> Result<T, Unavailable> {
        let connected = self.connector.connect_for(LONG_TIMEOUT);
        let read = connected.and_then(|mut connection| read(&mut connection));
        read.map_err(|error| self.connector.unavailable(&error))
    }
}

impl Snapshot for PostgresSnapshot {
    fn chains(
        &mut self,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<BTreeSet<Root>, Unavailable> {
        let marks = self.marks(None, keys)?;
        Ok(marks.into_iter().map(|(_, chain, _)| chain).collect())
    }

    fn marks(
        &mut self,
        chain: Option<Root>,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable> {
        self.read(|connection| {
            let Some(own_chain) = marks::read_chain(connection)? else {
                return Ok(Vec::new());
            };
            if chain.is_some_and(|chain| chain != own_chain) {
                return Ok(Vec::new());
            }
            let found = marks::read(connection, keys)?;
            Ok(found
                .into_iter()
                .map(|(key, marks)| (key, own_chain, marks))
                .collect())
        })
    }

    fn known(&mut self, keys: &BTreeSet<PublicKey>) -> Result<BTreeSet<PublicKey>, Unavailable> {
        let marks = self.read(|connection| marks::read(connection, Some(keys)))?;
        Ok(marks.into_keys().collect())
    }
}

/// An import of many keys, over a connection of its own and in one transaction.
struct PostgresImport {
    connector: Connector,
    chain: Root,
    marks: BTreeMap<PublicKey, Marks>,
}

impl LargeImport for PostgresImport {
    fn write(&mut self) -> Result<Result<(), RepairError>, Unavailable> {
        let keys: Vec<_> = self.marks.keys().copied().collect();
        let connected = self.connector.connect_for(LONG_TIMEOUT);
        let written = connected.and_then(|mut connection| {
            marks::change(&mut connection, self.chain, &keys, &mut |key, before| {
                let marks = self.marks[&key];
                Ok(before.map_or(marks, |before| before.merge(marks)))
            })
        });
        written.map_err(|error| self.connector.unavailable(&error))
    }
}

#[cfg(test)]
mod tests;
