//! The status page: its figures, what it conceals, and how a browser shows it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::slashing::{KEY, ZERO, block, vote};
use crate::support::browser::Browser;
use crate::support::client::{Answer, Client};
use crate::support::secured::{private, source};
use crate::support::{Scratch, Signer, binary};

const TOKEN: &str = "a-token-for-this-test";

/// A file name that is markup, of a keystore that does not open.
const EVIL_FILE: &str = "<img src=x onerror=alert(1)>.json";

/// A signer with 16 keys and one keystore that does not open.
struct Subject {
    _scratch: Scratch,
    signer: Signer,
}

impl Subject {
    fn start(name: &str, more: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let token = scratch.write("token", TOKEN);
        scratch.write(&format!("bad/{EVIL_FILE}"), "{}");
        scratch.write("bad/password.txt", "secret");
        let (data, bad, password) = (path("data"), path("bad"), path("bad/password.txt"));
        DirBuilder::new().mode(0o700).create(&data).unwrap();
        std::fs::set_permissions(&bad, Permissions::from_mode(0o700)).unwrap();
        let own = [
            "--interop-keys=0..16",
            "--slashing-protection-enabled=true",
            "--keystores-path",
            &bad,
            "--keystores-password-file",
            &password,
            "--data-dir",
            &data,
            "--keymanager-token-file",
            &token,
        ];
        let signer = Signer::start(&[&own, more].concat());
        signer.wait_first_load();
        Self {
            _scratch: scratch,
            signer,
        }
    }

    fn metrics(&self) -> Client {
        Client::connect(self.signer.metrics.as_ref().unwrap())
    }

    fn page_address(&self) -> String {
        format!("http://{}/", self.signer.metrics.as_ref().unwrap())
    }

    fn sign(&self, request: &Value) -> u16 {
        let path = format!("/api/v1/eth2/sign/{KEY}");
        let mut client = self.signer.client();
        client.post(&path, request.to_string().as_bytes()).status
    }

    /// Three attestations, one block, one refusal.
    fn sign_some(&self) {
        for (source, target) in [
            ("5000000", "5000001"),
            ("5000001", "5000002"),
            ("5000002", "5000003"),
        ] {
            assert_eq!(self.sign(&vote(ZERO, source, target, ZERO)), 200);
        }
        assert_eq!(self.sign(&block(ZERO, "160000000", ZERO)), 200);
        assert_eq!(self.sign(&vote(ZERO, "5000000", "5000003", ZERO)), 412);
    }
}

fn with_token(client: &mut Client, path: &str, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    client.request("GET", path, &[("Authorization", &authorization)], b"")
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// The row of a type or a reason in an array of objects.
fn row<'a>(rows: &'a Value, field: &str, name: &str) -> &'a Value {
    let rows = rows.as_array().unwrap();
    rows.iter().find(|row| row[field] == name).unwrap()
}

#[test]
fn the_figures_are_what_was_signed_and_refused() {
    let subject = Subject::start("status-figures", &[]);
    subject.sign_some();
    let mut listeners = [subject.metrics(), subject.signer.client()];
    for client in &mut listeners {
        let answer = client.get("/status");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        let json = answer.json();
        let types = &json["signatures"]["types"];
        for (name, count) in [
            ("ATTESTATION", 3),
            ("BLOCK_V2", 1),
            ("BLOCK", 0),
            ("RANDAO_REVEAL", 0),
        ] {
            let row = row(types, "type", name);
            assert_eq!(row["total"], count, "{name}: {json}");
            assert_eq!(row["recent"], count, "{name}: {json}");
            let bars = row["per_slot"].as_array().unwrap();
            assert_eq!(bars.len(), 32);
            assert_eq!(bars.iter().filter_map(Value::as_u64).sum::<u64>(), count);
        }
        let refusal = row(&json["refusals"], "reason", "slashing_protection");
        assert_eq!(
            (&refusal["recent"], &refusal["total"]),
            (&json!(1), &json!(1))
        );
        let protection = &json["slashing_protection"];
        assert_eq!(protection["store"], "directory");
        assert_eq!(protection["works"], true);
        assert_eq!(
            (&protection["permitted"], &protection["prevented"]),
            (&json!(4), &json!(1))
        );
        assert!(protection["last_record_seconds"].as_u64().unwrap() < 60);
        assert_eq!(
            (&json["keys"]["loaded"], &json["keys"]["failed"]),
            (&json!(16), &json!(1))
        );
        for (rule, count) in [("double_vote", 1), ("surrounding", 0)] {
            let row = row(&protection["rules"], "rule", rule);
            assert_eq!(row["recent"], count, "{rule}: {json}");
            assert_eq!(row["total"], count, "{rule}: {json}");
        }
        assert_eq!(json["state"], "problem");
        assert_eq!(json["findings"][0]["text"], "1 keystore did not open.");
        let latency = &json["signatures"]["latency_ms"];
        assert!(latency["p50"].as_f64().unwrap() <= latency["p99"].as_f64().unwrap());
        assert!(json["connections"]["open"].as_u64().unwrap() >= 1);
    }
}

