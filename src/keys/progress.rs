//! What the keyring reports: how far loading is, what failed, and the state of a reload.

use std::time::SystemTime;

use crate::counted::counted;

/// How far loading is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Keys that can sign.
    pub loaded: usize,
    /// Keys still to be opened; `None` while the sources are being listed.
    pub pending: Option<usize>,
    /// Files, directories or keys that cannot be read or opened.
    pub failed: usize,
    /// How long the rest will take, in seconds, once that can be estimated.
    pub seconds_left: Option<u64>,
    /// The names of what failed, with the reasons.
    pub failures: Vec<(String, String)>,
    /// Whether nothing is being loaded.
    pub complete: bool,
    /// Whether the first load has ended.
    pub first_load_ended: bool,
}

/// The running or last reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReloadState {
    /// How far it is.
    pub stage: ReloadStage,
    /// When it ended.
    pub last_operation: Option<SystemTime>,
    /// Why it failed, or the first thing that went wrong.
    pub last_error: Option<String>,
}

/// How far a reload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReloadStage {
    /// There was no reload.
    #[default]
    Idle,
    /// It is running, or waits for the load that is running.
    Running,
    /// All sources were read, all keys opened.
    Completed,
    /// All sources were listed, some files or keys did not open.
    CompletedWithErrors,
    /// A source could not be listed, and keeps its keys; or the reload took too long.
    Failed,
}

impl ReloadState {
    /// Notes that the reload has failed.
    pub(super) fn fail(&mut self, reason: String) {
        *self = Self {
            stage: ReloadStage::Failed,
            last_operation: Some(SystemTime::now()),
            last_error: Some(reason),
        };
    }
}

impl Progress {
    /// Checks that all keys are loaded, and at least `expect_keys`.
    ///
    /// # Errors
    /// The reason, as a sentence for a health check.
    pub(crate) fn verdict(&self, expect_keys: Option<usize>) -> Result<(), String> {
        let loaded = self.loaded;
        let failed = self.failed;
        if !self.first_load_ended {
            return Err(match self.pending {
                None => "the sources of keys are being listed".to_owned(),
                Some(pending) => {
                    format!("keys are being loaded: {loaded} loaded, {pending} to go")
                }
            });
        }
        if failed > 0 {
            return Err(format!(
                "{} did not open",
                counted(failed, "keystore", "keystores")
            ));
        }
        match expect_keys {
            Some(expected) if loaded < expected => Err(format!(
                "{}, expected {expected}",
                counted(loaded, "key", "keys")
            )),
            Some(_) | None => Ok(()),
        }
    }
}
