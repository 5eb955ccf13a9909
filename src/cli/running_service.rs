//! The options of the service that runs on this host, for the subcommands that ask it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::arguments::CommandLine;
use super::values::OptionValues;

/// Reads the command line of process 1: in a container, that is the service.
pub(super) fn values_of_process_1() -> Option<OptionValues> {
    let bytes = fs::read("/proc/1/cmdline").ok()?;
    let arguments: Vec<_> = bytes
        .strip_suffix(b"\0")?
        .split(|byte| *byte == 0)
        .map(|argument| OsString::from_vec(argument.to_vec()))
        .collect();
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    if !matches!(name, "signerd" | "web3signer") {
        return None;
    }
    let line = CommandLine::read(arguments).ok()?;
    Some(line.values)
}
