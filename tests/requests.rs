//! What is decided about a request beside its message: the network of registrations, fields that are
//! unknown, fields that are missing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use serde_json::{Value, json};
use signerd::consensus::networks::Networks;
use signerd::consensus::request::SignRequest;

use crate::support::Signer;

const ZERO_ROOT: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

fn root(request: &Value, networks: &Networks) -> Result<String, String> {
    let body = request.to_string();
    let request =
        SignRequest::parse(body.as_bytes(), networks).map_err(|error| error.to_string())?;
    let root = request
        .signing_root(networks, 0)
        .map_err(|error| error.to_string())?;
    Ok(root.to_string())
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
    let send = |request: Value, expected: u16| {
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
        ("".to_owned(), "the body is not a JSON object: it is empty"),
        (
            " \r\n".to_owned(),
            "the body is not a JSON object: it is empty",
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
