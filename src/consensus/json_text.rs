//! From a JSON text to its tree, by the grammar of RFC 8259 alone.
//!
//! Numbers and strings stay as they are written, and are looked at only when a field is read. Hence a
//! value that no field can hold, such as an integer beyond 64 bits, `1e400` or half a surrogate pair,
//! does no harm in a field that nobody reads; the trees of serde_json and simd-json refuse it there.

use std::borrow::Cow;

use super::json_tree::{JsonNode, JsonTree};
use crate::json;

/// Levels of nesting in a body. The deepest message, a block with a slashing, has 9.
pub(super) const DEPTH_MAX: usize = 32;

/// Nodes that are allocated at once: those of most messages. A request for an attestation has 41.
const NODES_OF_A_SMALL_MESSAGE: usize = 64;

/// Parses a body of at most `elements_max` elements.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(body: &[u8], elements_max: usize) -> Result<JsonTree<'_>, String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = json::place(body, error.valid_up_to());
        format!("expected UTF-8, found other bytes {place}")
    })?;
    let mut parser = JsonParser {
        text,
        at: 0,
        tree: JsonTree {
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
                    self.count_element()?;
                    self.at += 1;
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
        self.tree.nodes.push(if has_escapes {
            JsonNode::EscapedText(raw)
        } else {
            JsonNode::Text(&raw[1..raw.len() - 1])
        });
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
    use serde_json::Value;

    use super::super::json_body;
    use super::*;

    const ELEMENTS_MAX: usize = 1000;

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
            let ours = parse(text.as_bytes(), ELEMENTS_MAX);
            let mut scratch = Vec::new();
            let body = json_body::parse(text.as_bytes(), &mut scratch, ELEMENTS_MAX);
            assert_eq!(ours.is_ok(), body.is_ok(), "{text}");
            let theirs = serde_json::from_str::<IgnoredAny>(&text);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{text}\n{:?}\n{theirs:?}",
                ours.err()
            );
            if let (Ok(tree), Ok(expected)) = (ours, serde_json::from_str::<Value>(&text)) {
                assert_eq!(tree.root().to_serde(), expected, "{text}");
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
            let found = parse(text.as_bytes(), ELEMENTS_MAX).err();
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
            let tree = parse(text.as_bytes(), ELEMENTS_MAX).expect(text);
            assert_eq!(tree.elements, elements, "{text}");
        }
    }
}
