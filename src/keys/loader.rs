//! The keys of this process, from their sources to the table: loading behind open ports, reloading,
//! importing and deleting.
//!
//! [`Loader`] is the handle that requests use: it never blocks but through [`crate::wait`]. All
//! changes happen on one thread, `keys::keeper`, in the order in which they were asked for.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use super::keeper::{Command, Keeper};
use super::sources::{SourceError, Sources};
use super::table::KeyTable;
use crate::consensus::primitives::{PublicKey, Root};
use crate::slashing::Protection;
use crate::wait::{self, lock};

/// How to load; the sources themselves are [`Sources`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--decrypt-memory`: the most memory for derivations; otherwise half of what is free.
    pub decrypt_memory_bytes: Option<u64>,
    /// `--key-cache`: where opened keys are kept sealed for the next start.
    pub key_cache: Option<PathBuf>,
    /// Whether imported keys are only held in memory, although there is a data directory.
    pub imports_in_memory: bool,
    /// `--reload-timeout`: after so long a reload counts as failed.
    pub reload_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let reload_timeout = Duration::from_secs(30 * 60);
        Self {
            decrypt_memory_bytes: None,
            key_cache: None,
            imports_in_memory: false,
            reload_timeout,
        }
    }
}

/// The handle to the thread that loads, imports and deletes keys.
pub struct Loader {
    commands: Mutex<Sender<Command>>,
    status: Arc<Status>,
    table: Arc<KeyTable>,
}

/// How far loading is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Keys that can sign.
    pub loaded: usize,
    /// Keys still to be opened; `None` while the sources are being listed.
    pub pending: Option<usize>,
    /// Files or keys that did not open.
    pub failed: usize,
    /// How long the rest will take, once that can be told.
    pub seconds_left: Option<u64>,
    /// Which did not open, and why.
    pub failures: Vec<(String, String)>,
    /// Whether nothing is being loaded.
    pub complete: bool,
}

/// What became of the last reload.
#[derive(Clone, Debug, Default)]
pub struct ReloadState {
    /// Where it stands.
    pub stage: ReloadStage,
    /// When it ended.
    pub last_operation: Option<SystemTime>,
    /// Why it failed, or the first thing that went wrong.
    pub last_error: Option<String>,
}

/// Where a reload stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReloadStage {
    /// There was none.
    #[default]
    Idle,
    /// Keys are being loaded.
    Running,
    /// All sources were read, all keys opened.
    Completed,
    /// All sources were read, some keys did not open.
    CompletedWithErrors,
    /// A source could not be read: the keys are those of before.
    Failed,
}

/// Keys are being loaded already.
#[derive(Debug, PartialEq, Eq)]
pub struct Running;

/// A keystore to be imported.
pub struct NewKey {
    /// Its JSON.
    pub keystore: String,
    /// Its password.
    pub password: Zeroizing<String>,
}

/// What became of one key of an import or a deletion, in the words of the Keymanager API.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Import: it signs from now on.
    Imported,
    /// Import: it was there before.
    Duplicate,
    /// Deletion: it does not sign any more, and its files are gone.
    Deleted,
    /// Deletion: it was not there, but it has signed here before.
    NotActive,
    /// Deletion: nothing is known of it.
    NotFound,
    /// It did not open, was left alone, or is not wholly gone: a sentence for the caller.
    Error(String),
}

/// Why a change was not made at all.
#[derive(Debug)]
pub enum ChangeError {
    /// The slashing protection data of the request is not good: the caller's fault.
    Interchange(String),
    /// The slashing protection data of the keys is on several chains: says how to choose one.
    SeveralChains(String),
    /// The slashing protection store does not work.
    Unavailable(String),
    /// A bug of ours.
    Internal(&'static str),
}

impl Loader {
    /// Lists all sources, and opens what they hold, behind the caller's back.
    pub fn start(
        sources: Sources,
        settings: Settings,
        table: Arc<KeyTable>,
        protection: Arc<Protection>,
    ) -> Arc<Self> {
        let (commands, receiver) = mpsc::channel();
        let status = Arc::new(Status::default());
        // Before anybody can ask: a start without keys yet is no start without keys.
        status.lock().load = Some(Load::new(false));
        let (keys, told) = (Arc::clone(&table), Arc::clone(&status));
        let keeper = Keeper::new(
            (sources, settings),
            keys,
            protection,
            commands.clone(),
            told,
        );
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keeper.run(&receiver))
            .expect("the system gives a thread at start");
        Arc::new(Self {
            commands: Mutex::new(commands),
            status,
            table,
        })
    }

