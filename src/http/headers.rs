//! The header fields of a request, looked up by name in the bytes of its head.

use std::ops::Range;

/// Header fields in their order, as sent.
#[derive(Default)]
pub struct Headers {
    /// The whole head.
    pub(super) bytes: Vec<u8>,
    pub(super) fields: Vec<FieldPosition>,
    /// The marks of all names. They save the search for most names that are absent.
    pub(super) marks: u64,
}

/// Where a field's name and value are in the head.
pub(super) struct FieldPosition {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

impl Headers {
    /// Returns the values of all fields of this name, whatever its case. A value that is not UTF-8 counts
    /// as empty: bytes above 0x7f have no agreed meaning (RFC 9110, section 5.5).
    pub(crate) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.raw_values(name)
            .map(|value| std::str::from_utf8(value).unwrap_or_default())
    }

    pub(super) fn raw_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_absent = self.marks & mark(name.as_bytes()) == 0;
        let fields = if is_absent { &[] } else { &self.fields[..] };
        fields
            .iter()
            .filter(|field| self.at(&field.name).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| self.at(&field.value))
    }

    fn at(&self, position: &Range<usize>) -> &[u8] {
        &self.bytes[position.clone()]
    }

    /// Returns the members of a list field, over all its lines (RFC 9110, section 5.6.1). Only spaces and
    /// tabs around a member are dropped: other readers do not take Unicode's other spaces for such.
    pub(super) fn tokens<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.raw_values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(without_spaces)
            .filter(|token| !token.is_empty())
    }

    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name)
            .any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
    }
}

fn without_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Returns one bit of 64, chosen by length and first letter.
pub(super) const fn mark(name: &[u8]) -> u64 {
    match name {
        [] => 1,
        [first, ..] => 1 << ((name.len() + (*first | 0x20) as usize) % 64),
    }
}
