//! Slashing protection of the running service: the EIP-3076 suite as HTTP requests, and what the
//! service says of its store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::{Scratch, Signer, binary, vectors};

/// Interop key 0, as in the suite.
pub(crate) const KEY: &str = "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";

#[test]
fn the_eip_3076_suite_passes_over_http() {
    let mut checks = 0;
    for (number, case) in cases().into_iter().enumerate() {
        // One store serves several chains, but a key has records on 16 of them at most.
        let scratch = Scratch::new(&format!("eip3076-{number}"));
        let signer = start(&scratch);
        let mut client = signer.client();
        let chain = format!("0x{number:064x}");
        for step in case["steps"].as_array().unwrap() {
            if step["should_succeed"] == json!(true) {
                let mut interchange = step["interchange"].clone();
                interchange["metadata"]["genesis_validators_root"] = json!(chain);
                let answer = offer(&scratch, &mut client, &interchange);
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            for (key, request, should_succeed) in requests(step, &chain) {
                let expected = if should_succeed { 200 } else { 412 };
                for attempt in ["first", "again"] {
                    let answer = client.post(
                        &format!("/api/v1/eth2/sign/{key}"),
                        request.to_string().as_bytes(),
                    );
                    let text = answer.text();
                    assert_eq!(
                        answer.status, expected,
                        "{attempt}: {}: {request}: {text}",
                        case["name"]
                    );
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
    let paths = fs::read_dir(vectors::path("eip3076"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect()
}

pub(crate) fn start(scratch: &Scratch) -> Signer {
    start_with(scratch, &[])
}

pub(crate) fn start_with(scratch: &Scratch, options: &[&str]) -> Signer {
    let directory = scratch.path().to_str().unwrap();
    let signer = Signer::start(
        &[
            &["--interop-keys", "0..16", "--data-dir", directory],
            options,
        ]
        .concat(),
    );
    signer.wait_loaded();
    signer
}

/// Makes a store when there is no key yet that could have signed before.
pub(crate) fn make_store(scratch: &Scratch) {
    let directory = scratch.path().to_str().unwrap();
    Signer::start(&["--data-dir", directory]);
}

/// The route's answer to an interchange file.
fn offer(scratch: &Scratch, client: &mut Client, interchange: &Value) -> Answer {
    let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str())];
    client.request(
        "POST",
        "/api/v1/slashing-protection",
        &headers,
        interchange.to_string().as_bytes(),
    )
}

/// Key, body and verdict of each message of a step: blocks first. The suite's signing root becomes a
/// root within the message, so that messages with the same one are the same.
fn requests(step: &Value, chain: &str) -> Vec<(String, Value, bool)> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let of = |value: &Value, request: Value| {
        (
            text(value, "pubkey"),
            request,
            value["should_succeed"].as_bool().unwrap(),
        )
    };
    let root = |value: &Value| value["signing_root"].as_str().unwrap_or(ZERO).to_owned();
    let blocks = step["blocks"].as_array().unwrap();
    let blocks = blocks
        .iter()
        .map(|it| of(it, block(chain, &text(it, "slot"), &root(it))));
    let votes = step["attestations"].as_array().unwrap();
    let votes = votes.iter().map(|it| {
        of(
            it,
            vote(
                chain,
                &text(it, "source_epoch"),
                &text(it, "target_epoch"),
                &root(it),
            ),
        )
    });
    blocks.chain(votes).collect()
}

pub(crate) fn block(chain: &str, slot: &str, body_root: &str) -> Value {
    json!({
        "type": "BLOCK_V2",
        "fork_info": fork_info(chain),
        "beacon_block": {"version": "BELLATRIX", "block_header": {
            "slot": slot, "proposer_index": "0", "parent_root": ZERO, "state_root": ZERO, "body_root": body_root,
        }},
    })
}

pub(crate) fn vote(chain: &str, source: &str, target: &str, beacon_block_root: &str) -> Value {
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

pub(crate) fn fork_info(chain: &str) -> Value {
    let fork =
        json!({"previous_version": "0x02000000", "current_version": "0x02000000", "epoch": "0"});
    json!({"fork": fork, "genesis_validators_root": chain})
}

pub(crate) const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

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
        assert!(
            refused.text().contains(part),
            "{part} is missing in: {}",
            refused.text()
        );
    }
    assert_eq!(client.post(&path, one.as_bytes()).text(), signature.text());
}

#[test]
fn of_conflicting_requests_at_the_same_time_exactly_one_is_signed() {
    const CONNECTIONS: u8 = 16;
    const SLOTS: usize = 20;
    let scratch = Scratch::new("rivals");
    let signer = start(&scratch);
    let together = Barrier::new(usize::from(CONNECTIONS));
    let signed: Vec<[u16; SLOTS]> = thread::scope(|scope| {
        let rivals: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (mut client, together) = (signer.client(), &together);
                scope.spawn(move || {
                    std::array::from_fn(|slot| {
                        let root = format!("0x{}", format!("{number:02x}").repeat(32));
                        let request = block(ZERO, &(slot + 1).to_string(), &root).to_string();
                        together.wait();
                        client
                            .post(&format!("/api/v1/eth2/sign/{KEY}"), request.as_bytes())
                            .status
                    })
                })
            })
            .collect();
        rivals
            .into_iter()
            .map(|rival| rival.join().unwrap())
            .collect()
    });
    for slot in 0..SLOTS {
        let count = |status| {
            signed
                .iter()
                .filter(|statuses| statuses[slot] == status)
                .count()
        };
        assert_eq!(
            (count(200), count(412)),
            (1, usize::from(CONNECTIONS) - 1),
            "slot {slot}"
        );
    }
}

#[test]
fn nothing_at_or_above_the_high_watermark_is_signed_until_it_is_removed() {
    let scratch = Scratch::new("watermark");
    let watermark = |arguments: &[&str]| {
        let line = [
            &[
                "slashing",
                "watermark",
                "--data-dir",
                scratch.path().to_str().unwrap(),
            ],
            arguments,
        ];
        assert!(
            Command::new(binary())
                .args(line.concat())
                .output()
                .unwrap()
                .status
                .success()
        );
    };
    for (arguments, above) in [
        (&["--slot", "100", "--epoch", "3"][..], 412),
        (&["--remove"], 200),
    ] {
        watermark(arguments);
        let signer = start(&scratch);
        let mut client = signer.client();
        for (request, status) in [
            (block(ZERO, "99", ZERO), 200),
            (vote(ZERO, "1", "2", ZERO), 200),
            (block(ZERO, "100", ZERO), above),
            (vote(ZERO, "1", "3", ZERO), above),
        ] {
            let answer = client.post(
                &format!("/api/v1/eth2/sign/{KEY}"),
                request.to_string().as_bytes(),
            );
            assert_eq!(answer.status, status, "{}", answer.text());
            let told = answer
                .text()
                .contains("the high watermark: slot 100, epoch 3");
            assert_eq!(told, status == 412, "{}", answer.text());
        }
    }
}

#[test]
fn the_service_says_whether_it_protects() {
    let scratch = Scratch::new("protects");
    let directory = scratch.path().to_str().unwrap();
    for (enabled, protects) in [("true", true), ("false", false)] {
        let switch = format!("--slashing-protection-enabled={enabled}");
        let mut signer =
            Signer::start(&["--interop-keys", "0..1", "--data-dir", directory, &switch]);
        signer.wait_loaded();
        signer.wait_for_line(if protects {
            "slashing protection is on"
        } else {
            "slashing protection is off"
        });
        let mut client = signer.client();
        assert_eq!(
            client.get("/health").json()["slashing_protection"],
            protects
        );
        let checks = client.get("/healthcheck").json()["checks"]
            .as_array()
            .unwrap()
            .clone();
        let store = checks
            .iter()
            .find(|check| check["id"] == "slashing-protection-db-health-check");
        assert_eq!(
            store.is_some_and(|store| store["status"] == "UP"),
            protects,
            "{checks:?}"
        );
        // A bare root that may hide a vote is for those who chose to go without.
        let raw = json!({"signingRoot": ZERO, "domain_name": "beacon_attester"}).to_string();
        let answer = client.post(&format!("/api/v1/eth2/sign/{KEY}"), raw.as_bytes());
        assert_eq!(
            answer.status,
            if protects { 412 } else { 200 },
            "{}",
            answer.text()
        );
    }
}

#[test]
fn a_second_instance_on_the_same_directory_ends_and_names_the_process() {
    let scratch = Scratch::new("second");
    let directory = scratch.path().to_str().unwrap();
    let first = start(&scratch);
    let arguments = [
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--interop-keys",
        "0..1",
        "--data-dir",
        directory,
    ];
    let second = Command::new(binary()).args(arguments).output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(69), "{stderr}");
    assert!(
        stderr.contains(&format!("in use by process {}", first.pid())),
        "{stderr}"
    );
    assert!(stderr.contains("hint: stop the other process"), "{stderr}");
    assert_eq!(
        first.client().get("/healthcheck").status,
        200,
        "the first one goes on"
    );
}

