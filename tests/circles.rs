//! The imports of the source form no circle between folders, and inside a folder none of more than two
//! files that belong together.
//!
//! An import is any path that begins with `crate::`, `super::` or `self::` and leads to another file. A file
//! on the top level counts as a folder; `service.rs` and `service/` are one. What a module takes from the
//! parts that it declares itself is not an import: `mod.rs` is the front of its folder. What a part takes
//! from `mod.rs` is one.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy;

/// Who imports whom, by name.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn folders_do_not_import_each_other_in_a_circle() {
    let mut folders = Imports::new();
    for (file, imported) in files_and_imports() {
        for other in imported {
            let (from, to) = (folder(&file), folder(&other));
            if from != to {
                folders.entry(from).or_default().insert(to);
            }
        }
    }
    assert_no_circle(&folders, 1);
}

#[test]
fn at_most_two_files_import_each_other() {
    assert_no_circle(&files_and_imports(), 2);
}

fn assert_no_circle(imports: &Imports, members_max: usize) {
    let mut report = String::new();
    for circle in circles(imports) {
        if circle.len() <= members_max {
            continue;
        }
        for member in &circle {
            let inside: Vec<&String> = imports[member].intersection(&circle).collect();
            report.push_str(&format!("\n  {member} imports {inside:?}"));
        }
        report.push('\n');
    }
    assert!(report.is_empty(), "imports in a circle:{report}");
}

/// The largest sets in which everyone reaches everyone else.
fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached: Imports = imports
        .keys()
        .map(|name| (name.clone(), reachable(imports, name)))
        .collect();
    let mut circles = Vec::new();
    let mut done = BTreeSet::new();
    for (name, others) in &reached {
        if done.contains(name) || !others.contains(name) {
            continue;
        }
        let mut circle = BTreeSet::new();
        for other in others {
            let leads_back = reached
                .get(other)
                .is_some_and(|reached| reached.contains(name));
            if leads_back {
                circle.insert(other.clone());
            }
        }
        done.extend(circle.iter().cloned());
        circles.push(circle);
    }
    circles
}

/// Everything that `start` imports, also through others. `start` itself only if it is in a circle.
fn reachable(imports: &Imports, start: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        for next in imports.get(name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

/// Every source file with the files that it imports.
fn files_and_imports() -> Imports {
    let sources = tidy::sources();
    let modules: BTreeMap<Vec<String>, String> = sources
        .iter()
        .map(|(file, _)| (module(file), file.clone()))
        .collect();
    sources
        .iter()
        .map(|(file, text)| (file.clone(), imports_of(file, &tidy::code(text), &modules)))
        .collect()
}

/// The files that the code of `file` names by a path. `modules` says which file a module is in.
fn imports_of(file: &str, code: &str, modules: &BTreeMap<Vec<String>, String>) -> BTreeSet<String> {
    let own = module(file);
    let mut imported = BTreeSet::new();
    for path in paths(code) {
        let Some(path) = absolute(&path, &own) else {
            continue;
        };
        // What follows the module is an item, or a part of one.
        let target = (1..=path.len())
            .rev()
            .find_map(|length| modules.get(&path[..length]).map(|file| (length, file)));
        let Some((length, target)) = target else {
            continue;
        };
        let is_own_part = length > own.len() && path.starts_with(&own);
        if target != file && !is_own_part {
            imported.insert(target.clone());
        }
    }
    imported
}

/// The path from the root of the crate, or nothing if it does not begin inside the crate.
fn absolute(path: &[String], own: &[String]) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut base = match first.as_str() {
        // The library, as the binary names it.
        "crate" | "signerd" => Vec::new(),
        "self" => own.to_vec(),
        "super" => own.split_last()?.1.to_vec(),
        _ => return None,
    };
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// All paths in the code; a `use` with braces gives one for each of its leaves.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_name) {
        let (leaves, length) = path_at(&rest[start..]);
        found.extend(leaves);
        rest = &rest[start + length..];
    }
    found
}

