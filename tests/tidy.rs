//! The rules of this source that a machine can check: layers, homes of crates, names, sizes, words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order of their imports: each may import those below it, and itself.
const LAYERS: [&[&str]; 14] = [
    &["main"],
    &["commands", "fuzzing"],
    &["service"],
    &["data_dir"],
    &["config"],
    &["cli", "log"],
    &["server"],
    &["api"],
    &["status"],
    &["keys", "metrics"],
    &["slashing"],
    &["consensus"],
    &[
        "audit_log",
        "critical_thread",
        "files",
        "counted",
        "hex",
        "json",
        "path_advice",
        "wait",
        "yaml",
        "http",
    ],
    &["sync"],
];

/// Foreign crates, and the only places that may name them.
const HOMES: [(&str, &[&str]); 15] = [
    ("may", &["server/"]),
    ("rustls", &["server/", "slashing/postgres/"]),
    ("p12_keystore", &["server/"]),
    (
        "blst",
        &["keys/arena.rs", "keys/g2/curve.rs", "keys/seed.rs"],
    ),
    ("memsec", &["keys/arena.rs"]),
    ("libc", &["audit_log.rs", "keys/arena.rs", "server/"]),
    ("httparse", &["http/request.rs"]),
    ("redb", &["slashing/"]),
    ("postgres_protocol", &["slashing/postgres/"]),
    ("simd_json", &["consensus/"]),
    ("scrypt", &["keys/"]),
    ("pbkdf2", &["keys/"]),
    ("arc_swap", &["sync.rs", "server/"]),
    (
        "argh",
        &["cli/subcommands.rs", "cli/completions.rs", "cli/manual.rs"],
    ),
    ("saphyr_parser", &["yaml.rs"]),
];

/// Where system calls and C functions are: locked memory, blst's arithmetic, what the server asks of the system,
/// and (tests only) requests to valgrind.
const UNSAFE_FILES: [&str; 4] = [
    "keys/arena.rs",
    "keys/g2/curve.rs",
    "keys/g2/constant_time.rs",
    "server/system.rs",
];

/// A longer file says in its head comment why it is one file: `//! Over 500 lines because …`.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file that is not all tests: its path below `src`, and its text.
pub(crate) fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, files)
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path)
            }
        }
    }
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    files.retain(|path| !is_all_tests(path));
    files.sort();
    let name = |path: &Path| {
        path.strip_prefix(&src)
            .expect("below src")
            .display()
            .to_string()
    };
    files
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).expect("text")))
        .collect()
}

/// Unit tests that have a file of their own, and what they stand on.
fn is_all_tests(path: &Path) -> bool {
    path.display().to_string().ends_with("tests.rs")
        || path
            .parent()
            .is_some_and(|folder| folder.ends_with("testing"))
}

/// The code of a file, without comments and without its unit tests.
pub(crate) fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    body.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no layer"))
}

fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or(file)
}

#[test]
fn imports_go_down_only() {
    for (file, text) in sources().iter().filter(|(file, _)| file != "lib.rs") {
        for (marker, own) in [("crate::", true), ("signerd::", false)] {
            if own == (file == "main.rs") {
                continue;
            }
            for (at, _) in code(text).match_indices(marker) {
                let rest = &code(text)[at + marker.len()..];
                let target: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if target.is_empty() {
                    continue; // `use crate::{…}`, which is refused below
                }
                assert!(
                    layer(module(file)) <= layer(&target),
                    "{file} imports {target}, which stands above it"
                );
            }
        }
        assert!(
            !text.contains("use crate::{"),
            "{file}: import each module of ours on a line of its own"
        );
    }
}

#[test]
fn http_imports_nothing_of_ours() {
    for (file, text) in sources()
        .iter()
        .filter(|(file, _)| file.starts_with("http/"))
    {
        for line in code(text).lines().filter(|line| line.contains("crate::")) {
            assert!(line.contains("crate::http"), "{file}: {line}");
        }
    }
}

