//! Slashing protection in PostgreSQL: on a real server, beside a writer that behaves as Web3Signer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::thread;
use std::time::{Duration, Instant};

use signerd::consensus::primitives::{Epoch, PublicKey, Root, Slot};
use signerd::consensus::slashable::{Slashable, SlashableMessage};
use signerd::slashing::{
    DATABASE_SCHEMA, DatabaseSettings, HighWatermark, Protection, ProtectionSettings,
    PruningSettings, Refused, Rule, StoreOpenError,
};

use crate::random::Random;
use crate::scratch::Scratch;
use crate::slashing_reference::{any_message, is_slashable};
use crate::support::postgres::PostgresServer;

const CHAIN: Root = Root([0xcc; 32]);
const KEY: PublicKey = PublicKey([0xaa; 48]);
const OURS: Root = Root([1; 32]);
const OTHER: Root = Root([2; 32]);

fn block(slot: u64) -> Slashable {
    Slashable::On(CHAIN, SlashableMessage::Block(Slot(slot)))
}

fn vote(source: u64, target: u64) -> Slashable {
    Slashable::On(CHAIN, SlashableMessage::Vote(Epoch(source), Epoch(target)))
}

fn open_url(url: &str) -> Result<Protection, StoreOpenError> {
    let scratch = Scratch::new();
    Protection::open(&ProtectionSettings {
        database: Some(DatabaseSettings::from_url(url).unwrap()),
        ..scratch.settings()
    })
}

fn open(server: &PostgresServer, database: &str) -> Protection {
    open_url(&server.url(database)).unwrap()
}

#[test]
fn an_empty_database_becomes_version_12_though_ten_instances_start_at_once() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| open(server, &database).health().unwrap());
        }
    });
    let version = server.psql(&database, "SELECT version FROM database_version");
    assert_eq!(version, "12");
    let facts = server.psql(&database, include_str!("support/schema_facts.sql"));
    let expected = std::fs::read_to_string(crate::support::vectors::path("web3signer_schema.txt"));
    assert_eq!(
        facts,
        expected.unwrap().trim(),
        "the schema differs from Web3Signer's"
    );
    let upserted = server.psql(
        &database,
        "SELECT encode(v_public_key, 'hex') FROM upsert_validators(ARRAY['\\x02', '\\x01', '\\x02']::bytea[])",
    );
    assert_eq!(
        upserted, "02\n01\n02",
        "in the order of the input, with duplicates"
    );
}

#[test]
fn the_database_itself_keeps_low_watermarks_below_the_high_one() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    protection.clear(&KEY, &block(10), OURS).unwrap();
    protection.clear(&KEY, &vote(5, 6), OURS).unwrap();
    for (statement, is_allowed) in [
        ("UPDATE metadata SET high_watermark_slot = 10", false),
        ("UPDATE metadata SET high_watermark_epoch = 6", false),
        (
            "UPDATE metadata SET high_watermark_slot = 11, high_watermark_epoch = 7",
            true,
        ),
        ("UPDATE low_watermarks SET slot = 12", false),
        ("UPDATE low_watermarks SET target_epoch = 8", false),
        ("UPDATE low_watermarks SET source_epoch = 8", false),
        ("UPDATE low_watermarks SET source_epoch = NULL", false),
        (
            "UPDATE low_watermarks SET slot = 11, source_epoch = 7, target_epoch = 7",
            true,
        ),
    ] {
        let done = server
            .command("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, &database])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.success(), is_allowed, "{statement}: {errors}");
    }
}

#[test]
fn the_schema_that_is_printed_makes_the_tables() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    server.psql(&database, DATABASE_SCHEMA);
    open(server, &database)
        .clear(&KEY, &block(1), OURS)
        .unwrap();
}

