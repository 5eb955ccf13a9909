//! Loading and reloading: list → read → plan → open → let go of what is gone.
//!
//! One load runs at a time, on a thread of its own; one that is asked for meanwhile follows it. Nothing is
//! taken away before its successor is there: a key whose file was renamed signs all the while.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::keyring_state::{KeyringShared, RunningLoad};
use super::load_plan::{
    ReadResult, Task, drop_sources, failure, note_failed, note_unopened, plan, sources_to_read,
};
use super::pool::Urgency;
use super::reader::Reader;
use super::scan::{ListedSource, Scan};
use super::seed::Parent;
use super::source::{KeySource, OpenContext, ReadError};
use super::{arena, imported, seal};
use crate::files::FileError;
use crate::wait::lock;

/// How often the log tells how far loading is.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Threads that read keystores side by side. Reading costs little; a slow mount costs time.
const READERS: usize = 4;

/// Loads what the sources hold, for the first time. A root that cannot be listed ends it: nothing is loaded
/// then, and the process is about to end.
pub(super) fn first_load(shared: &KeyringShared) {
    let unanswered = Arc::new(AtomicUsize::new(0));
    let mut parent = None;
    let mut scan = Scan::default();
    if let Err(error) = read_phrase(shared, &unanswered).map(|read| parent = read) {
        scan.root_problems.push(error);
    }
    let data_dir = shared.sources.data_dir.as_deref();
    let own_directory = data_dir.and_then(imported::lock_directory);
    if let (Some(data_dir), Some(lock)) = (data_dir, own_directory) {
        shared.state().directory_lock = Some(lock);
        if let Err(error) = imported::clean(data_dir) {
            scan.problems.push(error);
        }
    }
    begin_scan(shared);
    let listed = shared.sources.scan(&unanswered);
    scan.sources = listed.sources;
    scan.missing = listed.missing;
    scan.problems.extend(listed.problems);
    scan.root_problems.extend(listed.root_problems);
    if let Some(error) = scan.root_problems.first().cloned() {
        give_up(shared, &scan.root_problems, error);
        return;
    }
    load(shared, scan, parent, &unanswered);
}

/// Lists all sources again, opens what is new or changed, and lets go of what is gone.
pub(super) fn reload(shared: &KeyringShared) {
    let unanswered = Arc::new(AtomicUsize::new(0));
    begin_scan(shared);
    let scan = shared.sources.scan(&unanswered);
    load(shared, scan, None, &unanswered);
}

fn begin_scan(shared: &KeyringShared) {
    let mut state = shared.state();
    state.scans += 1;
    if state.scans > 1 {
        state.load = Some(RunningLoad::new(true));
        state.is_reload_wanted = false;
    }
}

/// The parent of the phrase's keys. An invalid phrase is rejected before the first of its keys is derived.
fn read_phrase(
    shared: &KeyringShared,
    unanswered: &Arc<AtomicUsize>,
) -> Result<Option<Parent>, FileError> {
    let Some(mnemonic) = shared.sources.mnemonic.clone() else {
        return Ok(None);
    };
    let allow_insecure = shared.sources.allow_insecure_permissions;
    let file = mnemonic.file.clone();
    // The words may come from a pipe that somebody has yet to write to.
    let mut reader = Reader::new(unanswered).with_timeout(Duration::from_secs(60));
    match reader.run(move || mnemonic.parent(allow_insecure)) {
        Ok(read) => read.map(Some),
        Err(reason) => Err(FileError::new(&file, reason)),
    }
}

fn give_up(shared: &KeyringShared, problems: &[FileError], error: FileError) {
    let mut state = shared.state();
    if let Some(load) = &mut state.load {
        for problem in problems {
            load.failures.push(failure(problem));
        }
    }
    state.unlistable = Some(error);
    state.end_load();
    drop(state);
    shared.tell();
}

fn load(shared: &KeyringShared, scan: Scan, parent: Option<Parent>, unanswered: &Arc<AtomicUsize>) {
    note_problems(shared, &scan);
    let to_read = sources_to_read(shared, &scan);
    let read = read_all(to_read, unanswered);
    let plan = plan(shared, &scan, read);
    let is_first = shared
        .state()
        .load
        .as_ref()
        .is_some_and(|load| !load.is_reload());
    let cache = if is_first {
        open_cache(shared, &plan.tasks, unanswered)
    } else {
        None
    };
    let context = OpenContext {
        pool: shared.pool.clone(),
        urgency: Urgency::Load,
        allow_insecure_permissions: shared.sources.allow_insecure_permissions,
        cache,
        parent,
    };
    open_all(shared, plan.tasks, &context, unanswered);
    finish(shared, &plan.gone, &context);
}

fn note_problems(shared: &KeyringShared, scan: &Scan) {
    let mut state = shared.state();
    let Some(load) = &mut state.load else { return };
    load.is_partial = !scan.root_problems.is_empty();
    for error in scan
        .root_problems
        .iter()
        .chain(&scan.problems)
        .chain(&scan.missing)
    {
        log::error!("{error}");
        load.failures.push(failure(error));
    }
}

fn read_all(sources: Vec<ListedSource>, unanswered: &Arc<AtomicUsize>) -> Vec<ReadResult> {
    let readers = READERS.min(sources.len());
    let queue = Mutex::new(VecDeque::from(sources));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                let mut reader = Reader::new(unanswered);
                loop {
                    let Some(listed) = lock(&queue).pop_front() else {
                        return;
                    };
                    let source = listed.source.clone();
                    let read = reader.run(move || source.read()).unwrap_or_else(|reason| {
                        let file = listed.source.file().unwrap_or(&listed.listed_in);
                        Err(ReadError::Failed(FileError::new(file, reason)))
                    });
                    lock(&results).push((listed, read));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(listed, _)| listed.source.name());
    results
}

