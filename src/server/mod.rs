//! The rim: sockets, coroutines, TLS, deadlines, threads, signals.
//!
//! [`Server::bind`] opens the doors before any thread runs, [`Server::run`] serves until a signal ends
//! it. What a request means is not decided here: every listener hands it to its
//! [`Service`].

mod accept;
mod bodies;
mod connection;
pub mod control;
mod listen;
pub mod notify;
mod penalty;
pub mod pinned;
mod runtime;
pub mod signers;
mod socket;
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

use self::accept::Door;
use self::bodies::Supply;
use self::penalty::Penalties;
use self::sweeper::Sweeper;
use self::system::Signal;

/// What to serve, where, and within which limits.
#[derive(Default)]
pub struct Settings {
    /// Where to listen, and who answers there.
    pub listeners: Vec<(Bind, Arc<dyn Service>)>,
    /// The limits of all connections.
    pub limits: Limits,
    /// What runs a connection.
    pub runtime: Runtime,
}

/// Bounds of number, memory and time. The defaults are the ones to use; tests make them smaller.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at the same time. A validator client has a handful; each costs 16 KiB when idle.
    pub connections_max: usize,
    /// Memory of all large bodies (over 16 KiB) that are arriving or being answered.
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
    /// For requests at hand to be finished once the server has been told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            bodies_bytes_max: 192 * 1024 * 1024,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            write: Duration::from_secs(30),
            drain: Duration::from_millis(4_500),
        }
    }
}

/// Bound to its addresses, not yet serving.
pub struct Server {
    doors: Vec<Door>,
    limits: Limits,
    runtime: Runtime,
}

/// A server at work.
pub struct Running {
    house: Arc<House>,
    accept: JoinHandle<()>,
    /// Closing it stops the accept thread.
    stop: PipeWriter,
}

/// What all connections share.
struct House {
    sweeper: Arc<Sweeper>,
    limits: Arc<Limits>,
    runtime: Runtime,
    bodies_bytes: Supply,
    large_requests: Supply,
    penalties: Penalties,
    connections: AtomicUsize,
    /// Those of them that have not had their first turn.
    unbegun: AtomicUsize,
    /// A proof that connections get their turn has arrived.
    is_alive: AtomicBool,
}

/// Large requests that are answered at the same time, a thread each: there is seldom more than one.
const LARGE_REQUESTS_MAX: usize = 16;

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
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        system::block_signals();
        let Settings {
            listeners,
            limits,
            runtime,
        } = settings;
        system::raise_descriptor_limit(limits.connections_max as u64 + OTHER_DESCRIPTORS);
        let doors = listeners
            .into_iter()
            .map(|(bind, service)| listen::open(bind, service));
        let doors = doors.collect::<Result<_, _>>()?;
        Ok(Self {
            doors,
            limits,
            runtime,
        })
    }

    /// The addresses in the order of the settings, with the ports that the system has chosen.
    pub fn addresses(&self) -> Vec<Bind> {
        self.doors.iter().map(Door::address).collect()
    }

    /// Starts to serve, on threads of its own.
    ///
    /// # Errors
    /// When the system refuses a thread or a pipe.
    pub fn start(self) -> io::Result<Running> {
        self.runtime.start()?;
        let house = Arc::new(House {
            // A client that trusts the announcement never meets a closed connection: the server waits
            // an eighth longer.
            sweeper: Arc::new(Sweeper::new(self.limits.idle.mul_f32(0.875).as_secs())),
            bodies_bytes: Supply::new(self.limits.bodies_bytes_max),
            large_requests: Supply::new(LARGE_REQUESTS_MAX),
            penalties: Penalties::default(),
            connections: AtomicUsize::new(0),
            unbegun: AtomicUsize::new(0),
            is_alive: AtomicBool::new(true),
            limits: Arc::new(self.limits),
            runtime: self.runtime,
        });
        let sweeper = Arc::clone(&house.sweeper);
        critical_thread::spawn("sweeper", move || sweeper.run())?;
        let (stopped, stop) = io::pipe()?;
        let accept = critical_thread::spawn("accept", {
            let house = Arc::clone(&house);
            move || accept::run(&self.doors, &stopped, &house)
        })?;
        Ok(Running {
            house,
            accept,
            stop,
        })
    }

    /// Serves until SIGTERM or SIGINT, and calls `on_reload` at SIGHUP. Returns when the requests at hand
    /// are answered, after [`Limits::drain`], or at once when a second signal comes.
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
        self.house.connections.load(Ordering::Acquire)
    }

    /// Tells the watchdog that connections get their turn: the last proof of it has arrived, and the next
    /// one is on its way.
    fn show_life(&self) {
        if self.house.is_alive.swap(false, Ordering::AcqRel) {
            notify::tell("WATCHDOG=1");
            let house = Arc::clone(&self.house);
            self.house
                .runtime
                .spawn(move || house.is_alive.store(true, Ordering::Release))
                .ok();
        }
    }

    /// Stops: accepts no more, ends idle connections, finishes requests at hand within
    /// [`Limits::drain`]. Says whether all were finished.
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
        self.house.sweeper.drain();
        let until = Instant::now() + self.house.limits.drain;
        while self.house.connections.load(Ordering::Acquire) > 0 {
            if pause() || Instant::now() >= until {
                return false;
            }
        }
        true
    }
}
