//! The bodies of the fuzz targets: functions of bytes that panic when a promise is broken.
//!
//! `tests/fuzz/` runs them under libFuzzer, and `tests/fuzzed.rs` over the corpora and random mutations in
//! each `cargo test`.

mod choices;
mod files;
mod framing;
mod json;
mod server;
mod sign_request;
mod slashing;
mod ssz;

/// A target: a name, which its corpus has too, and its body.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 13] = [
    ("certificates", files::certificates),
    ("command_line", files::command_line),
    ("database_messages", files::database_messages),
    ("database_url", files::database_url),
    ("framing", framing::run),
    ("interchange", files::interchange),
    ("key_config", files::key_config),
    ("keystore", files::keystore),
    ("network_config", files::network_config),
    ("server", server::run),
    ("sign_request", sign_request::run),
    ("sign_request_bytes", sign_request::run_bytes),
    ("slashing", slashing::run),
];
