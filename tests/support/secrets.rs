//! Every secret that a test uses must stay out of the log: what tests write into files of secrets, give as
//! options, or send in requests is remembered, and the lines of every signer are searched for it at its end.
//!
//! With `SIGNERD_TEST_LOG=trace` all signers log at the finest level; CI runs the suite so.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Shorter texts are in the log by chance.
const SECRET_BYTES_MIN: usize = 8;

/// What some test uses as a secret although it is a word that messages have.
const WORDS: [&str; 1] = ["password"];

/// The secret keys of interop keys 0 and 1, and that of the examples of EIP-2335.
const KNOWN: [&str; 3] = [
    "25295f0d1d592a90b333e26e85149708208e9f8e8bc18f6c77bd62f8ad7a6866",
    "51d0b65185db6989ab0b560d6deed19c7ead0e24b9b6372cbecb1f26bdfad000",
    "19d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
];

static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers a secret.
pub(crate) fn remember(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SECRET_BYTES_MIN || WORDS.contains(&secret) {
        return;
    }
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.insert(secret.to_owned());
}

/// Remembers what a file of this name holds.
pub(crate) fn remember_file(name: &str, content: &[u8]) {
    let Ok(text) = std::str::from_utf8(content) else {
        return;
    };
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    for line in text.lines() {
        if let Some((_, key)) = line.split_once("privateKey:") {
            remember(key.trim().trim_matches('"').trim_start_matches("0x"));
        }
    }
    if name.ends_with(".key") && text.contains("PRIVATE KEY") {
        for line in text.lines().filter(|line| line.len() >= 60) {
            remember(line);
        }
        return;
    }
    let parts = [
        "token",
        "password",
        "passphrase",
        "mnemonic",
        "words",
        "secret",
    ];
    let is_secret = name.ends_with(".txt") || parts.iter().any(|part| name.contains(part));
    if is_secret && !name.ends_with(".json") && text.len() < 1000 {
        for line in text.lines() {
            remember(line);
        }
    }
}

/// Remembers the secrets among the options of a command, and makes it log everything if that is wanted.
pub(crate) fn prepare(command: &mut Command) {
    if let Ok(level) = std::env::var("SIGNERD_TEST_LOG") {
        command.env("SIGNERD_LOGGING", level);
    }
    let arguments: Vec<String> = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let is_secret = |option: &str| option.ends_with("-token") || option.ends_with("-password");
    for (number, argument) in arguments.iter().enumerate() {
        match argument.split_once('=') {
            Some((option, value)) if is_secret(option) => remember(value),
            None if is_secret(argument) => {
                if let Some(value) = arguments.get(number + 1) {
                    remember(value);
                }
            }
            Some(_) | None => {}
        }
    }
}

/// Remembers the token and the passwords of a request.
pub(crate) fn remember_request(headers: &[(&str, &str)], body: &[u8]) {
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("authorization") {
            remember(value.rsplit(' ').next().unwrap_or(value));
        }
    }
    let has_passwords = body.windows(11).any(|part| part == b"\"passwords\"");
    if !has_passwords || body.len() > 1 << 20 {
        return;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    for password in body["passwords"].as_array().into_iter().flatten() {
        remember(password.as_str().unwrap_or_default());
    }
}

/// Returns the first line that holds a secret, with the secret.
pub(crate) fn find(lines: &[String]) -> Option<(String, String)> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    for line in lines {
        let known = KNOWN.iter().find(|known| line.contains(**known));
        let remembered = secrets.iter().find(|secret| line.contains(*secret));
        if let Some(secret) = known
            .map(|known| (*known).to_owned())
            .or(remembered.cloned())
        {
            return Some((line.clone(), secret));
        }
    }
    None
}

#[test]
fn a_secret_in_a_line_is_found_wherever_the_test_has_it_from() {
    remember_file("some/api-token.txt", b"a-token-in-a-file\n");
    remember_file(
        "k.yaml",
        b"type: file-raw\nprivateKey: \"0x0badc0de0badc0de\"\n",
    );
    remember_request(&[("Authorization", "Bearer a-token-in-a-header")], b"");
    remember_request(&[], br#"{"passwords":["a-password-in-a-body"]}"#);
    let mut command = Command::new("signerd");
    prepare(command.args([
        "--auth-token",
        "an-option-of-two-words",
        "--db-password=an-option-of-one",
    ]));
    for secret in [
        "a-token-in-a-file",
        "0badc0de0badc0de",
        "a-token-in-a-header",
        "a-password-in-a-body",
        "an-option-of-two-words",
        "an-option-of-one",
        KNOWN[0],
    ] {
        let lines = ["INFO  something".to_owned(), format!("WARN  x{secret}y")];
        let found = find(&lines);
        assert_eq!(found.map(|(_, secret)| secret).as_deref(), Some(secret));
    }
    assert_eq!(find(&["INFO  nothing secret".to_owned()]), None);
}
