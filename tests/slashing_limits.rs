//! What slashing protection refuses beside EIP-3076, on the running service: bare roots, other chains,
//! the far future, too many chains. And the marks of each key, shown and repaired.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::keymanager::{Manager, keystore};
use crate::slashing::{HOODI, KEY, ZERO, block, fork_info, make_store, start, start_with, vote};
use crate::support::client::{Answer, Client};
use crate::support::{Scratch, Signer, binary};

/// Interop key 1.
const OTHER_KEY: &str = "0xb89bebc699769726a318c8e9971bd3171297c61aea4a6578a7a4f94b547dcba5bac16a89108b6b6a1fe3695d1a874a0b";

/// Slots of a minute, so that a test stays in one; epochs of 8.
const SLOT_SECONDS: u64 = 60;

/// A chain of the test's own.
fn root(number: u8) -> String {
    format!("0x{}", format!("{number:02x}").repeat(32))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// The `config.yaml` of a devnet that is in the middle of this epoch.
fn devnet(scratch: &Scratch, epoch: u64) -> String {
    let genesis = now() - (epoch * 8 + 4) * SLOT_SECONDS;
    scratch.write(
        "config.yaml",
        format!(
            "PRESET_BASE: minimal\nGENESIS_FORK_VERSION: 0x10000038\nSECONDS_PER_SLOT: {SLOT_SECONDS}\n\
             MIN_GENESIS_TIME: {genesis}\nGENESIS_DELAY: 0\n"
        ),
    )
}

fn sign(client: &mut Client, key: &str, request: &Value) -> Answer {
    client.post(
        &format!("/api/v1/eth2/sign/{key}"),
        request.to_string().as_bytes(),
    )
}

/// A request with the token of the Keymanager routes.
fn manage(scratch: &Scratch, client: &mut Client, method: &str, path: &str, body: &str) -> Answer {
    let token = fs::read_to_string(scratch.path().join("api-token.txt")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    client.request(
        method,
        path,
        &[("Authorization", bearer.as_str())],
        body.as_bytes(),
    )
}

fn signerd(scratch: &Scratch, line: &str) -> Output {
    Command::new(binary())
        .current_dir(scratch.path())
        .args(line.split_whitespace())
        .args(["--data-dir", "."])
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    assert!(!output.status.success(), "it is refused");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file about one key with one block and one vote.
fn interchange(chain: &str, key: &str, slot: &str, target: &str) -> String {
    json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": chain},
        "data": [{
            "pubkey": key,
            "signed_blocks": [{"slot": slot}],
            "signed_attestations": [{"source_epoch": "0", "target_epoch": target}],
        }],
    })
    .to_string()
}

#[test]
fn with_protection_every_raw_request_is_refused_whatever_domain_it_names() {
    let scratch = Scratch::new("raw");
    for protects in [true, false] {
        let switch = format!("--slashing-protection-enabled={protects}");
        let signer = start_with(&scratch, &[&switch]);
        let mut client = signer.client();
        for rest in [
            json!({}),
            json!({"domain_name": "beacon_attester"}),
            json!({"domain_name": "randao"}),
            json!({"domain_name": "RANDAO"}),
            json!({"domain_name": "DOMAIN_DEPOSIT"}),
            json!({"domain_name": "voluntary_exit"}),
            json!({"domain_name": "application_builder"}),
            json!({"domain": "0xdeadbeef"}),
            json!({"domain": "deadbeef"}),
            json!({"domain": "0x02000000"}),
            json!({"domain": "0x07000000", "domain_name": "sync_committee"}),
            json!({"domain": null, "domain_name": null}),
        ] {
            for field in ["signingRoot", "signing_root"] {
                let mut request = rest.clone();
                request[field] = json!(root(7));
                let answer = sign(&mut client, KEY, &request);
                let expected = if protects { 412 } else { 200 };
                assert_eq!(answer.status, expected, "{request}: {}", answer.text());
                if protects {
                    for part in [
                        "whatever domain the request names",
                        "\\\"type\\\"",
                        "--slashing-protection-enabled=false",
                    ] {
                        assert!(answer.text().contains(part), "{part}: {}", answer.text());
                    }
                }
            }
        }
    }
}

#[test]
fn on_a_network_what_can_be_slashed_is_refused_for_any_other_chain() {
    let scratch = Scratch::new("other-root");
    let signer = start_with(
        &scratch,
        &[
            "--network=hoodi",
            "--slashing-protection-min-slot=0",
            "--slashing-protection-min-epoch=0",
        ],
    );
    let mut client = signer.client();
    for request in [block(ZERO, "5", ZERO), vote(&root(1), "1", "2", ZERO)] {
        let answer = sign(&mut client, KEY, &request);
        assert_eq!(answer.status, 412, "{}", answer.text());
        let chain = request["fork_info"]["genesis_validators_root"].as_str();
        for part in [HOODI, chain.unwrap(), "--network"] {
            assert!(answer.text().contains(part), "{part}: {}", answer.text());
        }
    }
    let reveal = json!({
        "type": "RANDAO_REVEAL", "fork_info": fork_info(ZERO), "randao_reveal": {"epoch": "0"},
    });
    for request in [block(HOODI, "5", ZERO), vote(HOODI, "1", "2", ZERO), reveal] {
        let answer = sign(&mut client, KEY, &request);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn what_is_far_in_the_future_is_refused_and_the_key_signs_on() {
    let scratch = Scratch::new("future");
    let config = devnet(&scratch, 100);
    make_store(&scratch);
    let signer = start_with(&scratch, &["--network", &config]);
    let mut client = signer.client();
    let max = u64::MAX.to_string();
    for (request, status) in [
        (block(ZERO, &max, ZERO), 412),
        (block(ZERO, &(103 * 8).to_string(), ZERO), 412),
        (vote(ZERO, "1", &max, ZERO), 412),
        (vote(ZERO, &max, &max, ZERO), 412),
        (vote(ZERO, "1", "103", ZERO), 412),
        (block(ZERO, &(100 * 8).to_string(), ZERO), 200),
        (vote(ZERO, "1", "100", ZERO), 200),
        (block(ZERO, &(101 * 8).to_string(), ZERO), 200),
        (vote(ZERO, "1", "101", ZERO), 200),
    ] {
        let answer = sign(&mut client, KEY, &request);
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
        let is_told = answer.text().contains("is in the future");
        assert_eq!(is_told, status == 412, "{}", answer.text());
    }
}

#[test]
fn marks_in_the_future_are_imported_by_force_alone_and_lowered_by_force_alone() {
    let scratch = Scratch::new("future-import");
    let config = devnet(&scratch, 100);
    make_store(&scratch);
    let far = interchange(ZERO, KEY, &u64::MAX.to_string(), "100");
    let far_vote = interchange(ZERO, OTHER_KEY, "800", "104");
    let near = interchange(ZERO, KEY, "808", "101");
    {
        let signer = start_with(&scratch, &["--network", &config]);
        let mut client = signer.client();
        let path = "/api/v1/slashing-protection";
        for (query, file, status) in [
            ("", &far, 400),
            ("?force=false", &far_vote, 400),
            ("?force=yes", &near, 400),
            ("", &near, 200),
            ("?force=true", &far_vote, 200),
        ] {
            let answer = manage(
                &scratch,
                &mut client,
                "POST",
                &format!("{path}{query}"),
                file,
            );
            assert_eq!(answer.status, status, "{query}: {}", answer.text());
        }
        let answer = manage(&scratch, &mut client, "POST", path, &far);
        for part in [KEY, &u64::MAX.to_string(), "slot 8", "--force"] {
            assert!(answer.text().contains(part), "{part}: {}", answer.text());
        }
        let later = vote(ZERO, "1", "102", ZERO);
        let answer = sign(&mut client, OTHER_KEY, &later);
        assert_eq!(answer.status, 412, "its mark is later: {}", answer.text());
    }
    scratch.write("far.json", &far);
    let import = format!("slashing import --network {config} --from far.json");
    let refused = stderr(&signerd(&scratch, &import));
    assert!(refused.contains("--force"), "{refused}");
    stdout(&signerd(&scratch, &format!("{import} --force")));

    let watermark = format!("slashing watermark --network {config}");
    let shown = stdout(&signerd(&scratch, &watermark));
    for part in [
        format!("{KEY} on chain {ZERO}: block slot {}", u64::MAX),
        format!("{OTHER_KEY} on chain {ZERO}: block slot 800, source epoch 0, target epoch 104"),
    ] {
        assert!(shown.contains(&part), "{part} is missing in: {shown}");
    }
    let lower = format!("{watermark} --key {KEY} --block-slot 803");
    let refused = stderr(&signerd(&scratch, &lower));
    assert!(
        refused.contains("--force") && refused.contains(KEY),
        "{refused}"
    );
    let lowered = stdout(&signerd(&scratch, &format!("{lower} --force")));
    assert!(
        lowered.contains("block slot 803, source epoch 0, target epoch 101"),
        "{lowered}"
    );
    assert!(!lowered.contains(OTHER_KEY), "{lowered}");

    let signer = start_with(&scratch, &["--network", &config]);
    let mut client = signer.client();
    for (slot, status) in [("803", 412), ("804", 200)] {
        let answer = sign(&mut client, KEY, &block(ZERO, slot, ZERO));
        assert_eq!(answer.status, status, "{slot}: {}", answer.text());
    }
}

/// Commands that change nothing, and what they say.
fn wrong_watermarks(one: &str, two: &str) -> Vec<(String, Vec<String>)> {
    let line = |rest: &str| format!("slashing watermark {rest}");
    let chosen = format!("--genesis-validators-root {two}");
    let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    vec![
        (
            line("--block-slot 9"),
            owned(&[one, two, "--genesis-validators-root"]),
        ),
        (
            line(&format!("{chosen} --target-epoch 9")),
            owned(&[KEY, "--source-epoch"]),
        ),
        (
            line(&format!(
                "{chosen} --key {KEY} --source-epoch 9 --target-epoch 8"
            )),
            owned(&[KEY, "source epoch 9 is after target epoch 8"]),
        ),
        (
            line(&format!("{chosen} --block-slot 6")),
            owned(&["--force", "the block slot on record is 7"]),
        ),
    ]
}

#[test]
fn marks_are_shown_per_key_and_chain_and_raised_for_those_that_are_named() {
    let scratch = Scratch::new("marks");
    {
        let signer = start(&scratch);
        let mut client = signer.client();
        for (key, chain) in [(KEY, root(1)), (KEY, root(2)), (OTHER_KEY, root(2))] {
            let answer = sign(&mut client, key, &block(&chain, "7", ZERO));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    let one = root(1);
    let two = root(2);
    let shown = stdout(&signerd(&scratch, "slashing watermark"));
    assert_eq!(
        shown,
        format!(
            "no high watermark\n{KEY} on chain {one}: block slot 7, no vote\n\
             {KEY} on chain {two}: block slot 7, no vote\n\
             {OTHER_KEY} on chain {two}: block slot 7, no vote\n"
        )
    );
    for (line, parts) in wrong_watermarks(&one, &two) {
        let refused = stderr(&signerd(&scratch, &line));
        for part in parts {
            assert!(refused.contains(&part), "{line}: {part}: {refused}");
        }
        let unchanged = stdout(&signerd(&scratch, "slashing watermark"));
        assert_eq!(unchanged, shown, "{line}");
    }
    let raise = format!(
        "slashing watermark --genesis-validators-root {two} --block-slot 9 --source-epoch 3 --target-epoch 4"
    );
    let raised = stdout(&signerd(&scratch, &raise));
    assert_eq!(
        raised,
        format!(
            "no high watermark\n{KEY} on chain {two}: block slot 9, source epoch 3, target epoch 4\n\
             {OTHER_KEY} on chain {two}: block slot 9, source epoch 3, target epoch 4\n"
        )
    );
    let signer = start(&scratch);
    let mut client = signer.client();
    for (request, status) in [
        (block(&two, "9", ZERO), 412),
        (block(&two, "10", ZERO), 200),
        (block(&one, "8", ZERO), 200),
        (vote(&two, "3", "4", ZERO), 412),
        (vote(&two, "3", "5", ZERO), 200),
    ] {
        let answer = sign(&mut client, KEY, &request);
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
    }
}

#[test]
fn a_chain_that_comes_up_is_one_line_of_the_log() {
    let scratch = Scratch::new("new-chain");
    for (start_number, expected) in [("first", 1), ("second", 0)] {
        let mut signer = start(&scratch);
        let mut client = signer.client();
        for slot in 1..5 {
            for key in [KEY, OTHER_KEY] {
                sign(&mut client, key, &block(&root(5), &slot.to_string(), ZERO));
            }
        }
        let log = signer.log();
        let lines = log.lines().filter(|line| line.contains(&root(5)));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), expected, "{start_number} start: {log}");
        assert!(lines.iter().all(|line| line.contains("WARN")), "{log}");
    }
}

#[test]
fn a_17th_chain_of_a_key_is_refused_while_all_of_them_are_in_use() {
    let scratch = Scratch::new("many-chains");
    let signer = start(&scratch);
    let mut client = signer.client();
    for number in 1..=16 {
        let answer = sign(&mut client, KEY, &block(&root(number), "1", ZERO));
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
    }
    for request in [block(&root(17), "1", ZERO), vote(&root(18), "1", "2", ZERO)] {
        let answer = sign(&mut client, KEY, &request);
        assert_eq!(answer.status, 412, "{}", answer.text());
        assert!(answer.text().contains("16 chains"), "{}", answer.text());
    }
    let path = "/api/v1/slashing-protection";
    let file = interchange(&root(17), KEY, "1", "1");
    let answer = manage(&scratch, &mut client, "POST", path, &file);
    assert_eq!(answer.status, 400, "{}", answer.text());
    for (key, request) in [
        (KEY, block(&root(1), "2", ZERO)),
        (OTHER_KEY, block(&root(17), "1", ZERO)),
    ] {
        let answer = sign(&mut client, key, &request);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // What was refused left nothing behind, and what was signed is still known.
    for number in 1..=16 {
        let answer = sign(&mut client, KEY, &block(&root(number), "1", &root(9)));
        assert_eq!(answer.status, 412, "{number}: {}", answer.text());
    }
}

#[test]
fn an_export_is_about_the_chain_of_its_keys_or_asks_which_one_is_meant() {
    let scratch = Scratch::new("export-chain");
    let signer = start(&scratch);
    let mut client = signer.client();
    let one = root(1);
    let two = root(2);
    sign(&mut client, KEY, &block(&one, "7", ZERO));
    // One request of another key on another chain.
    sign(&mut client, OTHER_KEY, &block(&two, "8", ZERO));

    let path = "/api/v1/slashing-protection";
    let refused = manage(&scratch, &mut client, "GET", path, "");
    assert_eq!(refused.status, 400, "{}", refused.text());
    for part in [
        &one,
        &two,
        "genesis_validators_root=0x",
        "--genesis-validators-root",
    ] {
        assert!(refused.text().contains(part), "{part}: {}", refused.text());
    }
    for (chain, key, slot) in [(&one, KEY, "7"), (&two, OTHER_KEY, "8")] {
        let query = format!("{path}?genesis_validators_root={chain}");
        let file = manage(&scratch, &mut client, "GET", &query, "").json();
        assert_eq!(file["data"][0]["pubkey"], key);
        assert_eq!(file["data"][0]["signed_blocks"][0]["slot"], slot);
    }
    let running = format!("slashing export --port {}", port(&signer));
    let text = stderr(&signerd(&scratch, &running));
    assert!(text.contains("on 2 chains"), "{text}");
    let chosen = stdout(&signerd(
        &scratch,
        &format!("{running} --genesis-validators-root {two}"),
    ));
    assert!(chosen.contains(OTHER_KEY), "{chosen}");
    drop(signer);

    let text = stderr(&signerd(&scratch, "slashing export"));
    for part in [&one, &two, "--genesis-validators-root"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (line, key) in [
        (format!("slashing export --keys {KEY}"), KEY),
        (format!("slashing export --keys {OTHER_KEY}"), OTHER_KEY),
        (
            format!("slashing export --genesis-validators-root {one}"),
            KEY,
        ),
    ] {
        let file: Value = serde_json::from_str(&stdout(&signerd(&scratch, &line))).unwrap();
        assert_eq!(file["data"][0]["pubkey"], key, "{line}");
    }
    let file = stdout(&signerd(&scratch, "slashing export --network hoodi"));
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["metadata"]["genesis_validators_root"], HOODI);
}

#[test]
fn a_deletion_whose_history_is_on_several_chains_removes_nothing_until_one_is_chosen() {
    let scratch = Scratch::new("delete-chain");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(manager.import([1, 2]), ["imported"; 2]);
    let keys = [1, 2].map(|number| keystore(number).0.to_string());
    let mut client = manager.signer.client();
    let one = root(1);
    let two = root(2);
    // The second key alone is on the second chain, which is written last.
    for (key, chain) in [(&keys[0], &one), (&keys[1], &one), (&keys[1], &two)] {
        let answer = sign(&mut client, key, &block(chain, "7", ZERO));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let path = "/eth/v1/keystores";
    let body = |keys: &[String]| json!({"pubkeys": keys}).to_string();
    let both = body(&keys);
    let refused = manage(&scratch, &mut client, "DELETE", path, &both);
    assert_eq!(refused.status, 400, "{}", refused.text());
    for part in [one.as_str(), two.as_str(), "genesis_validators_root=0x"] {
        assert!(refused.text().contains(part), "{part}: {}", refused.text());
    }
    assert_eq!(manager.listed().len(), 2, "nothing is removed");
    let answer = sign(&mut client, &keys[1], &block(&two, "8", ZERO));
    assert_eq!(answer.status, 200, "{}", answer.text());

    let history = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.json()["slashing_protection"]
            .as_str()
            .unwrap()
            .to_owned();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    // The first key has one chain, whatever others have signed since.
    let deleted = manage(&scratch, &mut client, "DELETE", path, &body(&keys[..1]));
    let file = history(&deleted);
    assert_eq!(file["metadata"]["genesis_validators_root"], one);
    assert_eq!(file["data"][0]["pubkey"], keys[0]);
    let wrong = format!("{path}?genesis_validators_root=0x12");
    let refused = manage(&scratch, &mut client, "DELETE", &wrong, &body(&keys[1..]));
    assert_eq!(refused.status, 400, "{}", refused.text());
    let chosen = format!("{path}?genesis_validators_root={two}");
    let deleted = manage(&scratch, &mut client, "DELETE", &chosen, &body(&keys[1..]));
    let file = history(&deleted);
    assert_eq!(file["metadata"]["genesis_validators_root"], two);
    assert_eq!(file["data"][0]["signed_blocks"][0]["slot"], "8");
    assert!(manager.listed().is_empty());
}

fn port(signer: &Signer) -> &str {
    signer.address.rsplit_once(':').unwrap().1
}
