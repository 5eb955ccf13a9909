//! Arguments in, exit code out.

use std::process::ExitCode;

use signerd::cli::{self, Command, Usage};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(usage.code)
        }
    }
}

fn run() -> Result<ExitCode, Usage> {
    match cli::parse(std::env::args_os(), std::env::vars_os())? {
        Command::Serve(settings) => signerd::service::run(*settings),
        Command::Run(command) => command.run().map(ExitCode::from),
        Command::Print(text) => {
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
    }
}
