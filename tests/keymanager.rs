//! `/eth/v1/keystores` on the real binary: list, import, delete, and what is kept on disk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aes::cipher::{KeyIvInit, StreamCipher};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signerd::consensus::primitives::PublicKey;
use signerd::keys::secret::SecretKey;

use crate::keystore_text::{keystore_text, numbered_secret};
use crate::support::client::{Answer, Client};
use crate::support::{Scratch, Signer};

const PATH: &str = "/eth/v1/keystores";

/// A keystore of the secret key `number`, at the lowest cost, and its password.
pub(crate) fn keystore(number: u32) -> (PublicKey, String, String) {
    keystore_at(
        number,
        json!({"function": "pbkdf2", "params": {"c": 1, "prf": "hmac-sha256"}}),
    )
}

pub(crate) fn keystore_at(number: u32, kdf: Value) -> (PublicKey, String, String) {
    let secret = numbered_secret(number);
    let key = SecretKey::fill(|slot| *slot = secret);
    let key = key.ok().unwrap().public_key();
    let (keystore, password) = keystore_text(number, &key.0, kdf);
    (key, keystore, password)
}

/// A keystore that holds these bytes instead of a secret key, at the lowest cost.
pub(crate) fn sealed(content: &[u8], password: &str) -> String {
    let mut derived = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"salt", 1, &mut derived);
    let half: [u8; 16] = derived[..16].try_into().unwrap();
    let mut message = content.to_vec();
    ctr::Ctr128BE::<aes::Aes128>::new(&half.into(), &[7; 16].into()).apply_keystream(&mut message);
    let checksum = Sha256::new()
        .chain_update(&derived[16..])
        .chain_update(&message)
        .finalize();
    let params =
        json!({"c": 1, "prf": "hmac-sha256", "dklen": 32, "salt": const_hex::encode("salt")});
    let keystore = json!({
        "crypto": {
            "kdf": {"function": "pbkdf2", "params": params},
            "checksum": {"function": "sha256", "params": {}, "message": const_hex::encode(checksum)},
            "cipher": {
                "function": "aes-128-ctr",
                "params": {"iv": const_hex::encode([7; 16])},
                "message": const_hex::encode(message),
            },
        },
        "version": 4,
    });
    keystore.to_string()
}

/// A running signer, and the token of its Keymanager routes.
pub(crate) struct Manager {
    pub(crate) signer: Signer,
    pub(crate) token: String,
}

impl Manager {
    pub(crate) fn start(data_dir: &Scratch, more: &[&str]) -> Self {
        let path = data_dir.path().display().to_string();
        let signer = Signer::start(&[&["--data-dir", path.as_str()], more].concat());
        let token = fs::read_to_string(data_dir.path().join("api-token.txt")).unwrap();
        Self {
            signer,
            token: format!("Bearer {}", token.trim()),
        }
    }

    pub(crate) fn call(&self, method: &str, body: &Value) -> Answer {
        // Before, a list is answered with 503.
        if method == "GET" {
            self.signer.wait_first_load();
        }
        call(&mut self.signer.client(), method, &self.token, body)
    }

