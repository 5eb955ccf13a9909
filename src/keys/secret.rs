//! [`SecretKey`]: a scalar in locked memory that signs where it lies.
//!
//! Signing makes no copy of the scalar, and blst wipes those that it makes (`POINTonE2_mult_gls`). Hashing
//! the message to the curve is half of the cost of a signature, and the validators of a slot sign the same
//! message: the last points are kept.
//! Source: draft-irtf-cfrg-bls-signature-05 (minimal-pubkey-size); consensus-specs,
//! `phase0/beacon-chain.md`, "BLS signatures".

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use zeroize::Zeroizing;

use super::arena::{ArenaError, ArenaSlot, MessagePoint, SLOT_BYTES};
use crate::consensus::extension::ExtensionPayload;
use crate::consensus::primitives::{PublicKey, Root, Signature};
use crate::slashing::Cleared;
use crate::wait::lock;

/// The ciphersuite of Ethereum's consensus layer.
const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// A BLS secret key in locked memory, with its public key. Not `Debug`, `Clone`, `Default` or
/// `Serialize`: keep it so.
///
/// ```
/// fn bound<T: Send + Sync>() {}
/// bound::<signerd::keys::secret::SecretKey>();
/// ```
/// ```compile_fail,E0277
/// fn bound<T: std::fmt::Debug>() {}
/// bound::<signerd::keys::secret::SecretKey>();
/// ```
/// ```compile_fail,E0277
/// fn bound<T: Clone>() {}
/// bound::<signerd::keys::secret::SecretKey>();
/// ```
/// ```compile_fail,E0277
/// fn bound<T: Default>() {}
/// bound::<signerd::keys::secret::SecretKey>();
/// ```
/// ```compile_fail,E0277
/// fn bound<T: serde::Serialize>() {}
/// bound::<signerd::keys::secret::SecretKey>();
/// ```
pub struct SecretKey {
    /// Little-endian, as blst needs it; never zero, and below the order of the curve's groups.
    scalar: ArenaSlot,
    public_key: PublicKey,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub enum FillError {
    /// The scalar is zero: everybody could make its signatures.
    Zero,
    /// The scalar is not below the order of the curve's groups.
    Order,
    /// There is no memory for it.
    Arena(ArenaError),
}

impl SecretKey {
    /// Makes a key from the scalar that `write` puts into the given 32 bytes, big-endian. These are in
    /// locked memory already, so that a scalar that is decrypted into them is never anywhere else.
    ///
    /// # Errors
    /// [`FillError`]; the bytes are wiped then.
    pub fn fill(write: impl FnOnce(&mut [u8; SLOT_BYTES])) -> Result<Self, FillError> {
        let mut scalar = ArenaSlot::take().map_err(FillError::Arena)?;
        write(scalar.bytes_mut());
        scalar.bytes_mut().reverse();
        if !scalar.is_secret_key() {
            let zero = scalar.bytes().iter().all(|&byte| byte == 0);
            return Err(if zero {
                FillError::Zero
            } else {
                FillError::Order
            });
        }
        let public_key = PublicKey(scalar.public_key());
        Ok(Self { scalar, public_key })
    }

    /// The compressed point of G1 that belongs to this key.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Copies the scalar, big-endian: for the key cache.
    pub(super) fn expose(&self) -> Zeroizing<[u8; SLOT_BYTES]> {
        let mut scalar = Zeroizing::new(*self.scalar.bytes());
        scalar.reverse();
        scalar
    }

    /// Signs a text of the signing extension, which cannot be a signing root.
    pub(crate) fn sign_extension(&self, payload: &ExtensionPayload) -> Signature {
        Signature(self.scalar.sign(&MessagePoint::new(payload.bytes(), DST)))
    }

    /// Signs once, for the holder of a proof made by `slashing`.
    pub fn sign(&self, cleared: Cleared) -> Signature {
        Signature(self.scalar.sign(&message_of(cleared.root())))
    }
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero | Self::Order => {
                f.write_str("the secret key is zero or not below the order of the curve's groups")
            }
            Self::Arena(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FillError {}

/// Maps a signing root to a point of G2, or takes the point from the cache.
fn message_of(root: &Root) -> MessagePoint {
    if let Some(message) = cached_points(root).find(root) {
        HITS.fetch_add(1, Ordering::Relaxed);
        return message;
    }
    MISSES.fetch_add(1, Ordering::Relaxed);
    let message = MessagePoint::new(&root.0, DST);
    cached_points(root).store(*root, message);
    message
}

/// How often the point of a signing root was in the cache, and how often it was not.
pub fn cache_counters() -> (u64, u64) {
    (HITS.load(Ordering::Relaxed), MISSES.load(Ordering::Relaxed))
}

/// Whether this process has signed anything yet.
pub(super) fn has_signed() -> bool {
    let (hits, misses) = cache_counters();
    hits + misses > 0
}

static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

/// 64 sets of 4 points: 256 points are enough for what a slot's 64 committees, their aggregates and the sync
/// committee sign. A set is locked while 288 bytes are copied; each root has one set.
static CACHE: [Mutex<CachedPoints>; POINT_SETS] =
    [const { Mutex::new(CachedPoints::EMPTY) }; POINT_SETS];

const POINT_SETS: usize = 64;
const SET_POINTS: usize = 4;

struct CachedPoints {
    messages: [Option<(Root, MessagePoint)>; SET_POINTS],
    /// The one that is replaced next.
    oldest: usize,
}

/// The set of this root; roots are hashes, so any of their bytes spreads them.
fn cached_points(root: &Root) -> MutexGuard<'static, CachedPoints> {
    lock(&CACHE[usize::from(root.0[0]) % POINT_SETS])
}

impl CachedPoints {
    const EMPTY: Self = Self {
        messages: [None; SET_POINTS],
        oldest: 0,
    };

    fn find(&self, root: &Root) -> Option<MessagePoint> {
        self.messages
            .iter()
            .flatten()
            .find(|(known, _)| known == root)
            .map(|&(_, message)| message)
    }

    fn store(&mut self, root: Root, message: MessagePoint) {
        // Two signers may have computed the same point at the same time.
        if self.find(&root).is_none() {
            self.messages[self.oldest] = Some((root, message));
            self.oldest = (self.oldest + 1) % SET_POINTS;
        }
    }
}
