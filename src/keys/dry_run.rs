//! Opening all keys once, without serving them: for `check`, `keys list` and `exit`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::thread;

use super::password_source::PasswordReader;
use super::pool::{DerivationPool, Urgency};
use super::reader::TimedReader;
use super::secret::SecretKey;
use super::source::{OpenContext, ReadError, ReadSource};
use super::sources::Sources;
use crate::consensus::primitives::PublicKey;
use crate::files::FileError;
use crate::wait::lock;

/// All keys with their files, and what failed.
#[derive(Default)]
pub(crate) struct DryRun {
    pub(crate) keys: BTreeMap<PublicKey, (SecretKey, String)>,
    pub(crate) failures: Vec<String>,
}

/// Opens all sources, or those that may have the `wanted` key, as the service does: on all cores, within the
/// allowed memory. Files that declare the same key are tried until one opens.
///
/// # Errors
/// When a root cannot be listed, or the mnemonic is not valid: the service would not start.
pub(crate) fn open_sources(
    sources: &Sources,
    decrypt_memory_bytes: Option<u64>,
    wanted: Option<PublicKey>,
) -> Result<DryRun, FileError> {
    let unanswered: Arc<AtomicUsize> = Arc::default();
    let scan = sources.scan(&unanswered);
    if let Some(error) = scan.root_problems.into_iter().next() {
        return Err(error);
    }
    let parent = match &sources.mnemonic {
        Some(mnemonic) => Some(mnemonic.read_parent_key(sources.allow_insecure_permissions)?),
        None => None,
    };
    let mut opened = DryRun::default();
    for error in scan.problems.iter().chain(&scan.missing) {
        opened.failures.push(error.to_string());
    }
    let mut tasks: BTreeMap<(Option<PublicKey>, usize), Vec<ReadSource>> = BTreeMap::new();
    let mut reader = TimedReader::new(&unanswered);
    for (number, listed) in scan.sources.into_iter().enumerate() {
        let name = listed.source.name();
        let read = match reader.run(move || listed.source.read()) {
            Ok(Ok(read)) => read,
            Ok(Err(ReadError::Gone)) => continue,
            Ok(Err(ReadError::OtherJson)) => {
                log::info!("{name}: skipped, not a keystore");
                continue;
            }
            Ok(Err(ReadError::Failed(error))) => {
                opened.failures.push(error.to_string());
                continue;
            }
            Err(reason) => {
                opened.failures.push(format!("{name}: {reason}"));
                continue;
            }
        };
        let declared = read.declared_key();
        if wanted.is_some() && declared.is_some() && declared != wanted {
            continue;
        }
        // Sources that declare no key are tasks of their own.
        let task_number = if declared.is_some() { 0 } else { number };
        tasks.entry((declared, task_number)).or_default().push(read);
    }
    let context = OpenContext {
        pool: DerivationPool::new(decrypt_memory_bytes),
        passwords: PasswordReader::new(Arc::default(), sources.allow_insecure_permissions),
        cache: None,
        parent,
    };
    let openers = context.pool.threads_max().min(tasks.len());
    let queue = Mutex::new(tasks.into_values().collect::<VecDeque<_>>());
    let results = Mutex::new(opened);
    thread::scope(|scope| {
        for _ in 0..openers {
            scope.spawn(|| {
                let mut reader = TimedReader::new(&unanswered);
                loop {
                    let Some(task) = lock(&queue).pop_front() else {
                        return;
                    };
                    open_one(&task, &context, &mut reader, &results);
                }
            });
        }
    });
    Ok(results.into_inner().unwrap_or_default())
}

/// Tries these sources until one opens.
fn open_one(
    task: &[ReadSource],
    context: &OpenContext,
    reader: &mut TimedReader,
    results: &Mutex<DryRun>,
) {
    let mut failures = Vec::new();
    for read in task {
        let name = read.source.name();
        match read.open(context, Urgency::Load, reader) {
            Ok(opened) => {
                let mut results = lock(results);
                for (secret, _) in opened.keys {
                    results
                        .keys
                        .insert(secret.public_key(), (secret, name.clone()));
                }
                return;
            }
            Err(reason) if reason.starts_with(&name) => failures.push(reason),
            Err(reason) => failures.push(format!("{name}: {reason}")),
        }
    }
    lock(results).failures.extend(failures);
}
