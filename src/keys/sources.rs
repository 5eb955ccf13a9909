//! Where keys come from: options to a list of candidates, without opening any of them.
//!
//! A scan reads directories and key configuration files only. A directory that cannot be read is an
//! error, never "no keys"; a single bad file is a failure of its own. Directory layouts of other
//! programs are rows of `LAYOUTS`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use zeroize::Zeroizing;

use super::candidate::Candidate;
use super::derive::Parent;
use super::{imports, keyconfig};

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

/// What a scan has found.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) candidates: Vec<Candidate>,
    /// Files that cannot be opened, and why.
    pub(crate) failures: Vec<SourceError>,
}

/// A path that cannot be used: which one, and why.
#[derive(Clone, Debug)]
pub struct SourceError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it; never a secret.
    pub reason: String,
}

impl Mnemonic {
    /// The parent of its keys, unless a file cannot be read, others can read it, or its words are no phrase.
    pub(crate) fn parent(&self, sources: &Sources) -> Result<Parent, SourceError> {
        let words = sources.read_secret(&self.file)?;
        let passphrase = match &self.passphrase_file {
            Some(file) => sources.read_secret(file)?,
            None => Zeroizing::default(),
        };
        let passphrase = passphrase.strip_suffix('\n').unwrap_or(&passphrase);
        Parent::new(&words, passphrase).map_err(|error| SourceError::new(&self.file, error))
    }
}

impl Sources {
    /// Lists all candidates: reads directories, and no keystore. A directory that cannot be read, or in
    /// which no layout is recognised, is an error.
    pub(crate) fn scan(&self) -> Result<Scan, SourceError> {
        let mut scan = Scan::default();
        if let Some(data_dir) = &self.data_dir {
            scan.candidates.extend(imports::scan(data_dir)?);
        }
        for Pair {
            keystores,
            passwords,
        } in &self.pairs
        {
            let files = json_files(keystores)?.into_iter();
            match passwords {
                Passwords::Dir(dir) => {
                    list(dir)?;
                    let named = |file: &Path| {
                        dir.join(file.with_extension("txt").file_name().unwrap_or_default())
                    };
                    let candidates = files.map(|file| (named(&file).into(), file));
                    scan.candidates
                        .extend(candidates.map(|(password, file)| read_only(file, password)));
                }
                Passwords::File(password) => {
                    let password: Arc<Path> = password.as_path().into();
                    scan.candidates
                        .extend(files.map(|file| read_only(file, Arc::clone(&password))));
                }
            }
        }
        for dir in &self.keys_dirs {
            scan.candidates
                .extend(recognise(dir, self.keys_password_file.as_deref())?);
        }
        if let Some(dir) = &self.key_config_path {
            keyconfig::scan(
                dir,
                self.key_config_bytes_max
                    .unwrap_or(keyconfig::FILE_BYTES_MAX),
                &mut scan,
            )?;
        }
        let mnemonic = self.mnemonic.as_ref().map(|mnemonic| &mnemonic.range);
        scan.candidates
            .extend(chunks(self.interop.as_ref()).map(Candidate::Interop));
        scan.candidates
            .extend(chunks(mnemonic).map(Candidate::Derived));
        Ok(scan)
    }

    /// As [`read_private`].
    pub(crate) fn read_secret(&self, path: &Path) -> Result<Zeroizing<String>, SourceError> {
        read_private(path, self.allow_insecure_permissions)
    }
}

/// The text of a file that only its owner and group may read: it is an error if it is no UTF-8, has over
/// [`SECRET_FILE_BYTES_MAX`], or others can read or write it; with `allow_insecure_permissions`, the latter
/// is only a warning.
pub(crate) fn read_private(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, SourceError> {
    let fault = |error| SourceError::new(path, error);
    let file = File::open(path).map_err(fault)?;
    let mode = file.metadata().map_err(fault)?.mode();
    if mode & OTHERS_READ_WRITE != 0 {
        if !allow_insecure_permissions {
            let shown = path.display();
            return Err(SourceError::new(
                path,
                format_args!("others can read or write it; run: chmod o= '{shown}'"),
            ));
        }
        WARNED.call_once(|| {
            log::warn!(
                "{} and perhaps more secrets: others can read them",
                path.display()
            )
        });
    }
    let bytes = read_bounded(file, SECRET_FILE_BYTES_MAX).map_err(fault)?;
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(SourceError::new(path, "expected UTF-8 text")),
    }
}

/// The largest file with a password, a phrase or a bare key.
pub const SECRET_FILE_BYTES_MAX: usize = 64 << 10;
const OTHERS_READ_WRITE: u32 = 0o006;
static WARNED: Once = Once::new();

/// The whole of `file`, in a buffer that never moves, or an error beyond `bytes_max`.
pub(super) fn read_bounded(file: File, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(Vec::with_capacity(bytes.min(bytes_max) + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    match content.len() > bytes_max {
        true => Err(io::Error::other(format!("more than {bytes_max} bytes"))),
        false => Ok(content),
    }
}

/// The entries of a directory, sorted.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let entries =
        fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error: io::Error| SourceError::new(dir, error))?;
    paths.sort();
    Ok(paths)
}

/// The `*.json` files of a directory; hidden ones are not meant.
pub(super) fn json_files(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = list(dir)?;
    files.retain(|path| {
        extension(path).eq_ignore_ascii_case("json") && !file_name(path).starts_with('.')
    });
    Ok(files)
}

pub(super) fn extension(path: &Path) -> &str {
    path.extension().and_then(OsStr::to_str).unwrap_or_default()
}

pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

