//! Which clients are served: the guards of both listeners, their tokens, and a warning where every client
//! is.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::guard::{AccessToken, Allowlist, Guard, KeyManagerAccess};
use crate::cli::error::StartError;
use crate::cli::options::KeymanagerAuth;
use crate::cli::token::TokenSource;
use crate::config::{Keymanager, Settings};
use crate::data_dir::read_or_make_token;
use crate::server::notify::inherited_listeners;
use crate::server::tls::TlsFiles;
use crate::server::{ListenAddress, ListenerRole, Server};

/// The rules of both listeners.
pub(super) struct Guards {
    pub(super) signing: Guard,
    pub(super) metrics: Guard,
    pub(super) token_files: Vec<TokenFile>,
}

/// A token from a file, which is read again at SIGHUP.
pub(super) struct TokenFile {
    token: Arc<AccessToken>,
    read: Box<dyn Fn() -> Result<Zeroizing<String>, StartError>>,
}

impl TokenFile {
    /// `origin` says where users find the token.
    fn open(
        origin: String,
        read: impl Fn() -> Result<Zeroizing<String>, StartError> + 'static,
    ) -> Result<Self, StartError> {
        Ok(Self {
            token: Arc::new(AccessToken::new(&read()?, origin)),
            read: Box::new(read),
        })
    }
}

impl Guards {
    /// Takes the tokens out of the settings, so that nothing that is kept of these holds one.
    pub(super) fn new(settings: &mut Settings) -> Result<Self, StartError> {
        let mut token_files = Vec::new();
        let mut add = |file: TokenFile| {
            let token = Arc::clone(&file.token);
            token_files.push(file);
            token
        };
        let auth_token = match settings.auth_token.take() {
            None => None,
            Some(source) => {
                let origin = origin("--auth-token", &source);
                match source {
                    TokenSource::Given(text) => Some(Arc::new(AccessToken::new(&text, origin))),
                    TokenSource::File { .. } => {
                        Some(add(TokenFile::open(origin, move || source.read())?))
                    }
                }
            }
        };
        let key_manager_token = match settings.keymanager.clone() {
            Keymanager::Token(source) => {
                let origin = origin("--keymanager-token-file", &source);
                Some(add(TokenFile::open(origin, move || source.read())?))
            }
            Keymanager::OwnTokenFile(path) => {
                let origin = format!("{} (or --keymanager-token-file)", path.display());
                let read = move || read_or_make_token(&path);
                Some(add(TokenFile::open(origin, read)?))
            }
            Keymanager::AuthToken | Keymanager::Off | Keymanager::Open | Keymanager::Closed => None,
        };
        let metrics_hosts = match &settings.metrics {
            Some(metrics) => allowlist(metrics.hosts.as_ref()),
            None => Allowlist::All,
        };
        let key_manager_access = match settings.keymanager_auth {
            KeymanagerAuth::Token => KeyManagerAccess::Token,
            KeymanagerAuth::ClientCertificate => KeyManagerAccess::CertificateOrToken,
            KeymanagerAuth::NotAsked => KeyManagerAccess::Nothing,
        };
        Ok(Self {
            signing: Guard {
                token: auth_token.clone(),
                key_manager_token: key_manager_token.clone(),
                key_manager_access,
                // Which clients reach a socket of systemd is not known here.
                key_manager_needs_token: !matches!(settings.keymanager, Keymanager::Open)
                    || !inherited_listeners().is_empty(),
                hosts: allowlist(settings.http.hosts.as_ref()),
                hosts_option: "--http-host-allowlist",
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            metrics: Guard {
                token: auth_token,
                key_manager_token,
                key_manager_access,
                key_manager_needs_token: false,
                hosts: metrics_hosts,
                hosts_option: "--metrics-host-allowlist",
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            token_files,
        })
    }
}

/// Returns where users find a token, for error messages.
fn origin(option: &str, source: &TokenSource) -> String {
    match source {
        TokenSource::Given(_) => option.to_owned(),
        TokenSource::File { option, path, .. } => format!("--{option} ({})", path.display()),
    }
}

fn allowlist(hosts: Option<&Vec<String>>) -> Allowlist {
    match hosts {
        Some(hosts) => Allowlist::new(hosts.clone()),
        None => Allowlist::All,
    }
}

/// Reads the token files again. A token whose file cannot be read stays as it was.
pub(super) fn reload_tokens(files: &[TokenFile]) {
    for TokenFile { token, read } in files {
        match read() {
            Ok(text) => {
                if token.replace(&text) {
                    log::info!("SIGHUP: a token has changed");
                }
            }
            Err(error) => log::error!("SIGHUP: {}; this token stays as it was", error.message),
        }
    }
}

/// Warns when another machine reaches the signing port, and neither a token nor a client certificate is
/// asked for.
pub(super) fn warn_of_open_port(settings: &Settings, guard: &Guard, server: &Server) {
    if guard.token.is_some() || settings.tls.as_ref().is_some_and(TlsFiles::asks_clients) {
        return;
    }
    for (role, address) in server.addresses() {
        let (ListenAddress::Tcp(address) | ListenAddress::Tls(address, _)) = address else {
            continue;
        };
        if role != ListenerRole::Signing || address.ip().to_canonical().is_loopback() {
            continue;
        }
        if settings.unix.is_some() {
            log::info!(
                "port {address} gives signatures to every machine that reaches it, the Unix socket \
                 notwithstanding: with --http-listen-host=127.0.0.1 it would not"
            );
        } else {
            log::warn!(
                "port {address} gives signatures to every machine that reaches it: ask for a token \
                 (--auth-token-file), for client certificates (--tls-client-ca or --tls-known-clients), \
                 or serve a client on this host through a Unix socket (--listen-unix, with \
                 --http-listen-host=127.0.0.1)"
            );
        }
    }
}
