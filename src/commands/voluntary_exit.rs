//! `exit`: signs a voluntary exit without a server, ready for a beacon node.

use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use super::keystores;
use crate::cli::error::{StartError, exit};
use crate::cli::options;
use crate::cli::output;
use crate::cli::subcommands::ExitArguments;
use crate::cli::values::OptionValues;
use crate::config::Settings;
use crate::consensus::network::{Fork, ForkAt};
use crate::consensus::networks::Networks;
use crate::consensus::primitives::{Epoch, Root};
use crate::consensus::request::SignRequest;
use crate::slashing::Protection;

/// The last epoch that a fork may be scheduled for.
const LAST_EPOCH: Epoch = Epoch(Epoch::NEVER.0 - 1);

/// Signs the exit, and prints it or writes it to the file.
///
/// # Errors
/// The chain is not known, or the key is not among the keystores.
pub(super) fn run(
    values: &OptionValues,
    arguments: &ExitArguments,
) -> Result<ExitCode, StartError> {
    let ExitArguments {
        key,
        epoch,
        validator_index,
        genesis_validators_root,
        out,
    } = arguments;
    let settings = Settings::check(values)?;
    let networks = &settings.networks;
    if !values.is_given(options::NETWORK) {
        let message = "exit needs --network: a signature is valid on one network only";
        return Err(StartError::new(exit::USAGE, message));
    }
    let chain = chain(networks, *genesis_validators_root)?;
    let fork = exit_fork(networks, Epoch(*epoch), now_seconds());
    let message =
        json!({ "epoch": epoch.to_string(), "validator_index": validator_index.to_string() });
    let request = json!({
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
    });
    let refused = |reason: String| StartError::new(exit::CONFIG, reason);
    let body = request.to_string().into_bytes();
    let request =
        SignRequest::parse(&body, networks).map_err(|error| refused(error.to_string()))?;
    let root = request
        .signing_root(networks, now_seconds())
        .map_err(|error| refused(error.to_string()))?;
    let mut opened = keystores::open(&settings, Some(*key))?;
    let Some((secret, _)) = opened.keys.remove(key) else {
        keystores::print_failures(&opened.failures);
        let message = format!("{key} is not among the keys");
        return Err(StartError::new(exit::NO_INPUT, message)
            .hint("signerd keys list, with the same options, prints those that are"));
    };
    let cleared = Protection::Off
        .clear(key, &request.slashable(), root)
        .map_err(|refusal| refused(refusal.to_string()))?;
    let signed = json!({ "message": message, "signature": secret.sign(cleared).to_string() });
    output::write_or_print(out.as_deref(), &format!("{signed:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the genesis validators root that was given, else that of the network.
fn chain(networks: &Networks, given: Option<Root>) -> Result<Root, StartError> {
    given.or(networks.genesis_validators_root()).ok_or_else(|| {
        let message = format!("{} has no known genesis validators root", networks.name());
        StartError::new(exit::USAGE, message).hint(
            "give --genesis-validators-root; a beacon node shows it at /eth/v1/beacon/genesis",
        )
    })
}

/// Returns the fork in which an exit of this epoch is processed: the present one, unless its epoch comes
/// later. From DENEB on its domain is CAPELLA's, whatever its epoch (EIP-7044).
fn exit_fork(networks: &Networks, epoch: Epoch, now_seconds: u64) -> ForkAt {
    if let Some(present) = networks.epoch_now(now_seconds) {
        return networks.fork_at(epoch.max(present));
    }
    if !networks.has(Fork::Deneb, epoch) && networks.has(Fork::Deneb, LAST_EPOCH) {
        let name = networks.name();
        output::print_error_line(format_args!(
            "warning: the genesis time of {name} is not known, so the exit is signed for the fork of \
             epoch {epoch}; if {name} is at DENEB by now, give the present epoch as --epoch"
        ));
    }
    networks.fork_at(epoch)
}

/// Returns the seconds since 1970.
fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
