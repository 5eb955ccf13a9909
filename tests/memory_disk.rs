//! A disk in memory, that fails as disks do: at a chosen operation, in a chosen way.
//!
//! Each file is kept twice: what a reader sees, and what would survive a power cut. A write is
//! pending until a sync; a power cut keeps any of the pending 512-byte sectors and loses the others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Builder, Database, StorageBackend};
use signerd::slashing::{Disk, Draft};

use super::random::Random;

const SECTOR_BYTES: usize = 512;

/// What goes wrong, once its operation is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This and the next few operations fail, as on a full disk, and change nothing.
    Full,
    /// A sync fails and loses some of what was written; readers still see it, and no later sync
    /// brings it back: that is what Linux does.
    FailedSync,
    /// Nothing works until [`MemoryDisk::restart`]; some of what was not synced is lost.
    PowerCut,
}

/// The handle of the test and, cloned, of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Contents>,
    /// The database's place: an index of `files`, kept by a power cut.
    database: Option<usize>,
    created: [Option<usize>; 2],
    operations: u64,
    syncs: u32,
    /// What, and at which operation.
    plan: Option<(Fault, u64)>,
    dead: bool,
}

#[derive(Debug, Default)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Sector(usize, Vec<u8>),
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    index: usize,
}

/// Operations that a full disk refuses, before there is room again.
const FULL_OPERATIONS: u64 = 5;

impl MemoryDisk {
    /// Plans a fault for an operation, counted from now.
    pub(crate) fn plan(&self, fault: Fault, operations: u64) {
        let mut state = self.lock();
        state.plan = Some((fault, state.operations + operations));
    }

    /// How many syncs there were.
    pub(crate) fn syncs(&self) -> u32 {
        self.lock().syncs
    }

    /// While this lives, the disk does nothing.
    pub(crate) fn stall(&self) -> impl Drop {
        self.lock()
    }

    /// The power goes, unless it is gone already, and comes back: only what is durable is there.
    pub(crate) fn restart(&self, random: &mut Random) {
        let mut state = self.lock();
        for file in &mut state.files {
            file.lose_some(random);
            file.seen.clone_from(&file.durable);
        }
        (state.dead, state.plan) = (false, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn new_file(&self, draft: Draft) -> MemoryFile {
        let mut state = self.lock();
        state.files.push(Contents::default());
        let index = state.files.len() - 1;
        state.created[draft as usize] = Some(index);
        MemoryFile {
            disk: self.clone(),
            index,
        }
    }
}

impl State {
    /// Counts an operation, and lets it fail when it is the one.
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.plan {
            Some((Fault::Full, at)) if (at..at + FULL_OPERATIONS).contains(&self.operations) => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some((Fault::PowerCut, at)) => self.dead |= self.operations >= at,
            Some((Fault::Full | Fault::FailedSync, _)) | None => {}
        }
        if self.dead {
            Err(io::Error::other("no power"))
        } else {
            Ok(())
        }
    }

    /// Whether a sync fails now: the first one at or after the planned operation.
    fn sync_fails(&mut self) -> bool {
        let fails = matches!(self.plan, Some((Fault::FailedSync, at)) if self.operations >= at);
        if fails {
            self.plan = None;
        }
        fails
    }
}

impl Contents {
    /// Makes any part of the pending changes durable, and forgets the others.
    fn lose_some(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            if random.below(2) == 0 {
                change.apply(&mut self.durable);
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Sector(offset, data) => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, builder: &Builder) -> Result<Option<Database>, redb::Error> {
        let database = {
            let mut state = self.lock();
            state.step()?;
            state.database
        };
        let Some(index) = database else {
            return Ok(None);
        };
        Ok(Some(builder.create_with_backend(MemoryFile {
            disk: self.clone(),
            index,
        })?))
    }

    fn create(&self, builder: &Builder, draft: Draft) -> Result<Database, redb::Error> {
        self.lock().step()?;
        Ok(builder.create_with_backend(self.new_file(draft))?)
    }

    fn adopt(&self, draft: Draft) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        state.database = state.created[draft as usize];
        Ok(())
    }

    fn discard(&self, draft: Draft) {
        self.lock().created[draft as usize] = None;
    }

    fn verify(&self) -> io::Result<()> {
        Ok(())
    }

    fn had_database(&self) -> io::Result<bool> {
        Ok(self.lock().database.is_some())
    }

    fn remember(&self) -> io::Result<()> {
        Ok(())
    }

    fn database_bytes(&self) -> io::Result<u64> {
        let state = self.lock();
        let file = state.database.map(|index| &state.files[index]);
        Ok(file.map_or(0, |file| file.seen.len() as u64))
    }
}

impl MemoryFile {
    fn change(&self, change: impl Fn(&mut Contents) -> Vec<Change>) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let file = &mut state.files[self.index];
        for change in change(file) {
            change.apply(&mut file.seen);
            file.pending.push(change);
        }
        Ok(())
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.lock();
        state.step()?;
        Ok(state.files[self.index].seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let offset = usize::try_from(offset).unwrap();
        let bytes = state.files[self.index].seen.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|_| vec![Change::Length(usize::try_from(length).unwrap())])
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let sectors = data.chunks(SECTOR_BYTES).enumerate();
        let sectors =
            sectors.map(|(at, data)| Change::Sector(offset + at * SECTOR_BYTES, data.to_vec()));
        let sectors: Vec<_> = sectors.collect();
        self.change(|_| sectors.clone())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let (fails, seed) = (state.sync_fails(), state.operations);
        state.syncs += 1;
        let file = &mut state.files[self.index];
        if fails {
            file.lose_some(&mut Random::new(seed));
            return Err(io::Error::other("sync failed"));
        }
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }
}
