//! [`KeyTable`]: the keys that can sign. Readers take no lock; a batch of changes is published at once.
//!
//! A map is never changed: a writer copies the 256 pointers to its leaves and the leaves that change, and
//! swaps the whole. The first bits of a key choose its leaf, so that the leaves in their order are the
//! sorted list.
//!
//! Deletion is final. `KeyTable::withdraw` publishes a map without the key, and `Withdrawn::wait` waits
//! until it has the only reference to the secret. There can be no new reference then: each is cloned from a
//! map, and an old map counts as a reference for as long as any reader uses it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::secret::SecretKey;
use crate::consensus::primitives::PublicKey;
use crate::sync::{ArcSwap, Mutex, lock, thread};

/// The keys of this process.
pub struct KeyTable {
    map: ArcSwap<TableMap>,
    /// Held while a map is made from the last one.
    writing: Mutex<()>,
}

/// Where a key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOrigin {
    /// The EIP-2334 path that its keystore names.
    pub derivation_path: Option<String>,
    /// Whether the Keymanager API must not delete it, because this program did not write its file.
    pub readonly: bool,
    /// The file of the keystore.
    pub file: Option<PathBuf>,
}

/// The part of a [`KeyOrigin`] that changes when one of several sources goes.
pub(super) struct KeyOriginFile {
    pub(super) readonly: bool,
    pub(super) file: Option<PathBuf>,
}

impl KeyOrigin {
    /// The origin of a key that the Keymanager API must not delete.
    pub(super) fn read_only(file: Option<&Path>, derivation_path: Option<String>) -> Self {
        Self {
            derivation_path,
            readonly: true,
            file: file.map(Path::to_owned),
        }
    }
}

/// The result of looking up a key.
pub(crate) enum Found {
    /// It can sign. Its deletion waits for as long as this is held.
    Ready(Arc<SecretKey>),
    /// It is being decrypted.
    Pending,
    /// It is not in the table.
    Unknown,
}

impl KeyTable {
    /// Makes a table without keys.
    #[expect(clippy::new_without_default, reason = "an empty table is a decision")]
    pub fn new() -> Self {
        let empty = Arc::new(TableLeaf::default());
        let map = TableMap {
            leaves: std::array::from_fn(|_| Arc::clone(&empty)),
        };
        Self {
            map: ArcSwap::from_pointee(map),
            writing: Mutex::new(()),
        }
    }

    /// Looks up the secret of a public key. Takes no lock and never waits.
    pub(crate) fn find(&self, key: &PublicKey) -> Found {
        self.map.load().leaf(key).find(key)
    }

    /// Publishes these keys at once, and returns those that were new. If a key is in the table already, the
    /// second copy is wiped.
    pub fn insert(&self, keys: Vec<(SecretKey, KeyOrigin)>) -> Vec<PublicKey> {
        self.change(|map| {
            let mut new = Vec::new();
            for (secret, origin) in keys {
                new.extend(map.insert(secret, origin));
            }
            new
        })
    }

    /// Announces keys that are being decrypted; [`KeyTable::insert`] makes them ready.
    pub(crate) fn expect(&self, keys: Vec<PublicKey>) {
        self.change(|map| {
            for key in keys {
                map.expect(key);
            }
        });
    }

    /// Withdraws what [`KeyTable::expect`] announced: the keys could not be decrypted.
    pub(crate) fn forget(&self, keys: &[PublicKey]) {
        self.change(|map| {
            for key in keys {
                map.forget(key);
            }
        });
    }

    /// Takes these keys out: they are not found from now on. Signatures that hold one of them go on;
    /// [`Withdrawn::wait`] waits for their end. Until then the keys count as pending, so that a client is
    /// told to ask again.
    pub(super) fn withdraw(&self, keys: &[PublicKey]) -> Withdrawn {
        Withdrawn(self.change(|map| {
            let mut withdrawn = Vec::new();
            for key in keys {
                if let Some(loaded) = map.remove(key) {
                    map.expect(*key);
                    withdrawn.push(loaded);
                }
            }
            withdrawn
        }))
    }

    /// Puts back what was withdrawn.
    pub(super) fn restore(&self, withdrawn: Withdrawn) {
        self.change(|map| {
            for loaded in withdrawn.0 {
                map.put(loaded);
            }
        });
    }

    /// Replaces the origins of these keys.
    pub(super) fn set_origins(&self, origins: Vec<(PublicKey, KeyOriginFile)>) {
        self.change(|map| {
            for (key, origin) in origins {
                map.set_origin(&key, origin);
            }
        });
    }

    /// Lists the public keys that can sign, sorted.
    pub(crate) fn list(&self) -> Vec<PublicKey> {
        self.map
            .load()
            .loaded()
            .map(|loaded| loaded.secret.public_key())
            .collect()
    }

    /// Lists the keys that can sign, sorted, each with its origin.
    pub(crate) fn entries(&self) -> Vec<(PublicKey, KeyOrigin)> {
        let map = self.map.load();
        map.loaded()
            .map(|loaded| (loaded.secret.public_key(), KeyOrigin::clone(&loaded.origin)))
            .collect()
    }

    /// How many keys can sign.
    pub(crate) fn len(&self) -> usize {
        self.map
            .load()
            .leaves
            .iter()
            .map(|leaf| leaf.ready.len())
            .sum()
    }

    /// Publishes what `edit` makes of the present map. When this returns, an older map is read only by those
    /// who hold a counted reference: `arc_swap` guarantees that.
    fn change<T>(&self, edit: impl FnOnce(&mut TableMap) -> T) -> T {
        let _writing = lock(&self.writing);
        let mut map = TableMap::clone(&self.map.load());
        let result = edit(&mut map);
        map.shrink();
        self.map.store(Arc::new(map));
        result
    }
}

