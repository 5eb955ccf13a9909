//! Passwords: the normalisation of EIP-2335, and the variants that are tried when a password does not fit.
//!
//! Other tools have written keystores with a password that differs from the text in its file: they removed
//! white space around it, or a byte order mark, or combining marks. A variant is tried only after the password
//! itself, and only if it differs. So a plain ASCII password costs one derivation, whether it fits or not.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::Zeroizing;

use super::keystore_error::{KeystoreError, PASSWORD_BYTES_MAX};

/// The longest password before it is normalised: NFKD shortens a character of four bytes to one at best.
pub(crate) const RAW_PASSWORD_BYTES_MAX: usize = 4 * PASSWORD_BYTES_MAX;

/// The character that editors of Windows put at the start of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// How the password that opens a keystore differs from the given text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordVariant {
    /// As EIP-2335 says.
    AsGiven,
    /// Without white space around it, as py3signer reads it.
    Trimmed,
    WithoutByteOrderMark,
    WithoutByteOrderMarkTrimmed,
    /// Without combining marks after NFKD, as old versions of wealdtech's Go library did (ethdo, Prysm).
    WithoutCombiningMarks,
}

impl PasswordVariant {
    /// All variants, in the order in which they are tried.
    pub(super) const ALL: [Self; 5] = [
        Self::AsGiven,
        Self::Trimmed,
        Self::WithoutByteOrderMark,
        Self::WithoutByteOrderMarkTrimmed,
        Self::WithoutCombiningMarks,
    ];

    /// Makes this variant of a password: normalised, ready for the derivation.
    ///
    /// # Errors
    /// [`KeystoreError::PasswordLength`].
    pub(super) fn normalise(self, password: &str) -> Result<Zeroizing<String>, KeystoreError> {
        if password.len() > RAW_PASSWORD_BYTES_MAX {
            return Err(KeystoreError::PasswordLength);
        }
        let without_mark = password.trim_start_matches(BYTE_ORDER_MARK);
        let text = match self {
            Self::AsGiven => password,
            Self::Trimmed => password.trim(),
            Self::WithoutByteOrderMark => without_mark,
            Self::WithoutByteOrderMarkTrimmed | Self::WithoutCombiningMarks => without_mark.trim(),
        };
        let mut normalised = Zeroizing::new(String::with_capacity(2 * text.len()));
        for character in text.nfkd() {
            let is_dropped = self == Self::WithoutCombiningMarks && is_combining_mark(character);
            // This removes C0, C1 and Delete, and so line ends. Spaces stay.
            if !is_dropped && !character.is_control() {
                normalised.push(character);
            }
        }
        // One character may become 18 (UAX #15), so the length is checked again.
        if normalised.len() > PASSWORD_BYTES_MAX {
            return Err(KeystoreError::PasswordLength);
        }
        Ok(normalised)
    }
}

impl fmt::Display for PasswordVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsGiven => "as given",
            Self::Trimmed => "without the white space around it",
            Self::WithoutByteOrderMark => "without its byte order mark",
            Self::WithoutByteOrderMarkTrimmed => {
                "without its byte order mark and the white space around it"
            }
            Self::WithoutCombiningMarks => "without its combining marks, as old Go tools wrote it",
        })
    }
}
