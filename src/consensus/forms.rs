//! The forms of messages that depend on a fork: wrapped in `{version, data}` or bare, as blocks or
//! headers, with one of several containers.

use super::block::{
    AggregateAndProof, Attestation, AttestationElectra, AttestationGloas, BeaconBlock,
    BeaconBlockBody, BeaconBlockBodyAltair, BeaconBlockHeader, ExecutionPayloadBid,
    ExecutionPayloadBidHeze, ForkInfo,
};
use super::container::objects;
use super::json_tree::{FieldError, FromJson, JsonValue, read_field};
use super::network::{Fork, Networks};

use super::primitives::{Slot, wrong};
use super::signable::{Signable, SigningFacts};

/// Reads the object of a message.
pub(super) type ReadMessage =
    fn(JsonValue<'_>, &FormContext<'_>) -> Result<SigningFacts, FieldError>;

/// What may decide between the containers of a message, beside its object.
pub(super) struct FormContext<'c> {
    pub(super) networks: &'c Networks,
    /// `None` when it is missing or wrong: then a message that depends on a fork is refused anyway.
    pub(super) fork_info: Option<&'c ForkInfo>,
}

/// Reads a message that has one form.
pub(super) fn plain<T: FromJson + Signable>(
    object: JsonValue<'_>,
    _: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    T::from_json(object).map(|message| message.signing_facts())
}

/// Reads a message that exists since GLOAS, wrapped or bare. HEZE has the same container.
pub(super) fn since_gloas<T: FromJson + Signable>(
    object: JsonValue<'_>,
    _: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    let version = version_since_gloas(object)?;
    read_as::<T>(object, version.is_some())
}

/// Reads a bid, which has another container in HEZE. Without a version, its fields show which.
pub(super) fn bid(object: JsonValue<'_>, _: &FormContext<'_>) -> Result<SigningFacts, FieldError> {
    let version = version_since_gloas(object)?;
    let is_of_heze = match version {
        Some(version) => version >= Fork::Heze,
        None => object.field("inclusion_list_bits")?.is_some(),
    };
    if is_of_heze {
        read_as::<ExecutionPayloadBidHeze>(object, version.is_some())
    } else {
        read_as::<ExecutionPayloadBid>(object, version.is_some())
    }
}

/// Reads the version of a message that exists since GLOAS.
fn version_since_gloas(object: JsonValue<'_>) -> Result<Option<Fork>, FieldError> {
    let version = version(object)?;
    if let Some(earlier) = version.filter(|version| *version < Fork::Gloas) {
        let reason = format!("expected GLOAS or HEZE, got {}", earlier.name());
        return Err(FieldError::new(reason).at("version"));
    }
    Ok(version)
}

/// Reads the object of BLOCK_V2: whole blocks up to ALTAIR, headers from BELLATRIX on.
pub(super) fn block(
    object: JsonValue<'_>,
    _: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    let [version, block, block_header] = object.fields(["version", "block", "block_header"])?;
    match read_field("version", version)? {
        Fork::Phase0 => {
            let block: BeaconBlock<BeaconBlockBody> = read_field("block", block)?;
            Ok(block.signing_facts())
        }
        Fork::Altair => {
            let block: BeaconBlock<BeaconBlockBodyAltair> = read_field("block", block)?;
            Ok(block.signing_facts())
        }
        Fork::Bellatrix
        | Fork::Capella
        | Fork::Deneb
        | Fork::Electra
        | Fork::Fulu
        | Fork::Gloas
        | Fork::Heze => {
            let header: BeaconBlockHeader = read_field("block_header", block_header)?;
            Ok(header.signing_facts())
        }
    }
}

