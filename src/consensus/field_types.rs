//! The types of fields beside the primitives: lists, bits and bytes. Each is read from JSON with its
//! limit checked, so that hashing cannot fail.

use super::json_tree::{FieldError, FromJson, JsonValue};
use super::network::Preset;
use super::primitives::{Root, wrong};
use super::ssz::{self, HashTreeRoot};
use crate::hex;

/// A list of at most `LIMIT` items.
pub(super) struct List<T, const LIMIT: usize>(Vec<T>);

/// A vector of exactly `LENGTH` items.
pub(super) struct Vector<T, const LENGTH: usize>(Vec<T>);

/// An EIP-7916 list: unlimited in the specification, here by [`PROGRESSIVE_ITEMS_MAX`].
pub(super) struct ProgressiveList<T>(Vec<T>);

/// Exactly `LENGTH` bytes.
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
    /// The number of bits.
    pub(super) length: usize,
}

/// A vector of bits whose length shows the preset: `MAINNET` or `MINIMAL` bits.
pub(super) struct PresetBits<const MAINNET: usize, const MINIMAL: usize> {
    bytes: Vec<u8>,
    /// The preset that has this number of bits.
    pub(super) preset: Preset,
}

/// `true` or `false`.
pub(super) struct Flag(bool);

/// A number of 256 bits, little-endian.
pub(super) struct Uint256([u8; 32]);

/// The most items that are read of an unlimited list. A payload of 200 million gas has room for 9,524
/// transactions, so this only bounds the memory that a hostile body takes.
const PROGRESSIVE_ITEMS_MAX: usize = 1 << 18;

impl<T: FromJson, const LIMIT: usize> FromJson for List<T, LIMIT> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        items(value, LIMIT).map(Self)
    }
}

impl<T: HashTreeRoot, const LIMIT: usize> HashTreeRoot for List<T, LIMIT> {
    fn hash_tree_root(&self) -> Root {
        ssz::list(T::chunks(&self.0), self.0.len(), LIMIT, T::PER_CHUNK)
    }
}

impl<T: FromJson, const LENGTH: usize> FromJson for Vector<T, LENGTH> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        exactly(items(value, LENGTH)?, LENGTH).map(Self)
    }
}

impl<T: HashTreeRoot, const LENGTH: usize> HashTreeRoot for Vector<T, LENGTH> {
    fn hash_tree_root(&self) -> Root {
        ssz::container(&mut T::chunks(&self.0))
    }
}

impl<T: FromJson> FromJson for ProgressiveList<T> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        items(value, PROGRESSIVE_ITEMS_MAX).map(Self)
    }
}

impl<T: HashTreeRoot> HashTreeRoot for ProgressiveList<T> {
    fn hash_tree_root(&self) -> Root {
        ssz::progressive_list(T::chunks(&self.0), self.0.len())
    }
}

impl<const LENGTH: usize> FromJson for ByteVector<LENGTH> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        let bytes = value.read_text(|text| bytes(text, LENGTH))?;
        exactly(bytes, LENGTH).map(Self)
    }
}

impl<const LENGTH: usize> HashTreeRoot for ByteVector<LENGTH> {
    fn hash_tree_root(&self) -> Root {
        ssz::container(&mut ssz::pack(&self.0))
    }
}

impl<const LIMIT: usize> FromJson for ByteList<LIMIT> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(|text| bytes(text, LIMIT)).map(Self)
    }
}

impl<const LIMIT: usize> HashTreeRoot for ByteList<LIMIT> {
    fn hash_tree_root(&self) -> Root {
        ssz::list(ssz::pack(&self.0), self.0.len(), LIMIT, 32)
    }
}

impl FromJson for ProgressiveBytes {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(|text| bytes(text, usize::MAX)).map(Self)
    }
}

impl HashTreeRoot for ProgressiveBytes {
    fn hash_tree_root(&self) -> Root {
        ssz::progressive_list(ssz::pack(&self.0), self.0.len())
    }
}

impl<const LIMIT: usize> FromJson for Bitlist<LIMIT> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(|text| bits(text, LIMIT)).map(Self)
    }
}

impl<const LIMIT: usize> HashTreeRoot for Bitlist<LIMIT> {
    fn hash_tree_root(&self) -> Root {
        self.0.root(LIMIT)
    }
}

impl FromJson for ProgressiveBitlist {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(|text| bits(text, usize::MAX)).map(Self)
    }
}

impl HashTreeRoot for ProgressiveBitlist {
    fn hash_tree_root(&self) -> Root {
        ssz::progressive_list(ssz::pack(&self.0.bytes), self.0.length)
    }
}

impl Bits {
    /// Root of a bitlist of at most `limit` bits.
    pub(super) fn root(&self, limit: usize) -> Root {
        ssz::list(ssz::pack(&self.bytes), self.length, limit, 256)
    }
}

impl<const MAINNET: usize, const MINIMAL: usize> FromJson for PresetBits<MAINNET, MINIMAL> {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        value.read_text(preset_bits)
    }
}

impl<const MAINNET: usize, const MINIMAL: usize> HashTreeRoot for PresetBits<MAINNET, MINIMAL> {
    fn hash_tree_root(&self) -> Root {
        ssz::container(&mut ssz::pack(&self.bytes))
    }
}

