//! A scalar in base |z|, and windows of its digits.
//!
//! z = −0xd201000000010000 is the parameter of BLS12-381; u = |z|. The order of the groups is
//! r = u⁴ − u² + 1 < u⁴, so a scalar below r has four digits, k = k₀ + k₁u + k₂u² + k₃u³, 0 ≤ kᵢ < u.
//! In G2 a multiplication by u costs next to nothing (`endomorphism.rs`), so that \[k\]H is a sum of four
//! products with numbers of 64 bits.
//!
//! Division by u: u has its highest bit set, so that a division of two limbs by one is a multiplication
//! with a precomputed reciprocal and two corrections (Möller and Granlund, "Improved division by
//! invariant integers", IEEE Transactions on Computers 60(2), 2011, algorithm 4).
//!
//! Two ways to cut a digit into windows of five bits, lowest first:
//! - exact (Booth): 13 digits from −16 to 16, which may be zero;
//! - odd: for an odd number only, 13 odd digits from −31 to 31. Each window takes the lowest bit of the
//!   next one: v = ((k ≫ 5j) & 63) | 1 stands for v − 32, and what is left is odd again. The highest
//!   window is (k ≫ 60) | 1, at most 13 for k < u.
//!
//! Invariants: constant time (corrections and signs by mask), and everything is wiped on drop.

use std::hint::black_box;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// |z|.
const U: u64 = 0xd201_0000_0001_0000;

/// ⌊(2¹²⁸ − 1) / u⌋ − 2⁶⁴.
const RECIPROCAL: u64 = 0x3812_04ca_56cd_56b5;

/// Digits of a scalar.
pub(super) const DIGITS: usize = 4;

/// Bits of a window.
pub(super) const WINDOW_BITS: usize = 5;

/// Windows of a digit of 64 bits.
pub(super) const WINDOWS: usize = 13;

/// The digits of a scalar in base |z|, lowest first.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Digits([u64; DIGITS]);

/// A window: what its sign is, and which entry of its row it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// 1 where the entry is to be negated, else 0.
    pub(super) negative: u64,
    pub(super) index: u64,
}

impl Digits {
    /// Cuts a scalar in little endian below the order of the groups.
    pub(super) fn new(scalar: &[u8; 32]) -> Self {
        let mut digits = Self::default();
        // The quotient, highest limb first.
        let mut quotient = Zeroizing::new([0; 4]);
        let (limbs, _) = scalar.as_chunks::<8>();
        for (limb, bytes) in quotient.iter_mut().rev().zip(limbs) {
            *limb = u64::from_le_bytes(*bytes);
        }
        let [lower @ .., highest] = &mut digits.0;
        for (position, digit) in lower.iter_mut().enumerate() {
            // k < r < u⁴: each division makes the quotient one limb shorter.
            *digit = divide(&mut quotient[position..]);
        }
        *highest = quotient[3];
        digits
    }

    /// Makes all digits odd, and returns where one was added: bit i is set where digit i was even.
    pub(super) fn make_odd(&mut self) -> u64 {
        let mut even = 0;
        for (position, digit) in self.0.iter_mut().enumerate() {
            even |= ((*digit & 1) ^ 1) << position;
            *digit |= 1;
        }
        even
    }

    /// A window of digit number `position`, as an exact (Booth) digit: the index is its magnitude, 0 to 16.
    pub(super) fn exact_window(&self, position: usize, window: usize) -> Window {
        // Six bits: the window, and below it the highest bit of the window before.
        let bits = ((u128::from(self.0[position]) << 1) >> (WINDOW_BITS * window)) & 63;
        let bits = truncate(bits);
        let negative = bits >> 5;
        // 63 − bits where negative.
        let magnitude = bits ^ (negative.wrapping_neg() & 63);
        Window {
            negative,
            index: (magnitude + 1) >> 1,
        }
    }

    /// A window of digit number `position`, which must be odd, as an odd digit: index n stands for 2n + 1.
    pub(super) fn odd_window(&self, position: usize, window: usize) -> Window {
        let bits = self.0[position] >> (WINDOW_BITS * window);
        if window == WINDOWS - 1 {
            return Window {
                negative: 0,
                index: bits >> 1,
            };
        }
        let bits = bits & 63;
        let negative = (bits >> 5) ^ 1;
        Window {
            negative,
            index: ((bits ^ (negative.wrapping_neg() & 31)) & 31) >> 1,
        }
    }
}

