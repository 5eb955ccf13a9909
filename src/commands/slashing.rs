//! `slashing export` and `import`: on the store itself, or through the server that uses it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use zeroize::Zeroizing;

use super::client::RunningServer;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::{CopyArguments, ExportArguments, ImportArguments};
use crate::cli::token::read_token;
use crate::cli::values::OptionValues;
use crate::config::database::with_options;
use crate::config::{Keymanager, Settings};
use crate::consensus::primitives::PublicKey;
use crate::counted::counted;
use crate::slashing::{
    DATABASE_SCHEMA, ExportError, ImportError, Protection, ProtectionSettings, StoreOpenError,
};

/// The route of the server.
const PATH: &str = "/api/v1/slashing-protection";

/// A merge of many keys takes one commit, but a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns where the store is.
pub(super) fn protection(settings: &Settings) -> Result<&ProtectionSettings, StartError> {
    settings.slashing.as_ref().ok_or_else(|| {
        StartError::new(exit::CONFIG, "slashing protection is off").hint(
            "name the server's directory with --data-dir, or its database with \
                 --slashing-protection-db-url",
        )
    })
}

/// `slashing copy`: copies the marks of one chain, from a directory or a database to a directory or a
/// database.
///
/// # Errors
/// One of the stores cannot be opened, or the marks cannot be stored.
pub(super) fn copy(
    values: &OptionValues,
    arguments: &CopyArguments,
) -> Result<ExitCode, StartError> {
    let from = open_named(values, "--from", &arguments.from)?;
    let to = open_named(values, "--to", &arguments.to)?;
    let copied = from
        .copy_to(&to, arguments.genesis_validators_root)
        .map_err(|error| {
            let code = match error {
                ImportError::Unavailable(_) => exit::IO,
                ImportError::Invalid(_) => exit::CONFIG,
            };
            StartError::new(code, format!("slashing copy: {error}"))
        })?;
    output::print_line(format_args!(
        "{} of chain {} copied",
        counted(copied.keys, "key", "keys"),
        copied.chain
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// `slashing schema`: prints what an empty database is given.
///
/// # Errors
/// The text cannot be printed.
pub(super) fn print_schema() -> Result<ExitCode, StartError> {
    output::print(DATABASE_SCHEMA)?;
    Ok(ExitCode::SUCCESS)
}

fn open_named(values: &OptionValues, option: &str, name: &str) -> Result<Protection, StartError> {
    let is_url = ["postgresql:", "postgres:", "jdbc:"]
        .iter()
        .any(|scheme| name.starts_with(scheme));
    let database = if is_url {
        Some(with_options(values, option, name)?)
    } else {
        None
    };
    let settings = ProtectionSettings {
        directory: PathBuf::from(name),
        database,
        pruning: None,
        min_slot: None,
        min_epoch: None,
        chain: None,
        clock: None,
        has_keys: false,
        replaces_lost_store: false,
    };
    Protection::open(&settings).map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("{option}: {error}")).hint(error.hint())
    })
}

/// Opens the store; `None` when a server uses it.
pub(super) fn open(protection: &ProtectionSettings) -> Result<Option<Protection>, StartError> {
    // The service prunes; a command only reads and writes marks.
    let without_pruning = ProtectionSettings {
        pruning: None,
        ..protection.clone()
    };
    match Protection::open(&without_pruning) {
        Ok(store) => Ok(Some(store)),
        Err(StoreOpenError::InUse(..)) => Ok(None),
        Err(error) => Err(StartError::new(exit::UNAVAILABLE, error.to_string()).hint(error.hint())),
    }
}

