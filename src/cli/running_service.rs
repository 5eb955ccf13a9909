//! The options of the service on this host, for the subcommands that ask it or work on its files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::arguments::CommandLine;
use super::error::StartError;
use super::layers::{self, Variables};
use super::output;
use super::values::OptionValues;

/// The configuration file of the package's unit.
const CONFIG_FILE: &str = "etc/signerd/signerd.yaml";

/// The environment of the package's unit.
const ENVIRONMENT_FILE: &str = "etc/default/signerd";

/// The variable whose words the package's unit puts on the command line.
const ARGUMENTS: &str = "SIGNERD_ARGUMENTS";

/// Reads the command line of process 1: in a container, that is the service.
pub(super) fn values_of_process_1() -> Option<OptionValues> {
    let bytes = fs::read("/proc/1/cmdline").ok()?;
    let arguments: Vec<_> = bytes
        .strip_suffix(b"\0")?
        .split(|byte| *byte == 0)
        .map(|argument| OsString::from_vec(argument.to_vec()))
        .collect();
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    if !matches!(name, "signerd" | "web3signer") {
        return None;
    }
    let line = CommandLine::read(arguments).ok()?;
    Some(line.values)
}

/// Adds what the package's unit starts the service with, below what is set already. Does nothing where the
/// package is not installed. `root` is `/`, but for tests.
pub(super) fn add_installed_service(
    values: &mut OptionValues,
    own_variables: &Variables,
    root: &Path,
) -> Result<(), StartError> {
    let config = root.join(CONFIG_FILE);
    let Some(_) = read_if_allowed(&config) else {
        return Ok(());
    };
    let environment = root.join(ENVIRONMENT_FILE);
    let mut variables = environment_file(&read_if_allowed(&environment).unwrap_or_default());
    if let Some(arguments) = variables.remove(ARGUMENTS) {
        let mut words = vec![OsString::from("signerd")];
        words.extend(
            arguments
                .to_string_lossy()
                .split_whitespace()
                .map(OsString::from),
        );
        values.add_weaker(CommandLine::read(words)?.values);
    }
    variables.retain(|name, _| !own_variables.contains_key(name));
    layers::add_environment(values, &variables)?;
    values.notices.push(format!(
        "the settings of the installed service are used: {} and {}",
        config.display(),
        environment.display()
    ));
    layers::add_file(values, config)
}

/// Reads a file of the package. One that this user may not read is left out with a line on standard error.
fn read_if_allowed(path: &PathBuf) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            output::print_error_line(format_args!(
                "note: {} is not used, because this user may not read it; sudo may",
                path.display()
            ));
            None
        }
        Err(_) => None,
    }
}

/// Reads lines of NAME=value (systemd.exec(5), EnvironmentFile=).
fn environment_file(text: &str) -> Variables {
    let mut variables = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some((name, value)) = line.split_once('=') {
            let value = value.trim();
            let unquoted = ['"', '\'']
                .into_iter()
                .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            let value = unquoted.unwrap_or(value);
            variables.insert(name.trim().to_owned(), OsString::from(value));
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::super::options;
    use super::super::values::Dialect;
    use super::*;

    #[test]
    fn the_files_of_the_package_are_weaker_than_what_is_given() {
        let root = std::env::temp_dir().join(format!("signerd-installed-{}", std::process::id()));
        for (name, text) in [
            (
                CONFIG_FILE,
                "data-dir: /var/lib/signerd\nhttp-listen-port: 8100\nmetrics-port: 8101\nlogging: warn\n",
            ),
            (
                ENVIRONMENT_FILE,
                "# a comment\nSIGNERD_METRICS_PORT=\"8102\"\nSIGNERD_LOGGING=debug\n\
                 SIGNERD_ARGUMENTS=\"eth2 --network=hoodi\"\n",
            ),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        let own = BTreeMap::from([("SIGNERD_LOGGING".to_owned(), OsString::from("error"))]);
        let mut values = OptionValues::new(Dialect::Signerd);
        layers::add_environment(&mut values, &own).expect("a level");
        add_installed_service(&mut values, &own, &root).expect("good files");
        fs::remove_dir_all(&root).expect("ours to remove");

        let port = values.get(options::HTTP_LISTEN_PORT).expect("a port");
        let metrics_port = values.get(options::METRICS_PORT).expect("a port");
        assert_eq!((port, metrics_port), (8100, 8102));
        assert_eq!(
            values.get(options::LOGGING).expect("a level"),
            log::LevelFilter::Error
        );
        assert_eq!(
            values.get(options::NETWORK).expect("a name").as_deref(),
            Some("hoodi")
        );
        assert_eq!(values.dialect, Dialect::Web3signer);
    }
}
