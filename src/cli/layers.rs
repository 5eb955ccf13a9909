//! The layers below the command line: the environment, then the configuration file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::{StartError, exit};
use super::known_names::{self, KnownName};
use super::options;
use super::typed_option::ValueForm;
use super::values::{OptionValues, ValueOrigin};
use crate::hex;
use crate::yaml::{self, Node};

/// The environment of the process. A name that is not UTF-8 keeps its replacement characters: it may be a
/// typing error, and is then reported.
pub(crate) type Variables = BTreeMap<String, OsString>;

/// What names of variables begin with, in order of precedence.
const ENVIRONMENT_PREFIXES: [&str; 4] =
    ["SIGNERD_", "WEB3SIGNER_ETH2_", "WEB3SIGNER_", "PY3SIGNER_"];

/// The largest configuration file: hundreds of times what all options take.
const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// The permissions by which others can read or write a file.
const OTHERS_READ_WRITE: u32 = 0o006;

/// Options that mean nothing in a configuration file.
const NOT_IN_FILES: [&str; 3] = [
    options::CONFIG_FILE.row.name,
    options::HELP.row.name,
    options::VERSION.row.name,
];

/// Sets what the variables say of options. A variable that belongs to no option is passed over, because
/// orchestrators put their own under the name of the service. One that looks like a typing error gets a line
/// in the log.
pub(super) fn add_environment(
    values: &mut OptionValues,
    variables: &Variables,
) -> Result<(), StartError> {
    for prefix in ENVIRONMENT_PREFIXES {
        for (variable, text) in variables {
            if let Some(name) = variable.strip_prefix(prefix)
                && !is_service_link(variable, text)
            {
                let name = name.to_ascii_lowercase().replace('_', "-");
                add_variable(values, prefix, &name, variable, text)?;
            }
        }
    }
    if variables.contains_key("JAVA_OPTS") {
        values
            .notices
            .push("JAVA_OPTS is ignored: signerd does not run on Java".to_owned());
    }
    Ok(())
}

/// Returns whether Kubernetes, or Docker's links, set the variable to describe a service. For one named
/// `signerd` there are SIGNERD_SERVICE_HOST, SIGNERD_SERVICE_PORT, SIGNERD_SERVICE_PORT_HTTP,
/// SIGNERD_PORT=tcp://10.0.0.1:9000 and SIGNERD_PORT_9000_TCP, the last also with _PROTO, _PORT or _ADDR behind.
/// (Kubernetes documentation, "Environment variables" of a Service.)
fn is_service_link(variable: &str, text: &OsString) -> bool {
    if variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
    {
        return true;
    }
    if variable.ends_with("_PORT") {
        let is_url = |scheme| text.to_string_lossy().starts_with(scheme);
        if ["tcp://", "udp://", "sctp://"].into_iter().any(is_url) {
            return true;
        }
    }
    let Some((_, port)) = variable.rsplit_once("_PORT_") else {
        return false;
    };
    let mut parts = port.split('_');
    let has_number = parts.next().is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    has_number && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
}

/// Sets the option `name` to what the variable says, if there is such an option.
fn add_variable(
    values: &mut OptionValues,
    prefix: &str,
    name: &str,
    variable: &str,
    text: &OsString,
) -> Result<(), StartError> {
    let Some(known) = known_names::find(name) else {
        if !text.is_empty()
            && !name.starts_with("eth2-")
            && let Some(nearest) = known_names::nearest_names(name)
        {
            let meant: Vec<_> = nearest
                .iter()
                .map(|name| format!("{prefix}{}", name.to_ascii_uppercase().replace('-', "_")))
                .collect();
            values.notices.push(format!(
                "{variable} is not the name of an option: did you mean {}?",
                meant.join(" or ")
            ));
        }
        return Ok(());
    };
    let row = match known {
        KnownName::Option(row) => Some(row),
        KnownName::Foreign(_) => None,
    };
    let Some(text) = text.to_str() else {
        let shown = if row.is_some_and(|row| row.form == ValueForm::Secret) {
            "(hidden)".to_owned()
        } else {
            format!("{:?}", hex::shorten(&text.to_string_lossy()))
        };
        let message = format!("{variable}: expected text in UTF-8, got {shown}");
        return Err(StartError::new(exit::CONFIG, message));
    };
    // An empty variable counts as unset. Where an option restricts access that would leave the signer open,
    // so the empty text is read there, and refused.
    if text.is_empty() && !row.is_some_and(|row| row.restricts_access) {
        return Ok(());
    }
    values.set(name, text, &ValueOrigin::Environment(variable.to_owned()))
}

/// Sets what the configuration file says.
pub(super) fn add_file(values: &mut OptionValues, path: PathBuf) -> Result<(), StartError> {
    let (text, mode) = read_config(&path).map_err(|error| StartError::unreadable(&path, &error))?;
    let fault = |reason: String| {
        StartError::new(exit::CONFIG, format!("{}: {reason}", path.display()))
            .hint("write one line `name: value` for each option, its name without dashes")
    };
    let entries = yaml::map(&text).map_err(|error| fault(error.to_string()))?;
    let origin = ValueOrigin::File(path.clone());
    let mut exposed_secret = None;
    let mut keys_by_option: BTreeMap<&'static str, String> = BTreeMap::new();
    for (key, entry) in entries {
        let name = key.strip_prefix("eth2.").unwrap_or(&key);
        if let Some(KnownName::Option(row)) = known_names::find(name) {
            if NOT_IN_FILES.contains(&row.name) {
                return Err(fault(format!("{key}: this option is for the command line")));
            }
            if matches!(entry, Node::List(_)) && row.form != ValueForm::List {
                return Err(fault(format!("{key}: expected one value, got a list")));
            }
            if row.form == ValueForm::Secret && mode & OTHERS_READ_WRITE != 0 {
                exposed_secret = Some(origin.name_of(&key));
            }
            if let Some(other) = keys_by_option.insert(row.name, key.clone()) {
                let reason =
                    format!("{other} and {key} are two names of one option: expected one of them");
                return Err(fault(reason));
            }
        }
        let texts = match entry {
            Node::List(nodes) => nodes,
            Node::Text(_) | Node::Map(_) => vec![entry],
        };
        for node in texts {
            let Some(text) = node.text() else {
                let reason = format!("{key}: expected a value, or a list of values");
                return Err(fault(reason));
            };
            values.set(name, text, &origin)?;
        }
    }
    if let Some(option) = exposed_secret {
        refuse_exposed_secret(values, &option, &path)?;
    }
    Ok(())
}

/// Refuses a secret in a configuration file that others can read, as a token file would be.
fn refuse_exposed_secret(
    values: &mut OptionValues,
    option: &str,
    path: &Path,
) -> Result<(), StartError> {
    let message = format!("{option}: others can read or write this file");
    if values.get(options::ALLOW_INSECURE_PERMISSIONS)? {
        values.notices.push(message);
        return Ok(());
    }
    let hint = format!("run: chmod o= '{}'", path.display());
    Err(StartError::new(exit::PERMISSION, message).hint(hint))
}

/// Reads the text of a configuration file, and its permissions.
fn read_config(path: &Path) -> io::Result<(Zeroizing<String>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut text = Zeroizing::new(String::new());
    let length = file
        .take(CONFIG_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if length as u64 > CONFIG_FILE_BYTES_MAX {
        let expected = format!("expected at most {CONFIG_FILE_BYTES_MAX} bytes");
        return Err(io::Error::other(expected));
    }
    Ok((text, mode))
}
