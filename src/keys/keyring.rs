//! [`Keyring`]: loading, reloading, importing and deleting keys, while the ports are open.
//!
//! Each change is one blocking function in `load`, `import` or `delete`, to be read from top to bottom. It
//! runs on a thread of its own, and the caller waits through [`crate::wait`]. So a change that takes long
//! does not delay others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::change::{ChangeError, Outcome};
use super::imported::NewKey;
use super::keyring_state::{KeyringSettings, KeyringShared};
use super::progress::{Progress, ReloadStage, ReloadState};
use super::sources::Sources;
use super::table::KeyTable;
use super::waiters::KeyArrival;
use super::{delete, import, load, seal};
use crate::consensus::primitives::{PublicKey, Root};
use crate::critical_thread;
use crate::files::FileError;
use crate::slashing::Protection;
use crate::wait;

/// The most imports and deletions at the same time. Each has a thread, and up to 64 MiB of memory.
const CHANGES_MAX: usize = 64;

/// Changes the keys in the table, and reports how far that is.
pub struct Keyring {
    shared: Arc<KeyringShared>,
    changes: Arc<AtomicUsize>,
}

impl Keyring {
    /// Begins to list all sources and to open their keys, on threads of its own.
    ///
    /// # Errors
    /// When the system has no thread or no random numbers.
    pub fn start(
        sources: Sources,
        settings: KeyringSettings,
        table: Arc<KeyTable>,
        protection: Arc<Protection>,
    ) -> Result<Arc<Self>, String> {
        let shared = Arc::new(KeyringShared::new(sources, settings, table, protection)?);
        let loader = Arc::clone(&shared);
        let waiter = Arc::clone(&shared);
        let no_thread = |error| format!("the system cannot start a thread: {error}");
        critical_thread::spawn("loader", move || run_loads(&loader)).map_err(no_thread)?;
        critical_thread::spawn("key-waits", move || end_waits(&waiter)).map_err(no_thread)?;
        Ok(Arc::new(Self {
            shared,
            changes: Arc::default(),
        }))
    }

    /// Sleeps until the first listing of the sources has ended: on plain threads.
    ///
    /// # Errors
    /// A source that cannot be listed: nothing will be loaded then.
    pub fn wait_listed(&self) -> Result<(), FileError> {
        let mut state = self.shared.state();
        loop {
            if let Some(error) = &state.unlistable {
                return Err(error.clone());
            }
            let is_listing = state.load.as_ref().is_some_and(|load| load.is_listing());
            if !is_listing || state.first_load_ended {
                return Ok(());
            }
            state = self.shared.wait(state);
        }
    }

    /// Whether the first load has ended.
    pub(crate) fn first_load_ended(&self) -> bool {
        self.shared.state().first_load_ended
    }

    /// Waits for the end of the first load, at most for this time; a coroutine may call it. Returns whether the
    /// load has ended. When too many requests wait already, it returns at once.
    pub fn wait_first_load(&self, timeout: Duration) -> bool {
        let waiting = {
            let mut state = self.shared.state();
            if state.first_load_ended {
                return true;
            }
            state.waiters.add_for_first_load(timeout)
        };
        let Some(answer) = waiting else { return false };
        self.shared.notify();
        answer.wait().unwrap_or(false)
    }

    /// Waits for a key that is being loaded or may still come, at most for this time; a coroutine may call it.
    /// The key is opened next. When too many requests wait already, it returns at once.
    pub fn wait_for_key(&self, key: &PublicKey, timeout: Duration) -> KeyArrival {
        let waiting = {
            let mut state = self.shared.state();
            let arrival = state.arrival(key, &self.shared.table);
            if arrival != KeyArrival::Pending {
                return arrival;
            }
            state.waiters.add_for_key(*key, timeout)
        };
        let Some(answer) = waiting else {
            return KeyArrival::Pending;
        };
        self.shared.notify();
        answer.wait().unwrap_or(KeyArrival::Pending)
    }

    /// How far loading is.
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// Sleeps until nothing is being loaded or written to the key cache: on plain threads.
    pub fn wait_loaded(&self) -> Progress {
        {
            let mut state = self.shared.state();
            while state.is_loading() || self.shared.is_sealing(&state) {
                state = self.shared.wait(state);
            }
        }
        self.progress()
    }

    /// Requests a reload. It follows the load that is running, if there is one.
    pub fn reload(&self) {
        {
            let mut state = self.shared.state();
            state.is_reload_wanted = true;
            state.reload.stage = ReloadStage::Running;
        }
        self.shared.notify();
    }

    /// The state of the running or last reload.
    pub fn reload_state(&self) -> ReloadState {
        self.shared.state().reload.clone()
    }

    /// Imports the slashing protection data in `interchange`, then the keystores in their order. Waits for
    /// the end.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is imported then.
    pub(crate) fn import(
        &self,
        keys: Vec<NewKey>,
        interchange: Option<String>,
    ) -> Result<Vec<Outcome>, ChangeError> {
        self.change(move |shared| import::import(shared, &keys, interchange))
    }

    /// Deletes imported keys, and waits until none of them signs any more. Returns the outcomes, and the
    /// slashing protection data (EIP-3076) of the keys that are deleted or not active: those of `chain`, or
    /// of the only chain on which they have signed.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is deleted then.
    pub(crate) fn delete(
        &self,
        keys: Vec<PublicKey>,
        chain: Option<Root>,
    ) -> Result<(Vec<Outcome>, String), ChangeError> {
        self.change(move |shared| delete::delete(shared, &keys, chain))
    }

    /// Makes a change on a thread of its own.
    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&KeyringShared) -> Result<T, ChangeError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let permit = ChangePermit::take(&self.changes)?;
        let shared = Arc::clone(&self.shared);
        let changed = wait::on_thread("keyring", move || {
            let _permit = permit;
            let changed = change(&shared);
            seal::seal_in_background(&shared);
            changed
        });
        match changed {
            Ok(Some(changed)) => changed,
            Ok(None) => Err(ChangeError::Internal(
                "the change of the keys was not finished",
            )),
            Err(_) => Err(ChangeError::Overloaded),
        }
    }
}

/// Runs the first load, then each reload that is requested.
fn run_loads(shared: &Arc<KeyringShared>) {
    load::first_load(shared);
    loop {
        seal::seal_in_background(shared);
        {
            let mut state = shared.state();
            while !state.is_reload_wanted {
                state = shared.wait(state);
            }
        }
        load::reload(shared);
    }
}

/// Ends the waits of requests for keys, when the state has changed and at their deadlines.
fn end_waits(shared: &KeyringShared) {
    let mut state = shared.state();
    loop {
        state.end_waits(&shared.table);
        state = match state.waiters.time_to_next_deadline() {
            None => shared.wait(state),
            Some(left) => shared.wait_for(state, left),
        };
    }
}

/// The right to make one change; dropping it gives it back.
struct ChangePermit(Arc<AtomicUsize>);

impl ChangePermit {
    fn take(changes: &Arc<AtomicUsize>) -> Result<Self, ChangeError> {
        let permit = Self(Arc::clone(changes));
        if changes.fetch_add(1, Ordering::SeqCst) >= CHANGES_MAX {
            return Err(ChangeError::Overloaded);
        }
        Ok(permit)
    }
}

impl Drop for ChangePermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;
