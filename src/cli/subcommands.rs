//! The subcommands: their words and options, as argh reads them.

use std::path::PathBuf;

use argh::{ArgsInfo, CommandInfoWithArgs, EarlyExit, FlagInfoKind, FromArgs, SubCommandInfo};

use crate::consensus::primitives::{PublicKey, Root};

#[derive(FromArgs, ArgsInfo)]
/// a remote signer for Ethereum validators
struct Program {
    #[argh(subcommand)]
    command: Subcommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum Subcommand {
    Healthcheck(HealthcheckArguments),
    Wait(WaitArguments),
    Top(TopArguments),
    Check(CheckArguments),
    Keys(KeysArguments),
    Exit(ExitArguments),
    Slashing(SlashingArguments),
    WatermarkRepair(WatermarkRepairArguments),
    Completions(CompletionsArguments),
}

#[derive(FromArgs, ArgsInfo)]
/// ask the server: 0 healthy, 1 not
#[argh(subcommand, name = "healthcheck")]
pub(crate) struct HealthcheckArguments {
    /// where it listens, if not where the options of the service say
    #[argh(option)]
    pub(crate) url: Option<String>,
    /// with fewer keys it is not healthy
    #[argh(option)]
    pub(crate) expect_keys: Option<u64>,
}

#[derive(FromArgs, ArgsInfo)]
/// wait until all keys are loaded
#[argh(subcommand, name = "wait")]
pub(crate) struct WaitArguments {
    /// where it listens, if not where the options of the service say
    #[argh(option)]
    pub(crate) url: Option<String>,
    /// with fewer keys it is not healthy
    #[argh(option)]
    pub(crate) expect_keys: Option<u64>,
    /// give up after so many seconds (300)
    #[argh(option, default = "300")]
    pub(crate) timeout: u64,
}

#[derive(FromArgs, ArgsInfo)]
/// figures of the running service
#[argh(subcommand, name = "top")]
pub(crate) struct TopArguments {
    /// where it listens, if not where the options of the service say
    #[argh(option)]
    pub(crate) url: Option<String>,
}

#[derive(FromArgs, ArgsInfo)]
/// dry run: all options and files
#[argh(subcommand, name = "check")]
pub(crate) struct CheckArguments {
    /// report in JSON
    #[argh(switch)]
    pub(crate) json: bool,
    /// open no keystore: fast before a start, which goes on without a broken one
    #[argh(switch)]
    pub(crate) no_keys: bool,
}

#[derive(FromArgs, ArgsInfo)]
/// keys and keystores
#[argh(subcommand, name = "keys")]
pub(crate) struct KeysArguments {
    #[argh(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum KeysCommand {
    List(ListKeysArguments),
    New(NewKeysArguments),
}

#[derive(FromArgs, ArgsInfo)]
/// public keys of all sources
#[argh(subcommand, name = "list")]
pub(crate) struct ListKeysArguments {}

#[derive(FromArgs, ArgsInfo)]
/// make keystores for a devnet
#[argh(subcommand, name = "new")]
pub(crate) struct NewKeysArguments {
    /// how many; from the start of --key-range, with --mnemonic-file
    #[argh(option)]
    pub(crate) count: u32,
    /// the directory to make them in
    #[argh(option)]
    pub(crate) out: PathBuf,
}

#[derive(FromArgs, ArgsInfo)]
/// sign a voluntary exit; needs --network
#[argh(subcommand, name = "exit")]
pub(crate) struct ExitArguments {
    /// the validator's public key
    #[argh(option)]
    pub(crate) key: PublicKey,
    /// the epoch from which on it may leave
    #[argh(option)]
    pub(crate) epoch: u64,
    /// its index
    #[argh(option)]
    pub(crate) validator_index: u64,
    /// names the chain, where the network does not
    #[argh(option)]
    pub(crate) genesis_validators_root: Option<Root>,
    /// the file to write
    #[argh(option)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(FromArgs, ArgsInfo)]
/// slashing protection
#[argh(subcommand, name = "slashing")]
pub(crate) struct SlashingArguments {
    #[argh(subcommand)]
    pub(crate) command: SlashingCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum SlashingCommand {
    Export(ExportArguments),
    Import(ImportArguments),
    Watermark(WatermarkArguments),
    Copy(CopyArguments),
    Schema(SchemaArguments),
}

#[derive(FromArgs, ArgsInfo)]
/// copy what is on record to another store
#[argh(subcommand, name = "copy")]
pub(crate) struct CopyArguments {
    /// a data directory, or the URL of a database
    #[argh(option)]
    pub(crate) from: String,
    /// a data directory, or the URL of a database
    #[argh(option)]
    pub(crate) to: String,
    /// names the chain, where there are several
    #[argh(option)]
    pub(crate) genesis_validators_root: Option<Root>,
}

#[derive(FromArgs, ArgsInfo)]
/// print the tables of a database as SQL
#[argh(subcommand, name = "schema")]
pub(crate) struct SchemaArguments {}

#[derive(FromArgs, ArgsInfo)]
/// write an EIP-3076 file
#[argh(subcommand, name = "export")]
pub(crate) struct ExportArguments {
    /// the file to write
    #[argh(option)]
    pub(crate) to: Option<PathBuf>,
    /// names the chain, where --network does not
    #[argh(option)]
    pub(crate) genesis_validators_root: Option<Root>,
    /// of this public key alone; may be repeated
    #[argh(option)]
    pub(crate) keys: Vec<PublicKey>,
}

#[derive(FromArgs, ArgsInfo)]
/// merge an EIP-3076 file
#[argh(subcommand, name = "import")]
pub(crate) struct ImportArguments {
    /// the file to read
    #[argh(option)]
    pub(crate) from: PathBuf,
    /// take marks in the future too
    #[argh(switch)]
    pub(crate) force: bool,
}

#[derive(FromArgs, ArgsInfo)]
/// show or set what keys may sign
#[argh(subcommand, name = "watermark")]
pub(crate) struct WatermarkArguments {
    /// high watermark: no key signs a block from here
    #[argh(option)]
    pub(crate) slot: Option<u64>,
    /// high watermark: no key signs a vote from here
    #[argh(option)]
    pub(crate) epoch: Option<u64>,
    /// remove the high watermark
    #[argh(switch)]
    pub(crate) remove: bool,
    /// of this key alone; may be repeated
    #[argh(option)]
    pub(crate) key: Vec<PublicKey>,
    /// names the chain, where --network does not
    #[argh(option)]
    pub(crate) genesis_validators_root: Option<Root>,
    /// set the highest block slot on record
    #[argh(option)]
    pub(crate) block_slot: Option<u64>,
    /// set the highest source epoch on record
    #[argh(option)]
    pub(crate) source_epoch: Option<u64>,
    /// set the highest target epoch on record
    #[argh(option)]
    pub(crate) target_epoch: Option<u64>,
    /// lower them, or set them in the future
    #[argh(switch)]
    pub(crate) force: bool,
}

#[derive(FromArgs, ArgsInfo)]
/// raise low marks, or set the high one
#[argh(subcommand, name = "watermark-repair")]
pub(crate) struct WatermarkRepairArguments {
    /// the highest block slot on record
    #[argh(option)]
    pub(crate) slot: Option<u64>,
    /// the highest source and target epoch on record
    #[argh(option)]
    pub(crate) epoch: Option<u64>,
    /// of these public keys alone, separated by commas
    #[argh(option)]
    pub(crate) validator_ids: Vec<String>,
    /// set the high watermark instead
    #[argh(switch)]
    pub(crate) set_high_watermark: bool,
    /// remove the high watermark
    #[argh(switch)]
    pub(crate) remove_high_watermark: bool,
}

#[derive(FromArgs, ArgsInfo)]
/// script for a shell, or the man page
#[argh(subcommand, name = "completions")]
pub(crate) struct CompletionsArguments {
    /// bash, zsh, fish or man
    #[argh(positional)]
    pub(crate) shell: String,
}

/// Reads the words and options of a subcommand, of which the first is its name.
pub(super) fn parse(words: &[String]) -> Result<Subcommand, EarlyExit> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Program::from_args(&["signerd"], &words).map(|program| program.command)
}

impl Subcommand {
    /// Returns whether it asks a service that runs already.
    pub(super) fn asks_the_server(&self) -> bool {
        matches!(self, Self::Healthcheck(_) | Self::Wait(_) | Self::Top(_))
    }

