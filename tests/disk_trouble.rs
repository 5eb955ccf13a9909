//! A disk in trouble under the real binary: full, read-only, failing. Nothing that can be slashed is
//! signed, health says so, all else goes on, and when the disk is back so is the service.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::slashing::{KEY, ZERO, block, fork_info};
use crate::support::{Scratch, Signer, binary};

/// The signer, and the slot of its next block.
struct Service {
    signer: Signer,
    slot: u64,
    /// `Authorization` for the Keymanager routes: health tells its reasons to whoever brings it.
    authorization: String,
}

impl Service {
    fn start(directory: &Path) -> Self {
        let signer = Signer::start(&[
            "--interop-keys",
            "0..1",
            "--data-dir",
            directory.to_str().unwrap(),
        ]);
        signer.wait_loaded();
        let token = fs::read_to_string(directory.join("api-token.txt")).unwrap();
        let authorization = format!("Bearer {}", token.trim());
        let mut service = Self {
            signer,
            slot: 1,
            authorization,
        };
        service.assert_up();
        service
    }

    fn sign(&self, slot: u64, body_root: &str) -> (u16, String) {
        let request = block(ZERO, &slot.to_string(), body_root).to_string();
        let answer = self
            .signer
            .client()
            .post(&format!("/api/v1/eth2/sign/{KEY}"), request.as_bytes());
        (answer.status, answer.text())
    }

    /// Blocks are signed, and what was signed before the trouble is remembered.
    fn assert_up(&mut self) {
        let health = self.signer.client().get("/healthcheck");
        assert_eq!(
            (health.status, &health.json()["status"]),
            (200, &json!("UP")),
            "{}",
            health.text()
        );
        let (status, text) = self.sign(self.slot, ZERO);
        assert_eq!(status, 200, "{text}");
        let (status, text) = self.sign(self.slot, &ZERO.replace("00", "11"));
        assert!(
            status == 412 && text.contains("double proposal"),
            "{status}: {text}"
        );
        self.slot += 1;
    }

    /// No block is signed, for this reason; what nobody is slashed for is.
    fn assert_down(&self, reason: &str) {
        for _ in 0..3 {
            let (status, text) = self.sign(self.slot, ZERO);
            assert!(
                status == 503 && text.contains(reason) && !text.contains("\"signature\""),
                "{status}: {text}"
            );
            let mut client = self.signer.client();
            let health = client.get("/healthcheck");
            assert!(health.status == 503 && !health.text().contains(reason));
            let headers = [("Authorization", self.authorization.as_str())];
            let health = client.request("GET", "/healthcheck", &headers, b"");
            assert_eq!(
                (health.status, &health.json()["status"]),
                (503, &json!("DOWN")),
                "{}",
                health.text()
            );
            assert!(
                health.text().contains(reason),
                "{reason} is missing in: {}",
                health.text()
            );
            let reveal = json!({"type": "RANDAO_REVEAL", "fork_info": fork_info(ZERO), "randao_reveal": {"epoch": "0"}});
            let answer = client.post(
                &format!("/api/v1/eth2/sign/{KEY}"),
                reveal.to_string().as_bytes(),
            );
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

/// A small disk of its own, gone when dropped. `None` where mounting is not allowed.
struct Mount(Scratch);

impl Mount {
    fn new(name: &str) -> Option<Self> {
        let mount = Self(Scratch::new(name));
        let mounted = mount.mount(&["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"]);
        if !mounted {
            println!("skipped: only root may mount a disk to fill");
        }
        mounted.then_some(mount)
    }

    fn mount(&self, options: &[&str]) -> bool {
        let mount = Command::new("mount")
            .args(options)
            .arg(self.0.path())
            .output();
        mount.is_ok_and(|mount| mount.status.success())
    }

    fn unmount(&self) -> bool {
        Command::new("umount")
            .arg(self.0.path())
            .output()
            .is_ok_and(|umount| umount.status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        while self.unmount() {}
    }
}

#[test]
fn a_full_or_read_only_disk_stops_what_can_be_slashed_until_it_is_back() {
    let Some(disk) = Mount::new("full") else {
        return;
    };
    let path = disk.0.path();
    let mut service = Service::start(path);
    for _ in 0..2 {
        fs::write(path.join("filler"), vec![1; 16 << 20]).expect_err("it is larger than the disk");
        service.assert_down("No space left on device");
        fs::remove_file(path.join("filler")).unwrap();
        service.assert_up();
    }
    // A disk with open files becomes read-only by errors only. So let there be no room until they are
    // closed, and then a read-only view of the same disk in its place.
    fs::write(path.join("filler"), vec![1; 16 << 20]).expect_err("it is larger than the disk");
    service.assert_down("No space left on device");
    fs::remove_file(path.join("filler")).unwrap();
    assert!(
        disk.mount(&["--bind", path.to_str().unwrap()]) && disk.mount(&["-o", "remount,bind,ro"])
    );
    service.assert_down("Read-only file system");
    assert!(disk.unmount());
    service.assert_up();
}

#[test]
fn a_write_that_fails_stops_what_can_be_slashed_until_one_succeeds() {
    let scratch = Scratch::new("failing");
    let mut service = Service::start(scratch.path());
    for _ in 0..2 {
        limit_files(&service, "--fsize=4096:unlimited");
        service.assert_down("File too large");
        limit_files(&service, "--fsize=unlimited");
        service.assert_up();
    }
}

/// Lets each write fail that ends beyond so many bytes.
fn limit_files(service: &Service, limit: &str) {
    let pid = service.signer.pid().to_string();
    assert!(
        Command::new("prlimit")
            .args(["--pid", &pid, limit])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn on_a_disk_that_cannot_be_written_it_does_not_start_and_says_what_to_do() {
    let Some(disk) = Mount::new("read-only") else {
        return;
    };
    drop(Service::start(disk.0.path()));
    let directory = disk.0.path().to_str().unwrap();
    let start = || {
        let arguments = [
            "--port",
            "0",
            "--metrics-port",
            "0",
            "--data-dir",
            directory,
        ];
        let output = Command::new(binary()).args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert!(disk.mount(&["-o", "remount,ro"]));
    let (code, text) = start();
    assert_eq!(code, Some(69), "{text}");
    for part in [
        "slashing protection",
        directory,
        "Read-only file system",
        "hint:",
        "writable",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(disk.mount(&["-o", "remount,rw"]));
    Service::start(disk.0.path()).assert_up();
}
