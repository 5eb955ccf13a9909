//! Strict JSON (RFC 8259) for keystores and the bodies of the Keymanager API.
//!
//! A derived reader takes an array for an object, does not look at what it skips, and keeps any number
//! of items. [`check`] goes over the text once before it is read, in bounded memory; [`object`] takes
//! objects only. Both leave the grammar itself to serde_json.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::hex::shorten;

/// Levels of nesting. A keystore in a body has 6.
pub(crate) const DEPTH_MAX: usize = 32;

/// Fields of one object; a keystore has 7.
pub(crate) const FIELDS_MAX: usize = 256;

/// Bytes of a field's name, as it is written.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Items of one array, far above the number of keys in one import.
pub(crate) const ITEMS_MAX: usize = 1 << 18;

/// The longest way to write one byte of a string: `\u0041`.
const ESCAPED_BYTES_MAX: usize = 6;

/// Checks that a text is UTF-8 and an object, nests at most [`DEPTH_MAX`] levels, and has no field twice
/// and not too many of them, ignored fields included. Its reader checks the grammar.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn check(json: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(json).map_err(|error| {
        let place = place(json, error.valid_up_to());
        format!("expected UTF-8, found other bytes {place}")
    })?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(format!("expected a JSON object {}", place(json, 0)));
    }
    let mut levels = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let next = if *byte == b'"' {
            string_end(text, at)
        } else {
            at + 1
        };
        let fault = match byte {
            b'"' if is_name(&text[next..]) => name_fault(levels.last_mut(), &text[at..next]),
            b'{' => open(&mut levels, Level::Object(BTreeSet::new())),
            b'[' => open(&mut levels, Level::Array(1)),
            b',' => item_fault(levels.last_mut()),
            b'}' | b']' => {
                levels.pop();
                None
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(format!("{fault} {}", place(json, at)));
        }
        at = next;
    }
    Ok(text)
}

/// Returns the line and the column of a byte, as serde_json counts them.
pub(crate) fn place(json: &[u8], at: usize) -> String {
    let before = &json[..at];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .count()
        + 1;
    format!("(line {line}, column {column})")
}

/// What has been seen of an object or array that is not closed yet.
enum Level<'a> {
    /// The names of its fields.
    Object(BTreeSet<Cow<'a, str>>),
    /// The number of its items.
    Array(usize),
}

/// Returns the end of the string that begins at `start`, or of the text when the string has no end.
fn string_end(text: &str, start: usize) -> usize {
    let mut bytes = text.as_bytes().iter().enumerate().skip(start + 1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    text.len()
}

/// Whether the string before `rest` is the name of a field.
fn is_name(rest: &str) -> bool {
    rest.trim_ascii_start().starts_with(':')
}

fn open<'a>(levels: &mut Vec<Level<'a>>, level: Level<'a>) -> Option<String> {
    levels.push(level);
    if levels.len() > DEPTH_MAX {
        return Some(format!("more than {DEPTH_MAX} levels of nesting"));
    }
    None
}

fn name_fault<'a>(level: Option<&mut Level<'a>>, raw: &'a str) -> Option<String> {
    let Some(Level::Object(names)) = level else {
        return Some("a name outside of an object".to_owned());
    };
    if raw.len() > NAME_BYTES_MAX {
        return Some(format!("a name of more than {NAME_BYTES_MAX} bytes"));
    }
    if names.len() == FIELDS_MAX {
        return Some(format!("an object of more than {FIELDS_MAX} fields"));
    }
    let name = if raw.contains('\\') {
        Cow::Owned(unescape(raw.as_bytes().to_vec())?)
    } else {
        Cow::Borrowed(&raw[1..raw.len() - 1])
    };
    let fault = format!("the field {:?} is there twice", shorten(&name));
    if names.insert(name) {
        None
    } else {
        Some(fault)
    }
}

fn item_fault(level: Option<&mut Level<'_>>) -> Option<String> {
    match level {
        Some(Level::Array(items)) => {
            *items += 1;
            if *items > ITEMS_MAX {
                return Some(format!("an array of more than {ITEMS_MAX} items"));
            }
            None
        }
        Some(Level::Object(_)) | None => None,
    }
}

/// Reads a text whose values are secret. The parser's own errors may repeat a wrong value, so the reason
/// has only the field and its place.
///
/// # Errors
/// What is wrong, with which field, and where.
pub(crate) fn read_secret<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let line = error.inner().line();
        let column = error.inner().column();
        let what = reason_without_values(&error);
        format!("{what} (line {line}, column {column})")
    })?;
    deserializer
        .end()
        .map_err(|_| "expected nothing after the JSON object".to_owned())?;
    Ok(value)
}

