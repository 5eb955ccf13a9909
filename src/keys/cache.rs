//! `--key-cache`: the file with opened keys, sealed for the next start, so that a start costs one derivation
//! instead of one for each keystore.
//!
//! The sealing key is derived from the passwords of all keystores in the file and a random salt, by the
//! function and at the cost of the most expensive of these keystores: a start takes one such derivation and
//! its memory, and no more. Whoever guesses passwords against the file must know or guess all of them
//! at once, and pays for each guess what the most expensive keystore asks for one. So no keystore is
//! cheaper to attack by the file than by itself, also for those who know all passwords but one. That is why
//! all passwords go through the derivation: if those of the other keystores were only hashed with the
//! secret of one, then whoever can open that one could try them at the speed of a hash.
//!
//! The file is useless without every one of the passwords. So a keystore is left out when the password that
//! opened it cannot be read any more, and without keystores there is no file. Each secret is sealed by
//! itself, bound to its public key and to the path, size, time of change and checksum of its keystore, and
//! unsealed in its locked slot. The file is written anew whenever keys have come or gone, which also removes
//! deleted keys from it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, fs};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::kdf::Kdf;
use super::scrub::scrubbed;
use super::secret::SecretKey;
use crate::consensus::primitives::{PublicKey, Root};
use crate::files::{self, random};
use crate::hex;

/// The format of the file. Version 1 did not bind the public key; version 2 had a derivation of its own.
const VERSION: u32 = 3;
const SEALED_BYTES: usize = NONCE_LEN + 32 + 16;

/// 100,000 entries.
const FILE_BYTES_MAX: usize = 64 << 20;

/// The sealed keys of the last start.
pub(crate) struct KeyCache {
    key: SealingKey,
    entries: HashMap<String, CacheEntry>,
    /// Whether it must be written anew: it does not fit the keystores, or it is damaged.
    is_stale: AtomicBool,
}

/// The keystore that an entry belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheEntryName {
    /// The path of the keystore.
    file: String,
    /// Its size, time of change and checksum.
    content: String,
}

/// A key to be sealed.
pub(super) struct KeyToSeal<'a> {
    pub(super) name: &'a CacheEntryName,
    pub(super) secret: &'a SecretKey,
    /// The derivation of its keystore.
    pub(super) kdf: &'a Kdf,
    /// The password that opens its keystore.
    pub(super) password: &'a str,
}

/// The content of the file, in JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheFile {
    version: u32,
    /// The derivation of the sealing key.
    kdf: Kdf,
    entries: Vec<CacheEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CacheEntry {
    /// The path of the keystore.
    file: String,
    /// Its size, time of change and checksum.
    content: String,
    /// The public key of the secret.
    public_key: String,
    /// Nonce, encrypted secret, tag.
    sealed: String,
}

/// The key that seals all secrets. Boxed, so that moving it leaves no copy behind.
type SealingKey = Box<Zeroizing<[u8; 32]>>;

impl CacheEntryName {
    /// Returns `None` when the path is not UTF-8.
    pub(super) fn of(
        file: &Path,
        bytes: u64,
        modified_nanoseconds: u128,
        checksum: &Root,
    ) -> Option<Self> {
        Some(Self {
            file: file.to_str()?.to_owned(),
            content: format!("{bytes} {modified_nanoseconds} {checksum}"),
        })
    }
}

impl CacheFile {
    /// The memory that opening it takes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.kdf.memory_bytes()
    }
}

