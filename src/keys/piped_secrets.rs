//! Secrets that come from a pipe, a FIFO or a process substitution: read once, and kept for later loads.
//!
//! A pipe gives its content once, but many keystores may need it, also those that a reload finds. So the text
//! is kept, encrypted under a random key in locked memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::arena::{ArenaSlot, SLOT_BYTES};
use super::reader::TimedReader;
use super::scrub::scrubbed;
use crate::files;
use crate::wait::lock;

/// The time in which a pipe must be written and closed.
pub(super) const PIPE_TIMEOUT: Duration = Duration::from_secs(60);

/// What pipes have given so far, by their paths.
#[derive(Default)]
pub(crate) struct PipedSecrets(Mutex<HashMap<PathBuf, Result<SealedText, String>>>);

/// A text under a key that is used once.
struct SealedText {
    key: ArenaSlot,
    sealed: Vec<u8>,
}

impl PipedSecrets {
    /// Reads a secret that an option names. A regular file is read each time, anything else once.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(
        &self,
        path: &Arc<Path>,
        allow_insecure_permissions: bool,
        reader: &mut TimedReader,
    ) -> Result<Zeroizing<String>, String> {
        if !files::is_special(path) && !lock(&self.0).contains_key(&**path) {
            return reader.read_private(path, allow_insecure_permissions);
        }
        // Held while the pipe is read: other keystores wait for the same text.
        let mut kept = lock(&self.0);
        let text = kept.entry(path.to_path_buf()).or_insert_with(|| {
            let mut reader = TimedReader::new(&Arc::default()).with_timeout(PIPE_TIMEOUT);
            let text = reader.read_private_or_pipe(path, allow_insecure_permissions)?;
            SealedText::new(&text)
        });
        match text {
            Ok(sealed) => sealed.open(),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// Forgets the pipes that could not be read, so that the next load tries again.
    pub(super) fn forget_failures(&self) {
        lock(&self.0).retain(|_, kept| kept.is_ok());
    }
}

impl SealedText {
    fn new(text: &str) -> Result<Self, String> {
        let mut key = ArenaSlot::take().map_err(|error| error.to_string())?;
        *key.bytes_mut() = *files::random::<SLOT_BYTES>()?;
        let sealed = scrubbed(|| {
            let mut bytes = Zeroizing::new(text.as_bytes().to_vec());
            let tag = cipher(&key)?
                .seal_in_place_separate_tag(nonce(), Aad::empty(), &mut bytes)
                .ok()?;
            let mut sealed = bytes.to_vec();
            sealed.extend_from_slice(tag.as_ref());
            Some(sealed)
        });
        let sealed = sealed.ok_or("the secret cannot be sealed")?;
        Ok(Self { key, sealed })
    }

    fn open(&self) -> Result<Zeroizing<String>, String> {
        let text = scrubbed(|| {
            let mut bytes = Zeroizing::new(self.sealed.clone());
            let opened = cipher(&self.key)?
                .open_in_place(nonce(), Aad::empty(), &mut bytes)
                .ok()?;
            Some(Zeroizing::new(str::from_utf8(opened).ok()?.to_owned()))
        });
        text.ok_or_else(|| "the secret cannot be opened".to_owned())
    }
}

/// Makes ring's form of the key for one use, within `scrubbed`: ring does not wipe its keys.
fn cipher(key: &ArenaSlot) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.bytes())
        .ok()
        .map(LessSafeKey::new)
}

/// Each key seals one text, so the nonce may be zero.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_again_and_does_not_show_it() {
        let text = "correct horse battery staple\n";
        let sealed = SealedText::new(text).unwrap();
        assert!(!sealed.sealed.windows(7).any(|part| part == b"correct"));
        assert_eq!(sealed.open().unwrap().as_str(), text);
        assert_eq!(sealed.open().unwrap().as_str(), text);
    }
}