/// A chain of the network of this name.
pub(crate) const HOODI: &str = "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f";

#[test]
fn with_an_empty_store_a_network_with_a_genesis_time_signs_the_present_but_not_the_past() {
    let path = format!("/api/v1/eth2/sign/{KEY}");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let config = Scratch::new("floor-config");
    // A minimal devnet, in its slot 8,000: epoch 1,000.
    let generated = format!(
        "PRESET_BASE: minimal\nGENESIS_FORK_VERSION: 0x10000038\nMIN_GENESIS_TIME: {}\nGENESIS_DELAY: 60\n",
        now - 60 - 8000 * 6
    );
    let file = config.write("config.yaml", generated);
    let hoodi = (now - 1_742_213_400) / 12;
    for (case, options, chain, spe, present) in [
        ("name", vec!["--network", "hoodi"], HOODI, 32, hoodi),
        ("file", vec!["--network", &file], ZERO, 8, 8000),
    ] {
        let scratch = Scratch::new(&format!("floor-{case}"));
        make_store(&scratch);
        let mut signer = start_with(&scratch, &options);
        let told = signer.wait_for_line("sign no block below slot");
        let mut client = signer.client();
        let epoch = present / spe;
        let old = (epoch - 900).to_string();
        for (message, request, status) in [
            (
                "a block far in the past",
                block(chain, &((epoch - 10) * spe).to_string(), ZERO),
                412,
            ),
            (
                "a block five epochs back",
                block(chain, &((epoch - 5) * spe).to_string(), ZERO),
                412,
            ),
            (
                "a vote five epochs back",
                vote(chain, &old, &(epoch - 5).to_string(), ZERO),
                412,
            ),
            (
                "a block two epochs back",
                block(chain, &((epoch - 2) * spe).to_string(), ZERO),
                200,
            ),
            ("a block now", block(chain, &present.to_string(), ZERO), 200),
            (
                "a vote now, from a source of long ago",
                vote(chain, &old, &epoch.to_string(), ZERO),
                200,
            ),
        ] {
            let answer = client.post(&path, request.to_string().as_bytes());
            assert_eq!(
                answer.status,
                status,
                "{case}: {message}: {}\n{told}",
                answer.text()
            );
            assert!(
                status == 200 || answer.text().contains("clock and genesis time"),
                "{}",
                answer.text()
            );
        }
        // A name is that of one chain; a file may be that of any.
        let elsewhere = block(&format!("0x{}", "77".repeat(32)), "5", ZERO);
        let answer = client.post(&path, elsewhere.to_string().as_bytes());
        assert_eq!(answer.status, 412, "{case}: {}", answer.text());
        drop(signer);
        let scratch = Scratch::new(&format!("floor-lifted-{case}"));
        let lifted = [
            "--slashing-protection-min-slot=0",
            "--slashing-protection-min-epoch=0",
        ];
        let signer = start_with(&scratch, &[&options[..], &lifted].concat());
        let mut client = signer.client();
        for request in [block(chain, "5", ZERO), vote(chain, "1", "2", ZERO)] {
            let answer = client.post(&path, request.to_string().as_bytes());
            assert_eq!(answer.status, 200, "{case}: {}", answer.text());
        }
    }
}

