//! The way to the running server: a few lines of HTTP, for an image that has no curl.
//!
//! The server is reached through its control socket, where there is one: the kernel says whose socket it is,
//! and no token is needed. Otherwise it is reached through its signing listener. A token is sent there only
//! over TLS, after the server has shown its own certificate.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cli::error::{StartError, exit};
use crate::cli::options;
use crate::cli::values::OptionValues;
use crate::config;
use crate::server::control::{self, ConnectError};
use crate::server::pinned;
use crate::server::tls::TlsFiles;

/// More than any answer that is asked for.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A server that runs already.
pub(super) struct RunningServer {
    route: ServerRoute,
    /// A name that the server answers to.
    host: String,
}

/// How the server is reached.
enum ServerRoute {
    /// Through its control socket.
    Control(PathBuf),
    /// At `host:port`, without TLS. Any process that has that port answers, so no token is sent.
    Plain(String),
    /// At its signing listener, whose certificate is in these files.
    Tls(SocketAddr, TlsFiles),
}

impl RunningServer {
    /// Finds the server of `--url`, else the one that these options start, to ask it how it is.
    ///
    /// # Errors
    /// The options are wrong, or the server cannot be reached with them.
    pub(super) fn find(url: Option<&str>, values: &OptionValues) -> Result<Self, StartError> {
        if let Some(url) = url {
            return Self::at(url);
        }
        if let Some(server) = Self::by_control_socket(values, &mut Vec::new())? {
            return Ok(server);
        }
        let Some(files) = config::tls(values)? else {
            return Self::plain(values, signing_address(values)?);
        };
        if !files.asks_clients() {
            return Self::by_tls(values, files);
        }
        // A command has no client certificate. The metrics listener answers about health too.
        if !values.get(options::METRICS_ENABLED)? {
            let message = "the signing listener wants client certificates, and there is neither a \
                           metrics listener nor a control socket to ask";
            return Err(StartError::new(exit::UNHEALTHY, message).hint(
                "give the server a --data-dir, where its control socket is, and this command the same",
            ));
        }
        let address = values.address(options::METRICS_HOST, options::METRICS_PORT)?;
        Self::plain(values, reachable(address))
    }

    /// Finds the server that these options start, over a connection that no other program can answer. The
    /// caller may send it a token and trust its answers.
    ///
    /// # Errors
    /// The options are wrong, or the server cannot be reached safely.
    pub(super) fn find_trusted(values: &OptionValues) -> Result<Self, StartError> {
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
            .and_then(|rest| rest.split('/').next())
            .filter(|authority| authority.contains(':'));
        let Some(authority) = authority else {
            let message = format!("--url: expected http://HOST:PORT, got {url:?}");
            return Err(StartError::new(exit::USAGE, message));
        };
        Ok(Self {
            route: ServerRoute::Plain(authority.to_owned()),
            host: authority.to_owned(),
        })
    }

    /// Finds the server that listens on a control socket in one of the directories that these options name,
    /// if there is one. Adds to `reasons` why the others are not reached.
    fn by_control_socket(
        values: &OptionValues,
        reasons: &mut Vec<String>,
    ) -> Result<Option<Self>, StartError> {
        // A directory that does not exist is reported by the commands that need it.
        let data_dir = config::data_dir(values).ok().flatten();
        let directories = data_dir.into_iter().chain(control::runtime_directory());
        for directory in directories {
            let path = control::path_in(&directory);
            match control::connect(&path) {
                Ok(_) => {
                    return Ok(Some(Self {
                        route: ServerRoute::Control(path),
                        host: "localhost".to_owned(),
                    }));
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
            reasons.push("no --data-dir was given to look for it in".to_owned());
        }
        Ok(None)
    }

    fn by_tls(values: &OptionValues, files: TlsFiles) -> Result<Self, StartError> {
        let address = signing_address(values)?;
        Ok(Self {
            host: known_host(values, address)?,
            route: ServerRoute::Tls(address, files),
        })
    }

    fn plain(values: &OptionValues, address: SocketAddr) -> Result<Self, StartError> {
        Ok(Self {
            host: known_host(values, address)?,
            route: ServerRoute::Plain(address.to_string()),
        })
    }

    /// Returns whether the server wants a token, and may be sent one.
    pub(super) fn takes_token(&self) -> bool {
        matches!(self.route, ServerRoute::Tls(..))
    }

    /// Sends one request, given as method and path, and returns status and body of the answer.
    ///
    /// # Errors
    /// The server cannot be reached, or does not answer in time.
    pub(super) fn ask(
        &self,
        method_and_path: &str,
        token: Option<&str>,
        body: &str,
        timeout: Duration,
    ) -> io::Result<(u16, String)> {
        let deadline = Instant::now() + timeout;
        // HTTP/1.0: the body ends with the connection.
        let mut request = format!(
            "{method_and_path} HTTP/1.0\r\nhost: {}\r\naccept: application/json\r\n",
            self.host
        );
        if let Some(token) = token.filter(|_| self.takes_token()) {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        match &self.route {
            ServerRoute::Control(path) => {
                let mut stream = control::connect(path).map_err(io::Error::other)?;
                let socket = stream.try_clone()?;
                socket.set_write_timeout(Some(timeout))?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
            ServerRoute::Plain(authority) => {
                let address = authority.to_socket_addrs()?.next();
                let mut stream = connect(&address.ok_or(ErrorKind::NotFound)?, timeout)?;
                let socket = stream.try_clone()?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
            ServerRoute::Tls(address, files) => {
                let stream = connect(address, timeout)?;
                let socket = stream.try_clone()?;
                let mut stream = pinned::connect(files, stream)?;
                exchange(&mut stream, &request, deadline, |left| {
                    socket.set_read_timeout(Some(left))
                })
            }
        }
    }
}

/// Returns the address at which the signing listener can be reached.
fn signing_address(values: &OptionValues) -> Result<SocketAddr, StartError> {
    let address = values.address(options::HTTP_LISTEN_HOST, options::HTTP_LISTEN_PORT)?;
    Ok(reachable(address))
}

/// Returns an address to connect to, of a server that may listen on all.
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

/// Returns a name that the server answers to, whatever its list of hosts.
fn known_host(values: &OptionValues, address: SocketAddr) -> Result<String, StartError> {
    for host in values.get(options::HTTP_HOST_ALLOWLIST)? {
        if host != "*" && host != "all" {
            return Ok(host);
        }
    }
    Ok(address.to_string())
}

fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_read_timeout(Some(timeout))?;
    Ok(stream)
}

/// Writes the request and reads the answer to its end.
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

/// Splits an answer into status and body. It must be whole: half an interchange file must not pass for one.
fn parse(answer: Vec<u8>) -> io::Result<(u16, String)> {
    let invalid = || io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP");
    let answer = String::from_utf8(answer).map_err(|_| invalid())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(invalid)?;
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(invalid)?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok());
    if length != Some(body.len()) {
        let message = "the answer is not whole: the connection ended too early";
        return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
    }
    Ok((status, body.to_owned()))
}

impl fmt::Display for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            ServerRoute::Control(path) => write!(f, "unix:{}", path.display()),
            ServerRoute::Plain(authority) => write!(f, "http://{authority}"),
            ServerRoute::Tls(address, _) => write!(f, "https://{address}"),
        }
    }
}
