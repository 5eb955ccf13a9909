//! Why the program ends before it serves, and with which exit code.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::critical_thread;
use crate::path_advice;

/// Exit codes, as BSD's `sysexits.h` names them.
pub(crate) mod exit {
    /// A server is not healthy, or a check failed; not one of `sysexits.h`.
    pub(crate) const UNHEALTHY: u8 = 1;
    /// The command line is wrong.
    pub(crate) const USAGE: u8 = 64;
    /// A file that was named does not exist or cannot be read.
    pub(crate) const NO_INPUT: u8 = 66;
    /// An address cannot be had, or a server does not answer.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// The system refused a resource.
    pub(crate) const OS: u8 = 71;
    /// A file cannot be created.
    pub(crate) const CANNOT_CREATE: u8 = 73;
    /// Reading or writing failed.
    pub(crate) const IO: u8 = 74;
    /// A permission is missing, or a secret file is open to others.
    pub(crate) const PERMISSION: u8 = 77;
    /// The configuration is wrong.
    pub(crate) const CONFIG: u8 = 78;
    /// The reader of standard output has gone: as a shell reports a process that SIGPIPE ended.
    pub(crate) const READER_GONE: u8 = 141;
}

/// Why the program ends before it serves: printed as an `error:` line and a `hint:` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// What is wrong, with the value.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// One of [`exit`].
    pub(crate) code: u8,
}

impl StartError {
    /// Makes an error without a hint.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            code,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the name of an option before the message.
    pub(crate) fn about_option(mut self, name: &str) -> Self {
        self.message = format!("--{name}: {}", self.message);
        self
    }

    /// Makes the error for a file that was named and cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::PermissionDenied {
            exit::PERMISSION
        } else {
            exit::NO_INPUT
        };
        Self::new(code, format!("{}: {error}", path.display()))
            .hint(path_advice::advice(path, error))
    }

    /// Makes the error for a file that cannot be made.
    pub(crate) fn cannot_create(path: &Path, error: &io::Error) -> Self {
        Self::new(exit::CANNOT_CREATE, format!("{}: {error}", path.display()))
    }

    /// Makes the error for a reader of standard output that has gone. Nothing is written about it.
    pub(crate) fn reader_gone() -> Self {
        Self::new(exit::READER_GONE, "")
    }

    /// Writes the error to standard error, and returns the exit code of the process.
    pub fn report(&self) -> ExitCode {
        if self.code != exit::READER_GONE {
            critical_thread::write_last(&self.to_string());
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StartError {}
