//! Models of the commit queue.

use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;

use super::*;
use crate::consensus::primitives::{Epoch, Slot};
use crate::slashing::backend::LargeImport;
use crate::slashing::rule::{Verdict, check};
use crate::sync;

const LIMITS: SigningLimits = SigningLimits {
    min_slot: None,
    min_epoch: None,
    chain: None,
    clock: None,
    new_store: None,
};

/// Decides by the program's rule, and keeps the marks of one key in memory. The model looks at them when a
/// caller goes on: what is not here by then is not durable.
#[derive(Clone, Default)]
struct MemoryStore {
    marks: Arc<StdMutex<Marks>>,
    /// Whether the next batch is not decided.
    defers: bool,
}

impl Backend for MemoryStore {
    fn record(
        &mut self,
        requests: &[RecordRequest],
        time: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Unavailable> {
        let defers = std::mem::take(&mut self.defers);
        let mut marks = *lock(&self.marks);
        let mut outcomes = Vec::new();
        for request in requests {
            let bounds = time.bounds(request.chain, None);
            outcomes.push(
                match check(&marks, &bounds, request.message, request.root) {
                    _ if defers => RecordOutcome::Deferred,
                    Err(refused) => RecordOutcome::Refused(refused),
                    Ok(Verdict::Repeat) => RecordOutcome::Recorded,
                    Ok(Verdict::Record(changed)) => {
                        marks = changed;
                        RecordOutcome::Recorded
                    }
                },
            );
        }
        // Other threads ask meanwhile, as during a sync.
        thread::sleep(Duration::ZERO);
        *lock(&self.marks) = marks;
        Ok(outcomes)
    }

    fn change_marks(
        &mut self,
        _: Root,
        keys: &[PublicKey],
        change: &mut crate::slashing::backend::ChangeMarks<'_>,
        _: &BatchTime<'_>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        let marks = *lock(&self.marks);
        Ok(change(keys[0], Some(marks)).map(|changed| *lock(&self.marks) = changed))
    }

    fn begin_large_import(
        &mut self,
        _: Root,
        _: BTreeMap<PublicKey, Marks>,
        _: &BatchTime<'_>,
    ) -> Result<Box<dyn LargeImport>, Unavailable> {
        unreachable!("no model imports")
    }

    fn end_large_import(&mut self) -> Result<LargeImportProgress, Unavailable> {
        unreachable!("no model imports")
    }

    fn abandon_large_import(&mut self) {}

    fn high_watermark(&self) -> Option<HighWatermark> {
        None
    }

    fn set_high_watermark(&mut self, _: Option<HighWatermark>) -> Result<(), Unavailable> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>, Unavailable> {
        Ok(Box::new(self.clone()))
    }

    fn check_idle(&mut self) -> Option<Result<(), Unavailable>> {
        None
    }

    fn recover(&mut self) -> Result<(), Unavailable> {
        Ok(())
    }
}

impl Snapshot for MemoryStore {
    fn chains(&mut self, _: Option<&BTreeSet<PublicKey>>) -> Result<BTreeSet<Root>, Unavailable> {
        Ok(BTreeSet::new())
    }

    fn marks(
        &mut self,
        _: Option<Root>,
        _: Option<&BTreeSet<PublicKey>>,
    ) -> Result<Vec<(PublicKey, Root, Marks)>, Unavailable> {
        Ok(vec![(
            PublicKey([1; 48]),
            Root([1; 32]),
            *lock(&self.marks),
        )])
    }

    fn known(&mut self, _: &BTreeSet<PublicKey>) -> Result<BTreeSet<PublicKey>, Unavailable> {
        Ok(BTreeSet::new())
    }
}

fn request(message: SlashableMessage, root: u8) -> RecordRequest {
    RecordRequest {
        key: PublicKey([1; 48]),
        chain: Root([1; 32]),
        message,
        root: Root([root; 32]),
    }
}

/// Fails when a caller is answered before the back-end has recorded.
#[test]
fn of_conflicting_messages_one_is_recorded_before_its_caller_goes_on() {
    sync::check(10_000, || {
        let backend = MemoryStore::default();
        let marks = Arc::clone(&backend.marks);
        let store = Arc::new(Store::start(Box::new(backend), LIMITS).unwrap());
        let mut threads = Vec::new();
        for root in 1..4 {
            let store = Arc::clone(&store);
            let marks = Arc::clone(&marks);
            threads.push(thread::spawn(move || {
                let recorded = store.record(request(SlashableMessage::Block(Slot(7)), root));
                if recorded.is_ok() {
                    let block = lock(&marks).block.expect("it is durable");
                    assert_eq!((block.slot, block.root), (Slot(7), Some(Root([root; 32]))));
                }
                recorded.is_ok()
            }));
        }
        let vote = request(SlashableMessage::Vote(Epoch(1), Epoch(2)), 9);
        store.record(vote).expect("no other vote");
        let snapshot = store.snapshot().expect("memory").marks(None, None);
        let (_, _, seen) = snapshot.expect("memory")[0];
        assert_eq!(seen.vote.map(|vote| vote.target), Some(Epoch(2)));
        let mut signed = 0;
        for thread in threads {
            signed += usize::from(thread.join().expect("a caller"));
        }
        assert_eq!(signed, 1);
    });
}

/// Fails when the writer forgets what was deferred.
#[test]
fn what_is_deferred_is_decided_with_a_later_batch() {
    sync::check(5_000, || {
        let backend = MemoryStore {
            defers: true,
            ..MemoryStore::default()
        };
        let store = Arc::new(Store::start(Box::new(backend), LIMITS).unwrap());
        let first = Arc::clone(&store);
        let caller = thread::spawn(move || {
            first
                .record(request(SlashableMessage::Block(Slot(7)), 1))
                .is_ok()
        });
        // A model has no clock. The writer looks again when a task arrives.
        while !has_block(&store) {
            thread::sleep(Duration::ZERO);
        }
        assert!(caller.join().expect("a caller"));
    });
}

fn has_block(store: &Store) -> bool {
    let snapshot = store.snapshot().expect("memory").marks(None, None);
    snapshot.expect("memory")[0].2.block.is_some()
}

/// Fails when `Drop` keeps the sender while it joins: the thread and the caller wait for each other.
#[test]
fn a_store_that_is_dropped_has_answered_all() {
    sync::check(5_000, || {
        let backend = MemoryStore::default();
        let marks = Arc::clone(&backend.marks);
        let store = Arc::new(Store::start(Box::new(backend), LIMITS).unwrap());
        let last = Arc::clone(&store);
        let caller = thread::spawn(move || {
            last.record(request(SlashableMessage::Block(Slot(7)), 1))
                .is_ok()
        });
        {
            let _dropped = store;
        }
        assert!(caller.join().expect("a caller"));
        assert!(lock(&marks).block.is_some());
    });
}
