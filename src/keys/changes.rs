//! Importing and deleting, on the keeper's thread.
//!
//! Import: slashing data first, then all keystores in parallel, then the files of those that opened,
//! then the table. Delete: first the key stops signing, then its slashing data is read, then its
//! files go. So no answer is given that a crash could undo.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::candidate::{Candidate, Opened};
use super::imports::{self, Import};
use super::keeper::{Held, Keeper, Ticket};
use super::keystore::Keystore;
use super::loader::{ChangeError, DeleteStatus, Deleted, ImportStatus, NewKey};
use super::secret::SecretKey;
use super::table::{Found, Origin};
use crate::consensus::primitives::PublicKey;
use crate::slashing::ImportError;
use crate::wait::Promise;

/// An import whose keystores are being opened.
pub(super) struct Batch {
    items: Vec<Item>,
    outstanding: usize,
    promise: Promise<Result<Vec<ImportStatus>, ChangeError>>,
}

struct Item {
    keystore: String,
    password: Arc<Zeroizing<String>>,
    stage: Stage,
}

enum Stage {
    /// Being opened.
    Out,
    /// Opened; not yet stored.
    Open(SecretKey, Origin),
    Done(ImportStatus),
}

impl Keeper {
    pub(super) fn import(
        &mut self,
        keys: Vec<NewKey>,
        interchange: Option<String>,
        promise: Promise<Result<Vec<ImportStatus>, ChangeError>>,
    ) {
        match interchange.map(|json| self.protection.import(&json)) {
            None => {}
            Some(Ok(imported)) => log::info!("slashing protection data of {} key(s) imported", imported.keys),
            Some(Err(ImportError::Unavailable(error))) => {
                return promise.keep(Err(ChangeError::Unavailable(error.0)));
            }
            Some(Err(error)) => return promise.keep(Err(ChangeError::Interchange(error.to_string()))),
        }
        self.batches_begun += 1;
        let number = self.batches_begun;
        let items: Vec<_> =
            keys.into_iter().enumerate().map(|(place, key)| self.open_import(number, place, key)).collect();
        let outstanding = items.iter().filter(|item| matches!(item.stage, Stage::Out)).count();
        self.batches.insert(number, Batch { items, outstanding, promise });
        self.finish_import(number);
    }

    /// Opens one keystore of an import in the pool, unless its key is there or it is no keystore.
    fn open_import(&self, batch: u64, place: usize, key: NewKey) -> Item {
        let password = Arc::new(key.password);
        let stage = match Keystore::parse(key.keystore.as_bytes()) {
            Err(error) => Stage::Done(ImportStatus::Error(error.to_string())),
            Ok(keystore) if keystore.public_key().is_some_and(|key| self.is_known(&key)) => {
                Stage::Done(ImportStatus::Duplicate)
            }
            Ok(keystore) => {
                let (memory_bytes, password) = (keystore.memory_bytes(), Arc::clone(&password));
                self.push((memory_bytes, true), Ticket::Import(batch, place), move || {
                    let secret = keystore.open(&password).map_err(|error| error.to_string())?;
                    let derivation_path = keystore.path().map(str::to_owned);
                    Ok(vec![(secret, Origin { derivation_path, readonly: false, file: None })])
                });
                Stage::Out
            }
        };
        Item { keystore: key.keystore, password, stage }
    }

    pub(super) fn opened_import(&mut self, number: u64, place: usize, opened: Result<Vec<Opened>, String>) {
        let Some(batch) = self.batches.get_mut(&number) else { return };
        batch.outstanding -= 1;
        batch.items[place].stage = match opened.map(|mut keys| keys.pop()) {
            Ok(Some((secret, origin))) => Stage::Open(secret, origin),
            Ok(None) => Stage::Done(ImportStatus::Error("no key".to_owned())),
            Err(reason) => Stage::Done(ImportStatus::Error(reason)),
        };
        self.finish_import(number);
    }

    /// Stores, publishes and answers, once all keystores of an import are opened.
    fn finish_import(&mut self, number: u64) {
        if self.batches.get(&number).is_none_or(|batch| batch.outstanding > 0) {
            return;
        }
        let Some(Batch { mut items, promise, .. }) = self.batches.remove(&number) else { return };
        let mut seen = HashSet::new();
        for item in &mut items {
            if let Stage::Open(secret, _) = &item.stage {
                let key = secret.public_key();
                if self.is_known(&key) || !seen.insert(key) {
                    item.stage = Stage::Done(ImportStatus::Duplicate);
                }
            }
        }
        let stored = self.store(&items);
        let mut opened = Vec::new();
        let statuses = items.into_iter().map(|item| match (item.stage, &stored) {
            (Stage::Open(..), Err(reason)) => ImportStatus::Error(format!("could not be stored: {reason}")),
            (Stage::Open(secret, origin), Ok(())) => {
                opened.push((secret, origin));
                ImportStatus::Imported
            }
            (Stage::Done(status), _) => status,
            (Stage::Out, _) => ImportStatus::Error("not opened".to_owned()),
        });
        let statuses = statuses.collect();
        self.publish_import(opened);
        promise.keep(Ok(statuses));
    }

