//! Importing and deleting, on the keeper's thread.
//!
//! Import: slashing data first, then all keystores in parallel, then the files of those that opened,
//! then the table. Delete: first the key stops signing, then its slashing data is read, then its
//! files go. So no answer is given that a crash could undo.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::candidate::{Candidate, Opened};
use super::imports;
use super::keeper::{Held, Keeper};
use super::keystore::Keystore;
use super::loader::{ChangeError, NewKey, Outcome};
use super::table::{Found, Origin};
use crate::consensus::primitives::{PublicKey, Root};
use crate::slashing::{ExportError, ImportError};
use crate::wait::Promise;

/// An import whose keystores are being opened.
pub(super) struct Batch {
    items: Vec<Item>,
    outstanding: usize,
    promise: Promise<Result<Vec<Outcome>, ChangeError>>,
}

struct Item {
    new: Arc<NewKey>,
    /// `None` while it is being opened; `Err` when that is its end.
    opened: Option<Result<Opened, Outcome>>,
}

impl Keeper {
    pub(super) fn import(
        &mut self,
        keys: Vec<NewKey>,
        interchange: Option<String>,
        promise: Promise<Result<Vec<Outcome>, ChangeError>>,
    ) {
        match interchange.map(|json| self.protection.import(&json)) {
            None => {}
            Some(Ok(imported)) => log::info!(
                "slashing protection data of {} key(s) imported",
                imported.keys
            ),
            Some(Err(ImportError::Unavailable(error))) => {
                return promise.keep(Err(ChangeError::Unavailable(error.0)));
            }
            Some(Err(error)) => {
                return promise.keep(Err(ChangeError::Interchange(error.to_string())));
            }
        }
        let number = self.batches.keys().max().map_or(0, |number| number + 1);
        let open = |(place, new)| self.open_import((number, place), Arc::new(new));
        let items: Vec<_> = keys.into_iter().enumerate().map(open).collect();
        let outstanding = items.iter().filter(|item| item.opened.is_none()).count();
        self.batches.insert(
            number,
            Batch {
                items,
                outstanding,
                promise,
            },
        );
        self.finish_import(number);
    }

    /// Opens one keystore of an import in the pool, unless its key is there or it is no keystore.
    fn open_import(&self, (number, place): (u64, usize), new: Arc<NewKey>) -> Item {
        let opened = match Keystore::parse(new.keystore.as_bytes()) {
            Err(error) => Some(Err(Outcome::Error(error.to_string()))),
            Ok(keystore) if keystore.public_key().is_some_and(|key| self.is_known(&key)) => {
                Some(Err(Outcome::Duplicate))
            }
            Ok(keystore) => {
                let new = Arc::clone(&new);
                let memory_bytes = keystore.memory_bytes();
                let open = move || {
                    let secret = keystore
                        .open(&new.password)
                        .map_err(|error| error.to_string())?;
                    let derivation_path = keystore.path().map(str::to_owned);
                    Ok((
                        secret,
                        Origin {
                            derivation_path,
                            readonly: false,
                            file: None,
                        },
                    ))
                };
                self.push((memory_bytes, true), open, move |keeper, opened| {
                    keeper.opened_import(number, place, opened);
                });
                None
            }
        };
        Item { new, opened }
    }

