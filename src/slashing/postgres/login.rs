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

#[cfg(test)]
mod tests {
    use super::super::tests::server_message;
    use super::*;

    /// An authentication request: its code, and what follows.
    fn request(code: u32, rest: &[u8]) -> Message {
        let body = [&code.to_be_bytes()[..], rest].concat();
        message(b'R', &body)
    }

    fn message(kind: u8, body: &[u8]) -> Message {
        let mut bytes = BytesMut::from(&server_message(kind, body)[..]);
        Message::parse(&mut bytes).unwrap().unwrap()
    }

    fn settings(password: &str) -> DatabaseSettings {
        DatabaseSettings::from_url(&format!("postgresql://u{password}@h/w")).unwrap()
    }

    const OK: u32 = 0;
    const CLEARTEXT: u32 = 3;
    const GSS: u32 = 7;
    const SASL: u32 = 10;

    #[test]
    fn a_password_is_sent_as_it_is_only_where_nobody_else_reads_it() {
        let with_password = settings(":secret");
        let request = request(CLEARTEXT, &[]);
        let mut output = BytesMut::new();
        let mut login = Login::new(&with_password, true);
        assert!(!login.answer(&request, &mut output).unwrap());
        assert_eq!(output[..], server_message(b'p', b"secret\0")[..]);

        for (settings, is_private, part) in [
            (&with_password, false, "clear text"),
            (&settings(""), true, "asks for a password"),
        ] {
            let mut output = BytesMut::new();
            let error = Login::new(settings, is_private)
                .answer(&request, &mut output)
                .unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(output.is_empty(), "{part}");
        }
    }

    #[test]
    fn scram_is_chosen_where_it_is_offered_and_the_server_must_prove_that_it_knows_the_password() {
        let settings = settings(":secret");
        for (offered, is_good) in [
            (&b"SCRAM-SHA-256\0\0"[..], true),
            (b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", true),
            (b"SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0", true),
            (b"SCRAM-SHA-256-PLUS\0\0", false),
            (b"\0", false),
        ] {
            let mut login = Login::new(&settings, false);
            let mut output = BytesMut::new();
            let answered = login.answer(&request(SASL, offered), &mut output);
            assert_eq!(answered.is_ok_and(|is_complete| !is_complete), is_good);
            assert_eq!(output.starts_with(b"p"), is_good);
            let consent = login.answer(&request(OK, &[]), &mut output);
            assert_eq!(consent.is_err(), is_good, "no proof was asked for");
        }
    }

    #[test]
    fn a_notice_is_passed_over_and_other_logins_are_refused() {
        let settings = settings("");
        let mut login = Login::new(&settings, false);
        let mut output = BytesMut::new();
        let notice = message(b'N', b"SNOTICE\0C00000\0Mhello\0\0");
        assert!(!login.answer(&notice, &mut output).unwrap());
        for refused in [request(GSS, &[]), message(b'Z', b"I")] {
            let error = login.answer(&refused, &mut output).unwrap_err();
            assert!(error.to_string().contains("not supported"), "{error}");
        }
        assert!(login.answer(&request(OK, &[]), &mut output).unwrap());
        assert!(output.is_empty());
    }
}
