//! `check`: what the server would do with these options and files, without doing it.

use std::fs::File;
use std::io::ErrorKind;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::keystores;
use crate::cli::error::{StartError, exit};
use crate::cli::options::{self, KeymanagerAuth};
use crate::cli::output;
use crate::cli::subcommands::CheckArguments;
use crate::cli::typed_option::ValueForm;
use crate::cli::values::OptionValues;
use crate::config::{Keymanager, Settings};
use crate::counted::counted;
use crate::server::tls::Tls;
use crate::slashing;

/// What a check that ran to its end has found.
enum Finding {
    Good,
    /// A keystore does not open, or there are fewer keys than expected.
    KeysMissing,
}

/// Prints the report. Its exit code is that of the first thing that is wrong.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn run(
    values: &OptionValues,
    CheckArguments {
        json: as_json,
        no_keys,
    }: &CheckArguments,
) -> Result<ExitCode, StartError> {
    let mut report = Map::new();
    let checked = check(values, !no_keys, &mut report);
    let verdict = verdict(&checked, &report);
    report.insert("verdict".to_owned(), verdict.clone().into());
    if *as_json {
        output::print_line(format_args!("{:#}", Value::Object(report)))?;
    } else {
        report.remove("verdict");
        output::print(as_text(&report))?;
        output::print_line(format_args!("verdict: {verdict}"))?;
    }
    match checked? {
        Finding::Good => Ok(ExitCode::SUCCESS),
        Finding::KeysMissing => Ok(ExitCode::from(exit::UNHEALTHY)),
    }
}

/// Returns in one line what the check has found.
fn verdict(checked: &Result<Finding, StartError>, report: &Map<String, Value>) -> String {
    let count = |name: &str| report.get("keys").and_then(|keys| keys[name].as_u64());
    let keys = match (count("opened"), count("failed")) {
        (Some(opened), Some(failed)) => format!(
            "{opened} of {} open",
            counted(opened + failed, "key", "keys")
        ),
        (_, _) => "no keystore was opened".to_owned(),
    };
    match checked {
        Ok(Finding::Good) => format!("good: signerd starts with these settings; {keys}"),
        Ok(Finding::KeysMissing) => format!("not healthy: {keys}"),
        Err(error) => format!("signerd does not start: {}", error.message),
    }
}

/// Checks everything, and adds what is found to the report. Keystores are opened only if they are wanted.
fn check(
    values: &OptionValues,
    opens_keys: bool,
    report: &mut Map<String, Value>,
) -> Result<Finding, StartError> {
    report.insert("options".to_owned(), options(values));
    report.insert("notices".to_owned(), values.notices.clone().into());
    let settings = Settings::check(values);
    if let Ok(settings) = &settings {
        report.insert("notices".to_owned(), settings.notices.clone().into());
    }
    let effective = match &settings {
        Ok(settings) => effective(settings),
        Err(error) => Err(error.clone()),
    };
    let shown = match &effective {
        Ok(effective) => effective.clone(),
        Err(error) => json!({ "error": error.message }),
    };
    report.insert("settings".to_owned(), shown);
    let settings = settings?;
    effective?;
    if !opens_keys {
        return Ok(Finding::Good);
    }
    let opened = keystores::open(&settings, None)?;
    report.insert(
        "keys".to_owned(),
        json!({ "opened": opened.keys.len(), "failed": opened.failures.len() }),
    );
    report.insert("failures".to_owned(), opened.failures.clone().into());
    let expected = settings.expect_keys.unwrap_or(0);
    if opened.failures.is_empty() && opened.keys.len() >= expected {
        Ok(Finding::Good)
    } else {
        Ok(Finding::KeysMissing)
    }
}

/// Returns every option that has a value, and where the value came from. A secret is not shown.
fn options(values: &OptionValues) -> Value {
    let mut options = Map::new();
    for row in options::rows() {
        let Some(given) = values.texts(row) else {
            continue;
        };
        let texts: Vec<&str> = given.texts.iter().map(|text| text.as_str()).collect();
        let shown = match row.form {
            ValueForm::Secret => "(hidden)".to_owned(),
            ValueForm::List => texts.join(","),
            ValueForm::Switch | ValueForm::Single | ValueForm::Path => {
                texts.last().copied().unwrap_or("").to_owned()
            }
        };
        options.insert(
            row.name.to_owned(),
            json!({ "value": shown, "origin": given.origin.to_string() }),
        );
    }
    options.into()
}

/// Returns what follows from the options together, and from the files of TLS and slashing protection.
fn effective(settings: &Settings) -> Result<Value, StartError> {
    let mut keymanager = match &settings.keymanager {
        Keymanager::Off => "off".to_owned(),
        Keymanager::Open => "open to everybody".to_owned(),
        Keymanager::AuthToken | Keymanager::Token(_) => "with the given token".to_owned(),
        Keymanager::OwnTokenFile(path) => format!("with the token in {}", path.display()),
        Keymanager::Closed => "closed: not on loopback, and no token".to_owned(),
    };
    if settings.keymanager_auth == KeymanagerAuth::ClientCertificate
        && !matches!(settings.keymanager, Keymanager::Off)
    {
        keymanager = format!("with a client certificate, or {keymanager}");
    }
    let tls = match settings.tls.clone().map(Tls::open).transpose() {
        Ok(Some(tls)) => tls.fingerprint(),
        Ok(None) => "off".to_owned(),
        Err(error) => return Err(StartError::new(exit::CONFIG, error.to_string())),
    };
    let hosts = match &settings.http.hosts {
        Some(hosts) => hosts.join(","),
        None => "*".to_owned(),
    };
    let metrics = match &settings.metrics {
        Some(metrics) => metrics.address.to_string(),
        None => "off".to_owned(),
    };
    let slashing_protection = match &settings.slashing {
        Some(slashing) => store_file(slashing)?,
        None => "off".to_owned(),
    };
    Ok(json!({
        "listen": settings.http.address.to_string(),
        "hosts": hosts,
        "metrics": metrics,
        "tls": tls,
        "keymanager": keymanager,
        "data-dir": settings.data_dir,
        "slashing-protection": slashing_protection,
        "network": settings.networks.name(),
    }))
}

/// Returns the database, or the file of the store, which is not opened: a server may be using it.
fn store_file(settings: &slashing::ProtectionSettings) -> Result<String, StartError> {
    if let Some(database) = &settings.database {
        return Ok(database.shown());
    }
    let path = settings.directory.join(slashing::DATABASE_FILE);
    match File::open(&path) {
        Ok(_) => Ok(path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(format!("{}, to be made", path.display()))
        }
        Err(error) => Err(StartError::unreadable(&path, &error)),
    }
}

fn as_text(report: &Map<String, Value>) -> String {
    let mut lines = String::new();
    for (part, content) in report {
        if content.as_array().is_some_and(Vec::is_empty) {
            continue;
        }
        lines.push_str(&format!("{part}:\n"));
        for (name, value) in content.as_object().into_iter().flatten() {
            let line = match (value.get("value"), value.get("origin")) {
                (Some(_), Some(origin)) if origin == "default" => continue,
                (Some(value), Some(origin)) => format!("{} ({})", text(value), text(origin)),
                _ => text(value),
            };
            lines.push_str(&format!("  {name}: {line}\n"));
        }
        for line in content.as_array().into_iter().flatten() {
            lines.push_str(&format!("  {}\n", text(line)));
        }
    }
    lines
}

fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    value.to_string()
}
