//! Web3Signer's key configuration files: YAML with one or more documents, of the types `file-raw` and
//! `file-keystore`.
//!
//! Source: Web3Signer's documentation, "Key configuration file parameters".

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::scrub::scrubbed;
use super::secret::SecretKey;
use crate::files;
use crate::hex;
use crate::yaml::{self, Node};

/// The largest file; Web3Signer's own bound.
pub(super) const FILE_BYTES_MAX: usize = 100 << 20;

/// What one document of a key configuration file names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyConfig {
    /// A bare key in the file itself.
    Raw,
    /// A keystore and its password file.
    Keystore { file: PathBuf, password: PathBuf },
}

/// Reads the documents of a file. Relative paths begin at `directory`.
///
/// # Errors
/// A sentence that repeats no key.
pub(crate) fn read(yaml: &str, directory: &Path) -> Result<Vec<KeyConfig>, String> {
    scrubbed(|| {
        let documents = documents(yaml)?;
        if documents.is_empty() {
            // Most likely it is being written.
            return Err("empty: expected a key configuration: `type: file-keystore`".to_owned());
        }
        documents
            .iter()
            .map(|document| read_document(document, directory))
            .collect()
    })
}

/// Reads the bare keys of a file.
///
/// # Errors
/// A sentence that repeats nothing of the text.
pub(crate) fn read_raw_keys(yaml: &str) -> Result<Vec<SecretKey>, String> {
    scrubbed(|| {
        let mut keys = Vec::new();
        for document in documents(yaml)? {
            let Some(digits) = text(&document, "privateKey") else {
                continue;
            };
            let bytes = Zeroizing::new(hex::decode_any(digits).unwrap_or_default());
            let scalar: &[u8; 32] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| "privateKey: expected 32 bytes of hex".to_owned())?;
            let key = SecretKey::fill(|slot| *slot = *scalar).map_err(|error| error.to_string())?;
            keys.push(key);
        }
        Ok(keys)
    })
}

fn documents(yaml: &str) -> Result<Vec<BTreeMap<String, Node>>, String> {
    let mut maps = Vec::new();
    for document in
        yaml::documents(files::without_byte_order_mark(yaml)).map_err(|error| error.to_string())?
    {
        match document {
            Node::Map(map) => maps.push(map),
            Node::Text(_) | Node::List(_) => {
                return Err("expected a key configuration: `type: file-keystore`".to_owned());
            }
        }
    }
    Ok(maps)
}

fn read_document(document: &BTreeMap<String, Node>, directory: &Path) -> Result<KeyConfig, String> {
    let key_type = text(document, "keyType").unwrap_or("BLS");
    if !key_type.eq_ignore_ascii_case("BLS") {
        return Err("keyType: only BLS keys are supported".to_owned());
    }
    let config_type =
        text(document, "type").ok_or("type is missing: expected file-raw or file-keystore")?;
    match config_type {
        "file-raw" if text(document, "privateKey").is_some() => Ok(KeyConfig::Raw),
        "file-raw" => Err("privateKey is missing".to_owned()),
        "file-keystore" => Ok(KeyConfig::Keystore {
            file: path(document, "keystoreFile", directory)?,
            password: path(document, "keystorePasswordFile", directory)?,
        }),
        other => Err(format!(
            "type {:?} is not supported: let an agent of the vault write keystores into a directory, and \
             name it with --keystores-path",
            hex::shorten(other)
        )),
    }
}

fn text<'a>(document: &'a BTreeMap<String, Node>, key: &str) -> Option<&'a str> {
    document.get(key).and_then(Node::text)
}

fn path(document: &BTreeMap<String, Node>, key: &str, directory: &Path) -> Result<PathBuf, String> {
    match text(document, key) {
        Some(text) => Ok(directory.join(text)),
        None => Err(format!("{key} is missing")),
    }
}
