//! The command line, case by case: each file of `tests/cli/` is a command line, an environment and
//! files, and what the real binary makes of them.
//!
//! A case is text in sections, each after a line `-- name --`: `args` (the words of a server's command
//! line, run with `check` behind it) or `command` (run as it is), `env` (lines of NAME=value), `file
//! PATH MODE` (any number), then `report` (lines that must be printed) and `absent` (texts that must not
//! be), or `error` (all of standard error), and `exit` (a code; 0 when left out). Absolute paths lie below a fresh directory, which is
//! the working directory. A first word that ends in /web3signer is the name that the program runs by.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::{Scratch, Signer, binary, copy_binary, secured};

#[test]
fn every_case_of_the_fixtures_gives_the_expected_report_or_error() {
    let mut failures = Vec::new();
    let cases = files_of("tests/cli");
    for path in &cases {
        let text = fs::read_to_string(path).expect("a fixture is readable");
        let name = path
            .file_stem()
            .expect("a fixture has a name")
            .to_string_lossy()
            .into_owned();
        if let Err(difference) = Case::read(&text).check(&name) {
            failures.push(format!("{name}: {difference}"));
        }
    }
    assert!(cases.len() >= 60, "only {} cases were found", cases.len());
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn what_is_packaged_is_what_the_table_says() {
    for (shell, file) in [
        ("man", "packaging/signerd.1"),
        ("bash", "packaging/completions/signerd.bash"),
        ("zsh", "packaging/completions/_signerd"),
        ("fish", "packaging/completions/signerd.fish"),
    ] {
        let made = run(Command::new(binary()).args(["completions", shell]));
        let packaged = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
        assert!(
            made.stdout == packaged,
            "run `signerd completions {shell} > {file}`"
        );
    }
}

#[test]
fn the_manual_page_has_what_a_reader_looks_for() {
    let page = run(Command::new(binary()).args(["completions", "man"])).stdout;
    let page = String::from_utf8(page).expect("UTF-8");
    for title in [
        "SYNOPSIS",
        "DESCRIPTION",
        "COMMANDS",
        "OPTIONS",
        "KEY LAYOUTS",
        "EXAMPLES",
        "ENVIRONMENT",
        "FILES",
        "EXIT STATUS",
    ] {
        let (_, section) = page
            .split_once(&format!("\n.SH {title}\n"))
            .unwrap_or_else(|| panic!("{title} is missing"));
        assert!(!section.starts_with(".SH"), "{title} is empty");
    }
    let bash = run(Command::new(binary()).args(["completions", "bash"])).stdout;
    let bash = String::from_utf8(bash).expect("UTF-8");
    for words in [
        "mainnet sepolia hoodi",
        "list new",
        "export import watermark",
    ] {
        assert!(bash.contains(words), "{words}");
    }
}

#[test]
fn help_fits_into_eighty_columns_and_a_hundred_lines() {
    let help = String::from_utf8(run(Command::new(binary()).arg("--help")).stdout).expect("UTF-8");
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let lines = help.lines().count();
    assert!(lines <= 100, "{lines} lines");
    for name in [
        "--http-listen-port",
        "--keystores-path",
        "--slashing-protection-enabled",
        "healthcheck",
    ] {
        assert!(help.contains(name), "{name}");
    }
}

fn files_of(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the fixtures exist");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}

fn run(command: &mut Command) -> Output {
    command.env_clear().output().expect("the binary runs")
}

#[test]
fn each_published_launch_line_starts_a_server_that_gets_ready() {
    let paths = files_of("tests/launch");
    assert!(paths.len() >= 7, "only {} lines were found", paths.len());
    for path in paths {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let text = fs::read_to_string(&path).expect("a fixture is readable");
        let scratch = Scratch::new(&format!("launch-{name}"));
        let mut case = Case::read(&text);
        // Ports of the system's choice: the last ones given count.
        case.args.push_str(" --http-listen-port=0 --metrics-port=0");
        let signer = Signer::spawn(&mut case.command(scratch.path()));
        if case.args.contains("--tls-") {
            continue; // it listens, for clients with a certificate
        }
        for _ in 0..100 {
            if signer.client().get("/upcheck").status == 200 {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(signer.client().get("/upcheck").status, 200, "{name}");
        let keys = signer.client().get("/api/v1/eth2/publicKeys");
        assert_eq!(keys.text(), "[]", "{name}");
    }
}

#[derive(Default)]
struct Case {
    args: String,
    env: String,
    files: Vec<(String, u32, String)>,
    copies: Vec<(String, String)>,
    report: Vec<String>,
    absent: Vec<String>,
    error: Option<String>,
    exit: i32,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut sections: Vec<(Vec<&str>, String)> = Vec::new();
        for line in text.lines() {
            match line
                .strip_prefix("-- ")
                .and_then(|rest| rest.strip_suffix(" --"))
            {
                Some(title) => sections.push((title.split(' ').collect(), String::new())),
                None => sections
                    .iter_mut()
                    .last()
                    .into_iter()
                    .for_each(|(_, body)| {
                        body.push_str(line);
                        body.push('\n');
                    }),
            }
        }
        let mut case = Self::default();
        for (title, body) in sections {
            match title[..] {
                ["args"] => case.args = format!("{body} check"),
                ["command"] => case.args = body,
                // A certificate or key of tests/tls.
                ["copy", name, path] => case.copies.push((name.to_owned(), path.to_owned())),
                ["env"] => case.env = body,
                ["file", path, mode] => {
                    let mode = u32::from_str_radix(mode, 8).expect("an octal mode");
                    case.files.push((path.to_owned(), mode, body));
                }
                ["report"] => {
                    case.report = body.lines().map(|line| line.trim().to_owned()).collect()
                }
                ["absent"] => case.absent = body.lines().map(str::to_owned).collect(),
                ["error"] => case.error = Some(body),
                ["exit"] => case.exit = body.trim().parse().expect("an exit code"),
                _ => panic!("unknown section {title:?}"),
            }
        }
        case
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let root = std::env::temp_dir().join(format!("signerd-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).expect("a fresh directory");
        let output = self.command(&root).output().expect("the binary runs");
        fs::remove_dir_all(&root).expect("ours to remove");
        let clean = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&format!("{}/", root.display()), "/")
        };
        let (stdout, stderr) = (clean(&output.stdout), clean(&output.stderr));
        let everything = format!("exit {:?}\n{stderr}{stdout}", output.status.code());
        if output.status.code() != Some(self.exit) {
            return Err(format!(
                "expected exit code {}, got {everything}",
                self.exit
            ));
        }
        if self
            .error
            .as_ref()
            .is_some_and(|expected| *expected != stderr)
        {
            return Err(format!("expected {:?}, got {everything}", self.error));
        }
        for text in &self.absent {
            if stdout.contains(text) || stderr.contains(text) {
                return Err(format!("expected nothing of {text:?}, got {everything}"));
            }
        }
        let lines: Vec<_> = stdout.lines().map(str::trim).collect();
        match self
            .report
            .iter()
            .find(|line| !lines.contains(&line.as_str()))
        {
            Some(missing) => Err(format!("expected the line {missing:?}, got {everything}")),
            None => Ok(()),
        }
    }

    fn command(&self, root: &Path) -> Command {
        let below = |text: &str| {
            let slash = format!("{}/", root.display());
            text.replace("=/", &format!("={slash}"))
                .replace(" /", &format!(" {slash}"))
        };
        for (path, mode, body) in &self.files {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(&path, below(body)).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("ours");
        }
        for (name, path) in &self.copies {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::copy(secured::source(name), &path).expect("a copy");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        }
        let env: BTreeMap<String, String> = self
            .env
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        let args = below(&format!(" {}", self.args.replace('\n', " ")));
        let mut words: Vec<&str> = args.split_whitespace().collect();
        let program = words
            .first()
            .and_then(|word| word.strip_suffix("/web3signer"));
        let link = root.join("web3signer");
        let mut command = match program {
            Some(_) => {
                words.remove(0);
                copy_binary(&link);
                Command::new(&link)
            }
            None => Command::new(binary()),
        };
        command.args(words).current_dir(root).env_clear();
        command.envs(
            env.iter()
                .map(|(name, text)| (name, below(&format!("={text}"))[1..].to_owned())),
        );
        command
    }
}
