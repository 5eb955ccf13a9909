//! Puts changes behind switches: `a + b` becomes `(if switch(7) { a - b } else { a + b })`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Expr, ExprBinary, ExprStruct, ExprUnary};

use crate::mutant::{self, Built, Mutant};

/// A source file with switches.
pub(crate) struct Instrumented {
    pub(crate) text: String,
    /// Which bytes of the text belong to a change.
    pub(crate) parts: Vec<Part>,
}

/// Some bytes of the text, and the change that they are for.
pub(crate) struct Part {
    pub(crate) range: Range<usize>,
    pub(crate) id: usize,
    pub(crate) kind: PartKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// The changed code: an error in it means that the change does not compile.
    Change,
    /// The switch, and the code that is chosen between: an error here means that no switch can be here.
    Switch,
}

/// Where a site begins, whether it is an expression, and where it ends: in this order an outer site comes before
/// those in it.
type SiteKey = (usize, bool, Reverse<usize>);

/// Where the source gets a switch.
enum Site {
    /// An expression of which there are changed texts.
    Expression(Vec<(usize, String)>),
    /// The start of a function that returns something else.
    Body(Vec<(usize, String)>),
    /// A match arm without a guard that is left out.
    Arm(usize),
    /// The guard of a match arm: left out with its arm, always true, always false.
    Guard(Vec<usize>),
}

/// Puts all changes with `Built::Switched` of one file behind switches. Those without a place become
/// `Built::Alone`.
pub(crate) fn instrument(source: &str, mutants: &mut [Mutant], ids: &[usize]) -> Instrumented {
    let places = Places::of(source);
    let mut sites: BTreeMap<SiteKey, Site> = BTreeMap::new();
    for id in ids {
        let mutant = &mut mutants[*id];
        if mutant.built != Built::Switched {
            continue;
        }
        let start = mutant.range.start;
        match mutant.genre.as_str() {
            "FnValue" => {
                let key = (start, false, Reverse(start));
                let site = sites.entry(key).or_insert_with(|| Site::Body(Vec::new()));
                if let Site::Body(changes) = site {
                    changes.push((*id, mutant.replacement.clone()));
                }
            }
            "MatchArm" => match places.arms.get(&start) {
                Some((arrow, None)) => {
                    sites.insert((*arrow, false, Reverse(*arrow)), Site::Arm(*id));
                }
                Some((_, Some(guard))) => add_guard(&mut sites, guard, *id),
                None => mutant.built = Built::Alone,
            },
            "MatchArmGuard" => match places.guards.get(&start) {
                Some(guard) => add_guard(&mut sites, guard, *id),
                None => mutant.built = Built::Alone,
            },
            _ => match places.expressions.get(&start) {
                Some(range) => {
                    let changed = [
                        &source[range.start..start],
                        &mutant.replacement,
                        &source[mutant.range.end..range.end],
                    ];
                    let key = (range.start, true, Reverse(range.end));
                    let site = sites
                        .entry(key)
                        .or_insert_with(|| Site::Expression(Vec::new()));
                    if let Site::Expression(changes) = site {
                        changes.push((*id, changed.concat()));
                    }
                }
                None => mutant.built = Built::Alone,
            },
        }
    }
    let sites: Vec<(Range<usize>, Site)> = sites
        .into_iter()
        .map(|((start, _, Reverse(end)), site)| (start..end, site))
        .collect();
    let mut writer = Writer {
        source,
        mutants,
        text: String::new(),
        parts: Vec::new(),
    };
    writer.write(0..source.len(), &sites);
    Instrumented {
        text: writer.text,
        parts: writer.parts,
    }
}

fn add_guard(sites: &mut BTreeMap<SiteKey, Site>, guard: &Range<usize>, id: usize) {
    // Before an expression of the same bytes, which is inside it.
    let key = (guard.start, false, Reverse(guard.end));
    let site = sites.entry(key).or_insert_with(|| Site::Guard(Vec::new()));
    if let Site::Guard(ids) = site {
        ids.push(id);
    }
}

struct Writer<'a> {
    source: &'a str,
    mutants: &'a [Mutant],
    text: String,
    parts: Vec<Part>,
}

