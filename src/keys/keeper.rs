//! The thread that keeps the keys: it alone changes which keys there are, one command after the
//! other. Derivations run in a [`Pool`] and come back as commands.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::candidate::{Candidate, Opened, Prepared, Stamp};
use super::changes::Batch;
use super::imports;
use super::loader::{Settings, Status};
use super::pool::{Job, Pool};
use super::sealed::{self, Cache};
use super::sources::{Scan, SourceError, Sources};
use super::table::{Found, KeyTable};
use crate::consensus::primitives::PublicKey;
use crate::slashing::Protection;

/// What the keeper is asked to do.
pub(super) type Command = Box<dyn FnOnce(&mut Keeper) + Send>;

/// Everything that the thread owns.
pub(super) struct Keeper {
    pub(super) sources: Arc<Sources>,
    settings: Settings,
    pub(super) table: Arc<KeyTable>,
    pub(super) protection: Arc<Protection>,
    pub(super) commands: Sender<Command>,
    pub(super) status: Arc<Status>,
    pool: Pool,
    /// The key cache, during the first load.
    cache: Option<Arc<Cache>>,
    /// Whether keys have come or gone since the cache was written.
    pub(super) has_changed: bool,
    /// What every candidate has brought or, as far as its file tells, will bring.
    pub(super) held: HashMap<Candidate, Held>,
    /// How many candidates of the running load are still out; `None` while none is running.
    outstanding: Option<usize>,
    loads_begun: u64,
    /// When the running load, if it is a reload, has taken too long.
    deadline: Option<Instant>,
    /// Imports whose keystores are being opened.
    pub(super) batches: HashMap<u64, Batch>,
    /// Imported keys that have no file.
    pub(super) in_memory: HashSet<PublicKey>,
}

/// What is known of a candidate that is loaded or being opened.
pub(super) struct Held {
    /// What its file looked like when they were read; none without a file.
    pub(super) stamp: Option<Stamp>,
    /// Its keys. An index of them would be larger than all else here; it is only searched for
    /// deletions.
    pub(super) keys: Box<[PublicKey]>,
}

impl Keeper {
    pub(super) fn new(
        (sources, settings): (Sources, Settings),
        table: Arc<KeyTable>,
        protection: Arc<Protection>,
        commands: Sender<Command>,
        status: Arc<Status>,
    ) -> Self {
        Self {
            sources: Arc::new(sources),
            pool: Pool::new(settings.decrypt_memory_bytes),
            settings,
            table,
            protection,
            commands,
            status,
            cache: None,
            has_changed: true,
            held: HashMap::new(),
            outstanding: None,
            loads_begun: 0,
            deadline: None,
            batches: HashMap::new(),
            in_memory: HashSet::new(),
        }
    }

