//! What an option's text stands for: numbers, ranges, addresses, paths that exist, secrets.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::{StartError, exit};
use super::layers::Values;
use crate::files::read_private;

impl Values {
    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &str) -> Result<bool, StartError> {
        Ok(self.switch(name)? == Some(true))
    }

    /// A number of things within bounds.
    pub(crate) fn count(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<usize>, StartError> {
        Ok(self
            .number(name, bounds)?
            .and_then(|number| usize::try_from(number).ok()))
    }

    /// A number within bounds; `auto` counts as unset.
    pub(crate) fn number(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, StartError> {
        let Some(text) = self.text(name).filter(|text| text != "auto") else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits
            .then(|| text.parse().ok())
            .flatten()
            .filter(|number| bounds.contains(number));
        let expected = || format!("a whole number from {} to {}", bounds.start(), bounds.end());
        number
            .map(Some)
            .ok_or_else(|| self.wrong(name, &expected()))
    }

    /// `A..B`, the numbers from A to B-1.
    pub(crate) fn range(&self, name: &str) -> Result<Option<Range<u32>>, StartError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let parsed = text
            .split_once("..")
            .and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
        let range = parsed.filter(|range: &Range<u32>| !range.is_empty());
        range
            .map(Some)
            .ok_or_else(|| self.wrong(name, "a range such as 0..64, its end left out"))
    }

    /// The texts of a list, commas split.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let texts = self
            .value(name)
            .map(|value| value.texts)
            .unwrap_or_default();
        let items = texts.iter().flat_map(|text| text.split(','));
        items
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// An address to listen on; a name stands for its first IPv4 address, else for its first.
    pub(crate) fn address(&self, host: &str, port: &str) -> Result<SocketAddr, StartError> {
        let number = self
            .number(port, 0..=u64::from(u16::MAX))?
            .and_then(|port| u16::try_from(port).ok());
        let text = self.text(host).unwrap_or_default();
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = (bare, number.unwrap_or(0))
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        let first = addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first());
        first
            .copied()
            .ok_or_else(|| self.wrong(host, "an address of this machine, as 127.0.0.1 or 0.0.0.0"))
    }

    /// The path that an option names.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A directory that exists and can be listed: one that cannot must not pass for an empty one.
    pub(crate) fn directory(&self, name: &str) -> Result<Option<PathBuf>, StartError> {
        self.path(name)
            .map(|path| self.listable(name, path))
            .transpose()
    }

    /// All directories of a list, each as for [`Values::directory`].
    pub(crate) fn directories(&self, name: &str) -> Result<Vec<PathBuf>, StartError> {
        self.list(name)
            .into_iter()
            .map(|path| self.listable(name, path.into()))
            .collect()
    }

    fn listable(&self, name: &str, path: PathBuf) -> Result<PathBuf, StartError> {
        fs::read_dir(&path).map_err(|error| about(name, StartError::unreadable(&path, &error)))?;
        Ok(path)
    }

    /// A file that exists and can be read.
    pub(crate) fn file(&self, name: &str) -> Result<Option<PathBuf>, StartError> {
        let Some(path) = self.path(name) else {
            return Ok(None);
        };
        if path.as_os_str().is_empty() {
            return Err(self.wrong(name, "the path of a file"));
        }
        let opened = fs::File::open(&path).and_then(|file| file.metadata());
        let metadata =
            opened.map_err(|error| about(name, StartError::unreadable(&path, &error)))?;
        match metadata.is_dir() {
            true => Err(self.wrong(name, "a file, not a directory")),
            false => Ok(Some(path)),
        }
    }

    /// The token that an option holds, which is never blank.
    pub(crate) fn token(&self, name: &str) -> Result<Option<TokenSource>, StartError> {
        let Some(text) = self.text(name).map(Zeroizing::new) else {
            return Ok(None);
        };
        if !is_token(&text) {
            let expected = "a token of visible characters, without blanks";
            let usage = self.wrong(name, expected);
            return Err(if text.trim().is_empty() {
                let message = usage.message.replace("(hidden)", "a blank one");
                StartError { message, ..usage }
            } else {
                usage
            });
        }
        Ok(Some(TokenSource::Given(text)))
    }

    /// The token in the file that an option names, which nobody else can read.
    pub(crate) fn token_file(&self, name: &'static str) -> Result<Option<TokenSource>, StartError> {
        let Some(path) = self.file(name)? else {
            return Ok(None);
        };
        let source = TokenSource::File {
            option: name,
            path,
            allow_insecure_permissions: self.on("allow-insecure-permissions")?,
        };
        source.read()?;
        Ok(Some(source))
    }
}

/// Where a token comes from.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// It was given by itself, and stays as it is.
    Given(Zeroizing<String>),
    /// It is in a file, which may change.
    File {
        /// The option that named the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Whether others may read it.
        allow_insecure_permissions: bool,
    },
}

impl TokenSource {
    /// The token as it is now.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, StartError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File {
                option,
                path,
                allow_insecure_permissions,
            } => {
                read_token(path, *allow_insecure_permissions).map_err(|usage| about(option, usage))
            }
        }
    }
}

fn about(name: &str, usage: StartError) -> StartError {
    StartError {
        message: format!("--{name}: {}", usage.message),
        ..usage
    }
}

/// The token in a file that nobody else can read.
pub(crate) fn read_token(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, StartError> {
    let text = read_private(path, allow_insecure_permissions)
        .map_err(|error| StartError::new(exit::PERMISSION, error.to_string()))?;
    let token = text.trim();
    if is_token(token) {
        Ok(Zeroizing::new(token.to_owned()))
    } else {
        Err(StartError::new(
            exit::CONFIG,
            format!("{}: expected one token", path.display()),
        ))
    }
}

/// Whether a text can be a token: there is something to see, and nothing else. Invisible characters, as
/// editors leave them at the start of a file, would make a token that looks empty.
fn is_token(text: &str) -> bool {
    let is_invisible = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    };
    !text.is_empty() && !text.contains(is_invisible)
}
