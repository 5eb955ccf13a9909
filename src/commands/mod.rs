//! The subcommands: short jobs beside the service, for hosts that have neither curl nor a shell.

mod check;
mod client;
mod health;
mod keys;
mod keystores;
mod slashing;
mod top;
mod voluntary_exit;
mod watermark;

use std::process::ExitCode;

use crate::cli::completions::{SHELLS, completions};
use crate::cli::error::{StartError, exit};
use crate::cli::subcommands::{
    CompletionsArguments, KeysArguments, KeysCommand, SlashingArguments, SlashingCommand,
    Subcommand,
};
use crate::cli::{SubcommandCall, output};

/// Runs a subcommand.
///
/// # Errors
/// Why it did not do what was asked.
pub fn run(call: &SubcommandCall) -> Result<ExitCode, StartError> {
    let values = &call.values;
    match &call.subcommand {
        Subcommand::Healthcheck(arguments) => health::healthcheck(values, arguments),
        Subcommand::Wait(arguments) => health::wait(values, arguments),
        Subcommand::Top(arguments) => top::run(values, arguments),
        Subcommand::Check(arguments) => check::run(values, arguments),
        Subcommand::Keys(KeysArguments { command }) => match command {
            KeysCommand::List(_) => keys::list(values),
            KeysCommand::New(arguments) => keys::make(values, arguments),
        },
        Subcommand::Exit(arguments) => voluntary_exit::run(values, arguments),
        Subcommand::Slashing(SlashingArguments { command }) => match command {
            SlashingCommand::Export(arguments) => slashing::export(values, arguments),
            SlashingCommand::Import(arguments) => slashing::import(values, arguments),
            SlashingCommand::Watermark(arguments) => watermark::show_or_set(values, arguments),
            SlashingCommand::Copy(arguments) => slashing::copy(values, arguments),
            SlashingCommand::Schema(_) => slashing::print_schema(),
        },
        Subcommand::WatermarkRepair(arguments) => watermark::repair(values, arguments),
        Subcommand::Completions(arguments) => print_completions(arguments),
    }
}

fn print_completions(
    CompletionsArguments { shell }: &CompletionsArguments,
) -> Result<ExitCode, StartError> {
    let Some(text) = completions(shell) else {
        let shells = SHELLS.join(", ");
        let message = format!("completions: expected one of {shells}, got {shell:?}");
        return Err(StartError::new(exit::USAGE, message));
    };
    output::print(text)?;
    Ok(ExitCode::SUCCESS)
}
