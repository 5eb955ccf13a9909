//! `--help` and the manual page, made from the table of options and the subcommands.

use super::options::{self, GROUPS};
use super::subcommands;
use super::typed_option::{OptionRow, ValueForm};

const USAGE: &str = "\
Usage: signerd [options]                 serve, with py3signer's defaults
       signerd [options] eth2 [options]  serve, with Web3Signer's defaults
       signerd <command> [options]       its --help says more; options as above
";

const LAYERS: &str = "\
In the environment: SIGNERD_, WEB3SIGNER_[ETH2_] or PY3SIGNER_, then the name in
capitals, _ for -. In a --config-file: `name: value`. The command line wins.
";

/// The files in the data directory, for the manual page.
const FILES: &[(&str, &str)] = &[
    (
        "DATA-DIR/control.sock",
        "the control socket: wait, healthcheck and slashing speak through it to the service that runs; \
         for its own user and root, without a token. Without --data-dir it is in $RUNTIME_DIRECTORY.",
    ),
    (
        "DATA-DIR/api-token.txt",
        "the token of the Keymanager routes, where none was given",
    ),
];

/// The exit codes, for the manual page.
const EXITS: &[(&str, &str)] = &[
    ("0", "success; healthy"),
    ("1", "not healthy, or a check failed"),
    ("64", "the command line is wrong"),
    ("66", "a file that was named cannot be read"),
    (
        "69",
        "an address cannot be had, or a server does not answer",
    ),
    ("70", "a bug: a thread that signerd needs has died"),
    ("71", "the system refused a resource, such as locked memory"),
    ("73", "a file cannot be created"),
    ("74", "reading or writing failed"),
    (
        "77",
        "a permission is missing, or others can read a secret file",
    ),
    ("78", "the configuration is wrong"),
];

/// The title of the section of aliases.
const OTHER_NAMES: &str = "Other names";

/// Where the help of an option starts: behind the longest name.
const HELP_COLUMN: usize = 38;

/// A titled part of `--help` or of the manual page.
struct ManualSection {
    title: &'static str,
    entries: Vec<ManualEntry>,
}

/// A name and what it means.
struct ManualEntry {
    name: String,
    meaning: String,
}

/// Returns `signerd 1.2.3`.
pub(super) fn version() -> String {
    concat!("signerd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// Returns the text of `--help`, of at most 80 columns.
pub(super) fn help() -> String {
    let mut text = USAGE.to_owned();
    for ManualSection { title, entries } in sections() {
        text.push_str(&format!("{title}:\n"));
        if title == OTHER_NAMES {
            // Only the manual page says which option each one stands for.
            for entries in entries.chunks(4) {
                let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
                text.push_str(&format!("  {}\n", names.join("  ")));
            }
        } else {
            for ManualEntry { name, meaning } in entries {
                text.push_str(&format!("  {name:<HELP_COLUMN$}{meaning}\n"));
            }
        }
    }
    text + LAYERS
}

/// Returns the manual page, in roff.
pub(crate) fn man_page() -> String {
    let mut text = format!(
        ".TH SIGNERD 1 \"\" \"{}\" \"User Commands\"\n",
        version().trim()
    );
    text.push_str(
        ".SH NAME\nsignerd \\- remote BLS signer for Ethereum validators\n.SH SYNOPSIS\n.nf\n",
    );
    text.push_str(&roff(USAGE));
    text.push_str(".fi\n");
    let mut sections = sections();
    sections.push(section("Exit status", EXITS));
    sections.push(section("Files", FILES));
    for ManualSection { title, entries } in sections {
        text.push_str(&format!(".SH {}\n", title.to_uppercase()));
        for ManualEntry { name, meaning } in entries {
            text.push_str(&format!(".TP\n.B {}\n{}\n", roff(&name), roff(&meaning)));
        }
    }
    text + ".SH ENVIRONMENT AND CONFIGURATION FILE\n" + &roff(LAYERS)
}

/// Returns the sections that `--help` and the manual page have in common.
fn sections() -> Vec<ManualSection> {
    let mut sections = vec![ManualSection {
        title: "Commands",
        entries: Vec::new(),
    }];
    for (name, info) in subcommands::leaves() {
        sections[0].entries.push(ManualEntry {
            name,
            meaning: info.description.to_owned(),
        });
    }
    for (title, rows) in GROUPS {
        let mut entries = Vec::new();
        for row in rows.iter().filter(|row| !row.help.is_empty()) {
            entries.push(ManualEntry {
                name: synopsis(row),
                meaning: format!("{}{}", row.help, default_in_brackets(row)),
            });
        }
        sections.push(ManualSection { title, entries });
    }
    let mut aliases = Vec::new();
    for row in options::rows() {
        for alias in row.aliases {
            aliases.push(ManualEntry {
                name: format!("--{alias}"),
                meaning: format!("--{}", row.name),
            });
        }
    }
    sections.push(ManualSection {
        title: OTHER_NAMES,
        entries: aliases,
    });
    sections
}

fn section(title: &'static str, entries: &[(&str, &str)]) -> ManualSection {
    let entries = entries
        .iter()
        .map(|(name, meaning)| ManualEntry {
            name: (*name).to_owned(),
            meaning: (*meaning).to_owned(),
        })
        .collect();
    ManualSection { title, entries }
}

/// Returns the names of an option and the placeholder of its value: `--http-listen-port, -p PORT`.
fn synopsis(row: &OptionRow) -> String {
    let mut text = format!("--{}", row.name);
    if let Some(letter) = row.short {
        text.push_str(&format!(", -{letter}"));
    }
    if row.form != ValueForm::Switch {
        text.push_str(&format!(" {}", row.placeholder));
    }
    text
}

/// Returns the default in brackets, with a space before it; nothing when it goes without saying.
fn default_in_brackets(row: &OptionRow) -> String {
    match (row.default, row.eth2_default) {
        (None | Some("false"), None) => String::new(),
        (default, None) => format!(" [{}]", default.unwrap_or("")),
        (default, Some(eth2)) => format!(" [{}; eth2: {eth2}]", default.unwrap_or("")),
    }
}

/// Escapes what roff would take for a command or a hyphen.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace("\n.", "\n\\&.")
}
