//! `slashing export`, `import`, `watermark`: on the store itself, or through the server that uses it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::client::Server;
use super::commands::{Export, Import, SlashingCommand, Watermark};
use super::error::{StartError, exit};
use super::layers::Values;
use super::{offline, output, read_token};
use crate::config::{Keymanager, Settings};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::hex;
use crate::slashing::rule::HighWatermark;
use crate::slashing::{
    ExportError, ImportError, MarkChange, Marks, Protection, RepairError, StoreOpenError,
    Unavailable,
};

const PATH: &str = "/api/v1/slashing-protection";

/// A merge of many keys takes one commit, but a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run(values: &Values, command: &SlashingCommand) -> Result<u8, StartError> {
    let mut settings = Settings::check(values)?;
    let Some(wanted) = &mut settings.slashing else {
        return Err(StartError::new(exit::CONFIG, "slashing protection is off")
            .hint("name the server's directory with --data-dir"));
    };
    let mut file = String::new();
    if let SlashingCommand::Import(Import { from, force }) = command {
        file = fs::read_to_string(from).map_err(|error| StartError::unreadable(from, &error))?;
        // A good file is one of the ways to go on when the store was lost; a bad one changes nothing.
        wanted
            .check_import(&file, *force)
            .map_err(|error| wrong_file(from, &error))?;
        wanted.replaces_lost_store = true;
    }
    let chain = wanted.chain;
    let store = match Protection::open(wanted) {
        Ok(store) => Some(store),
        Err(StoreOpenError::InUse(..)) => None,
        Err(error) => {
            return Err(StartError::new(exit::UNAVAILABLE, error.to_string()).hint(error.hint()));
        }
    };
    match (command, store) {
        (SlashingCommand::Export(export), Some(store)) => write(export, &read(export, &store)?),
        (SlashingCommand::Export(export), None) => {
            let chain = export.genesis_validators_root;
            let query = chain
                .map(|chain| format!("?genesis_validators_root={chain}"))
                .unwrap_or_default();
            let text = ask(values, &settings, &format!("GET {PATH}{query}"), "")?;
            write(export, &only(&export.keys, text)?)
        }
        (SlashingCommand::Import(import), store) => {
            bring_in(values, &settings, import, file, store.as_ref())
        }
        (SlashingCommand::Watermark(watermark), Some(store)) => mark(&store, watermark, chain),
        (SlashingCommand::Watermark(_), None) => Err(StartError::new(
            exit::UNAVAILABLE,
            "the server uses the store: stop it first",
        )),
    }
}

fn bring_in(
    values: &Values,
    settings: &Settings,
    Import { from, force }: &Import,
    file: String,
    store: Option<&Protection>,
) -> Result<u8, StartError> {
    let Some(store) = store else {
        let query = if *force { "?force=true" } else { "" };
        let line = format!("POST {PATH}{query}");
        let answer = ask(values, settings, &line, &file)?;
        return output::print_line(answer).map(|()| 0);
    };
    let imported = store
        .import_text(file, *force)
        .map_err(|error| wrong_file(from, &error))?;
    let line = format!("{} keys of chain {}", imported.keys, imported.chain);
    output::print_line(line).map(|()| 0)
}

fn wrong_file(from: &Path, error: &ImportError) -> StartError {
    StartError::new(exit::CONFIG, format!("{}: {error}", from.display()))
}

fn read(export: &Export, store: &Protection) -> Result<String, StartError> {
    let keys = Some(export.keys.as_slice()).filter(|keys| !keys.is_empty());
    store
        .export(export.genesis_validators_root, keys)
        .map_err(|error| {
            let code = match error {
                ExportError::Unavailable(_) => exit::IO,
                ExportError::SeveralChains(_) => exit::CONFIG,
            };
            StartError::new(code, error.to_string())
        })
}

