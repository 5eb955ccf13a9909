//! The commands that work on the server's files: keys, exits, slashing protection.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;

use super::commands::{Exit, NewKeys};
use super::error::{StartError, exit};
use super::layers::Values;
use super::output;
use crate::config::Settings;
use crate::consensus::network::{Fork, ForkAt, Networks};
use crate::consensus::primitives::{Epoch, PublicKey};
use crate::consensus::request::SignRequest;
use crate::keys::dry_run::{self, DryRun};
use crate::keys::keystore::NewKeystore;
use crate::keys::seed::{self, ParentKey};
use crate::slashing::Protection;

/// Opens all keystores, or those that may hold the one key that is wanted.
pub(super) fn open(settings: &Settings, wanted: Option<PublicKey>) -> Result<DryRun, StartError> {
    let mut sources = settings.sources.clone();
    sources.data_dir = sources.data_dir.filter(|directory| directory.exists());
    let memory_bytes = settings.loading.decrypt_memory_bytes;
    dry_run::open_sources(&sources, memory_bytes, wanted)
        .map_err(|error| StartError::new(exit::NO_INPUT, error.to_string()))
}

/// `keys list`: public key and file, a line each.
pub(super) fn list_keys(values: &Values) -> Result<u8, StartError> {
    let opened = open(&Settings::check(values)?, None)?;
    for (key, (_, name)) in &opened.keys {
        output::print_line(format_args!("{key} {name}"))?;
    }
    complain_of(&opened.failures);
    Ok(if opened.failures.is_empty() {
        0
    } else {
        exit::UNHEALTHY
    })
}

/// `keys new`: keystores and passwords beside each other, and the phrase that they come from.
pub(super) fn new_keys(
    values: &Values,
    NewKeys { count, out }: &NewKeys,
) -> Result<u8, StartError> {
    let settings = Settings::check(values)?;
    let failed = |reason: String| StartError::new(exit::OS, reason);
    fs::create_dir_all(out).map_err(|error| cannot_create(out, &error))?;
    let (parent, first) = match &settings.sources.mnemonic {
        Some(mnemonic) => {
            let parent = mnemonic.read_parent_key(settings.sources.allow_insecure_permissions);
            (
                parent.map_err(|error| StartError::new(exit::CONFIG, error.to_string()))?,
                mnemonic.range.start,
            )
        }
        None => {
            let words = seed::new_phrase().map_err(failed)?;
            create(&out.join("mnemonic.phrase"), &words)?;
            (ParentKey::new(&words, "").map_err(failed)?, 0)
        }
    };
    for index in first..first.saturating_add(*count) {
        let keystore = NewKeystore::derive(&parent, index).map_err(failed)?;
        let name = format!("keystore-{}", keystore.path_in_name);
        create(&out.join(format!("{name}.txt")), &keystore.password)?;
        create(&out.join(format!("{name}.json")), &keystore.json)?;
        output::print_line(format_args!("{} {name}.json", keystore.key))?;
    }
    Ok(0)
}

/// `exit`: a signed voluntary exit, ready for a beacon node.
pub(super) fn sign_exit(values: &Values, arguments: &Exit) -> Result<u8, StartError> {
    let Exit {
        key,
        epoch,
        validator_index,
        genesis_validators_root,
        out,
    } = arguments;
    let settings = Settings::check(values)?;
    let networks = &settings.networks;
    if values.text("network").is_none() {
        return Err(StartError::new(
            exit::USAGE,
            "exit needs --network: a signature holds on one only".to_owned(),
        ));
    }
    let chain = genesis_validators_root
        .or(networks.genesis_validators_root())
        .ok_or_else(|| {
            StartError::new(
                exit::USAGE,
                format!("{} has no known genesis validators root", networks.name()),
            )
            .hint(
                "give --genesis-validators-root; a beacon node tells it at /eth/v1/beacon/genesis",
            )
        })?;
    let fork = exit_fork(networks, Epoch(*epoch), now_seconds());
    let message =
        json!({ "epoch": epoch.to_string(), "validator_index": validator_index.to_string() });
    let mut body = json!({
        "type": "VOLUNTARY_EXIT",
        "fork_info": {
            "fork": {
                "previous_version": fork.previous_version.to_string(),
                "current_version": fork.current_version.to_string(),
                "epoch": fork.epoch.to_string(),
            },
            "genesis_validators_root": chain.to_string(),
        },
        "voluntary_exit": message,
    })
    .to_string()
    .into_bytes();
    let signed = SignRequest::parse(&mut body, networks)
        .and_then(|request| {
            Ok((
                request.signing_root(networks, now_seconds())?,
                request.slashable(),
            ))
        })
        .map_err(|error| StartError::new(exit::CONFIG, error.to_string()));
    let (root, slashable) = signed?;
    let mut opened = open(&settings, Some(*key))?;
    let (secret, _) = opened.keys.remove(key).ok_or_else(|| {
        complain_of(&opened.failures);
        StartError::new(exit::NO_INPUT, format!("{key} is not among the keys"))
            .hint("signerd keys list tells which are")
    })?;
    let cleared = Protection::Off
        .clear(key, &slashable, root)
        .map_err(|refused| StartError::new(exit::CONFIG, refused.to_string()))?;
    let exit = json!({ "message": message, "signature": secret.sign(cleared).to_string() });
    give(out.as_deref(), &format!("{exit:#}\n"))?;
    Ok(0)
}

/// The fork in which an exit of this epoch is processed: the present one, unless its epoch comes later.
/// From DENEB on its domain is CAPELLA's, whatever its epoch (EIP-7044).
fn exit_fork(networks: &Networks, epoch: Epoch, now_seconds: u64) -> ForkAt {
    let Some(present) = networks.epoch_now(now_seconds) else {
        if !networks.has(Fork::Deneb, epoch) && networks.has(Fork::Deneb, LAST_EPOCH) {
            let name = networks.name();
            output::complain(format_args!(
                "warning: the genesis time of {name} is not known, so the exit is signed for the fork of \
                 epoch {epoch}; if {name} is at DENEB by now, give --epoch of the present"
            ));
        }
        return networks.fork_at(epoch);
    };
    networks.fork_at(epoch.max(present))
}

/// The last epoch that a fork may be scheduled for.
const LAST_EPOCH: Epoch = Epoch(Epoch::NEVER.0 - 1);

/// The time of Unix.
fn now_seconds() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}

/// Into the file, or onto standard output.
pub(super) fn give(file: Option<&Path>, text: &str) -> Result<(), StartError> {
    match file {
        Some(path) => fs::write(path, text).map_err(|error| cannot_create(path, &error)),
        None => output::print(text),
    }
}

fn complain_of(failures: &[String]) {
    for failure in failures {
        output::complain(format_args!("error: {failure}"));
    }
}

/// Makes a file for us alone; what is there already is not touched.
fn create(path: &PathBuf, text: &str) -> Result<(), StartError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| cannot_create(path, &error))
}

fn cannot_create(path: &Path, error: &std::io::Error) -> StartError {
    StartError::new(exit::CANNOT_CREATE, format!("{}: {error}", path.display()))
}
