//! What all connections share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use super::budget::Budget;
use super::gauges::ServerGauges;
use super::limits::ConnectionLimits;
use super::penalty::Penalties;
use super::pool::WorkerPool;
use super::runtime::Runtime;
use super::sweeper::Sweeper;

/// The state of a running server.
pub(super) struct ServerState {
    pub(super) sweeper: Arc<Sweeper>,
    pub(super) limits: Arc<ConnectionLimits>,
    pub(super) runtime: Runtime,
    /// Memory of bodies and large answers, in bytes.
    pub(super) memory: Arc<Budget>,
    pub(super) gauges: ServerGauges,
    /// Threads that parse large bodies and make large answers.
    pub(super) parsers: WorkerPool,
    /// One thread for bodies over 1 MiB.
    pub(super) huge_parser: WorkerPool,
    pub(super) handshakes: Arc<WorkerPool>,
    /// Threads of requests that may wait for long, one each.
    pub(super) long_requests: Budget,
    pub(super) penalties: Penalties,
    /// Connections that are open now.
    pub(super) connections: AtomicUsize,
    /// How many of them have not run yet.
    pub(super) waiting_to_run: AtomicUsize,
    /// The last coroutine that proves to the watchdog that connections run has run.
    pub(super) is_alive: AtomicBool,
}

/// Large requests that may wait for long and are answered at the same time: there is seldom more than one.
const LONG_REQUESTS_MAX: usize = 32;

/// Threads that parse large bodies; each may need some MiB. A core parses thousands a second.
const PARSERS_MAX: usize = 2;

/// Large bodies that wait for a parser: their memory is bounded anyway.
const BODIES_WAITING_MAX: usize = 4_096;

/// Threads that compute handshakes, on a machine with as many cores. A core does some hundred a second
/// with the slowest kind of key, RSA-4096.
const HANDSHAKE_THREADS_MAX: usize = 4;

/// Handshakes that wait: half a second's work with RSA-4096.
const HANDSHAKES_WAITING_MAX: usize = 128;

impl ServerState {
    /// Starts the pools; the sweeper's thread and the accept thread are started by the caller.
    pub(super) fn start(
        limits: ConnectionLimits,
        runtime: Runtime,
        sweeper: Arc<Sweeper>,
        gauges: ServerGauges,
    ) -> io::Result<Arc<Self>> {
        let cores: usize = thread::available_parallelism().map_or(1, Into::into);
        let handshake_threads = cores.min(HANDSHAKE_THREADS_MAX);
        Ok(Arc::new(Self {
            sweeper,
            memory: Arc::clone(&gauges.memory),
            gauges,
            parsers: WorkerPool::start("read", cores.min(PARSERS_MAX), BODIES_WAITING_MAX)?,
            huge_parser: WorkerPool::start("read-huge", 1, BODIES_WAITING_MAX)?,
            handshakes: Arc::new(WorkerPool::start(
                "handshake",
                handshake_threads,
                HANDSHAKES_WAITING_MAX,
            )?),
            long_requests: Budget::new(LONG_REQUESTS_MAX),
            penalties: Penalties::default(),
            connections: AtomicUsize::new(0),
            waiting_to_run: AtomicUsize::new(0),
            is_alive: AtomicBool::new(true),
            limits: Arc::new(limits),
            runtime,
        }))
    }
}
