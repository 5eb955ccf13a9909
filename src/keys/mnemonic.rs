//! Mnemonics: words to a seed, in all languages of BIP-39.
//!
//! A user may write words in any case, without accents, or shortened to four letters or more: the first four
//! letters of a word are unique in its language, except in Korean. The checksum of the mnemonic protects
//! against mistakes.
//!
//! Source: BIP-39.

use sha2::{Digest, Sha256, Sha512};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::Zeroizing;

use super::mnemonic_words::WORD_LISTS;
use crate::files;
use crate::files::random;

/// Bits of entropy and checksum that a word stands for.
const WORD_BITS: usize = 11;

/// How many letters of a shortened word are needed.
const LETTERS_MIN: usize = 4;

/// The rounds of PBKDF2 from the words to the seed.
const SEED_ROUNDS: u32 = 2048;

/// The whole words in NFKD, with one space between them.
pub(super) struct Mnemonic(Zeroizing<String>);

impl Mnemonic {
    /// Reads the words and checks them.
    ///
    /// # Errors
    /// What is wrong, with the number of the word; never a word.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = Zeroizing::new(files::trim_text(text).to_lowercase());
        let text: Zeroizing<String> = Zeroizing::new(text.nfkd().collect());
        let words: Vec<&str> = text.split_whitespace().collect();
        if !matches!(words.len(), 12 | 15 | 18 | 21 | 24) {
            return Err(format!(
                "{} words, expected 12, 15, 18, 21 or 24",
                words.len()
            ));
        }
        let mut found: Option<Self> = None;
        let mut has_words = false;
        let mut best = (0, String::new());
        for (language, list) in WORD_LISTS {
            let list: Vec<&str> = list.split_whitespace().collect();
            match find_words(&words, &list) {
                Err((matched, number)) if matched > best.0 => {
                    let reason = format!("word {number} is not in the list of {language}");
                    best = (matched, reason);
                }
                Err(_) => {}
                Ok(indices) if has_checksum(&indices) => {
                    let whole: Vec<&str> = indices.iter().map(|&index| list[index]).collect();
                    let mnemonic = Self(Zeroizing::new(whole.join(" ")));
                    if found.is_some_and(|other| *other.0 != *mnemonic.0) {
                        return Err(
                            "the words fit several languages: write them out whole".to_owned()
                        );
                    }
                    found = Some(mnemonic);
                }
                Ok(_) => has_words = true,
            }
        }
        if let Some(mnemonic) = found {
            return Ok(mnemonic);
        }
        if has_words {
            return Err(
                "the checksum does not fit: a word is wrong or in the wrong place".to_owned(),
            );
        }
        if best.0 == 0 {
            return Err("word 1 is not in any list of BIP-39".to_owned());
        }
        Err(best.1)
    }

    /// Makes a new mnemonic of 24 words in English.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn random() -> Result<Self, String> {
        let entropy = random::<32>()?;
        let checksum = Sha256::digest(*entropy)[0];
        let bits = Zeroizing::new([&entropy[..], &[checksum]].concat());
        let (_, list) = WORD_LISTS[0];
        let list: Vec<&str> = list.split_whitespace().collect();
        let mut words = Vec::new();
        for number in 0..8 * bits.len() / WORD_BITS {
            words.push(list[read_bits(&bits, number * WORD_BITS, WORD_BITS)]);
        }
        Ok(Self(Zeroizing::new(words.join(" "))))
    }

    pub(super) fn words(&self) -> &str {
        &self.0
    }

    /// Derives the seed; the passphrase is normalised here.
    pub(super) fn seed(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        let salt: Zeroizing<String> =
            Zeroizing::new("mnemonic".chars().chain(passphrase.nfkd()).collect());
        let mut seed = Zeroizing::new([0; 64]);
        pbkdf2::pbkdf2_hmac::<Sha512>(self.0.as_bytes(), salt.as_bytes(), SEED_ROUNDS, &mut *seed);
        seed
    }
}

/// Finds the words in a list. An error has the count of those that are in the list, and the number of the first
/// that is not, from 1.
fn find_words(words: &[&str], list: &[&str]) -> Result<Vec<usize>, (usize, usize)> {
    let mut indices = Vec::with_capacity(words.len());
    let mut first_missing = None;
    for (index, word) in words.iter().enumerate() {
        match find_word(word, list) {
            Some(found) => indices.push(found),
            None => {
                first_missing.get_or_insert(index + 1);
            }
        }
    }
    match first_missing {
        None => Ok(indices),
        Some(number) => Err((indices.len(), number)),
    }
}

