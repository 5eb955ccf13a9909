//! The products of this folder against blst's own, for scalars chosen to hit every special case and for
//! random ones.

use super::curve::{AffinePoint, JacobianPoint, to_affine};
use super::digits::Digits;
use super::fixed_base::{BATCH_KEYS_MAX, FixedBaseTable};
use super::{FRAMES_BYTES, Fault, MessagePoint, MessageTable, one_use};

/// |z|.
const U: u128 = 0xd201_0000_0001_0000;

/// Random scalars of a run of the suite. `SIGNERD_TEST_SCALARS=10000000` for the long one.
const RANDOM_SCALARS: usize = 50_000;
/// Scalars for each message.
const SCALARS_OF_A_MESSAGE: usize = 250;

/// The order of the groups, little-endian.
const ORDER: [u64; 4] = [
    0xffff_ffff_0000_0001,
    0x53bd_a402_fffe_5bfe,
    0x3339_d808_09a1_d805,
    0x73ed_a753_299d_7d48,
];

/// A pseudo-random sequence (splitmix64): the same in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn scalar(&mut self) -> [u8; 32] {
        loop {
            let limbs = [self.next(), self.next(), self.next(), self.next() >> 1];
            if is_valid(&limbs) {
                return bytes(&limbs);
            }
        }
    }
}

fn bytes(limbs: &[u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, limb) in chunks.iter_mut().zip(limbs) {
        *chunk = limb.to_le_bytes();
    }
    bytes
}

fn is_valid(limbs: &[u64; 4]) -> bool {
    *limbs != [0; 4] && limbs.iter().rev().lt(ORDER.iter().rev())
}

/// Σ dᵢuⁱ, when it is a valid scalar.
fn from_digits(digits: [u64; 4]) -> Option<[u8; 32]> {
    let mut limbs = [0_u64; 4];
    for digit in digits.into_iter().rev() {
        let mut carry = u128::from(digit);
        for limb in &mut limbs {
            carry += u128::from(*limb) * U;
            *limb = u64::try_from(carry & u128::from(u64::MAX)).unwrap();
            carry >>= 64;
        }
        if carry > 0 {
            return None;
        }
    }
    is_valid(&limbs).then(|| bytes(&limbs))
}

/// Adds a signed number to little-endian limbs.
fn offset(limbs: &[u64; 4], by: i64) -> [u64; 4] {
    let mut result = *limbs;
    let mut carry = i128::from(by);
    for limb in &mut result {
        carry += i128::from(*limb);
        *limb = u64::try_from(carry.rem_euclid(1 << 64)).unwrap();
        carry = carry.div_euclid(1 << 64);
    }
    result
}

/// The scalars whose last step of Horner's rule is a doubling (`fixed_base.rs`): the odd digits are
/// (u − 1, 1, u − 1, u − 1), lowest first.
pub(super) fn doubling_scalars() -> Vec<[u8; 32]> {
    let top = u64::try_from(U).unwrap() - 1;
    let mut scalars = Vec::new();
    for lowest in [top - 1, top] {
        for second in [0, 1] {
            for third in [top - 1, top] {
                for highest in [top - 1, top] {
                    scalars.extend(from_digits([lowest, second, third, highest]));
                }
            }
        }
    }
    scalars
}

/// The scalars of one use for which an addition of the lowest window is a doubling (`one_use.rs`).
fn doubling_scalars_of_one_use() -> Vec<[u8; 32]> {
    let u = u64::try_from(U).unwrap();
    (1..=16)
        .filter_map(|number| from_digits([1, 0, 1, u - number]))
        .collect()
}

/// Small ones, those near the order and near multiples of powers of u, single bits, runs of ones, digits
/// of zeros and ones, each window alone, and those that double.
fn edge_scalars() -> Vec<[u8; 32]> {
    let mut scalars = doubling_scalars();
    scalars.extend(doubling_scalars_of_one_use());
    let mut near = |limbs: [u64; 4]| {
        for by in -40..=40 {
            let limbs = offset(&limbs, by);
            if is_valid(&limbs) {
                scalars.push(bytes(&limbs));
            }
        }
    };
    near([0; 4]);
    near(ORDER);
    for bit in 0..255 {
        let mut limbs = [0; 4];
        limbs[bit / 64] = 1 << (bit % 64);
        near(limbs);
    }
    let top = u64::try_from(U).unwrap() - 1;
    let digits = [
        0,
        1,
        2,
        15,
        16,
        17,
        31,
        32,
        33,
        top - 1,
        top,
        top / 2,
        u64::MAX / 31 % top,
    ];
    for lowest in digits {
        for second in digits {
            for third in digits {
                for highest in digits {
                    scalars.extend(from_digits([lowest, second, third, highest]));
                }
            }
        }
    }
    for position in 0..4 {
        for window in 0..13 {
            for value in 0..64 {
                let mut digits = [0; 4];
                digits[position] = (value << (5 * window)) % (top + 1);
                scalars.extend(from_digits(digits));
                // Windows of ones everywhere else.
                digits[position] |= top & !(63 << (5 * window));
                scalars.extend(from_digits(digits));
            }
        }
    }
    scalars
}

fn message(number: u64) -> MessagePoint {
    MessagePoint::new(&number.to_le_bytes(), b"a tag of the tests")
}

fn expected(point: &JacobianPoint, scalar: &[u8; 32]) -> AffinePoint {
    let mut product = [AffinePoint::INFINITY];
    to_affine(&[point.multiply_by_blst(scalar)], &mut product);
    product[0]
}

