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
}
