//! `--key-cache`: opened keys, sealed for the next start, so that it costs one derivation and not one
//! for each keystore.
//!
//! One key (scrypt at full cost) from all keystore passwords together and a random salt: whoever has
//! the file must guess every password at once. Each secret is sealed by itself, bound to the path,
//! size, time of change and checksum of its keystore, and unsealed in its locked slot. The file is
//! opened with the passwords of the keystores that it names; without one of them it is of no use.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::candidate::{Candidate, Prepared};
use super::imports;
use super::keystore::scrubbed;
use super::secret::SecretKey;
use super::sources::{Sources, read_bounded};
use super::write::random;
use crate::hex;

/// The sealed keys of the last start, and those for the next.
pub(crate) struct Cache {
    path: PathBuf,
    old: Option<(SealingKey, HashMap<String, Entry>)>,
    /// What will be written; none when the file is good as it is.
    new: Option<Rewrite>,
}

struct Rewrite {
    salt: Salt,
    key: SealingKey,
    entries: Mutex<Vec<Entry>>,
}

/// The file: JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Image {
    version: u32,
    salt: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The path of the keystore.
    file: String,
    /// What it looked like.
    stamp: String,
    /// Nonce, secret, tag.
    sealed: String,
}

impl Cache {
    /// Reads the file, and derives its key; or prepares a new file, if it does not fit the
    /// candidates. Takes as long as one keystore, or two.
    pub(super) fn open<'a>(
        path: &Path,
        sources: &Sources,
        candidates: impl Iterator<Item = &'a Prepared> + Clone,
    ) -> Result<Self, String> {
        let found: HashMap<_, _> =
            candidates.filter_map(|prepared| Some((name(prepared)?, prepared))).collect();
        let image = read(path).unwrap_or_else(|reason| {
            log::warn!("{}: {reason}: all keystores are opened, and it is written anew", path.display());
            None
        });
        let old = image.and_then(|(salt, entries)| {
            let key =
                derive(&salt, sources, entries.iter().filter_map(|entry| found.get(&entry.file).copied()))
                    .ok()?;
            entries.first()?.unseal(&key, &mut |_| ())?;
            Some((
                key,
                entries.into_iter().map(|entry| (entry.file.clone(), entry)).collect::<HashMap<_, _>>(),
            ))
        });
        let fits = old.as_ref().is_some_and(|(_, entries)| {
            let same = |(file, prepared): (&String, &&Prepared)| {
                entries.get(file).is_some_and(|entry| Some(&entry.stamp) == stamp(prepared).as_ref())
            };
            entries.len() == found.len() && found.iter().all(same)
        });
        let new = if fits {
            None
        } else {
            let salt = *random()?;
            let key = derive(&salt, sources, found.values().copied())?;
            Some(Rewrite { salt, key, entries: Mutex::default() })
        };
        Ok(Self { path: path.to_owned(), old, new })
    }

    /// The key of an unchanged keystore.
    pub(super) fn unseal(&self, prepared: &Prepared) -> Option<SecretKey> {
        let (key, entries) = self.old.as_ref()?;
        let entry =
            entries.get(&name(prepared)?).filter(|entry| Some(&entry.stamp) == stamp(prepared).as_ref())?;
        entry.unseal(key, &mut |scalar| self.keep(prepared, scalar))
    }

    /// Seals a key for the next start.
    pub(super) fn keep(&self, prepared: &Prepared, scalar: &[u8; 32]) {
        let (Some(new), Some(file), Some(stamp)) = (&self.new, name(prepared), stamp(prepared)) else {
            return;
        };
        if let Ok(entry) = Entry::seal(&new.key, file, stamp, scalar) {
            new.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }

    /// Writes the file, if it did not fit.
    pub(super) fn write(&self) {
        let Some(new) = &self.new else { return };
        let mut entries = new.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        entries.sort_by(|left, right| left.file.cmp(&right.file));
        let image = Image { version: VERSION, salt: hex::encode(new.salt), entries };
        let json = serde_json::to_string(&image).unwrap_or_default();
        match imports::write(&self.path, &json) {
            Ok(()) => log::info!(
                "{}: {} key(s) sealed for the next start",
                self.path.display(),
                image.entries.len()
            ),
            Err(error) => log::warn!("{}: {error}", self.path.display()),
        }
    }
}

