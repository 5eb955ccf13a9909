//! What commands print. Unlike `println!` this never panics: a pipe that is closed or a full disk behind
//! standard output is an error with an exit code, and a closed stderr changes nothing.

use std::fmt;
use std::io::{self, Write};

use super::error::{StartError, exit};

/// Prints the text as it is, to the last byte.
///
/// # Errors
/// Standard output is closed, or its disk is full.
pub(super) fn print(text: impl fmt::Display) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| StartError::new(exit::IO, format!("standard output: {error}")))
}

/// Prints the text and a line break.
///
/// # Errors
/// As [`print`].
pub(super) fn print_line(text: impl fmt::Display) -> Result<(), StartError> {
    print(format_args!("{text}\n"))
}

/// Prints a line to stderr, if anybody can see it.
pub(super) fn complain(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
