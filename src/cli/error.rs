//! Why the program ends before it serves, and with which exit code.

use std::fmt;
use std::io;
use std::path::Path;

/// Exit codes, as BSD's `sysexits.h` names them.
pub(crate) mod exit {
    /// A server is not healthy; not one of `sysexits.h`.
    pub(crate) const UNHEALTHY: u8 = 1;
    /// The command line is wrong.
    pub(crate) const USAGE: u8 = 64;
    /// A file that was named does not exist or cannot be read.
    pub(crate) const NO_INPUT: u8 = 66;
    /// An address cannot be had, a service does not answer.
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
}

/// Why the program ends before it served: printed as `error:` and `hint:` lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StartError {
    /// What is wrong, with the value.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// One of [`exit`].
    pub(crate) code: u8,
}

impl StartError {
    /// Without a hint.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            code,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// For a file that was named and cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let (code, hint) = match error.kind() == io::ErrorKind::PermissionDenied {
            true => (
                exit::PERMISSION,
                "let the user that signerd runs as read it, by chown or chmod",
            ),
            false => (
                exit::NO_INPUT,
                "give a path that this process sees: a container sees only what is mounted into it",
            ),
        };
        Self::new(code, format!("{}: {error}", path.display())).hint(hint)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.hint
            .as_ref()
            .map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for StartError {}
