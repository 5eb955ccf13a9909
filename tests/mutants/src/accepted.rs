//! The changes that may survive, each with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;

use crate::mutant::Mutant;

const LIST: &str = "tests/mutants/accepted.txt";

/// Compares survivors with the list. Fails when one is not in it; names those that the list could do without.
pub(crate) fn compare(tried: &[Mutant], survivors: &[&Mutant]) -> ExitCode {
    let text = fs::read_to_string(LIST).expect("the list of accepted survivors");
    let listed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let tried: BTreeSet<&str> = tried.iter().map(|mutant| mutant.key.as_str()).collect();
    let survived: BTreeSet<&str> = survivors.iter().map(|mutant| mutant.key.as_str()).collect();
    for key in &listed {
        if tried.contains(key) && !survived.contains(key) {
            println!("listed in {LIST}, but does not survive: {key}");
        }
    }
    let unlisted: Vec<&&str> = survived.difference(&listed).collect();
    println!(
        "{} survivors, {} of them not listed in {LIST}",
        survivors.len(),
        unlisted.len()
    );
    for key in &unlisted {
        println!("{key}");
    }
    if unlisted.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
