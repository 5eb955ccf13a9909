//! The types of messages: to add one, write its row in [`MESSAGE_TYPES`] and its `impl Signable` below,
//! beside a container in `block.rs` where the message needs a new one.
//!
//! The types are those of remote-signing-api v1.4.0, and what clients make of it: aggregates and the
//! messages of GLOAS come wrapped in `{version, data}` or bare, and some types and objects have a second
//! name.

use super::block::{
    AggregateAndProof, AggregationSlot, Attestation, AttestationData, AttestationElectra,
    AttestationGloas, BeaconBlock, BeaconBlockBody, BeaconBlockBodyAltair, BeaconBlockHeader,
    BuilderRequestAuth, ContributionAndProof, DepositMessage, ExecutionPayloadBid,
    ExecutionPayloadBidHeze, ExecutionPayloadEnvelope, PayloadAttestationData, ProposerPreferences,
    RandaoReveal, SyncAggregatorSelectionData, SyncCommitteeMessage, ValidatorRegistration,
    VoluntaryExit,
};
use super::domain::{self, DomainRule, ForkMoment};
use super::forms::{ReadMessage, aggregate, bid, block, plain, since_gloas};
use super::primitives::wrong;
use super::signable::{ShownPreset, Signable, SigningFacts};
use super::slashable::SlashableMessage;
use super::slot_clock::DutyTime;
use super::ssz::HashTreeRoot;

/// A type of message.
pub(super) struct MessageType {
    /// The values of `type` in a request, in any case; the specification's name first.
    pub(super) names: &'static [&'static str],
    /// The fields of a request that may hold the object; the specification's name first.
    pub(super) fields: &'static [&'static str],
    /// Reads the object.
    pub(super) read: ReadMessage,
    /// The most JSON elements in a whole request.
    pub(super) elements_max: usize,
}

/// Elements of a request of most types. The largest of these messages, a bid with 4,096 blob
/// commitments, has 4,116.
pub(super) const ELEMENTS_MAX: usize = 8 * 1024;

/// Elements of a request with a whole block. The largest one, with 128 attestations, two attester
/// slashings of 2,048 indices on each side, and all deposits, slashings and exits that fit, has 10,931.
const BLOCK_ELEMENTS_MAX: usize = 16 * 1024;

/// Elements of a request with a builder's payload: 2^18 transactions (a payload of 200 million gas has
/// room for 9,524, the specification's bound is 2^20) and as many elements of everything else.
pub(super) const ENVELOPE_ELEMENTS_MAX: usize = 1 << 19;

static MESSAGE_TYPES: [MessageType; 18] = [
    message_type(
        &["AGGREGATE_AND_PROOF"],
        &["aggregate_and_proof"],
        aggregate,
    ),
    message_type(
        &["AGGREGATE_AND_PROOF_V2"],
        &["aggregate_and_proof"],
        aggregate,
    ),
    message_type(
        &["AGGREGATION_SLOT"],
        &["aggregation_slot"],
        plain::<AggregationSlot>,
    ),
    message_type(&["ATTESTATION"], &["attestation"], plain::<AttestationData>),
    message_type(
        &["BLOCK"],
        &["block"],
        plain::<BeaconBlock<BeaconBlockBody>>,
    )
    .up_to(BLOCK_ELEMENTS_MAX),
    message_type(&["BLOCK_V2"], &["beacon_block"], block).up_to(BLOCK_ELEMENTS_MAX),
    message_type(
        &["BUILDER_REQUEST_AUTH", "REQUEST_AUTH"],
        &["builder_request_auth", "request_auth"],
        since_gloas::<BuilderRequestAuth>,
    ),
    message_type(&["DEPOSIT"], &["deposit"], plain::<DepositMessage>),
    message_type(&["EXECUTION_PAYLOAD_BID"], &["execution_payload_bid"], bid),
    message_type(
        &["EXECUTION_PAYLOAD_ENVELOPE"],
        &["execution_payload_envelope"],
        since_gloas::<ExecutionPayloadEnvelope>,
    )
    .up_to(ENVELOPE_ELEMENTS_MAX),
    message_type(
        &["PAYLOAD_ATTESTATION_MESSAGE", "PAYLOAD_ATTESTATION"],
        &[
            "payload_attestation_message",
            "payload_attestation_data",
            "payload_attestation",
        ],
        since_gloas::<PayloadAttestationData>,
    ),
    message_type(
        &["PROPOSER_PREFERENCES"],
        &["proposer_preferences"],
        since_gloas::<ProposerPreferences>,
    ),
    message_type(
        &["RANDAO_REVEAL"],
        &["randao_reveal"],
        plain::<RandaoReveal>,
    ),
    message_type(
        &["SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF"],
        &["contribution_and_proof"],
        plain::<ContributionAndProof>,
    ),
    message_type(
        &["SYNC_COMMITTEE_MESSAGE"],
        &["sync_committee_message"],
        plain::<SyncCommitteeMessage>,
    ),
    message_type(
        &["SYNC_COMMITTEE_SELECTION_PROOF"],
        &["sync_aggregator_selection_data"],
        plain::<SyncAggregatorSelectionData>,
    ),
    message_type(
        &["VALIDATOR_REGISTRATION"],
        &["validator_registration"],
        plain::<ValidatorRegistration>,
    ),
    message_type(
        &["VOLUNTARY_EXIT"],
        &["voluntary_exit"],
        plain::<VoluntaryExit>,
    ),
];

