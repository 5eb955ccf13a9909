//! `--keys`: finds keystores and passwords as other programs lay them out below one directory.
//!
//! Every layout that fits is listed, so that a directory may have several. Files that declare the same key
//! are tried one after the other when they are opened, so that the key costs one derivation.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::definitions::{self, DefinedPassword, Definition};
use super::password_source::PasswordSource;
use super::scan::{Scan, file_name, has_extension, json_files};
use super::source::KeySource;
use crate::counted::counted;
use crate::files::{self, FileError, PathKind};

/// One layout: keystores in one directory, passwords in another.
struct KeystoreLayout {
    /// The program that makes it.
    name: &'static str,
    /// Where the keystores are.
    keys: &'static str,
    /// The name of the keystore in the directory of each key; `None` when all keystores are in one directory.
    keystore: Option<&'static str>,
    /// Where the passwords are.
    secrets: &'static str,
    /// What follows the name of the keystore, or of its directory, in the name of the password.
    suffix: &'static str,
}

const LAYOUTS: [KeystoreLayout; 11] = [
    layout("eth2-val-tools", "teku-keys", None, "teku-secrets", ".txt"),
    layout("eth2-val-tools", "keys", VOTING, "secrets", ""),
    layout("lighthouse", "validators", VOTING, "secrets", ""),
    layout("lodestar", "keystores", VOTING, "secrets", ""),
    layout("nimbus", "validators", NIMBUS, "secrets", ""),
    layout("eth2-val-tools", "nimbus-keys", NIMBUS, "secrets", ""),
    layout("teku", "keys", None, "secrets", ".txt"),
    layout("teku", "keys", None, "passwords", ".txt"),
    // Keys that Teku's own Keymanager API has imported.
    layout(
        "teku",
        "key-manager/local",
        None,
        "key-manager/local-passwords",
        ".txt",
    ),
    layout("teku", "local", None, "local-passwords", ".txt"),
    layout("flat", "", None, "", ".txt"),
];
const VOTING: Option<&str> = Some("voting-keystore.json");
const NIMBUS: Option<&str> = Some("keystore.json");

/// Where the tools of the launchpad put their keystores: below the directory, or in the directory itself.
const LAUNCHPAD_DIRS: [&str; 2] = ["validator_keys", ""];

/// Where Prysm keeps its wallet, below the directories that a user may name.
const WALLETS: [&str; 4] = [
    "direct/accounts/all-accounts.keystore.json",
    "prysm/direct/accounts/all-accounts.keystore.json",
    "accounts/all-accounts.keystore.json",
    "all-accounts.keystore.json",
];

/// The names of a file with the password of all keystores of a directory.
const SHARED_PASSWORDS: [&str; 3] = ["password.txt", "wallet-password.txt", "walletpassword.txt"];

/// Directories that remain when all keystores of a layout have been removed.
const DIRS_OF_LAYOUTS: [&str; 16] = [
    "accounts",
    "direct",
    "key-manager",
    "keys",
    "keystores",
    "local",
    "local-passwords",
    "lost+found",
    "nimbus-keys",
    "passwords",
    "prysm",
    "secrets",
    "teku-keys",
    "teku-secrets",
    "validator_keys",
    "validators",
];

/// How deep keystores lie below the directories of a layout.
const DEPTH_MAX: u32 = 3;

const UNRECOGNISED: &str = "no layout recognised: expected the directory of lighthouse, lodestar, nimbus, \
    prysm, teku, eth2-val-tools or the launchpad, or *.json files with *.txt or password.txt beside them";

const fn layout(
    name: &'static str,
    keys: &'static str,
    keystore: Option<&'static str>,
    secrets: &'static str,
    suffix: &'static str,
) -> KeystoreLayout {
    KeystoreLayout {
        name,
        keys,
        keystore,
        secrets,
        suffix,
    }
}

/// Lists the keystores of a directory in every layout that fits. If none fits, and exactly one directory below
/// has a known layout, lists that one.
///
/// # Errors
/// When the directory cannot be read, or has files in an unknown layout. An empty directory has no keys, which
/// is not an error.
pub(super) fn list(
    directory: &Path,
    password_file: Option<&Path>,
    scan: &mut Scan,
) -> Result<(), FileError> {
    let entries = files::list_directory(directory)?;
    if list_here(directory, password_file, scan)? || is_empty(&entries)? {
        return Ok(());
    }
    let mut below: Vec<(&Path, Scan)> = Vec::new();
    for entry in &entries {
        let mut found = Scan::default();
        if !file_name(entry).starts_with('.')
            && entry.is_dir()
            && list_here(entry, password_file, &mut found).unwrap_or(false)
        {
            below.push((entry, found));
        }
    }
    if below.len() > 1 {
        let names: Vec<&str> = below.iter().map(|(entry, _)| file_name(entry)).collect();
        let reason = format_args!(
            "no layout recognised here, but in several directories below: name those that are meant, each with \
             its own --keys: {}",
            names.join(", ")
        );
        return Err(FileError::new(directory, reason));
    }
    match below.pop() {
        Some((_, found)) => {
            scan.append(found);
            Ok(())
        }
        None => Err(FileError::new(directory, UNRECOGNISED)),
    }
}

