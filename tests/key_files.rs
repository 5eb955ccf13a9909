//! Files of other tools on the real binary: layouts, passwords, pipes, and JSON that is not a keystore.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::key_life::{health, listed, reload};
use crate::keymanager::{Manager, keystore, statuses};
use crate::support::{Scratch, Signer, binary, copy_binary};

/// A keystore of the vectors, the password that opens it, and its key.
struct Sample {
    json: String,
    password: String,
    key: String,
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The keystores of the interop keys 0 and 1.
fn samples() -> [Sample; 2] {
    let flat = vectors().join("layouts/flat");
    let mut files: Vec<_> = fs::read_dir(flat)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().unwrap() == "json");
    files.sort();
    let files: [PathBuf; 2] = files.try_into().unwrap();
    files.map(|path| Sample {
        json: fs::read_to_string(&path).unwrap(),
        password: fs::read_to_string(path.with_extension("txt"))
            .unwrap()
            .trim()
            .to_owned(),
        key: path.file_stem().unwrap().to_str().unwrap().to_owned(),
    })
}

/// `signerd keys list` with these options.
fn list(options: &[&str]) -> Output {
    Command::new(binary())
        .args(["keys", "list"])
        .args(options)
        .output()
        .unwrap()
}

/// The keys that it prints, sorted.
fn keys_of(output: &Output) -> Vec<String> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut keys = Vec::new();
    for line in printed.lines() {
        keys.extend(line.split_whitespace().next().map(str::to_owned));
    }
    keys.sort();
    keys
}

#[track_caller]
fn assert_lists(options: &[&str], expected: &[&str]) {
    let output = list(options);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(keys_of(&output), expected, "{options:?}: {errors}");
}

#[test]
fn keystores_that_lighthouse_has_imported_open_on_another_machine() {
    let scratch = Scratch::new("files-lighthouse");
    let [first, second] = samples();
    let (disabled, disabled_json, _) = keystore(7);
    for (key, name, json) in [
        (
            &first.key,
            "keystore-m_12381_3600_0_0_0-1.json",
            &first.json,
        ),
        (&second.key, "voting-keystore.json", &second.json),
        (
            &disabled.to_string(),
            "voting-keystore.json",
            &disabled_json,
        ),
    ] {
        scratch.write(&format!("validators/{key}/{name}"), json);
    }
    scratch.write(&format!("secrets/{}", second.key), &second.password);
    scratch.write(&format!("secrets/{disabled}"), "not asked for");
    let definitions = format!(
        "\u{feff}---\r\n\
         - enabled: true\r\n  voting_public_key: \"{}\"\r\n  type: local_keystore\r\n  \
           voting_keystore_path: /elsewhere/{}/keystore-m_12381_3600_0_0_0-1.json\r\n  \
           voting_keystore_password: \"{}\"\r\n\
         - enabled: true\r\n  voting_public_key: \"{}\"\r\n  type: local_keystore\r\n  \
           voting_keystore_path: /elsewhere/voting-keystore.json\r\n  \
           voting_keystore_password_path: /elsewhere/secrets/{}\r\n\
         - enabled: false\r\n  voting_public_key: \"{disabled}\"\r\n  type: local_keystore\r\n  \
           voting_keystore_path: /elsewhere/voting-keystore.json\r\n",
        first.key, first.key, first.password, second.key, second.key
    );
    scratch.write("validators/validator_definitions.yml", definitions);
    let top = scratch.path().display().to_string();
    for directory in [top.clone(), format!("{top}/validators")] {
        assert_lists(&["--keys", &directory], &[&first.key, &second.key]);
    }

    fs::remove_dir_all(scratch.path().join("validators").join(&first.key)).unwrap();
    let output = list(&["--keys", &top]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("no such file; it is named in"), "{errors}");
    assert_eq!(keys_of(&output), [second.key]);
}