#[test]
fn foreign_crates_stay_home() {
    for (file, text) in sources() {
        let text = code(&text);
        for (name, homes) in HOMES {
            let named =
                text.contains(&format!("use {name}::")) || text.contains(&format!(" {name}::"));
            assert!(
                !named || homes.iter().any(|home| file.starts_with(home)),
                "{file} names {name}"
            );
        }
    }
}

#[test]
fn unsafe_code_stays_in_its_files() {
    for (file, text) in sources() {
        let named = text.contains("unsafe {")
            || text.contains("unsafe impl")
            || text.contains("unsafe extern");
        assert!(
            !named || UNSAFE_FILES.contains(&file.as_str()),
            "{file} has unsafe code"
        );
    }
}

#[test]
fn a_type_name_means_one_thing_in_the_whole_crate() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources() {
        for line in code(&text).lines() {
            if let Some(name) = declared_type(line) {
                let is_new = homes.entry(name.clone()).or_default().insert(file.clone());
                assert!(is_new, "{file} declares {name} twice");
            }
        }
    }
    homes.retain(|_, files| files.len() > 1);
    assert!(
        homes.is_empty(),
        "these names are declared more than once: {homes:#?}"
    );
}

/// The type that a line declares. An indented `type` belongs to a trait and names nothing new.
fn declared_type(line: &str) -> Option<String> {
    let mut declaration = line.trim_start();
    let is_indented = declaration.len() < line.len();
    if let Some(rest) = declaration.strip_prefix("pub") {
        declaration = match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(") ")?.1,
            None => rest.strip_prefix(' ')?,
        };
    }
    declaration = declaration.strip_prefix("unsafe ").unwrap_or(declaration);
    let (keyword, rest) = declaration.split_once(' ')?;
    let declares = match keyword {
        "struct" | "enum" | "union" | "trait" => true,
        "type" => !is_indented,
        _ => false,
    };
    let name: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (declares && !name.is_empty()).then_some(name)
}

#[test]
fn the_finder_of_declared_types_knows_every_form() {
    for (line, expected) in [
        ("struct Slot(u64);", Some("Slot")),
        ("pub struct KeyTable<T> {", Some("KeyTable")),
        ("pub(crate) enum Refusal {", Some("Refusal")),
        ("    pub(in crate::keys) trait Source {", Some("Source")),
        ("unsafe trait Pages {}", Some("Pages")),
        ("type Answer = Result<(), Refusal>;", Some("Answer")),
        ("    type Error = io::Error;", None),
        ("let struct_size = 3;", None),
        ("public struct", None),
    ] {
        assert_eq!(declared_type(line).as_deref(), expected, "{line}");
    }
}

#[test]
fn a_boolean_is_asked_by_if() {
    let found = lines_that_begin_with(&["true =>", "false =>"]);
    assert!(found.is_empty(), "a match on a boolean: {found:#?}");
}

#[test]
fn a_scope_ends_a_value_and_not_a_call_of_drop() {
    let found = lines_that_begin_with(&["drop(", "mem::drop(", "std::mem::drop("]);
    assert!(found.is_empty(), "a call of drop: {found:#?}");
}

/// Lines of code, each after the name of its file.
fn lines_that_begin_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources() {
        for line in code(&text).lines().map(str::trim_start) {
            if words.iter().any(|word| line.starts_with(word)) {
                found.push(format!("{file}: {line}"));
            }
        }
    }
    found
}

#[test]
fn a_file_says_what_it_is_for_and_a_long_one_why_it_is_long() {
    for (file, text) in sources() {
        let count = text.lines().count();
        let has_reason = text.contains("//! Over 500 lines because ");
        assert!(
            count <= FILE_LINES_MAX || has_reason,
            "{file} has {count} lines: split it, or say why not"
        );
        assert!(
            text.starts_with("//! "),
            "{file} does not say what it is for"
        );
    }
}

#[test]
fn no_word_marks_unfinished_work() {
    for (file, text) in sources() {
        for word in [
            "TODO",
            "FIXME",
            "XXX:",
            "todo!(",
            "unimplemented!(",
            "dbg!(",
            "for now",
        ] {
            assert!(!text.contains(word), "{file} says {word}");
        }
    }
}

