//! The keys of this process, from their sources to the table: loading behind open ports, reloading,
//! importing and deleting.
//!
//! [`Keyring`] is the handle that requests use. Each change is one function that blocks, read from top to
//! bottom in `load`, `import` and `delete`; it runs on a thread of its own, and the caller waits through
//! [`crate::wait`]. So a change that takes long holds up no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::change::{ChangeError, Outcome};
use super::imported::NewKey;
use super::keyring_state::{KeyringSettings, KeyringShared};
use super::progress::{Progress, ReloadStage, ReloadState};
use super::sources::Sources;
use super::table::KeyTable;
use super::{delete, import, load, seal};
use crate::consensus::primitives::{PublicKey, Root};
use crate::critical_thread;
use crate::files::FileError;
use crate::slashing::Protection;
use crate::wait;

/// Imports and deletions at the same time. Each has a thread, and a body of up to 64 MiB in memory.
const CHANGES_MAX: usize = 64;

/// The handle to the keys.
pub struct Keyring {
    shared: Arc<KeyringShared>,
    changes: Arc<AtomicUsize>,
}

impl Keyring {
    /// Lists all sources, and opens what they hold, behind the caller's back.
    ///
    /// # Errors
    /// When the system gives no thread or no random numbers.
    pub fn start(
        sources: Sources,
        settings: KeyringSettings,
        table: Arc<KeyTable>,
        protection: Arc<Protection>,
    ) -> Result<Arc<Self>, String> {
        let shared = Arc::new(KeyringShared::new(sources, settings, table, protection)?);
        let loader = Arc::clone(&shared);
        critical_thread::spawn("loader", move || run_loads(&loader))
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        Ok(Arc::new(Self {
            shared,
            changes: Arc::default(),
        }))
    }

    /// Sleeps until the first listing of the sources has ended: for plain threads.
    ///
    /// # Errors
    /// A source that cannot be listed: nothing is loaded then, ever.
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

    /// Whether keys may come that the table does not expect: not all sources are listed, or not all of
    /// them declare their public keys.
    pub fn may_bring_others(&self) -> bool {
        let state = self.shared.state();
        let load = state.load.as_ref();
        load.is_some_and(|load| load.may_bring_others())
    }

    /// How far loading is.
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// Sleeps until nothing is being loaded, or sealed for the next start: for plain threads.
    pub fn wait_loaded(&self) -> Progress {
        let mut state = self.shared.state();
        while state.is_loading() || self.shared.is_sealing(&state) {
            state = self.shared.wait(state);
        }
        drop(state);
        self.progress()
    }

    /// Asks for a reload. One that is asked for during a load is done after it.
    pub fn reload(&self) {
        let mut state = self.shared.state();
        state.is_reload_wanted = true;
        state.reload.stage = ReloadStage::Running;
        drop(state);
        self.shared.tell();
    }

    /// What became of the last reload.
    pub fn reload_state(&self) -> ReloadState {
        self.shared.state().reload.clone()
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
        self.change(move |shared| import::import(shared, &keys, interchange))
    }

    /// Deletes keys that were imported; waits until none of them signs any more. Beside the outcomes, the
    /// slashing protection data (EIP-3076) of the keys that are deleted or not active: those of `chain`,
    /// or of the only chain on which they have signed.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is deleted then.
    pub fn delete(
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

/// The thread of loads: the first one, and then those that are asked for.
fn run_loads(shared: &Arc<KeyringShared>) {
    load::first_load(shared);
    loop {
        seal::seal_in_background(shared);
        let mut state = shared.state();
        while !state.is_reload_wanted {
            state = shared.wait(state);
        }
        drop(state);
        load::reload(shared);
    }
}

/// The right to make one change; given back when dropped.
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
