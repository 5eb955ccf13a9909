//! The socket of a connection: TCP, TLS over TCP, or a Unix socket, with every wait bounded.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::url::{DatabaseHost, DatabaseSettings, SslMode};

pub(super) enum DatabaseStream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl DatabaseStream {
    /// Connects to a host until `end`, with TLS if there is a configuration for it.
    pub(super) fn connect(
        host: &DatabaseHost,
        settings: &DatabaseSettings,
        tls: Option<&Arc<ClientConfig>>,
        end: Instant,
    ) -> io::Result<Self> {
        if host.name.starts_with('/') {
            let path = Path::new(&host.name).join(format!(".s.PGSQL.{}", host.port));
            return Ok(Self::Unix(UnixStream::connect(path)?));
        }
        let tcp = connect_tcp(host, end.min(Instant::now() + settings.connect_timeout))?;
        match tls {
            None => Ok(Self::Tcp(tcp)),
            Some(config) => encrypt(tcp, host, settings, config, end),
        }
    }

    /// Returns whether nobody else can read what is sent.
    pub(super) fn is_private(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(_) | Self::Tls(_) => true,
        }
    }

    /// Bounds the next read and write.
    pub(super) fn set_timeouts(&self, timeout: Duration) -> io::Result<()> {
        let tcp = match self {
            Self::Unix(unix) => {
                unix.set_read_timeout(Some(timeout))?;
                return unix.set_write_timeout(Some(timeout));
            }
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        };
        tcp.set_read_timeout(Some(timeout))?;
        tcp.set_write_timeout(Some(timeout))
    }
}

impl Read for DatabaseStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Unix(unix) => unix.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for DatabaseStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(buffer),
            Self::Unix(unix) => unix.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Unix(unix) => unix.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Asks the server for TLS, and shakes hands.
fn encrypt(
    mut tcp: TcpStream,
    host: &DatabaseHost,
    settings: &DatabaseSettings,
    config: &Arc<ClientConfig>,
    end: Instant,
) -> io::Result<DatabaseStream> {
    bound(&tcp, end)?;
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    tcp.write_all(&request)?;
    let mut answer = [0];
    tcp.read_exact(&mut answer)?;
    if answer != [b'S'] {
        if settings.ssl_mode == SslMode::Prefer {
            return Ok(DatabaseStream::Tcp(tcp));
        }
        // Waiting does not help: see `DatabaseConnection::connect`.
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the server does not offer TLS, and sslmode asks for it",
        ));
    }
    let name = ServerName::try_from(host.name.clone()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, tcp);
    // Completes the handshake, so that its errors differ from those of the login.
    while stream.conn.is_handshaking() {
        bound(&stream.sock, end)?;
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(DatabaseStream::Tls(Box::new(stream)))
}

/// Bounds the next read and write by a time.
fn bound(tcp: &TcpStream, end: Instant) -> io::Result<()> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    tcp.set_read_timeout(Some(left))?;
    tcp.set_write_timeout(Some(left))
}

fn connect_tcp(host: &DatabaseHost, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in resolve(host, deadline)? {
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(&address, left.max(Duration::from_millis(100))) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Looks a name up, on a thread of its own: the resolver has no time-out that we can set.
fn resolve(host: &DatabaseHost, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let target = (host.name.clone(), host.port);
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            let found = target.to_socket_addrs().map(Iterator::collect);
            // The caller may have given up.
            let _ = sender.send(found);
        })?;
    let left = deadline.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the name is not resolved in time",
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_of_the_network_is_not_private_and_one_of_this_host_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!DatabaseStream::Tcp(tcp).is_private());
        let (unix, _other) = UnixStream::pair().unwrap();
        assert!(DatabaseStream::Unix(unix).is_private());
    }
}
