//! The short commands, for hosts that have neither curl nor a shell.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argh::{ArgsInfo, CommandInfoWithArgs, EarlyExit, FlagInfoKind, FromArgs, SubCommandInfo};

use super::client::Server;
use super::error::{StartError, exit};
use super::layers::Values;
use super::manual::{self, SHELLS};
use super::{CommandLine, check, offline, output, slashing};
use crate::consensus::primitives::{PublicKey, Root};
use crate::hex;

#[derive(FromArgs, ArgsInfo)]
/// a remote signer for Ethereum validators
struct Top {
    #[argh(subcommand)]
    command: Subcommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum Subcommand {
    Healthcheck(Healthcheck),
    Wait(Wait),
    Check(Check),
    Keys(Keys),
    Exit(Exit),
    Slashing(Slashing),
    Completions(Completions),
}

#[derive(FromArgs, ArgsInfo)]
/// ask the server: 0 healthy, 1 not
#[argh(subcommand, name = "healthcheck")]
pub(crate) struct Healthcheck {
    /// where it listens, if not where the options of the service say
    #[argh(option)]
    url: Option<String>,
    /// with fewer keys it is not healthy
    #[argh(option)]
    expect_keys: Option<u64>,
}

#[derive(FromArgs, ArgsInfo)]
/// wait until all keys are loaded
#[argh(subcommand, name = "wait")]
pub(crate) struct Wait {
    /// where it listens, if not where the options of the service say
    #[argh(option)]
    url: Option<String>,
    /// with fewer keys it is not healthy
    #[argh(option)]
    expect_keys: Option<u64>,
    /// give up after so many seconds (300)
    #[argh(option, default = "300")]
    timeout: u64,
}

#[derive(FromArgs, ArgsInfo)]
/// dry run: all options and files
#[argh(subcommand, name = "check")]
pub(crate) struct Check {
    /// report in JSON
    #[argh(switch)]
    json: bool,
    /// open no keystore: fast before a start, which goes on without a broken one
    #[argh(switch)]
    no_keys: bool,
}

#[derive(FromArgs, ArgsInfo)]
/// keys and keystores
#[argh(subcommand, name = "keys")]
pub(crate) struct Keys {
    #[argh(subcommand)]
    command: KeysCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum KeysCommand {
    List(ListKeys),
    New(NewKeys),
}

#[derive(FromArgs, ArgsInfo)]
/// public keys of all sources
#[argh(subcommand, name = "list")]
pub(crate) struct ListKeys {}

#[derive(FromArgs, ArgsInfo)]
/// make keystores for a devnet
#[argh(subcommand, name = "new")]
pub(crate) struct NewKeys {
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
pub(crate) struct Exit {
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
pub(crate) struct Slashing {
    #[argh(subcommand)]
    command: SlashingCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum SlashingCommand {
    Export(Export),
    Import(Import),
    Watermark(Watermark),
}

#[derive(FromArgs, ArgsInfo)]
/// write an EIP-3076 file
#[argh(subcommand, name = "export")]
pub(crate) struct Export {
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
pub(crate) struct Import {
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
pub(crate) struct Watermark {
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
/// script for a shell, or the man page
#[argh(subcommand, name = "completions")]
pub(crate) struct Completions {
    /// bash, zsh, fish or man
    #[argh(positional)]
    shell: String,
}

/// How long one question to the server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two questions of `wait`.
const WAIT_INTERVAL: Duration = Duration::from_millis(200);

/// Reads the words and options behind the name of a command.
pub(crate) fn parse(command: &[String]) -> Result<Subcommand, EarlyExit> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    Top::from_args(&["signerd"], &words).map(|top| top.command)
}

/// Full name and description of each command, and its options.
pub(crate) fn leaves() -> Vec<(String, CommandInfoWithArgs)> {
    fn below(before: &str, commands: Vec<SubCommandInfo>) -> Vec<(String, CommandInfoWithArgs)> {
        let leaves = commands
            .into_iter()
            .map(|SubCommandInfo { name, mut command }| {
                let name = format!("{before}{name}");
                match std::mem::take(&mut command.commands) {
                    inner if inner.is_empty() => vec![(name, command)],
                    inner => below(&format!("{name} "), inner),
                }
            });
        leaves.flatten().collect()
    }
    below("", Top::get_args_info().commands)
}

/// The names of all commands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Top::get_args_info()
        .commands
        .into_iter()
        .map(|command| command.name)
}

/// Whether `name` is an option of the command read so far, and if so, whether it takes no value.
pub(crate) fn is_switch(command: &[String], name: &str) -> Option<bool> {
    let mut known = Top::get_args_info().commands;
    let mut found = (name == "help" && !command.is_empty()).then_some(true);
    for word in command {
        let Some(info) = known.into_iter().find(|info| info.name == word) else {
            break;
        };
        let flag = info
            .command
            .flags
            .iter()
            .find(|flag| flag.long.trim_start_matches('-') == name);
        found = flag
            .map(|flag| matches!(flag.kind, FlagInfoKind::Switch))
            .or(found);
        known = info.command.commands;
    }
    found
}

/// In a container the server is process 1: its arguments say where it listens.
pub(crate) fn server_of_this_container() -> Option<Values> {
    let arguments = fs::read("/proc/1/cmdline").ok()?;
    let arguments = arguments.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let arguments: Vec<_> = arguments
        .map(|bytes| OsString::from_vec(bytes.to_vec()))
        .collect();
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    matches!(name, "signerd" | "web3signer")
        .then(|| CommandLine::read(arguments.into_iter()).ok())?
        .map(|line| line.values)
}

impl Subcommand {
    /// Whether it speaks to a server that runs already.
    pub(crate) fn asks_the_server(&self) -> bool {
        matches!(self, Self::Healthcheck(_) | Self::Wait(_))
    }
}

/// Runs a command to its exit code.
pub(crate) fn run(command: &Subcommand, values: &Values) -> Result<u8, StartError> {
    match command {
        Subcommand::Healthcheck(Healthcheck { url, expect_keys }) => {
            let server = Server::find(url.as_deref(), values)?;
            let keys = healthy(&server, *expect_keys)?;
            // The exit code is the answer, whether or not anybody reads this line.
            let _ = output::print_line(format_args!("{server} is healthy, {keys} keys"));
        }
        Subcommand::Wait(Wait {
            url,
            expect_keys,
            timeout,
        }) => {
            // None means no deadline: it lies beyond what the clock can represent.
            let deadline = Instant::now().checked_add(Duration::from_secs(*timeout));
            loop {
                // Look again each time: the control socket appears when the server starts.
                let server = Server::find(url.as_deref(), values)?;
                match healthy(&server, *expect_keys) {
                    Ok(_) => break,
                    Err(usage) if deadline.is_some_and(|deadline| Instant::now() > deadline) => {
                        return Err(usage);
                    }
                    Err(_) => std::thread::sleep(WAIT_INTERVAL),
                }
            }
        }
        Subcommand::Check(Check { json, no_keys }) => return check::run(values, *json, !*no_keys),
        Subcommand::Keys(Keys {
            command: KeysCommand::List(_),
        }) => return offline::list_keys(values),
        Subcommand::Keys(Keys {
            command: KeysCommand::New(new),
        }) => return offline::new_keys(values, new),
        Subcommand::Exit(exit) => return offline::sign_exit(values, exit),
        Subcommand::Slashing(Slashing { command }) => return slashing::run(values, command),
        Subcommand::Completions(Completions { shell }) => {
            let expected = || {
                format!(
                    "completions: expected one of {}, got {shell:?}",
                    SHELLS.join(", ")
                )
            };
            let text = manual::completions(shell)
                .ok_or_else(|| StartError::new(exit::USAGE, expected()))?;
            output::print(text)?;
        }
    }
    Ok(0)
}

/// The number of keys that a healthy server holds.
fn healthy(server: &Server, expect_keys: Option<u64>) -> Result<u64, StartError> {
    let (status, body) = server
        .ask("GET /healthcheck", None, "", ANSWER_TIMEOUT)
        .map_err(|error| {
            StartError::new(exit::UNHEALTHY, format!("{server}: {error}"))
                .hint("is it running, and there?")
        })?;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let keys = json
        .pointer("/checks/1/checks/0/data/keys-loaded")
        .and_then(|keys| keys.as_u64())
        .unwrap_or(0);
    if status != 200 {
        return Err(StartError::new(
            exit::UNHEALTHY,
            format!(
                "{server} is not healthy ({status}): {}",
                hex::shorten(&body)
            ),
        ));
    }
    match expect_keys.filter(|expected| keys < *expected) {
        Some(expected) => Err(StartError::new(
            exit::UNHEALTHY,
            format!("{server}: expected {expected} keys, got {keys}"),
        )),
        None => Ok(keys),
    }
}
