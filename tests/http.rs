//! HTTP/1.1 as the RFCs ask it, over real sockets: framing, limits, deadlines, shutdown. Every test
//! runs on coroutines and on their twin, threads, and wants the same answers from both.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use signerd::server::{
    ConnectionLimits, ListenAddress, ListenerRole, Server, ServerSettings, Services,
};

use crate::rig::{Echo, RUNTIMES, Rig, connect, read_all, read_answer};

/// Deadlines that a test can wait for.
fn hasty() -> ConnectionLimits {
    let soon = Duration::from_millis(300);
    ConnectionLimits {
        head: soon,
        body: soon,
        idle: soon,
        write: soon,
        ..ConnectionLimits::default()
    }
}

#[test]
fn each_raw_request_gets_its_raw_answer() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let wrong = wrong_answers(|request| rig.exchange(request));
        assert!(wrong.is_empty(), "{runtime:?}\n{}", wrong.join("\n"));
    }
}

#[test]
fn requests_may_arrive_byte_by_byte() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let slowly = |request: &[u8]| {
            let mut stream = rig.connect();
            stream.set_nodelay(true).unwrap();
            // A refusal may come before the last byte is sent.
            let sent = request
                .chunks(1)
                .try_for_each(|byte| stream.write_all(byte));
            sent.and_then(|()| stream.shutdown(Shutdown::Write)).ok();
            read_all(&mut stream)
        };
        // Whether 100 Continue is sent depends on what has arrived.
        let is_meant =
            |case: &Case| case.request.len() < 400 && !case.name.starts_with("100 Continue");
        let short = cases().into_iter().filter(is_meant);
        let wrong: Vec<_> = short
            .filter_map(|case| case.wrong(slowly(&case.request)))
            .collect();
        assert!(wrong.is_empty(), "{runtime:?}\n{}", wrong.join("\n"));
    }
}

#[test]
fn the_body_may_wait_for_100_continue() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let mut stream = rig.connect();
        stream
            .write_all(
                b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
            )
            .unwrap();
        assert_eq!(read_answer(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"abc").unwrap();
        assert!(read_answer(&mut stream).ends_with("body=abc"));
    }
}

#[test]
fn a_deadline_counts_for_the_whole_head_and_the_whole_body() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, hasty());
        for start in [
            "GET /a HTTP/1.1\r\nX: ",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n",
        ] {
            let mut stream = rig.connect();
            stream.write_all(start.as_bytes()).unwrap();
            let mut trickle = stream.try_clone().unwrap();
            let trickler = std::thread::spawn(move || {
                // Never silent for long: a deadline of each read alone would never end this.
                while trickle.write_all(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
            let answer = read_answer(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            drop(stream);
            trickler.join().unwrap();
        }
    }
}

#[test]
fn an_idle_connection_ends_without_a_word() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, hasty());
        let mut silent = rig.connect();
        assert_eq!(read_all(&mut silent), "");
        let mut stream = rig.connect();
        stream
            .write_all(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert!(read_answer(&mut stream).ends_with("OK"));
        assert_eq!(read_all(&mut stream), "");
    }
}

#[test]
fn keep_alive_announces_less_than_the_idle_deadline() {
    let rig = Rig::start(
        RUNTIMES[0],
        ConnectionLimits {
            idle: Duration::from_secs(8),
            ..ConnectionLimits::default()
        },
    );
    let answer = rig.exchange(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.contains("\r\nKeep-Alive: timeout=7\r\n"), "{answer}");
}

#[test]
fn a_client_that_takes_no_answer_is_dropped() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, hasty());
        let mut stream = rig.connect();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        rig.wait_for_connections(1);
        rig.wait_for_connections(0);
        let mut taken = Vec::new();
        stream.read_to_end(&mut taken).ok();
        assert!(taken.len() < 8 << 20, "the end is missing");
    }
}

#[test]
fn a_large_answer_arrives_whole_at_a_slow_reader() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let mut stream = rig.connect();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let answer = read_all(&mut stream);
        assert_eq!(
            answer.len() - (answer.find("\r\n\r\n").unwrap() + 4),
            8 << 20
        );
    }
}

