//! What the keyring tells about itself: how far loading is, what failed, what became of a reload.

use std::time::SystemTime;

/// How far loading is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Keys that can sign.
    pub loaded: usize,
    /// Keys still to be opened; `None` while the sources are being listed.
    pub pending: Option<usize>,
    /// Files, directories or keys that cannot be read or opened.
    pub failed: usize,
    /// How long the rest will take, in seconds, once that can be told.
    pub seconds_left: Option<u64>,
    /// Which failed, and why.
    pub failures: Vec<(String, String)>,
    /// Whether nothing is being loaded.
    pub complete: bool,
    /// Whether the first load has ended. Later loads take nothing away before they have ended.
    pub first_load_ended: bool,
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
    /// One is running, or waits for the load that runs.
    Running,
    /// All sources were read, all keys opened.
    Completed,
    /// All sources were listed, some files or keys did not open.
    CompletedWithErrors,
    /// A source could not be listed: its keys are those of before. Or it took too long.
    Failed,
}

impl ReloadState {
    /// Says that the reload that runs has failed.
    pub(super) fn fail(&mut self, reason: String) {
        *self = Self {
            stage: ReloadStage::Failed,
            last_operation: Some(SystemTime::now()),
            last_error: Some(reason),
        };
    }
}

impl Progress {
    /// Whether all keys are there, and if not, why.
    ///
    /// # Errors
    /// A sentence for a health check.
    pub fn verdict(&self, expect_keys: Option<usize>) -> Result<(), String> {
        let Self { loaded, failed, .. } = self;
        if !self.first_load_ended {
            return Err(match self.pending {
                None => "the sources of keys are being listed".to_owned(),
                Some(pending) => {
                    format!("keys are being loaded: {loaded} loaded, {pending} to go")
                }
            });
        }
        if *failed > 0 {
            return Err(format!("{failed} keystore(s) did not open"));
        }
        match expect_keys {
            Some(expected) if *loaded < expected => {
                Err(format!("{loaded} keys, expected {expected}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