    fn opened_import(&mut self, number: u64, place: usize, opened: Result<Opened, String>) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.items[place].opened = Some(opened.map_err(Outcome::Error));
            batch.outstanding -= 1;
            self.finish_import(number);
        }
    }

    /// Stores, publishes and answers, once all keystores of an import are opened.
    fn finish_import(&mut self, number: u64) {
        if self
            .batches
            .get(&number)
            .is_none_or(|batch| batch.outstanding > 0)
        {
            return;
        }
        let Some(Batch {
            mut items, promise, ..
        }) = self.batches.remove(&number)
        else {
            return;
        };
        let mut seen = HashSet::new();
        for item in &mut items {
            let key = item
                .opened
                .iter()
                .flatten()
                .map(|(secret, _)| secret.public_key())
                .next();
            if key.is_some_and(|key| self.is_known(&key) || !seen.insert(key)) {
                item.opened = Some(Err(Outcome::Duplicate));
            }
        }
        let stored = self.store(&items);
        let mut ready = Vec::new();
        let outcomes = items
            .into_iter()
            .filter_map(|item| item.opened)
            .map(|opened| match (opened, &stored) {
                (Err(outcome), _) => outcome,
                (Ok(_), Err(reason)) => Outcome::Error(format!("could not be stored: {reason}")),
                (Ok(opened), Ok(())) => {
                    ready.push(opened);
                    Outcome::Imported
                }
            });
        let outcomes = outcomes.collect();
        self.publish_import(ready);
        promise.keep(Ok(outcomes));
    }

    fn store(&self, items: &[Item]) -> io::Result<()> {
        let key = |item: &Item| Some(item.opened.as_ref()?.as_ref().ok()?.0.public_key());
        let imports: Vec<_> = items
            .iter()
            .filter_map(|item| Some((key(item)?, &*item.new)))
            .collect();
        match self.imports_dir() {
            Some(data_dir) if !imports.is_empty() => imports::store(data_dir, &imports),
            Some(_) | None => Ok(()),
        }
    }

    fn publish_import(&mut self, mut ready: Vec<Opened>) {
        for (secret, origin) in &mut ready {
            let key = secret.public_key();
            match self
                .imports_dir()
                .map(|data_dir| imports::candidate(data_dir, &key))
            {
                Some(candidate) => {
                    origin.file = candidate.file().map(ToOwned::to_owned);
                    let held = Held {
                        stamp: candidate.stamp(),
                        keys: [key].into(),
                    };
                    self.held.insert(candidate, held);
                }
                None => drop(self.in_memory.insert(key)),
            }
        }
        let fate = if self.imports_dir().is_some() {
            ""
        } else {
            ", in memory: gone after a restart"
        };
        log::info!("{} key(s) imported{fate}", ready.len());
        self.has_changed |= !self.table.insert(ready).is_empty();
        self.seal();
    }

    pub(super) fn delete(
        &mut self,
        keys: &[PublicKey],
        chain: Option<Root>,
    ) -> Result<(Vec<Outcome>, String), ChangeError> {
        // Nothing is removed whose history could not be told.
        self.protection.export(chain, Some(keys))?;
        let mut homes = self.homes(keys);
        let mut gone = HashSet::new();
        let mut outcomes: Vec<_> = keys
            .iter()
            .map(|key| self.decide(key, &homes, &mut gone))
            .collect();
        self.in_memory.retain(|key| !gone.contains(key));
        self.held
            .retain(|_, held| !held.keys.iter().any(|key| gone.contains(key)));
        self.table.remove(&gone.iter().copied().collect::<Vec<_>>());

        let told = |outcome: &Outcome| matches!(outcome, Outcome::Deleted | Outcome::NotActive);
        let told = keys
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| told(outcome))
            .map(|(key, _)| *key);
        let interchange = self
            .protection
            .export(chain, Some(&told.collect::<Vec<_>>()))?;

        for (key, outcome) in keys
            .iter()
            .zip(&mut outcomes)
            .filter(|(key, _)| gone.contains(key))
        {
            let files = homes.remove(key).into_iter().flatten();
            let removed: io::Result<()> = files
                .filter_map(|home| home.file().map(imports::remove))
                .collect();
            if let Err(error) = removed {
                let fault = format!(
                    "it signs no more until a restart: its file could not be removed: {error}"
                );
                *outcome = Outcome::Error(fault);
            }
        }
        log::info!("{} key(s) deleted", gone.len());
        self.has_changed |= !gone.is_empty();
        self.seal();
        Ok((outcomes, interchange))
    }

    /// What becomes of one key; it is added to `gone` if it goes.
    fn decide(
        &self,
        key: &PublicKey,
        homes: &HashMap<PublicKey, Vec<Candidate>>,
        gone: &mut HashSet<PublicKey>,
    ) -> Outcome {
        let homes = homes.get(key).map_or(&[][..], Vec::as_slice);
        let foreign = homes
            .iter()
            .find(|home| !matches!(home, Candidate::Keystore { imported: true, .. }));
        let here = !homes.is_empty() || self.in_memory.contains(key);
        match foreign {
            Some(home) => Outcome::Error(format!("read-only: the key comes from {}", home.name())),
            None if here && gone.insert(*key) => Outcome::Deleted,
            None if self.protection.knows(key) => Outcome::NotActive,
            None => Outcome::NotFound,
        }
    }

    /// All candidates of each key; its own file counts even if that does not open.
    fn homes(&self, keys: &[PublicKey]) -> HashMap<PublicKey, Vec<Candidate>> {
        let mut homes: HashMap<_, Vec<_>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        for (candidate, held) in &self.held {
            for key in &held.keys {
                homes
                    .entry(*key)
                    .and_modify(|homes| homes.push(candidate.clone()));
            }
        }
        for (key, homes) in homes.iter_mut().filter(|(_, homes)| homes.is_empty()) {
            let stored = self
                .imports_dir()
                .map(|data_dir| imports::candidate(data_dir, key));
            homes.extend(stored.filter(|candidate| candidate.stamp().is_some()));
        }
        homes
    }

    fn is_known(&self, key: &PublicKey) -> bool {
        !matches!(self.table.find(key), Found::Unknown)
    }
}

impl From<ExportError> for ChangeError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Unavailable(unavailable) => Self::Unavailable(unavailable.0),
            ExportError::SeveralChains(_) => Self::SeveralChains(error.to_string()),
        }
    }
}
