//! Command line over environment over `--config-file` over default: one value per option, which
//! remembers where it came from.
//!
//! The options of the service exist in four notations, so the table reads them; argh, which wants
//! `--flag value` and a struct per command, parses what stands behind the word of a subcommand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::{StartError, exit};
use super::table::{self, Fate, Kind, Meaning};
use crate::hex;
use crate::yaml::{self, Node};

/// Which program the command line was written for; decides defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our own, with py3signer's options.
    Signerd,
    /// With the word `eth2`, or run under the name `web3signer`.
    Web3signer,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueOrigin {
    /// An argument.
    CommandLine,
    /// This variable.
    Environment(String),
    /// The configuration file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

/// What an option is set to.
#[derive(Clone)]
pub(crate) struct Value {
    /// Every text that was given; the last one counts, unless the option is a list.
    pub(crate) texts: Vec<Zeroizing<String>>,
    /// By whom.
    pub(crate) origin: ValueOrigin,
}

/// All options, layered.
pub(crate) struct Values {
    /// Decides the defaults.
    pub(crate) dialect: Dialect,
    /// What is worth a line of log: options that were ignored.
    pub(crate) notices: Vec<String>,
    set: BTreeMap<&'static str, Value>,
    database: Option<String>,
    /// The secret in a configuration file that others can read, as messages name it, and the file.
    exposed_secret: Option<(String, PathBuf)>,
}

/// The largest configuration file: hundreds of times what all options take.
const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// The permissions by which others can read or write a file.
const OTHERS_READ_WRITE: u32 = 0o006;

impl Values {
    /// Nothing set.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            notices: Vec::new(),
            set: BTreeMap::new(),
            database: None,
            exposed_secret: None,
        }
    }

    /// The value of an option, by its canonical name; `None` when unset and without default.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let row = table::named(name);
        self.set.get(name).cloned().or_else(|| {
            let eth2 = row
                .eth2_default
                .filter(|_| self.dialect == Dialect::Web3signer);
            let default = eth2.unwrap_or(row.default);
            let texts = || vec![Zeroizing::new(default.to_owned())];
            (!default.is_empty()).then(|| Value {
                texts: texts(),
                origin: ValueOrigin::Default,
            })
        })
    }

    /// The last text that an option is set to.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.texts.last().map(|text| text.to_string())
    }

    /// What a switch is set to.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, StartError> {
        match self
            .text(name)
            .map(|text| text.to_ascii_lowercase())
            .as_deref()
        {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// The error for a value that is not what the option takes. A secret is not shown.
    pub(crate) fn wrong(&self, name: &str, expected: &str) -> StartError {
        let origin = self
            .value(name)
            .map_or(ValueOrigin::Default, |value| value.origin);
        let text = hex::shorten(&self.text(name).unwrap_or_default());
        let shown = match table::named(name).kind {
            Kind::Secret(_) => "(hidden)".to_owned(),
            Kind::Switch | Kind::Value(_) | Kind::Path(_) | Kind::List(_) => format!("{text:?}"),
        };
        let option = origin.option(name);
        StartError::new(
            origin.exit_code(),
            format!("{option}: expected {expected}, got {shown}"),
        )
    }

    /// Sets what `name` means, unless a stronger layer has set it.
    pub(crate) fn set(
        &mut self,
        name: &str,
        text: &str,
        origin: &ValueOrigin,
    ) -> Result<(), StartError> {
        match table::find(name).ok_or_else(|| unknown(name, origin))? {
            Meaning::Option(row) => {
                let new = || Value {
                    texts: Vec::new(),
                    origin: origin.clone(),
                };
                let value = self.set.entry(row.name).or_insert_with(new);
                if value.origin == *origin {
                    value.texts.push(Zeroizing::new(text.to_owned()));
                }
            }
            Meaning::Foreign(fate) => self.foreign(name, text, origin, fate)?,
        }
        Ok(())
    }

    /// Takes from `other` what is not set yet, and its dialect.
    pub(super) fn add_beneath(&mut self, other: Option<Values>) {
        let Some(other) = other else { return };
        self.dialect = other.dialect;
        for (name, value) in other.set {
            self.set.entry(name).or_insert(value);
        }
    }

    /// Reads the variables that belong to options. One that does not is passed over, for orchestrators
    /// put their own under the name of the service; a slip of the finger gets a line in the log.
    pub(crate) fn add_environment(
        &mut self,
        variables: &BTreeMap<String, OsString>,
    ) -> Result<(), StartError> {
        for prefix in table::ENVIRONMENT_PREFIXES {
            for (variable, text) in variables {
                if let Some(name) = variable.strip_prefix(prefix) {
                    let name = name.to_ascii_lowercase().replace('_', "-");
                    self.add_variable(&name, variable, text)?;
                }
            }
        }
        if variables.contains_key("JAVA_OPTS") {
            self.notices
                .push("JAVA_OPTS is ignored: there is no Java in here".to_owned());
        }
        Ok(())
    }

    /// Sets what the variable says of the option `name`, if there is such an option.
    fn add_variable(
        &mut self,
        name: &str,
        variable: &str,
        text: &OsString,
    ) -> Result<(), StartError> {
        let Some(meaning) = table::find(name) else {
            let meant = table::nearest_row(name).filter(|_| !name.starts_with("eth2-"));
            if let Some(meant) = meant.filter(|_| !text.is_empty()) {
                self.notices.push(format!(
                    "{variable} is no option: did you mean that of {meant}?"
                ));
            }
            return Ok(());
        };
        let Some(text) = text.to_str() else {
            let message = match meaning {
                Meaning::Option(row) if matches!(row.kind, Kind::Secret(_)) => {
                    format!("{variable}: expected text in UTF-8, got (hidden)")
                }
                Meaning::Option(_) | Meaning::Foreign(_) => {
                    let shown = text.to_string_lossy();
                    format!(
                        "{variable}: expected text in UTF-8, got {:?}",
                        hex::shorten(&shown)
                    )
                }
            };
            return Err(StartError::new(exit::CONFIG, message));
        };
        // An empty variable is no value. Where an option restricts access, it is a slip that would leave
        // the signer open: there it is read, and refused.
        if text.is_empty() && !table::restricts_access(name) {
            return Ok(());
        }
        // Kubernetes describes a service named `signerd` by SIGNERD_PORT=tcp://….
        if name.ends_with("port") && text.starts_with("tcp://") {
            return Ok(());
        }
        self.set(name, text, &ValueOrigin::Environment(variable.to_owned()))
    }

    /// Reads `--config-file`, when there is one.
    pub(crate) fn add_file(&mut self) -> Result<(), StartError> {
        let Some(path) = self.path("config-file") else {
            return Ok(());
        };
        let (text, mode) =
            read_config(&path).map_err(|error| StartError::unreadable(&path, &error))?;
        let fault = |error: &dyn fmt::Display| {
            StartError::new(exit::CONFIG, format!("{}: {error}", path.display()))
                .hint("write one line `name: value` for each option, its name without dashes")
        };
        let entries = yaml::map(&text).map_err(|error| fault(&error))?;
        let origin = ValueOrigin::File(path.clone());
        let mut keys_by_option: BTreeMap<&'static str, String> = BTreeMap::new();
        for (key, entry) in entries {
            let name = key.strip_prefix("eth2.").unwrap_or(&key);
            if let Some(Meaning::Option(row)) = table::find(name) {
                if FILE_REFUSES.contains(&row.name) {
                    let reason = format!("{key}: this option is for the command line");
                    return Err(fault(&reason));
                }
                if matches!(entry, Node::List(_)) && !matches!(row.kind, Kind::List(_)) {
                    return Err(fault(&format_args!(
                        "{key}: expected one value, got a list"
                    )));
                }
                if matches!(row.kind, Kind::Secret(_)) && mode & OTHERS_READ_WRITE != 0 {
                    self.exposed_secret = Some((origin.option(&key), path.clone()));
                }
                if let Some(other) = keys_by_option.insert(row.name, key.clone()) {
                    return Err(fault(&format_args!(
                        "{other} and {key} are two names of one option: expected one of them"
                    )));
                }
            }
            let values = if let Node::List(values) = entry {
                values
            } else {
                vec![entry]
            };
            for value in values {
                let value = value.text().ok_or_else(|| {
                    fault(&format_args!(
                        "{key}: expected a value, or a list of values"
                    ))
                })?;
                self.set(name, value, &origin)?;
            }
        }
        Ok(())
    }

    /// What remains to be said once all layers are read.
    pub(crate) fn finish(&mut self) -> Result<(), StartError> {
        self.refuse_exposed_secret()?;
        let Some(option) = self.database.take() else {
            return Ok(());
        };
        let ignored = self.switch("slashing-protection-db-ignore")? == Some(true);
        if ignored || self.switch("slashing-protection-enabled")? == Some(false) {
            self.notices.push(format!(
                "{option} is ignored: a data directory keeps slashing protection here"
            ));
            return Ok(());
        }
        let message = format!("{option}: there is no database client in here");
        Err(StartError::new(exit::CONFIG, message).hint(
            "slashing protection is a file in --data-dir: move the data with `signerd slashing import`, \
             then give --slashing-protection-db-ignore",
        ))
    }

    /// A secret in a configuration file that others can read is refused, as a file of its own would be.
    fn refuse_exposed_secret(&mut self) -> Result<(), StartError> {
        let Some((option, path)) = self.exposed_secret.take() else {
            return Ok(());
        };
        let message = format!("{option}: others can read or write this file");
        if self.on("allow-insecure-permissions")? {
            self.notices.push(message);
            return Ok(());
        }
        let hint = format!("run: chmod o= '{}'", path.display());
        Err(StartError::new(exit::PERMISSION, message).hint(hint))
    }

    fn foreign(
        &mut self,
        name: &str,
        text: &str,
        origin: &ValueOrigin,
        fate: Fate,
    ) -> Result<(), StartError> {
        let option = origin.option(name);
        match fate {
            Fate::RefusedWhenEnabled(reason)
                if name.ends_with("enabled") && !text.eq_ignore_ascii_case("false") =>
            {
                return Err(StartError::new(exit::CONFIG, format!("{option}: {reason}")));
            }
            Fate::Database => self.database = self.database.take().or(Some(option)),
            Fate::Ignored | Fate::RefusedWhenEnabled(_) => {
                let notice = format!("{option} is ignored: it has no meaning here");
                self.notices.retain(|known| *known != notice);
                self.notices.push(notice);
            }
        }
        Ok(())
    }
}

/// Options that mean nothing in a configuration file.
const FILE_REFUSES: [&str; 3] = ["config-file", "help", "version"];

/// The text of a configuration file, and its permissions.
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

pub(super) fn unknown(name: &str, origin: &ValueOrigin) -> StartError {
    let usage = StartError::new(
        origin.exit_code(),
        format!("{} is no option", origin.option(name)),
    );
    match table::nearest_row(name) {
        Some(nearest) => usage.hint(format!("did you mean {nearest}?")),
        None => usage.hint("signerd --help lists all options"),
    }
}

impl ValueOrigin {
    /// How a message names an option that was given here.
    fn option(&self, name: &str) -> String {
        match self {
            Self::CommandLine | Self::Default => format!("--{name}"),
            Self::Environment(variable) => variable.clone(),
            Self::File(path) => format!("{} in {}", name, path.display()),
        }
    }

    /// Where the mistake is: on the command line, or in the configuration.
    fn exit_code(&self) -> u8 {
        match self {
            Self::CommandLine => exit::USAGE,
            Self::Environment(_) | Self::File(_) | Self::Default => exit::CONFIG,
        }
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}
