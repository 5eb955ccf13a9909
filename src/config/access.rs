//! Who may do what: TLS, tokens, and the Keymanager routes.

use std::path::{Path, PathBuf};

use super::{ListenerSettings, conflict};
use crate::cli::error::StartError;
use crate::cli::options::{self, KeymanagerAuth};
use crate::cli::token::TokenSource;
use crate::cli::values::OptionValues;
use crate::server::tls::{TlsFiles, TlsIdentity};

/// Who may use the Keymanager routes.
#[derive(Clone)]
pub(crate) enum Keymanager {
    /// Nobody: the routes do not exist.
    Off,
    /// Everybody: a loopback listener, and nothing is kept; or `--keymanager-auth=none`.
    Open,
    /// Callers with the token that all routes but health ask for.
    AuthToken,
    /// Callers with this token, or with the one that all routes ask for.
    Token(TokenSource),
    /// Callers with the token of this file, which is made when it does not exist.
    OwnTokenFile(PathBuf),
    /// Nobody: the listener is open to other machines, and there is no token.
    Closed,
}

/// Where the token of the Keymanager routes is made, in the data directory.
const TOKEN_FILE: &str = "api-token.txt";

/// Reads the token that all routes but health ask for.
pub(super) fn auth_token(values: &OptionValues) -> Result<Option<TokenSource>, StartError> {
    let given = values.get(options::AUTH_TOKEN)?;
    let from_file = values.token_file(options::AUTH_TOKEN_FILE)?;
    match (given, from_file) {
        (Some(_), Some(_)) => conflict("--auth-token and --auth-token-file exclude each other"),
        (Some(token), None) => Ok(Some(TokenSource::Given(token))),
        (None, from_file) => Ok(from_file),
    }
}

/// Returns the files of TLS, which exist; nothing without TLS.
pub(crate) fn tls(values: &OptionValues) -> Result<Option<TlsFiles>, StartError> {
    let certificate = values.get(options::TLS_CERT)?;
    let key = values.get(options::TLS_KEY)?;
    let store = values.get(options::TLS_KEYSTORE_FILE)?;
    let password = values.get(options::TLS_KEYSTORE_PASSWORD_FILE)?;
    let client_ca = values.get(options::TLS_CLIENT_CA)?;
    let known_clients = values.get(options::TLS_KNOWN_CLIENTS)?;
    let allows_any_client = values.get(options::TLS_ALLOW_ANY_CLIENT)?;
    let asks_clients = client_ca.is_some() || known_clients.is_some();
    if values.get(options::TLS_ALLOW_CA_CLIENTS)? && client_ca.is_none() {
        return conflict(
            "--tls-allow-ca-clients needs the certificate of that CA: give its PEM file by --tls-client-ca \
             (the system's trust store is not read)",
        );
    }
    let identity = match (certificate, key, store, password) {
        (None, None, None, None) if !asks_clients => return Ok(None),
        (None, None, None, None) => {
            return conflict("client certificates need --tls-cert and --tls-key");
        }
        (Some(certificate), Some(key), None, None) => TlsIdentity::Pem(certificate, key),
        (None, None, Some(_), Some(_)) if !asks_clients && !allows_any_client => {
            return conflict(
                "--tls-keystore-file needs --tls-known-clients, --tls-client-ca or --tls-allow-any-client",
            );
        }
        (None, None, Some(store), Some(password)) => TlsIdentity::Pkcs12(store, password),
        (_, _, None, None) => return conflict("--tls-cert and --tls-key go together"),
        (None, None, _, _) => {
            return conflict("--tls-keystore-file and --tls-keystore-password-file go together");
        }
        (_, _, _, _) => return conflict("--tls-cert and --tls-keystore-file exclude each other"),
    };
    if allows_any_client && asks_clients {
        return conflict("--tls-allow-any-client excludes --tls-client-ca and --tls-known-clients");
    }
    Ok(Some(TlsFiles {
        identity,
        client_ca,
        known_clients,
        allow_insecure_permissions: values.get(options::ALLOW_INSECURE_PERMISSIONS)?,
    }))
}

/// Returns what the Keymanager routes ask of a caller. Unset, a client that came in by its certificate needs no
/// token, unless a token was given.
pub(super) fn keymanager_auth(
    values: &OptionValues,
    tls: Option<&TlsFiles>,
) -> Result<KeymanagerAuth, StartError> {
    let asks_clients = tls.is_some_and(TlsFiles::asks_clients);
    let has_token_option = values.is_given(options::AUTH_TOKEN)
        || values.is_given(options::AUTH_TOKEN_FILE)
        || values.is_given(options::KEYMANAGER_TOKEN_FILE);
    match values.get(options::KEYMANAGER_AUTH)? {
        Some(KeymanagerAuth::ClientCertificate) if !asks_clients => conflict(
            "--keymanager-auth=client-certificate needs --tls-client-ca or --tls-known-clients",
        ),
        Some(auth) => Ok(auth),
        None if asks_clients && !has_token_option => Ok(KeymanagerAuth::ClientCertificate),
        None => Ok(KeymanagerAuth::Token),
    }
}

/// Returns who may use the Keymanager routes when nothing is asked for.
pub(super) fn keymanager_without_auth(values: &OptionValues) -> Result<Keymanager, StartError> {
    if values.is_given(options::KEYMANAGER_TOKEN_FILE) {
        return conflict("--keymanager-auth=none and --keymanager-token-file exclude each other");
    }
    if values.get(options::KEY_MANAGER_API_ENABLED)? {
        Ok(Keymanager::Open)
    } else {
        Ok(Keymanager::Off)
    }
}

/// Returns who may use the Keymanager routes when a token or a certificate is asked for.
pub(super) fn keymanager(
    values: &OptionValues,
    has_auth_token: bool,
    data_dir: Option<&Path>,
    http: &ListenerSettings,
) -> Result<Keymanager, StartError> {
    if !values.get(options::KEY_MANAGER_API_ENABLED)? {
        return Ok(Keymanager::Off);
    }
    if let Some(token) = values.token_file(options::KEYMANAGER_TOKEN_FILE)? {
        return Ok(Keymanager::Token(token));
    }
    if has_auth_token {
        return Ok(Keymanager::AuthToken);
    }
    if let Some(directory) = data_dir {
        return Ok(Keymanager::OwnTokenFile(directory.join(TOKEN_FILE)));
    }
    if http.address.ip().is_loopback() {
        Ok(Keymanager::Open)
    } else {
        Ok(Keymanager::Closed)
    }
}
