//! Secret keys: where they come from, where they live, and the only way to a signature.

pub(crate) mod candidate;
mod changes;
mod derivation;
pub mod derive;
pub(crate) mod imports;
mod keeper;
mod keyconfig;
pub mod keystore;
pub mod loader;
pub mod locked;
pub(crate) mod pool;
mod sealed;
pub mod secret;
pub mod sources;
pub mod table;
pub(crate) mod write;
