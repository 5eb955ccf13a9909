//! A change that cargo-mutants lists.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

/// How a change gets into a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// Behind a switch, together with the others.
    Switched,
    /// In a build of its own.
    Alone,
    /// Not at all: the compiler refuses it.
    Unviable,
}

/// What the tests said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A test failed.
    Caught,
    /// The tests did not end.
    Endless,
    /// No test noticed.
    Missed,
    /// The compiler refused it.
    Unviable,
}

impl Display for Outcome {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Caught => "caught",
            Self::Endless => "endless",
            Self::Missed => "missed",
            Self::Unviable => "unviable",
        })
    }
}

/// One change of the source.
pub(crate) struct Mutant {
    pub(crate) file: String,
    pub(crate) genre: String,
    /// File, line, column and change.
    pub(crate) name: String,
    /// File, change, and the line it is in: stays the same when other lines move.
    pub(crate) key: String,
    pub(crate) replacement: String,
    /// The bytes of the file that are replaced.
    pub(crate) range: Range<usize>,
    pub(crate) built: Built,
}

#[derive(Deserialize)]
struct Listed {
    file: String,
    genre: String,
    name: String,
    replacement: String,
    span: ListedSpan,
    function: Option<ListedFunction>,
}

#[derive(Deserialize)]
struct ListedFunction {
    return_type: String,
}

#[derive(Deserialize)]
struct ListedSpan {
    start: ListedPlace,
    end: ListedPlace,
}

/// Both count from 1; a column is a character.
#[derive(Deserialize)]
struct ListedPlace {
    line: usize,
    column: usize,
}

/// Reads the output of `cargo mutants --list --json`.
pub(crate) fn read(list: &Path) -> Vec<Mutant> {
    let text = fs::read_to_string(list).expect("a readable list");
    let listed: Vec<Listed> = serde_json::from_str(&text).expect("a list of cargo-mutants");
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut mutants = Vec::new();
    for entry in listed {
        let source = files
            .entry(entry.file.clone())
            .or_insert_with(|| fs::read_to_string(&entry.file).expect("a source file"));
        let start = offset(source, entry.span.start.line, entry.span.start.column - 1);
        let end = offset(source, entry.span.end.line, entry.span.end.column - 1);
        let line = source
            .lines()
            .nth(entry.span.start.line - 1)
            .expect("a line of the file");
        // The name begins with the file, the line and the column.
        let change = entry.name.splitn(4, ':').nth(3).expect("a change").trim();
        // Nothing runs at compile time; an opaque type is that of one expression.
        let built = match &entry.function {
            Some(function)
                if !function.return_type.contains("impl ") || entry.genre != "FnValue" =>
            {
                Built::Switched
            }
            _ => Built::Alone,
        };
        mutants.push(Mutant {
            key: format!("{}: {change} | {}", entry.file, line.trim()),
            file: entry.file,
            genre: entry.genre,
            name: entry.name,
            replacement: entry.replacement,
            range: start..end,
            built,
        });
    }
    mutants
}

/// The byte offset of a line that counts from 1 and a character that counts from 0.
pub(crate) fn offset(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let text = &source[start..];
    start
        + text
            .char_indices()
            .nth(column)
            .map_or(text.len(), |(index, _)| index)
}
