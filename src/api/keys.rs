//! `/eth/v1/keystores`: list, import and delete keys.
//!
//! Source: ethereum/keymanager-APIs, `apis/local_keystores.yaml`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Api;
use super::operate;
use super::refusal::Refusal;
use crate::http::request::Request;
use crate::http::response::Response;
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
pub(super) fn import(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let ImportRequest {
        keystores,
        passwords,
        slashing_protection,
    } = read(&request.body.0)?;
    if keystores.len() != passwords.len() {
        let (keystores, passwords) = (keystores.len(), passwords.len());
        return Err(malformed(format_args!(
            "{keystores} keystores and {passwords} passwords: expected as many"
        )));
    }
    let keys =
        keystores
            .into_iter()
            .zip(passwords)
            .enumerate()
            .map(|(place, (keystore, password))| {
                let wrong = |what| malformed(format_args!("{what}[{place}]: expected a string"));
                Ok(NewKey {
                    keystore: document(keystore).ok_or_else(|| wrong("keystores"))?,
                    password: unescape(password.get()).ok_or_else(|| wrong("passwords"))?,
                })
            });
    let keys = keys.collect::<Result<Vec<_>, Refusal>>()?;
    let interchange = slashing_protection.map(|json| {
        document(json).ok_or_else(|| malformed("slashing_protection: expected a string"))
    });
    let outcomes = api.loader.import(keys, interchange.transpose()?)?;
    Ok(Response::json(
        200,
        &json!({"data": outcomes.into_iter().map(status).collect::<Vec<_>>()}),
    ))
}

/// `DELETE /eth/v1/keystores`: deletes imported keys; a status for each, and their slashing data as a
/// JSON string.
pub(super) fn delete(api: &Api, request: &Request) -> Result<Response, Refusal> {
    let DeleteRequest { pubkeys } = read(&request.body.0)?;
    let key = |(place, key): (usize, String)| {
        key.parse()
            .map_err(|error| malformed(format_args!("pubkeys[{place}]: {error}")))
    };
    let pubkeys = pubkeys
        .into_iter()
        .enumerate()
        .map(key)
        .collect::<Result<_, _>>()?;
    let chain = operate::chain(request)?;
    let (outcomes, interchange) = api.loader.delete(pubkeys, chain)?;
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

/// Passwords stay where they are in the body, which is wiped: the parser would leave copies behind.
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
struct DeleteRequest {
    pubkeys: Vec<String>,
}

/// The parser may repeat a wrong value, and a password may be one: only the place is told.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (line, column) = (error.inner().line(), error.inner().column());
        let what = if error.inner().is_data() {
            "a field is missing or of the wrong kind"
        } else {
            "no JSON"
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

/// A JSON document that came as a string, as the API asks for, or as itself.
fn document(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok(),
        b'{' => Some(raw.get().to_owned()),
        _ => None,
    }
}

/// The text that a JSON string stands for, written once (RFC 8259, section 7). The parser has
/// checked it, so a slip of this function could only refuse.
fn unescape(raw: &str) -> Option<Zeroizing<String>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, length) = match *escape.as_bytes().first()? {
            b'u' => unicode(escape)?,
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            other => (char::from(other), 1),
        };
        text.push(character);
        rest = &escape[length..];
    }
    text.push_str(rest);
    Some(text)
}

/// The character of `uXXXX`, or of a pair of surrogates, and the bytes that it took.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let low = || {
        escape
            .get(5..7)
            .filter(|between| *between == "\\u")
            .and_then(|_| unit(7))
    };
    let units = [unit(1)?, low().unwrap_or(0)];
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, if character.len_utf16() == 2 { 11 } else { 5 }))
}

fn malformed(what: impl std::fmt::Display) -> Refusal {
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
            ChangeError::Internal(what) => Self::Internal(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_as_the_json_parser_reads_it() {
        for raw in [
            r#""""#,
            r#""plain""#,
            r#""with \"quotes\", \\ and \/""#,
            r#""\b\f\n\r\t""#,
            r#""\u00fcn\u00efc\u00f6d\u00e9 \u65e5\u672c \ud83d\udd11!""#,
            r#""ünïcödé 日本 🔑 \\u0041""#,
            r#""\u0000""#,
        ] {
            let expected: String = serde_json::from_str(raw).unwrap();
            assert_eq!(
                unescape(raw).map(|text| text.to_string()),
                Some(expected),
                "{raw}"
            );
        }
        for raw in [r#""\ud83d""#, r#""\ud83dA""#, "1", "{}", r#"""#] {
            assert_eq!(unescape(raw).map(|text| text.to_string()), None, "{raw}");
        }
    }

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
