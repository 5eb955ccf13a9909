//! The copy of the program with its switches, and its builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::instrument::{self, Instrumented, PartKind};
use crate::mutant::{Built, Mutant};

/// What the source of a program with switches ends with.
const SWITCHES: &str = include_str!("switches.txt");

/// The program with its switches.
pub(crate) struct Tree {
    folder: PathBuf,
}

#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    message: Option<Diagnostic>,
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
    spans: Vec<DiagnosticSpan>,
}

#[derive(Deserialize)]
struct DiagnosticSpan {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
}

/// A build: the test program that it made, or the compiler's errors.
struct Build {
    executable: Option<PathBuf>,
    errors: Vec<Diagnostic>,
}

impl Tree {
    /// Links all but the source, which the tree has a copy of.
    pub(crate) fn create(folder: &Path) -> Tree {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("a folder for the tree");
        let folder = folder.canonicalize().expect("the tree");
        for entry in fs::read_dir(".").expect("the program's folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name();
            if name != "src" && name != "target" && name != ".git" {
                symlink(
                    entry.path().canonicalize().expect("a path"),
                    folder.join(name),
                )
                .expect("a link");
            }
        }
        copy(Path::new("src"), &folder.join("src"));
        Tree { folder }
    }

    /// Puts all changes behind switches, and leaves out those that do not compile until the rest does.
    pub(crate) fn settle(&self, mutants: &mut [Mutant]) {
        loop {
            let files = self.write(mutants);
            let build = self.cargo(&["check", "--lib", "--profile", "test"]);
            if build.errors.is_empty() {
                return;
            }
            let left_out = build
                .errors
                .iter()
                .map(|error| leave_out(error, &files, mutants))
                .sum::<usize>();
            println!("{} errors, {left_out} changes left out", build.errors.len());
            if left_out == 0 {
                for error in build.errors {
                    eprintln!("{}", error.rendered.unwrap_or_default());
                }
                panic!("errors in the program with switches that no change explains");
            }
        }
    }

    fn write(&self, mutants: &mut [Mutant]) -> BTreeMap<String, Instrumented> {
        let names: BTreeSet<String> = mutants.iter().map(|mutant| mutant.file.clone()).collect();
        let mut files = BTreeMap::new();
        for name in names {
            let source = fs::read_to_string(&name).expect("a source file");
            let ids: Vec<usize> = (0..mutants.len())
                .filter(|id| mutants[*id].file == name)
                .collect();
            let file = instrument::instrument(&source, mutants, &ids);
            fs::write(self.folder.join(&name), &file.text).expect("a file of the tree");
            files.insert(name, file);
        }
        let root = fs::read_to_string("src/lib.rs").expect("src/lib.rs") + SWITCHES;
        fs::write(self.folder.join("src/lib.rs"), root).expect("a file of the tree");
        files
    }

    /// The unit tests.
    pub(crate) fn build_unit_tests(&self) -> PathBuf {
        self.must_build(&["test", "--no-run", "--lib"])
    }

    /// The end-to-end suite, and the program that it starts.
    pub(crate) fn build_end_to_end_tests(&self) -> PathBuf {
        self.must_build(&["test", "--no-run", "--test", "main"])
    }

    /// The unit tests of the program with one change that has no switch; `None` when it does not compile.
    pub(crate) fn build_alone(&self, mutant: &Mutant) -> Option<PathBuf> {
        let source = fs::read_to_string(&mutant.file).expect("a source file");
        let changed = [
            &source[..mutant.range.start],
            &mutant.replacement,
            &source[mutant.range.end..],
        ];
        fs::write(self.folder.join(&mutant.file), changed.concat()).expect("a file of the tree");
        self.cargo(&["test", "--no-run", "--lib"]).executable
    }

    /// Takes back the change of `build_alone`.
    pub(crate) fn restore(&self, mutant: &Mutant) {
        fs::copy(&mutant.file, self.folder.join(&mutant.file)).expect("a file of the tree");
    }

    fn must_build(&self, arguments: &[&str]) -> PathBuf {
        let build = self.cargo(arguments);
        for error in build.errors {
            eprintln!("{}", error.rendered.unwrap_or_default());
        }
        build.executable.expect("a test program")
    }

    fn cargo(&self, arguments: &[&str]) -> Build {
        let output = Command::new("cargo")
            .args(arguments)
            .args(["--locked", "--quiet", "--message-format", "json"])
            .current_dir(&self.folder)
            // Not with the ordinary builds: cargo takes the one for the other.
            .env("CARGO_TARGET_DIR", self.folder.join("../build"))
            .stderr(Stdio::null())
            .output()
            .expect("cargo");
        let mut build = Build {
            executable: None,
            errors: Vec::new(),
        };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<CargoMessage>(line) else {
                continue;
            };
            if message.reason == "compiler-artifact"
                && message.executable.is_some()
                && message.profile.is_some_and(|profile| profile.test)
            {
                build.executable = message.executable;
            }
            if let Some(diagnostic) = message.message
                && diagnostic.level == "error"
                && !diagnostic.spans.is_empty()
            {
                build.errors.push(diagnostic);
            }
        }
        build
    }
}

/// Leaves out the changes that this error is about. Returns their number.
fn leave_out(
    error: &Diagnostic,
    files: &BTreeMap<String, Instrumented>,
    mutants: &mut [Mutant],
) -> usize {
    let mut spans: Vec<&DiagnosticSpan> = error.spans.iter().collect();
    spans.sort_by_key(|span| !span.is_primary);
    for kind in [PartKind::Change, PartKind::Switch] {
        for span in &spans {
            let Some(file) = files.get(&span.file_name) else {
                continue;
            };
            let hit: Vec<usize> = file
                .parts
                .iter()
                .filter(|part| part.kind == kind)
                .filter(|part| {
                    part.range.start <= span.byte_start && span.byte_end <= part.range.end
                })
                .map(|part| part.id)
                .collect();
            let mut left_out = 0;
            for id in hit {
                if mutants[id].built == Built::Switched {
                    mutants[id].built = match kind {
                        PartKind::Change => Built::Unviable,
                        PartKind::Switch => Built::Alone,
                    };
                    left_out += 1;
                }
            }
            if left_out > 0 {
                return left_out;
            }
        }
    }
    0
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder of the tree");
    for entry in fs::read_dir(from).expect("a folder of the source") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file of the source");
        }
    }
}