/// Reads an aggregate in one of its three containers. The version names the container; without one,
/// the slot, the fork of the request and the schedule of the network show it.
pub(super) fn aggregate(
    object: JsonValue<'_>,
    context: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    let version = version(object)?;
    let is_wrapped = version.is_some();
    let fork = match version {
        Some(fork) => fork,
        None => fork_of_bare_aggregate(object, context)?,
    };
    match fork {
        Fork::Phase0 | Fork::Altair | Fork::Bellatrix | Fork::Capella | Fork::Deneb => {
            read_as::<AggregateAndProof<Attestation>>(object, is_wrapped)
        }
        Fork::Electra | Fork::Fulu => {
            read_as::<AggregateAndProof<AttestationElectra>>(object, is_wrapped)
        }
        Fork::Gloas | Fork::Heze => {
            read_as::<AggregateAndProof<AttestationGloas>>(object, is_wrapped)
        }
    }
}

/// Decides which container an aggregate without a version has. An aggregate of GLOAS has the same JSON
/// as one of ELECTRA, so only the fork tells them apart. One of ELECTRA has committee bits, which earlier
/// ones do not.
fn fork_of_bare_aggregate(
    object: JsonValue<'_>,
    context: &FormContext<'_>,
) -> Result<Fork, FieldError> {
    let [data, aggregate] = object.fields(["data", "aggregate"])?;
    if data.is_some_and(|data| !data.is_null()) {
        return Err(FieldError::new("is missing beside data".to_owned()).at("version"));
    }
    let shape: AggregateShape = read_field("aggregate", aggregate)?;
    let fork = context.latest_fork(shape.slot).unwrap_or(Fork::Phase0);
    if fork >= Fork::Gloas {
        Ok(Fork::Gloas)
    } else if shape.has_committee_bits {
        Ok(Fork::Electra)
    } else if fork >= Fork::Electra {
        let slot = shape.slot;
        let reason = format!(
            "is missing; slot {slot} is of {} or later",
            Fork::Electra.name()
        );
        Err(FieldError::new(reason).at("aggregate.committee_bits"))
    } else {
        Ok(Fork::Phase0)
    }
}

impl FormContext<'_> {
    /// Returns the fork of a slot, by the schedule of the network or by the fork of the request,
    /// whichever is later: the schedule may not have the epoch of a coming fork yet. `None` when the
    /// network is not known.
    fn latest_fork(&self, slot: Slot) -> Option<Fork> {
        let fork = &self.fork_info?.fork;
        let network = self
            .networks
            .of(fork.current_version)
            .or_else(|| self.networks.of(fork.previous_version))?;
        let epoch = network.epoch_at(slot);
        let scheduled = Fork::ALL
            .into_iter()
            .rev()
            .find(|fork| network.has(*fork, epoch));
        let shown = if epoch < fork.epoch {
            network.fork_of(fork.previous_version)
        } else {
            network.fork_after(fork.previous_version, fork.current_version)
        };
        scheduled.max(shown)
    }
}

/// The parts of an aggregate that show which container it has.
struct AggregateShape {
    slot: Slot,
    has_committee_bits: bool,
}

impl FromJson for AggregateShape {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        let [data, committee_bits] = value.fields(["data", "committee_bits"])?;
        let SlotOnly { slot } = read_field("data", data)?;
        Ok(Self {
            slot,
            has_committee_bits: committee_bits.is_some_and(|bits| !bits.is_null()),
        })
    }
}

objects! {
    /// The part of an attestation's data that shows its fork.
    SlotOnly { slot: Slot }
}

/// Reads the version of `{version, data}`; `None` when it is absent.
fn version(object: JsonValue<'_>) -> Result<Option<Fork>, FieldError> {
    match object.field("version")? {
        Some(version) => read_field("version", Some(version)).map(Some),
        None => Ok(None),
    }
}

/// Reads the message itself.
fn read_as<T: FromJson + Signable>(
    object: JsonValue<'_>,
    is_wrapped: bool,
) -> Result<SigningFacts, FieldError> {
    let message: T = if is_wrapped {
        read_field("data", object.field("data")?)?
    } else {
        T::from_json(object)?
    };
    Ok(message.signing_facts())
}

impl FromJson for Fork {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(|text| {
            Self::named(text).ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                wrong(&format!("one of {names}"), text)
            })
        })
    }
}
