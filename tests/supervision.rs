//! What the service tells systemd, on a socket of the test's own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::support::{Scratch, Signer, binary, vectors};

/// The service manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    fn bind(scratch: &Scratch) -> Self {
        let socket = UnixDatagram::bind(scratch.path().join("notify")).unwrap();
        let patience = Some(Duration::from_secs(60));
        socket.set_read_timeout(patience).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        let mut message = [0; 256];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    /// All messages up to the first one that starts like this.
    fn until(&self, wanted: &str) -> Vec<String> {
        let mut messages = vec![self.next()];
        while !messages[messages.len() - 1].starts_with(wanted) {
            messages.push(self.next());
        }
        messages
    }
}

fn last_status(messages: &[String]) -> &str {
    let mut statuses = messages
        .iter()
        .filter_map(|message| message.strip_prefix("STATUS="));
    statuses.next_back().unwrap_or("none")
}

fn put_keystore(scratch: &Scratch, vector: &str, name: &str) {
    for ending in ["json", "txt"] {
        let bytes = fs::read(vectors::path(&format!("eip2335/{vector}.{ending}"))).unwrap();
        scratch.write(&format!("keys/{name}.{ending}"), bytes);
    }
}

#[test]
fn ready_is_told_when_the_keys_are_loaded_at_the_start_and_after_a_reload() {
    let scratch = Scratch::new("supervision");
    let manager = Manager::bind(&scratch);
    put_keystore(&scratch, "pbkdf2-cheap", "first");
    let keys = scratch.path().join("keys").display().to_string();
    let mut command = Command::new(binary());
    command
        .args([
            "--port",
            "0",
            "--metrics-port",
            "0",
            "--interop-keys",
            "0..2",
        ])
        .args([
            "--keystores-path",
            &keys,
            "--keystores-passwords-path",
            &keys,
        ])
        .env("NOTIFY_SOCKET", scratch.path().join("notify"))
        .env("WATCHDOG_USEC", "400000");
    let mut signer = Signer::spawn(&mut command);

    let messages = manager.until("READY=1");
    assert_eq!(
        last_status(&messages),
        "3 keys loaded, 0 failed",
        "{messages:?}"
    );
    assert_eq!(signer.client().get("/upcheck").status, 200, "ready");
    manager.until("WATCHDOG=1");

    put_keystore(&scratch, "scrypt-cheap", "second");
    scratch.write("keys/broken.json", "{}");
    signer.signal("HUP");
    let before = manager.until("RELOADING=1\nMONOTONIC_USEC=");
    assert!(!before.contains(&"READY=1".to_owned()), "{before:?}");
    let time = before[before.len() - 1].rsplit('=').next().unwrap();
    assert!(time.parse::<u64>().unwrap() > 0, "{time}");
    let messages = manager.until("READY=1");
    assert_eq!(
        last_status(&messages),
        "4 keys loaded, 1 failed",
        "{messages:?}"
    );
    manager.until("WATCHDOG=1");

    signer.signal("TERM");
    manager.until("STOPPING=1");
    assert_eq!(signer.wait_exit(), Some(0));
}

#[test]
fn more_time_is_asked_for_while_keys_are_loaded() {
    let scratch = Scratch::new("supervision-slow");
    let manager = Manager::bind(&scratch);
    for slow in ["official-scrypt", "official-pbkdf2"] {
        put_keystore(&scratch, slow, slow);
    }
    let keys = scratch.path().join("keys").display().to_string();
    let mut command = Command::new(binary());
    command
        .args(["--port", "0", "--metrics-port", "0"])
        .args([
            "--keystores-path",
            &keys,
            "--keystores-passwords-path",
            &keys,
        ])
        .env("NOTIFY_SOCKET", scratch.path().join("notify"));
    let _signer = Signer::spawn(&mut command);
    let messages = manager.until("READY=1");
    let more_time = "EXTEND_TIMEOUT_USEC=30000000".to_owned();
    assert!(messages.contains(&more_time), "{messages:?}");
    let is_progress =
        |message: &String| message.contains(" to load") || message.ends_with("looking for keys");
    assert!(messages.iter().any(is_progress), "{messages:?}");
}
