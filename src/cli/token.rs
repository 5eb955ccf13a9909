//! Tokens: where one comes from, and what can be one.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::{StartError, exit};
use crate::files::{self, read_private};

/// Where a token comes from.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// It was given by itself, and stays as it is.
    Given(Zeroizing<String>),
    /// It is in a file, which may change.
    File {
        /// The option that names the file.
        option: &'static str,
        path: PathBuf,
        /// Whether others may read the file.
        allow_insecure_permissions: bool,
    },
}

impl TokenSource {
    /// Returns the token as it is now.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, StartError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File {
                option,
                path,
                allow_insecure_permissions,
            } => read_token(path, *allow_insecure_permissions)
                .map_err(|error| error.about_option(option)),
        }
    }
}

/// Reads the token in a file that nobody else can read.
pub(crate) fn read_token(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, StartError> {
    let text = read_private(path, allow_insecure_permissions)
        .map_err(|error| StartError::new(exit::PERMISSION, error.to_string()))?;
    let token = files::trim_text(&text);
    if !is_token(token) {
        let message = format!("{}: expected one token", path.display());
        return Err(StartError::new(exit::CONFIG, message));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// Returns whether a text can be a token: it has visible characters only. Invisible ones, as editors leave
/// them at the start of a file, would make a token that looks empty.
pub(crate) fn is_token(text: &str) -> bool {
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