/// An attestation of this slot on mainnet.
#[test]
fn a_page_without_a_slot_says_which_option_brings_it() {
    let advice = "mainnet by default; choose it with --network to see slots and lateness";
    for (options, has_advice) in [(&[][..], true), (&["--network=mainnet"], false)] {
        let subject = Subject::start("status-network", options);
        let page = subject.metrics().get("/").text();
        assert_eq!(page.contains(advice), has_advice, "{page}");
        assert_eq!(page.contains("<p>slot "), !has_advice, "{page}");
    }
}

fn attestation(slot: u64) -> Value {
    let epoch = slot / 32;
    let mut request = vote(ZERO, &(epoch - 1).to_string(), &epoch.to_string(), ZERO);
    request["attestation"]["slot"] = json!(slot.to_string());
    request["fork_info"] = json!({
        "fork": {"previous_version": "0x05000000", "current_version": "0x06000000", "epoch": "411392"},
        "genesis_validators_root": "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
    });
    request
}

fn unix_time() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.unwrap().as_secs()
}

#[test]
fn late_requests_and_the_rules_of_refusals_are_shown_everywhere() {
    let subject = Subject::start(
        "status-late",
        &[
            "--network=mainnet",
            "--slashing-protection-min-epoch=0",
            "--slashing-protection-min-slot=0",
        ],
    );
    let mut client = subject.metrics();
    let page = client.get("/").text();
    assert!(page.contains("No message of this time in the last 32 slots."));
    assert!(!page.contains("Prevented by rule"), "{page}");
    let json = client.get("/status").json();
    let on_time = row(&json["lateness"], "type", "ATTESTATION");
    assert_eq!(
        (&on_time["recent"], &on_time["within_ms"]),
        (&json!(0), &Value::Null)
    );

    let slot = (unix_time() - 1_606_824_023) / 12;
    let early = attestation(slot + 1);
    assert_eq!(subject.sign(&early), 200, "early");
    let mut other = early;
    other["attestation"]["beacon_block_root"] = json!(format!("0x{}", "1".repeat(64)));
    assert_eq!(subject.sign(&other), 412, "refused");
    let json = client.get("/status").json();
    let early = row(&json["lateness"], "type", "ATTESTATION");
    assert_eq!(
        early,
        &json!({"type": "ATTESTATION", "recent": 1, "late": 0, "within_ms": {"p50": 50, "p99": 50}})
    );
    let mut late = block(ZERO, &(slot - 10).to_string(), ZERO);
    late["fork_info"] = attestation(slot)["fork_info"].clone();
    late["beacon_block"]["version"] = json!("FULU");
    assert_eq!(subject.sign(&late), 200, "late");

    let finding =
        "1 of 1 requests of type block v2 in the last 32 slots came more than a second late.";
    let json = client.get("/status").json();
    let late = row(&json["lateness"], "type", "BLOCK_V2");
    assert_eq!(late["late"], 1, "{json}");
    assert!(
        late["within_ms"]["p50"].as_u64().unwrap() >= 60_000,
        "{json}"
    );
    let texts = json["findings"].as_array().unwrap();
    assert!(
        texts
            .iter()
            .any(|row| row["text"] == finding && row["state"] == "attention"),
        "{json}"
    );
    let page = client.get("/").text();
    for part in [
        "<h2 id=\"lateness\">Lateness of requests</h2>",
        "<th scope=\"row\">attestation</th><td class=\"count\">1</td><td class=\"count\">0.05 s</td>",
        "<h3>Prevented by rule</h3>",
        "<th scope=\"row\">double vote</th><td class=\"count\">1</td><td class=\"count\">1</td>",
        finding,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let url = format!("--url=http://{}", subject.signer.address);
    let output = Command::new(binary()).args(["top", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "double vote            1 in the last slots, 1 since the start",
        "lateness of requests: half, and 99 %, came within",
        "  attestation                  0.05 s       0.05 s",
        finding,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn two_clients_with_one_key_are_a_problem_that_names_them_for_the_token() {
    let scratch = Scratch::new("status-duplicate-socket");
    let socket = scratch.path().join("socket");
    let listen = format!("--listen-unix={}", socket.display());
    let subject = Subject::start("status-duplicate", &[&listen]);
    let path = format!("/api/v1/eth2/sign/{KEY}");
    let request = vote(ZERO, "1", "2", ZERO).to_string();
    for way in ["tcp", "unix", "tcp"] {
        let mut client = if way == "tcp" {
            subject.signer.client()
        } else {
            let socket = socket.clone();
            let open = move || Some(Box::new(UnixStream::connect(&socket).ok()?) as _);
            Client::over("localhost", Box::new(open)).unwrap()
        };
        assert_eq!(client.post(&path, request.as_bytes()).status, 200, "{way}");
    }
    let mut client = subject.metrics();
    let finding = "Two clients use the same key: it will be slashed unless both belong to one validator client.";
    let names = [KEY, "127.0.0.1</bdi> and <bdi>user "];
    let page = client.get("/").text();
    assert!(page.contains(finding), "{page}");
    for name in names {
        assert!(!page.contains(name), "{name}: {page}");
    }
    let page = with_token(&mut client, "/", TOKEN).text();
    for part in ["Keys that two clients use", "in 1 epoch<"]
        .iter()
        .chain(&names)
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let json = client.get("/status").json();
    assert_eq!(json["duplicate_uses"], json!({"count": 1, "keys": null}));
    let json = with_token(&mut client, "/status", TOKEN).json();
    let uses = &json["duplicate_uses"]["keys"][0];
    assert_eq!(
        (&uses["key"], &uses["epochs"], &uses["clients"][0]),
        (&json!(KEY), &json!(1), &json!("127.0.0.1"))
    );
}

#[test]
fn a_certificate_that_expires_soon_wants_attention_and_an_expired_one_is_a_problem() {
    let scratch = Scratch::new("status-certificate");
    let soon = scratch.path().join("soon.pem").display().to_string();
    let key = private(&scratch, "server.key");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-new",
            "-subj",
            "/CN=localhost",
            "-days",
            "3",
        ])
        .args(["-key", &source("server.key"), "-out", &soon])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for (certificate, key, finding) in [
        (
            private(&scratch, "expired.pem"),
            private(&scratch, "expired.key"),
            Some(("problem", "The TLS certificate has expired.")),
        ),
        (
            soon,
            key.clone(),
            Some(("attention", "The TLS certificate expires")),
        ),
        (private(&scratch, "server.pem"), key, None),
    ] {
        let signer = Signer::start(&[
            "--interop-keys=0..1",
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ]);
        let mut client = Client::connect(signer.metrics.as_ref().unwrap());
        let json = client.get("/status").json();
        let findings = json["findings"].as_array().unwrap();
        let found = findings
            .iter()
            .find(|row| row["text"].as_str().unwrap().contains("certificate"));
        let found = found.map(|row| {
            let text = row["text"].as_str().unwrap();
            // Without the days.
            let start = text.split(" in ").next().unwrap();
            (row["state"].as_str().unwrap(), start)
        });
        assert_eq!(found, finding, "{certificate}");
        let page = client.get("/").text();
        assert_eq!(page.contains("The TLS certificate"), finding.is_some());
    }
}

#[test]
fn names_and_reasons_and_addresses_need_the_token() {
    let subject = Subject::start("status-token", &[]);
    subject.sign_some();
    let mut client = subject.metrics();
    let escaped = "&lt;img src=x onerror=alert(1)&gt;.json";
    for path in ["/", "/status"] {
        for (token, is_right) in [("", false), ("wrong", false), (TOKEN, true)] {
            let answer = with_token(&mut client, path, token);
            let text = answer.text();
            assert_eq!(answer.status, 200, "{text}");
            let file = if path == "/" { escaped } else { EVIL_FILE };
            // The file; the reason; the client; a key in a line of the log.
            for secret in [file, "EIP-2335", "127.0.0.1", &KEY[..12]] {
                assert_eq!(
                    text.contains(secret),
                    is_right,
                    "{path} {token:?} {secret}: {text}"
                );
            }
            assert!(path == "/status" || !text.contains("<img"), "{text}");
            assert!(!text.contains(TOKEN), "{text}");
        }
    }
    let json = with_token(&mut client, "/status", TOKEN).json();
    assert_eq!(json["details"], true);
    assert_eq!(json["connections"]["by_client"][0]["client"], "127.0.0.1");
    let lines = json["warnings"]["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["level"] == "ERROR"));
    assert_eq!(json["warnings"]["count"], lines.len());
}

#[test]
fn a_listener_that_asks_for_a_token_shows_health_alone_without_it() {
    let scratch = Scratch::new("status-auth");
    let token = scratch.write("auth", "another-token");
    let subject = Subject::start("status-auth-data", &["--auth-token-file", &token]);
    let mut client = subject.metrics();
    assert_eq!(client.get("/status").status, 401);
    let answer = client.get("/");
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.contains("1 keystore did not open."), "{text}");
    for figure in [
        "Signatures by type",
        "Refused requests",
        env!("CARGO_PKG_VERSION"),
        "<svg",
    ] {
        assert!(!text.contains(figure), "{figure}: {text}");
    }
    let basic = "Basic eDphbm90aGVyLXRva2Vu"; // x:another-token
    let answer = client.request("GET", "/", &[("Authorization", basic)], b"");
    assert!(answer.text().contains("Signatures by type"));
    assert_eq!(
        with_token(&mut client, "/status", "another-token").status,
        200
    );
}

#[test]
fn the_page_is_strict_about_what_it_loads_and_who_asks_for_it() {
    let subject = Subject::start("status-strict", &["--metrics-host-allowlist=127.0.0.1"]);
    let mut client = subject.metrics();
    let page = client.get("/");
    let policy = header(&page, "content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(header(&page, name), Some(value), "{name}");
    }
    let head = client.request("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(client.request("POST", "/", &[], b"").status, 405);
    assert_eq!(
        client
            .request("GET", "/", &[("Origin", "http://evil.example")], b"")
            .status,
        403
    );
    assert_eq!(client.get("/favicon.ico").status, 404);
    // A page whose name was made to point here.
    client.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(client.answer(false).status, 403);
    // The signing listener has no page, as before.
    assert_eq!(subject.signer.client().get("/").status, 404);
}

/// Lists everything that reads badly: text with too little contrast, and text or boxes that
/// stick out.
const LAYOUT: &str = r#"(() => {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((c) => {
      const s = c / 255;
      return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const paper = luminance(parse(getComputedStyle(document.body).backgroundColor));
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest('svg')) continue;
    texts += 1;
    const ink = luminance(parse(getComputedStyle(element).color));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) found.push('contrast ' + ratio.toFixed(2) + ': ' + text);
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    if (range.getBoundingClientRect().right > innerWidth) found.push('sticks out: ' + text);
  }
  if (texts < 30) found.push('only ' + texts + ' texts');
  if (document.documentElement.scrollWidth > innerWidth) found.push('scrolls sideways');
  return found;
})()"#;

