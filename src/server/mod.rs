//! The rim: sockets, coroutines, TLS, deadlines, threads, signals.
//!
//! [`Server::bind`] opens the listeners before any thread runs, [`Server::run`] serves until a signal ends
//! it. What a request means is not decided here: every listener hands it to its
//! [`Service`].

mod accept;
mod bodies;
mod connection;
pub mod control;
mod inbox;
mod listen;
pub mod notify;
mod penalty;
pub mod pinned;
mod places;
mod pool;
mod runtime;
mod secured;
pub mod signers;
mod socket;
mod stream;
mod sweeper;
mod system;
pub mod tls;

use std::io::{self, PipeWriter};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::api::Service;
use crate::critical_thread;

pub use self::listen::{Bind, BindError};
pub use self::runtime::Runtime;

use self::accept::Listener;
use self::bodies::Supply;
use self::penalty::Penalties;
use self::pool::WorkerPool;
use self::sweeper::Sweeper;
use self::system::Signal;

/// What to serve, where, and within which limits.
#[derive(Default)]
pub struct ServerSettings {
    /// Where to listen, and who answers there.
    pub listeners: Vec<(Bind, Arc<dyn Service>)>,
    /// The limits of all connections.
    pub limits: ConnectionLimits,
    /// What runs a connection.
    pub runtime: Runtime,
}

/// Bounds of number, memory and time. The defaults are the ones to use; tests make them smaller.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections at the same time. A validator client has a handful; each costs 16 KiB when idle.
    pub connections_max: usize,
    /// Those of one remote address (of IPv6, of one network of 64 bits): a quarter of all.
    pub per_address_max: usize,
    /// Those of one loopback address, and of the Unix sockets: all, because proxies and the validator
    /// clients of the same host come from there.
    pub per_local_max: usize,
    /// Connections to each listener with reserved places, besides all others: a few probes.
    pub reserved_max: usize,
    /// Memory of all bodies over 4 KiB, of all that is made of large ones, and of all large answers: so
    /// much that the whole process stays under 128 MiB.
    pub bodies_bytes_max: usize,
    /// For a whole head, the first one with the TLS handshake: it fits in a few packets.
    pub head: Duration,
    /// For a whole body: 32 MiB at 10 Mbit/s.
    pub body: Duration,
    /// Without a request: validator clients are silent for an epoch (6.4 minutes) at most, and open a
    /// new connection without harm.
    pub idle: Duration,
    /// For a client to take its answers.
    pub write: Duration,
    /// For a client to take a signature: deleting the key waits for it.
    pub write_signature: Duration,
    /// For requests at hand to be finished once the server has been told to stop.
    pub drain: Duration,
}

/// Connections of all addresses together, but those with reserved places.
pub const CONNECTIONS_MAX: usize = 4_096;

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            per_address_max: CONNECTIONS_MAX / 4,
            per_local_max: CONNECTIONS_MAX,
            reserved_max: 64,
            bodies_bytes_max: 88 * 1024 * 1024,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            write: Duration::from_secs(30),
            write_signature: Duration::from_secs(5),
            drain: Duration::from_millis(4_500),
        }
    }
}

/// Bound to its addresses, not yet serving.
pub struct Server {
    listeners: Vec<Listener>,
    limits: ConnectionLimits,
    runtime: Runtime,
}

/// A server at work.
pub struct Running {
    state: Arc<ServerState>,
    accept: JoinHandle<()>,
    /// Closing it stops the accept thread.
    stop: PipeWriter,
}

/// What all connections share.
struct ServerState {
    sweeper: Arc<Sweeper>,
    limits: Arc<ConnectionLimits>,
    runtime: Runtime,
    memory: Supply,
    /// Read large bodies, and make large answers.
    readers: WorkerPool,
    /// Reads bodies over 1 MiB, one after the other.
    huge_reader: WorkerPool,
    handshakes: Arc<WorkerPool>,
    /// Requests that may wait for long, a thread each.
    long_requests: Supply,
    penalties: Penalties,
    connections: AtomicUsize,
    /// Those of them that have not had their first turn.
    unbegun: AtomicUsize,
    /// A proof that connections get their turn has arrived.
    is_alive: AtomicBool,
}

/// Large requests that may wait for long and are answered at the same time, a thread each: there is seldom
/// more than one.
const LONG_REQUESTS_MAX: usize = 32;

/// Threads that read large bodies; each may need some MiB. A core reads thousands a second.
const READERS_MAX: usize = 2;

/// Threads that compute handshakes, on a machine with as many cores. A core does some hundred a second
/// with the slowest of keys, RSA-4096.
const HANDSHAKE_THREADS_MAX: usize = 4;

/// Large bodies that wait to be read: their memory is bounded anyway.
const READINGS_WAITING_MAX: usize = 4_096;

/// Handshakes that wait: half a second's work with the slowest of keys, RSA-4096.
const HANDSHAKES_WAITING_MAX: usize = 128;

/// How often a draining server looks whether the last connection has gone.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// Descriptors besides the connections: listeners, epoll, key files, the store.
const OTHER_DESCRIPTORS: u64 = 512;

