//! Command line, environment and configuration file, read from one table of options.
//!
//! [`parse`] turns arguments and variables into a [`Command`]. It reads no file but the configuration file;
//! `config` checks what the options say.

mod arguments;
pub(crate) mod completions;
pub(crate) mod error;
mod help;
pub(crate) mod known_names;
mod layers;
mod manual;
pub(crate) mod options;
pub(crate) mod output;
mod running_service;
pub(crate) mod subcommands;
pub(crate) mod token;
pub(crate) mod typed_option;
pub(crate) mod value_types;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::Path;

use self::arguments::{CommandLine, WantedText};
use self::error::exit;
use self::layers::Variables;
use self::subcommands::Subcommand;
use self::values::OptionValues;

pub use self::error::StartError;
pub use self::output::print;

/// What the program was asked to do.
pub enum Command {
    /// To serve with these options.
    Serve(Box<OptionValues>),
    /// To run a subcommand.
    Run(Box<SubcommandCall>),
    /// To print this text.
    Print(String),
}

/// A subcommand, and the options of the service, which tell it what it needs to know of the service.
pub struct SubcommandCall {
    pub(crate) subcommand: Subcommand,
    pub(crate) values: OptionValues,
}

/// Reads the arguments, of which the first is the program's name, and the environment.
///
/// # Errors
/// The first mistake in arguments, environment or configuration file.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, StartError> {
    let line = CommandLine::read(arguments)?;
    match line.text {
        Some(WantedText::Help) => return Ok(Command::Print(help::help())),
        Some(WantedText::Version) => return Ok(Command::Print(help::version())),
        None => {}
    }
    let mut values = line.values;
    let variables: Variables = environment
        .into_iter()
        .map(|(name, text)| (name.to_string_lossy().into_owned(), text))
        .collect();
    if line.subcommand.is_empty() {
        layers::add_environment(&mut values, &variables)?;
        add_config_file(&mut values)?;
        return Ok(Command::Serve(Box::new(values)));
    }
    let subcommand = match subcommands::parse(&line.subcommand) {
        Ok(subcommand) => subcommand,
        Err(early) if early.status.is_ok() => return Ok(Command::Print(early.output)),
        Err(early) => return Err(subcommand_error(&line.subcommand[0], &early.output)),
    };
    if subcommand.asks_the_server()
        && let Some(running) = running_service::values_of_process_1()
    {
        values.add_weaker(running);
    }
    layers::add_environment(&mut values, &variables)?;
    add_config_file(&mut values)?;
    if subcommand.concerns_the_service() && !names_its_own_keys(&values) {
        running_service::add_installed_service(&mut values, &variables, Path::new("/"))?;
    }
    Ok(Command::Run(Box::new(SubcommandCall {
        subcommand,
        values,
    })))
}

/// Makes an error of what argh says about the words and options of a subcommand.
fn subcommand_error(name: &str, message: &str) -> StartError {
    let words: Vec<_> = message.split_whitespace().collect();
    let message = words.join(" ");
    let hint = format!("`signerd {name} --help` shows what it takes");
    StartError::new(exit::USAGE, format!("{name}: {message}")).hint(hint)
}

fn add_config_file(values: &mut OptionValues) -> Result<(), StartError> {
    match values.get(options::CONFIG_FILE)? {
        Some(path) => layers::add_file(values, path),
        None => Ok(()),
    }
}

/// Returns whether the options say themselves which keys or which configuration a subcommand works on.
fn names_its_own_keys(values: &OptionValues) -> bool {
    values.is_given(options::CONFIG_FILE)
        || values.is_given(options::DATA_DIR)
        || values.is_given(options::KEYSTORES_PATH)
        || values.is_given(options::KEYS)
        || values.is_given(options::KEY_CONFIG_PATH)
        || values.is_given(options::INTEROP_KEYS)
        || values.is_given(options::MNEMONIC_FILE)
}
