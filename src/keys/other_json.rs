//! Recognises JSON that is plainly not a keystore: deposit data, slashing protection data, and other files that
//! tools put beside keystores.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A larger file is not read to its end: then it counts as a damaged keystore.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Fields of keystores, also of other versions: an object with one of them may be a damaged keystore.
const KEYSTORE_FIELDS: [&str; 7] = [
    "crypto", "kdf", "cipher", "checksum", "uuid", "version", "keystore",
];

/// Whether a file is whole JSON, and plainly something else than a keystore. A file that is cut off, or that may
/// be a damaged keystore, is not.
pub(super) fn is_other_json(file: &Path) -> bool {
    let Ok(file) = File::open(file) else {
        return false;
    };
    is_other(BufReader::new(file.take(FILE_BYTES_MAX)))
}

fn is_other(mut json: impl BufRead) -> bool {
    if json
        .fill_buf()
        .is_ok_and(|start| start.starts_with(b"\xef\xbb\xbf"))
    {
        json.consume(3);
    }
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let found = deserializer.deserialize_any(TopLevel);
    found.unwrap_or(false) && deserializer.end().is_ok()
}

/// Looks at the names of the fields, and at nothing else.
struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut fields = 0;
        let mut is_other = true;
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            fields += 1;
            is_other &= !KEYSTORE_FIELDS.contains(&name.to_ascii_lowercase().as_str());
        }
        // An empty object does not show what it was.
        Ok(is_other && fields > 0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_json_of_other_tools_is_recognised_and_a_damaged_keystore_is_not() {
        for (json, expected) in [
            (r#"[{"pubkey":"aa","amount":32000000000}]"#, true),
            (
                r#"{"metadata":{"interchange_format_version":"5"},"data":[]}"#,
                true,
            ),
            (r#"{"name":"validators","list":[1,2.5,null]}"#, true),
            ("[]", true),
            ("\u{feff}[1]\r\n", true),
            (r#"{"pubkey":"aa","path":"m","amount":1}"#, true),
            (r#"[{"pubkey":"aa""#, false),
            (r#"[] []"#, false),
            (r#"{"metadata":{}"#, false),
            ("{}", false),
            ("", false),
            ("null", false),
            (r#"{"version":4}"#, false),
            (r#"{"Crypto":{},"version":3}"#, false),
            (r#"{"uuid":"x","pubkey":"aa"}"#, false),
        ] {
            assert_eq!(is_other(json.as_bytes()), expected, "{json}");
        }
    }
}