/// `slashing export`: writes an interchange file.
///
/// # Errors
/// Protection is off, or neither the store nor the server can be used.
pub(super) fn export(
    values: &OptionValues,
    arguments: &ExportArguments,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let protection = protection(&settings)?;
    let ExportArguments {
        to,
        genesis_validators_root: chain,
        keys,
    } = arguments;
    let text = if let Some(store) = open(protection)? {
        let keys = Some(keys.as_slice()).filter(|keys| !keys.is_empty());
        store.export(*chain, keys).map_err(|error| {
            let code = match error {
                ExportError::Unavailable(_) => exit::IO,
                ExportError::SeveralChains(_) => exit::CONFIG,
            };
            StartError::new(code, error.to_string())
        })?
    } else {
        let query = match chain {
            Some(chain) => format!("?genesis_validators_root={chain}"),
            None => String::new(),
        };
        let text = ask(values, &settings, &format!("GET {PATH}{query}"), "")?;
        only_of(keys, text)?
    };
    output::write_or_print(to.as_deref(), &format!("{}\n", text.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}

/// Leaves in an interchange file only the records of these keys, or of all keys when none is named.
fn only_of(keys: &[PublicKey], text: String) -> Result<String, StartError> {
    if keys.is_empty() {
        return Ok(text);
    }
    let mut file: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("the server's answer: {error}"))
    })?;
    if let Some(data) = file["data"].as_array_mut() {
        let names: Vec<_> = keys.iter().map(ToString::to_string).collect();
        data.retain(|record| names.iter().any(|name| record["pubkey"] == **name));
    }
    Ok(file.to_string())
}

/// `slashing import`: merges an interchange file.
///
/// # Errors
/// Protection is off, the file is wrong, or neither the store nor the server can be used.
pub(super) fn import(
    values: &OptionValues,
    ImportArguments { from, force }: &ImportArguments,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let protection = protection(&settings)?;
    let wrong_file =
        |error: ImportError| StartError::new(exit::CONFIG, format!("{}: {error}", from.display()));
    let file = fs::read_to_string(from).map_err(|error| StartError::unreadable(from, &error))?;
    protection.check_import(&file, *force).map_err(wrong_file)?;
    // The file is good. Importing it is one way to go on after the store was lost.
    let mut protection = protection.clone();
    protection.replaces_lost_store = true;
    let Some(store) = open(&protection)? else {
        let query = if *force { "?force=true" } else { "" };
        let answer = ask(values, &settings, &format!("POST {PATH}{query}"), &file)?;
        output::print_line(answer)?;
        return Ok(ExitCode::SUCCESS);
    };
    let imported = store.import_text(file, *force).map_err(wrong_file)?;
    output::print_line(format_args!(
        "{} of chain {}",
        counted(imported.keys, "key", "keys"),
        imported.chain
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Asks the running server: through its control socket, else over TLS with the token of these options.
fn ask(
    values: &OptionValues,
    settings: &Settings,
    method_and_path: &str,
    body: &str,
) -> Result<String, StartError> {
    let server = RunningServer::find_trusted(values)?;
    let token = if server.takes_token() {
        token(settings)?
    } else {
        None
    };
    let token = token.as_ref().map(|token| token.as_str());
    let answer = server.ask(method_and_path, token, body, ANSWER_TIMEOUT);
    let (status, text) = answer.map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("{server}: {error}"))
            .hint("a server uses the store: give the options that it was started with")
    })?;
    if status != 200 {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let reason = json["message"].as_str().unwrap_or(&text);
        let message = format!("{server} answered {status}: {reason}");
        return Err(StartError::new(exit::UNAVAILABLE, message));
    }
    Ok(text)
}

/// Returns the token that opens the routes of slashing protection.
fn token(settings: &Settings) -> Result<Option<Zeroizing<String>>, StartError> {
    match &settings.keymanager {
        Keymanager::Token(source) => Ok(Some(source.read()?)),
        Keymanager::OwnTokenFile(path) => Ok(Some(read_token(path, false)?)),
        Keymanager::AuthToken | Keymanager::Off | Keymanager::Open | Keymanager::Closed => {
            match &settings.auth_token {
                Some(source) => Ok(Some(source.read()?)),
                None => Ok(None),
            }
        }
    }
}