impl KeyCache {
    /// Derives the key of the file. Takes as long as the most expensive keystore in it, and the memory that
    /// [`CacheFile::memory_bytes`] says. `password_of` reads the password of the keystore at a path.
    ///
    /// # Errors
    /// When it cannot be opened: then all keystores must be opened.
    pub(super) fn open(
        file: CacheFile,
        found: &[CacheEntryName],
        mut password_of: impl FnMut(&str) -> Result<Zeroizing<String>, String>,
    ) -> Result<Self, String> {
        let CacheFile { kdf, entries, .. } = file;
        let found: HashMap<&str, &CacheEntryName> = found
            .iter()
            .map(|name| (name.file.as_str(), name))
            .collect();
        let mut passwords = Vec::with_capacity(entries.len());
        for entry in &entries {
            if found.contains_key(entry.file.as_str()) {
                passwords.push(password_of(&entry.file)?);
            }
        }
        let key = derive_sealing_key(&kdf, &passwords)?;
        if entries
            .first()
            .is_some_and(|entry| entry.unseal(&key).is_none())
        {
            return Err(
                "it is damaged, or the password of a keystore that it names has changed or gone"
                    .to_owned(),
            );
        }
        let is_fresh = |entry: &CacheEntry| {
            found
                .get(entry.file.as_str())
                .is_some_and(|name| name.content == entry.content)
        };
        let is_stale = entries.len() != found.len() || !entries.iter().all(is_fresh);
        Ok(Self {
            key,
            entries: entries
                .into_iter()
                .map(|entry| (entry.file.clone(), entry))
                .collect(),
            is_stale: AtomicBool::new(is_stale),
        })
    }

    /// Unseals the key of an unchanged keystore; never a key that the keystore does not declare.
    pub(super) fn unseal(
        &self,
        name: &CacheEntryName,
        declared: Option<PublicKey>,
    ) -> Option<SecretKey> {
        let entry = self.entries.get(&name.file)?;
        let secret = entry.unseal(&self.key).filter(|secret| {
            entry.content == name.content
                && declared.is_none_or(|declared| declared == secret.public_key())
        });
        if secret.is_none() {
            self.is_stale.store(true, Ordering::Relaxed);
        }
        secret
    }

    /// Whether it must be written anew.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }
}

/// The most expensive derivation of these keystores.
pub(super) fn most_expensive<'a>(items: &[KeyToSeal<'a>]) -> Option<&'a Kdf> {
    items
        .iter()
        .map(|item| item.kdf)
        .max_by_key(|kdf| kdf.work())
}

