//! Keys that are computed: the interop keys of devnets, and the EIP-2333 keys of a mnemonic.

use blst::min_pk;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::mnemonic::Mnemonic;
use super::scrub::scrubbed;
use super::secret::{FillError, SecretKey};

/// Makes the key of validator `index` on a devnet that uses interop keys: SHA-256 of the index as 32 bytes,
/// read as a number modulo the order of the curve, all in little endian.
///
/// Source: eth2.0-pm, `interop/mocked_start`.
///
/// # Errors
/// [`FillError::Arena`] without locked memory.
pub fn interop(index: u32) -> Result<SecretKey, FillError> {
    let mut preimage = [0; 32];
    preimage[..4].copy_from_slice(&index.to_le_bytes());
    SecretKey::fill(|slot| {
        slot.copy_from_slice(&Sha256::digest(preimage));
        slot.reverse();
        while *slot >= ORDER {
            subtract(slot, &ORDER);
        }
    })
}

/// The order of BLS12-381's groups, in big endian: arrays compare as the numbers do.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05,
    0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

fn subtract(number: &mut [u8; 32], other: &[u8; 32]) {
    let mut borrow = false;
    for (digit, other) in number.iter_mut().zip(other).rev() {
        let (difference, below) = digit.overflowing_sub(*other);
        let (difference, below_again) = difference.overflowing_sub(borrow.into());
        *digit = difference;
        borrow = below || below_again;
    }
}

/// The parent of all validator keys of a mnemonic, `m/12381/3600` (EIP-2334). Boxed, so that moving it
/// leaves no copy behind.
pub struct ParentKey(Box<min_pk::SecretKey>);

impl ParentKey {
    /// Checks the words (BIP-39) and derives the parent.
    ///
    /// # Errors
    /// What is wrong with the words; never the words.
    pub fn new(words: &str, passphrase: &str) -> Result<Self, String> {
        scrubbed(|| Self::derive(words, passphrase))
    }

    fn derive(words: &str, passphrase: &str) -> Result<Self, String> {
        let mnemonic =
            Mnemonic::parse(words).map_err(|reason| format!("not a BIP-39 mnemonic: {reason}"))?;
        let seed = mnemonic.seed(passphrase);
        let master = min_pk::SecretKey::derive_master_eip2333(&seed[..]);
        let master = master.map_err(|error| format!("the seed is not valid: {error:?}"))?;
        Ok(Self(Box::new(
            master
                .derive_child_eip2333(PURPOSE)
                .derive_child_eip2333(COIN_TYPE),
        )))
    }

    /// Derives the signing key of validator `index`: `m/12381/3600/index/0/0`.
    ///
    /// # Errors
    /// [`FillError::Arena`] without locked memory.
    pub fn signing_key(&self, index: u32) -> Result<SecretKey, FillError> {
        SecretKey::fill(|slot| scrubbed(|| *slot = *self.scalar(index)))
    }

    /// Derives the scalar of that key, big-endian: for a keystore that is to be written.
    pub(super) fn scalar(&self, index: u32) -> Zeroizing<[u8; 32]> {
        let key = self
            .0
            .derive_child_eip2333(index)
            .derive_child_eip2333(0)
            .derive_child_eip2333(0);
        Zeroizing::new(key.to_bytes())
    }
}

/// Makes a new mnemonic of 24 words.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn new_phrase() -> Result<Zeroizing<String>, String> {
    Ok(Zeroizing::new(Mnemonic::random()?.words().to_owned()))
}

/// The path of the signing key of validator `index`.
pub(crate) fn path(index: u32) -> String {
    format!("m/{PURPOSE}/{COIN_TYPE}/{index}/0/0")
}

const PURPOSE: u32 = 12381;
const COIN_TYPE: u32 = 3600;

#[cfg(test)]
mod tests;
