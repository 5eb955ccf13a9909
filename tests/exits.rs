//! Voluntary exits: signed in the domain that is valid now (EIP-7044), by `signerd exit` and for every
//! client, whatever fork it makes up for them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use blst::BLST_ERROR;
use blst::min_pk::{PublicKey, Signature};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signerd::hex;

use crate::support::{Scratch, Signer, binary};

const MAINNET: &str = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95";
const PHASE0: &str = "0x00000000";
const ALTAIR: &str = "0x01000000";
const BELLATRIX: &str = "0x02000000";
const CAPELLA: &str = "0x03000000";
const DENEB: &str = "0x04000000";
const ELECTRA: &str = "0x05000000";
const FULU: &str = "0x06000000";

/// The version and the first epoch of mainnet's forks.
const FORKS: [(&str, u64); 7] = [
    (PHASE0, 0),
    (ALTAIR, 74_240),
    (BELLATRIX, 144_896),
    (CAPELLA, 194_048),
    (DENEB, 269_568),
    (ELECTRA, 364_032),
    (FULU, 411_392),
];

/// The validator that leaves.
const INDEX: u64 = 7;

/// The signing root of an exit, by the letter of the consensus specification.
fn exit_root(epoch: u64, version: &str, chain: &str) -> [u8; 32] {
    let pair = |left: [u8; 32], right: [u8; 32]| -> [u8; 32] {
        Sha256::new()
            .chain_update(left)
            .chain_update(right)
            .finalize()
            .into()
    };
    let number = |number: u64| {
        let mut chunk = [0; 32];
        chunk[..8].copy_from_slice(&number.to_le_bytes());
        chunk
    };
    let mut version_chunk = [0; 32];
    version_chunk[..4].copy_from_slice(&hex::decode::<4>(version).unwrap());
    let fork_data = pair(version_chunk, hex::decode(chain).unwrap());
    let mut domain = [0; 32];
    domain[0] = 4; // DOMAIN_VOLUNTARY_EXIT
    domain[4..].copy_from_slice(&fork_data[..28]);
    pair(pair(number(epoch), number(INDEX)), domain)
}

fn is_signature_of(signature: &Value, root: [u8; 32], key: &str) -> bool {
    let signature: [u8; 96] = hex::decode(signature.as_str().unwrap()).unwrap();
    let key: [u8; 48] = hex::decode(key).unwrap();
    let signature = Signature::from_bytes(&signature).unwrap();
    let key = PublicKey::from_bytes(&key).unwrap();
    let tag = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
    signature.verify(true, &root, tag, &[], &key, true) == BLST_ERROR::BLST_SUCCESS
}

/// What a client sends for an exit.
struct Sent {
    previous: &'static str,
    current: &'static str,
    epoch: u64,
    /// Under which name it sends the root, if it does.
    root_field: Option<&'static str>,
}

/// The fork of mainnet at an epoch.
fn fork_at(epoch: u64) -> (&'static str, &'static str, u64) {
    let index = FORKS
        .iter()
        .rposition(|(_, begin)| *begin <= epoch)
        .unwrap();
    let previous = FORKS[index.saturating_sub(1)].0;
    (previous, FORKS[index].0, FORKS[index].1)
}

/// `fork_info` and the name of the root, as each client has them (CLIENTS of the remote signing API).
fn sent_by(client: &str, exit_epoch: u64) -> Sent {
    let at_exit = fork_at(exit_epoch);
    let present = fork_at(u64::MAX);
    let (fork, root_field) = match client {
        "Lighthouse" if exit_epoch >= 269_568 => {
            ((CAPELLA, CAPELLA, exit_epoch), Some("signingRoot"))
        }
        "Lighthouse" | "Prysm" => (at_exit, Some("signingRoot")),
        "Teku" | "Grandine" => (present, Some("signingRoot")),
        "Nimbus" => ((CAPELLA, CAPELLA, 0), None),
        "Lodestar" => ((BELLATRIX, CAPELLA, 194_048), Some("signingRoot")),
        "Vero" => ((BELLATRIX, CAPELLA, 194_048), None),
        "SSV" => ((CAPELLA, CAPELLA, 194_048), Some("signing_root")),
        other => unreachable!("{other}"),
    };
    Sent {
        previous: fork.0,
        current: fork.1,
        epoch: fork.2,
        root_field,
    }
}