#[test]
fn a_browser_shows_the_page_in_every_size_and_scheme_with_and_without_script() {
    let Some(mut browser) = Browser::start("status") else {
        return;
    };
    let subject = Subject::start(
        "status-browser",
        &["--network=mainnet", "--slashing-protection-enabled=false"],
    );
    assert_eq!(subject.sign(&vote(ZERO, "1", "2", ZERO)), 200);
    assert_eq!(subject.sign(&block(ZERO, "160", ZERO)), 200);
    assert_eq!(subject.sign(&json!({})), 400);
    let total = "document.querySelector('.numbers div:nth-child(3) dd').textContent";
    let count = |name: &str| {
        format!(
            "[...document.querySelectorAll('tr')].find((row) => row.cells[0].textContent === '{name}').lastElementChild.textContent"
        )
    };
    for script in [true, false] {
        browser.allow_scripts(script);
        for width in [360, 1280] {
            let mut papers = Vec::new();
            for scheme in ["light", "dark"] {
                browser.set_view(width, scheme);
                browser.open(&subject.page_address());
                let case = format!("{width}-{scheme}-{script}");
                assert_eq!(browser.evaluate(LAYOUT), json!([]), "{case}");
                assert_eq!(browser.evaluate(total), "2", "{case}");
                assert_eq!(browser.evaluate(&count("attestation")), "1", "{case}");
                assert_eq!(browser.evaluate(&count("malformed")), "1", "{case}");
                papers.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
                browser.take_picture(&case, width);
            }
            assert_ne!(papers[0], papers[1], "light and dark differ");
        }
        let form = browser.evaluate("document.getElementById('token').checkVisibility()");
        assert_eq!(form, script, "the form needs its script");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    for address in browser.requested() {
        assert!(
            address == subject.page_address() || address == "data:,",
            "the page loads {address}"
        );
    }
}

#[test]
fn the_page_refreshes_itself_and_shows_details_for_the_token() {
    let Some(mut browser) = Browser::start("status-refresh") else {
        return;
    };
    let mut subject = Subject::start(
        "status-refresh-data",
        &["--slashing-protection-enabled=false"],
    );
    browser.set_view(1280, "light");
    browser.open(&subject.page_address());
    let has = |text: &str| format!("document.body.textContent.includes({})", json!(text));
    assert_eq!(browser.evaluate(&has(EVIL_FILE)), false);

    assert_eq!(subject.sign(&vote(ZERO, "1", "2", ZERO)), 200);
    browser
        .wait_until("document.querySelector('.numbers div:nth-child(3) dd').textContent === '1'");

    let enter = |token: &str| {
        format!("secret.value = '{token}'; document.querySelector('#token button').click()")
    };
    browser.evaluate(&enter("wrong"));
    browser.wait_until(&has("The signer does not know this token."));
    assert_eq!(browser.evaluate(&has(EVIL_FILE)), false);
    browser.evaluate(&enter(TOKEN));
    browser.wait_until(&has(EVIL_FILE));
    assert_eq!(
        browser.evaluate("document.querySelectorAll('img').length"),
        0
    );
    assert_eq!(
        browser.evaluate("secret.value + location.href"),
        subject.page_address()
    );
    assert_eq!(browser.evaluate(LAYOUT), json!([]));
    browser.take_picture("details", 1280);
    browser.set_view(360, "dark");
    assert_eq!(browser.evaluate(LAYOUT), json!([]));
    browser.take_picture("details-narrow", 360);
    assert_eq!(browser.complaints(), Vec::<String>::new());

    subject.signer.signal("TERM");
    subject.signer.wait_exit();
    browser.wait_until("document.body.classList.contains('lost')");
    assert_eq!(
        browser.evaluate("live.textContent.includes('does not answer since')"),
        true
    );
    browser.take_picture("lost", 360);
}

#[test]
fn a_screen_reader_finds_landmarks_headings_tables_and_charts() {
    let Some(mut browser) = Browser::start("status-reader") else {
        return;
    };
    let subject = Subject::start(
        "status-reader-data",
        &["--slashing-protection-enabled=false"],
    );
    assert_eq!(subject.sign(&vote(ZERO, "1", "2", ZERO)), 200);
    browser.open(&subject.page_address());
    let nodes = browser.accessible();
    for (role, name) in [
        ("RootWebArea", "There is a problem · signerd"),
        ("banner", ""),
        ("main", ""),
        ("contentinfo", ""),
        ("navigation", "Other forms"),
        ("region", "There is a problem"),
        ("region", "Signatures by type"),
        ("heading", "Slashing protection"),
        ("columnheader", "since start"),
        ("rowheader", "attestation"),
        ("image", "attestation in each slot"),
        ("status", ""),
        (
            "textbox",
            "Token, to see files, reasons, clients, keys and log lines",
        ),
        ("button", "Show"),
    ] {
        let found = nodes.iter().any(|node| node.0 == role && node.1 == name);
        assert!(found, "no {role} {name:?} in {nodes:#?}");
    }
    let chart = browser.evaluate("document.querySelector('svg desc').textContent");
    assert!(
        chart
            .as_str()
            .unwrap()
            .contains("in the current slot, at most"),
        "{chart}"
    );
    assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
    assert_eq!(browser.evaluate("live.getAttribute('role')"), "status");
}

#[test]
fn top_prints_the_figures_once_where_there_is_no_terminal_and_redraws_them_on_one() {
    let subject = Subject::start("status-top", &[]);
    subject.sign_some();
    let url = format!("--url=http://{}", subject.signer.address);
    let output = Command::new(binary()).args(["top", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in [
        "PROBLEM",
        "16 loaded, 0 pending, 1 failed",
        "attestation",
        "4 permitted, 1 prevented",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains(char::is_control) || !text.contains('\u{1b}'),
        "{text}"
    );

    // A terminal of 60 columns, and Ctrl-C.
    let script = format!(
        "stty cols 60 rows 30; timeout --foreground -s INT 3 {} top {url}; echo ended $?",
        binary().display()
    );
    let output = Command::new("script")
        .args(["-qec", &script, "/dev/null"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["\u{1b}[?1049h", "16 loaded", "\u{1b}[?25h\u{1b}[?1049l"] {
        assert!(text.contains(part), "{part:?}: {text}");
    }

    let nobody = Command::new(binary())
        .args(["top", "--url=http://127.0.0.1:1"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert_eq!(nobody.status.code(), Some(69), "{error}");
    assert!(error.contains("hint: is it running"), "{error}");
}
