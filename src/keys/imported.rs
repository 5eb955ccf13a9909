//! Imported keys on disk: `keystores/imported/0x<public key>.json` and `.txt` in the data directory.
//!
//! This program wrote everything in that directory, and it removes files only there. Keystores in
//! `keystores` itself were put there by hand: they are read and never removed.
//!
//! Whenever the process dies, an import has both of its files or no keystore: the password is renamed into
//! its place first and removed last. A keystore that cannot be removed is marked as deleted:
//! `NAME.json.deleted` beside it holds the SHA-256 of its content, and a file with that content is not loaded
//! again.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keystore;
use super::password_source::PasswordSource;
use super::scan::{Scan, file_name, has_extension, json_files};
use super::source::KeySource;
use crate::consensus::primitives::PublicKey;
use crate::files::{self, FileError, PathKind};

/// Keystores that were put there by hand, below the data directory.
const KEYSTORES: &str = "keystores";

/// Keystores that this program wrote, below [`KEYSTORES`].
const IMPORTED: &str = "imported";

/// Marks a data directory whose imports are in their own directory. Locked by the process that may clean it.
const MARKER: &str = ".signerd";
const MARKER_TEXT: &str =
    "signerd keeps imported keys in keystores/imported, and removes files there alone.\n";

/// The extension of the mark of a file that is deleted and cannot be removed.
const DELETED: &str = "deleted";

/// Files of which versions before 0.2 left at least one in a data directory.
const FILES_OF_OLDER_VERSIONS: [&str; 2] = ["api-token.txt", "slashing-protection.redb"];

/// The largest mark of a deleted file; a SHA-256 in hex has 64 bytes.
const MARK_BYTES_MAX: usize = 128;

/// A keystore to be imported.
pub(crate) struct NewKey {
    /// Its JSON.
    pub(crate) keystore: String,
    /// Its password.
    pub(crate) password: Zeroizing<String>,
}

/// Why a file of an import could not be removed.
pub(super) enum RemoveError {
    /// The keystore is still there.
    Keystore(io::Error),
    /// The keystore is gone, its password is still there.
    Password(io::Error),
}

/// Moves the imports of older versions into the directory of imports, once. Must be called before anything
/// else is written to the data directory: only what is there shows that an older version ran.
///
/// # Errors
/// When a file cannot be moved.
pub(crate) fn adopt_older_imports(data_dir: &Path) -> Result<(), FileError> {
    let marker = data_dir.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    let is_old = FILES_OF_OLDER_VERSIONS
        .iter()
        .any(|name| data_dir.join(name).exists());
    if is_old && data_dir.join(KEYSTORES).is_dir() {
        for keystore in json_files(&data_dir.join(KEYSTORES))? {
            adopt(&keystore, data_dir).map_err(|error| FileError::new(&keystore, error))?;
        }
    }
    match files::write_private(&marker, MARKER_TEXT.as_bytes()) {
        // Without write access nothing can be imported either.
        Err(error) if is_read_only(&error) => Ok(()),
        written => written.map_err(|error| FileError::new(&marker, error)),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Moves one keystore, if its name and mode show that an older version wrote it. The password goes first;
/// if the process dies in between, the next start continues.
fn adopt(keystore: &Path, data_dir: &Path) -> io::Result<()> {
    let directory = &imports_directory(data_dir);
    let name = file_name(keystore);
    let is_named_after_key = name
        .strip_suffix(".json")
        .is_some_and(|stem| stem.starts_with("0x") && stem.parse::<PublicKey>().is_ok());
    let password = keystore.with_extension("txt");
    let new_keystore = directory.join(name);
    let new_password = new_keystore.with_extension("txt");
    let has_password = is_own_file(&password) || is_own_file(&new_password);
    if !is_named_after_key || !is_own_file(keystore) || !has_password || new_keystore.exists() {
        return Ok(());
    }
    make_imports_directory(data_dir)?;
    if is_own_file(&password) {
        fs::rename(&password, &new_password)?;
    }
    files::sync_directory(directory)?;
    fs::rename(keystore, &new_keystore)?;
    files::sync_directory(directory)?;
    log::info!(
        "{}: imported by an older version, moved to {}",
        keystore.display(),
        new_keystore.display()
    );
    Ok(())
}

/// Whether this is a regular file as this program writes it: mode 0600, with the owner of the process.
fn is_own_file(path: &Path) -> bool {
    let owner = fs::metadata("/proc/self").map(|metadata| metadata.uid());
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_file()
            && metadata.mode() & 0o777 == 0o600
            && owner.is_ok_and(|owner| owner == metadata.uid())
    })
}

