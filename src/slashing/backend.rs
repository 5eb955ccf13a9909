//! What a back-end does for the store: keep records durably, and read them. A back-end belongs to the
//! writer thread; it is never called by two threads.
//!
//! The queue, the batches, health, metrics, and the proof of a record stand above these traits, in
//! [`super::store`] and [`super`]. They do not know which back-end there is.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::SigningLimits;
use super::repair::RepairError;
use super::rule::{Bounds, HighWatermark, Marks, Position, Refused, SlashableMessage, Unavailable};
use crate::consensus::primitives::{PublicKey, Root};

/// A message to check and to record.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordRequest {
    pub(super) key: PublicKey,
    pub(super) chain: Root,
    pub(super) message: SlashableMessage,
    pub(super) root: Root,
}

/// The answer to a [`RecordRequest`].
#[derive(Debug)]
pub(super) enum RecordOutcome {
    /// The record is durable: the message may be signed.
    Recorded,
    Refused(Refused),
    /// Not decided, since something else holds the key: ask again in the next batch.
    Deferred,
}

/// The time of a batch, read once for all of its requests.
pub(super) struct BatchTime<'l> {
    limits: &'l SigningLimits,
    position: Option<Position>,
    pub(super) unix_seconds: u64,
}

impl<'l> BatchTime<'l> {
    pub(super) fn now(limits: &'l SigningLimits) -> Self {
        Self {
            limits,
            position: limits.now(),
            unix_seconds: limits.unix_seconds(),
        }
    }

    /// What holds on a chain at this time.
    pub(super) fn bounds(&self, chain: Root, high: Option<HighWatermark>) -> Bounds {
        self.limits.on(chain, self.position, high)
    }
}

/// Computes the new marks of a key from those on record, or refuses the whole change.
pub(super) type ChangeMarks<'c> =
    dyn FnMut(PublicKey, Option<Marks>) -> Result<Marks, RepairError> + 'c;

/// Where records are kept. Everything that a method wrote is durable when it returns `Ok`. After an
/// error a change may be durable or not; the next call repairs what the back-end needs.
pub(super) trait Backend: Send {
    /// Checks messages in their order, and records those that may be signed. Returns one outcome for
    /// each request.
    fn record(
        &mut self,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Unavailable>;

    /// Changes the marks of some keys on a chain: all of them, or none when one change is refused.
    fn change_marks(
        &mut self,
        chain: Root,
        keys: &[PublicKey],
        change: &mut ChangeMarks<'_>,
        time: &BatchTime<'_>,
    ) -> Result<Result<(), RepairError>, Unavailable>;

    /// Prepares an import of many keys, which is written by another thread.
    fn begin_large_import(
        &mut self,
        chain: Root,
        marks: BTreeMap<PublicKey, Marks>,
        time: &BatchTime<'_>,
    ) -> Result<Box<dyn LargeImport>, Unavailable>;

    /// Makes a large import valid once [`LargeImport::write`] has returned.
    fn end_large_import(&mut self) -> Result<LargeImportProgress, Unavailable>;

    /// Removes what a failed large import has left.
    fn abandon_large_import(&mut self);

    /// The line that nothing is signed at or above, as last read.
    fn high_watermark(&self) -> Option<HighWatermark>;

    /// Sets or removes that line.
    fn set_high_watermark(&mut self, high: Option<HighWatermark>) -> Result<(), Unavailable>;

    /// Allows or forbids keys to sign, for all users of the store. A store of one process has nobody to
    /// tell.
    fn set_enabled(&mut self, _keys: &[PublicKey], _enabled: bool) -> Result<(), Unavailable> {
        Ok(())
    }

    /// Returns the records as they are now, to be read by another thread.
    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>, Unavailable>;

    /// Looks for trouble while nothing is asked for. `None` when there is nothing new to report.
    fn check_idle(&mut self) -> Option<Result<(), Unavailable>>;

    /// Repairs the store after an error, if that is possible now.
    fn recover(&mut self) -> Result<(), Unavailable>;
}

/// The part of a large import that runs beside the writer thread.
pub(super) trait LargeImport: Send {
    /// Writes everything that is known now. Called again after [`LargeImportProgress::CatchUp`].
    fn write(&mut self) -> Result<Result<(), RepairError>, Unavailable>;
}

/// The answer of [`Backend::end_large_import`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LargeImportProgress {
    /// Much was signed meanwhile: call [`LargeImport::write`] once more.
    CatchUp,
    /// The import counts.
    Done,
}

/// Records as they were at one time. All keys are meant where `keys` is `None`.
pub(super) trait Snapshot: Send {
    /// The chains on which these keys have records.
    fn chains(&mut self, keys: Option<&BTreeSet<PublicKey>>)
    -> Result<BTreeSet<Root>, Unavailable>;

    /// The marks of these keys, on one chain or on all of them; sorted by key and chain.
    fn marks(
        &mut self,
        chain: Option<Root>,
        keys: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable>;

    /// Those of `keys` that have a record, on any chain.
    fn known(&mut self, keys: &BTreeSet<PublicKey>) -> Result<BTreeSet<PublicKey>, Unavailable>;
}
