//! The command line: options of the service, and the words and options of a subcommand.
//!
//! argh would want `--flag value` and one struct for all options, while the options of the service have four
//! notations and stand on either side of the subcommand. So this module reads them, and leaves to argh what
//! belongs to a subcommand.

use std::ffi::OsString;
use std::iter::Peekable;
use std::path::Path;

use super::error::{StartError, exit};
use super::known_names::{self, KnownName};
use super::options;
use super::subcommands;
use super::typed_option::ValueForm;
use super::values::{Dialect, OptionValues, ValueOrigin, unknown_option};

/// The arguments, sorted.
pub(super) struct CommandLine {
    pub(super) values: OptionValues,
    /// The words and options of a subcommand, for argh; empty when there is none.
    pub(super) subcommand: Vec<String>,
    /// The text that is asked for instead of anything else.
    pub(super) text: Option<WantedText>,
}

/// How many values follow the name of an option.
enum ValueCount {
    /// Only `true` or `false`; none stands for `true`.
    UpToOneBoolean,
    One,
    /// All words up to the next option or command.
    Several {
        at_least_one: bool,
    },
}

/// A text that an option asks for.
#[derive(Clone, Copy)]
pub(super) enum WantedText {
    Help,
    Version,
}

impl CommandLine {
    /// Reads the program's name and what follows it.
    pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, StartError> {
        let mut arguments = arguments.into_iter();
        let program = arguments.next().unwrap_or_default();
        let is_web3signer = Path::new(&program)
            .file_stem()
            .is_some_and(|name| name == "web3signer");
        let dialect = if is_web3signer {
            Dialect::Web3signer
        } else {
            Dialect::Signerd
        };
        let mut line = Self {
            values: OptionValues::new(dialect),
            subcommand: Vec::new(),
            text: None,
        };
        let mut words = Vec::new();
        for (index, argument) in arguments.enumerate() {
            words.push(utf8(index + 1, argument)?);
        }
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            if word.starts_with('-') {
                line.read_option(&word, &mut words)?;
            } else {
                line.read_word(word)?;
            }
        }
        Ok(line)
    }

    /// Reads an option, and its values if they are the next words.
    fn read_option(
        &mut self,
        argument: &str,
        following: &mut Peekable<impl Iterator<Item = String>>,
    ) -> Result<(), StartError> {
        let (name, inline) = split(argument)?;
        let count = self.value_count(&name)?;
        let mut values = Vec::new();
        match (inline, count) {
            (Some(value), _) => values.push(value),
            (None, ValueCount::UpToOneBoolean) => {
                let value = following.next_if(|next| is_boolean(next));
                values.push(value.unwrap_or_else(|| "true".to_owned()));
            }
            (None, ValueCount::One) => {
                values.extend(following.next_if(|next| !next.starts_with("--")));
            }
            (None, ValueCount::Several { at_least_one }) => {
                if at_least_one {
                    values.extend(following.next_if(|next| !next.starts_with("--")));
                }
                if !at_least_one || !values.is_empty() {
                    values.extend(next_values(following));
                }
                if !at_least_one && values.is_empty() {
                    values.push(String::new());
                }
            }
        }
        if values.is_empty() {
            return Err(needs_a_value(argument, &name));
        }
        for value in values {
            self.set(&name, value)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), StartError> {
        match subcommands::is_switch(&self.subcommand, name) {
            Some(true) if value.eq_ignore_ascii_case("false") => {}
            Some(true) => self.subcommand.push(format!("--{name}")),
            Some(false) => self.subcommand.extend([format!("--{name}"), value]),
            None if name == options::HELP.row.name => self.text = Some(WantedText::Help),
            None if name == options::VERSION.row.name => self.text = Some(WantedText::Version),
            None => self.values.set(name, &value, &ValueOrigin::CommandLine)?,
        }
        Ok(())
    }

    fn read_word(&mut self, word: String) -> Result<(), StartError> {
        match word.as_str() {
            "eth2" => self.values.dialect = Dialect::Web3signer,
            _ if !self.subcommand.is_empty() => self.subcommand.push(word),
            "eth1" => {
                let message = "eth1: signerd holds no keys of the execution layer";
                return Err(StartError::new(exit::USAGE, message)
                    .hint("the word for validator keys is eth2"));
            }
            "help" => self.text = Some(WantedText::Help),
            "export" | "import" if self.values.dialect == Dialect::Web3signer => {
                self.subcommand = vec!["slashing".to_owned(), word];
            }
            known if subcommands::names().any(|name| name == known) => self.subcommand.push(word),
            unknown => return Err(unknown_command(unknown)),
        }
        Ok(())
    }

    /// Returns how many values follow the name of an option.
    fn value_count(&self, name: &str) -> Result<ValueCount, StartError> {
        if let Some(is_switch) = subcommands::is_switch(&self.subcommand, name) {
            return Ok(if is_switch {
                ValueCount::UpToOneBoolean
            } else {
                ValueCount::One
            });
        }
        match known_names::find(name) {
            Some(KnownName::Option(row)) => Ok(match row.form {
                ValueForm::Switch => ValueCount::UpToOneBoolean,
                ValueForm::Single | ValueForm::Path | ValueForm::Secret => ValueCount::One,
                ValueForm::List => ValueCount::Several {
                    at_least_one: !row.may_be_bare,
                },
            }),
            Some(KnownName::Foreign(_)) if name.ends_with("enabled") => {
                Ok(ValueCount::UpToOneBoolean)
            }
            Some(KnownName::Foreign(_)) if name.starts_with("metrics-categor") => {
                Ok(ValueCount::Several {
                    at_least_one: false,
                })
            }
            Some(KnownName::Foreign(_)) => Ok(ValueCount::One),
            None => Err(unknown_option(name, &ValueOrigin::CommandLine)),
        }
    }
}

