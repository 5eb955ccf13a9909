//! The signers of the run: processes on fixed ports that can be killed and started again.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::{Client, tcp};
use crate::support::secured::{Secured, secure};

/// How long after a fault its consequences are excused: connections break, stores reconnect.
const GRACE: Duration = Duration::from_secs(6);

/// How long a signer may take until it serves all keys.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// One signer.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    has_tls: bool,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    process: Mutex<Option<Child>>,
    pub(crate) process_trouble: Trouble,
    pub(crate) store_trouble: Trouble,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) pid: u32,
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
}

/// Times in which errors of one kind have a cause.
#[derive(Debug)]
pub(crate) struct Trouble {
    epoch: Instant,
    /// Milliseconds after `epoch` until which errors are excused; `u64::MAX` while the fault lasts.
    excused_until: AtomicU64,
}

impl Trouble {
    fn new() -> Self {
        Self {
            epoch: Instant::now(),
            excused_until: AtomicU64::new(0),
        }
    }

    pub(crate) fn begin(&self) {
        self.excused_until.store(u64::MAX, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        let until = self.epoch.elapsed() + GRACE;
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.excused_until.store(until, Ordering::SeqCst);
    }

    /// Whether an error of a request that was sent at this time has a cause.
    pub(crate) fn excuses(&self, sent: Instant) -> bool {
        let sent = sent.saturating_duration_since(self.epoch).as_millis();
        sent < u128::from(self.excused_until.load(Ordering::SeqCst))
    }
}

impl Node {
    /// Starts a signer with these arguments.
    pub(crate) fn start(
        name: &'static str,
        directory: &Path,
        arguments: Vec<String>,
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        let port = free_port();
        let has_tls = arguments.iter().any(|argument| argument == "--tls-cert");
        let mut all = vec!["--port".to_owned(), port.to_string()];
        all.extend(["--metrics-port".to_owned(), free_port().to_string()]);
        all.extend(arguments);
        let node = Self {
            name,
            address: format!("127.0.0.1:{port}"),
            has_tls,
            arguments: all,
            environment,
            log: directory.join(format!("{name}.log")),
            process: Mutex::new(None),
            process_trouble: Trouble::new(),
            store_trouble: Trouble::new(),
        };
        node.resume();
        node
    }

    /// Kills the process, as the kernel does when memory is short.
    pub(crate) fn kill(&self) {
        self.process_trouble.begin();
        if let Some(mut child) = self.process().take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
        }
    }

    /// Starts the process, and waits until it serves.
    pub(crate) fn resume(&self) {
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log can be written");
        let child = Command::new(crate::support::binary())
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        *self.process() = Some(child);
        let deadline = Instant::now() + START_PATIENCE;
        while !self.is_up() {
            assert!(
                Instant::now() < deadline && self.is_running(),
                "{} does not start; its log is {}:\n{}",
                self.name,
                self.log.display(),
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(50));
        }
        self.process_trouble.end();
    }

    pub(crate) fn signal(&self, name: &str) {
        if let Some(child) = self.process().as_ref() {
            let _ = Command::new("kill")
                .args([&format!("-{name}"), &child.id().to_string()])
                .status();
        }
    }

    /// A connection; `None` while nobody listens.
    pub(crate) fn connect(&self) -> Option<Client> {
        if !self.has_tls {
            return Client::try_connect(&self.address);
        }
        let address = self.address.clone();
        let open = move || Some(Box::new(Secured(secure(tcp(&address)?, None))) as _);
        Client::over(&self.address, Box::new(open))
    }

    /// Whether it says that all keys are loaded.
    fn is_up(&self) -> bool {
        let answer = self
            .connect()
            .and_then(|mut client| client.try_request("GET", "/upcheck", &[], b""));
        answer.is_some_and(|answer| answer.status == 200)
    }

    fn is_running(&self) -> bool {
        let mut process = self.process();
        process
            .as_mut()
            .is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// Memory and descriptors at this moment; `None` while it does not run.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let pid = self.process().as_ref()?.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let resident = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(Usage {
            pid,
            resident_kib: resident.split_whitespace().nth(1)?.parse().ok()?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        })
    }

    /// Log lines of level ERROR, and those of panics.
    pub(crate) fn errors_in_log(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines()
            .filter(|line| line.contains("ERROR") || line.contains("panicked"))
            .map(str::to_owned)
            .collect()
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}
