//! What the README, CONTRIBUTING and the tour in `src/lib.rs` say exists, exists: options, commands, routes,
//! files. The Quick start works as written.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Scratch, Signer, binary};

/// Options of other programs that the README names: cargo, curl, our scripts, the validator clients, and
/// the program in the example of the action.
const FOREIGN_OPTIONS: [&str; 14] = [
    "release",
    "bench",
    "retry",
    "retry-connrefused",
    "to",
    "debian",
    "from",
    "validators-external-signer-url",
    "validators-external-signer-public-keys",
    "web3-signer-url",
    "externalSigner",
    "remote-signer-url",
    "web3signer-urls",
    "signer",
];

fn text(file: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// Every run of these characters that follows `marker`.
fn words_after<'a>(text: &'a str, marker: &str, is_part: fn(char) -> bool) -> BTreeSet<&'a str> {
    let mut words = BTreeSet::new();
    for (at, _) in text.match_indices(marker) {
        let rest = &text[at + marker.len()..];
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        if !word.is_empty() {
            words.insert(word);
        }
    }
    words
}

fn output(arguments: &[&str]) -> String {
    let output = Command::new(binary())
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The words of each `signerd …` command in the commands table.
fn commands(readme: &str) -> Vec<Vec<&str>> {
    readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `signerd ")?.split_once('`'))
        .map(|(command, _)| command.split(' ').collect())
        .collect()
}

#[test]
fn every_command_of_the_readme_has_help() {
    let readme = text("README.md");
    let commands = commands(&readme);
    assert!(commands.len() >= 10, "only {commands:?}");
    for command in commands {
        output(&[&command[..], &["--help"]].concat());
    }
}

#[test]
fn every_option_of_the_readme_exists() {
    let readme = text("README.md");
    let mut known = output(&["--help"]) + &output(&["completions", "man"]).replace("\\-", "-");
    for command in commands(&readme) {
        known += &output(&[&command[..], &["--help"]].concat());
    }
    // Options of Web3Signer that signerd recognises only to refuse or to ignore them.
    let is_refused = |option: &str| {
        let run = Command::new(binary())
            .args(["check", &format!("--{option}=x")])
            .output();
        let error = String::from_utf8(run.expect("it runs").stderr).expect("text");
        !error.contains("unknown option") && !error.contains("Unrecognized")
    };
    let known = words_after(&known, "--", is_option_character);
    let named = words_after(&readme, "--", is_option_character);
    for option in FOREIGN_OPTIONS {
        assert!(
            named.contains(option),
            "the README does not name --{option}"
        );
    }
    for option in named {
        if option.starts_with('-') {
            continue; // a rule of a table
        }
        let exists = known.contains(option)
            || FOREIGN_OPTIONS.contains(&option)
            || (option.starts_with("slashing-protection-db-") && is_refused(option));
        assert!(exists, "the README names --{option}, which does not exist");
    }
}

fn is_option_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// Method and path of each row in the table of routes.
fn routes(readme: &str) -> Vec<(&str, &str)> {
    readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .filter_map(|(route, _)| route.split_once(' '))
        .filter(|(_, path)| path.starts_with('/'))
        .collect()
}

#[test]
fn every_route_of_the_readme_answers_and_is_described() {
    let readme = text("README.md");
    let description = text("packaging/openapi.yaml");
    let scratch = Scratch::new("readme-routes");
    let data = scratch.path().display().to_string();
    let all = ["--Xsigning-ext-enabled", "--interop-keys", "0..1"];
    let signer = Signer::start(&[&all[..], &["--data-dir", &data]].concat());
    signer.wait_loaded();
    let keys = signer.client().get("/api/v1/eth2/publicKeys").json();
    let key = keys[0].as_str().expect("a key").to_owned();
    let routes = routes(&readme);
    assert!(routes.len() >= 14, "only {routes:?}");
    for (method, path) in routes {
        // It is on a port of its own.
        assert!(
            path == "/metrics" || description.contains(&format!("\n  {path}:\n")),
            "packaging/openapi.yaml does not describe {path}"
        );
        let path = path.replace("{identifier}", &key);
        let answer = if path == "/metrics" || path == "/" {
            let address = signer.metrics.as_deref().expect("metrics are on");
            crate::support::client::Client::connect(address).request(method, &path, &[], b"")
        } else {
            signer.client().request(method, &path, &[], b"")
        };
        assert!(
            !matches!(answer.status, 404 | 405 | 500..),
            "{method} {path}: {}",
            answer.status
        );
    }
    // And the other way round.
    for line in description.lines() {
        let path = line
            .strip_prefix("  /")
            .and_then(|rest| rest.strip_suffix(':'));
        if let Some(path) = path {
            assert!(
                readme.contains(&format!("/{path}`")),
                "the README does not name /{path}"
            );
        }
    }
}

#[test]
fn every_file_that_the_documents_name_exists() {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    for document in [
        "README.md",
        ".github/CONTRIBUTING.md",
        ".github/SECURITY.md",
    ] {
        let text = text(document);
        for folder in [
            "src/",
            "tests/",
            "scripts/",
            "packaging/",
            "systemd/",
            ".github/",
        ] {
            for name in words_after(&text, &format!("`{folder}"), is_path) {
                let path =
                    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("{folder}{name}"));
                assert!(path.exists(), "{document} names {folder}{name}");
            }
        }
    }
}

