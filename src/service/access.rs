//! Who may ask: the tokens of both listeners, the control socket, and a warning where nobody is kept out.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::guard::{AccessToken, Allowlist, Guard};
use crate::cli::TokenSource;
use crate::cli::error::StartError;
use crate::config::{Keymanager, Settings};
use crate::data_dir::read_or_make_token;
use crate::server::control::{ControlSocket, path_in, runtime_directory};
use crate::server::notify::inherited_listeners;
use crate::server::tls::Files;
use crate::server::{Bind, Server};

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

impl Guards {
    /// Takes the tokens out of the settings: what is kept of them does not tell them.
    pub(super) fn new(settings: &mut Settings) -> Result<Self, StartError> {
        let mut token_files = Vec::new();
        let mut token_of = |read: Box<dyn Fn() -> Result<Zeroizing<String>, StartError>>| {
            let token = Arc::new(AccessToken::new(&read()?));
            token_files.push(TokenFile {
                token: Arc::clone(&token),
                read,
            });
            Ok(token)
        };
        let auth_token = match settings.auth_token.take() {
            None => None,
            Some(TokenSource::Given(text)) => Some(Arc::new(AccessToken::new(&text))),
            Some(file) => Some(token_of(Box::new(move || file.read()))?),
        };
        let key_manager_token = match settings.keymanager.clone() {
            Keymanager::Token(file) => Some(token_of(Box::new(move || file.read()))?),
            Keymanager::OwnTokenFile(path) => {
                Some(token_of(Box::new(move || read_or_make_token(&path)))?)
            }
            Keymanager::AuthToken | Keymanager::Off | Keymanager::Open | Keymanager::Closed => None,
        };
        let hosts =
            |hosts: &Option<Vec<String>>| hosts.clone().map_or(Allowlist::All, Allowlist::new);
        Ok(Self {
            signing: Guard {
                token: auth_token.clone(),
                key_manager_token: key_manager_token.clone(),
                // Who reaches a socket of systemd is not known here.
                key_manager_needs_token: !matches!(settings.keymanager, Keymanager::Open)
                    || !inherited_listeners().is_empty(),
                hosts: hosts(&settings.http.hosts),
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            metrics: Guard {
                token: auth_token,
                key_manager_token,
                key_manager_needs_token: false,
                hosts: hosts(
                    &settings
                        .metrics
                        .as_ref()
                        .and_then(|metrics| metrics.hosts.clone()),
                ),
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            token_files,
        })
    }
}

/// Takes the tokens that the files hold now. One that cannot be read stays as it was.
pub(super) fn reload_tokens(files: &[TokenFile]) {
    for TokenFile { token, read } in files {
        match read() {
            Ok(text) if token.replace(&text) => log::info!("SIGHUP: a token has changed"),
            Ok(_) => {}
            Err(usage) => log::error!("SIGHUP: {}; this token stays as it was", usage.message),
        }
    }
}

/// The control socket, in the first of its directories that takes one. Without it the service runs all
/// the same, and the log says why.
pub(super) fn bind_control_socket(settings: &mut Settings) -> Option<ControlSocket> {
    let directories = settings.data_dir.iter().cloned().chain(runtime_directory());
    let mut failures = Vec::new();
    for directory in directories {
        match ControlSocket::bind(&directory) {
            Ok(socket) => return Some(socket),
            Err(error) => {
                let path = path_in(&directory);
                failures.push(format!("no control socket at {}: {error}", path.display()));
            }
        }
    }
    settings.notices.extend(failures);
    None
}

/// Says that others get signatures, where that is so: another machine reaches the signing port, and
/// neither token nor client certificate keeps it out.
pub(super) fn warn_of_open_port(
    settings: &Settings,
    guard: &Guard,
    server: &Server,
    names: &[&str],
) {
    if guard.token.is_some() || settings.tls.as_ref().is_some_and(Files::asks_clients) {
        return;
    }
    for (name, bind) in names.iter().zip(server.addresses()) {
        let (Bind::Tcp(address) | Bind::Tls(address, _)) = bind else {
            continue;
        };
        if *name != "signing" || address.ip().to_canonical().is_loopback() {
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
