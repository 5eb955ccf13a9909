//! A second implementation of hash tree roots: slow, and as plain as the specification is.
//!
//! Containers are written as in the specification. [`make`] chooses a value of a type, and returns it with
//! its root, computed by recursion over whole trees.
//! Source: consensus-specs, `ssz/simple-serialize.md`, EIP-7916, EIP-7495.

use sha2::{Digest, Sha256};

use super::choices::Choices;
use super::json::Value;

pub(crate) type Chunk = [u8; 32];

/// The sizes that differ between presets, by the names that the types below have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    Mainnet,
    Minimal,
}

/// Name, whether it is progressive, and fields.
const CONTAINERS: [(&str, bool, &str); 39] = [
    ("Checkpoint", false, "epoch: uint64, root: Bytes32"),
    (
        "AttestationData",
        false,
        "slot: uint64, index: uint64, beacon_block_root: Bytes32, source: Checkpoint, target: Checkpoint",
    ),
    (
        "Attestation",
        false,
        "aggregation_bits: Bitlist[2048], data: AttestationData, signature: Bytes96",
    ),
    (
        "AttestationElectra",
        false,
        "aggregation_bits: Bitlist[SLOT_VALIDATORS], data: AttestationData, signature: Bytes96, committee_bits: Bitvector[COMMITTEES]",
    ),
    (
        "AttestationGloas",
        true,
        "aggregation_bits: ProgressiveBitlist, data: AttestationData, signature: Bytes96, committee_bits: Bitvector[COMMITTEES]",
    ),
    (
        "AggregateAndProof",
        false,
        "aggregator_index: uint64, aggregate: Attestation, selection_proof: Bytes96",
    ),
    (
        "AggregateAndProofElectra",
        false,
        "aggregator_index: uint64, aggregate: AttestationElectra, selection_proof: Bytes96",
    ),
    (
        "AggregateAndProofGloas",
        false,
        "aggregator_index: uint64, aggregate: AttestationGloas, selection_proof: Bytes96",
    ),
    (
        "SyncAggregatorSelectionData",
        false,
        "slot: uint64, subcommittee_index: uint64",
    ),
    (
        "SyncCommitteeContribution",
        false,
        "slot: uint64, beacon_block_root: Bytes32, subcommittee_index: uint64, aggregation_bits: Bitvector[SUBCOMMITTEE], signature: Bytes96",
    ),
    (
        "ContributionAndProof",
        false,
        "aggregator_index: uint64, contribution: SyncCommitteeContribution, selection_proof: Bytes96",
    ),
    (
        "VoluntaryExit",
        false,
        "epoch: uint64, validator_index: uint64",
    ),
    (
        "SignedVoluntaryExit",
        false,
        "message: VoluntaryExit, signature: Bytes96",
    ),
    (
        "BeaconBlockHeader",
        false,
        "slot: uint64, proposer_index: uint64, parent_root: Bytes32, state_root: Bytes32, body_root: Bytes32",
    ),
    (
        "SignedBeaconBlockHeader",
        false,
        "message: BeaconBlockHeader, signature: Bytes96",
    ),
    (
        "BeaconBlock",
        false,
        "slot: uint64, proposer_index: uint64, parent_root: Bytes32, state_root: Bytes32, body: BeaconBlockBody",
    ),
    (
        "BeaconBlockAltair",
        false,
        "slot: uint64, proposer_index: uint64, parent_root: Bytes32, state_root: Bytes32, body: BeaconBlockBodyAltair",
    ),
    (
        "BeaconBlockBody",
        false,
        "randao_reveal: Bytes96, eth1_data: Eth1Data, graffiti: Bytes32, proposer_slashings: List[ProposerSlashing,16], attester_slashings: List[AttesterSlashing,2], attestations: List[Attestation,128], deposits: List[Deposit,16], voluntary_exits: List[SignedVoluntaryExit,16]",
    ),
    (
        "BeaconBlockBodyAltair",
        false,
        "randao_reveal: Bytes96, eth1_data: Eth1Data, graffiti: Bytes32, proposer_slashings: List[ProposerSlashing,16], attester_slashings: List[AttesterSlashing,2], attestations: List[Attestation,128], deposits: List[Deposit,16], voluntary_exits: List[SignedVoluntaryExit,16], sync_aggregate: SyncAggregate",
    ),
    (
        "Eth1Data",
        false,
        "deposit_root: Bytes32, deposit_count: uint64, block_hash: Bytes32",
    ),
    (
        "ProposerSlashing",
        false,
        "signed_header_1: SignedBeaconBlockHeader, signed_header_2: SignedBeaconBlockHeader",
    ),
    (
        "AttesterSlashing",
        false,
        "attestation_1: IndexedAttestation, attestation_2: IndexedAttestation",
    ),
    (
        "IndexedAttestation",
        false,
        "attesting_indices: List[uint64,2048], data: AttestationData, signature: Bytes96",
    ),
    (
        "Deposit",
        false,
        "proof: Vector[Bytes32,33], data: DepositData",
    ),
    (
        "DepositData",
        false,
        "pubkey: Bytes48, withdrawal_credentials: Bytes32, amount: uint64, signature: Bytes96",
    ),
    (
        "DepositMessage",
        false,
        "pubkey: Bytes48, withdrawal_credentials: Bytes32, amount: uint64",
    ),
    (
        "SyncAggregate",
        false,
        "sync_committee_bits: Bitvector[SYNC_COMMITTEE], sync_committee_signature: Bytes96",
    ),
    (
        "ValidatorRegistration",
        false,
        "fee_recipient: Bytes20, gas_limit: uint64, timestamp: uint64, pubkey: Bytes48",
    ),
    (
        "ExecutionPayloadBid",
        true,
        "parent_block_hash: Bytes32, parent_block_root: Bytes32, block_hash: Bytes32, prev_randao: Bytes32, fee_recipient: Bytes20, gas_limit: uint64, builder_index: uint64, slot: uint64, value: uint64, execution_payment: uint64, blob_kzg_commitments: ProgressiveList[Bytes48], execution_requests_root: Bytes32",
    ),
    (
        "ExecutionPayloadBidHeze",
        true,
        "parent_block_hash: Bytes32, parent_block_root: Bytes32, block_hash: Bytes32, prev_randao: Bytes32, fee_recipient: Bytes20, gas_limit: uint64, builder_index: uint64, slot: uint64, value: uint64, execution_payment: uint64, blob_kzg_commitments: ProgressiveList[Bytes48], execution_requests_root: Bytes32, inclusion_list_bits: Bitvector[16]",
    ),
    (
        "ExecutionPayloadEnvelope",
        true,
        "payload: ExecutionPayload, execution_requests: ExecutionRequests, builder_index: uint64, beacon_block_root: Bytes32, parent_beacon_block_root: Bytes32",
    ),
    (
        "ExecutionPayload",
        true,
        "parent_hash: Bytes32, fee_recipient: Bytes20, state_root: Bytes32, receipts_root: Bytes32, logs_bloom: Bytes256, prev_randao: Bytes32, block_number: uint64, gas_limit: uint64, gas_used: uint64, timestamp: uint64, extra_data: ByteList[32], base_fee_per_gas: uint256, block_hash: Bytes32, transactions: ProgressiveList[ProgressiveByteList], withdrawals: ProgressiveList[Withdrawal], blob_gas_used: uint64, excess_blob_gas: uint64, block_access_list: ProgressiveByteList, slot_number: uint64",
    ),
    (
        "Withdrawal",
        false,
        "index: uint64, validator_index: uint64, address: Bytes20, amount: uint64",
    ),
    (
        "ExecutionRequests",
        true,
        "deposits: ProgressiveList[DepositRequest], withdrawals: ProgressiveList[WithdrawalRequest], consolidations: ProgressiveList[ConsolidationRequest], builder_deposits: ProgressiveList[DepositData], builder_exits: ProgressiveList[BuilderExitRequest]",
    ),
    (
        "DepositRequest",
        false,
        "pubkey: Bytes48, withdrawal_credentials: Bytes32, amount: uint64, signature: Bytes96, index: uint64",
    ),
    (
        "WithdrawalRequest",
        false,
        "source_address: Bytes20, validator_pubkey: Bytes48, amount: uint64",
    ),
    (
        "ConsolidationRequest",
        false,
        "source_address: Bytes20, source_pubkey: Bytes48, target_pubkey: Bytes48",
    ),
    (
        "BuilderExitRequest",
        false,
        "source_address: Bytes20, pubkey: Bytes48",
    ),
    (
        "PayloadAttestationData",
        false,
        "beacon_block_root: Bytes32, slot: uint64, payload_present: boolean, blob_data_available: boolean",
    ),
];

