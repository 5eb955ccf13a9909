//! [`SecretKey`]: a scalar in locked memory that signs where it lies.
//!
//! Signing reads the scalar in place and wipes what it makes of it (`g2`). The validators of a slot sign the
//! same message: what they have in common is done once (`message_cache`).
//!
//! A signature leaves only when it is a point of the curve. If one is not, or if the self-test at start
//! fails, memory or processor are at fault, or this program is: from then on blst's own `sign` is used, and
//! log, health and metrics show it. If that result is not a point of the curve either, the process ends.
//! Source: draft-irtf-cfrg-bls-signature-05 (minimal-pubkey-size); consensus-specs,
//! `phase0/beacon-chain.md`, "BLS signatures".

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use zeroize::Zeroizing;

use super::arena::{ArenaError, ArenaSlot, SLOT_BYTES};
use super::duplicate_use::UseRecord;
use super::g2::{BATCH_KEYS_MAX, Fault, SignatureBytes, self_test};
use super::message_cache::{self, Message};
use crate::consensus::extension::ExtensionPayload;
use crate::consensus::primitives::{PublicKey, Root, Signature};
use crate::slashing::Cleared;

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
    uses: UseRecord,
}

/// Why a key cannot be made.
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
        Ok(Self {
            scalar,
            public_key,
            uses: UseRecord::default(),
        })
    }

    /// The compressed point of G1 that belongs to this key.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Returns who used the key last.
    pub(crate) fn uses(&self) -> &UseRecord {
        &self.uses
    }

    /// Copies the scalar, big-endian: for the key cache.
    pub(super) fn expose(&self) -> Zeroizing<[u8; SLOT_BYTES]> {
        let mut scalar = Zeroizing::new(*self.scalar.bytes());
        scalar.reverse();
        scalar
    }

    /// Signs a text of the signing extension, which cannot be a signing root.
    pub(crate) fn sign_extension(&self, payload: &ExtensionPayload) -> Signature {
        let signed = message_cache::hash(payload.bytes()).sign_by_blst(self.scalar.bytes());
        Signature(signed.expect("a signature by blst is a point of the curve"))
    }

    /// Signs once, for the holder of a proof made by `slashing`.
    pub fn sign(&self, cleared: Cleared) -> Signature {
        let mut signatures = Vec::with_capacity(1);
        sign_root(&[self], cleared.root(), 0, &mut signatures);
        signatures[0]
    }

    /// The signature, or after a fault the one that blst makes.
    fn checked(&self, signed: Result<SignatureBytes, Fault>, root: &Root) -> Signature {
        signed.map_or_else(
            |Fault| {
                if !FAULT_SEEN.swap(true, Ordering::Relaxed) {
                    log::error!(
                        "a signature was not a point of the curve and was dropped: the memory or the \
                         processor of this machine is faulty; signatures are made by blst alone from \
                         now on: test the machine, then restart signerd"
                    );
                }
                self.sign_by_blst(root)
            },
            Signature,
        )
    }

    /// Signs without anything that is kept in memory but the key.
    ///
    /// # Panics
    /// When the result is not on the curve: such a machine must not sign.
    fn sign_by_blst(&self, root: &Root) -> Signature {
        let signed = message_cache::hash(&root.0).sign_by_blst(self.scalar.bytes());
        Signature(signed.expect("a signature by blst is a point of the curve"))
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

/// Tasks of one root that are cheapest together.
pub(crate) const TASKS_TOGETHER_MAX: usize = BATCH_KEYS_MAX;

/// A signature to be made, by this key for the holder of this proof.
pub struct SigningTask {
    /// The key.
    pub key: Arc<SecretKey>,
    /// The proof, made by `slashing`.
    pub cleared: Cleared,
}

/// Signs once for each task, in their order, cheapest where tasks of one root follow each other. `waiting`
/// is how many more signatures of the first root wait. All keys have been let go when it returns.
pub fn sign_all(tasks: Vec<SigningTask>, waiting: usize) -> Vec<Signature> {
    let mut signatures = Vec::with_capacity(tasks.len());
    let mut waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    for same_root in tasks.chunk_by(|left, right| left.cleared.root() == right.cleared.root()) {
        let root = same_root[0].cleared.root();
        for batch in same_root.chunks(BATCH_KEYS_MAX) {
            let mut keys = Vec::with_capacity(BATCH_KEYS_MAX);
            keys.extend(batch.iter().map(|task| &*task.key));
            sign_root(&keys, root, waiting, &mut signatures);
        }
        waiting = 0;
    }
    signatures
}

/// How often the point of a signing root was in the cache, and how often it was not.
pub fn cache_counters() -> (u64, u64) {
    message_cache::counters()
}

/// Whether this process has signed anything yet.
pub(super) fn has_signed() -> bool {
    let (hits, misses) = cache_counters();
    hits + misses > 0
}

/// Whether signatures are made the fast way. The first call runs the self-test.
pub(crate) fn is_accelerated() -> bool {
    *SELF_TEST_PASSED && !FAULT_SEEN.load(Ordering::Relaxed)
}

static SELF_TEST_PASSED: LazyLock<bool> = LazyLock::new(|| {
    let passed = self_test();
    if !passed {
        log::error!(
            "the self-test of the signature code has failed: the memory or the processor of this machine \
             is faulty, or this build is; signatures are made by blst alone, more slowly"
        );
    }
    passed
});

/// Whether a signature was not on the curve.
static FAULT_SEEN: AtomicBool = AtomicBool::new(false);

/// Signs one root with up to [`BATCH_KEYS_MAX`] keys.
fn sign_root(keys: &[&SecretKey], root: &Root, waiting: u32, signatures: &mut Vec<Signature>) {
    if !is_accelerated() {
        signatures.extend(keys.iter().map(|key| key.sign_by_blst(root)));
        return;
    }
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    match message_cache::message(root, count, waiting) {
        Message::Point(point) => {
            for key in keys {
                signatures.push(key.checked(point.sign(key.scalar.bytes()), root));
            }
        }
        Message::Table(table) => {
            let mut scalars = [&[0; SLOT_BYTES]; BATCH_KEYS_MAX];
            for (scalar, key) in scalars.iter_mut().zip(keys) {
                *scalar = key.scalar.bytes();
            }
            let signed = table.sign(&scalars[..keys.len()]);
            for (key, signed) in keys.iter().zip(signed) {
                signatures.push(key.checked(signed, root));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_gives_the_same_signature_by_blst_and_ends_the_fast_way() {
        let key =
            SecretKey::fill(|slot| slot[31] = 7).unwrap_or_else(|_| unreachable!("7 is a key"));
        let root = Root([3; 32]);
        let mut signatures = Vec::new();
        sign_root(&[&key], &root, 0, &mut signatures);
        assert!(is_accelerated());
        assert_eq!(key.checked(Err(Fault), &root), signatures[0]);
        assert!(!is_accelerated());
        sign_root(&[&key, &key], &root, 0, &mut signatures);
        assert_eq!(signatures, [signatures[0]; 3]);
        FAULT_SEEN.store(false, Ordering::Relaxed);
    }
}
