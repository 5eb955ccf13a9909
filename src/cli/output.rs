//! What commands print. Unlike `println!` this never panics. A full disk behind standard output is an error
//! with an exit code, a reader that has gone ends the command quietly, and a closed standard error changes
//! nothing.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::error::{StartError, exit};

/// Prints the text as it is, to the last byte.
///
/// # Errors
/// Standard output is closed, or its disk is full.
pub fn print(text: impl fmt::Display) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            StartError::reader_gone()
        } else {
            StartError::new(exit::IO, format!("standard output: {error}"))
        }
    })
}

/// Prints the text and a line break.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_line(text: impl fmt::Display) -> Result<(), StartError> {
    print(format_args!("{text}\n"))
}

/// Writes the text to the file, or prints it when there is none.
///
/// # Errors
/// As [`print()`], or the file cannot be written.
pub(crate) fn write_or_print(file: Option<&Path>, text: &str) -> Result<(), StartError> {
    match file {
        Some(path) => {
            fs::write(path, text).map_err(|error| StartError::cannot_create(path, &error))
        }
        None => print(text),
    }
}

/// Prints a line to standard error, if anybody can see it.
pub(crate) fn print_error_line(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