#[test]
fn messages_are_judged_by_all_that_was_signed() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    for (case, message, root, expected) in [
        ("a first block", block(10), OURS, Ok(())),
        ("the same again", block(10), OURS, Ok(())),
        ("another one", block(10), OTHER, Err(Rule::DoubleProposal)),
        ("one below the first", block(9), OURS, Err(Rule::SlotBelow)),
        ("one far above", block(20), OURS, Ok(())),
        ("one between", block(15), OURS, Ok(())),
        ("a first vote", vote(2, 4), OURS, Ok(())),
        ("the same again", vote(2, 4), OURS, Ok(())),
        ("another one", vote(2, 4), OTHER, Err(Rule::DoubleVote)),
        ("another source", vote(3, 4), OURS, Err(Rule::DoubleVote)),
        (
            "a source below the first",
            vote(1, 5),
            OURS,
            Err(Rule::SourceBelow),
        ),
        (
            "a target at the first",
            vote(3, 3),
            OURS,
            Err(Rule::TargetBelow),
        ),
        ("a long vote", vote(4, 9), OURS, Ok(())),
        ("inside of it", vote(5, 8), OURS, Err(Rule::Surrounded)),
        ("around it", vote(3, 10), OURS, Err(Rule::Surrounding)),
        ("beside it", vote(4, 7), OURS, Ok(())),
        ("after it", vote(9, 10), OURS, Ok(())),
    ] {
        let cleared = protection.clear(&KEY, &message, root);
        let verdict = match &cleared {
            Ok(_) => Ok(()),
            Err(Refused::Conflict { rule, .. }) => Err(*rule),
            Err(other) => panic!("{case}: {other}"),
        };
        assert_eq!(verdict, expected, "{case}: {cleared:?}");
    }
    assert_eq!(protection.counters(), (9, 8));
    let rows = server.psql(
        &database,
        "SELECT slot, encode(signing_root, 'hex') = repeat('01', 32) FROM signed_blocks ORDER BY slot",
    );
    assert_eq!(rows, "10|t\n15|t\n20|t");
    let low = server.psql(
        &database,
        "SELECT slot, source_epoch, target_epoch FROM low_watermarks",
    );
    assert_eq!(
        low, "10|2|4",
        "the low marks are those of the first messages"
    );
}

