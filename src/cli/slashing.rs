//! `slashing export`, `import`, `watermark`: on the store itself, or through the server that uses it.

use std::fs;
use std::time::Duration;

use zeroize::Zeroizing;

use super::client::Server;
use super::commands::{Export, Import, SlashingCommand, Watermark};
use super::layers::Values;
use super::{Usage, exit, offline, output, read_token};
use crate::config::{Keymanager, Settings};
use crate::consensus::primitives::{Epoch, PublicKey, Slot};
use crate::hex;
use crate::slashing::rule::HighWatermark;
use crate::slashing::{OpenError, Protection};

const PATH: &str = "/api/v1/slashing-protection";

/// A merge of many keys takes one commit, but a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run(values: &Values, command: &SlashingCommand) -> Result<u8, Usage> {
    let settings = Settings::check(values)?;
    let Some(wanted) = &settings.slashing else {
        return Err(Usage::new(exit::CONFIG, "slashing protection is off")
            .hint("name the server's directory with --data-dir"));
    };
    let store = match Protection::open(wanted) {
        Ok(store) => Some(store),
        Err(OpenError::InUse { .. }) => None,
        Err(error) => {
            return Err(Usage::new(exit::UNAVAILABLE, error.to_string()).hint(error.hint()));
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
        (SlashingCommand::Import(Import { from }), store) => {
            let text = fs::read_to_string(from).map_err(|error| Usage::unreadable(from, &error))?;
            let Some(store) = store else {
                let answer = ask(values, &settings, &format!("POST {PATH}"), &text)?;
                return output::print_line(answer).map(|()| 0);
            };
            let imported = store.import(&text).map_err(|error| {
                Usage::new(exit::CONFIG, format!("{}: {error}", from.display()))
            })?;
            let line = format!("{} keys of chain {}", imported.keys, imported.chain);
            output::print_line(line).map(|()| 0)
        }
        (SlashingCommand::Watermark(watermark), Some(store)) => mark(&store, watermark),
        (SlashingCommand::Watermark(_), None) => Err(Usage::new(
            exit::UNAVAILABLE,
            "the server uses the store: stop it first",
        )),
    }
}

fn read(export: &Export, store: &Protection) -> Result<String, Usage> {
    let keys = Some(export.keys.as_slice()).filter(|keys| !keys.is_empty());
    store
        .export(export.genesis_validators_root, keys)
        .map_err(|error| Usage::new(exit::IO, error.to_string()))
}

/// What the server's interchange file says of these keys, or of all when none is named.
fn only(keys: &[PublicKey], text: String) -> Result<String, Usage> {
    if keys.is_empty() {
        return Ok(text);
    }
    let mut file: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Usage::new(exit::UNAVAILABLE, format!("the server's answer: {error}")))?;
    if let Some(data) = file["data"].as_array_mut() {
        let names: Vec<_> = keys.iter().map(ToString::to_string).collect();
        data.retain(|record| names.iter().any(|name| record["pubkey"] == **name));
    }
    Ok(file.to_string())
}

fn write(export: &Export, text: &str) -> Result<u8, Usage> {
    offline::give(export.to.as_deref(), text).map(|()| 0)
}

fn mark(store: &Protection, watermark: &Watermark) -> Result<u8, Usage> {
    let Watermark {
        slot,
        epoch,
        remove,
    } = watermark;
    let set = |high| {
        store
            .set_high_watermark(high)
            .map_err(|error| Usage::new(exit::IO, error.to_string()))
    };
    match (slot, epoch, remove) {
        (None, None, false) => {}
        (None, None, true) => set(None)?,
        (Some(slot), Some(epoch), false) => {
            set(Some(HighWatermark {
                slot: Slot(*slot),
                epoch: Epoch(*epoch),
            }))?;
        }
        (_, _, _) => {
            let expected = "expected --slot with --epoch, --remove, or nothing to read it";
            return Err(Usage::new(
                exit::USAGE,
                format!("slashing watermark: {expected}"),
            ));
        }
    }
    let line = match store.high_watermark() {
        Some(high) => format!(
            "nothing is signed from slot {} or epoch {} on",
            high.slot, high.epoch
        ),
        None => "no high watermark".to_owned(),
    };
    output::print_line(line).map(|()| 0)
}

/// Asks the running server: through its control socket, else over TLS with the token of these options.
fn ask(values: &Values, settings: &Settings, line: &str, body: &str) -> Result<String, Usage> {
    let server = Server::find_trusted(values)?;
    let token = if server.takes_token() {
        token(settings)?
    } else {
        None
    };
    let token = token.as_ref().map(|token| token.as_str());
    match server.ask(line, token, body, ANSWER_TIMEOUT) {
        Ok((200, text)) => Ok(text),
        Ok((status, text)) => Err(Usage::new(
            exit::UNAVAILABLE,
            format!("{server} says {status}: {}", hex::shorten(&text)),
        )),
        Err(error) => Err(Usage::new(exit::UNAVAILABLE, format!("{server}: {error}"))
            .hint("the store is in use by a server: give the options that it was started with")),
    }
}

/// The token that opens the routes of slashing protection.
fn token(settings: &Settings) -> Result<Option<Zeroizing<String>>, Usage> {
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
