//! Opens the keystores of all sources, for the subcommands that work without a server.

use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::config::Settings;
use crate::consensus::primitives::PublicKey;
use crate::keys::dry_run::{self, DryRun};

/// Opens all keystores, or only those that may hold the wanted key.
///
/// # Errors
/// A source cannot be listed.
pub(super) fn open(settings: &Settings, wanted: Option<PublicKey>) -> Result<DryRun, StartError> {
    let mut sources = settings.sources.clone();
    sources.data_dir = sources.data_dir.filter(|directory| directory.exists());
    let memory_bytes = settings.loading.decrypt_memory_bytes;
    dry_run::open_sources(&sources, memory_bytes, wanted)
        .map_err(|error| StartError::new(exit::NO_INPUT, error.to_string()))
}

/// Prints a line to standard error for each keystore that did not open.
pub(super) fn print_failures(failures: &[String]) {
    for failure in failures {
        output::print_error_line(format_args!("error: {failure}"));
    }
}
