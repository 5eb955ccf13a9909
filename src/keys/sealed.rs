//! `--key-cache`: opened keys, sealed for the next start, so that it costs one derivation and not one
//! for each keystore.
//!
//! One key (scrypt at full cost) from all keystore passwords together and a random salt: whoever has
//! the file must guess every password at once. Each secret is sealed by itself, bound to the path,
//! size, time of change and checksum of its keystore, and unsealed in its locked slot. The file is
//! opened with the passwords of the keystores that it names; without one of them it is of no use.
//! So it is written anew whenever keys have come or gone, which also takes deleted ones out of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::candidate::{Candidate, Prepared, Stamp};
use super::imports;
use super::keystore::scrubbed;
use super::secret::SecretKey;
use super::sources::{Sources, read_bounded};
use super::table::{Found, KeyTable};
use super::write::random;
use crate::consensus::primitives::PublicKey;
use crate::hex;

/// The sealed keys of the last start.
pub(crate) struct Cache {
    key: SealingKey,
    entries: HashMap<String, Entry>,
    /// Whether it must be written anew: it does not fit the candidates, or is damaged.
    is_stale: AtomicBool,
}

/// The file: JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Image {
    version: u32,
    salt: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
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
    /// Reads the file, if there is one, and derives its key: takes as long as one keystore.
    pub(super) fn open(
        path: &Path,
        sources: &Sources,
        candidates: &[Prepared],
    ) -> Result<Option<Self>, String> {
        let Some(Image { salt, entries, .. }) = read(path)? else {
            return Ok(None);
        };
        let found: HashMap<_, _> = candidates
            .iter()
            .filter_map(|prepared| Some((name(&prepared.candidate)?, prepared)))
            .collect();
        let named = entries
            .iter()
            .filter_map(|entry| found.get(entry.file.as_str()).copied());
        let salt = hex::decode(&salt).map_err(|error| error.to_string())?;
        let key = derive(&salt, sources, named)?;
        if entries
            .first()
            .is_some_and(|entry| entry.unseal(&key).is_none())
        {
            return Err(
                "it is damaged, or the password of a keystore that it names has changed or gone"
                    .to_owned(),
            );
        }
        let fresh = |entry: &Entry| {
            found
                .get(entry.file.as_str())
                .is_some_and(|prepared| stamp(prepared).as_ref() == Some(&entry.stamp))
        };
        let is_stale = AtomicBool::new(entries.len() != found.len() || !entries.iter().all(fresh));
        let entries = entries
            .into_iter()
            .map(|entry| (entry.file.clone(), entry))
            .collect();
        Ok(Some(Self {
            key,
            entries,
            is_stale,
        }))
    }

    /// The key of an unchanged keystore.
    pub(super) fn unseal(&self, prepared: &Prepared) -> Option<SecretKey> {
        let entry = self.entries.get(name(&prepared.candidate)?)?;
        let secret = entry
            .unseal(&self.key)
            .filter(|_| Some(&entry.stamp) == stamp(prepared).as_ref());
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

/// Seals these keystores for the next start, as far as their files are those that were opened and their
/// keys are there; says how many. Takes as long as one keystore.
pub(super) fn write(
    path: &Path,
    sources: &Sources,
    table: &KeyTable,
    held: Vec<(Candidate, Stamp, PublicKey)>,
) -> Result<usize, String> {
    let unchanged = held.into_iter().filter_map(|(candidate, stamp, key)| {
        let prepared = candidate
            .prepare()
            .ok()
            .filter(|prepared| prepared.stamp == Some(stamp))?;
        Some((prepared, key))
    });
    let keystores: Vec<_> = unchanged.collect();
    let salt = *random()?;
    let key = derive(
        &salt,
        sources,
        keystores.iter().map(|(prepared, _)| prepared),
    )?;
    let mut entries = Vec::with_capacity(keystores.len());
    for (prepared, public_key) in &keystores {
        // Held for a moment only: a deletion waits for it.
        if let Found::Ready(secret) = table.find(public_key) {
            entries.extend(Entry::seal(&key, prepared, &secret)?);
        }
    }
    entries.sort_by(|left, right| left.file.cmp(&right.file));
    let image = Image {
        version: VERSION,
        salt: hex::encode(salt),
        entries,
    };
    let json = serde_json::to_string(&image).map_err(|error| error.to_string())?;
    imports::write(path, &json).map_err(|error| error.to_string())?;
    Ok(image.entries.len())
}

/// What deriving the sealing key takes: 128 bytes, r and n times.
pub(super) const MEMORY_BYTES: u64 = (128 * 8) << SCRYPT_LOG_N;

impl Entry {
    fn seal(
        key: &SealingKey,
        prepared: &Prepared,
        secret: &SecretKey,
    ) -> Result<Option<Self>, String> {
        let (Some(file), Some(stamp)) = (name(&prepared.candidate), stamp(prepared)) else {
            return Ok(None);
        };
        let nonce = *random::<NONCE_LEN>()?;
        let aad = Aad::from(format!("{file}\n{stamp}"));
        let sealed = scrubbed(|| {
            let (mut scalar, once) = (secret.expose(), Nonce::assume_unique_for_key(nonce));
            let tag = cipher(key)?
                .seal_in_place_separate_tag(once, aad, &mut scalar[..])
                .ok()?;
            Some(hex::encode(
                [&nonce[..], &scalar[..], tag.as_ref()].concat(),
            ))
        });
        Ok(Some(Self {
            file: file.to_owned(),
            stamp,
            sealed: sealed.ok_or("cannot seal")?,
        }))
    }

    /// The key, unsealed in its slot.
    fn unseal(&self, key: &SealingKey) -> Option<SecretKey> {
        let bytes = hex::decode::<SEALED_BYTES>(&self.sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (secret, tag) = rest.split_first_chunk::<32>()?;
        let (nonce, tag) = (Nonce::assume_unique_for_key(*nonce), tag.try_into().ok()?);
        let aad = Aad::from(format!("{}\n{}", self.file, self.stamp));
        let filled = SecretKey::fill(|slot| {
            *slot = *secret;
            let open = || {
                cipher(key)?
                    .open_in_place_separate_tag(nonce, aad, tag, &mut slot[..], 0..)
                    .ok()
                    .map(drop)
            };
            // Zero is refused.
            scrubbed(open).unwrap_or_else(|| *slot = [0; 32]);
        });
        filled.ok()
    }
}

/// What all secrets are sealed under. Boxed, so that moving it leaves no copy behind.
type SealingKey = Box<Zeroizing<[u8; 32]>>;

/// ring does not wipe its keys: made anew for each use, in frames that are scrubbed.
fn cipher(key: &SealingKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, &***key)
        .ok()
        .map(LessSafeKey::new)
}

const VERSION: u32 = 1;
const SEALED_BYTES: usize = NONCE_LEN + 32 + 16;
/// 100,000 entries.
const FILE_BYTES_MAX: usize = 64 << 20;
/// The cost that EIP-2335's own example takes: 2^18, 8, 1.
const SCRYPT_LOG_N: u8 = 18;

/// `None` when there is no file yet.
fn read(path: &Path) -> Result<Option<Image>, String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| error.to_string())?,
    };
    let json = read_bounded(file, FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let image: Image = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    match image.version {
        VERSION => Ok(Some(image)),
        other => Err(format!("version {other}, expected {VERSION}")),
    }
}

/// The sealing key: scrypt of the hashes of all distinct passwords, in their order.
fn derive<'a>(
    salt: &[u8; 32],
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
                let Ok(password) = sources.read_secret(password) else {
                    continue;
                };
                hashes.push(Sha256::digest(password.as_bytes()).into());
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        scrypt::scrypt(hashes.as_flattened(), salt, &params, &mut **key)
    });
    derived.map(|()| key).map_err(|error| error.to_string())
}

fn name(candidate: &Candidate) -> Option<&str> {
    let Candidate::Keystore { file, .. } = candidate else {
        return None;
    };
    file.to_str()
}

fn stamp(prepared: &Prepared) -> Option<String> {
    let (stamp, checksum) = (prepared.stamp?, prepared.checksum?);
    Some(format!("{stamp} {checksum}"))
}