fn request(exit_epoch: u64, sent: &Sent, root: [u8; 32]) -> Value {
    let mut request = json!({
        "type": "VOLUNTARY_EXIT",
        "fork_info": {
            "fork": {
                "previous_version": sent.previous,
                "current_version": sent.current,
                "epoch": sent.epoch.to_string(),
            },
            "genesis_validators_root": MAINNET,
        },
        "voluntary_exit": {"epoch": exit_epoch.to_string(), "validator_index": INDEX.to_string()},
    });
    if let Some(field) = sent.root_field {
        request[field] = json!(hex::encode(root));
    }
    request
}

fn start(arguments: &[&str]) -> (Signer, String) {
    let signer = Signer::start(&[&["--interop-keys", "0..1"], arguments].concat());
    signer.wait_loaded();
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    (signer, keys[0].as_str().unwrap().to_owned())
}

#[test]
fn every_clients_exit_is_signed_in_the_domain_that_is_valid_now() {
    for network in [&[][..], &["--network", "mainnet"]] {
        let (signer, key) = start(network);
        let path = format!("/api/v1/eth2/sign/{key}");
        for client in [
            "Lighthouse",
            "Prysm",
            "Teku",
            "Nimbus",
            "Lodestar",
            "Vero",
            "Grandine",
            "SSV",
        ] {
            for epoch in [0, 80_000, 150_000, 200_000, 300_000, 420_000] {
                let sent = sent_by(client, epoch);
                // Without a root, an exit before CAPELLA is signed as its fork_info says.
                if sent.root_field.is_none() && epoch < sent.epoch {
                    continue;
                }
                let root = exit_root(epoch, CAPELLA, MAINNET);
                let body = request(epoch, &sent, root).to_string();
                let answer = signer.client().post(&path, body.as_bytes());
                let case = format!("{client}, epoch {epoch}, {network:?}");
                assert_eq!(answer.status, 200, "{case}: {}", answer.text());
                assert!(
                    is_signature_of(&answer.json()["signature"], root, &key),
                    "{case}"
                );
            }
        }
    }
}