/// Checks both ways of multiplying, in batches whose sizes cycle from one to eight.
fn check(message: &MessagePoint, scalars: &[[u8; 32]], first_size: usize) {
    let table = FixedBaseTable::new(&message.0).unwrap();
    let mut rest = scalars;
    let mut size = first_size % BATCH_KEYS_MAX;
    while !rest.is_empty() {
        size = size % BATCH_KEYS_MAX + 1;
        let (batch, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let references: Vec<_> = batch.iter().collect();
        let mut products = [AffinePoint::INFINITY; BATCH_KEYS_MAX];
        table.multiply(&references, &mut products[..batch.len()]);
        for (scalar, product) in batch.iter().zip(products) {
            let expected = expected(&message.0, scalar);
            assert_eq!(product, expected, "table, {scalar:02x?}");
            assert_eq!(
                one_use::multiply(&message.0, scalar),
                expected,
                "one use, {scalar:02x?}"
            );
        }
    }
}

#[test]
fn all_edge_scalars_give_the_products_of_blst() {
    let scalars = edge_scalars();
    assert!(scalars.len() > 45_000, "{}", scalars.len());
    for (number, scalars) in (0..).zip(scalars.chunks(1_000)) {
        check(&message(number), scalars, usize::try_from(number).unwrap());
    }
}

#[test]
fn random_scalars_give_the_products_of_blst() {
    let count = match std::env::var("SIGNERD_TEST_SCALARS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => RANDOM_SCALARS,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for number in (thread..count / SCALARS_OF_A_MESSAGE).step_by(threads) {
                    let mut random = Random(number as u64);
                    let scalars: Vec<_> =
                        (0..SCALARS_OF_A_MESSAGE).map(|_| random.scalar()).collect();
                    check(&message(1_000_000 + number as u64), &scalars, number);
                }
            });
        }
    });
}

#[test]
fn a_key_is_signed_for_alike_whatever_else_is_in_its_batch() {
    let message = message(7);
    let table = FixedBaseTable::new(&message.0).unwrap();
    let special = doubling_scalars();
    let mut random = Random(7);
    for _ in 0..200 {
        let mut batch = [[0; 32]; BATCH_KEYS_MAX];
        for scalar in &mut batch {
            let choice = usize::try_from(random.next() >> 32).unwrap();
            *scalar = match choice % 3 {
                0 => special[choice / 3 % special.len()],
                // The same key twice.
                1 => bytes(&[1, 0, 0, 0]),
                _ => random.scalar(),
            };
        }
        check(&message, &batch, BATCH_KEYS_MAX - 1);
    }
    let none: [&[u8; 32]; 0] = [];
    table.multiply(&none, &mut []);
}

#[test]
fn the_twelve_doubling_scalars_have_the_digits_that_double() {
    let scalars = doubling_scalars();
    assert_eq!(scalars.len(), 12);
    let top = u64::try_from(U).unwrap() - 1;
    for scalar in &scalars {
        let mut digits = Digits::new(scalar);
        digits.make_odd();
        assert_eq!(digits.values(), [top, 1, top, top]);
    }
}

#[test]
fn sixteen_scalars_double_in_the_lowest_window_of_one_use() {
    let scalars = doubling_scalars_of_one_use();
    assert_eq!(scalars.len(), 16);
    let message = message(11);
    for scalar in &scalars {
        let digits = Digits::new(scalar);
        // What is added when the sum is \[r + u²\]H.
        let window = digits.exact_window(2, 0);
        assert_eq!((window.negative, window.index), (0, 1));
        let product = one_use::multiply(&message.0, scalar);
        assert_eq!(product, expected(&message.0, scalar), "{scalar:02x?}");
    }
}

#[test]
fn an_infinite_message_has_no_table_and_no_signature() {
    let infinity = MessagePoint(JacobianPoint::default());
    assert!(FixedBaseTable::new(&infinity.0).is_none());
    assert!(infinity.sign(&bytes(&[1, 0, 0, 0])).is_err());
}

#[test]
fn a_table_with_a_wrong_bit_gives_no_signature() {
    let message = message(9);
    let scalar = Random(9).scalar();
    let scalars = [&scalar; BATCH_KEYS_MAX];
    let sound = MessageTable::new(&message).unwrap().sign(&scalars);
    let expected = message.sign_by_blst(&scalar).unwrap();
    assert!(
        sound
            .iter()
            .all(|signed| *signed.as_ref().unwrap() == expected)
    );
    let mut refused = 0;
    for number in 0..16 {
        let mut table = MessageTable::new(&message).unwrap();
        table.0.flip_bit(number);
        for signed in table.sign(&scalars) {
            match signed {
                Ok(signature) => assert_eq!(signature, expected, "entry {number} is not used"),
                Err(Fault) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_batch_and_one_use_take_less_stack_than_is_overwritten() {
    // A thread gets this much in any case.
    const THREAD_BYTES_MIN: usize = 16 << 10;
    const { assert!(FRAMES_BYTES > THREAD_BYTES_MIN) };
    let message = message(12);
    let table = FixedBaseTable::new(&message.0).expect("a table");
    let mut random = Random(7);
    let scalars: [_; BATCH_KEYS_MAX] = std::array::from_fn(|_| random.scalar());
    let mut products = [AffinePoint::INFINITY; BATCH_KEYS_MAX];
    // A thread that needs more stack ends the test.
    let product = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(FRAMES_BYTES);
        let multiplied = thread.spawn_scoped(scope, || {
            table.multiply(&scalars.each_ref(), &mut products);
            one_use::multiply(&message.0, &scalars[0])
        });
        multiplied.expect("a thread").join().expect("its answer")
    });
    assert_eq!(product, products[0]);
}