fn chunks(range: Option<&Range<u32>>) -> impl Iterator<Item = Range<u32>> {
    let Range { start, end } = range.cloned().unwrap_or_default();
    (start..end)
        .step_by(CHUNK as usize)
        .map(move |start| start..end.min(start.saturating_add(CHUNK)))
}

/// How many cheap keys are made at once: enough to keep the queue short, few enough for all cores.
const CHUNK: u32 = 64;

/// How other programs lay out keystores and passwords below one directory: the name; where the keystores
/// are; the file in a directory of each key (none: the files are beside each other); where the passwords
/// are; what their names have in addition to the keystore's. The first row that fits is taken, so that a
/// tree that holds the same keys in several layouts is read once.
const LAYOUTS: [(&str, &str, Option<&str>, &str, &str); 9] = [
    ("eth2-val-tools", "teku-keys", None, "teku-secrets", ".txt"),
    ("eth2-val-tools", "keys", VOTING, "secrets", ""),
    ("lighthouse", "validators", VOTING, "secrets", ""),
    ("lodestar", "keystores", VOTING, "secrets", ""),
    ("nimbus", "validators", NIMBUS, "secrets", ""),
    ("eth2-val-tools", "nimbus-keys", NIMBUS, "secrets", ""),
    ("teku", "keys", None, "secrets", ".txt"),
    ("teku", "keys", None, "passwords", ".txt"),
    ("flat", "", None, "", ".txt"),
];
const VOTING: Option<&str> = Some("voting-keystore.json");
const NIMBUS: Option<&str> = Some("keystore.json");

/// Where the launchpad's tools put their keystores, below the directory or as the directory.
const LAUNCHPAD_DIRS: [&str; 2] = ["validator_keys", ""];
/// Where Prysm keeps its wallet, as seen from the directory that a user would name.
const WALLETS: [&str; 4] = [
    "direct/accounts/all-accounts.keystore.json",
    "prysm/direct/accounts/all-accounts.keystore.json",
    "accounts/all-accounts.keystore.json",
    "all-accounts.keystore.json",
];
/// Names of a file with the password of all keystores of a directory.
const SHARED_PASSWORDS: [&str; 3] = ["password.txt", "wallet-password.txt", "walletpassword.txt"];

/// A keystore that somebody else put there.
fn read_only(file: PathBuf, password: Arc<Path>) -> Candidate {
    Candidate::Keystore {
        file: file.into(),
        password,
        imported: false,
    }
}

/// The candidates of a directory whose layout is one of those we know.
fn recognise(dir: &Path, password_file: Option<&Path>) -> Result<Vec<Candidate>, SourceError> {
    list(dir)?;
    let found = |name: &str, candidates: Vec<Candidate>| {
        log::info!(
            "{}: recognised the layout of {name}, {} file(s)",
            dir.display(),
            candidates.len()
        );
        Ok(candidates)
    };
    for (name, keys, file, secrets, suffix) in LAYOUTS {
        let candidates = pairs((&dir.join(keys), file), (&dir.join(secrets), suffix))?;
        if !candidates.is_empty() {
            return found(name, candidates);
        }
    }
    let shared = SHARED_PASSWORDS
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file());
    let shared: Option<Arc<Path>> = password_file.map(Arc::from).or(shared.map(Arc::from));
    for keys in LAUNCHPAD_DIRS
        .iter()
        .map(|name| dir.join(name))
        .filter(|keys| keys.is_dir())
    {
        let mut files = json_files(&keys)?;
        files.retain(|file| file_name(file).starts_with("keystore"));
        if let (false, Some(password)) = (files.is_empty(), &shared) {
            return found(
                "launchpad",
                files
                    .into_iter()
                    .map(|file| read_only(file, Arc::clone(password)))
                    .collect(),
            );
        }
    }
    if let Some(file) = WALLETS
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file())
    {
        let password = shared.ok_or_else(|| {
            let beside = dir.join(SHARED_PASSWORDS[0]);
            let where_to = format_args!(
                "the wallet needs its password: --keystores-password-file, or {}",
                beside.display()
            );
            SourceError::new(&file, where_to)
        })?;
        return found(
            "prysm",
            vec![Candidate::Wallet {
                file: file.into(),
                password,
            }],
        );
    }
    let reason = "no layout recognised: expected the directory of lighthouse, lodestar, nimbus, prysm, teku, \
                  eth2-val-tools or the launchpad, or *.json files with *.txt or password.txt beside them";
    Err(SourceError::new(dir, reason))
}

/// Keystores with the paths of their passwords; none when this is not the layout.
fn pairs(
    (keys, file): (&Path, Option<&str>),
    (secrets, suffix): (&Path, &str),
) -> Result<Vec<Candidate>, SourceError> {
    if !keys.is_dir() || !secrets.is_dir() {
        return Ok(Vec::new());
    }
    let keystores: Vec<(String, PathBuf)> = match file {
        Some(file) => {
            let named = list(keys)?
                .into_iter()
                .map(|path| (file_name(&path).to_owned(), path.join(file)));
            named.filter(|(_, keystore)| keystore.is_file()).collect()
        }
        None => {
            let stem = |path: &Path| {
                path.file_stem()
                    .and_then(OsStr::to_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            json_files(keys)?
                .into_iter()
                .map(|path| (stem(&path), path))
                .collect()
        }
    };
    // Not this layout, if not one password is where it should be.
    list(secrets)?;
    let password = |name: &str| secrets.join(format!("{name}{suffix}"));
    if !keystores.iter().any(|(name, _)| password(name).is_file()) {
        return Ok(Vec::new());
    }
    Ok(keystores
        .into_iter()
        .map(|(name, file)| read_only(file, password(&name).into()))
        .collect())
}

impl SourceError {
    pub(super) fn new(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for SourceError {}
