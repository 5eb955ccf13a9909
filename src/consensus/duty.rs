//! What is signed: one variant per message, which knows its domain, its epoch and its slashing class.

use super::block::{
    AggregateAndProof, AggregationSlot, Attestation, AttestationData, AttestationElectra,
    AttestationGloas, BeaconBlock, BeaconBlockBody, BeaconBlockBodyAltair, BeaconBlockHeader,
    BuilderRequestAuth, ContributionAndProof, DepositMessage, ExecutionPayloadBid,
    ExecutionPayloadEnvelope, PayloadAttestationData, ProposerPreferences, RandaoReveal,
    SyncAggregatorSelectionData, SyncCommitteeMessage, ValidatorRegistration, VoluntaryExit,
};
use super::primitives::{DomainType, Epoch, Root, Slot, Version};
use super::slashable::{Slashable, SlashableMessage};
use super::ssz::HashTreeRoot;

/// A message in the domain of a fork.
pub(super) enum Duty {
    AggregateAndProof(Box<AggregateAndProof<Attestation>>),
    AggregateAndProofElectra(Box<AggregateAndProof<AttestationElectra>>),
    AggregateAndProofGloas(Box<AggregateAndProof<AttestationGloas>>),
    AggregationSlot(AggregationSlot),
    Attestation(AttestationData),
    BlockPhase0(Box<BeaconBlock<BeaconBlockBody>>),
    BlockAltair(Box<BeaconBlock<BeaconBlockBodyAltair>>),
    BlockHeader(BeaconBlockHeader),
    ContributionAndProof(Box<ContributionAndProof>),
    ExecutionPayloadBid(Box<ExecutionPayloadBid>),
    ExecutionPayloadEnvelope(Box<ExecutionPayloadEnvelope>),
    PayloadAttestation(PayloadAttestationData),
    ProposerPreferences(ProposerPreferences),
    RandaoReveal(RandaoReveal),
    SyncCommitteeMessage(SyncCommitteeMessage),
    SyncCommitteeSelection(SyncAggregatorSelectionData),
    VoluntaryExit(VoluntaryExit),
}

/// A message that holds across forks: its domain has a genesis version and the zero root.
pub(super) enum GenesisDuty {
    BuilderRequestAuth(BuilderRequestAuth),
    Deposit(DepositMessage),
    ValidatorRegistration(ValidatorRegistration),
}

/// What the signing root of a message is made of.
pub(super) struct Facts {
    /// The name of the container, for messages to people.
    pub(super) container: &'static str,
    /// What the signature is for.
    pub(super) domain_type: DomainType,
    /// The hash tree root of the message.
    pub(super) root: Root,
}

/// When a message belongs to a fork.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    At(Slot),
    In(Epoch),
}

impl Duty {
    /// What is signed, and when it counts.
    #[rustfmt::skip]
    pub(super) fn facts(&self) -> (Facts, Moment) {
        use Moment::{At, In};
        let (container, domain_type, moment, root) = match self {
            Self::AggregateAndProof(it) =>
                ("AggregateAndProof of PHASE0", AGGREGATE_AND_PROOF, At(it.aggregate.data.slot), root(it)),
            Self::AggregateAndProofElectra(it) =>
                ("AggregateAndProof of ELECTRA", AGGREGATE_AND_PROOF, At(it.aggregate.data.slot), root(it)),
            Self::AggregateAndProofGloas(it) =>
                ("AggregateAndProof of GLOAS", AGGREGATE_AND_PROOF, At(it.aggregate.data.slot), root(it)),
            Self::AggregationSlot(it) => ("Slot", SELECTION_PROOF, At(it.slot), root(&it.slot)),
            Self::Attestation(it) => ("AttestationData", BEACON_ATTESTER, In(it.target.epoch), root(it)),
            Self::BlockPhase0(it) => ("BeaconBlock of PHASE0", BEACON_PROPOSER, At(it.slot), root(it)),
            Self::BlockAltair(it) => ("BeaconBlock of ALTAIR", BEACON_PROPOSER, At(it.slot), root(it)),
            Self::BlockHeader(it) => ("BeaconBlockHeader", BEACON_PROPOSER, At(it.slot), root(it)),
            Self::ContributionAndProof(it) =>
                ("ContributionAndProof", CONTRIBUTION_AND_PROOF, At(it.contribution.slot), root(it)),
            Self::ExecutionPayloadBid(it) => ("ExecutionPayloadBid", BEACON_BUILDER, At(it.slot), root(it)),
            Self::ExecutionPayloadEnvelope(it) =>
                ("ExecutionPayloadEnvelope", BEACON_BUILDER, At(it.payload.slot_number), root(it)),
            Self::PayloadAttestation(it) => ("PayloadAttestationData", PTC_ATTESTER, At(it.slot), root(it)),
            Self::ProposerPreferences(it) =>
                ("ProposerPreferences", PROPOSER_PREFERENCES, At(it.proposal_slot), root(it)),
            Self::RandaoReveal(it) => ("Epoch", RANDAO, In(it.epoch), root(&it.epoch)),
            Self::SyncCommitteeMessage(it) => ("Root", SYNC_COMMITTEE, At(it.slot), it.beacon_block_root),
            Self::SyncCommitteeSelection(it) =>
                ("SyncAggregatorSelectionData", SYNC_COMMITTEE_SELECTION_PROOF, At(it.slot), root(it)),
            Self::VoluntaryExit(it) => ("VoluntaryExit", VOLUNTARY_EXIT, In(it.epoch), root(it)),
        };
        (Facts { container, domain_type, root }, moment)
    }