    /// Sleeps until the first listing of the sources has ended: for plain threads.
    ///
    /// # Errors
    /// A source that cannot be read: nothing is loaded then, ever.
    pub fn wait_listed(&self) -> Result<(), SourceError> {
        let listing =
            |state: &mut State| state.load.as_ref().is_some_and(|load| load.total.is_none());
        let state = self.status.changed.wait_while(self.status.lock(), listing);
        state
            .unwrap_or_else(PoisonError::into_inner)
            .unreadable
            .clone()
            .map_or(Ok(()), Err)
    }

    /// Whether keys may come that the table does not expect: not all sources are listed, or not all of
    /// them tell their public keys.
    pub fn may_bring_others(&self) -> bool {
        self.status
            .lock()
            .load
            .as_ref()
            .is_some_and(|load| load.total.is_none() || load.is_silent)
    }

    /// How far loading is.
    pub fn progress(&self) -> Progress {
        self.status.progress(self.table.len())
    }

    /// Sleeps until nothing is being loaded, or sealed for the next start: for plain threads.
    pub fn wait_loaded(&self) -> Progress {
        let is_busy = |state: &mut State| state.load.is_some() || state.sealing;
        drop(self.status.changed.wait_while(self.status.lock(), is_busy));
        self.progress()
    }

    /// Scans all sources again, behind the caller's back.
    ///
    /// # Errors
    /// [`Running`].
    pub fn reload(&self) -> Result<(), Running> {
        let mut state = self.status.lock();
        if state.load.is_some() {
            return Err(Running);
        }
        state.load = Some(Load::new(true));
        state.reload.stage = ReloadStage::Running;
        drop(state);
        self.send(Box::new(Keeper::reload));
        Ok(())
    }

    /// What became of the last reload.
    pub fn reload_state(&self) -> ReloadState {
        self.status.lock().reload.clone()
    }

    /// Imports keystores in their order, after the slashing protection data in `interchange`; waits.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is imported then.
    pub fn import(
        &self,
        keys: Vec<NewKey>,
        interchange: Option<String>,
    ) -> Result<Vec<Outcome>, ChangeError> {
        self.ask(|promise| Box::new(|keeper| keeper.import(keys, interchange, promise)))
    }

    /// Deletes keys that were imported; waits until none of them signs any more. Beside the outcomes,
    /// the slashing protection data (EIP-3076) of the keys that are deleted or not active, on `chain`
    /// or as [`Protection::export`] finds it.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn delete(
        &self,
        keys: Vec<PublicKey>,
        chain: Option<Root>,
    ) -> Result<(Vec<Outcome>, String), ChangeError> {
        self.ask(|promise| Box::new(move |keeper| promise.keep(keeper.delete(&keys, chain))))
    }

    fn ask<T>(
        &self,
        command: impl FnOnce(wait::Promise<Result<T, ChangeError>>) -> Command,
    ) -> Result<T, ChangeError> {
        let (promise, answer) = wait::promise();
        self.send(command(promise));
        answer.wait().unwrap_or(Err(ChangeError::Internal(
            "the thread that keeps the keys has stopped",
        )))
    }

    fn send(&self, command: Command) {
        let commands = lock(&self.commands);
        // Without a receiver the command is dropped, and so is the promise in it: the caller learns.
        let _ = commands.send(command);
    }
}

