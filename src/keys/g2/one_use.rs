//! A signature for a message that was seen a few times only: \[k\]H without a table that outlives it.
//!
//! 1·H to 16·H are made affine together, and their images under −ψ give the same multiples of \[u\]H
//! (`endomorphism.rs`): two rows on the stack. The entries for \[u²\]H and \[u³\]H are made of these when they
//! are added, by ψ², which costs two multiplications of the field. Then 13 windows of five bits from the
//! highest to the lowest: five doublings, and one addition for each of the four digits (`digits.rs`, exact
//! windows). It is blst's own way (`POINTonE2_mult_gls`), after Galbraith, Lin and Scott ("Endomorphisms
//! for faster elliptic curve cryptography on a large class of curves", 2009), but for the affine rows and
//! for additions that cannot double.
//!
//! **Exceptional cases.** An addition that cannot double needs 11 multiplications and squarings instead of 13
//! (`ec_ops.h`). It is right unless sum and entry are equal and not infinity. H has order r, so what matters
//! is s − d·uⁱ modulo r, where s = s₀ + s₁u + s₂u² + s₃u³ is the factor of the sum and d·\[uⁱ\]H the entry,
//! |d| ≤ 16. (If H is infinity, all sums and entries are.)
//! - In every window but the lowest, |sₙ| < 2⁶⁰, since five more bits follow. So s − d·uⁱ = Σ cₙuⁿ with
//!   |cₙ| < u/2: its magnitude is below r, and it is zero modulo r only if all cₙ are zero. Then sᵢ = d. But
//!   what sᵢ holds before this addition was doubled five times: it is a multiple of 32. So sᵢ = d = 0, and all
//!   of s is zero: sum and entry are infinity.
//! - In the lowest window, s − d·uⁱ may be r: the digits (1, 0, 1, u − n), n from 1 to 16, have s = r + u² and
//!   d·uⁱ = u² at digit 2. Sixteen valid scalars have these. The additions of this window are therefore
//!   complete.
//! - The multiples: n·H and H are equal for no n from 2 to 15.

use super::curve::{AffinePoint, JacobianPoint, to_affine};
use super::digits::{DIGITS, Digits, WINDOW_BITS, WINDOWS};
use super::endomorphism::{times_u_affine, times_u_squared_affine};
use super::select::select_signed;

/// 1 to 16 times a point.
type Row = [AffinePoint; 16];

/// \[k\]H for a scalar in little endian below the order of the groups.
pub(super) fn multiply(point: &JacobianPoint, scalar: &[u8; 32]) -> AffinePoint {
    let digits = Digits::new(scalar);
    let rows = rows(point);
    let mut sum = JacobianPoint::default();
    for window in (1..WINDOWS).rev() {
        for position in 0..DIGITS {
            sum.add_distinct_affine(&entry(&rows, &digits, position, window));
        }
        for _ in 0..WINDOW_BITS {
            sum.double();
        }
    }
    // Here an addition may have to double.
    for position in 0..DIGITS {
        sum.add_or_double_affine(&entry(&rows, &digits, position, 0));
    }
    let mut product = [AffinePoint::INFINITY];
    to_affine(&[sum], &mut product);
    product[0]
}

/// What this window of digit i adds: a multiple of \[uⁱ\]H.
fn entry(rows: &[Row; 2], digits: &Digits, position: usize, window: usize) -> AffinePoint {
    let mut digit = digits.exact_window(position, window);
    // Entry n holds n + 1 times the point. A window of zero is outside of the row and gives infinity.
    digit.index = digit.index.wrapping_sub(1);
    let selected = select_signed(&rows[position % 2], digit);
    if position < 2 {
        return selected;
    }
    times_u_squared_affine(&selected)
}

/// The multiples of H and of \[u\]H.
fn rows(point: &JacobianPoint) -> [Row; 2] {
    let mut multiples = [*point; 16];
    for number in 2..=16 {
        let mut multiple = multiples[number / 2 - 1];
        multiple.double();
        if number % 2 == 1 {
            multiple.add_distinct(point);
        }
        multiples[number - 1] = multiple;
    }
    let mut first = [AffinePoint::INFINITY; 16];
    to_affine(&multiples, &mut first);
    let second = first.map(|entry| times_u_affine(&entry));
    [first, second]
}
