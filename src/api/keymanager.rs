//! `/eth/v1/keystores`: lists, imports and deletes keys.
//!
//! Source: ethereum/keymanager-APIs, `apis/local_keystores.yaml`.

use std::fmt::Display;
use std::mem;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::readiness;
use super::refusal::Refusal;
use super::slashing_data;
use super::state::ListenerApi;
use crate::consensus::primitives::PublicKey;
use crate::counted::counted;
use crate::hex::HexError;
use crate::http::request::Request;
use crate::http::response::{JSON, Response};
use crate::json;
use crate::keys::change::{ChangeError, Outcome};
use crate::keys::imported::NewKey;
use crate::keys::keystore::FILE_BYTES_MAX;
use crate::keys::password::RAW_PASSWORD_BYTES_MAX;
use crate::slashing::{Refused, Unavailable};

/// Most bytes of all keystores and passwords of one import. With the body itself, which may have 64 MiB,
/// they must leave the process below 128 MiB.
const KEYSTORES_BYTES_MAX: usize = 32 << 20;

/// Most keystores of one import: as many of 1 KiB as [`KEYSTORES_BYTES_MAX`] allows.
const KEYSTORES_MAX: usize = 32 << 10;

/// Most keys of one deletion: more than a signer of 100,000 keys has.
const PUBLIC_KEYS_MAX: usize = 128 << 10;

/// Longest item of `pubkeys`. A public key has 98 characters.
const PUBLIC_KEY_BYTES_MAX: usize = 256;

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

#[derive(Serialize)]
struct KeyListAnswer {
    data: Vec<ListedKey>,
}

#[derive(Serialize)]
struct ListedKey {
    validating_pubkey: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    derivation_path: Option<String>,
    readonly: bool,
}

#[derive(Serialize)]
struct KeyChangeAnswer {
    data: Vec<KeyChangeStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slashing_protection: Option<String>,
}

