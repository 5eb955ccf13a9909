//! The types that the value of an option can have, and how each is read from its text.

use std::fs;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::StartError;
use super::token::is_token;

/// Why a text is not a value of the option's type.
pub(crate) enum ValueError {
    /// What the option takes instead.
    Expected(String),
    /// The file or directory that the text names cannot be used.
    Path(StartError),
}

/// The type of an option's value.
pub(crate) trait ValueType: Copy {
    /// What the texts stand for.
    type Output;

    /// Reads all texts that were given, or the default. `texts` is empty if the option is unset and has no
    /// default.
    fn read(self, texts: &[Zeroizing<String>]) -> Result<Self::Output, ValueError>;
}

/// The type of a value that is written as one text.
pub(crate) trait SingleValue: Copy {
    /// What the text stands for.
    type Output;

    /// Reads the text that counts: the last one given, or the default.
    fn parse(self, text: &str) -> Result<Self::Output, ValueError>;
}

impl<V: SingleValue> ValueType for V {
    type Output = V::Output;

    fn read(self, texts: &[Zeroizing<String>]) -> Result<V::Output, ValueError> {
        let text = texts
            .last()
            .expect("an option has a default, or its type is Optional");
        self.parse(text)
    }
}

/// A value that may be missing: the option has no default.
#[derive(Clone, Copy)]
pub(crate) struct Optional<V>(pub(super) V);

impl<V: SingleValue> ValueType for Optional<V> {
    type Output = Option<V::Output>;

    fn read(self, texts: &[Zeroizing<String>]) -> Result<Self::Output, ValueError> {
        let Some(text) = texts.last() else {
            return Ok(None);
        };
        self.0.parse(text).map(Some)
    }
}

/// A value that signerd chooses itself when the text is `auto`, which is the default.
#[derive(Clone, Copy)]
pub(crate) struct Auto<V>(pub(super) V);

impl<V: SingleValue> SingleValue for Auto<V> {
    type Output = Option<V::Output>;

    fn parse(self, text: &str) -> Result<Self::Output, ValueError> {
        if text == "auto" {
            return Ok(None);
        }
        self.0.parse(text).map(Some)
    }
}

/// `true` or `false`, in any case.
#[derive(Clone, Copy)]
pub(crate) struct Switch;

impl SingleValue for Switch {
    type Output = bool;

    fn parse(self, text: &str) -> Result<bool, ValueError> {
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err(expected("true or false"))
        }
    }
}

/// A whole number from `min` to `max`.
#[derive(Clone, Copy)]
pub(crate) struct Number<T> {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) output: PhantomData<T>,
}

impl<T: Copy + TryFrom<u64>> SingleValue for Number<T> {
    type Output = T;

    fn parse(self, text: &str) -> Result<T, ValueError> {
        let Self { min, max, .. } = self;
        // `u64::from_str` would take a sign.
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|number| is_decimal && (min..=max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| expected(format!("a whole number from {min} to {max}")))
    }
}

/// A span of time, written as a number of units.
#[derive(Clone, Copy)]
pub(crate) struct TimeSpan {
    pub(super) unit_seconds: u64,
    pub(super) units: Number<u64>,
}

impl SingleValue for TimeSpan {
    type Output = Duration;

    fn parse(self, text: &str) -> Result<Duration, ValueError> {
        let units = self.units.parse(text)?;
        Ok(Duration::from_secs(self.unit_seconds * units))
    }
}

/// `A..B`, the numbers from A to B-1.
#[derive(Clone, Copy)]
pub(crate) struct IndexRange;

impl SingleValue for IndexRange {
    type Output = Range<u32>;

    fn parse(self, text: &str) -> Result<Range<u32>, ValueError> {
        text.split_once("..")
            .and_then(|(start, end)| Some(start.parse().ok()?..end.parse().ok()?))
            .filter(|range: &Range<u32>| !range.is_empty())
            .ok_or_else(|| expected("a range such as 0..64, end exclusive"))
    }
}

