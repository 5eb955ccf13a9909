//! `GET /upcheck` over keep-alive connections: our loop beside may_minihttp, each alone in a process of
//! its own, in turns. Prints requests per second, server CPU per request, and their ratios.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use may_minihttp::{HttpServer, HttpService};
use signerd::api::{BodyRule, Service};
use signerd::http::request::Request;
use signerd::http::response::{Response, TEXT};
use signerd::server::{
    ListenAddress, ListenerRole, Server, ServerSettings, Services, Unsupervised,
};

const ROUNDS: usize = 25;
const ROUND: Duration = Duration::from_millis(500);
const CLIENT_THREADS: usize = 2;
const CONNECTIONS_PER_THREAD: usize = 16;
const REQUEST: &[u8] =
    b"GET /upcheck HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve-ours") => serve_ours(),
        Some("serve-minihttp") => serve_minihttp(),
        _ => compare(),
    }
}

fn compare() {
    let mut rates = [Vec::new(), Vec::new()];
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (which, name) in ["serve-ours", "serve-minihttp"].into_iter().enumerate() {
            let (rate, cost) = measure(name);
            rates[which].push(rate);
            costs[which].push(cost);
        }
    }
    for (what, values, is_better) in [
        (
            "requests/s        ",
            rates,
            f64::gt as fn(&f64, &f64) -> bool,
        ),
        ("CPU us per request", costs, f64::lt),
    ] {
        // What disturbs a round makes it worse, never better: on a busy machine the best one tells most.
        let best = |values: &Vec<f64>| {
            values
                .iter()
                .copied()
                .reduce(|a, b| if is_better(&a, &b) { a } else { b })
        };
        let [best_ours, best_theirs] = values
            .each_ref()
            .map(best)
            .map(|best| best.expect("a round"));
        // Neighbours met the same weather.
        let ratio = median(
            values[0]
                .iter()
                .zip(&values[1])
                .map(|(ours, theirs)| ours / theirs)
                .collect(),
        );
        let [ours, theirs] = values.map(median);
        println!(
            "{what} ours {ours:>9.3}   may_minihttp {theirs:>9.3}   ratio {ratio:.3}; best of {ROUNDS} rounds: {:.3}",
            best_ours / best_theirs
        );
    }
}

/// Requests per second, and microseconds of server CPU per request.
fn measure(name: &str) -> (f64, f64) {
    let (mut server, address) = start(name);
    load(address, Duration::from_millis(200)); // warm up
    let cpu = cpu_seconds(server.id());
    let started = Instant::now();
    let requests = load(address, ROUND) as f64;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds(server.id()) - cpu;
    server.kill().expect("the server runs");
    server.wait().expect("the server ends");
    (requests / seconds, cpu * 1e6 / requests)
}

fn start(name: &str) -> (Child, SocketAddr) {
    let program = std::env::current_exe().expect("the path of this program");
    let mut server = Command::new(program)
        .arg(name)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut line = String::new();
    let output = server.stdout.as_mut().expect("piped");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("the server prints its address");
    (server, line.trim().parse().expect("an address"))
}

fn load(address: SocketAddr, duration: Duration) -> usize {
    let client = move || {
        let connect = |_| TcpStream::connect(address).expect("the server listens");
        let mut streams = (0..CONNECTIONS_PER_THREAD).map(connect).collect::<Vec<_>>();
        let (started, mut requests, mut buffer) = (Instant::now(), 0, [0; 4096]);
        while started.elapsed() < duration {
            for stream in &mut streams {
                stream.write_all(REQUEST).expect("the server reads");
            }
            for stream in &mut streams {
                let length = stream.read(&mut buffer).expect("the server answers");
                assert!(buffer[..length].ends_with(b"OK"), "one whole answer");
            }
            requests += streams.len();
        }
        requests
    };
    let threads = [(); CLIENT_THREADS].map(|()| std::thread::spawn(client));
    threads
        .into_iter()
        .map(|thread| thread.join().expect("a client does not panic"))
        .sum()
}

/// User and system time of a process so far, exact: `/proc/PID/stat` would round it to hundredths.
fn cpu_seconds(process: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let nanoseconds = |thread: std::io::Result<std::fs::DirEntry>| {
        let path = thread.expect("a thread").path().join("schedstat");
        let times = std::fs::read_to_string(path).expect("a kernel with CONFIG_SCHED_INFO");
        times
            .split(' ')
            .next()
            .and_then(|time| time.parse::<f64>().ok())
            .expect("a number")
    };
    threads.map(nanoseconds).sum::<f64>() / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Upcheck;

impl Service for Upcheck {
    fn answer(&self, request: &mut Request) -> Response {
        assert_eq!(request.path, "/upcheck");
        Response::new(200, TEXT, b"OK".as_slice())
    }

    fn admit(&self, _: &Request) -> Result<BodyRule, Response> {
        Ok(BodyRule::default())
    }
}

fn serve_ours() {
    let address = ListenAddress::Tcp(([127, 0, 0, 1], 0).into());
    let server = Server::bind(ServerSettings {
        listeners: vec![(ListenerRole::Signing, address)],
        ..ServerSettings::default()
    })
    .expect("a free port");
    let (_, address) = &server.addresses()[0];
    println!("{address}");
    server.run(Services::all(Upcheck), &Unsupervised);
}

#[derive(Clone)]
struct MiniUpcheck;

impl HttpService for MiniUpcheck {
    fn call(
        &mut self,
        request: may_minihttp::Request<'_, '_, '_>,
        response: &mut may_minihttp::Response<'_>,
    ) -> std::io::Result<()> {
        assert_eq!(request.path(), "/upcheck");
        response.header("Content-Type: text/plain; charset=utf-8");
        response.body("OK");
        Ok(())
    }
}

fn serve_minihttp() {
    may::config().set_workers(1).set_worker_pin(false);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let server = HttpServer(MiniUpcheck)
        .start(free)
        .expect("the port is still free");
    println!("{free}");
    server.join().expect("serves until it is killed");
}
