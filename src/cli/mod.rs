//! Command line, environment and file, from one table of options.
//!
//! `parse` is pure but for the files that the options name: arguments and variables in, a `Command`
//! whose settings are fully checked out.

mod check;
mod client;
mod commands;
pub(crate) mod error;
pub(crate) mod layers;
mod manual;
mod offline;
mod output;
mod read;
mod slashing;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::config::Settings;
use crate::critical_thread;
use crate::keys::arena;
use crate::service;
use commands::Subcommand;
use error::{StartError, exit};
use layers::{Dialect, ValueOrigin, Values};
pub(crate) use read::{TokenSource, read_token};
use table::{Kind, Meaning};

/// What the program was asked to do: to serve, to run a short command with the options of the service that
/// it may need, or to print a text.
enum Command {
    Serve(Box<Settings>),
    Run(Subcommand, Box<Values>),
    Print(String),
}

/// Does what arguments (the program's name first) and environment ask for, to the exit code. Why it ends
/// before it served goes to standard error.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let done = run_command(arguments, environment);
    done.unwrap_or_else(|usage| {
        critical_thread::write_last(&usage.to_string());
        ExitCode::from(usage.code)
    })
}

fn run_command(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<ExitCode, StartError> {
    // Before anything else: arguments and environment may hold a token, and files will.
    arena::harden().map_err(|error| {
        StartError::new(
            exit::OS,
            format!("core dumps cannot be switched off: {error}"),
        )
        .hint("allow prctl(2) and setrlimit(2): a filter of system calls forbids them")
    })?;
    match parse(arguments, environment)? {
        Command::Serve(settings) => service::run(*settings),
        Command::Run(subcommand, values) => commands::run(&subcommand, &values).map(ExitCode::from),
        Command::Print(text) => output::print(text).map(|()| ExitCode::SUCCESS),
    }
}

fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, StartError> {
    // A name that is not UTF-8 is none of ours, but may be a slip: it keeps its replacement characters.
    let variables: BTreeMap<String, OsString> = environment
        .into_iter()
        .map(|(name, text)| (name.to_string_lossy().into_owned(), text))
        .collect();
    let mut line = CommandLine::read(arguments.into_iter())?;
    if let Some(text) = line.text.take() {
        return Ok(Command::Print(text));
    }
    let subcommand = match line.command.is_empty() {
        true => None,
        false => match commands::parse(&line.command) {
            Ok(subcommand) => Some(subcommand),
            Err(early) if early.status.is_ok() => return Ok(Command::Print(early.output)),
            Err(early) => {
                let words: Vec<_> = early.output.split_whitespace().collect();
                return Err(StartError::new(exit::USAGE, words.join(" ")));
            }
        },
    };
    let mut values = line.values;
    if subcommand.as_ref().is_some_and(Subcommand::asks_the_server) {
        values.add_beneath(commands::server_of_this_container());
    }
    values.add_environment(&variables)?;
    values.add_file()?;
    values.finish()?;
    Ok(match subcommand {
        None => Command::Serve(Box::new(Settings::check(&values)?)),
        Some(subcommand) => Command::Run(subcommand, Box::new(values)),
    })
}

/// The arguments, sorted: options of the service, and the words and options of a subcommand.
pub(crate) struct CommandLine {
    pub(crate) values: Values,
    command: Vec<String>,
    text: Option<String>,
}

impl CommandLine {
    /// Reads the program's name and what follows it.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, StartError> {
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
            values: Values::new(dialect),
            command: Vec::new(),
            text: None,
        };
        let arguments = arguments
            .enumerate()
            .map(|(index, argument)| utf8(index + 1, argument))
            .collect::<Result<Vec<_>, _>>()?;
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let Some((name, inline)) = split(&argument)? else {
                line.word(argument)?;
                continue;
            };
            let text = match (inline, line.is_switch(&name)?) {
                (Some(text), _) => text,
                (None, true) => arguments
                    .next_if(|next| is_boolean(next))
                    .unwrap_or_else(|| "true".into()),
                (None, false) => arguments
                    .next_if(|next| !next.starts_with("--"))
                    .ok_or_else(|| {
                        StartError::new(exit::USAGE, format!("{argument} needs a value"))
                    })?,
            };
            line.option(&name, text)?;
        }
        Ok(line)
    }

    fn option(&mut self, name: &str, text: String) -> Result<(), StartError> {
        if let Some(switch) = commands::is_switch(&self.command, name) {
            match switch {
                true if text.eq_ignore_ascii_case("false") => {}
                true => self.command.push(format!("--{name}")),
                false => self.command.extend([format!("--{name}"), text]),
            }
        } else if name == "help" {
            self.text = Some(manual::help());
        } else if name == "version" {
            self.text = Some(manual::version());
        } else {
            self.values.set(name, &text, &ValueOrigin::CommandLine)?;
        }
        Ok(())
    }

    fn word(&mut self, word: String) -> Result<(), StartError> {
        match word.as_str() {
            _ if !self.command.is_empty() => self.command.push(word),
            "eth2" => self.values.dialect = Dialect::Web3signer,
            "eth1" => {
                return Err(StartError::new(
                    exit::USAGE,
                    "eth1: execution layer keys are not held here",
                )
                .hint("the word for validator keys is eth2"));
            }
            "help" => self.text = Some(manual::help()),
            "export" | "import" if self.values.dialect == Dialect::Web3signer => {
                self.command = vec!["slashing".to_owned(), word];
            }
            known if commands::names().any(|name| name == known) => self.command.push(word),
            unknown => {
                let usage = StartError::new(exit::USAGE, format!("{unknown:?} is no command"));
                let known = commands::names().chain(["eth2", "help"]);
                return Err(match table::nearest(unknown, known) {
                    Some(nearest) => usage.hint(format!("did you mean {nearest}?")),
                    None => usage.hint("signerd --help lists all commands"),
                });
            }
        }
        Ok(())
    }

    /// Whether the option may stand alone: then only `true` or `false` follow as its value.
    fn is_switch(&self, name: &str) -> Result<bool, StartError> {
        if let Some(switch) = commands::is_switch(&self.command, name) {
            return Ok(switch);
        }
        match table::find(name).ok_or_else(|| layers::unknown(name, &ValueOrigin::CommandLine))? {
            Meaning::Option(row) => Ok(row.kind == Kind::Switch),
            Meaning::Foreign(_) => Ok(name.ends_with("enabled")),
        }
    }
}

