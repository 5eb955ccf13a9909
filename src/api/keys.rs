//! `/eth/v1/keystores`: list, import and delete keys.
//!
//! Source: ethereum/keymanager-APIs, `apis/local_keystores.yaml`.

use std::fmt::Display;
use std::mem;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Api;
use super::refusal::Refusal;
use crate::consensus::primitives::PublicKey;
use crate::hex::HexError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::json;
use crate::keys::keystore::{FILE_BYTES_MAX, RAW_PASSWORD_BYTES_MAX};
use crate::keys::loader::{ChangeError, NewKey, Outcome};
use crate::slashing::{Refused, Unavailable};

/// `GET /eth/v1/keystores`: the loaded keys, sorted.
pub(super) fn list(api: &Api) -> Response {
    let entries = api.keys.entries().into_iter().map(|(key, origin)| {
        let mut entry = json!({"validating_pubkey": key.to_string(), "readonly": origin.readonly});
        if let Some(path) = origin.derivation_path {
            entry["derivation_path"] = Value::String(path);
        }
        entry
    });
    Response::json(200, &json!({"data": entries.collect::<Vec<_>>()}))
}

/// `POST /eth/v1/keystores`: imports keystores; a status for each, in their order.
pub(super) fn import(api: &Api, request: &mut Request) -> Result<Response, Refusal> {
    let (keys, interchange) = read_import(mem::take(&mut request.body.0))?;
    let outcomes = api.loader.import(keys, interchange)?;
    Ok(Response::json(
        200,
        &json!({"data": outcomes.into_iter().map(status).collect::<Vec<_>>()}),
    ))
}

/// `DELETE /eth/v1/keystores`: deletes imported keys; a status for each, and their slashing data as a
/// JSON string.
pub(super) fn delete(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let pubkeys = read_delete(&request.body.0)?;
    let (outcomes, interchange) = api.loader.delete(pubkeys)?;
    let data: Vec<_> = outcomes.into_iter().map(status).collect();
    Ok(Response::json(
        200,
        &json!({"data": data, "slashing_protection": interchange}),
    ))
}

fn status(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Imported => json!({"status": "imported"}),
        Outcome::Duplicate => json!({"status": "duplicate"}),
        Outcome::Deleted => json!({"status": "deleted"}),
        Outcome::NotActive => json!({"status": "not_active"}),
        Outcome::NotFound => json!({"status": "not_found"}),
        Outcome::Error(message) => json!({"status": "error", "message": message}),
    }
}

#[derive(Deserialize)]
struct ImportRequest<'a> {
    #[serde(borrow)]
    keystores: Vec<&'a RawValue>,
    #[serde(borrow)]
    passwords: Vec<&'a RawValue>,
    #[serde(borrow)]
    slashing_protection: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct DeleteRequest<'a> {
    #[serde(borrow)]
    pubkeys: Vec<&'a RawValue>,
}

/// All keystores of one import and their passwords: with the body itself, which may have 64 MiB, they must
/// leave the process below 128 MiB.
const KEYSTORES_BYTES_MAX: usize = 32 << 20;

/// What a `pubkeys` item may have; a public key has 98 characters.
const PUBLIC_KEY_BYTES_MAX: usize = 256;

