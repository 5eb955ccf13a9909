//! What an option is made of: its names, its default, its help, and the type of its value.

use std::marker::PhantomData;

use super::value_types::{
    AnyPath, Auto, Choice, IndexRange, ListableDirectory, Number, Optional, ReadableFile,
    SecretToken, Switch, Text, TextList, TimeSpan,
};
use crate::server::CONNECTIONS_MAX;

/// How a value is written, as far as parsers, help and completions need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueForm {
    /// Nothing, `true` or `false`.
    Switch,
    /// One text; the last one given counts.
    Single,
    /// One path; shells complete it.
    Path,
    /// Separated by commas, repeatable; all count.
    List,
    /// One text that is never shown.
    Secret,
}

/// What is known of an option without its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionRow {
    /// The canonical name, without dashes.
    pub(crate) name: &'static str,
    /// The same option's other names.
    pub(crate) aliases: &'static [&'static str],
    /// The letter of the short form: `-p`.
    pub(crate) short: Option<char>,
    /// How its value is written.
    pub(crate) form: ValueForm,
    /// The word that stands for the value in `--help`; empty for a switch.
    pub(crate) placeholder: &'static str,
    /// The value when nobody sets it.
    pub(crate) default: Option<&'static str>,
    /// The default of Web3Signer's form, where it differs.
    pub(crate) eth2_default: Option<&'static str>,
    /// One line of help; empty for an option that `--help` leaves out.
    pub(crate) help: &'static str,
    /// Whether it may stand without a value: the list is empty then.
    pub(crate) may_be_bare: bool,
    /// Whether it keeps others out: an empty value is then a mistake, never "not given".
    pub(crate) restricts_access: bool,
    /// Whether only the manual page explains it, not `--help`, which is short enough to be read.
    pub(crate) is_only_in_manual: bool,
}

/// An option whose value has the type `V`.
#[derive(Clone, Copy)]
pub(crate) struct TypedOption<V> {
    pub(crate) row: OptionRow,
    pub(crate) value_type: V,
}

/// A day: no time limit is longer.
const SECONDS_MAX: u64 = 86_400;

impl OptionRow {
    /// The canonical name, then the aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// A value that shows what the option takes.
    pub(crate) fn example(&self) -> &'static str {
        match (self.default, self.placeholder) {
            (Some(default), _) if default != "auto" => default,
            (_, "N") => "4",
            (_, "MIB") => "1024",
            (_, "A..B") => "0..64",
            (_, "DIR" | "DIRS") => "/var/lib/signerd/keys",
            (_, "PATH") => "/run/signerd/signerd.sock",
            (_, "PEM") => "/etc/signerd/server.pem",
            (_, "P12") => "/etc/signerd/server.p12",
            (_, "YAML") => "/etc/signerd/signerd.yaml",
            (_, "FILE") if self.name == "audit-log" => "/var/log/signerd/audit.log",
            (_, "FILE") => "/etc/signerd/password.txt",
            (_, "ORIGINS") => "https://example.org",
            (_, "NETWORK") => "hoodi",
            (_, "HOW") => "token",
            (_, placeholder) => placeholder,
        }
    }
}

impl<V: Copy> TypedOption<V> {
    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.row.aliases = aliases;
        self
    }

    pub(super) const fn short(mut self, letter: char) -> Self {
        self.row.short = Some(letter);
        self
    }

    /// The default of Web3Signer's form.
    pub(super) const fn eth2(mut self, default: &'static str) -> Self {
        self.row.eth2_default = Some(default);
        self
    }

    pub(super) const fn restricts_access(mut self) -> Self {
        self.row.restricts_access = true;
        self
    }

    pub(super) const fn only_in_manual(mut self) -> Self {
        self.row.is_only_in_manual = true;
        self
    }
}

impl<V: Copy> TypedOption<Optional<V>> {
    /// Sets the default: the option always has a value then.
    pub(super) const fn default(mut self, text: &'static str) -> TypedOption<V> {
        self.row.default = Some(text);
        TypedOption {
            row: self.row,
            value_type: self.value_type.0,
        }
    }

    /// Takes `auto` too, and by default.
    pub(super) const fn auto(mut self) -> TypedOption<Auto<V>> {
        self.row.default = Some("auto");
        TypedOption {
            row: self.row,
            value_type: Auto(self.value_type.0),
        }
    }
}

