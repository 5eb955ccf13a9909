//! What the network and the fork of a request decide where the message itself does not say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use serde_json::{Value, json};
use signerd::consensus::network::{Fork, Networks};
use signerd::consensus::primitives::Epoch;
use signerd::consensus::request::SignRequest;

use crate::support::Signer;
use crate::support::vectors::lines;

const ZERO_ROOT: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// The line of that name among the good requests.
fn good(name: &str) -> Value {
    let all = [
        lines("sign_requests.jsonl"),
        lines("sign_requests_gloas.jsonl"),
    ];
    let mut all = all.concat().into_iter();
    all.find(|line| line["name"] == name).expect(name)
}

fn root(request: &Value, networks: &Networks) -> Result<String, String> {
    let body = request.to_string();
    let request =
        SignRequest::parse(body.as_bytes(), networks).map_err(|error| error.to_string())?;
    let root = request
        .signing_root(networks, 0)
        .map_err(|error| error.to_string())?;
    Ok(root.to_string())
}

/// The container of a message: a client that expects another root is told.
fn container(request: &Value, networks: &Networks) -> String {
    let mut request = request.clone();
    request["signingRoot"] = ZERO_ROOT.into();
    let reason = root(&request, networks).expect_err("zero is never the root");
    match reason.split_once(": AGGREGATE_AND_PROOF as ") {
        Some((_, rest)) => rest.split_once(" with root ").unwrap().0.to_owned(),
        None => reason,
    }
}

/// The versions of plataberget and their epochs, up to a fork.
fn plataberget_until(last: Fork) -> Networks {
    let mut config = String::from("GENESIS_FORK_VERSION: '0x10733183'\n");
    for (number, fork) in Fork::ALL.iter().enumerate().skip(1) {
        if *fork <= last {
            let name = fork.name();
            let digit = number + 1;
            config += &format!("{name}_FORK_VERSION: '0x{digit}0733183'\n{name}_FORK_EPOCH: 0\n");
        }
    }
    Networks::from_yaml(&config).expect("a config")
}

/// Slot 127714, in epoch 3991; without a version; with committee bits.
const BARE_AGGREGATE: &str = "client/lighthouse/plataberget/aggregate_and_proof";

#[test]
fn a_bare_aggregate_is_of_gloas_when_the_fork_of_the_request_or_the_schedule_is() {
    const FULU: &str = "0x70733183";
    const GLOAS: &str = "0x80733183";
    const HEZE: &str = "0x90733183";
    let line = good(BARE_AGGREGATE);
    let without_schedule = |mut networks: Networks| {
        assert!(networks.set_fork_epoch(Fork::Gloas, Epoch::NEVER));
        networks
    };
    let named = || Networks::named("plataberget").unwrap();
    let unknown = Networks::from_yaml("GENESIS_FORK_VERSION: '0x00000001'").unwrap();
    for (case, networks, previous, current, epoch, expected) in [
        (
            "schedule and request",
            named(),
            FULU,
            GLOAS,
            "1536",
            "GLOAS",
        ),
        ("the schedule only", named(), FULU, FULU, "0", "GLOAS"),
        (
            "a network without the epoch",
            without_schedule(named()),
            FULU,
            GLOAS,
            "1536",
            "GLOAS",
        ),
        (
            "at the first epoch",
            without_schedule(named()),
            FULU,
            GLOAS,
            "3991",
            "GLOAS",
        ),
        (
            "before it",
            without_schedule(named()),
            FULU,
            GLOAS,
            "3992",
            "ELECTRA",
        ),
        (
            "a custom network after FULU",
            plataberget_until(Fork::Fulu),
            FULU,
            GLOAS,
            "1536",
            "GLOAS",
        ),
        (
            "before its epoch",
            plataberget_until(Fork::Fulu),
            FULU,
            GLOAS,
            "3992",
            "ELECTRA",
        ),
        (
            "a custom network after GLOAS",
            plataberget_until(Fork::Gloas),
            GLOAS,
            HEZE,
            "1536",
            "GLOAS",
        ),
        (
            "before that epoch",
            without_schedule(plataberget_until(Fork::Gloas)),
            GLOAS,
            HEZE,
            "3992",
            "GLOAS",
        ),
        (
            "a custom network after ELECTRA",
            plataberget_until(Fork::Electra),
            "0x60733183",
            FULU,
            "0",
            "ELECTRA",
        ),
        (
            "no chosen network",
            Networks::default(),
            FULU,
            GLOAS,
            "1536",
            "GLOAS",
        ),
        (
            "no chosen network, a new version",
            Networks::default(),
            GLOAS,
            HEZE,
            "1536",
            "GLOAS",
        ),
        (
            "an unknown network",
            Networks::default(),
            "0xaaaaaaaa",
            "0xbbbbbbbb",
            "0",
            "ELECTRA",
        ),
        ("another network", unknown, FULU, GLOAS, "1536", "ELECTRA"),
    ] {
        let mut request = line["request"].clone();
        request["fork_info"]["fork"] =
            json!({"previous_version": previous, "current_version": current, "epoch": epoch});
        let expected = format!("AggregateAndProof of {expected}");
        assert_eq!(container(&request, &networks), expected, "{case}");
    }
    // The root is that of the vectors, too.
    let expected = Ok(line["signing_root"].as_str().unwrap().to_owned());
    for networks in [without_schedule(named()), plataberget_until(Fork::Fulu)] {
        assert_eq!(root(&line["request"], &networks), expected);
    }
}

