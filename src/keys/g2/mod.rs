//! The scalar multiplication of a signature, \[k\]H in G2, faster than blst's own where a message is
//! signed by many keys.
//!
//! `k` is a secret key and H the message as a point of G2. blst does the arithmetic of the field and of
//! single points (`curve.rs`); this folder chooses what is added:
//! - `digits.rs`: the scalar in base |z|, and windows of its digits;
//! - `endomorphism.rs`: \[|z|\]Q for almost nothing;
//! - `select.rs`: reading a row at a secret index;
//! - `one_use.rs`: one signature, with rows on the stack;
//! - `fixed_base.rs`: up to eight signatures, with a table that stays;
//! - `self_test.rs`: known answers, at every start.
//!
//! Invariants: no branch and no address depends on a scalar, which `scripts/check --constant-time` shows
//! on the compiled code. Scalars are read where they lie; what is made of them lies on the stack, which
//! is overwritten at the end. A product is returned only if it is a point of the curve: a fault of the
//! memory, above all in a table that lives for minutes, must not make a signature that leaks bits of the
//! key (Biehl, Meyer and Müller, "Differential fault attacks on elliptic curve cryptosystems", 2000).

mod curve;
mod digits;
mod endomorphism;
mod fixed_base;
mod one_use;
mod select;
mod self_test;

#[cfg(all(test, target_arch = "x86_64"))]
mod constant_time;
#[cfg(test)]
mod differential;

use curve::{AffinePoint, JacobianPoint, to_affine};
pub(super) use fixed_base::BATCH_KEYS_MAX;
use fixed_base::FixedBaseTable;
pub(super) use self_test::self_test;

use super::scrub::scrubbed_frames;

/// A compressed signature.
pub(super) type SignatureBytes = [u8; 96];

/// The product was not on the curve: memory or processor are at fault, and the product is dropped.
#[derive(Debug)]
pub(super) struct Fault;

/// A message as a point of G2.
#[derive(Clone, Copy)]
pub(super) struct MessagePoint(JacobianPoint);

/// What makes signatures of one message cheap. 43 KB.
pub(super) struct MessageTable(FixedBaseTable);

impl MessagePoint {
    /// Hashes to the curve, in the ciphersuite of this domain separation tag (RFC 9380).
    pub(super) fn new(message: &[u8], tag: &[u8]) -> Self {
        Self(JacobianPoint::hash(message, tag))
    }

    /// Signs with a scalar in little endian, not zero, below the order of the groups.
    pub(super) fn sign(&self, scalar: &[u8; 32]) -> Result<SignatureBytes, Fault> {
        released(&scrubbed(|| one_use::multiply(&self.0, scalar)))
    }

    /// Signs with blst's own `sign` instead.
    pub(super) fn sign_by_blst(&self, scalar: &[u8; 32]) -> Result<SignatureBytes, Fault> {
        let mut affine = [AffinePoint::INFINITY];
        scrubbed(|| to_affine(&[self.0.multiply_by_blst(scalar)], &mut affine));
        released(&affine[0])
    }
}

impl MessageTable {
    /// Takes as long as two or three signatures with it save. `None` for the point at infinity: no known
    /// message has it.
    pub(super) fn new(message: &MessagePoint) -> Option<Self> {
        FixedBaseTable::new(&message.0).map(Self)
    }

    /// Signs with up to [`BATCH_KEYS_MAX`] scalars, as [`MessagePoint::sign`] would.
    ///
    /// # Panics
    /// When there are more.
    pub(super) fn sign(
        &self,
        scalars: &[&[u8; 32]],
    ) -> [Result<SignatureBytes, Fault>; BATCH_KEYS_MAX] {
        let mut products = [AffinePoint::INFINITY; BATCH_KEYS_MAX];
        scrubbed(|| self.0.multiply(scalars, &mut products[..scalars.len()]));
        products.map(|product| released(&product))
    }
}

/// The signature, if it is one.
fn released(product: &AffinePoint) -> Result<SignatureBytes, Fault> {
    if *product == AffinePoint::INFINITY || !product.is_on_curve() {
        return Err(Fault);
    }
    Ok(product.compress())
}

/// Does `work` and overwrites its stack frames, which hold values that depend on the scalar.
fn scrubbed<T>(work: impl FnOnce() -> T) -> T {
    scrubbed_frames::<FRAMES_BYTES, T>(work)
}

/// More than twice what a batch of eight takes, measured.
const FRAMES_BYTES: usize = 64 << 10;