pub(super) const fn row(
    name: &'static str,
    form: ValueForm,
    placeholder: &'static str,
    help: &'static str,
) -> OptionRow {
    OptionRow {
        name,
        aliases: &[],
        short: None,
        form,
        placeholder,
        default: None,
        eth2_default: None,
        help,
        may_be_bare: false,
        restricts_access: false,
        is_only_in_manual: false,
    }
}

pub(super) const fn typed<V: Copy>(row: OptionRow, value_type: V) -> TypedOption<V> {
    TypedOption { row, value_type }
}

pub(super) const fn optional_switch(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<Switch>> {
    typed(row(name, ValueForm::Switch, "", help), Optional(Switch))
}

pub(super) const fn switch(
    name: &'static str,
    default: &'static str,
    help: &'static str,
) -> TypedOption<Switch> {
    optional_switch(name, help).default(default)
}

pub(super) const fn text(
    name: &'static str,
    placeholder: &'static str,
    help: &'static str,
) -> TypedOption<Optional<Text>> {
    typed(
        row(name, ValueForm::Single, placeholder, help),
        Optional(Text),
    )
}

pub(super) const fn choice<T: Copy>(
    name: &'static str,
    placeholder: &'static str,
    words: Choice<T>,
    help: &'static str,
) -> TypedOption<Optional<Choice<T>>> {
    typed(
        row(name, ValueForm::Single, placeholder, help),
        Optional(words),
    )
}

pub(super) const fn secret(
    name: &'static str,
    placeholder: &'static str,
    help: &'static str,
) -> TypedOption<Optional<SecretToken>> {
    typed(
        row(name, ValueForm::Secret, placeholder, help),
        Optional(SecretToken),
    )
}

/// A number from `min` to `max`, both included.
pub(super) const fn number<T: Copy>(
    name: &'static str,
    placeholder: &'static str,
    min: u64,
    max: u64,
    help: &'static str,
) -> TypedOption<Optional<Number<T>>> {
    let number = Number {
        min,
        max,
        output: PhantomData,
    };
    typed(
        row(name, ValueForm::Single, placeholder, help),
        Optional(number),
    )
}

/// A slot or an epoch.
pub(super) const fn count(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<Number<u64>>> {
    number(name, "N", 0, u64::MAX, help)
}

pub(super) const fn connections(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<Number<usize>>> {
    number(name, "N", 1, CONNECTIONS_MAX as u64, help)
}

pub(super) const fn seconds(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<TimeSpan>> {
    time_span(name, "N", 1, help)
}

pub(super) const fn hours(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<TimeSpan>> {
    time_span(name, "HOURS", 3600, help)
}

pub(super) const fn minutes(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<TimeSpan>> {
    time_span(name, "MINUTES", 60, help)
}

const fn time_span(
    name: &'static str,
    placeholder: &'static str,
    unit_seconds: u64,
    help: &'static str,
) -> TypedOption<Optional<TimeSpan>> {
    let units = Number {
        min: 1,
        max: SECONDS_MAX / unit_seconds,
        output: PhantomData,
    };
    let span = TimeSpan {
        unit_seconds,
        units,
    };
    typed(
        row(name, ValueForm::Single, placeholder, help),
        Optional(span),
    )
}

pub(super) const fn range(
    name: &'static str,
    help: &'static str,
) -> TypedOption<Optional<IndexRange>> {
    typed(
        row(name, ValueForm::Single, "A..B", help),
        Optional(IndexRange),
    )
}

pub(super) const fn path(
    name: &'static str,
    placeholder: &'static str,
    help: &'static str,
) -> TypedOption<Optional<AnyPath>> {
    typed(
        row(name, ValueForm::Path, placeholder, help),
        Optional(AnyPath),
    )
}

pub(super) const fn file(
    name: &'static str,
    placeholder: &'static str,
    help: &'static str,
) -> TypedOption<Optional<ReadableFile>> {
    typed(
        row(name, ValueForm::Path, placeholder, help),
        Optional(ReadableFile),
    )
}

pub(super) const fn directory(
    name: &'static str,
    placeholder: &'static str,
    help: &'static str,
) -> TypedOption<Optional<ListableDirectory>> {
    typed(
        row(name, ValueForm::Path, placeholder, help),
        Optional(ListableDirectory),
    )
}

pub(super) const fn list(
    name: &'static str,
    placeholder: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> TypedOption<TextList> {
    let mut row = row(name, ValueForm::List, placeholder, help);
    row.default = default;
    row.may_be_bare = true;
    typed(row, TextList)
}