#[test]
fn a_list_of_lighthouse_that_cannot_be_read_keeps_its_keys_and_enables_no_other() {
    let scratch = Scratch::new("files-lighthouse-broken");
    let [first, second] = samples();
    for sample in [&first, &second] {
        scratch.write(
            &format!("validators/{}/voting-keystore.json", sample.key),
            &sample.json,
        );
        scratch.write(&format!("secrets/{}", sample.key), &sample.password);
    }
    let entry = |key: &str, enabled: bool| {
        format!(
            "- enabled: {enabled}\n  voting_public_key: \"{key}\"\n  type: local_keystore\n  \
               voting_keystore_path: voting-keystore.json\n"
        )
    };
    let definitions = entry(&first.key, true) + &entry(&second.key, false);
    scratch.write("validators/validator_definitions.yml", &definitions);
    let signer = Signer::start(&["--keys", scratch.path().to_str().unwrap()]);
    signer.wait_loaded();
    assert_eq!(
        (listed(&signer), health(&signer).0),
        (vec![first.key.clone()], 200)
    );
    scratch.write("validators/validator_definitions.yml", &definitions[..90]);
    reload(&signer);
    assert_eq!(
        (listed(&signer), health(&signer).0),
        (vec![first.key.clone()], 503)
    );
    let both = entry(&first.key, false) + &entry(&second.key, true);
    scratch.write("validators/validator_definitions.yml", both);
    reload(&signer);
    assert_eq!(
        (listed(&signer), health(&signer).0),
        (vec![second.key], 200)
    );
}

#[test]
fn keystores_that_teku_has_imported_open_from_each_directory_above() {
    let scratch = Scratch::new("files-teku");
    let [first, second] = samples();
    for sample in [&first, &second] {
        let name = sample.key.trim_start_matches("0x");
        scratch.write(
            &format!("teku/validator/key-manager/local/{name}.json"),
            &sample.json,
        );
        scratch.write(
            &format!("teku/validator/key-manager/local-passwords/{name}.txt"),
            &sample.password,
        );
    }
    let top = scratch.path().display().to_string();
    for below in ["teku/validator/key-manager", "teku/validator", "teku"] {
        assert_lists(
            &["--keys", &format!("{top}/{below}")],
            &[&first.key, &second.key],
        );
    }
}

