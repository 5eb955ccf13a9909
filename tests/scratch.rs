//! A fresh directory for one test, gone with its owner.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use signerd::slashing::{Protection, ProtectionSettings, StoreOpenError};

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "signerd-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        // Cargo sets it for the end-to-end suite alone.
        let parent =
            option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = parent.join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A store in this directory, without floor.
    pub(crate) fn settings(&self) -> ProtectionSettings {
        ProtectionSettings {
            directory: self.0.clone(),
            database: None,
            pruning: None,
            min_slot: None,
            min_epoch: None,
            chain: None,
            clock: None,
            has_keys: false,
            replaces_lost_store: false,
        }
    }

    /// The store of this directory. A program that another test starts at this moment holds the lock of
    /// a store that we have just closed, from its fork to its exec.
    pub(crate) fn open(&self) -> Result<Protection, StoreOpenError> {
        for _ in 0..500 {
            match Protection::open(&self.settings()) {
                Err(StoreOpenError::InUse { .. }) => std::thread::sleep(Duration::from_millis(10)),
                opened => return opened,
            }
        }
        Protection::open(&self.settings())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