/// One of several words, in any case.
#[derive(Clone, Copy)]
pub(crate) struct Choice<T: 'static> {
    /// Each word with its meaning. Several words may mean the same.
    pub(super) words: &'static [(&'static str, T)],
    /// The words that messages name.
    pub(super) expected: &'static str,
}

impl<T: Copy> Choice<T> {
    /// Returns all words.
    pub(super) fn words(self) -> Vec<&'static str> {
        self.words.iter().map(|(word, _)| *word).collect()
    }
}

impl<T: Copy> SingleValue for Choice<T> {
    type Output = T;

    fn parse(self, text: &str) -> Result<T, ValueError> {
        self.words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| expected(self.expected))
    }
}

/// A text that only its reader can judge.
#[derive(Clone, Copy)]
pub(crate) struct Text;

impl SingleValue for Text {
    type Output = String;

    fn parse(self, text: &str) -> Result<String, ValueError> {
        Ok(text.to_owned())
    }
}

/// A token, which is never blank.
#[derive(Clone, Copy)]
pub(crate) struct SecretToken;

impl SingleValue for SecretToken {
    type Output = Zeroizing<String>;

    fn parse(self, text: &str) -> Result<Zeroizing<String>, ValueError> {
        if is_token(text) {
            Ok(Zeroizing::new(text.to_owned()))
        } else {
            Err(expected("a token of visible characters, without blanks"))
        }
    }
}

/// A path of something that may not exist yet.
#[derive(Clone, Copy)]
pub(crate) struct AnyPath;

impl SingleValue for AnyPath {
    type Output = PathBuf;

    fn parse(self, text: &str) -> Result<PathBuf, ValueError> {
        if text.is_empty() {
            return Err(expected("a path"));
        }
        Ok(PathBuf::from(text))
    }
}

/// A file that exists and can be read.
#[derive(Clone, Copy)]
pub(crate) struct ReadableFile;

impl SingleValue for ReadableFile {
    type Output = PathBuf;

    fn parse(self, text: &str) -> Result<PathBuf, ValueError> {
        if text.is_empty() {
            return Err(expected("the path of a file"));
        }
        let path = PathBuf::from(text);
        let metadata = fs::File::open(&path)
            .and_then(|file| file.metadata())
            .map_err(|error| ValueError::Path(StartError::unreadable(&path, &error)))?;
        if metadata.is_dir() {
            return Err(expected("a file, not a directory"));
        }
        Ok(path)
    }
}

/// A directory that exists and can be listed: one that cannot must not pass for an empty one.
#[derive(Clone, Copy)]
pub(crate) struct ListableDirectory;

impl SingleValue for ListableDirectory {
    type Output = PathBuf;

    fn parse(self, text: &str) -> Result<PathBuf, ValueError> {
        if text.is_empty() {
            return Err(expected("the path of a directory"));
        }
        let path = Path::new(text);
        fs::read_dir(path)
            .map_err(|error| ValueError::Path(StartError::unreadable(path, &error)))?;
        Ok(path.to_owned())
    }
}

/// The items of all texts, separated by commas.
#[derive(Clone, Copy)]
pub(crate) struct TextList;

impl ValueType for TextList {
    type Output = Vec<String>;

    fn read(self, texts: &[Zeroizing<String>]) -> Result<Vec<String>, ValueError> {
        let mut items = Vec::new();
        for item in texts.iter().flat_map(|text| text.split(',')) {
            if !item.trim().is_empty() {
                items.push(item.trim().to_owned());
            }
        }
        Ok(items)
    }
}

/// A list of directories, each as for [`ListableDirectory`].
#[derive(Clone, Copy)]
pub(crate) struct DirectoryList;

impl ValueType for DirectoryList {
    type Output = Vec<PathBuf>;

    fn read(self, texts: &[Zeroizing<String>]) -> Result<Vec<PathBuf>, ValueError> {
        let paths = TextList.read(texts)?;
        paths
            .iter()
            .map(|path| ListableDirectory.parse(path))
            .collect()
    }
}

fn expected(what: impl Into<String>) -> ValueError {
    ValueError::Expected(what.into())
}
