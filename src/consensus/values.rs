//! What fields of containers hold beside the primitives: lists, bits and bytes, each read from JSON
//! with its limit checked, so that hashing cannot fail.

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeOwned, Deserializer, SeqAccess, Unexpected, Visitor,
};

use super::container::blame;
use super::network::Preset;
use super::primitives::{Root, Scalar, text, wrong};
use super::ssz::{self, HashTreeRoot};
use crate::hex;

/// What a list may hold.
pub(super) trait Item: HashTreeRoot + DeserializeOwned {}

impl<T: HashTreeRoot + DeserializeOwned> Item for T {}

/// A list of at most `LIMIT` items.
pub(super) struct List<T, const LIMIT: usize>(Vec<T>);

/// A vector of exactly `LENGTH` items.
pub(super) struct Vector<T, const LENGTH: usize>(Vec<T>);

/// An EIP-7916 list: unlimited in the specification, here by [`PROGRESSIVE_ITEMS_MAX`].
pub(super) struct ProgressiveList<T>(Vec<T>);

/// `LENGTH` bytes, too many for the stack.
pub(super) struct ByteVector<const LENGTH: usize>(Vec<u8>);

/// At most `LIMIT` bytes.
pub(super) struct ByteList<const LIMIT: usize>(Vec<u8>);

/// An EIP-7916 list of bytes.
pub(super) struct ProgressiveBytes(Vec<u8>);

/// At most `LIMIT` bits.
pub(super) struct Bitlist<const LIMIT: usize>(pub(super) Bits);

/// An EIP-7916 list of bits.
pub(super) struct ProgressiveBitlist(Bits);

/// The bits of a list, packed, without the length bit that closes their serialized form.
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// How many bits there are.
    pub(super) length: usize,
}

/// A vector of bits whose length tells the preset: `MAINNET` or `MINIMAL` bits.
pub(super) struct PresetBits<const MAINNET: usize, const MINIMAL: usize> {
    bytes: Vec<u8>,
    /// The preset that has so many bits.
    pub(super) preset: Preset,
}

/// `true` or `false`.
pub(super) struct Flag(bool);

/// A number of 256 bits, little-endian.
pub(super) struct Uint256([u8; 32]);

/// How many items of an unlimited list are read. A payload of 200 million gas has room for 9,524
/// transactions, so this only bounds the memory that a hostile body takes.
const PROGRESSIVE_ITEMS_MAX: usize = 1 << 18;

/// Ties each type to the reader of its JSON and to its root.
macro_rules! values {
    ($([$($params:tt)*] $type:ty: $read:expr => $root:expr;)*) => {$(
        impl<'de, $($params)*> Deserialize<'de> for $type {
            #[inline(never)] // dozens of fields call it
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($read)
            }
        }

        impl<$($params)*> HashTreeRoot for $type {
            fn hash_tree_root(&self) -> Root {
                let root: fn(&Self) -> Root = $root;
                root(self)
            }
        }
    )*};
}

values! {
    [T: Item, const LIMIT: usize] List<T, LIMIT>:
        Items { limit: LIMIT, finish: |items| Ok(Self(items)) } => |list| ssz::list(T::chunks(&list.0), list.0.len(), LIMIT, T::PER_CHUNK);
    [T: Item, const LENGTH: usize] Vector<T, LENGTH>:
        Items { limit: LENGTH, finish: |items| exactly::<_, LENGTH>(items).map(Self) }
        => |vector| ssz::container(&mut T::chunks(&vector.0));
    [T: Item] ProgressiveList<T>:
        Items { limit: PROGRESSIVE_ITEMS_MAX, finish: |items| Ok(Self(items)) }
        => |list| ssz::progressive_list(T::chunks(&list.0), list.0.len());
    [const LENGTH: usize] ByteVector<LENGTH>:
        text(|text| exactly::<_, LENGTH>(bytes(text, LENGTH)?).map(Self)) => |vector| ssz::container(&mut ssz::pack(&vector.0));
    [const LIMIT: usize] ByteList<LIMIT>:
        text(|text| bytes(text, LIMIT).map(Self)) => |list| ssz::list(ssz::pack(&list.0), list.0.len(), LIMIT, 32);
    [] ProgressiveBytes:
        text(|text| bytes(text, usize::MAX).map(Self)) => |list| ssz::progressive_list(ssz::pack(&list.0), list.0.len());
    [const LIMIT: usize] Bitlist<LIMIT>:
        text(|text| bits(text, LIMIT).map(Self)) => |list| list.0.root(LIMIT);
    [] ProgressiveBitlist:
        text(|text| bits(text, usize::MAX).map(Self))
        => |list| ssz::progressive_list(ssz::pack(&list.0.bytes), list.0.length);
    [const MAINNET: usize, const MINIMAL: usize] PresetBits<MAINNET, MINIMAL>:
        text(preset_bits) => |bits| ssz::container(&mut ssz::pack(&bits.bytes));
    [] Flag: FLAG => |flag| Root(ssz::number(u64::from(flag.0)));
    [] Uint256: UINT256 => |number| Root(number.0);
}