    pub(crate) fn listed(&self) -> Vec<String> {
        let answer = self.call("GET", &Value::Null).json();
        answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["validating_pubkey"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn import(&self, numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        statuses(&self.call("POST", &import_of(numbers)))
    }

    pub(crate) fn delete(&self, keys: &[PublicKey]) -> Answer {
        self.call(
            "DELETE",
            &json!({"pubkeys": keys.iter().map(ToString::to_string).collect::<Vec<_>>()}),
        )
    }
}

pub(crate) fn call(client: &mut Client, method: &str, token: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    client.request(method, PATH, &[("Authorization", token)], body.as_bytes())
}

fn import_of(numbers: impl IntoIterator<Item = u32>) -> Value {
    let (keystores, passwords): (Vec<_>, Vec<_>) = numbers
        .into_iter()
        .map(keystore)
        .map(|(_, keystore, password)| (keystore, password))
        .unzip();
    json!({"keystores": keystores, "passwords": passwords})
}

pub(crate) fn statuses(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let data = answer.json()["data"].as_array().unwrap().clone();
    data.iter()
        .map(|status| status["status"].as_str().unwrap().to_owned())
        .collect()
}

fn key(number: u32) -> PublicKey {
    keystore(number).0
}

#[test]
fn keys_are_listed_imported_and_deleted() {
    let scratch = Scratch::new("keymanager-cycle");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(
        manager.call("GET", &Value::Null).json(),
        json!({"data": []})
    );

    assert_eq!(
        manager.import([1, 2, 1]),
        ["imported", "imported", "duplicate"]
    );
    assert_eq!(manager.import([2, 3]), ["duplicate", "imported"]);
    let mut expected = [1, 2, 3].map(|number| {
        (
            key(number).to_string(),
            format!("m/12381/3600/{number}/0/0"),
        )
    });
    expected.sort();
    let expected = expected.map(
        |(key, path)| json!({"validating_pubkey": key, "derivation_path": path, "readonly": false}),
    );
    assert_eq!(
        manager.call("GET", &Value::Null).json(),
        json!({"data": expected})
    );

    let answer = manager.delete(&[key(2), key(9), key(2)]);
    assert_eq!(statuses(&answer), ["deleted", "not_found", "not_found"]);
    assert!(!manager.listed().contains(&key(2).to_string()));
    assert_eq!(statuses(&manager.delete(&[key(2)])), ["not_found"]);
    assert_eq!(
        manager.import([2]),
        ["imported"],
        "a deleted key may come back"
    );
}

#[test]
fn the_slashing_data_of_a_deleted_key_moves_with_it() {
    let (from, to) = (
        Scratch::new("keymanager-from"),
        Scratch::new("keymanager-to"),
    );
    let history = json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": format!("0x{}", "04".repeat(32))},
        "data": [
            {"pubkey": key(1).to_string(), "signed_blocks": [{"slot": "81952"}], "signed_attestations": []},
            {"pubkey": key(2).to_string(), "signed_blocks": [{"slot": "7"}], "signed_attestations": []},
        ],
    });
    let mut body = import_of([1]);
    body["slashing_protection"] = json!(history.to_string());
    let manager = Manager::start(&from, &[]);
    assert_eq!(statuses(&manager.call("POST", &body)), ["imported"]);

    let answer = manager.delete(&[key(1), key(3)]);
    assert_eq!(statuses(&answer), ["deleted", "not_found"]);
    let moved = answer.json()["slashing_protection"]
        .as_str()
        .expect("a string")
        .to_owned();
    let data: Value = serde_json::from_str(&moved).unwrap();
    assert_eq!(
        data["data"].as_array().unwrap().len(),
        1,
        "only what was asked for: {moved}"
    );
    assert_eq!(
        (
            &data["data"][0]["pubkey"],
            &data["data"][0]["signed_blocks"][0]["slot"]
        ),
        (&json!(key(1).to_string()), &json!("81952"))
    );
    // Again, with data: the key is known here, and not active.
    let answer = manager.delete(&[key(1), key(2)]);
    assert_eq!(statuses(&answer), ["not_active", "not_active"]);
    assert!(answer.text().contains("81952"));

    let manager = Manager::start(&to, &[]);
    let mut body = import_of([1]);
    body["slashing_protection"] = json!(moved);
    assert_eq!(statuses(&manager.call("POST", &body)), ["imported"]);
    assert!(manager.delete(&[key(1)]).text().contains("81952"));
}

