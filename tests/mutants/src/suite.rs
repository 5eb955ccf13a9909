//! Test programs: which of their tests reach which change, and what they say about it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutant::Outcome;

/// Where a test program notes the changes that it reaches.
const SEEN: &str = "target/mutants/seen";

/// A test that takes longer without a change is left out: it would run again for each change that survives.
const TEST_TIME_MAX: Duration = Duration::from_secs(6);

/// A run that takes so much longer than without a change has come to no end. Its time does not pass while the
/// runner itself is stopped.
const RUN_TIMES_MAX: u32 = 2;
const RUN_GRACE: Duration = Duration::from_secs(10);

const TICK: Duration = Duration::from_millis(10);

/// Unit tests that take more memory fail.
const MEMORY_KIB_MAX: u64 = 12 << 20;

/// Tests of the first rounds; the last round has the rest. Most changes are noticed in the first.
const FIRST_TESTS: [usize; 3] = [4, 12, 40];

/// A test program with its tests.
pub(crate) struct Suite {
    program: PathBuf,
    /// Its tests wait for processes: one may fail because the machine is busy.
    may_be_late: bool,
    /// Quickest first.
    tests: Vec<Test>,
}

#[derive(Clone)]
struct Test {
    name: String,
    duration: Duration,
    /// A byte for each change: whether the test reaches it.
    seen: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Endless,
}

impl Suite {
    /// The unit tests.
    pub(crate) fn of_units(program: &Path, changes: usize) -> Suite {
        Suite::of(program, false, &[], changes)
    }

    /// These modules of the end-to-end suite.
    pub(crate) fn of_end_to_end(program: &Path, modules: &[&str], changes: usize) -> Suite {
        Suite::of(program, true, modules, changes)
    }

    fn of(program: &Path, may_be_late: bool, modules: &[&str], changes: usize) -> Suite {
        let mut suite = Suite {
            program: program.to_owned(),
            may_be_late,
            tests: Vec::new(),
        };
        let listed = Command::new(program)
            .args(["--list", "--format", "terse"])
            .output()
            .expect("the names of the tests");
        let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
        for line in listed.lines() {
            let Some(name) = line.strip_suffix(": test") else {
                continue;
            };
            if !modules.is_empty() && !modules.iter().any(|module| name.starts_with(module)) {
                continue;
            }
            fs::write(SEEN, vec![0; changes + 1]).expect("a place for what is seen");
            let started = Instant::now();
            let verdict = suite.run(&[name], None, TEST_TIME_MAX);
            if verdict != Verdict::Passed {
                println!("{name} is left out: it fails or takes too long without a change");
                continue;
            }
            suite.tests.push(Test {
                name: name.to_owned(),
                duration: started.elapsed(),
                seen: fs::read(SEEN).expect("what is seen"),
            });
        }
        suite.tests.sort_by_key(|test| test.duration);
        println!("{} tests of {}", suite.tests.len(), program.display());
        suite
    }

    /// The same tests in another build.
    pub(crate) fn with_program(&self, program: &Path) -> Suite {
        Suite {
            program: program.to_owned(),
            may_be_late: self.may_be_late,
            tests: self.tests.clone(),
        }
    }

    /// Whether a test that reaches this change notices it.
    pub(crate) fn judge(&self, id: usize) -> Outcome {
        self.judge_by(
            self.tests
                .iter()
                .filter(|test| test.seen[id] == 1)
                .collect(),
            Some(id),
        )
    }

    /// Whether any test notices the change of this file that is built in. Tests of the file's module come first.
    pub(crate) fn judge_all(&self, file: &str) -> Outcome {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        let module = path.trim_end_matches("/mod").replace('/', "::") + "::";
        let (mut tests, others): (Vec<&Test>, Vec<&Test>) = self
            .tests
            .iter()
            .partition(|test| test.name.starts_with(&module));
        tests.extend(others);
        self.judge_by(tests, None)
    }

    fn judge_by(&self, mut tests: Vec<&Test>, id: Option<usize>) -> Outcome {
        for count in FIRST_TESTS.into_iter().chain([usize::MAX]) {
            let rest = tests.split_off(count.min(tests.len()));
            let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
            let usual: Duration = tests.iter().map(|test| test.duration).sum();
            let time_max = usual * RUN_TIMES_MAX + RUN_GRACE;
            let mut verdict = Verdict::Passed;
            if !names.is_empty() {
                verdict = self.run(&names, id, time_max);
            }
            // A test of the whole program may fail because the machine is busy, but not twice.
            if verdict == Verdict::Failed && self.may_be_late {
                verdict = self.run(&names, id, time_max);
            }
            match verdict {
                Verdict::Passed => tests = rest,
                Verdict::Failed => return Outcome::Caught,
                Verdict::Endless => return Outcome::Endless,
            }
        }
        Outcome::Missed
    }

    /// Runs these tests, and ends what they started when they take too long.
    fn run(&self, names: &[&str], id: Option<usize>, time_max: Duration) -> Verdict {
        // Browsers, which some end-to-end tests start, reserve far more than they use.
        let limit = if self.may_be_late {
            "unlimited".to_owned()
        } else {
            MEMORY_KIB_MAX.to_string()
        };
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -v {limit}; exec \"$@\""))
            .arg("sh")
            .arg(&self.program)
            .args(["--exact", "--quiet"])
            .args(names)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        match id {
            Some(id) => command.env("SIGNERD_MUTANT", id.to_string()),
            None => command.env(
                "SIGNERD_MUTANTS_SEEN",
                fs::canonicalize(SEEN).expect("a file"),
            ),
        };
        let mut child = command.spawn().expect("a test program");
        let mut waited = Duration::ZERO;
        loop {
            if let Some(status) = child.try_wait().expect("the state of a test program") {
                return if status.success() {
                    Verdict::Passed
                } else {
                    Verdict::Failed
                };
            }
            waited += TICK;
            if waited > time_max {
                let group = format!("-{}", child.id());
                Command::new("kill")
                    .args(["-KILL", "--", &group])
                    .status()
                    .expect("kill");
                child.wait().expect("the end of a test program");
                return Verdict::Endless;
            }
            thread::sleep(TICK);
        }
    }
}