    /// What slashing protection must know of it.
    pub(super) fn slashable(&self, genesis_validators_root: Root) -> Slashable {
        let message = match self {
            Self::Attestation(it) => SlashableMessage::Vote(it.source.epoch, it.target.epoch),
            Self::BlockPhase0(it) => SlashableMessage::Block(it.slot),
            Self::BlockAltair(it) => SlashableMessage::Block(it.slot),
            Self::BlockHeader(it) => SlashableMessage::Block(it.slot),
            Self::AggregateAndProof(_)
            | Self::AggregateAndProofElectra(_)
            | Self::AggregateAndProofGloas(_)
            | Self::AggregationSlot(_)
            | Self::ContributionAndProof(_)
            | Self::ExecutionPayloadBid(_)
            | Self::ExecutionPayloadEnvelope(_)
            | Self::PayloadAttestation(_)
            | Self::ProposerPreferences(_)
            | Self::RandaoReveal(_)
            | Self::SyncCommitteeMessage(_)
            | Self::SyncCommitteeSelection(_)
            | Self::VoluntaryExit(_) => return Slashable::Never,
        };
        Slashable::On(genesis_validators_root, message)
    }
}

impl GenesisDuty {
    /// What is signed, and the genesis version where the message itself names it.
    pub(super) fn facts(&self) -> (Facts, Option<Version>) {
        let (container, domain_type, version, root) = match self {
            Self::BuilderRequestAuth(it) => {
                ("BuilderRequestAuth", BUILDER_REQUEST_AUTH, None, root(it))
            }
            Self::Deposit(it) => (
                "DepositMessage",
                DEPOSIT,
                Some(it.genesis_fork_version),
                root(it),
            ),
            Self::ValidatorRegistration(it) => {
                ("ValidatorRegistration", APPLICATION_BUILDER, None, root(it))
            }
        };
        (
            Facts {
                container,
                domain_type,
                root,
            },
            version,
        )
    }
}

fn root<T: HashTreeRoot>(message: &T) -> Root {
    message.hash_tree_root()
}

/// The domain of this name, as py3signer spells it, with or without `domain_`, in any case.
pub(super) fn domain_named(name: &str) -> Option<DomainType> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("domain_").unwrap_or(&name);
    DOMAINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, domain)| *domain)
}

/// Domain types by name. Sources: consensus-specs, "Domain types" of each fork; builder-specs.
const DOMAINS: [(&str, DomainType); 16] = [
    ("beacon_proposer", BEACON_PROPOSER),
    ("beacon_attester", BEACON_ATTESTER),
    ("randao", RANDAO),
    ("deposit", DEPOSIT),
    ("voluntary_exit", VOLUNTARY_EXIT),
    ("selection_proof", SELECTION_PROOF),
    ("aggregate_and_proof", AGGREGATE_AND_PROOF),
    ("sync_committee", SYNC_COMMITTEE),
    (
        "sync_committee_selection_proof",
        SYNC_COMMITTEE_SELECTION_PROOF,
    ),
    ("contribution_and_proof", CONTRIBUTION_AND_PROOF),
    ("beacon_builder", BEACON_BUILDER),
    ("ptc_attester", PTC_ATTESTER),
    ("proposer_preferences", PROPOSER_PREFERENCES),
    ("application_mask", DomainType([0, 0, 0, 1])),
    ("application_builder", APPLICATION_BUILDER),
    ("builder_request_auth", BUILDER_REQUEST_AUTH),
];

const BEACON_PROPOSER: DomainType = DomainType([0x00, 0, 0, 0]);
const BEACON_ATTESTER: DomainType = DomainType([0x01, 0, 0, 0]);
const RANDAO: DomainType = DomainType([0x02, 0, 0, 0]);
const DEPOSIT: DomainType = DomainType([0x03, 0, 0, 0]);
const VOLUNTARY_EXIT: DomainType = DomainType([0x04, 0, 0, 0]);
const SELECTION_PROOF: DomainType = DomainType([0x05, 0, 0, 0]);
const AGGREGATE_AND_PROOF: DomainType = DomainType([0x06, 0, 0, 0]);
const SYNC_COMMITTEE: DomainType = DomainType([0x07, 0, 0, 0]);
const SYNC_COMMITTEE_SELECTION_PROOF: DomainType = DomainType([0x08, 0, 0, 0]);
const CONTRIBUTION_AND_PROOF: DomainType = DomainType([0x09, 0, 0, 0]);
const BEACON_BUILDER: DomainType = DomainType([0x0b, 0, 0, 0]);
const PTC_ATTESTER: DomainType = DomainType([0x0c, 0, 0, 0]);
const PROPOSER_PREFERENCES: DomainType = DomainType([0x0d, 0, 0, 0]);
const APPLICATION_BUILDER: DomainType = DomainType([0, 0, 0, 1]);
const BUILDER_REQUEST_AUTH: DomainType = DomainType([0x0b, 0, 0, 1]);
