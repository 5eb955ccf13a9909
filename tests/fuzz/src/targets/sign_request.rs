//! Sign requests: random messages of every type and fork, against a second computation of the root, in
//! every dialect; and random bytes against a second reader of JSON.

use signerd::consensus::networks::Networks;
use signerd::consensus::request::SignRequest;

use super::choices::Choices;
use super::json::Value;
use super::ssz::{Chunk, Preset, hash, make, padded};

const FORKS: [&str; 9] = [
    "PHASE0",
    "ALTAIR",
    "BELLATRIX",
    "CAPELLA",
    "DENEB",
    "ELECTRA",
    "FULU",
    "GLOAS",
    "HEZE",
];
const DENEB: usize = 4;
const CAPELLA: usize = 3;
const HEZE: usize = 8;

/// A message as it is put into a request.
struct Message {
    /// The values of `type`.
    names: &'static [&'static str],
    /// The fields that may hold the object.
    fields: &'static [&'static str],
    object: Value,
    root: Chunk,
    domain_type: [u8; 4],
    moment: Moment,
}

/// What decides the version of the domain.
enum Moment {
    Slot(u64),
    Epoch(u64),
    Exit(u64),
    Genesis(Option<Vec<u8>>),
}

/// Builds a request of what the bytes choose; it must be accepted, and its root must be ours.
pub(crate) fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let choices = &mut choices;
    let preset = choices.one_of(&[Preset::Mainnet, Preset::Minimal]);
    let networks = Networks::from_yaml(&config(preset)).expect("a configuration");
    let slots_per_epoch = match preset {
        Preset::Mainnet => 32,
        Preset::Minimal => 8,
    };
    let previous = choices.below(FORKS.len());
    let current = choices.below(FORKS.len());
    let fork_epoch = choices.number();
    let mut heze_epoch = self::fork_epoch(HEZE);
    if current == HEZE {
        heze_epoch = heze_epoch.min(fork_epoch);
    }
    let message = any_message(preset, heze_epoch.saturating_mul(slots_per_epoch), choices);
    let chain = padded(&choices.fill(32));
    let by_epoch = |epoch: u64| {
        if epoch < fork_epoch {
            previous
        } else {
            current
        }
    };
    let (version, chain_of_domain) = match &message.moment {
        Moment::Slot(slot) => (version(by_epoch(slot / slots_per_epoch)), chain),
        Moment::Epoch(epoch) => (version(by_epoch(*epoch)), chain),
        // EIP-7044
        Moment::Exit(_) if current >= DENEB => (version(CAPELLA), chain),
        Moment::Exit(epoch) => (version(by_epoch(*epoch)), chain),
        Moment::Genesis(None) => (version(0), [0; 32]),
        Moment::Genesis(Some(bytes)) => (bytes.clone(), [0; 32]),
    };
    let mut domain = hash(padded(&version), chain_of_domain);
    domain.copy_within(..28, 4);
    domain[..4].copy_from_slice(&message.domain_type);
    let expected = hash(message.root, domain);

    let name = choices.one_of(message.names);
    let name = if choices.below(4) == 1 {
        name.to_lowercase()
    } else {
        name.to_owned()
    };
    let mut members = vec![
        ("type".to_owned(), Value::Text(name)),
        (choices.one_of(message.fields).to_owned(), message.object),
    ];
    if !matches!(message.moment, Moment::Genesis(_)) || choices.flag() {
        members.push((
            "fork_info".to_owned(),
            fork_info(previous, current, fork_epoch, chain),
        ));
    }
    let claims: &[&str] = choices.one_of(&[
        &[][..],
        &["signingRoot"],
        &["signing_root"],
        &["signingRoot", "signing_root"],
    ]);
    for claim in claims {
        members.push(((*claim).to_owned(), Value::Hex(expected.to_vec())));
    }
    let mut body = String::new();
    Value::Object(members).write(&mut body, choices);
    body.insert_str(0, choices.one_of(&["", " ", "\n"]));

    let request = match SignRequest::parse(body.as_bytes(), &networks) {
        Ok(request) => request,
        Err(error) => panic!("{error}: {body}"),
    };
    match request.signing_root(&networks, 0) {
        Ok(root) => assert_eq!(root.0, expected, "{body}"),
        Err(error) => panic!("{error}: {body}"),
    }
}