impl Entry {
    fn seal(key: &SealingKey, file: String, stamp: String, scalar: &[u8; 32]) -> Result<Self, String> {
        let nonce = *random::<NONCE_LEN>()?;
        let mut secret = Zeroizing::new(*scalar);
        let aad = Aad::from(format!("{file}\n{stamp}"));
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        let tag = scrubbed(|| cipher(key)?.seal_in_place_separate_tag(nonce_once, aad, &mut secret[..]).ok());
        let tag = tag.ok_or("cannot seal")?;
        let sealed = hex::encode([&nonce[..], &secret[..], tag.as_ref()].concat());
        Ok(Self { file, stamp, sealed })
    }

    /// The key, unsealed in its slot; `seen` may read the slot.
    fn unseal(&self, key: &SealingKey, seen: &mut dyn FnMut(&[u8; 32])) -> Option<SecretKey> {
        let bytes = hex::decode::<SEALED_BYTES>(&self.sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (secret, tag) = rest.split_first_chunk::<32>()?;
        let (nonce, tag) = (Nonce::assume_unique_for_key(*nonce), tag.try_into().ok()?);
        let aad = Aad::from(format!("{}\n{}", self.file, self.stamp));
        let filled = SecretKey::fill(|slot| {
            *slot = *secret;
            let open = || {
                cipher(key)?.open_in_place_separate_tag(nonce, aad, tag, &mut slot[..], 0..).ok().map(drop)
            };
            match scrubbed(open) {
                Some(()) => seen(slot),
                // Zero is refused.
                None => *slot = [0; 32],
            }
        });
        filled.ok()
    }
}

/// What all secrets are sealed under. Boxed, so that moving it leaves no copy behind.
type SealingKey = Box<Zeroizing<[u8; 32]>>;

/// ring does not wipe its keys: made anew for each use, in frames that are scrubbed.
fn cipher(key: &SealingKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, &***key).ok().map(LessSafeKey::new)
}

const VERSION: u32 = 1;
type Salt = [u8; 32];
const SEALED_BYTES: usize = NONCE_LEN + 32 + 16;
/// 100,000 entries.
const FILE_BYTES_MAX: usize = 64 << 20;
/// The cost that EIP-2335's own example takes: 2^18, 8, 1.
const SCRYPT_LOG_N: u8 = 18;

/// The salt and the entries; `None` when there is no file yet.
fn read(path: &Path) -> Result<Option<(Salt, Vec<Entry>)>, String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| error.to_string())?,
    };
    let json = read_bounded(file, FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let image: Image = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let salt = hex::decode(&image.salt).map_err(|error| error.to_string())?;
    match image.version {
        VERSION => Ok(Some((salt, image.entries))),
        other => Err(format!("version {other}, expected {VERSION}")),
    }
}

/// The sealing key: scrypt of the hashes of all distinct passwords, in their order.
fn derive<'a>(
    salt: &Salt,
    sources: &Sources,
    candidates: impl Iterator<Item = &'a Prepared>,
) -> Result<SealingKey, String> {
    let mut key = SealingKey::default();
    let params = scrypt::Params::new(SCRYPT_LOG_N, 8, 1).map_err(|error| error.to_string())?;
    let derived = scrubbed(|| {
        let most = candidates.size_hint().1.unwrap_or(0);
        let mut hashes = Zeroizing::new(Vec::<[u8; 32]>::with_capacity(most));
        for prepared in candidates {
            if let Candidate::Keystore { password, .. } = &prepared.candidate {
                // A file that cannot be read is told when its keystore is opened.
                let Ok(password) = sources.read_secret(password) else { continue };
                hashes.push(Sha256::digest(password.as_bytes()).into());
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        scrypt::scrypt(hashes.as_flattened(), salt, &params, &mut **key)
    });
    derived.map(|()| key).map_err(|error| error.to_string())
}

fn name(prepared: &Prepared) -> Option<String> {
    let Candidate::Keystore { file, .. } = &prepared.candidate else { return None };
    file.to_str().map(str::to_owned)
}

fn stamp(prepared: &Prepared) -> Option<String> {
    let (stamp, checksum) = (prepared.stamp?, prepared.checksum?);
    Some(format!("{stamp} {checksum}"))
}
