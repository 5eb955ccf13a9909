//! Reading the key cache at the start, and writing it when keys have come or gone.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;

use zeroize::Zeroizing;

use super::arena;
use super::cache::{self, CacheEntryName, KeyCache, KeyToSeal};
use super::keyring_state::{KeyringShared, SourceCondition};
use super::password_source::{PasswordReader, PasswordSource};
use super::pool::Urgency;
use super::reader::TimedReader;
use super::secret::SecretKey;
use super::source::{KeySource, ReadSource};
use super::table::Found;
use crate::consensus::primitives::PublicKey;
use crate::files::FileStamp;

/// A keystore that was opened.
struct OpenedKeystore {
    source: KeySource,
    stamp: Option<FileStamp>,
    key: PublicKey,
    password_mark: Box<[u8; 32]>,
}

/// Opens the cache with the passwords of the keystores that it names.
///
/// # Errors
/// Why it cannot be used: then all keystores must be opened.
pub(super) fn open<'a>(
    shared: &KeyringShared,
    path: &Path,
    found: impl Iterator<Item = &'a ReadSource>,
    unanswered: &Arc<AtomicUsize>,
) -> Result<Option<KeyCache>, String> {
    let mut names: Vec<CacheEntryName> = Vec::new();
    let mut sources: HashMap<String, PasswordSource> = HashMap::new();
    for read in found {
        if let (KeySource::Keystore { file, password, .. }, Some(name)) =
            (&read.source, read.cache_name())
        {
            sources.insert(file.display().to_string(), password.clone());
            names.push(name);
        }
    }
    let _permit = shared.pool.acquire(cache::MEMORY_BYTES, Urgency::Load)?;
    let mut reader = TimedReader::new(unanswered);
    let passwords = shared.password_reader();
    KeyCache::open(path, &names, |file| {
        let password = sources.get(file).ok_or("a keystore has no password")?;
        passwords.read(password, &mut reader)
    })
}

/// Writes the cache on a thread of its own, if keys have come or gone since it was written. Does nothing
/// while keys are being loaded or the cache is being written.
pub(super) fn seal_in_background(shared: &Arc<KeyringShared>) {
    let Some(path) = shared.settings.key_cache.clone() else {
        return;
    };
    {
        let mut state = shared.state();
        if state.is_sealing || state.load.is_some() || !state.is_cache_stale {
            return;
        }
        state.is_sealing = true;
    }
    let sealer = Arc::clone(shared);
    let started = thread::Builder::new()
        .name("sealer".to_owned())
        .spawn(move || {
            arena::lower_priority();
            while must_seal(&sealer) {
                match seal(&sealer, &path) {
                    Ok(keys) => {
                        log::info!(
                            "{}: {keys} key(s) sealed for the next start",
                            path.display()
                        );
                    }
                    Err(error) => log::warn!("{}: {error}", path.display()),
                }
            }
        });
    if let Err(error) = started {
        log::warn!("the key cache is not written: the system gives no thread: {error}");
        shared.state().is_sealing = false;
        shared.notify();
    }
}

/// Whether the cache must be written again. If not, notes that writing has ended.
fn must_seal(shared: &KeyringShared) -> bool {
    let must_seal;
    {
        let mut state = shared.state();
        must_seal = state.is_cache_stale && state.load.is_none();
        if must_seal {
            state.is_cache_stale = false;
        }
        state.is_sealing = must_seal;
    }
    shared.notify();
    must_seal
}

/// Seals all keystores that have not changed since they were opened, and whose passwords have not changed
/// either; returns how many.
fn seal(shared: &KeyringShared, path: &Path) -> Result<usize, String> {
    let mut reader = TimedReader::new(&Arc::default());
    let password_reader = shared.password_reader();
    let mut names = Vec::new();
    let mut passwords = Vec::new();
    let mut secrets: Vec<Arc<SecretKey>> = Vec::new();
    for keystore in opened_keystores(shared) {
        match reread(shared, &keystore, &password_reader, &mut reader) {
            Ok((name, password)) => {
                // Not held for long: a deletion waits for it.
                if let Found::Ready(secret) = shared.table.find(&keystore.key) {
                    names.push(name);
                    passwords.push(password);
                    secrets.push(secret);
                }
            }
            Err(reason) => log::warn!(
                "{}: left out of the key cache: {reason}",
                keystore.source.name()
            ),
        }
    }
    let _permit = shared.pool.acquire(cache::MEMORY_BYTES, Urgency::Load)?;
    let mut items = Vec::with_capacity(names.len());
    for ((name, password), secret) in names.into_iter().zip(passwords).zip(&secrets) {
        items.push(KeyToSeal {
            name,
            secret,
            password,
        });
    }
    if items.is_empty() {
        log::warn!(
            "{}: no keystore can go into the key cache: it is removed",
            path.display()
        );
    }
    cache::write(path, &items)?;
    Ok(items.len())
}

fn opened_keystores(shared: &KeyringShared) -> Vec<OpenedKeystore> {
    let state = shared.state();
    let mut opened = Vec::new();
    for (source, known) in &state.known {
        let is_keystore = matches!(source, KeySource::Keystore { .. });
        if let ([key], Some(mark)) = (&*known.keys, &known.password_mark)
            && is_keystore
            && known.condition == SourceCondition::Opened
        {
            opened.push(OpenedKeystore {
                source: source.clone(),
                stamp: known.stamp,
                key: *key,
                password_mark: mark.clone(),
            });
        }
    }
    opened
}

/// Reads a keystore and its password again, and checks that neither has changed since it was opened.
fn reread(
    shared: &KeyringShared,
    opened: &OpenedKeystore,
    passwords: &PasswordReader,
    reader: &mut TimedReader,
) -> Result<(CacheEntryName, Zeroizing<String>), String> {
    let KeySource::Keystore { file, password, .. } = &opened.source else {
        return Err("not a keystore".to_owned());
    };
    let source = opened.source.clone();
    let path = Arc::clone(file);
    let (stamp, read) = reader.run(move || (FileStamp::of(&path), source.read()))?;
    if stamp.map_err(|error| error.reason)? != opened.stamp {
        return Err("its file has changed since it was opened".to_owned());
    }
    let name = match read {
        Ok(read) => read.cache_name().ok_or("its path is not UTF-8")?,
        Err(_) => return Err("its file cannot be read any more".to_owned()),
    };
    let password = passwords.read(password, reader)?;
    if shared.password_mark(&password) != opened.password_mark {
        return Err("its password has changed since it was opened".to_owned());
    }
    Ok((name, password))
}
