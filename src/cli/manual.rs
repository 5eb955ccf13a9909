//! The texts that are made from the table: `--help`, the man page, shell completions.

use super::table::{GROUPS, Kind, Row};

/// Where the text of an option starts in `--help`, unless its name is longer.
const HELP_COLUMN: usize = 32;

const USAGE: &str = "\
Usage: signerd [options]              serve, with py3signer's defaults
       signerd [options] eth2 [options]   serve, with Web3Signer's
       signerd [options] <command> [options of the command]
";

/// `signerd 1.2.3`.
pub fn version() -> String {
    concat!("signerd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// The text of `--help`: at most 80 columns.
pub fn help() -> String {
    let mut text = USAGE.to_owned();
    for (group, rows) in GROUPS {
        text.push_str(&format!("\n{group}:\n"));
        for row in rows.iter().filter(|row| !row.help.is_empty()) {
            text.push_str(&help_line(row));
        }
    }
    text
}

fn help_line(row: &Row) -> String {
    let short = row.short.map(|short| format!("-{short}, ")).unwrap_or_default();
    let left = format!("  {short}--{}{}", row.name, value_of(row));
    let width = HELP_COLUMN.saturating_sub(2);
    format!("{left:<width$}  {}{}\n", row.help, default_of(row))
}

fn value_of(row: &Row) -> String {
    match row.kind {
        Kind::Switch => String::new(),
        Kind::Value(word) | Kind::Path(word) | Kind::List(word) | Kind::Secret(word) => format!(" {word}"),
    }
}

fn default_of(row: &Row) -> String {
    match (row.default, row.eth2_default) {
        ("" | "false", None) => String::new(),
        (default, None) => format!(" [{default}]"),
        (default, Some(eth2)) => format!(" [{default}; eth2: {eth2}]"),
    }
}
