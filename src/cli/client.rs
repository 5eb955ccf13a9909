//! A few lines of HTTP, to ask a server on this host from an image that has no curl.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::layers::Values;
use super::{Usage, exit};

/// More than any answer that is asked for.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where a server listens, and the name that it answers to.
pub(super) struct Server {
    authority: String,
    host: String,
}

impl Server {
    /// The server of `--url`, else the one that these options start.
    pub(super) fn find(url: Option<&str>, values: &Values) -> Result<Self, Usage> {
        if let Some(url) = url {
            let authority = url
                .strip_prefix("http://")
                .map(|rest| rest.split('/').next().unwrap_or(rest));
            let authority = authority
                .filter(|authority| authority.contains(':'))
                .map(str::to_owned);
            return authority
                .map(|authority| Self {
                    host: authority.clone(),
                    authority,
                })
                .ok_or_else(|| {
                    Usage::new(
                        exit::USAGE,
                        format!("--url: expected http://HOST:PORT, got {url:?}"),
                    )
                });
        }
        // A listener with TLS may want a client certificate; the metrics listener tells of health too.
        let (host, port) = match values.text("tls-cert").or(values.text("tls-keystore-file")) {
            None => ("http-listen-host", "http-listen-port"),
            Some(_) => ("metrics-host", "metrics-port"),
        };
        let mut address = values.address(host, port)?;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let named = values
            .list("http-host-allowlist")
            .into_iter()
            .find(|host| host != "*" && host != "all");
        Ok(Self {
            authority: address.to_string(),
            host: named.unwrap_or_else(|| address.to_string()),
        })
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
        let address = self
            .authority
            .to_socket_addrs()?
            .next()
            .ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_write_timeout(Some(timeout))?;
        // HTTP/1.0: the body ends with the connection.
        write!(
            stream,
            "{line} HTTP/1.0\r\nhost: {}\r\naccept: application/json\r\n",
            self.host
        )?;
        if let Some(token) = token {
            write!(stream, "authorization: Bearer {token}\r\n")?;
        }
        write!(stream, "content-length: {}\r\n\r\n{body}", body.len())?;
        let answer = read_until(&mut stream, deadline)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or(io::ErrorKind::InvalidData)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    }
}

fn read_until(stream: &mut TcpStream, deadline: Instant) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while answer.len() < ANSWER_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut chunk)? {
            0 => return String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into()),
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}
