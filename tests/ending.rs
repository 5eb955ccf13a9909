//! The process that must end, ends, with its own exit code, whatever has become of its output; and what
//! holds secrets is closed to debuggers from its first line on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signerd::critical_thread;

use crate::support::{Scratch, binary, copy_binary};

/// Longer than any process below takes to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nobody: a user without rights, for tests that root runs.
const NOBODY: u32 = 65_534;

/// The exit code of a process that ends by itself, in time.
fn exit_code(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// A pipe that takes nothing more, and the end that is not read.
fn full_pipe() -> (OwnedFd, UnixStream) {
    let (mut writer, reader) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    loop {
        match writer.write(&[b'\n'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    writer.set_nonblocking(false).unwrap();
    (writer.into(), reader)
}

/// A pipe whose reading end is closed.
fn closed_pipe() -> OwnedFd {
    let (writer, _) = UnixStream::pair().unwrap();
    writer.into()
}

#[test]
fn a_start_that_must_fail_ends_the_process_although_its_stderr_is_closed_or_not_read() {
    let scratch = Scratch::new("ending-strict");
    scratch.write("bad/key.json", "{}");
    scratch.write("bad/key.txt", "password");
    let phrase = scratch.write("phrase", "no phrase at all");
    let bad = scratch.path().join("bad").display().to_string();
    for (case, arguments, codes) in [
        (
            "a keystore that does not open",
            ["--keystores-path", &bad, "--keystores-passwords-path", &bad],
            &[78][..],
        ),
        (
            "fewer keys than expected",
            ["--interop-keys", "0..2", "--expect-keys", "3"],
            &[78],
        ),
        (
            "a source that cannot be read",
            ["--mnemonic-file", &phrase, "--key-range", "0..1"],
            &[66, 78],
        ),
    ] {
        for stderr in ["closed", "full"] {
            let (pipe, _unread) = if stderr == "full" {
                let (pipe, unread) = full_pipe();
                (pipe, Some(unread))
            } else {
                (closed_pipe(), None)
            };
            let mut child = Command::new(binary())
                .args(["--port", "0", "--metrics-port", "0", "--strict"])
                .args(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::from(pipe))
                .spawn()
                .unwrap();
            let code = exit_code(&mut child);
            assert!(
                code.is_some_and(|code| codes.contains(&code)),
                "--strict, {case}, stderr is {stderr}: {code:?}"
            );
        }
    }
}

#[test]
fn a_wrong_command_line_has_its_exit_code_although_stderr_cannot_be_written() {
    for (arguments, code) in [
        ("--no-such-option", 64),
        ("no-such-command", 64),
        ("--config-file /nowhere/at/all", 66),
        ("--port 0 --metrics-port 0 --tls-cert /dev/null", 78),
        ("healthcheck --url http://127.0.0.1:9", 1),
    ] {
        let mut child = Command::new(binary())
            .args(arguments.split(' '))
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::from(closed_pipe()))
            .spawn()
            .unwrap();
        assert_eq!(exit_code(&mut child), Some(code), "{arguments}");
    }
}

#[test]
fn a_command_whose_output_is_lost_never_succeeds() {
    let scratch = Scratch::new("ending-output");
    fs::create_dir(scratch.path().join("data")).unwrap();
    for arguments in [
        "--help",
        "--version",
        "healthcheck --help",
        "completions bash",
        "completions man",
        "check --no-keys",
        "check --json --interop-keys 0..1",
        "keys list --interop-keys 0..2",
        "keys new --count 1 --out made",
        "slashing export --data-dir data",
        "slashing watermark --data-dir data",
    ] {
        // Without a reader it ends quietly, as a shell expects of `| head`.
        for (case, stdout, expected, error) in [
            ("a closed pipe", Stdio::from(closed_pipe()), 141, ""),
            (
                "a full disk",
                Stdio::from(File::options().write(true).open("/dev/full").unwrap()),
                74,
                "error: standard output: ",
            ),
        ] {
            let _ = fs::remove_dir_all(scratch.path().join("made"));
            let mut child = Command::new(binary())
                .args(arguments.split(' '))
                .env_clear()
                .current_dir(scratch.path())
                .stdout(stdout)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let code = exit_code(&mut child);
            let mut printed = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut printed)
                .unwrap();
            assert_eq!(code, Some(expected), "{arguments} to {case}: {printed}");
            assert!(
                printed.starts_with(error) && printed.is_empty() == error.is_empty(),
                "{arguments} to {case}: {printed}"
            );
        }
    }
}

/// Set for a copy of this test binary in which a thread dies.
const DIES: &str = "SIGNERD_TEST_THREAD_DIES";

#[test]
fn the_death_of_a_thread_that_is_needed_ends_the_process_with_an_error() {
    if let Ok(logging) = std::env::var(DIES) {
        if logging != "before the log" {
            signerd::log::start(logging.parse().unwrap(), signerd::log::LogFormat::Plain);
        }
        critical_thread::spawn("store", || panic!("a secret in a message")).unwrap();
        std::thread::sleep(PATIENCE * 2);
        return;
    }
    let this = "ending::the_death_of_a_thread_that_is_needed_ends_the_process_with_an_error";
    for (logging, marker) in [
        ("info", "ERROR the thread \"store\" has died"),
        ("error", "ERROR the thread \"store\" has died"),
        ("off", "error: the thread \"store\" has died"),
        ("before the log", "error: the thread \"store\" has died"),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([this, "--exact", "--nocapture"])
            .env(DIES, logging)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let code = exit_code(&mut child);
        let mut printed = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        assert_eq!(code, Some(70), "{logging}: {printed}");
        assert!(printed.contains(marker), "{logging}: {printed}");
        if logging != "before the log" {
            assert!(!printed.contains("a secret"), "{logging}: {printed}");
        }
    }
    let (pipe, _unread) = full_pipe();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([this, "--exact", "--nocapture"])
        .env(DIES, "info")
        .stdout(Stdio::null())
        .stderr(Stdio::from(pipe))
        .spawn()
        .unwrap();
    assert_eq!(exit_code(&mut child), Some(70), "stderr is not read");
}

#[test]
fn every_command_is_closed_to_debuggers_and_core_dumps_before_it_reads_a_file() {
    let scratch = Scratch::new("ending-hardened");
    fs::create_dir(scratch.path().join("data")).unwrap();
    // The copy is where the user nobody can run it.
    let program = scratch.path().join("signerd");
    copy_binary(&program);
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let pipe = scratch.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let key = format!("0x{}", "a9".repeat(48));
    let is_root =
        fs::metadata("/proc/self/exe").unwrap().uid() == 0 && scratch_is_of_root(&scratch);
    for arguments in [
        "check --mnemonic-file pipe".to_owned(),
        "keys list --mnemonic-file pipe".to_owned(),
        "keys new --count 1 --out new --mnemonic-file pipe".to_owned(),
        format!(
            "exit --key {key} --epoch 1 --validator-index 1 --network hoodi --mnemonic-file pipe"
        ),
        "slashing export --data-dir data --keymanager-token-file pipe".to_owned(),
        "slashing import --data-dir data --from pipe --auth-token-file pipe".to_owned(),
        "slashing watermark --data-dir data --auth-token-file pipe".to_owned(),
        "healthcheck --config-file pipe".to_owned(),
        "wait --config-file pipe".to_owned(),
        "--config-file pipe".to_owned(),
    ] {
        let mut command = Command::new(&program);
        command
            .args(arguments.split(' '))
            .current_dir(scratch.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if is_root {
            command.uid(NOBODY);
        }
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        // It waits for the pipe to be written, which never happens.
        while !is_opening(child.id()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        // The files of a process that is not dumpable belong to root (proc(5)).
        let owner = fs::metadata(format!("/proc/{}/mem", child.id()))
            .unwrap()
            .uid();
        child.kill().unwrap();
        child.wait().unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{arguments}: {words:?}");
        assert_eq!(owner, 0, "{arguments}: a debugger may attach");
    }
}

fn scratch_is_of_root(scratch: &Scratch) -> bool {
    fs::metadata(scratch.path()).unwrap().uid() == 0
}

/// Whether a process waits in open(2) of a pipe that has no other end.
fn is_opening(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    if name.contains("fifo") || name.contains("pipe") {
        return true;
    }
    // Where the kernel does not tell: it sleeps, and has done so for a moment.
    let is_asleep = || {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            stat.rsplit(')')
                .next()
                .unwrap_or("")
                .trim_start()
                .starts_with('S')
        })
    };
    is_asleep() && {
        std::thread::sleep(Duration::from_millis(100));
        is_asleep()
    }
}
