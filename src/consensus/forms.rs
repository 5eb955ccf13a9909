//! The forms that messages come in: a row for each type, and how to read its object.
//!
//! They are those of remote-signing-api v1.4.0, with what clients make of it: aggregates and the
//! messages of GLOAS come wrapped in `{version, data}` or bare, and some types and objects have a
//! second name.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};

use super::block::{
    AggregateAndProof, AttestationElectra, AttestationGloas, BeaconBlock, BeaconBlockBodyAltair,
    BeaconBlockHeader, ContributionAndProof, ForkInfo, aggregation_bits_max,
};
use super::container::objects;
use super::document::{Document, ELEMENTS_MAX, Field};
use super::duty::{Duty, GenesisDuty, domain_named};
use super::network::{Fork, Network, Networks, Preset};
use super::primitives::{DomainType, Slot, text, wrong};
use super::request::RequestError;

/// A type of message.
pub(super) struct Kind {
    /// What `type` may say, in any case; the specification's name first.
    pub(super) names: &'static [&'static str],
    /// Where the object is; the specification's name first.
    pub(super) keys: &'static [&'static str],
    /// How to read it.
    pub(super) read: Read,
    /// How many JSON elements its whole request may have.
    pub(super) elements_max: usize,
}

/// Of a whole block. The largest one, with 128 attestations, two attester slashings of 2,048 indices
/// on each side, and all deposits, slashings and exits that fit, has 10,931 elements.
const BLOCK_ELEMENTS_MAX: usize = 16 * 1024;

/// Of a builder's payload: 2^18 transactions (a payload of 200 million gas has room for 9,524, the
/// specification's bound is 2^20) and as many elements of everything else.
pub(super) const ENVELOPE_ELEMENTS_MAX: usize = 1 << 19;

/// How to read an object, and whether its domain depends on a fork.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Forked(fn(&mut Reader<'_, '_>, &ForkInfo) -> ForkedObject),
    Genesis(fn(&mut Reader<'_, '_>) -> Result<GenesisDuty, RequestError>),
}

/// A duty, and the preset that shows in the length of a field of it.
type ForkedObject = Result<(Duty, Seen), RequestError>;

/// A preset, and the field that shows it.
type Seen = Option<(Preset, &'static str)>;

/// Reads one object of a document.
pub(super) struct Reader<'r, 'b> {
    pub(super) document: &'r mut Document<'b>,
    pub(super) networks: &'r Networks,
    pub(super) keys: &'static [&'static str],
}

use Read::{Forked, Genesis};

#[rustfmt::skip]
static KINDS: [Kind; 18] = [
    kind(&["AGGREGATE_AND_PROOF"], &["aggregate_and_proof"], Forked(aggregate)),
    kind(&["AGGREGATE_AND_PROOF_V2"], &["aggregate_and_proof"], Forked(aggregate)),
    kind(&["AGGREGATION_SLOT"], &["aggregation_slot"], Forked(|r, _| r.plain(Duty::AggregationSlot))),
    kind(&["ATTESTATION"], &["attestation"], Forked(|r, _| r.plain(Duty::Attestation))),
    kind(&["BLOCK"], &["block"], Forked(|r, _| r.plain(Duty::BlockPhase0))).up_to(BLOCK_ELEMENTS_MAX),
    kind(&["BLOCK_V2"], &["beacon_block"], Forked(|r, _| r.block())).up_to(BLOCK_ELEMENTS_MAX),
    kind(&["BUILDER_REQUEST_AUTH", "REQUEST_AUTH"], &["builder_request_auth", "request_auth"],
        Genesis(|r| r.gloas().map(GenesisDuty::BuilderRequestAuth))),
    kind(&["DEPOSIT"], &["deposit"], Genesis(|r| r.object().map(GenesisDuty::Deposit))),
    kind(&["EXECUTION_PAYLOAD_BID"], &["execution_payload_bid"],
        Forked(|r, _| Ok((Duty::ExecutionPayloadBid(r.gloas()?), None)))),
    kind(&["EXECUTION_PAYLOAD_ENVELOPE"], &["execution_payload_envelope"],
        Forked(|r, _| Ok((Duty::ExecutionPayloadEnvelope(r.gloas()?), None)))).up_to(ENVELOPE_ELEMENTS_MAX),
    kind(&["PAYLOAD_ATTESTATION_MESSAGE", "PAYLOAD_ATTESTATION"],
        &["payload_attestation_message", "payload_attestation_data", "payload_attestation"],
        Forked(|r, _| Ok((Duty::PayloadAttestation(r.gloas()?), None)))),
    kind(&["PROPOSER_PREFERENCES"], &["proposer_preferences"],
        Forked(|r, _| Ok((Duty::ProposerPreferences(r.gloas()?), None)))),
    kind(&["RANDAO_REVEAL"], &["randao_reveal"], Forked(|r, _| r.plain(Duty::RandaoReveal))),
    kind(&["SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF"], &["contribution_and_proof"],
        Forked(|r, _| r.contribution())),
    kind(&["SYNC_COMMITTEE_MESSAGE"], &["sync_committee_message"],
        Forked(|r, _| r.plain(Duty::SyncCommitteeMessage))),
    kind(&["SYNC_COMMITTEE_SELECTION_PROOF"], &["sync_aggregator_selection_data"],
        Forked(|r, _| r.plain(Duty::SyncCommitteeSelection))),
    kind(&["VALIDATOR_REGISTRATION"], &["validator_registration"],
        Genesis(|r| r.object().map(GenesisDuty::ValidatorRegistration))),
    kind(&["VOLUNTARY_EXIT"], &["voluntary_exit"], Forked(|r, _| r.plain(Duty::VoluntaryExit))),
];