#[test]
fn what_web3signer_and_its_operator_have_written_counts() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    protection.clear(&KEY, &vote(1, 2), OURS).unwrap();
    let run = |sql: &str| server.psql(&database, sql);
    run(
        "INSERT INTO signed_attestations (validator_id, source_epoch, target_epoch) VALUES (1, 2, 3)",
    );
    let refused = protection.clear(&KEY, &vote(2, 3), OURS).unwrap_err();
    assert!(
        matches!(
            refused,
            Refused::Conflict {
                rule: Rule::DoubleVote,
                ..
            }
        ),
        "null root: {refused}"
    );
    run("UPDATE low_watermarks SET source_epoch = 5, target_epoch = 6");
    let refused = protection.clear(&KEY, &vote(5, 6), OURS).unwrap_err();
    assert!(
        matches!(
            refused,
            Refused::Conflict {
                rule: Rule::TargetBelow,
                ..
            }
        ),
        "{refused}"
    );
    run("UPDATE metadata SET high_watermark_epoch = 9, high_watermark_slot = 100");
    let refused = protection.clear(&KEY, &vote(5, 9), OURS).unwrap_err();
    assert!(
        matches!(refused, Refused::AboveHighWatermark(..)),
        "{refused}"
    );
    protection.clear(&KEY, &vote(5, 8), OURS).unwrap();
    run("UPDATE validators SET enabled = false");
    let refused = protection.clear(&KEY, &vote(5, 8), OURS).unwrap_err();
    assert!(refused.to_string().contains("disabled"), "{refused}");
    protection.set_enabled(vec![KEY], true).unwrap();
    protection.clear(&KEY, &vote(5, 8), OURS).unwrap();
    protection.set_enabled(vec![KEY], false).unwrap();
    assert_eq!(run("SELECT enabled FROM validators"), "f");
    let elsewhere = Slashable::On(OTHER, SlashableMessage::Block(Slot(1)));
    let refused = protection.clear(&KEY, &elsewhere, OURS).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("each chain needs its own database"),
        "{refused}"
    );
    let high = HighWatermark {
        slot: Slot(50),
        epoch: Epoch(20),
    };
    protection.set_high_watermark(Some(high)).unwrap();
    assert_eq!(protection.high_watermark(), Some(high));
    assert_eq!(
        run("SELECT high_watermark_slot, high_watermark_epoch FROM metadata"),
        "50|20"
    );
    protection.set_high_watermark(None).unwrap();
    assert_eq!(protection.high_watermark(), None);
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_its_own_sentence() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    open(server, &database);
    let run = |sql: &str| server.psql(&database, sql);
    let refused = |url: &str, part: &str| {
        let error = open_url(url)
            .err()
            .unwrap_or_else(|| panic!("expected {part:?}"));
        assert!(matches!(error, StoreOpenError::Database(..)), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    };
    let url = server.url(&database);
    for (version, part) in [
        (11, "migrations 12 to 12"),
        (9, "migrations 10 to 12"),
        (13, "this signerd is too old"),
    ] {
        run(&format!("UPDATE database_version SET version = {version}"));
        refused(&url, part);
    }
    run("DELETE FROM database_version");
    refused(&url, "database_version is empty");
    run("ALTER TABLE database_version RENAME TO elsewhere");
    refused(&url, "older than version 7");
    run("ALTER TABLE elsewhere RENAME TO database_version");
    run("INSERT INTO database_version (id, version) VALUES (1, 12)");
    refused(&server.url("missing"), "there is no database \"missing\"");
    run("CREATE ROLE stranger LOGIN");
    refused(
        &url.replace("user=postgres", "user=stranger"),
        "lacks rights",
    );
    run(&format!(
        "ALTER DATABASE {database} SET synchronous_commit = off"
    ));
    refused(&url, "synchronous_commit is off");
    run(&format!(
        "ALTER DATABASE {database} RESET synchronous_commit"
    ));
    run("CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET synchronous_commit = off");
    refused(
        &url.replace("user=postgres", "user=hasty"),
        "synchronous_commit is off",
    );
    run(&format!(
        "ALTER DATABASE {database} SET default_transaction_read_only = on"
    ));
    refused(&url, "default_transaction_read_only");
}

#[test]
fn marks_are_exported_imported_copied_and_never_lowered() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    protection.clear(&KEY, &block(10), OURS).unwrap();
    protection.clear(&KEY, &vote(2, 4), OURS).unwrap();
    let scratch = Scratch::new();
    let embedded = scratch.open().unwrap();
    embedded.clear(&KEY, &block(12), OTHER).unwrap();
    let copied = protection.copy_to(&embedded, None).unwrap();
    assert_eq!((copied.keys, copied.chain), (1, CHAIN));
    embedded
        .clear(&KEY, &block(12), OTHER)
        .expect("its own mark is higher");
    embedded
        .clear(&KEY, &vote(2, 4), OTHER)
        .expect_err("copied");
    embedded.copy_to(&protection, None).unwrap();
    protection
        .clear(&KEY, &block(11), OURS)
        .expect_err("copied back");
    protection
        .clear(&KEY, &block(12), OTHER)
        .expect("the very message");
    let text = protection.export(None, None).unwrap();
    assert_eq!(protection.import(&text).unwrap().keys, 1);
    assert!(protection.knows(&KEY));
    // Many keys at once, past what advisory locks serve.
    let imported = protection.import(&interchange(1500)).unwrap();
    assert_eq!(imported.keys, 1500);
    assert_eq!(protection.marks(None).unwrap().len(), 1501);
    let mut key = PublicKey([0xbb; 48]);
    key.0[..2].copy_from_slice(&5u16.to_be_bytes());
    protection
        .clear(&key, &block(7), OURS)
        .expect_err("imported");
    protection.clear(&key, &vote(1, 4), OURS).expect("above");
    let other_chain = text.replace(&CHAIN.to_string(), &OTHER.to_string());
    let error = protection.import(&other_chain).expect_err("another chain");
    assert!(error.to_string().contains("is about the chain"), "{error}");
}

