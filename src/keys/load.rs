//! Loading and reloading: list, read, plan, open, then drop what is gone.
//!
//! One load runs at a time, on a thread of its own; a reload that is requested during a load follows it. A
//! key whose file was renamed signs all the time: nothing is dropped before its replacement is loaded.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::KeyCache;
use super::keyring_state::KeyringShared;
use super::load_plan::{
    OpenTask, ReadResult, drop_sources, failure, note_failed, note_unopened, plan, sources_to_read,
};
use super::pool::Urgency;
use super::reader::TimedReader;
use super::running_load::RunningLoad;
use super::scan::{ListedSource, Scan};
use super::seed::ParentKey;
use super::source::{KeySource, OpenContext, ReadError};
use super::{arena, imported, seal, secret};
use crate::counted::counted;
use crate::files::FileError;
use crate::wait::lock;

/// How often the log says how far loading is.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// The time in which the mnemonic must be read.
const MNEMONIC_TIMEOUT: Duration = Duration::from_secs(60);

/// How many threads read keystores: reading is cheap, but a slow mount takes time.
const READERS: usize = 4;

/// Loads all sources for the first time. If a root cannot be listed, nothing is loaded, and the process is
/// about to end.
pub(super) fn first_load(shared: &KeyringShared) {
    let unanswered = Arc::new(AtomicUsize::new(0));
    let mut parent = None;
    let mut scan = Scan::default();
    match read_parent_key(shared, &unanswered) {
        Ok(read) => parent = read,
        Err(error) => scan.root_problems.push(error),
    }
    if let Some(data_dir) = &shared.sources.data_dir
        && let Some(lock) = imported::lock_directory(data_dir)
    {
        shared.state().directory_lock = Some(lock);
        if let Err(error) = imported::clean(data_dir) {
            scan.problems.push(error);
        }
    }
    begin_scan(shared);
    scan.append(shared.sources.scan(&unanswered));
    if let Some(error) = scan.root_problems.first().cloned() {
        give_up(shared, &scan.root_problems, error);
        return;
    }
    load(shared, scan, parent, &unanswered);
}

/// Lists all sources again, opens what is new or changed, and drops what is gone.
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

/// Reads the mnemonic, if there is one. An invalid mnemonic is rejected at the start.
fn read_parent_key(
    shared: &KeyringShared,
    unanswered: &Arc<AtomicUsize>,
) -> Result<Option<ParentKey>, FileError> {
    let Some(mnemonic) = shared.sources.mnemonic.clone() else {
        return Ok(None);
    };
    let allow_insecure = shared.sources.allow_insecure_permissions;
    let file = mnemonic.file.clone();
    // The words may come from a pipe that is written to later.
    let mut reader = TimedReader::new(unanswered).with_timeout(MNEMONIC_TIMEOUT);
    match reader.run(move || mnemonic.read_parent_key(allow_insecure)) {
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
    shared.notify();
}

fn load(
    shared: &KeyringShared,
    scan: Scan,
    parent: Option<ParentKey>,
    unanswered: &Arc<AtomicUsize>,
) {
    shared.piped.forget_failures();
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
        passwords: shared.password_reader(),
        cache,
        parent,
    };
    open_all(shared, plan.tasks, &context, !is_first, unanswered);
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
                let mut reader = TimedReader::new(unanswered);
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

/// Opens the key cache, if there is one.
fn open_cache(
    shared: &KeyringShared,
    tasks: &[OpenTask],
    unanswered: &Arc<AtomicUsize>,
) -> Option<KeyCache> {
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
            "{}: {reason}: all keystores are opened, and the key cache is written anew",
            path.display()
        );
        None
    })
}

/// Opens everything, on as many threads as derivations can run, and reports progress in the meantime.
fn open_all(
    shared: &KeyringShared,
    tasks: Vec<OpenTask>,
    context: &OpenContext,
    is_reload: bool,
    unanswered: &Arc<AtomicUsize>,
) {
    let openers = shared.pool.threads_max().min(tasks.len());
    let queue = Mutex::new(VecDeque::from(tasks));
    let running = AtomicUsize::new(openers);
    thread::scope(|scope| {
        for _ in 0..openers {
            scope.spawn(|| {
                let mut reader = TimedReader::new(unanswered);
                let mut is_lowered = false;
                while let Some(task) = next_task(shared, &queue) {
                    // Until the first signature nothing else needs the processors.
                    if !is_lowered && (is_reload || secret::has_signed()) {
                        arena::lower_priority();
                        is_lowered = true;
                    }
                    open_task(shared, task, context, &mut reader);
                }
                let _state = shared.state();
                running.fetch_sub(1, Ordering::SeqCst);
                shared.notify();
            });
        }
        report_until_done(shared, &running);
    });
}

