//! Web3Signer's key configuration files: YAML, several documents a file, of the types `file-raw` and
//! `file-keystore`.
//!
//! Source: Web3Signer's documentation, "Key configuration file parameters".

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keystore::scrubbed;
use super::secret::SecretKey;
use crate::hex;
use crate::yaml::{self, Node};

/// The largest file; Web3Signer's own bound.
pub(super) const FILE_BYTES_MAX: usize = 100 << 20;

/// What one document of a key configuration file names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyConfig {
    /// A bare key in the file itself.
    Raw,
    /// A keystore and its password.
    Keystore { file: PathBuf, password: PathBuf },
}

/// What the documents in the text of a file name. Relative paths begin at `directory`.
pub(super) fn read(yaml: &str, directory: &Path) -> Result<Vec<KeyConfig>, String> {
    scrubbed(|| {
        let documents = documents(yaml)?;
        if documents.is_empty() {
            // Most likely it is being written.
            return Err("empty: expected a key configuration: `type: file-keystore`".to_owned());
        }
        documents
            .iter()
            .map(|document| document.key_config(directory))
            .collect()
    })
}

/// The bare keys in the text of a file; an error repeats nothing of it.
pub(super) fn open(yaml: &str) -> Result<Vec<SecretKey>, String> {
    scrubbed(|| open_each(yaml))
}

fn open_each(yaml: &str) -> Result<Vec<SecretKey>, String> {
    let documents = documents(yaml)?;
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

/// One document: a key.
struct Document(BTreeMap<String, Node>);

fn documents(yaml: &str) -> Result<Vec<Document>, String> {
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

    fn path(&self, key: &str, directory: &Path) -> Result<PathBuf, String> {
        match self.text(key) {
            Some(text) => Ok(directory.join(text)),
            None => Err(format!("{key} is missing")),
        }
    }

    fn key_config(&self, directory: &Path) -> Result<KeyConfig, String> {
        let key_type = self.text("keyType").unwrap_or("BLS");
        if !key_type.eq_ignore_ascii_case("BLS") {
            return Err("keyType: only BLS keys are signed with here".to_owned());
        }
        let kind = self
            .text("type")
            .ok_or("type is missing: expected file-raw or file-keystore")?;
        match kind {
            "file-raw" if self.text("privateKey").is_some() => Ok(KeyConfig::Raw),
            "file-raw" => Err("privateKey is missing".to_owned()),
            "file-keystore" => Ok(KeyConfig::Keystore {
                file: self.path("keystoreFile", directory)?,
                password: self.path("keystorePasswordFile", directory)?,
            }),
            other => Err(format!(
                "type {:?} is not supported: let an agent of the vault write keystores into a directory, and \
                 name it with --keystores-path",
                hex::shorten(other)
            )),
        }
    }
}