/// Reads any bytes: what we accept, another reader of JSON accepts too, and as an object.
pub(crate) fn run_bytes(data: &[u8]) {
    let networks = Networks::default();
    let Ok(request) = SignRequest::parse(data, &networks) else {
        return;
    };
    let other: serde_json::Value = serde_json::from_slice(data).expect("accepted, but not JSON");
    assert!(other.is_object(), "accepted, but not an object");
    let root = request.signing_root(&networks, u64::MAX);
    if let (Ok(root), Some(claim)) = (root, other["signingRoot"].as_str()) {
        let claim = claim.trim_start_matches("0x").trim_start_matches("0X");
        assert!(
            root.to_string()[2..].eq_ignore_ascii_case(claim),
            "signs another root than was claimed"
        );
    }
}

/// A chain with all forks; a bare aggregate is then one of the container that its slot asks for.
fn config(preset: Preset) -> String {
    let name = match preset {
        Preset::Mainnet => "mainnet",
        Preset::Minimal => "minimal",
    };
    let mut text = format!(
        "PRESET_BASE: {name}\nCONFIG_NAME: fuzz\nGENESIS_FORK_VERSION: 0x{}\n",
        hex(0)
    );
    for (index, fork) in FORKS.iter().enumerate().skip(1) {
        let epoch = fork_epoch(index);
        text += &format!(
            "{fork}_FORK_VERSION: 0x{}\n{fork}_FORK_EPOCH: {epoch}\n",
            hex(index)
        );
    }
    text
}

fn version(fork: usize) -> Vec<u8> {
    vec![0xfe, u8::try_from(fork).expect("a few forks"), 0, 0x77]
}