    /// Returns whether it concerns the service on this host, unless the options name other keys.
    pub(super) fn concerns_the_service(&self) -> bool {
        match self {
            Self::Healthcheck(arguments) => arguments.url.is_none(),
            Self::Wait(arguments) => arguments.url.is_none(),
            Self::Top(arguments) => arguments.url.is_none(),
            Self::Check(_) | Self::Exit(_) | Self::Slashing(_) | Self::WatermarkRepair(_) => true,
            Self::Keys(arguments) => matches!(arguments.command, KeysCommand::List(_)),
            Self::Completions(_) => false,
        }
    }
}

/// Returns the names of all subcommands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Program::get_args_info()
        .commands
        .into_iter()
        .map(|subcommand| subcommand.name)
}

/// Returns each subcommand that has no subcommands of its own, with its full name.
pub(super) fn leaves() -> Vec<(String, CommandInfoWithArgs)> {
    let mut leaves = Vec::new();
    add_leaves("", Program::get_args_info().commands, &mut leaves);
    leaves
}

/// Returns each subcommand that has subcommands of its own, with their names.
pub(super) fn inner_names() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut inner = Vec::new();
    for subcommand in Program::get_args_info().commands {
        let names: Vec<_> = subcommand
            .command
            .commands
            .iter()
            .map(|command| command.name)
            .collect();
        if !names.is_empty() {
            inner.push((subcommand.name, names));
        }
    }
    inner
}

/// Returns every word that names a subcommand, on whatever level.
pub(super) fn words() -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut subcommands = Program::get_args_info().commands;
    while let Some(subcommand) = subcommands.pop() {
        words.push(subcommand.name);
        subcommands.extend(subcommand.command.commands);
    }
    words
}

fn add_leaves(
    prefix: &str,
    subcommands: Vec<SubCommandInfo>,
    leaves: &mut Vec<(String, CommandInfoWithArgs)>,
) {
    for SubCommandInfo { name, mut command } in subcommands {
        let name = format!("{prefix}{name}");
        let inner = std::mem::take(&mut command.commands);
        if inner.is_empty() {
            leaves.push((name, command));
        } else {
            add_leaves(&format!("{name} "), inner, leaves);
        }
    }
}

/// Returns whether the option `name` of the subcommand takes no value; `None` when the subcommand does not
/// have it. `words` are those read so far.
pub(super) fn is_switch(words: &[String], name: &str) -> Option<bool> {
    if words.is_empty() {
        return None;
    }
    let mut found = (name == "help").then_some(true);
    let mut known = Program::get_args_info().commands;
    for word in words {
        let Some(subcommand) = known.into_iter().find(|info| info.name == word) else {
            break;
        };
        for flag in subcommand.command.flags {
            if flag.long.trim_start_matches('-') == name {
                found = Some(matches!(flag.kind, FlagInfoKind::Switch));
            }
        }
        known = subcommand.command.commands;
    }
    found
}
