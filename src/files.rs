//! Reading files within bounds, keeping them private, and replacing them as a whole.
//!
//! A leaf that every module may use. Nothing here knows what a file is for.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::path_advice;

/// The largest file with a password, a phrase or a bare key.
pub(crate) const SECRET_FILE_BYTES_MAX: usize = 64 << 10;

/// Permission bits that let users outside the owner and group read or write a file.
const OTHERS_READ_WRITE: u32 = 0o006;

/// Permission bit that lets users outside the owner and group write a file.
const OTHERS_WRITE: u32 = 0o002;

/// The end of the names of unfinished files, after a random number.
const UNFINISHED: &str = ".unfinished";

/// The bytes of that random number.
const RANDOM_NAME_BYTES: usize = 16;

/// The character that editors of Windows put at the start of a text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

static WARNED: Once = Once::new();

/// A path that cannot be used, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it; never a secret.
    pub reason: String,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Absent,
}

/// What a file looked like. Two files with different content have different stamps, unless somebody forges
/// the time of change of the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp(u64);

impl FileError {
    pub(crate) fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for FileError {}

impl FileStamp {
    /// The stamp of a regular file; `None` when there is none.
    ///
    /// # Errors
    /// As [`look_at`], and when it is a directory.
    pub(crate) fn of(file: &Path) -> Result<Option<Self>, FileError> {
        match look_at(file)? {
            PathKind::File => {}
            PathKind::Directory => return Err(FileError::new(file, "a directory, not a file")),
            PathKind::Absent => return Ok(None),
        }
        match fs::metadata(file) {
            Ok(metadata) => Ok(Some(Self::of_metadata(&metadata))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(FileError::new(file, error)),
        }
    }

    fn of_metadata(metadata: &fs::Metadata) -> Self {
        let mut hasher = DefaultHasher::new();
        for number in [metadata.dev(), metadata.ino(), metadata.len()] {
            hasher.write_u64(number);
        }
        for number in [
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ] {
            hasher.write_i64(number);
        }
        Self(hasher.finish())
    }
}

/// Looks at a path without opening it.
///
/// # Errors
/// When the path cannot be looked at, is a symbolic link to nothing, or is neither a regular file nor a
/// directory: opening a FIFO or a device could wait for ever.
pub(crate) fn look_at(path: &Path) -> Result<PathKind, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(PathKind::File),
        Ok(metadata) if metadata.is_dir() => Ok(PathKind::Directory),
        Ok(_) => Err(FileError::new(
            path,
            "not a regular file: a FIFO, a socket or a device is not read",
        )),
        Err(error) if is_absent(&error) => {
            if fs::symlink_metadata(path).is_ok() {
                Err(FileError::new(path, "a symbolic link to nothing"))
            } else {
                Ok(PathKind::Absent)
            }
        }
        Err(error) => Err(FileError::new(path, explain(path, &error))),
    }
}

