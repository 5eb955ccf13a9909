//! Known answers at every start: whether this build, on this processor, signs as it should. blst chooses
//! its arithmetic by the processor, and no test has seen the one that it runs on here.
//!
//! The message and the first three scalars are those of ethereum/bls12-381-tests (`bls_sign`); the others
//! are 1, r − 1, two whose last addition is a doubling (`fixed_base.rs`), and one whose digits are all
//! even. Takes 2 to 3 ms.

use super::{BATCH_KEYS_MAX, MessagePoint, MessageTable};
use crate::hex;

const MESSAGE: [u8; 32] = [0x56; 32];

const TAG: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Scalars, big-endian, and their signatures.
const KNOWN: [(&str, &str); BATCH_KEYS_MAX] = [
    (
        "263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3",
        "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98abbe1b68f85e49fe7652a55ec3d0591c2\
         0767677e33e5cbb1207315c41a9ac03be39c2e7668edc043d6cb1d9fd93033caa8a1c5b0e84bedaeb6c64972503a43eb",
    ),
    (
        "328388aff0d4a5b7dc9205abd374e7e98f3cd9f3418edb4eafda5fb16473d216",
        "a4efa926610b8bd1c8330c918b7a5e9bf374e53435ef8b7ec186abf62e1b1f65aeaaeb365677ac1d1172a1f5b44b4e6d\
         022c252c58486c0a759fbdc7de15a756acc4d343064035667a594b4c2a6f0b0b421975977f297dba63ee2f63ffe47bb6",
    ),
    (
        "47b8192d77bf871b62e87859d653922725724a5c031afeabc60bcef5ff665138",
        "af1390c3c47acdb37131a51216da683c509fce0e954328a59f93aebda7e4ff974ba208d9a4a2a2389f892a9d418d6184\
         18dd7f7a6bc7aa0da999a9d3a5b815bc085e14fd001f6a1948768a3f4afefc8b8240dda329f984cb345c6363272ba4fe",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000001",
        "8c3c33dfebb2e485a637903c7b5d274e25d47e037a32252efacc7d51238d5be40d174946a77d261c1fa7c42894071f81\
         0a8f9dbc3952222c0f76aff9725e56ef2b0577399ef76a5dc3884d33ecd8f01f02d01c2563afb858e1f702f66f443144",
    ),
    (
        "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000",
        "ac3c33dfebb2e485a637903c7b5d274e25d47e037a32252efacc7d51238d5be40d174946a77d261c1fa7c42894071f81\
         0a8f9dbc3952222c0f76aff9725e56ef2b0577399ef76a5dc3884d33ecd8f01f02d01c2563afb858e1f702f66f443144",
    ),
    (
        "73eda753299d7d483339d80809a1d804a7780001fffcb7fdd200fffe0000ffff",
        "b5dd20e23ca4c26508bc4f2da99ca09a4456c21bb1a1357d02d0e347c15cbda5d732261561559f0446d0b37d08c063b1\
         13b315e44701206f7351994c4576637b7d8558b1925b2b2f536cb64925d163c868af775ab18e4d16be8d69d700bed5d4",
    ),
    (
        "73eda753299d7d47a5e80b39939ed333bb74ffff89f9b7fea400fffe0001fffe",
        "b1fc056223aec81ed2e145d9a2c1d11872419c0683b7abefd17f2dfa9db5900f6fd177c013be6918496bc0fb0a5f0bf5\
         06a10a656c0c079e1617d2ecba13d24e3869f740793a40b5e55339739034e40211f1fc5d13691cbec8c23fb5c2643f70",
    ),
    (
        "5e368889a4020335cde2ae23000088c9df5d9b9f8f58341d36064442e4ddcdee",
        "b84395632da0b87edec5c4868507553d3944b9fbe7145a07722fca74a0c7dca3aad9c5be124f5d4a477e2fde01bc8831\
         03cd9cea30b03f88ae599b30541de2f99a521fa0b88853d456f6838ecefb9c65da61163da9738dd609c5d714abb399bb",
    ),
];

/// Whether all signatures are those that are known: without a table, and with one, together and apart.
pub(in crate::keys) fn self_test() -> bool {
    gives(&KNOWN).unwrap_or(false)
}

/// `None` when something is not as it is written down here.
fn gives(known: &[(&str, &str); BATCH_KEYS_MAX]) -> Option<bool> {
    let message = MessagePoint::new(&MESSAGE, TAG);
    let table = MessageTable::new(&message)?;
    let mut scalars = [[0; 32]; BATCH_KEYS_MAX];
    let mut expected = [[0; 96]; BATCH_KEYS_MAX];
    for (number, (scalar, signature)) in known.iter().enumerate() {
        scalars[number] = hex::decode(scalar).ok()?;
        scalars[number].reverse();
        expected[number] = hex::decode(signature).ok()?;
    }
    let references = scalars.each_ref();
    let together = table.sign(&references);
    for number in 0..BATCH_KEYS_MAX {
        let alone = message.sign(references[number]).ok()?;
        let in_batch = *together[number].as_ref().ok()?;
        if [alone, in_batch] != [expected[number]; 2] {
            return Some(false);
        }
    }
    let [last, ..] = table.sign(&references[BATCH_KEYS_MAX - 1..]);
    Some(last.ok()? == expected[BATCH_KEYS_MAX - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_are_given_and_a_wrong_one_is_noticed() {
        assert!(self_test());
        for number in 0..BATCH_KEYS_MAX {
            let mut known = KNOWN;
            known[number].1 = KNOWN[(number + 1) % BATCH_KEYS_MAX].1;
            assert_eq!(gives(&known), Some(false), "answer {number}");
        }
    }

    #[test]
    fn the_known_answers_are_those_of_blst() {
        for (scalar, signature) in KNOWN {
            let key = ::blst::min_pk::SecretKey::from_bytes(&hex::decode::<32>(scalar).unwrap());
            let expected = key.unwrap().sign(&MESSAGE, TAG, &[]).to_bytes();
            assert_eq!(hex::decode::<96>(signature).unwrap(), expected, "{scalar}");
        }
    }
}
