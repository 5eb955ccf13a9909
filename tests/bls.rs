//! Signatures against the vectors of ethereum/bls12-381-tests.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use signerd::consensus::primitives::{Root, Signature};
use signerd::consensus::slashable::Slashable;
use signerd::hex;
use signerd::keys::secret::{FillError, SecretKey, SigningTask, cache_counters, sign_all};
use signerd::slashing::{Cleared, Protection};

#[derive(Deserialize)]
struct Case {
    input: Input,
    output: Option<Signature>,
}

#[derive(Deserialize)]
struct Input {
    privkey: Root,
    message: Root,
}

/// The ciphersuite of Ethereum.
const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// The order of the curve's groups, big-endian.
const ORDER: &str = "0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

pub(crate) fn key(scalar: [u8; 32]) -> Result<SecretKey, FillError> {
    SecretKey::fill(|slot| *slot = scalar)
}

pub(crate) fn cleared(key: &SecretKey, root: Root) -> Cleared {
    Protection::Off
        .clear(&key.public_key(), &Slashable::Never, root)
        .expect("nothing to protect")
}

#[test]
fn every_vector_gives_its_signature_made_anew_and_from_the_cache() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bls_sign");
    let mut signed = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case: Case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        match case.output {
            None => assert!(
                matches!(key(case.input.privkey.0), Err(FillError::Zero)),
                "{path:?}"
            ),
            Some(expected) => {
                let key = key(case.input.privkey.0).unwrap();
                // From the fifth on with a table.
                for round in 1..=10 {
                    let signature = key.sign(cleared(&key, case.input.message));
                    assert_eq!(signature, expected, "{path:?}, time {round}");
                }
                signed += 1;
            }
        }
    }
    assert_eq!(signed, 9);
}

#[test]
fn whatever_the_message_cache_holds_the_signature_is_the_same() {
    let scalar = [0x2a; 32];
    let yardstick = blst::min_pk::SecretKey::from_bytes(&scalar).unwrap();
    let key = key(scalar).unwrap();
    let before = cache_counters();
    // More roots than the cache holds, by two threads, in orders that hit and that miss.
    std::thread::scope(|scope| {
        for order in [[0, 0, 1, 2], [2, 1, 0, 0]] {
            let (key, yardstick) = (&key, &yardstick);
            scope.spawn(move || {
                for number in 0..300_u16 {
                    let [low, high] = number.to_le_bytes();
                    let roots = order.map(|offset| {
                        Root(
                            [low.wrapping_add(offset), high, 7, 7]
                                .repeat(8)
                                .try_into()
                                .unwrap(),
                        )
                    });
                    for root in roots {
                        let expected = yardstick.sign(&root.0, DST, &[]).to_bytes();
                        assert_eq!(key.sign(cleared(key, root)), Signature(expected), "{root}");
                    }
                }
            });
        }
    });
    let after = cache_counters();
    assert!(
        after.0 >= before.0 + 600,
        "each thread repeats a root 300 times: {before:?}, {after:?}"
    );
    assert!(
        after.1 >= before.1 + 300,
        "and has 300 of them: {before:?}, {after:?}"
    );
}

#[test]
fn signatures_made_together_are_those_made_apart_in_their_order() {
    let mut pairs = Vec::new();
    for number in 1..=40 {
        let scalar = [number; 32];
        let yardstick = blst::min_pk::SecretKey::from_bytes(&scalar).unwrap();
        pairs.push((Arc::new(key(scalar).unwrap()), yardstick));
    }
    // Roots of one key up to roots of 40 keys, next to each other and mixed.
    for (round, keys) in [1, 2, 3, 4, 5, 8, 9, 17, 40].into_iter().enumerate() {
        for roots in [1, 2, 3] {
            let mut tasks = Vec::new();
            let mut expected = Vec::new();
            for (number, (key, yardstick)) in pairs.iter().take(keys).enumerate() {
                let root = Root([u8::try_from(16 * round + number % roots).unwrap(); 32]);
                let cleared = cleared(key, root);
                let key = Arc::clone(key);
                tasks.push(SigningTask { key, cleared });
                expected.push(Signature(yardstick.sign(&root.0, DST, &[]).to_bytes()));
            }
            assert_eq!(
                sign_all(tasks, round),
                expected,
                "{keys} keys, {roots} roots"
            );
        }
    }
    assert!(pairs.iter().all(|(key, _)| Arc::strong_count(key) == 1));
}

#[test]
fn a_scalar_that_is_no_secret_key_is_refused() {
    let order: [u8; 32] = hex::decode(ORDER).unwrap();
    let with_last_byte = |byte| {
        let mut scalar = order;
        scalar[31] = byte;
        scalar
    };
    assert!(matches!(key([0; 32]), Err(FillError::Zero)));
    assert!(matches!(key(order), Err(FillError::Order)));
    assert!(matches!(key(with_last_byte(2)), Err(FillError::Order)));
    assert!(matches!(key([0xff; 32]), Err(FillError::Order)));
    assert!(key(with_last_byte(0)).is_ok());
}