/// Keys that are out of the table and not wiped yet. Dropping this wipes each as soon as it is not used any
/// more.
pub(super) struct Withdrawn(Vec<TableEntry>);

impl Withdrawn {
    /// Their public keys.
    pub(super) fn keys(&self) -> Vec<PublicKey> {
        self.0
            .iter()
            .map(|loaded| loaded.secret.public_key())
            .collect()
    }

    /// Waits until no signature uses one of them: on plain threads that do not hold such a key themselves.
    /// This polls, because a notification would cost every signature something, and deletions are rare.
    pub(super) fn wait(&self) {
        for loaded in &self.0 {
            let mut pause = PAUSE_MIN;
            while Arc::strong_count(&loaded.secret) > 1 {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

const PAUSE_MIN: Duration = Duration::from_micros(20);
const PAUSE_MAX: Duration = Duration::from_millis(2);

/// One state of the table.
#[derive(Clone)]
struct TableMap {
    leaves: [Arc<TableLeaf>; LEAVES],
}

/// Many enough that a leaf of 100,000 keys is copied within microseconds, few enough that the pointers are
/// copied as fast.
const LEAVES: usize = 256;

/// The keys that start with the same bits; both lists are sorted.
#[derive(Clone, Default)]
struct TableLeaf {
    ready: Vec<TableEntry>,
    pending: Vec<PublicKey>,
}

#[derive(Clone)]
struct TableEntry {
    secret: Arc<SecretKey>,
    origin: Arc<KeyOrigin>,
}

impl KeyOrigin {
    /// Gives back the unused capacity of the texts, which would be half of what a key costs.
    fn shrunk(mut self) -> Self {
        if let Some(path) = &mut self.derivation_path {
            path.shrink_to_fit();
        }
        if let Some(file) = &mut self.file {
            file.shrink_to_fit();
        }
        self
    }
}

impl TableMap {
    fn insert(&mut self, secret: SecretKey, origin: KeyOrigin) -> Option<PublicKey> {
        let key = secret.public_key();
        self.forget(&key);
        let position = self.leaf(&key).position(&key).err()?;
        let loaded = TableEntry {
            secret: Arc::new(secret),
            origin: Arc::new(origin.shrunk()),
        };
        self.leaf_mut(&key).ready.insert(position, loaded);
        Some(key)
    }

    /// Puts back what [`TableMap::remove`] took out, unless the key has come from elsewhere in the meantime.
    fn put(&mut self, loaded: TableEntry) {
        let key = loaded.secret.public_key();
        self.forget(&key);
        if let Err(position) = self.leaf(&key).position(&key) {
            self.leaf_mut(&key).ready.insert(position, loaded);
        }
    }

    fn remove(&mut self, key: &PublicKey) -> Option<TableEntry> {
        let position = self.leaf(key).position(key).ok()?;
        Some(self.leaf_mut(key).ready.remove(position))
    }

    fn set_origin(&mut self, key: &PublicKey, origin: KeyOriginFile) {
        if let Ok(position) = self.leaf(key).position(key) {
            let loaded = &mut self.leaf_mut(key).ready[position];
            let changed = KeyOrigin {
                derivation_path: loaded.origin.derivation_path.clone(),
                readonly: origin.readonly,
                file: origin.file,
            };
            loaded.origin = Arc::new(changed.shrunk());
        }
    }

    fn expect(&mut self, key: PublicKey) {
        let leaf = self.leaf(&key);
        if leaf.position(&key).is_err()
            && let Err(position) = leaf.pending.binary_search(&key)
        {
            self.leaf_mut(&key).pending.insert(position, key);
        }
    }

    fn forget(&mut self, key: &PublicKey) {
        if let Ok(position) = self.leaf(key).pending.binary_search(key) {
            self.leaf_mut(key).pending.remove(position);
        }
    }

    fn leaf(&self, key: &PublicKey) -> &TableLeaf {
        &self.leaves[leaf_index(key)]
    }

    /// This map's own copy of the leaf: made when it is first changed.
    fn leaf_mut(&mut self, key: &PublicKey) -> &mut TableLeaf {
        Arc::make_mut(&mut self.leaves[leaf_index(key)])
    }

    fn loaded(&self) -> impl Iterator<Item = &TableEntry> {
        self.leaves.iter().flat_map(|leaf| &leaf.ready)
    }

    /// Gives back the unused capacity of the leaves that only this map has.
    fn shrink(&mut self) {
        for leaf in self.leaves.iter_mut().filter_map(Arc::get_mut) {
            leaf.ready.shrink_to_fit();
            leaf.pending.shrink_to_fit();
        }
    }
}

/// Bits 2 to 9 of the key: the first two are the same in every compressed point, then follow the sign and
/// the start of a coordinate. Keeps the order of the keys.
fn leaf_index(key: &PublicKey) -> usize {
    let [first, second, ..] = key.0;
    usize::from((first << 2) | (second >> 6))
}

impl TableLeaf {
    fn find(&self, key: &PublicKey) -> Found {
        if let Ok(position) = self.position(key) {
            Found::Ready(Arc::clone(&self.ready[position].secret))
        } else if self.pending.binary_search(key).is_ok() {
            Found::Pending
        } else {
            Found::Unknown
        }
    }

    /// Where the key is, or else where it would be inserted.
    fn position(&self, key: &PublicKey) -> Result<usize, usize> {
        self.ready
            .binary_search_by_key(key, |loaded| loaded.secret.public_key())
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "model"))]
mod model_tests;