fn reason_without_values(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    if !error.inner().is_data() {
        return "not JSON".to_owned();
    }
    let path = error.path().to_string();
    // The path of the outermost value.
    let parent = if path == "." { "" } else { &path };
    let reason = error.inner().to_string();
    if let Some(rest) = reason.strip_prefix("missing field `")
        && let Some((field, _)) = rest.split_once('`')
    {
        let dot = if parent.is_empty() { "" } else { "." };
        return format!("{parent}{dot}{field} is missing");
    }
    if parent.is_empty() {
        "a value of the wrong type".to_owned()
    } else {
        format!("{parent} has the wrong type")
    }
}

/// Reads a struct from an object, for `#[serde(deserialize_with = "json::object")]`. The derived reader
/// alone would take an array as well.
///
/// # Errors
/// Those of the struct, and when the value is not an object.
pub(crate) fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct ObjectVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// Returns the text of a JSON string; `None` for any other value. Of a text longer than `bytes_max` it
/// returns the start, which is longer too, so that the reader refuses it.
pub(crate) fn text(raw: &str, bytes_max: usize) -> Option<String> {
    if !raw.starts_with('"') {
        return None;
    }
    if raw.len() > ESCAPED_BYTES_MAX * bytes_max + "\"\"".len() {
        return Some(start(raw, bytes_max));
    }
    let mut text = unescape(raw.as_bytes().to_vec())?;
    text.shrink_to_fit();
    Some(text)
}

/// Returns the start of a text: a few bytes more than `bytes_max`, if it has as many.
pub(crate) fn start(text: &str, bytes_max: usize) -> String {
    text[..text.ceil_char_boundary(bytes_max + 1)].to_owned()
}

/// Returns the text of a JSON string, in the memory of that string (RFC 8259, section 7). `None` for
/// what is not a string.
pub(crate) fn unescape(mut raw: Vec<u8>) -> Option<String> {
    if raw.len() < 2 || raw.first() != Some(&b'"') || raw.last() != Some(&b'"') {
        return None;
    }
    let end = raw.len() - 1;
    let mut read = 1;
    let mut written = 0;
    while read < end {
        if raw[read] != b'\\' {
            raw[written] = raw[read];
            read += 1;
            written += 1;
            continue;
        }
        let (character, length) = escaped(&raw[read + 1..end])?;
        let mut bytes = [0; 4];
        let encoded = character.encode_utf8(&mut bytes).as_bytes();
        raw[written..written + encoded.len()].copy_from_slice(encoded);
        read += 1 + length;
        written += encoded.len();
    }
    raw.truncate(written);
    String::from_utf8(raw).ok()
}

/// Returns the character of an escape, and the number of bytes after the backslash.
fn escaped(escape: &[u8]) -> Option<(char, usize)> {
    let character = match escape.first()? {
        b'u' => return unicode(escape),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other @ (b'"' | b'\\' | b'/') => char::from(*other),
        _ => return None,
    };
    Some((character, 1))
}

