//! Which clients are served: the guards of both listeners, their tokens, and a warning where every client
//! is.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::guard::{Allowlist, Guard, Token};
use crate::cli::TokenSource;
use crate::cli::error::StartError;
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
    token: Arc<Token>,
    read: Box<dyn Fn() -> Result<Zeroizing<String>, StartError>>,
}

impl TokenFile {
    fn open(
        read: impl Fn() -> Result<Zeroizing<String>, StartError> + 'static,
    ) -> Result<Self, StartError> {
        Ok(Self {
            token: Arc::new(Token::new(&read()?)),
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
            Some(TokenSource::Given(text)) => Some(Arc::new(Token::new(&text))),
            Some(file) => Some(add(TokenFile::open(move || file.read())?)),
        };
        let key_manager_token = match settings.keymanager.clone() {
            Keymanager::Token(file) => Some(add(TokenFile::open(move || file.read())?)),
            Keymanager::OwnTokenFile(path) => {
                Some(add(TokenFile::open(move || read_or_make_token(&path))?))
            }
            Keymanager::AuthToken | Keymanager::Off | Keymanager::Open | Keymanager::Closed => None,
        };
        let metrics_hosts = match &settings.metrics {
            Some(metrics) => allowlist(metrics.hosts.as_ref()),
            None => Allowlist::All,
        };
        Ok(Self {
            signing: Guard {
                token: auth_token.clone(),
                key_manager_token,
                // Which clients reach a socket of systemd is not known here.
                key_manager_needs_token: !matches!(settings.keymanager, Keymanager::Open)
                    || !inherited_listeners().is_empty(),
                hosts: allowlist(settings.http.hosts.as_ref()),
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            metrics: Guard {
                token: auth_token,
                key_manager_token: None,
                key_manager_needs_token: false,
                hosts: metrics_hosts,
                origins: Allowlist::new([]),
            },
            token_files,
        })
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