impl Progress {
    /// Whether all keys are there, and if not, why.
    ///
    /// # Errors
    /// A sentence for a health check.
    pub fn verdict(&self, expect_keys: Option<usize>) -> Result<(), String> {
        let Self {
            loaded,
            pending,
            failed,
            complete,
            ..
        } = self;
        match (expect_keys, pending) {
            (_, None) => Err("the sources of keys are being listed".to_owned()),
            (_, Some(pending)) if !complete => Err(format!(
                "keys are being loaded: {loaded} loaded, {pending} to go"
            )),
            _ if *failed > 0 => Err(format!("{failed} keystore(s) did not open")),
            (Some(expected), _) if *loaded < expected => {
                Err(format!("{loaded} keys, expected {expected}"))
            }
            _ => Ok(()),
        }
    }
}

/// What the keeper tells the world.
#[derive(Default)]
pub(super) struct Status {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// The load that is running.
    load: Option<Load>,
    pub(super) failures: Vec<(String, String)>,
    reload: ReloadState,
    /// The source that the first listing could not read.
    unreadable: Option<SourceError>,
    /// Whether the key cache is being written.
    pub(super) sealing: bool,
}

/// A load that is running.
struct Load {
    is_reload: bool,
    began: Instant,
    /// Keys to be opened, once that is known, and those that are done.
    total: Option<usize>,
    done: usize,
    /// Whether the public keys of some of them are not known before they are opened.
    is_silent: bool,
}

impl Status {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Says how many keys the running load is about, and whether all of them are known.
    pub(super) fn begin(&self, total: usize, is_silent: bool) {
        let mut state = self.lock();
        state.failures.clear();
        state
            .load
            .iter_mut()
            .for_each(|load| (load.total, load.is_silent) = (Some(total), is_silent));
        drop(state);
        self.changed.notify_all();
    }

    /// Says that the first listing has failed: there are no keys, and that is no good health.
    pub(super) fn give_up(&self, error: SourceError) {
        let mut state = self.lock();
        state
            .failures
            .push((error.path.display().to_string(), error.reason.clone()));
        state.unreadable = Some(error);
        drop(state);
        self.end(None);
    }

    pub(super) fn set_sealing(&self, sealing: bool) {
        self.lock().sealing = sealing;
        self.changed.notify_all();
    }

    /// Says that so many of them have opened or failed.
    pub(super) fn advance(&self, keys: usize) {
        self.lock()
            .load
            .iter_mut()
            .for_each(|load| load.done += keys);
    }

    /// Ends the running load.
    pub(super) fn end(&self, failed: Option<String>) {
        let mut state = self.lock();
        let was_reload = state.load.take().is_some_and(|load| load.is_reload);
        let first = state
            .failures
            .first()
            .map(|(name, reason)| format!("{name}: {reason}"));
        if was_reload {
            state.reload = ReloadState {
                stage: match (&failed, &first) {
                    (Some(_), _) => ReloadStage::Failed,
                    (None, Some(_)) => ReloadStage::CompletedWithErrors,
                    (None, None) => ReloadStage::Completed,
                },
                last_operation: Some(SystemTime::now()),
                last_error: failed.or(first),
            };
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn progress(&self, loaded: usize) -> Progress {
        let state = self.lock();
        Progress {
            loaded,
            pending: state
                .load
                .as_ref()
                .map_or(Some(0), |load| Some(load.total? - load.done)),
            failed: state.failures.len(),
            seconds_left: state.load.as_ref().and_then(Load::seconds_left),
            failures: state.failures.clone(),
            complete: state.load.is_none(),
        }
    }
}

impl Load {
    fn new(is_reload: bool) -> Self {
        Self {
            is_reload,
            began: Instant::now(),
            total: None,
            done: 0,
            is_silent: false,
        }
    }

    fn seconds_left(&self) -> Option<u64> {
        let (done, left) = (self.done as u64, (self.total? - self.done) as u64);
        (self.began.elapsed().as_secs() * left).checked_div(done)
    }
}