/// Locks the directory of imports for this process, so that it may be cleaned; `None` when there is none, or
/// another process has locked it. Dropping the file ends the lock.
pub(super) fn lock_directory(data_dir: &Path) -> Option<File> {
    let marker = File::open(data_dir.join(MARKER)).ok()?;
    match marker.try_lock() {
        Ok(()) => Some(marker),
        Err(TryLockError::WouldBlock) => {
            log::warn!(
                "{}: another process imports keys there as well",
                data_dir.display()
            );
            None
        }
        Err(TryLockError::Error(_)) => None,
    }
}

/// Removes what an interrupted import or deletion left in the directory of imports: unfinished files,
/// passwords without a keystore, and keystores that are marked as deleted, as far as that is possible now.
///
/// # Errors
/// When the directory cannot be read, or a file cannot be removed.
pub(super) fn clean(data_dir: &Path) -> Result<(), FileError> {
    let directory = imports_directory(data_dir);
    if files::look_at(&directory)? == PathKind::Absent {
        return Ok(());
    }
    for file in files::list_directory(&directory)? {
        let name = file_name(&file);
        if has_extension(&file, DELETED) {
            remove_marked(&file, &file.with_extension(""));
            continue;
        }
        let is_orphan = name.ends_with(".txt") && !file.with_extension("json").exists();
        if is_orphan || files::is_unfinished_name(name) {
            fs::remove_file(&file).map_err(|error| FileError::new(&file, error))?;
            log::info!(
                "{}: removed, left by an interrupted import or deletion",
                file.display()
            );
        }
    }
    Ok(())
}

/// Tries again to remove a keystore that is marked as deleted.
fn remove_marked(mark: &Path, keystore: &Path) {
    // If the mark no longer matches, the keystore has gone or is another one.
    let is_gone = !is_marked_deleted(keystore) || remove(keystore).is_ok();
    if is_gone && fs::remove_file(mark).is_ok() {
        log::info!("{}: its deletion is complete", keystore.display());
    }
}

/// Lists the keystores of a data directory: those that were put there by hand and those that were imported.
///
/// # Errors
/// When the data directory, or one of the two below it, cannot be read.
pub(super) fn list(data_dir: &Path, scan: &mut Scan) -> Result<(), FileError> {
    files::list_directory(data_dir)?;
    let by_hand = data_dir.join(KEYSTORES);
    if files::look_at(&by_hand)? == PathKind::Absent {
        return Ok(());
    }
    let listed_in: Arc<Path> = by_hand.as_path().into();
    for file in json_files(&by_hand)? {
        let source = KeySource::read_only(
            &file,
            PasswordSource::File(file.with_extension("txt").into()),
        );
        scan.add(source, &listed_in);
    }
    let directory = imports_directory(data_dir);
    if files::look_at(&directory)? == PathKind::Absent {
        return Ok(());
    }
    let listed_in: Arc<Path> = directory.as_path().into();
    for file in json_files(&directory)? {
        if !is_marked_deleted(&file) {
            scan.add(source_of(&file), &listed_in);
        }
    }
    Ok(())
}

