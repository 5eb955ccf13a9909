//! Sockets, coroutines, TLS, deadlines, threads and signals.
//!
//! [`Server::bind`] opens the listeners before any thread runs, [`Server::run`] serves until a signal ends
//! it. What a request means is decided elsewhere: each listener hands it to the service of its role.

mod accept;
mod body;
mod budget;
mod certificates;
mod client_verifier;
mod connection;
pub(crate) mod control;
mod delivery;
mod der;
pub(crate) mod gauges;
mod identity;
mod limits;
mod listener;
pub(crate) mod notify;
mod peer;
mod penalty;
pub(crate) mod pinned;
mod pool;
mod read_buffer;
mod runtime;
mod secure_socket;
pub(crate) mod signers;
mod signing_times;
mod slots;
mod socket;
mod state;
mod status;
mod stream;
mod supervision;
mod sweeper;
mod system;
pub(crate) mod terminal;
pub mod tls;
mod worker_signer;

use std::io::{self, PipeWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::counted::counted;
use crate::critical_thread;
use crate::status::report::ConnectedClient;
use crate::sync::thread::JoinHandle;

pub use self::accept::Services;
pub use self::limits::{CONNECTIONS_MAX, ConnectionLimits};
pub use self::listener::{BindError, ListenAddress, ListenerRole};
pub use self::runtime::Runtime;
pub use self::supervision::{Supervised, Unsupervised};

use self::gauges::ServerGauges;
use self::listener::Listener;
use self::state::ServerState;
use self::sweeper::Sweeper;
use self::system::Signal;

/// Where to listen, and within which limits.
#[derive(Default)]
pub struct ServerSettings {
    /// Where to listen, and what for.
    pub listeners: Vec<(ListenerRole, ListenAddress)>,
    /// The limits of all connections.
    pub limits: ConnectionLimits,
    /// What runs a connection.
    pub runtime: Runtime,
}

/// Bound to its addresses, not yet serving.
pub struct Server {
    listeners: Vec<Listener>,
    limits: ConnectionLimits,
    runtime: Runtime,
    gauges: ServerGauges,
    sweeper: Arc<Sweeper>,
}

/// A server that serves.
pub struct ServerHandle {
    state: Arc<ServerState>,
    accept: JoinHandle<()>,
    /// Writing to it, or closing it, stops the accept thread.
    stop: PipeWriter,
}

/// The time between two looks of a draining server at its connections.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// Descriptors besides the connections: listeners, epoll, key files, the store.
const OTHER_DESCRIPTORS: u64 = 512;

impl Server {
    /// Opens all listeners and blocks the signals that [`Server::run`] waits for. Call it before the
    /// first thread starts, so that all threads leave those signals to the main thread.
    ///
    /// # Errors
    /// [`BindError`] names the first address that cannot be bound.
    pub fn bind(settings: ServerSettings) -> Result<Self, BindError> {
        system::block_signals();
        let connections_max = settings.limits.connections_max as u64;
        system::raise_descriptor_limit(connections_max + OTHER_DESCRIPTORS);
        let mut listeners = Vec::new();
        for (role, address) in settings.listeners {
            listeners.push(Listener::open(role, address)?);
        }
        Ok(Self {
            listeners,
            gauges: ServerGauges::new(settings.limits.bodies_bytes_max),
            sweeper: Arc::new(Sweeper::new(&settings.limits)),
            limits: settings.limits,
            runtime: settings.runtime,
        })
    }

    /// The listeners in the order of the settings, with the ports that the system has chosen.
    pub fn addresses(&self) -> Vec<(ListenerRole, ListenAddress)> {
        let mut addresses = Vec::new();
        for listener in &self.listeners {
            addresses.push((listener.role, listener.address()));
        }
        addresses
    }

    /// Returns what can be read of connections and their memory.
    pub(crate) fn gauges(&self) -> ServerGauges {
        self.gauges.clone()
    }

    /// Returns what lists the clients that are connected while the server runs.
    pub(crate) fn clients(&self) -> impl Fn() -> Vec<ConnectedClient> + Send + Sync + use<> {
        let sweeper = Arc::clone(&self.sweeper);
        move || sweeper.clients()
    }

    /// Starts to serve, on threads of its own.
    ///
    /// # Errors
    /// When the system refuses a thread or a pipe.
    pub fn start(self, services: Services) -> io::Result<ServerHandle> {
        self.runtime.start()?;
        let sweeper = self.sweeper;
        let state =
            ServerState::start(self.limits, self.runtime, Arc::clone(&sweeper), self.gauges)?;
        critical_thread::spawn("sweeper", move || sweeper.run())?;
        let (stopped, stop) = io::pipe()?;
        let accept = critical_thread::spawn("accept", {
            let state = Arc::clone(&state);
            move || accept::run(&self.listeners, &services, &stopped, &state)
        })?;
        Ok(ServerHandle {
            state,
            accept,
            stop,
        })
    }

    /// Serves until SIGTERM or SIGINT, and reloads the service at SIGHUP. Returns when the requests at hand
    /// are answered, after [`ConnectionLimits::drain`], or at once when a second signal comes.
    pub fn run(self, services: Services, supervised: &impl Supervised) -> ExitCode {
        let running = match self.start(services) {
            Ok(running) => running,
            Err(error) => {
                log::error!("cannot start to serve: {error}");
                return ExitCode::FAILURE;
            }
        };
        supervision::wait_for_stop(supervised, &running.state);
        let open = counted(running.connections(), "open connection", "open connections");
        log::info!("stopping: {open}");
        running.drain(|| system::wait_for_signal(DRAIN_STEP) == Some(Signal::Stop));
        ExitCode::SUCCESS
    }
}

impl ServerHandle {
    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Acquire)
    }

    /// Stops: accepts no more, ends idle connections, finishes requests at hand within
    /// [`ConnectionLimits::drain`]. Returns whether all were finished.
    pub fn stop(self) -> bool {
        self.drain(|| {
            thread::sleep(DRAIN_STEP);
            false
        })
    }

    /// As [`Self::stop`]. `pause` waits for [`DRAIN_STEP`] and returns whether to give up.
    fn drain(mut self, mut pause: impl FnMut() -> bool) -> bool {
        self.stop.write_all(b"stop").ok();
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
