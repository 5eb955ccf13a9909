//! Signatures of many keys for one message: a table of multiples of H, and up to eight keys at a time.
//!
//! **Table.** Row j of 13 holds {1, 3, …, 31}·\[32ʲ\]H, affine. 16 corrections hold −Σ bᵢ\[uⁱ\]H for the
//! four bits b of their index. 43,008 bytes, made from public values only.
//!
//! **Signing.** kᵢ, the digits of a key in base u (`digits.rs`), are made odd, and b remembers which
//! were even. With odd windows no window is zero, so Aᵢ = \[kᵢ\]H is a sum of exactly 13 entries. It is
//! kept affine: all sums of a batch, four a key, take their next entry with one shared inversion
//! (Montgomery's trick; Montgomery, "Speeding the Pollard and elliptic curve methods of factorization",
//! 1987). Then Horner's rule, R = A₃, R = \[u\]R + Aᵢ (`endomorphism.rs`), and the correction for b.
//! Fixed-base windows: Brickell, Gordon, McCurley and Wilson (1992). Odd signed windows: Joye and
//! Tunstall, "Exponent recoding and regular exponentiation algorithms" (2009).
//!
//! **Exceptional cases.** H has order r, so what matters are the factors modulo r.
//! - Sums: before window j a sum's factor is odd and less than 32ʲ, and the entry's magnitude is at least
//!   32ʲ. So they are neither equal nor opposite, no shared difference of x is zero, and no sum is infinity.
//! - The first two steps of Horner's rule add factors that are neither equal nor opposite, since
//!   u·kₙ > kᵢ > 0 and both stay below r/2.
//! - The last step adds u·M and k₀, M < u³, k₀ < u. u·M + k₀ = r has no solution in odd digits. But
//!   u·M ≡ k₀ has one: M = u³ − u + 1 and k₀ = u − 1, that is the odd digits (u − 1, 1, u − 1, u − 1).
//!   Twelve valid scalars have these. The addition is therefore a complete one.
//! - The correction may meet its equal too, or be infinity: a complete addition. Its result is \[k\]H,
//!   0 < k < r, which is not infinity.
//! - Making the table adds multiples below 2⁶⁵ that differ, and sums of distinct powers of u below r/2.
//! - H at infinity has no table.

use super::curve::{AffinePoint, Fp2, JacobianPoint, to_affine};
use super::digits::{DIGITS, Digits, WINDOW_BITS, WINDOWS};
use super::endomorphism::{times_u, times_u_affine};
use super::select::{select, select_signed};

/// Keys that share inversions. A larger batch gains little (1, 2, 4, 8 keys: 0.20, 0.16, 0.14, 0.13 of blst's
/// signature) and take longer until the first of them is done.
pub(crate) const BATCH_KEYS_MAX: usize = 8;

/// Sums of a batch: one for each digit of each key.
const SUMS_MAX: usize = BATCH_KEYS_MAX * DIGITS;

/// Doublings that the last entry of the last row needs, and the point itself.
const DOUBLINGS: usize = WINDOW_BITS * WINDOWS;

/// Additions of the largest level of a table.
const LEVEL_ADDITIONS_MAX: usize = WINDOWS * 8;

/// The multiples of one message's point.
pub(super) struct FixedBaseTable {
    rows: [[AffinePoint; 16]; WINDOWS],
    corrections: [AffinePoint; 16],
}

impl FixedBaseTable {
    /// `None` for a point at infinity.
    pub(super) fn new(point: &JacobianPoint) -> Option<Self> {
        if point.is_infinity() {
            return None;
        }
        let powers = powers_of_two(point);
        let mut table = Self {
            rows: [[AffinePoint::INFINITY; 16]; WINDOWS],
            corrections: [AffinePoint::INFINITY; 16],
        };
        for (row, power) in table
            .rows
            .iter_mut()
            .zip(powers.iter().step_by(WINDOW_BITS))
        {
            row[0] = *power;
        }
        let mut correction = powers[0];
        correction.y.negate_if(true);
        for position in 0..DIGITS {
            table.corrections[1 << position] = correction;
            correction = times_u_affine(&correction);
        }
        for level in 1..WINDOW_BITS {
            table.fill_level(level, &powers);
        }
        Some(table)
    }

    /// Adds to each row the entries from 2^(level−1) on: those before them, plus 2^level. To the
    /// corrections it adds those with the highest bit `level`.
    fn fill_level(&mut self, level: usize, powers: &[AffinePoint; DOUBLINGS]) {
        let half = 1 << (level - 1);
        let mut sums = [AffinePoint::INFINITY; LEVEL_ADDITIONS_MAX];
        let mut addends = [AffinePoint::INFINITY; LEVEL_ADDITIONS_MAX];
        let mut count = 0;
        for (number, row) in self.rows.iter().enumerate() {
            for entry in &row[..half] {
                sums[count] = *entry;
                addends[count] = powers[WINDOW_BITS * number + level];
                count += 1;
            }
        }
        let corrections = if level < DIGITS { 1..1 << level } else { 0..0 };
        for index in corrections.clone() {
            sums[count] = self.corrections[index];
            addends[count] = self.corrections[1 << level];
            count += 1;
        }
        add_all::<LEVEL_ADDITIONS_MAX>(&mut sums[..count], &addends[..count]);
        let mut made = sums.iter();
        for row in &mut self.rows {
            for (entry, sum) in row[half..2 * half].iter_mut().zip(made.by_ref()) {
                *entry = *sum;
            }
        }
        for (index, sum) in corrections.zip(made) {
            self.corrections[(1 << level) + index] = *sum;
        }
    }