const fn kind(names: &'static [&'static str], keys: &'static [&'static str], read: Read) -> Kind {
    Kind {
        names,
        keys,
        read,
        elements_max: ELEMENTS_MAX,
    }
}

impl Kind {
    const fn up_to(self, elements_max: usize) -> Self {
        Self {
            elements_max,
            ..self
        }
    }
}

impl Reader<'_, '_> {
    /// What the domain depends on.
    pub(super) fn fork_info(&mut self) -> Result<ForkInfo, RequestError> {
        self.document.read(Field::named(&["fork_info"]))
    }

    /// The preset that holds: the network's, with which the one that was seen must agree; for a
    /// network that nobody knows, the one that was seen.
    pub(super) fn preset(&self, fork_info: &ForkInfo, seen: Seen) -> Result<Preset, RequestError> {
        match (self.networks.of(fork_info.fork.current_version), seen) {
            (Some(network), Some((preset, field))) if preset != network.preset => {
                let reason = format!(
                    "has the length of preset {preset:?}, but network {} has {:?}",
                    network.name, network.preset
                );
                self.wrong(field, reason)
            }
            (Some(network), _) => Ok(network.preset),
            (None, Some((preset, _))) => Ok(preset),
            (None, None) => Ok(Preset::Mainnet),
        }
    }

    fn object<T: DeserializeOwned>(&mut self) -> Result<T, RequestError> {
        self.document.read(Field::named(self.keys))
    }

    fn plain<T: DeserializeOwned>(&mut self, duty: fn(T) -> Duty) -> ForkedObject {
        Ok((duty(self.object()?), None))
    }

    fn data<T: DeserializeOwned>(&mut self, wrapped: bool) -> Result<T, RequestError> {
        match wrapped {
            true => self.object::<Wrapped<T>>().map(|wrapped| wrapped.data),
            false => self.object(),
        }
    }

    /// A message that only GLOAS has.
    fn gloas<T: DeserializeOwned>(&mut self) -> Result<T, RequestError> {
        match self.object::<Shape>()?.version {
            Some(Fork::Gloas) => self.data(true),
            Some(other) => self.wrong("version", format!("expected GLOAS, got {}", other.name())),
            None => self.data(false),
        }
    }

    fn block(&mut self) -> ForkedObject {
        match self.object::<Versioned>()?.version {
            Fork::Phase0 => self.plain(|it: WithBlock<_>| Duty::BlockPhase0(it.block)),
            Fork::Altair => {
                let block = self
                    .object::<WithBlock<Box<BeaconBlock<BeaconBlockBodyAltair>>>>()?
                    .block;
                let preset = block.body.sync_aggregate.sync_committee_bits.preset;
                let seen = (preset, "block.body.sync_aggregate.sync_committee_bits");
                Ok((Duty::BlockAltair(block), Some(seen)))
            }
            Fork::Bellatrix
            | Fork::Capella
            | Fork::Deneb
            | Fork::Electra
            | Fork::Fulu
            | Fork::Gloas
            | Fork::Heze => self.plain(|it: WithHeader| Duty::BlockHeader(it.block_header)),
        }
    }

    fn contribution(&mut self) -> ForkedObject {
        let message: Box<ContributionAndProof> = self.object()?;
        let preset = message.contribution.aggregation_bits.preset;
        Ok((
            Duty::ContributionAndProof(message),
            Some((preset, "contribution.aggregation_bits")),
        ))
    }

