//! The body of a sign request as a tree of JSON values (RFC 8259), parsed once, whatever its size.
//!
//! The type of a message may come after its object, and a version after the data whose container it
//! names, so readers look fields up in a tree. This parser keeps numbers and strings as they are
//! written and looks at them only when a field is read. Hence a value that no field can hold, such as
//! an integer beyond 64 bits, `1e400` or half a surrogate pair, does no harm in a field that nobody
//! reads; the trees of serde_json and simd-json refuse it there.
//!
//! Readers are functions from a value to a type, [`FromJson`], and an error collects the path to its
//! field on the way up. Measured for an attestation of 866 bytes, against derived serde readers over
//! simd-json's tape with `serde_path_to_error`: see `README.md` of the benches.
//!
//! Nothing here recurses: coroutines have small stacks.

use std::borrow::Cow;

use crate::hex::shorten;
use crate::json;

/// Levels of nesting in a body. The deepest message, a block with a slashing, has 9.
const DEPTH_MAX: usize = 32;

/// Nodes that are allocated at once: those of most messages. A request for an attestation has 41.
const NODES_OF_A_SMALL_MESSAGE: usize = 64;

/// A JSON text whose grammar has been checked, and whose outermost value is an object.
pub(super) struct JsonTree<'b> {
    /// Each value is followed by what it contains; a field is its name and then its value.
    nodes: Vec<JsonNode<'b>>,
    elements: usize,
}

enum JsonNode<'b> {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(&'b str),
    /// As it is written, with its quotes.
    String {
        raw: &'b str,
        has_escapes: bool,
    },
    /// `end` is the index of the first node that is no longer part of it.
    Array {
        end: usize,
    },
    /// As an array.
    Object {
        end: usize,
    },
}

/// A value in a tree.
#[derive(Clone, Copy)]
pub(super) struct JsonValue<'t> {
    nodes: &'t [JsonNode<'t>],
    index: usize,
}

/// A type that is read from a JSON value.
pub(super) trait FromJson: Sized {
    /// Reads the value.
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError>;
}

/// Why a field is not read.
#[derive(Debug)]
pub(super) struct FieldError {
    /// The path to the field, joined by dots; empty for the outermost value.
    pub(super) path: String,
    /// What was expected and what was found.
    pub(super) reason: String,
}

impl<'b> JsonTree<'b> {
    /// Parses a body of at most `elements_max` elements.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(super) fn parse(body: &'b [u8], elements_max: usize) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let place = json::place(body, error.valid_up_to());
            format!("expected UTF-8, found other bytes {place}")
        })?;
        let mut parser = JsonParser {
            text,
            at: 0,
            tree: Self {
                nodes: Vec::with_capacity(NODES_OF_A_SMALL_MESSAGE),
                elements: 0,
            },
            elements_max,
            open: Vec::new(),
        };
        match parser.document() {
            Ok(()) => Ok(parser.tree),
            Err(fault) => Err(format!("{fault} {}", json::place(body, parser.at))),
        }
    }

    /// The outermost value.
    pub(super) fn root(&self) -> JsonValue<'_> {
        JsonValue {
            nodes: &self.nodes,
            index: 0,
        }
    }

    /// The number of objects, arrays and their members: at least one for each value.
    pub(super) fn elements(&self) -> usize {
        self.elements
    }
}

impl<'t> JsonValue<'t> {
    /// Finds the fields of an object that have these names. Other fields are ignored: the remote
    /// signing API may grow.
    ///
    /// # Errors
    /// When the value is not an object, or has one of these fields twice.
    pub(super) fn fields<const N: usize>(
        self,
        names: [&str; N],
    ) -> Result<[Option<Self>; N], FieldError> {
        let JsonNode::Object { end } = self.nodes[self.index] else {
            return Err(self.unexpected("an object"));
        };
        let mut found = [None; N];
        let mut name = self.at(self.index + 1);
        while name.index < end {
            let value = name.at(name.index + 1);
            if let Some(text) = name.text()
                && let Some(index) = names.iter().position(|known| *known == text)
                && found[index].replace(value).is_some()
            {
                return Err(FieldError::new("is there twice".to_owned()).at(names[index]));
            }
            name = value.at(value.end());
        }
        Ok(found)
    }

    /// Finds one field of an object, as [`JsonValue::fields`]. A field that is `null` is absent.
    pub(super) fn field(self, name: &str) -> Result<Option<Self>, FieldError> {
        let [value] = self.fields([name])?;
        Ok(value.filter(|value| !value.is_null()))
    }