    /// \[k\]H for each of up to eight scalars in little endian, not zero, below the order of the groups.
    ///
    /// # Panics
    /// When there are more, or when the numbers of scalars and products differ.
    pub(super) fn multiply(&self, scalars: &[&[u8; 32]], products: &mut [AffinePoint]) {
        assert!(scalars.len() <= BATCH_KEYS_MAX, "a batch is bounded");
        let mut batch: [Digits; BATCH_KEYS_MAX] = Default::default();
        let mut even = [0; BATCH_KEYS_MAX];
        for ((digits, even), scalar) in batch.iter_mut().zip(&mut even).zip(scalars) {
            *digits = Digits::new(scalar);
            *even = digits.make_odd();
        }
        let sums = self.digit_products(&batch[..scalars.len()]);
        let mut results = [JacobianPoint::default(); BATCH_KEYS_MAX];
        for ((result, sums), even) in results.iter_mut().zip(&sums).zip(even).take(scalars.len()) {
            *result = horner(sums);
            result.add_or_double_affine(&select(&self.corrections, even));
        }
        to_affine(&results[..scalars.len()], products);
    }

    /// \[kᵢ\]H for each odd digit of each key.
    fn digit_products(&self, batch: &[Digits]) -> [[AffinePoint; DIGITS]; BATCH_KEYS_MAX] {
        let mut sums = [[AffinePoint::INFINITY; DIGITS]; BATCH_KEYS_MAX];
        let mut addends = sums;
        let count = batch.len() * DIGITS;
        for (window, row) in self.rows.iter().enumerate() {
            let selected = if window == 0 { &mut sums } else { &mut addends };
            for (points, digits) in selected.iter_mut().zip(batch) {
                for (position, point) in points.iter_mut().enumerate() {
                    *point = select_signed(row, digits.odd_window(position, window));
                }
            }
            if window > 0 {
                add_all::<SUMS_MAX>(
                    &mut sums.as_flattened_mut()[..count],
                    &addends.as_flattened()[..count],
                );
            }
        }
        sums
    }
}

/// A₀ + \[u\]A₁ + \[u²\]A₂ + \[u³\]A₃.
fn horner(sums: &[AffinePoint; DIGITS]) -> JacobianPoint {
    let [lowest, second, third, highest] = sums;
    let mut result = JacobianPoint::default();
    result.add_or_double_affine(highest);
    result = times_u(&result);
    result.add_distinct_affine(third);
    result = times_u(&result);
    result.add_distinct_affine(second);
    result = times_u(&result);
    // The one step that may have to double.
    result.add_or_double_affine(lowest);
    result
}

/// \[2ⁿ\]H, affine.
fn powers_of_two(point: &JacobianPoint) -> [AffinePoint; DOUBLINGS] {
    let mut powers = [*point; DOUBLINGS];
    let mut power = *point;
    for place in &mut powers[1..] {
        power.double();
        *place = power;
    }
    let mut affine = [AffinePoint::INFINITY; DOUBLINGS];
    to_affine(&powers, &mut affine);
    affine
}

/// Adds to each sum its addend, with one inversion. No two of a pair may be equal or opposite, and none
/// infinity: one such pair would spoil all sums.
fn add_all<const PAIRS_MAX: usize>(sums: &mut [AffinePoint], addends: &[AffinePoint]) {
    let mut differences = [Fp2::default(); PAIRS_MAX];
    let mut products = [Fp2::default(); PAIRS_MAX];
    // products[n] is the product of all differences up to n.
    for (number, (sum, addend)) in sums.iter().zip(addends).enumerate() {
        differences[number] = addend.x.subtract(&sum.x);
        products[number] = match number {
            0 => differences[0],
            _ => products[number - 1].multiply(&differences[number]),
        };
    }
    let mut inverse = match sums.len() {
        0 => return,
        count => products[count - 1].invert(),
    };
    for number in (0..sums.len()).rev() {
        let reciprocal = match number {
            0 => inverse,
            _ => inverse.multiply(&products[number - 1]),
        };
        inverse = inverse.multiply(&differences[number]);
        let sum = &mut sums[number];
        let addend = &addends[number];
        let slope = addend.y.subtract(&sum.y).multiply(&reciprocal);
        let x = slope.square().subtract(&sum.x).subtract(&addend.x);
        sum.y = slope.multiply(&sum.x.subtract(&x)).subtract(&sum.y);
        sum.x = x;
    }
}

#[cfg(test)]
impl FixedBaseTable {
    /// Spoils an entry in the middle of the table.
    pub(super) fn flip_bit(&mut self, entry: usize) {
        self.rows[5][entry].x.real[3] ^= 1 << 40;
    }
}