/// Writes all of `imports`, or none if one cannot be written. They are synced to the disk when this returns.
/// Existing files are not touched. Returns their sources, in the same order.
pub(super) fn store(
    data_dir: &Path,
    imports: &[(PublicKey, &NewKey)],
) -> io::Result<Vec<KeySource>> {
    make_imports_directory(data_dir)?;
    let directory = imports_directory(data_dir);
    let files: Vec<PathBuf> = imports
        .iter()
        .map(|(key, _)| free_name(&directory, key))
        .collect();
    if let Err(error) = store_as(&directory, &files, imports) {
        for file in &files {
            // The first error is the one to report; the next start removes what is left.
            let _ = remove(file);
        }
        return Err(error);
    }
    Ok(files.iter().map(|file| source_of(file)).collect())
}

fn store_as(
    directory: &Path,
    files: &[PathBuf],
    imports: &[(PublicKey, &NewKey)],
) -> io::Result<()> {
    for (file, (_, new)) in files.iter().zip(imports) {
        files::write_private(&file.with_extension("txt"), new.password.as_bytes())?;
    }
    files::sync_directory(directory)?;
    for (file, (_, new)) in files.iter().zip(imports) {
        files::write_private(file, new.keystore.as_bytes())?;
    }
    files::sync_directory(directory)
}

/// Finds a free name: that of the key, or with a number behind it if a file has that name, because it holds
/// another key or could not be removed.
fn free_name(directory: &Path, key: &PublicKey) -> PathBuf {
    let is_free = |file: &Path| {
        [file, &file.with_extension("txt")]
            .iter()
            .all(|path| fs::symlink_metadata(path).is_err())
    };
    let first = directory.join(format!("{key}.json"));
    if is_free(&first) {
        return first;
    }
    let mut number = 2;
    loop {
        let file = directory.join(format!("{key}-{number}.json"));
        if is_free(&file) {
            return file;
        }
        number += 1;
    }
}

/// Removes the keystore of an import and its password, if they exist. Synced to the disk when this returns.
pub(super) fn remove(keystore: &Path) -> Result<(), RemoveError> {
    let directory = keystore.parent().unwrap_or(Path::new("."));
    remove_file(directory, keystore).map_err(RemoveError::Keystore)?;
    remove_file(directory, &keystore.with_extension("txt")).map_err(RemoveError::Password)
}

fn remove_file(directory: &Path, file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => {
            log::info!("{}: removed", file.display());
            files::sync_directory(directory)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Marks a keystore that cannot be removed as deleted, so that it is not loaded again.
pub(super) fn mark_deleted(keystore: &Path) -> io::Result<()> {
    let digest = digest_of(keystore)?;
    files::write_private(&mark_path(keystore), digest.as_bytes())?;
    files::sync_directory(keystore.parent().unwrap_or(Path::new(".")))
}

fn is_marked_deleted(keystore: &Path) -> bool {
    let Ok(mark) = files::read_bounded(&mark_path(keystore), MARK_BYTES_MAX) else {
        return false;
    };
    digest_of(keystore).is_ok_and(|digest| digest.as_bytes() == mark.as_slice())
}

fn mark_path(keystore: &Path) -> PathBuf {
    keystore.with_file_name(format!("{}.{DELETED}", file_name(keystore)))
}

fn digest_of(keystore: &Path) -> io::Result<String> {
    let content = files::read_bounded(keystore, keystore::FILE_BYTES_MAX)?;
    Ok(const_hex::encode(Sha256::digest(&*content)))
}

fn source_of(file: &Path) -> KeySource {
    KeySource::Keystore {
        file: file.into(),
        password: PasswordSource::File(file.with_extension("txt").into()),
        is_imported: true,
    }
}

/// The directory of imports.
pub(super) fn imports_directory(data_dir: &Path) -> PathBuf {
    data_dir.join(KEYSTORES).join(IMPORTED)
}

fn make_imports_directory(data_dir: &Path) -> io::Result<()> {
    let directory = imports_directory(data_dir);
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    files::sync_directory(data_dir)?;
    files::sync_directory(&data_dir.join(KEYSTORES))
}
