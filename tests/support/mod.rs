//! What every end-to-end test needs: the real binary on a free port, a client, the vectors.
//!
//! With `SIGNERD_TEST_URL=http://host:port` the request suites run against another signer, which must
//! hold the keys (interop or from the vectors); with `SIGNERD_TEST_BINARY=path` against another build
//! of ours, such as the static one. With `SIGNERD_TEST_LOG=trace` every signer logs at the finest level.

#![allow(dead_code, reason = "each suite takes what it needs")]

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod secrets;
pub(crate) mod secured;
mod vector_files;
pub(crate) mod vectors;
pub(crate) mod web3signer;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use client::Client;
use secured::Secured;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("SIGNERD_TEST_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_signerd").into(), PathBuf::from)
}

/// Copies the binary under test to `program`, where every user may run it.
///
/// `install` writes the copy. If this process wrote it, a child that another test starts at that moment would
/// inherit the open file, and the copy could not be run ("Text file busy") until that child called `exec`.
pub(crate) fn copy_binary(program: &Path) {
    let status = Command::new("install")
        .args(["-m", "0755"])
        .arg(binary())
        .arg(program)
        .status()
        .expect("install starts");
    assert!(status.success(), "install: {status}");
}

/// How a client reaches the signing listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    Unix,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Tls, Self::Unix];
}

/// A running signer, ended when dropped.
pub(crate) struct Signer {
    transport: Transport,
    /// Its certificate and key, or its Unix socket.
    files: Option<Scratch>,
    process: Process,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    /// `127.0.0.1:port` of the signing listener.
    pub(crate) address: String,
    /// `127.0.0.1:port` of the metrics listener, if there is one.
    pub(crate) metrics: Option<String>,
}

impl Signer {
    /// Starts the binary with these arguments on ports of the system's choice, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut all = vec!["--port", "0", "--metrics-port", "0"];
        all.extend(arguments);
        Self::spawn(Command::new(binary()).args(all))
    }

    /// The same, for clients that come over this transport.
    pub(crate) fn start_over(transport: Transport, arguments: &[&str]) -> Self {
        if transport == Transport::Tcp {
            return Self::start(arguments);
        }
        let files = Scratch::new(&format!(
            "transport-{}",
            SIGNERS.fetch_add(1, Ordering::Relaxed)
        ));
        let path = |name: &str| files.path().join(name).display().to_string();
        let more = match transport {
            Transport::Unix => vec!["--listen-unix".to_owned(), path("socket")],
            Transport::Tcp | Transport::Tls => {
                let [cert, key] =
                    ["server.pem", "server.key"].map(|name| secured::private(&files, name));
                vec!["--tls-cert".to_owned(), cert, "--tls-key".to_owned(), key]
            }
        };
        let more = more.iter().map(String::as_str);
        let mut signer = Self::start(&arguments.iter().copied().chain(more).collect::<Vec<_>>());
        signer.transport = transport;
        signer.files = Some(files);
        signer
    }

    /// Starts this very command, and waits until it says where it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        secrets::prepare(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let (transport, files) = (Transport::Tcp, None);
        let (address, metrics) = (String::new(), None);
        let mut signer = Self {
            transport,
            files,
            process: Process(child),
            lines,
            seen: Vec::new(),
            address,
            metrics,
        };
        signer.address = signer.listening("signing");
        signer.metrics = signer.seen.iter().find_map(|line| {
            line.split_once("metrics on http://")
                .map(|(_, rest)| address_at(rest))
        });
        signer
    }

    /// `host:port` from the line `… signing on http://host:port`, which comes after that of the metrics.
    fn listening(&mut self, what: &str) -> String {
        let marker = format!("{what} on http");
        let line = self.wait_for_line(&marker);
        let (_, rest) = line.split_once("://").expect("an address follows");
        address_at(rest)
    }

    /// The first log line, from the start on, that holds this text.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.seen.push(line);
            if let Some(line) = self.seen.last().filter(|line| line.contains(text)) {
                return line.clone();
            }
        }
        panic!(
            "no line with {text:?} in the log:\n{}",
            self.seen.join("\n")
        );
    }

    /// All log lines so far.
    pub(crate) fn log(&mut self) -> String {
        // The log thread pauses between two writes.
        thread::sleep(Duration::from_millis(100));
        self.seen.extend(self.lines.try_iter());
        self.seen.join("\n")
    }

    /// A connection to the signing listener.
    pub(crate) fn client(&self) -> Client {
        let address = self.address.clone();
        let client = match (self.transport, &self.files) {
            (Transport::Tcp, _) | (_, None) => Client::try_connect(&address),
            (Transport::Tls, _) => {
                let open = move || {
                    let stream = secured::secure(client::tcp(&address)?, None);
                    Some(Box::new(Secured(stream)) as _)
                };
                Client::over(&self.address, Box::new(open))
            }
            (Transport::Unix, Some(files)) => {
                let path = files.path().join("socket");
                let open = move || {
                    let stream = UnixStream::connect(&path).ok()?;
                    stream
                        .set_read_timeout(Some(PATIENCE))
                        .expect("a read timeout");
                    Some(Box::new(stream) as _)
                };
                Client::over("localhost", Box::new(open))
            }
        };
        client.expect("it listens")
    }

    /// Waits until no key is being loaded.
    pub(crate) fn wait_loaded(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.client().get("/healthcheck");
            let loading = &answer.json()["checks"][1]["checks"][0]["data"]["loading"];
            if loading == false {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "keys still load: {}",
                answer.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the first load has ended.
    pub(crate) fn wait_first_load(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.client().get("/upcheck").status == 503 {
            assert!(Instant::now() < deadline, "keys still load");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a signal by its name: `TERM`, `HUP`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "the signal is sent");
    }

    /// The exit code, once the process has ended by itself; `None` when a signal ended it.
    pub(crate) fn wait_exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self
                .process
                .0
                .try_wait()
                .expect("the child can be waited for")
            {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end; the log:\n{}", self.log());
    }

    /// A line of `/proc/PID/status` in KiB: `VmRSS` is resident memory, `VmHWM` its peak.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("the line is there");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number of kB")
    }
}

/// No line of the whole log holds a secret.
impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        // A process that inherited its standard error may still hold it open.
        let pause = Duration::from_millis(200);
        while let Ok(line) = self.lines.recv_timeout(pause) {
            self.seen.push(line);
        }
        if let Some((line, secret)) = secrets::find(&self.seen)
            && !std::thread::panicking()
        {
            panic!("the secret {secret:?} is in the log: {line}");
        }
    }
}

/// The address at the front of a text: the rest of a line, or of a JSON string.
fn address_at(text: &str) -> String {
    let end = text.find(['"', ' ']).unwrap_or(text.len());
    text[..end].to_owned()
}

/// Ended when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Counts those with files of their own.
static SIGNERS: AtomicUsize = AtomicUsize::new(0);

/// An empty directory, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one, named after the test.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("signerd-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it, written with mode 0600.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("its directory");
        secrets::remember_file(name, content.as_ref());
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode 0600");
        path.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How long a test waits for what must happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
