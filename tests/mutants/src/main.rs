//! Mutation tests with one build: all changes that cargo-mutants lists are compiled together, each behind a
//! switch, and the tests run once for each change.
//!
//! `signerd-mutants LIST` reads the output of `cargo mutants --list --json` and runs in the folder of the
//! program. It writes the program with its switches to `target/mutants/tree`, builds it, and notes for each unit
//! test which changes it reaches. Then it switches on one change after the other, and runs the tests that reach
//! it, quickest first, until one fails. `SIGNERD_MUTANTS_MODULES` names modules of the end-to-end suite
//! (`slashing:: keys::`), which see the changes that no unit test notices.
//!
//! A constant has no switch, nor has what is computed at compile time: such a change is built alone.
//!
//! The run fails when a change survives that `tests/mutants/accepted.txt` does not list with its reason.

mod accepted;
mod compile;
mod instrument;
mod mutant;
mod suite;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::compile::Tree;
use crate::mutant::{Built, Mutant, Outcome};
use crate::suite::Suite;

fn main() -> ExitCode {
    let list = std::env::args().nth(1).expect("the list of cargo-mutants");
    let modules = std::env::var("SIGNERD_MUTANTS_MODULES").unwrap_or_default();
    let modules: Vec<&str> = modules.split_whitespace().collect();
    let mut mutants = mutant::read(Path::new(&list));
    let tree = Tree::create(Path::new("target/mutants/tree"));

    tree.settle(&mut mutants);
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    for (id, mutant) in mutants.iter().enumerate() {
        if mutant.built == Built::Unviable {
            outcomes.insert(id, Outcome::Unviable);
        }
    }
    let units = Suite::of_units(&tree.build_unit_tests(), mutants.len());
    let switched = with(&mutants, Built::Switched);
    println!("{} changes in one build", switched.len());
    outcomes.extend(judge_switched(&mutants, &switched, &units));
    let mut whole = None;
    if !modules.is_empty() {
        let suite = Suite::of_end_to_end(&tree.build_end_to_end_tests(), &modules, mutants.len());
        for id in with(&mutants, Built::Switched) {
            if outcomes[&id] == Outcome::Missed {
                outcomes.insert(id, report(&mutants[id], suite.judge(id)));
            }
        }
        whole = Some(suite);
    }

    let alone = with(&mutants, Built::Alone);
    println!("{} changes in a build of their own", alone.len());
    for id in alone {
        let outcome = judge_alone(&tree, &mutants[id], &units, whole.as_ref());
        outcomes.insert(id, report(&mutants[id], outcome));
    }
    finish(&mutants, &outcomes)
}

fn with(mutants: &[Mutant], built: Built) -> Vec<usize> {
    (0..mutants.len())
        .filter(|id| mutants[*id].built == built)
        .collect()
}

/// Runs the unit tests for each change: as many changes at once as there are processors.
fn judge_switched(mutants: &[Mutant], switched: &[usize], units: &Suite) -> Vec<(usize, Outcome)> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let judge_some = || {
        let mut outcomes = Vec::new();
        while let Some(&id) = switched.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcomes.push((id, report(&mutants[id], units.judge(id))));
        }
        outcomes
    };
    thread::scope(|scope| {
        let judges: Vec<_> = (0..processors).map(|_| scope.spawn(judge_some)).collect();
        judges
            .into_iter()
            .flat_map(|judge| judge.join().expect("a judge"))
            .collect()
    })
}

/// Builds the program with this change alone and runs all tests, those of its file first.
fn judge_alone(tree: &Tree, mutant: &Mutant, units: &Suite, whole: Option<&Suite>) -> Outcome {
    let Some(program) = tree.build_alone(mutant) else {
        tree.restore(mutant);
        return Outcome::Unviable;
    };
    let mut outcome = units.with_program(&program).judge_all(&mutant.file);
    if outcome == Outcome::Missed
        && let Some(whole) = whole
    {
        outcome = whole
            .with_program(&tree.build_end_to_end_tests())
            .judge_all(&mutant.file);
    }
    tree.restore(mutant);
    outcome
}

fn report(mutant: &Mutant, outcome: Outcome) -> Outcome {
    if outcome != Outcome::Caught {
        println!("{outcome}: {}", mutant.name);
    }
    outcome
}

/// Writes `target/mutants/outcomes.txt`, prints the sums of each file, and compares survivors with the list.
fn finish(mutants: &[Mutant], outcomes: &BTreeMap<usize, Outcome>) -> ExitCode {
    let mut lines = String::new();
    let mut sums: BTreeMap<&str, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for (id, outcome) in outcomes {
        lines += &format!("{outcome}: {}\n", mutants[*id].name);
        for row in [mutants[*id].file.as_str(), "all"] {
            *sums.entry(row).or_default().entry(*outcome).or_default() += 1;
        }
    }
    fs::write("target/mutants/outcomes.txt", lines).expect("a place for the outcomes");
    for (file, sums) in &sums {
        let sums: Vec<String> = sums
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        println!("{file}: {}", sums.join(", "));
    }
    let survivors: Vec<&Mutant> = outcomes
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Missed)
        .map(|(id, _)| &mutants[*id])
        .collect();
    accepted::compare(mutants, &survivors)
}
