//! `/eth/v1/keystores`: list, import and delete keys.
//!
//! Source: ethereum/keymanager-APIs, `apis/local_keystores.yaml`.

use std::fmt::Display;
use std::mem;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::operate;
use super::refusal::Refusal;
use crate::consensus::primitives::PublicKey;
use crate::hex::HexError;
use crate::http::request::Request;
use crate::http::response::{JSON, Response};
use crate::json;
use crate::keys::change::{ChangeError, Outcome};
use crate::keys::imported::NewKey;
use crate::keys::keystore::FILE_BYTES_MAX;
use crate::keys::password::RAW_PASSWORD_BYTES_MAX;
use crate::slashing::{Refused, Unavailable};

/// `GET /eth/v1/keystores`: the loaded keys, sorted.
pub(super) fn list(api: &Api) -> Response {
    let entries = api.keys.entries().into_iter();
    let data: Vec<_> = entries
        .map(|(key, origin)| Listed {
            validating_pubkey: key.to_string(),
            derivation_path: origin.derivation_path,
            readonly: origin.readonly,
        })
        .collect();
    answer(&ListAnswer { data })
}

/// `POST /eth/v1/keystores`: imports keystores; a status for each, in their order.
pub(super) fn import(api: &Api, request: &mut Request) -> Result<Response, Refusal> {
    let (keys, interchange) = read_import(mem::take(&mut request.body))?;
    let outcomes = api.keyring.import(keys, interchange)?;
    Ok(answer(&ChangeAnswer {
        data: outcomes.into_iter().map(Status::from).collect(),
        slashing_protection: None,
    }))
}

/// `DELETE /eth/v1/keystores`: deletes imported keys; a status for each, and their slashing data as a
/// JSON string.
pub(super) fn delete(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let pubkeys = read_delete(&request.body)?;
    let chain = operate::chain(request)?;
    let (outcomes, interchange) = api.keyring.delete(pubkeys, chain)?;
    Ok(answer(&ChangeAnswer {
        data: outcomes.into_iter().map(Status::from).collect(),
        slashing_protection: Some(interchange),
    }))
}

/// Written from what it is: trees of JSON values would take ten times its memory.
fn answer(body: &impl Serialize) -> Response {
    let json = serde_json::to_vec(body).expect("texts and lists of them are JSON");
    Response::new(200, JSON, json)
}

#[derive(Serialize)]
struct ListAnswer {
    data: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    validating_pubkey: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    derivation_path: Option<String>,
    readonly: bool,
}

#[derive(Serialize)]
struct ChangeAnswer {
    data: Vec<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slashing_protection: Option<String>,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        let (status, message) = match outcome {
            Outcome::Imported => ("imported", None),
            Outcome::Duplicate => ("duplicate", None),
            Outcome::Deleted => ("deleted", None),
            Outcome::NotActive => ("not_active", None),
            Outcome::NotFound => ("not_found", None),
            Outcome::Error(message) => ("error", Some(message)),
        };
        Self { status, message }
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

/// Keystores of one import: as many of 1 KiB fit into [`KEYSTORES_BYTES_MAX`].
const KEYSTORES_MAX: usize = 32 << 10;

/// Keys of one deletion: more than a signer of 100,000 has.
const PUBLIC_KEYS_MAX: usize = 128 << 10;

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
    if keystores > KEYSTORES_MAX {
        return Err(malformed(format_args!(
            "{keystores} keystores, expected at most {KEYSTORES_MAX}: import them in parts"
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
    let count = request.pubkeys.len();
    if count > PUBLIC_KEYS_MAX {
        return Err(malformed(format_args!(
            "{count} pubkeys, expected at most {PUBLIC_KEYS_MAX}: delete them in parts"
        )));
    }
    let mut keys = Vec::with_capacity(count);
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
    if raw.starts_with('{') {
        return Some(json::start(raw, FILE_BYTES_MAX));
    }
    json::text(raw, FILE_BYTES_MAX)
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
            ChangeError::SeveralChains(reason) => Self::Malformed(reason),
            ChangeError::Unavailable(unavailable) => {
                Self::Slashing(Refused::Unavailable(Unavailable(unavailable)))
            }
            ChangeError::Overloaded => Self::Overloaded,
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