/// An interchange file about this many keys, each with a block and a vote.
fn interchange(keys: u16) -> String {
    let mut rows = Vec::new();
    for number in 0..keys {
        let mut key = PublicKey([0xbb; 48]);
        key.0[..2].copy_from_slice(&number.to_be_bytes());
        rows.push(format!(
            r#"{{"pubkey":"{key}","signed_blocks":[{{"slot":"7"}}],"signed_attestations":[{{"source_epoch":"1","target_epoch":"3"}}]}}"#
        ));
    }
    format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},"data":[{}]}}"#,
        rows.join(",")
    )
}

#[test]
fn an_import_waits_for_who_signs_with_one_of_its_keys_or_of_many_keys_with_any() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open_url(&format!("{}&socketTimeout=1", server.url(&database))).unwrap();
    protection.import(&interchange(501)).unwrap();
    let id = server.psql(&database, "SELECT min(id) FROM validators");
    let of_one_key = format!("SELECT pg_advisory_xact_lock(0, {id})");
    let of_votes_of_one_key = format!("SELECT pg_advisory_xact_lock(1, {id})");
    let of_the_table = "LOCK TABLE signed_blocks IN ROW EXCLUSIVE MODE";
    for (keys, held, waits) in [
        (1, of_one_key.as_str(), true),
        (1, &of_votes_of_one_key, true),
        (500, &of_one_key, true),
        (500, of_the_table, false),
        (501, &of_one_key, false),
        (501, of_the_table, true),
    ] {
        let mut holder = server.session(&database);
        holder.run("BEGIN");
        holder.run(held);
        let imported = protection.import(&interchange(keys));
        assert_eq!(imported.is_err(), waits, "{keys} keys, {held}");
        if let Err(error) = imported {
            assert!(error.to_string().contains("lock timeout"), "{error}");
        }
        holder.run("COMMIT");
        protection
            .import(&interchange(keys))
            .expect("nobody holds it");
    }
}

#[test]
fn the_high_watermark_is_that_of_the_database_whoever_has_set_it() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    protection.clear(&KEY, &block(10), OURS).unwrap();
    assert_eq!(protection.high_watermark(), None);
    let high = HighWatermark {
        slot: Slot(64),
        epoch: Epoch(2),
    };
    let another = open(server, &database);
    another.set_high_watermark(Some(high)).unwrap();
    assert_eq!(open(server, &database).high_watermark(), Some(high));
    // An idle connection is checked once in a second.
    let begun = Instant::now();
    while protection.high_watermark() != Some(high) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(50));
    }
    protection.clear(&KEY, &block(64), OURS).unwrap_err();
}

#[test]
fn an_export_may_take_longer_than_a_signature() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open_url(&format!("{}&socketTimeout=1", server.url(&database))).unwrap();
    protection.clear(&KEY, &block(10), OURS).unwrap();
    server.psql(
        &database,
        "ALTER TABLE low_watermarks RENAME TO slow_watermarks;
         CREATE VIEW low_watermarks AS SELECT * FROM slow_watermarks
         WHERE (SELECT true FROM pg_sleep(1.5))",
    );
    let text = protection.export(None, None).unwrap();
    assert!(text.contains(&KEY.to_string()), "{text}");
}

