//! What requests leave in the memory of the process once they are answered: no password, no token,
//! over whatever transport they came and however they ended.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::keymanager::keystore;
use crate::memory::Memory;
use crate::support::client::Client;
use crate::support::{Scratch, Signer, Transport};

const PATH: &str = "/eth/v1/keystores";

/// The token of all routes.
const TOKEN: &str = "b0c4f2a9-71d35e86-remains-of-a-token";

/// A token that does not open, as somebody could send who mistyped the true one.
const WRONG_TOKEN: &str = "b0c4f2a9-mistyped-token-of-somebody";

/// Passwords that no keystore has: their imports fail.
const WRONG_PASSWORDS: [&str; 3] = [
    "wrong-password-of-one-keystore-5b1e",
    "password-beside-no-keystore-90c2",
    "password-in-a-broken-body-c77f",
];

/// One request and the status that it must get.
struct Request {
    case: &'static str,
    method: &'static str,
    path: &'static str,
    authorization: String,
    body: String,
    status: u16,
}

/// Searches after all answers, first with the connections open, then with them closed. Only root can
/// look into the memory of a process that refuses to be traced.
#[test]
fn no_password_and_no_token_is_in_memory_once_the_answer_is_there() {
    for transport in [Transport::Tcp, Transport::Tls, Transport::Unix] {
        let scratch = Scratch::new("remains");
        let data_dir = scratch.path().display().to_string();
        let files = Scratch::new("remains-token");
        let token = files.write("token", TOKEN);
        let arguments = ["--data-dir", &data_dir, "--auth-token-file", &token];
        let signer = Signer::start_over(transport, &arguments);
        signer.wait_loaded();
        let mut clients = Vec::new();
        for request in requests() {
            let mut client = signer.client();
            send(&mut client, &request);
            clients.push(client);
        }
        let needles = needles();
        assert_nothing_remains(&signer, &needles, "with open connections");
        clients.clear();
        assert_nothing_remains(&signer, &needles, "with closed connections");
    }
}

fn send(client: &mut Client, request: &Request) {
    let headers = [("Authorization", request.authorization.as_str())];
    let body = request.body.as_bytes();
    let answer = client.request(request.method, request.path, &headers, body);
    assert_eq!(
        answer.status,
        request.status,
        "{}: {}",
        request.case,
        answer.text()
    );
}

fn requests() -> Vec<Request> {
    let import = |case, body: String, status| Request {
        case,
        method: "POST",
        path: PATH,
        authorization: format!("Bearer {TOKEN}"),
        body,
        status,
    };
    let login = |case, authorization, status| Request {
        case,
        method: "GET",
        path: PATH,
        authorization,
        body: String::new(),
        status,
    };
    let mut large = bodies_of(20..24);
    large["ignored"] = json!("x".repeat(400 * 1024));
    let wrong = json!({"keystores": [keystore(30).1], "passwords": [WRONG_PASSWORDS[0]]});
    let uneven = json!({"keystores": [], "passwords": [WRONG_PASSWORDS[1]]});
    let broken = format!(
        r#"{{"keystores":["{{}}"],"passwords":["{}"#,
        WRONG_PASSWORDS[2]
    );
    vec![
        import("an import", bodies_of(10..12).to_string(), 200),
        import("a large import", large.to_string(), 200),
        import("a wrong password", wrong.to_string(), 200),
        import("no keystore", uneven.to_string(), 400),
        import("a broken body", broken, 400),
        login("Bearer", format!("Bearer {TOKEN}"), 200),
        login("Basic", format!("Basic {}", basic(TOKEN)), 200),
        login("a wrong Bearer", format!("Bearer {WRONG_TOKEN}"), 403),
        login(
            "a wrong Basic",
            format!("Basic {}", basic(WRONG_TOKEN)),
            403,
        ),
    ]
}

fn bodies_of(numbers: std::ops::Range<u32>) -> Value {
    let (mut keystores, mut passwords) = (Vec::new(), Vec::new());
    for number in numbers {
        let (_, keystore, password) = keystore(number);
        keystores.push(keystore);
        passwords.push(password);
    }
    json!({"keystores": keystores, "passwords": passwords})
}

fn basic(token: &str) -> String {
    STANDARD.encode(format!("me:{token}"))
}

/// Every secret in every form in which it was sent or used.
fn needles() -> Vec<(String, Vec<u8>)> {
    let mut texts = vec![
        TOKEN.to_owned(),
        WRONG_TOKEN.to_owned(),
        basic(TOKEN),
        basic(WRONG_TOKEN),
    ];
    texts.extend(WRONG_PASSWORDS.map(str::to_owned));
    for number in (10..12).chain(20..24) {
        let password = keystore(number).2;
        texts.push(password.replace('"', "\\\"")); // as JSON
        texts.push(password.replace('\u{e9}', "e\u{301}")); // NFKD
        texts.push(password);
    }
    texts
        .into_iter()
        .map(|text| (text.clone(), text.into_bytes()))
        .collect()
}

/// An answer may be there some moments before the thread that gave it has cleaned up.
fn assert_nothing_remains(signer: &Signer, needles: &[(String, Vec<u8>)], when: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let Some(memory) = Memory::of(signer) else {
            println!("skipped: only root can look into the memory of another process");
            return;
        };
        let found = memory.search(needles);
        if found.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{when}, in memory: {}",
            found.join("\n")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
