//! Secret keys: where they come from, where they live, and the only way to a signature.

pub mod locked;
pub mod secret;
pub mod table;
