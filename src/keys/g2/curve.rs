//! Safe wrappers of blst's functions on GF(p²) and on G2. All unsafe code of this folder is in this file.
//!
//! blst's header (`blst.h`) promises what the wrappers rely on: every function reads and writes whole
//! structures behind non-null pointers, keeps no pointer, and allows the result to be an operand. The
//! types here have the layout of blst's (checked below), so that their limbs can be selected by mask and
//! wiped.
//!
//! Constant time: additions, subtractions, multiplications and the functions named `..._or_double...`
//! select by mask (`ec_ops.h`). An inversion checks its own result (`recip.c`, `reciprocal_fp`): that
//! branch depends on whether it succeeded, which it does for everything but zero.

#![allow(
    unsafe_code,
    reason = "C functions on fixed-size structures: each block says why it is sound"
)]

use std::ptr;

use blst::{blst_fp, blst_fp2, blst_p2, blst_p2_affine, blst_scalar};
use zeroize::Zeroize;

/// An element of GF(p²) = GF(p)\[i\], p the prime of BLS12-381: real part, then imaginary part, each six
/// limbs in Montgomery form, fully reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroize)]
#[repr(C)]
pub(super) struct Fp2 {
    pub(super) real: [u64; 6],
    pub(super) imaginary: [u64; 6],
}

/// A point of the curve in affine coordinates. Infinity is (0, 0), which is not on the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroize)]
#[repr(C)]
pub(super) struct AffinePoint {
    pub(super) x: Fp2,
    pub(super) y: Fp2,
}

/// A point of the curve in Jacobian coordinates: the affine point (x/z², y/z³). Infinity has z = 0.
#[derive(Clone, Copy, Debug, Default, Zeroize)]
#[repr(C)]
pub(super) struct JacobianPoint {
    pub(super) x: Fp2,
    pub(super) y: Fp2,
    pub(super) z: Fp2,
}

const _: () = {
    assert!(size_of::<[u64; 6]>() == size_of::<blst_fp>());
    assert!(align_of::<[u64; 6]>() == align_of::<blst_fp>());
    assert!(size_of::<Fp2>() == size_of::<blst_fp2>());
    assert!(align_of::<Fp2>() == align_of::<blst_fp2>());
    assert!(size_of::<AffinePoint>() == size_of::<blst_p2_affine>());
    assert!(size_of::<JacobianPoint>() == size_of::<blst_p2>());
    assert!(align_of::<blst_scalar>() == 1 && size_of::<blst_scalar>() == 32);
};

impl Fp2 {
    fn raw(&self) -> *const blst_fp2 {
        ptr::from_ref(self).cast()
    }

    fn raw_mut(&mut self) -> *mut blst_fp2 {
        ptr::from_mut(self).cast()
    }

    pub(super) fn subtract(&self, other: &Self) -> Self {
        let mut difference = Self::default();
        // SAFETY: three live elements of the layout of `blst_fp2`.
        unsafe { blst::blst_fp2_sub(difference.raw_mut(), self.raw(), other.raw()) };
        difference
    }

    pub(super) fn multiply(&self, other: &Self) -> Self {
        let mut product = Self::default();
        // SAFETY: three live elements of the layout of `blst_fp2`.
        unsafe { blst::blst_fp2_mul(product.raw_mut(), self.raw(), other.raw()) };
        product
    }

    pub(super) fn square(&self) -> Self {
        let mut square = Self::default();
        // SAFETY: two live elements of the layout of `blst_fp2`.
        unsafe { blst::blst_fp2_sqr(square.raw_mut(), self.raw()) };
        square
    }

    /// The product of the conjugate with an imaginary number: (a − bi)·ci = bc + aci.
    pub(super) fn multiply_conjugate_by_imaginary(&self, factor: &[u64; 6]) -> Self {
        let mut product = Self::default();
        let factor = factor.as_ptr().cast::<blst_fp>();
        // SAFETY: each pointer is to six live limbs, which is the layout of `blst_fp` (checked above).
        unsafe {
            blst::blst_fp_mul(
                product.real.as_mut_ptr().cast(),
                self.imaginary.as_ptr().cast(),
                factor,
            );
            blst::blst_fp_mul(
                product.imaginary.as_mut_ptr().cast(),
                self.real.as_ptr().cast(),
                factor,
            );
        }
        product
    }

    /// The product with a real number.
    pub(super) fn multiply_by_real(&self, factor: &[u64; 6]) -> Self {
        let mut product = Self::default();
        let factor = factor.as_ptr().cast::<blst_fp>();
        // SAFETY: each pointer is to six live limbs, which is the layout of `blst_fp` (checked above).
        unsafe {
            blst::blst_fp_mul(
                product.real.as_mut_ptr().cast(),
                self.real.as_ptr().cast(),
                factor,
            );
            blst::blst_fp_mul(
                product.imaginary.as_mut_ptr().cast(),
                self.imaginary.as_ptr().cast(),
                factor,
            );
        }
        product
    }

    /// Negates by mask where `condition` holds.
    pub(super) fn negate_if(&mut self, condition: bool) {
        let element = self.raw_mut();
        // SAFETY: a live element of the layout of `blst_fp2`; the result may be the operand.
        unsafe { blst::blst_fp2_cneg(element, element, condition) };
    }