/// The keystores with their passwords, and the slashing data. The body is gone then, but for the slashing
/// data, which keeps its memory.
fn read_import(body: Vec<u8>) -> Result<(Vec<NewKey>, Option<String>), Refusal> {
    let request: ImportRequest<'_> = read(&body)?;
    let keystores = request.keystores.len();
    let passwords = request.passwords.len();
    if keystores != passwords {
        return Err(malformed(format_args!(
            "{keystores} keystores and {passwords} passwords: expected as many"
        )));
    }
    let mut keys = Vec::with_capacity(keystores);
    let mut bytes = 0;
    for (place, raw) in request.keystores.iter().enumerate() {
        let wrong = |what| malformed(format_args!("{what}[{place}]: expected a string"));
        let keystore = document(raw.get()).ok_or_else(|| wrong("keystores"))?;
        let password = json::text(request.passwords[place].get(), RAW_PASSWORD_BYTES_MAX)
            .ok_or_else(|| wrong("passwords"))?;
        bytes += keystore.len() + password.len();
        if bytes > KEYSTORES_BYTES_MAX {
            return Err(malformed(format_args!(
                "keystores and passwords of more than {KEYSTORES_BYTES_MAX} bytes: import them in parts"
            )));
        }
        keys.push(NewKey {
            keystore,
            password: password.into(),
        });
    }
    let Some(raw) = request.slashing_protection.map(RawValue::get) else {
        return Ok((keys, None));
    };
    let start = raw.as_ptr().addr() - body.as_ptr().addr();
    let end = start + raw.len();
    let interchange = document_in_place(body, start..end)
        .ok_or_else(|| malformed("slashing_protection: expected a string"))?;
    Ok((keys, Some(interchange)))
}

fn read_delete(body: &[u8]) -> Result<Vec<PublicKey>, Refusal> {
    let request: DeleteRequest<'_> = read(body)?;
    let mut keys = Vec::with_capacity(request.pubkeys.len());
    for (place, raw) in request.pubkeys.iter().enumerate() {
        let wrong = |reason: &dyn Display| malformed(format_args!("pubkeys[{place}]: {reason}"));
        let text = json::text(raw.get(), PUBLIC_KEY_BYTES_MAX);
        let text = text.ok_or_else(|| wrong(&"expected a string"))?;
        keys.push(text.parse().map_err(|error: HexError| wrong(&error))?);
    }
    Ok(keys)
}

/// The parser may repeat a wrong value, and a password may be one: only the place is told.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let text = json::check(body).map_err(malformed)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (line, column) = (error.inner().line(), error.inner().column());
        let what = if error.inner().is_data() {
            "a field is missing or of the wrong kind"
        } else {
            "not JSON"
        };
        malformed(format_args!(
            "{what} at {} (line {line}, column {column})",
            error.path()
        ))
    })?;
    deserializer
        .end()
        .map_err(|_| malformed("expected nothing after the JSON object"))?;
    Ok(value)
}

/// A keystore that came as a string, as the API asks for, or as itself. One that is too long comes out
/// too long, and is refused where every keystore is read.
fn document(raw: &str) -> Option<String> {
    match raw.starts_with('{') {
        true => Some(json::start(raw, FILE_BYTES_MAX)),
        false => json::text(raw, FILE_BYTES_MAX),
    }
}

/// As [`document`], for the slashing data at this place of the body. They may be most of it, so they stay
/// in its memory.
fn document_in_place(mut body: Vec<u8>, place: Range<usize>) -> Option<String> {
    body.truncate(place.end);
    body.drain(..place.start);
    match body.first()? {
        b'{' => String::from_utf8(body).ok(),
        b'"' => json::unescape(body),
        _ => None,
    }
}

fn malformed(what: impl Display) -> Refusal {
    Refusal::Malformed(what.to_string())
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Interchange(reason) => {
                Self::Malformed(format!("slashing_protection: {reason}"))
            }
            ChangeError::Unavailable(unavailable) => {
                Self::Slashing(Refused::Unavailable(Unavailable(unavailable)))
            }
            ChangeError::Internal(what) => Self::Internal(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_body_is_placed_and_not_repeated() {
        for body in [
            r#"{"keystores":["{}"],"passwords":"hunter2"}"#,
            r#"{"keystores":[],"passwords":["hunter2""#,
            "hunter2",
        ] {
            let refusal = read::<ImportRequest<'_>>(body.as_bytes()).err().unwrap();
            assert!(
                refusal.status() == 400 && !refusal.to_string().contains("hunter2"),
                "{refusal}"
            );
        }
    }
}
