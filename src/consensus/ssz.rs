//! Hash tree roots: the merkleization of SSZ. A signer needs nothing else of SSZ.
//!
//! Trees are hashed level by level in the memory of their chunks, without recursion. A limit of any size
//! costs one hash for each empty level. The constructors of lists check their limits, so computing a
//! root cannot fail.
//! Source: consensus-specs, `ssz/simple-serialize.md`; EIP-7916 (progressive lists and bitlists),
//! EIP-7495 (progressive containers).

use std::sync::LazyLock;

use sha2::block_api::compress256;

use super::primitives::{Address, Epoch, PublicKey, Root, Signature, Slot, Uint64, Version};

/// A leaf or node of a tree.
pub(super) type Chunk = [u8; 32];

/// A value that has a hash tree root.
pub(super) trait HashTreeRoot: Sized {
    /// The number of values that share a chunk when a list packs them: 1 for all but basic types.
    const PER_CHUNK: usize = 1;

    /// Computes the hash tree root.
    fn hash_tree_root(&self) -> Root;

    /// Returns the leaves of a list of these.
    fn chunks(items: &[Self]) -> Vec<Chunk> {
        items.iter().map(|item| item.hash_tree_root().0).collect()
    }
}

/// Computes the root of a container from the roots of its fields, and overwrites them.
pub(super) fn container(fields: &mut [Chunk]) -> Root {
    let depth = depth_of(fields.len());
    Root(merkleize(fields, depth))
}

/// Computes the root of an EIP-7495 progressive container from the roots of its fields, all of which are
/// active, and overwrites them.
pub(super) fn progressive_container(fields: &mut [Chunk]) -> Root {
    let mut active = [0; 32];
    for index in 0..fields.len() {
        active[index / 8] |= 1 << (index % 8);
    }
    Root(hash_pair(&merkleize_progressive(fields), &active))
}

/// Computes the root of a list of at most `limit` items, of which `per_chunk` share one of `chunks`.
pub(super) fn list(mut chunks: Vec<Chunk>, length: usize, limit: usize, per_chunk: usize) -> Root {
    mix_in_length(
        merkleize(&mut chunks, depth_of(limit.div_ceil(per_chunk))),
        length,
    )
}

/// Computes the root of an EIP-7916 progressive list.
pub(super) fn progressive_list(mut chunks: Vec<Chunk>, length: usize) -> Root {
    mix_in_length(merkleize_progressive(&mut chunks), length)
}

/// Packs bytes into leaves.
pub(super) fn pack(bytes: &[u8]) -> Vec<Chunk> {
    let mut chunks = vec![[0; 32]; bytes.len().div_ceil(32)];
    for (chunk, part) in chunks.iter_mut().zip(bytes.chunks(32)) {
        chunk[..part.len()].copy_from_slice(part);
    }
    chunks
}

/// Makes a leaf of a number.
pub(super) fn number(number: u64) -> Chunk {
    let mut chunk = [0; 32];
    chunk[..8].copy_from_slice(&number.to_le_bytes());
    chunk
}