#[test]
fn an_aggregate_without_committee_bits_is_refused_from_electra_on() {
    let line = good(BARE_AGGREGATE);
    let mut request = line["request"].clone();
    let aggregate = request["aggregate_and_proof"]["aggregate"]
        .as_object_mut()
        .unwrap();
    aggregate.remove("committee_bits");
    aggregate.insert("aggregation_bits".to_owned(), "0xff01".into());
    let mut electra_later = plataberget_until(Fork::Electra);
    assert!(electra_later.set_fork_epoch(Fork::Electra, Epoch(3992)));
    let unknown = Networks::from_yaml("GENESIS_FORK_VERSION: '0x00000001'").unwrap();
    const DENEB: &str = "0x50733183";
    const ELECTRA: &str = "0x60733183";
    for (case, networks, previous, current, epoch, expected) in [
        (
            "by the schedule",
            plataberget_until(Fork::Electra),
            DENEB,
            DENEB,
            "0",
            None,
        ),
        (
            "by the schedule, at FULU",
            plataberget_until(Fork::Fulu),
            DENEB,
            DENEB,
            "0",
            None,
        ),
        (
            "by the request",
            electra_later.clone(),
            DENEB,
            ELECTRA,
            "3991",
            None,
        ),
        (
            "by its place after DENEB",
            plataberget_until(Fork::Deneb),
            DENEB,
            ELECTRA,
            "0",
            None,
        ),
        (
            "no chosen network",
            Networks::default(),
            DENEB,
            ELECTRA,
            "0",
            None,
        ),
        (
            "before ELECTRA",
            electra_later,
            DENEB,
            ELECTRA,
            "3992",
            Some("PHASE0"),
        ),
        (
            "at DENEB",
            plataberget_until(Fork::Deneb),
            "0x40733183",
            DENEB,
            "0",
            Some("PHASE0"),
        ),
        (
            "an unknown network",
            unknown,
            DENEB,
            ELECTRA,
            "0",
            Some("PHASE0"),
        ),
    ] {
        request["fork_info"]["fork"] =
            json!({"previous_version": previous, "current_version": current, "epoch": epoch});
        for bits in [None, Some(Value::Null)] {
            let aggregate = &mut request["aggregate_and_proof"]["aggregate"];
            match bits {
                Some(null) => aggregate["committee_bits"] = null,
                None => drop(aggregate.as_object_mut().unwrap().remove("committee_bits")),
            }
            let got = container(&request, &networks);
            match expected {
                Some(fork) => assert_eq!(got, format!("AggregateAndProof of {fork}"), "{case}"),
                None => assert!(
                    got.starts_with("aggregate_and_proof.aggregate.committee_bits: "),
                    "{case}: {got}"
                ),
            }
        }
    }
}

