//! Secret keys: where they come from, where they live, and the only way to a signature.