/// Takes the words up to the next option, `eth2` or subcommand: Web3Signer's parser reads lists so.
fn next_values(following: &mut Peekable<impl Iterator<Item = String>>) -> Vec<String> {
    let commands = subcommands::words();
    let is_value = |word: &String| {
        !word.starts_with('-') && word != "eth2" && !commands.contains(&word.as_str())
    };
    let mut values = Vec::new();
    while let Some(value) = following.next_if(is_value) {
        if !value.is_empty() {
            values.push(value);
        }
    }
    values
}

fn needs_a_value(argument: &str, name: &str) -> StartError {
    let error = StartError::new(exit::USAGE, format!("{argument} needs a value"));
    match known_names::find(name) {
        Some(KnownName::Option(row)) => {
            error.hint(format!("for example --{name}={}", row.example()))
        }
        Some(KnownName::Foreign(_)) | None => error.hint(format!("write --{name}=VALUE")),
    }
}

fn unknown_command(word: &str) -> StartError {
    let error = StartError::new(exit::USAGE, format!("{word:?} is not a command"));
    let known = subcommands::names().chain(["eth2", "help"]);
    match known_names::nearest(word, known) {
        Some(nearest) => error.hint(format!("did you mean {}?", nearest.join(" or "))),
        None => error.hint("signerd --help lists all commands"),
    }
}

/// Reads the text of an argument. One that is not UTF-8 may be a secret: the error shows only the name of its
/// option.
fn utf8(number: usize, argument: OsString) -> Result<String, StartError> {
    argument.into_string().map_err(|bytes| {
        let lossy = bytes.to_string_lossy();
        let shown = match lossy.split_once('=') {
            Some((name, _)) if name.starts_with('-') => format!("argument {number} ({name})"),
            Some(_) | None => format!("argument {number}"),
        };
        StartError::new(exit::USAGE, format!("{shown}: expected text in UTF-8"))
    })
}

/// Splits `--name=value`, `--name`, `-nvalue`, `-n=value` or `-n` into the name and what follows it.
fn split(argument: &str) -> Result<(String, Option<String>), StartError> {
    if let Some(long) = argument.strip_prefix("--") {
        return Ok(match long.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (long.to_owned(), None),
        });
    }
    let text = argument.trim_start_matches('-');
    let name = text.split('=').next().unwrap_or(text);
    let mut letters = text.chars();
    let row = letters.next().and_then(known_names::find_short);
    let rest = letters.as_str();
    let value = rest.strip_prefix('=').unwrap_or(rest);
    let has_value = !rest.is_empty();
    match row {
        // `-port=9000` would be -p with the value `ort=9000`, and `-http-listen-port=9000` would be -h.
        Some(row)
            if known_names::find(name).is_none()
                && (row.form != ValueForm::Switch || !has_value || is_boolean(value)) =>
        {
            Ok((row.name.to_owned(), has_value.then(|| value.to_owned())))
        }
        Some(_) | None => Err(unknown_short(argument, name)),
    }
}

/// Makes the error for an argument with one dash that is not a letter of ours.
fn unknown_short(argument: &str, name: &str) -> StartError {
    let shown = argument.split('=').next().unwrap_or(argument);
    let error = StartError::new(exit::USAGE, format!("{shown} is not an option"));
    let meant = if known_names::find(name).is_some() {
        Some(vec![name])
    } else {
        known_names::nearest_names(name)
    };
    match meant {
        Some(names) if name.len() > 1 => error.hint(format!(
            "long names have two dashes: did you mean --{}?",
            names.join(" or --")
        )),
        Some(_) | None => error.hint("signerd --help lists all options"),
    }
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}
