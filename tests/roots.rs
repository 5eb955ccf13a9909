//! Every request of the vectors, good and bad, through the parser and to its signing root.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;
use signerd::consensus::network::Networks;
use signerd::consensus::request::SignRequest;

fn lines(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect()
}

/// The network of a line, as the `config.yaml` that a devnet would write.
fn network(line: &Value) -> Networks {
    let mut yaml = String::new();
    for (key, value) in line["config"].as_object().expect("a config") {
        writeln!(yaml, "{key}: {}", value.as_str().expect("config values are strings")).expect("a string");
    }
    Networks::from_yaml(&yaml).expect("the config of the vectors")
}

fn body(line: &Value) -> Vec<u8> {
    if let Some(raw) = line["raw_body"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(encoded) = line["raw_body_b64"].as_str() {
        use base64::Engine as _;
        return base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64");
    }
    if let Some(repeat) = line["raw_body_repeat"].as_object() {
        let text = |key: &str| repeat[key].as_str().expect("text").to_owned();
        let count = usize::try_from(repeat["count"].as_u64().expect("a count")).expect("a small count");
        return (text("prefix") + &text("unit").repeat(count) + &text("suffix")).into_bytes();
    }
    line["request"].to_string().into_bytes()
}

/// The same body, grown by blanks beyond what the reader for small bodies takes.
fn grown(mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len() + 256 * 1024, b' ');
    body
}

fn root(mut body: Vec<u8>, networks: &Networks) -> Result<String, String> {
    let request = SignRequest::parse(&mut body, networks).map_err(|error| error.to_string())?;
    let root = request.signing_root(networks).map_err(|error| error.to_string())?;
    Ok(root.to_string())
}

#[test]
fn every_good_request_has_the_expected_root_whichever_reader_takes_it() {
    let mut wrong = Vec::new();
    let mut networks = HashMap::new();
    let lines = [lines("sign_requests.jsonl"), lines("sign_requests_gloas.jsonl")].concat();
    assert_eq!(lines.len(), 1_335 + 68);
    for line in &lines {
        let network = networks.entry(line["config"].to_string()).or_insert_with(|| network(line));
        let expected = Ok(line["signing_root"].as_str().expect("a root").to_owned());
        for (reader, body) in [("tape", body(line)), ("text", grown(body(line)))] {
            let got = root(body, network);
            if got != expected {
                wrong.push(format!("{} ({reader}): {got:?}", line["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_bad_request_is_refused_with_a_reason_whichever_reader_takes_it() {
    let mut wrong = Vec::new();
    for line in lines("bad_requests.jsonl").iter().filter(|line| line["identifier"].is_null()) {
        let network = network(line);
        for (reader, body) in [("tape", body(line)), ("text", grown(body(line)))] {
            match root(body, &network) {
                Err(reason) if !reason.is_empty() && reason.len() < 2_000 => {
                    println!("{}: {reason}", line["name"])
                }
                got => wrong.push(format!("{} ({reader}): {got:?}", line["name"])),
            }
        }
    }
    assert!(wrong.is_empty(), "{} passed:\n{}", wrong.len(), wrong.join("\n"));
}
