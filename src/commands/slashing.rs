//! `slashing export`, `import` and `watermark`: on the store itself, or through the server that uses it.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use zeroize::Zeroizing;

use super::client::RunningServer;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::{
    ExportArguments, ImportArguments, SlashingCommand, WatermarkArguments,
};
use crate::cli::token::read_token;
use crate::cli::values::OptionValues;
use crate::config::{Keymanager, Settings};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::hex;
use crate::slashing::rule::HighWatermark;
use crate::slashing::{
    ExportError, ImportError, MarkChange, Marks, Protection, ProtectionSettings, RepairError,
    StoreOpenError, Unavailable,
};

/// The route of the server.
const PATH: &str = "/api/v1/slashing-protection";

/// A merge of many keys takes one commit, but a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs one of the three.
///
/// # Errors
/// Protection is off, the store or the server cannot be used, or the file is wrong.
pub(super) fn run(
    values: &OptionValues,
    command: &SlashingCommand,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let Some(protection) = &settings.slashing else {
        return Err(StartError::new(exit::CONFIG, "slashing protection is off")
            .hint("name the server's directory with --data-dir"));
    };
    match command {
        SlashingCommand::Export(arguments) => export(values, &settings, protection, arguments)?,
        SlashingCommand::Import(arguments) => import(values, &settings, protection, arguments)?,
        SlashingCommand::Watermark(arguments) => {
            let Some(store) = open(protection)? else {
                let message = "the server uses the store: stop it first";
                return Err(StartError::new(exit::UNAVAILABLE, message));
            };
            watermark(&store, arguments, protection.chain)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the store; `None` when a server uses it.
fn open(protection: &ProtectionSettings) -> Result<Option<Protection>, StartError> {
    match Protection::open(protection) {
        Ok(store) => Ok(Some(store)),
        Err(StoreOpenError::InUse(..)) => Ok(None),
        Err(error) => Err(StartError::new(exit::UNAVAILABLE, error.to_string()).hint(error.hint())),
    }
}

fn export(
    values: &OptionValues,
    settings: &Settings,
    protection: &ProtectionSettings,
    arguments: &ExportArguments,
) -> Result<(), StartError> {
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
        let text = ask(values, settings, &format!("GET {PATH}{query}"), "")?;
        only_of(keys, text)?
    };
    output::write_or_print(to.as_deref(), &text)
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

fn import(
    values: &OptionValues,
    settings: &Settings,
    protection: &ProtectionSettings,
    ImportArguments { from, force }: &ImportArguments,
) -> Result<(), StartError> {
    let wrong_file =
        |error: ImportError| StartError::new(exit::CONFIG, format!("{}: {error}", from.display()));
    let file = fs::read_to_string(from).map_err(|error| StartError::unreadable(from, &error))?;
    protection.check_import(&file, *force).map_err(wrong_file)?;
    // The file is good: it is one of the ways to go on when the store was lost.
    let mut protection = protection.clone();
    protection.replaces_lost_store = true;
    let Some(store) = open(&protection)? else {
        let query = if *force { "?force=true" } else { "" };
        let answer = ask(values, settings, &format!("POST {PATH}{query}"), &file)?;
        return output::print_line(answer);
    };
    let imported = store.import_text(file, *force).map_err(wrong_file)?;
    output::print_line(format_args!(
        "{} keys of chain {}",
        imported.keys, imported.chain
    ))
}

/// Sets the high watermark, or marks on record, and shows what is set then.
fn watermark(
    store: &Protection,
    watermark: &WatermarkArguments,
    network_chain: Option<Root>,
) -> Result<(), StartError> {
    let unavailable = |error: Unavailable| StartError::new(exit::IO, error.to_string());
    match (watermark.slot, watermark.epoch, watermark.remove) {
        (None, None, false) => {}
        (None, None, true) => store.set_high_watermark(None).map_err(unavailable)?,
        (Some(slot), Some(epoch), false) => {
            let high = HighWatermark {
                slot: Slot(slot),
                epoch: Epoch(epoch),
            };
            store.set_high_watermark(Some(high)).map_err(unavailable)?;
        }
        (_, _, _) => {
            let expected = "expected --slot with --epoch, --remove, or nothing to read it";
            return Err(StartError::new(
                exit::USAGE,
                format!("slashing watermark: {expected}"),
            ));
        }
    }
    set_marks(store, watermark, network_chain)?;
    let line = match store.high_watermark() {
        Some(high) => format!(
            "nothing is signed from slot {} or epoch {} on",
            high.slot, high.epoch
        ),
        None => "no high watermark".to_owned(),
    };
    output::print_line(line)?;
    if watermark.slot.is_some() || watermark.remove {
        return Ok(());
    }
    let keys = Some(watermark.key.as_slice()).filter(|keys| !keys.is_empty());
    let chain = watermark.genesis_validators_root;
    for (key, its_chain, marks) in store.marks(keys).map_err(unavailable)? {
        if chain.is_none_or(|chain| chain == its_chain) {
            let marks = describe(&marks);
            output::print_line(format_args!("{key} on chain {its_chain}: {marks}"))?;
        }
    }
    Ok(())
}

fn describe(marks: &Marks) -> String {
    let block = match &marks.block {
        Some(block) => format!("block slot {}", block.slot),
        None => "no block".to_owned(),
    };
    let vote = match &marks.vote {
        Some(vote) => format!("source epoch {}, target epoch {}", vote.source, vote.target),
        None => "no vote".to_owned(),
    };
    format!("{block}, {vote}")
}

/// Sets the marks that are given, of the keys that are named or of all on the chain.
fn set_marks(
    store: &Protection,
    watermark: &WatermarkArguments,
    network_chain: Option<Root>,
) -> Result<(), StartError> {
    let slot = watermark.block_slot.map(Slot);
    let source = watermark.source_epoch.map(Epoch);
    let target = watermark.target_epoch.map(Epoch);
    if slot.is_none() && source.is_none() && target.is_none() {
        return Ok(());
    }
    let named = Some(watermark.key.as_slice()).filter(|keys| !keys.is_empty());
    let on_record = store
        .marks(named)
        .map_err(|error| StartError::new(exit::IO, error.to_string()))?;
    let chain = match watermark.genesis_validators_root.or(network_chain) {
        Some(chain) => chain,
        None => only_chain(&on_record)?,
    };
    let keys = match named {
        Some(keys) => keys.to_vec(),
        None => on_record
            .iter()
            .filter(|(_, its_chain, _)| *its_chain == chain)
            .map(|(key, _, _)| *key)
            .collect(),
    };
    let change = MarkChange {
        keys,
        chain,
        slot,
        source,
        target,
        force: watermark.force,
    };
    store.set_marks(change).map_err(|error| {
        let code = match error {
            RepairError::Unavailable(_) => exit::IO,
            RepairError::Sinks(..)
            | RepairError::Vote(..)
            | RepairError::Future(_)
            | RepairError::ManyChains(_) => exit::CONFIG,
        };
        StartError::new(code, format!("slashing watermark: {error}"))
    })
}

/// Returns the chain that all of these records are on.
fn only_chain(on_record: &[(PublicKey, Root, Marks)]) -> Result<Root, StartError> {
    let chains = BTreeSet::from_iter(on_record.iter().map(|(_, chain, _)| *chain));
    let chains = Vec::from_iter(chains);
    match chains[..] {
        [chain] => Ok(chain),
        [] => {
            let message = "slashing watermark: the store holds no record yet that names the chain";
            Err(StartError::new(exit::CONFIG, message)
                .hint("name the chain with --genesis-validators-root or --network"))
        }
        _ => {
            let error = ExportError::SeveralChains(chains);
            let message = format!("slashing watermark: {error}");
            Err(StartError::new(exit::CONFIG, message))
        }
    }
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
        let message = format!("{server} answered {status}: {}", hex::shorten(&text));
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
