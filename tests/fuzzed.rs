//! The fuzz targets without a fuzzer: every input of the corpora, and random mutations of them, on any
//! toolchain. `scripts/fuzz` looks further, with the coverage of the code as its guide.

use std::fs;
use std::path::PathBuf;

use crate::fuzz_targets::{TARGETS, Target};
use crate::random::Random;

/// Mutations of each target; those over sockets, and those that commit, are slow.
const MUTATIONS: u64 = 2_000;
const SLOW_TARGETS: [(&str, u64); 2] = [("server", 100), ("slashing", 200)];

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", directory.display());
    files
        .iter()
        .map(|file| fs::read(file).expect("a file"))
        .collect()
}

/// Changes, removes, inserts, repeats, or joins with another input.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let below = |random: &mut Random, end: usize| {
        usize::try_from(random.below(end.max(1) as u64)).expect("it was a usize")
    };
    for _ in 0..=random.below(3) {
        let at = below(random, input.len() + 1);
        let end = (at + below(random, 16)).min(input.len());
        let byte = u8::try_from(random.below(256)).expect("a byte");
        match random.below(6) {
            0 => input.insert(at, byte),
            1 if at < input.len() => input[at] = byte,
            2 if at < input.len() => input[at] ^= 1 << (byte % 8),
            3 => {
                input.drain(at..end);
            }
            4 => {
                let repeated = input[at..end].to_vec();
                input.splice(at..at, repeated);
            }
            _ => {
                let from = below(random, other.len());
                let to = (from + below(random, 64)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
}

fn run(name: &str) {
    let (_, body): Target = TARGETS
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("a target");
    let corpus = corpus(name);
    for input in &corpus {
        body(input);
    }
    let slow = SLOW_TARGETS.iter().find(|(slow, _)| *slow == name);
    let mutations = slow.map_or(MUTATIONS, |(_, mutations)| *mutations);
    let mut random = Random::new(20);
    for round in 0..mutations {
        let pick = |random: &mut Random| {
            let index = random.below(corpus.len() as u64);
            &corpus[usize::try_from(index).expect("an index")]
        };
        let mut input = pick(&mut random).clone();
        let other = pick(&mut random);
        mutate(&mut input, other, &mut random);
        let failed = std::panic::catch_unwind(|| body(&input)).is_err();
        assert!(
            !failed,
            "round {round}: {:?}",
            String::from_utf8_lossy(&input)
        );
    }
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { run($name); })*

        #[test]
        fn every_target_runs_here_and_under_the_fuzzer() {
            let here: Vec<&str> = vec![$($name),*];
            let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(here, known);
            let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
            for name in here {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no [[bin]]");
                let body = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs")));
                assert!(body.is_ok_and(|body| body.contains(&format!("\"{name}\""))), "{name}");
            }
        }
    };
}

targets! {
    certificates_are_read_or_refused: "certificates",
    a_command_line_is_read_or_refused: "command_line",
    no_message_of_a_database_breaks_its_client: "database_messages",
    a_database_url_is_read_or_refused_and_shows_no_password: "database_url",
    requests_are_framed_as_hyper_frames_them: "framing",
    an_interchange_file_is_taken_or_refused: "interchange",
    a_key_configuration_is_read_or_refused: "key_config",
    a_keystore_is_read_or_refused: "keystore",
    a_network_configuration_is_read_or_refused: "network_config",
    both_runtimes_answer_each_request_once: "server",
    any_message_in_any_dialect_has_the_root_of_a_second_implementation: "sign_request",
    any_bytes_are_a_request_only_if_they_are_json: "sign_request_bytes",
    no_sequence_is_signed_that_can_be_slashed: "slashing",
}