/// Lists the keystores of a directory in every layout that fits; returns whether one fits.
fn list_here(
    directory: &Path,
    password_file: Option<&Path>,
    scan: &mut Scan,
) -> Result<bool, FileError> {
    let problems_before = scan.problems.len();
    let mut recognised: Vec<&str> = Vec::new();
    let defined = list_definitions(directory, scan);
    for layout in &LAYOUTS {
        let mut sources = list_layout(directory, layout, scan)?;
        // The definitions decide about the keystores that they name.
        sources.retain(|source| source.file().is_none_or(|file| !defined.names(file)));
        add_all(scan, directory, layout.name, sources, &mut recognised);
    }
    add_all(
        scan,
        &defined.directory,
        "lighthouse",
        defined.sources,
        &mut recognised,
    );
    let shared_password = match password_file {
        Some(file) => Some(PasswordSource::Option(file.into())),
        None => shared_password(directory).map(|file| PasswordSource::File(file.into())),
    };
    if let Some(password) = &shared_password {
        let sources = list_launchpad(directory, password)?;
        add_all(scan, directory, "launchpad", sources, &mut recognised);
    }
    if let Some(wallet) = wallet(directory) {
        match &shared_password {
            Some(password) => {
                let source = KeySource::Wallet {
                    file: wallet.as_path().into(),
                    password: password.clone(),
                };
                add_all(scan, directory, "prysm", vec![source], &mut recognised);
            }
            None if recognised.is_empty() => {
                return Err(wallet_without_password(directory, &wallet));
            }
            None => log::info!("{}: skipped, it has no password", wallet.display()),
        }
    }
    let is_recognised = !recognised.is_empty() || !defined.keystores.is_empty();
    Ok(is_recognised || scan.problems.len() > problems_before)
}

/// What Lighthouse's `validator_definitions.yml` names.
#[derive(Default)]
struct DefinedKeystores {
    /// The directory of the file.
    directory: PathBuf,
    /// The keystores of enabled validators.
    sources: Vec<KeySource>,
    /// All keystores, also of validators that are not enabled.
    keystores: HashSet<PathBuf>,
    /// Whether the file cannot be read or understood: it may name any keystore in its directory.
    is_unreadable: bool,
}

impl DefinedKeystores {
    /// Whether the file decides about this keystore.
    fn names(&self, keystore: &Path) -> bool {
        self.keystores.contains(keystore)
            || (self.is_unreadable && keystore.starts_with(&self.directory))
    }
}

/// Lists what Lighthouse's `validator_definitions.yml` names, in the directory or in its `validators`.
fn list_definitions(directory: &Path, scan: &mut Scan) -> DefinedKeystores {
    let mut defined = DefinedKeystores::default();
    for validators in [directory.join("validators"), directory.to_owned()] {
        let file = validators.join(definitions::FILE_NAME);
        if !file.is_file() {
            continue;
        }
        defined.directory.clone_from(&validators);
        match read_definitions(&file) {
            Ok(entries) => {
                for entry in entries {
                    add_definition(&mut defined, &file, &entry, scan);
                }
            }
            Err(reason) => {
                // This is a problem of the directory, so that its keys stay.
                let reason = format_args!("{}: {reason}", definitions::FILE_NAME);
                add_once(scan, FileError::new(&validators, reason));
                defined.is_unreadable = true;
            }
        }
        break;
    }
    defined
}

fn read_definitions(file: &Path) -> Result<Vec<Definition>, String> {
    let bytes = files::read_bounded(file, definitions::FILE_BYTES_MAX)
        .map_err(|error| files::explain(file, &error))?;
    let text = str::from_utf8(&bytes).map_err(|_| "expected UTF-8 text".to_owned())?;
    definitions::read(text)
}

/// Adds a keystore of the definitions. Their paths may have been written on another machine: then the keystore
/// is in the directory of its key, and the password in the directory of secrets.
fn add_definition(
    defined: &mut DefinedKeystores,
    definitions: &Path,
    entry: &Definition,
    scan: &mut Scan,
) {
    let validators = defined.directory.clone();
    let key = entry.key.to_string();
    let name = entry.keystore.file_name().unwrap_or_default();
    let here = validators.join(&key).join(name);
    let keystore = if here.is_file() {
        here
    } else {
        validators.join(&entry.keystore)
    };
    defined.keystores.insert(keystore.clone());
    if !entry.is_enabled {
        log::info!("{}: {key} is not enabled", definitions.display());
        return;
    }
    if matches!(files::look_at(&keystore), Ok(PathKind::Absent)) {
        let reason = format_args!("no such file; it is named in {}", definitions.display());
        scan.missing.push(FileError::new(&keystore, reason));
        return;
    }
    let secrets = validators.parent().unwrap_or(&validators).join("secrets");
    let password = match &entry.password {
        DefinedPassword::Inline => PasswordSource::Definition {
            file: definitions.into(),
            key: entry.key,
        },
        DefinedPassword::File(path) => {
            let named = validators.join(path);
            let here = secrets.join(path.file_name().unwrap_or_default());
            let file = if here.is_file() { here } else { named };
            PasswordSource::File(file.into())
        }
        DefinedPassword::Missing => PasswordSource::File(secrets.join(&key).into()),
    };
    defined
        .sources
        .push(KeySource::read_only(&keystore, password));
}