#[test]
fn an_exit_with_any_other_root_is_refused_and_one_without_a_root_follows_its_fork() {
    let (signer, key) = start(&["--network", "mainnet"]);
    let path = format!("/api/v1/eth2/sign/{key}");
    let sent = |previous, current, epoch, root_field| Sent {
        previous,
        current,
        epoch,
        root_field,
    };
    let named = Some("signingRoot");
    for (case, exit_epoch, sent, version, status) in [
        (
            "of the fork",
            0,
            sent(PHASE0, PHASE0, 0, named),
            PHASE0,
            200,
        ),
        ("of no fork", 0, sent(PHASE0, PHASE0, 0, named), ALTAIR, 400),
        (
            "of a later fork",
            300_000,
            sent(CAPELLA, DENEB, 269_568, named),
            DENEB,
            400,
        ),
        (
            "of the present",
            420_000,
            sent(ELECTRA, FULU, 411_392, named),
            FULU,
            400,
        ),
        (
            "none, before",
            150_000,
            sent(BELLATRIX, CAPELLA, 194_048, None),
            BELLATRIX,
            200,
        ),
        (
            "none, real fork",
            150_000,
            sent(ELECTRA, FULU, 411_392, None),
            CAPELLA,
            200,
        ),
    ] {
        let root = exit_root(exit_epoch, version, MAINNET);
        let body = request(exit_epoch, &sent, root).to_string();
        let answer = signer.client().post(&path, body.as_bytes());
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
        if status == 200 {
            let signature = &answer.json()["signature"];
            assert!(is_signature_of(signature, root, &key), "{case}");
        }
    }
    // Right under one name, wrong under the other.
    let root = exit_root(0, CAPELLA, MAINNET);
    let mut both = request(0, &sent(PHASE0, PHASE0, 0, named), root);
    both["signing_root"] = json!(hex::encode(exit_root(0, PHASE0, MAINNET)));
    let answer = signer.client().post(&path, both.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    // Another message's root.
    let other = exit_root(1, CAPELLA, MAINNET);
    let body = request(0, &sent(PHASE0, PHASE0, 0, named), other).to_string();
    let answer = signer.client().post(&path, body.as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
}

/// A network that began so many epochs ago, with mainnet's versions and CAPELLA at epoch 3.
fn config(epochs_ago: Option<u64>, deneb_epoch: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let time = epochs_ago.map_or_else(String::new, |epochs| {
        format!(
            "MIN_GENESIS_TIME: {}\nGENESIS_DELAY: 0\n",
            now - epochs * 32 * 12 - 6
        )
    });
    format!(
        "CONFIG_NAME: devnet\nPRESET_BASE: mainnet\n{time}\
         GENESIS_FORK_VERSION: {PHASE0}\nALTAIR_FORK_VERSION: {ALTAIR}\nALTAIR_FORK_EPOCH: 0\n\
         BELLATRIX_FORK_VERSION: {BELLATRIX}\nBELLATRIX_FORK_EPOCH: 0\n\
         CAPELLA_FORK_VERSION: {CAPELLA}\nCAPELLA_FORK_EPOCH: 3\n\
         DENEB_FORK_VERSION: {DENEB}\nDENEB_FORK_EPOCH: {deneb_epoch}\n"
    )
}

/// Before DENEB the root under CAPELLA's version is not the one that is valid, and is not signed.
#[test]
fn before_deneb_an_exit_is_signed_as_its_fork_says_and_not_otherwise() {
    let scratch = Scratch::new("exits-config");
    for (case, network, status) in [
        ("DENEB is to come", config(Some(5), 9), 400),
        ("DENEB has come", config(Some(10), 9), 200),
        ("DENEB was there from the start", config(None, 0), 200),
        ("nobody knows", config(None, 9), 400),
    ] {
        let path = scratch.write("config.yaml", network);
        let (signer, key) = start(&["--network", &path]);
        let root = exit_root(1, CAPELLA, MAINNET);
        let sent = Sent {
            previous: BELLATRIX,
            current: CAPELLA,
            epoch: 3,
            root_field: Some("signingRoot"),
        };
        let body = request(1, &sent, root).to_string();
        let sign = format!("/api/v1/eth2/sign/{key}");
        let answer = signer.client().post(&sign, body.as_bytes());
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
    }
}

fn exit_command(network: &str, epoch: u64, more: &[&str]) -> Output {
    let keys = ["--interop-keys", "0..1", "--network", network];
    let key = signerd::keys::seed::interop(0).ok().unwrap();
    let key = key.public_key().to_string();
    let epoch = epoch.to_string();
    let index = INDEX.to_string();
    Command::new(binary())
        .arg("exit")
        .args(keys)
        .args([
            "--key",
            &key,
            "--epoch",
            &epoch,
            "--validator-index",
            &index,
        ])
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn the_exit_command_signs_in_the_domain_that_is_valid_now_whatever_the_epoch() {
    let key = signerd::keys::seed::interop(0).ok().unwrap();
    let key = key.public_key().to_string();
    let scratch = Scratch::new("exits-command");
    let chain = ["--genesis-validators-root", MAINNET];
    let file = |name: &str, content| scratch.write(name, content);
    let to_come = file("to-come.yaml", config(Some(5), 9));
    let come = file("come.yaml", config(Some(10), 9));
    let from_start = file("from-start.yaml", config(None, 0));
    let unknown = file("unknown.yaml", config(None, 9));
    for (network, epoch, version, warns) in [
        ("mainnet", 0, CAPELLA, false),
        ("mainnet", 100_000, CAPELLA, false),
        ("mainnet", 200_000, CAPELLA, false),
        ("mainnet", 420_000, CAPELLA, false),
        (&to_come, 0, BELLATRIX, false),
        (&to_come, 3, CAPELLA, false),
        (&to_come, 9, CAPELLA, false),
        (&come, 0, CAPELLA, false),
        (&from_start, 0, CAPELLA, false),
        (&unknown, 1, BELLATRIX, true),
        (&unknown, 9, CAPELLA, false),
    ] {
        let output = exit_command(network, epoch, &chain);
        let printed = String::from_utf8_lossy(&output.stderr);
        let case = format!("{network}, epoch {epoch}: {printed}");
        assert!(output.status.success(), "{case}");
        assert_eq!(
            printed.contains("warning: the genesis time"),
            warns,
            "{case}"
        );
        let signed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(signed["message"]["epoch"], epoch.to_string(), "{case}");
        let root = exit_root(epoch, version, MAINNET);
        assert!(is_signature_of(&signed["signature"], root, &key), "{case}");
    }
}