    /// The image under the Frobenius map: i becomes −i.
    pub(super) fn conjugate(&self) -> Self {
        let mut imaginary = Self {
            real: [0; 6],
            imaginary: self.imaginary,
        };
        imaginary.negate_if(true);
        Self {
            real: self.real,
            imaginary: imaginary.imaginary,
        }
    }

    /// The multiplicative inverse; zero for zero.
    pub(super) fn invert(&self) -> Self {
        let mut inverse = Self::default();
        // SAFETY: two live elements of the layout of `blst_fp2`.
        unsafe { blst::blst_fp2_inverse(inverse.raw_mut(), self.raw()) };
        inverse
    }
}

impl AffinePoint {
    pub(super) const INFINITY: Self = Self {
        x: Fp2 {
            real: [0; 6],
            imaginary: [0; 6],
        },
        y: Fp2 {
            real: [0; 6],
            imaginary: [0; 6],
        },
    };

    fn raw(&self) -> *const blst_p2_affine {
        ptr::from_ref(self).cast()
    }

    /// Whether the coordinates satisfy y² = x³ + 4 + 4i; true for infinity.
    pub(super) fn is_on_curve(&self) -> bool {
        // SAFETY: a live point of the layout of `blst_p2_affine`.
        unsafe { blst::blst_p2_affine_on_curve(self.raw()) }
    }

    /// The 96 bytes of the wire (draft-irtf-cfrg-pairing-friendly-curves-11, appendix C).
    pub(super) fn compress(&self) -> [u8; 96] {
        let mut bytes = [0; 96];
        // SAFETY: a live point, and room for the 96 bytes of a compressed point of G2.
        unsafe { blst::blst_p2_affine_compress(bytes.as_mut_ptr(), self.raw()) };
        bytes
    }
}

impl JacobianPoint {
    fn raw(&self) -> *const blst_p2 {
        ptr::from_ref(self).cast()
    }

    fn raw_mut(&mut self) -> *mut blst_p2 {
        ptr::from_mut(self).cast()
    }

    /// Hashes to the curve, in the ciphersuite of this domain separation tag (RFC 9380).
    pub(super) fn hash(message: &[u8], tag: &[u8]) -> Self {
        let mut point = Self::default();
        // SAFETY: each pointer comes with the length of what it points to; there is no augmentation.
        unsafe {
            blst::blst_hash_to_g2(
                point.raw_mut(),
                message.as_ptr(),
                message.len(),
                tag.as_ptr(),
                tag.len(),
                ptr::null(),
                0,
            );
        }
        point
    }

    pub(super) fn is_infinity(&self) -> bool {
        // SAFETY: a live point of the layout of `blst_p2`.
        unsafe { blst::blst_p2_is_inf(self.raw()) }
    }

    /// blst's own signature: the product with a scalar in little endian below the order of G2.
    pub(super) fn multiply_by_blst(&self, scalar: &[u8; 32]) -> Self {
        let mut product = Self::default();
        // SAFETY: live points, and a scalar that is 32 live bytes without alignment.
        unsafe {
            blst::blst_sign_pk_in_g1(product.raw_mut(), self.raw(), scalar.as_ptr().cast());
        }
        product
    }

    pub(super) fn double(&mut self) {
        let point = self.raw_mut();
        // SAFETY: a live point of the layout of `blst_p2`; the result may be the operand.
        unsafe { blst::blst_p2_double(point, point) };
    }

    /// Adds two points that are not equal, or both infinity. Opposite points are allowed.
    pub(super) fn add_distinct(&mut self, other: &Self) {
        let point = self.raw_mut();
        // SAFETY: live points of the layout of `blst_p2`; the result may be an operand.
        unsafe { blst::blst_p2_add(point, point, other.raw()) };
    }

    /// Adds any two points.
    pub(super) fn add_or_double_affine(&mut self, other: &AffinePoint) {
        let point = self.raw_mut();
        // SAFETY: live points of blst's layouts; the result may be an operand.
        unsafe { blst::blst_p2_add_or_double_affine(point, point, other.raw()) };
    }

    /// Adds two points that are not equal, or both infinity. Opposite points are allowed.
    pub(super) fn add_distinct_affine(&mut self, other: &AffinePoint) {
        let point = self.raw_mut();
        // SAFETY: live points of blst's layouts; the result may be an operand.
        unsafe { blst::blst_p2_add_affine(point, point, other.raw()) };
    }
}

/// Divides by the z of each point, with one inversion for all of them.
///
/// # Panics
/// When the numbers of points differ.
pub(super) fn to_affine(points: &[JacobianPoint], affine: &mut [AffinePoint]) {
    assert_eq!(points.len(), affine.len(), "one place for each point");
    let Some(first) = points.first() else { return };
    // One pointer and a null: the points are contiguous.
    let list = [first.raw(), ptr::null()];
    // SAFETY: both slices are live and have that many points of blst's layouts, and the list ends as
    // blst expects for points in one array.
    unsafe {
        blst::blst_p2s_to_affine(
            affine.as_mut_ptr().cast::<blst_p2_affine>(),
            list.as_ptr(),
            points.len(),
        );
    }
}