/// Computes SHA-256 of two nodes: two compressions, the second over constant padding.
fn hash_pair(left: &Chunk, right: &Chunk) -> Chunk {
    let mut blocks = [[0; 64], PADDING];
    blocks[0][..32].copy_from_slice(left);
    blocks[0][32..].copy_from_slice(right);
    let mut state = INITIAL_STATE;
    compress256(&mut state, &blocks);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Computes the root of a tree of `2^depth` leaves: these and then zeros. Overwrites them.
fn merkleize(nodes: &mut [Chunk], depth: usize) -> Chunk {
    let mut count = nodes.len();
    if count == 0 {
        return ZERO_HASHES[depth];
    }
    for zero in &ZERO_HASHES[..depth] {
        for pair in 0..count / 2 {
            nodes[pair] = hash_pair(&nodes[2 * pair], &nodes[2 * pair + 1]);
        }
        if count % 2 == 1 {
            nodes[count / 2] = hash_pair(&nodes[count - 1], zero);
        }
        count = count.div_ceil(2);
    }
    nodes[0]
}

/// Computes the root of a chain of trees of 1, 4, 16, 64… leaves, from its far end. Overwrites them.
fn merkleize_progressive(nodes: &mut [Chunk]) -> Chunk {
    let mut end = 0;
    let mut depth = 0;
    while end < nodes.len() {
        end += 1 << depth;
        depth += 2;
    }
    let mut root = [0; 32];
    while depth > 0 {
        depth -= 2;
        let start = end - (1 << depth);
        let subtree_end = end.min(nodes.len());
        root = hash_pair(&merkleize(&mut nodes[start..subtree_end], depth), &root);
        end = start;
    }
    root
}

fn mix_in_length(root: Chunk, length: usize) -> Root {
    Root(hash_pair(&root, &number(length as u64)))
}

fn depth_of(leaves: usize) -> usize {
    leaves.next_power_of_two().trailing_zeros() as usize
}

macro_rules! byte_vectors {
    ($($name:ident)*) => {$(
        impl HashTreeRoot for $name {
            fn hash_tree_root(&self) -> Root {
                container(&mut pack(&self.0))
            }
        }
    )*};
}

byte_vectors! { Version Address PublicKey Signature }

macro_rules! numbers {
    ($($name:ident)*) => {$(
        impl HashTreeRoot for $name {
            const PER_CHUNK: usize = 4;

            fn hash_tree_root(&self) -> Root {
                Root(number(self.0))
            }

            fn chunks(items: &[Self]) -> Vec<Chunk> {
                let packed: Vec<u8> = items.iter().flat_map(|item| item.0.to_le_bytes()).collect();
                pack(&packed)
            }
        }
    )*};
}

numbers! { Slot Epoch Uint64 }

impl HashTreeRoot for Root {
    fn hash_tree_root(&self) -> Root {
        *self
    }
}

/// Depth of the largest tree: a request of 32 MiB has 2^20 chunks; limits have at most 2^9.
const DEPTH_MAX: usize = 24;

/// Roots of trees of zeros, by depth.
static ZERO_HASHES: LazyLock<[Chunk; DEPTH_MAX + 1]> = LazyLock::new(|| {
    let mut hashes = [[0; 32]; DEPTH_MAX + 1];
    for depth in 1..hashes.len() {
        hashes[depth] = hash_pair(&hashes[depth - 1], &hashes[depth - 1]);
    }
    hashes
});

/// The initial hash value of SHA-256 (FIPS 180-4, section 5.3.3).
const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The second block of every 64-byte message: a one bit, zeros, the length of 512 bits.
const PADDING: [u8; 64] = {
    let mut block = [0; 64];
    block[0] = 0x80;
    block[62] = 0x02;
    block
};

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn sha256(left: Chunk, right: Chunk) -> Chunk {
        Sha256::new()
            .chain_update(left)
            .chain_update(right)
            .finalize()
            .into()
    }

    fn leaf(number: u8) -> Chunk {
        [number; 32]
    }

    /// The definition itself, recursive and with all its leaves.
    fn naive(leaves: &[Chunk]) -> Chunk {
        match leaves {
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(leaves.len() / 2);
                sha256(naive(left), naive(right))
            }
        }
    }

    /// EIP-7916's definition.
    fn naive_progressive(chunks: &[Chunk], leaves: usize) -> Chunk {
        if chunks.is_empty() {
            return [0; 32];
        }
        let (first, rest) = chunks.split_at(leaves.min(chunks.len()));
        let mut first = first.to_vec();
        first.resize(leaves, [0; 32]);
        sha256(naive(&first), naive_progressive(rest, 4 * leaves))
    }

    #[test]
    fn trees_of_any_size_and_depth_equal_the_definition() {
        for depth in 0..6_usize {
            for count in 0..=1 << depth {
                let mut leaves: Vec<Chunk> = (1..=count).map(leaf).collect();
                let mut full = leaves.clone();
                full.resize(1 << depth, [0; 32]);
                assert_eq!(
                    merkleize(&mut leaves, depth),
                    naive(&full),
                    "{count} leaves, depth {depth}"
                );
            }
        }
    }

    #[test]
    fn progressive_trees_equal_the_definition() {
        for count in [0, 1, 2, 4, 5, 6, 20, 21, 22, 84, 85, 86, 200] {
            let mut leaves: Vec<Chunk> = (1..=count).map(leaf).collect();
            let expected = naive_progressive(&leaves, 1);
            assert_eq!(
                merkleize_progressive(&mut leaves),
                expected,
                "{count} leaves"
            );
        }
    }

    #[test]
    fn numbers_share_chunks_in_a_list_and_the_limit_counts_chunks() {
        let numbers: Vec<Uint64> = (1..=5).map(Uint64).collect();
        let packed = pack(&(1..=5_u64).flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
        let expected = sha256(naive(&[packed[0], packed[1], [0; 32], [0; 32]]), number(5));
        assert_eq!(
            list(Uint64::chunks(&numbers), 5, 16, Uint64::PER_CHUNK).0,
            expected
        );
    }

    #[test]
    fn an_empty_progressive_list_has_the_zero_root_and_length() {
        let expected = sha256([0; 32], [0; 32]);
        assert_eq!(progressive_list(Vec::new(), 0).0, expected);
    }

    #[test]
    fn active_fields_are_mixed_in_low_bits_first() {
        let mut active = [0; 32];
        active[..2].copy_from_slice(&[0xff, 0x01]);
        let mut fields: Vec<Chunk> = (1..=9).map(leaf).collect();
        let expected = sha256(naive_progressive(&fields, 1), active);
        assert_eq!(progressive_container(&mut fields).0, expected);
    }
}