/// What the server's interchange file says of these keys, or of all when none is named.
fn only(keys: &[PublicKey], text: String) -> Result<String, StartError> {
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

fn write(export: &Export, text: &str) -> Result<u8, StartError> {
    offline::give(export.to.as_deref(), text).map(|()| 0)
}

/// Sets the high watermark, or marks on record, and shows what is set then.
fn mark(
    store: &Protection,
    watermark: &Watermark,
    network_chain: Option<Root>,
) -> Result<u8, StartError> {
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
        return Ok(0);
    }
    let keys = Some(watermark.key.as_slice()).filter(|keys| !keys.is_empty());
    let chain = watermark.genesis_validators_root;
    for (key, its_chain, marks) in store.marks(keys).map_err(unavailable)? {
        if chain.is_none_or(|chain| chain == its_chain) {
            let shown = shown(&marks);
            output::print_line(format_args!("{key} on chain {its_chain}: {shown}"))?;
        }
    }
    Ok(0)
}

fn shown(marks: &Marks) -> String {
    let block = marks.block.map_or("no block".to_owned(), |block| {
        format!("block slot {}", block.slot)
    });
    let vote = marks.vote.map_or("no vote".to_owned(), |vote| {
        format!("source epoch {}, target epoch {}", vote.source, vote.target)
    });
    format!("{block}, {vote}")
}

/// Sets marks of the keys that are named, or of all on the chain, when a mark is given.
fn set_marks(
    store: &Protection,
    watermark: &Watermark,
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
    let chain = watermark.genesis_validators_root.or(network_chain);
    let chain = match chain {
        Some(chain) => chain,
        None => only_chain(&on_record)?,
    };
    let keys = match named {
        Some(keys) => keys.to_vec(),
        None => {
            let here = on_record.iter().filter(|(_, its, _)| *its == chain);
            here.map(|(key, _, _)| *key).collect()
        }
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
            | RepairError::OtherChain(..)
            | RepairError::ManyChains(_) => exit::CONFIG,
        };
        StartError::new(code, format!("slashing watermark: {error}"))
    })
}

/// The chain that all of these records are on.
fn only_chain(on_record: &[(PublicKey, Root, Marks)]) -> Result<Root, StartError> {
    let chains = BTreeSet::from_iter(on_record.iter().map(|(_, chain, _)| *chain));
    let chains = Vec::from_iter(chains);
    match chains[..] {
        [chain] => Ok(chain),
        [] => Err(StartError::new(
            exit::CONFIG,
            "slashing watermark: there is no record yet that tells the chain",
        )
        .hint("name the chain with --genesis-validators-root or --network")),
        _ => {
            let error = ExportError::SeveralChains(chains);
            Err(StartError::new(
                exit::CONFIG,
                format!("slashing watermark: {error}"),
            ))
        }
    }
}

/// Asks the running server: through its control socket, else over TLS with the token of these options.
fn ask(values: &Values, settings: &Settings, line: &str, body: &str) -> Result<String, StartError> {
    let server = Server::find_trusted(values)?;
    let token = if server.takes_token() {
        token(settings)?
    } else {
        None
    };
    let token = token.as_ref().map(|token| token.as_str());
    match server.ask(line, token, body, ANSWER_TIMEOUT) {
        Ok((200, text)) => Ok(text),
        Ok((status, text)) => Err(StartError::new(
            exit::UNAVAILABLE,
            format!("{server} says {status}: {}", hex::shorten(&text)),
        )),
        Err(error) => Err(
            StartError::new(exit::UNAVAILABLE, format!("{server}: {error}"))
                .hint("the store is in use by a server: give the options that it was started with"),
        ),
    }
}

/// The token that opens the routes of slashing protection.
fn token(settings: &Settings) -> Result<Option<Zeroizing<String>>, StartError> {
    match &settings.keymanager {
        Keymanager::Token(source) => source.read().map(Some),
        Keymanager::OwnTokenFile(path) => read_token(path, false).map(Some),
        Keymanager::AuthToken | Keymanager::Off | Keymanager::Open | Keymanager::Closed => settings
            .auth_token
            .as_ref()
            .map(|source| source.read())
            .transpose(),
    }
}
