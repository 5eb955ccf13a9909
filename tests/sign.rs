//! Every good request of the vectors over HTTP, TLS and a Unix socket: the answer must be the expected signature.
//!
//! With `SIGNERD_TEST_URL=http://host:port` the lines go to another signer, which holds their keys and
//! runs the network that `SIGNERD_TEST_NETWORK` labels in the vectors (mainnet by default). It may
//! refuse what no client sends; ours may not.

use serde_json::Value;

use crate::support::client::Client;
use crate::support::{Transport, vectors};

fn good_requests() -> Vec<Value> {
    [
        vectors::lines("sign_requests.jsonl"),
        vectors::lines("sign_requests_gloas.jsonl"),
    ]
    .concat()
}

/// What is wrong with the answers to these lines.
fn differences(client: &mut Client, lines: &[Value], may_refuse_lenient: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in lines {
        let path = format!(
            "/api/v1/eth2/sign/{}",
            line["public_key"].as_str().expect("a key")
        );
        let answer = client.post(&path, &vectors::body(line));
        let lenient = line["tags"]
            .as_array()
            .is_some_and(|tags| tags.contains(&"lenient".into()));
        let refused = may_refuse_lenient && lenient && answer.status == 400;
        if !refused && (answer.status != 200 || answer.json()["signature"] != line["signature"]) {
            wrong.push(format!(
                "{}: {} {}",
                line["name"],
                answer.status,
                answer.text()
            ));
        }
    }
    wrong
}

#[test]
fn every_good_request_gets_its_signature() {
    let mut wrong = Vec::new();
    if let Ok(url) = std::env::var("SIGNERD_TEST_URL") {
        let network =
            std::env::var("SIGNERD_TEST_NETWORK").unwrap_or_else(|_| "mainnet".to_owned());
        let lines: Vec<Value> = good_requests()
            .into_iter()
            .filter(|line| line["network"] == network.as_str())
            .collect();
        let mut client = Client::connect(url.trim_start_matches("http://").trim_end_matches('/'));
        wrong = differences(&mut client, &lines, true);
    } else {
        let groups = vectors::by_config(good_requests());
        assert_eq!(groups.values().map(Vec::len).sum::<usize>(), 1_335 + 68);
        for transport in Transport::ALL {
            for (config, lines) in &groups {
                let (_scratch, signer) = vectors::signer("sign", transport, config, lines);
                wrong.extend(differences(&mut signer.client(), lines, false));
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
