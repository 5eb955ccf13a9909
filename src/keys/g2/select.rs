//! Reading a row of points at a secret index: every entry is read, and a mask keeps one of them.

use std::hint::black_box;

use super::curve::{AffinePoint, Fp2};
use super::digits::Window;

/// The entry at this index. An index outside of the row gives infinity.
pub(super) fn select(row: &[AffinePoint; 16], index: u64) -> AffinePoint {
    let mut selected = AffinePoint::INFINITY;
    for (entry, number) in row.iter().zip(0..) {
        let mask = mask_if_equal(number, index);
        keep(&mut selected.x, &entry.x, mask);
        keep(&mut selected.y, &entry.y, mask);
    }
    selected
}

/// The entry that a window means, negated where the window is negative.
pub(super) fn select_signed(row: &[AffinePoint; 16], window: Window) -> AffinePoint {
    let mut selected = select(row, window.index);
    selected.y.negate_if(black_box(window.negative) != 0);
    selected
}

fn keep(selected: &mut Fp2, entry: &Fp2, mask: u64) {
    for (limb, from) in selected.real.iter_mut().zip(&entry.real) {
        *limb |= from & mask;
    }
    for (limb, from) in selected.imaginary.iter_mut().zip(&entry.imaginary) {
        *limb |= from & mask;
    }
}

/// All ones when equal, else zero. The compiler must not see that there are only two cases.
fn mask_if_equal(first: u64, second: u64) -> u64 {
    let difference = first ^ second;
    let differs = (difference | difference.wrapping_neg()) >> 63;
    black_box(differs).wrapping_sub(1)
}
