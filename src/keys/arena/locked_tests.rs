//! Secrets lie in locked pages between guard pages, out of core dumps.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::keys::arena::{self, ArenaError, ArenaSlot};

/// One mapping of a process (proc_pid_smaps(5)).
struct Mapping {
    start: usize,
    end: usize,
    permissions: String,
    flags: Vec<String>,
}

fn mappings(process: &str) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let mut mappings = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap();
        if word == "VmFlags:" {
            let last: &mut Mapping = mappings.last_mut().unwrap();
            last.flags = rest.split_whitespace().map(str::to_owned).collect();
        } else if let Some((start, end)) = word.split_once('-') {
            let [start, end] =
                [start, end].map(|number| usize::from_str_radix(number, 16).unwrap());
            mappings.push(Mapping {
                start,
                end,
                permissions: rest[..4].to_owned(),
                flags: Vec::new(),
            });
        }
    }
    mappings
}

#[test]
fn a_slot_lies_in_locked_pages_out_of_core_dumps_between_guard_pages() {
    let slot = ArenaSlot::take().unwrap();
    let address = slot.bytes().as_ptr().addr();
    let mappings = mappings("self");
    let index = mappings
        .iter()
        .position(|mapping| (mapping.start..mapping.end).contains(&address))
        .unwrap();
    let [before, pages, after] = &mappings[index - 1..=index + 1] else {
        unreachable!("three of them")
    };
    for (flag, meaning) in [("lo", "locked"), ("dd", "not dumped")] {
        assert!(
            pages.flags.iter().any(|known| known == flag),
            "{meaning}: {:?}",
            pages.flags
        );
    }
    assert_eq!((before.end, after.start), (pages.start, pages.end));
    assert_eq!(
        (before.permissions.as_str(), after.permissions.as_str()),
        ("---p", "---p")
    );
}

#[test]
fn a_hundred_thousand_keys_fit_into_the_usual_limit() {
    run_with_locked_memory_of(
        "8192",
        "keys::arena::locked_tests::child_takes_a_hundred_thousand_slots",
    );
}

#[test]
#[ignore = "runs in a process of its own, with a limit on locked memory"]
fn child_takes_a_hundred_thousand_slots() {
    assert_eq!(arena::require_lock(), Ok(()));
    let slots: Vec<ArenaSlot> = (0..100_000).map(|_| ArenaSlot::take().unwrap()).collect();
    let report = arena::report();
    assert!(report.locked);
    assert!(
        (slots.len() * 32..8192 * 1024).contains(&report.bytes),
        "{} bytes",
        report.bytes
    );
}

#[test]
fn where_memory_cannot_be_locked_this_is_known_and_can_be_refused() {
    run_with_locked_memory_of("0", "keys::arena::locked_tests::child_cannot_lock");
}

#[test]
#[ignore = "runs in a process of its own, with a limit on locked memory"]
fn child_cannot_lock() {
    let first = ArenaSlot::take();
    assert!(first.is_ok());
    assert!(!arena::report().locked);
    assert_eq!(arena::require_lock(), Err(ArenaError::Lock));
}

/// Runs an ignored test of this program where only so much memory can be locked.
fn run_with_locked_memory_of(limit_kib: &str, test: &str) {
    let mut command = with_locked_memory_of(limit_kib, &env::current_exe().unwrap());
    let output = command
        .args(["--exact", test, "--ignored"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("1 passed"),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A program where only so much memory can be locked; root may lock more than the limit allows unless
/// that capability is dropped.
fn with_locked_memory_of(limit_kib: &str, program: &Path) -> Command {
    let script = "ulimit -l $1; shift; if [ $(id -u) = 0 ]; then set -- setpriv --bounding-set=-ipc_lock \"$@\"; fi; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", limit_kib]).arg(program);
    command
}
