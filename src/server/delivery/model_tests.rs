//! A model of the deliverer and its wake-ups.

use std::sync::Arc;

use super::*;
use crate::sync::{check, thread};

/// Fails when `deliver` puts its batch on the list although the deliverer sleeps, and when `next_batch` lets go
/// of its lock between its look at the list and its sleep: in both a signature waits for ever.
#[test]
fn each_signature_reaches_its_caller_whenever_the_deliverer_falls_asleep() {
    const THREADS: u8 = 3;
    const SIGNATURES: u8 = 2;
    check(10_000, || {
        let deliverer = Arc::new(Deliverer::new(true));
        let on_worker = Arc::clone(&deliverer);
        let worker = thread::spawn(move || {
            let mut delivered = 0;
            while delivered < usize::from(THREADS * SIGNATURES) {
                let batch = on_worker.next_batch();
                delivered += batch.len();
                keep_all(batch);
            }
        });
        let mut threads = Vec::new();
        for number in 0..THREADS {
            let deliverer = Arc::clone(&deliverer);
            threads.push(thread::spawn(move || {
                for round in 0..SIGNATURES {
                    let (promise, answer) = wait::promise();
                    let signature = Signature([number * SIGNATURES + round; 96]);
                    deliverer.deliver(vec![FinishedSignature { promise, signature }]);
                    assert_eq!(answer.wait(), Some(signature));
                }
            }));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        worker.join().unwrap();
    });
}
