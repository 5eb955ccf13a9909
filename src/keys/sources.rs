//! From options to a list of sources, without opening any of them.
//!
//! Each option is a root, and each root is listed by itself: a root that cannot be read, or does not
//! answer, does not keep the others from being listed. A directory that can be read and is empty has no
//! keys. A directory that cannot be read or understood is a problem, and its keys stay.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::key_config::{self, KeyConfig};
use super::password_source::PasswordSource;
use super::reader::TimedReader;
use super::scan::{Scan, has_extension, json_files};
use super::seed::ParentKey;
use super::source::KeySource;
use super::{discover, imported};
use crate::files::{self, FileError, PathKind};

/// The time in which one root must be listed: enough for 100,000 files on a slow mount.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// How many interop or derived keys are one source: few enough that all cores get some.
const KEYS_PER_CHUNK: u32 = 64;

/// All sources of keys, as the options name them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// `--keystores-path` with its passwords: every `*.json` in a directory.
    pub keystore_directories: Vec<KeystoreDirectory>,
    /// `--keys`: directories whose layout is recognised.
    pub keys_dirs: Vec<PathBuf>,
    /// `--keystores-password-file`: the password of all keystores below `keys_dirs` that have none of
    /// their own.
    pub keys_password_file: Option<PathBuf>,
    /// `--key-config-path`: Web3Signer's YAML files.
    pub key_config_path: Option<PathBuf>,
    /// `--key-store-config-file-max-size`: the largest of these files; Web3Signer's bound by default.
    pub key_config_bytes_max: Option<usize>,
    /// `--interop-keys`: the well-known keys of devnets.
    pub interop: Option<Range<u32>>,
    /// `--mnemonic-file` with its options.
    pub mnemonic: Option<MnemonicFiles>,
    /// `--data-dir`: where imported keys live.
    pub data_dir: Option<PathBuf>,
    /// Whether files with secrets are used although others can read them.
    pub allow_insecure_permissions: bool,
}

/// A directory of keystores, and where their passwords are.
#[derive(Clone, Debug)]
pub(crate) struct KeystoreDirectory {
    /// The directory of `*.json` files.
    pub keystores: PathBuf,
    /// Their passwords.
    pub passwords: PasswordFiles,
}

/// Where the passwords of a directory of keystores are.
#[derive(Clone, Debug)]
pub(crate) enum PasswordFiles {
    /// A directory with a file `<name of the keystore>.txt` for each keystore.
    Dir(PathBuf),
    /// One file for all keystores.
    File(PathBuf),
}

/// A mnemonic (BIP-39) and the validators to derive from it (EIP-2334).
#[derive(Clone, Debug)]
pub(crate) struct MnemonicFiles {
    /// The file with the words.
    pub file: PathBuf,
    /// The file with the passphrase, if there is one.
    pub passphrase_file: Option<PathBuf>,
    /// The indices of the validators.
    pub range: Range<u32>,
}

impl MnemonicFiles {
    /// Reads the files and derives the parent of the keys.
    ///
    /// # Errors
    /// When a file cannot be read, others can read it, or its words are not a mnemonic.
    pub(crate) fn read_parent_key(
        &self,
        allow_insecure_permissions: bool,
    ) -> Result<ParentKey, FileError> {
        let words = files::read_private(&self.file, allow_insecure_permissions)?;
        let passphrase = match &self.passphrase_file {
            Some(file) => files::read_private(file, allow_insecure_permissions)?,
            None => Zeroizing::default(),
        };
        // Line ends of Windows would give other keys. Spaces belong to the passphrase.
        let passphrase = files::without_byte_order_mark(&passphrase).trim_end_matches(['\r', '\n']);
        ParentKey::new(&words, passphrase).map_err(|error| FileError::new(&self.file, error))
    }
}

impl Sources {
    /// Lists all sources: reads directories and key configuration files, but no keystore. Roots are
    /// listed side by side, each within [`LISTING_TIMEOUT`].
    pub(crate) fn scan(&self, unanswered: &Arc<AtomicUsize>) -> Scan {
        let mut all = Scan::default();
        thread::scope(|scope| {
            let mut listings = Vec::new();
            for (root, list) in self.roots() {
                listings.push(scope.spawn(move || list_within_time(&root, list, unanswered)));
            }
            for listing in listings {
                let scan = listing
                    .join()
                    .expect("a panic while listing is an error of the reader");
                all.append(scan);
            }
        });
        for range in chunks(self.interop.as_ref()) {
            all.add_without_file(KeySource::Interop(range));
        }
        for range in chunks(self.mnemonic.as_ref().map(|mnemonic| &mnemonic.range)) {
            all.add_without_file(KeySource::Derived(range));
        }
        all
    }

