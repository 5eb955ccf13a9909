//! `keys list` and `keys new`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use super::keystores;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::NewKeysArguments;
use crate::cli::values::OptionValues;
use crate::config::Settings;
use crate::counted::counted;
use crate::keys::keystore::NewKeystore;
use crate::keys::seed::{self, ParentKey};

/// `keys list`: prints public key and file, a line each.
///
/// # Errors
/// A source cannot be listed.
pub(super) fn list(values: &OptionValues) -> Result<ExitCode, StartError> {
    let opened = keystores::open(&Settings::check(values)?, None)?;
    for (key, (_, name)) in &opened.keys {
        output::print_line(format_args!("{key} {name}"))?;
    }
    keystores::print_failures(&opened.failures);
    if opened.failures.is_empty() {
        if opened.keys.is_empty() {
            output::print_error_line(format_args!(
                "note: these settings give no keys; --keys, --keystores-path and --data-dir name places of keys"
            ));
        }
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(exit::UNHEALTHY))
    }
}

/// `keys new`: makes keystores with their passwords beside them, and the phrase that they come from. Then prints
/// each key, and every file that was written.
///
/// # Errors
/// A file is there already, or cannot be made.
pub(super) fn make(
    values: &OptionValues,
    NewKeysArguments { count, out }: &NewKeysArguments,
) -> Result<ExitCode, StartError> {
    let settings = Settings::check(values)?;
    let failed = |reason: String| StartError::new(exit::OS, reason);
    fs::create_dir_all(out).map_err(|error| StartError::cannot_create(out, &error))?;
    let mut lines = Vec::new();
    let parent;
    let first;
    if let Some(mnemonic) = &settings.sources.mnemonic {
        parent = mnemonic
            .read_parent_key(settings.sources.allow_insecure_permissions)
            .map_err(|error| StartError::new(exit::CONFIG, error.to_string()))?;
        first = mnemonic.range.start;
    } else {
        let words = seed::new_phrase().map_err(failed)?;
        let path = out.join("mnemonic.phrase");
        create(&path, &words)?;
        lines.push(format!(
            "wrote {}: the words that the keys come from",
            path.display()
        ));
        parent = ParentKey::new(&words, "").map_err(failed)?;
        first = 0;
    }
    for index in first..first.saturating_add(*count) {
        let keystore = NewKeystore::derive(&parent, index).map_err(failed)?;
        let name = format!("keystore-{}", keystore.path_in_name);
        create(&out.join(format!("{name}.txt")), &keystore.password)?;
        create(&out.join(format!("{name}.json")), &keystore.json)?;
        lines.push(format!(
            "{} {name}.json, password in {name}.txt",
            keystore.key
        ));
    }
    let directory = out.display();
    lines.push(format!(
        "wrote {} into {directory}; serve with: signerd --keys {directory}",
        counted(*count, "keystore", "keystores")
    ));
    // All files exist by now, so a reader that goes away does not leave half of them.
    for line in lines {
        output::print_line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a file that only its owner can read. A file that is there already is not touched.
fn create(path: &Path, text: &str) -> Result<(), StartError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| StartError::cannot_create(path, &error))
}
