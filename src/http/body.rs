//! Takes a body off the wire piece by piece, as its [`Framing`] says (RFC 9112, sections 6.3 and 7.1).
//!
//! Extensions of chunks and trailer fields are checked, bounded and forgotten.

use super::HttpError;
use super::request::Framing;

/// All chunk extensions and trailer fields of one request together: nobody sends any to a signer, and
/// without a bound they would be a body that no limit counts.
pub const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// Hex digits of a chunk size after its leading zeros: 8 are 4 GiB, more than any body may have, and
/// cannot overflow.
const SIZE_DIGITS_MAX: u32 = 8;

/// The decoder of one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    is_chunked: bool,
    extra_bytes: usize,
}

/// What [`Decoder::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Some bytes of the body.
    Data(&'a [u8]),
    /// All input is used up, and the body is not complete.
    NeedsMore,
    /// The body is complete; what is left of the input belongs to the next request.
    End,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size { size: u64, digits: u32 },
    SpaceBeforeExtension { size: u64 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl Decoder {
    /// A decoder at the first byte of a body.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Absent | Framing::Length(0) => State::Done,
            Framing::Length(left) => State::Data { left },
            Framing::Chunked => State::Size { size: 0, digits: 0 },
        };
        Self {
            state,
            is_chunked: framing == Framing::Chunked,
            extra_bytes: 0,
        }
    }

    /// Takes the next part off the front of `input`.
    ///
    /// # Errors
    /// 400 when the coding is broken, 413 when a chunk or the trailer is too large.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Part<'a>, HttpError> {
        loop {
            if let State::Done = self.state {
                return Ok(Part::End);
            }
            if let State::Data { left } = self.state
                && !input.is_empty()
            {
                let length =
                    usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                let (data, rest) = input.split_at(length);
                *input = rest;
                let left = left - length as u64;
                self.state = match left {
                    0 if self.is_chunked => State::DataCr,
                    0 => State::Done,
                    left => State::Data { left },
                };
                return Ok(Part::Data(data));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Part::NeedsMore);
            };
            *input = rest;
            self.state = self.step(byte)?;
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, HttpError> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => self.size_step(size, digits, byte)?,
            (State::SpaceBeforeExtension { .. }, b' ' | b'\t') => self.extra(byte, self.state)?,
            (State::SpaceBeforeExtension { size }, b';') => State::Extension { size },
            (State::Extension { size }, b'\r') => State::SizeLf { size },
            (State::Extension { .. }, _) => self.extra(byte, self.state)?,
            (State::SizeLf { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerName, b':') => self.extra(byte, State::TrailerValue)?,
            (State::TrailerStart | State::TrailerName, byte) if is_token_byte(byte) => {
                self.extra(byte, State::TrailerName)?
            }
            (State::TrailerStart | State::TrailerName, _) => {
                return Err(bad(
                    "a trailer field's name is followed by no colon, or is no token",
                ));
            }
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, _) => self.extra(byte, State::TrailerValue)?,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            (State::Done, _) => State::Done,
            (State::DataCr | State::DataLf, _) => {
                return Err(bad("a chunk is longer than its size"));
            }
            (State::SpaceBeforeExtension { .. }, _) => return Err(bad("a chunk size has no end")),
            (State::Data { .. } | State::SizeLf { .. } | State::TrailerLf | State::EndLf, _) => {
                return Err(bad("a line of the chunked coding does not end with CR LF"));
            }
        })
    }

    /// Digits beyond the eighth, zeros in front of the size, count as extra bytes.
    fn size_step(&mut self, size: u64, digits: u32, byte: u8) -> Result<State, HttpError> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if size >> (4 * (SIZE_DIGITS_MAX - 1)) != 0 {
                let message = format!("a chunk size of more than {SIZE_DIGITS_MAX} digits");
                return Err(HttpError::new(413, message));
            }
            let next = State::Size {
                size: size * 16 + u64::from(digit),
                digits: digits.saturating_add(1),
            };
            return if digits < SIZE_DIGITS_MAX {
                Ok(next)
            } else {
                self.extra(byte, next)
            };
        }
        match byte {
            _ if digits == 0 => Err(bad("a chunk size must begin with a hex digit")),
            b'\r' => Ok(State::SizeLf { size }),
            b';' => Ok(State::Extension { size }),
            b' ' | b'\t' => Ok(State::SpaceBeforeExtension { size }),
            _ => Err(bad("a chunk size must consist of hex digits")),
        }
    }

    /// Counts one byte that is not kept, and stays in `state`.
    fn extra(&mut self, byte: u8, state: State) -> Result<State, HttpError> {
        self.extra_bytes += 1;
        if self.extra_bytes > EXTRA_BYTES_MAX {
            let message =
                format!("chunk extensions and trailer are longer than {EXTRA_BYTES_MAX} bytes");
            return Err(HttpError::new(413, message));
        }
        match byte {
            b'\t' | b' '..=0x7e | 0x80.. => Ok(state),
            0..=0x1f | 0x7f => Err(bad("a control character in a chunk extension or trailer")),
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn bad(message: &'static str) -> HttpError {
    HttpError::new(400, message)
}