fn hex(fork: usize) -> String {
    version(fork)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn fork_epoch(fork: usize) -> u64 {
    fork as u64
}

fn fork_info(previous: usize, current: usize, epoch: u64, chain: Chunk) -> Value {
    let fork = vec![
        ("previous_version".to_owned(), Value::Hex(version(previous))),
        ("current_version".to_owned(), Value::Hex(version(current))),
        ("epoch".to_owned(), Value::Number(epoch.to_string())),
    ];
    Value::Object(vec![
        ("fork".to_owned(), Value::Object(fork)),
        (
            "genesis_validators_root".to_owned(),
            Value::Hex(chain.to_vec()),
        ),
    ])
}

fn any_message(preset: Preset, heze_slot: u64, choices: &mut Choices<'_>) -> Message {
    const PROPOSER: [u8; 4] = [0, 0, 0, 0];
    const BUILDER: [u8; 4] = [0x0b, 0, 0, 0];
    let plain =
        |names, fields, type_name, domain_type, path: &[&str], choices: &mut Choices<'_>| {
            let (object, root) = make(type_name, preset, choices);
            let moment = Moment::Slot(number(&object, path));
            Message {
                names,
                fields,
                object,
                root,
                domain_type,
                moment,
            }
        };
    match choices.below(18) {
        0 | 1 => aggregate(preset, choices),
        2 => {
            let (slot, root) = make("uint64", preset, choices);
            let object = Value::Object(vec![("slot".to_owned(), slot)]);
            let moment = Moment::Slot(number(&object, &["slot"]));
            Message {
                names: &["AGGREGATION_SLOT"],
                fields: &["aggregation_slot"],
                object,
                root,
                domain_type: [5, 0, 0, 0],
                moment,
            }
        }
        3 => {
            let (object, root) = make("AttestationData", preset, choices);
            let moment = Moment::Epoch(number(&object, &["target", "epoch"]));
            Message {
                names: &["ATTESTATION"],
                fields: &["attestation"],
                object,
                root,
                domain_type: [1, 0, 0, 0],
                moment,
            }
        }
        4 => plain(
            &["BLOCK"],
            &["block"],
            "BeaconBlock",
            PROPOSER,
            &["slot"],
            choices,
        ),
        5 => {
            let fork = choices.below(FORKS.len());
            let (type_name, field) = match fork {
                0 => ("BeaconBlock", "block"),
                1 => ("BeaconBlockAltair", "block"),
                _ => ("BeaconBlockHeader", "block_header"),
            };
            let mut message = plain(
                &["BLOCK_V2"],
                &["beacon_block"],
                type_name,
                PROPOSER,
                &["slot"],
                choices,
            );
            message.object = Value::Object(vec![
                ("version".to_owned(), Value::Text(FORKS[fork].to_owned())),
                (field.to_owned(), message.object),
            ]);
            message
        }
        6 => {
            let names: &[&str] = &["BUILDER_REQUEST_AUTH", "REQUEST_AUTH"];
            let fields: &[&str] = &["builder_request_auth", "request_auth"];
            let mut message = plain(
                names,
                fields,
                "BuilderRequestAuth",
                [0x0b, 0, 0, 1],
                &["slot"],
                choices,
            );
            message.moment = Moment::Genesis(None);
            wrap_since_gloas(message, choices)
        }
        7 => {
            let (object, root) = make("DepositMessage", preset, choices);
            let Value::Object(mut members) = object else {
                unreachable!("a container")
            };
            let version = choices.fill(4);
            members.push((
                "genesis_fork_version".to_owned(),
                Value::Hex(version.clone()),
            ));
            Message {
                names: &["DEPOSIT"],
                fields: &["deposit"],
                object: Value::Object(members),
                root,
                domain_type: [3, 0, 0, 0],
                moment: Moment::Genesis(Some(version)),
            }
        }
        8 => {
            let names: &[&str] = &["EXECUTION_PAYLOAD_BID"];
            let fields: &[&str] = &["execution_payload_bid"];
            let is_heze = choices.flag();
            let type_name = if is_heze {
                "ExecutionPayloadBidHeze"
            } else {
                "ExecutionPayloadBid"
            };
            let message = plain(names, fields, type_name, BUILDER, &["slot"], choices);
            // A bare bid of HEZE's time is one of HEZE.
            let needs_version =
                !is_heze && matches!(message.moment, Moment::Slot(slot) if slot >= heze_slot);
            if needs_version || choices.flag() {
                wrap(message, if is_heze { "HEZE" } else { "GLOAS" })
            } else {
                message
            }
        }
        9 => {
            let path = ["payload", "slot_number"];
            let fields: &[&str] = &["execution_payload_envelope"];
            let message = plain(
                &["EXECUTION_PAYLOAD_ENVELOPE"],
                fields,
                "ExecutionPayloadEnvelope",
                BUILDER,
                &path,
                choices,
            );
            wrap_since_gloas(message, choices)
        }
        10 => {
            let names: &[&str] = &["PAYLOAD_ATTESTATION_MESSAGE", "PAYLOAD_ATTESTATION"];
            let fields: &[&str] = &[
                "payload_attestation_message",
                "payload_attestation_data",
                "payload_attestation",
            ];
            let message = plain(
                names,
                fields,
                "PayloadAttestationData",
                [0x0c, 0, 0, 0],
                &["slot"],
                choices,
            );
            wrap_since_gloas(message, choices)
        }
        11 => {
            let fields: &[&str] = &["proposer_preferences"];
            let message = plain(
                &["PROPOSER_PREFERENCES"],
                fields,
                "ProposerPreferences",
                [0x0d, 0, 0, 0],
                &["proposal_slot"],
                choices,
            );
            wrap_since_gloas(message, choices)
        }
        12 => {
            let (epoch, root) = make("uint64", preset, choices);
            let object = Value::Object(vec![("epoch".to_owned(), epoch)]);
            let moment = Moment::Epoch(number(&object, &["epoch"]));
            Message {
                names: &["RANDAO_REVEAL"],
                fields: &["randao_reveal"],
                object,
                root,
                domain_type: [2, 0, 0, 0],
                moment,
            }
        }
        13 => plain(
            &["SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF"],
            &["contribution_and_proof"],
            "ContributionAndProof",
            [9, 0, 0, 0],
            &["contribution", "slot"],
            choices,
        ),
        14 => {
            let (block_root, root) = make("Bytes32", preset, choices);
            let (slot, _) = make("uint64", preset, choices);
            let object = Value::Object(vec![
                ("beacon_block_root".to_owned(), block_root),
                ("slot".to_owned(), slot),
            ]);
            let moment = Moment::Slot(number(&object, &["slot"]));
            Message {
                names: &["SYNC_COMMITTEE_MESSAGE"],
                fields: &["sync_committee_message"],
                object,
                root,
                domain_type: [7, 0, 0, 0],
                moment,
            }
        }
        15 => plain(
            &["SYNC_COMMITTEE_SELECTION_PROOF"],
            &["sync_aggregator_selection_data"],
            "SyncAggregatorSelectionData",
            [8, 0, 0, 0],
            &["slot"],
            choices,
        ),
        16 => {
            let (object, root) = make("ValidatorRegistration", preset, choices);
            Message {
                names: &["VALIDATOR_REGISTRATION"],
                fields: &["validator_registration"],
                object,
                root,
                domain_type: [0, 0, 0, 1],
                moment: Moment::Genesis(None),
            }
        }
        _ => {
            let (object, root) = make("VoluntaryExit", preset, choices);
            let moment = Moment::Exit(number(&object, &["epoch"]));
            Message {
                names: &["VOLUNTARY_EXIT"],
                fields: &["voluntary_exit"],
                object,
                root,
                domain_type: [4, 0, 0, 0],
                moment,
            }
        }
    }
}