impl Bits {
    /// Root of a bitlist of at most `limit` bits.
    pub(super) fn root(&self, limit: usize) -> Root {
        ssz::list(ssz::pack(&self.bytes), self.length, limit, 256)
    }
}

const FLAG: Scalar<Flag> = Scalar {
    expected: "true or false",
    text: |text| Err(wrong("true or false without quotes", text)),
    number: |_| None,
    flag: |flag| Some(Flag(flag)),
};

const UINT256: Scalar<Uint256> = Scalar {
    expected: "a whole number below 2^256",
    text: uint256,
    number: |number| uint256(&number.to_string()).ok(),
    flag: |_| None,
};

/// Reads at most `limit` items.
struct Items<I, T> {
    limit: usize,
    finish: fn(Vec<I>) -> Result<T, String>,
}

impl<'de, I: Deserialize<'de>, T> Visitor<'de> for Items<I, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {} items", self.limit)
    }

    // The default would repeat the whole text in its message.
    fn visit_str<E: de::Error>(self, _: &str) -> Result<T, E> {
        Err(E::invalid_type(Unexpected::Other("string"), &self))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<T, S::Error> {
        let mut items = Vec::new();
        loop {
            let next = sequence
                .next_element()
                .inspect_err(|_| blame(&format!("[{}]", items.len())))?;
            let Some(item) = next else { break };
            if items.len() == self.limit {
                return Err(de::Error::custom(format_args!(
                    "expected at most {} items",
                    self.limit
                )));
            }
            items.push(item);
        }
        (self.finish)(items).map_err(de::Error::custom)
    }
}

fn exactly<T, const LENGTH: usize>(items: Vec<T>) -> Result<Vec<T>, String> {
    match items.len() == LENGTH {
        true => Ok(items),
        false => Err(format!(
            "expected a length of {LENGTH}, got {}",
            items.len()
        )),
    }
}

fn bytes(text: &str, limit: usize) -> Result<Vec<u8>, String> {
    let bytes = hex::decode_any(text).ok_or_else(|| wrong("hex", text))?;
    match bytes.len() <= limit {
        true => Ok(bytes),
        false => Err(format!(
            "expected at most {limit} bytes of hex, got {}",
            bytes.len()
        )),
    }
}

fn bits(text: &str, limit: usize) -> Result<Bits, String> {
    let mut bytes = bytes(text, usize::MAX)?;
    let last = match bytes.pop() {
        None | Some(0) => {
            return Err(wrong(
                "a bitlist, with its length bit in the last byte",
                text,
            ));
        }
        Some(last) => last,
    };
    let extra = last.ilog2() as usize;
    let length = 8 * bytes.len() + extra;
    if extra > 0 {
        bytes.push(last & !(1 << extra));
    }
    match length <= limit {
        true => Ok(Bits { bytes, length }),
        false => Err(format!("expected at most {limit} bits, got {length}")),
    }
}

fn preset_bits<const MAINNET: usize, const MINIMAL: usize>(
    text: &str,
) -> Result<PresetBits<MAINNET, MINIMAL>, String> {
    let (mainnet, minimal) = (MAINNET.div_ceil(8), MINIMAL.div_ceil(8));
    let bytes = bytes(text, usize::MAX)?;
    let preset = match bytes.len() {
        length if length == mainnet => Preset::Mainnet,
        length if length == minimal => Preset::Minimal,
        _ => {
            return Err(wrong(
                &format!("{mainnet} bytes of hex, or {minimal} in preset minimal"),
                text,
            ));
        }
    };
    let padding = preset == Preset::Minimal && !MINIMAL.is_multiple_of(8);
    match padding && bytes.last().is_some_and(|last| last >> (MINIMAL % 8) != 0) {
        true => Err(wrong(&format!("no bit above the first {MINIMAL}"), text)),
        false => Ok(PresetBits { bytes, preset }),
    }
}

fn uint256(text: &str) -> Result<Uint256, String> {
    let expected = || wrong("a whole number below 2^256", text);
    if text.is_empty() || text.len() > UINT256_DIGITS_MAX {
        return Err(expected());
    }
    let mut bytes = [0; 32];
    for digit in text.bytes() {
        let mut carry = u16::from(
            digit
                .is_ascii_digit()
                .then(|| digit - b'0')
                .ok_or_else(expected)?,
        );
        for byte in &mut bytes {
            let [low, high] = (10 * u16::from(*byte) + carry).to_le_bytes();
            *byte = low;
            carry = u16::from(high);
        }
        if carry > 0 {
            return Err(expected());
        }
    }
    Ok(Uint256(bytes))
}

/// Digits of 2^256 - 1.
const UINT256_DIGITS_MAX: usize = 78;
