//! Secret keys: where they come from, where they live, and the only way to a signature.

pub mod arena;
mod cache;
pub mod change;
mod delete;
mod discover;
pub(crate) mod dry_run;
mod import;
pub mod imported;
mod kdf;
mod key_config;
mod key_config_files;
pub mod keyring;
pub mod keyring_state;
pub mod keystore;
mod load;
mod load_plan;
mod pool;
pub mod progress;
mod reader;
mod scan;
mod seal;
pub mod secret;
pub mod seed;
mod source;
pub mod sources;
pub mod table;
pub(crate) mod write;
