//! YAML, as far as configuration needs it: maps, lists and texts.
//!
//! Every scalar is a text here; its reader knows what it must be. To YAML itself an unquoted `0x10000038` is
//! a number, and numbers may be quoted.

use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use crate::files;

/// A value: what follows a key, or a whole document.
pub(crate) enum Node {
    /// A scalar, without its quotes; empty for `~` and `null`.
    Text(String),
    /// `- …` or `[…]`
    List(Vec<Node>),
    /// `key: …` or `{…}`
    Map(BTreeMap<String, Node>),
}

/// Why a text cannot be read, and where. It repeats nothing of the text, which may hold a secret.
#[derive(Debug)]
pub(crate) struct YamlError {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
    /// What was found there.
    pub(crate) reason: String,
}

/// Deepest nesting of lists and maps: configuration has two or three levels.
const DEPTH_MAX: usize = 16;

/// Reads the documents of a text, and leaves out empty ones. The text may begin with a byte order mark.
///
/// # Errors
/// The text is not YAML, is nested too deep, or has an alias, a key that is not a text, or a key twice.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut events = Parser::new_from_str(files::without_byte_order_mark(text));
    let mut documents = Vec::new();
    while let Some(event) = events.next() {
        if let (Event::DocumentStart(_), _) = event?
            && let (Some(document), _) = node(&mut events, DEPTH_MAX)?
            && document.text() != Some("")
        {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Reads the keys and values of a text that has one document, a map.
///
/// # Errors
/// As [`documents`], or the text has something else than one map.
pub(crate) fn map(text: &str) -> Result<BTreeMap<String, Node>, YamlError> {
    let mut documents = documents(text)?;
    match (documents.pop(), documents.is_empty()) {
        (None, _) => Ok(BTreeMap::new()),
        (Some(Node::Map(map)), true) => Ok(map),
        (Some(_), _) => Err(YamlError::new(
            &Marker::default(),
            "expected one map of keys and values",
        )),
    }
}

impl Node {
    /// Returns the scalar, if the value is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Reads the next value, and where it begins; `None` where a list or map ends.
fn node(
    events: &mut Parser<'_, StrInput<'_>>,
    depth: usize,
) -> Result<(Option<Node>, Marker), YamlError> {
    let Some(event) = events.next() else {
        return Err(YamlError::new(
            &Marker::default(),
            "the text ends too early",
        ));
    };
    let (event, span) = event?;
    let fault = |reason: &str| Err(YamlError::new(&span.start, reason));
    let value = match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "~" | "null") => {
            Node::Text(String::new())
        }
        Event::Scalar(text, ..) => Node::Text(text.into_owned()),
        Event::SequenceStart(..) | Event::MappingStart(..) if depth == 0 => {
            return fault(&format!("nested deeper than {DEPTH_MAX} levels"));
        }
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            while let (Some(item), _) = node(events, depth - 1)? {
                items.push(item);
            }
            Node::List(items)
        }
        Event::MappingStart(..) => Node::Map(entries(events, depth - 1)?),
        Event::Alias(_) => return fault("aliases are not followed: write the value itself"),
        Event::SequenceEnd
        | Event::MappingEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd
        | Event::StreamStart
        | Event::StreamEnd
        | Event::Nothing => return Ok((None, span.start)),
    };
    Ok((Some(value), span.start))
}

/// Reads the keys and values of a map to its end.
fn entries(
    events: &mut Parser<'_, StrInput<'_>>,
    depth: usize,
) -> Result<BTreeMap<String, Node>, YamlError> {
    let mut map = BTreeMap::new();
    while let (Some(key), marker) = node(events, depth)? {
        let Some(key) = key.text() else {
            return Err(YamlError::new(&marker, "a key must be a text"));
        };
        let (Some(value), _) = node(events, depth)? else {
            return Err(YamlError::new(&marker, "a key without a value"));
        };
        if map.insert(key.to_owned(), value).is_some() {
            return Err(YamlError::new(&marker, "this key is there twice"));
        }
    }
    Ok(map)
}

impl YamlError {
    fn new(marker: &Marker, reason: &str) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col() + 1,
            reason: reason.to_owned(),
        }
    }
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        Self::new(error.marker(), error.info())
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            reason,
        } = self;
        write!(f, "line {line}, column {column}: {reason}")
    }
}

impl std::error::Error for YamlError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes maps as `{key=value,…}`, lists as `[…]`.
    fn shown(node: &Node) -> String {
        match node {
            Node::Text(text) => text.to_string(),
            Node::List(items) => format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(",")
            ),
            Node::Map(map) => {
                let entries = map
                    .iter()
                    .map(|(key, value)| format!("{key}={}", shown(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn scalars_stay_texts() {
        for (text, expected) in [
            ("", ""),
            ("# nothing\n", ""),
            ("---\n---\na: 1\n---\n~\n", "{a=1}"),
            (
                "a: 0x10000038\nb: '0x1'\nc: 1e3\nd: no\ne: \"x\\ty\"",
                "{a=0x10000038,b=0x1,c=1e3,d=no,e=x\ty}",
            ),
            ("a:\nb: ~\nc: null\nd: 'null'", "{a=,b=,c=,d=null}"),
            (
                "a: [1, two]\nb:\n  - 3\n  - {c: 4}",
                "{a=[1,two],b=[3,{c=4}]}",
            ),
            ("a: |\n  x\n  y\n", "{a=x\ny\n}"),
            ("a: 1\n---\na: 2\n", "{a=1} {a=2}"),
            ("- !!str 7\n- &x 8", "[7,8]"),
        ] {
            let documents = documents(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(
                documents.iter().map(shown).collect::<Vec<_>>().join(" "),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn unsupported_yaml_is_refused_with_its_position() {
        for (text, expected) in [
            ("a: 1\na: 2", "line 2, column 1: this key is there twice"),
            (
                "a: &x 1\nb: *x",
                "line 2, column 4: aliases are not followed: write the value itself",
            ),
            ("[1]: 2", "line 1, column 1: a key must be a text"),
            (
                &"[".repeat(40),
                "line 1, column 17: nested deeper than 16 levels",
            ),
            ("a: secret\n  b: [", "line 2, column 4: "),
        ] {
            let error = documents(text).err().expect("refused").to_string();
            assert!(
                error.starts_with(expected) && !error.contains("secret"),
                "{text:?}: {error}"
            );
        }
        assert!(map("a: 1\n---\nb: 2").is_err() && map("- 1").is_err() && map("x").is_err());
    }
}
