//! Arguments in, exit code out.

use std::process::ExitCode;

use signerd::cli::{self, Command, Usage};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(usage.code)
        }
    }
}

fn run() -> Result<u8, Usage> {
    match cli::parse(std::env::args_os(), std::env::vars_os())? {
        Command::Serve(_settings) => Ok(0),
        Command::Run(command, values) => cli::commands::run(&command, &values),
        Command::Print(text) => {
            print!("{text}");
            Ok(0)
        }
    }
}
