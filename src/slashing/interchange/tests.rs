//! Which files are read, and what is said of the others.

use super::*;

const CHAIN: Root = Root([0xcc; 32]);

/// A file without keys that has this in a field that is not known.
fn file(unknown: &str) -> String {
    format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},
        "data":[],"unknown":{unknown}}}"#
    )
}

#[test]
fn what_is_unknown_may_nest_as_deep_as_the_limit_and_brackets_in_strings_do_not_count() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let wide = format!("[{}[]]", "[],{},".repeat(DEPTH_MAX));
    for (case, unknown, is_good) in [
        // The file itself is one level.
        ("at the limit", nested(DEPTH_MAX - 1), true),
        ("one more", nested(DEPTH_MAX), false),
        ("wide", wide, true),
        (
            "in a string",
            format!(r#""{}""#, "[{".repeat(DEPTH_MAX)),
            true,
        ),
        (
            "after an escaped quote",
            format!(r#""\"{}""#, "[".repeat(DEPTH_MAX)),
            true,
        ),
        (
            "after an escaped backslash",
            format!(r#"["\\",{}]"#, nested(DEPTH_MAX)),
            false,
        ),
        (
            "after a string",
            format!(r#"["",{}]"#, nested(DEPTH_MAX)),
            false,
        ),
    ] {
        let found = read(&file(&unknown), None);
        assert_eq!(found.is_ok(), is_good, "{case}: {found:?}");
        if let Err(error) = found {
            let ImportError::Invalid(reason) = error else {
                panic!("{case}: {error:?}");
            };
            assert!(
                reason.contains("levels of arrays and objects"),
                "{case}: {reason}"
            );
        }
    }
}

#[test]
fn white_space_and_a_byte_order_mark_may_surround_a_file() {
    let good = file("0");
    for (around, is_good) in [
        ("", true),
        (" \r\n\t", true),
        ("\u{feff}", true),
        ("x", false),
    ] {
        let found = read(&format!("{around}{good}{around}"), Some(CHAIN));
        assert_eq!(found.is_ok(), is_good, "{around:?}: {found:?}");
    }
    let elsewhere = read(&good, Some(Root([1; 32])));
    assert!(elsewhere.is_err(), "{elsewhere:?}");
}

#[test]
fn an_error_names_what_was_expected_and_a_signing_root_is_checked() {
    let key = PublicKey([1; 48]);
    let with = |data: &str| {
        format!(
            r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},
            "data":{data}}}"#
        )
    };
    let of_key = |blocks: &str| {
        with(&format!(
            r#"[{{"pubkey":"{key}","signed_blocks":{blocks},"signed_attestations":[]}}]"#
        ))
    };
    let root = |text: &str| of_key(&format!(r#"[{{"slot":"5","signing_root":{text}}}]"#));
    for (file, expected) in [
        ("[]".to_owned(), Some("expected an object")),
        (with("7"), Some("expected an array")),
        (with("[7]"), Some("expected an object")),
        (of_key("7"), Some("expected an array")),
        (of_key("[7]"), Some("expected an object")),
        (root("\"0x12\""), Some("expected 32 bytes of hex")),
        (root("\"\""), None),
        (root("null"), None),
        (root(&format!("\"{CHAIN}\"")), None),
    ] {
        match (read(&file, None), expected) {
            (Err(ImportError::Invalid(reason)), Some(expected)) => {
                assert!(reason.contains(expected), "{file}: {reason}");
            }
            (Ok((_, keys)), None) => {
                let block = keys[&key].block.expect("a block");
                assert_eq!((block.slot, block.root), (Slot(5), None), "{file}");
            }
            (found, _) => panic!("{file}: {found:?}"),
        }
    }
}