    /// Each root, and the function that lists it.
    fn roots(&self) -> Vec<(PathBuf, ListRoot)> {
        let mut roots: Vec<(PathBuf, ListRoot)> = Vec::new();
        if let Some(data_dir) = self.data_dir.clone() {
            let root = data_dir.clone();
            roots.push((root, Box::new(move |scan| imported::list(&data_dir, scan))));
        }
        for directory in self.keystore_directories.clone() {
            let root = directory.keystores.clone();
            roots.push((
                root,
                Box::new(move |scan| list_keystore_directory(&directory, scan)),
            ));
        }
        for directory in self.keys_dirs.clone() {
            let root = directory.clone();
            let password = self.keys_password_file.clone();
            roots.push((
                root,
                Box::new(move |scan| discover::list(&directory, password.as_deref(), scan)),
            ));
        }
        if let Some(directory) = self.key_config_path.clone() {
            let root = directory.clone();
            let bytes_max = self
                .key_config_bytes_max
                .unwrap_or(key_config::FILE_BYTES_MAX);
            roots.push((
                root,
                Box::new(move |scan| list_key_configs(&directory, bytes_max, scan)),
            ));
        }
        roots
    }
}

/// Lists one root. An error means that the root itself cannot be read or understood.
type ListRoot = Box<dyn FnOnce(&mut Scan) -> Result<(), FileError> + Send>;

fn list_within_time(root: &Path, list: ListRoot, unanswered: &Arc<AtomicUsize>) -> Scan {
    let mut reader = TimedReader::new(unanswered).with_timeout(LISTING_TIMEOUT);
    let listed = reader.run(move || {
        let mut scan = Scan::default();
        if let Err(error) = list(&mut scan) {
            scan.root_problems.push(error);
        }
        scan
    });
    listed.unwrap_or_else(|reason| Scan {
        root_problems: vec![FileError::new(root, reason)],
        ..Scan::default()
    })
}

/// Lists `--keystores-path` with its passwords.
fn list_keystore_directory(
    directory: &KeystoreDirectory,
    scan: &mut Scan,
) -> Result<(), FileError> {
    let files = json_files(&directory.keystores)?;
    let listed_in: Arc<Path> = directory.keystores.as_path().into();
    if let PasswordFiles::Dir(passwords) = &directory.passwords {
        // Keystores that are open already do not need their passwords any more: their keys stay.
        if let Err(error) = files::list_directory(passwords) {
            scan.root_problems.push(error);
        }
    }
    for file in files {
        let password = match &directory.passwords {
            PasswordFiles::Dir(passwords) => {
                let name = file.with_extension("txt");
                let path = passwords.join(name.file_name().unwrap_or_default());
                PasswordSource::File(path.into())
            }
            PasswordFiles::File(password) => PasswordSource::Option(password.as_path().into()),
        };
        scan.add(KeySource::read_only(&file, password), &listed_in);
    }
    Ok(())
}

/// Lists what the `*.yaml` and `*.yml` files of `--key-config-path` name. Relative paths begin there. A
/// file that cannot be understood is a problem of its own.
fn list_key_configs(
    directory: &Path,
    file_bytes_max: usize,
    scan: &mut Scan,
) -> Result<(), FileError> {
    for file in files::list_directory(directory)? {
        if !has_extension(&file, "yaml") && !has_extension(&file, "yml") {
            continue;
        }
        match read_key_config(directory, &file, file_bytes_max) {
            Ok(sources) => {
                for source in sources {
                    add_named_source(source, &file, scan);
                }
            }
            Err(error) => scan.problems.push(error),
        }
    }
    Ok(())
}

/// Adds what a key configuration file names: the keystore must be there.
fn add_named_source(source: KeySource, named_in: &Path, scan: &mut Scan) {
    if let Some(file) = source.file()
        && matches!(files::look_at(file), Ok(PathKind::Absent))
    {
        let reason = format_args!("no such file; it is named in {}", named_in.display());
        scan.missing.push(FileError::new(file, reason));
        return;
    }
    scan.add(source, &named_in.into());
}

fn read_key_config(
    directory: &Path,
    file: &Path,
    bytes_max: usize,
) -> Result<Vec<KeySource>, FileError> {
    let fault = |reason: String| FileError::new(file, reason);
    match files::look_at(file)? {
        PathKind::File => {}
        PathKind::Directory => return Err(fault("a directory, not a file".to_owned())),
        PathKind::Absent => return Ok(Vec::new()),
    }
    let bytes =
        files::read_bounded(file, bytes_max).map_err(|error| FileError::new(file, error))?;
    let yaml = str::from_utf8(&bytes).map_err(|_| fault("expected UTF-8 text".to_owned()))?;
    let mut sources: Vec<KeySource> = Vec::new();
    for config in key_config::read(yaml, directory).map_err(fault)? {
        let source = match config {
            KeyConfig::Raw => KeySource::Raw { file: file.into() },
            KeyConfig::Keystore { file, password } => {
                KeySource::read_only(&file, PasswordSource::FirstLine(password.into()))
            }
        };
        // All bare keys of a file are one source.
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    Ok(sources)
}

/// Cuts a range into ranges of at most [`KEYS_PER_CHUNK`].
fn chunks(range: Option<&Range<u32>>) -> Vec<Range<u32>> {
    let mut chunks = Vec::new();
    let Some(range) = range else { return chunks };
    let mut start = range.start;
    while start < range.end {
        let end = start.saturating_add(KEYS_PER_CHUNK).min(range.end);
        chunks.push(start..end);
        start = end;
    }
    chunks
}
