//! Reading a row of points at a secret index: every entry is read, and a mask keeps one of them.

use std::hint::black_box;

use super::curve::{AffinePoint, Fp2};
use super::digits::Window;

/// The entry at this index. An index outside of the row gives infinity.
pub(super) fn select(row: &[AffinePoint; 16], index: u64) -> AffinePoint {
    let mut masks = [0; 16];
    for (mask, number) in masks.iter_mut().zip(0..) {
        *mask = mask_if_equal(number, index);
    }
    AffinePoint {
        x: Fp2 {
            real: select_limbs(row, &masks, |entry| &entry.x.real),
            imaginary: select_limbs(row, &masks, |entry| &entry.x.imaginary),
        },
        y: Fp2 {
            real: select_limbs(row, &masks, |entry| &entry.y.real),
            imaginary: select_limbs(row, &masks, |entry| &entry.y.imaginary),
        },
    }
}

/// One coordinate's part of the entry whose mask is set. Its six limbs stay in registers: summed up in
/// memory, selections would be a fifth of a signature.
#[inline(always)]
fn select_limbs(
    row: &[AffinePoint; 16],
    masks: &[u64; 16],
    limbs_of: impl Fn(&AffinePoint) -> &[u64; 6],
) -> [u64; 6] {
    let [mut a, mut b, mut c, mut d, mut e, mut f] = [0; 6];
    for (entry, mask) in row.iter().zip(masks) {
        let limbs = limbs_of(entry);
        a |= limbs[0] & mask;
        b |= limbs[1] & mask;
        c |= limbs[2] & mask;
        d |= limbs[3] & mask;
        e |= limbs[4] & mask;
        f |= limbs[5] & mask;
    }
    [a, b, c, d, e, f]
}

/// The entry that a window means, negated where the window is negative.
pub(super) fn select_signed(row: &[AffinePoint; 16], window: Window) -> AffinePoint {
    let mut selected = select(row, window.index);
    selected.y.negate_if(black_box(window.negative) != 0);
    selected
}

/// All ones when equal, else zero. The compiler must not see that there are only two cases.
fn mask_if_equal(first: u64, second: u64) -> u64 {
    let difference = first ^ second;
    let differs = (difference | difference.wrapping_neg()) >> 63;
    black_box(differs).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_found_and_an_index_outside_of_the_row_gives_infinity() {
        let mut row = [AffinePoint::INFINITY; 16];
        for (entry, number) in row.iter_mut().zip(1..) {
            entry.x.real = [number; 6];
            entry.y.imaginary = [number << 32; 6];
        }
        for (entry, index) in row.iter().zip(0..) {
            assert_eq!(select(&row, index), *entry, "{index}");
            for bit in 4..64 {
                let outside = index | (1 << bit);
                assert_eq!(select(&row, outside), AffinePoint::INFINITY, "{outside:x}");
            }
        }
        assert_eq!(select(&row, u64::MAX), AffinePoint::INFINITY);
    }
}
