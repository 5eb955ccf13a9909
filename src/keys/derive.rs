//! Keys that are made instead of read: the interop keys of devnets, and EIP-2333 keys of a phrase.

use blst::min_pk;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::keystore::{self, OpenError, scrub_stack};
use super::secret::SecretKey;

/// The key of validator `index` on a devnet that uses interop keys: SHA-256 of the index as 32
/// bytes, read as a number modulo the order of the curve, all in little endian.
///
/// Source: eth2.0-pm, `interop/mocked_start`.
///
/// # Errors
/// [`OpenError::Slot`] without locked memory.
pub fn interop(index: u32) -> Result<SecretKey, OpenError> {
    let mut preimage = [0; 32];
    preimage[..4].copy_from_slice(&index.to_le_bytes());
    keystore::fill(|slot| {
        slot.copy_from_slice(&Sha256::digest(preimage));
        slot.reverse();
        while *slot >= ORDER {
            subtract(slot, &ORDER);
        }
    })
}

/// The order of BLS12-381's groups, in big endian: arrays compare as the numbers do.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53,
    0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
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

/// The parent of all validators' keys of a phrase, `m/12381/3600` (EIP-2334).
pub struct Parent(min_pk::SecretKey);

impl Parent {
    /// Checks the words (BIP-39, English) and derives the parent.
    ///
    /// # Errors
    /// What is wrong with the words; never the words.
    pub fn new(words: &str, passphrase: &str) -> Result<Self, String> {
        let mnemonic = bip39::Mnemonic::parse_in_normalized(bip39::Language::English, words)
            .map_err(|error| format!("no BIP-39 phrase in English: {error}"))?;
        let mut normalised = Zeroizing::new(String::with_capacity(passphrase.len() * 18 * 4));
        normalised.extend(passphrase.nfkd());
        let seed = Zeroizing::new(mnemonic.to_seed_normalized(&normalised));
        let parent = Self::from_seed(&seed[..]);
        scrub_stack();
        parent
    }

    fn from_seed(seed: &[u8]) -> Result<Self, String> {
        let master = min_pk::SecretKey::derive_master_eip2333(seed).map_err(|error| format!("{error:?}"))?;
        Ok(Self(master.derive_child_eip2333(PURPOSE).derive_child_eip2333(COIN_TYPE)))
    }

    /// The signing key of validator `index`: `m/12381/3600/index/0/0`.
    ///
    /// # Errors
    /// [`OpenError::Slot`] without locked memory.
    pub fn signing_key(&self, index: u32) -> Result<SecretKey, OpenError> {
        keystore::fill(|slot| *slot = *self.scalar(index))
    }

    /// The scalar of that key, big-endian: for a keystore that is to be written.
    pub(super) fn scalar(&self, index: u32) -> Zeroizing<[u8; 32]> {
        let key = self.0.derive_child_eip2333(index).derive_child_eip2333(0).derive_child_eip2333(0);
        let scalar = Zeroizing::new(key.to_bytes());
        drop(key);
        scrub_stack();
        scalar
    }
}

/// A new phrase of 24 words.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_phrase() -> Result<Zeroizing<String>, String> {
    let mut entropy = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *entropy).map_err(|_| "no random numbers".to_owned())?;
    let mnemonic = bip39::Mnemonic::from_entropy(&*entropy).map_err(|error| error.to_string())?;
    Ok(Zeroizing::new(mnemonic.to_string()))
}

/// The path of that key, for lists.
pub fn path(index: u32) -> String {
    format!("m/{PURPOSE}/{COIN_TYPE}/{index}/0/0")
}

const PURPOSE: u32 = 12381;
const COIN_TYPE: u32 = 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn interop_keys_are_those_that_every_client_knows() {
        for (index, expected) in [
            (
                0,
                "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c",
            ),
            (
                1,
                "0xb89bebc699769726a318c8e9971bd3171297c61aea4a6578a7a4f94b547dcba5bac16a89108b6b6a1fe3695d1a874a0b",
            ),
            (
                2,
                "0xa3a32b0f8b4ddb83f1a0a853d81dd725dfe577d4f4c3db8ece52ce2b026eca84815c1a7e8e92a4de3d755733bf7e4a9b",
            ),
        ] {
            assert_eq!(interop(index).unwrap().public_key().to_string(), expected, "{index}");
        }
    }

    /// The test cases that EIP-2333 prints.
    #[test]
    fn master_and_child_keys_are_those_of_the_eip() {
        for (seed, master, index, child) in EIP_2333 {
            let found = min_pk::SecretKey::derive_master_eip2333(&hex::decode_any(seed).unwrap()).unwrap();
            assert_eq!(hex::encode(found.to_bytes()), format!("0x{master}"), "{seed}");
            let found = found.derive_child_eip2333(index);
            assert_eq!(hex::encode(found.to_bytes()), format!("0x{child}"), "{seed}");
        }
    }

    #[test]
    fn a_phrase_gives_the_keys_of_its_validators() {
        let words = "giant issue aisle success illegal bike spike question tent bar rely arctic volcano long crawl \
                     hungry vocal artwork sniff fantasy very lucky have athlete";
        let key = Parent::new(words, "").unwrap().signing_key(0).unwrap();
        assert_eq!(
            key.public_key().to_string(),
            "0xaaf6c1251e73fb600624937760fef218aace5b253bf068ed45398aeb29d821e4d2899343ddcbbe37cb3f6cf500dff26c"
        );
    }

    #[test]
    fn the_passphrase_counts_and_white_space_does_not() {
        let words = "abandon ".repeat(11) + "about\n";
        let seed = hex::decode_any(EIP_2333[0].0).unwrap();
        let expected = Parent::from_seed(&seed).unwrap().signing_key(7).unwrap().public_key();
        assert_eq!(Parent::new(&words, "TREZOR").unwrap().signing_key(7).unwrap().public_key(), expected);
        assert_ne!(Parent::new(&words, "").unwrap().signing_key(7).unwrap().public_key(), expected);
    }

    #[test]
    fn wrong_words_are_refused_and_not_repeated() {
        for words in ["", "abandon", "xyzzy ".repeat(12).trim(), "abandon ".repeat(12).trim()] {
            let error = Parent::new(words, "").err().unwrap();
            assert!(!error.contains("abandon") && !error.contains("xyzzy"), "{error}");
        }
    }

    const EIP_2333: [(&str, &str, u32, &str); 4] = [
        (
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070",
            0,
            "2d18bd6c14e6d15bf8b5085c9b74f3daae3b03cc2014770a599d8c1539e50f8e",
        ),
        (
            "3141592653589793238462643383279502884197169399375105820974944592",
            "41c9e07822b092a93fd6797396338c3ada4170cc81829fdfce6b5d34bd5e7ec7",
            3141592653,
            "384843fad5f3d777ea39de3e47a8f999ae91f89e42bffa993d91d9782d152a0f",
        ),
        (
            "0099ff991111002299dd7744ee3355bbdd8844115566cc55663355668888cc00",
            "3cfa341ab3910a7d00d933d8f7c4fe87c91798a0397421d6b19fd5b815132e80",
            4294967295,
            "40e86285582f35b28821340f6a53b448588efa575bc4d88c32ef8567b8d9479b",
        ),
        (
            "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
            "2a0e28ffa5fbbe2f8e7aad4ed94f745d6bf755c51182e119bb1694fe61d3afca",
            42,
            "455c0dc9fccb3395825d92a60d2672d69416be1c2578a87a7a3d3ced11ebb88d",
        ),
    ];
}
