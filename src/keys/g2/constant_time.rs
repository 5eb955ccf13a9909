//! Constant time on the compiled code: under valgrind's memcheck, a scalar is marked as undefined, so that
//! every branch and every address that depends on it is reported (Langley, "ctgrind", 2010).
//! `scripts/check --constant-time` runs these tests; they do nothing useful without valgrind.
//!
//! One report is expected and suppressed (`scripts/constant-time.supp`): blst's inversion checks whether it
//! has succeeded, which it does for everything but zero. A result that is public is marked as defined.

#![allow(
    unsafe_code,
    reason = "client requests to valgrind: instructions that do nothing elsewhere"
)]

use std::arch::asm;

use super::curve::{AffinePoint, JacobianPoint, to_affine};
use super::differential::Random;
use super::digits::Digits;
use super::fixed_base::{BATCH_KEYS_MAX, FixedBaseTable};
use super::one_use;

/// The requests of `valgrind.h` and `memcheck.h`.
#[derive(Clone, Copy)]
#[repr(u64)]
enum ClientRequest {
    RunningOnValgrind = 0x1001,
    CountErrors = 0x1201,
    MakeUndefined = 0x4d43_0001,
    MakeDefined = 0x4d43_0002,
}

/// `VALGRIND_DO_CLIENT_REQUEST_EXPR` of `valgrind.h` for amd64: 0 when valgrind is not there.
fn ask(request: ClientRequest, address: usize, bytes: usize) -> usize {
    let arguments = [request as usize, address, bytes, 0, 0, 0];
    let mut answer = 0_usize;
    // SAFETY: the rotations add up to 128 bits and the exchange has no effect; valgrind, which knows the
    // sequence, reads the arguments and changes the one register that is declared.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

fn mark<T>(request: ClientRequest, values: &[T]) {
    ask(request, values.as_ptr() as usize, size_of_val(values));
}

/// How many reports `work` causes.
fn reports(work: impl FnOnce()) -> usize {
    assert!(
        ask(ClientRequest::RunningOnValgrind, 0, 0) > 0,
        "this test needs valgrind: scripts/check --constant-time"
    );
    let before = ask(ClientRequest::CountErrors, 0, 0);
    work();
    ask(ClientRequest::CountErrors, 0, 0) - before
}

fn scalars() -> [[u8; 32]; BATCH_KEYS_MAX] {
    let mut random = Random(3);
    [(); BATCH_KEYS_MAX].map(|()| random.scalar())
}

fn message() -> JacobianPoint {
    JacobianPoint::hash(b"constant time", b"a tag of the tests")
}

fn expected(scalar: &[u8; 32]) -> AffinePoint {
    let mut product = [AffinePoint::INFINITY];
    to_affine(&[message().multiply_by_blst(scalar)], &mut product);
    product[0]
}

#[test]
#[ignore = "needs valgrind"]
fn digits_depend_on_the_scalar_by_value_only() {
    let scalar = scalars()[0];
    let found = reports(|| {
        mark(ClientRequest::MakeUndefined, &scalar);
        let mut digits = Digits::new(&scalar);
        std::hint::black_box(digits.exact_window(1, 3));
        std::hint::black_box(digits.make_odd());
        std::hint::black_box(digits.odd_window(2, 12));
    });
    assert_eq!(found, 0);
}

#[test]
#[ignore = "needs valgrind"]
fn a_signature_without_a_table_takes_constant_time() {
    let scalar = scalars()[0];
    let expected = expected(&scalar);
    let mut product = AffinePoint::INFINITY;
    let found = reports(|| {
        mark(ClientRequest::MakeUndefined, &scalar);
        product = one_use::multiply(&message(), &scalar);
        mark(ClientRequest::MakeDefined, std::slice::from_ref(&product));
    });
    assert_eq!(found, 0);
    assert_eq!(product, expected);
}

#[test]
#[ignore = "needs valgrind"]
fn signatures_with_a_table_take_constant_time() {
    let table = FixedBaseTable::new(&message()).unwrap();
    for keys in [1, 3, BATCH_KEYS_MAX] {
        let scalars = scalars();
        let expected = scalars.each_ref().map(expected);
        let mut products = [AffinePoint::INFINITY; BATCH_KEYS_MAX];
        let found = reports(|| {
            mark(ClientRequest::MakeUndefined, &scalars);
            let references = scalars.each_ref();
            table.multiply(&references[..keys], &mut products[..keys]);
            mark(ClientRequest::MakeDefined, &products);
        });
        assert_eq!(found, 0, "{keys} keys");
        assert_eq!(products[..keys], expected[..keys]);
    }
}

#[test]
#[ignore = "needs valgrind"]
fn a_signature_of_blst_takes_constant_time() {
    let scalar = scalars()[0];
    let found = reports(|| {
        mark(ClientRequest::MakeUndefined, &scalar);
        let mut product = [AffinePoint::INFINITY];
        to_affine(&[message().multiply_by_blst(&scalar)], &mut product);
        std::hint::black_box(product);
    });
    assert_eq!(found, 0);
}

/// The control: valgrind does report code that is not constant time.
#[test]
#[ignore = "needs valgrind"]
fn an_address_or_a_branch_that_depends_on_the_scalar_is_reported() {
    let row = [7_u64; 256];
    let scalar = scalars()[0];
    let address = reports(|| {
        mark(ClientRequest::MakeUndefined, &scalar);
        std::hint::black_box(row[usize::from(std::hint::black_box(scalar[3]))]);
    });
    assert!(address > 0, "an address");
    let branch = reports(|| {
        if std::hint::black_box(scalar[4]) & 1 == 1 {
            std::hint::black_box(message());
        }
    });
    assert!(branch > 0, "a branch");
}