    /// Calls `visit` with each item of an array and its index.
    ///
    /// # Errors
    /// When the value is not an array, or `visit` fails.
    pub(super) fn for_each_item(
        self,
        mut visit: impl FnMut(usize, Self) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        let JsonNode::Array { end } = self.nodes[self.index] else {
            return Err(self.unexpected("an array"));
        };
        let mut item = self.at(self.index + 1);
        let mut count = 0;
        while item.index < end {
            visit(count, item)?;
            item = item.at(item.end());
            count += 1;
        }
        Ok(())
    }

    /// The text of a string; `None` for any other value, and for a string that is not a text because
    /// it has half a surrogate pair.
    pub(super) fn text(self) -> Option<Cow<'t, str>> {
        match self.nodes[self.index] {
            JsonNode::String {
                raw,
                has_escapes: false,
            } => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            JsonNode::String { raw, .. } => json::unescape(raw.as_bytes().to_vec()).map(Cow::Owned),
            JsonNode::Null
            | JsonNode::Boolean(_)
            | JsonNode::Number(_)
            | JsonNode::Array { .. }
            | JsonNode::Object { .. } => None,
        }
    }

    /// A number as it is written.
    pub(super) fn number(self) -> Option<&'t str> {
        match self.nodes[self.index] {
            JsonNode::Number(number) => Some(number),
            JsonNode::Null
            | JsonNode::Boolean(_)
            | JsonNode::String { .. }
            | JsonNode::Array { .. }
            | JsonNode::Object { .. } => None,
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Option<bool> {
        match self.nodes[self.index] {
            JsonNode::Boolean(boolean) => Some(boolean),
            JsonNode::Null
            | JsonNode::Number(_)
            | JsonNode::String { .. }
            | JsonNode::Array { .. }
            | JsonNode::Object { .. } => None,
        }
    }

    /// Whether it is `null`.
    pub(super) fn is_null(self) -> bool {
        matches!(self.nodes[self.index], JsonNode::Null)
    }

    /// Reads a string with a function of its text.
    ///
    /// # Errors
    /// When the value is not a string, or the function gives a reason.
    pub(super) fn read_text<T>(
        self,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, FieldError> {
        let text = self.text().ok_or_else(|| self.unexpected("a string"))?;
        read(&text).map_err(FieldError::new)
    }

    /// The error of a value that is of another JSON type than `expected`.
    pub(super) fn unexpected(self, expected: &str) -> FieldError {
        let found = match self.nodes[self.index] {
            JsonNode::Null => "null".to_owned(),
            JsonNode::Boolean(boolean) => boolean.to_string(),
            JsonNode::Number(number) => format!("the number {}", shorten(number)),
            JsonNode::String { raw, .. } => format!("the string {}", shorten(raw)),
            JsonNode::Array { .. } => "an array".to_owned(),
            JsonNode::Object { .. } => "an object".to_owned(),
        };
        FieldError::new(format!("expected {expected}, got {found}"))
    }

    fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// The index of the first node after the value.
    fn end(self) -> usize {
        match self.nodes[self.index] {
            JsonNode::Array { end } | JsonNode::Object { end } => end,
            JsonNode::Null
            | JsonNode::Boolean(_)
            | JsonNode::Number(_)
            | JsonNode::String { .. } => self.index + 1,
        }
    }
}

/// Reads a field that must be there.
///
/// # Errors
/// When it is missing or wrong; the error names it.
pub(super) fn read_field<T: FromJson>(
    name: &str,
    value: Option<JsonValue<'_>>,
) -> Result<T, FieldError> {
    let Some(value) = value else {
        return Err(FieldError::new("is missing".to_owned()).at(name));
    };
    T::from_json(value).map_err(|error| error.at(name))
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        T::from_json(value).map(Self::new)
    }
}

impl FieldError {
    /// An error of the value itself.
    pub(super) fn new(reason: String) -> Self {
        Self {
            path: String::new(),
            reason,
        }
    }

    /// The same error, seen from the object that has the value as this field.
    pub(super) fn at(mut self, field: &str) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, field);
        self
    }
}

struct JsonParser<'b> {
    text: &'b str,
    /// The next byte; after a fault, the byte that is wrong.
    at: usize,
    tree: JsonTree<'b>,
    elements_max: usize,
    /// The indices of the arrays and objects that are still open, from the outside in.
    open: Vec<usize>,
}

/// What is wrong with a text at the parser's position.
type JsonFault = Cow<'static, str>;

