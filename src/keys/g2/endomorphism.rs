//! ψ, the endomorphism that makes base |z| cheap: −ψ(Q) = [|z|]Q for every Q of G2.
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
//! Invariant: constant time. Infinity is mapped to infinity.

use super::blst::{AffinePoint, Fp2, JacobianPoint};

/// 1/(1 + i)^((p−1)/3).
const X_FACTOR: Fp2 = Fp2 {
    real: [0; 6],
    imaginary: [
        0x890d_c9e4_8675_45c3,
        0x2af3_2253_3285_a5d5,
        0x5088_0866_309b_7e2c,
        0xa20d_1b8c_7e88_1024,
        0x14e4_f04f_e2db_9068,
        0x14e5_6d3f_1564_853a,
    ],
};

/// 1/(1 + i)^((p−1)/2).
const Y_FACTOR: Fp2 = Fp2 {
    real: [
        0x3e2f_585d_a55c_9ad1,
        0x4294_213d_86c1_8183,
        0x3828_44c8_8b62_3732,
        0x92ad_2afd_1910_3e18,
        0x1d79_4e4f_ac7c_f0b9,
        0x0bd5_92fc_7d82_5ec8,
    ],
    imaginary: [
        0x7bcf_a7a2_5aa3_0fda,
        0xdc17_dec1_2a92_7e7c,
        0x2f08_8dd8_6b4e_bef1,
        0xd1ca_2087_da74_d4a7,
        0x2da2_5966_96ce_bc1d,
        0x0e2b_7eed_bbfd_87d2,
    ],
};

/// [|z|]Q.
pub(super) fn times_u_affine(point: &AffinePoint) -> AffinePoint {
    let mut y = point.y.conjugate().multiply(&Y_FACTOR);
    y.negate_if(true);
    AffinePoint {
        x: point.x.conjugate().multiply(&X_FACTOR),
        y,
    }
}

/// [|z|]Q.
pub(super) fn times_u(point: &JacobianPoint) -> JacobianPoint {
    let mut y = point.y.conjugate().multiply(&Y_FACTOR);
    y.negate_if(true);
    JacobianPoint {
        x: point.x.conjugate().multiply(&X_FACTOR),
        y,
        z: point.z.conjugate(),
    }
}
