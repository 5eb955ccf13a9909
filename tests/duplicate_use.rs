//! One key, two clients: the warning, the metric, and what must not be taken for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::slashing::{KEY, ZERO, block, vote};
use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary};

/// A signer that clients reach over TCP and through a Unix socket.
struct TwoWays {
    scratch: Scratch,
    signer: Signer,
}

impl TwoWays {
    fn start(name: &str, options: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        let socket = scratch.path().join("socket").display().to_string();
        let own = ["--interop-keys", "0..2", "--listen-unix", &socket];
        let signer = Signer::start(&[&own, options].concat());
        signer.wait_loaded();
        Self { scratch, signer }
    }

    /// Signs on a new connection, over TCP or through the Unix socket.
    fn sign(&self, way: &str, request: &Value) {
        let mut client = match way {
            "tcp" => self.signer.client(),
            _ => {
                let path = self.scratch.path().join("socket");
                let open = move || Some(Box::new(UnixStream::connect(&path).ok()?) as _);
                Client::over("localhost", Box::new(open)).unwrap()
            }
        };
        let path = format!("/api/v1/eth2/sign/{KEY}");
        let answer = client.post(&path, request.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn count(&self) -> String {
        let mut client = Client::connect(self.signer.metrics.as_ref().unwrap());
        let page = client.get("/metrics").text();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("signerd_duplicate_use_total "));
        line.unwrap().to_owned()
    }
}

fn attestation(epoch: u64) -> Value {
    vote(ZERO, "0", &epoch.to_string(), ZERO)
}

#[test]
fn a_key_that_two_clients_use_in_turns_is_a_warning_once_an_epoch_and_a_metric() {
    let exit = json!({
        "type": "VOLUNTARY_EXIT",
        "fork_info": attestation(1)["fork_info"],
        "voluntary_exit": {"epoch": "7", "validator_index": "1"},
    });
    for (case, options, requests, warnings) in [
        (
            "an address changes once",
            &[][..],
            vec![
                ("tcp", attestation(5)),
                ("tcp", attestation(6)),
                ("unix", attestation(6)),
                ("unix", attestation(7)),
            ],
            0,
        ),
        (
            "two clients in one epoch",
            &[],
            vec![
                ("tcp", attestation(5)),
                ("unix", attestation(5)),
                ("tcp", attestation(5)),
                ("unix", attestation(5)),
            ],
            1,
        ),
        (
            "one attestation each an epoch",
            &[],
            vec![
                ("tcp", attestation(5)),
                ("unix", attestation(5)),
                ("tcp", attestation(6)),
                ("unix", attestation(6)),
                ("tcp", attestation(7)),
                ("unix", attestation(7)),
            ],
            2,
        ),
        (
            "a machine takes over and gives back later",
            &[],
            vec![
                ("tcp", attestation(5)),
                ("unix", attestation(6)),
                ("unix", attestation(7)),
                ("tcp", attestation(8)),
                ("tcp", attestation(9)),
            ],
            0,
        ),
        (
            "blocks of the epoch",
            &[],
            vec![
                ("tcp", block(ZERO, "160", ZERO)),
                ("unix", attestation(5)),
                ("tcp", block(ZERO, "191", ZERO)),
            ],
            1,
        ),
        (
            "an exit from another machine",
            &[],
            vec![
                ("tcp", attestation(5)),
                ("unix", exit.clone()),
                ("tcp", attestation(5)),
            ],
            0,
        ),
        (
            "ignored by its network",
            &["--duplicate-use-ignore=10.0.0.0/8,127.0.0.0/8"],
            vec![
                ("tcp", attestation(5)),
                ("unix", attestation(5)),
                ("tcp", attestation(5)),
            ],
            0,
        ),
        (
            "switched off",
            &["--duplicate-use-ignore=all"],
            vec![
                ("tcp", attestation(5)),
                ("unix", attestation(5)),
                ("tcp", attestation(5)),
            ],
            0,
        ),
    ] {
        let mut ways = TwoWays::start("duplicate-use", options);
        assert_eq!(ways.count(), "0", "{case}");
        for (way, request) in &requests {
            ways.sign(way, request);
        }
        assert_eq!(ways.count(), warnings.to_string(), "{case}");
        ways.signer.signal("TERM");
        assert_eq!(ways.signer.wait_exit(), Some(0));
        let log = ways.signer.log();
        let lines = log.lines().filter(|line| line.contains("two clients use"));
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), warnings, "{case}: {log}");
        for line in lines {
            assert!(line.contains("WARN") && line.contains(KEY), "{line}");
            assert!(
                line.contains("127.0.0.1") && line.contains("user "),
                "{line}"
            );
        }
    }
}

#[test]
fn what_is_not_a_network_ends_the_start() {
    for value in ["10.0.0.0/33", "validator.example", "10.0.0.1,x"] {
        let output = Command::new(binary())
            .args(["--duplicate-use-ignore", value])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(
            told.contains("addresses, networks such as 10.0.0.0/24, or all"),
            "{told}"
        );
    }
}