#[test]
fn slashing_protection_data_may_be_empty_and_may_be_an_object() {
    let scratch = Scratch::new("keymanager-empty-slashing");
    let manager = Manager::start(&scratch, &[]);
    let history = json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": format!("0x{}", "04".repeat(32))},
        "data": [{"pubkey": key(6).to_string(), "signed_blocks": [{"slot": "81952"}], "signed_attestations": []}],
    });
    for (number, data) in [
        (1, json!("")),
        (2, Value::Null),
        (3, json!("   ")),
        (4, json!("\t\n")),
        (5, json!(history.to_string())),
        (6, history),
    ] {
        let mut body = import_of([number]);
        body["slashing_protection"] = data;
        let answer = manager.call("POST", &body);
        assert_eq!(statuses(&answer), ["imported"], "{body}");
    }
    let answer = manager.delete(&[key(6)]).text();
    assert!(answer.contains("81952"), "{answer}");
    for broken in [json!("{"), json!("null"), json!(1), json!([]), json!("x")] {
        let mut body = import_of([7]);
        body["slashing_protection"] = broken;
        let answer = manager.call("POST", &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
}

#[test]
fn a_bad_import_changes_nothing() {
    let scratch = Scratch::new("keymanager-bad");
    let manager = Manager::start(&scratch, &[]);
    let (_, keystore, password) = keystore(1);
    let other_version = r#"{"metadata":{"interchange_format_version":"4"},"data":[]}"#;
    for (case, body, part) in [
        (
            "lengths differ",
            json!({"keystores": [keystore], "passwords": []}),
            "1 keystore and 0 passwords",
        ),
        ("no passwords", json!({"keystores": [keystore]}), "line 1"),
        (
            "a number as password",
            json!({"keystores": [keystore], "passwords": [1]}),
            "passwords[0]",
        ),
        (
            "a number as keystore",
            json!({"keystores": [1], "passwords": [password]}),
            "keystores[0]",
        ),
        ("an array", json!([]), "line 1"),
        (
            "bad slashing data",
            json!({"keystores": [keystore], "passwords": [password], "slashing_protection": other_version}),
            "slashing_protection",
        ),
    ] {
        let answer = manager.call("POST", &body);
        let (message, status) = (
            answer.json()["message"].as_str().unwrap().to_owned(),
            answer.status,
        );
        assert!(
            status == 400 && message.contains(part),
            "{case}: {status} {message}"
        );
        assert!(!message.contains(&password), "{case}");
    }
    let answer = manager.call("DELETE", &json!({"pubkeys": ["0x12"]}));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(
        (
            manager.listed().len(),
            fs::read_dir(scratch.path().join("keystores")).map_or(0, Iterator::count)
        ),
        (0, 0)
    );
    let empty = manager.call("POST", &json!({"keystores": [], "passwords": []}));
    assert_eq!((empty.status, empty.json()), (200, json!({"data": []})));
}

#[test]
fn one_bad_keystore_of_an_import_does_not_stop_the_others() {
    let scratch = Scratch::new("keymanager-one-bad");
    let manager = Manager::start(&scratch, &[]);
    let mut body = import_of([1, 2, 3]);
    body["passwords"][1] = json!("not it");
    let as_object: Value = serde_json::from_str(body["keystores"][2].as_str().unwrap()).unwrap();
    body["keystores"][2] = as_object;
    let answer = manager.call("POST", &body);
    assert_eq!(statuses(&answer), ["imported", "error", "imported"]);
    assert!(
        answer.json()["data"][1]["message"]
            .as_str()
            .unwrap()
            .contains("the password is wrong")
    );
}

#[test]
fn imports_are_kept_as_they_came_and_opened_again_after_a_restart() {
    let scratch = Scratch::new("keymanager-kept");
    let manager = Manager::start(&scratch, &[]);
    assert_eq!(manager.import(1..4), ["imported"; 3]);
    assert_eq!(statuses(&manager.delete(&[key(3)])), ["deleted"]);
    let dir = scratch.path().join("keystores/imported");
    let (key, keystore, password) = keystore(1);
    for (suffix, content) in [("json", keystore), ("txt", password)] {
        let file = dir.join(format!("{key}.{suffix}"));
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 4);
    let before = manager.listed();
    drop(manager);
    // What an interrupted import leaves: a password without a keystore, a file that was not renamed.
    fs::write(dir.join(format!("{}.txt", self::key(3))), "orphan").unwrap();
    let random = "fedcba9876543210".repeat(2);
    let unfinished = format!(".{}.json.{random}.unfinished", self::key(3));
    fs::write(dir.join(unfinished), "{").unwrap();

    let mut manager = Manager::start(&scratch, &[]);
    manager.signer.wait_loaded();
    assert_eq!(manager.listed(), before);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 4);
    let log = manager.signer.log();
    assert_eq!(
        log.matches("removed, left by an interrupted import")
            .count(),
        2,
        "{log}"
    );
    assert_eq!(
        statuses(&manager.delete(&[self::key(1)])),
        ["deleted"],
        "it came in through the API"
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

#[test]
fn keys_of_other_sources_are_read_only() {
    let scratch = Scratch::new("keymanager-readonly");
    let (key, keystore, password) = keystore(1);
    scratch.write("mine/one.json", keystore);
    scratch.write("mine/one.txt", password);
    let mine = scratch.path().join("mine").display().to_string();
    let data = Scratch::new("keymanager-readonly-data");
    let options = [
        "--keystores-path",
        &mine,
        "--keystores-passwords-path",
        &mine,
        "--interop-keys",
        "0..1",
    ];
    let manager = Manager::start(&data, &options);
    manager.signer.wait_loaded();
    assert!(
        manager.call("GET", &Value::Null).json()["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["readonly"] == true)
    );

    let interop = signerd::keys::seed::interop(0).unwrap().public_key();
    let answer = manager.delete(&[key, interop]);
    assert_eq!(statuses(&answer), ["error", "error"]);
    let data = answer.json()["data"].clone();
    assert!(
        data[0]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("{mine}/one.json")),
        "{data}"
    );
    assert!(
        data[1]["message"].as_str().unwrap().contains("interop"),
        "{data}"
    );
    assert_eq!(
        (manager.listed().len(), manager.import([1])),
        (2, vec!["duplicate".to_owned()])
    );
}

#[test]
fn without_a_data_directory_keys_are_imported_into_memory_and_any_bearer_will_do() {
    let signer = Signer::start(&[]);
    for token in ["Bearer NIL", ""] {
        let answer = call(&mut signer.client(), "POST", token, &import_of([1, 2]));
        let expected = if token.is_empty() {
            "duplicate"
        } else {
            "imported"
        };
        assert_eq!(statuses(&answer), [expected; 2]);
    }
    let body = json!({"pubkeys": [key(1).to_string()]});
    let answer = call(&mut signer.client(), "DELETE", "Bearer NIL", &body);
    assert_eq!(statuses(&answer), ["deleted"]);
    let empty: Value =
        serde_json::from_str(answer.json()["slashing_protection"].as_str().unwrap()).unwrap();
    assert_eq!(
        (
            &empty["metadata"]["interchange_format_version"],
            &empty["data"]
        ),
        (&json!("5"), &json!([]))
    );
    assert_eq!(signer.client().post("/reload", b"").status, 202);
    signer.wait_loaded();
    assert_eq!(
        signer.client().get("/api/v1/eth2/publicKeys").json(),
        json!([key(2).to_string()])
    );
}

#[test]
fn a_hundred_keystores_are_imported_while_others_are_served() {
    let scratch = Scratch::new("keymanager-hundred");
    let manager = Manager::start(&scratch, &[]);
    let mut body = import_of(0..100);
    // Two of full cost, so that the answer takes its time.
    for number in 0..2 {
        let kdf = json!({"function": "scrypt", "params": {"n": 1 << 18, "r": 8, "p": 1}});
        body["keystores"][number as usize] = json!(keystore_at(number, kdf).1);
    }
    std::thread::scope(|scope| {
        let (mut client, token) = (manager.signer.client(), manager.token.clone());
        let import = scope.spawn(move || statuses(&call(&mut client, "POST", &token, &body)));
        while !import.is_finished() {
            assert_eq!(manager.signer.client().get("/health").status, 200);
        }
        assert_eq!(import.join().unwrap(), ["imported"; 100]);
    });
    assert_eq!(manager.listed().len(), 100);
}

/// Deletion is final: once DELETE has answered, a request for the key gets 404, whatever was in flight.
#[test]
fn no_signature_of_a_deleted_key_leaves_after_the_answer() {
    const ROUNDS: usize = 100;
    const GONE: u64 = 1;
    let scratch = Scratch::new("keymanager-race");
    let manager = Manager::start(&scratch, &["--slashing-protection-enabled=false"]);
    let key = key(1);
    let path = format!("/api/v1/eth2/sign/{key}");
    let body = r#"{"type":"RANDAO_REVEAL","randao_reveal":{"epoch":"0"},"fork_info":{"fork":{"previous_version":
        "0x00000000","current_version":"0x00000000","epoch":"0"},"genesis_validators_root":
        "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"}}"#;
    // Even while the key may sign, odd from the answer of DELETE to the next import.
    let (generation, over) = (AtomicU64::new(GONE), AtomicBool::new(false));
    let (signed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _end = End(&over);
        for _ in 0..8 {
            let mut client = manager.signer.client();
            let (path, generation, over, signed, refused) =
                (&path, &generation, &over, &signed, &refused);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let before = generation.load(Ordering::SeqCst);
                    let status = client.post(path, body.as_bytes()).status;
                    let was_gone =
                        before % 2 == GONE && generation.load(Ordering::SeqCst) == before;
                    assert!(
                        !was_gone || status == 404,
                        "{status} after DELETE has answered"
                    );
                    let count = if status == 200 { signed } else { refused };
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..ROUNDS {
            generation.fetch_add(1, Ordering::SeqCst);
            assert_eq!(manager.import([1]), ["imported"]);
            let signed_before = signed.load(Ordering::SeqCst);
            while signed.load(Ordering::SeqCst) < signed_before + 8 {
                std::thread::yield_now();
            }
            assert_eq!(statuses(&manager.delete(&[key])), ["deleted"]);
            generation.fetch_add(1, Ordering::SeqCst);
            let refused_before = refused.load(Ordering::SeqCst);
            while refused.load(Ordering::SeqCst) < refused_before + 8 {
                std::thread::yield_now();
            }
        }
    });
}

