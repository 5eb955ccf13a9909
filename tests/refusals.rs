//! Every bad request of the vectors over HTTP, TLS and a Unix socket: refused with a reason, quickly, and nobody is hurt.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::Answer;
use crate::support::{Signer, Transport, vectors};

/// What a hostile body may cost beyond itself, with all that a signer needs anyway.
const RESIDENT_KIB_MAX: u64 = 128 * 1024;

/// Slower refusals are shown; a busy machine may have its reasons.
const SLOW: Duration = Duration::from_millis(50);

#[test]
fn every_bad_request_is_refused_with_a_reason() {
    let mut wrong = Vec::new();
    let groups = vectors::by_config(vectors::lines("bad_requests.jsonl"));
    assert_eq!(groups.values().map(Vec::len).sum::<usize>(), 232);
    for transport in Transport::ALL {
        for (config, lines) in &groups {
            let (_scratch, signer) = vectors::signer("refusals", transport, config, lines);
            wrong.extend(lines.iter().filter_map(|line| wrong_refusal(&signer, line)));
            let peak = peak_kib(&signer);
            println!(
                "{transport:?}: {} requests, at most {peak} KiB resident",
                lines.len()
            );
            assert!(peak < RESIDENT_KIB_MAX, "{peak} KiB");
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
fn a_key_that_is_unknown_is_shown_whole_and_one_that_is_none_is_told() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let unknown = format!("0x{}", "ab".repeat(48));
    for (identifier, expected) in [
        (unknown.clone(), format!("\"{unknown}\" is not loaded")),
        (
            unknown[..96].to_owned(),
            format!("\"{}\" is not a public key", &unknown[..96]),
        ),
        (
            format!("{unknown}ab"),
            format!("\"{unknown}…\" is not a public key"),
        ),
        ("mine".to_owned(), "\"mine\" is not a public key".to_owned()),
    ] {
        let path = format!("/api/v1/eth2/sign/{identifier}");
        let answer = signer.client().post(&path, b"{}");
        assert_eq!(answer.status, 404, "{identifier}");
        let message = format!("public key not found: {expected}").replace('"', "\\\"");
        assert!(answer.text().contains(&message), "{}", answer.text());
    }
}

/// What is wrong with the answer to this line, if anything.
fn wrong_refusal(signer: &Signer, line: &Value) -> Option<String> {
    let begin = Instant::now();
    let answer = ask(signer, line);
    let time = begin.elapsed();
    if time > SLOW {
        println!("{} took {time:?}", line["name"]);
    }
    let reason = check(line, &answer).err()?;
    Some(format!(
        "{}: {reason}; the answer is {} {}",
        line["name"],
        answer.status,
        answer.text()
    ))
}

fn ask(signer: &Signer, line: &Value) -> Answer {
    let identifier = line["identifier"]
        .as_str()
        .or(line["public_key"].as_str())
        .expect("a key");
    signer.client().post(
        &format!("/api/v1/eth2/sign/{identifier}"),
        &vectors::body(line),
    )
}

fn check(line: &Value, answer: &Answer) -> Result<(), &'static str> {
    let also_ok = line["also_ok"].as_array().cloned().unwrap_or_default();
    if line["expect_status"] != answer.status && !also_ok.contains(&answer.status.into()) {
        return Err("another status is expected");
    }
    let body = serde_json::from_slice::<Value>(&answer.body).map_err(|_| "its body is no JSON")?;
    if body["code"] != answer.status {
        return Err("code is not the status");
    }
    match body["message"]
        .as_str()
        .is_some_and(|message| !message.is_empty())
        && body.get("signature").is_none()
    {
        true => Ok(()),
        false => Err("it has no message, or a signature"),
    }
}

/// The most memory that the process has had resident.
fn peak_kib(signer: &Signer) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", signer.pid())).expect("it runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .expect("VmHWM is there");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of kB")
}