impl FromJson for Flag {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        let boolean = value.boolean();
        boolean
            .map(Self)
            .ok_or_else(|| value.unexpected("true or false without quotes"))
    }
}

impl HashTreeRoot for Flag {
    fn hash_tree_root(&self) -> Root {
        Root(ssz::number(u64::from(self.0)))
    }
}

impl FromJson for Uint256 {
    fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
        if let Some(number) = value.number() {
            return uint256(&number).map_err(FieldError::new);
        }
        value.read_text(uint256)
    }
}

impl HashTreeRoot for Uint256 {
    fn hash_tree_root(&self) -> Root {
        Root(self.0)
    }
}

/// Reads an array of at most `limit` items.
fn items<T: FromJson>(value: JsonValue<'_>, limit: usize) -> Result<Vec<T>, FieldError> {
    let mut items = Vec::new();
    value.for_each_item(|index, item| {
        if index == limit {
            return Err(FieldError::new(format!("expected at most {limit} items")));
        }
        let item = T::from_json(item).map_err(|error| error.at(&format!("[{index}]")))?;
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

fn exactly<T>(items: Vec<T>, length: usize) -> Result<Vec<T>, FieldError> {
    if items.len() != length {
        let found = items.len();
        let reason = format!("expected a length of {length}, got {found}");
        return Err(FieldError::new(reason));
    }
    Ok(items)
}

fn bytes(text: &str, limit: usize) -> Result<Vec<u8>, String> {
    let bytes = hex::decode_any(text).ok_or_else(|| wrong("hex", text))?;
    if bytes.len() > limit {
        let found = bytes.len();
        return Err(format!(
            "expected at most {limit} bytes of hex, got {found}"
        ));
    }
    Ok(bytes)
}

fn bits(text: &str, limit: usize) -> Result<Bits, String> {
    let mut bytes = bytes(text, usize::MAX)?;
    let last = bytes.pop().unwrap_or(0);
    if last == 0 {
        let expected = "a bitlist, with its length bit in the last byte";
        return Err(wrong(expected, text));
    }
    let extra = last.ilog2() as usize;
    let length = 8 * bytes.len() + extra;
    if length > limit {
        return Err(format!("expected at most {limit} bits, got {length}"));
    }
    if extra > 0 {
        bytes.push(last & !(1 << extra));
    }
    Ok(Bits { bytes, length })
}

fn preset_bits<const MAINNET: usize, const MINIMAL: usize>(
    text: &str,
) -> Result<PresetBits<MAINNET, MINIMAL>, String> {
    let mainnet = MAINNET.div_ceil(8);
    let minimal = MINIMAL.div_ceil(8);
    let bytes = bytes(text, usize::MAX)?;
    let preset = if bytes.len() == mainnet {
        Preset::Mainnet
    } else if bytes.len() == minimal {
        Preset::Minimal
    } else {
        let expected = format!("{mainnet} bytes of hex, or {minimal} in preset minimal");
        return Err(wrong(&expected, text));
    };
    let has_padding = preset == Preset::Minimal && !MINIMAL.is_multiple_of(8);
    if has_padding && bytes[minimal - 1] >> (MINIMAL % 8) != 0 {
        return Err(wrong(&format!("no bit above the first {MINIMAL}"), text));
    }
    Ok(PresetBits { bytes, preset })
}

fn uint256(text: &str) -> Result<Uint256, String> {
    let expected = "a whole number below 2^256";
    if text.is_empty() || text.len() > UINT256_DIGITS_MAX {
        return Err(wrong(expected, text));
    }
    let mut bytes = [0; 32];
    for digit in text.bytes() {
        if !digit.is_ascii_digit() {
            return Err(wrong(expected, text));
        }
        let mut carry = u16::from(digit - b'0');
        for byte in &mut bytes {
            let [low, high] = (10 * u16::from(*byte) + carry).to_le_bytes();
            *byte = low;
            carry = u16::from(high);
        }
        if carry > 0 {
            return Err(wrong(expected, text));
        }
    }
    Ok(Uint256(bytes))
}

/// Digits of 2^256 - 1.
const UINT256_DIGITS_MAX: usize = 78;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uint256_is_a_whole_number_below_2_to_the_256() {
        let largest =
            "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        let beyond =
            "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        let with_zeros = format!("00{}", &largest[..76]);
        let with_too_many_zeros = format!("{}1", "0".repeat(UINT256_DIGITS_MAX));
        let mut bytes = [0; 32];
        bytes[0] = 1;
        for (text, number) in [
            ("0", Some([0; 32])),
            ("1", Some(bytes)),
            (largest, Some([0xff; 32])),
            (beyond, None),
            (&"9".repeat(UINT256_DIGITS_MAX), None),
            (&with_too_many_zeros, None),
            ("", None),
            ("-1", None),
            ("0x1", None),
        ] {
            let found = uint256(text).ok().map(|number| number.0);
            assert_eq!(found, number, "{text}");
        }
        assert!(uint256(&with_zeros).is_ok(), "{with_zeros}");
    }
}
