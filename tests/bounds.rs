//! What a keystore and a body of the Keymanager API may hold: sizes, and JSON by the letter.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use serde_json::{Value, json};

use crate::keymanager::{Manager, keystore, statuses};
use crate::support::client::Answer;
use crate::support::{Scratch, Signer};

const PATH: &str = "/eth/v1/keystores";

/// What the whole process may have resident, whatever is sent.
const RESIDENT_KIB_MAX: u64 = 128 << 10;

/// Just below what the route takes.
const BODY_BYTES: usize = 60 << 20;

/// A signer as py3signer is started: no data directory, no token.
fn open_signer() -> Signer {
    let signer = Signer::start(&[]);
    signer.wait_loaded();
    signer
}

/// As much of this as fills a body.
fn full_of(unit: &str) -> String {
    unit.repeat(BODY_BYTES / unit.len())
}

fn import_of(keystore: &str, password: &str) -> String {
    // By hand: serde_json would need several copies of it.
    format!(r#"{{"keystores":[{keystore}],"passwords":["{password}"]}}"#)
}

fn slashing_data(text: &str) -> String {
    format!(r#"{{"keystores":[],"passwords":[],"slashing_protection":"{text}"}}"#)
}

#[test]
fn a_huge_element_of_an_import_costs_little_memory() {
    let signer = open_signer();
    let good = keystore(1).1;
    let items = full_of("0,");
    let many = |bytes: usize, count: usize| {
        let keystore = format!("{{\"description\":\"{}\"}},", "d".repeat(bytes));
        let keystores = keystore.repeat(count);
        let passwords = "\"p\",".repeat(count);
        let keystores = keystores.trim_end_matches(',');
        let passwords = passwords.trim_end_matches(',');
        format!(r#"{{"keystores":[{keystores}],"passwords":[{passwords}]}}"#)
    };
    let kdf_first = format!(
        r#"{{"version":4,"crypto":{{"kdf":{{"params":[{items}0],"function":"scrypt"}}}}}}"#
    );
    let text_first = format!(
        r#"{{"version":4,"crypto":{{"kdf":{{"params":{{"x":"{}"}},"function":"scrypt"}}}}}}"#,
        full_of("x")
    );
    let names: String = (0..5_000_000)
        .map(|name| format!("\"{name:07}\":0,"))
        .collect();
    let cases = [
        (
            "kdf.params before function",
            import_of(&kdf_first, "p"),
            400,
        ),
        (
            "a text in kdf.params before function",
            import_of(&text_first, "p"),
            200,
        ),
        ("a password", import_of(&good, &full_of("x")), 200),
        (
            "combining marks",
            import_of(&good, &full_of("\u{301}\u{323}")),
            200,
        ),
        ("ligatures", import_of(&good, &full_of("\u{fdfa}")), 200),
        (
            "an escaped password",
            import_of(&good, &full_of("\\u0301")),
            200,
        ),
        (
            "a password of control codes",
            import_of(&good, &full_of("\\n")),
            200,
        ),
        (
            "a description",
            import_of(&format!("{{\"description\":\"{}\"}}", full_of("d")), "p"),
            200,
        ),
        (
            "an escaped keystore",
            import_of(&format!("\"{}\"", full_of("\\u007b")), "p"),
            200,
        ),
        (
            "numbers for keystores",
            format!(r#"{{"keystores":[{items}0],"passwords":[]}}"#),
            400,
        ),
        (
            "ever deeper",
            format!(
                r#"{{"keystores":[],"passwords":[],"ignored":{}"#,
                full_of("[")
            ),
            400,
        ),
        (
            "many names",
            format!(r#"{{"keystores":[],"passwords":[],{names}"z":0}}"#),
            400,
        ),
        (
            "one long name",
            import_of(&good, "p").replace("passwords", &full_of("p")),
            400,
        ),
        ("slashing data", slashing_data(&full_of("x")), 400),
        (
            "escaped slashing data",
            slashing_data(&full_of("\\u0078")),
            400,
        ),
        ("more small keystores than are taken", many(0, 32_769), 400),
        ("as many small keystores as are taken", many(0, 32_768), 200),
        ("many keystores", many(60_000, 1_000), 400),
        ("as many as are taken", many(60_000, 550), 200),
    ];
    for (case, body, status) in cases {
        assert!(body.len() <= 64 << 20, "{case}: {} bytes", body.len());
        let answer = signer.client().request("POST", PATH, &[], body.as_bytes());
        assert_small(&signer, &answer, status, case);
    }
    let unknown = |count: usize| {
        let keys: String = (0..count).map(|key| format!("\"0x{key:096x}\",")).collect();
        format!(r#"{{"pubkeys":[{}]}}"#, keys.trim_end_matches(','))
    };
    for (case, body, status) in [
        (
            "numbers for public keys",
            format!(r#"{{"pubkeys":[{items}0]}}"#),
            400,
        ),
        (
            "a huge public key",
            format!(r#"{{"pubkeys":["{}"]}}"#, full_of("a")),
            400,
        ),
        ("more public keys than are taken", unknown(131_073), 400),
        ("as many public keys as are taken", unknown(131_072), 200),
    ] {
        let answer = signer
            .client()
            .request("DELETE", PATH, &[], body.as_bytes());
        assert_small(&signer, &answer, status, case);
    }
    assert_eq!(signer.client().get("/health").status, 200);
}

fn assert_small(signer: &Signer, answer: &Answer, status: u16, case: &str) {
    let text = answer.text();
    assert_eq!(
        answer.status,
        status,
        "{case}: {}",
        &text[..text.len().min(300)]
    );
    assert!(!text.contains("imported"), "{case}");
    let peak = signer.memory_kib("VmHWM");
    assert!(peak < RESIDENT_KIB_MAX, "{case}: {peak} KiB resident");
}

/// A good keystore with one thing made large, its password, and what is said when that is too large.
struct Sized {
    what: &'static str,
    keystore: Value,
    password: String,
    refusal: Option<&'static str>,
}

fn sized() -> Vec<Sized> {
    let mut cases = Vec::new();
    let mut number = 100;
    let mut add = |what, refusal, change: &dyn Fn(&mut Value, &mut String)| {
        let (_, keystore, mut password) = keystore(number);
        let mut keystore: Value = serde_json::from_str(&keystore).unwrap();
        change(&mut keystore, &mut password);
        number += 1;
        cases.push(Sized {
            what,
            keystore,
            password,
            refusal,
        });
    };
    let text = |bytes: usize| json!("d".repeat(bytes));
    add("a description", None, &|keystore, _| {
        keystore["description"] = text(4096 - 2);
    });
    add(
        "a long description",
        Some("description: has 4097 bytes, expected at most 4096"),
        &|keystore, _| keystore["description"] = text(4097 - 2),
    );
    add("a path", None, &|keystore, _| keystore["path"] = text(256));
    add(
        "a long path",
        Some("path: has 257 bytes, expected at most 256"),
        &|keystore, _| keystore["path"] = text(257),
    );
    add("an ignored field", None, &|keystore, _| {
        keystore["ignored"] = text(60_000);
    });
    add(
        "a long keystore",
        Some("longer than 65536 bytes"),
        &|keystore, _| keystore["ignored"] = text(66_000),
    );
    add(
        "a long salt",
        Some("crypto.kdf.params.salt (its length) is 1025, expected 0 to 1024"),
        &|keystore, _| keystore["crypto"]["kdf"]["params"]["salt"] = json!("ab".repeat(1025)),
    );
    add(
        "a long password",
        Some("the password is longer than 1024 bytes"),
        &|_, password| *password = "p".repeat(1025),
    );
    add(
        "a password that grows long",
        Some("the password is longer than 1024 bytes"),
        &|_, password| *password = "\u{fdfa}".repeat(40),
    );
    add(
        "a password of wide letters",
        // Not too long: normalised it has 1,024 bytes. It is not the right one.
        Some("checksum mismatch"),
        &|_, password| *password = "\u{1d400}".repeat(1024),
    );
    cases
}

/// The same bounds in both ways, so that whatever is imported is loaded by the next start.
#[test]
fn an_import_and_a_file_have_the_same_bounds() {
    let (data_dir, files) = (Scratch::new("bounds-data"), Scratch::new("bounds-files"));
    let manager = Manager::start(&data_dir, &[]);
    let mut imported = 0;
    for Sized {
        what,
        keystore,
        password,
        refusal,
    } in sized()
    {
        let name = what.replace(' ', "-");
        files.write(&format!("{name}.json"), keystore.to_string());
        files.write(&format!("{name}.txt"), &password);
        let body = json!({"keystores": [keystore.to_string()], "passwords": [password]});
        let answer = manager.call("POST", &body);
        match refusal {
            None => {
                assert_eq!(statuses(&answer), ["imported"], "{what}: {}", answer.text());
                imported += 1;
            }
            Some(reason) => {
                assert_eq!(statuses(&answer), ["error"], "{what}: {}", answer.text());
                assert!(answer.text().contains(reason), "{what}: {}", answer.text());
            }
        }
    }
    drop(manager);
    let manager = Manager::start(&data_dir, &[]);
    manager.signer.wait_loaded();
    assert_eq!(manager.listed().len(), imported, "after a restart");

    let path = files.path().display().to_string();
    let arguments = [
        "--keystores-path",
        &path,
        "--keystores-passwords-path",
        &path,
    ];
    let mut signer = Signer::start(&arguments);
    signer.wait_loaded();
    let listed = signer.client().get("/api/v1/eth2/publicKeys").json();
    assert_eq!(listed.as_array().unwrap().len(), imported, "from files");
    for case in sized().iter().filter(|case| case.refusal.is_some()) {
        signer.wait_for_line(&format!("{}.json", case.what.replace(' ', "-")));
    }
    let log = signer.log();
    for case in sized() {
        let name = case.what.replace(' ', "-");
        let told = log
            .lines()
            .find(|line| line.contains(&format!("{name}.json")));
        match (told, case.refusal) {
            // The file is larger than what is read at all.
            (Some(line), Some(_)) if case.what == "a long keystore" => {
                assert!(line.contains("more than 65536 bytes"), "{line}");
            }
            (Some(line), Some(reason)) => assert!(line.contains(reason), "{line}"),
            (told, refusal) => assert!(told.is_none() && refusal.is_none(), "{name}: {told:?}"),
        }
    }
}

/// Prysm keeps all its keys in one keystore, which may be longer than one of a single key.
#[test]
fn a_wallet_may_be_longer_than_a_keystore() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    const KEYS: u32 = 2_000;
    let secrets: Vec<String> = (1..=KEYS)
        .map(|number| {
            let mut secret = [0; 32];
            secret[28..].copy_from_slice(&number.to_be_bytes());
            STANDARD.encode(secret)
        })
        .collect();
    let accounts = json!({"private_keys": secrets, "public_keys": []}).to_string();
    let scratch = Scratch::new("bounds-wallet");
    scratch.write(
        "direct/accounts/all-accounts.keystore.json",
        crate::keymanager::sealed(accounts.as_bytes(), "wallet password"),
    );
    let password = scratch.write("password.txt", "wallet password");
    let path = scratch.path().display().to_string();
    let signer = Signer::start(&["--keys", &path, "--keystores-password-file", &password]);
    signer.wait_loaded();
    let listed = signer.client().get("/api/v1/eth2/publicKeys").json();
    assert_eq!(listed.as_array().unwrap().len(), KEYS as usize);
}

/// Every object of a keystore, as an array of its values in the order in which a derived reader would
/// take them; names that are objects; and more.
fn keystores_against_the_letter() -> Vec<(&'static str, String)> {
    let (_, good, _) = keystore(7);
    let keystore: Value = serde_json::from_str(&good).unwrap();
    let array = |pointer: &str, names: &[&str]| {
        let mut changed = keystore.clone();
        let object = changed.pointer_mut(pointer).unwrap();
        let values: Vec<Value> = names.iter().map(|name| object[*name].clone()).collect();
        *object = Value::Array(values);
        changed.to_string()
    };
    let set = |pointer: &str, value: Value| {
        let mut changed = keystore.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let add = |text: &str| format!("{{{text},{}", &good[1..]);
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    vec![
        ("an array", array("", &["crypto", "pubkey", "path"])),
        ("crypto", array("/crypto", &["kdf", "checksum", "cipher"])),
        ("crypto.kdf", array("/crypto/kdf", &["function", "params"])),
        (
            "crypto.kdf.params",
            array("/crypto/kdf/params", &["dklen", "c", "prf", "salt"]),
        ),
        (
            "crypto.checksum",
            array("/crypto/checksum", &["function", "message"]),
        ),
        (
            "crypto.cipher",
            array("/crypto/cipher", &["function", "params", "message"]),
        ),
        (
            "crypto.cipher.params",
            array("/crypto/cipher/params", &["iv"]),
        ),
        (
            "a hash that is an object",
            set("/crypto/checksum/function", json!({"sha256": null})),
        ),
        (
            "a cipher that is an object",
            set("/crypto/cipher/function", json!({"aes-128-ctr": null})),
        ),
        (
            "a derivation that is an object",
            set("/crypto/kdf/function", json!({"pbkdf2": null})),
        ),
        (
            "a PRF that is an object",
            set("/crypto/kdf/params/prf", json!({"hmac-sha256": null})),
        ),
        ("version twice", add(r#""version":4"#)),
        ("crypto twice, escaped", add(r#""\u0063rypto":{}"#)),
        ("an ignored field twice", add(r#""note":1,"note":2"#)),
        (
            "twice further down",
            good.replace("\"salt\"", "\"x\":1,\"x\":1,\"salt\""),
        ),
        (
            "an ignored field that nests too deep",
            add(&format!("\"note\":{}", nested(32))),
        ),
        ("two of them", format!("{good}{good}")),
    ]
}

#[test]
fn a_keystore_that_breaks_the_letter_of_json_is_refused() {
    let scratch = Scratch::new("letter-keystores");
    let manager = Manager::start(&scratch, &[]);
    let (_, good, password) = keystore(7);
    for (case, keystore) in keystores_against_the_letter() {
        assert_ne!(keystore, good, "{case}");
        let body = json!({"keystores": [keystore], "passwords": [password]});
        let answer = manager.call("POST", &body);
        assert_eq!(statuses(&answer), ["error"], "{case}: {}", answer.text());
    }
    // What is only unusual still opens.
    let mut unusual = good.replacen('{', r#"{"note":[[[{"a":[]}]]],"uuid2":null,"#, 1);
    unusual = unusual.replace("\"version\"", r#""vers\u0069on""#);
    let body = json!({"keystores": [unusual], "passwords": [password]});
    assert_eq!(statuses(&manager.call("POST", &body)), ["imported"]);

    let files = Scratch::new("letter-files");
    let mut bytes = keystore(8).1.into_bytes();
    bytes.splice(1..1, b"\"note\":\"\xff\",".iter().copied());
    files.write("bad.json", &bytes);
    files.write("bad.txt", keystore(8).2);
    let path = files.path().display().to_string();
    let mut signer = Signer::start(&[
        "--keystores-path",
        &path,
        "--keystores-passwords-path",
        &path,
    ]);
    signer.wait_loaded();
    let listed = signer.client().get("/api/v1/eth2/publicKeys").json();
    assert_eq!(listed, json!([]), "a file with bytes that are not UTF-8");
    signer.wait_for_line("expected UTF-8, found other bytes (line 1, column 10)");
}

#[test]
fn a_body_that_breaks_the_letter_of_json_is_refused() {
    let signer = open_signer();
    let deep = format!("{}{}", "[".repeat(32), "]".repeat(32));
    let key = keystore(7).0;
    let cases: [(&str, &str, Vec<u8>); 12] = [
        ("POST", "an array", b"[[],[],null]".into()),
        ("DELETE", "an array", format!("[[\"{key}\"]]").into()),
        ("POST", "nothing", b"".into()),
        (
            "POST",
            "two objects",
            br#"{"keystores":[],"passwords":[]}{}"#.into(),
        ),
        (
            "POST",
            "a field twice",
            br#"{"keystores":[],"passwords":[],"keystores":[]}"#.into(),
        ),
        (
            "POST",
            "an ignored field twice",
            br#"{"keystores":[],"passwords":[],"a":1,"a":1}"#.into(),
        ),
        (
            "DELETE",
            "an ignored field twice",
            br#"{"pubkeys":[],"a":1,"a":1}"#.into(),
        ),
        (
            "POST",
            "an object for an array",
            br#"{"keystores":{},"passwords":[]}"#.into(),
        ),
        (
            "POST",
            "bytes",
            b"{\"keystores\":[],\"passwords\":[],\"a\":\"\xff\"}".into(),
        ),
        (
            "POST",
            "bytes in a name",
            b"{\"keystores\":[],\"passwords\":[],\"\xc0\x80\":1}".into(),
        ),
        (
            "DELETE",
            "bytes",
            b"{\"pubkeys\":[],\"a\":\"\xed\xa0\x80\"}".into(),
        ),
        (
            "POST",
            "too deep",
            format!(r#"{{"keystores":[],"passwords":[],"a":{deep}}}"#).into(),
        ),
    ];
    for (method, case, body) in cases {
        let answer = signer.client().request(method, PATH, &[], &body);
        let expected: &[u16] = if body.is_empty() { &[400, 411] } else { &[400] };
        assert!(
            expected.contains(&answer.status),
            "{method} with {case}: {} {}",
            answer.status,
            answer.text()
        );
    }
    let good = br#"{"keystores":[],"passwords":[],"slashing_protection":null,"a":[[["b"]]]}"#;
    let answer = signer.client().request("POST", PATH, &[], good);
    assert_eq!(statuses(&answer), [] as [&str; 0]);
}

/// Small bodies and large ones have readers of their own.
#[test]
fn a_sign_request_that_is_not_utf_8_is_refused_wherever_that_is() {
    let signer = Signer::start(&["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    let path = format!("/api/v1/eth2/sign/{}", keys[0].as_str().unwrap());
    let good = r#"{"type":"RANDAO_REVEAL","randao_reveal":{"epoch":"0"},"fork_info":{"fork":{"previous_version":
        "0x00000000","current_version":"0x00000000","epoch":"0"},"genesis_validators_root":
        "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"}"#;
    for padding in [0, 300 << 10] {
        let padding = "x".repeat(padding);
        for (bytes, status) in [
            (&b"\"a\":\"good \xf0\x9f\x94\x91\""[..], 200),
            (b"\"a\":\"\xff\"", 400),
            (b"\"a\":[{\"b\":\"\xc3\"}]", 400),
            (b"\"a\":\"\xed\xa0\x80\"", 400),
            (b"\"\xff\":1", 400),
            (b"\"a\":\xff", 400),
        ] {
            let mut body = format!("{good},\"padding\":\"{padding}\",").into_bytes();
            body.extend_from_slice(bytes);
            body.push(b'}');
            let answer = signer.client().post(&path, &body);
            assert_eq!(answer.status, status, "{}: {}", body.len(), answer.text());
        }
    }
    assert!(fs::exists(format!("/proc/{}", signer.pid())).unwrap());
}
