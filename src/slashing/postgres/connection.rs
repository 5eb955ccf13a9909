//! One connection to a PostgreSQL server: protocol 3.0 over a blocking socket, every wait bounded.
//!
//! After an error nothing more is read from it: its owner drops it, which ends its transaction, and makes a
//! new one. Statements are sent in one flush, and their answers read afterwards.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;

use super::error::{DatabaseError, readable, server_error};
use super::login::Login;
use super::server_limits::check_length;
use super::stream::DatabaseStream;
use super::url::{DatabaseHost, DatabaseSettings, SslMode};

/// Read at a time.
const READ_BYTES: usize = 16 << 10;

/// The text values of one row.
pub(super) type TextRow = Vec<Option<String>>;

pub(super) struct DatabaseConnection {
    stream: DatabaseStream,
    input: BytesMut,
    output: BytesMut,
    /// For one flush of statements and their answers.
    socket_timeout: Duration,
    /// When the present request is given up, however many flushes it takes.
    end: Option<Instant>,
}

impl DatabaseConnection {
    /// Connects to a host and logs in, until `end`.
    pub(super) fn open(
        host: &DatabaseHost,
        settings: &DatabaseSettings,
        tls: Option<&Arc<ClientConfig>>,
        end: Instant,
    ) -> Result<Self, DatabaseError> {
        let encrypts_first = !matches!(settings.ssl_mode, SslMode::Disable | SslMode::Allow);
        let first_tls = tls.filter(|_| encrypts_first);
        let mut connection = Self::connect(host, settings, first_tls, end)?;
        match connection.log_in(settings) {
            // The server takes encrypted connections only.
            Err(DatabaseError::Server(error))
                if error.code == "28000"
                    && settings.ssl_mode == SslMode::Allow
                    && tls.is_some() =>
            {
                connection = Self::connect(host, settings, tls, end)?;
                connection.log_in(settings)?;
            }
            logged_in => logged_in?,
        }
        Ok(connection)
    }

