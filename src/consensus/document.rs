//! A JSON body that is read several times: first its head, then the object that the head names.
//!
//! Small bodies go through simd-json, whose tape can be read again and again but takes up to twenty
//! times the body; larger ones through serde_json, which reads the text anew each time. Neither
//! recurses into more than [`DEPTH_MAX`] levels: coroutines have small stacks.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use simd_json::{Buffers, ErrorType, Tape};

use super::container::{self, Names, blamed};
use super::request::RequestError;

/// Levels of nesting in a body. The deepest message, a block with a slashing, has 9.
const DEPTH_MAX: usize = 32;

/// The largest body that simd-json reads.
const TAPE_BODY_BYTES_MAX: usize = 256 * 1024;

/// The largest tape that is kept for the next body; a duty has some hundred nodes of 24 bytes.
const TAPE_NODES_KEPT_MAX: usize = 4096;

thread_local! {
    /// Reused from body to body. Borrowed while a tape is made or given back, which never waits.
    static DESK: RefCell<(Buffers, Tape<'static>)> =
        RefCell::new((Buffers::with_max_depth(4096, DEPTH_MAX), Tape(Vec::new())));
}

/// A JSON object, checked as far as its reader does so at first.
pub(super) enum Document<'b> {
    /// Parsed into a tape.
    Tape(simd_json::Deserializer<'b>),
    /// Parsed anew by each reading.
    Text(&'b str),
}

impl<'b> Document<'b> {
    /// Opens a body with the reader for its size; simd-json unescapes strings in place.
    pub(super) fn open(body: &'b mut [u8]) -> Result<Self, RequestError> {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(RequestError::Json("expected an object".to_owned()));
        }
        match body.len() <= TAPE_BODY_BYTES_MAX {
            true => Self::open_tape(body),
            false => Self::open_text(body),
        }
    }

    fn open_tape(body: &'b mut [u8]) -> Result<Self, RequestError> {
        let tape = DESK.with_borrow_mut(|(buffers, kept)| {
            let mut tape = mem::replace(kept, Tape(Vec::new())).reset();
            simd_json::fill_tape(body, buffers, &mut tape).map(|()| tape)
        });
        tape.map(|tape| Self::Tape(simd_json::Deserializer::from_tape(tape)))
            .map_err(|error| RequestError::Json(error.to_string()))
    }

    fn open_text(body: &'b [u8]) -> Result<Self, RequestError> {
        if depth(body) > DEPTH_MAX {
            return Err(RequestError::Json(format!(
                "more than {DEPTH_MAX} levels of nesting"
            )));
        }
        std::str::from_utf8(body)
            .map(Self::Text)
            .map_err(|error| RequestError::Json(error.to_string()))
    }

    /// Reads the object as what the seed makes of it.
    pub(super) fn read<S: DeserializeSeed<'b>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, RequestError> {
        match self {
            Self::Tape(tape) => {
                tape.restart();
                seed.deserialize(&mut *tape).map_err(|error| {
                    let reason = if let ErrorType::Serde(reason) = error.error() {
                        reason
                    } else {
                        &error.to_string()
                    };
                    RequestError::Field {
                        path: blamed(),
                        reason: reason.clone(),
                    }
                })
            }
            Self::Text(text) => {
                let mut json = serde_json::Deserializer::from_str(text);
                let value = seed
                    .deserialize(&mut json)
                    .and_then(|value| json.end().map(|()| value));
                value.map_err(|error| match (blamed(), error.to_string()) {
                    (path, reason) if error.is_data() => RequestError::Field { path, reason },
                    (_, reason) => RequestError::Json(reason),
                })
            }
        }
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        if let Self::Tape(tape) = self {
            let nothing = simd_json::Deserializer::from_tape(Tape(Vec::new()));
            let tape = mem::replace(tape, nothing).into_tape().reset();
            if tape.0.capacity() <= TAPE_NODES_KEPT_MAX {
                DESK.with_borrow_mut(|(_, kept)| *kept = tape);
            }
        }
    }
}

/// One field of the document, under any of its names; all else is skipped.
pub(super) struct Field<T>(&'static [&'static str], PhantomData<T>);

impl<T> Field<T> {
    /// The field that goes by these names.
    pub(super) const fn named(names: &'static [&'static str]) -> Self {
        Self(names, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Field<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Field<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<T, M::Error> {
        let mut value = None;
        while let Some(wanted) = map.next_key_seed(Names(self.0))? {
            match wanted {
                Some(_) => container::read(&mut map, self.0[0], &mut value)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        container::finish(self.0[0], value)
    }
}

/// How deep brackets nest outside of strings.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string) = (0_usize, 0, false);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
