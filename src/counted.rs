//! Numbers with their noun, for messages.

use std::fmt::Display;

/// Returns the number with its noun: `1 key`, `2 keys`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(
    number: N,
    one: &str,
    many: &str,
) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        for (number, text) in [(0, "0 keys"), (1, "1 key"), (2, "2 keys"), (21, "21 keys")] {
            assert_eq!(counted(number, "key", "keys"), text);
        }
    }
}