const fn message_type(
    names: &'static [&'static str],
    fields: &'static [&'static str],
    read: ReadMessage,
) -> MessageType {
    MessageType {
        names,
        fields,
        read,
        elements_max: ELEMENTS_MAX,
    }
}

impl MessageType {
    const fn up_to(self, elements_max: usize) -> Self {
        Self {
            elements_max,
            ..self
        }
    }

    /// Finds the type of this name, in any case.
    ///
    /// # Errors
    /// A reason that lists all names.
    pub(super) fn named(name: &str) -> Result<&'static Self, String> {
        for message_type in &MESSAGE_TYPES {
            let mut names = message_type.names.iter();
            if names.any(|known| known.eq_ignore_ascii_case(name)) {
                return Ok(message_type);
            }
        }
        let names = MESSAGE_TYPES.each_ref().map(|known| known.names[0]);
        let expected = format!("one of {}", names.join(", "));
        Err(wrong(&expected, name))
    }
}

impl Signable for AggregateAndProof<Attestation> {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "AggregateAndProof of PHASE0",
            root: self.hash_tree_root(),
            domain_type: domain::AGGREGATE_AND_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.aggregate.data.slot)),
            duty_time: DutyTime::Aggregate(self.aggregate.data.slot),
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for AggregateAndProof<AttestationElectra> {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "AggregateAndProof of ELECTRA",
            root: self.hash_tree_root(),
            domain_type: domain::AGGREGATE_AND_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.aggregate.data.slot)),
            duty_time: DutyTime::Aggregate(self.aggregate.data.slot),
            slashable: None,
            shown_preset: Some(ShownPreset {
                preset: self.aggregate.committee_bits.preset,
                field: "aggregate.committee_bits",
            }),
        }
    }
}

impl Signable for AggregateAndProof<AttestationGloas> {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "AggregateAndProof of GLOAS",
            root: self.hash_tree_root(),
            domain_type: domain::AGGREGATE_AND_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.aggregate.data.slot)),
            duty_time: DutyTime::Aggregate(self.aggregate.data.slot),
            slashable: None,
            shown_preset: Some(ShownPreset {
                preset: self.aggregate.committee_bits.preset,
                field: "aggregate.committee_bits",
            }),
        }
    }
}

impl Signable for AggregationSlot {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "Slot",
            root: self.slot.hash_tree_root(),
            domain_type: domain::SELECTION_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for AttestationData {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "AttestationData",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_ATTESTER,
            domain_rule: DomainRule::Fork(ForkMoment::Epoch(self.target.epoch)),
            duty_time: DutyTime::Attestation(self.slot),
            slashable: Some(SlashableMessage::Vote(self.source.epoch, self.target.epoch)),
            shown_preset: None,
        }
    }
}

