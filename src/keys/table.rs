//! [`KeyTable`]: which keys there are. Readers take no lock; a batch of changes is published at once.
//!
//! A map is never changed: a writer copies the 256 pointers to its leaves and the leaves that
//! change, and swaps the whole. A key's leaf follows from its first bits, so that the leaves in
//! their order are the sorted list.
//!
//! Deletion is final. [`KeyTable::withdraw`] publishes a map without the key, and [`Withdrawn::wait`]
//! waits until its own is the only reference to the secret. Nobody can make another: every reference is
//! cloned from a map, and an old map counts as one for as long as any reader still looks at it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::secret::SecretKey;
use crate::consensus::primitives::PublicKey;
use crate::wait::lock;

/// The keys of this process.
pub struct KeyTable {
    map: ArcSwap<Map>,
    /// Held while a map is made from the last one.
    writing: Mutex<()>,
}

/// Where a key came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOrigin {
    /// EIP-2334 path, as its keystore tells it.
    pub derivation_path: Option<String>,
    /// Whether the Keymanager API must leave it alone, because others own its file.
    pub readonly: bool,
    /// The keystore's file.
    pub file: Option<PathBuf>,
}

/// The part of an [`KeyOrigin`] that changes when one of several sources goes.
pub(super) struct KeyOriginFile {
    pub(super) readonly: bool,
    pub(super) file: Option<PathBuf>,
}

impl KeyOrigin {
    /// Of a key that the Keymanager API must leave alone.
    pub(super) fn read_only(file: Option<&Path>, derivation_path: Option<String>) -> Self {
        Self {
            derivation_path,
            readonly: true,
            file: file.map(Path::to_owned),
        }
    }
}

/// What is known of a key.
pub enum Found {
    /// It can sign. Whoever holds this delays its deletion.
    Ready(Arc<SecretKey>),
    /// It is still being decrypted.
    Pending,
    /// Nobody has heard of it.
    Unknown,
}

impl KeyTable {
    /// Without keys.
    #[expect(clippy::new_without_default, reason = "an empty table is a decision")]
    pub fn new() -> Self {
        let empty = Arc::new(Leaf::default());
        let map = Map {
            leaves: std::array::from_fn(|_| Arc::clone(&empty)),
        };
        Self {
            map: ArcSwap::from_pointee(map),
            writing: Mutex::new(()),
        }
    }

    /// The secret of this public key. Takes no lock, never waits.
    pub fn find(&self, key: &PublicKey) -> Found {
        self.map.load().leaf(key).find(key)
    }

    /// Publishes these keys at once, and returns those that were new; of a key that is there already
    /// the second copy is wiped.
    pub fn insert(&self, keys: Vec<(SecretKey, KeyOrigin)>) -> Vec<PublicKey> {
        self.change(|map| {
            keys.into_iter()
                .filter_map(|(secret, origin)| map.insert(secret, origin))
                .collect()
        })
    }

    /// Announces keys that are known but still being decrypted; [`KeyTable::insert`] makes them ready.
    pub fn expect(&self, keys: Vec<PublicKey>) {
        self.change(|map| keys.into_iter().for_each(|key| map.expect(key)));
    }

    /// Takes back what [`KeyTable::expect`] announced: they could not be decrypted.
    pub fn forget(&self, keys: &[PublicKey]) {
        self.change(|map| keys.iter().for_each(|key| map.forget(key)));
    }

    /// Takes these keys out: from now on nobody finds them. Signatures that hold one of them go on;
    /// [`Withdrawn::wait`] tells when they have ended. Until then the keys count as pending, so that who
    /// asks for one meanwhile is told to ask again.
    pub fn withdraw(&self, keys: &[PublicKey]) -> Withdrawn {
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
    pub fn restore(&self, withdrawn: Withdrawn) {
        self.change(|map| {
            for loaded in withdrawn.0 {
                map.put(loaded);
            }
        });
    }

    /// Removes these keys, ready or pending, and returns those that were ready. Waits as
    /// [`Withdrawn::wait`] does, and wipes them.
    pub fn remove(&self, keys: &[PublicKey]) -> Vec<PublicKey> {
        let withdrawn = self.withdraw(keys);
        self.forget(keys);
        withdrawn.wait();
        withdrawn.keys()
    }

    /// Says anew where these keys come from.
    pub(super) fn set_origins(&self, origins: Vec<(PublicKey, KeyOriginFile)>) {
        self.change(|map| {
            for (key, origin) in origins {
                map.set_origin(&key, origin);
            }
        });
    }

    /// The public keys that can sign, sorted.
    pub fn list(&self) -> Vec<PublicKey> {
        self.map
            .load()
            .loaded()
            .map(|loaded| loaded.secret.public_key())
            .collect()
    }

    /// As [`KeyTable::list`], each with its origin.
    pub fn entries(&self) -> Vec<(PublicKey, KeyOrigin)> {
        let map = self.map.load();
        map.loaded()
            .map(|loaded| (loaded.secret.public_key(), KeyOrigin::clone(&loaded.origin)))
            .collect()
    }

    /// How many keys can sign.
    pub fn len(&self) -> usize {
        self.map
            .load()
            .leaves
            .iter()
            .map(|leaf| leaf.ready.len())
            .sum()
    }

    /// Whether no key can sign.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Publishes what `edit` makes of the present map. When this returns, nobody reads an older one
    /// but those who hold a reference that counts: `arc_swap` sees to it.
    fn change<T>(&self, edit: impl FnOnce(&mut Map) -> T) -> T {
        let _writing = lock(&self.writing);
        let mut map = Map::clone(&self.map.load());
        let answer = edit(&mut map);
        map.shrink();
        self.map.store(Arc::new(map));
        answer
    }
}

/// Keys that are out of the table and not wiped yet. Dropping it wipes them, each as soon as nobody else
/// holds it.
pub struct Withdrawn(Vec<Loaded>);

impl Withdrawn {
    /// Their public keys.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.0
            .iter()
            .map(|loaded| loaded.secret.public_key())
            .collect()
    }