#[test]
fn every_file_of_the_tour_exists() {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._".contains(c);
    let source = text("src/lib.rs");
    let (tour, _) = source.split_once("use std::").expect("imports follow");
    let files: Vec<&str> = words_after(tour, "`", is_path)
        .into_iter()
        .filter(|word| word.ends_with(".rs"))
        .collect();
    assert!(files.len() > 20, "only {files:?}");
    for file in files {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let exists = root.join("src").join(file).exists() || root.join(file).exists();
        assert!(exists, "the tour names {file}");
    }
}

#[test]
fn the_quick_start_gives_the_signature_that_it_shows() {
    let readme = text("README.md");
    let blocks: Vec<&str> = readme
        .split("```")
        .skip(1)
        .step_by(2)
        .take(3)
        .map(|block| block.split_once('\n').expect("a language").1.trim_end())
        .collect();
    let arguments: Vec<&str> = blocks[0]
        .strip_prefix("cargo run --release -- ")
        .expect("the first command starts the signer")
        .split(' ')
        .collect();
    let signer = Signer::start(&arguments);
    signer.wait_loaded();
    let ask = blocks[1].replace("127.0.0.1:8080", &signer.address);
    assert_ne!(ask, blocks[1], "the second command asks the default port");
    let answer = Command::new("sh").args(["-c", &ask]).output();
    let answer = String::from_utf8(answer.expect("curl runs").stdout).expect("text");
    assert_eq!(answer.trim_end(), blocks[2]);
}

#[test]
fn the_packaging_names_the_version_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, before) in [
        ("README.md", "github-action@v"),
        ("README.md", "github-action/stop@v"),
        ("README.md", "/signerd_"),
        ("README.md", "remote_signer_image: signerd:"),
        ("packaging/compose.yaml", "SIGNERD_IMAGE:-signerd:"),
        ("packaging/haproxy/compose.yaml", "SIGNERD_IMAGE:-signerd:"),
        ("packaging/kubernetes.yaml", "OWNER/signerd:"),
        (
            "packaging/network_params.yaml",
            "remote_signer_image: signerd:",
        ),
    ] {
        let text = text(file);
        let mut named = text.split(before).skip(1).peekable();
        assert!(named.peek().is_some(), "{file} has no {before}");
        for rest in named {
            assert!(
                rest.starts_with(version),
                "{file}: {before}… is not {version}"
            );
        }
    }
}

/// A row of the threat model is a promise: its last column names the tests that show it.
#[test]
fn every_row_of_the_threat_model_names_tests_that_exist() {
    let readme = text("README.md");
    let (_, section) = readme
        .split_once("\n## Threat model\n")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another one follows");
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() > 10, "only {rows:?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [boundary, _, _, shown_by] = cells[..] else {
            panic!("expected boundary, who, what holds, shown by: {row}");
        };
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test shows: {boundary}");
        for test in tests {
            let (module, name) = test.rsplit_once("::").expect("a module and a test");
            // A unit test has the path of its module below src.
            let folder = if module.contains("::") {
                "src"
            } else {
                "tests"
            };
            let source = text(&format!("{folder}/{}.rs", module.replace("::", "/")));
            let is_there = source.contains(&format!("fn {name}("))
                || (module == "fuzzed" && source.contains(&format!("{name}: \"")));
            assert!(is_there, "{boundary}: {test} does not exist");
        }
    }
}
