//! A server with a small service for the tests of HTTP, and a client that sends raw bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use signerd::api::{BodyRule, Service};
use signerd::http::request::{Method, Request};
use signerd::http::response::{Response, TEXT};
use signerd::server::tls::Tls;
use signerd::server::{
    ConnectionLimits, ListenAddress, ListenerRole, RunningServer, Runtime, Server, ServerSettings,
    Services,
};

/// Both runtimes: the second is the twin of the first.
pub(crate) const RUNTIMES: [Runtime; 2] = [Runtime::Coroutines, Runtime::Threads];

/// Most bytes of body that the echo takes.
pub(crate) const ECHO_BYTES_MAX: usize = 1024;

/// Repeats what it was asked; see [`Echo::answer`].
pub(crate) struct Echo;

impl Service for Echo {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        let bytes_max = match request.path.as_str() {
            "/forbidden" => return Err(Response::error(403, "not you")),
            "/upcheck" => 0,
            "/sum" => 32 << 20,
            _ => ECHO_BYTES_MAX,
        };
        Ok(BodyRule {
            bytes_max,
            is_required: request.method == Method::Post && bytes_max > 0,
            ..BodyRule::default()
        })
    }

    fn answer(&self, request: &mut Request) -> Response {
        let text = |text: String| Response::new(200, TEXT, text.into_bytes());
        match (request.method, request.path.as_str()) {
            (Method::Get | Method::Head, "/upcheck") => Response::new(200, TEXT, b"OK".as_slice()),
            (_, "/panic") => panic!("asked to panic"),
            (_, "/close") => Response {
                close: true,
                ..text("closing".into())
            },
            (_, "/empty") => Response::new(204, TEXT, b"".as_slice()),
            (_, "/large") => Response::new(200, TEXT, vec![b'x'; 8 << 20]),
            (_, "/sum") => {
                let sum = request
                    .body
                    .iter()
                    .map(|&byte| u64::from(byte))
                    .sum::<u64>();
                text(format!("{} bytes, sum {sum}", request.body.len()))
            }
            (_, "/wait") => {
                let (promise, answer) = signerd::wait::promise();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(300));
                    promise.keep("waited");
                });
                text(answer.wait().expect("kept").into())
            }
            (method, path) => text(format!(
                "{method:?} {path} ?{} host={} body={}",
                request.query,
                request.host().unwrap_or("-"),
                String::from_utf8_lossy(&request.body)
            )),
        }
    }
}

/// A server on a port of its own.
pub(crate) struct Rig {
    pub address: SocketAddr,
    pub running: RunningServer,
}

impl Rig {
    pub(crate) fn start(runtime: Runtime, limits: ConnectionLimits) -> Self {
        Self::secure(runtime, limits, None)
    }

    /// With TLS when there is some.
    pub(crate) fn secure(
        runtime: Runtime,
        limits: ConnectionLimits,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = match tls {
            Some(tls) => ListenAddress::Tls(any, tls),
            None => ListenAddress::Tcp(any),
        };
        let server = Server::bind(ServerSettings {
            listeners: vec![(ListenerRole::Signing, address)],
            limits,
            runtime,
        })
        .unwrap();
        let (_, ListenAddress::Tcp(address) | ListenAddress::Tls(address, _)) =
            server.addresses().remove(0)
        else {
            panic!("a TCP listener")
        };
        Self {
            address,
            running: server.start(Services::all(Echo)).unwrap(),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Waits until the server has exactly so many connections.
    pub(crate) fn wait_for_connections(&self, number: usize) {
        for _ in 0..2000 {
            if self.running.connections() == number {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!(
            "{} connections after 20 s, expected {number}",
            self.running.connections()
        );
    }

    /// Sends `bytes`, ends the sending side, and gives all that comes back.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // A refusal may come, and the connection go, before the last byte is sent.
        stream
            .write_all(bytes)
            .and_then(|()| stream.shutdown(Shutdown::Write))
            .ok();
        read_all(&mut stream)
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

pub(crate) fn read_all(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads exactly one answer with a body of known length.
pub(crate) fn read_answer(stream: &mut impl Read) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// may_minihttp, answering OK to everything.
pub(crate) fn start_minihttp() -> SocketAddr {
    #[derive(Clone)]
    struct Ok;
    impl may_minihttp::HttpService for Ok {
        fn call(
            &mut self,
            request: may_minihttp::Request<'_, '_, '_>,
            response: &mut may_minihttp::Response<'_>,
        ) -> std::io::Result<()> {
            request.body().read_to_end(&mut Vec::new())?;
            response.body("OK");
            Result::Ok(())
        }
    }
    drop(Rig::start(Runtime::Coroutines, ConnectionLimits::default())); // configures may
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    may_minihttp::HttpServer(Ok).start(free).unwrap();
    free
}
