//! One line per event; never a secret, never a request body.
