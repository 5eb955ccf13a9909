//! A small beacon chain: messages of validators, their signing roots, and the proof of a signature.
//!
//! The roots are computed here once more, plainly (`hash_tree_root` of simple-serialize, `compute_domain` of
//! phase 0), so that a wrong root of the signer is an error of the run.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// 32 bytes of a hash.
pub(crate) type Bytes32 = [u8; 32];

/// The chain's genesis validators root.
const GENESIS_VALIDATORS_ROOT: Bytes32 = [0x50; 32];

/// Capella's fork version on mainnet, from epoch 0 on.
const FORK_VERSION: [u8; 4] = [3, 0, 0, 0];

const SLOTS_PER_EPOCH: u64 = 32;

/// The ciphersuite of Ethereum's signatures.
const CIPHERSUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// What a validator asks to sign.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Duty {
    /// The `variant`s of one slot conflict with each other.
    Block {
        slot: u64,
        variant: u8,
    },
    /// The `variant`s of one target conflict with each other.
    Attestation {
        source: u64,
        target: u64,
        variant: u8,
    },
    RandaoReveal {
        epoch: u64,
    },
    AggregationSlot {
        slot: u64,
    },
    SyncCommitteeMessage {
        slot: u64,
    },
}

/// The part of a duty that slashing protection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlashableDuty {
    Block { slot: u64 },
    Vote { source: u64, target: u64 },
}

impl Duty {
    /// The body of the sign request, and its signing root.
    pub(crate) fn request(self) -> (String, Bytes32) {
        let (kind, domain_type, object_root, field, object) = match self {
            Self::Block { slot, variant } => {
                let body_root = [variant; 32];
                let header = json!({
                    "slot": slot.to_string(),
                    "proposer_index": "7",
                    "parent_root": hex(&[1; 32]),
                    "state_root": hex(&[2; 32]),
                    "body_root": hex(&body_root),
                });
                let root = merkle_root(&[number(slot), number(7), [1; 32], [2; 32], body_root]);
                let object = json!({"version": "CAPELLA", "block_header": header});
                ("BLOCK_V2", 0, root, "beacon_block", object)
            }
            Self::Attestation {
                source,
                target,
                variant,
            } => {
                let (object, root) = attestation(source, target, [variant; 32]);
                ("ATTESTATION", 1, root, "attestation", object)
            }
            Self::RandaoReveal { epoch } => {
                let object = json!({"epoch": epoch.to_string()});
                ("RANDAO_REVEAL", 2, number(epoch), "randao_reveal", object)
            }
            Self::AggregationSlot { slot } => {
                let object = json!({"slot": slot.to_string()});
                (
                    "AGGREGATION_SLOT",
                    5,
                    number(slot),
                    "aggregation_slot",
                    object,
                )
            }
            Self::SyncCommitteeMessage { slot } => {
                let object = json!({"slot": slot.to_string(), "beacon_block_root": hex(&[4; 32])});
                (
                    "SYNC_COMMITTEE_MESSAGE",
                    7,
                    [4; 32],
                    "sync_committee_message",
                    object,
                )
            }
        };
        let signing_root = merkle_root(&[object_root, domain(domain_type)]);
        let body = json!({
            "type": kind,
            "fork_info": {
                "fork": {
                    "previous_version": hex(&FORK_VERSION),
                    "current_version": hex(&FORK_VERSION),
                    "epoch": "0",
                },
                "genesis_validators_root": hex(&GENESIS_VALIDATORS_ROOT),
            },
            "signingRoot": hex(&signing_root),
            field: object,
        });
        (body.to_string(), signing_root)
    }

    /// What a second signature could conflict with; `None` for duties that cannot be slashed.
    pub(crate) fn slashable(self) -> Option<SlashableDuty> {
        match self {
            Self::Block { slot, .. } => Some(SlashableDuty::Block { slot }),
            Self::Attestation { source, target, .. } => {
                Some(SlashableDuty::Vote { source, target })
            }
            Self::RandaoReveal { .. }
            | Self::AggregationSlot { .. }
            | Self::SyncCommitteeMessage { .. } => None,
        }
    }
}

/// `AttestationData` and its root.
fn attestation(source: u64, target: u64, block_root: Bytes32) -> (Value, Bytes32) {
    let slot = target * SLOTS_PER_EPOCH;
    let checkpoint = |epoch: u64| json!({"epoch": epoch.to_string(), "root": hex(&[3; 32])});
    let checkpoint_root = |epoch| merkle_root(&[number(epoch), [3; 32]]);
    let object = json!({
        "slot": slot.to_string(),
        "index": "0",
        "beacon_block_root": hex(&block_root),
        "source": checkpoint(source),
        "target": checkpoint(target),
    });
    let root = merkle_root(&[
        number(slot),
        number(0),
        block_root,
        checkpoint_root(source),
        checkpoint_root(target),
    ]);
    (object, root)
}

/// Whether the answer's JSON holds the key's signature of this root.
pub(crate) fn is_signature(public_key: &str, signing_root: &Bytes32, answer: &Value) -> bool {
    let (Some(signature), Some(key)) = (
        answer["signature"].as_str().and_then(unhex),
        unhex(public_key),
    ) else {
        return false;
    };
    let (Ok(signature), Ok(key)) = (
        blst::min_pk::Signature::from_bytes(&signature),
        blst::min_pk::PublicKey::from_bytes(&key),
    ) else {
        return false;
    };
    let verdict = signature.verify(true, signing_root, CIPHERSUITE, &[], &key, true);
    verdict == blst::BLST_ERROR::BLST_SUCCESS
}

/// `compute_domain` of the specification, for this chain.
fn domain(domain_type: u8) -> Bytes32 {
    let mut version = [0; 32];
    version[..4].copy_from_slice(&FORK_VERSION);
    let fork_data_root = merkle_root(&[version, GENESIS_VALIDATORS_ROOT]);
    let mut domain = [0; 32];
    domain[0] = domain_type;
    domain[4..].copy_from_slice(&fork_data_root[..28]);
    domain
}

/// The root of a container whose fields have these roots.
fn merkle_root(fields: &[Bytes32]) -> Bytes32 {
    let mut level = fields.to_vec();
    level.resize(fields.len().next_power_of_two(), [0; 32]);
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| Sha256::digest(pair.concat()).into())
            .collect();
    }
    level[0]
}

/// The root of a `uint64`.
fn number(value: u64) -> Bytes32 {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&value.to_le_bytes());
    root
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", const_hex::encode(bytes))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    const_hex::decode(text).ok()
}