    fn over(stream: DatabaseStream, settings: &DatabaseSettings, end: Instant) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            socket_timeout: settings.socket_timeout,
            end: Some(end),
        }
    }

    fn connect(
        host: &DatabaseHost,
        settings: &DatabaseSettings,
        tls: Option<&Arc<ClientConfig>>,
        end: Instant,
    ) -> Result<Self, DatabaseError> {
        let stream = DatabaseStream::connect(host, settings, tls, end).map_err(|error| {
            let reason = format!("{}:{}: {}", host.name, host.port, readable(&error));
            if error.kind() == io::ErrorKind::Unsupported {
                DatabaseError::Unusable(reason)
            } else {
                DatabaseError::Connection(reason)
            }
        })?;
        Ok(Self::over(stream, settings, end))
    }

    fn log_in(&mut self, settings: &DatabaseSettings) -> Result<(), DatabaseError> {
        let mut login = Login::new(settings, self.stream.is_private());
        login.begin(&mut self.output)?;
        let deadline = self.deadline();
        loop {
            self.flush()?;
            let message = self.read(deadline)?;
            if login.answer(&message, &mut self.output)? {
                break;
            }
        }
        self.read_rows(deadline)?;
        self.set_up(settings)
    }

    fn set_up(&mut self, settings: &DatabaseSettings) -> Result<(), DatabaseError> {
        // The server notices within 15 s that this host or the network is gone. `synchronous_commit` is pinned
        // to what will be checked: a reload of the server's configuration does not change it for this session.
        let statement_ms = settings.statement_timeout_ms();
        let lock_ms = settings.lock_timeout_ms();
        let mut statements = format!(
            "SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}; \
             SET idle_in_transaction_session_timeout = {statement_ms}; \
             SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3; \
             SET bytea_output = 'hex'; SET standard_conforming_strings = on; \
             SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)"
        );
        if let Some(schema) = &settings.schema {
            let schema = schema.replace('"', "\"\"");
            statements.push_str(&format!("; SET search_path = \"{schema}\""));
        }
        self.query(&statements)?;
        Ok(())
    }

    /// Changes the time-outs, for work that takes longer than a signature.
    pub(super) fn set_timeout(&mut self, timeout: Duration) -> Result<(), DatabaseError> {
        self.socket_timeout = timeout;
        self.end = None;
        let timeout_ms = timeout.as_millis();
        self.query(&format!(
            "SET statement_timeout = {timeout_ms}; SET idle_in_transaction_session_timeout = {timeout_ms}"
        ))?;
        Ok(())
    }

    /// Sets when the statements that follow are given up, all of them together.
    pub(super) fn set_end(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// When the next flush is given up.
    fn deadline(&self) -> Instant {
        let deadline = Instant::now() + self.socket_timeout;
        self.end.map_or(deadline, |end| end.min(deadline))
    }

    /// Runs `work` with another time-out of the socket.
    pub(super) fn wait_at_most<T>(
        &mut self,
        timeout: Option<Duration>,
        work: impl FnOnce(&mut Self) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let usual = self.socket_timeout;
        self.socket_timeout = timeout.unwrap_or(usual);
        let done = work(self);
        self.socket_timeout = usual;
        done
    }

    /// Runs statements without parameters, and returns all their rows.
    pub(super) fn query(&mut self, statements: &str) -> Result<Vec<TextRow>, DatabaseError> {
        frontend::query(statements, &mut self.output)?;
        self.finish()
    }

    /// Adds a statement with parameters in text form to what [`Self::finish`] sends.
    pub(super) fn add(
        &mut self,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<(), DatabaseError> {
        frontend::parse("", statement, [], &mut self.output)?;
        self.add_bind("", parameters)
    }

    /// Adds the preparation of a statement.
    pub(super) fn add_prepare(&mut self, name: &str, statement: &str) -> Result<(), DatabaseError> {
        Ok(frontend::parse(name, statement, [], &mut self.output)?)
    }

    /// Adds a prepared statement.
    pub(super) fn add_bind(
        &mut self,
        name: &str,
        parameters: &[Option<String>],
    ) -> Result<(), DatabaseError> {
        let bound = frontend::bind(
            "",
            name,
            [],
            parameters,
            |parameter, buffer| match parameter {
                None => Ok(IsNull::Yes),
                Some(text) => {
                    buffer.extend_from_slice(text.as_bytes());
                    Ok(IsNull::No)
                }
            },
            [],
            &mut self.output,
        );
        bound.map_err(|error| match error {
            frontend::BindError::Conversion(error) => DatabaseError::Connection(error.to_string()),
            frontend::BindError::Serialization(error) => error.into(),
        })?;
        Ok(frontend::execute("", 0, &mut self.output)?)
    }

    /// Runs one statement with parameters.
    pub(super) fn run(
        &mut self,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<TextRow>, DatabaseError> {
        self.add(statement, parameters)?;
        self.sync()
    }

    /// Sends all added statements in one flush, and returns all their rows. An error of one skips the
    /// others.
    pub(super) fn sync(&mut self) -> Result<Vec<TextRow>, DatabaseError> {
        frontend::sync(&mut self.output);
        self.finish()
    }

    fn finish(&mut self) -> Result<Vec<TextRow>, DatabaseError> {
        let deadline = self.deadline();
        self.flush()?;
        self.read_rows(deadline)
    }

    /// Reads until the server is ready for the next statements.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the server has many messages, of which few matter here"
    )]
    fn read_rows(&mut self, deadline: Instant) -> Result<Vec<TextRow>, DatabaseError> {
        let mut rows = Vec::new();
        let mut error = None;
        loop {
            let message = match self.read(deadline) {
                Ok(message) => message,
                // The server says why it closes the connection.
                Err(closed) => return Err(error.unwrap_or(closed)),
            };
            match message {
                Message::DataRow(row) => rows.push(text_row(&row)?),
                Message::ErrorResponse(body) => {
                    let failed = server_error(body.fields());
                    error.get_or_insert(failed);
                }
                Message::ReadyForQuery(_) => return error.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    fn read(&mut self, deadline: Instant) -> Result<Message, DatabaseError> {
        loop {
            check_length(&self.input)?;
            if let Some(message) = Message::parse(&mut self.input)? {
                return Ok(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            self.stream.set_timeouts(left)?;
            let mut chunk = [0; READ_BYTES];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.input.extend_from_slice(&chunk[..count]);
        }
    }

    fn flush(&mut self) -> Result<(), DatabaseError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let left = self.deadline().saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        self.stream.set_timeouts(left)?;
        let output = self.output.split();
        self.stream.write_all(&output)?;
        Ok(self.stream.flush()?)
    }
}

impl Drop for DatabaseConnection {
    fn drop(&mut self) {
        // The server ends its side at once; one that is away does not matter.
        let mut goodbye = BytesMut::new();
        frontend::terminate(&mut goodbye);
        if self.stream.set_timeouts(Duration::from_millis(50)).is_ok() {
            let _ = self.stream.write_all(&goodbye);
            let _ = self.stream.flush();
        }
    }
}

fn text_row(row: &DataRowBody) -> io::Result<TextRow> {
    let mut values = Vec::new();
    let mut ranges = row.ranges();
    while let Some(range) = ranges.next()? {
        let text = range.map(|range| String::from_utf8_lossy(&row.buffer()[range]).into_owned());
        values.push(text);
    }
    Ok(values)
}

/// Logs in at a server that sends these bytes, whatever it is asked, and runs a statement: for fuzzing.
pub(crate) fn talk_to_database(sent: &[u8]) -> io::Result<bool> {
    let (ours, mut theirs) = UnixStream::pair()?;
    theirs.write_all(sent)?;
    theirs.shutdown(Shutdown::Write)?;
    let settings = DatabaseSettings::from_url("jdbc:postgresql://localhost/db?user=u&password=p")
        .map_err(io::Error::other)?;
    let end = Instant::now() + settings.socket_timeout;
    let mut connection = DatabaseConnection::over(DatabaseStream::Unix(ours), &settings, end);
    let talked = connection
        .log_in(&settings)
        .and_then(|()| connection.run("SELECT $1", &[Some("1".to_owned())]));
    Ok(talked.is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::tests::server_message;
    use super::*;

    #[test]
    fn a_server_that_says_all_it_has_to_is_talked_to_and_one_that_stops_earlier_is_not() {
        let welcome = server_message(b'R', &[0; 4]);
        let ready = server_message(b'Z', b"I");
        let sent = [&welcome[..], &ready, &ready, &ready].concat();
        assert!(talk_to_database(&sent).unwrap());
        for end in 0..sent.len() {
            assert!(!talk_to_database(&sent[..end]).unwrap(), "{end} bytes");
        }
        let refusal = server_message(b'E', b"SFATAL\0C28000\0Mno\0\0");
        assert!(!talk_to_database(&refusal).unwrap());
    }
}