/// The text of an argument. One that is not UTF-8 may be a secret: only the name of its option is shown.
fn utf8(number: usize, argument: OsString) -> Result<String, StartError> {
    argument.into_string().map_err(|bytes| {
        let lossy = bytes.to_string_lossy();
        let option = lossy.split_once('=').map(|(name, _)| name);
        let shown = match option.filter(|name| name.starts_with('-')) {
            Some(name) => format!("argument {number} ({name})"),
            None => format!("argument {number}"),
        };
        StartError::new(exit::USAGE, format!("{shown}: expected text in UTF-8"))
    })
}

/// Name and value of `--name=value`, `--name`, `-nvalue`, `-n=value`, `-n`; nothing of a word.
fn split(argument: &str) -> Result<Option<(String, Option<String>)>, StartError> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, text) = long
            .split_once('=')
            .map_or((long, None), |(name, text)| (name, Some(text)));
        return Ok(Some((name.to_owned(), text.map(str::to_owned))));
    }
    let Some(rest) = argument.strip_prefix('-') else {
        return Ok(None);
    };
    let mut rest = rest.chars();
    let row = rest.next().and_then(table::short).ok_or_else(|| {
        StartError::new(exit::USAGE, format!("{argument} is no option"))
            .hint("signerd --help lists all options")
    })?;
    let text = rest.as_str();
    let text = text
        .strip_prefix('=')
        .or((!text.is_empty()).then_some(text));
    Ok(Some((row.name.to_owned(), text.map(str::to_owned))))
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}