#[test]
fn messages_of_gloas_may_have_the_version_heze() {
    for (name, field) in [
        (
            "payload_attestation_message/plataberget/1",
            "payload_attestation_message",
        ),
        ("builder_request_auth/plataberget/0", "builder_request_auth"),
        ("proposer_preferences/plataberget/1", "proposer_preferences"),
        (
            "execution_payload_envelope/plataberget/1",
            "execution_payload_envelope",
        ),
    ] {
        let line = good(name);
        let networks = Networks::named("plataberget").unwrap();
        let expected = Ok(line["signing_root"].as_str().unwrap().to_owned());
        for version in ["GLOAS", "HEZE", "heze"] {
            let mut request = line["request"].clone();
            request[field]["version"] = version.into();
            assert_eq!(root(&request, &networks), expected, "{name}, {version}");
        }
        let mut request = line["request"].clone();
        request[field]["version"] = "FULU".into();
        let reason = root(&request, &networks).expect_err("an earlier version");
        let expected = format!("{field}.version: expected GLOAS or HEZE, got FULU");
        assert_eq!(reason, expected, "{name}");
    }
}

#[test]
fn a_bid_of_heze_has_inclusion_list_bits() {
    let networks = Networks::named("plataberget").unwrap();
    // Computed by the definitions of EIP-7495 and EIP-7916 in another language.
    for (name, root_of_heze) in [
        (
            "execution_payload_bid/plataberget/0",
            "0x53bfdfd0c4711427be067b412a49c47930e4b6ed15dc615da97f113f12e50242",
        ),
        (
            "execution_payload_bid/plataberget/2",
            "0x8336fbfdc755af057bf6b186e709df868290965b2d9b9f290e0ba86f276ebb53",
        ),
    ] {
        let line = good(name);
        let root_of_gloas = line["signing_root"].as_str().unwrap();
        let mut wrapped = line["request"].clone();
        let bid = &mut wrapped["execution_payload_bid"];
        bid["data"]["inclusion_list_bits"] = "0x05a0".into();
        let mut bare = wrapped.clone();
        bare["execution_payload_bid"] = wrapped["execution_payload_bid"]["data"].clone();
        for (case, mut request, version, expected) in [
            ("wrapped", wrapped.clone(), Some("HEZE"), Ok(root_of_heze)),
            ("bare", bare.clone(), None, Ok(root_of_heze)),
            (
                "an unknown field of GLOAS",
                wrapped.clone(),
                Some("GLOAS"),
                Ok(root_of_gloas),
            ),
            (
                "no bits",
                line["request"].clone(),
                Some("HEZE"),
                Err("data.inclusion_list_bits: is missing"),
            ),
        ] {
            if let Some(version) = version {
                request["execution_payload_bid"]["version"] = version.into();
            }
            for field in ["signingRoot", "signing_root"] {
                request.as_object_mut().unwrap().remove(field);
            }
            match (root(&request, &networks), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{name}, {case}"),
                (Err(reason), Err(expected)) => assert!(reason.ends_with(expected), "{reason}"),
                (got, expected) => panic!("{name}, {case}: {expected:?}, got {got:?}"),
            }
        }
        for bits in ["0x05", "0x05a000", "0x", "5"] {
            wrapped["execution_payload_bid"]["version"] = "HEZE".into();
            wrapped["execution_payload_bid"]["data"]["inclusion_list_bits"] = bits.into();
            assert!(root(&wrapped, &networks).is_err(), "{bits}");
        }
    }
}

