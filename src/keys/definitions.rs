//! Lighthouse's `validator_definitions.yml`: the list of its keystores, with their passwords or the files that
//! have them.
//!
//! Source: lighthouse, `common/account_utils/src/validator_definitions.rs`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::scrub::scrubbed;
use crate::consensus::primitives::PublicKey;
use crate::files;
use crate::yaml::{self, Node};

/// The name of the file, in the directory of the keystores.
pub(super) const FILE_NAME: &str = "validator_definitions.yml";

/// The largest file: 100,000 keys.
pub(super) const FILE_BYTES_MAX: usize = 64 << 20;

/// One keystore of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(super) key: PublicKey,
    /// As it was written, perhaps on another machine.
    pub(super) keystore: PathBuf,
    pub(super) password: DefinedPassword,
    pub(super) is_enabled: bool,
}

/// Where the password of a definition is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DefinedPassword {
    /// In the list itself.
    Inline,
    /// In this file; the path was perhaps written on another machine.
    File(PathBuf),
    /// Where Lighthouse expects it: in the directory of secrets.
    Missing,
}

/// Reads the keystores of the list. Other kinds of keys, such as those of a remote signer, are left out.
///
/// # Errors
/// A sentence that repeats no password.
pub(crate) fn read(text: &str) -> Result<Vec<Definition>, String> {
    scrubbed(|| {
        let mut definitions = Vec::new();
        for entry in entries(text)? {
            if field(&entry, "type") != Some("local_keystore") {
                continue;
            }
            let keystore = field(&entry, "voting_keystore_path")
                .ok_or("an entry has no voting_keystore_path")?;
            let password = if field(&entry, "voting_keystore_password").is_some() {
                DefinedPassword::Inline
            } else {
                match field(&entry, "voting_keystore_password_path") {
                    Some(path) => DefinedPassword::File(path.into()),
                    None => DefinedPassword::Missing,
                }
            };
            definitions.push(Definition {
                key: public_key(&entry)?,
                keystore: keystore.into(),
                password,
                is_enabled: field(&entry, "enabled") != Some("false"),
            });
        }
        Ok(definitions)
    })
}

/// The passwords in the list.
pub(crate) type DefinedPasswords = HashMap<PublicKey, Zeroizing<String>>;

/// Reads the passwords in the list.
///
/// # Errors
/// A sentence that repeats no password.
pub(crate) fn read_passwords(text: &str) -> Result<DefinedPasswords, String> {
    scrubbed(|| {
        let mut passwords = HashMap::new();
        for entry in entries(text)? {
            if let Some(password) = field(&entry, "voting_keystore_password") {
                passwords.insert(public_key(&entry)?, Zeroizing::new(password.to_owned()));
            }
        }
        Ok(passwords)
    })
}

fn entries(text: &str) -> Result<Vec<BTreeMap<String, Node>>, String> {
    let documents =
        yaml::documents(files::without_byte_order_mark(text)).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for document in documents {
        let Node::List(list) = document else {
            return Err("expected a list of validators".to_owned());
        };
        for entry in list {
            match entry {
                Node::Map(map) => entries.push(map),
                Node::Text(_) | Node::List(_) => {
                    return Err("expected a list of validators".to_owned());
                }
            }
        }
    }
    Ok(entries)
}

/// A field that is there and not null.
fn field<'a>(entry: &'a BTreeMap<String, Node>, name: &str) -> Option<&'a str> {
    entry
        .get(name)
        .and_then(Node::text)
        .filter(|text| !text.is_empty())
}

fn public_key(entry: &BTreeMap<String, Node>) -> Result<PublicKey, String> {
    let text = field(entry, "voting_public_key").ok_or("an entry has no voting_public_key")?;
    text.parse()
        .map_err(|error| format!("voting_public_key: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keystores_are_listed_with_the_place_of_their_passwords_and_other_keys_are_left_out() {
        let key = |byte: u8| PublicKey([byte; 48]);
        let entry = |number: u8, rest: &str| {
            let key = key(number);
            format!(
                "- voting_public_key: \"{key}\"\n  type: local_keystore\n  voting_keystore_path: /a/{number}.json\n{rest}"
            )
        };
        let text = [
            "\u{feff}---\n".to_owned(),
            entry(
                1,
                "  enabled: true\n  voting_keystore_password: \"a: #1\"\n",
            ),
            entry(
                2,
                "  enabled: false\n  voting_keystore_password_path: /secrets/2\n",
            ),
            entry(3, "  voting_keystore_password: ~\n"),
            format!("- type: web3signer\n  voting_public_key: \"{}\"\n", key(4)),
        ]
        .concat();
        let mut found = Vec::new();
        for definition in read(&text).unwrap() {
            found.push((definition.key, definition.password, definition.is_enabled));
        }
        assert_eq!(
            found,
            [
                (key(1), DefinedPassword::Inline, true),
                (key(2), DefinedPassword::File("/secrets/2".into()), false),
                (key(3), DefinedPassword::Missing, true),
            ]
        );
        let passwords = read_passwords(&text).unwrap();
        assert_eq!(passwords.len(), 1);
        assert_eq!(passwords[&key(1)].as_str(), "a: #1");
        assert!(read("a: b").is_err());
    }
}
