//! What unit tests stand on: directories of their own, and keystores to open.

#[path = "../../tests/keystore_text.rs"]
mod keystore_text;
pub(crate) mod keystores;
pub(crate) mod scratch;
