//! Messages of Web3Signer's signing extension. They are not consensus messages: the text itself is signed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Error, Unexpected, Visitor};

/// A text that may be signed as it is. It is a JSON object of known fields, so it is longer than the 32
/// bytes of a signing root and can never be one: no block and no vote is signed through it.
pub(crate) struct ExtensionPayload(Vec<u8>);

/// The fields of `PROOF_OF_VALIDATION`, all of them and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofOfValidation {
    #[serde(rename = "type")]
    _type: ExtensionType,
    #[serde(rename = "platform")]
    _platform: String,
    #[serde(rename = "timestamp")]
    _timestamp: Timestamp,
}

#[derive(Deserialize)]
enum ExtensionType {
    #[serde(rename = "PROOF_OF_VALIDATION")]
    ProofOfValidation,
}

/// Milliseconds, as a number or as a string.
struct Timestamp;

impl ExtensionPayload {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(body: Vec<u8>) -> Result<Self, String> {
        // A derived reader would accept an array as an object.
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err("expected a JSON object".to_owned());
        }
        serde_json::from_slice::<ProofOfValidation>(&body).map_err(|error| error.to_string())?;
        Ok(Self(body))
    }

    /// The bytes to be signed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;
        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of milliseconds")
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Timestamp, E> {
                Ok(Timestamp)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                match text.parse::<u64>() {
                    Ok(_) => Ok(Timestamp),
                    Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(TimestampVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_validation_has_its_three_fields_and_no_others() {
        for (body, is_good) in [
            (
                r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":1634025600000}"#,
                true,
            ),
            (
                r#" {"timestamp":"1634025600000","platform":"","type":"PROOF_OF_VALIDATION"} "#,
                true,
            ),
            (r#"["PROOF_OF_VALIDATION","AT",1634025600000]"#, false),
            (r#"{"type":"PROOF_OF_VALIDATION","platform":"AT"}"#, false),
            (
                r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":-1}"#,
                false,
            ),
            (
                r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":"x"}"#,
                false,
            ),
            (
                r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":1,"a":1}"#,
                false,
            ),
            (
                r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":1}x"#,
                false,
            ),
            (
                r#"{"type":"BLOCK_V2","platform":"AT","timestamp":1}"#,
                false,
            ),
            (r#"{"platform":"AT","timestamp":1}"#, false),
            ("{}", false),
            ("", false),
            ("invalid", false),
        ] {
            let parsed = ExtensionPayload::parse(body.as_bytes().to_vec());
            assert_eq!(parsed.is_ok(), is_good, "{body}");
            assert!(parsed.is_err() || body.len() > 32, "{body}");
            if let Ok(payload) = parsed {
                assert_eq!(payload.bytes(), body.as_bytes());
            }
        }
    }
    #[test]
    fn a_timestamp_of_another_type_is_told_what_is_expected() {
        let body = r#"{"type":"PROOF_OF_VALIDATION","platform":"AT","timestamp":true}"#;
        let error = ExtensionPayload::parse(body.as_bytes().to_vec()).map(|_| ());
        let error = error.expect_err("true is not a time");
        assert!(
            error.contains("expected a number of milliseconds"),
            "{error}"
        );
    }
}
