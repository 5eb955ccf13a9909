//! The complete EIP-3076 suite through the real import and the real store, and files that are wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::{self, Slashable};
use signerd::slashing::{ExportError, ImportError, Protection, ProtectionSettings};

use crate::scratch::Scratch;

const KEY: PublicKey = PublicKey([0xaa; 48]);
const CHAIN: Root = Root([0xcc; 32]);

#[test]
fn the_eip_3076_suite_passes_through_import_and_clear() {
    let mut files = 0;
    let mut checks = 0;
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/eip3076")).unwrap()
    {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            checks += run_case(&case);
            files += 1;
        }
    }
    assert_eq!((files, checks), (38, 150));
}

/// Runs one file of the suite, and gives the number of its blocks and attestations.
fn run_case(case: &Value) -> usize {
    let name = case["name"].as_str().unwrap();
    let scratch = Scratch::new();
    let chain: Root = field(case, "genesis_validators_root");
    let protection = Protection::open(&ProtectionSettings {
        chain: Some(chain),
        ..scratch.settings()
    })
    .unwrap();
    let mut checks = 0;
    for step in case["steps"].as_array().unwrap() {
        let imported = protection.import(&step["interchange"].to_string());
        assert_eq!(
            imported.is_ok(),
            step["should_succeed"] == json!(true),
            "{name}: {imported:?}"
        );
        for message in messages(step, chain) {
            let cleared = protection.clear(&message.key, &message.slashable, message.root);
            assert_eq!(
                cleared.is_ok(),
                message.should_succeed,
                "{name}: {:?}: {cleared:?}",
                message.slashable
            );
            checks += 1;
        }
    }
    checks
}

pub(crate) struct SlashableMessage {
    pub(crate) key: PublicKey,
    pub(crate) slashable: Slashable,
    pub(crate) root: Root,
    pub(crate) should_succeed: bool,
    pub(crate) should_succeed_complete: bool,
}

/// Blocks first, then attestations, as the suite asks. A message without a signing root gets zeros.
pub(crate) fn messages(step: &Value, chain: Root) -> Vec<SlashableMessage> {
    let message = |value: &Value, slashable| SlashableMessage {
        key: field(value, "pubkey"),
        slashable,
        root: value["signing_root"]
            .as_str()
            .map_or(Root::ZERO, |root| root.parse().unwrap()),
        should_succeed: value["should_succeed"].as_bool().unwrap(),
        should_succeed_complete: value["should_succeed_complete"] == true,
    };
    let blocks = step["blocks"].as_array().unwrap().iter().map(|block| {
        let slot = Slot(field(block, "slot"));
        message(
            block,
            Slashable::On(chain, slashable::SlashableMessage::Block(slot)),
        )
    });
    let votes = step["attestations"].as_array().unwrap().iter().map(|vote| {
        let (source, target) = (
            Epoch(field(vote, "source_epoch")),
            Epoch(field(vote, "target_epoch")),
        );
        message(
            vote,
            Slashable::On(chain, slashable::SlashableMessage::Vote(source, target)),
        )
    });
    blocks.chain(votes).collect()
}

fn field<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value, name: &str) -> T {
    value[name].as_str().unwrap().parse().unwrap()
}

fn file() -> Value {
    json!({
        "metadata": {"interchange_format_version": "5", "genesis_validators_root": CHAIN.to_string()},
        "data": [{
            "pubkey": KEY.to_string(),
            "signed_blocks": [{"slot": "7"}],
            "signed_attestations": [
                {"source_epoch": "2", "target_epoch": "3", "signing_root": Root([1; 32]).to_string()},
                {"source_epoch": "1", "target_epoch": "4"},
            ],
        }],
    })
}