impl Signable for BeaconBlock<BeaconBlockBody> {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "BeaconBlock of PHASE0",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_PROPOSER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::SlotStart(self.slot),
            slashable: Some(SlashableMessage::Block(self.slot)),
            shown_preset: None,
        }
    }
}

impl Signable for BeaconBlock<BeaconBlockBodyAltair> {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "BeaconBlock of ALTAIR",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_PROPOSER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::SlotStart(self.slot),
            slashable: Some(SlashableMessage::Block(self.slot)),
            shown_preset: Some(ShownPreset {
                preset: self.body.sync_aggregate.sync_committee_bits.preset,
                field: "block.body.sync_aggregate.sync_committee_bits",
            }),
        }
    }
}

impl Signable for BeaconBlockHeader {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "BeaconBlockHeader",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_PROPOSER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::SlotStart(self.slot),
            slashable: Some(SlashableMessage::Block(self.slot)),
            shown_preset: None,
        }
    }
}

impl Signable for BuilderRequestAuth {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "BuilderRequestAuth",
            root: self.hash_tree_root(),
            domain_type: domain::BUILDER_REQUEST_AUTH,
            domain_rule: DomainRule::Genesis(None),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ContributionAndProof {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ContributionAndProof",
            root: self.hash_tree_root(),
            domain_type: domain::CONTRIBUTION_AND_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.contribution.slot)),
            duty_time: DutyTime::Aggregate(self.contribution.slot),
            slashable: None,
            shown_preset: Some(ShownPreset {
                preset: self.contribution.aggregation_bits.preset,
                field: "contribution.aggregation_bits",
            }),
        }
    }
}

impl Signable for DepositMessage {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "DepositMessage",
            root: self.hash_tree_root(),
            domain_type: domain::DEPOSIT,
            domain_rule: DomainRule::Genesis(Some(self.genesis_fork_version)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ExecutionPayloadBid {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ExecutionPayloadBid",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_BUILDER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ExecutionPayloadBidHeze {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ExecutionPayloadBid of HEZE",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_BUILDER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ExecutionPayloadEnvelope {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ExecutionPayloadEnvelope",
            root: self.hash_tree_root(),
            domain_type: domain::BEACON_BUILDER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.payload.slot_number)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for PayloadAttestationData {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "PayloadAttestationData",
            root: self.hash_tree_root(),
            domain_type: domain::PTC_ATTESTER,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::PayloadAttestation(self.slot),
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ProposerPreferences {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ProposerPreferences",
            root: self.hash_tree_root(),
            domain_type: domain::PROPOSER_PREFERENCES,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.proposal_slot)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for RandaoReveal {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "Epoch",
            root: self.epoch.hash_tree_root(),
            domain_type: domain::RANDAO,
            domain_rule: DomainRule::Fork(ForkMoment::Epoch(self.epoch)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for SyncAggregatorSelectionData {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "SyncAggregatorSelectionData",
            root: self.hash_tree_root(),
            domain_type: domain::SYNC_COMMITTEE_SELECTION_PROOF,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for SyncCommitteeMessage {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "Root",
            root: self.beacon_block_root,
            domain_type: domain::SYNC_COMMITTEE,
            domain_rule: DomainRule::Fork(ForkMoment::Slot(self.slot)),
            duty_time: DutyTime::Attestation(self.slot),
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for ValidatorRegistration {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "ValidatorRegistration",
            root: self.hash_tree_root(),
            domain_type: domain::APPLICATION_BUILDER,
            domain_rule: DomainRule::Genesis(None),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}

impl Signable for VoluntaryExit {
    fn signing_facts(&self) -> SigningFacts {
        SigningFacts {
            container: "VoluntaryExit",
            root: self.hash_tree_root(),
            domain_type: domain::VOLUNTARY_EXIT,
            domain_rule: DomainRule::Fork(ForkMoment::Exit(self.epoch)),
            duty_time: DutyTime::Anytime,
            slashable: None,
            shown_preset: None,
        }
    }
}
