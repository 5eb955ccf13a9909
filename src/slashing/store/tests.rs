//! The writer thread with a back-end that does what the test says.

use super::*;
use crate::consensus::primitives::Slot;
use crate::slashing::backend::{ChangeMarks, LargeImport};

const LIMITS: SigningLimits = SigningLimits {
    min_slot: None,
    min_epoch: None,
    chain: None,
    clock: None,
    new_store: None,
};

/// What the back-end is to do, and what it was asked for.
#[derive(Default)]
struct Script {
    /// How many batches are deferred from now on.
    deferrals: usize,
    /// Whether every access fails.
    fails: bool,
    batches: usize,
    enabled: Vec<(Vec<PublicKey>, bool)>,
}

#[derive(Clone, Default)]
struct ScriptedBackend(Arc<Mutex<Script>>);

impl ScriptedBackend {
    fn access(&self) -> Result<(), Unavailable> {
        if lock(&self.0).fails {
            return Err(Unavailable("it fails".to_owned()));
        }
        Ok(())
    }
}

impl Backend for ScriptedBackend {
    fn record(
        &mut self,
        requests: &[RecordRequest],
        _: &BatchTime<'_>,
    ) -> Result<Vec<RecordOutcome>, Unavailable> {
        self.access()?;
        let mut script = lock(&self.0);
        script.batches += 1;
        let is_deferred = script.deferrals > 0;
        script.deferrals = script.deferrals.saturating_sub(1);
        let outcome = |_| {
            if is_deferred {
                RecordOutcome::Deferred
            } else {
                RecordOutcome::Recorded
            }
        };
        Ok(requests.iter().map(outcome).collect())
    }

    fn change_marks(
        &mut self,
        _: Root,
        _: &[PublicKey],
        _: &mut ChangeMarks<'_>,
        _: &BatchTime<'_>,
    ) -> Result<Result<(), RepairError>, Unavailable> {
        self.access().map(Ok)
    }

    fn begin_large_import(
        &mut self,
        _: Root,
        _: BTreeMap<PublicKey, Marks>,
        _: &BatchTime<'_>,
    ) -> Result<Box<dyn LargeImport>, Unavailable> {
        unreachable!("no test imports")
    }

    fn end_large_import(&mut self) -> Result<LargeImportProgress, Unavailable> {
        unreachable!("no test imports")
    }

    fn abandon_large_import(&mut self) {}

    fn high_watermark(&self) -> Option<HighWatermark> {
        None
    }

    fn set_high_watermark(&mut self, _: Option<HighWatermark>) -> Result<(), Unavailable> {
        self.access()
    }

    fn set_enabled(&mut self, keys: &[PublicKey], enabled: bool) -> Result<(), Unavailable> {
        self.access()?;
        lock(&self.0).enabled.push((keys.to_vec(), enabled));
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>, Unavailable> {
        unreachable!("no test reads the records")
    }

    fn check_idle(&mut self) -> Option<Result<(), Unavailable>> {
        None
    }

    fn recover(&mut self) -> Result<(), Unavailable> {
        self.access()
    }
}

fn start() -> (Store, Arc<Mutex<Script>>) {
    let backend = ScriptedBackend::default();
    let script = Arc::clone(&backend.0);
    let store = Store::start(Box::new(backend), LIMITS).unwrap();
    (store, script)
}

fn block() -> RecordRequest {
    RecordRequest {
        key: PublicKey([0xab; 48]),
        chain: Root([1; 32]),
        message: SlashableMessage::Block(Slot(7)),
        root: Root([2; 32]),
    }
}

#[test]
fn a_deferred_message_is_tried_again_until_it_is_recorded() {
    let (store, script) = start();
    lock(&script).deferrals = 3;
    store.record(block()).unwrap();
    assert_eq!(lock(&script).batches, 4);
}

#[test]
fn a_message_that_is_always_deferred_is_given_up_with_the_name_of_its_key() {
    let (store, script) = start();
    lock(&script).deferrals = usize::MAX;
    let Err(Refused::Unavailable(Unavailable(reason))) = store.record(block()) else {
        panic!("it is refused");
    };
    assert!(reason.starts_with("0xababab"), "{reason}");
    assert!(reason.contains("not recorded within 2 s"), "{reason}");
    let asked = lock(&script).batches;
    assert!(asked > 1, "it was tried again");
    // What was given up is not tried with the next message.
    lock(&script).deferrals = 0;
    store.record(block()).unwrap();
    assert_eq!(lock(&script).batches, asked + 1);
}

#[test]
fn a_failure_is_known_without_waiting_until_an_access_works_again() {
    let (store, script) = start();
    assert!(store.is_available());
    lock(&script).fails = true;
    store.record(block()).unwrap_err();
    assert!(!store.is_available());
    store.health().unwrap_err();
    lock(&script).fails = false;
    assert!(!store.is_available(), "nobody has tried");
    store.health().unwrap();
    assert!(store.is_available());
}

#[test]
fn keys_are_enabled_and_disabled_in_the_back_end() {
    let (store, script) = start();
    let keys = vec![PublicKey([1; 48]), PublicKey([2; 48])];
    store.set_enabled(keys.clone(), false).unwrap();
    store.set_enabled(keys.clone(), true).unwrap();
    assert_eq!(
        lock(&script).enabled,
        [(keys.clone(), false), (keys.clone(), true)]
    );
    lock(&script).fails = true;
    store.set_enabled(keys, true).unwrap_err();
}
