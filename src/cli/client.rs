//! A few lines of HTTP, to ask a server on this host from an image that has no curl.
//!
//! The server is reached through its control socket, where there is one: the kernel says whose it is, and
//! no token is needed. Otherwise through its signing listener; a token is sent there only over TLS, after
//! the server has shown its own certificate.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::{StartError, exit};
use super::layers::Values;
use crate::config;
use crate::server::control::{self, ConnectError};
use crate::server::pinned;
use crate::server::tls::TlsFiles;

/// More than any answer that is asked for.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The way to a server.
pub(super) struct Server {
    way: Way,
    /// The name that it answers to.
    host: String,
}

enum Way {
    /// Its control socket.
    Control(PathBuf),
    /// `host:port`, without TLS: whoever has that port answers, so no token is sent.
    Plain(String),
    /// Its signing listener, and the files of its certificate.
    Tls(SocketAddr, TlsFiles),
}

impl Server {
    /// The server of `--url`, else the one that these options start; to be asked how it is.
    pub(super) fn find(url: Option<&str>, values: &Values) -> Result<Self, StartError> {
        if let Some(url) = url {
            return Self::at(url);
        }
        if let Some(server) = Self::by_control_socket(values, &mut Vec::new())? {
            return Ok(server);
        }
        let Some(files) = config::tls(values)? else {
            let address = reachable(values.address("http-listen-host", "http-listen-port")?);
            return Ok(Self::plain(values, address));
        };
        if !files.asks_clients() {
            return Self::by_tls(values, files);
        }
        // A command has no client certificate. The metrics listener tells of health as well.
        if !values.on("metrics-enabled")? {
            let message = "the signing listener wants client certificates, and there is neither a \
                           metrics listener nor a control socket to ask";
            return Err(StartError::new(exit::UNHEALTHY, message).hint(
                "give the server a --data-dir, where its control socket is, and this command the same",
            ));
        }
        let address = reachable(values.address("metrics-host", "metrics-port")?);
        Ok(Self::plain(values, address))
    }

    /// The server that these options start, to be given a token, or believed what it says: by a way where
    /// nobody else answers.
    pub(super) fn find_trusted(values: &Values) -> Result<Self, StartError> {
        let mut reasons = Vec::new();
        if let Some(server) = Self::by_control_socket(values, &mut reasons)? {
            return Ok(server);
        }
        if let Some(files) = config::tls(values)?
            && !files.asks_clients()
        {
            return Self::by_tls(values, files);
        }
        let message = format!(
            "a server uses the store, but its control socket does not answer: {}",
            reasons.join("; ")
        );
        Err(StartError::new(exit::UNAVAILABLE, message).hint(
            "run this as the user of the server, with the --data-dir that it was started with; or stop it",
        ))
    }

    fn at(url: &str) -> Result<Self, StartError> {
        let authority = url
            .strip_prefix("http://")
            .map(|rest| rest.split('/').next().unwrap_or(rest))
            .filter(|authority| authority.contains(':'));
        match authority {
            Some(authority) => Ok(Self {
                way: Way::Plain(authority.to_owned()),
                host: authority.to_owned(),
            }),
            None => Err(StartError::new(
                exit::USAGE,
                format!("--url: expected http://HOST:PORT, got {url:?}"),
            )),
        }
    }

    /// The server that listens on a control socket in one of the directories that these options name, if
    /// there is one. Adds to `reasons` why the others are not reached.
    fn by_control_socket(
        values: &Values,
        reasons: &mut Vec<String>,
    ) -> Result<Option<Self>, StartError> {
        // A directory that is not there is reported by those who need it.
        let data_dir = config::data_dir(values).ok().flatten();
        let directories = data_dir.into_iter().chain(control::runtime_directory());
        for directory in directories {
            let path = control::path_in(&directory);
            match control::connect(&path) {
                Ok(_) => {
                    let host = "localhost".to_owned();
                    let way = Way::Control(path);
                    return Ok(Some(Self { way, host }));
                }
                Err(ConnectError::Absent(error)) => {
                    reasons.push(format!("{}: {error}", path.display()));
                }
                Err(error @ ConnectError::Stranger(_)) => {
                    let message = format!("{}: {error}", path.display());
                    return Err(StartError::new(exit::PERMISSION, message)
                        .hint("do not believe it; see who may write to that directory"));
                }
            }
        }
        if reasons.is_empty() {
            reasons.push("there is no --data-dir to look for it in".to_owned());
        }
        Ok(None)
    }

