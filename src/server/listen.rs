//! Where a server listens: addresses to bound sockets.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::Service;

use super::accept::{Listener, ListeningSocket};
use super::system;
use super::tls::Tls;

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Bind {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The same, with TLS.
    Tls(SocketAddr, Arc<Tls>),
    /// A Unix socket with mode 0660; one that nobody listens on is replaced.
    Unix(PathBuf),
    /// A listening socket that the parent process has opened (`LISTEN_FDS`).
    Inherited(RawFd),
}

/// Why a listener could not be opened.
#[derive(Debug)]
pub struct BindError {
    /// The address that was asked for.
    pub bind: Bind,
    /// What the system said.
    pub source: io::Error,
}

/// Connections that wait to be accepted: a burst of all validators of a host fits.
const BACKLOG: i32 = 1024;

pub(super) fn open(bind: Bind, service: Arc<dyn Service>) -> Result<Listener, BindError> {
    let opened = match &bind {
        Bind::Tcp(address) | Bind::Tls(address, _) => {
            TcpListener::bind(address).map(ListeningSocket::Tcp)
        }
        Bind::Unix(path) => bind_unix(path).map(ListeningSocket::Unix),
        Bind::Inherited(fd) => inherit(*fd),
    };
    let prepared = opened.and_then(|socket| {
        system::set_backlog(socket.as_fd(), BACKLOG)?;
        match &socket {
            ListeningSocket::Tcp(socket) => socket.set_nonblocking(true)?,
            ListeningSocket::Unix(socket) => socket.set_nonblocking(true)?,
        }
        Ok(socket)
    });
    match (prepared, bind) {
        (Ok(socket), Bind::Tls(_, tls)) => Ok(Listener {
            socket,
            tls: Some(tls),
            service,
        }),
        (Ok(socket), _) => Ok(Listener {
            socket,
            tls: None,
            service,
        }),
        (Err(source), bind) => Err(BindError { bind, source }),
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?; // left behind by a process that is gone
    }
    system::with_group_umask(|| UnixListener::bind(path))
}

fn inherit(fd: RawFd) -> io::Result<ListeningSocket> {
    let fd = system::adopt(fd)?;
    let tcp = TcpListener::from(fd);
    match tcp.local_addr() {
        Ok(_) => Ok(ListeningSocket::Tcp(tcp)),
        Err(_) => Ok(ListeningSocket::Unix(UnixListener::from(
            std::os::fd::OwnedFd::from(tcp),
        ))),
    }
}

impl Listener {
    /// The address that the system gave; unnamed sockets have an empty path.
    pub(super) fn address(&self) -> Bind {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
                let address = listener.local_addr().unwrap_or(unknown);
                self.tls.as_ref().map_or(Bind::Tcp(address), |tls| {
                    Bind::Tls(address, Arc::clone(tls))
                })
            }
            ListeningSocket::Unix(listener) => {
                let address = listener.local_addr().ok();
                Bind::Unix(
                    address
                        .and_then(|it| it.as_pathname().map(Path::to_owned))
                        .unwrap_or_default(),
                )
            }
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Tls(address, _) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(fd) => write!(f, "inherited descriptor {fd}"),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.bind, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
