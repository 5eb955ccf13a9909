//! The vector files: one JSON object a line. The end-to-end suite and the unit tests use it.

use std::path::PathBuf;

use base64::Engine as _;
use serde_json::Value;

/// A file or folder of `tests/vectors`.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name)
}

/// All lines of a JSONL file.
pub(crate) fn lines(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path(name)).expect("the vectors are in the repository");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect()
}

/// The `config.yaml` of a line's network, as a devnet's genesis generator would write it.
pub(crate) fn config_yaml(config: &Value) -> String {
    let facts = config.as_object().expect("an object of facts");
    facts
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.as_str().expect("text")))
        .collect()
}

/// The bytes of a line's body: as written, or as its recipe says.
pub(crate) fn body(line: &Value) -> Vec<u8> {
    if let Some(raw) = line["raw_body"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(encoded) = line["raw_body_b64"].as_str() {
        return base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .expect("base64");
    }
    let Some(repeat) = line["raw_body_repeat"].as_object() else {
        return line["request"].to_string().into_bytes();
    };
    let text = |key: &str| repeat[key].as_str().expect("text").to_owned();
    let count = usize::try_from(repeat["count"].as_u64().expect("a count")).expect("it fits");
    (text("prefix") + &text("unit").repeat(count) + &text("suffix")).into_bytes()
}
