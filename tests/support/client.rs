//! A small HTTP/1.1 client: what it sends is what the test wrote.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::secrets;

/// One connection, kept alive.
pub(crate) struct Client {
    open: Open,
    stream: Box<dyn Duplex>,
    host: String,
    buffer: Vec<u8>,
    /// The last answer was the last one.
    is_over: bool,
}

/// Bytes in both directions, over whatever transport.
pub(crate) trait Duplex: Read + Write + Send {}

impl<T: Read + Write + Send> Duplex for T {}

/// Opens a connection, if somebody listens.
type Open = Box<dyn Fn() -> Option<Box<dyn Duplex>> + Send>;

/// An answer, with its body as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 200, 404, …
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Connects to `host:port`.
    pub(crate) fn connect(address: &str) -> Self {
        Self::try_connect(address).expect("it listens")
    }

    /// Connects to `host:port`, if somebody listens there.
    pub(crate) fn try_connect(address: &str) -> Option<Self> {
        let host = address.to_owned();
        Self::over(address, Box::new(move || Some(Box::new(tcp(&host)?))))
    }

    /// Speaks to `host` over connections that `open` opens.
    pub(crate) fn over(host: &str, open: Open) -> Option<Self> {
        Some(Self {
            stream: open()?,
            open,
            host: host.to_owned(),
            buffer: Vec::new(),
            is_over: false,
        })
    }

    /// A GET that accepts anything.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// A POST of JSON that wants JSON.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.try_post(path, body).expect("an answer")
    }

    /// The same; `None` when the connection ends before the answer is whole.
    pub(crate) fn try_post(&mut self, path: &str, body: &[u8]) -> Option<Answer> {
        self.try_request("POST", path, &[("Accept", "application/json")], body)
    }

    /// One request and its answer; on a new connection when the last answer has closed the old one.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.try_request(method, path, headers, body)
            .expect("an answer")
    }

    /// The same; `None` when the connection ends before the answer is whole.
    pub(crate) fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        secrets::remember_request(headers, body);
        if self.is_over {
            (self.stream, self.is_over) = ((self.open)()?, false);
        }
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes());
        self.send(body);
        self.try_answer(method == "HEAD")
    }

    /// Sends these bytes. An error is none yet: the answer tells (a refused body is not read).
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self
            .stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush());
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self, to_head: bool) -> Answer {
        self.try_answer(to_head).expect("an answer")
    }

    /// Reads one answer; `None` when the connection ends before it is whole.
    pub(crate) fn try_answer(&mut self, to_head: bool) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).ok()?;
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        self.is_over = headers.contains(&("connection".to_owned(), "close".to_owned()));
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map_or(0, |(_, value)| {
                if to_head {
                    0
                } else {
                    value.parse().expect("a length")
                }
            });
        while self.buffer.len() < length {
            self.fill()?;
        }
        Some(Answer {
            status,
            headers,
            body: self.buffer.drain(..length).collect(),
        })
    }

    /// Whether the server has closed the connection and sent nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().is_none()
    }

    fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                // A read with a time limit may end so when a child of this process ends.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return None,
                Ok(read) => {
                    self.buffer.extend_from_slice(&chunk[..read]);
                    return Some(());
                }
            }
        }
    }
}

/// A TCP connection that does not wait for ever.
pub(crate) fn tcp(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a read timeout");
    stream.set_nodelay(true).expect("no delay");
    Some(stream)
}

impl Answer {
    /// The first header field of this name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
