//! What the fuzz targets run: `targets` is shared with `tests/fuzzed.rs`, and so are the disk and the
//! random numbers of the tests.
#![allow(
    dead_code,
    reason = "the tests use more of the disk than the targets do"
)]

#[path = "../../memory_disk.rs"]
mod memory_disk;
#[path = "../../random.rs"]
mod random;
mod targets;

/// Runs a target on one input.
pub fn run(name: &str, data: &[u8]) {
    let (_, body) = targets::TARGETS
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("{name} is not a target"));
    body(data);
}