#[test]
fn beyond_the_limit_the_longest_idle_connection_goes() {
    for runtime in RUNTIMES {
        let rig = Rig::start(
            runtime,
            ConnectionLimits {
                connections_max: 3,
                ..ConnectionLimits::default()
            },
        );
        let ask = |stream: &mut TcpStream| {
            stream
                .write_all(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            assert!(read_answer(stream).ends_with("OK"));
            // The clock of the connections is a coarse one.
            std::thread::sleep(Duration::from_millis(250));
        };
        let [mut first, mut second, mut third] = [rig.connect(), rig.connect(), rig.connect()];
        for stream in [&mut first, &mut second, &mut third] {
            ask(stream);
        }
        ask(&mut first);
        let mut fourth = rig.connect();
        ask(&mut fourth);
        assert_eq!(read_all(&mut second), "", "it has waited the longest");
        for stream in [&mut first, &mut third, &mut fourth] {
            ask(stream);
        }
        rig.wait_for_connections(3);
    }
}

#[test]
fn beyond_the_limit_connections_get_503_while_all_others_are_answered() {
    for runtime in RUNTIMES {
        let rig = Rig::start(
            runtime,
            ConnectionLimits {
                connections_max: 2,
                ..ConnectionLimits::default()
            },
        );
        let mut guests = [rig.connect(), rig.connect()];
        for guest in &mut guests {
            guest
                .write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
        }
        std::thread::sleep(Duration::from_millis(100)); // the requests must have begun
        let mut late = rig.connect();
        late.write_all(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let answer = read_all(&mut late);
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"),
            "{answer}"
        );
        for guest in &mut guests {
            assert!(read_answer(guest).ends_with("waited"), "{runtime:?}");
        }
        drop(guests);
        rig.wait_for_connections(0);
        assert!(
            rig.exchange(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
                .ends_with("OK")
        );
    }
}

#[test]
fn large_bodies_share_a_bounded_memory_and_small_ones_always_pass() {
    for runtime in RUNTIMES {
        let rig = Rig::start(
            runtime,
            ConnectionLimits {
                bodies_bytes_max: 150_000,
                ..ConnectionLimits::default()
            },
        );
        let post =
            |length| format!("POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut first = rig.connect();
        first.write_all(post(70_000).as_bytes()).unwrap();
        first.write_all(&[0; 60_000]).unwrap();
        let second = [post(60_000).as_bytes(), &[0; 60_000]].concat();
        // The first body must have arrived before the second one can meet it.
        let try_again = |_| {
            std::thread::sleep(Duration::from_millis(5));
            rig.exchange(&second)
        };
        let refused = (0..1000)
            .map(try_again)
            .find(|answer| answer.starts_with("HTTP/1.1 503 "));
        assert!(refused.is_some_and(|answer| answer.contains("\r\nRetry-After: 1\r\n")));
        assert!(
            rig.exchange(&second).starts_with("HTTP/1.1 503 "),
            "a refusal takes and gives nothing"
        );
        let small = rig.exchange(&[post(9_000).as_bytes(), &[1; 9_000]].concat());
        assert!(small.ends_with("9000 bytes, sum 9000"), "{small}");
        first.write_all(&[1; 10_000]).unwrap();
        assert!(read_answer(&mut first).ends_with("70000 bytes, sum 10000"));
        assert!(
            rig.exchange(&second).ends_with("60000 bytes, sum 0"),
            "given back"
        );
    }
}

#[test]
fn a_refusal_survives_the_body_that_is_still_being_sent() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let request = [
            b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n".as_slice(),
            &[b'x'; 50_000],
        ];
        let answer = rig.exchange(&request.concat());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[test]
fn a_pipelining_client_does_not_keep_the_others_out() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let greedy = rig.connect();
        let mut sender = greedy.try_clone().unwrap();
        let batch = b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
        let sending = std::thread::spawn(move || while sender.write_all(&batch).is_ok() {});
        let mut taker = greedy.try_clone().unwrap();
        let taking =
            std::thread::spawn(move || while matches!(taker.read(&mut [0; 65_536]), Ok(1..)) {});
        for _ in 0..100 {
            assert!(
                rig.exchange(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
                    .ends_with("OK")
            );
        }
        greedy.shutdown(Shutdown::Both).unwrap();
        sending.join().unwrap();
        taking.join().unwrap();
    }
}

#[test]
fn stopping_finishes_what_is_being_answered() {
    for runtime in RUNTIMES {
        let rig = Rig::start(runtime, ConnectionLimits::default());
        let mut idle = rig.connect();
        idle.write_all(b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        read_answer(&mut idle);
        let mut busy = rig.connect();
        busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let address = rig.address;
        std::thread::sleep(Duration::from_millis(100)); // the request must have begun
        let stopping = std::thread::spawn(move || rig.running.stop());
        let answer = read_all(&mut busy);
        assert!(
            answer.contains("\r\nConnection: close\r\n") && answer.ends_with("waited"),
            "{answer}"
        );
        assert_eq!(read_all(&mut idle), "");
        drop(busy);
        assert!(stopping.join().unwrap(), "all were finished");
        assert!(
            TcpStream::connect(address).is_err(),
            "nobody listens any more"
        );
    }
}

#[test]
fn a_request_that_never_ends_is_cut_off_when_stopping() {
    let limits = ConnectionLimits {
        drain: Duration::from_millis(200),
        ..ConnectionLimits::default()
    };
    let rig = Rig::start(RUNTIMES[0], limits);
    let mut stream = rig.connect();
    stream.write_all(b"GET /a HTTP/1.1\r\n").unwrap();
    rig.wait_for_connections(1);
    assert!(!rig.running.stop());
}

#[test]
fn a_socket_of_the_parent_process_is_served() {
    use std::os::fd::IntoRawFd;
    let scratch = crate::support::Scratch::new("inherited");
    let path = scratch.path().join("socket");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut listeners = Vec::new();
    for fd in [tcp.into_raw_fd(), unix.into_raw_fd()] {
        listeners.push((ListenerRole::Signing, ListenAddress::Inherited(fd)));
    }
    let server = Server::bind(ServerSettings {
        listeners,
        ..ServerSettings::default()
    })
    .unwrap();
    let shown = server
        .addresses()
        .iter()
        .map(|(_, address)| address.to_string())
        .collect::<Vec<_>>();
    assert_eq!(
        shown,
        [address.to_string(), format!("unix:{}", path.display())]
    );
    let running = server.start(Services::all(Echo)).unwrap();
    let request = b"GET /upcheck HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (mut tcp, mut unix) = (
        connect(address),
        std::os::unix::net::UnixStream::connect(&path).unwrap(),
    );
    tcp.write_all(request).unwrap();
    unix.write_all(request).unwrap();
    assert!(read_all(&mut tcp).ends_with("OK") && read_all(&mut unix).ends_with("OK"));
    drop((tcp, unix));
    assert!(running.stop());
}

#[test]
fn a_number_that_is_not_a_descriptor_is_an_error() {
    let listeners = vec![(ListenerRole::Signing, ListenAddress::Inherited(9_999))];
    let error = Server::bind(ServerSettings {
        listeners,
        ..ServerSettings::default()
    })
    .err()
    .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("cannot listen on inherited descriptor 9999: "),
        "{error}"
    );
}

#[test]
fn systemd_is_notified_of_start_life_reload_and_stop() {
    use crate::support::{Scratch, Signer, binary};
    let scratch = Scratch::new("notify");
    let path = scratch.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let told = || {
        let mut message = [0; 256];
        let length = systemd.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut command = Command::new(binary());
    command.args([
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
    ]);
    let mut signer = Signer::spawn(
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000"),
    );
    let news = |wanted: &str| {
        let mut message = told();
        let is_other = |message: &str| {
            let others = ["WATCHDOG=1", "STATUS=", "EXTEND_TIMEOUT_USEC="];
            others.iter().any(|other| message.starts_with(other))
        };
        while message != wanted && is_other(&message) {
            message = told();
        }
        assert!(message.starts_with(wanted), "{message}, expected {wanted}");
    };
    news("READY=1");
    news("WATCHDOG=1");
    signer.signal("HUP");
    news("RELOADING=1\nMONOTONIC_USEC=");
    news("READY=1");
    signer.signal("TERM");
    news("STOPPING=1");
    assert_eq!(signer.wait_exit(), Some(0));
}

#[test]
fn what_two_readers_could_understand_differently_is_refused_by_the_real_binary() {
    let signer = crate::support::Signer::start(&["--http-host-allowlist", "*"]);
    let chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n";
    let mut wrong = Vec::new();
    for (request, expected) in [
        (format!("POST /reload HTTP/1.1\r\n{chunked}\r\n"), "202"),
        (
            format!("POST /reload HTTP/1.1\r\n{chunked}abc\r\n\r\n"),
            "400",
        ),
        (
            format!("POST /reload HTTP/1.1\r\n{chunked}a b: c\r\n\r\n"),
            "400",
        ),
        (with_field("Transfer-Encoding: \u{a0}chunked"), "400"),
        (with_field("Transfer-Encoding: \u{3000}chunked"), "400"),
        (with_field("Transfer-Encoding: chunked\u{85}"), "400"),
        (with_field("Transfer-Encoding: \u{2028}chunked"), "400"),
        (
            with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding:"),
            "400",
        ),
        (with_field("Transfer-Encoding: gzip"), "400"),
        (with_field("Connection: close\r\nConnection: \u{a0}"), "400"),
        (with_field("Expect: \u{2028}100-continue"), "400"),
        (get("/upcheck", "a:b"), "400"),
        (get("/upcheck", "["), "400"),
        (get("/upcheck", "::1"), "400"),
        (get("/upcheck", "a%zz"), "400"),
        (get("/upcheck", ":80"), "400"),
        (get("/upcheck", "[::1]evil.com"), "400"),
        (get("/upcheck", "127.0.0.1:8080:evil.com"), "400"),
        (get("/upcheck?a=%zz", "a"), "400"),
        (get("http://:80/upcheck", "a"), "400"),
        (get("/upcheck", "[::1]:80"), "200"),
        ("GET /upcheck HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(), "200"),
    ] {
        let mut stream = connect(signer.address.parse().unwrap());
        stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.shutdown(Shutdown::Write))
            .ok();
        let answer = read_all(&mut stream);
        if answer.get(9..12) != Some(expected) {
            wrong.push(format!("{request:?}\nexpected {expected}, got {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn with_field(field: &str) -> String {
    format!("POST /reload HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n0\r\n\r\n")
}

fn get(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn curl_speaks_with_it() {
    let rig = Rig::start(RUNTIMES[0], ConnectionLimits::default());
    let large = "x".repeat(1000);
    for (name, options, path, input, expected) in [
        (
            "HTTP/1.0",
            &["--http1.0"][..],
            "/a",
            "",
            "Get /a ? host=* body=",
        ),
        (
            "HTTP/1.1",
            &["--http1.1"],
            "/a?b",
            "",
            "Get /a ?b host=* body=",
        ),
        (
            "an upload of unknown length",
            &["--http1.1", "-T", "-"],
            "/a",
            "abc",
            "Other /a ? host=* body=abc",
        ),
        (
            "a chunked POST",
            &["-X", "POST", "-T", "-"],
            "/a",
            "abc",
            "Post /a ? host=* body=abc",
        ),
        (
            "Expect",
            &["-H", "Expect: 100-continue", "-d", "@-"],
            "/sum",
            &large,
            "1000 bytes, sum 120000",
        ),
        (
            "two on one connection",
            &["-s", "http://*/b"],
            "/a",
            "",
            "Get /a ? host=* body=Get /b ? host=* body=",
        ),
        (
            "HEAD",
            &["-I", "-o", "/dev/null", "-w", "%{http_code}"],
            "/a",
            "",
            "200",
        ),
    ] {
        let host = rig.address.to_string();
        let options = options.iter().map(|option| option.replace('*', &host));
        let mut command = Command::new("curl");
        command
            .arg("-sS")
            .arg("--max-time")
            .arg("10")
            .args(options)
            .arg(format!("http://{host}{path}"));
        let Some(output) = run(&mut command, input) else {
            return;
        };
        // curl asks for the extra URL first.
        let expected = expected.replace('*', &host);
        let (mut got, mut expected) = (output.into_bytes(), expected.into_bytes());
        if name.starts_with("two") {
            got.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(
            String::from_utf8(got),
            String::from_utf8(expected),
            "{name}"
        );
    }
}

#[test]
fn what_may_minihttp_does_with_the_same_requests() {
    // The reason to have a server of our own. Most answers that it does give are right; the requests
    // that a signer must not misread are not among them, and some take its connection down.
    let address = crate::rig::start_minihttp();
    let answer = |request: &[u8]| {
        let mut stream = connect(address);
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let statuses = |request: &str| {
        let answer = answer(request.as_bytes());
        answer
            .match_indices("HTTP/1.1 ")
            .map(|(at, _)| answer[at + 9..at + 12].to_owned())
            .collect::<Vec<_>>()
    };
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, request, expected) in [
        (
            "a plain request",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            &["200"][..],
        ),
        ("no Host", "GET / HTTP/1.1\r\n\r\n".to_owned(), &["200"]),
        (
            "LF alone",
            "GET / HTTP/1.1\nHost: a\n\n".to_owned(),
            &["200"],
        ),
        (
            "17 fields",
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(17)),
            &[],
        ),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\na".to_owned(),
            &["200"],
        ),
        (
            "a bad length",
            "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
            &[],
        ),
        // A request that is hidden in a chunk is answered as a second one.
        (
            "smuggling",
            format!("{chunked}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            &["200", "200"],
        ),
        (
            "close",
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".repeat(2),
            &["200", "200"],
        ),
    ] {
        assert_eq!(statuses(&request), expected, "{name}");
    }
    assert!(
        answer(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("OK"),
        "a body in the answer to HEAD"
    );
}

/// Runs a tool that may not be on this machine; its standard output.
fn run(command: &mut Command, input: &str) -> Option<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .env_remove("http_proxy");
    let mut child = command
        .spawn()
        .map_err(|error| eprintln!("skipped: {error}"))
        .ok()?;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// One case of `tests/framing/requests.txt`.
struct Case {
    name: &'static str,
    request: Vec<u8>,
    answer: String,
}

impl Case {
    /// What is wrong with this raw answer, if anything.
    fn wrong(&self, answer: String) -> Option<String> {
        let answer = without_dates(&answer);
        (answer != self.answer).then(|| {
            format!(
                "== {}\nexpected {:?}\ngot      {:?}",
                self.name, self.answer, answer
            )
        })
    }
}

/// Sends every raw request of the table and lists the answers that differ.
pub(crate) fn wrong_answers(exchange: impl Fn(&[u8]) -> String) -> Vec<String> {
    let cases = cases();
    assert!(cases.len() >= 80, "the table is there");
    cases
        .iter()
        .filter_map(|case| case.wrong(exchange(&case.request)))
        .collect()
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("framing/requests.txt").lines() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name,
                request: Vec::new(),
                answer: String::new(),
            });
        } else if let Some(bytes) = line.strip_prefix("> ") {
            cases.last_mut().unwrap().request.extend(bytes_of(bytes));
        } else if let Some(answer) = line.strip_prefix("< ") {
            cases.last_mut().unwrap().answer += &raw_answer(answer);
        }
    }
    cases
}

fn raw_answer(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let (status, end, what) = (
        words.next().unwrap(),
        words.next(),
        words.next().unwrap_or_default(),
    );
    let connection = match end {
        None => return "HTTP/1.1 100 Continue\r\n\r\n".into(),
        Some("keep") => "Connection: keep-alive\r\nKeep-Alive: timeout=105\r\n",
        Some(_) => "Connection: close\r\n",
    };
    let what = String::from_utf8(bytes_of(what)).unwrap();
    let (kind, body) = match status {
        "200" => ("text/plain; charset=utf-8", what),
        _ if what.starts_with("head ") => ("application/json", what),
        _ => (
            "application/json",
            serde_json::json!({"code": status.parse::<u16>().unwrap(), "message": what})
                .to_string(),
        ),
    };
    let (length, body) = match body.strip_prefix("head ") {
        Some(length) => (length.to_owned(), String::new()),
        None => (body.len().to_string(), body),
    };
    let content = match status {
        "204" => return format!("HTTP/1.1 204 No Content\r\nDate: *\r\n{connection}\r\n"),
        _ => format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n"),
    };
    format!(
        "HTTP/1.1 {status} {}\r\nDate: *\r\n{connection}{content}\r\n{body}",
        reason(status)
    )
}

fn reason(status: &str) -> &str {
    match status {
        "200" => "OK",
        "400" => "Bad Request",
        "403" => "Forbidden",
        "411" => "Length Required",
        "413" => "Content Too Large",
        "414" => "URI Too Long",
        "417" => "Expectation Failed",
        "431" => "Request Header Fields Too Large",
        "500" => "Internal Server Error",
        "501" => "Not Implemented",
        "505" => "HTTP Version Not Supported",
        _ => panic!("the table has no {status}"),
    }
}

fn without_dates(answer: &str) -> String {
    let mut parts = answer.split("\r\nDate: ");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (date, rest) = part.split_at(29);
        assert!(date.ends_with(" GMT"), "{date}");
        without.push_str("\r\nDate: *");
        without.push_str(rest);
    }
    without
}

/// The bytes that the notation of the table stands for.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (some, length) = match first {
            '\\' => match rest.as_bytes()[1] {
                b'r' => (vec![b'\r'], 2),
                b'n' => (vec![b'\n'], 2),
                b't' => (vec![b'\t'], 2),
                b'0' => (vec![0], 2),
                b'x' => (vec![u8::from_str_radix(&rest[2..4], 16).unwrap()], 4),
                other => panic!("no escape: {other}"),
            },
            '{' => {
                let end = rest.find('}').unwrap();
                let (times, what) = rest[1..end].split_once('*').unwrap();
                (bytes_of(what).repeat(times.parse().unwrap()), end + 1)
            }
            other => (other.to_string().into_bytes(), other.len_utf8()),
        };
        bytes.extend(some);
        rest = &rest[length..];
    }
    bytes
}
