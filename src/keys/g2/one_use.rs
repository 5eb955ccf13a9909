//! A signature for a message that was seen a few times only: \[k\]H without a table that outlives it.
//!
//! 1·H to 16·H are made affine together, and their images under −ψ give the same multiples of \[u\]H,
//! \[u²\]H and \[u³\]H (`endomorphism.rs`): four rows on the stack. Then 13 windows of five bits from the
//! highest to the lowest: five doublings, and one addition for each of the four digits (`digits.rs`,
//! exact windows). It is blst's own way (`POINTonE2_mult_gls`), after Galbraith, Lin and Scott
//! ("Endomorphisms for faster elliptic curve cryptography on a large class of curves", 2009), but for
//! the affine rows: they halve the table and save a third of each addition.
//!
//! Exceptional cases: none. All additions are complete, also for H at infinity and a window of zero.

use super::curve::{AffinePoint, JacobianPoint, to_affine};
use super::digits::{Digits, WINDOW_BITS, WINDOWS};
use super::endomorphism::times_u_affine;
use super::select::select_signed;

/// \[k\]H for a scalar in little endian below the order of the groups.
pub(super) fn multiply(point: &JacobianPoint, scalar: &[u8; 32]) -> AffinePoint {
    let digits = Digits::new(scalar);
    let rows = rows(point);
    let mut sum = JacobianPoint::default();
    for window in (0..WINDOWS).rev() {
        if window < WINDOWS - 1 {
            for _ in 0..WINDOW_BITS {
                sum.double();
            }
        }
        for (position, row) in rows.iter().enumerate() {
            let mut digit = digits.exact_window(position, window);
            // Entry n holds n + 1 times the point. A window of zero is outside of the row and gives infinity.
            digit.index = digit.index.wrapping_sub(1);
            sum.add_or_double_affine(&select_signed(row, digit));
        }
    }
    let mut product = [AffinePoint::INFINITY];
    to_affine(&[sum], &mut product);
    product[0]
}

/// Row i holds \[uⁱ\]H to 16·\[uⁱ\]H.
fn rows(point: &JacobianPoint) -> [[AffinePoint; 16]; 4] {
    let mut multiples = [*point; 16];
    for number in 2..=16 {
        let mut multiple = multiples[number / 2 - 1];
        multiple.double();
        if number % 2 == 1 {
            multiple.add_or_double(point);
        }
        multiples[number - 1] = multiple;
    }
    let mut rows = [[AffinePoint::INFINITY; 16]; 4];
    to_affine(&multiples, &mut rows[0]);
    for position in 1..rows.len() {
        rows[position] = rows[position - 1].map(|entry| times_u_affine(&entry));
    }
    rows
}