impl Server {
    /// Opens all listeners and blocks the signals that [`Server::run`] waits for. Call it before the
    /// first thread starts, so that all threads leave those signals to the main thread.
    ///
    /// # Errors
    /// [`BindError`] names the first address that cannot be had.
    pub fn bind(settings: ServerSettings) -> Result<Self, BindError> {
        system::block_signals();
        let ServerSettings {
            listeners,
            limits,
            runtime,
        } = settings;
        system::raise_descriptor_limit(limits.connections_max as u64 + OTHER_DESCRIPTORS);
        let listeners = listeners
            .into_iter()
            .map(|(bind, service)| listen::open(bind, service));
        let listeners = listeners.collect::<Result<_, _>>()?;
        Ok(Self {
            listeners,
            limits,
            runtime,
        })
    }

    /// The addresses in the order of the settings, with the ports that the system has chosen.
    pub fn addresses(&self) -> Vec<Bind> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Starts to serve, on threads of its own.
    ///
    /// # Errors
    /// When the system refuses a thread or a pipe.
    pub fn start(self) -> io::Result<Running> {
        self.runtime.start()?;
        let cores: usize = thread::available_parallelism().map_or(1, Into::into);
        let handshakes = WorkerPool::start(
            "handshake",
            cores.min(HANDSHAKE_THREADS_MAX),
            HANDSHAKES_WAITING_MAX,
        )?;
        let state = Arc::new(ServerState {
            // A client that trusts the announcement never meets a closed connection: the server waits
            // an eighth longer.
            sweeper: Arc::new(Sweeper::new(self.limits.idle.mul_f32(0.875).as_secs())),
            memory: Supply::new(self.limits.bodies_bytes_max),
            readers: WorkerPool::start("read", cores.min(READERS_MAX), READINGS_WAITING_MAX)?,
            huge_reader: WorkerPool::start("read-huge", 1, READINGS_WAITING_MAX)?,
            handshakes: Arc::new(handshakes),
            long_requests: Supply::new(LONG_REQUESTS_MAX),
            penalties: Penalties::default(),
            connections: AtomicUsize::new(0),
            unbegun: AtomicUsize::new(0),
            is_alive: AtomicBool::new(true),
            limits: Arc::new(self.limits),
            runtime: self.runtime,
        });
        let sweeper = Arc::clone(&state.sweeper);
        critical_thread::spawn("sweeper", move || sweeper.run())?;
        let (stopped, stop) = io::pipe()?;
        let accept = critical_thread::spawn("accept", {
            let state = Arc::clone(&state);
            move || accept::run(&self.listeners, &stopped, &state)
        })?;
        Ok(Running {
            state,
            accept,
            stop,
        })
    }

    /// Serves until SIGTERM or SIGINT, and calls `on_reload` at SIGHUP. Returns when the requests at hand
    /// are answered, after [`ConnectionLimits::drain`], or at once when a second signal comes.
    pub fn run(self, on_reload: impl Fn()) -> ExitCode {
        let running = match self.start() {
            Ok(running) => running,
            Err(error) => {
                log::error!("cannot start to serve: {error}");
                return ExitCode::FAILURE;
            }
        };
        notify::tell("READY=1");
        let interval = notify::watchdog_interval();
        loop {
            match system::wait_for_signal(interval.unwrap_or(Duration::from_secs(3600))) {
                None if interval.is_some() => running.show_life(),
                None => {}
                Some(Signal::Reload) => {
                    notify::tell(&format!(
                        "RELOADING=1\nMONOTONIC_USEC={}",
                        system::monotonic_us()
                    ));
                    on_reload();
                    notify::tell("READY=1");
                }
                Some(Signal::Stop) => break,
            }
        }
        notify::tell("STOPPING=1");
        log::info!("stopping: {} connections are open", running.connections());
        running.drain(|| system::wait_for_signal(DRAIN_STEP) == Some(Signal::Stop));
        ExitCode::SUCCESS
    }
}

impl Running {
    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Acquire)
    }

    /// Tells the watchdog that connections get their turn: the last proof of it has arrived, and the next
    /// one is on its way.
    fn show_life(&self) {
        if self.state.is_alive.swap(false, Ordering::AcqRel) {
            notify::tell("WATCHDOG=1");
            let state = Arc::clone(&self.state);
            self.state
                .runtime
                .spawn(move || state.is_alive.store(true, Ordering::Release))
                .ok();
        }
    }

    /// Stops: accepts no more, ends idle connections, finishes requests at hand within
    /// [`ConnectionLimits::drain`]. Says whether all were finished.
    pub fn stop(self) -> bool {
        self.drain(|| {
            thread::sleep(DRAIN_STEP);
            false
        })
    }

    /// `pause` waits for [`DRAIN_STEP`] and says whether to give up.
    fn drain(self, mut pause: impl FnMut() -> bool) -> bool {
        drop(self.stop);
        self.accept.join().ok();
        self.state.sweeper.drain();
        let until = Instant::now() + self.state.limits.drain;
        while self.state.connections.load(Ordering::Acquire) > 0 {
            if pause() || Instant::now() >= until {
                return false;
            }
        }
        true
    }
}
