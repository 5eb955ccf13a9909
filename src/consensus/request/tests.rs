//! Every request of the vectors, good and bad, through the parser and to its signing root.

#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

use std::collections::HashMap;
use std::time::Duration;

use crate::consensus::json_tree::JsonTree;
use crate::consensus::network::Fork;
use crate::consensus::networks::Networks;
use crate::consensus::primitives::Epoch;
use crate::consensus::request::{RequestError, SignRequest, check_elements};
use crate::consensus::slashable::{Slashable, SlashableMessage};
use serde_json::Value;

use crate::testing::vector_files::{body, config_yaml, lines};

/// The network of a line, as the `config.yaml` that a devnet would write.
fn network(line: &Value) -> Networks {
    Networks::from_yaml(&config_yaml(&line["config"])).expect("the config of the vectors")
}

fn root(body: Vec<u8>, networks: &Networks) -> Result<String, String> {
    root_at(&body, networks, 0)
}

fn root_at(body: &[u8], networks: &Networks, now_seconds: u64) -> Result<String, String> {
    let request = SignRequest::parse(body, networks).map_err(|error| error.to_string())?;
    let root = request
        .signing_root(networks, now_seconds)
        .map_err(|error| error.to_string())?;
    Ok(root.to_string())
}

#[test]
fn every_good_request_has_the_expected_root() {
    let mut wrong = Vec::new();
    let mut networks = HashMap::new();
    let lines = [
        lines("sign_requests.jsonl"),
        lines("sign_requests_gloas.jsonl"),
    ]
    .concat();
    assert_eq!(lines.len(), 1_335 + 68);
    for line in &lines {
        let network = networks
            .entry(line["config"].to_string())
            .or_insert_with(|| network(line));
        let expected = Ok(line["signing_root"].as_str().expect("a root").to_owned());
        // The clock may only change a choice that the vectors do not leave open.
        for now_seconds in [0, u64::MAX] {
            let got = root_at(&body(line), network, now_seconds);
            if got != expected {
                wrong.push(format!("{}: {got:?}", line["name"]));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_bad_request_is_refused_with_a_reason() {
    let mut wrong = Vec::new();
    for line in lines("bad_requests.jsonl")
        .iter()
        .filter(|line| line["identifier"].is_null())
    {
        let network = network(line);
        match root(body(line), &network) {
            Err(reason) if !reason.is_empty() && reason.len() < 2_000 => {
                println!("{}: {reason}", line["name"])
            }
            got => wrong.push(format!("{}: {got:?}", line["name"])),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} passed:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A coroutine has 64 KiB; the connection's loop, HTTP and routing take the rest.
const STACK_BYTES: usize = 32 * 1024;

#[test]
fn every_request_and_hostile_nesting_fit_a_small_stack() {
    let files = [
        "sign_requests.jsonl",
        "sign_requests_gloas.jsonl",
        "bad_requests.jsonl",
    ];
    let lines = files.map(lines).concat();
    let mut bodies: Vec<_> = lines
        .iter()
        .map(|line| (body(line), network(line)))
        .collect();
    // As deep as allowed, beside the deepest field, in a message whose deepest field is wrong.
    let whole = lines
        .iter()
        .find(|line| line["name"] == "block_v2/mainnet/altair/cur/full-a")
        .expect("a block");
    for deep in [
        "[".repeat(19) + &"]".repeat(19),
        "{\"k\":".repeat(19) + "0" + &"}".repeat(19),
    ] {
        let text = whole["request"].to_string();
        let field = text.find("\"attesting_indices\"").expect("a slashing");
        let nested = format!(
            "{}\"unknown\":{deep},\"data\":{deep},{}",
            &text[..field],
            &text[field..]
        );
        assert!(
            root(nested.clone().into_bytes(), &network(whole))
                .is_err_and(|reason| reason.contains("data"))
        );
        bodies.push((nested.into_bytes(), network(whole)));
    }
    let run = move || {
        for (body, network) in bodies {
            let _ = root(body, &network);
        }
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(run)
        .expect("a thread");
    thread.join().expect("an overflow would end the process");
}

const FORK_INFO: &str = r#""fork_info":{"fork":{"previous_version":"0x70733183","current_version":"0x80733183",
    "epoch":"1536"},"genesis_validators_root":"0xbb4a1a9e3f7f4e10edcd734e4acc3b5ffd4f830efe0af2748fa458cfee5d2658"}"#;

/// The line's message under another type and key, as it is inside its wrapper.
fn bare(line: &Value, name: &str, key: &str) -> Vec<u8> {
    let request = line["request"].as_object().expect("an object");
    let data = request
        .values()
        .find_map(|object| object.get("data"))
        .expect("a wrapped message");
    format!(r#"{{"type":"{name}",{FORK_INFO},"{key}":{data}}}"#).into_bytes()
}

#[test]
fn messages_of_gloas_may_come_bare_and_under_the_names_that_clients_use() {
    let lines = lines("sign_requests_gloas.jsonl");
    for (name, kind, key) in [
        (
            "payload_attestation_message/plataberget/1",
            "PAYLOAD_ATTESTATION",
            "payload_attestation_data",
        ),
        (
            "payload_attestation_message/plataberget/1",
            "payload_attestation",
            "payload_attestation",
        ),
        (
            "payload_attestation_message/plataberget/1",
            "PAYLOAD_ATTESTATION_MESSAGE",
            "payload_attestation_message",
        ),
        (
            "builder_request_auth/plataberget/0",
            "REQUEST_AUTH",
            "request_auth",
        ),
        (
            "builder_request_auth/plataberget/0",
            "BUILDER_REQUEST_AUTH",
            "builder_request_auth",
        ),
        (
            "proposer_preferences/plataberget/1",
            "Proposer_Preferences",
            "proposer_preferences",
        ),
        (
            "execution_payload_bid/plataberget/1",
            "EXECUTION_PAYLOAD_BID",
            "execution_payload_bid",
        ),
        (
            "execution_payload_envelope/plataberget/1",
            "EXECUTION_PAYLOAD_ENVELOPE",
            "execution_payload_envelope",
        ),
    ] {
        let line = lines
            .iter()
            .find(|line| line["name"] == name)
            .expect("the line");
        let expected = line["signing_root"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(String::new);
        assert_eq!(
            root(bare(line, kind, key), &network(line)),
            expected,
            "{name} as {kind}"
        );
    }
}

#[test]
fn without_a_chosen_network_fork_info_tells_it() {
    let networks = Networks::default();
    let mut known = 0;
    for line in [
        lines("sign_requests.jsonl"),
        lines("sign_requests_gloas.jsonl"),
    ]
    .concat()
    {
        // The vectors of minimal have their own fork epochs. Messages without fork_info belong to mainnet.
        let built_in =
            !["minimal", "custom"].contains(&line["network"].as_str().expect("a network"));
        let mainnet = line["network"] == "mainnet";
        if mainnet || (built_in && line["request"]["fork_info"]["fork"].is_object()) {
            let genesis = ["VALIDATOR_REGISTRATION", "DEPOSIT"]
                .contains(&line["request"]["type"].as_str().unwrap());
            if mainnet || !genesis {
                let expected = Ok(line["signing_root"].as_str().expect("a root").to_owned());
                assert_eq!(root(body(&line), &networks), expected, "{}", line["name"]);
                known += 1;
            }
        }
    }
    assert!(known > 700, "{known}");
}

#[test]
fn of_an_unknown_network_the_lengths_tell_the_preset() {
    let lines = lines("sign_requests.jsonl");
    for network in ["mainnet", "minimal"] {
        for name in [
            "sync_committee_contribution_and_proof",
            "aggregate_and_proof_v2",
        ] {
            let prefix = format!("{name}/{network}/electra/cur");
            let line = lines
                .iter()
                .find(|line| line["name"].as_str().expect("a name").starts_with(&prefix));
            let mut request = line.expect("the line")["request"].clone();
            request["fork_info"]["fork"]["previous_version"] = "0xaabbccdd".into();
            request["fork_info"]["fork"]["current_version"] = "0xaabbccdd".into();
            for key in ["signingRoot", "signing_root"] {
                request.as_object_mut().expect("an object").remove(key);
            }
            assert!(
                root(request.to_string().into_bytes(), &Networks::default()).is_ok(),
                "{prefix}"
            );
        }
    }
}

#[test]
fn a_bare_root_is_signed_as_it_is_and_may_be_slashable_whatever_domain_is_named() {
    let root = "0x00000000000000000000000000000000000000000000000000000000000000aa";
    let other = "0x00000000000000000000000000000000000000000000000000000000000000bb";
    let networks = Networks::default();
    for (rest, slashable) in [
        ("", Some(Slashable::Opaque)),
        (
            r#","domain_name":"beacon_attester""#,
            Some(Slashable::Opaque),
        ),
        (
            r#","domain_name":"BEACON_PROPOSER""#,
            Some(Slashable::Opaque),
        ),
        (r#","domain_name":"DOMAIN_RANDAO""#, Some(Slashable::Opaque)),
        (r#","domain_name":"deposit""#, Some(Slashable::Opaque)),
        (r#","domain":"0xdeadbeef""#, Some(Slashable::Opaque)),
        (r#","domain":"0x01000000""#, Some(Slashable::Opaque)),
        (r#","domain":"0x00000000""#, Some(Slashable::Opaque)),
        (r#","domain":"0x07000000""#, Some(Slashable::Opaque)),
        (
            r#","domain":null,"domain_name":null"#,
            Some(Slashable::Opaque),
        ),
        (
            r#","domain":"0x07000000","domain_name":"sync_committee""#,
            Some(Slashable::Opaque),
        ),
        (r#","domain":"0x01000000","domain_name":"randao""#, None),
        (r#","domain":"0x01""#, None),
        (r#","domain_name":"attester""#, None),
        (&format!(r#","signing_root":"{other}""#), None),
        (&format!(",{FORK_INFO}"), None),
    ] {
        let body = format!(r#"{{"signingRoot":"{root}"{rest}}}"#).into_bytes();
        let signed = SignRequest::parse(&body, &networks).and_then(|request| {
            assert_eq!(request.type_name(), "RAW");
            request
                .signing_root(&networks, 0)
                .map(|root| (root.to_string(), request.slashable()))
        });
        assert_eq!(
            signed.ok(),
            slashable.map(|class| (root.to_owned(), class)),
            "{rest}"
        );
    }
}

#[test]
fn votes_and_blocks_are_slashable_and_nothing_else_is() {
    for line in [
        lines("sign_requests.jsonl"),
        lines("sign_requests_gloas.jsonl"),
    ]
    .concat()
    {
        let request = &line["request"];
        let number = |value: &Value| {
            value
                .as_u64()
                .or_else(|| value.as_str()?.parse().ok())
                .expect("a number")
        };
        let expected = match request["type"]
            .as_str()
            .expect("a type")
            .to_ascii_uppercase()
            .as_str()
        {
            "ATTESTATION" => {
                let data = &request["attestation"];
                Some((
                    number(&data["source"]["epoch"]),
                    number(&data["target"]["epoch"]),
                ))
            }
            "BLOCK" => Some((number(&request["block"]["slot"]), 0)),
            "BLOCK_V2" => {
                let object = &request["beacon_block"];
                let block = object["block"]
                    .as_object()
                    .or(object["block_header"].as_object());
                Some((number(&block.expect("a block")["slot"]), 0))
            }
            _ => None,
        };
        let parsed = SignRequest::parse(&body(&line), &network(&line)).expect("a good request");
        let (chain, got) = match parsed.slashable() {
            Slashable::Never => (None, None),
            Slashable::On(chain, SlashableMessage::Block(slot)) => (Some(chain), Some((slot.0, 0))),
            Slashable::On(chain, SlashableMessage::Vote(source, target)) => {
                (Some(chain), Some((source.0, target.0)))
            }
            Slashable::Opaque => panic!("{} is a bare root", line["name"]),
        };
        assert_eq!(got, expected, "{}", line["name"]);
        if let Some(chain) = chain {
            let root = request["fork_info"]["genesis_validators_root"]
                .as_str()
                .expect("a root");
            assert_eq!(chain, root.parse().expect("a root"), "{}", line["name"]);
        }
    }
}

#[test]
fn a_mismatch_shows_both_roots_and_what_decides() {
    let bad = lines("bad_requests.jsonl");
    let line = bad
        .iter()
        .find(|line| line["name"] == "root/mismatch-att")
        .expect("the line");
    let reason = root(body(line), &network(line)).expect_err("a mismatch");
    let claimed = line["request"]["signingRoot"].as_str().expect("a root");
    for part in [
        claimed,
        "ATTESTATION",
        "0x01000000",
        "0x06000000",
        "epoch 414330",
        "network mainnet",
    ] {
        assert!(reason.contains(part), "{part} is not in: {reason}");
    }
}

#[test]
fn an_error_names_the_field_and_what_was_expected() {
    let good = lines("sign_requests.jsonl");
    let line = good
        .iter()
        .find(|line| line["name"] == "attestation/mainnet/fulu/cur")
        .expect("the line");
    let set = |path: &str, value: Value| {
        let mut request = line["request"].clone();
        *request.pointer_mut(path).expect("a field") = value;
        request.to_string().into_bytes()
    };
    let number = "expected a whole number from 0 to 18446744073709551615";
    for (path, value, expected) in [
        (
            "/attestation/target/epoch",
            "abc".into(),
            format!("attestation.target.epoch: {number}, as a string or number, got \"abc\""),
        ),
        (
            "/attestation/source/root",
            "0x12".into(),
            "attestation.source.root: expected 32 bytes of hex".to_owned(),
        ),
        (
            "/attestation/source",
            serde_json::json!(["1", "0x"]),
            "attestation.source: expected an object, got an array".to_owned(),
        ),
        (
            "/fork_info/fork",
            "x".repeat(9_000).into(),
            "fork_info.fork: expected an object, got the string \"xxx".to_owned(),
        ),
        (
            "/fork_info/fork/epoch",
            true.into(),
            format!("fork_info.fork.epoch: {number}, as a string or number, got true"),
        ),
        (
            "/type",
            "EXIT".into(),
            "type: expected one of AGGREGATE_AND_PROOF, ".to_owned(),
        ),
    ] {
        let reason = root(set(path, value), &network(line)).expect_err("a wrong value");
        assert!(reason.starts_with(&expected), "{path}: {reason}");
        assert!(reason.len() < 500, "{path}: {} bytes", reason.len());
    }
}

#[test]
fn a_config_is_read_as_clients_write_it() {
    let text = "# comment\nPRESET_BASE: 'minimal'\nCONFIG_NAME: testnet # here too\n\
        TERMINAL_TOTAL_DIFFICULTY: 115792089237316195423570985008687907853269984665640564039457584007913129638912\n\
        GENESIS_FORK_VERSION: 0x10000038\nALTAIR_FORK_VERSION: '0x20000038'\nALTAIR_FORK_EPOCH: \"7\"\n\
        DENEB_FORK_VERSION: 0x50000038\nDENEB_FORK_EPOCH: 18446744073709551615\n\
        BLOB_SCHEDULE:\n  - EPOCH: 1\n    MAX_BLOBS_PER_BLOCK: 9\n";
    let networks = Networks::from_yaml(text).expect("a config");
    assert_eq!(
        (networks.name(), networks.slots_per_epoch()),
        ("testnet", 8)
    );
    assert_eq!(networks.genesis_validators_root(), None);
    for (broken, reason) in [
        ("PRESET_BASE: mainnet\n", "GENESIS_FORK_VERSION is missing"),
        (
            "GENESIS_FORK_VERSION: 0x1000\n",
            "GENESIS_FORK_VERSION: expected 4 bytes of hex (8 digits), got \"0x1000\"",
        ),
        (
            "GENESIS_FORK_VERSION: 0x10000038\nALTAIR_FORK_EPOCH: soon\n",
            "ALTAIR_FORK_EPOCH: expected a whole number",
        ),
        (
            "GENESIS_FORK_VERSION: 0x10000038\nPRESET_BASE: maximal\n",
            "PRESET_BASE: expected mainnet, minimal, gnosis or swift",
        ),
        (
            "GENESIS_FORK_VERSION: 0x10000038\nSLOTS_PER_EPOCH: 0\n",
            "SLOTS_PER_EPOCH: expected a whole number from 1",
        ),
        (
            "GENESIS_FORK_VERSION: 0x10000038\nSECONDS_PER_SLOT: 0\n",
            "SECONDS_PER_SLOT: expected a whole number from 1",
        ),
        (
            "GENESIS_FORK_VERSION: 0x10000038\nMIN_GENESIS_TIME: now\n",
            "MIN_GENESIS_TIME: expected a whole",
        ),
        ("just text", "no network configuration: "),
    ] {
        let error = Networks::from_yaml(broken).err().expect(broken).to_string();
        assert!(error.starts_with(reason), "{broken}: {error}");
    }
}

/// Names, genesis fork versions, slots an epoch, and whether the validators of genesis are known. Written down
/// here a second time, from the networks' own files.
const NAMED: [(&str, &str, u64, bool); 13] = [
    ("mainnet", "0x00000000", 32, true),
    ("sepolia", "0x90000069", 32, true),
    ("hoodi", "0x10000910", 32, true),
    ("holesky", "0x01017000", 32, true),
    ("goerli", "0x00001020", 32, true),
    ("plataberget", "0x10733183", 32, true),
    ("gnosis", "0x00000064", 16, true),
    ("chiado", "0x0000006f", 16, true),
    ("lukso", "0x42000001", 32, true),
    ("ephemery", "0x1000101b", 32, false),
    ("minimal", "0x00000001", 8, false),
    ("swift", "0x00000001", 4, false),
    ("less-swift", "0x00000001", 4, false),
];

#[test]
fn a_registration_on_a_named_network_is_signed_for_its_genesis_fork_version() {
    assert!(Networks::names().eq(NAMED.map(|(name, ..)| name)));
    let line = good("validator_registration/mainnet/root-absent");
    for (name, version, slots_per_epoch, knows_validators) in NAMED {
        let networks = Networks::named(name).expect(name);
        assert_eq!(networks.slots_per_epoch(), slots_per_epoch, "{name}");
        assert_eq!(
            networks.genesis_validators_root().is_some(),
            knows_validators,
            "{name}"
        );
        let expected = registration_root(&line, version);
        assert_eq!(root(body(&line), &networks), Ok(expected), "{name}");
        for spelling in [
            name.to_uppercase(),
            name.replace('-', "_"),
            format!(" {name}\n"),
        ] {
            let networks = Networks::named(&spelling).expect(name);
            assert_eq!(networks.name(), name);
        }
    }
}

/// The line of that name among the good requests.
fn good(name: &str) -> Value {
    let mut lines = lines("sign_requests.jsonl").into_iter();
    lines.find(|line| line["name"] == name).expect(name)
}

/// Computes the root of a registration anew: its own root comes from the vectors, by way of a `config.yaml`.
fn registration_root(line: &Value, version: &str) -> String {
    let custom = Networks::from_yaml(&format!("GENESIS_FORK_VERSION: {version}")).expect(version);
    root(body(line), &custom).expect("a good request")
}

#[test]
fn goerli_has_its_old_name_and_the_forks_that_it_lived_to_see() {
    let goerli = Networks::named("Prater").expect("goerli's old name");
    assert_eq!(goerli.name(), "goerli");
    for (fork, epoch) in [
        (Fork::Altair, 36_660),
        (Fork::Bellatrix, 112_260),
        (Fork::Capella, 162_304),
        (Fork::Deneb, 231_680),
    ] {
        assert!(goerli.has(fork, Epoch(epoch)), "{}", fork.name());
        assert!(!goerli.has(fork, Epoch(epoch - 1)), "{}", fork.name());
    }
    assert!(!goerli.has(Fork::Electra, Epoch(u64::MAX - 1)));
}

#[test]
fn networks_without_a_date_for_gloas_know_its_version() {
    for name in ["ephemery", "swift", "less-swift"] {
        let mut networks = Networks::named(name).expect(name);
        assert!(!networks.has(Fork::Gloas, Epoch(u64::MAX - 1)), "{name}");
        assert!(networks.set_fork_epoch(Fork::Gloas, Epoch(7)), "{name}");
        assert!(networks.has(Fork::Gloas, Epoch(7)), "{name}");
    }
}

#[test]
fn lukso_and_the_swift_networks_have_their_own_clocks_and_forks() {
    let lukso = Networks::named("lukso").expect("lukso");
    // The times of its forks: 28 June 2023, 20 November 2024, 17 September 2025, each at 16:20 UTC.
    for (fork, moment) in [
        (Fork::Capella, 1_687_969_200),
        (Fork::Deneb, 1_732_119_600),
        (Fork::Electra, 1_758_126_000),
    ] {
        let epoch = lukso.epoch_now(moment).expect("a known genesis");
        assert!(lukso.has(fork, epoch), "{}", fork.name());
        let before = lukso.epoch_now(moment - 1).expect("a known genesis");
        assert!(!lukso.has(fork, before), "{}", fork.name());
    }
    for name in ["ephemery", "swift", "less-swift"] {
        let networks = Networks::named(name).expect(name);
        assert_eq!(networks.slot_times(), None, "{name}");
        assert!(networks.has(Fork::Altair, Epoch(0)), "{name}");
    }
}

#[test]
fn a_fork_version_that_a_yaml_tool_made_a_number_is_refused_whatever_its_spelling() {
    for spelling in [
        "16871424",
        "16_871_424",
        "16871424.0",
        "1.6871424e+07",
        "0o100270000",
        "0100270000",
        "0b1000000010111000000000000",
        "+16871424",
        "-1",
        "0",
        "00000000",
        "1",
        "01017000",
        "90000069",
        "2415919209",
        "10000910",
        "0100_0000",
        "18446744073709551616",
        "0x",
        "0x1017000",
        "0x0101_7000",
        "0x0101700000",
        "AQFwAA==",
        "null",
        "",
        "[1, 1, 112, 0]",
        "{ a: 1 }",
    ] {
        let quoted = [
            spelling.to_owned(),
            format!("\"{spelling}\""),
            format!("'{spelling}'"),
        ];
        for version in quoted {
            for config in [
                format!("GENESIS_FORK_VERSION: {version}\n"),
                format!("GENESIS_FORK_VERSION: 0x01017000\nFULU_FORK_VERSION: {version}\n"),
            ] {
                let error = Networks::from_yaml(&config).err();
                let error = error.unwrap_or_else(|| panic!("{config} is taken"));
                assert!(error.contains("_FORK_VERSION: expected "), "{error}");
            }
        }
    }
    let error = Networks::from_yaml("GENESIS_FORK_VERSION: 16871424\n").err();
    let error = error.expect("a number is refused");
    assert!(
        error.contains("got \"16871424\"") && error.contains("in quotes"),
        "{error}"
    );
}

#[test]
fn a_config_as_tools_of_other_systems_write_it_is_read_as_ever() {
    let line = good("validator_registration/mainnet/root-absent");
    let lines = [
        "PRESET_BASE: swift",
        "CONFIG_NAME: tool",
        "GENESIS_FORK_VERSION: 0x01017000",
        "DENEB_FORK_VERSION: \"0x05017000\"",
        "DENEB_FORK_EPOCH: 29696",
        "",
    ];
    for (case, text) in [
        ("as it is", lines.join("\n")),
        ("CRLF", lines.join("\r\n")),
        ("a byte order mark", format!("\u{feff}{}", lines.join("\n"))),
        ("both", format!("\u{feff}{}", lines.join("\r\n"))),
        ("0X", lines.join("\n").replace("0x", "0X")),
        (
            "quotes",
            lines.join("\n").replace("0x01017000", "'0x01017000'"),
        ),
    ] {
        let networks = Networks::from_yaml(&text).expect(case);
        assert_eq!(
            (networks.name(), networks.slots_per_epoch()),
            ("tool", 4),
            "{case}"
        );
        assert!(networks.has(Fork::Deneb, Epoch(29_696)), "{case}");
        assert!(!networks.has(Fork::Deneb, Epoch(29_695)), "{case}");
        let holesky = Networks::named("holesky").expect("holesky");
        assert_eq!(
            root(body(&line), &networks),
            root(body(&line), &holesky),
            "{case}"
        );
    }
}

#[test]
fn the_slot_of_a_moment_is_that_of_the_chain_or_an_earlier_one_or_none() {
    let config = |lines: &str| {
        Networks::from_yaml(&format!("GENESIS_FORK_VERSION: 0x10000038\n{lines}")).expect(lines)
    };
    let named = |name: &str| Networks::named(name).expect(name);
    for (case, networks, now, slot) in [
        (
            "mainnet's genesis",
            named("mainnet"),
            1_606_824_023,
            Some(0),
        ),
        ("before it", named("mainnet"), 1_606_824_022, None),
        // The slot of the Merge's first block, and its timestamp on the execution layer.
        (
            "mainnet's merge",
            named("mainnet"),
            1_663_224_179,
            Some(4_700_013),
        ),
        (
            "gnosis, with slots of 5 s",
            named("gnosis"),
            1_638_993_340 + 16 * 5,
            Some(16),
        ),
        (
            "a name whose genesis is nowhere",
            named("minimal"),
            u64::MAX,
            None,
        ),
        ("no choice", Networks::default(), 1_700_000_000, None),
        (
            "a sum",
            config("MIN_GENESIS_TIME: 1000\nGENESIS_DELAY: 60\n"),
            1084,
            Some(2),
        ),
        (
            "before the sum",
            config("MIN_GENESIS_TIME: 1000\nGENESIS_DELAY: 60\n"),
            1059,
            None,
        ),
        ("no delay", config("MIN_GENESIS_TIME: 1000\n"), 2000, None),
        (
            "a copy of mainnet's file",
            config("MIN_GENESIS_TIME: 1606824000\nGENESIS_DELAY: 604800\n"),
            1_800_000_000,
            None,
        ),
        (
            "seconds a slot",
            config("MIN_GENESIS_TIME: 1000\nGENESIS_DELAY: 0\nSECONDS_PER_SLOT: 4\n"),
            1008,
            Some(2),
        ),
        (
            "milliseconds a slot, which count more",
            config(
                "MIN_GENESIS_TIME: 0\nGENESIS_DELAY: 0\nSECONDS_PER_SLOT: 12\nSLOT_DURATION_MS: 1500\n",
            ),
            3,
            Some(2),
        ),
        (
            "a preset's own",
            config("PRESET_BASE: minimal\nMIN_GENESIS_TIME: 0\nGENESIS_DELAY: 0\n"),
            6,
            Some(1),
        ),
        (
            "numbers that are absurd",
            config(
                "MIN_GENESIS_TIME: 18446744073709551615\nGENESIS_DELAY: 9\nSECONDS_PER_SLOT: 18446744073709551615\n",
            ),
            u64::MAX,
            Some(0),
        ),
    ] {
        assert_eq!(networks.slot_at(now).map(|slot| slot.0), slot, "{case}");
    }
}

#[test]
fn built_in_networks_agree_with_the_vectors() {
    for line in lines("sign_requests.jsonl") {
        let name = line["network"].as_str().expect("a name");
        if let Some(mut networks) =
            Networks::named(&name.to_uppercase()).filter(|_| name != "minimal")
        {
            assert_eq!(
                root(body(&line), &networks),
                root(body(&line), &network(&line)),
                "{}",
                line["name"]
            );
            assert_eq!(
                networks.slots_per_epoch().to_string(),
                line["config"]["SLOTS_PER_EPOCH"],
                "{name}"
            );
            let chain = networks
                .genesis_validators_root()
                .expect("a public network has one")
                .to_string();
            assert_eq!(chain, line["config"]["GENESIS_VALIDATORS_ROOT"], "{name}");
            assert!(networks.set_fork_epoch(Fork::Gloas, Epoch(0)));
        }
    }
    assert!(Networks::named("kiln").is_none());
    assert!(Networks::names().any(|name| name == "holesky"));
}

#[test]
fn a_fork_can_be_moved() {
    let line = lines("sign_requests.jsonl").into_iter().find(|line| {
        line["name"] == "client/lighthouse/plataberget/aggregate_and_proof" // no version: the schedule decides
    });
    let line = line.expect("the line");
    let mut networks = network(&line);
    let scheduled = root(body(&line), &networks);
    assert!(scheduled.is_ok());
    // The fork of the request still shows that GLOAS has come.
    assert!(networks.set_fork_epoch(Fork::Gloas, Epoch::NEVER));
    assert_eq!(root(body(&line), &networks), scheduled);
    assert!(
        !networks.set_fork_epoch(Fork::Heze, Epoch(0)),
        "the config has no version of it"
    );
}

/// A wrapped aggregate of the vectors with committee bits, moved to this epoch.
fn electra_aggregate(epoch: u64) -> Value {
    let lines = lines("sign_requests.jsonl");
    let line = lines
        .iter()
        .find(|line| line["request"]["aggregate_and_proof"]["version"] == "ELECTRA")
        .expect("an aggregate of ELECTRA");
    let mut message = line["request"]["aggregate_and_proof"]["data"].clone();
    message["aggregate"]["data"]["slot"] = (epoch * 32).to_string().into();
    message
}

fn aggregate_request(message: Value, previous: &str, current: &str, epoch: u64) -> Vec<u8> {
    let fork = serde_json::json!({
        "previous_version": previous, "current_version": current, "epoch": epoch.to_string()
    });
    let fork_info = serde_json::json!({
        "fork": fork, "genesis_validators_root": format!("0x{}", "11".repeat(32))
    });
    let request = serde_json::json!({
        "type": "AGGREGATE_AND_PROOF_V2", "fork_info": fork_info, "aggregate_and_proof": message
    });
    request.to_string().into_bytes()
}

const FULU_ALONE: &str = "CONFIG_NAME: custom\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 0x10000001\n\
    ALTAIR_FORK_VERSION: 0x20000001\nALTAIR_FORK_EPOCH: 0\nELECTRA_FORK_VERSION: 0x60000001\n\
    ELECTRA_FORK_EPOCH: 10\nFULU_FORK_VERSION: 0x70000001\nFULU_FORK_EPOCH: 20\n";

#[test]
fn the_fork_of_a_bare_aggregate_is_also_that_of_its_fork_info() {
    let custom = Networks::from_yaml(FULU_ALONE).expect("a config");
    let mainnet = Networks::named("mainnet").expect("a network");
    let gloas_unscheduled = format!("{FULU_ALONE}GLOAS_FORK_VERSION: 0x80000001\n");
    let gloas_unscheduled = Networks::from_yaml(&gloas_unscheduled).expect("a config");
    for (case, networks, previous, current, fork_epoch, epoch, expected) in [
        (
            "a version after FULU's",
            &custom,
            "0x70000001",
            "0x80000001",
            500_000,
            500_001,
            "GLOAS",
        ),
        (
            "the first epoch of the fork",
            &custom,
            "0x70000001",
            "0x80000001",
            500_000,
            500_000,
            "GLOAS",
        ),
        (
            "before the fork",
            &custom,
            "0x70000001",
            "0x80000001",
            500_000,
            499_999,
            "ELECTRA",
        ),
        (
            "a known version without an epoch",
            &gloas_unscheduled,
            "0x70000001",
            "0x80000001",
            30,
            31,
            "GLOAS",
        ),
        (
            "FULU itself",
            &custom,
            "0x60000001",
            "0x70000001",
            20,
            500_000,
            "ELECTRA",
        ),
        (
            "an unknown version after ELECTRA's",
            &custom,
            "0x60000001",
            "0x7a000001",
            20,
            500_000,
            "ELECTRA",
        ),
        (
            "mainnet's FULU",
            &mainnet,
            "0x05000000",
            "0x06000000",
            411_392,
            500_000,
            "ELECTRA",
        ),
    ] {
        let message = electra_aggregate(epoch);
        let wrapped = serde_json::json!({ "version": expected, "data": message });
        let wrapped = aggregate_request(wrapped, previous, current, fork_epoch);
        let bare = aggregate_request(message.clone(), previous, current, fork_epoch);
        let expected_root = root(wrapped, networks);
        assert!(expected_root.is_ok(), "{case}: {expected_root:?}");
        assert_eq!(root(bare, networks), expected_root, "{case}");
        let mut with_null = message;
        with_null["data"] = Value::Null;
        let with_null = aggregate_request(with_null, previous, current, fork_epoch);
        assert_eq!(
            root(with_null, networks),
            expected_root,
            "{case}, null data"
        );
    }
}

#[test]
fn a_bare_aggregate_without_committee_bits_is_refused_from_electra_on() {
    let custom = Networks::from_yaml(FULU_ALONE).expect("a config");
    for (epoch, is_good) in [(9, true), (10, false), (20, false), (500_000, false)] {
        let mut message = electra_aggregate(epoch);
        let aggregate = message["aggregate"].as_object_mut().expect("an object");
        aggregate.remove("committee_bits");
        aggregate["aggregation_bits"] = "0x01".into();
        let found = root(
            aggregate_request(message, "0x60000001", "0x70000001", 20),
            &custom,
        );
        assert_eq!(found.is_ok(), is_good, "epoch {epoch}: {found:?}");
        if let Err(reason) = found {
            assert!(
                reason.starts_with("aggregate_and_proof.aggregate.committee_bits: is missing"),
                "{reason}"
            );
        }
    }
}

/// Bids of the vectors, and their signing roots as bids of HEZE with the inclusion list bits 0x0180. Computed
/// by a program of 40 lines of Python that shares nothing with this one (hashlib; merkleization of EIP-7495
/// and EIP-7916), and that gives the known roots of all bids of GLOAS.
const BIDS_OF_HEZE: [(&str, &str); 6] = [
    (
        "execution_payload_bid/plataberget/0",
        "0x94c1fa521e0cc288dfbdbdb266a23e50fc4dba9238c50c07f74433dbd0920924",
    ),
    (
        "execution_payload_bid/plataberget/1",
        "0xae2c4ef05208a1cab3fedb8e0801e1d40b779c0cdd9f2c5f465d7cf6ac8ba16d",
    ),
    (
        "execution_payload_bid/plataberget/2",
        "0x713f16dccccc513ea0bd5d6619db4ae4c4ab85c3e56613f5fbf2fd7c9e7ea080",
    ),
    (
        "execution_payload_bid/minimal/2",
        "0x859115d13b69de3a4e18c172cc65e6e5d2f261c0a8e741ccb49c443fbf5ca6d6",
    ),
    (
        "execution_payload_bid/kurtosis/1",
        "0x2878b31c7d408619164e89a71e1e8ad50822066edaf8578e52ae1cbe988c033c",
    ),
    (
        "execution_payload_bid/staged/0",
        "0xd10949794d34d81a85814240f59ad913c0aa1da9179c20823daeb43597380568",
    ),
];

#[test]
fn a_bare_bid_without_inclusion_list_bits_is_refused_from_heze_on() {
    let heze_at_20 = "GENESIS_FORK_VERSION: 0x10000001\nFULU_FORK_VERSION: 0x70000001\n\
                      FULU_FORK_EPOCH: 0\nGLOAS_FORK_VERSION: 0x80000001\nGLOAS_FORK_EPOCH: 10\n\
                      HEZE_FORK_VERSION: 0x90000001\nHEZE_FORK_EPOCH: ";
    let scheduled = Networks::from_yaml(&format!("{heze_at_20}20\n")).expect("a config");
    let undated =
        Networks::from_yaml(&format!("{heze_at_20}18446744073709551615\n")).expect("a config");
    let line = lines("sign_requests_gloas.jsonl")
        .into_iter()
        .find(|line| line["name"] == "execution_payload_bid/plataberget/1")
        .expect("a bid");
    let bid = &line["request"]["execution_payload_bid"]["data"];
    for (case, networks, previous, current, fork_epoch, epoch, is_good) in [
        (
            "a slot of GLOAS",
            &scheduled,
            "0x70000001",
            "0x80000001",
            10,
            19,
            true,
        ),
        (
            "by the schedule",
            &scheduled,
            "0x80000001",
            "0x90000001",
            20,
            20,
            false,
        ),
        (
            "by the schedule alone",
            &scheduled,
            "0x70000001",
            "0x80000001",
            10,
            20,
            false,
        ),
        (
            "before the fork",
            &undated,
            "0x80000001",
            "0x90000001",
            30,
            29,
            true,
        ),
        (
            "by the fork",
            &undated,
            "0x80000001",
            "0x90000001",
            30,
            30,
            false,
        ),
    ] {
        let mut bid = bid.clone();
        bid["slot"] = (epoch * 32).to_string().into();
        let mut request = line["request"].clone();
        let fields = request.as_object_mut().expect("an object");
        fields.remove("signing_root");
        request["fork_info"]["fork"] = serde_json::json!({
            "previous_version": previous, "current_version": current, "epoch": fork_epoch.to_string(),
        });
        let mut roots = Vec::new();
        for bits in [None, Some(Value::Null), Some("0x0180".into())] {
            let has_bits = bits.as_ref().is_some_and(Value::is_string);
            if let Some(bits) = bits {
                bid["inclusion_list_bits"] = bits;
            }
            request["execution_payload_bid"] = bid.clone();
            let found = root(request.to_string().into_bytes(), networks);
            assert_eq!(found.is_ok(), is_good || has_bits, "{case}: {found:?}");
            match found {
                Ok(root) => roots.push(root),
                Err(reason) => {
                    let expected = "execution_payload_bid.inclusion_list_bits: ";
                    assert!(reason.starts_with(expected), "{case}: {reason}");
                }
            }
        }
        if is_good {
            assert_eq!(roots[0], roots[1], "{case}, null bits");
            assert_ne!(roots[0], roots[2], "{case}: bits make it a bid of HEZE");
        }
    }
}

#[test]
fn messages_of_gloas_may_name_heze_whose_bid_has_inclusion_list_bits() {
    let mut pinned_bids = 0;
    for line in lines("sign_requests_gloas.jsonl") {
        let networks = network(&line);
        let mut request = line["request"].clone();
        let fields = request.as_object_mut().expect("an object");
        fields.remove("signing_root");
        fields.remove("signingRoot");
        let Some(wrapped) = fields
            .values_mut()
            .find(|object| object["version"] == "GLOAS")
        else {
            continue;
        };
        wrapped["version"] = "HEZE".into();
        let is_bid = wrapped["data"]["execution_requests_root"].is_string();
        let expected = line["signing_root"].as_str().map(str::to_owned);
        if is_bid {
            let reason = root(request.to_string().into_bytes(), &networks).unwrap_err();
            assert!(
                reason.contains("inclusion_list_bits: is missing"),
                "{reason}"
            );
            let fields = request.as_object_mut().expect("an object");
            let wrapped = fields
                .values_mut()
                .find(|object| object["version"] == "HEZE");
            wrapped.expect("the bid")["data"]["inclusion_list_bits"] = "0x0180".into();
            let heze = root(request.to_string().into_bytes(), &networks).expect("a root");
            assert_ne!(Some(&heze), expected.as_ref(), "{}", line["name"]);
            let name = line["name"].as_str().expect("a name");
            if let Some((_, pinned)) = BIDS_OF_HEZE.iter().find(|(bid, _)| *bid == name) {
                assert_eq!(heze, *pinned, "{name}");
                pinned_bids += 1;
            }
        } else if expected.is_some() {
            let found = root(request.to_string().into_bytes(), &networks).ok();
            assert_eq!(found, expected, "{}", line["name"]);
        }
    }
    assert_eq!(pinned_bids, BIDS_OF_HEZE.len());
}

/// An exit of mainnet with this fork, and the roots that the client sends.
fn exit_request(epoch: u64, current: &str, fork_epoch: u64, claims: &[(&str, &str)]) -> Vec<u8> {
    let mut request = serde_json::json!({
        "type": "VOLUNTARY_EXIT",
        "fork_info": {
            "fork": {
                "previous_version": current, "current_version": current, "epoch": fork_epoch.to_string(),
            },
            "genesis_validators_root": MAINNET_ROOT,
        },
        "voluntary_exit": { "epoch": epoch.to_string(), "validator_index": "7" },
    });
    for (name, claimed) in claims {
        request[*name] = (*claimed).into();
    }
    request.to_string().into_bytes()
}

const MAINNET_ROOT: &str = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95";

#[test]
fn an_exit_is_signed_in_the_domain_that_is_valid_now_when_the_client_sends_its_root() {
    const ALTAIR: &str = "0x01000000";
    const DENEB_EPOCH: u64 = 269_568;
    let mainnet = Networks::named("mainnet").expect("mainnet");
    let root_of = |epoch, current, claims: &[(&str, &str)], now_seconds| {
        root_at(
            &exit_request(epoch, current, 74_240, claims),
            &mainnet,
            now_seconds,
        )
    };
    let altair = root_of(80_000, ALTAIR, &[], 0).expect("a root");
    // With a fork from DENEB on, an exit has the domain of CAPELLA.
    let capella = root_of(80_000, "0x05000000", &[], 0).expect("a root");
    assert_ne!(altair, capella);

    let (before_deneb, at_deneb) = (
        1_606_824_023 + (DENEB_EPOCH * 32 - 1) * 12,
        1_606_824_023 + DENEB_EPOCH * 32 * 12,
    );
    for (now_seconds, claims, expected) in [
        (at_deneb, vec![], Some(&altair)),
        (at_deneb, vec![("signingRoot", &altair)], Some(&altair)),
        (at_deneb, vec![("signingRoot", &capella)], Some(&capella)),
        (at_deneb, vec![("signing_root", &capella)], Some(&capella)),
        (
            at_deneb,
            vec![("signingRoot", &capella), ("signing_root", &capella)],
            Some(&capella),
        ),
        (
            at_deneb,
            vec![("signingRoot", &capella), ("signing_root", &altair)],
            None,
        ),
        (
            at_deneb,
            vec![("signingRoot", &altair), ("signing_root", &capella)],
            None,
        ),
        (before_deneb, vec![("signingRoot", &capella)], None),
        (before_deneb, vec![("signingRoot", &altair)], Some(&altair)),
    ] {
        let claims: Vec<_> = claims
            .iter()
            .map(|(name, claimed)| (*name, claimed.as_str()))
            .collect();
        let found = root_of(80_000, ALTAIR, &claims, now_seconds).ok();
        assert_eq!(found.as_ref(), expected, "{claims:?} at {now_seconds}");
    }
    // A version that is not known, after one of DENEB.
    let mut unknown: Value =
        serde_json::from_slice(&exit_request(80_000, "0x7a000000", 74_240, &[])).expect("JSON");
    unknown["fork_info"]["fork"]["previous_version"] = "0x04000000".into();
    unknown["signingRoot"] = capella.as_str().into();
    let found = root(unknown.to_string().into_bytes(), &mainnet);
    assert_eq!(found.as_ref(), Ok(&capella), "after DENEB");

    let late = root_of(DENEB_EPOCH, ALTAIR, &[], 0).expect("a root");
    let late_capella = root_of(DENEB_EPOCH, "0x05000000", &[], 0).expect("a root");
    assert_ne!(late, late_capella);
    let claims = [("signingRoot", late_capella.as_str())];
    let found = root_of(DENEB_EPOCH, ALTAIR, &claims, 0);
    assert_eq!(found, Ok(late_capella.clone()), "an exit of DENEB itself");
}

/// An attestation of mainnet for slot 13,258,560, in epoch 414,330, of the chain with this root.
fn attestation(genesis_validators_root: &str) -> Value {
    let mut request = good("attestation/mainnet/fulu/cur")["request"].clone();
    let fields = request.as_object_mut().expect("an object");
    fields.remove("signing_root");
    fields.remove("signingRoot");
    request["fork_info"]["genesis_validators_root"] = genesis_validators_root.into();
    request["attestation"]["slot"] = "13258560".into();
    request["attestation"]["target"]["epoch"] = "414330".into();
    request
}

#[test]
fn a_request_tells_its_epoch_and_how_late_it_comes_on_the_chain_of_its_network() {
    let mainnet = Networks::named("mainnet").expect("mainnet");
    let other = format!("0x{}", "ab".repeat(32));
    let registration = good("validator_registration/mainnet/a")["request"].clone();
    // 1.5 s after the third of the slot, counted in basis points.
    let asked_at =
        Duration::from_secs(1_606_824_023 + 13_258_560 * 12) + Duration::from_millis(3_999 + 1_500);
    let late = Duration::from_millis(1_500);
    for (case, request, epoch, lateness) in [
        (
            "mainnet",
            attestation(MAINNET_ROOT),
            Some(414_330),
            Some(late),
        ),
        ("another chain", attestation(&other), Some(414_330), None),
        ("at all times", registration, None, None),
    ] {
        let body = request.to_string().into_bytes();
        let request = SignRequest::parse(&body, &mainnet).expect(case);
        assert_eq!(request.epoch(&mainnet), epoch.map(Epoch), "{case}");
        assert_eq!(request.lateness(&mainnet, asked_at), lateness, "{case}");
    }
}

#[test]
fn a_registration_for_the_network_of_the_others_gives_a_warning_and_an_attestation_none() {
    let networks = Networks::default();
    let of_hoodi = good("attestation/hoodi/fulu/cur");
    root(body(&of_hoodi), &networks).expect("a root");
    let registration = good("validator_registration/mainnet/a");
    for (line, is_warned) in [(&of_hoodi, false), (&registration, true)] {
        let request = SignRequest::parse(&body(line), &networks).expect("a request");
        let warning = request.network_warning(&networks);
        let names_hoodi = warning.is_some_and(|warning| warning.contains("--network=hoodi"));
        assert_eq!(names_hoodi, is_warned, "{}", line["name"]);
    }
}

#[test]
fn a_mismatch_tells_of_another_chain_when_that_is_the_reason() {
    let mainnet = Networks::named("mainnet").expect("mainnet");
    let claimed = format!("0x{}", "cd".repeat(32));
    let other = format!("0x{}", "ab".repeat(32));
    let registration = good("validator_registration/mainnet/a")["request"].clone();
    for (case, mut request, is_told) in [
        ("mainnet", attestation(MAINNET_ROOT), false),
        ("another chain", attestation(&other), true),
        ("no chain", registration, false),
    ] {
        request["signingRoot"] = claimed.as_str().into();
        let fields = request.as_object_mut().expect("an object");
        fields.remove("signing_root");
        let reason = root(request.to_string().into_bytes(), &mainnet).expect_err(case);
        let part = format!("network mainnet, whose genesis_validators_root is {MAINNET_ROOT}");
        assert_eq!(reason.contains(&part), is_told, "{case}: {reason}");
    }
}

#[test]
fn a_request_may_have_as_many_elements_as_its_type_and_no_more() {
    let tree = |elements| JsonTree {
        nodes: Vec::new(),
        elements,
    };
    for (elements, is_good) in [(9, true), (10, true), (11, false)] {
        let checked = check_elements(&tree(elements), "a request", 10).map_err(RequestError::from);
        assert_eq!(checked.is_ok(), is_good, "{elements}");
        if let Err(error) = checked {
            let expected = "the body has 11 JSON elements: expected at most 10 for a request";
            assert_eq!(error.to_string(), expected, "it has no field to name");
        }
    }
}

#[test]
fn a_request_of_each_type_has_so_many_elements_at_most() {
    let networks = Networks::named("mainnet").expect("a network");
    let reason = |name: &str, count: usize| {
        let zeros = "0,".repeat(count) + "0";
        let text = format!(r#"{{"type":"{name}","extra":[{zeros}]}}"#);
        root(text.into_bytes(), &networks).unwrap_err()
    };
    for (name, elements_max) in [
        ("AGGREGATION_SLOT", 8_192),
        ("ATTESTATION", 8_192),
        ("VALIDATOR_REGISTRATION", 8_192),
        ("BLOCK", 16_384),
        ("BLOCK_V2", 16_384),
    ] {
        let expected = format!("expected at most {elements_max} for {name}");
        let found = reason(name, elements_max);
        assert!(found.contains(&expected), "{name}: {found}");
        let found = reason(name, elements_max - 10);
        assert!(!found.contains(&expected), "{name}: {found}");
    }
    let envelope = "EXECUTION_PAYLOAD_ENVELOPE";
    for (count, is_refused) in [(1 << 19, true), ((1 << 19) - 10, false)] {
        let found = reason(envelope, count);
        assert_eq!(
            found.contains("more than 524288 JSON elements"),
            is_refused,
            "{count}: {found}"
        );
    }
}
