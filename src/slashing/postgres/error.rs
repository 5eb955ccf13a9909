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

impl DatabaseError {
    /// Whether only others were in the way: a lock, a deadlock, or work that took too long. The server is fine.
    pub(super) fn is_contention(&self) -> bool {
        match self {
            Self::Server(error) => matches!(
                error.code.as_str(),
                // lock_not_available, query_canceled, serialization_failure, deadlock_detected
                "55P03" | "57014" | "40001" | "40P01"
            ),
            Self::Connection(_) | Self::Unusable(_) => false,
        }
    }
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

/// Describes an error of a socket for the operator.
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use postgres_protocol::message::backend::Message;

    use super::super::tests::server_message;
    use super::*;

    #[test]
    fn an_error_of_the_server_has_its_message_and_its_code() {
        let sent = server_message(b'E', b"SERROR\0C42501\0Mno right\0Hask\0\0");
        let parsed = Message::parse(&mut BytesMut::from(&sent[..])).unwrap();
        let Some(Message::ErrorResponse(body)) = parsed else {
            panic!("an error response");
        };
        let error = server_error(body.fields()).to_string();
        assert_eq!(error, "no right (SQLSTATE 42501)");
    }

    #[test]
    fn an_error_of_a_socket_is_described_for_the_operator() {
        for (kind, text) in [
            (io::ErrorKind::WouldBlock, "no answer in time"),
            (io::ErrorKind::TimedOut, "no answer in time"),
            (
                io::ErrorKind::UnexpectedEof,
                "the server has closed the connection",
            ),
            (io::ErrorKind::ConnectionRefused, "connection refused"),
        ] {
            let error = DatabaseError::from(io::Error::from(kind));
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_lock_that_is_held_is_contention_and_an_error_of_the_server_is_not() {
        let server = |code: &str| {
            DatabaseError::Server(ServerError {
                code: code.to_owned(),
                message: String::new(),
            })
        };
        for code in ["55P03", "57014", "40001", "40P01"] {
            assert!(server(code).is_contention(), "{code}");
        }
        for code in ["", "53100", "28P01", "57P01"] {
            assert!(!server(code).is_contention(), "{code}");
        }
        assert!(!DatabaseError::Connection("55P03".to_owned()).is_contention());
    }
}
