//! The containers that are signed, and everything in them.
//!
//! Sources: consensus-specs, `phase0/beacon-chain.md`, `altair/…`, `electra/…`; Gloas as of
//! v1.7.0-alpha.13, where EIP-7688 makes some containers progressive; builder-specs for
//! registrations and request authorizations.

use super::container::{containers, objects};
use super::field_types::{
    Bitlist, ByteList, ByteVector, Flag, List, PresetBits, ProgressiveBitlist, ProgressiveBytes,
    ProgressiveList, Uint256, Vector,
};
use super::json_tree::{FieldError, FromJson, JsonValue, read_field};
use super::network::Preset;
use super::primitives::{Address, Epoch, PublicKey, Root, Signature, Slot, Uint64, Version};
use super::ssz::{self, HashTreeRoot};

containers! {
    /// An epoch and the root of its first block.
    Checkpoint = container { epoch: Epoch, root: Root }
    /// A vote.
    AttestationData = container {
        slot: Slot, index: Uint64, beacon_block_root: Root, source: Checkpoint, target: Checkpoint
    }
    /// An aggregate of the votes of one committee, PHASE0 to DENEB.
    Attestation = container {
        aggregation_bits: Bitlist<2048>, data: AttestationData, signature: Signature
    }
    /// An aggregate since GLOAS (EIP-7688).
    AttestationGloas = progressive_container {
        aggregation_bits: ProgressiveBitlist, data: AttestationData, signature: Signature,
        committee_bits: CommitteeBits
    }
    /// An aggregate and the proof that its sender was selected as the aggregator.
    AggregateAndProof<A> = container {
        aggregator_index: Uint64, aggregate: A, selection_proof: Signature
    }
    /// The message whose signature selects the aggregators of a sync subcommittee.
    SyncAggregatorSelectionData = container { slot: Slot, subcommittee_index: Uint64 }
    /// An aggregate of one sync subcommittee.
    SyncCommitteeContribution = container {
        slot: Slot, beacon_block_root: Root, subcommittee_index: Uint64,
        aggregation_bits: PresetBits<128, 8>, signature: Signature
    }
    /// A contribution and the proof that its sender was selected as the aggregator.
    ContributionAndProof = container {
        aggregator_index: Uint64, contribution: SyncCommitteeContribution, selection_proof: Signature
    }
    /// A validator's request to leave.
    VoluntaryExit = container { epoch: Epoch, validator_index: Uint64 }
    /// A message and its signature.
    Signed<M> = container { message: M, signature: Signature }
    /// A block with the root of its body; it has the same root as the block.
    BeaconBlockHeader = container {
        slot: Slot, proposer_index: Uint64, parent_root: Root, state_root: Root, body_root: Root
    }
    /// A block.
    BeaconBlock<B> = container {
        slot: Slot, proposer_index: Uint64, parent_root: Root, state_root: Root, body: Box<B>
    }
    /// A block body of PHASE0.
    BeaconBlockBody = container {
        randao_reveal: Signature, eth1_data: Eth1Data, graffiti: Root,
        proposer_slashings: List<ProposerSlashing, 16>, attester_slashings: List<AttesterSlashing, 2>,
        attestations: List<Attestation, 128>, deposits: List<Deposit, 16>,
        voluntary_exits: List<Signed<VoluntaryExit>, 16>
    }
    /// A block body of ALTAIR.
    BeaconBlockBodyAltair = container {
        randao_reveal: Signature, eth1_data: Eth1Data, graffiti: Root,
        proposer_slashings: List<ProposerSlashing, 16>, attester_slashings: List<AttesterSlashing, 2>,
        attestations: List<Attestation, 128>, deposits: List<Deposit, 16>,
        voluntary_exits: List<Signed<VoluntaryExit>, 16>, sync_aggregate: SyncAggregate
    }
    /// The state of the deposit contract.
    Eth1Data = container { deposit_root: Root, deposit_count: Uint64, block_hash: Root }
    /// Two blocks of one proposer for one slot.
    ProposerSlashing = container {
        signed_header_1: Box<Signed<BeaconBlockHeader>>, signed_header_2: Box<Signed<BeaconBlockHeader>>
    }
    /// Two votes that contradict each other.
    AttesterSlashing = container {
        attestation_1: Box<IndexedAttestation>, attestation_2: Box<IndexedAttestation>
    }
    /// A vote and its voters.
    IndexedAttestation = container {
        attesting_indices: List<Uint64, 2048>, data: AttestationData, signature: Signature
    }
    /// A deposit with its Merkle proof.
    Deposit = container { proof: Vector<Root, 33>, data: DepositData }
    /// A deposit to the contract.
    DepositData = container {
        pubkey: PublicKey, withdrawal_credentials: Root, amount: Uint64, signature: Signature
    }
    /// The sync committee's votes in a block.
    SyncAggregate = container {
        sync_committee_bits: PresetBits<512, 32>, sync_committee_signature: Signature
    }
    /// A validator's preferences for a builder network (builder-specs, `ValidatorRegistrationV1`).
    ValidatorRegistration = container {
        fee_recipient: Address, gas_limit: Uint64, timestamp: Uint64, pubkey: PublicKey
    }
    /// A builder's offer for a slot.
    ExecutionPayloadBid = progressive_container {
        parent_block_hash: Root, parent_block_root: Root, block_hash: Root, prev_randao: Root,
        fee_recipient: Address, gas_limit: Uint64, builder_index: Uint64, slot: Slot, value: Uint64,
        execution_payment: Uint64, blob_kzg_commitments: ProgressiveList<PublicKey>,
        execution_requests_root: Root
    }
    /// A builder's offer for a slot since HEZE, with the inclusion lists that it satisfies (EIP-7805).
    ExecutionPayloadBidHeze = progressive_container {
        parent_block_hash: Root, parent_block_root: Root, block_hash: Root, prev_randao: Root,
        fee_recipient: Address, gas_limit: Uint64, builder_index: Uint64, slot: Slot, value: Uint64,
        execution_payment: Uint64, blob_kzg_commitments: ProgressiveList<PublicKey>,
        execution_requests_root: Root, inclusion_list_bits: PresetBits<16, 16>
    }
    /// A builder's payload.
    ExecutionPayloadEnvelope = progressive_container {
        payload: Box<ExecutionPayload>, execution_requests: ExecutionRequests, builder_index: Uint64,
        beacon_block_root: Root, parent_beacon_block_root: Root
    }
    /// A block of the execution layer.
    ExecutionPayload = progressive_container {
        parent_hash: Root, fee_recipient: Address, state_root: Root, receipts_root: Root,
        logs_bloom: ByteVector<256>, prev_randao: Root, block_number: Uint64, gas_limit: Uint64,
        gas_used: Uint64, timestamp: Uint64, extra_data: ByteList<32>, base_fee_per_gas: Uint256,
        block_hash: Root, transactions: ProgressiveList<ProgressiveBytes>,
        withdrawals: ProgressiveList<Withdrawal>, blob_gas_used: Uint64, excess_blob_gas: Uint64,
        block_access_list: ProgressiveBytes, slot_number: Slot
    }
    /// A payment from the consensus layer to the execution layer.
    Withdrawal = container {
        index: Uint64, validator_index: Uint64, address: Address, amount: Uint64
    }
    /// Requests of the execution layer to the consensus layer.
    ExecutionRequests = progressive_container {
        deposits: ProgressiveList<DepositRequest>, withdrawals: ProgressiveList<WithdrawalRequest>,
        consolidations: ProgressiveList<ConsolidationRequest>,
        builder_deposits: ProgressiveList<DepositData>, builder_exits: ProgressiveList<BuilderExitRequest>
    }
    /// A deposit (EIP-6110).
    DepositRequest = container {
        pubkey: PublicKey, withdrawal_credentials: Root, amount: Uint64, signature: Signature,
        index: Uint64
    }
    /// A withdrawal or exit (EIP-7002).
    WithdrawalRequest = container {
        source_address: Address, validator_pubkey: PublicKey, amount: Uint64
    }
    /// A consolidation of two validators (EIP-7251).
    ConsolidationRequest = container {
        source_address: Address, source_pubkey: PublicKey, target_pubkey: PublicKey
    }
    /// The exit of a builder (EIP-8282).
    BuilderExitRequest = container { source_address: Address, pubkey: PublicKey }
    /// A vote on whether a payload came in time.
    PayloadAttestationData = container {
        beacon_block_root: Root, slot: Slot, payload_present: Flag, blob_data_available: Flag
    }
    /// A proposer's preferences for builders.
    ProposerPreferences = container {
        dependent_root: Root, proposal_slot: Slot, validator_index: Uint64, fee_recipient: Address,
        target_gas_limit: Uint64
    }
    /// The authorization of a request to a builder (builder-specs).
    BuilderRequestAuth = container { data: ByteList<4096>, slot: Slot }
}

