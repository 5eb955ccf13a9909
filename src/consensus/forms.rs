//! The forms of messages that depend on a fork: wrapped in `{version, data}` or bare, as blocks or
//! headers, with one of several containers.

use super::block::{
    AggregateAndProof, Attestation, AttestationElectra, AttestationGloas, BeaconBlock,
    BeaconBlockBody, BeaconBlockBodyAltair, BeaconBlockHeader, ExecutionPayloadBid,
    ExecutionPayloadBidHeze, ForkInfo,
};
use super::container::objects;
use super::json_tree::{FieldError, FromJson, JsonValue, read_field};
use super::network::{Fork, Network, Preset};
use super::networks::Networks;
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

/// Reads a message that exists since GLOAS, wrapped or bare, and did not change since.
pub(super) fn since_gloas<T: FromJson + Signable>(
    object: JsonValue<'_>,
    _: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    let version = version_since_gloas(object)?;
    read_as::<T>(object, version.is_some())
}

/// Reads a builder's bid. HEZE gave it `inclusion_list_bits`. Without a version, that field shows HEZE, and
/// a bid of an epoch of HEZE must have it.
pub(super) fn bid(
    object: JsonValue<'_>,
    context: &FormContext<'_>,
) -> Result<SigningFacts, FieldError> {
    let version = version_since_gloas(object)?;
    let is_heze = match version {
        Some(fork) => fork == Fork::Heze,
        None => {
            let bits = object.field("inclusion_list_bits")?;
            bits.is_some_and(|bits| !bits.is_null()) || is_bid_of_heze(object, context)?
        }
    };
    if is_heze {
        read_as::<ExecutionPayloadBidHeze>(object, version.is_some())
    } else {
        read_as::<ExecutionPayloadBid>(object, version.is_some())
    }
}

/// Whether the epoch of a bid without a version is one of HEZE, by the schedule of the network or by the
/// fork of the request.
fn is_bid_of_heze(object: JsonValue<'_>, context: &FormContext<'_>) -> Result<bool, FieldError> {
    let Some(ForkInfo { fork, .. }) = context.fork_info else {
        return Ok(false);
    };
    let Some(network) = context.networks.of(fork.current_version) else {
        return Ok(false);
    };
    let SlotOnly { slot } = SlotOnly::from_json(object)?;
    let epoch = network.epoch_at(slot);
    let is_current = network.fork_of(fork.current_version) == Some(Fork::Heze);
    Ok(network.has(Fork::Heze, epoch) || (is_current && epoch >= fork.epoch))
}

/// Reads the version of `{version, data}`, which must be GLOAS or HEZE.
fn version_since_gloas(object: JsonValue<'_>) -> Result<Option<Fork>, FieldError> {
    let version = version(object)?;
    if let Some(other) = version
        && other < Fork::Gloas
    {
        let reason = format!("expected GLOAS or HEZE, got {}", other.name());
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

/// Reads an aggregate in one of its three containers. The version names the container. Without a
/// version, the schedule of the network or the fork of the request shows whether GLOAS has come, whose
/// JSON is that of ELECTRA, and the fields show the rest.
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

/// Decides which container an aggregate without a version has.
fn fork_of_bare_aggregate(
    object: JsonValue<'_>,
    context: &FormContext<'_>,
) -> Result<Fork, FieldError> {
    let [data, aggregate] = object.fields(["data", "aggregate"])?;
    if data.is_some_and(|data| !data.is_null()) {
        return Err(FieldError::new("is missing beside data".to_owned()).at("version"));
    }
    let shape: AggregateShape = read_field("aggregate", aggregate)?;
    let network = context
        .fork_info
        .and_then(|fork_info| context.networks.of(fork_info.fork.current_version));
    let epoch = network
        .unwrap_or_else(|| Network::unknown(Preset::Mainnet))
        .epoch_at(shape.slot);
    let has_come = |fork| network.is_some_and(|network| network.has(fork, epoch));
    let is_after_gloas = context.fork_info.is_some_and(|fork_info| {
        epoch >= fork_info.fork.epoch && is_gloas_or_later(fork_info, context.networks)
    });
    if has_come(Fork::Gloas) || is_after_gloas {
        Ok(Fork::Gloas)
    } else if shape.has_committee_bits {
        Ok(Fork::Electra)
    } else if has_come(Fork::Electra) {
        let reason =
            format!("is missing; aggregates have it since ELECTRA, and epoch {epoch} is later");
        Err(FieldError::new(reason).at("committee_bits").at("aggregate"))
    } else {
        Ok(Fork::Phase0)
    }
}

/// Whether the current fork of a request is GLOAS or a later one: by its version, or, where the network
/// does not know that version, because the fork before it is FULU or later.
fn is_gloas_or_later(fork_info: &ForkInfo, networks: &Networks) -> bool {
    let ForkInfo { fork, .. } = fork_info;
    let fork_of = |version| {
        networks
            .of(version)
            .and_then(|network| network.fork_of(version))
    };
    match fork_of(fork.current_version) {
        Some(current) => current >= Fork::Gloas,
        None => fork_of(fork.previous_version).is_some_and(|previous| previous >= Fork::Fulu),
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
    /// The part of a message that shows its fork.
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
