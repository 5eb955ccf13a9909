//! Which names are known: those of our options, and those of Web3Signer's that signerd does not have. For an
//! unknown one, which known ones it resembles.

use super::options::rows;
use super::typed_option::OptionRow;

/// What happens when an option of Web3Signer is given that signerd does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignRule {
    /// It is accepted with one line in the log.
    Ignore,
    /// It is ignored, unless its name ends in `enabled` and its value is true: then it is refused for
    /// this reason.
    RefuseWhenEnabled(&'static str),
}

/// What a name on the command line, in the environment or in a file stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KnownName {
    /// An option of ours.
    Option(&'static OptionRow),
    /// An option of Web3Signer that signerd does not have.
    Foreign(ForeignRule),
}

/// Options of Web3Signer that signerd does not have. A final `*` stands for any ending.
#[rustfmt::skip]
const FOREIGN: &[(ForeignRule, &[&str])] = &[
    (ForeignRule::Ignore, &[
        "metrics-category", "metrics-categories", "metrics-push-*", "vertx-worker-pool-size",
        "Xworker-pool-size", "signer-load-*",
        "Xkey-store-parallel-processing-enabled",
        "slashing-protection-pruning-db-pool-configuration-file", "Xslashing-protection-db-connection-pool-enabled",
        "Xtrusted-setup", "swagger-ui-enabled",
    ]),
    (
        ForeignRule::RefuseWhenEnabled("Commit-Boost's API is not served"),
        &["commit-boost-*", "proxy-keystores-*"],
    ),
    (
        ForeignRule::RefuseWhenEnabled(
            "cloud vaults are not read; their agents write keystores to a directory",
        ),
        &["azure-*", "aws-*", "gcp-*"],
    ),
];

/// Finds a long name, without dashes, in any case.
pub(crate) fn find(name: &str) -> Option<KnownName> {
    for row in rows() {
        if row.names().any(|known| known.eq_ignore_ascii_case(name)) {
            return Some(KnownName::Option(row));
        }
    }
    for (rule, patterns) in FOREIGN {
        if patterns.iter().any(|pattern| matches(pattern, name)) {
            return Some(KnownName::Foreign(*rule));
        }
    }
    None
}

/// The option of that letter.
pub(crate) fn find_short(letter: char) -> Option<&'static OptionRow> {
    rows().find(|row| row.short == Some(letter))
}

/// The names of options that are closest to `name`, unless they are far off.
pub(crate) fn nearest_names(name: &str) -> Option<Vec<&'static str>> {
    nearest(name, rows().flat_map(OptionRow::names))
}

/// The known words that are closest to `word`, unless they are far off.
pub(crate) fn nearest<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<Vec<&'a str>> {
    let mut distances: Vec<_> = known.map(|known| (distance(word, known), known)).collect();
    distances.sort_unstable();
    let (least, _) = *distances.first()?;
    if least > (word.len() / 3).max(2) {
        return None;
    }
    let mut nearest = Vec::new();
    for (distance, known) in distances {
        if distance == least {
            nearest.push(known);
        }
    }
    Some(nearest)
}

/// Whether the name fits the pattern, whose final `*` stands for any ending.
fn matches(pattern: &str, name: &str) -> bool {
    let Some(start) = pattern.strip_suffix('*') else {
        return pattern.eq_ignore_ascii_case(name);
    };
    name.get(..start.len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}

/// Levenshtein's edit distance, a row of the matrix at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = above[j + 1];
            above[j + 1] = substituted.min(diagonal + 1).min(above[j] + 1);
        }
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_has_two_meanings() {
        let mut names: Vec<_> = rows().flat_map(OptionRow::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in names {
            assert!(
                FOREIGN
                    .iter()
                    .flat_map(|(_, patterns)| *patterns)
                    .all(|pattern| !matches(pattern, name)),
                "{name}"
            );
        }
    }
}
