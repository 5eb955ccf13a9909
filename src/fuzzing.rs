//! The door for fuzz targets (`tests/fuzz/`): parsers that read hostile bytes and that nothing outside
//! this crate calls otherwise.
//!
//! Hidden from the documentation, and not part of the program: the linker drops what `main` does not
//! reach. What a target can do through the service's own interface it does there.

use std::io;
use std::path::Path;

use crate::http::body::{BodyDecoder, BodyPart};
use crate::http::request::{self, Request};
use crate::keys::{definitions, key_config};
use crate::slashing;

/// A request as the reader of a connection frames it.
#[derive(Debug, PartialEq, Eq)]
pub struct FramedRequest {
    /// The method, or `OTHER`.
    pub method: &'static str,
    /// The path in its one spelling.
    pub path: String,
    /// The text after `?`.
    pub query: String,
    /// The host that the client addressed.
    pub host: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What follows the last whole request of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingEnd {
    /// More bytes are needed.
    Waits,
    /// The last request was the last one of the connection.
    Closes,
    /// The bytes are refused with this status.
    Refused(u16),
}

/// Frames all requests in `received`, which arrives in pieces of so many bytes, as a connection does.
pub fn framing(received: &[u8], piece_bytes: usize) -> (Vec<FramedRequest>, FramingEnd) {
    let mut requests = Vec::new();
    let mut rest = received;
    loop {
        // As the connection does (RFC 9112, section 2.2).
        while let Some(after_blank_line) = rest.strip_prefix(b"\r\n") {
            rest = after_blank_line;
        }
        match frame_one(rest, piece_bytes) {
            Ok((request, length, keep_alive)) => {
                requests.push(request);
                if !keep_alive {
                    return (requests, FramingEnd::Closes);
                }
                rest = &rest[length..];
            }
            Err(end) => return (requests, end),
        }
    }
}

/// Frames one request. Returns it, its length, and whether the connection goes on.
fn frame_one(
    received: &[u8],
    piece_bytes: usize,
) -> Result<(FramedRequest, usize, bool), FramingEnd> {
    let refused = |error: crate::http::HttpError| FramingEnd::Refused(error.status);
    let mut request = Request::default();
    let mut tried = 0;
    let mut end = 0;
    let head = loop {
        if end == received.len() {
            return Err(FramingEnd::Waits);
        }
        end = received.len().min(end + piece_bytes);
        if let Some(head) =
            request::read(&received[..end], &mut tried, &mut request).map_err(refused)?
        {
            break head;
        }
    };
    let mut decoder = BodyDecoder::new(head.framing);
    let mut rest = &received[head.bytes..];
    loop {
        let mut piece = &rest[..piece_bytes.min(rest.len())];
        let piece_length = piece.len();
        let part = decoder.next(&mut piece).map_err(refused)?;
        rest = &rest[piece_length - piece.len()..];
        match part {
            BodyPart::Data(data) => request.body.extend_from_slice(data),
            BodyPart::NeedsMore if rest.is_empty() => return Err(FramingEnd::Waits),
            BodyPart::NeedsMore => {}
            BodyPart::End => break,
        }
    }
    let framed = FramedRequest {
        method: request.method.name(),
        host: request.host().map(str::to_owned),
        path: request.path,
        query: request.query,
        body: request.body,
    };
    Ok((framed, received.len() - rest.len(), head.keep_alive))
}

/// Reads a key configuration file, without the keystores that it names. Returns the number of keys.
///
/// # Errors
/// The sentence for the operator.
pub fn read_key_config(text: &str) -> Result<usize, String> {
    let documents = key_config::read(text, Path::new("/"))?;
    key_config::read_raw_keys(text)?;
    Ok(documents.len())
}

/// Reads a list of validators with its passwords. Returns the number of keys.
///
/// # Errors
/// The sentence for the operator.
pub fn read_definitions(text: &str) -> Result<usize, String> {
    let definitions = definitions::read(text)?;
    definitions::read_passwords(text)?;
    Ok(definitions.len())
}

/// Logs in at a database server that sends these bytes, and runs a statement. Returns whether both
/// succeed.
///
/// # Errors
/// When there are no sockets left.
pub fn talk_to_database(sent: &[u8]) -> io::Result<bool> {
    slashing::talk_to_database(sent)
}