/// Ends the clients, also when an assertion fails: the scope waits for them.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What eth-docker's script does with curl and jq: list, import with slashing data, delete, take the
/// slashing data out of the answer, and all of it once more.
#[test]
fn the_session_of_eth_docker_works_with_its_tools() {
    let tools = ["curl", "jq"]
        .iter()
        .all(|tool| Command::new(tool).arg("--version").output().is_ok());
    if !tools {
        println!("curl or jq is not on this machine: not tried");
        return;
    }
    let scratch = Scratch::new("keymanager-eth-docker");
    let manager = Manager::start(&scratch, &[]);
    let files = Scratch::new("keymanager-eth-docker-files");
    let (key, keystore, password) = keystore(7);
    let mut import = json!({"keystores": [keystore], "passwords": [password]});
    let chain = format!("0x{}", "42".repeat(32));
    let slashing = json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": chain},
        "data": [{"pubkey": key.to_string(), "signed_blocks": [{"slot": "5"}], "signed_attestations": []}],
    });
    import["slashing_protection"] = json!(slashing.to_string());
    files.write("import.json", import.to_string());
    files.write(
        "delete.json",
        json!({"pubkeys": [key.to_string()]}).to_string(),
    );
    let script = r#"
        api() { curl -m 60 -s --show-error -H "Authorization: $TOKEN" -H 'Content-Type: application/json' "$@" "$URL"; }
        api | jq -r '.data | length'
        api -X POST --data @"$FILES/import.json" | jq -r '.data[].status'
        api | jq -r '.data[].validating_pubkey'
        for round in 1 2; do
            api -X DELETE --data @"$FILES/delete.json" >"$FILES/answer"
            jq -r '.data[].status' "$FILES/answer"
            jq -r '.slashing_protection|fromjson|.data[].signed_blocks[].slot' "$FILES/answer"
        done"#;
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("URL", format!("http://{}{PATH}", manager.signer.address))
        .env("TOKEN", &manager.token)
        .env("FILES", files.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = format!("0\nimported\n{key}\ndeleted\n5\nnot_active\n5\n");
    assert_eq!(
        said,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
