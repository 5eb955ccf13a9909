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

    /// Reads an option, and its value if that is the next word.
    fn read_option(
        &mut self,
        argument: &str,
        following: &mut Peekable<impl Iterator<Item = String>>,
    ) -> Result<(), StartError> {
        let (name, inline) = split(argument)?;
        let value = if let Some(value) = inline {
            value
        } else if self.is_switch(&name)? {
            following
                .next_if(|next| is_boolean(next))
                .unwrap_or_else(|| "true".to_owned())
        } else {
            following
                .next_if(|next| !next.starts_with("--"))
                .ok_or_else(|| StartError::new(exit::USAGE, format!("{argument} needs a value")))?
        };
        match subcommands::is_switch(&self.subcommand, &name) {
            Some(true) if value.eq_ignore_ascii_case("false") => {}
            Some(true) => self.subcommand.push(format!("--{name}")),
            Some(false) => self.subcommand.extend([format!("--{name}"), value]),
            None if name == options::HELP.row.name => self.text = Some(WantedText::Help),
            None if name == options::VERSION.row.name => self.text = Some(WantedText::Version),
            None => self.values.set(&name, &value, &ValueOrigin::CommandLine)?,
        }
        Ok(())
    }

    fn read_word(&mut self, word: String) -> Result<(), StartError> {
        if !self.subcommand.is_empty() {
            self.subcommand.push(word);
            return Ok(());
        }
        match word.as_str() {
            "eth2" => self.values.dialect = Dialect::Web3signer,
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

    /// Returns whether the option may stand alone. Then only `true` or `false` can follow as its value.
    fn is_switch(&self, name: &str) -> Result<bool, StartError> {
        if let Some(is_switch) = subcommands::is_switch(&self.subcommand, name) {
            return Ok(is_switch);
        }
        match known_names::find(name) {
            Some(KnownName::Option(row)) => Ok(row.form == ValueForm::Switch),
            Some(KnownName::Foreign(_)) => Ok(name.ends_with("enabled")),
            None => Err(unknown_option(name, &ValueOrigin::CommandLine)),
        }
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
    let mut rest = argument.chars();
    rest.next();
    let Some(row) = rest.next().and_then(known_names::find_short) else {
        let message = format!("{argument} is not an option");
        return Err(StartError::new(exit::USAGE, message).hint("signerd --help lists all options"));
    };
    let rest = rest.as_str();
    let value = rest.strip_prefix('=').unwrap_or(rest);
    let has_value = !rest.is_empty();
    Ok((row.name.to_owned(), has_value.then(|| value.to_owned())))
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}