#[test]
fn a_file_with_one_wrong_field_changes_nothing_and_the_error_names_the_field() {
    let scratch = Scratch::new();
    let protection = Protection::open(&ProtectionSettings {
        chain: Some(CHAIN),
        ..scratch.settings()
    })
    .unwrap();
    let before = protection.export(None, None).unwrap();
    for (pointer, wrong, name) in [
        ("/metadata", Value::Null, "metadata"),
        (
            "/metadata/interchange_format_version",
            json!("4"),
            "metadata.interchange_format_version",
        ),
        (
            "/metadata/genesis_validators_root",
            json!(Root::ZERO.to_string()),
            "metadata.genesis_validators_root",
        ),
        (
            "/metadata/genesis_validators_root",
            json!("0xcc"),
            "metadata.genesis_validators_root",
        ),
        ("/data", json!({}), "data"),
        ("/data/0/pubkey", json!("0xaa"), "data[0].pubkey"),
        ("/data/0/signed_blocks", json!(""), "data[0].signed_blocks"),
        (
            "/data/0/signed_attestations/1",
            json!({"source_epoch": "1"}),
            "data[0].signed_attestations[1]",
        ),
        (
            "/data/0/signed_attestations/1",
            json!({"signing_root": ""}),
            "data[0].signed_attestations[1]",
        ),
        (
            "/data/0/signed_blocks/0",
            json!({"signing_root": Root::ZERO.to_string()}),
            "data[0].signed_blocks[0]",
        ),
        (
            "/data/0/signed_blocks/0/slot",
            json!("-7"),
            "data[0].signed_blocks[0].slot",
        ),
        (
            "/data/0/signed_blocks/0/slot",
            json!("18446744073709551616"),
            "data[0].signed_blocks[0].slot",
        ),
        (
            "/data/0/signed_attestations/0/signing_root",
            json!("0x01"),
            "data[0].signed_attestations[0].signing_root",
        ),
        (
            "/data/0/signed_attestations/1/source_epoch",
            json!(1.5),
            "data[0].signed_attestations[1].source_epoch",
        ),
        (
            "/data/0/signed_attestations/1/target_epoch",
            json!("x"),
            "data[0].signed_attestations[1].target_epoch",
        ),
    ] {
        let mut file = file();
        *file.pointer_mut(pointer).unwrap() = wrong;
        let error = protection
            .import(&file.to_string())
            .expect_err(name)
            .to_string();
        assert!(error.contains(name), "{name} is missing in: {error}");
    }
    for (case, text) in [
        ("empty", String::new()),
        ("cut", file().to_string()[..99].to_owned()),
        ("two", format!("{0}{0}", file())),
    ] {
        let error = protection.import(&text).expect_err(case);
        assert!(matches!(error, ImportError::Invalid(_)), "{case}: {error}");
    }
    assert_eq!(protection.export(None, None).unwrap(), before);
}

#[test]
fn what_other_programs_write_for_nothing_is_nothing_and_the_rest_is_imported() {
    let block_alone = json!({"slot": "7"});
    for (case, pointer, value, expected_votes) in [
        ("no data", "/data", Value::Null, None),
        ("an empty entry", "/data/0", json!({}), None),
        ("no entry", "/data/0", Value::Null, None),
        (
            "no votes",
            "/data/0/signed_attestations",
            Value::Null,
            Some(json!([])),
        ),
        (
            "an empty vote",
            "/data/0/signed_attestations/1",
            json!({}),
            Some(json!([{"source_epoch": "2", "target_epoch": "3"}])),
        ),
        (
            "a vote that is null",
            "/data/0/signed_attestations/0",
            Value::Null,
            Some(json!([{"source_epoch": "1", "target_epoch": "4"}])),
        ),
        (
            "an empty root",
            "/data/0/signed_attestations/0/signing_root",
            json!(""),
            Some(json!([{"source_epoch": "2", "target_epoch": "4"}])),
        ),
        (
            "a root that is null",
            "/data/0/signed_attestations/0/signing_root",
            Value::Null,
            Some(json!([{"source_epoch": "2", "target_epoch": "4"}])),
        ),
    ] {
        let mut file = file();
        *file.pointer_mut(pointer).unwrap() = value;
        let scratch = Scratch::new();
        let protection = scratch.open().unwrap();
        let imported = protection.import(&file.to_string());
        assert!(imported.is_ok(), "{case}: {imported:?}");
        let data = exported(&protection)["data"].clone();
        match expected_votes {
            None => assert_eq!(data, json!([]), "{case}"),
            Some(votes) => {
                assert_eq!(data[0]["signed_attestations"], votes, "{case}");
                assert_eq!(data[0]["signed_blocks"], json!([block_alone]), "{case}");
            }
        }
    }
}

