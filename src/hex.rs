//! Hex with the prefix `0x`, the notation of every Ethereum API.
//!
//! Reading takes both cases, with or without the prefix. Writing gives lower case with it.

use std::fmt;

/// A text that is not the hex of the expected number of bytes. Shows at most [`SHOWN_CHARS_MAX`] of it.
#[derive(Debug, PartialEq, Eq)]
pub struct HexError {
    expected_bytes: usize,
    found: String,
}

/// The most characters of a wrong value that an error message repeats: a whole public key.
pub(crate) const SHOWN_CHARS_MAX: usize = 98;

/// Decodes exactly `N` bytes.
///
/// # Errors
/// When the length differs or a character is not a hex digit.
pub fn decode<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let digits = strip_prefix(text);
    let mut bytes = [0; N];
    if const_hex::check_raw(digits) && const_hex::decode_to_slice(digits, &mut bytes).is_ok() {
        return Ok(bytes);
    }
    Err(HexError {
        expected_bytes: N,
        found: shorten(text),
    })
}

/// Decodes any number of bytes; `None` when the text is not hex.
pub(crate) fn decode_any(text: &str) -> Option<Vec<u8>> {
    let digits = strip_prefix(text);
    if !const_hex::check_raw(digits) {
        return None;
    }
    const_hex::decode(digits).ok()
}

/// Encodes bytes as `0x` and lower-case digits.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    const_hex::encode_prefixed(bytes)
}

/// Returns at most [`SHOWN_CHARS_MAX`] characters of a text, for a message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn strip_prefix(text: &str) -> &str {
    text.strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text)
}

impl fmt::Display for HexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.expected_bytes;
        let digits = 2 * bytes;
        write!(
            f,
            "expected {bytes} bytes of hex ({digits} digits), got {:?}",
            self.found
        )
    }
}

impl std::error::Error for HexError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_both_cases_with_and_without_prefix() {
        for text in ["0x0aff", "0aff", "0x0AFF", "0X0Aff"] {
            assert_eq!(decode::<2>(text), Ok([0x0a, 0xff]), "{text}");
        }
    }

    #[test]
    fn hex_of_any_other_length_is_refused() {
        for text in [
            "", "0x", "0x0", "0x0a", "0x0aff0", "0x0aff00", "0x0a g", "0x0x0a", "0x0１",
        ] {
            assert!(decode::<2>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_wrong_value_is_cut_in_the_message() {
        let error = decode::<2>(&"a".repeat(100_000)).expect_err("too long");
        assert!(error.to_string().len() < 400);
    }
}