fn add_all(
    scan: &mut Scan,
    directory: &Path,
    name: &'static str,
    sources: Vec<KeySource>,
    recognised: &mut Vec<&str>,
) {
    if sources.is_empty() {
        return;
    }
    log::info!(
        "{}: recognised the layout of {name}, {}",
        directory.display(),
        counted(sources.len(), "file", "files")
    );
    recognised.push(name);
    let listed_in: Arc<Path> = directory.into();
    for source in sources {
        scan.add(source, &listed_in);
    }
}

/// Lists keystores with the paths of their passwords; none when this is not the layout.
fn list_layout(
    directory: &Path,
    layout: &KeystoreLayout,
    scan: &mut Scan,
) -> Result<Vec<KeySource>, FileError> {
    let keys = directory.join(layout.keys);
    let secrets = directory.join(layout.secrets);
    for path in [&keys, &secrets] {
        match files::look_at(path) {
            Ok(PathKind::Directory) => {}
            Ok(PathKind::File | PathKind::Absent) => return Ok(Vec::new()),
            Err(error) => {
                add_once(scan, error);
                return Ok(Vec::new());
            }
        }
    }
    let mut keystores: Vec<(String, PathBuf)> = Vec::new();
    match (layout.keystore, list_or_note(&keys, scan)) {
        (Some(name), entries) => {
            for path in entries {
                let keystore = path.join(name);
                match files::look_at(&keystore) {
                    Ok(PathKind::File) => keystores.push((file_name(&path).to_owned(), keystore)),
                    Ok(PathKind::Directory | PathKind::Absent) => {}
                    Err(error) => add_once(scan, error),
                }
            }
        }
        (None, entries) => {
            for path in entries {
                if has_extension(&path, "json") && !file_name(&path).starts_with('.') {
                    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
                    keystores.push((stem.to_owned(), path));
                }
            }
        }
    }
    let password = |name: &str| secrets.join(format!("{name}{}", layout.suffix));
    // It is not this layout if no password is where it should be.
    list_or_note(&secrets, scan);
    if !keystores.iter().any(|(name, _)| password(name).exists()) {
        return Ok(Vec::new());
    }
    Ok(keystores
        .iter()
        .map(|(name, file)| KeySource::read_only(file, PasswordSource::File(password(name).into())))
        .collect())
}

/// Lists a directory of a layout. One that cannot be read is a problem of its own.
fn list_or_note(directory: &Path, scan: &mut Scan) -> Vec<PathBuf> {
    files::list_directory(directory).unwrap_or_else(|error| {
        add_once(scan, error);
        Vec::new()
    })
}

/// Adds a problem once: several layouts look at the same directory.
fn add_once(scan: &mut Scan, error: FileError) {
    if !scan.problems.contains(&error) {
        scan.problems.push(error);
    }
}

fn list_launchpad(
    directory: &Path,
    password: &PasswordSource,
) -> Result<Vec<KeySource>, FileError> {
    let mut sources = Vec::new();
    for keys in LAUNCHPAD_DIRS.iter().map(|name| directory.join(name)) {
        if !keys.is_dir() {
            continue;
        }
        for file in json_files(&keys)? {
            if file_name(&file).starts_with("keystore") {
                sources.push(KeySource::read_only(&file, password.clone()));
            }
        }
    }
    Ok(sources)
}

fn shared_password(directory: &Path) -> Option<PathBuf> {
    let mut names = SHARED_PASSWORDS.iter().map(|name| directory.join(name));
    names.find(|file| file.is_file())
}

fn wallet(directory: &Path) -> Option<PathBuf> {
    let mut names = WALLETS.iter().map(|name| directory.join(name));
    names.find(|file| file.is_file())
}

fn wallet_without_password(directory: &Path, wallet: &Path) -> FileError {
    let beside = directory.join(SHARED_PASSWORDS[0]);
    let reason = format_args!(
        "the wallet needs its password: --keystores-password-file, or {}",
        beside.display()
    );
    FileError::new(wallet, reason)
}

/// Whether these entries of a directory are only what remains of a layout without keystores.
fn is_empty(entries: &[PathBuf]) -> Result<bool, FileError> {
    for path in entries {
        let name = file_name(path);
        if name.starts_with('.') || has_extension(path, "txt") {
            continue;
        }
        if !DIRS_OF_LAYOUTS.contains(&name) || holds_json(path, DEPTH_MAX)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a path is a JSON file, or a directory with one up to `depth` levels below.
fn holds_json(directory: &Path, depth: u32) -> Result<bool, FileError> {
    if !directory.is_dir() {
        return Ok(has_extension(directory, "json"));
    }
    if depth == 0 {
        return Ok(false);
    }
    for path in files::list_directory(directory)? {
        if holds_json(&path, depth - 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}
