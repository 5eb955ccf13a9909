//! ψ, the endomorphism that makes base |z| cheap: −ψ(Q) = \[|z|\]Q for every Q of G2.
//!
//! ψ maps a point of the twist to the curve, applies the Frobenius map and maps back: it conjugates both
//! coordinates and multiplies them by 1/(1 + i)^((p−1)/3) and 1/(1 + i)^((p−1)/2). On G2 it is the
//! multiplication by p, and p ≡ z modulo the order r, since p − z is a multiple of r for BLS curves.
//! z is negative, hence the sign.
//!
//! Sources: Galbraith and Scott, "Exponentiation in pairing-friendly groups using homomorphisms" (2008);
//! Bowe, "Faster subgroup checks for BLS12-381" (ePrint 2019/814); Budroni and Pintore, "Efficient hash
//! maps to G2 on BLS curves" (ePrint 2017/419). The constants are those of blst's `e2.c`, `psi`; a test
//! derives them.
//!
//! Applied twice, only a real factor of x is left: ψ²(x, y) = (ωx, −y), where ω³ = 1.
//!
//! Invariant: constant time. Infinity is mapped to infinity.

use super::curve::{AffinePoint, Fp2, JacobianPoint};

/// The imaginary part of 1/(1 + i)^((p−1)/3), whose real part is zero.
const X_FACTOR: [u64; 6] = [
    0x890d_c9e4_8675_45c3,
    0x2af3_2253_3285_a5d5,
    0x5088_0866_309b_7e2c,
    0xa20d_1b8c_7e88_1024,
    0x14e4_f04f_e2db_9068,
    0x14e5_6d3f_1564_853a,
];

/// −1/(1 + i)^((p−1)/2): the sign of −ψ is in it.
const MINUS_Y_FACTOR: Fp2 = Fp2 {
    real: [
        0x7bcf_a7a2_5aa3_0fda,
        0xdc17_dec1_2a92_7e7c,
        0x2f08_8dd8_6b4e_bef1,
        0xd1ca_2087_da74_d4a7,
        0x2da2_5966_96ce_bc1d,
        0x0e2b_7eed_bbfd_87d2,
    ],
    imaginary: [
        0x3e2f_585d_a55c_9ad1,
        0x4294_213d_86c1_8183,
        0x3828_44c8_8b62_3732,
        0x92ad_2afd_1910_3e18,
        0x1d79_4e4f_ac7c_f0b9,
        0x0bd5_92fc_7d82_5ec8,
    ],
};

/// ω, the square of [`X_FACTOR`].
const X_FACTOR_OF_SQUARE: [u64; 6] = [
    0xcd03_c9e4_8671_f071,
    0x5dab_2246_1fcd_a5d2,
    0x5870_42af_d385_1b95,
    0x8eb6_0ebe_01ba_cb9e,
    0x03f9_7d6e_83d0_50d2,
    0x18f0_2065_5463_8741,
];

/// \[|z|\]Q.
pub(super) fn times_u_affine(point: &AffinePoint) -> AffinePoint {
    AffinePoint {
        x: point.x.multiply_conjugate_by_imaginary(&X_FACTOR),
        y: point.y.conjugate().multiply(&MINUS_Y_FACTOR),
    }
}

/// \[z²\]Q.
pub(super) fn times_u_squared_affine(point: &AffinePoint) -> AffinePoint {
    let mut image = AffinePoint {
        x: point.x.multiply_by_real(&X_FACTOR_OF_SQUARE),
        y: point.y,
    };
    image.y.negate_if(true);
    image
}

/// \[|z|\]Q.
pub(super) fn times_u(point: &JacobianPoint) -> JacobianPoint {
    JacobianPoint {
        x: point.x.multiply_conjugate_by_imaginary(&X_FACTOR),
        y: point.y.conjugate().multiply(&MINUS_Y_FACTOR),
        z: point.z.conjugate(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::to_affine;
    use super::*;

    /// p − 1, little-endian.
    const P_MINUS_1: [u64; 6] = [
        0xb9fe_ffff_ffff_aaaa,
        0x1eab_fffe_b153_ffff,
        0x6730_d2a0_f6b0_f624,
        0x6477_4b84_f385_12bf,
        0x4b1b_a7b6_434b_acd7,
        0x1a01_11ea_397f_e69a,
    ];

    fn divided(number: [u64; 6], by: u64) -> [u64; 6] {
        let mut quotient = number;
        let mut remainder = 0;
        for limb in quotient.iter_mut().rev() {
            let dividend = (remainder << 64) | u128::from(*limb);
            *limb = u64::try_from(dividend / u128::from(by)).unwrap();
            remainder = dividend % u128::from(by);
        }
        assert_eq!(remainder, 0);
        quotient
    }

    fn power(base: &Fp2, exponent: [u64; 6]) -> Fp2 {
        let mut power = base.multiply(&base.invert());
        for bit in (0..384).rev() {
            power = power.square();
            if (exponent[bit / 64] >> (bit % 64)) & 1 == 1 {
                power = power.multiply(base);
            }
        }
        power
    }

    #[test]
    fn the_factors_are_powers_of_one_plus_i() {
        // In Montgomery form: the real part of one.
        let generator = blst_one();
        let one_plus_i = Fp2 {
            real: generator,
            imaginary: generator,
        };
        let x_factor = power(&one_plus_i, divided(P_MINUS_1, 3)).invert();
        assert_eq!((x_factor.real, x_factor.imaginary), ([0; 6], X_FACTOR));
        let mut y_factor = power(&one_plus_i, divided(P_MINUS_1, 2)).invert();
        y_factor.negate_if(true);
        assert_eq!(y_factor, MINUS_Y_FACTOR);
    }

    #[test]
    fn the_square_has_the_factor_that_is_a_cube_root_of_one() {
        let omega = Fp2 {
            real: X_FACTOR_OF_SQUARE,
            imaginary: [0; 6],
        };
        let one = blst_one();
        let cube = omega.square().multiply(&omega);
        assert_eq!((cube.real, cube.imaginary), (one, [0; 6]));
        assert_ne!(omega.real, one);
    }

    fn blst_one() -> [u64; 6] {
        let element = JacobianPoint::hash(b"any", b"tag").x;
        element.multiply(&element.invert()).real
    }

    #[test]
    fn the_image_is_the_product_with_u() {
        for number in 0..100_u8 {
            let point = JacobianPoint::hash(&[number], b"a tag of the tests");
            let mut scalar = [0; 32];
            scalar[..8].copy_from_slice(&0xd201_0000_0001_0000_u64.to_le_bytes());
            let mut affine = [AffinePoint::INFINITY; 3];
            to_affine(
                &[point, point.multiply_by_blst(&scalar), times_u(&point)],
                &mut affine,
            );
            assert_eq!(affine[1], affine[2]);
            assert_eq!(affine[1], times_u_affine(&affine[0]));
            assert_eq!(
                times_u_affine(&affine[1]),
                times_u_squared_affine(&affine[0])
            );
        }
        for image in [times_u_affine, times_u_squared_affine] {
            assert_eq!(image(&AffinePoint::INFINITY), AffinePoint::INFINITY);
        }
    }
}