/// Seals these keys for the next start. Takes as long as the most expensive of their keystores, and its
/// memory. Without keys the file is removed.
///
/// # Errors
/// When the file cannot be written: the old one may still be there.
pub(super) fn write(path: &Path, items: &[KeyToSeal<'_>]) -> Result<(), String> {
    let Some(kdf) = most_expensive(items) else {
        return remove(path);
    };
    let kdf = kdf.with_salt(&*random()?);
    let passwords: Vec<_> = items.iter().map(|item| item.password).collect();
    let key = derive_sealing_key(&kdf, &passwords)?;
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        entries.push(CacheEntry::seal(&key, item)?);
    }
    entries.sort_by(|left, right| left.file.cmp(&right.file));
    let image = CacheFile {
        version: VERSION,
        kdf,
        entries,
    };
    let json = serde_json::to_string(&image).map_err(|error| error.to_string())?;
    files::write_private(path, json.as_bytes()).map_err(|error| error.to_string())
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl CacheEntry {
    fn seal(key: &SealingKey, item: &KeyToSeal<'_>) -> Result<Self, String> {
        let nonce = *random::<NONCE_LEN>()?;
        let CacheEntryName { file, content } = item.name.clone();
        let public_key = item.secret.public_key().to_string();
        let aad = additional_data(&file, &content, &public_key);
        let sealed = scrubbed(|| {
            let mut scalar = item.secret.expose();
            let once = Nonce::assume_unique_for_key(nonce);
            let tag = cipher(key)?
                .seal_in_place_separate_tag(once, aad, &mut scalar[..])
                .ok()?;
            Some(hex::encode(
                [&nonce[..], &scalar[..], tag.as_ref()].concat(),
            ))
        });
        Ok(Self {
            file,
            content,
            public_key,
            sealed: sealed.ok_or("a key cannot be sealed")?,
        })
    }

    /// Unseals the key in its slot, and returns it if it has the public key of the entry.
    fn unseal(&self, key: &SealingKey) -> Option<SecretKey> {
        let bytes = hex::decode::<SEALED_BYTES>(&self.sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (secret, tag) = rest.split_first_chunk::<32>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = tag.try_into().ok()?;
        let aad = additional_data(&self.file, &self.content, &self.public_key);
        let filled = SecretKey::fill(|slot| {
            *slot = *secret;
            let opened = scrubbed(|| {
                cipher(key)?
                    .open_in_place_separate_tag(nonce, aad, tag, &mut slot[..], 0..)
                    .ok()
                    .map(|_| ())
            });
            if opened.is_none() {
                // `fill` refuses zero.
                *slot = [0; 32];
            }
        });
        let secret = filled.ok()?;
        (secret.public_key().to_string() == self.public_key).then_some(secret)
    }
}

fn additional_data(file: &str, content: &str, public_key: &str) -> Aad<String> {
    Aad::from(format!("{file}\n{content}\n{public_key}"))
}

/// Makes ring's form of the key for one use, within `scrubbed`: ring does not wipe its keys.
fn cipher(key: &SealingKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, &***key)
        .ok()
        .map(LessSafeKey::new)
}

/// Reads the file; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or is not a cache of this version.
pub(super) fn read_file(path: &Path) -> Result<Option<CacheFile>, String> {
    let json = match files::read_bounded(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| error.to_string())?,
    };
    // First the version alone: other versions have other fields.
    #[derive(Deserialize)]
    struct CacheVersion {
        version: u32,
    }
    let CacheVersion { version } =
        serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("version {version}, expected {VERSION}"));
    }
    let file: CacheFile = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    file.kdf.check().map_err(|error| error.to_string())?;
    Ok(Some(file))
}

/// Derives the sealing key from the sorted hashes of all distinct passwords.
fn derive_sealing_key(kdf: &Kdf, passwords: &[impl AsRef<str>]) -> Result<SealingKey, String> {
    if passwords.is_empty() {
        return Err("it names no keystore that exists".to_owned());
    }
    let derived = scrubbed(|| {
        let mut hashes = Zeroizing::new(Vec::<[u8; 32]>::with_capacity(passwords.len()));
        for password in passwords {
            hashes.push(Sha256::digest(password.as_ref().as_bytes()).into());
        }
        hashes.sort_unstable();
        hashes.dedup();
        kdf.derive(hashes.as_flattened()).map(Box::new)
    });
    derived.map_err(|error| error.to_string())
}

