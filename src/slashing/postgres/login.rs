//! The login to a server (PostgreSQL protocol 3.0, "Start-up"): which answer each of its requests gets.
//! Reads and writes no socket.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::error::{DatabaseError, server_error, unexpected};
use super::server_limits::check_iterations;
use super::url::DatabaseSettings;

/// One login, from the first request of the server to its consent.
pub(super) struct Login<'s> {
    settings: &'s DatabaseSettings,
    /// Whether nobody else reads what is sent.
    is_private: bool,
    scram: Option<sasl::ScramSha256>,
    /// Whether a server that asked for SCRAM has yet to prove that it knows the password.
    awaits_proof: bool,
}

impl<'s> Login<'s> {
    pub(super) fn new(settings: &'s DatabaseSettings, is_private: bool) -> Self {
        Self {
            settings,
            is_private,
            scram: None,
            awaits_proof: false,
        }
    }

    /// Adds the first message to `output`.
    pub(super) fn begin(&self, output: &mut BytesMut) -> Result<(), DatabaseError> {
        let parameters = [
            ("user", self.settings.user.as_str()),
            ("database", self.settings.database()),
            ("client_encoding", "UTF8"),
            ("application_name", &self.settings.application_name),
        ];
        Ok(frontend::startup_message(parameters, output)?)
    }

    /// Adds the answer to a message of the server to `output`. Returns whether the login is complete.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the server has many messages, of which few matter here"
    )]
    pub(super) fn answer(
        &mut self,
        message: &Message,
        output: &mut BytesMut,
    ) -> Result<bool, DatabaseError> {
        match message {
            Message::AuthenticationOk if self.awaits_proof => return Err(unexpected()),
            Message::AuthenticationOk => return Ok(true),
            Message::AuthenticationCleartextPassword => self.send_password(output)?,
            Message::AuthenticationMd5Password(body) => {
                let user = self.settings.user.as_bytes();
                let hash = md5_hash(user, self.password()?, body.salt());
                frontend::password_message(hash.as_bytes(), output)?;
            }
            Message::AuthenticationSasl(body) => self.begin_scram(body, output)?,
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram.as_mut().ok_or_else(unexpected)?;
                check_iterations(body.data())?;
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), output)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram = self.scram.as_mut().ok_or_else(unexpected)?;
                scram.finish(body.data())?;
                self.awaits_proof = false;
            }
            Message::ErrorResponse(body) => return Err(server_error(body.fields())),
            Message::NoticeResponse(_) => {}
            _ => return Err(unsupported()),
        }
        Ok(false)
    }

    fn send_password(&self, output: &mut BytesMut) -> Result<(), DatabaseError> {
        if !self.is_private {
            return Err(DatabaseError::Unusable(
                "the server asks for the password in clear text over a connection without TLS: use \
                 scram-sha-256 in pg_hba.conf, or sslmode=verify-full"
                    .to_owned(),
            ));
        }
        Ok(frontend::password_message(self.password()?, output)?)
    }

    fn begin_scram(
        &mut self,
        body: &AuthenticationSaslBody,
        output: &mut BytesMut,
    ) -> Result<(), DatabaseError> {
        let mut mechanisms = body.mechanisms();
        let mut is_offered = false;
        while let Some(mechanism) = mechanisms.next()? {
            is_offered |= mechanism == sasl::SCRAM_SHA_256;
        }
        if !is_offered {
            return Err(unsupported());
        }
        let binding = sasl::ChannelBinding::unsupported();
        let scram = sasl::ScramSha256::new(self.password()?, binding);
        frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), output)?;
        self.scram = Some(scram);
        self.awaits_proof = true;
        Ok(())
    }

    fn password(&self) -> Result<&'s [u8], DatabaseError> {
        let password = self.settings.password.as_ref().ok_or_else(|| {
            DatabaseError::Unusable(
                "the server asks for a password: give --slashing-protection-db-password-file"
                    .to_owned(),
            )
        })?;
        Ok(password.as_bytes())
    }
}

fn unsupported() -> DatabaseError {
    DatabaseError::Unusable(
        "the server asks for a login that is not supported: expected scram-sha-256, md5, password over TLS, \
         or trust in pg_hba.conf"
            .to_owned(),
    )
}