#[test]
fn what_an_import_says_is_signed_is_refused_though_the_database_has_signed_above_it() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    for message in [block(10), block(200), vote(2, 4), vote(90, 100)] {
        protection.clear(&KEY, &message, OURS).unwrap();
    }
    let file = format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},"data":[
        {{"pubkey":"{KEY}","signed_blocks":[{{"slot":"50"}},{{"slot":"100"}}],
        "signed_attestations":[{{"source_epoch":"40","target_epoch":"50"}}]}}]}}"#
    );
    protection.import(&file).unwrap();
    for message in [
        block(50),
        block(100),
        vote(40, 50),
        vote(39, 60),
        vote(45, 47),
    ] {
        let cleared = protection.clear(&KEY, &message, OTHER);
        assert!(cleared.is_err(), "{message:?}: signed elsewhere");
    }
    for message in [block(200), block(201), vote(90, 100), vote(91, 101)] {
        protection.clear(&KEY, &message, OURS).unwrap();
    }
}

#[test]
fn after_random_imports_nothing_contradicts_what_was_imported() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    let mut random = Random::new(76);
    for number in 0..200u8 {
        let key = PublicKey([number; 48]);
        let mut known = Vec::new();
        for round in 0..12 {
            if round % 4 < 3 {
                let (message, root) = any_message(&mut random);
                let cleared = protection.clear(&key, &Slashable::On(CHAIN, message), root);
                let asked = (message, Some(root));
                if cleared.is_ok() {
                    let contradicted = known.iter().find(|signed| is_slashable(signed, &asked));
                    // What was already signed here may be asked for again.
                    assert!(
                        contradicted.is_none() || known.contains(&asked),
                        "{asked:?} after {known:?}"
                    );
                    known.push(asked);
                }
                continue;
            }
            let [mut blocks, mut votes] = [Vec::new(), Vec::new()];
            for _ in 0..=random.below(2) {
                let (message, _) = any_message(&mut random);
                match message {
                    SlashableMessage::Block(slot) => blocks.push(format!(r#"{{"slot":"{slot}"}}"#)),
                    SlashableMessage::Vote(source, target) if source <= target => votes.push(
                        format!(r#"{{"source_epoch":"{source}","target_epoch":"{target}"}}"#),
                    ),
                    SlashableMessage::Vote(..) => continue,
                }
                known.push((message, None));
            }
            let file = format!(
                r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{CHAIN}"}},"data":[
                {{"pubkey":"{key}","signed_blocks":[{}],"signed_attestations":[{}]}}]}}"#,
                blocks.join(","),
                votes.join(",")
            );
            protection.import(&file).unwrap();
        }
    }
}

#[test]
fn of_the_eip_3076_suite_nothing_that_must_be_refused_is_signed() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let mut checks = 0;
    for entry in std::fs::read_dir(crate::support::vectors::path("eip3076")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let database = server.create_database();
        let chain: Root = case["genesis_validators_root"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let scratch = Scratch::new();
        let protection = Protection::open(&ProtectionSettings {
            database: Some(DatabaseSettings::from_url(&server.url(&database)).unwrap()),
            chain: Some(chain),
            ..scratch.settings()
        })
        .unwrap();
        for step in case["steps"].as_array().unwrap() {
            let imported = protection.import(&step["interchange"].to_string());
            let should_succeed = step["should_succeed"] == true;
            assert_eq!(
                imported.is_ok(),
                should_succeed,
                "{}: {imported:?}",
                case["name"]
            );
            for message in crate::interchange::messages(step, chain) {
                let cleared = protection.clear(&message.key, &message.slashable, message.root);
                // All that was signed here is known, so some is signed that the minimal form refuses.
                let may_succeed = message.should_succeed || message.should_succeed_complete;
                assert!(
                    cleared.is_ok() == message.should_succeed || cleared.is_ok() && may_succeed,
                    "{}: {:?}: {cleared:?}",
                    case["name"],
                    message.slashable
                );
                checks += 1;
            }
        }
    }
    assert_eq!(checks, 150);
}