    /// Loads what the sources hold, then obeys for as long as the process lives.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        match self.first_scan() {
            Ok(scan) => self.load(scan),
            Err(error) => return self.status.give_up(error),
        }
        let mut reported = Instant::now();
        loop {
            let patience = if self.outstanding.is_some() {
                REPORT_INTERVAL
            } else {
                Duration::MAX
            };
            match commands.recv_timeout(patience) {
                Ok(command) => command(&mut self),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.outstanding.is_some() && reported.elapsed() >= REPORT_INTERVAL {
                self.report();
                reported = Instant::now();
            }
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                self.abandon();
            }
        }
    }

    /// A phrase that is none is told before the first of its keys is wanted.
    fn first_scan(&self) -> Result<Scan, SourceError> {
        self.sources
            .data_dir
            .as_deref()
            .map_or(Ok(()), imports::clean)?;
        if let Some(mnemonic) = &self.sources.mnemonic {
            mnemonic.parent(&self.sources)?;
        }
        self.sources.scan()
    }

    /// Scans all sources again.
    pub(super) fn reload(&mut self) {
        match self.sources.scan() {
            Ok(scan) => {
                self.deadline = Instant::now().checked_add(self.settings.reload_timeout);
                self.load(scan);
            }
            Err(error) => {
                log::error!("reload: {error}");
                self.status.end(Some(error.to_string()));
            }
        }
    }

    /// Writes the key cache behind, if keys have come or gone: once they are all there, and one after the
    /// other.
    pub(super) fn seal(&mut self) {
        let Some(path) = self.settings.key_cache.clone() else {
            return;
        };
        let is_busy = self.outstanding.is_some() || self.status.lock().sealing;
        if is_busy || !std::mem::take(&mut self.has_changed) {
            return;
        }
        self.status.set_sealing(true);
        let held = self.held.iter().filter_map(|(candidate, held)| {
            match (candidate, held.stamp, &*held.keys) {
                (Candidate::Keystore { .. }, Some(stamp), [key]) => {
                    Some((candidate.clone(), stamp, *key))
                }
                _ => None,
            }
        });
        let held = held.collect();
        let (sources, table) = (Arc::clone(&self.sources), Arc::clone(&self.table));
        let write = move || {
            match sealed::write(&path, &sources, &table, held) {
                Ok(keys) => log::info!(
                    "{}: {keys} key(s) sealed for the next start",
                    path.display()
                ),
                Err(error) => log::warn!("{}: {error}", path.display()),
            }
            Ok(())
        };
        self.push((sealed::MEMORY_BYTES, false), write, |keeper, _| {
            keeper.status.set_sealing(false);
            keeper.seal();
        });
    }

    /// Where imports are kept, if they are.
    pub(super) fn imports_dir(&self) -> Option<&Path> {
        self.sources
            .data_dir
            .as_deref()
            .filter(|_| !self.settings.imports_in_memory)
    }

    /// Does something in the pool, and then something with its answer here.
    pub(super) fn push<T: Send + 'static>(
        &self,
        (memory_bytes, urgent): (u64, bool),
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        then: impl FnOnce(&mut Self, Result<T, String>) + Send + 'static,
    ) {
        let commands = self.commands.clone();
        let work = Box::new(move || {
            let done = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err("internal fault".to_owned()));
            // Without a keeper the process is about to end.
            let _ = commands.send(Box::new(move |keeper| then(keeper, done)));
        });
        self.pool.push(Job {
            memory_bytes,
            urgent,
            work,
        });
    }

    /// Drops the keys whose sources are gone, and opens what is new or changed.
    fn load(&mut self, scan: Scan) {
        let found: HashSet<&Candidate> = scan.candidates.iter().collect();
        let gone: Vec<_> = self
            .held
            .extract_if(|candidate, _| !found.contains(candidate))
            .collect();
        self.drop_keys(
            gone.iter()
                .flat_map(|(_, held)| held.keys.iter().copied())
                .collect(),
        );

        let mut failures = scan.failures;
        let mut known: HashSet<_> = self
            .held
            .values()
            .flat_map(|held| held.keys.iter().copied())
            .collect();
        let mut fresh = Vec::new();
        for candidate in scan.candidates {
            let stamp = candidate.stamp();
            if self
                .held
                .get(&candidate)
                .is_none_or(|held| held.stamp != stamp)
            {
                match candidate.prepare() {
                    Ok(prepared) => fresh.extend(self.admit(prepared, &mut known)),
                    Err(failure) => failures.push(failure),
                }
            }
        }
        self.table.expect(
            fresh
                .iter()
                .filter_map(|prepared| prepared.declared_key)
                .collect(),
        );
        let total = fresh
            .iter()
            .map(|prepared| prepared.candidate.keys_expected())
            .sum();
        self.status.begin(
            total,
            fresh.iter().any(|prepared| prepared.declared_key.is_none()),
        );
        failures
            .into_iter()
            .for_each(|failure| self.failed(failure.path.display().to_string(), failure.reason));
        self.outstanding = Some(fresh.len());
        self.loads_begun += 1;
        self.has_changed |= !fresh.is_empty();
        // Only the first load: it is written anew after later ones.
        if let Some(path) = self
            .settings
            .key_cache
            .as_deref()
            .filter(|_| self.loads_begun == 1)
        {
            let cache = Cache::open(path, &self.sources, &fresh).unwrap_or_else(|reason| {
                log::warn!(
                    "{}: {reason}: all keystores are opened, and it is written anew",
                    path.display()
                );
                None
            });
            self.cache = cache.map(Arc::new);
        }
        // Those that are opened quickly first: they sign while the others take their time.
        fresh.sort_by_key(|prepared| prepared.memory_bytes);
        for prepared in fresh {
            let (sources, cache) = (Arc::clone(&self.sources), self.cache.clone());
            let prepared_memory = prepared.memory_bytes;
            let (number, candidate, stamp) =
                (self.loads_begun, prepared.candidate.clone(), prepared.stamp);
            let open = move || {
                prepared
                    .open(&sources, cache.as_deref())
                    .map_err(|error| error.to_string())
            };
            self.push((prepared_memory, false), open, move |keeper, opened| {
                keeper.opened(number, candidate, stamp, opened);
            });
        }
        self.finish();
    }

    /// Lets a candidate through unless its key is there already, from another source.
    fn admit(&mut self, prepared: Prepared, known: &mut HashSet<PublicKey>) -> Option<Prepared> {
        let stamp = prepared.stamp;
        let keys: Box<[PublicKey]> = prepared.declared_key.into_iter().collect();
        match self.held.get_mut(&prepared.candidate) {
            // A file that has changed: its keys sign until the new ones are there.
            Some(held) => held.keys = held.keys.iter().chain(&keys).copied().collect(),
            None if keys.iter().all(|key| known.insert(*key)) => {
                self.held
                    .insert(prepared.candidate.clone(), Held { stamp, keys });
            }
            None => {
                log::info!(
                    "{}: its key comes from another source already",
                    prepared.candidate.name()
                );
                if keys
                    .iter()
                    .all(|key| matches!(self.table.find(key), Found::Ready(_)))
                {
                    self.held.insert(prepared.candidate, Held { stamp, keys });
                }
                return None;
            }
        }
        Some(prepared)
    }

    /// Takes what a candidate has brought.
    fn opened(
        &mut self,
        number: u64,
        candidate: Candidate,
        stamp: Option<Stamp>,
        opened: Result<Vec<Opened>, String>,
    ) {
        // What comes from a load that was given up is as good, and counts no more.
        if number == self.loads_begun {
            self.status.advance(candidate.keys_expected());
            self.outstanding = self.outstanding.map(|outstanding| outstanding - 1);
        }
        // Deleted in the meantime: what it has brought is wiped.
        if let Some(held) = self.held.remove(&candidate) {
            match opened {
                Ok(opened) => self.publish(candidate, stamp, opened, &held),
                Err(reason) => self.give_up(candidate, reason, held),
            }
        }
        self.finish();
    }

    fn publish(
        &mut self,
        candidate: Candidate,
        stamp: Option<Stamp>,
        opened: Vec<Opened>,
        before: &Held,
    ) {
        let keys: Box<[_]> = opened
            .iter()
            .map(|(secret, _)| secret.public_key())
            .collect();
        let new: HashSet<_> = self.table.insert(opened).into_iter().collect();
        let twice = keys
            .iter()
            .filter(|key| !new.contains(key) && !before.keys.contains(key))
            .count();
        if twice > 0 {
            log::info!(
                "{}: {twice} key(s) of it come from another source already",
                candidate.name()
            );
        }
        let gone = before
            .keys
            .iter()
            .filter(|key| !keys.contains(key))
            .copied()
            .collect();
        self.held.insert(candidate, Held { stamp, keys });
        self.drop_keys(gone);
    }

    fn give_up(&mut self, candidate: Candidate, reason: String, mut held: Held) {
        self.table.forget(&held.keys);
        self.failed(candidate.name(), reason);
        // A file that was changed for the worse: the keys of before stay, and its old stamp makes the
        // next reload try again.
        let (table, keys) = (&self.table, held.keys.iter());
        held.keys = keys
            .filter(|key| matches!(table.find(key), Found::Ready(_)))
            .copied()
            .collect();
        if !held.keys.is_empty() {
            self.held.insert(candidate, held);
        }
    }

    fn failed(&self, name: String, reason: String) {
        log::error!("{name}: {reason}");
        self.status.lock().failures.push((name, reason));
    }

    /// Removes those of `keys` that no source has any more.
    fn drop_keys(&mut self, mut keys: Vec<PublicKey>) {
        if keys.is_empty() {
            return;
        }
        let held: HashSet<_> = self
            .held
            .values()
            .flat_map(|held| held.keys.iter())
            .collect();
        keys.retain(|key| !held.contains(key) && !self.in_memory.contains(key));
        self.has_changed = true;
        let removed = self.table.remove(&keys);
        log::info!("{} key(s) dropped: their files are gone", removed.len());
    }

    fn finish(&mut self) {
        if self.outstanding == Some(0) {
            (self.outstanding, self.deadline) = (None, None);
            self.has_changed &= self.cache.take().is_none_or(|cache| cache.is_stale());
            self.seal();
            let failed = self.status.lock().failures.len();
            log::info!(
                "all sources are read: {} key(s) loaded, {failed} failed",
                self.table.len()
            );
            self.status.end(None);
        }
    }

    /// Says that the running reload has failed; what is still being opened comes in all the same.
    fn abandon(&mut self) {
        let Some(outstanding) = self.outstanding.take() else {
            return;
        };
        self.deadline = None;
        let seconds = self.settings.reload_timeout.as_secs();
        let reason = format!("{outstanding} keystore(s) were still being opened after {seconds} s");
        log::error!("reload: {reason}");
        self.status.end(Some(reason));
    }

    fn report(&self) {
        let progress = self.status.progress(self.table.len());
        let left = progress
            .seconds_left
            .map_or(String::new(), |seconds| format!(", about {seconds} s left"));
        log::info!(
            "{} key(s) loaded, {} to go, {} failed{left}",
            progress.loaded,
            progress.pending.unwrap_or(0),
            progress.failed
        );
    }
}

/// How often the log tells how far loading is.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);