impl JsonParser<'_> {
    /// Parses the whole text.
    fn document(&mut self) -> Result<(), JsonFault> {
        self.skip_whitespace();
        if self.peek() != Some(b'{') {
            return Err("expected a JSON object".into());
        }
        loop {
            self.value_start()?;
            let is_complete = self.value_end()?;
            if is_complete {
                break;
            }
        }
        self.skip_whitespace();
        if self.at < self.text.len() {
            return Err("expected nothing after the object".into());
        }
        Ok(())
    }

    /// Parses up to the end of the next scalar or empty array or object.
    fn value_start(&mut self) -> Result<(), JsonFault> {
        loop {
            self.skip_whitespace();
            match self.peek() {
                Some(b'{') => {
                    self.open(JsonNode::Object { end: 0 })?;
                    if self.peek() == Some(b'}') {
                        return Ok(());
                    }
                    self.name()?;
                }
                Some(b'[') => {
                    self.open(JsonNode::Array { end: 0 })?;
                    if self.peek() == Some(b']') {
                        return Ok(());
                    }
                }
                Some(b'"') => return self.string(),
                Some(b'-' | b'0'..=b'9') => return self.number(),
                Some(b'n') => return self.literal("null", JsonNode::Null),
                Some(b't') => return self.literal("true", JsonNode::Boolean(true)),
                Some(b'f') => return self.literal("false", JsonNode::Boolean(false)),
                Some(_) | None => return Err("expected a value".into()),
            }
        }
    }

    /// Parses from the end of a value to the start of the next one. Returns whether the outermost
    /// value has ended instead.
    fn value_end(&mut self) -> Result<bool, JsonFault> {
        while let Some(&index) = self.open.last() {
            self.skip_whitespace();
            let in_object = matches!(self.tree.nodes[index], JsonNode::Object { .. });
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.count_element()?;
                    if in_object {
                        self.skip_whitespace();
                        self.name()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if in_object => {
                    let end = self.tree.nodes.len();
                    self.tree.nodes[index] = JsonNode::Object { end };
                }
                Some(b']') if !in_object => {
                    let end = self.tree.nodes.len();
                    self.tree.nodes[index] = JsonNode::Array { end };
                }
                Some(_) | None if in_object => return Err("expected a comma or }".into()),
                Some(_) | None => return Err("expected a comma or ]".into()),
            }
            self.at += 1;
            self.open.pop();
        }
        Ok(true)
    }

    /// Opens an array or object, and skips to what follows its bracket.
    fn open(&mut self, node: JsonNode<'static>) -> Result<(), JsonFault> {
        if self.open.len() == DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels of nesting").into());
        }
        self.count_element()?;
        self.open.push(self.tree.nodes.len());
        self.tree.nodes.push(node);
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    fn count_element(&mut self) -> Result<(), JsonFault> {
        self.tree.elements += 1;
        if self.tree.elements > self.elements_max {
            let elements_max = self.elements_max;
            return Err(format!("more than {elements_max} JSON elements").into());
        }
        Ok(())
    }

    /// Parses the name of a field and its colon.
    fn name(&mut self) -> Result<(), JsonFault> {
        if self.peek() != Some(b'"') {
            return Err("expected the name of a field".into());
        }
        self.string()?;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err("expected a colon".into());
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        let mut has_escapes = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(0..0x20) => return Err("a control character in a string".into()),
                Some(_) => self.at += 1,
                None => return Err("expected the end of a string".into()),
            }
        }
        self.at += 1;
        let raw = &self.text[start..self.at];
        self.tree.nodes.push(JsonNode::String { raw, has_escapes });
        Ok(())
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        let digits = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            Some(_) | None => return Err("expected an escape like \\n or \\u0041".into()),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err("expected four hex digits after \\u".into());
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        self.tree.nodes.push(JsonNode::Number(number));
        Ok(())
    }

    /// Skips one or more digits.
    fn digits(&mut self) -> Result<(), JsonFault> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err("expected a digit".into());
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &str, node: JsonNode<'static>) -> Result<(), JsonFault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err("expected a value".into());
        }
        self.at += word.len();
        self.tree.nodes.push(node);
        Ok(())
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;
    use serde_json::{Map, Value};

    use super::*;

    const ELEMENTS_MAX: usize = 1000;

    /// The value that a tree stands for, as serde_json has it.
    fn value(json: JsonValue<'_>) -> Value {
        match json.nodes[json.index] {
            JsonNode::Null => Value::Null,
            JsonNode::Boolean(boolean) => boolean.into(),
            JsonNode::Number(number) => serde_json::from_str(number).expect("a number"),
            JsonNode::String { .. } => json.text().expect("a text").into(),
            JsonNode::Array { .. } => {
                let mut items = Vec::new();
                json.for_each_item(|_, item| {
                    items.push(value(item));
                    Ok(())
                })
                .expect("an array");
                items.into()
            }
            JsonNode::Object { end } => {
                let mut fields = Map::new();
                let mut name = json.at(json.index + 1);
                while name.index < end {
                    let field = name.at(name.index + 1);
                    let text = name.text().expect("a text").into_owned();
                    fields.insert(text, value(field));
                    name = field.at(field.end());
                }
                fields.into()
            }
        }
    }

    #[test]
    fn texts_are_taken_refused_and_read_as_by_serde_json() {
        const PIECES: [&str; 28] = [
            "\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "0",
            "-",
            "1.5",
            "1e3",
            "E+7",
            "null",
            "true",
            "false",
            "\\",
            "\\u0030",
            "\\ud83d\\udd11",
            "\\ud83d",
            "\n",
            "\u{0}",
            "\u{1f}",
            "é",
            "18446744073709551616",
            "1e400",
            "\"slot\":\"1\",",
            " \t\r\n",
            "{\"a\":[]}",
        ];
        const START: &str = r#"{"type":"RANDAO_REVEAL" , "a":[1,-2.5e-7,0.0,true,false,null,"\n\u00fc\/",[],{}],
            "fork_info":{"epoch":"0","b":{"c":{"d":[[["x"]]]}}},"n":-0}"#;
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |end: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % end as u64).expect("it is below a usize")
        };
        let mut taken = 0;
        for _ in 0..100_000 {
            let mut text = START.to_owned();
            for _ in 0..=below(3) {
                let begin = below(text.len());
                let end = text.len().min(begin + below(4));
                if text.is_char_boundary(begin) && text.is_char_boundary(end) {
                    text.replace_range(begin..end, PIECES[below(PIECES.len())]);
                }
            }
            let ours = JsonTree::parse(text.as_bytes(), ELEMENTS_MAX);
            let theirs = serde_json::from_str::<IgnoredAny>(&text);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{text}\n{:?}\n{theirs:?}",
                ours.err()
            );
            if let (Ok(tree), Ok(expected)) = (ours, serde_json::from_str::<Value>(&text)) {
                assert_eq!(value(tree.root()), expected, "{text}");
                taken += 1;
            }
        }
        assert!(
            taken > 5_000,
            "only {taken} of the damaged texts are still JSON"
        );
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let nested = format!("{{\"a\":{}", "[".repeat(DEPTH_MAX));
        let long = format!("{{\"a\":[{}0]}}", "0,".repeat(ELEMENTS_MAX));
        for (text, fault) in [
            ("", "expected a JSON object (line 1, column 1)"),
            (" []", "expected a JSON object (line 1, column 2)"),
            ("{", "expected the name of a field (line 1, column 2)"),
            ("{\"a\" 1}", "expected a colon (line 1, column 6)"),
            ("{\"a\":\n 01}", "expected a comma or } (line 2, column 3)"),
            ("{\"a\":-}", "expected a digit (line 1, column 7)"),
            ("{\"a\":[1 2]}", "expected a comma or ] (line 1, column 9)"),
            ("{\"a\":[1,]}", "expected a value (line 1, column 9)"),
            ("{\"a\":nul}", "expected a value (line 1, column 6)"),
            (
                "{\"a\":\"\\x\"}",
                "expected an escape like \\n or \\u0041 (line 1, column 8)",
            ),
            (
                "{\"a\":\"",
                "expected the end of a string (line 1, column 7)",
            ),
            (
                "{} {}",
                "expected nothing after the object (line 1, column 4)",
            ),
            (
                &nested,
                "more than 32 levels of nesting (line 1, column 37)",
            ),
            (&long, "more than 1000 JSON elements (line 1, column 2004)"),
        ] {
            let found = JsonTree::parse(text.as_bytes(), ELEMENTS_MAX).err();
            assert_eq!(found.as_deref(), Some(fault), "{text}");
        }
    }

    #[test]
    fn elements_are_counted_as_at_least_one_for_each_value() {
        for (text, elements) in [
            ("{}", 1),
            ("{\"a\":1}", 1),
            ("{\"a\":1,\"b\":[]}", 3),
            ("{\"a\":[1,2,3]}", 4),
        ] {
            let tree = JsonTree::parse(text.as_bytes(), ELEMENTS_MAX).expect(text);
            assert_eq!(tree.elements(), elements, "{text}");
        }
    }
}