#[test]
fn the_commands_copy_both_ways_and_print_the_schema() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let url = server.url(&database);
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::support::binary())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.success(),
            text(&output.stdout) + &text(&output.stderr),
        )
    };
    assert_eq!(
        run(&["slashing", "schema"]),
        (true, DATABASE_SCHEMA.to_owned())
    );
    let here = Scratch::new();
    let there = Scratch::new();
    here.open().unwrap().clear(&KEY, &vote(3, 4), OURS).unwrap();
    let directory = |scratch: &Scratch| scratch.path().to_str().unwrap().to_owned();
    for (from, to) in [
        (directory(&here), url.clone()),
        (url.clone(), directory(&there)),
    ] {
        let (succeeded, text) = run(&["slashing", "copy", "--from", &from, "--to", &to]);
        assert!(succeeded && text.starts_with("1 key of chain"), "{text}");
    }
    there
        .open()
        .unwrap()
        .clear(&KEY, &vote(3, 4), OTHER)
        .expect_err("copied twice");
    let option = format!("--slashing-protection-db-url={url}");
    let (succeeded, text) = run(&["slashing", "export", &option]);
    assert!(succeeded && text.contains(&KEY.to_string()), "{text}");
    let (succeeded, text) = run(&["slashing", "watermark", &option]);
    assert!(succeeded && text.contains("target epoch 4"), "{text}");
}

#[test]
fn pruning_keeps_the_last_epochs_and_refuses_what_is_older() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    for epoch in 1..=20 {
        protection
            .clear(&KEY, &vote(epoch - 1, epoch), OURS)
            .unwrap();
        protection.clear(&KEY, &block(epoch * 4), OURS).unwrap();
    }
    let scratch = Scratch::new();
    let pruning = PruningSettings {
        epochs_to_keep: 5,
        slots_per_epoch: 4,
        interval: std::time::Duration::from_secs(3600),
        at_boot: true,
    };
    let _pruner = Protection::open(&ProtectionSettings {
        database: Some(DatabaseSettings::from_url(&server.url(&database)).unwrap()),
        pruning: Some(pruning),
        ..scratch.settings()
    })
    .unwrap();
    for _ in 0..200 {
        if server.psql(&database, "SELECT count(*) FROM signed_attestations") == "5" {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(25));
    }
    let rows = server.psql(
        &database,
        "SELECT (SELECT min(target_epoch) FROM signed_attestations), (SELECT min(slot) FROM signed_blocks),
         slot, source_epoch, target_epoch FROM low_watermarks",
    );
    assert_eq!(rows, "16|64|61|16|16");
    protection
        .clear(&KEY, &vote(15, 15), OURS)
        .expect_err("it is forgotten");
    protection
        .clear(&KEY, &vote(20, 21), OURS)
        .expect("it is new");
}

/// Prunes once, as at a start, and waits until that is done.
fn prune(server: &PostgresServer, database: &str, epochs_to_keep: u64) {
    let connections = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'signerd pruning' AND datname = current_database()";
    let scratch = Scratch::new();
    let pruner = Protection::open(&ProtectionSettings {
        database: Some(
            DatabaseSettings::from_url(&format!(
                "{}&ApplicationName=signerd%20pruning",
                server.url(database)
            ))
            .unwrap(),
        ),
        pruning: Some(PruningSettings {
            epochs_to_keep,
            slots_per_epoch: 4,
            interval: std::time::Duration::from_secs(3600),
            at_boot: true,
        }),
        ..scratch.settings()
    })
    .unwrap();
    // Its own connection stays, that of the pruning ends.
    let begun = std::time::Instant::now();
    thread::sleep(std::time::Duration::from_millis(100));
    while server.psql(database, connections) != "1" {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30));
        thread::sleep(std::time::Duration::from_millis(25));
    }
    drop(pruner);
}

