//! The short commands against files and against a running server.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Scratch, Signer, binary};

fn signerd(scratch: &Scratch, arguments: &str) -> Output {
    let mut command = Command::new(binary());
    command
        .args(arguments.split_whitespace())
        .current_dir(scratch.path())
        .env_clear();
    command.output().expect("it runs")
}

/// Standard output of a command that must succeed.
fn told(scratch: &Scratch, arguments: &str) -> String {
    let output = signerd(scratch, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The keys of `keys list`, sorted, without the places that they come from.
fn keys(scratch: &Scratch, sources: &str) -> Vec<String> {
    let listed = told(scratch, &format!("keys list {sources}"));
    listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn new_keys_are_the_same_from_files_and_from_their_phrase() {
    let scratch = Scratch::new("commands-keys");
    let made = told(&scratch, "keys new --count 2 --out new");
    let expected = keys(
        &scratch,
        "--keystores-path new --keystores-passwords-path new",
    );
    assert_eq!(expected.len(), 2);
    assert!(expected.iter().all(|key| made.contains(key)), "{made}");
    assert_eq!(keys(&scratch, "--keys new"), expected);
    assert_eq!(
        keys(
            &scratch,
            "--mnemonic-file new/mnemonic.phrase --key-range 0..2"
        ),
        expected
    );

    told(
        &scratch,
        "keys new --count 1 --out more --mnemonic-file new/mnemonic.phrase --key-range 1..2",
    );
    let more = keys(&scratch, "--keys more");
    assert!(more.len() == 1 && expected.contains(&more[0]), "{more:?}");

    let again = signerd(&scratch, "keys new --count 1 --out new");
    assert_eq!(
        again.status.code(),
        Some(73),
        "files that are there stay as they are"
    );
}

#[test]
fn check_names_each_keystore_that_does_not_open() {
    let scratch = Scratch::new("commands-check");
    told(&scratch, "keys new --count 2 --out new");
    let report: Value =
        serde_json::from_str(&told(&scratch, "check --json --keys new")).expect("a report in JSON");
    assert_eq!(report["keys"], json!({ "opened": 2, "failed": 0 }));

    scratch.write("new/keystore-m_12381_3600_1_0_0.txt", "wrong");
    let output = signerd(&scratch, "check --keys new");
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        report.contains("keystore-m_12381_3600_1_0_0.json: "),
        "{report}"
    );
    assert_eq!(
        signerd(&scratch, "check --keys new --expect-keys 3")
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        signerd(&scratch, "check --keys new --no-keys")
            .status
            .code(),
        Some(0),
        "none is opened"
    );
}

#[test]
fn an_exit_has_the_signature_that_the_server_gives() {
    let scratch = Scratch::new("commands-exit");
    let key = &keys(&scratch, "--interop-keys 0..1")[0];
    let exit = format!(
        "exit --interop-keys 0..1 --key {key} --epoch 300000 --validator-index 7 --network"
    );
    let signed: Value =
        serde_json::from_str(&told(&scratch, &format!("{exit} hoodi"))).expect("JSON");

    let signer = Signer::start(&["--interop-keys", "0..1", "--network", "hoodi"]);
    signer.wait_loaded();
    let body = json!({
        "type": "VOLUNTARY_EXIT",
        "fork_info": {
            "fork": {
                "previous_version": "0x60000910", "current_version": "0x70000910", "epoch": "50688",
            },
            "genesis_validators_root": "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        },
        "voluntary_exit": signed["message"],
    });
    let answer = signer.client().post(
        &format!("/api/v1/eth2/sign/{key}"),
        body.to_string().as_bytes(),
    );
    assert_eq!(
        answer.json()["signature"],
        signed["signature"],
        "{}",
        answer.text()
    );

    let elsewhere: Value =
        serde_json::from_str(&told(&scratch, &format!("{exit} sepolia"))).expect("JSON");
    assert_ne!(elsewhere["signature"], signed["signature"]);
    let unknown = signerd(&scratch, &format!("{} hoodi", exit.replace("0..1", "1..2")));
    assert_eq!(
        unknown.status.code(),
        Some(66),
        "the key is not among these"
    );
}

#[test]
fn healthcheck_and_wait_find_the_server_by_its_own_options() {
    let scratch = Scratch::new("commands-health");
    let signer = Signer::start(&[
        "--interop-keys",
        "0..3",
        "--http-host-allowlist",
        "web3signer",
    ]);
    let (_, port) = signer.address.rsplit_once(':').expect("an address");
    for (arguments, code) in [
        (
            format!("wait --port {port} --http-host-allowlist web3signer"),
            0,
        ),
        (
            format!("healthcheck --port {port} --http-host-allowlist web3signer"),
            0,
        ),
        (
            format!("healthcheck --port {port} --http-host-allowlist web3signer --expect-keys 3"),
            0,
        ),
        (
            format!("healthcheck --port {port} --http-host-allowlist web3signer --expect-keys 4"),
            1,
        ),
        (
            format!(
                "wait --timeout 0 --port {port} --http-host-allowlist web3signer --expect-keys 4"
            ),
            1,
        ),
        (format!("healthcheck --url http://127.0.0.1:{port}"), 0),
        (
            format!("healthcheck --port {port} --http-host-allowlist other"),
            1,
        ),
    ] {
        let output = signerd(&scratch, &arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut from_environment = Command::new(binary());
    from_environment
        .arg("healthcheck")
        .env_clear()
        .env("SIGNERD_HTTP_LISTEN_PORT", port);
    from_environment.env("WEB3SIGNER_HTTP_HOST_ALLOWLIST", "web3signer");
    assert!(from_environment.output().expect("it runs").status.success());
}

#[test]
fn slashing_data_goes_in_and_out_of_the_store_with_and_without_a_server() {
    let scratch = Scratch::new("commands-slashing");
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("a data directory");
    let chain = format!("0x{}", "12".repeat(32));
    let interchange = json!({
        "metadata": { "interchange_format_version": "5", "genesis_validators_root": chain },
        "data": [{
            "pubkey": format!("0x{}", "ab".repeat(48)),
            "signed_blocks": [{ "slot": "81952" }],
            "signed_attestations": [{ "source_epoch": "2290", "target_epoch": "3007" }],
        }],
    });
    scratch.write("in.json", interchange.to_string());
    let imported = told(&scratch, "slashing import --data-dir data --from in.json");
    assert_eq!(imported, format!("1 key of chain {chain}\n"));
    told(&scratch, "slashing export --data-dir data --to out.json");
    let exported = fs::read_to_string(scratch.path().join("out.json")).expect("written");
    assert_eq!(
        serde_json::from_str::<Value>(&exported).expect("JSON"),
        interchange
    );
    told(
        &scratch,
        "slashing watermark --data-dir data --slot 9 --epoch 8",
    );
    let (known, unknown) = ("ab".repeat(48), "cd".repeat(48));
    let of_one_key = |key: &str, server: &str| {
        let text = told(
            &scratch,
            &format!("slashing export --data-dir data --keys 0x{key} {server}"),
        );
        serde_json::from_str::<Value>(&text).expect("JSON")["data"].clone()
    };
    assert_eq!(of_one_key(&known, ""), interchange["data"]);
    assert_eq!(of_one_key(&unknown, ""), json!([]));

    let signer = Signer::start(&["--data-dir", &data.display().to_string()]);
    let (_, port) = signer.address.rsplit_once(':').expect("an address");
    let running = told(
        &scratch,
        &format!("slashing export --data-dir data --port {port}"),
    );
    assert_eq!(
        serde_json::from_str::<Value>(&running).expect("JSON"),
        interchange
    );
    assert_eq!(
        of_one_key(&known, &format!("--port {port}")),
        interchange["data"]
    );
    assert_eq!(of_one_key(&unknown, &format!("--port {port}")), json!([]));
    told(
        &scratch,
        &format!("slashing import --data-dir data --port {port} --from out.json"),
    );
    let high = signer.client().get("/api/v1/eth2/highWatermark");
    assert_eq!(high.json(), json!({ "slot": "9", "epoch": "8" }));
    let refused = signerd(&scratch, "slashing watermark --data-dir data --remove");
    assert_eq!(
        refused.status.code(),
        Some(69),
        "the server holds the store"
    );
    drop(signer);
    let removed = told(&scratch, "slashing watermark --data-dir data --remove");
    assert_eq!(removed, "no high watermark\n");
    let signer = Signer::start(&["--data-dir", &data.display().to_string()]);
    assert_eq!(
        signer.client().get("/api/v1/eth2/highWatermark").json(),
        json!({})
    );
}

/// ethereum-package's command line, but for its ports, over files as eth2-val-tools writes them.
#[test]
fn the_command_line_of_a_devnet_serves_on_both_ports() {
    let scratch = Scratch::new("commands-devnet");
    told(&scratch, "keys new --count 2 --out new");
    let expected = keys(&scratch, "--keys new");
    for key in &expected {
        let made = fs::read_dir(scratch.path().join("new"))
            .expect("made")
            .map(|entry| entry.expect("entry").path());
        let keystore = made
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .find(|path| {
                fs::read_to_string(path)
                    .expect("text")
                    .contains(key.trim_start_matches("0x"))
            });
        let keystore = keystore.expect("one is of that key");
        scratch.write(
            &format!("teku-keys/{key}.json"),
            fs::read(&keystore).expect("read"),
        );
        scratch.write(
            &format!("teku-secrets/{key}.txt"),
            fs::read(keystore.with_extension("txt")).expect("read"),
        );
    }
    let config = "PRESET_BASE: minimal\nGENESIS_FORK_VERSION: 0x10000038\nBLOB_SCHEDULE: []\n";
    scratch.write("config.yaml", config);
    let line = "--http-listen-port=0 --http-host-allowlist=* --metrics-enabled=true \
                --metrics-host-allowlist=* --metrics-host=127.0.0.1 --metrics-port=0 eth2 \
                --network=config.yaml --keystores-path=teku-keys \
                --keystores-passwords-path=teku-secrets --slashing-protection-enabled=false";
    let mut command = Command::new(binary());
    command
        .args(line.split_whitespace())
        .current_dir(scratch.path())
        .env_clear();
    let signer = Signer::spawn(&mut command);
    signer.wait_loaded();
    assert_eq!(
        signer.client().get("/api/v1/eth2/publicKeys").json(),
        json!(expected)
    );
    let metrics = signer.metrics.as_deref().expect("metrics are on");
    let mut probe = Client::connect(metrics);
    assert!(probe.get("/metrics").text().contains("keys_loaded"));
    assert_eq!(probe.get("/healthcheck").json()["status"], "UP");
    assert_eq!(
        signer.client().get("/eth/v1/keystores").status,
        404,
        "without its switch"
    );
}

#[test]
fn watermark_repair_raises_the_marks_of_all_or_some_keys() {
    let scratch = Scratch::new("commands-repair");
    fs::create_dir(scratch.path().join("data")).expect("a data directory");
    let first = format!("0x{}", "ab".repeat(48));
    let second = format!("0x{}", "cd".repeat(48));
    let record = |key: &str| {
        json!({
            "pubkey": key,
            "signed_blocks": [{ "slot": "100" }],
            "signed_attestations": [{ "source_epoch": "2", "target_epoch": "3" }],
        })
    };
    let interchange = json!({
        "metadata": {
            "interchange_format_version": "5",
            "genesis_validators_root": format!("0x{}", "12".repeat(32)),
        },
        "data": [record(&first), record(&second)],
    });
    scratch.write("in.json", interchange.to_string());
    told(&scratch, "slashing import --data-dir data --from in.json");
    let marks = || {
        let text = told(&scratch, "slashing export --data-dir data");
        assert!(
            text.ends_with("}\n"),
            "a file ends with a line break: {text}"
        );
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let mut marks = Vec::new();
        for record in file["data"].as_array().expect("records") {
            let vote = &record["signed_attestations"][0];
            let slot = &record["signed_blocks"][0]["slot"];
            marks.push(
                format!("{slot} {} {}", vote["source_epoch"], vote["target_epoch"])
                    .replace('"', ""),
            );
        }
        marks
    };
    for (arguments, expected) in [
        ("--slot=200 --epoch=6".to_owned(), ["200 6 6", "200 6 6"]),
        (
            format!("--slot 300 --epoch 9 --validator-ids {second}"),
            ["200 6 6", "300 9 9"],
        ),
        (
            format!("--slot=400 --epoch=12 --validator-ids={first},{second}"),
            ["400 12 12", "400 12 12"],
        ),
    ] {
        told(
            &scratch,
            &format!("eth2 watermark-repair --data-dir data {arguments}"),
        );
        assert_eq!(marks(), expected, "{arguments}");
    }
    let lower = signerd(
        &scratch,
        "eth2 watermark-repair --data-dir data --slot=399 --epoch=12",
    );
    assert_eq!(lower.status.code(), Some(78));
    assert_eq!(marks(), ["400 12 12", "400 12 12"], "marks do not sink");
    told(
        &scratch,
        &format!("slashing watermark --data-dir data --key {first} --block-slot 150 --force"),
    );
    assert_eq!(marks(), ["150 12 12", "400 12 12"], "but by force");

    for (arguments, expected) in [
        (
            "--set-high-watermark=true --slot=900 --epoch=30",
            "nothing is signed from slot 900 or epoch 30 on\n",
        ),
        ("--remove-high-watermark", "no high watermark\n"),
    ] {
        let line = format!("eth2 watermark-repair --data-dir data {arguments}");
        assert_eq!(told(&scratch, &line), expected, "{arguments}");
    }
}

#[test]
fn healthcheck_and_wait_say_in_words_what_is_missing() {
    let scratch = Scratch::new("commands-words");
    told(&scratch, "keys new --count 2 --out new");
    let bad = "keystore-m_12381_3600_1_0_0";
    scratch.write(&format!("new/{bad}.txt"), "wrong");
    let keys = scratch.path().join("new").display().to_string();
    fs::create_dir(scratch.path().join("data")).expect("a data directory");
    let data = scratch.path().join("data").display().to_string();
    let signer = Signer::start(&["--keys", &keys, "--data-dir", &data]);
    let waited = signerd(&scratch, "wait --timeout 2 --data-dir data");
    let asked = signerd(&scratch, "healthcheck --data-dir data");
    for (name, output) in [("wait", waited), ("healthcheck", asked)] {
        assert_eq!(output.status.code(), Some(1), "{name}");
        let error = String::from_utf8_lossy(&output.stderr);
        let last = error
            .lines()
            .rfind(|line| line.starts_with("error: "))
            .expect("an error");
        assert!(
            last.contains("is not healthy: 1 of 2 keys; ")
                && last.contains(&format!("; {bad}.json: "))
                && !last.contains(['{', '…']),
            "{name}: {error}"
        );
        assert_eq!(error.contains("waiting: "), name == "wait", "{error}");
    }
    // Who asks over TCP, without a token, learns how many, but no name and no reason.
    let (_, port) = signer.address.rsplit_once(':').expect("an address");
    let asked = signerd(&scratch, &format!("healthcheck --port {port}"));
    let error = String::from_utf8_lossy(&asked.stderr);
    assert!(
        error.contains("1 of 2 keys; 1 did not load; the log says why") && !error.contains(bad),
        "{error}"
    );
}

#[test]
fn a_command_ends_quietly_when_nobody_reads_it_any_more() {
    let scratch = Scratch::new("commands-pipe");
    for arguments in [
        "keys list --interop-keys 0..64",
        "keys new --count 2 --out new",
        "check --interop-keys 0..1",
        "--help",
        "--version",
        "help",
        "keys --help",
        "completions bash",
        "completions zsh",
        "completions fish",
        "completions man",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(binary());
        command
            .args(arguments.split_whitespace())
            .current_dir(scratch.path())
            .env_clear()
            .stdout(writer);
        let output = command.output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(error, "", "{arguments}");
        assert!(
            matches!(output.status.code(), Some(0 | 141)),
            "{arguments}: {:?}",
            output.status
        );
    }
    let made = fs::read_dir(scratch.path().join("new")).expect("made");
    assert_eq!(made.count(), 5, "two keystores, two passwords, the phrase");
}

#[test]
fn keys_new_names_every_file_that_it_wrote() {
    let scratch = Scratch::new("commands-new");
    let text = told(&scratch, "keys new --count 1 --out new");
    for entry in fs::read_dir(scratch.path().join("new")).expect("made") {
        let name = entry.expect("entry").file_name();
        let name = name.to_str().expect("a plain name");
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(text.contains("signerd --keys new"), "{text}");
}

#[test]
fn an_import_that_the_server_refuses_is_told_with_its_whole_message() {
    let scratch = Scratch::new("commands-refused");
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("a data directory");
    let signer = Signer::start(&[
        "--data-dir",
        &data.display().to_string(),
        "--network",
        "hoodi",
    ]);
    let interchange = json!({
        "metadata": {
            "interchange_format_version": "5",
            "genesis_validators_root":
                "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        },
        "data": [{
            "pubkey": format!("0x{}", "ab".repeat(48)),
            "signed_blocks": [{ "slot": "99999999999" }],
            "signed_attestations": [],
        }],
    });
    scratch.write("in.json", interchange.to_string());
    // Without --network this side does not know that the slot lies in the future; the server does.
    let output = signerd(&scratch, "slashing import --data-dir data --from in.json");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "{error}");
    assert!(
        error.contains("answered 400: ") && !error.contains(['…', '{']),
        "{error}"
    );
    drop(signer);
}

#[test]
fn a_wrong_word_of_a_command_names_the_help_of_that_command() {
    let scratch = Scratch::new("commands-words");
    for (arguments, command) in [
        ("keys", "keys"),
        ("keys lst", "keys"),
        ("slashing exprt", "slashing"),
        ("healthcheck --expect-keys many", "healthcheck"),
        ("wait soon", "wait"),
    ] {
        let output = signerd(&scratch, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{arguments}: {error}");
        assert!(error.starts_with("error: "), "{arguments}: {error}");
        let hint = format!("hint: `signerd {command} --help` shows what it takes");
        assert!(error.contains(&hint), "{arguments}: {error}");
        told(&scratch, &format!("{command} --help"));
    }
}