/// Votes of the networks whose forks the requests of clients show.
fn vote_on(network: &str) -> Value {
    let (version, chain) = match network {
        "mainnet" => (
            "0x06000000",
            "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        ),
        "hoodi" => (
            "0x70000910",
            "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        ),
        "sepolia" => (
            "0x90000075",
            "0xd8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078",
        ),
        "a devnet with the versions of hoodi" => ("0x70000910", ZERO_ROOT),
        other => (other, ZERO_ROOT),
    };
    json!({
        "type": "RANDAO_REVEAL",
        "randao_reveal": {"epoch": "60000"},
        "fork_info": {
            "fork": {"previous_version": version, "current_version": version, "epoch": "0"},
            "genesis_validators_root": chain,
        },
    })
}

fn registration() -> Value {
    json!({
        "type": "VALIDATOR_REGISTRATION",
        "validator_registration": {
            "fee_recipient": "0x6fdfab408c56b6105a76eff5c0435d09fc6ed7a9",
            "gas_limit": "60000000",
            "timestamp": "1663224179",
            "pubkey": format!("0x{}", "ab".repeat(48)),
        },
    })
}

/// The root of the registration on this network, with the network chosen.
fn registered_on(network: &str) -> String {
    root(&registration(), &Networks::named(network).unwrap()).unwrap()
}

#[test]
fn without_a_chosen_network_a_registration_is_for_the_network_of_the_other_requests() {
    for (votes, expected) in [
        (&[] as &[&str], "mainnet"),
        (&["mainnet"], "mainnet"),
        (&["hoodi"], "hoodi"),
        (&["hoodi", "hoodi", "hoodi"], "hoodi"),
        (&["sepolia"], "sepolia"),
        (&["hoodi", "mainnet"], "mainnet"),
        (&["hoodi", "sepolia"], "mainnet"),
        (&["0xaabbccdd"], "mainnet"),
        (&["0xaabbccdd", "hoodi"], "hoodi"),
        (&["a devnet with the versions of hoodi"], "mainnet"),
    ] {
        let networks = Networks::default();
        for vote in votes {
            root(&vote_on(vote), &networks).expect("a good request");
        }
        let got = root(&registration(), &networks).unwrap();
        assert_eq!(got, registered_on(expected), "{votes:?}");
        // A chosen network does not care.
        let chosen = Networks::named("holesky").unwrap();
        for vote in votes {
            root(&vote_on(vote), &chosen).expect("a good request");
        }
        assert_eq!(
            root(&registration(), &chosen).unwrap(),
            registered_on("holesky")
        );
    }
    // A refused request shows nothing.
    let networks = Networks::default();
    let mut refused = vote_on("hoodi");
    refused["signingRoot"] = ZERO_ROOT.into();
    assert!(root(&refused, &networks).is_err());
    assert_eq!(
        root(&registration(), &networks).unwrap(),
        registered_on("mainnet")
    );
}

#[test]
fn the_log_says_which_network_a_registration_was_signed_for_and_names_the_option() {
    let mut signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    let path = format!("/api/v1/eth2/sign/{}", keys[0].as_str().unwrap());
    let mut send = |request: Value, expected: u16| {
        let answer = signer.client().post(&path, request.to_string().as_bytes());
        assert_eq!(answer.status, expected, "{}", answer.text());
    };
    // The signer computes the root that it is sent, or refuses.
    let registration_on = |network: &str| {
        let mut request = registration();
        request["signingRoot"] = registered_on(network).into();
        request
    };
    send(registration_on("mainnet"), 200);
    send(registration_on("hoodi"), 400);
    send(vote_on("hoodi"), 200);
    send(registration_on("hoodi"), 200);
    send(registration_on("hoodi"), 200);
    send(registration_on("mainnet"), 400);
    send(vote_on("sepolia"), 200);
    send(registration_on("hoodi"), 400);
    send(registration_on("mainnet"), 200);
    let last = signer.wait_for_line("contradict each other");
    assert!(
        last.contains("of hoodi") || last.contains("of sepolia"),
        "{last}"
    );
    let log = signer.log();
    let warnings: Vec<_> = log
        .lines()
        .filter(|line| line.contains("VALIDATOR_REGISTRATION is signed for"))
        .collect();
    assert_eq!(warnings.len(), 2, "{log}");
    assert!(warnings[0].contains("is signed for hoodi"), "{log}");
    assert!(warnings[0].contains("--network=hoodi"), "{log}");
    assert!(warnings[1].contains("is signed for mainnet"), "{log}");
    assert!(warnings[1].contains("--network"), "{log}");
    assert!(warnings.iter().all(|line| line.contains("WARN")), "{log}");
}

#[test]
fn unknown_fields_may_hold_any_json_in_small_bodies_and_large_ones() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    let path = format!("/api/v1/eth2/sign/{}", keys[0].as_str().unwrap());
    let vote = vote_on("mainnet").to_string();
    let fields = vote.strip_suffix('}').unwrap();
    for (value, status) in [
        ("18446744073709551616", 200),
        ("-99999999999999999999999999", 200),
        ("1e400", 200),
        ("-1E+400", 200),
        ("1.00000000000000000000000000001", 200),
        (r#""\ud83d""#, 200),
        (r#""\udd11\ud83d""#, 200),
        (
            r#"{"\ud83d":[1e999,{"a":340282366920938463463374607431768211456}]}"#,
            200,
        ),
        ("1e", 400),
        ("01", 400),
        ("NaN", 400),
        (r#""\u12""#, 400),
        (r#""\q""#, 400),
        ("[1,]", 400),
    ] {
        for padding in [0, 300 << 10] {
            let padding = "x".repeat(padding);
            for body in [
                format!(r#"{fields},"padding":"{padding}","unknown":{value}}}"#),
                format!(
                    r#"{{"unknown":{value},"padding":"{padding}",{}}}"#,
                    &fields[1..]
                ),
            ] {
                let answer = signer.client().post(&path, body.as_bytes());
                let text = answer.text();
                assert_eq!(
                    answer.status,
                    status,
                    "{value}, {} bytes: {text}",
                    body.len()
                );
            }
        }
    }
    // The same values are refused where a number is read.
    for epoch in [
        "18446744073709551616",
        "1e400",
        "1.0",
        "-1",
        r#""\ud83d""#,
        r#""1e1""#,
    ] {
        for padding in [0, 300 << 10] {
            let padding = "x".repeat(padding);
            let body = vote.replace(r#"{"epoch":"60000"}"#, &format!(r#"{{"epoch":{epoch}}}"#));
            let body = format!(
                r#"{},"padding":"{padding}"}}"#,
                body.strip_suffix('}').unwrap()
            );
            let answer = signer.client().post(&path, body.as_bytes());
            assert_eq!(answer.status, 400, "{epoch}");
            let text = answer.text();
            assert!(
                text.contains("randao_reveal.epoch: expected a whole number"),
                "{text}"
            );
        }
    }
}

#[test]
fn what_is_missing_or_twice_is_named() {
    let networks = Networks::default();
    let vote = vote_on("mainnet");
    let without = |pointer: &str| {
        let mut request = vote.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = request.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(field).unwrap();
        request.to_string()
    };
    for (body, expected) in [
        (
            without("/type"),
            "type: is missing; only a bare signingRoot",
        ),
        (without("/fork_info"), "fork_info: is missing"),
        (without("/fork_info/fork"), "fork_info.fork: is missing"),
        (
            without("/fork_info/fork/epoch"),
            "fork_info.fork.epoch: is missing",
        ),
        (
            without("/fork_info/genesis_validators_root"),
            "fork_info.genesis_validators_root: is missing",
        ),
        (without("/randao_reveal"), "randao_reveal: is missing"),
        (
            without("/randao_reveal/epoch"),
            "randao_reveal.epoch: is missing",
        ),
        ("{}".to_owned(), "type: is missing"),
        (
            "[]".to_owned(),
            "the body is not a JSON object: expected a JSON object (line 1, column 1)",
        ),
        (
            "".to_owned(),
            "the body is not a JSON object: expected a JSON object (line 1, column 1)",
        ),
        (
            "{\"type\":1}".to_owned(),
            "type: expected a string, got the number 1",
        ),
        (
            r#"{"type":"RANDAO_REVEAL","type":"RANDAO_REVEAL"}"#.to_owned(),
            "type: is there twice",
        ),
    ] {
        let reason = match SignRequest::parse(body.as_bytes(), &networks) {
            Ok(_) => panic!("{body} is taken"),
            Err(error) => error.to_string(),
        };
        assert!(reason.starts_with(expected), "{body}: {reason}");
        assert!(!reason.contains("at ."), "{reason}");
    }
}
