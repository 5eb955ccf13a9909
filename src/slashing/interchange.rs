//! The interchange format of EIP-3076, version 5, to and from marks. Pure.
//!
//! An imported file is reduced to its maxima (the EIP's "minimal" strategy), key by key while it is
//! read. Its signing roots are checked and dropped: what another signer signed is never signed again
//! here.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::rule::{BlockMark, Marks, Position, SlashableMessage, Unavailable, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot, Uint64};

const VERSION: Uint64 = Uint64(5);

/// Fields that we do not know may hold anything, but not nest without end.
const DEPTH_MAX: usize = 32;

/// Why an import changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The text is not an interchange file, one of another chain, or its marks cannot be taken; names
    /// the field.
    Invalid(String),
    /// The store could not be written.
    Unavailable(Unavailable),
}

/// The chain and the marks of a file; those of a key that comes twice are merged.
/// `expected` is the only chain to accept.
pub(super) fn read(
    json: &str,
    expected: Option<Root>,
) -> Result<(Root, BTreeMap<PublicKey, Marks>), ImportError> {
    check_depth(json)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let Object(file): Object<In> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ImportError::Invalid(error.to_string()))?;
    deserializer
        .end()
        .map_err(|error| invalid("after the file", &error))?;
    let Object(metadata) = file.metadata;
    let version = metadata.interchange_format_version;
    if version != VERSION {
        let what = format!("expected {VERSION}, got {version}");
        return Err(invalid("metadata.interchange_format_version", &what));
    }
    let found = metadata.genesis_validators_root;
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let what = format!("expected {expected}, got {found}");
        return Err(invalid("metadata.genesis_validators_root", &what));
    }
    Ok((found, file.data.0))
}

/// Refuses marks after `last`: a key that has one signs nothing until then.
pub(super) fn check_future(
    keys: &BTreeMap<PublicKey, Marks>,
    last: Position,
) -> Result<(), ImportError> {
    for (key, marks) in keys {
        let block = marks.block.map(|mark| SlashableMessage::Block(mark.slot));
        let vote = marks
            .vote
            .map(|mark| SlashableMessage::Vote(mark.source, mark.target));
        let late = [block, vote]
            .into_iter()
            .flatten()
            .find(|message| last.is_before(*message));
        if let Some(message) = late {
            return Err(invalid(
                &format!("data: {key}"),
                &format!(
                    "{message}: expected nothing beyond slot {}, epoch {}, by clock and genesis time: the key \
                     would sign nothing until then; --force, or force=true in the query, takes it all the same",
                    last.slot, last.epoch
                ),
            ));
        }
    }
    Ok(())
}

/// The file of a chain with these marks, one line a key.
pub(super) fn write(chain: Root, keys: &[(PublicKey, Marks)]) -> String {
    let mut text = format!(
        "{{\"metadata\":{{\"interchange_format_version\":\"{VERSION}\",\
         \"genesis_validators_root\":\"{chain}\"}},\n\"data\":["
    );
    for (place, (key, marks)) in keys.iter().enumerate() {
        if place > 0 {
            text.push_str(",\n");
        }
        write_key(&mut text, key, marks).expect("a string takes all that is written");
    }
    text.push_str("]}");
    text
}

/// Numbers and hex need no escaping.
fn write_key(text: &mut String, key: &PublicKey, marks: &Marks) -> fmt::Result {
    write!(text, r#"{{"pubkey":"{key}","signed_blocks":["#)?;
    if let Some(block) = &marks.block {
        write!(text, r#"{{"slot":"{}""#, block.slot)?;
        write_root(text, block.root)?;
    }
    text.push_str(r#"],"signed_attestations":["#);
    if let Some(vote) = &marks.vote {
        write!(
            text,
            r#"{{"source_epoch":"{}","target_epoch":"{}""#,
            vote.source, vote.target
        )?;
        write_root(text, vote.root)?;
    }
    text.push_str("]}");
    Ok(())
}

fn write_root(text: &mut String, root: Option<Root>) -> fmt::Result {
    if let Some(root) = root {
        write!(text, r#","signing_root":"{root}""#)?;
    }
    text.push('}');
    Ok(())
}

fn invalid(field: &str, what: &dyn fmt::Display) -> ImportError {
    ImportError::Invalid(format!("{field}: {what}"))
}

/// Counts brackets outside of strings; the parser sees to the rest.
fn check_depth(json: &str) -> Result<(), ImportError> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut is_escaped = false;
    for byte in json.bytes() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let what = format!("expected at most {DEPTH_MAX} levels of arrays and objects");
            return Err(invalid("the file", &what));
        }
    }
    Ok(())
}

/// A JSON object. What is derived would take an array for it, field by field.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[derive(Deserialize)]
struct In {
    metadata: Object<InMetadata>,
    data: InData,
}

#[derive(Deserialize)]
struct InMetadata {
    interchange_format_version: Uint64,
    genesis_validators_root: Root,
}

/// Marks by key; a file of all that 200,000 keys have signed is not kept in memory.
struct InData(BTreeMap<PublicKey, Marks>);

impl<'de> Deserialize<'de> for InData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = InData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut keys = BTreeMap::<PublicKey, Marks>::new();
        while let Some(Object(key)) = sequence.next_element::<Object<InKey>>()? {
            let marks = keys.entry(key.pubkey).or_default();
            *marks = marks
                .merge(key.signed_blocks.0)
                .merge(key.signed_attestations.0);
        }
        Ok(InData(keys))
    }
}

#[derive(Deserialize)]
struct InKey {
    pubkey: PublicKey,
    signed_blocks: Maxima<InBlock>,
    signed_attestations: Maxima<InVote>,
}

/// The maxima of an array.
struct Maxima<T>(Marks, PhantomData<T>);

impl<'de, T: Deserialize<'de> + Into<Marks>> Deserialize<'de> for Maxima<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MaximaVisitor(PhantomData))
    }
}

struct MaximaVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Into<Marks>> Visitor<'de> for MaximaVisitor<T> {
    type Value = Maxima<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut marks = Marks::default();
        while let Some(Object(message)) = sequence.next_element::<Object<T>>()? {
            marks = marks.merge(message.into());
        }
        Ok(Maxima(marks, PhantomData))
    }
}

#[derive(Deserialize)]
struct InBlock {
    slot: Slot,
    #[serde(rename = "signing_root")]
    _signing_root: Option<Root>,
}

#[derive(Deserialize)]
struct InVote {
    source_epoch: Epoch,
    target_epoch: Epoch,
    #[serde(rename = "signing_root")]
    _signing_root: Option<Root>,
}

impl From<InBlock> for Marks {
    fn from(block: InBlock) -> Self {
        let mark = BlockMark {
            slot: block.slot,
            root: None,
        };
        Self {
            block: Some(mark),
            vote: None,
        }
    }
}

impl From<InVote> for Marks {
    fn from(vote: InVote) -> Self {
        let mark = VoteMark {
            source: vote.source_epoch,
            target: vote.target_epoch,
            root: None,
        };
        Self {
            block: None,
            vote: Some(mark),
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => write!(f, "interchange file: {reason}"),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<Unavailable> for ImportError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}