const MORE_CONTAINERS: [(&str, bool, &str); 2] = [
    (
        "ProposerPreferences",
        false,
        "dependent_root: Bytes32, proposal_slot: uint64, validator_index: uint64, fee_recipient: Bytes20, target_gas_limit: uint64",
    ),
    (
        "BuilderRequestAuth",
        false,
        "data: ByteList[4096], slot: uint64",
    ),
];

/// Chooses a value of this type, and returns it with its root.
pub(crate) fn make(type_name: &str, preset: Preset, choices: &mut Choices<'_>) -> (Value, Chunk) {
    let (name, argument) = match type_name.split_once('[') {
        Some((name, rest)) => (name, rest.trim_end_matches(']')),
        None => (type_name, ""),
    };
    match name {
        "uint64" => {
            let number = choices.number();
            (
                Value::Number(number.to_string()),
                padded(&number.to_le_bytes()),
            )
        }
        "uint256" => {
            let number = u128::from(choices.number()) * u128::from(choices.number());
            (
                Value::Number(number.to_string()),
                padded(&number.to_le_bytes()),
            )
        }
        "boolean" => {
            let flag = choices.flag();
            (Value::Flag(flag), padded(&[u8::from(flag)]))
        }
        "Bitvector" => bit_vector(size(argument, preset), choices),
        "Bitlist" => bit_list(Some(size(argument, preset)), choices),
        "ProgressiveBitlist" => bit_list(None, choices),
        "ByteList" => {
            let limit = size(argument, preset);
            let length = choices.below(80).min(limit);
            let bytes = choices.fill(length);
            let root = mix_in(merkle(&pack(&bytes), limit.div_ceil(32)), length);
            (Value::Hex(bytes), root)
        }
        "ProgressiveByteList" => {
            let length = choices.below(250);
            let bytes = choices.fill(length);
            let root = mix_in(progressive(&pack(&bytes), 1), length);
            (Value::Hex(bytes), root)
        }
        "List" => {
            let (item, limit) = argument.split_once(',').expect("a limit");
            let limit = size(limit, preset);
            let (values, chunks, leaves) =
                items(item, short(choices).min(limit), limit, preset, choices);
            let length = values.len();
            (Value::List(values), mix_in(merkle(&chunks, leaves), length))
        }
        "Vector" => {
            let (item, length) = argument.split_once(',').expect("a length");
            let length = size(length, preset);
            let (values, chunks, leaves) = items(item, length, length, preset, choices);
            (Value::List(values), merkle(&chunks, leaves))
        }
        "ProgressiveList" => {
            let (values, chunks, _) = items(argument, short(choices), 0, preset, choices);
            let length = values.len();
            (Value::List(values), mix_in(progressive(&chunks, 1), length))
        }
        _ => match name.strip_prefix("Bytes") {
            Some(length) => {
                let bytes = choices.fill(length.parse().expect("a length"));
                let chunks = pack(&bytes);
                let root = merkle(&chunks, chunks.len());
                (Value::Hex(bytes), root)
            }
            None => make_container(name, preset, choices),
        },
    }
}