/// Finds a word: as it is, else without its marks, else as the start of the only word that has it.
fn find_word(word: &str, list: &[&str]) -> Option<usize> {
    if let Some(index) = list.iter().position(|known| *known == word) {
        return Some(index);
    }
    let letters = |text: &str| -> Zeroizing<String> {
        Zeroizing::new(text.chars().filter(|c| !is_combining_mark(*c)).collect())
    };
    let word = letters(word);
    let mut starting = Vec::new();
    for (index, known) in list.iter().enumerate() {
        let known = letters(known);
        if *known == *word {
            return Some(index);
        }
        if known.starts_with(&**word) {
            starting.push(index);
        }
    }
    match starting[..] {
        [index] if word.chars().count() >= LETTERS_MIN => Some(index),
        _ => None,
    }
}

/// Whether the last bits of the words are the first of the SHA-256 of the rest.
fn has_checksum(indices: &[usize]) -> bool {
    let mut bits = Zeroizing::new(vec![0; (indices.len() * WORD_BITS).div_ceil(8)]);
    for (number, index) in indices.iter().enumerate() {
        for bit in 0..WORD_BITS {
            if index >> (WORD_BITS - 1 - bit) & 1 == 1 {
                let position = number * WORD_BITS + bit;
                bits[position / 8] |= 0x80 >> (position % 8);
            }
        }
    }
    let checksum_bits = indices.len() / 3;
    let entropy_bits = indices.len() * WORD_BITS - checksum_bits;
    let hash = Sha256::digest(&bits[..entropy_bits / 8]);
    read_bits(&bits, entropy_bits, checksum_bits) == read_bits(&hash, 0, checksum_bits)
}

/// Reads bits as a number, the first as the highest.
fn read_bits(bytes: &[u8], start: usize, count: usize) -> usize {
    let mut number = 0;
    for position in start..start + count {
        let bit = bytes[position / 8] >> (7 - position % 8) & 1;
        number = number << 1 | usize::from(bit);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_of_all_languages_give_the_seed_of_the_reference() {
        for language in bip39::Language::ALL {
            for bytes in [16, 20, 24, 28, 32] {
                let entropy = vec![0x5a + u8::try_from(bytes).unwrap(); bytes];
                let reference = bip39::Mnemonic::from_entropy_in(*language, &entropy).unwrap();
                let words = reference.to_string();
                let upper = words.to_uppercase();
                for given in [&words, &upper, &format!("\u{feff}{words}\r\n")] {
                    let mnemonic = Mnemonic::parse(given);
                    let mnemonic = mnemonic.unwrap_or_else(|error| panic!("{language}: {error}"));
                    assert_eq!(*mnemonic.seed("pässword"), reference.to_seed("pässword"));
                }
            }
        }
    }

    #[test]
    fn four_letters_of_a_word_are_enough_and_accents_may_be_left_out() {
        for language in bip39::Language::ALL {
            if language.to_string() == "Korean" {
                continue;
            }
            let reference = bip39::Mnemonic::from_entropy_in(*language, &[0x2b; 32]).unwrap();
            let mut short = Vec::new();
            for word in reference.words() {
                let letters = word.nfkd().filter(|c| !is_combining_mark(*c));
                short.push(letters.take(4).collect::<String>());
            }
            let mnemonic = Mnemonic::parse(&short.join(" "));
            let mnemonic = mnemonic.unwrap_or_else(|error| panic!("{language}: {error}"));
            assert_eq!(*mnemonic.seed(""), reference.to_seed(""), "{language}");
        }
    }

    #[test]
    fn an_error_names_the_number_of_the_word_and_never_the_word() {
        let good = "abandon ".repeat(11);
        for (words, expected) in [
            (good.clone() + "about", ""),
            (
                good.clone() + "xyzzy",
                "word 12 is not in the list of English",
            ),
            (
                "xyzzy ".to_owned() + &good,
                "word 1 is not in the list of English",
            ),
            ("abc".repeat(4), "1 words, expected 12"),
            (good.clone() + "abandon", "the checksum does not fit"),
            ("xyzzy ".repeat(12), "word 1 is not in any list"),
        ] {
            let error = Mnemonic::parse(&words).err().unwrap_or_default();
            assert!(error.starts_with(expected), "{error}");
            assert!(error.is_empty() == expected.is_empty(), "{error}");
        }
    }

    #[test]
    fn a_new_mnemonic_is_valid_and_each_differs() {
        let first = Mnemonic::random().unwrap();
        let second = Mnemonic::random().unwrap();
        assert_ne!(first.words(), second.words());
        let parsed = bip39::Mnemonic::parse(first.words()).unwrap();
        assert_eq!(parsed.word_count(), 24);
        assert_eq!(*first.seed(""), parsed.to_seed(""));
    }
}
