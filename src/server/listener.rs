//! Listeners: addresses become bound sockets.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::http::client::ClientIdentity;

use super::control::ControlSocket;
use super::system;
use super::tls::Tls;

/// What a listener is for. It decides which service answers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerRole {
    /// The signing API, for clients.
    Signing,
    /// Metrics and health, for those who watch over the service.
    Metrics,
    /// The control socket, for commands.
    Control,
}

impl ListenerRole {
    /// All roles, in the order of their numbers.
    pub(super) const ALL: [Self; 3] = [Self::Signing, Self::Metrics, Self::Control];

    /// Returns the role as a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Metrics => "metrics",
            Self::Control => "control",
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug)]
pub enum ListenAddress {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A TCP address, with TLS.
    Tls(SocketAddr, Arc<Tls>),
    /// A Unix socket with mode 0660. It replaces one that nobody listens on.
    Unix(PathBuf),
    /// A listening socket that the parent process has opened (`LISTEN_FDS`).
    Inherited(RawFd),
    /// The control socket.
    Control(ControlSocket),
}

/// Why a listener could not be opened.
#[derive(Debug)]
pub struct BindError {
    /// What it is for.
    pub role: ListenerRole,
    /// The address that was asked for.
    pub address: ListenAddress,
    /// The error of the system.
    pub source: io::Error,
}

/// A bound socket.
pub(super) struct Listener {
    pub(super) role: ListenerRole,
    pub(super) tls: Option<Arc<Tls>>,
    socket: ListeningSocket,
}

enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
    Control(ControlSocket),
}

/// Connections that wait to be accepted: a burst of all validators of a host fits.
const BACKLOG: i32 = 1024;

impl Listener {
    /// Binds `address`.
    pub(super) fn open(role: ListenerRole, address: ListenAddress) -> Result<Self, BindError> {
        let socket = match ListeningSocket::open(&address) {
            Ok(socket) => socket,
            Err(source) => {
                return Err(BindError {
                    role,
                    address,
                    source,
                });
            }
        };
        let tls = if let ListenAddress::Tls(_, tls) = address {
            Some(tls)
        } else {
            None
        };
        Ok(Self { role, tls, socket })
    }

    /// The address that the system gave; an unnamed socket has an empty path.
    pub(super) fn address(&self) -> ListenAddress {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
                let address = listener.local_addr().unwrap_or(unknown);
                match &self.tls {
                    Some(tls) => ListenAddress::Tls(address, Arc::clone(tls)),
                    None => ListenAddress::Tcp(address),
                }
            }
            ListeningSocket::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.and_then(|address| address.as_pathname().map(Path::to_owned));
                ListenAddress::Unix(path.unwrap_or_default())
            }
            ListeningSocket::Control(socket) => ListenAddress::Control(socket.clone()),
        }
    }

    /// The next connection, and its client.
    pub(super) fn accept(&self) -> io::Result<(TcpStream, ClientIdentity)> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // An answer is written whole and at once: waiting for more to send only delays it.
                stream.set_nodelay(true)?;
                Ok((stream, ClientIdentity::at(peer.ip())))
            }
            ListeningSocket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                let client = ClientIdentity::local(system::peer_uid(stream.as_fd()));
                log::debug!("a connection of {client} on the Unix socket");
                Ok((TcpStream::from(OwnedFd::from(stream)), client))
            }
            ListeningSocket::Control(socket) => {
                let stream = socket.accept()?;
                let client = ClientIdentity::local(system::peer_uid(stream.as_fd()));
                Ok((TcpStream::from(OwnedFd::from(stream)), client))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ListeningSocket {
    fn open(address: &ListenAddress) -> io::Result<Self> {
        let socket = match address {
            ListenAddress::Tcp(address) | ListenAddress::Tls(address, _) => {
                Self::Tcp(TcpListener::bind(address)?)
            }
            ListenAddress::Unix(path) => Self::Unix(bind_unix(path)?),
            ListenAddress::Inherited(fd) => inherit(*fd)?,
            ListenAddress::Control(socket) => Self::Control(socket.clone()),
        };
        system::set_backlog(socket.as_fd(), BACKLOG)?;
        match &socket {
            Self::Tcp(socket) => socket.set_nonblocking(true)?,
            Self::Unix(socket) => socket.set_nonblocking(true)?,
            Self::Control(socket) => socket.set_nonblocking()?,
        }
        Ok(socket)
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
            Self::Control(socket) => socket.as_fd(),
        }
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
    system::with_umask(0o117, || UnixListener::bind(path))
}

fn inherit(fd: RawFd) -> io::Result<ListeningSocket> {
    let tcp = TcpListener::from(system::adopt(fd)?);
    if tcp.local_addr().is_ok() {
        Ok(ListeningSocket::Tcp(tcp))
    } else {
        let unix = UnixListener::from(OwnedFd::from(tcp));
        Ok(ListeningSocket::Unix(unix))
    }
}

impl fmt::Display for ListenerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Tls(address, _) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Control(socket) => write!(f, "unix:{}", socket.path().display()),
            Self::Inherited(fd) => write!(f, "inherited descriptor {fd}"),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
