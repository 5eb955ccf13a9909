//! Whole connections over real sockets, on coroutines and on threads: both answer alike, and as many
//! requests as the framing of the bytes has.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use signerd::api::{BodyRule, Service};
use signerd::fuzzing::framing;
use signerd::http::request::{Method, Request};
use signerd::http::response::{Response, TEXT};
use signerd::server::{
    ConnectionLimits, ListenAddress, ListenerRole, Runtime, Server, ServerHandle, ServerSettings,
    Services,
};

/// Repeats what it was asked.
struct Echo;

const BODY_BYTES_MAX: usize = 4096;

impl Service for Echo {
    fn admit(&self, _: &Request) -> Result<BodyRule, Response> {
        Ok(BodyRule {
            bytes_max: BODY_BYTES_MAX,
            ..BodyRule::default()
        })
    }

    fn answer(&self, request: &mut Request) -> Response {
        let text = echo(
            request.method == Method::Head,
            &request.path,
            &request.query,
            &request.body,
        );
        Response::new(200, TEXT, text.into_bytes())
    }
}

fn echo(is_head: bool, path: &str, query: &str, body: &[u8]) -> String {
    format!("<{is_head} {path} {query} {body:?}>")
}

struct Running {
    address: SocketAddr,
    _handle: ServerHandle,
}

fn start(runtime: Runtime) -> Running {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(ServerSettings {
        listeners: vec![(ListenerRole::Signing, ListenAddress::Tcp(any))],
        limits: ConnectionLimits::default(),
        runtime,
    })
    .expect("a port");
    let Some((_, ListenAddress::Tcp(address))) = server.addresses().pop() else {
        panic!("a TCP listener")
    };
    let handle = server.start(Services::all(Echo)).expect("it starts");
    Running {
        address,
        _handle: handle,
    }
}

static SERVERS: LazyLock<[Running; 2]> =
    LazyLock::new(|| [Runtime::Coroutines, Runtime::Threads].map(start));

pub(crate) fn run(data: &[u8]) {
    let wire = &data[..data.len().min(16 << 10)];
    let [coroutines, threads] = SERVERS
        .each_ref()
        .map(|server| exchange(server.address, wire));
    assert_eq!(coroutines, threads, "the runtimes answer differently");
    let (requests, end) = framing(wire, usize::MAX);
    if requests
        .iter()
        .any(|request| request.body.len() > BODY_BYTES_MAX)
    {
        return;
    }
    let mut rest = coroutines.as_str();
    for request in &requests {
        let is_head = request.method == "HEAD";
        let asked = echo(is_head, &request.path, &request.query, &request.body);
        // The answer to HEAD has no body.
        let wanted = if is_head { "HTTP/1.1 200" } else { &asked };
        let Some(at) = rest.find(wanted) else {
            panic!("lost {request:?}, then {end:?}: {coroutines}");
        };
        rest = &rest[at + wanted.len()..];
    }
    let answered = coroutines.matches("HTTP/1.1 200").count();
    assert!(
        answered <= requests.len(),
        "{answered} answers to {requests:?}: {coroutines}"
    );
}

/// Sends the bytes, ends the sending side, and returns all that comes back but dates.
fn exchange(address: SocketAddr, wire: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).expect("a time-out");
    // The connection may go before the last byte is sent.
    let _ = stream
        .write_all(wire)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an end");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let is_kept = |line: &&str| !line.starts_with("Date: ");
    text.split_inclusive('\n').filter(is_kept).collect()
}
