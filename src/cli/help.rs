//! `--help`, made from the table of options and the subcommands.

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

/// The title of the section of aliases.
const OTHER_NAMES: &str = "Other names";

/// Where the help of an option starts: behind the longest name.
const HELP_COLUMN: usize = 38;

/// A titled part of `--help`.
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
                let mut line = format!("  {name:<HELP_COLUMN$}");
                if name.len() >= HELP_COLUMN {
                    line.push(' ');
                }
                text.push_str(&format!("{line}{meaning}\n"));
            }
        }
    }
    text + LAYERS
}

/// Returns the parts of `--help`.
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
        let explained = |row: &&OptionRow| !row.help.is_empty() && !row.is_only_in_manual;
        for row in rows.iter().filter(explained) {
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

/// Returns the names of an option and the placeholder of its value: `--http-listen-port, -p PORT`.
pub(super) fn synopsis(row: &OptionRow) -> String {
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
pub(super) fn default_in_brackets(row: &OptionRow) -> String {
    match (row.default, row.eth2_default) {
        (None | Some("false"), None) => String::new(),
        (default, None) => format!(" [{}]", default.unwrap_or("")),
        (default, Some(eth2)) => format!(" [{}; eth2: {eth2}]", default.unwrap_or("")),
    }
}
