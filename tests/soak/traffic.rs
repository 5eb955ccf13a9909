//! The load: validator clients that ask for duties, some of which conflict.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chain::{self, Duty};
use crate::fleet::Node;
use crate::ledger::SignedDuties;
use crate::random::Random;
use crate::support::client::{Answer, Client};

/// One of this many signatures is verified. To verify one costs more than to sign it.
const VERIFIED_ONE_IN: u64 = 40;

/// A slot of the run; the duties move on with it.
const SLOT: Duration = Duration::from_millis(500);

/// The first slot and target epoch.
const FIRST: u64 = 1_000;

/// Violations that are kept word for word.
const VIOLATIONS_MAX: usize = 50;

/// What all clients of the run share.
pub(crate) struct Traffic {
    started: Instant,
    pub(crate) is_over: AtomicBool,
    /// Microseconds that a client waits between two requests: the rate is set by it.
    pub(crate) pause_micros: AtomicU64,
    signed_duties: SignedDuties,
    pub(crate) counts: Counts,
    latencies: Mutex<Vec<Duration>>,
    violations: Mutex<Vec<String>>,
}

/// Totals of the run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) signatures: AtomicU64,
    pub(crate) verified: AtomicU64,
    /// Conflicting requests that were refused with 412.
    pub(crate) refused: AtomicU64,
    /// Requests without an answer, or answered with 503, which a fault explains.
    pub(crate) excused: AtomicU64,
    pub(crate) violations: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            is_over: AtomicBool::new(false),
            pause_micros: AtomicU64::new(20_000),
            signed_duties: SignedDuties::default(),
            counts: Counts::default(),
            latencies: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Records what must not happen.
    pub(crate) fn violation(&self, what: String) {
        eprintln!("VIOLATION: {what}");
        self.counts.violations.fetch_add(1, Ordering::Relaxed);
        let mut violations = lock(&self.violations);
        if violations.len() < VIOLATIONS_MAX {
            violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// The times of the signatures since the last call, sorted.
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        let mut taken = std::mem::take(&mut *lock(&self.latencies));
        taken.sort();
        taken
    }

    /// One client of a signer: it asks for the duties of these keys until the run is over.
    pub(crate) fn ask(&self, node: &Node, keys: &[String], seed: u64) {
        let mut random = Random::new(seed);
        let mut client = None;
        while !self.is_over() {
            thread::sleep(Duration::from_micros(
                self.pause_micros.load(Ordering::Relaxed),
            ));
            let number = random.below(keys.len() as u64);
            let key = &keys[usize::try_from(number).expect("an index")];
            // The clients of every second key agree with each other, the others may conflict.
            let is_agreed = number.is_multiple_of(2);
            let variant = if is_agreed {
                0
            } else {
                u8::try_from(random.below(2)).expect("0 or 1")
            };
            let duty = self.duty(&mut random, variant);
            let (body, signing_root) = duty.request();
            if let Some(slashable) = duty.slashable() {
                self.signed_duties.ask(key, slashable);
            }
            let sent = Instant::now();
            let answer = post(&mut client, node, key, &body);
            let Some(answer) = answer else {
                client = None;
                self.failed(node, sent, duty, "no answer");
                continue;
            };
            match answer.status {
                200 => {
                    lock(&self.latencies).push(sent.elapsed());
                    self.counts.signatures.fetch_add(1, Ordering::Relaxed);
                    if let Some(slashable) = duty.slashable()
                        && let Err(what) = self.signed_duties.add(key, slashable, signing_root)
                    {
                        self.violation(what);
                    }
                    if random.below(VERIFIED_ONE_IN) == 0 {
                        self.counts.verified.fetch_add(1, Ordering::Relaxed);
                        if !chain::is_signature(key, &signing_root, &answer.json()) {
                            self.violation(format!("{}: a wrong signature: {duty:?}", node.name));
                        }
                    }
                }
                412 => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    let is_late = duty
                        .slashable()
                        .is_some_and(|duty| self.signed_duties.may_have_later(key, duty));
                    if is_agreed && !is_late {
                        self.violation(format!(
                            "{}: refused without a reason: {duty:?}: {}",
                            node.name,
                            answer.text()
                        ));
                    }
                }
                status => self.failed(node, sent, duty, &format!("{status} {}", answer.text())),
            }
        }
    }

    /// The next duty of a validator; slashable ones are the most frequent, as on a chain.
    fn duty(&self, random: &mut Random, variant: u8) -> Duty {
        let elapsed = self.started.elapsed().as_millis() / SLOT.as_millis();
        let now = FIRST + u64::try_from(elapsed).expect("a run ends some day");
        match random.below(8) {
            0 => Duty::Block { slot: now, variant },
            1..=4 => Duty::Attestation {
                // The conflicting vote may surround others.
                source: now - 1 - 2 * u64::from(variant),
                target: now,
                variant,
            },
            5 => Duty::RandaoReveal { epoch: now },
            6 => Duty::AggregationSlot { slot: now },
            _ => Duty::SyncCommitteeMessage { slot: now },
        }
    }

    fn failed(&self, node: &Node, sent: Instant, duty: Duty, what: &str) {
        let is_store = what.starts_with("503") && duty.slashable().is_some();
        let is_excused =
            node.process_trouble.excuses(sent) || (is_store && node.store_trouble.excuses(sent));
        if is_excused {
            self.counts.excused.fetch_add(1, Ordering::Relaxed);
        } else {
            self.violation(format!("{}: {duty:?}: {what}", node.name));
        }
    }
}

/// Sends a sign request over the client's connection, or over a new one.
fn post(client: &mut Option<Client>, node: &Node, key: &str, body: &str) -> Option<Answer> {
    if client.is_none() {
        *client = node.connect();
    }
    let path = format!("/api/v1/eth2/sign/{key}");
    client.as_mut()?.try_post(&path, body.as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
