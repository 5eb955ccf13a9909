//! Files and texts of operators and other programs: every input is read or refused, and what is read
//! holds.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use signerd::cli;
use signerd::consensus::network::Fork;
use signerd::consensus::networks::Networks;
use signerd::consensus::primitives::Epoch;
use signerd::fuzzing;
use signerd::keys::keystore::Keystore;
use signerd::server::tls::{Tls, TlsFiles, TlsIdentity};
use signerd::slashing::{DatabaseSettings, Protection, ProtectionSettings};

use super::choices::Choices;

/// A keystore. One whose derivation is cheap is opened too, with the password that all seeds have.
pub(crate) fn keystore(data: &[u8]) {
    let Ok(keystore) = Keystore::parse(data) else {
        return;
    };
    let other: serde_json::Value = serde_json::from_slice(data).expect("read, but not JSON");
    assert_eq!(other["version"], 4, "read another version");
    let parameters = &other["crypto"]["kdf"]["params"];
    let cost = |name: &str| parameters[name].as_u64().unwrap_or(1);
    if cost("n") * cost("r") * cost("p") <= 1 << 10 && cost("c") <= 1 << 10 {
        let _ = keystore.open("testpassword");
    }
}

/// An interchange file: what is taken is exported, and taken again without a change.
pub(crate) fn interchange(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let settings = ProtectionSettings {
        directory: PathBuf::new(),
        database: None,
        pruning: None,
        min_slot: None,
        min_epoch: None,
        chain: None,
        clock: None,
        has_keys: false,
        replaces_lost_store: false,
    };
    let checked = settings.check_import(text, true);
    let imported = Protection::Off.import(text);
    assert_eq!(checked.is_ok(), imported.is_ok(), "two verdicts");
    if let Ok(summary) = imported {
        let other: serde_json::Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("taken, but not JSON");
        let entries = other["data"].as_array().map_or(0, Vec::len);
        assert!(summary.keys <= entries, "more keys than entries");
    }
}

/// A network's `config.yaml`: a network that is read has a fork at every epoch.
pub(crate) fn network_config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Ok(networks) = Networks::from_yaml(text) else {
        return;
    };
    assert!(networks.slots_per_epoch() > 0, "an epoch without slots");
    for epoch in [0, 1, u64::MAX - 1, u64::MAX] {
        let fork = networks.fork_at(Epoch(epoch));
        assert!(fork.epoch.0 <= epoch, "a fork before its epoch");
        networks.has(Fork::Gloas, Epoch(epoch));
        networks.slot_at(epoch);
        networks.epoch_now(epoch);
    }
}

/// Key configuration files, and lists of validators.
pub(crate) fn key_config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let is_secret = text
        .lines()
        .filter(|line| line.contains(SECRET))
        .all(names_a_secret);
    for error in [
        fuzzing::read_key_config(text).err(),
        fuzzing::read_definitions(text).err(),
    ] {
        let message = error.unwrap_or_default();
        assert!(
            !is_secret || !message.contains(SECRET),
            "an error repeats a secret: {message}"
        );
    }
}

/// Whether the line is the value of a field that is secret. libFuzzer copies what the seeds have as password
/// into other fields too, which an error may repeat.
fn names_a_secret(line: &str) -> bool {
    const FIELDS: [&str; 3] = ["privateKey:", "password:", "voting_keystore_password:"];
    let line = line.trim_start_matches([' ', '-']);
    FIELDS.iter().any(|field| line.starts_with(field))
}

/// The seeds have this as password and as key.
const SECRET: &str = "5ec4e75ec4e75ec4e75ec4e75ec4e7";

/// Our certificate and key: PEM, or PKCS#12 when the first byte is odd.
pub(crate) fn certificates(data: &[u8]) {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = PathBuf::from(format!("/dev/shm/signerd-fuzz-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory in memory");
        write_private(&directory.join("password"), b"password\n");
        directory
    });
    let mut choices = Choices::new(data);
    let is_pkcs12 = choices.flag();
    let file = DIRECTORY.join("identity");
    write_private(&file, choices.rest());
    let identity = if is_pkcs12 {
        TlsIdentity::Pkcs12(file, DIRECTORY.join("password"))
    } else {
        TlsIdentity::Pem(file.clone(), file)
    };
    let files = TlsFiles {
        identity,
        client_ca: None,
        known_clients: None,
        allow_insecure_permissions: false,
    };
    if let Err(error) = Tls::open(files) {
        assert!(!error.to_string().is_empty(), "an error without words");
    }
}

fn write_private(file: &PathBuf, bytes: &[u8]) {
    fs::write(file, bytes).expect("written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("private");
}

/// A command line and an environment: one word a line, variables with `=` after a line of `--env`. Words
/// with a slash are left out: the target reads no file of the machine.
pub(crate) fn command_line(data: &[u8]) {
    let mut arguments = vec![OsString::from("signerd")];
    let mut environment = Vec::new();
    let mut is_environment = false;
    for word in data.split(|&byte| byte == b'\n') {
        if word.contains(&b'/') || word.contains(&0) {
            continue;
        }
        let word = std::ffi::OsStr::from_bytes(word);
        if word == "--env" {
            is_environment = true;
        } else if !is_environment {
            arguments.push(word.to_owned());
        } else if let Some(at) = word.as_bytes().iter().position(|&byte| byte == b'=') {
            let (name, value) = word.as_bytes().split_at(at);
            let text = |bytes| std::ffi::OsStr::from_bytes(bytes).to_owned();
            environment.push((text(name), text(&value[1..])));
        }
    }
    let first = cli::parse(arguments.clone(), environment.clone());
    let second = cli::parse(arguments, environment);
    assert_eq!(
        first.is_ok(),
        second.is_ok(),
        "two verdicts on one command line"
    );
}

/// A JDBC URL, and properties of Web3Signer's pool after a line end: a URL that is shown shows no password.
pub(crate) fn database_url(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (url, properties) = text.split_once('\n').unwrap_or((text, ""));
    let error = match DatabaseSettings::from_url(url) {
        Err(error) => error,
        Ok(mut settings) => {
            assert!(!settings.hosts.is_empty(), "a URL without a host");
            let shown = settings.shown();
            if let Some(password) = &settings.password
                && password.len() >= SECRET.len()
                && url.matches(password.as_str()).count() == 1
            {
                assert!(!shown.contains(password.as_str()), "a password is shown");
            }
            settings
                .apply_pool_properties(properties)
                .err()
                .unwrap_or_default()
        }
    };
    // A property that does not exist is named.
    assert!(
        properties.contains(SECRET) || !error.contains(SECRET),
        "an error repeats a password: {error}"
    );
}

/// What a database server sends.
pub(crate) fn database_messages(data: &[u8]) {
    // More would not fit into the buffer of a socket.
    let sent = &data[..data.len().min(64 << 10)];
    let _ = fuzzing::talk_to_database(sent).expect("sockets");
}