impl fmt::Display for CacheEntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u8) -> CacheEntryName {
        let file = format!("/keys/{number}.json");
        CacheEntryName::of(Path::new(&file), 1, 2, &Root([number; 32])).unwrap()
    }

    fn secret(number: u8) -> SecretKey {
        SecretKey::fill(|slot| slot[31] = number).ok().unwrap()
    }

    fn password(number: u8) -> Zeroizing<String> {
        Zeroizing::new(format!("password {number}"))
    }

    fn scrypt(n: u64) -> Kdf {
        kdf(&format!(
            r#"{{"function":"scrypt","params":{{"dklen":32,"n":{n},"r":8,"p":1,"salt":"aa"}}}}"#
        ))
    }

    fn pbkdf2(rounds: u64) -> Kdf {
        kdf(&format!(
            r#"{{"function":"pbkdf2","params":{{"dklen":32,"c":{rounds},"prf":"hmac-sha256","salt":"aa"}}}}"#
        ))
    }

    fn kdf(json: &str) -> Kdf {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_cache_costs_what_the_most_expensive_keystore_in_it_costs() {
        let path = std::env::temp_dir().join(format!("signerd-cache-cost-{}", std::process::id()));
        let secret = secret(1);
        let name = name(1);
        let usual_scrypt = scrypt(1 << 18);
        let usual_pbkdf2 = pbkdf2(1 << 18);
        for (kdfs, most_expensive, memory_mib) in [
            (vec![scrypt(1 << 4), scrypt(1 << 10), scrypt(1 << 2)], 1, 1),
            (vec![scrypt(1 << 4), pbkdf2(1 << 12)], 1, 0),
            (vec![usual_scrypt, usual_pbkdf2], 0, 256),
        ] {
            let mut items = Vec::new();
            for kdf in &kdfs {
                items.push(KeyToSeal {
                    name: &name,
                    secret: &secret,
                    kdf,
                    password: "password",
                });
            }
            let chosen = super::most_expensive(&items).unwrap();
            assert!(std::ptr::eq(chosen, &kdfs[most_expensive]));
            if memory_mib < 256 {
                write(&path, &items).unwrap();
                let file = read_file(&path).unwrap().unwrap();
                assert_eq!(file.memory_bytes() >> 20, memory_mib);
                assert_eq!(file.kdf.work(), chosen.work());
                let written = serde_json::to_string(&file.kdf).unwrap();
                assert!(!written.contains(r#""salt":"0xaa""#), "the salt is new");
            } else {
                assert_eq!(chosen.memory_bytes() >> 20, memory_mib);
            }
        }
        fs::remove_file(path).unwrap();
    }

    /// The file with the keys 1, 2 and 3, and those that a reader with these passwords gets.
    fn opened_with(path: &Path, passwords: &[u8]) -> Result<usize, String> {
        let found: Vec<_> = passwords.iter().map(|number| name(*number)).collect();
        let read = |file: &str| {
            let number = passwords.iter().find(|number| name(**number).file == file);
            number
                .map(|number| password(*number))
                .ok_or("no password".to_owned())
        };
        let Some(file) = read_file(path)? else {
            return Ok(0);
        };
        let cache = KeyCache::open(file, &found, read)?;
        Ok(found
            .iter()
            .filter(|name| cache.unseal(name, None).is_some())
            .count())
    }

    #[test]
    fn the_cache_opens_with_all_passwords_of_what_is_in_it_and_with_no_proper_subset() {
        let path = std::env::temp_dir().join(format!("signerd-cache-{}", std::process::id()));
        let keys = [secret(1), secret(2), secret(3)];
        let kdfs = [pbkdf2(1 << 10), scrypt(1 << 10), pbkdf2(1 << 12)];
        let names = [1, 2, 3].map(name);
        let passwords = [1, 2, 3].map(password);
        let mut items = Vec::new();
        for number in 0..3 {
            items.push(KeyToSeal {
                name: &names[number],
                secret: &keys[number],
                kdf: &kdfs[number],
                password: &passwords[number],
            });
        }
        write(&path, &items).unwrap();
        assert_eq!(opened_with(&path, &[1, 2, 3]), Ok(3));
        for subset in [&[][..], &[1], &[2], &[3], &[1, 2], &[1, 3], &[2, 3]] {
            assert!(opened_with(&path, subset).is_err(), "{subset:?}");
        }

        // A key is never given to a keystore that declares another one.
        let found: Vec<_> = [1, 2, 3].map(name).into();
        let read = |file: &str| Ok(password(file.as_bytes()[6] - b'0'));
        let file = read_file(&path).unwrap().unwrap();
        let cache = KeyCache::open(file, &found, read).unwrap();
        assert!(
            cache
                .unseal(&found[0], Some(keys[0].public_key()))
                .is_some()
        );
        assert!(
            cache
                .unseal(&found[0], Some(keys[1].public_key()))
                .is_none()
        );
        assert!(cache.is_stale());

        // Without keystores there is no file: it could be opened without a password.
        write(&path, &[]).unwrap();
        assert!(!path.exists());
        assert_eq!(opened_with(&path, &[1, 2, 3]), Ok(0));
    }
}
