//! Web3Signer's key configuration files: YAML, several documents a file, of the types `file-raw` and
//! `file-keystore`.
//!
//! Source: Web3Signer's documentation, "Key configuration file parameters".

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::candidate::Candidate;
use super::keystore::scrubbed;
use super::secret::SecretKey;
use super::sources::{Scan, SourceError, extension, list, read_bounded};
use crate::hex;
use crate::yaml::{self, Node};

/// Adds what the `*.yaml` and `*.yml` files of `dir` name. Relative paths begin there; a bad file is a
/// failure of the scan.
pub(super) fn scan(dir: &Path, file_bytes_max: usize, scan: &mut Scan) -> Result<(), SourceError> {
    for file in list(dir)? {
        if !["yaml", "yml"].contains(&extension(&file).to_ascii_lowercase().as_str()) {
            continue;
        }
        match scrubbed(|| scan_file(dir, &file, file_bytes_max)) {
            Ok(candidates) => scan.candidates.extend(candidates),
            Err(error) => scan.failures.push(error),
        }
    }
    Ok(())
}

/// The bare keys in the text of a file; an error repeats nothing of it.
pub(super) fn open(yaml: &str) -> Result<Vec<SecretKey>, String> {
    scrubbed(|| open_each(yaml))
}

fn open_each(yaml: &str) -> Result<Vec<SecretKey>, String> {
    let documents = read(yaml)?;
    let keys = documents
        .iter()
        .filter_map(|document| document.text("privateKey"));
    keys.map(|key| {
        let bytes = Zeroizing::new(hex::decode_any(key).unwrap_or_default());
        let scalar: &[u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| "privateKey: expected 32 bytes of hex".to_owned())?;
        SecretKey::fill(|slot| *slot = *scalar).map_err(|error| error.to_string())
    })
    .collect()
}

/// The largest file; Web3Signer's own bound.
pub(super) const FILE_BYTES_MAX: usize = 100 << 20;

/// One document: a key.
struct Document(BTreeMap<String, Node>);

fn scan_file(dir: &Path, file: &Path, bytes_max: usize) -> Result<Vec<Candidate>, SourceError> {
    let fault = |reason: String| SourceError::new(file, reason);
    let bytes = File::open(file).and_then(|opened| read_bounded(opened, bytes_max));
    let bytes = bytes.map_err(|error| SourceError::new(file, error))?;
    let yaml = str::from_utf8(&bytes).map_err(|_| fault("expected UTF-8 text".to_owned()))?;
    let mut candidates = Vec::new();
    for document in read(yaml).map_err(fault)? {
        candidates.push(document.candidate(dir, file).map_err(fault)?);
    }
    // All bare keys of a file are one candidate.
    let mut raw = 0;
    candidates.retain(|candidate| {
        !matches!(candidate, Candidate::Raw { .. }) || std::mem::replace(&mut raw, 1) == 0
    });
    Ok(candidates)
}

fn read(yaml: &str) -> Result<Vec<Document>, String> {
    let documents = yaml::documents(yaml).map_err(|error| error.to_string())?;
    let maps = documents.into_iter().map(|document| match document {
        Node::Map(map) => Ok(Document(map)),
        Node::Text(_) | Node::List(_) => {
            Err("expected a key configuration: `type: file-keystore`".to_owned())
        }
    });
    maps.collect()
}

impl Document {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Node::text)
    }

    fn path(&self, key: &str, dir: &Path) -> Result<Arc<Path>, String> {
        let text = self.text(key).ok_or_else(|| format!("{key} is missing"))?;
        Ok(dir.join(text).into())
    }

    fn candidate(&self, dir: &Path, file: &Path) -> Result<Candidate, String> {
        if self
            .text("keyType")
            .is_some_and(|key_type| !key_type.eq_ignore_ascii_case("BLS"))
        {
            return Err("keyType: only BLS keys are signed with here".to_owned());
        }
        match self
            .text("type")
            .ok_or("type is missing: expected file-raw or file-keystore")?
        {
            "file-raw" if self.text("privateKey").is_some() => {
                Ok(Candidate::Raw { file: file.into() })
            }
            "file-raw" => Err("privateKey is missing".to_owned()),
            "file-keystore" => Ok(Candidate::Keystore {
                file: self.path("keystoreFile", dir)?,
                password: self.path("keystorePasswordFile", dir)?,
                imported: false,
            }),
            other => Err(format!(
                "type {:?} is not supported: let an agent of the vault write keystores into a directory, and name \
                 it with --keystores-path",
                hex::shorten(other)
            )),
        }
    }
}