/// The leaves of the path at the beginning of the text, and how many bytes it takes.
fn path_at(text: &str) -> (Vec<Vec<String>>, usize) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name_length = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let name = text[..name_length].to_owned();
    let Some(after) = text[name_length..].strip_prefix("::") else {
        return (vec![vec![name]], name_length);
    };
    let so_far = name_length + 2;
    if after.starts_with(is_name) {
        let (mut leaves, length) = path_at(after);
        for leaf in &mut leaves {
            leaf.insert(0, name.clone());
        }
        return (leaves, so_far + length);
    }
    let Some(group) = after.strip_prefix('{') else {
        return (vec![vec![name]], so_far); // `*`, or a generic argument
    };
    let mut leaves = Vec::new();
    let mut at = 0;
    while !group[at..].starts_with('}') && at < group.len() {
        if group[at..].starts_with(is_name) {
            let (inner, length) = path_at(&group[at..]);
            for mut leaf in inner {
                leaf.insert(0, name.clone());
                leaves.push(leaf);
            }
            at += length;
        } else {
            at += group[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (leaves, so_far + 1 + at)
}

fn module(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

fn folder(file: &str) -> String {
    module(file).swap_remove(0)
}

/// `"a: b c"`: a imports b and c.
fn graph(lines: &[&str]) -> Imports {
    let mut imports = Imports::new();
    for line in lines {
        let (name, others) = line.split_once(':').expect("a colon");
        let others = others.split_whitespace().map(str::to_owned).collect();
        imports.insert(name.to_owned(), others);
    }
    imports
}

#[test]
fn the_finder_finds_every_circle_and_nothing_else() {
    let cases: [(&[&str], &[&str]); 6] = [
        (&["a: b c", "b: d", "c: d", "d:"], &[]),
        (&["a: b", "b: a"], &["a b"]),
        (&["a: b", "b: c", "c: a", "d: a", "c2: d"], &["a b c"]),
        // Two circles through one file are one.
        (&["a: b", "b: a c", "c: b"], &["a b c"]),
        (
            &["a: b", "b: a", "c: d a", "d: e", "e: c"],
            &["a b", "c d e"],
        ),
        (&["a: not-there", "b: a"], &[]),
    ];
    for (lines, expected) in cases {
        let found: Vec<String> = circles(&graph(lines))
            .into_iter()
            .map(|circle| circle.into_iter().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(found, expected, "{lines:?}");
    }
}

#[test]
fn an_import_is_recognised_however_it_is_written() {
    let files = [
        "main.rs",
        "wait.rs",
        "keys/mod.rs",
        "keys/table.rs",
        "keys/g2/mod.rs",
        "keys/g2/point.rs",
        "slashing/mod.rs",
        "slashing/rule.rs",
    ];
    let modules = files
        .iter()
        .map(|file| (module(file), file.to_string()))
        .collect();
    let cases = [
        ("keys/table.rs", "use crate::wait::on_thread;", "wait.rs"),
        (
            "keys/table.rs",
            "use crate::slashing::rule::{self, Marks};",
            "slashing/rule.rs",
        ),
        (
            "keys/table.rs",
            "use crate::slashing::{rule::Marks, Cleared};",
            "slashing/mod.rs slashing/rule.rs",
        ),
        ("keys/table.rs", "let x = super::find();", "keys/mod.rs"),
        (
            "keys/g2/point.rs",
            "use super::super::table::KeyTable;",
            "keys/table.rs",
        ),
        (
            "keys/g2/mod.rs",
            "use super::{g2, table::*};",
            "keys/table.rs",
        ),
        (
            "main.rs",
            "fn main() { signerd::wait::forever::<u8>() }",
            "wait.rs",
        ),
        // Not imports: parts of its own, other crates, the standard library, a name that only looks alike.
        ("keys/mod.rs", "use self::table::KeyTable;", ""),
        ("keys/mod.rs", "use crate::keys::g2::point::Point;", ""),
        (
            "keys/mod.rs",
            "use std::wait::x; use may::slashing::y; mycrate::wait::z();",
            "",
        ),
    ];
    for (file, code, expected) in cases {
        let found: Vec<String> = imports_of(file, code, &modules).into_iter().collect();
        assert_eq!(found.join(" "), expected, "{file}: {code}");
    }
}
