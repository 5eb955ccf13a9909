//! Reading the key cache at the start, and writing it when keys have come or gone.

use std::collections::HashMap;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;

use zeroize::Zeroizing;

use super::arena;
use super::cache::{self, CacheEntryName, KeyCache, KeyToSeal};
use super::kdf::Kdf;
use super::keyring_state::{KeyringShared, SourceCondition};
use super::password_source::{PasswordReader, PasswordSource};
use super::pool::Urgency;
use super::reader::TimedReader;
use super::secret::SecretKey;
use super::source::{KeySource, ReadSource};
use super::table::Found;
use crate::consensus::primitives::PublicKey;
use crate::counted::counted;
use crate::files::FileStamp;

/// A keystore that was opened.
struct OpenedKeystore {
    source: KeySource,
    stamp: Option<FileStamp>,
    key: PublicKey,
    password_mark: Box<[u8; 32]>,
}

/// A keystore that was read again and is as it was when it was opened.
struct UnchangedKeystore {
    name: CacheEntryName,
    kdf: Kdf,
    password: Zeroizing<String>,
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
    let Some(sealed) = cache::read_file(path)? else {
        return Ok(None);
    };
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
    let _permit = shared.pool.acquire(sealed.memory_bytes(), Urgency::Load)?;
    let mut reader = TimedReader::new(unanswered);
    let passwords = shared.password_reader();
    let opened = KeyCache::open(sealed, &names, |file| {
        let password = sources.get(file).ok_or("a keystore has no password")?;
        passwords.read(password, &mut reader)
    });
    opened.map(Some)
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
                seal_and_log(&sealer, &path);
            }
        });
    if let Err(error) = started {
        log::warn!("the key cache is not written: the system gives no thread: {error}");
        shared.state().is_sealing = false;
        shared.notify();
    }
}

/// Writes the cache at the end of the first load, if it must be written, so that who stops the program as soon
/// as it is ready finds it at the next start.
pub(super) fn seal_first(shared: &KeyringShared) {
    let Some(path) = &shared.settings.key_cache else {
        return;
    };
    let is_stale = mem::take(&mut shared.state().is_cache_stale);
    if is_stale {
        seal_and_log(shared, path);
    }
}

fn seal_and_log(shared: &KeyringShared, path: &Path) {
    match seal(shared, path) {
        Ok(keys) => log::info!(
            "{}: {} sealed for the next start",
            path.display(),
            counted(keys, "key", "keys")
        ),
        Err(error) => log::warn!("{}: {error}", path.display()),
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
    let mut unchanged: Vec<(UnchangedKeystore, Arc<SecretKey>)> = Vec::new();
    for opened in opened_keystores(shared) {
        match reread(shared, &opened, &password_reader, &mut reader) {
            Ok(keystore) => {
                // Released soon, because a deletion waits for it.
                if let Found::Ready(secret) = shared.table.find(&opened.key) {
                    unchanged.push((keystore, secret));
                }
            }
            Err(reason) => log::warn!(
                "{}: left out of the key cache: {reason}",
                opened.source.name()
            ),
        }
    }
    let mut items = Vec::with_capacity(unchanged.len());
    for (keystore, secret) in &unchanged {
        items.push(KeyToSeal {
            name: &keystore.name,
            secret,
            kdf: &keystore.kdf,
            password: &keystore.password,
        });
    }
    if items.is_empty() {
        log::warn!(
            "{}: no keystore can go into the key cache: it is removed",
            path.display()
        );
    }
    let memory_bytes = cache::most_expensive(&items).map_or(0, Kdf::memory_bytes);
    let _permit = shared.pool.acquire(memory_bytes, Urgency::Load)?;
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
) -> Result<UnchangedKeystore, String> {
    let KeySource::Keystore { file, password, .. } = &opened.source else {
        return Err("not a keystore".to_owned());
    };
    let source = opened.source.clone();
    let path = Arc::clone(file);
    let (stamp, read) = reader.run(move || (FileStamp::of(&path), source.read()))?;
    if stamp.map_err(|error| error.reason)? != opened.stamp {
        return Err("its file has changed since it was opened".to_owned());
    }
    let read = read.map_err(|_| "its file cannot be read any more")?;
    let name = read.cache_name().ok_or("its path is not UTF-8")?;
    let kdf = read.kdf().ok_or("not a keystore")?.clone();
    let password = passwords.read(password, reader)?;
    if shared.password_mark(&password) != opened.password_mark {
        return Err("its password has changed since it was opened".to_owned());
    }
    Ok(UnchangedKeystore {
        name,
        kdf,
        password,
    })
}
