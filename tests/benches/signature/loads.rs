//! What is asked of the server: a list of signatures for each connection, one request in flight on each.

use std::sync::atomic::{AtomicU64, Ordering};

/// Keys of the loads.
pub(crate) const KEYS: u64 = 1_000;

/// Connections of a load that keeps the server busy.
pub(crate) const CONNECTIONS: usize = 64;

/// One duty: which key signs which vote. Equal blocks are equal roots.
#[derive(Clone, Copy)]
pub(crate) struct Vote {
    pub(crate) key: u64,
    pub(crate) block: u64,
}

/// For each connection, what is signed there one after the other.
pub(crate) type Load = Vec<Vec<Vote>>;

/// Numbers blocks, so that no two loads share a root.
static BLOCKS: AtomicU64 = AtomicU64::new(1);

pub(crate) fn new_block() -> u64 {
    BLOCKS.fetch_add(1, Ordering::Relaxed)
}

/// Each signature is of another root.
pub(crate) fn distinct(connections: usize, signatures: usize) -> Load {
    distinct_over(KEYS, connections, signatures)
}

/// The same over so many keys, one far from the next.
pub(crate) fn distinct_over(keys: u64, connections: usize, signatures: usize) -> Load {
    let mut load = vec![Vec::new(); connections];
    for number in 0..signatures {
        let key = (number as u64).wrapping_mul(7_919) % keys;
        let block = new_block();
        load[number % connections].push(Vote { key, block });
    }
    load
}

/// So many keys sign one root, then the next: the attestations of one slot after the other.
pub(crate) fn bursts(keys: u64, count: usize) -> Load {
    let connections = CONNECTIONS.min(usize::try_from(keys).expect("few"));
    let mut load = vec![Vec::new(); connections];
    for _ in 0..count {
        let block = new_block();
        for key in 0..keys {
            let connection = usize::try_from(key).expect("few") % connections;
            load[connection].push(Vote { key, block });
        }
    }
    load
}

/// What 1,000 validators sign in a slot: 31 attestations, 31 selection proofs and 16 messages of the sync
/// committee, of one root each, and 7 aggregates, contributions and blocks with roots of their own.
pub(crate) fn mix(slots: usize) -> Load {
    let mut load = vec![Vec::new(); CONNECTIONS];
    let mut number = 0;
    for _ in 0..slots {
        for (keys, is_shared) in [(31, true), (31, true), (16, true), (7, false)] {
            let shared = new_block();
            for _ in 0..keys {
                let block = if is_shared { shared } else { new_block() };
                let key = number as u64 % KEYS;
                load[number % CONNECTIONS].push(Vote { key, block });
                number += 1;
            }
        }
    }
    load
}