fn make_container(name: &str, preset: Preset, choices: &mut Choices<'_>) -> (Value, Chunk) {
    let (_, is_progressive, fields) = CONTAINERS
        .iter()
        .chain(&MORE_CONTAINERS)
        .find(|(known, ..)| *known == name)
        .unwrap_or_else(|| panic!("{name} is not known"));
    let mut members = Vec::new();
    let mut roots = Vec::new();
    for field in fields.split(", ") {
        let (field, type_name) = field.split_once(": ").expect("a type");
        let (value, root) = make(type_name, preset, choices);
        members.push((field.to_owned(), value));
        roots.push(root);
    }
    let root = if *is_progressive {
        let mut active = vec![0; 32];
        for index in 0..roots.len() {
            active[index / 8] |= 1 << (index % 8);
        }
        hash(progressive(&roots, 1), padded(&active))
    } else {
        merkle(&roots, roots.len())
    };
    (Value::Object(members), root)
}

/// Chooses items. Returns them, their chunks, and how many leaves the tree of so many items at most has.
fn items(
    type_name: &str,
    count: usize,
    limit: usize,
    preset: Preset,
    choices: &mut Choices<'_>,
) -> (Vec<Value>, Vec<Chunk>, usize) {
    let mut values = Vec::new();
    let mut roots = Vec::new();
    for _ in 0..count {
        let (value, root) = make(type_name, preset, choices);
        values.push(value);
        roots.push(root);
    }
    if type_name != "uint64" {
        return (values, roots, limit);
    }
    let packed: Vec<u8> = roots.iter().flat_map(|root| root[..8].to_vec()).collect();
    (values, pack(&packed), limit.div_ceil(4))
}

