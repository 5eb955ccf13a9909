//! Command line over environment over `--config-file` over default: one value per option, which
//! remembers where it came from.
//!
//! The options of the service exist in four notations, so the table reads them; argh, which wants
//! `--flag value` and a struct per command, parses what stands behind the word of a subcommand.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::table::{self, Fate, Kind, Meaning};
use super::{Usage, exit};
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
pub(crate) enum Origin {
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
    pub(crate) origin: Origin,
}

/// All options, layered.
pub(crate) struct Values {
    /// Decides the defaults.
    pub(crate) dialect: Dialect,
    /// What is worth a line of log: options that were ignored.
    pub(crate) notices: Vec<String>,
    set: BTreeMap<&'static str, Value>,
    database: Option<String>,
}

impl Values {
    /// Nothing set.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            notices: Vec::new(),
            set: BTreeMap::new(),
            database: None,
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
                origin: Origin::Default,
            })
        })
    }

    /// The last text that an option is set to.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.texts.last().map(|text| text.to_string())
    }

    /// What a switch is set to.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, Usage> {
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
    pub(crate) fn wrong(&self, name: &str, expected: &str) -> Usage {
        let origin = self
            .value(name)
            .map_or(Origin::Default, |value| value.origin);
        let text = hex::shorten(&self.text(name).unwrap_or_default());
        let shown = match table::named(name).kind {
            Kind::Secret(_) => "(hidden)".to_owned(),
            Kind::Switch | Kind::Value(_) | Kind::Path(_) | Kind::List(_) => format!("{text:?}"),
        };
        let option = origin.option(name);
        Usage::new(
            origin.exit_code(),
            format!("{option}: expected {expected}, got {shown}"),
        )
    }

    /// Sets what `name` means, unless a stronger layer has set it.
    pub(crate) fn set(&mut self, name: &str, text: &str, origin: &Origin) -> Result<(), Usage> {
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
        variables: &BTreeMap<String, String>,
    ) -> Result<(), Usage> {
        for prefix in table::ENVIRONMENT_PREFIXES {
            for (variable, text) in variables {
                let Some(name) = variable.strip_prefix(prefix).filter(|_| !text.is_empty()) else {
                    continue;
                };
                let name = name.to_ascii_lowercase().replace('_', "-");
                if table::find(&name).is_some() {
                    // Kubernetes describes a service named `signerd` by SIGNERD_PORT=tcp://….
                    if !(name.ends_with("port") && text.starts_with("tcp://")) {
                        self.set(&name, text, &Origin::Environment(variable.clone()))?;
                    }
                } else if let Some(meant) =
                    table::nearest_row(&name).filter(|_| !name.starts_with("eth2-"))
                {
                    self.notices.push(format!(
                        "{variable} is no option: did you mean that of {meant}?"
                    ));
                }
            }
        }
        if variables.contains_key("JAVA_OPTS") {
            self.notices
                .push("JAVA_OPTS is ignored: there is no Java in here".to_owned());
        }
        Ok(())
    }

    /// Reads `--config-file`, when there is one.
    pub(crate) fn add_file(&mut self) -> Result<(), Usage> {
        let Some(path) = self.text("config-file").map(PathBuf::from) else {
            return Ok(());
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| Usage::unreadable(&path, &error))?;
        let fault = |error: &dyn fmt::Display| {
            Usage::new(exit::CONFIG, format!("{}: {error}", path.display()))
                .hint("write one line `name: value` for each option, its name without dashes")
        };
        let entries = yaml::map(&text).map_err(|error| fault(&error))?;
        let origin = Origin::File(path.clone());
        for (key, entry) in entries {
            let name = key.strip_prefix("eth2.").unwrap_or(&key);
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

    /// What remains to be said of foreign options once all layers are read.
    pub(crate) fn finish(&mut self) -> Result<(), Usage> {
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
        Err(Usage::new(exit::CONFIG, message).hint(
            "slashing protection is a file in --data-dir: move the data with `signerd slashing import`, \
             then give --slashing-protection-db-ignore",
        ))
    }

    fn foreign(
        &mut self,
        name: &str,
        text: &str,
        origin: &Origin,
        fate: Fate,
    ) -> Result<(), Usage> {
        let option = origin.option(name);
        match fate {
            Fate::RefusedWhenEnabled(reason)
                if name.ends_with("enabled") && !text.eq_ignore_ascii_case("false") =>
            {
                return Err(Usage::new(exit::CONFIG, format!("{option}: {reason}")));
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

pub(super) fn unknown(name: &str, origin: &Origin) -> Usage {
    let usage = Usage::new(
        origin.exit_code(),
        format!("{} is no option", origin.option(name)),
    );
    match table::nearest_row(name) {
        Some(nearest) => usage.hint(format!("did you mean {nearest}?")),
        None => usage.hint("signerd --help lists all options"),
    }
}

impl Origin {
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

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}
