//! Reads and writes the interchange format of EIP-3076, version 5. Pure.
//!
//! An imported file is reduced to its maxima (the EIP's "minimal" strategy), key by key while it is
//! read. Its signing roots are checked and dropped: what another signer has signed is not signed again.
//!
//! Other programs write more than the EIP allows, and it is accepted where it means nothing: a byte order
//! mark, `null` for a list, an empty object in a list, `null` or `""` for a signing root. A message with
//! a missing field is refused.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::rule::{BlockMark, Marks, Position, SlashableMessage, Unavailable, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot, Uint64};

const VERSION: Uint64 = Uint64(5);

/// Unknown fields may hold anything that nests no deeper.
const DEPTH_MAX: usize = 32;

/// Why an import changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The text is not an interchange file, or it is about another chain, or its marks cannot be taken.
    /// The text names the field.
    Invalid(String),
    /// The store could not be written.
    Unavailable(Unavailable),
}

/// Reads the chain and the marks of a file. Marks of a key that occurs twice are merged. `expected` is
/// the only chain to accept.
pub(super) fn read(
    json: &str,
    expected: Option<Root>,
) -> Result<(Root, BTreeMap<PublicKey, Marks>), ImportError> {
    let json = json.trim_matches(is_blank);
    check_depth(json)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let JsonObject(file): JsonObject<InterchangeFile> =
        serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| ImportError::Invalid(error.to_string()))?;
    deserializer
        .end()
        .map_err(|error| invalid("after the file", &error))?;
    let JsonObject(metadata) = file.metadata;
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

/// Refuses marks after `last`: a key with such a mark signs nothing until then.
pub(super) fn check_future(
    keys: &BTreeMap<PublicKey, Marks>,
    last: Position,
) -> Result<(), ImportError> {
    for (key, marks) in keys {
        let block = marks.block.map(|mark| SlashableMessage::Block(mark.slot));
        let vote = marks
            .vote
            .map(|mark| SlashableMessage::Vote(mark.source, mark.target));
        for message in block.into_iter().chain(vote) {
            if last.is_before(message) {
                return Err(invalid(
                    &format!("data: {key}"),
                    &format!(
                        "{message}: expected nothing beyond slot {}, epoch {}, by clock and genesis time: \
                         the key would sign nothing until then; to import it nevertheless, use --force, or \
                         force=true in the query",
                        last.slot, last.epoch
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Writes the file of a chain with these marks, one line for each key.
pub(super) fn write(chain: Root, records: &[(PublicKey, Root, Marks)]) -> String {
    let mut text = format!(
        "{{\"metadata\":{{\"interchange_format_version\":\"{VERSION}\",\
         \"genesis_validators_root\":\"{chain}\"}},\n\"data\":["
    );
    for (index, (key, _, marks)) in records.iter().enumerate() {
        if index > 0 {
            text.push_str(",\n");
        }
        write_key(&mut text, key, marks).expect("writing to a string does not fail");
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

/// White space and the byte order mark.
fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{feff}'
}

fn invalid(field: &str, what: &dyn fmt::Display) -> ImportError {
    ImportError::Invalid(format!("{field}: {what}"))
}

/// Counts brackets outside of strings; the parser checks the rest.
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

/// A JSON object. A derived reader alone would accept an array for it.
struct JsonObject<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(JsonObjectVisitor(PhantomData))
    }
}

struct JsonObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for JsonObjectVisitor<T> {
    type Value = JsonObject<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(JsonObject)
    }
}

/// An item of a list: an object, or nothing in the form of `null` or `{}`.
struct ListItem<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListItem<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListItemVisitor(PhantomData))
    }
}

struct ListItemVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListItemVisitor<T> {
    type Value = ListItem<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(ListItem(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Some(name) = fields.next_key::<String>()? else {
            return Ok(ListItem(None));
        };
        let fields = FieldsAfterFirstName {
            first_name: Some(name),
            fields,
        };
        let item = T::deserialize(MapAccessDeserializer::new(fields))?;
        Ok(ListItem(Some(item)))
    }
}

/// The fields of an object whose first name was read to see that there is one.
struct FieldsAfterFirstName<A> {
    first_name: Option<String>,
    fields: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FieldsAfterFirstName<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first_name.take() {
            Some(name) => seed.deserialize(name.into_deserializer()).map(Some),
            None => self.fields.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.fields.next_value_seed(seed)
    }
}

#[derive(Deserialize)]
struct InterchangeFile {
    metadata: JsonObject<InterchangeMetadata>,
    data: MarksByKey,
}

#[derive(Deserialize)]
struct InterchangeMetadata {
    interchange_format_version: Uint64,
    genesis_validators_root: Root,
}

/// The field `data`, reduced while it is read: the histories of 200,000 keys do not fit into memory.
struct MarksByKey(BTreeMap<PublicKey, Marks>);

impl<'de> Deserialize<'de> for MarksByKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarksByKeyVisitor)
    }
}

