//! A real PostgreSQL server for tests: its own data directory, on a Unix socket and loopback.
//!
//! It ends with the test process. Where no server is installed, tests of it are skipped with a line on
//! stderr; in CI (`CI` is set) they fail instead.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Settings of every server: what a test needs is speed, not safety from power cuts.
const CONFIGURATION: &str = "fsync = off\nfull_page_writes = off\nmax_connections = 60\n\
     listen_addresses = '127.0.0.1'\nlog_min_messages = fatal\nmax_wal_senders = 4\nwal_level = replica\n";

/// A running server.
pub(crate) struct PostgresServer {
    directory: PathBuf,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a server with its own data directory; `None` where PostgreSQL is not installed.
    pub(crate) fn start(configuration: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        programs()?;
        let name = format!(
            "postgres-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&directory).expect("a writable directory");
        give_to_postgres(&directory);
        let server = Self {
            directory,
            port: free_port(),
            process: None,
        };
        let data = server.data().display().to_string();
        let made = server
            .command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "-E",
                "UTF8",
                "-D",
                &data,
            ])
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb");
        let socket = server.directory.display();
        let text = format!(
            "{CONFIGURATION}unix_socket_directories = '{socket}'\nport = {}\n{configuration}\n",
            server.port
        );
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(server.data().join("postgresql.conf"))
            .expect("initdb has made it");
        file.write_all(text.as_bytes()).expect("written");
        let mut server = server;
        server.resume();
        Some(server)
    }

    /// The server that tests share, each with its own databases.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("")).as_ref()
    }

    /// Starts a standby of this server, to which every commit is sent before it is reported.
    pub(crate) fn start_standby(&self) -> Self {
        let directory = self.directory.with_extension("standby");
        fs::create_dir(&directory).expect("a writable directory");
        give_to_postgres(&directory);
        let mut standby = Self {
            directory,
            port: free_port(),
            process: None,
        };
        let copied = self
            .command("pg_basebackup")
            .args(["-R", "--no-sync", "-c", "fast", "-X", "stream", "-D"])
            .arg(standby.data())
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "pg_basebackup");
        let text = format!(
            "unix_socket_directories = '{}'\nport = {}\n",
            standby.directory.display(),
            standby.port
        );
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(standby.data().join("postgresql.conf"))
            .expect("it is copied");
        file.write_all(text.as_bytes()).expect("written");
        standby.resume();
        self.psql(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        );
        self.psql("postgres", "SELECT pg_reload_conf()");
        standby
    }

    /// Replaces the rules of who may log in, and how.
    pub(crate) fn set_access(&self, rules: &str) {
        fs::write(self.data().join("pg_hba.conf"), rules).expect("written");
        self.psql("postgres", "SELECT pg_reload_conf()");
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn socket_directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the server again after [`Self::kill`].
    pub(crate) fn resume(&mut self) {
        let postgres = programs().expect("it was there").join("postgres");
        // The shell ends the server when the test process ends, and with it the pipe.
        let script = format!(
            "{} -D {data} & server=$!; cat > /dev/null; \
             if [ -f {data}/postmaster.pid ]; then kill -QUIT $server; wait $server; rm -rf {data}; fi",
            postgres.display(),
            data = self.data().display()
        );
        let mut command = as_postgres("sh");
        let child = command
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(&self.directory)
            .spawn()
            .expect("the shell runs");
        self.process = Some(child);
        for _ in 0..300 {
            let ready = self
                .command("psql")
                .args(["-XAtqc", "SELECT 1", "postgres"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not start");
    }

    /// Ends the server at once, as `pg_ctl stop -m immediate`, or in order with `-m fast`.
    pub(crate) fn kill(&mut self, mode: &str) {
        let data = self.data().display().to_string();
        let stopped = self
            .command("pg_ctl")
            .args(["stop", "-s", "-m", mode, "-D", &data])
            .status();
        assert!(stopped.is_ok_and(|status| status.success()), "pg_ctl stop");
        if let Some(mut shell) = self.process.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }

    /// Makes an empty database with a new name.
    pub(crate) fn create_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("signing_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database over loopback.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "jdbc:postgresql://127.0.0.1:{}/{database}?user=postgres",
            self.port
        )
    }

    /// Runs statements, and returns their rows as text.
    pub(crate) fn psql(&self, database: &str, statements: &str) -> String {
        let output = self
            .command("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statements, database])
            .output()
            .expect("psql runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A session that runs statements one after the other.
    pub(crate) fn session(&self, database: &str) -> Session {
        let mut process = self
            .command("psql")
            .args(["-XAtq", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql runs");
        Session {
            input: process.stdin.take().expect("piped"),
            output: BufReader::new(process.stdout.take().expect("piped")),
            process,
        }
    }

    /// One of PostgreSQL's programs, which finds this server by itself.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = self::program(program).expect("it was there");
        let mut command = as_postgres(path);
        command
            .env("PGHOST", &self.directory)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .current_dir(&self.directory);
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill("immediate");
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One session of `psql`.
pub(crate) struct Session {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// Runs statements, and returns the lines of their rows.
    pub(crate) fn run(&mut self, statements: &str) -> Vec<String> {
        writeln!(self.input, "{statements};\n\\echo END").expect("psql reads");
        let mut lines = Vec::new();
        for line in (&mut self.output).lines() {
            let line = line.expect("psql answers");
            if line == "END" {
                return lines;
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        panic!("psql has ended: {statements}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One of PostgreSQL's programs, where it is installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    Some(programs()?.join(name))
}

/// The directory of the server's programs.
fn programs() -> Option<&'static Path> {
    static PROGRAMS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PROGRAMS.get_or_init(|| {
        let mut candidates =
            Vec::from_iter(std::env::var_os("SIGNERD_TEST_POSTGRES").map(PathBuf::from));
        if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
            let mut versions: Vec<_> = versions
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect();
            versions.sort();
            candidates.extend(versions.into_iter().rev());
        }
        let found = candidates
            .into_iter()
            .find(|path| path.join("initdb").exists());
        if found.is_none() {
            assert!(
                std::env::var_os("CI").is_none(),
                "PostgreSQL is not installed: apt-get install postgresql"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed: apt-get install postgresql");
        }
        found
    });
    found.as_deref()
}

/// The server refuses to run as root.
fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

pub(crate) fn give_to_postgres(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("ours");
    if is_root() {
        let given = Command::new("chown")
            .arg("postgres:postgres")
            .arg(path)
            .status();
        assert!(given.is_ok_and(|status| status.success()), "chown");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}