/// Whether an error says that nothing has that name.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Lists the entries of a directory, sorted.
///
/// # Errors
/// When it cannot be read, or not to its end.
pub(crate) fn list_directory(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let fault = |error: io::Error| FileError::new(directory, explain(directory, &error));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(fault)? {
        paths.push(entry.map_err(fault)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Reads a whole file into a buffer that never moves.
///
/// # Errors
/// Those of the system, and that the file has more than `bytes_max` bytes.
pub(crate) fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_open_file(File::open(path)?, bytes_max)
}

fn read_open_file(file: File, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(Vec::with_capacity(bytes.min(bytes_max) + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > bytes_max {
        return Err(io::Error::other(format!("more than {bytes_max} bytes")));
    }
    Ok(content)
}

/// Reads the text of a file that only its owner and group may read. It may be a pipe.
///
/// # Errors
/// When it cannot be read, is not UTF-8, has more than [`SECRET_FILE_BYTES_MAX`] bytes, or others can
/// read or write it. With `allow_insecure_permissions` the last is only a warning.
pub(crate) fn read_private(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, FileError> {
    let fault = |error| FileError::new(path, explain(path, &error));
    let file = File::open(path).map_err(fault)?;
    let mode = file.metadata().map_err(fault)?.mode();
    if mode & OTHERS_READ_WRITE != 0 {
        if !allow_insecure_permissions {
            let shown = path.display();
            return Err(FileError::new(
                path,
                format_args!("others can read or write it; run: chmod o= '{shown}'"),
            ));
        }
        WARNED.call_once(|| {
            log::warn!(
                "{} and perhaps more secrets: others can read them",
                path.display()
            );
        });
    }
    let bytes = read_open_file(file, SECRET_FILE_BYTES_MAX).map_err(fault)?;
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => Err(
            FileError::new(path, "expected UTF-8 text, found UTF-16: save it as UTF-8"),
        ),
        Err(_) => Err(FileError::new(path, "expected UTF-8 text")),
    }
}

/// Does the same as [`read_private`] for a regular file: nothing else is opened.
///
/// # Errors
/// As [`read_private`], and when it is not a regular file.
pub(crate) fn read_private_file(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, FileError> {
    match look_at(path)? {
        PathKind::Directory => Err(FileError::new(path, "a directory, not a file")),
        PathKind::File | PathKind::Absent => read_private(path, allow_insecure_permissions),
    }
}

/// Whether something exists at a path that is neither a regular file nor a directory, such as a pipe.
pub(crate) fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Explains why a file cannot be opened: who owns it, what hides it, and what may help.
pub(crate) fn explain(path: &Path, error: &io::Error) -> String {
    match path_advice::denial(path, error) {
        Some(advice) => format!("{error}: {advice}"),
        None => error.to_string(),
    }
}

/// Removes a byte order mark, and white space at both ends.
pub(crate) fn trim_text(text: &str) -> &str {
    text.trim_matches(|character: char| character == '\u{feff}' || character.is_whitespace())
}

/// Does the same as [`trim_text`] for bytes, with ASCII white space.
pub(crate) fn trim_bytes(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii();
    match bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()) {
        Some(rest) => rest.trim_ascii_start(),
        None => bytes,
    }
}

/// Removes a byte order mark at the start.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Refuses a directory that others can write: they could replace the keys and the record of what was
/// signed.
///
/// # Errors
/// When others can write it, or it cannot be looked at.
pub(crate) fn check_directory_is_private(directory: &Path) -> Result<(), FileError> {
    let metadata = fs::metadata(directory).map_err(|error| FileError::new(directory, error))?;
    if metadata.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    let shown = directory.display();
    Err(FileError::new(
        directory,
        format_args!("others can write it; run: chmod o-w '{shown}'"),
    ))
}

/// Writes a file that only its owner can read, and replaces an older one as a whole: nobody sees half a
/// file. The directory is not synced.
///
/// # Errors
/// Those of the system; the older file is untouched then.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_file_name(unfinished_name(path)?);
    let written = write_new(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // The first error is the one to report; the next start removes what is left.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // `create_new` is O_CREAT and O_EXCL: neither an existing file nor a symbolic link is opened.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// `.NAME.RANDOM.unfinished`
fn unfinished_name(path: &Path) -> io::Result<String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or(io::ErrorKind::InvalidFilename)?;
    let random = random::<RANDOM_NAME_BYTES>().map_err(io::Error::other)?;
    Ok(format!(
        ".{name}.{}{UNFINISHED}",
        const_hex::encode(*random)
    ))
}

/// Whether [`write_private`] makes such names.
pub(crate) fn is_unfinished_name(name: &str) -> bool {
    let random = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(UNFINISHED))
        .and_then(|rest| rest.rsplit_once('.'))
        .map(|(_, random)| random);
    random.is_some_and(|random| {
        random.len() == 2 * RANDOM_NAME_BYTES
            && random
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Makes the names in a directory survive a power cut.
///
/// # Errors
/// Those of the system.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Gets random bytes from the system.
///
/// # Errors
/// When the system has none.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, String> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_this_module_makes_are_taken_for_unfinished_files() {
        let made = unfinished_name(Path::new("/somewhere/key.json")).unwrap();
        assert!(is_unfinished_name(&made), "{made}");
        for name in [
            "key.json.unfinished",
            ".key.json.unfinished",
            ".key.json.0123.unfinished",
            ".key.json.0123456789ABCDEF0123456789ABCDEF.unfinished",
            "key.json.0123456789abcdef0123456789abcdef.unfinished",
            ".unfinished",
            "",
        ] {
            assert!(!is_unfinished_name(name), "{name}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_in_its_place_is_not_followed() {
        let directory = std::env::temp_dir().join(format!("signerd-files-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let victim = directory.join("victim");
        let file = directory.join("file");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, &file).unwrap();
        write_private(&file, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(list_directory(&directory).unwrap().len(), 2);
        let _ = fs::remove_dir_all(&directory);
    }
}
