//! The slashing protection database: the URL and the options that complete it.

use std::fs;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::cli::error::{StartError, exit};
use crate::cli::options;
use crate::cli::values::OptionValues;
use crate::files::read_private;
use crate::slashing::{DatabaseSettings, PruningSettings};

/// Reads the database of `--slashing-protection-db-url`, if there is one that is used.
pub(super) fn database(values: &OptionValues) -> Result<Option<DatabaseSettings>, StartError> {
    let url = values.get(options::SLASHING_PROTECTION_DB_URL)?;
    let is_off = values.get(options::SLASHING_PROTECTION_ENABLED)? == Some(false);
    if is_off || values.get(options::SLASHING_PROTECTION_DB_IGNORE)? {
        return Ok(None);
    }
    match url {
        Some(url) => with_options(values, "--slashing-protection-db-url", &url).map(Some),
        None => check_no_options(values).map(|()| None),
    }
}

/// Refuses the login of a database without the database: signing without protection is not what it asks for.
fn check_no_options(values: &OptionValues) -> Result<(), StartError> {
    for (name, is_given) in [
        (
            "--slashing-protection-db-username",
            values.is_given(options::SLASHING_PROTECTION_DB_USERNAME),
        ),
        (
            "--slashing-protection-db-password",
            values.is_given(options::SLASHING_PROTECTION_DB_PASSWORD),
        ),
        (
            "--slashing-protection-db-password-file",
            values.is_given(options::SLASHING_PROTECTION_DB_PASSWORD_FILE),
        ),
        (
            "--slashing-protection-db-pool-configuration-file",
            values.is_given(options::SLASHING_PROTECTION_DB_POOL_CONFIGURATION_FILE),
        ),
    ] {
        if is_given {
            return Err(StartError::new(
                exit::CONFIG,
                format!("{name} needs --slashing-protection-db-url, which names the database"),
            ));
        }
    }
    Ok(())
}

/// Reads a database URL and completes it by the other options of the database. `name` is what gave it.
pub(crate) fn with_options(
    values: &OptionValues,
    name: &str,
    url: &str,
) -> Result<DatabaseSettings, StartError> {
    let wrong =
        |name: &str, reason: String| StartError::new(exit::CONFIG, format!("{name}: {reason}"));
    let mut settings = DatabaseSettings::from_url(url).map_err(|reason| wrong(name, reason))?;
    if let Some(path) = values.get(options::SLASHING_PROTECTION_DB_POOL_CONFIGURATION_FILE)? {
        let text =
            fs::read_to_string(&path).map_err(|error| StartError::unreadable(&path, &error))?;
        settings
            .apply_pool_properties(&text)
            .map_err(|reason| wrong(&path.display().to_string(), reason))?;
    }
    if let Some(user) = values.get(options::SLASHING_PROTECTION_DB_USERNAME)? {
        settings.user = user;
    }
    let password = values.get(options::SLASHING_PROTECTION_DB_PASSWORD)?;
    let password_file = values.get(options::SLASHING_PROTECTION_DB_PASSWORD_FILE)?;
    match (password, password_file) {
        (Some(_), Some(_)) => {
            return Err(StartError::new(
                exit::CONFIG,
                "--slashing-protection-db-password and --slashing-protection-db-password-file: expected one",
            ));
        }
        (Some(password), None) => settings.password = Some(Zeroizing::new(password)),
        (None, Some(path)) => {
            let insecure = values.get(options::ALLOW_INSECURE_PERMISSIONS)?;
            let text = read_private(&path, insecure)
                .map_err(|error| StartError::new(exit::PERMISSION, error.to_string()))?;
            let first_line = text.lines().next().unwrap_or_default();
            if first_line.is_empty() {
                let empty = format!(
                    "{}: expected the password of the database in the first line, which is empty",
                    path.display()
                );
                return Err(StartError::new(exit::CONFIG, empty));
            }
            settings.password = Some(Zeroizing::new(first_line.to_owned()));
        }
        (None, None) => {}
    }
    let milliseconds = |number: Option<u64>| number.map(Duration::from_millis);
    let interval = values.get(options::SLASHING_PROTECTION_DB_HEALTH_INTERVAL)?;
    if let Some(interval) = milliseconds(interval) {
        settings.health_interval = interval;
    }
    let timeout = values.get(options::SLASHING_PROTECTION_DB_HEALTH_TIMEOUT)?;
    settings.health_timeout = milliseconds(timeout);
    Ok(settings)
}

/// Reads how the database is pruned; `None` when it is not.
pub(super) fn pruning(values: &OptionValues) -> Result<Option<PruningSettings>, StartError> {
    if !values.get(options::SLASHING_PROTECTION_PRUNING_ENABLED)? {
        return Ok(None);
    }
    Ok(Some(PruningSettings {
        epochs_to_keep: values.get(options::SLASHING_PROTECTION_PRUNING_EPOCHS_TO_KEEP)?,
        slots_per_epoch: values.get(options::SLASHING_PROTECTION_PRUNING_SLOTS_PER_EPOCH)?,
        interval: values.get(options::SLASHING_PROTECTION_PRUNING_INTERVAL)?,
        at_boot: values.get(options::SLASHING_PROTECTION_PRUNING_AT_BOOT)?,
    }))
}
