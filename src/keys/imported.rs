//! Imported keys on disk: `keystores/imported/0x<public key>.json` and `.txt` in the data directory.
//!
//! Everything in that subdirectory was written by this program, and only there does it remove anything.
//! Keystores beside it, in `keystores`, were put there by hand: they are read and left alone.
//!
//! Both files of an import are there whole, or the key is not there, whenever the process dies: the
//! password is renamed into its place first and goes last, so that the keystore decides. A keystore that
//! cannot be removed is buried: `NAME.json.deleted` beside it holds the SHA-256 of its content, and a file
//! with that content is not loaded again.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keystore;
use super::scan::{Scan, file_name, json_files};
use super::source::KeySource;
use crate::consensus::primitives::PublicKey;
use crate::files::{self, FileError, PathKind};

/// Keystores that were put there by hand, below the data directory.
const KEYSTORES: &str = "keystores";

/// Keystores that this program wrote, below [`KEYSTORES`].
const IMPORTED: &str = "imported";

/// Marks a data directory whose imports are where they belong. Locked by the process that may clean it.
const MARKER: &str = ".signerd";
const MARKER_TEXT: &str =
    "signerd keeps imported keys in keystores/imported, and removes files there alone.\n";

/// What a file that cannot be removed is marked with.
const BURIED: &str = "deleted";

/// Files that versions before 0.2 left in a data directory, one at the least.
const TRACES_OF_OLDER_VERSIONS: [&str; 2] = ["api-token.txt", "slashing-protection.redb"];

/// The largest mark of a buried file; a SHA-256 in hex has 64 bytes.
const MARK_BYTES_MAX: usize = 128;

/// A keystore to be imported.
pub struct NewKey {
    /// Its JSON.
    pub keystore: String,
    /// Its password.
    pub password: Zeroizing<String>,
}

/// Why a file of an import could not be removed.
pub(super) enum RemoveError {
    /// The keystore is still there.
    Keystore(io::Error),
    /// The keystore is gone, its password is still there.
    Password(io::Error),
}

/// Moves what older versions imported into the directory of its own, once. To be called before anything
/// else is written to the data directory: its traces tell that an older version ran there.
///
/// # Errors
/// When a file cannot be moved.
pub(crate) fn adopt_older_imports(data_dir: &Path) -> Result<(), FileError> {
    let marker = data_dir.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    let is_old = TRACES_OF_OLDER_VERSIONS
        .iter()
        .any(|name| data_dir.join(name).exists());
    if is_old && data_dir.join(KEYSTORES).is_dir() {
        for keystore in json_files(&data_dir.join(KEYSTORES))? {
            adopt(&keystore, data_dir).map_err(|error| FileError::new(&keystore, error))?;
        }
    }
    match files::write_private(&marker, MARKER_TEXT.as_bytes()) {
        // Nothing can be imported into a data directory that cannot be written.
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

/// Moves one keystore, if an older version wrote it: its name and mode tell. The password goes first; when
/// the process dies in between, the next start goes on.
fn adopt(keystore: &Path, data_dir: &Path) -> io::Result<()> {
    let directory = &own_directory(data_dir);
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
    make_own_directory(data_dir)?;
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

/// Whether this is a regular file as this program writes them: mode 0600, of the owner of the process.
fn is_own_file(path: &Path) -> bool {
    let owner = fs::metadata("/proc/self").map(|metadata| metadata.uid());
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_file()
            && metadata.mode() & 0o777 == 0o600
            && owner.is_ok_and(|owner| owner == metadata.uid())
    })
}

/// Takes the directory of imports for this process, to clean it; `None` when there is none, or another
/// process has it. The lock ends with the file.
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

/// Removes what an interrupted import or deletion has left in the directory of imports: unfinished files,
/// passwords without a keystore, and buried keystores that can be removed by now.
///
/// # Errors
/// When the directory cannot be read, or a file cannot be removed.
pub(super) fn clean(data_dir: &Path) -> Result<(), FileError> {
    let directory = own_directory(data_dir);
    if files::look_at(&directory)? == PathKind::Absent {
        return Ok(());
    }
    for file in files::list_directory(&directory)? {
        let name = file_name(&file);
        if let Some(keystore) = name
            .strip_suffix(BURIED)
            .and_then(|it| it.strip_suffix('.'))
        {
            dig_up(&file, &directory.join(keystore));
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

/// Tries again to remove a buried keystore.
fn dig_up(mark: &Path, keystore: &Path) {
    let is_over = if is_buried(keystore) {
        remove(keystore).is_ok()
    } else {
        // It has gone, or another one is in its place.
        true
    };
    if is_over && fs::remove_file(mark).is_ok() {
        log::info!("{}: deleted at last", keystore.display());
    }
}

/// Lists the keystores of a data directory: those that were put there by hand, and those that were
/// imported.
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
        let source = KeySource::read_only(&file, &file.with_extension("txt"));
        scan.add(source, &listed_in);
    }
    let directory = own_directory(data_dir);
    if files::look_at(&directory)? == PathKind::Absent {
        return Ok(());
    }
    let listed_in: Arc<Path> = directory.as_path().into();
    for file in json_files(&directory)? {
        if !is_buried(&file) {
            scan.add(source_of(&file), &listed_in);
        }
    }
    Ok(())
}

/// Keeps all of `imports`, synced to the disk when this returns, or none if one cannot be written. No file
/// that was there before is touched. Returns the sources that they are from now on, in their order.
pub(super) fn store(
    data_dir: &Path,
    imports: &[(PublicKey, &NewKey)],
) -> io::Result<Vec<KeySource>> {
    make_own_directory(data_dir)?;
    let directory = own_directory(data_dir);
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

/// A name that no file has: that of the key, or with a number behind it where a file that holds another
/// key, or cannot be removed, has that.
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

/// Removes the keystore of an import and its password, as far as they are there, synced to the disk when
/// this returns.
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

/// Marks a keystore that cannot be removed, so that it is not loaded again.
pub(super) fn bury(keystore: &Path) -> io::Result<()> {
    let digest = digest_of(keystore)?;
    files::write_private(&mark_of(keystore), digest.as_bytes())?;
    files::sync_directory(keystore.parent().unwrap_or(Path::new(".")))
}

fn is_buried(keystore: &Path) -> bool {
    let Ok(mark) = files::read_bounded(&mark_of(keystore), MARK_BYTES_MAX) else {
        return false;
    };
    digest_of(keystore).is_ok_and(|digest| digest.as_bytes() == mark.as_slice())
}

fn mark_of(keystore: &Path) -> PathBuf {
    keystore.with_file_name(format!("{}.{BURIED}", file_name(keystore)))
}

fn digest_of(keystore: &Path) -> io::Result<String> {
    let content = files::read_bounded(keystore, keystore::FILE_BYTES_MAX)?;
    Ok(const_hex::encode(Sha256::digest(&*content)))
}

fn source_of(file: &Path) -> KeySource {
    KeySource::Keystore {
        file: file.into(),
        password: file.with_extension("txt").into(),
        is_imported: true,
    }
}

/// Where imports are kept.
pub(super) fn own_directory(data_dir: &Path) -> PathBuf {
    data_dir.join(KEYSTORES).join(IMPORTED)
}

fn make_own_directory(data_dir: &Path) -> io::Result<()> {
    let directory = own_directory(data_dir);
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
