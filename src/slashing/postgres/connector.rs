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
        let mut unusable = None;
        let mut away = None;
        let mut hosts_left = u32::try_from(self.settings.hosts.len()).unwrap_or(u32::MAX);
        for host in &self.settings.hosts {
            // A host that does not answer leaves time for those that follow.
            let now = Instant::now();
            let share = end.saturating_duration_since(now) / hosts_left;
            hosts_left -= 1;
            let opened =
                DatabaseConnection::open(host, &self.settings, self.tls.as_ref(), now + share);
            let prepared = opened.and_then(|mut connection| {
                schema::prepare(&mut connection)?;
                signing::prepare(&mut connection)?;
                connection.set_end(end);
                Ok(connection)
            });
            match prepared {
                Ok(connection) => return Ok(connection),
                Err(error) if is_lasting(&error) => {
                    unusable.get_or_insert(error);
                }
                Err(error) => {
                    away.get_or_insert(error);
                }
            }
        }
        if let Some(error) = away {
            return Err(error);
        }
        match unusable {
            // The standby may become the primary.
            Some(DatabaseError::Unusable(reason)) if self.settings.hosts.len() > 1 => {
                Err(DatabaseError::Connection(reason))
            }
            Some(error) => Err(error),
            None => Err(DatabaseError::Unusable("the URL names no host".to_owned())),
        }
    }

    pub(super) fn unavailable(&self, error: &DatabaseError) -> Unavailable {
        Unavailable(format!(
            "{}: {}",
            self.settings.shown(),
            sentence(&self.settings, error)
        ))
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
    if settings.hosts.iter().all(|host| host.name.starts_with('/')) {
        return;
    }
    let what = match settings.ssl_mode {
        SslMode::VerifyFull => return,
        SslMode::Disable => "is not encrypted (sslmode=disable)",
        SslMode::Allow | SslMode::Prefer => {
            "may be unencrypted, and the server's certificate is not checked"
        }
        SslMode::Require => {
            "is encrypted, but the server's certificate is not checked (sslmode=require)"
        }
        SslMode::VerifyCa => "does not check the server's name (sslmode=verify-ca)",
    };
    log::warn!(
        "the connection to the slashing protection database {what}: use sslmode=verify-full with sslrootcert"
    );
}
