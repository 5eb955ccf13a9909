//! Keys that are made: interop keys, EIP-2333, BIP-39.

use crate::hex;
use crate::keys::seed::{self, ParentKey};
use blst::min_pk;

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
        assert_eq!(
            seed::interop(index).unwrap().public_key().to_string(),
            expected,
            "{index}"
        );
    }
}

/// The test cases that EIP-2333 prints.
#[test]
fn master_and_child_keys_are_those_of_the_eip() {
    for (seed, master, index, child) in EIP_2333 {
        let found =
            min_pk::SecretKey::derive_master_eip2333(&hex::decode_any(seed).unwrap()).unwrap();
        assert_eq!(
            hex::encode(found.to_bytes()),
            format!("0x{master}"),
            "{seed}"
        );
        let found = found.derive_child_eip2333(index);
        assert_eq!(
            hex::encode(found.to_bytes()),
            format!("0x{child}"),
            "{seed}"
        );
    }
}

#[test]
fn a_phrase_gives_the_keys_of_its_validators() {
    let words = "giant issue aisle success illegal bike spike question tent bar rely arctic volcano long crawl \
                 hungry vocal artwork sniff fantasy very lucky have athlete";
    let key = ParentKey::new(words, "").unwrap().signing_key(0).unwrap();
    assert_eq!(
        key.public_key().to_string(),
        "0xaaf6c1251e73fb600624937760fef218aace5b253bf068ed45398aeb29d821e4d2899343ddcbbe37cb3f6cf500dff26c"
    );
}

#[test]
fn the_passphrase_counts_and_white_space_does_not() {
    let words = "abandon ".repeat(11) + "about";
    // EIP-2333's first seed is that of these words and TREZOR (BIP-39).
    let master =
        min_pk::SecretKey::derive_master_eip2333(&hex::decode_any(EIP_2333[0].0).unwrap()).unwrap();
    let path = [12381, 3600, 7, 0, 0];
    let expected = path
        .iter()
        .fold(master, |parent, index| parent.derive_child_eip2333(*index))
        .sk_to_pk();
    let found = |words: &str, passphrase| {
        let key = ParentKey::new(words, passphrase)
            .unwrap()
            .signing_key(7)
            .unwrap();
        key.public_key().0
    };
    assert_eq!(found(&words, "TREZOR"), expected.to_bytes());
    assert_eq!(
        found(&words.replace(' ', "  \n"), "TREZOR"),
        expected.to_bytes()
    );
    assert_ne!(found(&words, ""), expected.to_bytes());
}

#[test]
fn wrong_words_are_refused_and_not_repeated() {
    for words in [
        "",
        "abandon",
        "xyzzy ".repeat(12).trim(),
        "abandon ".repeat(12).trim(),
    ] {
        let error = ParentKey::new(words, "").err().unwrap();
        assert!(
            !error.contains("abandon") && !error.contains("xyzzy"),
            "{error}"
        );
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