impl Writer<'_> {
    /// Writes these bytes of the source with the sites in them, which are in order, outer ones first.
    fn write(&mut self, range: Range<usize>, sites: &[(Range<usize>, Site)]) {
        let mut at = range.start;
        let mut next = 0;
        while next < sites.len() {
            let (place, site) = &sites[next];
            self.text += &self.source[at..place.start];
            let inner = sites[next + 1..]
                .iter()
                .take_while(|(other, _)| other.start < place.end)
                .count();
            self.write_site(place.clone(), site, &sites[next + 1..next + 1 + inner]);
            at = place.end;
            next += 1 + inner;
        }
        self.text += &self.source[at..range.end];
    }

    fn write_site(&mut self, place: Range<usize>, site: &Site, inner: &[(Range<usize>, Site)]) {
        let start = self.text.len();
        match site {
            Site::Body(changes) => {
                for (id, value) in changes {
                    self.text += "if ";
                    self.switch(*id);
                    self.text += " { return ";
                    self.change(*id, value);
                    self.text += "; } ";
                }
            }
            Site::Arm(id) => {
                self.text += " if !";
                self.switch(*id);
                self.text += " ";
            }
            Site::Guard(ids) => {
                for id in ids {
                    let mutant = &self.mutants[*id];
                    let is_always_true =
                        mutant.genre == "MatchArmGuard" && mutant.replacement == "true";
                    self.text += if is_always_true { "(" } else { "(!" };
                    self.switch(*id);
                    self.text += if is_always_true { " || " } else { " && " };
                }
                self.text += "(";
                self.write(place, inner);
                self.text += &")".repeat(ids.len() + 1);
                self.mark(start, ids);
            }
            Site::Expression(changes) => {
                self.text += "(";
                for (id, changed) in changes {
                    self.text += "if ";
                    self.switch(*id);
                    self.text += " { ";
                    self.change(*id, changed);
                    self.text += " } else ";
                }
                self.text += "{ ";
                self.write(place, inner);
                self.text += " })";
                let ids: Vec<usize> = changes.iter().map(|(id, _)| *id).collect();
                self.mark(start, &ids);
            }
        }
    }

    fn switch(&mut self, id: usize) {
        let start = self.text.len();
        write!(self.text, "crate::mutants::is({id})").expect("a string takes all");
        self.mark(start, &[id]);
    }

    fn change(&mut self, id: usize, text: &str) {
        let start = self.text.len();
        self.text += text;
        self.parts.push(Part {
            range: start..self.text.len(),
            id,
            kind: PartKind::Change,
        });
    }

    fn mark(&mut self, start: usize, ids: &[usize]) {
        for id in ids {
            self.parts.push(Part {
                range: start..self.text.len(),
                id: *id,
                kind: PartKind::Switch,
            });
        }
    }
}

/// The expressions and match arms of a file, by the offset at which a change of them begins.
struct Places<'a> {
    source: &'a str,
    expressions: BTreeMap<usize, Range<usize>>,
    /// The arrow of the arm, and its guard.
    arms: BTreeMap<usize, (usize, Option<Range<usize>>)>,
    guards: BTreeMap<usize, Range<usize>>,
    /// The chain of operators around the one that is visited: a changed operator may bind otherwise.
    chain: Option<Range<usize>>,
}

impl<'a> Places<'a> {
    fn of(source: &'a str) -> Self {
        let mut places = Places {
            source,
            expressions: BTreeMap::new(),
            arms: BTreeMap::new(),
            guards: BTreeMap::new(),
            chain: None,
        };
        places.visit_file(&syn::parse_file(source).expect("a source file that compiles"));
        places
    }

    fn range(&self, span: Span) -> Range<usize> {
        let (start, end) = (span.start(), span.end());
        mutant::offset(self.source, start.line, start.column)
            ..mutant::offset(self.source, end.line, end.column)
    }
}

impl<'ast> Visit<'ast> for Places<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        // Only an operator that is the direct operand of an operator continues its chain.
        let chain = self.chain.take();
        if let Expr::Binary(binary) = expression {
            self.chain = chain;
            self.visit_expr_binary(binary);
            self.chain = None;
        } else {
            visit::visit_expr(self, expression);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        // `let` is no expression that could be chosen: the operators around it have no switch.
        if !has_let(binary) {
            let chain = self
                .chain
                .clone()
                .unwrap_or_else(|| self.range(binary.span()));
            let operator = self.range(binary.op.span()).start;
            self.expressions.insert(operator, chain.clone());
            self.chain = Some(chain.clone());
            self.visit_expr(&binary.left);
            self.chain = Some(chain);
            self.visit_expr(&binary.right);
            return;
        }
        self.visit_expr(&binary.left);
        self.visit_expr(&binary.right);
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        let range = self.range(unary.span());
        self.expressions.insert(range.start, range);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_struct(&mut self, value: &'ast ExprStruct) {
        let range = self.range(value.span());
        for field in &value.fields {
            self.expressions
                .insert(self.range(field.span()).start, range.clone());
        }
        visit::visit_expr_struct(self, value);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let arrow = self.range(arm.fat_arrow_token.span()).start;
        let guard = arm.guard.as_ref().map(|(_, guard)| guard.as_ref());
        let has_let = matches!(guard, Some(Expr::Let(_)))
            || matches!(guard, Some(Expr::Binary(binary)) if has_let(binary));
        if !has_let {
            let guard = guard.map(|guard| self.range(guard.span()));
            if let Some(guard) = &guard {
                self.guards.insert(guard.start, guard.clone());
            }
            self.arms
                .insert(self.range(arm.span()).start, (arrow, guard));
        }
        visit::visit_arm(self, arm);
    }
}

fn has_let(binary: &ExprBinary) -> bool {
    if !matches!(binary.op, BinOp::And(_)) {
        return false;
    }
    [&binary.left, &binary.right]
        .into_iter()
        .any(|side| match side.as_ref() {
            Expr::Let(_) => true,
            Expr::Binary(inner) => has_let(inner),
            _ => false,
        })
}
