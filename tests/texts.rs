//! Texts that stand for data: hex and YAML.

use signerd::hex;
use signerd::yaml::{self, Node};

#[test]
fn hex_is_read_in_both_cases_with_and_without_prefix() {
    for text in ["0x0aff", "0aff", "0x0AFF", "0X0Aff"] {
        assert_eq!(hex::decode::<2>(text), Ok([0x0a, 0xff]), "{text}");
    }
}

#[test]
fn what_is_not_exactly_so_many_bytes_of_hex_is_refused() {
    for text in [
        "", "0x", "0x0", "0x0a", "0x0aff0", "0x0aff00", "0x0a g", "0x0x0a", "0x0１",
    ] {
        assert!(hex::decode::<2>(text).is_err(), "{text}");
    }
}

#[test]
fn a_long_wrong_value_is_cut_in_the_message() {
    let error = hex::decode::<2>(&"a".repeat(100_000)).expect_err("too long");
    assert!(error.to_string().len() < 400);
}

/// Maps as `{key=value,…}`, lists as `[…]`.
fn shown(node: &Node) -> String {
    match node {
        Node::Text(text) => text.to_string(),
        Node::List(items) => format!(
            "[{}]",
            items.iter().map(shown).collect::<Vec<_>>().join(",")
        ),
        Node::Map(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{key}={}", shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn scalars_of_yaml_stay_texts() {
    for (text, expected) in [
        ("", ""),
        ("# nothing\n", ""),
        ("---\n---\na: 1\n---\n~\n", "{a=1}"),
        (
            "a: 0x10000038\nb: '0x1'\nc: 1e3\nd: no\ne: \"x\\ty\"",
            "{a=0x10000038,b=0x1,c=1e3,d=no,e=x\ty}",
        ),
        ("a:\nb: ~\nc: null\nd: 'null'", "{a=,b=,c=,d=null}"),
        (
            "a: [1, two]\nb:\n  - 3\n  - {c: 4}",
            "{a=[1,two],b=[3,{c=4}]}",
        ),
        ("a: |\n  x\n  y\n", "{a=x\ny\n}"),
        ("a: 1\n---\na: 2\n", "{a=1} {a=2}"),
        ("- !!str 7\n- &x 8", "[7,8]"),
    ] {
        let documents = yaml::documents(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(
            documents.iter().map(shown).collect::<Vec<_>>().join(" "),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn yaml_that_is_not_read_is_refused_with_its_place() {
    for (text, expected) in [
        ("a: 1\na: 2", "line 2, column 1: this key is there twice"),
        (
            "a: &x 1\nb: *x",
            "line 2, column 4: aliases are not followed: write the value itself",
        ),
        ("[1]: 2", "line 1, column 1: a key must be a text"),
        (
            &"[".repeat(40),
            "line 1, column 17: nested deeper than 16 levels",
        ),
        ("a: secret\n  b: [", "line 2, column 4: "),
    ] {
        let error = yaml::documents(text).err().expect("refused").to_string();
        assert!(
            error.starts_with(expected) && !error.contains("secret"),
            "{text:?}: {error}"
        );
    }
    assert!(
        yaml::map("a: 1\n---\nb: 2").is_err()
            && yaml::map("- 1").is_err()
            && yaml::map("x").is_err()
    );
}