/// An aggregate with its version; a bare one is read by the schedule of the chain, which
/// `tests/requests.rs` has in tables.
fn aggregate(preset: Preset, choices: &mut Choices<'_>) -> Message {
    let fork = choices.below(FORKS.len());
    let type_name = match fork {
        0..=4 => "AggregateAndProof",
        5 | 6 => "AggregateAndProofElectra",
        _ => "AggregateAndProofGloas",
    };
    let (object, root) = make(type_name, preset, choices);
    let slot = number(&object, &["aggregate", "data", "slot"]);
    let names: &[&str] = &["AGGREGATE_AND_PROOF", "AGGREGATE_AND_PROOF_V2"];
    let moment = Moment::Slot(slot);
    let message = Message {
        names,
        fields: &["aggregate_and_proof"],
        object,
        root,
        domain_type: [6, 0, 0, 0],
        moment,
    };
    wrap(message, FORKS[fork])
}

fn wrap_since_gloas(message: Message, choices: &mut Choices<'_>) -> Message {
    match choices.below(3) {
        0 => message,
        1 => wrap(message, "GLOAS"),
        _ => wrap(message, "heze"),
    }
}

fn wrap(message: Message, version: &str) -> Message {
    let object = Value::Object(vec![
        ("version".to_owned(), Value::Text(version.to_owned())),
        ("data".to_owned(), message.object),
    ]);
    Message { object, ..message }
}

/// The number at a path of a message.
fn number(value: &Value, path: &[&str]) -> u64 {
    match (value, path) {
        (Value::Number(digits), []) => digits.parse().expect("64 bits"),
        (Value::Object(members), [first, rest @ ..]) => {
            let (_, member) = members
                .iter()
                .find(|(name, _)| name == first)
                .expect("a field");
            number(member, rest)
        }
        _ => panic!("{path:?} is not a number"),
    }
}
