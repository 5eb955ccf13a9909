//! A real Prometheus for tests, and `promtool`.
//!
//! Where they are not installed, tests of them are skipped with a line on stderr; in CI (`CI` is set) they
//! fail instead.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::Scratch;

/// Whether Debian's package `prometheus` is installed.
pub(crate) fn is_installed() -> bool {
    let found = Command::new("promtool")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let message = "promtool is not installed (apt-get install prometheus)";
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("skipped: {message}");
    }
    found
}

/// Runs `promtool` with this input. Returns whether it succeeded, and what it wrote.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A tool that reads no input may have ended.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// A running server that scrapes each second.
pub(crate) struct PrometheusServer {
    process: Child,
    port: u16,
    _directory: Scratch,
}

impl PrometheusServer {
    /// Starts a server that scrapes these addresses under the job `signerd`, with these rules.
    pub(crate) fn start(name: &str, targets: &[&str], rules: &str) -> Self {
        let directory = Scratch::new(name);
        let mut configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules}]\n\
             scrape_configs:\n- job_name: signerd\n  static_configs:\n  - targets:\n"
        );
        for target in targets {
            let _ = writeln!(configuration, "    - {target}");
        }
        let file = directory.write("prometheus.yml", configuration);
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={file}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus runs");
        Self {
            process,
            port,
            _directory: directory,
        }
    }

    /// Returns the result of a query at this moment; `None` while the server does not answer.
    pub(crate) fn try_query(&self, expression: &str) -> Option<Value> {
        let mut path = "/api/v1/query?query=".to_owned();
        for byte in expression.bytes() {
            let _ = write!(path, "%{byte:02X}");
        }
        self.get(&path)
    }

    /// Returns the series of a query at this moment.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.try_query(expression).expect("an answer");
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().expect("series").clone()
    }

    /// Waits until a query has a result.
    pub(crate) fn wait_for(&self, expression: &str) {
        for _ in 0..1_200 {
            let answer = self.try_query(expression).unwrap_or_default();
            let series = answer["data"]["result"].as_array();
            if series.is_some_and(|series| !series.is_empty()) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{expression} has no result");
    }

    /// Returns the answer of a path of its API. Over HTTP/1.0, so that no answer is chunked.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }
}

impl Drop for PrometheusServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
