//! Makes connections that are ready for signing, and says in words why one cannot be made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::connection::DatabaseConnection;
use super::error::DatabaseError;
use super::url::{DatabaseSettings, SslMode};
use super::{schema, signing, tls};
use crate::slashing::error::StoreOpenError;
use crate::slashing::rule::Unavailable;

/// What connections are made from.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) settings: DatabaseSettings,
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    pub(super) fn new(settings: &DatabaseSettings) -> Result<Self, StoreOpenError> {
        let tls = tls::client_config(settings)
            .map_err(|reason| StoreOpenError::Database(settings.shown(), reason))?;
        Ok(Self {
            settings: settings.clone(),
            tls,
        })
    }

    /// Connects for work that may take long.
    pub(super) fn connect_for(
        &self,
        timeout: Duration,
    ) -> Result<DatabaseConnection, DatabaseError> {
        let mut connection = self.connect(Instant::now() + self.settings.socket_timeout)?;
        connection.set_timeout(timeout)?;
        Ok(connection)
    }

    /// Connects to the first host that records signatures, until `end`.
    pub(super) fn connect(&self, end: Instant) -> Result<DatabaseConnection, DatabaseError> {
        let hosts = &self.settings.hosts;
        let mut errors = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            let now = Instant::now();
            let time_max = time_of_host(index, hosts.len(), end.saturating_duration_since(now));
            let opened =
                DatabaseConnection::open(host, &self.settings, self.tls.as_ref(), now + time_max);
            let prepared = opened.and_then(|mut connection| {
                schema::prepare(&mut connection)?;
                signing::prepare(&mut connection)?;
                connection.set_end(end);
                Ok(connection)
            });
            match prepared {
                Ok(connection) => return Ok(connection),
                Err(error) => errors.push(error),
            }
        }
        Err(error_of_all(errors))
    }

    pub(super) fn unavailable(&self, error: &DatabaseError) -> Unavailable {
        Unavailable(format!(
            "{}: {}",
            self.settings.shown(),
            sentence(&self.settings, error)
        ))
    }
}

/// How long the host of this index may take: one that does not answer leaves time for those that follow.
fn time_of_host(index: usize, hosts: usize, left: Duration) -> Duration {
    left / u32::try_from(hosts - index).unwrap_or(u32::MAX)
}

/// Which of the errors of all hosts is the one to report.
fn error_of_all(errors: Vec<DatabaseError>) -> DatabaseError {
    let are_several = errors.len() > 1;
    let mut first = None;
    for error in errors {
        if !is_lasting(&error) {
            return error;
        }
        first.get_or_insert(error);
    }
    match first {
        // The standby may become the primary.
        Some(DatabaseError::Unusable(reason)) if are_several => DatabaseError::Connection(reason),
        Some(error) => error,
        None => DatabaseError::Unusable("the URL names no host".to_owned()),
    }
}

/// Whether waiting cannot help.
pub(super) fn is_lasting(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Connection(_) => false,
        DatabaseError::Unusable(_) => true,
        DatabaseError::Server(error) => {
            matches!(
                error.code.as_str(),
                "28P01" | "28000" | "3D000" | "42501" | "3F000"
            )
        }
    }
}

/// What is wrong, and what to do.
pub(super) fn sentence(settings: &DatabaseSettings, error: &DatabaseError) -> String {
    let DatabaseError::Server(server) = error else {
        return error.to_string();
    };
    match server.code.as_str() {
        "28P01" => format!(
            "wrong password for user {:?}, or there is no such user: check \
             --slashing-protection-db-password-file",
            settings.user
        ),
        "28000" => format!(
            "user {:?} may not connect: {}",
            settings.user, server.message
        ),
        "3D000" => format!(
            "there is no database {:?}: create it first",
            settings.database()
        ),
        "3F000" => format!(
            "there is no schema {:?}: create it first, or correct currentSchema",
            settings.schema.as_deref().unwrap_or("public")
        ),
        "42501" => format!(
            "user {:?} lacks rights: {}; grant SELECT, INSERT, UPDATE and DELETE on its tables, and CREATE on \
             an empty schema",
            settings.user, server.message
        ),
        _ => error.to_string(),
    }
}

/// Warns when nobody checks which server is at the other end.
pub(super) fn warn_of_unverified_server(settings: &DatabaseSettings) {
    if let Some(what) = missing_protection(settings) {
        log::warn!(
            "the connection to the slashing protection database {what}: use sslmode=verify-full with sslrootcert"
        );
    }
}

/// What the connection lacks against somebody between us and the server; `None` when it lacks nothing.
fn missing_protection(settings: &DatabaseSettings) -> Option<&'static str> {
    if settings.hosts.iter().all(|host| host.name.starts_with('/')) {
        return None;
    }
    match settings.ssl_mode {
        SslMode::VerifyFull => None,
        SslMode::Disable => Some("is not encrypted (sslmode=disable)"),
        SslMode::Allow | SslMode::Prefer => {
            Some("may be unencrypted, and the server's certificate is not checked")
        }
        SslMode::Require => {
            Some("is encrypted, but the server's certificate is not checked (sslmode=require)")
        }
        SslMode::VerifyCa => Some("does not check the server's name (sslmode=verify-ca)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_its_share_of_the_time_that_is_left() {
        for (index, hosts, left_ms, expected_ms) in [
            (0, 1, 2000, 2000),
            (0, 2, 2000, 1000),
            (1, 2, 1500, 1500),
            (0, 3, 3000, 1000),
            (1, 3, 2000, 1000),
        ] {
            let time_max = time_of_host(index, hosts, Duration::from_millis(left_ms));
            assert_eq!(time_max.as_millis(), expected_ms, "{index} of {hosts}");
        }
    }

    #[test]
    fn of_several_hosts_the_first_that_may_come_back_is_reported() {
        let away = |reason: &str| DatabaseError::Connection(reason.to_owned());
        let unusable = |reason: &str| DatabaseError::Unusable(reason.to_owned());
        for (errors, reason, is_lasting_error) in [
            (vec![away("a")], "a", false),
            (vec![unusable("a")], "a", true),
            (vec![away("a"), unusable("b")], "a", false),
            (vec![unusable("a"), away("b"), away("c")], "b", false),
            (vec![unusable("a"), unusable("b")], "a", false),
            (vec![], "the URL names no host", true),
        ] {
            let case = format!("{errors:?}");
            let error = error_of_all(errors);
            assert_eq!(error.to_string(), reason, "{case}");
            assert_eq!(is_lasting(&error), is_lasting_error, "{case}");
        }
    }

    #[test]
    fn a_connection_that_is_not_fully_protected_is_described() {
        for (url, expected) in [
            ("postgresql://h/w?sslmode=verify-full", None),
            ("postgresql://%2Frun%2Fpg/w", None),
            ("postgresql://%2Frun%2Fpg,h/w", Some("may be unencrypted")),
            ("postgresql://h/w", Some("may be unencrypted")),
            ("postgresql://h/w?sslmode=allow", Some("may be unencrypted")),
            ("postgresql://h/w?sslmode=disable", Some("is not encrypted")),
            (
                "postgresql://h/w?sslmode=require",
                Some("is encrypted, but"),
            ),
            ("postgresql://h/w?sslmode=verify-ca", Some("server's name")),
        ] {
            let settings = DatabaseSettings::from_url(url).unwrap();
            let said = missing_protection(&settings);
            assert_eq!(said.is_some(), expected.is_some(), "{url}");
            assert!(said.unwrap_or("").contains(expected.unwrap_or("")), "{url}");
        }
    }
}
