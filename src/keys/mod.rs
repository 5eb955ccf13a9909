//! Secret keys: where they come from, where they live, and the only way to a signature.

mod cache;
pub mod change;
mod delete;
mod derivation;
pub mod derive;
pub(crate) mod dry_run;
mod import;
pub mod imported;
mod key_config_files;
mod key_source;
mod keyconfig;
pub mod keyring;
pub mod keyring_state;
pub mod keystore;
mod layouts;
mod load;
mod load_plan;
pub mod locked;
mod pool;
pub mod progress;
mod reader;
mod scan;
mod seal;
pub mod secret;
pub mod sources;
pub mod table;
pub(crate) mod write;
