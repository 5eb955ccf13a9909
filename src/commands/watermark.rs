//! `slashing watermark` and Web3Signer's `eth2 watermark-repair`: what keys may still sign, shown and set.
//!
//! The low marks are those on record: a key signs only above them. The high watermark is one for all keys:
//! nothing is signed from there on.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::slashing;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::{WatermarkArguments, WatermarkRepairArguments};
use crate::cli::values::OptionValues;
use crate::config::Settings;
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use crate::counted::counted;
use crate::slashing::rule::HighWatermark;
use crate::slashing::{
    ExportError, MarkChange, Marks, Protection, ProtectionSettings, RepairError, Unavailable,
};

/// New low marks, and the keys that they are for.
struct LowMarks {
    /// None means all keys on the chain.
    keys: Vec<PublicKey>,
    /// `None` means the only chain on record.
    chain: Option<Root>,
    slot: Option<Slot>,
    source: Option<Epoch>,
    target: Option<Epoch>,
    /// Whether marks may be lowered, or lie in the future.
    force: bool,
}

/// `slashing watermark`: sets what is given, and shows what is set then.
///
/// # Errors
/// A server uses the store, or refuses the change.
pub(super) fn show_or_set(
    values: &OptionValues,
    arguments: &WatermarkArguments,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let protection = slashing::protection(&settings)?;
    let store = open(protection)?;
    match (arguments.slot, arguments.epoch, arguments.remove) {
        (None, None, false) => {}
        (None, None, true) => store.set_high_watermark(None).map_err(unavailable)?,
        (Some(slot), Some(epoch), false) => set_high(&store, slot, epoch)?,
        (_, _, _) => {
            let message = "slashing watermark: expected --slot with --epoch to set the high watermark, \
                           --remove to remove it, or neither to show it";
            return Err(StartError::new(exit::USAGE, message));
        }
    }
    let low = LowMarks {
        keys: arguments.key.clone(),
        chain: arguments.genesis_validators_root.or(protection.chain),
        slot: arguments.block_slot.map(Slot),
        source: arguments.source_epoch.map(Epoch),
        target: arguments.target_epoch.map(Epoch),
        force: arguments.force,
    };
    if low.slot.is_some() || low.source.is_some() || low.target.is_some() {
        set_low(&store, low).map_err(|error| in_command("slashing watermark", error))?;
    }
    print_high(&store)?;
    if arguments.slot.is_some() || arguments.remove {
        return Ok(ExitCode::SUCCESS);
    }
    let keys = Some(arguments.key.as_slice()).filter(|keys| !keys.is_empty());
    let chain = arguments.genesis_validators_root;
    for (key, its_chain, marks) in store.marks(keys).map_err(unavailable)? {
        if chain.is_none_or(|chain| chain == its_chain) {
            let marks = describe(&marks);
            output::print_line(format_args!("{key} on chain {its_chain}: {marks}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `eth2 watermark-repair`: raises the low marks of all or some keys, or sets or removes the high watermark.
///
/// # Errors
/// A server uses the store, or refuses the change.
pub(super) fn repair(
    values: &OptionValues,
    arguments: &WatermarkRepairArguments,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let protection = slashing::protection(&settings)?;
    let WatermarkRepairArguments {
        slot,
        epoch,
        validator_ids,
        set_high_watermark,
        remove_high_watermark,
    } = arguments;
    let usage = |expected: &str| {
        StartError::new(
            exit::USAGE,
            format!("watermark-repair: expected {expected}"),
        )
    };
    if *set_high_watermark && *remove_high_watermark {
        return Err(usage(
            "one of --set-high-watermark and --remove-high-watermark",
        ));
    }
    if *remove_high_watermark {
        let store = open(protection)?;
        store.set_high_watermark(None).map_err(unavailable)?;
        print_high(&store)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(slot), Some(epoch)) = (*slot, *epoch) else {
        return Err(usage("--slot and --epoch")
            .hint("for example: signerd eth2 watermark-repair --slot=9000000 --epoch=281250"));
    };
    let mut keys = Vec::new();
    for id in validator_ids.iter().flat_map(|ids| ids.split(',')) {
        let id = id.trim();
        if !id.is_empty() {
            let key = id.parse().map_err(|error| {
                usage(&format!(
                    "public keys as --validator-ids, got {id:?}: {error}"
                ))
            })?;
            keys.push(key);
        }
    }
    let store = open(protection)?;
    if *set_high_watermark {
        set_high(&store, slot, epoch)?;
        print_high(&store)?;
        return Ok(ExitCode::SUCCESS);
    }
    let low = LowMarks {
        keys,
        chain: protection.chain,
        slot: Some(Slot(slot)),
        source: Some(Epoch(epoch)),
        target: Some(Epoch(epoch)),
        force: false,
    };
    let count = set_low(&store, low).map_err(|error| {
        in_command("watermark-repair", error)
            .hint("`signerd slashing watermark` shows the marks, and with --force sets any")
    })?;
    output::print_line(format_args!(
        "{} will sign no block up to slot {slot} and no vote up to epoch {epoch}",
        counted(count, "key", "keys")
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn open(protection: &ProtectionSettings) -> Result<Protection, StartError> {
    slashing::open(protection)?
        .ok_or_else(|| StartError::new(exit::UNAVAILABLE, "a server uses the store: stop it first"))
}

fn unavailable(error: Unavailable) -> StartError {
    StartError::new(exit::IO, error.to_string())
}

fn in_command(name: &str, mut error: StartError) -> StartError {
    error.message = format!("{name}: {}", error.message);
    error
}

fn set_high(store: &Protection, slot: u64, epoch: u64) -> Result<(), StartError> {
    let high = HighWatermark {
        slot: Slot(slot),
        epoch: Epoch(epoch),
    };
    store.set_high_watermark(Some(high)).map_err(unavailable)
}

fn print_high(store: &Protection) -> Result<(), StartError> {
    match store.high_watermark() {
        Some(high) => output::print_line(format_args!(
            "nothing is signed from slot {} or epoch {} on",
            high.slot, high.epoch
        )),
        None => output::print_line("no high watermark"),
    }
}

/// Sets low marks, and returns of how many keys.
fn set_low(store: &Protection, low: LowMarks) -> Result<usize, StartError> {
    let named = Some(low.keys.as_slice()).filter(|keys| !keys.is_empty());
    let on_record = store.marks(named).map_err(unavailable)?;
    let chain = match low.chain {
        Some(chain) => chain,
        None => only_chain(&on_record)?,
    };
    let mut keys = low.keys;
    if keys.is_empty() {
        for (key, its_chain, _) in &on_record {
            if *its_chain == chain {
                keys.push(*key);
            }
        }
    }
    let count = keys.len();
    let change = MarkChange {
        keys,
        chain,
        slot: low.slot,
        source: low.source,
        target: low.target,
        force: low.force,
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
        StartError::new(code, error.to_string())
    })?;
    Ok(count)
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

/// Returns the chain that all of these records are on.
fn only_chain(on_record: &[(PublicKey, Root, Marks)]) -> Result<Root, StartError> {
    let chains = BTreeSet::from_iter(on_record.iter().map(|(_, chain, _)| *chain));
    let chains = Vec::from_iter(chains);
    match chains[..] {
        [chain] => Ok(chain),
        [] => {
            let message = "the store holds no record yet that names the chain";
            Err(StartError::new(exit::CONFIG, message)
                .hint("name the chain with --genesis-validators-root or --network"))
        }
        _ => {
            let error = ExportError::SeveralChains(chains);
            Err(StartError::new(exit::CONFIG, error.to_string()))
        }
    }
}