/// Returns the character of `uXXXX`, or of a pair of surrogates, and the number of bytes.
fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let low = match escape.get(5..7) {
        Some(b"\\u") => unit(7),
        Some(_) | None => None,
    };
    let units = [unit(1)?, low.unwrap_or(0)];
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, if character.len_utf16() == 2 { 11 } else { 5 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_read_as_the_json_parser_reads_it() {
        for raw in [
            r#""""#,
            r#""plain""#,
            r#""with \"quotes\", \\ and \/""#,
            r#""\b\f\n\r\t""#,
            r#""\u00fcn\u00efc\u00f6d\u00e9 \u65e5\u672c \ud83d\udd11!""#,
            r#""ünïcödé 日本 🔑 \\u0041""#,
            r#""\u0000""#,
        ] {
            let expected: String = serde_json::from_str(raw).unwrap();
            assert_eq!(unescape(raw.into()), Some(expected), "{raw}");
        }
        for raw in [
            r#""\ud83d""#,
            r#""\ud83dA""#,
            r#""\u+041""#,
            r#""\x""#,
            "1",
            "{}",
            r#"""#,
        ] {
            assert_eq!(unescape(raw.into()), None, "{raw}");
        }
    }

    #[test]
    fn a_string_that_is_too_long_is_read_far_enough_to_be_refused() {
        for (content, bytes_max, longer) in [
            ("1234", 4, false),
            ("12345", 4, true),
            (r"\u0031\u0032\u0033\u0034", 4, false),
            (r"\u0031\u0032\u0033\u0034\u0035", 4, true),
            ("ééé", 6, false),
            ("éééé", 6, true),
        ] {
            let text = text(&format!("\"{content}\""), bytes_max).unwrap();
            assert_eq!(text.len() > bytes_max, longer, "{content}");
        }
        let huge = format!("\"{}\"", "é".repeat(1 << 20));
        assert!((1025..1030).contains(&text(&huge, 1024).unwrap().len()));
        assert_eq!(text("1", 4), None);
    }

    #[test]
    fn what_a_reader_would_let_pass_is_refused() {
        let nested = |levels: usize| {
            let open = "[".repeat(levels - 1);
            let close = "]".repeat(levels - 1);
            format!("{{\"ignored\":{open}{close}}}")
        };
        let fields = |count: usize| {
            let fields: Vec<_> = (0..count).map(|field| format!("\"{field}\":0")).collect();
            format!("{{{}}}", fields.join(","))
        };
        let items = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count - 1));
        let name = |bytes: usize| format!("{{\"{}\":0}}", "n".repeat(bytes - 2));
        for (json, expected) in [
            (nested(DEPTH_MAX), None),
            (
                nested(DEPTH_MAX + 1),
                Some("more than 32 levels of nesting"),
            ),
            (fields(FIELDS_MAX), None),
            (fields(FIELDS_MAX + 1), Some("more than 256 fields")),
            (items(ITEMS_MAX), None),
            (items(ITEMS_MAX + 1), Some("more than 262144 items")),
            (name(NAME_BYTES_MAX), None),
            (
                name(NAME_BYTES_MAX + 1),
                Some("a name of more than 256 bytes"),
            ),
            (r#"{"a":1,"b":{"a":1},"c":["a","a"],"d":"a:"}"#.into(), None),
            (
                r#"{"a":1,"b":2,"a":3}"#.into(),
                Some(r#""a" is there twice"#),
            ),
            (r#"{"b":[{"a":1 , "\u0061" :3}]}"#.into(), Some("twice")),
            (r#"{"a\"":1,"a\\":2}"#.into(), None),
            ("[[],[],null]".into(), Some("expected a JSON object")),
            ("".into(), Some("expected a JSON object")),
            (" \n{} ".into(), None),
        ] {
            let start = start(&json, 60);
            match (check(json.as_bytes()), expected) {
                (Ok(text), None) => assert_eq!(text, json),
                (Err(fault), Some(expected)) => assert!(fault.contains(expected), "{fault}"),
                (found, expected) => panic!("{start}: {expected:?}, got {:?}", found.err()),
            }
        }
        let fault = check(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(
            fault,
            "expected UTF-8, found other bytes (line 1, column 7)"
        );
        let fault = check(b"{\n \"a\":1,\n  \"a\":2}").unwrap_err();
        assert_eq!(fault, r#"the field "a" is there twice (line 3, column 3)"#);
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Secrets {
        passwords: Vec<Password>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Password {
        text: String,
    }

    #[test]
    fn a_fault_in_a_secret_text_is_named_without_its_values() {
        for (text, expected) in [
            ("{}", "passwords is missing (line 1, column 2)"),
            (
                r#"{"passwords":[{"text":"1"},{}]}"#,
                "passwords[1].text is missing (line 1, column 29)",
            ),
            (
                r#"{"passwords":"hunter2"}"#,
                "passwords has the wrong type (line 1, column 22)",
            ),
            (
                r#"{"passwords":[{"text":7}]}"#,
                "passwords[0].text has the wrong type (line 1, column 23)",
            ),
            ("7", "a value of the wrong type (line 1, column 1)"),
            (r#"{"passwords":[hunter2]}"#, "not JSON (line 1, column 15)"),
            (
                r#"{"passwords":[]} hunter2"#,
                "expected nothing after the JSON object",
            ),
        ] {
            let reason = read_secret::<Secrets>(text).unwrap_err();
            assert_eq!(reason, expected, "{text}");
        }
    }

    #[test]
    fn an_unfinished_text_is_left_to_its_reader() {
        for text in ["{\"", "{\"a", "{\"a\\", "{\"a\":[", "{}}]", "{\"a\":\"\\\""] {
            assert_eq!(check(text.as_bytes()), Ok(text));
        }
    }
}
