//! Takes a body off the wire piece by piece, as its [`Framing`] says (RFC 9112, sections 6.3 and 7.1).
//!
//! Extensions of chunks and trailer fields are checked, bounded and forgotten.

use super::Refused;
use super::request::Framing;

/// All chunk extensions and trailer fields of one request together: nobody sends any to a signer, and
/// without a bound they would be a body that no limit counts.
pub const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// Hex digits of a chunk size: 8 are 4 GiB, more than any body may have, and cannot overflow.
const SIZE_DIGITS_MAX: u8 = 8;

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
    Size { size: u64, digits: u8 },
    SpaceBeforeExtension { size: u64 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
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
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Part<'a>, Refused> {
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

    fn step(&mut self, byte: u8) -> Result<State, Refused> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => size_step(size, digits, byte)?,
            (State::SpaceBeforeExtension { .. }, b' ' | b'\t') => self.extra(byte, self.state)?,
            (State::SpaceBeforeExtension { size }, b';') => State::Extension { size },
            (State::Extension { size }, b'\r') => State::SizeLf { size },
            (State::Extension { .. }, _) => self.extra(byte, self.state)?,
            (State::SizeLf { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart, b' ' | b'\t' | b':') => {
                return Err(bad("a trailer field without a name"));
            }
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, _) => self.extra(byte, State::Trailer)?,
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

    /// Counts one byte that is not kept, and stays in `state`.
    fn extra(&mut self, byte: u8, state: State) -> Result<State, Refused> {
        self.extra_bytes += 1;
        if self.extra_bytes > EXTRA_BYTES_MAX {
            let message =
                format!("chunk extensions and trailer are longer than {EXTRA_BYTES_MAX} bytes");
            return Err(Refused::new(413, message));
        }
        match byte {
            b'\t' | b' '..=0x7e | 0x80.. => Ok(state),
            0..=0x1f | 0x7f => Err(bad("a control character in a chunk extension or trailer")),
        }
    }
}

fn size_step(size: u64, digits: u8, byte: u8) -> Result<State, Refused> {
    if let Some(digit) = char::from(byte).to_digit(16) {
        return match digits < SIZE_DIGITS_MAX {
            true => Ok(State::Size {
                size: size * 16 + u64::from(digit),
                digits: digits + 1,
            }),
            false => Err(Refused::new(
                413,
                format!("a chunk size of more than {SIZE_DIGITS_MAX} digits"),
            )),
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

fn bad(message: &'static str) -> Refused {
    Refused::new(400, message)
}