objects! {
    /// The object of DEPOSIT: the message and the network that it is for.
    DepositMessage {
        pubkey: PublicKey, withdrawal_credentials: Root, amount: Uint64, genesis_fork_version: Version
    }
    /// The object of AGGREGATION_SLOT.
    AggregationSlot { slot: Slot }
    /// The object of RANDAO_REVEAL.
    RandaoReveal { epoch: Epoch }
    /// The object of SYNC_COMMITTEE_MESSAGE.
    SyncCommitteeMessage { beacon_block_root: Root, slot: Slot }
    /// The fork of a request and its chain.
    ForkInfo { fork: ForkVersions, genesis_validators_root: Root }
    /// The container `Fork`.
    ForkVersions { previous_version: Version, current_version: Version, epoch: Epoch }
}

/// An aggregate of ELECTRA and FULU (EIP-7549).
pub(super) struct AttestationElectra {
    aggregation_bits: Bitlist<{ aggregation_bits_max(Preset::Mainnet) }>,
    pub(super) data: AttestationData,
    signature: Signature,
    pub(super) committee_bits: CommitteeBits,
}

/// The committees of a slot that an aggregate is of.
pub(super) type CommitteeBits = PresetBits<64, 4>;

/// How many votes an aggregate of ELECTRA may have:
/// `MAX_VALIDATORS_PER_COMMITTEE * MAX_COMMITTEES_PER_SLOT`.
const fn aggregation_bits_max(preset: Preset) -> usize {
    match preset {
        Preset::Mainnet => 2048 * 64,
        Preset::Minimal => 2048 * 4,
    }
}