/// may's own timers resume a coroutine on a foreign thread: see the head of `server/runtime.rs`.
#[test]
fn a_connection_uses_no_timer_of_the_coroutine_runtime() {
    // mod.rs runs on the main thread.
    let is_connections = |file: &str| file.starts_with("server/") && file != "server/mod.rs";
    for (file, text) in sources().iter().filter(|(file, _)| is_connections(file)) {
        for word in [
            "coroutine::sleep",
            "recv_timeout",
            "park_timeout",
            "set_read_timeout",
            ".cancel()",
        ] {
            assert!(!code(text).contains(word), "{file} uses {word}");
        }
    }
}

/// The threads that the service cannot do without: where they start, and how their names begin.
const NEEDED_THREADS: [(&str, &str); 7] = [
    ("keys/keyring.rs", "key-waits"),
    ("keys/keyring.rs", "loader"),
    ("server/mod.rs", "accept"),
    ("server/mod.rs", "sweeper"),
    ("server/signers.rs", "sign-"),
    ("service.rs", "start"),
    ("slashing/store.rs", "store"),
];

#[test]
fn the_death_of_each_thread_that_is_needed_ends_the_process() {
    let sources = sources();
    for (file, name) in NEEDED_THREADS {
        let (_, text) = sources
            .iter()
            .find(|(path, _)| path == file)
            .unwrap_or_else(|| panic!("{file} does not exist"));
        let spawned = code(text)
            .split("critical_thread::spawn(")
            .skip(1)
            .any(|rest| {
                let rest = rest.trim_start().trim_start_matches("format!(");
                rest.starts_with(&format!("\"{name}"))
            });
        assert!(spawned, "{file} starts {name} without critical_thread");
    }
}

/// `print!` and its relatives panic when nobody reads; `cli/output.rs` and the log do not.
#[test]
fn nothing_is_printed_by_what_panics_when_a_pipe_is_closed() {
    for (file, text) in sources() {
        for word in ["print!(", "println!(", "eprint!(", "eprintln!("] {
            assert!(!code(&text).contains(word), "{file} uses {word}");
        }
    }
}

/// The source says itself what it must: a comment names no document that is missing here. Lower-case names
/// such as `beacon-chain.md` are those of the consensus specifications.
#[test]
fn a_comment_refers_only_to_documents_of_the_repository() {
    for (file, text) in sources() {
        assert!(!text.contains("DESIGN"), "{file} refers to DESIGN");
        for (end, _) in text.match_indices(".md") {
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            let stem = &text[..end];
            let name = &stem[stem.trim_end_matches(is_name).len()..];
            if name.is_empty() {
                continue;
            }
            let is_there = [".", ".github", "packaging", "tests/vectors"]
                .iter()
                .any(|folder| root().join(folder).join(format!("{name}.md")).exists());
            assert!(is_there, "{file} refers to {name}.md, which does not exist");
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let (_, rest) = text.split_once("[dependencies]\n").expect("dependencies");
    let (ours, _) = rest.split_once("\n[profile").expect("profiles follow");
    let mut reason_above = false;
    for line in ours.lines() {
        let is_dependency = line.contains(" = ") && !line.starts_with('#');
        assert!(
            !is_dependency || reason_above || line.contains(" # "),
            "no reason for: {line}"
        );
        reason_above = line.starts_with('#') && !line.starts_with("# ---");
    }
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let expected = "packaging scripts src systemd tests Cargo.lock Cargo.toml LICENSE README.md \
        rust-toolchain.toml";
    let expected: BTreeSet<&str> = expected.split_whitespace().collect();
    let found = fs::read_dir(root())
        .expect("the repository")
        .map(|entry| entry.expect("an entry").file_name());
    for name in found.map(|name| name.into_string().expect("a plain name")) {
        let known = expected.contains(name.as_str()) || name.starts_with('.') || name == "target";
        assert!(known, "{name} does not belong on the top level");
    }
}