/// Takes the next task: those come first whose keys requests wait for.
fn next_task(shared: &KeyringShared, queue: &Mutex<VecDeque<OpenTask>>) -> Option<OpenTask> {
    let wanted = shared.state().waiters.take_wanted();
    let mut queue = lock(queue);
    if !wanted.is_empty() {
        let mut first = VecDeque::new();
        let mut rest = VecDeque::with_capacity(queue.len());
        for mut task in queue.drain(..) {
            if task.declared.is_some_and(|key| wanted.contains(&key)) {
                task.is_wanted = true;
                first.push_back(task);
            } else {
                rest.push_back(task);
            }
        }
        first.append(&mut rest);
        *queue = first;
    }
    queue.pop_front()
}

/// Reports progress until all openers have ended. A reload that takes too long counts as failed, but it goes
/// on.
fn report_until_done(shared: &KeyringShared, running: &AtomicUsize) {
    let began = Instant::now();
    let mut reported = began;
    while running.load(Ordering::SeqCst) > 0 {
        wait_or_end_as_late(shared, running, began);
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            report(shared);
        }
    }
}

/// Waits for a change of the state, at most [`REPORT_INTERVAL`]. Ends a reload that takes too long.
fn wait_or_end_as_late(shared: &KeyringShared, running: &AtomicUsize, began: Instant) {
    let mut state = shared.state();
    let mut patience = REPORT_INTERVAL;
    if let Some(load) = state.load.as_ref().filter(|load| load.may_be_late()) {
        let timeout = shared.settings.reload_timeout;
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            let pending = load.pending().unwrap_or(0);
            state.end_as_late(format!(
                "not finished after {} s: {} still to open",
                timeout.as_secs(),
                counted(pending, "keystore", "keystores")
            ));
            shared.notify();
            return;
        }
        patience = patience.min(left);
    }
    // Checked under the lock: the last opener notifies under it as well.
    if running.load(Ordering::SeqCst) > 0 {
        let _state = shared.wait_for(state, patience);
    }
}

fn report(shared: &KeyringShared) {
    let progress = shared.progress();
    let left = match progress.seconds_left {
        Some(seconds) => format!(", about {seconds} s left"),
        None => String::new(),
    };
    log::info!(
        "{} loaded, {} to go, {} failed{left}",
        counted(progress.loaded, "key", "keys"),
        progress.pending.unwrap_or(0),
        progress.failed
    );
}

/// Tries the alternatives of a task until one opens; the rest stay unopened.
fn open_task(
    shared: &KeyringShared,
    task: OpenTask,
    context: &OpenContext,
    reader: &mut TimedReader,
) {
    let keys_expected = task.keys_expected();
    let declared = task.declared;
    let urgency = if task.is_wanted {
        Urgency::Request
    } else {
        Urgency::Load
    };
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
        let opened = catch_unwind(AssertUnwindSafe(|| read.open(context, urgency, reader)))
            .unwrap_or_else(|_| Err("internal fault".to_owned()));
        match opened {
            Ok(opened) => is_held = shared.publish_opened(&listed, opened),
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
        // It is in the table now, or it will not come.
        shared.table.forget(&[key]);
    }
    if let Some(load) = &mut state.load {
        load.source_done(declared, keys_expected);
    }
    shared.notify();
}

/// Drops what is gone, and ends the load.
fn finish(shared: &KeyringShared, gone: &[KeySource], context: &OpenContext) {
    let is_first = note_gone(shared, gone, context);
    if is_first {
        seal::seal_first(shared);
    }
    let mut state = shared.state();
    state.end_load();
    log::info!(
        "all sources are read: {} loaded, {} failed",
        counted(shared.table.len(), "key", "keys"),
        state.failures.len()
    );
    shared.notify();
}

/// Drops the sources that are gone, and returns whether this was the first load.
fn note_gone(shared: &KeyringShared, gone: &[KeySource], context: &OpenContext) -> bool {
    let mut state = shared.state();
    let scan = state.scans;
    let mut still_gone = Vec::new();
    for source in gone {
        if let Some(known) = state.known.get(source)
            && known.seen_in_scan != scan
        {
            still_gone.push(source.clone());
        }
    }
    drop_sources(shared, &mut state, &still_gone);
    if let Some(cache) = &context.cache {
        state.is_cache_stale |= cache.is_stale();
    }
    !state.first_load_ended
}
