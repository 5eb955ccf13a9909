//! Slashing protection of the running service: the EIP-3076 suite as HTTP requests, and what the
//! service says of its store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary, vectors};

/// Interop key 0, as in the suite.
const KEY: &str =
    "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";

#[test]
fn the_eip_3076_suite_passes_over_http() {
    let scratch = Scratch::new("eip3076");
    let signer = start(&scratch);
    let mut client = signer.client();
    let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
    let mut checks = 0;
    for (number, case) in cases().into_iter().enumerate() {
        // One store serves several chains: each file of the suite gets its own.
        let chain = format!("0x{number:064x}");
        for step in case["steps"].as_array().unwrap() {
            if step["should_succeed"] == json!(true) {
                let mut interchange = step["interchange"].clone();
                interchange["metadata"]["genesis_validators_root"] = json!(chain);
                import(&mut client, &token, &interchange);
            }
            for (key, request, should_succeed) in requests(step, &chain) {
                let expected = if should_succeed { 200 } else { 412 };
                for attempt in ["first", "again"] {
                    let answer =
                        client.post(&format!("/api/v1/eth2/sign/{key}"), request.to_string().as_bytes());
                    let text = answer.text();
                    assert_eq!(answer.status, expected, "{attempt}: {}: {request}: {text}", case["name"]);
                    assert_eq!(text.contains("signature\""), should_succeed, "{text}");
                }
                checks += 1;
            }
        }
    }
    assert_eq!(checks, 150);
}

/// The files of the suite.
fn cases() -> Vec<Value> {
    let paths = fs::read_dir(vectors::path("eip3076")).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

fn start(scratch: &Scratch) -> Signer {
    let directory = scratch.path().to_str().unwrap();
    let signer = Signer::start(&["--interop-keys", "0..16", "--data-dir", directory]);
    signer.wait_loaded();
    signer
}

fn import(client: &mut Client, token: &str, interchange: &Value) {
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str())];
    let body = interchange.to_string();
    let answer = client.request("POST", "/api/v1/slashing-protection", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Key, body and verdict of each message of a step: blocks first. The suite's signing root becomes a
/// root within the message, so that messages with the same one are the same.
fn requests(step: &Value, chain: &str) -> Vec<(String, Value, bool)> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let of = |value: &Value, request: Value| {
        (text(value, "pubkey"), request, value["should_succeed"].as_bool().unwrap())
    };
    let root = |value: &Value| value["signing_root"].as_str().unwrap_or(ZERO).to_owned();
    let blocks = step["blocks"].as_array().unwrap();
    let blocks = blocks.iter().map(|it| of(it, block(chain, &text(it, "slot"), &root(it))));
    let votes = step["attestations"].as_array().unwrap();
    let votes = votes
        .iter()
        .map(|it| of(it, vote(chain, &text(it, "source_epoch"), &text(it, "target_epoch"), &root(it))));
    blocks.chain(votes).collect()
}

fn block(chain: &str, slot: &str, body_root: &str) -> Value {
    json!({
        "type": "BLOCK_V2",
        "fork_info": fork_info(chain),
        "beacon_block": {"version": "BELLATRIX", "block_header": {
            "slot": slot, "proposer_index": "0", "parent_root": ZERO, "state_root": ZERO, "body_root": body_root,
        }},
    })
}

fn vote(chain: &str, source: &str, target: &str, beacon_block_root: &str) -> Value {
    json!({
        "type": "ATTESTATION",
        "fork_info": fork_info(chain),
        "attestation": {
            "slot": "0", "index": "0", "beacon_block_root": beacon_block_root,
            "source": {"epoch": source, "root": ZERO},
            "target": {"epoch": target, "root": ZERO},
        },
    })
}

fn fork_info(chain: &str) -> Value {
    let fork = json!({"previous_version": "0x02000000", "current_version": "0x02000000", "epoch": "0"});
    json!({"fork": fork, "genesis_validators_root": chain})
}

const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn what_was_signed_is_known_to_the_next_process_even_after_a_kill() {
    let scratch = Scratch::new("killed");
    let path = format!("/api/v1/eth2/sign/{KEY}");
    let [one, other] =
        ["1", "2"].map(|digit| block(ZERO, "7", &format!("0x{}", digit.repeat(64))).to_string());
    let signer = start(&scratch);
    let signature = signer.client().post(&path, one.as_bytes());
    assert_eq!(signature.status, 200, "{}", signature.text());
    signer.signal("KILL");
    drop(signer);
    let signer = start(&scratch);
    let mut client = signer.client();
    let refused = client.post(&path, other.as_bytes());
    assert_eq!(refused.status, 412);
    for part in ["condition 1", "double proposal", "slot 7"] {
        assert!(refused.text().contains(part), "{part} is missing in: {}", refused.text());
    }
    assert_eq!(client.post(&path, one.as_bytes()).text(), signature.text());
}

#[test]
fn the_service_says_whether_it_protects() {
    let scratch = Scratch::new("protects");
    let directory = scratch.path().to_str().unwrap();
    for (enabled, protects) in [("true", true), ("false", false)] {
        let switch = format!("--slashing-protection-enabled={enabled}");
        let mut signer = Signer::start(&["--interop-keys", "0..1", "--data-dir", directory, &switch]);
        signer.wait_loaded();
        signer.wait_for_line(if protects {
            "slashing protection is on"
        } else {
            "slashing protection is off"
        });
        let mut client = signer.client();
        assert_eq!(client.get("/health").json()["slashing_protection"], protects);
        let checks = client.get("/healthcheck").json()["checks"].as_array().unwrap().clone();
        let store = checks.iter().find(|check| check["id"] == "slashing-protection-db-health-check");
        assert_eq!(store.is_some_and(|store| store["status"] == "UP"), protects, "{checks:?}");
        // A bare root that may hide a vote is for those who chose to go without.
        let raw = json!({"signingRoot": ZERO, "domain_name": "beacon_attester"}).to_string();
        let answer = client.post(&format!("/api/v1/eth2/sign/{KEY}"), raw.as_bytes());
        assert_eq!(answer.status, if protects { 412 } else { 200 }, "{}", answer.text());
    }
}

#[test]
fn a_second_instance_on_the_same_directory_ends_and_names_the_process() {
    let scratch = Scratch::new("second");
    let directory = scratch.path().to_str().unwrap();
    let first = start(&scratch);
    let arguments = ["--port", "0", "--metrics-port", "0", "--interop-keys", "0..1", "--data-dir", directory];
    let second = Command::new(binary()).args(arguments).output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(stderr.contains(&format!("in use by process {}", first.pid())), "{stderr}");
    assert!(stderr.contains("hint:"), "{stderr}");
}