    fn store(&self, items: &[Item]) -> std::io::Result<()> {
        let Some(data_dir) = self.imports_dir() else { return Ok(()) };
        let imports = items.iter().filter_map(|item| match &item.stage {
            Stage::Open(secret, _) => {
                Some(Import { key: secret.public_key(), keystore: &item.keystore, password: &item.password })
            }
            Stage::Done(_) | Stage::Out => None,
        });
        let imports: Vec<_> = imports.collect();
        if imports.is_empty() { Ok(()) } else { imports::store(data_dir, &imports) }
    }

    fn publish_import(&mut self, mut opened: Vec<Opened>) {
        let count = opened.len();
        for (secret, origin) in &mut opened {
            let key = secret.public_key();
            match self.imports_dir() {
                Some(data_dir) => {
                    let candidate = imports::candidate(data_dir, &key);
                    origin.file = candidate.file().map(ToOwned::to_owned);
                    let held = Held { stamp: candidate.stamp(), keys: [key].into() };
                    self.held.insert(candidate, held);
                }
                None => {
                    self.in_memory.insert(key);
                }
            }
        }
        self.table.insert(opened);
        let place =
            if self.imports_dir().is_some() { "" } else { ", in memory only: they are gone after a restart" };
        log::info!("{count} key(s) imported{place}");
    }

    pub(super) fn delete(&mut self, keys: &[PublicKey]) -> Result<Deleted, ChangeError> {
        let homes = self.homes(keys);
        let mut going = HashMap::new();
        let mut statuses: Vec<_> = keys.iter().map(|key| self.decide(key, &homes, &mut going)).collect();
        drop(homes);
        for candidate in going.values().flatten() {
            self.held.remove(candidate);
        }
        self.in_memory.retain(|key| !going.contains_key(key));
        let gone: Vec<_> = going.keys().copied().collect();
        self.table.remove(&gone);
        let told = |status: &DeleteStatus| matches!(status, DeleteStatus::Deleted | DeleteStatus::NotActive);
        let told: Vec<_> =
            keys.iter().zip(&statuses).filter(|(_, status)| told(status)).map(|(key, _)| *key).collect();
        let interchange = self.protection.export(Some(&told));
        let interchange = interchange.map_err(|error| ChangeError::Unavailable(error.0))?;
        for (key, status) in keys.iter().zip(&mut statuses) {
            let files = going.remove(key).into_iter().flatten();
            let removed: Result<(), _> = files.filter_map(|home| home.file().map(imports::remove)).collect();
            if let Err(error) = removed {
                *status = DeleteStatus::Error(format!(
                    "it does not sign any more, but will again after a restart: its file could not be removed: {error}"
                ));
            }
        }
        log::info!("{} key(s) deleted", gone.len());
        Ok(Deleted { statuses, interchange })
    }

    /// What becomes of one key; those that may go are added to `going` with their files.
    fn decide(
        &self,
        key: &PublicKey,
        homes: &HashMap<PublicKey, Vec<Candidate>>,
        going: &mut HashMap<PublicKey, Vec<Candidate>>,
    ) -> DeleteStatus {
        let homes = homes.get(key).map_or(&[][..], Vec::as_slice);
        let foreign = homes.iter().find(|home| !matches!(home, Candidate::Keystore { imported: true, .. }));
        let here = !homes.is_empty() || self.in_memory.contains(key);
        match foreign {
            Some(home) => DeleteStatus::Error(format!("read-only: the key comes from {}", home.name())),
            None if here && !going.contains_key(key) => {
                going.insert(*key, homes.to_vec());
                DeleteStatus::Deleted
            }
            None if self.protection.knows(key) => DeleteStatus::NotActive,
            None => DeleteStatus::NotFound,
        }
    }

    /// All candidates of each key.
    fn homes(&self, keys: &[PublicKey]) -> HashMap<PublicKey, Vec<Candidate>> {
        let wanted: HashSet<_> = keys.iter().collect();
        let mut homes: HashMap<_, Vec<_>> = HashMap::new();
        for (candidate, held) in &self.held {
            for key in held.keys.iter().filter(|key| wanted.contains(key)) {
                homes.entry(*key).or_default().push(candidate.clone());
            }
        }
        homes
    }

    fn is_known(&self, key: &PublicKey) -> bool {
        !matches!(self.table.find(key), Found::Unknown)
    }
}
