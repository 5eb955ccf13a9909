//! `check`: what the server would do with these options and files, without doing it.

use std::fs::File;
use std::io::ErrorKind;

use serde_json::{Map, Value, json};

use super::error::{StartError, exit};
use super::layers::Values;
use super::table::{self, Kind};
use super::{offline, output};
use crate::config::{Keymanager, Settings};
use crate::server::tls::Tls;
use crate::slashing;

/// Prints the report; its exit code is that of the first thing that is wrong. Without `keys`, no keystore
/// is opened.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn run(values: &Values, json: bool, keys: bool) -> Result<u8, StartError> {
    let mut report = Map::new();
    report.insert("options".to_owned(), options(values));
    report.insert("notices".to_owned(), values.notices.clone().into());
    let settings = Settings::check(values);
    if let Ok(settings) = &settings {
        report.insert("notices".to_owned(), settings.notices.clone().into());
    }
    let settings =
        settings.and_then(|settings| effective(&settings).map(|outcome| (settings, outcome)));
    let outcome = match &settings {
        Ok((_, outcome)) => outcome.clone(),
        Err(usage) => json!({ "error": usage.message }),
    };
    report.insert("settings".to_owned(), outcome);
    let open = |settings: &Settings| keys.then(|| offline::open(settings, None)).transpose();
    let opened = settings.and_then(|(settings, _)| open(&settings));
    if let Ok(Some(opened)) = &opened {
        report.insert(
            "keys".to_owned(),
            json!({ "opened": opened.keys.len(), "failed": opened.failures.len() }),
        );
        report.insert("failures".to_owned(), opened.failures.clone().into());
    }
    if json {
        output::print_line(format_args!("{:#}", Value::Object(report)))?;
    } else {
        output::print(as_text(&report))?;
    }
    let Some(opened) = opened? else { return Ok(0) };
    let expected = values.count("expect-keys", 0..=u64::MAX)?.unwrap_or(0);
    match opened.failures.is_empty() && opened.keys.len() >= expected {
        true => Ok(0),
        false => Ok(exit::UNHEALTHY),
    }
}

/// Every option that has a value, and where it came from. A secret is not shown.
fn options(values: &Values) -> Value {
    let mut options = Map::new();
    for row in table::rows() {
        let Some(value) = values.value(row.name) else {
            continue;
        };
        let texts: Vec<&str> = value.texts.iter().map(|text| text.as_str()).collect();
        let shown = match row.kind {
            Kind::Secret(_) => "(hidden)".to_owned(),
            Kind::List(_) => texts.join(","),
            Kind::Switch | Kind::Value(_) | Kind::Path(_) => {
                texts.last().copied().unwrap_or("").to_owned()
            }
        };
        options.insert(
            row.name.to_owned(),
            json!({ "value": shown, "origin": value.origin.to_string() }),
        );
    }
    options.into()
}

/// What follows from the options together, and from the files of TLS and slashing protection.
fn effective(settings: &Settings) -> Result<Value, StartError> {
    let keymanager = match &settings.keymanager {
        Keymanager::Off => "off".to_owned(),
        Keymanager::Open => "open to everybody".to_owned(),
        Keymanager::AuthToken | Keymanager::Token(_) => "with the given token".to_owned(),
        Keymanager::OwnTokenFile(path) => format!("with the token in {}", path.display()),
        Keymanager::Closed => "closed: not on loopback, and no token".to_owned(),
    };
    let tls = settings.tls.clone().map(Tls::open).transpose();
    let tls = tls.map_err(|error| StartError::new(exit::CONFIG, error.to_string()))?;
    let http = &settings.http;
    Ok(json!({
        "listen": http.address.to_string(),
        "hosts": http.hosts.as_ref().map_or("*".to_owned(), |hosts| hosts.join(",")),
        "metrics": settings.metrics.as_ref().map_or("off".to_owned(), |metrics| metrics.address.to_string()),
        "tls": tls.map_or("off".to_owned(), |tls| tls.fingerprint()),
        "keymanager": keymanager,
        "data-dir": settings.data_dir,
        "slashing-protection": settings.slashing.as_ref().map_or(Ok("off".to_owned()), store)?,
        "network": settings.networks.name(),
    }))
}

/// The file of the store; a server may be using it, so that it is not opened as one.
fn store(wanted: &slashing::ProtectionSettings) -> Result<String, StartError> {
    let path = wanted.directory.join(slashing::DATABASE_FILE);
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
        lines.push_str(&format!("{part}:\n"));
        for (name, value) in content.as_object().into_iter().flatten() {
            let line = match (value.get("value"), value.get("origin")) {
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
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
