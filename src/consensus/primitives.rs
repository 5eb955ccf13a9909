//! The small types that everything else is made of; inside the program no bare `u64` and no hex text.
//!
//! Source: consensus-specs, `phase0/beacon-chain.md`, "Custom types".

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use crate::hex::{self, HexError};

/// Byte strings of a fixed length: read from and shown as 0x-hex.
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

        impl<'de> Deserialize<'de> for $name {
            #[inline(never)] // dozens of fields call it
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(text(|text| text.parse().map_err(|error: HexError| error.to_string())))
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

        impl<'de> Deserialize<'de> for $name {
            #[inline(never)] // dozens of fields call it
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(NUMBER).map(Self)
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
    pub const NEVER: Self = Self(u64::MAX);
}

/// Reads a scalar: a text by a function of its characters, and what else may stand for it.
pub(super) struct Scalar<T> {
    pub(super) expected: &'static str,
    pub(super) text: fn(&str) -> Result<T, String>,
    pub(super) number: fn(u64) -> Option<T>,
    pub(super) flag: fn(bool) -> Option<T>,
}

/// Reads a text alone.
pub(super) fn text<T>(text: fn(&str) -> Result<T, String>) -> Scalar<T> {
    Scalar {
        expected: "a string",
        text,
        number: |_| None,
        flag: |_| None,
    }
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        (self.number)(number).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        (self.flag)(flag).ok_or_else(|| E::invalid_type(Unexpected::Bool(flag), &self))
    }
}

const NUMBER: Scalar<u64> = Scalar {
    expected: "a whole number from 0 to 18446744073709551615, as a string or number",
    text: |text| {
        // `parse` alone would take a plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.ok_or_else(|| wrong(&format!("a whole number from 0 to {}", u64::MAX), text))
    },
    number: Some,
    flag: |_| None,
};

/// The reason of a field's error.
pub(super) fn wrong(expected: &str, got: &str) -> String {
    format!("expected {expected}, got {:?}", hex::shorten(got))
}