    fn by_tls(values: &Values, files: TlsFiles) -> Result<Self, StartError> {
        let address = reachable(values.address("http-listen-host", "http-listen-port")?);
        Ok(Self {
            host: known_host(values, address),
            way: Way::Tls(address, files),
        })
    }

    fn plain(values: &Values, address: SocketAddr) -> Self {
        Self {
            host: known_host(values, address),
            way: Way::Plain(address.to_string()),
        }
    }

    /// Whether it wants a token, and may be sent one.
    pub(super) fn takes_token(&self) -> bool {
        matches!(self.way, Way::Tls(..))
    }

    /// Status and body of one exchange that must end in time: of method and path, a token and a body.
    pub(super) fn ask(
        &self,
        line: &str,
        token: Option<&str>,
        body: &str,
        timeout: Duration,
    ) -> io::Result<(u16, String)> {
        let deadline = Instant::now() + timeout;
        // HTTP/1.0: the body ends with the connection.
        let mut request = format!(
            "{line} HTTP/1.0\r\nhost: {}\r\naccept: application/json\r\n",
            self.host
        );
        if let Some(token) = token.filter(|_| self.takes_token()) {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        match &self.way {
            Way::Control(path) => {
                let mut stream = control::connect(path).map_err(io::Error::other)?;
                let socket = stream.try_clone()?;
                socket.set_write_timeout(Some(timeout))?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
            Way::Plain(authority) => {
                let address = authority.to_socket_addrs()?.next();
                let address = address.ok_or(ErrorKind::NotFound)?;
                let (mut stream, socket) = connect(&address, timeout)?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
            Way::Tls(address, files) => {
                let (stream, socket) = connect(address, timeout)?;
                let mut stream = pinned::connect(files, stream)?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
        }
    }
}

/// An address that one can connect to, of a server that may listen on all.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: IpAddr = if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    address
}

/// A name that the server answers to, whatever its list of hosts.
fn known_host(values: &Values, address: SocketAddr) -> String {
    let named = values
        .list("http-host-allowlist")
        .into_iter()
        .find(|host| host != "*" && host != "all");
    named.unwrap_or_else(|| address.to_string())
}

/// The stream, and a second handle that sets its time limits.
fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<(TcpStream, TcpStream)> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_read_timeout(Some(timeout))?;
    let socket = stream.try_clone()?;
    Ok((stream, socket))
}

fn exchange(
    stream: &mut (impl Read + Write),
    request: &str,
    deadline: Instant,
    set_time_left: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<(u16, String)> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        set_time_left(left.max(Duration::from_millis(1)))?;
        match stream.read(&mut chunk)? {
            0 => return parse(answer),
            count => answer.extend_from_slice(&chunk[..count]),
        }
        if answer.len() > ANSWER_BYTES_MAX || left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// Status and body of an answer, which must be whole: half an interchange file is none.
fn parse(answer: Vec<u8>) -> io::Result<(u16, String)> {
    let invalid = || io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP");
    let answer = String::from_utf8(answer).map_err(|_| invalid())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(invalid)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, length)| length.trim().parse::<usize>());
    if length != Some(Ok(body.len())) {
        let message = "the answer is not whole: the connection ended too early";
        return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
    }
    Ok((status.ok_or_else(invalid)?, body.to_owned()))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Control(path) => write!(f, "unix:{}", path.display()),
            Way::Plain(authority) => write!(f, "http://{authority}"),
            Way::Tls(address, _) => write!(f, "https://{address}"),
        }
    }
}