#[test]
fn several_layouts_one_level_down_are_named_and_none_is_loaded() {
    let scratch = Scratch::new("files-several");
    for sample in samples() {
        scratch.write(&format!("{}/keys/a.json", sample.key), &sample.json);
        scratch.write(&format!("{}/passwords/a.txt", sample.key), &sample.password);
    }
    let output = list(&["--keys", scratch.path().to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for sample in samples() {
        assert!(errors.contains(&sample.key), "{errors}");
    }
}

#[test]
fn passwords_open_with_what_editors_and_tools_put_around_them() {
    let scratch = Scratch::new("files-passwords");
    let [sample, _] = samples();
    let keystores = scratch.path().join("keys");
    scratch.write("keys/plain.json", &sample.json);
    let plain = &sample.password;
    for (text, said) in [
        (plain.clone(), ""),
        (format!("{plain}\r\n"), ""),
        (
            format!("  {plain}\t \n"),
            "without the white space around it",
        ),
        (format!("\n\n {plain}"), "without the white space around it"),
        (
            format!("\u{feff}{plain}\r\n"),
            "without its byte order mark",
        ),
        (
            format!("\u{feff} {plain} \r\n"),
            "without its byte order mark and the white space around it",
        ),
    ] {
        let password = scratch.write("password", &text);
        let options = [
            "--keystores-path",
            keystores.to_str().unwrap(),
            "--keystores-password-file",
            &password,
        ];
        assert_lists(&options, &[&sample.key]);
        let mut signer = Signer::start(&options);
        signer.wait_loaded();
        let log = signer.log();
        assert_eq!(listed(&signer), [sample.key.as_str()], "{text:?}");
        assert_eq!(
            log.contains("opened with its password"),
            !said.is_empty(),
            "{log}"
        );
        assert!(log.contains(said), "{text:?}: {log}");
        assert!(!log.contains(plain.as_str()), "the password is in the log");
    }
}

#[test]
fn old_keystores_of_go_tools_open_with_the_password_that_a_user_types() {
    let scratch = Scratch::new("files-marks");
    let json =
        fs::read_to_string(vectors().join("keystores/combining-marks-dropped.json")).unwrap();
    let [sample, _] = samples();
    scratch.write("keys/a.json", format!("\u{feff}{json}\r\n"));
    scratch.write("keys/a.txt", "contrase\u{f1}a\n");
    let keystores = scratch.path().join("keys").display().to_string();
    let options = [
        "--keystores-path",
        &keystores,
        "--keystores-passwords-path",
        &keystores,
    ];
    assert_lists(&options, &[&sample.key]);

    let data = Scratch::new("files-marks-data");
    let manager = Manager::start(&data, &[]);
    let body = json!({"keystores": [format!("\u{feff}{json}")], "passwords": ["contrase\u{f1}a"]});
    assert_eq!(statuses(&manager.call("POST", &body)), ["imported"]);
    drop(manager);
    let mut manager = Manager::start(&data, &[]);
    manager.signer.wait_loaded();
    assert_eq!(manager.listed(), [sample.key.as_str()]);
    assert!(manager.signer.log().contains("as old Go tools wrote it"));
}

#[test]
fn a_key_configuration_takes_the_first_line_of_its_password_file() {
    let scratch = Scratch::new("files-first-line");
    let [sample, _] = samples();
    scratch.write("a.json", &sample.json);
    scratch.write(
        "a.yaml",
        "\u{feff}type: file-keystore\r\nkeystoreFile: a.json\r\nkeystorePasswordFile: a.password\r\n",
    );
    for rest in ["", "\n", "\r\n", "\nsecond line\n", "\r\nsecond line"] {
        scratch.write("a.password", format!("{}{rest}", sample.password));
        let directory = scratch.path().to_str().unwrap();
        assert_lists(&["--key-config-path", directory], &[&sample.key]);
    }
}

#[test]
fn what_a_pipe_gives_serves_all_keys_and_those_of_a_reload() {
    let scratch = Scratch::new("files-pipe");
    let (first, second, third) = (keystore(1), keystore(2), keystore(3));
    let password = "one for all";
    let put = |number: u32| {
        let json = crate::keymanager::sealed(&secret(number), password);
        scratch.write(&format!("keys/{number}.json"), json);
    };
    put(1);
    put(2);
    let words = "abandon ".repeat(11) + "about";
    let keystores = scratch.path().join("keys").display().to_string();
    let script = format!(
        "exec \"$0\" \"$@\" --keystores-password-file <(printf '{password}\\r\\n') --mnemonic-file <(printf '{words}')"
    );
    let signer = Signer::spawn(
        Command::new("bash")
            .args(["-c", &script])
            .arg(binary())
            .args([
                "--port",
                "0",
                "--keystores-path",
                &keystores,
                "--key-range",
                "0..130",
            ]),
    );
    signer.wait_loaded();
    assert_eq!((listed(&signer).len(), health(&signer).0), (132, 200));
    put(3);
    assert_eq!(reload(&signer)["status"], "completed");
    let keys = listed(&signer);
    assert_eq!(keys.len(), 133);
    for (key, ..) in [first, second, third] {
        assert!(keys.contains(&key.to_string()));
    }
}

/// The secret of `keymanager::keystore`.
fn secret(number: u32) -> [u8; 32] {
    let mut secret = [0; 32];
    secret[28..].copy_from_slice(&(number + 1).to_be_bytes());
    secret
}

#[test]
fn json_that_is_plainly_not_a_keystore_is_skipped_and_a_damaged_keystore_is_not() {
    let scratch = Scratch::new("files-other-json");
    let [sample, _] = samples();
    let deposits: Vec<_> = (0..500)
        .map(|number| json!({"pubkey": "aa".repeat(48), "amount": number, "deposit_cli_version": "2.7.0"}))
        .collect();
    scratch.write("keys/a.json", &sample.json);
    scratch.write(
        "keys/deposit_data-1700000000.json",
        json!(deposits).to_string(),
    );
    scratch.write(
        "keys/slashing_protection.json",
        r#"{"metadata": {}, "data": []}"#,
    );
    let password = scratch.write("password", &sample.password);
    let keystores = scratch.path().join("keys").display().to_string();
    let options = [
        "--keystores-path",
        &keystores,
        "--keystores-password-file",
        &password,
    ];
    let mut signer = Signer::start(&options);
    signer.wait_loaded();
    assert_eq!(
        (listed(&signer), health(&signer).0),
        (vec![sample.key.clone()], 200)
    );
    let log = signer.log();
    assert_eq!(log.matches("skipped, not a keystore").count(), 2, "{log}");
    reload(&signer);
    assert_eq!(signer.log().matches("skipped, not a keystore").count(), 2);

    scratch.write("keys/cut-off.json", &sample.json[..sample.json.len() / 2]);
    scratch.write("keys/slashing_protection.json", r#"{"metadata": {}, "da"#);
    reload(&signer);
    assert_eq!(
        (listed(&signer), health(&signer).0),
        (vec![sample.key], 503)
    );
}

#[test]
fn a_password_that_is_wrong_missing_or_not_readable_is_named_with_its_real_cause() {
    let scratch = Scratch::new("files-causes");
    let [sample, _] = samples();
    scratch.write("a.json", &sample.json);
    let directory = scratch.path().display().to_string();
    let options = [
        "--keystores-path",
        &directory,
        "--keystores-passwords-path",
        &directory,
    ];
    let errors = |output: Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let missing = errors(list(&options));
    assert!(
        missing.contains("a.txt: no such file: the password is expected there"),
        "{missing}"
    );

    let password = scratch.write("a.txt", "not it");
    let wrong = errors(list(&options));
    assert!(
        wrong.contains("the password is wrong") && wrong.contains("a.txt"),
        "{wrong}"
    );

    // Somebody else, who may see the directory but not the file.
    fs::set_permissions(&password, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(
        scratch.path().join("a.json"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let output = as_another_user(&scratch, &[&["keys", "list"], &options[..]].concat(), &[]);
    let denied = errors(output);
    for part in [
        "a.txt: Permission denied",
        "belongs to uid 0 and gid 0 with mode 0640",
        "runs as uid 10001 and gid 10001",
        "chgrp 10001",
        "chmod 0440",
    ] {
        assert!(denied.contains(part), "{denied}");
    }
}

/// Runs the binary as the user of the container image, who may enter the scratch directory.
fn as_another_user(scratch: &Scratch, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = scratch.path().join("signerd");
    copy_binary(&program);
    Command::new("setpriv")
        .args(["--reuid=10001", "--regid=10001", "--clear-groups"])
        .arg(&program)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_place_that_this_user_or_the_unit_may_not_see_is_named_with_the_command_that_helps() {
    let scratch = Scratch::new("files-denied");
    let [sample, _] = samples();
    let directory = scratch.path().display().to_string();
    for name in ["closed/below/a.json", "keystore/a.json"] {
        scratch.write(name, &sample.json);
    }
    scratch.write("closed/below/a.txt", &sample.password);
    scratch.write("keystore/a.txt", &sample.password);
    scratch.write("words", "abandon ".repeat(11) + "about");
    for (name, mode) in [
        ("closed", 0o700),
        ("closed/below", 0o755),
        ("keystore", 0o755),
        ("keystore/a.json", 0o600),
        ("words", 0o640),
    ] {
        let path = scratch.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let place = |name: &str| format!("{directory}/{name}");
    let unit = [("INVOCATION_ID", "0123456789abcdef0123456789abcdef")];
    for (case, arguments, environment, parts) in [
        (
            "a directory above is closed",
            vec!["keys", "list", "--keys", &place("closed/below")],
            &[][..],
            vec![
                "Permission denied",
                &format!("{directory}/closed belongs to uid 0 and gid 0 with mode 0700"),
                &format!("chgrp 10001 {directory}/closed && chmod 0750 {directory}/closed"),
                "on the host",
            ],
        ),
        (
            "a keystore is closed",
            vec!["keys", "list", "--keys", &place("keystore")],
            &[],
            vec!["a.json", "with mode 0600", "chmod 0440"],
        ),
        (
            "the words are closed",
            vec![
                "keys",
                "list",
                "--mnemonic-file",
                &place("words"),
                "--key-range",
                "0..1",
            ],
            &[],
            vec!["words", "with mode 0640", "chgrp 10001"],
        ),
        (
            "a unit does not see homes",
            vec!["keys", "list", "--keys", "/root/signerd-keys"],
            &unit,
            vec!["ProtectHome=", "/var/lib/signerd"],
        ),
        (
            "no unit: nothing is hidden, /root is closed",
            vec!["keys", "list", "--keys", "/root/signerd-keys"],
            &[],
            vec!["/root belongs to uid 0"],
        ),
    ] {
        let output = as_another_user(&scratch, &arguments, environment);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{case}: {errors}");
        for part in parts {
            assert!(errors.contains(part), "{case}: {errors}");
        }
    }
}

#[test]
fn a_start_without_keys_warns_and_names_three_ways_to_add_some() {
    let scratch = Scratch::new("files-none");
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(scratch.path().join("empty")).unwrap();
    let data = data.display().to_string();
    let empty = scratch.path().join("empty").display().to_string();
    let [sample, _] = samples();
    scratch.write("failing/a.json", &sample.json);
    let failing = scratch.path().join("failing").display().to_string();
    for (case, options, warns) in [
        ("no source", vec![], true),
        ("a data directory", vec!["--data-dir", data.as_str()], true),
        (
            "an empty directory",
            vec![
                "--keystores-path",
                &empty,
                "--keystores-passwords-path",
                &empty,
            ],
            true,
        ),
        ("a key", vec!["--interop-keys", "0..1"], false),
        (
            "a keystore without its password, which has a line of its own",
            vec![
                "--keystores-path",
                &failing,
                "--keystores-passwords-path",
                &failing,
            ],
            false,
        ),
    ] {
        let mut signer = Signer::start(&options);
        if warns {
            signer.wait_for_line("there are no keys");
        } else {
            signer.wait_for_line("all sources are read");
            reload(&signer); // the warning of the start has had its time
        }
        let log = signer.log();
        let warning = log.lines().find(|line| line.contains("there are no keys"));
        assert_eq!(warning.is_some(), warns, "{case}: {log}");
        for way in [
            "WARN",
            "--keys DIR",
            "POST /eth/v1/keystores",
            "keystores and reload",
        ] {
            assert!(
                warning.is_none_or(|line| line.contains(way)),
                "{case}: {log}"
            );
        }
    }
}

#[test]
fn a_data_directory_of_another_user_is_named_with_the_command_that_helps() {
    let scratch = Scratch::new("files-data-owner");
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let data = data.display().to_string();
    let output = as_another_user(&scratch, &["--port", "0", "--data-dir", &data], &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(73), "{errors}");
    for part in [
        "api-token.txt: Permission denied",
        "belongs to uid 0 and gid 0 with mode 0755",
        &format!("chown 10001:10001 {data}"),
    ] {
        assert!(errors.contains(part), "{errors}");
    }
}

#[test]
fn a_list_of_no_keys_says_so_beside_its_output() {
    let scratch = Scratch::new("files-no-list");
    fs::create_dir(scratch.path().join("empty")).unwrap();
    let empty = scratch.path().join("empty").display().to_string();
    let options = [
        "--keystores-path",
        &empty,
        "--keystores-passwords-path",
        &empty,
    ];
    let output = list(&options);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{errors}"
    );
    assert!(errors.contains("these settings give no keys"), "{errors}");
    let output = list(&["--interop-keys", "0..1"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("give no keys"));
}

#[test]
fn a_passphrase_from_another_system_gives_the_same_keys() {
    let scratch = Scratch::new("files-passphrase");
    let words = scratch.write("words", "abandon ".repeat(11) + "about");
    let keys = |passphrase: &str| {
        let file = scratch.write("passphrase", passphrase);
        let output = list(&[
            "--mnemonic-file",
            &words,
            "--mnemonic-passphrase-file",
            &file,
            "--key-range",
            "0..2",
        ]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{passphrase:?}: {errors}");
        keys_of(&output)
    };
    let expected = keys("TREZOR");
    for text in [
        "TREZOR\n",
        "TREZOR\r\n",
        "TREZOR\r",
        "\u{feff}TREZOR\r\n",
        "TREZOR\n\n",
    ] {
        assert_eq!(keys(text), expected, "{text:?}");
    }
    for text in [" TREZOR", "TREZOR ", "trezor", ""] {
        assert_ne!(keys(text), expected, "{text:?}");
    }
}

#[test]
fn the_log_names_the_keys_of_imports_and_deletions() {
    let data = Scratch::new("files-log");
    let mut manager = Manager::start(&data, &[]);
    let (one, two) = (keystore(1).0, keystore(2).0);
    assert_eq!(manager.import([1, 2]), ["imported", "imported"]);
    assert_eq!(manager.import([1]), ["duplicate"]);
    assert_eq!(statuses(&manager.delete(&[two])), ["deleted"]);
    for line in [
        format!("2 keys imported: {one}, {two}"),
        format!("{one}: not imported, it is loaded already"),
        format!("1 key deleted: {two}"),
    ] {
        manager.signer.wait_for_line(&line);
    }
    assert!(!manager.signer.log().contains(" 0 keys imported"));
}
