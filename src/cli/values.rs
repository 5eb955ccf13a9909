//! What the options are set to: each by the strongest layer that gives it, read as its type.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::error::{StartError, exit};
use super::known_names::{self, ForeignRule, KnownName};
use super::options;
use super::token::TokenSource;
use super::typed_option::{OptionRow, TypedOption, ValueForm};
use super::value_types::{Number, Optional, ReadableFile, Text, ValueError, ValueType};
use crate::hex;

/// The program that the command line was written for. It decides the defaults.
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
    CommandLine,
    /// This variable.
    Environment(String),
    /// This configuration file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

/// The texts that an option is set to.
#[derive(Clone)]
pub(crate) struct GivenTexts {
    /// In the order in which they were given; never empty.
    pub(crate) texts: Vec<Zeroizing<String>>,
    pub(crate) origin: ValueOrigin,
}

/// The values of all options.
pub struct OptionValues {
    /// Decides the defaults.
    pub(crate) dialect: Dialect,
    /// Lines for the log, such as the options that are ignored.
    pub(crate) notices: Vec<String>,
    given: BTreeMap<&'static str, GivenTexts>,
}

impl OptionValues {
    /// Makes values of which none is set.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            notices: Vec::new(),
            given: BTreeMap::new(),
        }
    }

    /// Reads the value of an option.
    pub(crate) fn get<V: ValueType>(
        &self,
        option: TypedOption<V>,
    ) -> Result<V::Output, StartError> {
        let texts = self
            .texts(&option.row)
            .map(|given| given.texts)
            .unwrap_or_default();
        option.value_type.read(&texts).map_err(|error| match error {
            ValueError::Expected(expected) => self.wrong(&option.row, &expected),
            ValueError::Path(error) => error.about_option(option.row.name),
        })
    }

    /// Returns whether the command line, the environment or a file sets the option.
    pub(crate) fn is_given<V>(&self, option: TypedOption<V>) -> bool {
        self.given.contains_key(option.row.name)
    }

    /// Returns the texts of an option, or its default; `None` when it is unset and has no default.
    pub(crate) fn texts(&self, row: &OptionRow) -> Option<GivenTexts> {
        if let Some(given) = self.given.get(row.name) {
            return Some(given.clone());
        }
        let default = match self.dialect {
            Dialect::Signerd => row.default,
            Dialect::Web3signer => row.eth2_default.or(row.default),
        };
        Some(GivenTexts {
            texts: vec![Zeroizing::new(default?.to_owned())],
            origin: ValueOrigin::Default,
        })
    }

    /// Reads an address to listen on. A host name stands for its first IPv4 address, else for its first.
    pub(crate) fn address(
        &self,
        host: TypedOption<Text>,
        port: TypedOption<Number<u16>>,
    ) -> Result<SocketAddr, StartError> {
        let port = self.get(port)?;
        let name = self.get(host)?;
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = (bare, port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first())
            .copied()
            .ok_or_else(|| {
                let expected = "an address of this machine, such as 127.0.0.1 or 0.0.0.0";
                self.wrong(&host.row, expected)
            })
    }

    /// Reads the token in the file that an option names. Nobody else may be able to read the file.
    pub(crate) fn token_file(
        &self,
        option: TypedOption<Optional<ReadableFile>>,
    ) -> Result<Option<TokenSource>, StartError> {
        let Some(path) = self.get(option)? else {
            return Ok(None);
        };
        let source = TokenSource::File {
            option: option.row.name,
            path,
            allow_insecure_permissions: self.get(options::ALLOW_INSECURE_PERMISSIONS)?,
        };
        source.read()?;
        Ok(Some(source))
    }

    /// Makes the error for a value that is not what the option takes. A secret is not shown.
    pub(crate) fn wrong(&self, row: &OptionRow, expected: &str) -> StartError {
        let (text, origin) = match self.texts(row) {
            Some(given) => (given.texts.last().cloned(), given.origin),
            None => (None, ValueOrigin::Default),
        };
        let text = text.unwrap_or_default();
        let shown = match row.form {
            ValueForm::Secret if text.trim().is_empty() => "a blank one".to_owned(),
            ValueForm::Secret => "(hidden)".to_owned(),
            ValueForm::Switch | ValueForm::Single | ValueForm::Path | ValueForm::List => {
                format!("{:?}", hex::shorten(&text))
            }
        };
        let option = origin.name_of(row.name);
        StartError::new(
            origin.exit_code(),
            format!("{option}: expected {expected}, got {shown}"),
        )
    }

    /// Makes the error for a value that cannot be used, with a sentence of its own.
    pub(crate) fn refused(&self, row: &OptionRow, reason: &str) -> StartError {
        let origin = match self.texts(row) {
            Some(given) => given.origin,
            None => ValueOrigin::Default,
        };
        StartError::new(
            origin.exit_code(),
            format!("{}: {reason}", origin.name_of(row.name)),
        )
    }

    /// Sets the option of that name, unless a stronger layer has set it.
    pub(super) fn set(
        &mut self,
        name: &str,
        text: &str,
        origin: &ValueOrigin,
    ) -> Result<(), StartError> {
        let row = match known_names::find(name) {
            Some(KnownName::Option(row)) => row,
            Some(KnownName::Foreign(rule)) => return self.set_foreign(name, text, origin, rule),
            None => return Err(unknown_option(name, origin)),
        };
        let given = self.given.entry(row.name).or_insert_with(|| GivenTexts {
            texts: Vec::new(),
            origin: origin.clone(),
        });
        if given.origin == *origin {
            given.texts.push(Zeroizing::new(text.to_owned()));
        }
        Ok(())
    }

    /// Takes from `weaker` what is not set yet, and its dialect.
    pub(super) fn add_weaker(&mut self, weaker: Self) {
        self.dialect = weaker.dialect;
        for (name, given) in weaker.given {
            self.given.entry(name).or_insert(given);
        }
    }

    fn set_foreign(
        &mut self,
        name: &str,
        text: &str,
        origin: &ValueOrigin,
        rule: ForeignRule,
    ) -> Result<(), StartError> {
        let option = origin.name_of(name);
        match rule {
            ForeignRule::RefuseWhenEnabled(reason)
                if name.ends_with("enabled") && !text.eq_ignore_ascii_case("false") =>
            {
                return Err(StartError::new(exit::CONFIG, format!("{option}: {reason}")));
            }
            ForeignRule::Ignore | ForeignRule::RefuseWhenEnabled(_) => {
                let notice = format!("{option} is ignored: it has no meaning here");
                if !self.notices.contains(&notice) {
                    self.notices.push(notice);
                }
            }
        }
        Ok(())
    }
}

/// Makes the error for a name that no option has.
pub(super) fn unknown_option(name: &str, origin: &ValueOrigin) -> StartError {
    let message = format!("{} is not an option", origin.name_of(name));
    let error = StartError::new(origin.exit_code(), message);
    match known_names::nearest_names(name) {
        Some(names) => {
            let dashes = match origin {
                ValueOrigin::CommandLine => "--",
                ValueOrigin::Environment(_) | ValueOrigin::File(_) | ValueOrigin::Default => "",
            };
            let names: Vec<_> = names.iter().map(|name| format!("{dashes}{name}")).collect();
            error.hint(format!("did you mean {}?", names.join(" or ")))
        }
        None => error.hint("signerd --help lists all options"),
    }
}

impl ValueOrigin {
    /// Returns how a message names an option that was given here.
    pub(super) fn name_of(&self, name: &str) -> String {
        match self {
            Self::CommandLine | Self::Default => format!("--{name}"),
            Self::Environment(variable) => variable.clone(),
            Self::File(path) => format!("{name} in {}", path.display()),
        }
    }

    /// Returns the exit code for a wrong value: the mistake is on the command line or in the configuration.
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
