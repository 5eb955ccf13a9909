//! The last messages, as points of G2, and tables for those that many keys sign.
//!
//! blst takes half of a signature's time to hash the message to the curve. The validators of a slot sign the
//! same message, so the last points are kept. A table (`g2::MessageTable`) makes the other half three times
//! cheaper, but costs two to three signatures to build.
//!
//! **When a table is built.** A root gets a table at use number [`TABLE_USES`]; signatures that already wait
//! for it count as uses. A root of one to four keys, such as those of a validator's own duties, never pays
//! for a table. The thread that reaches the number claims the table and builds it, and the others sign
//! without one meanwhile. The number is compared with `>=`, because two threads may count at once and
//! skip it.
//!
//! **Invariants.** A lock is held while 300 bytes are copied, never while hashing or building. A root has
//! at most one entry. At most [`TABLES_MAX`] tables are kept, those used last. All of it is public.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::g2::{MessagePoint, MessageTable};
use crate::consensus::primitives::Root;
use crate::sync::{AtomicU64, Mutex, MutexGuard, lock};

/// The ciphersuite of Ethereum's consensus layer.
const CIPHERSUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Sets of points. A root belongs to one set, so threads seldom wait for the same lock.
const SETS: usize = 64;

/// Points of a set: 256 in all hold what a slot's 64 committees, their aggregates and the sync committee
/// sign.
const SET_POINTS: usize = 4;

/// Uses of a root from which on a table pays. Building takes as long as 2 to 2.5 signatures save, so a
/// lower number would be right if later uses were certain. Measured with 3, 5 and 8 in multiples of
/// blst's signature: the duties of 1,000 validators 0.35 each, 10 keys of a root 0.48, 0.50 and 0.56, 100 keys
/// 0.24 each. With 3, a root of three keys would pay for a table and never use it.
const TABLE_USES: u32 = 5;

/// Tables that are kept, 43 KB each: a slot has one attestation root since Electra, two at the turn of a
/// slot, the sync committee's, and those of other forks on a devnet. Measured with 2, 4, 8 and 16: the duties
/// of 1,000 validators, several slots at once, 0.41, 0.39, 0.35 and 0.33.
const TABLES_MAX: usize = 16;

/// A message, ready to be signed.
#[allow(
    clippy::large_enum_variant,
    reason = "a value of one call on the stack; a box would be an allocation for each signature"
)]
pub(super) enum Message {
    /// Signed by few: without a table.
    Point(MessagePoint),
    /// Signed by many.
    Table(Arc<MessageTable>),
}

struct CachedMessage {
    root: Root,
    point: MessagePoint,
    uses: u32,
    /// The tick of the last use.
    used_at: u64,
    table: TableState,
}

enum TableState {
    None,
    /// A thread builds it.
    Claimed,
    Built(Arc<MessageTable>),
}

/// Boxed, so that the empty cache is all zeros and takes no space in the binary. Otherwise it would take 90 KB.
type PointSet = [Option<Box<CachedMessage>>; SET_POINTS];