struct MarksByKeyVisitor;

impl<'de> Visitor<'de> for MarksByKeyVisitor {
    type Value = MarksByKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(MarksByKey(BTreeMap::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut keys = BTreeMap::<PublicKey, Marks>::new();
        while let Some(ListItem(history)) = sequence.next_element::<ListItem<KeyHistory>>()? {
            let Some(history) = history else {
                continue;
            };
            let marks = keys.entry(history.pubkey).or_default();
            *marks = marks
                .merge(history.signed_blocks.marks)
                .merge(history.signed_attestations.marks);
        }
        Ok(MarksByKey(keys))
    }
}

#[derive(Deserialize)]
struct KeyHistory {
    pubkey: PublicKey,
    signed_blocks: MaximaOf<SignedBlock>,
    signed_attestations: MaximaOf<SignedAttestation>,
}

/// An array of messages, reduced to their maxima.
struct MaximaOf<T> {
    marks: Marks,
    messages: PhantomData<T>,
}

impl<'de, T: Deserialize<'de> + Into<Marks>> Deserialize<'de> for MaximaOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let marks = deserializer.deserialize_any(MaximaVisitor::<T>(PhantomData))?;
        Ok(Self {
            marks,
            messages: PhantomData,
        })
    }
}

struct MaximaVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Into<Marks>> Visitor<'de> for MaximaVisitor<T> {
    type Value = Marks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Marks, E> {
        Ok(Marks::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Marks, A::Error> {
        let mut marks = Marks::default();
        while let Some(ListItem(message)) = sequence.next_element::<ListItem<T>>()? {
            if let Some(message) = message {
                marks = marks.merge(message.into());
            }
        }
        Ok(marks)
    }
}

#[derive(Deserialize)]
struct SignedBlock {
    slot: Slot,
    #[serde(rename = "signing_root", default)]
    _signing_root: CheckedRoot,
}

#[derive(Deserialize)]
struct SignedAttestation {
    source_epoch: Epoch,
    target_epoch: Epoch,
    #[serde(rename = "signing_root", default)]
    _signing_root: CheckedRoot,
}

/// A signing root that is checked and dropped; it may be empty.
#[derive(Default)]
struct CheckedRoot;

impl<'de> Deserialize<'de> for CheckedRoot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        if !text.is_empty() {
            text.parse::<Root>().map_err(de::Error::custom)?;
        }
        Ok(Self)
    }
}

impl From<SignedBlock> for Marks {
    fn from(block: SignedBlock) -> Self {
        Self {
            block: Some(BlockMark {
                slot: block.slot,
                root: None,
            }),
            vote: None,
        }
    }
}

impl From<SignedAttestation> for Marks {
    fn from(vote: SignedAttestation) -> Self {
        Self {
            block: None,
            vote: Some(VoteMark {
                source: vote.source_epoch,
                target: vote.target_epoch,
                root: None,
            }),
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

#[cfg(test)]
mod tests;
