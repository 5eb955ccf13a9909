//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    signerd::cli::run(std::env::args_os(), std::env::vars_os())
}