#[test]
fn a_byte_order_mark_line_ends_and_white_space_around_a_file_do_not_matter() {
    for (case, before, after) in [
        ("a byte order mark", "\u{feff}", ""),
        ("lines of Windows", "\u{feff}\r\n", "\r\n"),
        ("white space", " \t\n", "\n\n "),
    ] {
        let scratch = Scratch::new();
        let protection = scratch.open().unwrap();
        let text = format!("{before}{}{after}", file());
        let imported = protection.import(&text);
        assert!(
            imported.as_ref().is_ok_and(|imported| imported.keys == 1),
            "{case}: {imported:?}"
        );
    }
}

#[test]
fn a_file_is_json_by_the_letter() {
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let metadata =
        format!(r#"{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}}"#);
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let with_unknown = |value: &str| {
        format!(
            r#"{{"metadata":{metadata},"data":[{{"unknown":{value},"pubkey":"{KEY}","signed_blocks":[],"signed_attestations":[]}}]}}"#
        )
    };
    for (case, text, is_good) in [
        ("an array for the file", format!("[{metadata},[]]"), false),
        (
            "an array for the metadata",
            format!(r#"{{"metadata":["5","{CHAIN}"],"data":[]}}"#),
            false,
        ),
        (
            "an array for a key",
            format!(r#"{{"metadata":{metadata},"data":[["{KEY}",[],[]]]}}"#),
            false,
        ),
        (
            "an array for a block",
            format!(
                r#"{{"metadata":{metadata},"data":[{{"pubkey":"{KEY}","signed_blocks":[["7",null]],"signed_attestations":[]}}]}}"#
            ),
            false,
        ),
        (
            "an array for a vote",
            format!(
                r#"{{"metadata":{metadata},"data":[{{"pubkey":"{KEY}","signed_blocks":[],"signed_attestations":[["1","2",null]]}}]}}"#
            ),
            false,
        ),
        (
            "an unknown field",
            with_unknown(r#"{"a":[1,{"b":null}]}"#),
            true,
        ),
        (
            "brackets in a string",
            with_unknown(&format!("{:?}", "[{".repeat(99))),
            true,
        ),
        (
            "a quote in a string",
            with_unknown(&format!("{:?}", "\"".repeat(9))),
            true,
        ),
        (
            "an unknown field that is deep",
            with_unknown(&nested(29)),
            true,
        ),
        ("one level more", with_unknown(&nested(30)), false),
        ("very deep", with_unknown(&nested(1_000_000)), false),
        (
            "very deep and cut",
            with_unknown(&"[".repeat(1_000_000)),
            false,
        ),
    ] {
        let imported = protection.import(&text);
        assert_eq!(imported.is_ok(), is_good, "{case}: {imported:?}");
    }
}

#[test]
fn an_import_is_reduced_to_its_maxima_and_exported_without_roots() {
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let imported = protection.import(&file().to_string()).unwrap();
    assert_eq!((imported.chain, imported.keys), (CHAIN, 1));
    let mut expected = file();
    expected["data"][0]["signed_attestations"] =
        json!([{"source_epoch": "2", "target_epoch": "4"}]);
    assert_eq!(exported(&protection), expected);
}

#[test]
fn what_was_signed_is_exported_with_its_root_and_means_the_same_elsewhere() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let here = Protection::open(&here.settings()).unwrap();
    let there = Protection::open(&there.settings()).unwrap();
    let root = Root([7; 32]);
    let block = Slashable::On(CHAIN, slashable::SlashableMessage::Block(Slot(7)));
    here.clear(&KEY, &block, root).unwrap();
    assert_eq!(
        exported(&here)["data"][0]["signed_blocks"],
        json!([{"slot": "7", "signing_root": root.to_string()}])
    );
    there.import(&here.export(None, None).unwrap()).unwrap();
    assert!(there.knows(&KEY));
    assert!(
        there.clear(&KEY, &block, root).is_err(),
        "what another signer signed is not signed again"
    );
    here.import(&there.export(None, None).unwrap()).unwrap();
    assert!(
        here.clear(&KEY, &block, root).is_ok(),
        "but the signer that signed it may, after an import too"
    );
}

#[test]
fn each_chain_has_its_own_file_and_of_several_one_is_chosen() {
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    let other_key = PublicKey([0xbb; 48]);
    for (chain, key) in [
        (Root([1; 32]), KEY),
        (Root([2; 32]), KEY),
        (Root([2; 32]), other_key),
    ] {
        let block = Slashable::On(chain, slashable::SlashableMessage::Block(Slot(9)));
        protection.clear(&key, &block, Root::ZERO).unwrap();
    }
    let several = ExportError::SeveralChains(vec![Root([1; 32]), Root([2; 32])]);
    let export = |chain, keys: Option<&[PublicKey]>| {
        let text = protection.export(chain, keys)?;
        let file: Value = serde_json::from_str(&text).unwrap();
        let chain: Root = field(&file["metadata"], "genesis_validators_root");
        Ok::<_, ExportError>((chain, file["data"].as_array().unwrap().len()))
    };
    let unknown = PublicKey([0; 48]);
    for (case, chain, keys, expected) in [
        ("all keys", None, None, Err(&several)),
        ("a key of both", None, Some(&[KEY][..]), Err(&several)),
        ("a key of one", None, Some(&[other_key][..]), Ok((2, 1))),
        ("two keys", None, Some(&[other_key, KEY][..]), Err(&several)),
        ("an unknown key", None, Some(&[unknown][..]), Ok((0, 0))),
        ("no key", None, Some(&[][..]), Ok((0, 0))),
        ("all keys, chosen", Some(2), None, Ok((2, 2))),
        (
            "a key twice, chosen",
            Some(1),
            Some(&[KEY, KEY, unknown][..]),
            Ok((1, 1)),
        ),
        ("a chain without records", Some(9), None, Ok((9, 0))),
    ] {
        let exported = export(chain.map(|chain| Root([chain; 32])), keys);
        let exported = exported.as_ref().map(|(chain, keys)| (*chain, *keys));
        let expected = expected.map(|(chain, keys)| (Root([chain; 32]), keys));
        assert_eq!(exported, expected, "{case}");
    }
    drop(protection);
    // A network that was chosen has the last word.
    let on_a_network = ProtectionSettings {
        chain: Some(Root([1; 32])),
        ..scratch.settings()
    };
    let protection = Protection::open(&on_a_network).unwrap();
    assert_eq!(
        exported(&protection)["metadata"]["genesis_validators_root"],
        json!(Root([1; 32]).to_string())
    );
}

#[test]
fn without_protection_the_export_is_a_valid_file_about_no_key() {
    let empty = exported(&Protection::Off);
    assert_eq!(empty["data"], json!([]));
    let scratch = Scratch::new();
    let protection = scratch.open().unwrap();
    assert_eq!(exported(&protection), empty);
    assert_eq!(protection.import(&empty.to_string()).unwrap().keys, 0);
}

fn exported(protection: &Protection) -> Value {
    serde_json::from_str(&protection.export(None, None).unwrap()).unwrap()
}
