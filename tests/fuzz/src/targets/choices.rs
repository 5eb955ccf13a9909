//! The input of a target as a source of choices: a mutation of the bytes is a mutation of what is chosen.

pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte; 0 at the end, so that every input ends.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `end`, which is at most 256.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A number of 64 bits: mostly a small one, sometimes any.
    pub(crate) fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => u64::MAX - u64::from(self.byte()),
            1 | 2 => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            3 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            _ => u64::from(self.byte()),
        }
    }

    /// Bytes that differ with few choices.
    pub(crate) fn fill(&mut self, length: usize) -> Vec<u8> {
        let seed = self.byte();
        let step = self.byte();
        let mut value = seed;
        let mut bytes = Vec::with_capacity(length);
        for _ in 0..length {
            bytes.push(value);
            value = value.wrapping_mul(5).wrapping_add(step);
        }
        bytes
    }

    /// What is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }
}