    fn electra(&mut self, wrapped: bool) -> ForkedObject {
        let message: Box<AggregateAndProof<AttestationElectra>> = self.data(wrapped)?;
        let AttestationElectra {
            aggregation_bits,
            committee_bits,
            ..
        } = &message.aggregate;
        let (length, max) = (
            aggregation_bits.0.length,
            aggregation_bits_max(committee_bits.preset),
        );
        let seen = (committee_bits.preset, COMMITTEE_BITS);
        match length <= max {
            true => Ok((Duty::AggregateAndProofElectra(message), Some(seen))),
            false => self.wrong(
                "aggregate.aggregation_bits",
                format!("expected at most {max} bits, got {length}"),
            ),
        }
    }

    fn wrong<T>(&self, field: &str, reason: String) -> Result<T, RequestError> {
        Err(RequestError::Field {
            path: format!("{}.{field}", self.keys[0]),
            reason,
        })
    }
}

/// An aggregate has three containers. Its version tells which; without one, the schedule of the
/// network tells whether GLOAS has come (its JSON is ELECTRA's), and the fields tell the rest.
fn aggregate(reader: &mut Reader<'_, '_>, fork_info: &ForkInfo) -> ForkedObject {
    let Shape {
        version,
        data,
        aggregate,
    } = reader.object()?;
    let fork = match (version, aggregate) {
        (Some(version), _) => version,
        (None, _) if data.is_some() => {
            return reader.wrong("version", "missing beside data".to_owned());
        }
        (None, Some(aggregate)) => {
            let network = reader.networks.of(fork_info.fork.current_version);
            let gloas =
                |network: &Network| network.has(Fork::Gloas, network.epoch_at(aggregate.data.slot));
            match aggregate.committee_bits {
                _ if network.is_some_and(gloas) => Fork::Gloas,
                Some(_) => Fork::Electra,
                None => Fork::Phase0,
            }
        }
        (None, None) => return reader.wrong("aggregate", "missing".to_owned()),
    };
    let wrapped = version.is_some();
    match fork {
        Fork::Phase0 | Fork::Altair | Fork::Bellatrix | Fork::Capella | Fork::Deneb => {
            Ok((Duty::AggregateAndProof(reader.data(wrapped)?), None))
        }
        Fork::Electra | Fork::Fulu => reader.electra(wrapped),
        Fork::Gloas | Fork::Heze => {
            let message: Box<AggregateAndProof<AttestationGloas>> = reader.data(wrapped)?;
            let seen = (message.aggregate.committee_bits.preset, COMMITTEE_BITS);
            Ok((Duty::AggregateAndProofGloas(message), Some(seen)))
        }
    }
}

/// Which bits tell the preset of an aggregate.
const COMMITTEE_BITS: &str = "aggregate.committee_bits";

objects! {
    /// `{version, data}`, whose version has been looked at.
    Wrapped<T> { data: T }

    /// The object of BLOCK_V2, at first.
    Versioned { version: Fork }

    /// The object of BLOCK_V2 up to ALTAIR.
    WithBlock<B> { block: B }

    /// The object of BLOCK_V2 from BELLATRIX on.
    WithHeader { block_header: BeaconBlockHeader }

    /// What tells the form of an object.
    Shape { version: Option<Fork> = None, data: Option<IgnoredAny> = None, aggregate: Option<AggregateShape> = None }

    /// What tells the container of an aggregate.
    AggregateShape { committee_bits: Option<IgnoredAny> = None, data: SlotOnly }

    /// Of an attestation's data, what tells its fork.
    SlotOnly { slot: Slot }
}

/// A domain type by its name.
pub(super) struct DomainName(pub(super) DomainType);

/// Types that are read from a text by a function of it.
macro_rules! named {
    ($($type:ty: $read:expr;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(text($read))
            }
        }
    )*};
}

named! {
    &'static Kind: |text| {
        let is = |name: &&str| name.eq_ignore_ascii_case(text);
        let kind = KINDS.iter().find(|kind| kind.names.iter().any(is));
        kind.ok_or_else(|| wrong(&format!("one of {}", KINDS.each_ref().map(|kind| kind.names[0]).join(", ")), text))
    };
    Fork: |text| {
        let fork = Fork::named(text);
        fork.ok_or_else(|| wrong(&format!("one of {}", Fork::ALL.map(Fork::name).join(", ")), text))
    };
    DomainName: |text| {
        domain_named(text).map(Self).ok_or_else(|| wrong("a domain like beacon_attester", text))
    };
}