/// Mostly few items: at the end of the input there are none.
fn short(choices: &mut Choices<'_>) -> usize {
    match choices.below(16) {
        15 => choices.below(90),
        14 => 5,
        few => few % 3,
    }
}

fn size(text: &str, preset: Preset) -> usize {
    match (text, preset) {
        ("COMMITTEES", Preset::Mainnet) => 64,
        ("COMMITTEES", Preset::Minimal) => 4,
        ("SLOT_VALIDATORS", Preset::Mainnet) => 2048 * 64,
        ("SLOT_VALIDATORS", Preset::Minimal) => 2048 * 4,
        ("SYNC_COMMITTEE", Preset::Mainnet) => 512,
        ("SYNC_COMMITTEE", Preset::Minimal) => 32,
        ("SUBCOMMITTEE", Preset::Mainnet) => 128,
        ("SUBCOMMITTEE", Preset::Minimal) => 8,
        (number, _) => number.parse().expect("a number"),
    }
}

fn bit_vector(length: usize, choices: &mut Choices<'_>) -> (Value, Chunk) {
    let mut bytes = choices.fill(length.div_ceil(8));
    if !length.is_multiple_of(8) {
        *bytes.last_mut().expect("a byte") &= (1 << (length % 8)) - 1;
    }
    let chunks = pack(&bytes);
    (Value::Hex(bytes), merkle(&chunks, length.div_ceil(256)))
}

fn bit_list(limit: Option<usize>, choices: &mut Choices<'_>) -> (Value, Chunk) {
    let length = (3 * choices.below(256)).min(limit.unwrap_or(usize::MAX));
    let pattern = choices.fill(length.div_ceil(8));
    let bit = |index: usize| pattern[index / 8] >> (index % 8) & 1;
    let mut bits: Vec<u8> = (0..length).map(bit).collect();
    let packed = |bits: &[u8]| {
        let byte = |bits: &[u8]| (0..bits.len()).map(|index| bits[index] << index).sum();
        bits.chunks(8).map(byte).collect::<Vec<u8>>()
    };
    let chunks = pack(&packed(&bits));
    let root = match limit {
        Some(limit) => merkle(&chunks, limit.div_ceil(256)),
        None => progressive(&chunks, 1),
    };
    bits.push(1); // the length bit
    (Value::Hex(packed(&bits)), mix_in(root, length))
}

/// `merkleize`: the tree over the chunks, padded with zero chunks to so many leaves.
fn merkle(chunks: &[Chunk], leaves: usize) -> Chunk {
    subtree(chunks, leaves.max(1).next_power_of_two())
}

fn subtree(chunks: &[Chunk], leaves: usize) -> Chunk {
    if leaves == 1 {
        return chunks.first().copied().unwrap_or_default();
    }
    if chunks.is_empty() {
        // Both halves are alike.
        let half = subtree(&[], leaves / 2);
        return hash(half, half);
    }
    let (left, right) = chunks.split_at(chunks.len().min(leaves / 2));
    hash(subtree(left, leaves / 2), subtree(right, leaves / 2))
}

/// `merkleize_progressive`: the first leaf alone, then four times as many in each further tree.
fn progressive(chunks: &[Chunk], leaves: usize) -> Chunk {
    if chunks.is_empty() {
        return [0; 32];
    }
    let (first, rest) = chunks.split_at(chunks.len().min(leaves));
    hash(merkle(first, leaves), progressive(rest, 4 * leaves))
}

fn pack(bytes: &[u8]) -> Vec<Chunk> {
    bytes.chunks(32).map(padded).collect()
}

pub(crate) fn padded(bytes: &[u8]) -> Chunk {
    let mut chunk = [0; 32];
    chunk[..bytes.len()].copy_from_slice(bytes);
    chunk
}

fn mix_in(root: Chunk, length: usize) -> Chunk {
    hash(root, padded(&length.to_le_bytes()))
}

pub(crate) fn hash(left: Chunk, right: Chunk) -> Chunk {
    Sha256::digest([left, right].concat()).into()
}