impl FromJson for AttestationElectra {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        let [aggregation_bits, data, signature, committee_bits] =
            value.fields(["aggregation_bits", "data", "signature", "committee_bits"])?;
        let attestation = Self {
            aggregation_bits: read_field("aggregation_bits", aggregation_bits)?,
            data: read_field("data", data)?,
            signature: read_field("signature", signature)?,
            committee_bits: read_field("committee_bits", committee_bits)?,
        };
        let bits = attestation.aggregation_bits.0.length;
        let bits_max = aggregation_bits_max(attestation.committee_bits.preset);
        if bits > bits_max {
            let reason = format!("expected at most {bits_max} bits, got {bits}");
            return Err(FieldError::new(reason).at("aggregation_bits"));
        }
        Ok(attestation)
    }
}

impl HashTreeRoot for AttestationElectra {
    fn hash_tree_root(&self) -> Root {
        let bits_max = aggregation_bits_max(self.committee_bits.preset);
        ssz::container(&mut [
            self.aggregation_bits.0.root(bits_max).0,
            self.data.hash_tree_root().0,
            self.signature.hash_tree_root().0,
            self.committee_bits.hash_tree_root().0,
        ])
    }
}

impl HashTreeRoot for DepositMessage {
    fn hash_tree_root(&self) -> Root {
        ssz::container(&mut [
            self.pubkey.hash_tree_root().0,
            self.withdrawal_credentials.0,
            self.amount.hash_tree_root().0,
        ])
    }
}

impl<T: HashTreeRoot> HashTreeRoot for Box<T> {
    fn hash_tree_root(&self) -> Root {
        T::hash_tree_root(self)
    }
}
