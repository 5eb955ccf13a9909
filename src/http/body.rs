//! Reads a message body off the wire piece by piece, as its [`BodyFraming`] asks (RFC 9112, sections 6.3
//! and 7.1).
//!
//! Chunk extensions and trailer fields are checked and counted, but not kept.

use super::HttpError;
use super::request::BodyFraming;

/// Most bytes of chunk extensions and trailer fields in one request. Clients of a signer send none, and
/// without a limit they would be a second body that no other limit counts.
const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// Most hex digits of a chunk size after its leading zeros. Eight digits reach 4 GiB, more than any body
/// may have, and cannot overflow.
const SIZE_DIGITS_MAX: u32 = 8;

/// Decodes one body.
#[derive(Debug)]
pub(crate) struct BodyDecoder {
    state: DecoderState,
    is_chunked: bool,
    extra_bytes: usize,
}

/// What [`BodyDecoder::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyPart<'a> {
    /// Some bytes of the body.
    Data(&'a [u8]),
    /// All input is used, and the body is not complete.
    NeedsMore,
    /// The body is complete. The rest of the input belongs to the next request.
    End,
}

/// What the decoder expects next.
#[derive(Clone, Copy, Debug)]
enum DecoderState {
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

impl BodyDecoder {
    /// Creates a decoder that stands before the first byte of a body.
    pub(crate) fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::Absent | BodyFraming::Length(0) => DecoderState::Done,
            BodyFraming::Length(left) => DecoderState::Data { left },
            BodyFraming::Chunked => DecoderState::Size { size: 0, digits: 0 },
        };
        Self {
            state,
            is_chunked: framing == BodyFraming::Chunked,
            extra_bytes: 0,
        }
    }

    /// Takes the next part off the front of `input`.
    ///
    /// # Errors
    /// 400 when the coding is broken, 413 when a chunk or the trailer is too large.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<BodyPart<'a>, HttpError> {
        loop {
            if let DecoderState::Done = self.state {
                return Ok(BodyPart::End);
            }
            if let DecoderState::Data { left } = self.state
                && !input.is_empty()
            {
                return Ok(BodyPart::Data(self.take_data(left, input)));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(BodyPart::NeedsMore);
            };
            *input = rest;
            self.state = self.step(byte)?;
        }
    }

    /// Takes up to `left` bytes of the body, or of the current chunk.
    fn take_data<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> &'a [u8] {
        let length = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (data, rest) = input.split_at(length);
        *input = rest;
        let left = left - length as u64;
        self.state = if left > 0 {
            DecoderState::Data { left }
        } else if self.is_chunked {
            DecoderState::DataCr
        } else {
            DecoderState::Done
        };
        data
    }

    /// Takes one byte that is not data.
    fn step(&mut self, byte: u8) -> Result<DecoderState, HttpError> {
        use DecoderState as State;
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
                    "expected a trailer field: a name of token characters and a colon",
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
            (State::SpaceBeforeExtension { .. }, _) => {
                return Err(bad("expected ; or the end of the line after a chunk size"));
            }
            (State::Data { .. } | State::SizeLf { .. } | State::TrailerLf | State::EndLf, _) => {
                return Err(bad("a line of the chunked coding does not end with CR LF"));
            }
        })
    }

    /// Takes one byte of a chunk size. Leading zeros beyond the eighth digit count as extra bytes.
    fn size_step(&mut self, size: u64, digits: u32, byte: u8) -> Result<DecoderState, HttpError> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if size >> (4 * (SIZE_DIGITS_MAX - 1)) != 0 {
                let message = format!("a chunk size has more than {SIZE_DIGITS_MAX} digits");
                return Err(HttpError::new(413, message));
            }
            let next = DecoderState::Size {
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
            b'\r' => Ok(DecoderState::SizeLf { size }),
            b';' => Ok(DecoderState::Extension { size }),
            b' ' | b'\t' => Ok(DecoderState::SpaceBeforeExtension { size }),
            _ => Err(bad("a chunk size must consist of hex digits")),
        }
    }

    /// Counts one byte that is not kept, and goes on in `state`.
    fn extra(&mut self, byte: u8, state: DecoderState) -> Result<DecoderState, HttpError> {
        self.extra_bytes += 1;
        if self.extra_bytes > EXTRA_BYTES_MAX {
            let message =
                format!("chunk extensions and trailer are longer than {EXTRA_BYTES_MAX} bytes");
            return Err(HttpError::new(413, message));
        }
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(bad(
                "a chunk extension or trailer field holds a control character",
            ));
        }
        Ok(state)
    }
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn bad(message: &'static str) -> HttpError {
    HttpError::new(400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let mut body = Vec::new();
        loop {
            match decoder.next(&mut input).map_err(|error| error.status)? {
                BodyPart::Data(data) => body.extend_from_slice(data),
                BodyPart::NeedsMore => return Ok(None),
                BodyPart::End => return Ok(Some((body, input.len()))),
            }
        }
    }

    #[test]
    fn a_body_decodes_alike_however_it_is_cut() {
        let wire = b"3;a=b\r\nabc\r\n0A \t;c\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET";
        assert_eq!(decode(wire), Ok(Some((b"abc0123456789".to_vec(), 3))));
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let mut body = Vec::new();
        for byte in wire.chunks(1) {
            let mut input = byte;
            while let BodyPart::Data(data) = decoder.next(&mut input).expect("valid") {
                body.extend_from_slice(data);
            }
        }
        assert_eq!(body, b"abc0123456789");
    }

    #[test]
    fn a_broken_coding_is_refused() {
        let endless = format!("1;{}", "x".repeat(EXTRA_BYTES_MAX + 1));
        for (wire, status) in [
            ("\r\n", 400),
            ("g\r\n", 400),
            ("-1\r\n", 400),
            ("0x1\r\n", 400),
            ("1 \r\n", 400),
            ("1\n", 400),
            ("1\rx", 400),
            ("1\r\nab", 400),
            ("1\r\na\n", 400),
            ("0\r\n t: v\r\n\r\n", 400),
            ("0\r\nt\0: v\r\n\r\n", 400),
            ("0\r\n\n", 400),
            ("100000000\r\n", 413),
            ("000100000000\r\n", 413),
            (&endless, 413),
        ] {
            assert_eq!(decode(wire.as_bytes()), Err(status), "{wire:?}");
        }
    }
}
