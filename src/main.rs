//! Arguments in, exit code out.

use std::env;
use std::process::ExitCode;

use signerd::cli::{self, Command, StartError};
use signerd::commands;
use signerd::config::Settings;
use signerd::service;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}

/// Does what arguments and environment ask for. An error is why the program ends before it serves.
fn run() -> Result<ExitCode, StartError> {
    // Before anything else: arguments and environment may hold a token, and files will.
    service::harden_process()?;
    match cli::parse(env::args_os(), env::vars_os())? {
        Command::Serve(values) => service::run(Settings::check(&values)?),
        Command::Run(call) => commands::run(&call),
        Command::Print(text) => cli::print(text).map(|()| ExitCode::SUCCESS),
    }
}
