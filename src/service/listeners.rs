//! Where the service listens: the settings, the sockets that systemd has opened, the control socket.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::cli::error::{StartError, exit};
use crate::config::Settings;
use crate::server::control::{ControlSocket, path_in, runtime_directory};
use crate::server::notify::inherited_listeners;
use crate::server::tls::Tls;
use crate::server::{
    BindError, ConnectionLimits, ListenAddress, ListenerRole, Server, ServerSettings,
};

/// Binds all listeners.
pub(super) fn bind(
    settings: &Settings,
    tls: Option<&Arc<Tls>>,
    control_socket: Option<ControlSocket>,
) -> Result<Server, StartError> {
    let limits = ConnectionLimits {
        idle: settings.idle_timeout,
        per_address_max: settings.connections_per_address,
        per_local_max: settings.connections_local,
        ..ConnectionLimits::default()
    };
    Server::bind(ServerSettings {
        listeners: addresses(settings, tls, control_socket),
        limits,
        ..ServerSettings::default()
    })
    .map_err(|error| cannot_listen(&error))
}

/// The control socket, then those for metrics, then those for signing. Sockets that systemd has opened
/// replace our own; the one named `metrics` is for metrics.
fn addresses(
    settings: &Settings,
    tls: Option<&Arc<Tls>>,
    control_socket: Option<ControlSocket>,
) -> Vec<(ListenerRole, ListenAddress)> {
    let mut for_metrics = Vec::new();
    let mut for_signing = Vec::new();
    for (fd, name) in inherited_listeners() {
        if name == "metrics" {
            for_metrics.push(ListenAddress::Inherited(fd));
        } else {
            for_signing.push(ListenAddress::Inherited(fd));
        }
    }
    if for_metrics.is_empty()
        && let Some(metrics) = &settings.metrics
    {
        for_metrics.push(ListenAddress::Tcp(metrics.address));
    }
    if for_signing.is_empty() {
        let address = settings.http.address;
        for_signing.push(match tls {
            Some(tls) => ListenAddress::Tls(address, Arc::clone(tls)),
            None => ListenAddress::Tcp(address),
        });
    }
    if let Some(path) = &settings.unix {
        for_signing.push(ListenAddress::Unix(path.clone()));
    }

    let mut addresses = Vec::new();
    if let Some(socket) = control_socket {
        addresses.push((ListenerRole::Control, ListenAddress::Control(socket)));
    }
    for address in for_metrics {
        addresses.push((ListenerRole::Metrics, address));
    }
    for address in for_signing {
        addresses.push((ListenerRole::Signing, address));
    }
    addresses
}

fn cannot_listen(error: &BindError) -> StartError {
    let kind = error.source.kind();
    let hint = if kind == ErrorKind::AddrInUse {
        "another process listens there: choose another port, or end that process"
    } else if kind == ErrorKind::PermissionDenied {
        "ports below 1024 and the directories of other users need permission"
    } else {
        "choose an address that this host has"
    };
    StartError::new(exit::UNAVAILABLE, error.to_string()).hint(hint)
}

/// Binds the control socket in the first of its directories that allows it. Without it the service runs all
/// the same, and the log gives the reason.
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
