//! A JSON body that is read several times: first its head, then the object that the head names.
//!
//! Small bodies go through simd-json, whose tape can be read again and again but takes up to twenty
//! times the body; larger ones through serde_json, which reads the text anew each time. Neither
//! recurses into more than [`DEPTH_MAX`] levels: coroutines have small stacks. How many elements a body
//! may have follows from its type: whoever sends a million numbers asks for no duty.

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

/// Elements of a body of most types. The largest of these messages, a bid with 4,096 blob commitments, has
/// 4,116; a body of up to [`UNCOUNTED_BYTES_MAX`] cannot have more.
pub(super) const ELEMENTS_MAX: usize = 8 * 1024;

/// Bodies up to this size are not counted: an element takes two bytes.
const UNCOUNTED_BYTES_MAX: usize = 2 * ELEMENTS_MAX;

/// The largest tape that is kept for the next body; a duty has some hundred nodes of 24 bytes.
const TAPE_NODES_KEPT_MAX: usize = 4096;

thread_local! {
    /// Reused from body to body. Borrowed while a tape is made or given back, which never waits.
    static DESK: RefCell<(Buffers, Tape<'static>)> =
        RefCell::new((Buffers::with_max_depth(4096, DEPTH_MAX), Tape(Vec::new())));
}

/// A JSON object, checked as far as its reader does so at first.
pub(super) struct Document<'b> {
    source: Source<'b>,
    /// How many elements the body has; 0 for a body that is not counted.
    elements: usize,
}

enum Source<'b> {
    /// Parsed into a tape.
    Tape(simd_json::Deserializer<'b>),
    /// Parsed anew by each reading.
    Text(&'b str),
}

impl<'b> Document<'b> {
    /// Opens a body with the reader for its size; simd-json unescapes strings in place. No type may have
    /// more than `elements_max` elements; [`Document::check_elements`] knows the bound of each.
    pub(super) fn open(body: &'b mut [u8], elements_max: usize) -> Result<Self, RequestError> {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(RequestError::Json("expected an object".to_owned()));
        }
        let mut elements = 0;
        if body.len() > UNCOUNTED_BYTES_MAX {
            let shape = Shape::of(body);
            if shape.depth > DEPTH_MAX {
                return Err(RequestError::Json(format!(
                    "more than {DEPTH_MAX} levels of nesting"
                )));
            }
            elements = shape.elements;
        }
        if elements > elements_max {
            return Err(too_many_elements(elements, "any type", elements_max));
        }
        let source = match body.len() <= TAPE_BODY_BYTES_MAX {
            true => Self::open_tape(body)?,
            false => Self::open_text(body)?,
        };
        Ok(Self { source, elements })
    }

    /// Checks the number of elements, once the type is known.
    pub(super) fn check_elements(
        &self,
        kind: &str,
        elements_max: usize,
    ) -> Result<(), RequestError> {
        if self.elements > elements_max {
            return Err(too_many_elements(self.elements, kind, elements_max));
        }
        Ok(())
    }

    fn open_tape(body: &'b mut [u8]) -> Result<Source<'b>, RequestError> {
        let tape = DESK.with_borrow_mut(|(buffers, kept)| {
            let mut tape = mem::replace(kept, Tape(Vec::new())).reset();
            simd_json::fill_tape(body, buffers, &mut tape).map(|()| tape)
        });
        tape.map(|tape| Source::Tape(simd_json::Deserializer::from_tape(tape)))
            .map_err(|error| RequestError::Json(error.to_string()))
    }

    fn open_text(body: &'b [u8]) -> Result<Source<'b>, RequestError> {
        std::str::from_utf8(body)
            .map(Source::Text)
            .map_err(|error| RequestError::Json(error.to_string()))
    }

    /// Reads the object as what the seed makes of it.
    pub(super) fn read<S: DeserializeSeed<'b>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, RequestError> {
        match &mut self.source {
            Source::Tape(tape) => {
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
            Source::Text(text) => {
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
        if let Source::Tape(tape) = &mut self.source {
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

fn too_many_elements(found: usize, kind: &str, elements_max: usize) -> RequestError {
    RequestError::Field {
        path: String::new(),
        reason: format!(
            "the body has {found} JSON elements: expected at most {elements_max} for {kind}"
        ),
    }
}

/// What can be seen of a JSON text without reading it.
struct Shape {
    /// How deep brackets nest.
    depth: usize,
    /// How many objects, arrays and members of these there are, at least one for each value.
    elements: usize,
}

impl Shape {
    fn of(body: &[u8]) -> Self {
        let (mut depth, mut deepest, mut elements) = (0_usize, 0, 0);
        let mut in_string = false;
        let mut bytes = body.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' if in_string => drop(bytes.next()),
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => {
                    depth += 1;
                    elements += 1;
                }
                b',' if !in_string => elements += 1,
                b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        Self {
            depth: deepest,
            elements,
        }
    }
}