/// Divides a number, highest limb first, by u in place, and returns the remainder.
fn divide(limbs: &mut [u64]) -> u64 {
    let mut remainder = 0;
    for limb in limbs {
        (*limb, remainder) = divide_two(remainder, *limb);
    }
    remainder
}

/// Quotient and remainder of two limbs by u; the high one must be below u.
fn divide_two(high: u64, low: u64) -> (u64, u64) {
    let estimate =
        u128::from(RECIPROCAL) * u128::from(high) + ((u128::from(high) << 64) | u128::from(low));
    let fraction = truncate(estimate & u128::from(u64::MAX));
    let mut quotient = truncate(estimate >> 64).wrapping_add(1);
    let mut remainder = low.wrapping_sub(quotient.wrapping_mul(U));
    let too_large = mask_if_less(fraction, remainder);
    quotient = quotient.wrapping_add(too_large);
    remainder = remainder.wrapping_add(too_large & U);
    let too_small = !mask_if_less(remainder, U);
    quotient = quotient.wrapping_sub(too_small);
    remainder = remainder.wrapping_sub(too_small & U);
    (quotient, remainder)
}

/// All ones when the first is less than the second, else zero.
fn mask_if_less(first: u64, second: u64) -> u64 {
    // The borrow of the difference (Warren, "Hacker's Delight", section 2-12).
    let difference = first.wrapping_sub(second);
    let borrow = ((!first & second) | ((!first | second) & difference)) >> 63;
    black_box(borrow).wrapping_neg()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "callers pass what fits in 64 bits"
)]
fn truncate(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
impl Digits {
    pub(super) fn values(&self) -> [u64; 4] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers at the edges of the windows, of the corrections of the division, and others.
    fn numbers() -> impl Iterator<Item = u64> {
        let edges = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        let others = (0..10_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        edges.chain(others).chain([u64::MAX, U, U - 1, U + 1])
    }

    #[test]
    fn a_comparison_is_right_at_every_bit() {
        for first in numbers() {
            for second in [
                0,
                1,
                U,
                u64::MAX,
                first,
                !first,
                first / 2,
                first.wrapping_add(1),
            ] {
                let expected = if first < second { u64::MAX } else { 0 };
                assert_eq!(
                    mask_if_less(first, second),
                    expected,
                    "{first:x} {second:x}"
                );
            }
        }
    }

    #[test]
    fn two_limbs_divided_by_u_give_quotient_and_remainder() {
        for high in numbers().map(|number| number % U) {
            for low in [0, 1, U - 1, U, U + 1, u64::MAX, high, !high] {
                let dividend = (u128::from(high) << 64) | u128::from(low);
                let expected = (dividend / u128::from(U), dividend % u128::from(U));
                let (quotient, remainder) = divide_two(high, low);
                assert_eq!(
                    (quotient.into(), remainder.into()),
                    expected,
                    "{dividend:x}"
                );
            }
        }
    }

    #[test]
    fn windows_add_up_to_their_digit() {
        for number in numbers().map(|number| number % U) {
            let mut digits = Digits([number; 4]);
            assert_eq!(exact_sum(&digits), i128::from(number));
            let even = digits.make_odd();
            assert_eq!(even, if number % 2 == 0 { 15 } else { 0 });
            assert_eq!(odd_sum(&digits), i128::from(number | 1));
        }
    }

    fn exact_sum(digits: &Digits) -> i128 {
        let mut sum = 0;
        for window in (0..WINDOWS).rev() {
            let Window { negative, index } = digits.exact_window(1, window);
            assert!(index <= 16 && negative <= 1);
            sum = 32 * sum + (1 - 2 * i128::from(negative)) * i128::from(index);
        }
        sum
    }

    fn odd_sum(digits: &Digits) -> i128 {
        let mut sum = 0;
        for window in (0..WINDOWS).rev() {
            let Window { negative, index } = digits.odd_window(2, window);
            assert!(index < 16 && negative <= 1);
            sum = 32 * sum + (1 - 2 * i128::from(negative)) * i128::from(2 * index + 1);
        }
        sum
    }
}
