//! [`RunningLoad`]: how far a load is, and which keys it may still bring.

use std::collections::HashMap;
use std::time::Instant;

use crate::consensus::primitives::PublicKey;

/// A load that is running.
pub(super) struct RunningLoad {
    is_reload: bool,
    /// Why it counts as failed although it still goes on.
    late: Option<String>,
    began: Instant,
    /// How many keys will be opened; `None` while the sources are being listed.
    total: Option<usize>,
    done: usize,
    pub(super) failures: Vec<(String, String)>,
    /// Whether a root could not be listed.
    pub(super) is_partial: bool,
    /// How many sources that declare each key are still to be opened.
    declared: HashMap<PublicKey, usize>,
    /// How many sources that declare no key are still to be opened.
    undeclared: usize,
}

impl RunningLoad {
    pub(super) fn new(is_reload: bool) -> Self {
        Self {
            is_reload,
            late: None,
            began: Instant::now(),
            total: None,
            done: 0,
            failures: Vec::new(),
            is_partial: false,
            declared: HashMap::new(),
            undeclared: 0,
        }
    }

    pub(super) fn is_reload(&self) -> bool {
        self.is_reload
    }

    /// Whether the sources are still being listed.
    pub(super) fn is_listing(&self) -> bool {
        self.total.is_none()
    }

    /// Whether it may bring keys that no source has declared.
    pub(super) fn may_bring_undeclared(&self) -> bool {
        self.is_listing() || self.undeclared > 0
    }

    /// Whether it may bring this key, because a source declares it or the sources are still being listed.
    pub(super) fn may_bring_declared(&self, key: &PublicKey) -> bool {
        self.is_listing() || self.declared.contains_key(key)
    }

    /// Whether it may bring this key at all.
    pub(super) fn may_bring(&self, key: &PublicKey) -> bool {
        self.may_bring_declared(key) || self.may_bring_undeclared()
    }

    /// Notes a source that will be opened.
    pub(super) fn await_source(&mut self, declared: Option<PublicKey>) {
        match declared {
            Some(key) => *self.declared.entry(key).or_default() += 1,
            None => self.undeclared += 1,
        }
    }

    /// Notes that all sources are listed, and how many keys will be opened.
    pub(super) fn begin_to_open(&mut self, keys: usize) {
        self.total = Some(keys);
    }

    /// Notes that a source was opened or has failed: once for each [`RunningLoad::await_source`].
    pub(super) fn source_done(&mut self, declared: Option<PublicKey>, keys: usize) {
        self.done += keys;
        let Some(key) = declared else {
            self.undeclared = self.undeclared.saturating_sub(1);
            return;
        };
        if let Some(count) = self.declared.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.declared.remove(&key);
            }
        }
    }

    /// Marks it as failed, although it goes on.
    pub(super) fn set_late(&mut self, reason: String) {
        self.late = Some(reason);
    }

    /// Why it counts as failed although it still goes on.
    pub(super) fn late(&self) -> Option<&str> {
        self.late.as_deref()
    }

    /// Whether it is a reload that may still become late.
    pub(super) fn may_be_late(&self) -> bool {
        self.is_reload && self.late.is_none()
    }

    /// How many keys are still to be opened; `None` while the sources are being listed.
    pub(super) fn pending(&self) -> Option<usize> {
        Some(self.total?.saturating_sub(self.done))
    }

    /// Estimates how long the rest takes, in seconds, once some keys are opened.
    pub(super) fn seconds_left(&self) -> Option<u64> {
        let pending = self.pending()? as u64;
        (self.began.elapsed().as_secs() * pending).checked_div(self.done as u64)
    }
}
