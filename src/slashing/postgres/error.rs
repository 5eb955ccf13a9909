//! Why the database did not do what it was asked for.

use std::{fmt, io};

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;

/// Why the database did not do what it was asked for.
#[derive(Debug)]
pub(super) enum DatabaseError {
    /// The connection failed: it cannot be made, or it broke.
    Connection(String),
    /// The server refused a statement or the login.
    Server(ServerError),
    /// The database cannot be used as it is; waiting does not help.
    Unusable(String),
}

/// An error that the server reports.
#[derive(Debug)]
pub(super) struct ServerError {
    /// SQLSTATE.
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) fn unexpected() -> DatabaseError {
    DatabaseError::Connection("the server sent an unexpected message".to_owned())
}

pub(super) fn server_error(mut fields: ErrorFields<'_>) -> DatabaseError {
    let mut error = ServerError {
        code: String::new(),
        message: String::new(),
    };
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => error.code = value,
            b'M' => error.message = value,
            _ => {}
        }
    }
    DatabaseError::Server(error)
}

/// What an operator understands of an error of a socket.
pub(super) fn readable(error: &io::Error) -> String {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        return "no answer in time".to_owned();
    }
    if kind == io::ErrorKind::UnexpectedEof {
        return "the server has closed the connection".to_owned();
    }
    error.to_string()
}

impl From<io::Error> for DatabaseError {
    fn from(error: io::Error) -> Self {
        Self::Connection(readable(&error))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(reason) | Self::Unusable(reason) => f.write_str(reason),
            Self::Server(error) => write!(f, "{} (SQLSTATE {})", error.message, error.code),
        }
    }
}