#[derive(Serialize)]
struct KeyChangeStatus {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// `GET /eth/v1/keystores`: all keys, sorted. 503 until the first load has ended.
pub(super) fn list(listener: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    readiness::require_load(&listener.api)?;
    let mut data = Vec::new();
    for (key, origin) in listener.api.keys.entries() {
        data.push(ListedKey {
            validating_pubkey: key.to_string(),
            derivation_path: origin.derivation_path,
            readonly: origin.readonly,
        });
    }
    Ok(answer(&KeyListAnswer { data }))
}

/// `POST /eth/v1/keystores`: imports keystores. The answer has a status for each, in their order.
pub(super) fn import(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let (keys, interchange) = read_import(mem::take(&mut request.body))?;
    let outcomes = listener.api.keyring.import(keys, interchange)?;
    Ok(answer(&KeyChangeAnswer {
        data: outcomes.into_iter().map(KeyChangeStatus::from).collect(),
        slashing_protection: None,
    }))
}

/// `DELETE /eth/v1/keystores`: deletes imported keys. The answer has a status for each, and their slashing
/// protection data as a JSON string.
pub(super) fn delete(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let keys = read_delete(&request.body)?;
    let chain = slashing_data::chain(&request.query)?;
    let (outcomes, interchange) = listener.api.keyring.delete(keys, chain)?;
    Ok(answer(&KeyChangeAnswer {
        data: outcomes.into_iter().map(KeyChangeStatus::from).collect(),
        slashing_protection: Some(interchange),
    }))
}

/// `/eth/v1/remotekeys`: Web3Signer does not have these routes either.
pub(super) fn remote_keys(_: &ListenerApi, _: &mut Request) -> Result<Response, Refusal> {
    Err(Refusal::FeatureOff(
        "remote keys are not supported: signerd signs with the keys that it holds, see /eth/v1/keystores",
    ))
}

/// Writes the body straight from its parts: a tree of JSON values would take ten times its memory.
fn answer(body: &impl Serialize) -> Response {
    let json = serde_json::to_vec(body).expect("texts and lists of them are JSON");
    Response::new(200, JSON, json)
}

impl From<Outcome> for KeyChangeStatus {
    fn from(outcome: Outcome) -> Self {
        let mut message = None;
        let status = match outcome {
            Outcome::Imported => "imported",
            Outcome::Duplicate => "duplicate",
            Outcome::Deleted => "deleted",
            Outcome::NotActive => "not_active",
            Outcome::NotFound => "not_found",
            Outcome::Error(reason) => {
                message = Some(reason);
                "error"
            }
        };
        Self { status, message }
    }
}

/// Reads the keystores with their passwords, and the slashing protection data. The data keep the memory of
/// the body, which may be large; the rest of the body is freed.
fn read_import(body: Vec<u8>) -> Result<(Vec<NewKey>, Option<String>), Refusal> {
    let request: ImportRequest<'_> = read(&body)?;
    let keys = read_keystores(&request)?;
    let Some(raw) = request.slashing_protection else {
        return Ok((keys, None));
    };
    let start = raw.get().as_ptr().addr() - body.as_ptr().addr();
    let end = start + raw.get().len();
    let interchange = document_in_place(body, start..end)
        .ok_or_else(|| malformed("slashing_protection: expected a string"))?;
    // Lodestar and scripts for Web3Signer send an empty string when there is no data.
    if interchange.trim().is_empty() {
        return Ok((keys, None));
    }
    Ok((keys, Some(interchange)))
}

fn read_keystores(request: &ImportRequest<'_>) -> Result<Vec<NewKey>, Refusal> {
    let count = request.keystores.len();
    let passwords = request.passwords.len();
    if count != passwords {
        return Err(malformed(format_args!(
            "{} and {}: expected one password for each keystore",
            counted(count, "keystore", "keystores"),
            counted(passwords, "password", "passwords")
        )));
    }
    if count > KEYSTORES_MAX {
        return Err(malformed(format_args!(
            "{count} keystores, expected at most {KEYSTORES_MAX}: import them in parts"
        )));
    }
    let mut keys = Vec::with_capacity(count);
    let mut bytes = 0;
    for (index, (keystore, password)) in
        request.keystores.iter().zip(&request.passwords).enumerate()
    {
        let wrong = |field| malformed(format_args!("{field}[{index}]: expected a string"));
        let keystore = document(keystore.get()).ok_or_else(|| wrong("keystores"))?;
        let password =
            json::text(password.get(), RAW_PASSWORD_BYTES_MAX).ok_or_else(|| wrong("passwords"))?;
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
    Ok(keys)
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
    for (index, raw) in request.pubkeys.iter().enumerate() {
        let Some(text) = json::text(raw.get(), PUBLIC_KEY_BYTES_MAX) else {
            return Err(malformed(format_args!(
                "pubkeys[{index}]: expected a string"
            )));
        };
        let key = text
            .parse()
            .map_err(|error: HexError| malformed(format_args!("pubkeys[{index}]: {error}")))?;
        keys.push(key);
    }
    Ok(keys)
}

/// Reads a body, which may hold passwords.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let text = json::check(body).map_err(malformed)?;
    json::read_secret(text).map_err(malformed)
}

/// Returns a keystore that was sent as a string, as the API requires, or as an object. One that is too
/// long comes out too long, and is refused where every keystore is read.
fn document(raw: &str) -> Option<String> {
    if raw.starts_with('{') {
        return Some(json::start(raw, FILE_BYTES_MAX));
    }
    json::text(raw, FILE_BYTES_MAX)
}

/// Does the same for the slashing protection data at this position of the body. They may be most of it, so
/// they stay in its memory.
fn document_in_place(mut body: Vec<u8>, position: Range<usize>) -> Option<String> {
    body.truncate(position.end);
    body.drain(..position.start);
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
    fn the_error_of_a_bad_body_names_the_position_and_no_value() {
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
