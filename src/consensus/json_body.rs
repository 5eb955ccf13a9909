//! The body of a sign request as a tree, whatever its size.
//!
//! simd-json parses what clients send. What it refuses, and bodies that are too large for it, is parsed by
//! `json_text`, which decides: one body has one verdict, whatever its size, and an error has a line and a
//! column. simd-json refuses some texts that are valid JSON, such as integers beyond 64 bits in a field
//! that nobody reads.

use std::cell::RefCell;
use std::mem;

use simd_json::{Buffers, Node, StaticNode, Tape};

use super::json_text::{self, DEPTH_MAX};
use super::json_tree::{JsonNode, JsonTree};

/// The largest body that simd-json parses: its tape may take twenty times the body.
const TAPE_BODY_BYTES_MAX: usize = 256 * 1024;

/// The largest tape that is kept for the next body. An attestation has 41 nodes of 24 bytes.
const TAPE_NODES_KEPT_MAX: usize = 4096;

thread_local! {
    /// Used again from body to body, by all connections of a thread: each connection would otherwise hold
    /// buffers of its own, or take a lock for each signature. Borrowed while one body is parsed, which never
    /// waits.
    static TAPE_MEMORY: RefCell<(Buffers, Tape<'static>)> =
        RefCell::new((Buffers::with_max_depth(4096, DEPTH_MAX), Tape(Vec::new())));
}

/// Parses a body of at most `elements_max` elements. simd-json works on a copy in `scratch`, because it
/// writes over the escapes in strings.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse<'b>(
    body: &'b [u8],
    scratch: &'b mut Vec<u8>,
    elements_max: usize,
) -> Result<JsonTree<'b>, String> {
    let text = body.trim_ascii_start();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let is_object = text.starts_with(b"{");
    if is_object && body.len() <= TAPE_BODY_BYTES_MAX {
        scratch.extend_from_slice(body);
        if let Some(tree) = parse_fast(scratch, elements_max) {
            return Ok(tree);
        }
    }
    json_text::parse(body, elements_max)
}

/// Parses a body with simd-json. Returns `None` when it refuses the body, when the body has more than
/// `elements_max` elements, and when it has numbers that are not whole or negative: those are read from
/// the text.
fn parse_fast(body: &mut [u8], elements_max: usize) -> Option<JsonTree<'_>> {
    TAPE_MEMORY.with_borrow_mut(|(buffers, kept)| {
        let mut tape = mem::replace(kept, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(body, buffers, &mut tape);
        let tree = parsed.ok().and_then(|()| tree_of(&tape, elements_max));
        if tape.0.capacity() <= TAPE_NODES_KEPT_MAX {
            *kept = tape.reset();
        }
        tree
    })
}

fn tree_of<'b>(tape: &Tape<'b>, elements_max: usize) -> Option<JsonTree<'b>> {
    let mut nodes = Vec::with_capacity(tape.0.len());
    let mut elements = 0;
    for (index, node) in tape.0.iter().enumerate() {
        nodes.push(match *node {
            Node::Object { len, count } => {
                elements += len.max(1);
                let end = index + 1 + count;
                JsonNode::Object { end }
            }
            Node::Array { len, count } => {
                elements += len.max(1);
                let end = index + 1 + count;
                JsonNode::Array { end }
            }
            Node::String(text) => JsonNode::Text(text),
            Node::Static(StaticNode::U64(number)) => JsonNode::Unsigned(number),
            Node::Static(StaticNode::Bool(boolean)) => JsonNode::Boolean(boolean),
            Node::Static(StaticNode::Null) => JsonNode::Null,
            Node::Static(StaticNode::I64(_) | StaticNode::F64(_)) => return None,
        });
    }
    (elements <= elements_max).then_some(JsonTree { nodes, elements })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEMENTS_MAX: usize = 1 << 19;

    #[test]
    fn a_body_has_one_verdict_and_one_tree_whatever_its_size() {
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX - 1), "]".repeat(DEPTH_MAX - 1));
        let too_deep = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        for (value, is_good) in [
            ("1", true),
            ("18446744073709551615", true),
            ("18446744073709551616", true),
            ("-1", true),
            ("-0", true),
            ("1.0", true),
            ("1e3", true),
            ("1e400", true),
            ("01", false),
            ("1.", false),
            ("+1", false),
            (".5", false),
            ("NaN", false),
            ("true", true),
            ("True", false),
            ("null", true),
            (r#""""#, true),
            (r#""\ud83d\udd11 \n \/ \u00fc""#, true),
            (r#""\ud83d""#, true),
            (r#""\udd11\ud83d""#, true),
            (r#""\u00g0""#, false),
            (r#""\x""#, false),
            ("\"a\nb\"", false),
            ("\"a\u{7f}ü\"", true),
            (r#"[1,"2",{"3":[]}]"#, true),
            ("[1,]", false),
            (r#"{"a":1,"a":2}"#, true),
            (r#"{"\u0061":1}"#, true),
            (r#"{1:1}"#, false),
            (r#""a" "b""#, false),
            (deep.as_str(), true),
            (too_deep.as_str(), false),
        ] {
            let small = format!(" {{\"type\": \"X\",\t\"value\":{value}}}\r\n");
            let large = format!("{small}{}", " ".repeat(TAPE_BODY_BYTES_MAX));
            let mut trees = Vec::new();
            for body in [&small, &large] {
                let mut scratch = Vec::new();
                let tree = parse(body.as_bytes(), &mut scratch, ELEMENTS_MAX);
                assert_eq!(tree.is_ok(), is_good, "{value}: {:?}", tree.err());
                trees.push(tree.ok().map(|tree| describe(&tree)));
            }
            let text = json_text::parse(small.as_bytes(), ELEMENTS_MAX);
            trees.push(text.ok().map(|tree| describe(&tree)));
            assert_eq!(trees[0], trees[1], "{value}");
            assert_eq!(trees[0], trees[2], "{value}");
        }
    }

    /// Everything that readers can see of a tree.
    fn describe(tree: &JsonTree<'_>) -> String {
        let value = tree.root().field("value").expect("one field");
        let seen = value.map(|value| (value.text(), value.number(), value.boolean()));
        let error = value.map(|value| value.unexpected("another type"));
        format!("{} elements, {seen:?}, {error:?}", tree.elements)
    }

    #[test]
    fn what_clients_send_is_parsed_by_simd_json() {
        let body = br#"{"type":"X","slot":"1","index":2,"flag":true,"none":null,"items":[{}]}"#;
        let mut copy = body.to_vec();
        let tree = parse_fast(&mut copy, ELEMENTS_MAX).expect("a tree");
        let text = json_text::parse(body, ELEMENTS_MAX).expect("a tree");
        assert_eq!(tree.root().to_serde(), text.root().to_serde());
        assert_eq!(tree.elements, text.elements);
    }
}
