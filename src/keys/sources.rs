//! Where keys come from: options to a list of `KeySource`s, without opening any of them.
//!
//! Each option is a root that is listed by itself: one that cannot be read, or does not answer, keeps no
//! other from being listed. A directory that can be read and is empty has no keys; one that cannot be read
//! or understood is a problem, and the keys that came from it stay.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::reader::Reader;
use super::scan::{Scan, json_files};
use super::seed::Parent;
use super::source::KeySource;
use super::{discover, imported, key_config, key_config_files};
use crate::files::{self, FileError};

/// How long one root may take to be listed: 100,000 files on a slow mount.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// How many cheap keys are made at once: enough to keep the queue short, few enough for all cores.
const KEYS_PER_CHUNK: u32 = 64;

/// All sources of keys, as the options name them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--keystores-path` with its passwords: every `*.json` in a directory.
    pub pairs: Vec<Pair>,
    /// `--keys`: directories whose layout is recognised.
    pub keys_dirs: Vec<PathBuf>,
    /// The password of all keystores below `keys_dirs` that have none of their own.
    pub keys_password_file: Option<PathBuf>,
    /// `--key-config-path`: Web3Signer's YAML files.
    pub key_config_path: Option<PathBuf>,
    /// `--key-store-config-file-max-size`: the largest of these files; otherwise Web3Signer's bound.
    pub key_config_bytes_max: Option<usize>,
    /// `--interop-keys`: the well-known keys of devnets.
    pub interop: Option<Range<u32>>,
    /// `--mnemonic-file` with its options.
    pub mnemonic: Option<Mnemonic>,
    /// `--data-dir`: where imported keys live.
    pub data_dir: Option<PathBuf>,
    /// Whether files with secrets that others can read are used all the same.
    pub allow_insecure_permissions: bool,
}

/// Keystores of one directory, and where their passwords are.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The directory of `*.json` files.
    pub keystores: PathBuf,
    /// Their passwords.
    pub passwords: Passwords,
}

/// Where the passwords of a directory of keystores are.
#[derive(Clone, Debug)]
pub enum Passwords {
    /// A directory with a file `<name of the keystore>.txt` for each.
    Dir(PathBuf),
    /// One file for all.
    File(PathBuf),
}

/// A phrase (BIP-39) and the validators to derive from it (EIP-2334).
#[derive(Clone, Debug)]
pub struct Mnemonic {
    /// The file with the words.
    pub file: PathBuf,
    /// The file with the passphrase, if there is one.
    pub passphrase_file: Option<PathBuf>,
    /// The indices of the validators.
    pub range: Range<u32>,
}

impl Mnemonic {
    /// The parent of its keys.
    ///
    /// # Errors
    /// When a file cannot be read, others can read it, or its words are not a phrase.
    pub(crate) fn parent(&self, allow_insecure_permissions: bool) -> Result<Parent, FileError> {
        let words = files::read_private(&self.file, allow_insecure_permissions)?;
        let passphrase = match &self.passphrase_file {
            Some(file) => files::read_private(file, allow_insecure_permissions)?,
            None => Zeroizing::default(),
        };
        let passphrase = passphrase.strip_suffix('\n').unwrap_or(&passphrase);
        Parent::new(&words, passphrase).map_err(|error| FileError::new(&self.file, error))
    }
}

impl Sources {
    /// Lists all sources: reads directories and key configuration files, but no keystore. Roots are
    /// listed side by side, each within [`LISTING_TIMEOUT`].
    pub(crate) fn scan(&self, unanswered: &Arc<AtomicUsize>) -> Scan {
        let mut roots: Vec<(PathBuf, ListRoot)> = Vec::new();
        if let Some(data_dir) = self.data_dir.clone() {
            roots.push((
                data_dir.clone(),
                Box::new(move |scan| imported::list(&data_dir, scan)),
            ));
        }
        for pair in self.pairs.clone() {
            let root = pair.keystores.clone();
            roots.push((root, Box::new(move |scan| list_pair(&pair, scan))));
        }
        for directory in self.keys_dirs.clone() {
            let password = self.keys_password_file.clone();
            let root = directory.clone();
            let list: ListRoot =
                Box::new(move |scan| discover::list(&directory, password.as_deref(), scan));
            roots.push((root, list));
        }
        if let Some(directory) = self.key_config_path.clone() {
            let default = key_config::FILE_BYTES_MAX;
            let bytes_max = self.key_config_bytes_max.unwrap_or(default);
            let root = directory.clone();
            let list: ListRoot =
                Box::new(move |scan| key_config_files::list(&directory, bytes_max, scan));
            roots.push((root, list));
        }

        let mut all = Scan::default();
        let listed = thread::scope(|scope| {
            let listing: Vec<_> = roots
                .into_iter()
                .map(|(root, list)| scope.spawn(move || list_within_time(&root, list, unanswered)))
                .collect();
            listing
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .expect("listing answers a panic with an error")
                })
                .collect::<Vec<_>>()
        });
        for scan in listed {
            all.sources.extend(scan.sources);
            all.problems.extend(scan.problems);
            all.missing.extend(scan.missing);
            all.root_problems.extend(scan.root_problems);
        }
        for range in chunks(self.interop.as_ref()) {
            all.add_made(KeySource::Interop(range));
        }
        for range in chunks(self.mnemonic.as_ref().map(|mnemonic| &mnemonic.range)) {
            all.add_made(KeySource::Derived(range));
        }
        all
    }
}

/// Lists one root. An error is that the root itself cannot be read or understood.
type ListRoot = Box<dyn FnOnce(&mut Scan) -> Result<(), FileError> + Send>;

fn list_within_time(root: &Path, list: ListRoot, unanswered: &Arc<AtomicUsize>) -> Scan {
    let mut reader = Reader::new(unanswered).with_timeout(LISTING_TIMEOUT);
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

/// `--keystores-path` with its passwords.
fn list_pair(pair: &Pair, scan: &mut Scan) -> Result<(), FileError> {
    let Pair {
        keystores,
        passwords,
    } = pair;
    let files = json_files(keystores)?;
    let listed_in: Arc<Path> = keystores.as_path().into();
    if let Passwords::Dir(directory) = passwords {
        // Keystores that are open already need their passwords no more: their keys stay.
        if let Err(error) = files::list_directory(directory) {
            scan.root_problems.push(error);
        }
    }
    for file in files {
        let password = match passwords {
            Passwords::Dir(directory) => {
                let name = file.with_extension("txt");
                directory.join(name.file_name().unwrap_or_default())
            }
            Passwords::File(password) => password.clone(),
        };
        scan.add(KeySource::read_only(&file, &password), &listed_in);
    }
    Ok(())
}

fn chunks(range: Option<&Range<u32>>) -> Vec<Range<u32>> {
    let mut chunks = Vec::new();
    let Range { start, end } = range.cloned().unwrap_or_default();
    let mut next = start;
    while next < end {
        let chunk_end = next.saturating_add(KEYS_PER_CHUNK).min(end);
        chunks.push(next..chunk_end);
        next = chunk_end;
    }
    chunks
}