#[test]
fn of_another_chain_than_that_of_the_networks_name_no_file_is_imported() {
    let scratch = Scratch::new("other-chain");
    let directory = scratch.path().to_str().unwrap();
    let file = |chain: &str, slot: &str| {
        json!({
            "metadata": {"interchange_format_version": "5", "genesis_validators_root": chain},
            "data": [{"pubkey": KEY, "signed_blocks": [{"slot": slot}], "signed_attestations": []}],
        })
    };
    let (ours, other) = (file(HOODI, "4000000"), file(ZERO, "6000000"));
    let import = |interchange: &Value| {
        let from = scratch.write("interchange.json", interchange.to_string());
        let line = [
            "slashing",
            "import",
            "--network",
            "hoodi",
            "--data-dir",
            directory,
            "--from",
            &from,
        ];
        Command::new(binary()).args(line).output().unwrap()
    };
    let export = || {
        let line = [
            "slashing",
            "export",
            "--network",
            "hoodi",
            "--data-dir",
            directory,
        ];
        let output = Command::new(binary()).args(line).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert!(import(&ours).status.success());
    let refused = import(&other);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{stderr}");
    assert!(
        stderr.contains(&format!(
            "genesis_validators_root: expected {HOODI}, got {ZERO}"
        )),
        "{stderr}"
    );
    assert_eq!(export(), ours);

    let signer = start_with(&scratch, &["--network", "hoodi"]);
    let answer = offer(&scratch, &mut signer.client(), &other);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(
        answer
            .text()
            .contains("metadata.genesis_validators_root: expected"),
        "{}",
        answer.text()
    );
    assert_eq!(offer(&scratch, &mut signer.client(), &ours).status, 200);
    drop(signer);
    assert_eq!(export(), ours);
    // Without a name any chain is taken, so that a devnet can move its data too.
    let signer = start(&scratch);
    assert_eq!(offer(&scratch, &mut signer.client(), &other).status, 200);
}