/// Signs a vote for each target epoch from 1 to `last`.
fn sign_votes(protection: &Protection, last: u64) {
    for target in 1..=last {
        protection
            .clear(&KEY, &vote(target - 1, target), OURS)
            .unwrap();
    }
}

#[test]
fn pruning_is_left_to_the_instance_that_does_it_already() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    sign_votes(&protection, 30);
    let votes = "SELECT count(*) FROM signed_attestations";
    let mut other_instance = server.session(&database);
    other_instance.run("SELECT pg_advisory_lock(7369677)");
    prune(server, &database, 5);
    assert_eq!(server.psql(&database, votes), "30");
    other_instance.run("SELECT pg_advisory_unlock(7369677)");
    prune(server, &database, 5);
    assert_eq!(server.psql(&database, votes), "5");
}

#[test]
fn pruning_stops_no_votes_while_the_chain_justifies_nothing_for_long() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    for target in 3..=30 {
        protection.clear(&KEY, &vote(2, target), OURS).unwrap();
    }
    prune(server, &database, 5);
    let low = server.psql(
        &database,
        "SELECT source_epoch, target_epoch, (SELECT count(*) FROM signed_attestations) FROM low_watermarks",
    );
    assert_eq!(low, "2|26|5");
    protection
        .clear(&KEY, &vote(2, 31), OURS)
        .expect("the source is still the last one that is justified");
    protection
        .clear(&KEY, &vote(1, 32), OURS)
        .expect_err("around what is forgotten");
}

#[test]
fn pruning_removes_nothing_that_a_web3signer_is_about_to_look_for() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    sign_votes(&protection, 20);
    // It has read the old low watermark, and looks for conflicts next.
    let mut web3signer = server.session(&database);
    web3signer.run("BEGIN ISOLATION LEVEL READ COMMITTED");
    web3signer.run("SELECT pg_advisory_xact_lock(1, 1)");
    let low = web3signer.run("SELECT target_epoch FROM low_watermarks WHERE validator_id = 1");
    assert_eq!(low, ["1"]);
    let database_name = database.clone();
    thread::scope(|scope| {
        let pruned = scope.spawn(|| prune(server, &database_name, 5));
        for _ in 0..400 {
            let low = server.psql(&database, "SELECT target_epoch FROM low_watermarks");
            if low == "16" {
                break;
            }
            thread::sleep(std::time::Duration::from_millis(25));
        }
        thread::sleep(std::time::Duration::from_millis(300));
        let found =
            web3signer.run("SELECT count(*) FROM signed_attestations WHERE target_epoch = 9");
        assert_eq!(found, ["1"], "still there for it");
        web3signer.run("COMMIT");
        pruned.join().unwrap();
    });
    let left = server.psql(&database, "SELECT count(*) FROM signed_attestations");
    assert_eq!(left, "5");
}

/// Raises the low watermarks with each message and forgets older votes, so that the database knows as little as
/// the minimal form of EIP-3076.
const MINIMAL: &str = "
CREATE FUNCTION follow_blocks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE low_watermarks SET slot = greatest(slot, NEW.slot) WHERE validator_id = NEW.validator_id;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_blocks AFTER INSERT ON signed_blocks FOR EACH ROW EXECUTE FUNCTION follow_blocks();
CREATE FUNCTION follow_votes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE low_watermarks SET source_epoch = greatest(source_epoch, NEW.source_epoch),
        target_epoch = greatest(target_epoch, NEW.target_epoch) WHERE validator_id = NEW.validator_id;
    DELETE FROM signed_attestations WHERE validator_id = NEW.validator_id AND target_epoch < NEW.target_epoch;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_votes AFTER INSERT ON signed_attestations FOR EACH ROW EXECUTE FUNCTION follow_votes()";

