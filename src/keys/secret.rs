//! [`SecretKey`]: a scalar in locked memory that signs where it lies; the only user of blst beside
//! EIP-2333's derivation.
//!
//! No copy of the scalar is made here, and blst scrubs those that it makes (`POINTonE2_mult_gls`).
//! Half of a signature's cost is the way from the message to the curve, and the validators of a
//! slot sign the same message: the last points are kept.
//! Source: draft-irtf-cfrg-bls-signature-05 (minimal-pubkey-size); consensus-specs,
//! `phase0/beacon-chain.md`, "BLS signatures".

#![allow(unsafe_code, reason = "blst's C functions, called with pointers into locked memory")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use blst::{blst_p1_affine, blst_p2, blst_scalar};

use super::locked::{ArenaError, SLOT_BYTES, Slot};
use crate::consensus::primitives::{PublicKey, Root, Signature};
use crate::slashing::Cleared;

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
    /// Little-endian, as blst wants it; never zero, below the order of the curve's groups.
    scalar: Slot,
    public_key: PublicKey,
}

/// Why there is no key; whoever knows where the scalar came from has the words for it.
#[derive(Debug)]
pub enum FillError<E> {
    /// Whoever should have written the scalar did not.
    Source(E),
    /// The scalar is zero: its signatures would be everybody's.
    Zero,
    /// The scalar is not below the order of the curve's groups.
    Order,
    /// There is no memory that may hold it.
    Arena(ArenaError),
}

impl SecretKey {
    /// The key whose scalar `write` puts into the 32 bytes that it is given, big-endian. Those lie in
    /// locked memory already, so a scalar that is decrypted into them was never anywhere else.
    ///
    /// # Errors
    /// [`FillError`]; the bytes are wiped then.
    pub fn fill<E>(write: impl FnOnce(&mut [u8; SLOT_BYTES]) -> Result<(), E>) -> Result<Self, FillError<E>> {
        let mut scalar = Slot::take().map_err(FillError::Arena)?;
        write(scalar.bytes_mut()).map_err(FillError::Source)?;
        scalar.bytes_mut().reverse();
        // SAFETY: reads 32 bytes, which are there.
        if !unsafe { blst::blst_sk_check(in_place(&scalar)) } {
            let zero = scalar.bytes().iter().all(|&byte| byte == 0);
            return Err(if zero { FillError::Zero } else { FillError::Order });
        }
        let public_key = public_key(&scalar);
        Ok(Self { scalar, public_key })
    }

    /// The compressed point of G1 that belongs to this key.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Signs once, for the holder of a proof made by `slashing`.
    pub fn sign(&self, cleared: Cleared) -> Signature {
        let message = message_point(cleared.root());
        let mut point = blst_p2::default();
        let mut signature = Signature([0; 96]);
        // SAFETY: the scalar is 32 live bytes, the points are live, the signature has the 96 bytes
        // that a compressed point of G2 takes.
        unsafe {
            blst::blst_sign_pk_in_g1(&mut point, &message, in_place(&self.scalar));
            blst::blst_p2_compress(signature.0.as_mut_ptr(), &point);
        }
        signature
    }
}

/// `blst_scalar` is an array of 32 bytes without alignment: what the slot holds is one.
fn in_place(scalar: &Slot) -> *const blst_scalar {
    scalar.bytes().as_ptr().cast()
}

fn public_key(scalar: &Slot) -> PublicKey {
    let mut point = blst_p1_affine::default();
    let mut public_key = PublicKey([0; 48]);
    // SAFETY: the scalar is 32 live bytes, the point is live, a null pointer says that the serialized
    // form is not wanted, and 48 bytes is what a compressed point of G1 takes.
    unsafe {
        blst::blst_sk_to_pk2_in_g1(std::ptr::null_mut(), &mut point, in_place(scalar));
        blst::blst_p1_affine_compress(public_key.0.as_mut_ptr(), &point);
    }
    public_key
}

/// The signing root as a point of G2, from the cache or made now.
fn message_point(root: &Root) -> blst_p2 {
    if let Some(point) = line(root).find(root) {
        HITS.fetch_add(1, Ordering::Relaxed);
        return point;
    }
    MISSES.fetch_add(1, Ordering::Relaxed);
    let point = hash_to_curve(root);
    line(root).store(*root, point);
    point
}

fn hash_to_curve(root: &Root) -> blst_p2 {
    let mut point = blst_p2::default();
    // SAFETY: each pointer comes with the length of what it points to; there is no augmentation.
    unsafe {
        blst::blst_hash_to_g2(
            &mut point,
            root.0.as_ptr(),
            root.0.len(),
            DST.as_ptr(),
            DST.len(),
            std::ptr::null(),
            0,
        );
    }
    point
}

/// How often a signing root's point was found, and how often it had to be made.
pub fn cache_counters() -> (u64, u64) {
    (HITS.load(Ordering::Relaxed), MISSES.load(Ordering::Relaxed))
}

static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

/// 64 lines of 4 points: 256 points hold what a slot's 64 committees, their aggregates and the sync
/// committee sign. A line is locked while 288 bytes are copied, and a root belongs to one line.
static CACHE: [Mutex<Line>; CACHE_LINES] = [const { Mutex::new(Line::EMPTY) }; CACHE_LINES];

const CACHE_LINES: usize = 64;
const LINE_POINTS: usize = 4;

struct Line {
    points: [Option<(Root, blst_p2)>; LINE_POINTS],
    /// The one that goes next.
    oldest: usize,
}

/// The line of this root; roots are hashes, so any byte of theirs spreads them.
fn line(root: &Root) -> MutexGuard<'static, Line> {
    CACHE[usize::from(root.0[0]) % CACHE_LINES].lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    const EMPTY: Self = Self { points: [None; LINE_POINTS], oldest: 0 };

    fn find(&self, root: &Root) -> Option<blst_p2> {
        self.points.iter().flatten().find(|(known, _)| known == root).map(|&(_, point)| point)
    }

    fn store(&mut self, root: Root, point: blst_p2) {
        // Two signers that missed at the same time bring the same point.
        if self.find(&root).is_none() {
            self.points[self.oldest] = Some((root, point));
            self.oldest = (self.oldest + 1) % LINE_POINTS;
        }
    }
}
