//! The interchange format of EIP-3076, version 5, to and from marks. Pure.
//!
//! An imported file is reduced to its maxima (the EIP's "minimal" strategy). Its signing roots are
//! checked and dropped: what another signer signed is never signed again here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::rule::{BlockMark, Marks, Unavailable, VoteMark};
use crate::consensus::primitives::{Epoch, PublicKey, Root, Slot, Uint64};

const VERSION: Uint64 = Uint64(5);

/// Why an import changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The text is no interchange file, or one of another chain; names the field.
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
    let invalid =
        |field: &str, what: &dyn fmt::Display| ImportError::Invalid(format!("{field}: {what}"));
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let file: In = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| invalid(&error.path().to_string(), error.inner()))?;
    deserializer
        .end()
        .map_err(|error| invalid("after the file", &error))?;
    let (version, found) = (
        file.metadata.interchange_format_version,
        file.metadata.genesis_validators_root,
    );
    if version != VERSION {
        let what = format!("expected {VERSION}, got {version}");
        return Err(invalid("metadata.interchange_format_version", &what));
    }
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let what = format!("expected {expected}, got {found}");
        return Err(invalid("metadata.genesis_validators_root", &what));
    }
    let mut keys = BTreeMap::<PublicKey, Marks>::new();
    for key in file.data {
        let marks = keys.entry(key.pubkey).or_default();
        *marks = key.marks().fold(*marks, Marks::merge);
    }
    Ok((found, keys))
}

/// The file of a chain with these marks, one line a key.
pub(super) fn write(chain: Root, marks: &[(PublicKey, Marks)]) -> String {
    // Numbers and hex need no escaping.
    let root = |root: Option<Root>| {
        root.map_or(String::new(), |root| format!(r#","signing_root":"{root}""#))
    };
    let keys = marks.iter().map(|(pubkey, marks)| {
        let block = marks.block.map_or(String::new(), |block| {
            format!(r#"{{"slot":"{}"{}}}"#, block.slot, root(block.root))
        });
        let vote = marks.vote.map_or(String::new(), |vote| {
            let (source, target) = (vote.source, vote.target);
            format!(
                r#"{{"source_epoch":"{source}","target_epoch":"{target}"{}}}"#,
                root(vote.root)
            )
        });
        format!(
            r#"{{"pubkey":"{pubkey}","signed_blocks":[{block}],"signed_attestations":[{vote}]}}"#
        )
    });
    let metadata = format!(
        r#"{{"interchange_format_version":"{VERSION}","genesis_validators_root":"{chain}"}}"#
    );
    let keys = keys.collect::<Vec<_>>().join(",\n");
    format!("{{\"metadata\":{metadata},\n\"data\":[{keys}]}}")
}

#[derive(Deserialize)]
struct In {
    metadata: InMetadata,
    data: Vec<InKey>,
}

#[derive(Deserialize)]
struct InMetadata {
    interchange_format_version: Uint64,
    genesis_validators_root: Root,
}

#[derive(Deserialize)]
struct InKey {
    pubkey: PublicKey,
    signed_blocks: Vec<InBlock>,
    signed_attestations: Vec<InVote>,
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

impl InKey {
    fn marks(self) -> impl Iterator<Item = Marks> {
        let blocks = self.signed_blocks.into_iter().map(|it| BlockMark {
            slot: it.slot,
            root: None,
        });
        let blocks = blocks.map(|block| Marks {
            block: Some(block),
            vote: None,
        });
        let votes = self
            .signed_attestations
            .into_iter()
            .map(|it| (it.source_epoch, it.target_epoch));
        let votes = votes.map(|(source, target)| VoteMark {
            source,
            target,
            root: None,
        });
        blocks.chain(votes.map(|vote| Marks {
            block: None,
            vote: Some(vote),
        }))
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