struct MessageCache {
    sets: [Mutex<PointSet>; SETS],
    /// Held while a table is kept, so that two threads do not both see room for one more.
    keeping: Mutex<()>,
    /// Counts uses, to know which one was last.
    ticks: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

static CACHE: MessageCache = MessageCache::new();

/// Hashes a message, which is a signing root but for the signing extension, to the curve.
pub(super) fn hash(message: &[u8]) -> MessagePoint {
    MessagePoint::new(message, CIPHERSUITE)
}

/// The message of a root for `signatures` now, while `waiting` more signatures of it wait.
pub(super) fn message(root: &Root, signatures: u32, waiting: u32) -> Message {
    CACHE.message(root, signatures, waiting)
}

/// How often the point of a signing root was in the cache, and how often it was not.
pub(super) fn counters() -> (u64, u64) {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (load(&CACHE.hits), load(&CACHE.misses))
}

/// What a use of a cached message gives.
struct Use {
    message: Message,
    /// Whether the user has claimed the table.
    must_build: bool,
}

impl MessageCache {
    const fn new() -> Self {
        Self {
            sets: [const { Mutex::new([const { None }; SET_POINTS]) }; SETS],
            keeping: Mutex::new(()),
            ticks: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    fn message(&self, root: &Root, signatures: u32, waiting: u32) -> Message {
        let found = match self.use_cached(root, signatures, waiting) {
            Some(found) => {
                self.hits
                    .fetch_add(u64::from(signatures), Ordering::Relaxed);
                found
            }
            None => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                self.hits
                    .fetch_add(u64::from(signatures) - 1, Ordering::Relaxed);
                self.store(root, hash(&root.0));
                // Another thread may have evicted it by now.
                self.use_cached(root, signatures, waiting)
                    .unwrap_or_else(|| Use {
                        message: Message::Point(hash(&root.0)),
                        must_build: false,
                    })
            }
        };
        if found.must_build
            && let Message::Point(point) = &found.message
            && let Some(table) = MessageTable::new(point)
        {
            let table = Arc::new(table);
            self.keep(root, &table);
            return Message::Table(table);
        }
        found.message
    }

    /// Roots are hashes: any byte of theirs spreads them.
    fn set_of(&self, root: &Root) -> MutexGuard<'_, PointSet> {
        lock(&self.sets[usize::from(root.0[0]) % SETS])
    }

    fn use_cached(&self, root: &Root, signatures: u32, waiting: u32) -> Option<Use> {
        let mut set = self.set_of(root);
        let cached = set
            .iter_mut()
            .flatten()
            .find(|cached| cached.root == *root)?;
        cached.uses = cached.uses.saturating_add(signatures);
        cached.used_at = self.ticks.fetch_add(1, Ordering::Relaxed);
        let mut must_build = false;
        let message = match &cached.table {
            TableState::Built(table) => Message::Table(Arc::clone(table)),
            TableState::Claimed => Message::Point(cached.point),
            TableState::None => {
                must_build = cached.uses.saturating_add(waiting) >= TABLE_USES;
                Message::Point(cached.point)
            }
        };
        if must_build {
            cached.table = TableState::Claimed;
        }
        Some(Use {
            message,
            must_build,
        })
    }

    /// Stores a point. It replaces the one that was not used for longest.
    fn store(&self, root: &Root, point: MessagePoint) {
        let mut set = self.set_of(root);
        // Two threads that missed at the same time store the same point.
        if set.iter().flatten().any(|cached| cached.root == *root) {
            return;
        }
        let place = set
            .iter_mut()
            .min_by_key(|place| place.as_ref().map(|cached| cached.used_at));
        if let Some(place) = place {
            *place = Some(Box::new(CachedMessage {
                root: *root,
                point,
                uses: 0,
                used_at: self.ticks.fetch_add(1, Ordering::Relaxed),
                table: TableState::None,
            }));
        }
    }

    /// Keeps a table with its message, and drops the table whose last use is the longest ago if there are
    /// too many. A message that was evicted meanwhile keeps none.
    fn keep(&self, root: &Root, table: &Arc<MessageTable>) {
        let _alone = lock(&self.keeping);
        let mut kept = 0;
        let mut oldest: Option<(u64, Root)> = None;
        for set in &self.sets {
            for cached in lock(set).iter().flatten() {
                if matches!(cached.table, TableState::Built(_)) {
                    kept += 1;
                    if oldest.is_none_or(|(used_at, _)| cached.used_at < used_at) {
                        oldest = Some((cached.used_at, cached.root));
                    }
                }
            }
        }
        if let Some((_, root)) = oldest
            && kept >= TABLES_MAX
        {
            self.set_table(&root, TableState::None);
        }
        self.set_table(root, TableState::Built(Arc::clone(table)));
    }

    /// A message without a table counts its uses anew.
    fn set_table(&self, root: &Root, table: TableState) {
        let mut set = self.set_of(root);
        if let Some(cached) = set.iter_mut().flatten().find(|cached| cached.root == *root) {
            if matches!(table, TableState::None) {
                cached.uses = 0;
            }
            cached.table = table;
        }
    }
}

#[cfg(all(test, feature = "model"))]
mod model_tests;