    /// Waits until no signature holds one of them: for plain threads only, and not for the holder of such
    /// a key. Looks again and again, because a notification would cost every signature something, and
    /// deletions are rare.
    pub fn wait(&self) {
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
struct Map {
    leaves: [Arc<Leaf>; LEAVES],
}

/// So many that a leaf of 100,000 keys is copied within microseconds, so few that the pointers are.
const LEAVES: usize = 256;

/// The keys that begin with the same bits; both lists are sorted.
#[derive(Clone, Default)]
struct Leaf {
    ready: Vec<Loaded>,
    pending: Vec<PublicKey>,
}

#[derive(Clone)]
struct Loaded {
    secret: Arc<SecretKey>,
    origin: Arc<KeyOrigin>,
}

impl KeyOrigin {
    /// Without the room that the texts grew in: it would be half of what a key costs.
    fn shrunk(mut self) -> Self {
        self.derivation_path.as_mut().map(String::shrink_to_fit);
        self.file.as_mut().map(PathBuf::shrink_to_fit);
        self
    }
}

impl Map {
    fn insert(&mut self, secret: SecretKey, origin: KeyOrigin) -> Option<PublicKey> {
        let key = secret.public_key();
        self.forget(&key);
        let position = self.leaf(&key).position(&key).err()?;
        let loaded = Loaded {
            secret: Arc::new(secret),
            origin: Arc::new(origin.shrunk()),
        };
        self.leaf_mut(&key).ready.insert(position, loaded);
        Some(key)
    }

    /// Puts back what [`Map::remove`] took out, unless the key has come from elsewhere meanwhile.
    fn put(&mut self, loaded: Loaded) {
        let key = loaded.secret.public_key();
        self.forget(&key);
        if let Err(position) = self.leaf(&key).position(&key) {
            self.leaf_mut(&key).ready.insert(position, loaded);
        }
    }

    fn remove(&mut self, key: &PublicKey) -> Option<Loaded> {
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
        if let (Err(_), Err(position)) = (leaf.position(&key), leaf.pending.binary_search(&key)) {
            self.leaf_mut(&key).pending.insert(position, key);
        }
    }

    fn forget(&mut self, key: &PublicKey) {
        if let Ok(position) = self.leaf(key).pending.binary_search(key) {
            self.leaf_mut(key).pending.remove(position);
        }
    }

    fn leaf(&self, key: &PublicKey) -> &Leaf {
        &self.leaves[leaf_index(key)]
    }

    /// This map's own copy of the leaf: made when it is first changed.
    fn leaf_mut(&mut self, key: &PublicKey) -> &mut Leaf {
        Arc::make_mut(&mut self.leaves[leaf_index(key)])
    }

    fn loaded(&self) -> impl Iterator<Item = &Loaded> {
        self.leaves.iter().flat_map(|leaf| &leaf.ready)
    }

    /// Gives back what the leaves of this map alone have to spare.
    fn shrink(&mut self) {
        for leaf in self.leaves.iter_mut().filter_map(Arc::get_mut) {
            leaf.ready.shrink_to_fit();
            leaf.pending.shrink_to_fit();
        }
    }
}

/// Bits 2 to 9 of the key: the first two are the same in every compressed point, those after them
/// are the sign and the beginning of a coordinate. Keeps the order of keys.
fn leaf_index(key: &PublicKey) -> usize {
    let [first, second, ..] = key.0;
    usize::from((first << 2) | (second >> 6))
}

impl Leaf {
    fn find(&self, key: &PublicKey) -> Found {
        match (self.position(key), self.pending.binary_search(key)) {
            (Ok(position), _) => Found::Ready(Arc::clone(&self.ready[position].secret)),
            (Err(_), Ok(_)) => Found::Pending,
            (Err(_), Err(_)) => Found::Unknown,
        }
    }

    /// Where the key is, or where it would have to be.
    fn position(&self, key: &PublicKey) -> Result<usize, usize> {
        self.ready
            .binary_search_by_key(key, |loaded| loaded.secret.public_key())
    }
}
