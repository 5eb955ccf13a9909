//! A model of the signing queue and its wake-ups.

use std::sync::OnceLock;

use super::*;
use crate::consensus::primitives::Root;
use crate::consensus::slashable::Slashable;
use crate::slashing::Protection;
use crate::sync::{check, thread};

/// A root that ends the thread which signs it: a model must end, and `SignQueue::work` does not.
const LAST: Root = Root([0xff; 32]);

fn key(number: u8) -> Arc<SecretKey> {
    let key = SecretKey::fill(|slot| slot[31] = number);
    Arc::new(key.unwrap_or_else(|_| unreachable!("a small number is a key")))
}

fn ask(signers: &Signers, key: &Arc<SecretKey>, root: Root) -> Signature {
    let cleared = Protection::Off
        .clear(&key.public_key(), &Slashable::Never, root)
        .expect("no protection");
    signers.sign(Arc::clone(key), cleared).expect("a signature")
}

fn sign_alone(keys: &[Arc<SecretKey>], root: Root) -> Vec<Signature> {
    let mut signatures = Vec::new();
    for key in keys {
        let cleared = Protection::Off.clear(&key.public_key(), &Slashable::Never, root);
        signatures.push(key.sign(cleared.expect("no protection")));
    }
    signatures
}

fn work_until_last(queue: &SignQueue) {
    loop {
        let batch = queue.next();
        let is_last = batch.tasks.iter().any(|task| *task.cleared.root() == LAST);
        batch.sign(&queue.times);
        if is_last {
            return;
        }
    }
}

/// Fails when `next` lets go of its lock between its look at the queue and its sleep: a signature waits for
/// ever.
#[test]
fn no_signature_is_lost_whenever_the_threads_fall_asleep() {
    const THREADS: usize = 2;
    const CALLERS: u8 = 3;
    let keys: Vec<_> = (1..=CALLERS).map(key).collect();
    let root = Root([1; 32]);
    // Computed in the first run: the locks of the message cache work only inside a model.
    let expected = OnceLock::new();
    check(3_000, move || {
        let expected = expected.get_or_init(|| sign_alone(&keys, root));
        let queue = Arc::new(SignQueue::new(THREADS));
        let signers = Arc::new(Signers {
            queue: Arc::clone(&queue),
        });
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let queue = Arc::clone(&queue);
            threads.push(thread::spawn(move || work_until_last(&queue)));
        }
        let mut callers = Vec::new();
        for (key, expected) in keys.iter().zip(expected) {
            let key = Arc::clone(key);
            let expected = *expected;
            let signers = Arc::clone(&signers);
            callers.push(thread::spawn(move || {
                assert_eq!(ask(&signers, &key, root), expected);
                assert_eq!(ask(&signers, &key, root), expected);
            }));
        }
        for caller in callers {
            caller.join().unwrap();
        }
        for _ in 0..THREADS {
            ask(&signers, &keys[0], LAST);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(lock(&queue.state).threads_asleep, 0);
    });
}
