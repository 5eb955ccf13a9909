//! The small types that everything else consists of, so that no function takes a bare `u64` or hex text.
//!
//! Source: consensus-specs, `phase0/beacon-chain.md`, "Custom types".

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::json_tree::{FieldError, FromJson, JsonValue};
use crate::hex::{self, HexError};

/// Byte strings of a fixed length, read from and shown as 0x-hex.
macro_rules! bytes {
    ($($(#[$doc:meta])* $name:ident: $length:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl std::str::FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> {
                hex::decode(text).map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromJson for $name {
            fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
                value.read_text(|text| text.parse().map_err(|error: HexError| error.to_string()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(HexVisitor).map(Self)
            }
        }
    )*};
}

bytes! {
    /// 32 bytes: a hash tree root, a signing root, a genesis validators root.
    Root: 32;
    /// 4 bytes: the version of a fork.
    Version: 4;
    /// 4 bytes: what a signature is for.
    DomainType: 4;
    /// 32 bytes: domain type and the first 28 bytes of the fork data root.
    Domain: 32;
    /// 20 bytes: an address of the execution layer.
    Address: 20;
    /// 48 bytes: a compressed point of BLS12-381's G1.
    PublicKey: 48;
    /// 96 bytes: a compressed point of BLS12-381's G2.
    Signature: 96;
}

impl Root {
    /// The zero root, of domains that name no network.
    pub const ZERO: Self = Self([0; 32]);
}

/// Numbers: read from a decimal string, as the specification writes them, or a JSON number.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromJson for $name {
            fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
                if let Some(number) = value.number() {
                    return whole_number(&number).map(Self).map_err(FieldError::new);
                }
                let text = value.text().ok_or_else(|| value.unexpected(WHOLE_NUMBER))?;
                whole_number(&text).map(Self).map_err(FieldError::new)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(NumberVisitor).map(Self)
            }
        }
    )*};
}

numbers! {
    /// A slot, counted from genesis.
    Slot;
    /// An epoch, counted from genesis. `u64::MAX` means "never".
    Epoch;
    /// Any other number of a container: an index, an amount in Gwei, a time stamp, a gas limit.
    Uint64;
}

impl Epoch {
    /// The epoch that never comes: `FAR_FUTURE_EPOCH`.
    pub(crate) const NEVER: Self = Self(u64::MAX);
}

/// What a reader of numbers takes, for messages.
const WHOLE_NUMBER: &str = "a whole number from 0 to 18446744073709551615, as a string or number";

/// Reads decimal digits. `str::parse` alone would take a plus sign.
fn whole_number(text: &str) -> Result<u64, String> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_decimal => Ok(number),
        Ok(_) | Err(_) => Err(wrong(WHOLE_NUMBER, text)),
    }
}

/// Reads `N` bytes of hex.
struct HexVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        hex::decode(text).map_err(E::custom)
    }
}

/// Reads a number or a string of decimal digits.
struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHOLE_NUMBER)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        whole_number(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }
}

/// The reason of a field's error, with the value that was found.
pub(super) fn wrong(expected: &str, found: &str) -> String {
    format!("expected {expected}, got {:?}", hex::shorten(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_a_number_or_from_digits_and_a_root_from_hex() {
        for (json, expected) in [
            ("5", Some(5)),
            ("18446744073709551615", Some(u64::MAX)),
            ("\"5\"", Some(5)),
            ("-5", None),
            ("\"+5\"", None),
            ("\"\"", None),
        ] {
            let found = serde_json::from_str::<Slot>(json).ok();
            assert_eq!(found, expected.map(Slot), "{json}");
        }
        let error = serde_json::from_str::<Slot>("true").expect_err("no number");
        assert!(error.to_string().contains(WHOLE_NUMBER), "{error}");
        let error = serde_json::from_str::<Root>("true").expect_err("no hex");
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