/// The keys that were sealed at the last start, if they were.
fn open_cache(
    shared: &KeyringShared,
    tasks: &[Task],
    unanswered: &Arc<AtomicUsize>,
) -> Option<Cache> {
    let path = shared.settings.key_cache.as_deref()?;
    let alternatives = || tasks.iter().flat_map(|task| &task.alternatives);
    let opened = seal::open(
        shared,
        path,
        alternatives().map(|(_, read)| read),
        unanswered,
    );
    opened.unwrap_or_else(|reason| {
        log::warn!(
            "{}: {reason}: all keystores are opened, and it is written anew",
            path.display()
        );
        None
    })
}

/// Opens everything on as many threads as derivations can run, and tells how far it is meanwhile.
fn open_all(
    shared: &KeyringShared,
    tasks: Vec<Task>,
    context: &OpenContext,
    unanswered: &Arc<AtomicUsize>,
) {
    let openers = shared.pool.threads_max().min(tasks.len());
    let queue = Mutex::new(VecDeque::from(tasks));
    let running = AtomicUsize::new(openers);
    thread::scope(|scope| {
        for _ in 0..openers {
            scope.spawn(|| {
                arena::lower_priority();
                let mut reader = Reader::new(unanswered);
                loop {
                    let Some(task) = lock(&queue).pop_front() else {
                        break;
                    };
                    open_task(shared, task, context, &mut reader);
                }
                running.fetch_sub(1, Ordering::SeqCst);
                shared.tell();
            });
        }
        report_until_done(shared, &running);
    });
}

/// Reports progress until all openers have ended. A reload that takes too long counts as failed; what is
/// still being opened comes in all the same.
fn report_until_done(shared: &KeyringShared, running: &AtomicUsize) {
    let began = Instant::now();
    let mut reported = began;
    let mut state = shared.state();
    while running.load(Ordering::SeqCst) > 0 {
        let mut patience = REPORT_INTERVAL;
        if let Some(load) = state.load.as_ref().filter(|load| load.may_be_late()) {
            let timeout = shared.settings.reload_timeout;
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                let (pending, seconds) = (load.pending().unwrap_or(0), timeout.as_secs());
                state.end_as_late(format!(
                    "{pending} keystore(s) were still being opened after {seconds} s"
                ));
                shared.tell();
                continue;
            }
            patience = patience.min(left);
        }
        state = shared.wait_for(state, patience);
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            drop(state);
            report(shared);
            state = shared.state();
        }
    }
}

fn report(shared: &KeyringShared) {
    let progress = shared.progress();
    let left = match progress.seconds_left {
        Some(seconds) => format!(", about {seconds} s left"),
        None => String::new(),
    };
    log::info!(
        "{} key(s) loaded, {} to go, {} failed{left}",
        progress.loaded,
        progress.pending.unwrap_or(0),
        progress.failed
    );
}

/// Opens the alternatives of a task until one opens; the others stay as they are.
fn open_task(shared: &KeyringShared, task: Task, context: &OpenContext, reader: &mut Reader) {
    let keys_expected = task.keys_expected();
    let declared = task.declared;
    let mut failed: Vec<(ListedSource, String)> = Vec::new();
    let mut is_held = false;
    for (listed, read) in task.alternatives {
        if is_held {
            if let Some(key) = declared {
                let mut state = shared.state();
                let before = note_unopened(&mut state, &listed, key);
                state.release(&before, &shared.table);
            }
            continue;
        }
        let opened = catch_unwind(AssertUnwindSafe(|| read.open(context, reader)))
            .unwrap_or_else(|_| Err("internal fault".to_owned()));
        match opened {
            Ok(opened) => is_held = shared.take_opened(&listed, opened),
            Err(reason) => failed.push((listed, reason)),
        }
    }
    let mut state = shared.state();
    for (listed, reason) in failed {
        let name = listed.source.name();
        if state.deleted.contains(&listed.source) {
            continue;
        }
        if is_held {
            log::warn!("{name}: {reason}; the key that it declares comes from another file");
        } else {
            log::error!("{name}: {reason}");
            if let Some(load) = &mut state.load {
                load.failures.push((name, reason));
            }
        }
        let dropped = note_failed(&mut state, &listed, declared);
        state.release(&dropped, &shared.table);
    }
    if let Some(key) = declared {
        // It has come, or it does not.
        shared.table.forget(&[key]);
    }
    if let Some(load) = &mut state.load {
        load.source_done(declared, keys_expected);
    }
    drop(state);
    shared.tell();
}

/// Lets go of what is gone, and ends the load.
fn finish(shared: &KeyringShared, gone: &[KeySource], context: &OpenContext) {
    let mut state = shared.state();
    let number = state.scans;
    let still_gone: Vec<KeySource> = gone
        .iter()
        .filter(|source| {
            let known = state.known.get(source);
            known.is_some_and(|known| known.seen_in_scan != number)
        })
        .cloned()
        .collect();
    drop_sources(shared, &mut state, &still_gone);
    if let Some(cache) = &context.cache {
        state.is_cache_stale |= cache.is_stale();
    }
    state.end_load();
    log::info!(
        "all sources are read: {} key(s) loaded, {} failed",
        shared.table.len(),
        state.failures.len()
    );
    drop(state);
    shared.tell();
}
