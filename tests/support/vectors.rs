//! The vector files: one JSON object a line.

use std::path::PathBuf;

use serde_json::Value;

/// A file or folder of `tests/vectors`.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// All lines of a JSONL file.
pub(crate) fn lines(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path(name)).expect("the vectors are in the repository");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

/// The `config.yaml` of a line's network, as a devnet's genesis generator would write it.
pub(crate) fn config_yaml(config: &Value) -> String {
    let facts = config.as_object().expect("an object of facts");
    facts.iter().map(|(name, value)| format!("{name}: {}\n", value.as_str().expect("text"))).collect()
}
