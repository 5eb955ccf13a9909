//! Imported keys on disk: `keystores/0x<public key>.json` and `.txt` in the data directory.
//!
//! Both files are there whole, or the key is not there, whenever the process dies: the password is
//! renamed into its place first and goes last, so that the keystore's name is the moment of truth.
//! What is left of an interrupted import is cleaned at start.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::loader::NewKey;
use super::sources::{SourceError, file_name, json_files, list};
use crate::consensus::primitives::PublicKey;

/// The keystores of a data directory. Those named after a public key may be deleted by the API;
/// others were put there by hand.
pub(super) fn scan(data_dir: &Path) -> Result<Vec<Candidate>, SourceError> {
    list(data_dir)?;
    let dir = data_dir.join(DIR);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    Ok(json_files(&dir)?.into_iter().map(named).collect())
}

/// Removes what an interrupted import or deletion has left: passwords without a keystore, and files
/// that were never renamed.
pub(super) fn clean(data_dir: &Path) -> Result<(), SourceError> {
    let dir = data_dir.join(DIR);
    let files = if dir.exists() {
        list(&dir)?
    } else {
        Vec::new()
    };
    for file in files {
        let orphan = file.extension().is_some_and(|extension| extension == "txt")
            && named_after_key(&file)
            && !file.with_extension("json").exists();
        if orphan || file_name(&file).ends_with(UNFINISHED) {
            fs::remove_file(&file).map_err(|error| SourceError::new(&file, error))?;
        }
    }
    Ok(())
}

/// Keeps all of `imports`, synced to the disk when this returns, or none if one cannot be written.
pub(super) fn store(data_dir: &Path, imports: &[(PublicKey, &NewKey)]) -> io::Result<()> {
    let dir = data_dir.join(DIR);
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    sync(data_dir)?;
    let stored = store_in(&dir, imports);
    if stored.is_err() {
        for (key, _) in imports {
            // The fault is told already; what cannot be removed now is cleaned at the next start.
            let _ = remove(&keystore_file(&dir, key));
        }
    }
    stored
}

fn store_in(dir: &Path, imports: &[(PublicKey, &NewKey)]) -> io::Result<()> {
    for (key, new) in imports {
        write(
            &keystore_file(dir, key).with_extension("txt"),
            &new.password,
        )?;
    }
    sync(dir)?;
    for (key, new) in imports {
        write(&keystore_file(dir, key), &new.keystore)?;
    }
    sync(dir)
}

/// Removes a keystore and its password, as far as they are there, synced to the disk when this returns.
pub(super) fn remove(keystore: &Path) -> io::Result<()> {
    let dir = keystore.parent().unwrap_or(Path::new("."));
    for file in [keystore, &keystore.with_extension("txt")] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => sync(dir)?,
        }
    }
    Ok(())
}

/// The candidate that a stored import is.
pub(super) fn candidate(data_dir: &Path, key: &PublicKey) -> Candidate {
    named(keystore_file(&data_dir.join(DIR), key))
}

fn named(file: PathBuf) -> Candidate {
    let imported = named_after_key(&file);
    Candidate::Keystore {
        password: file.with_extension("txt").into(),
        file: file.into(),
        imported,
    }
}

const DIR: &str = "keystores";
const UNFINISHED: &str = ".unfinished";

fn keystore_file(dir: &Path, key: &PublicKey) -> PathBuf {
    dir.join(format!("{key}.json"))
}

fn named_after_key(file: &Path) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem.parse::<PublicKey>().is_ok())
}

/// Written beside and renamed, so that the name never stands for half a file; readable by us alone.
pub(crate) fn write(file: &Path, content: &str) -> io::Result<()> {
    let beside = file.with_file_name(format!("{}{UNFINISHED}", file_name(file)));
    let mut unfinished = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    unfinished.write_all(content.as_bytes())?;
    unfinished.sync_all()?;
    fs::rename(&beside, file)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