#[test]
fn random_messages_get_the_same_verdicts_from_both_stores_where_both_know_the_same() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let [full, minimal] = [(); 2].map(|()| server.create_database());
    let full = open(server, &full);
    let equal = open(server, &minimal);
    server.psql(&minimal, MINIMAL);
    let scratch = Scratch::new();
    let embedded = scratch.open().unwrap();
    const THREADS: u8 = 32;
    let keys: u16 = std::env::var("SIGNERD_TEST_LONG").map_or(8, |_| 1600);
    let one_thread = |number: u8| {
        let mut random = Random::new(u64::from(number) + 3076);
        for sequence in 0..keys {
            let mut key = PublicKey([number; 48]);
            key.0[..2].copy_from_slice(&sequence.to_be_bytes());
            for _ in 0..20 {
                let (message, root) = any_message(&mut random);
                let message = Slashable::On(CHAIN, message);
                let expected = embedded.clear(&key, &message, root);
                let found = equal.clear(&key, &message, root);
                assert_eq!(
                    found.is_ok(),
                    expected.is_ok(),
                    "{message:?}: {found:?}, {expected:?}"
                );
                // A database that knows all messages refuses nothing more.
                let found = full.clear(&key, &message, root);
                assert!(found.is_ok() || expected.is_err(), "{message:?}: {found:?}");
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..THREADS {
            let one_thread = &one_thread;
            scope.spawn(move || one_thread(number));
        }
    });
    let expected = embedded.marks(None).unwrap();
    assert_eq!(expected.len(), usize::from(keys) * usize::from(THREADS));
    for database in [&equal, &full] {
        assert_eq!(database.marks(None).unwrap(), expected);
    }
    assert_eq!(equal.counters(), embedded.counters());
    println!("{:?} permitted and refused by both", equal.counters());
}

#[test]
fn random_histories_of_the_database_hold_no_slashable_pair_and_refuse_only_what_they_must() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.create_database();
    let protection = open(server, &database);
    const THREADS: u8 = 32;
    let keys: u16 = std::env::var("SIGNERD_TEST_LONG").map_or(8, |_| 1600);
    let one_thread = |number: u8| {
        let mut random = Random::new(u64::from(number));
        for sequence in 0..keys {
            let mut key = PublicKey([number; 48]);
            key.0[..2].copy_from_slice(&sequence.to_be_bytes());
            let mut model = Model::default();
            for _ in 0..20 {
                let (message, root) = any_message(&mut random);
                let cleared = protection.clear(&key, &Slashable::On(CHAIN, message), root);
                let expected = model.sign(message, root);
                assert_eq!(
                    cleared.is_ok(),
                    expected,
                    "{message:?} after {model:?}: {cleared:?}"
                );
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..THREADS {
            let one_thread = &one_thread;
            scope.spawn(move || one_thread(number));
        }
    });
}

/// Web3Signer's rules, written out.
#[derive(Debug, Default)]
struct Model {
    signed: Vec<(SlashableMessage, Option<Root>)>,
    low_slot: Option<u64>,
    low_epochs: Option<(u64, u64)>,
}

impl Model {
    fn sign(&mut self, message: SlashableMessage, root: Root) -> bool {
        let asked = (message, Some(root));
        let is_repeat = self.signed.contains(&asked);
        let is_slashable = self
            .signed
            .iter()
            .any(|signed| is_slashable(signed, &asked));
        match message {
            SlashableMessage::Block(slot) => {
                if self.low_slot.is_some_and(|low| slot.0 < low) || !is_repeat && is_slashable {
                    return false;
                }
                self.low_slot.get_or_insert(slot.0);
            }
            SlashableMessage::Vote(source, target) => {
                if source > target {
                    return false;
                }
                if let Some((low_source, low_target)) = self.low_epochs
                    && (source.0 < low_source || target.0 <= low_target && !is_repeat)
                {
                    return false;
                }
                if !is_repeat && is_slashable {
                    return false;
                }
                self.low_epochs.get_or_insert((source.0, target.0));
            }
        }
        if !is_repeat {
            self.signed.push(asked);
        }
        true
    }
}
