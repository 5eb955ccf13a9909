//! The records while they are changed, in one transaction on the store's thread.

use redb::WriteTransaction;

use super::limits::Limits;
use super::rule::{self, HighWatermark, Marks, Position, Refused, SlashableMessage, Verdict};
use super::tables::{self, Record, Records, Room};
use crate::consensus::primitives::{PublicKey, Root};

/// A message that wants a signature.
pub(super) struct Asked {
    pub(super) key: PublicKey,
    pub(super) chain: Root,
    pub(super) message: SlashableMessage,
    pub(super) root: Root,
}

/// The moment of a commit.
pub(super) struct Present {
    /// Where the clock's chain is.
    pub(super) position: Option<Position>,
    pub(super) unix_seconds: u64,
    pub(super) high: Option<HighWatermark>,
}

/// What became of the requests of one commit.
pub(super) struct Batch {
    /// In the order of the requests.
    pub(super) verdicts: Vec<Result<(), Refused>>,
    /// What was written, or taken away.
    pub(super) written: Vec<(PublicKey, Root)>,
}

/// Checks messages in their order, and records those that may be signed.
pub(super) fn check_and_record<'r>(
    transaction: &WriteTransaction,
    limits: &Limits,
    present: &Present,
    requests: impl Iterator<Item = &'r Asked>,
) -> Result<Batch, redb::Error> {
    let mut changes = Changes::new(transaction, present.unix_seconds)?;
    let mut verdicts = Vec::new();
    for asked in requests {
        let bounds = limits.on(asked.chain, present.position, present.high);
        let marks = changes.marks(asked.key, asked.chain)?.unwrap_or_default();
        verdicts.push(
            match rule::check(&marks, &bounds, asked.message, asked.root) {
                Err(refused) => Err(refused),
                Ok(Verdict::Repeat) => Ok(()),
                Ok(Verdict::Record(marks)) => {
                    if changes.has_room(asked.key, asked.chain)? {
                        changes.put(asked.key, asked.chain, marks)?;
                        Ok(())
                    } else {
                        Err(Refused::ManyChains(asked.message))
                    }
                }
            },
        );
    }
    Ok(Batch {
        verdicts,
        written: changes.written,
    })
}

/// A record that made room for one of another chain.
pub(super) fn warn_forgotten(key: PublicKey, chain: Root) {
    log::warn!(
        "slashing protection: {key} has records on many chains: that on {chain}, not used for longest, is \
         forgotten"
    );
}

/// The records, while they are changed in one transaction.
pub(super) struct Changes<'t> {
    records: Records<'t>,
    now_seconds: u64,
    /// What was written, or taken away.
    pub(super) written: Vec<(PublicKey, Root)>,
}

impl<'t> Changes<'t> {
    pub(super) fn new(
        transaction: &'t WriteTransaction,
        now_seconds: u64,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            records: tables::open_records(transaction)?,
            now_seconds,
            written: Vec::new(),
        })
    }

    /// The marks of a key on a chain.
    pub(super) fn marks(&self, key: PublicKey, chain: Root) -> Result<Option<Marks>, redb::Error> {
        let record = tables::find(&self.records, key, chain)?;
        Ok(record.map(|record| record.marks))
    }

    /// Whether the key has a record on this chain or can have one; one of another chain that was not
    /// used for a day goes for it.
    pub(super) fn has_room(&mut self, key: PublicKey, chain: Root) -> Result<bool, redb::Error> {
        if tables::find(&self.records, key, chain)?.is_some() {
            return Ok(true);
        }
        match tables::make_room(&mut self.records, key, self.now_seconds)? {
            Room::Free => Ok(true),
            Room::Made(unused_chain) => {
                warn_forgotten(key, unused_chain);
                self.written.push((key, unused_chain));
                Ok(true)
            }
            Room::None => Ok(false),
        }
    }

    /// Records these marks in the place of those before, as used now.
    pub(super) fn put(
        &mut self,
        key: PublicKey,
        chain: Root,
        marks: Marks,
    ) -> Result<(), redb::Error> {
        let record = Record {
            marks,
            used_seconds: self.now_seconds,
        };
        tables::put(&mut self.records, key, chain, &record)?;
        self.written.push((key, chain));
        Ok(())
    }
}
