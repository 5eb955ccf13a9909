//! The accept thread: takes new connections from all listeners, as many as there are slots for.

use std::io::{self, ErrorKind, PipeReader};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::api::Service;
use crate::http::HttpError;
use crate::http::client::ClientIdentity;

use super::connection;
use super::listener::{Listener, ListenerRole};
use super::secure_socket::SecureSocket;
use super::slots::{Admission, ConnectionSlot, ConnectionSlots};
use super::socket::Socket;
use super::state::ServerState;
use super::stream::Stream;
use super::system::{self, POLLIN};
use super::tls::Tls;

/// Who answers on the listeners of each role.
#[derive(Clone)]
pub struct Services {
    /// On the signing listeners.
    pub signing: Arc<dyn Service>,
    /// On the metrics listeners.
    pub metrics: Arc<dyn Service>,
    /// On the control socket.
    pub control: Arc<dyn Service>,
}

impl Services {
    /// The same service on all listeners.
    pub fn all(service: impl Service) -> Self {
        let service: Arc<dyn Service> = Arc::new(service);
        Self {
            signing: Arc::clone(&service),
            metrics: Arc::clone(&service),
            control: service,
        }
    }

    fn of(&self, role: ListenerRole) -> &Arc<dyn Service> {
        match role {
            ListenerRole::Signing => &self.signing,
            ListenerRole::Metrics => &self.metrics,
            ListenerRole::Control => &self.control,
        }
    }
}

/// Connections taken from one listener before the others get their turn.
const ACCEPTS_IN_A_ROW_MAX: usize = 64;

/// Connections that are accepted and have not run yet. The next ones wait in the backlog meanwhile, or else
/// a flood of them would stand between the worker and the requests.
const WAITING_TO_RUN_MAX: usize = ACCEPTS_IN_A_ROW_MAX;

/// How long to wait when there are so many.
const WAITING_PAUSE: Duration = Duration::from_micros(100);

/// How long to wait when the process has no descriptors or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listener with what its connections need.
struct Entrance<'a> {
    listener: &'a Listener,
    service: &'a Arc<dyn Service>,
    slots: Arc<ConnectionSlots>,
}

/// Accepts until the other end of `stop` is written to or closed.
pub(super) fn run(
    listeners: &[Listener],
    services: &Services,
    stop: &PipeReader,
    state: &Arc<ServerState>,
) {
    let entrances = entrances(listeners, services, state);
    loop {
        let mut sources = vec![system::pollfd(stop.as_fd(), POLLIN)];
        for listener in listeners {
            sources.push(system::pollfd(listener.as_fd(), POLLIN));
        }
        if state.waiting_to_run.load(Ordering::Acquire) < WAITING_TO_RUN_MAX {
            system::poll(&mut sources, None);
        } else {
            system::poll(&mut sources[..1], Some(WAITING_PAUSE));
        }
        if sources[0].revents != 0 {
            return;
        }
        for (entrance, source) in entrances.iter().zip(&sources[1..]) {
            if source.revents != 0 && accept_some(entrance, state).is_err() {
                system::poll(&mut sources[..1], Some(EXHAUSTED_PAUSE));
                break;
            }
        }
    }
}

/// Clients share their slots; clients elsewhere cannot take those of metrics and control.
fn entrances<'a>(
    listeners: &'a [Listener],
    services: &'a Services,
    state: &ServerState,
) -> Vec<Entrance<'a>> {
    let client_slots = ConnectionSlots::for_clients(0, &state.limits);
    let mut entrances = Vec::new();
    for (index, listener) in listeners.iter().enumerate() {
        let slots = match listener.role {
            ListenerRole::Signing => Arc::clone(&client_slots),
            ListenerRole::Metrics | ListenerRole::Control => {
                ConnectionSlots::reserved(index + 1, &state.limits)
            }
        };
        entrances.push(Entrance {
            listener,
            service: services.of(listener.role),
            slots,
        });
    }
    entrances
}

/// Accepts what waits on one listener. Fails when the process cannot have another connection.
fn accept_some(entrance: &Entrance<'_>, state: &Arc<ServerState>) -> io::Result<()> {
    for _ in 0..ACCEPTS_IN_A_ROW_MAX {
        match entrance.listener.accept() {
            Ok((stream, client)) => {
                // `may` panics when the memory for a stack is refused.
                let admit = || admit(stream, client, entrance, state);
                let admitted = catch_unwind(AssertUnwindSafe(admit));
                admitted.unwrap_or_else(|_| Err(ErrorKind::OutOfMemory.into()))?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // This client has left already (accept(2)). The next one may still be waiting.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                log::warn!("cannot accept a connection: {error}; trying again");
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Takes a slot for a new connection and starts it.
fn admit(
    stream: TcpStream,
    client: ClientIdentity,
    entrance: &Entrance<'_>,
    state: &Arc<ServerState>,
) -> io::Result<()> {
    let role = entrance.listener.role;
    let counters = state.gauges.of(role);
    let (slot, admission) = entrance.slots.take(client.address);
    let has_slot = match admission {
        Admission::Free => true,
        Admission::Evict => entrance.slots.end_longest_idle(&state.sweeper, None),
        Admission::EvictFrom(network) => entrance
            .slots
            .end_longest_idle(&state.sweeper, Some(network)),
        Admission::Close => {
            counters.count_refused();
            return Ok(());
        }
    };
    if !has_slot {
        counters.count_refused();
    }
    let tls = entrance.listener.tls.clone();
    // With TLS, the answer "503" would cost a handshake.
    if !has_slot && tls.is_some() {
        return Ok(());
    }
    let mut permit = Permit::take(state, slot, role);
    let socket = Socket::new(
        stream,
        state.runtime,
        &state.sweeper,
        &state.limits,
        &permit.slot,
    )?;
    let service = Arc::clone(entrance.service);
    state.runtime.spawn(move || {
        // Dropped last, when the descriptor is closed.
        permit.set_running();
        let state = &*permit.state;
        let socket = socket.on_stack_below(ptr::from_ref(&permit).addr());
        match tls {
            None if has_slot => serve(socket, &service, state, client),
            None => refuse(socket, &service, state),
            Some(tls) => serve_tls(socket, &tls, &service, state, client),
        }
    })
}

// Not inlined: the frame of TLS is large, and would be on the stack of every plain connection.
#[inline(never)]
fn serve_tls(
    socket: Socket,
    tls: &Arc<Tls>,
    service: &Arc<dyn Service>,
    state: &ServerState,
    client: ClientIdentity,
) {
    match SecureSocket::new(socket, tls, &state.handshakes, client.address) {
        Ok(socket) => serve(socket, service, state, client),
        Err(error) => log::warn!("TLS: {error}"),
    }
}

#[inline(never)]
fn serve(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    client: ClientIdentity,
) {
    let _charge = state.memory.charge(stream.idle_bytes());
    connection::serve(stream, service, state, client);
}

#[inline(never)]
fn refuse(stream: impl Stream, service: &Arc<dyn Service>, state: &ServerState) {
    let error = HttpError::new(503, "too many connections, try again");
    connection::refuse(stream, service, state, &error);
}

/// What one connection has of the resources of all; given back when dropped.
struct Permit {
    state: Arc<ServerState>,
    slot: ConnectionSlot,
    role: ListenerRole,
    is_running: bool,
}

impl Permit {
    fn take(state: &Arc<ServerState>, slot: ConnectionSlot, role: ListenerRole) -> Self {
        state.gauges.of(role).count_opened();
        state.connections.fetch_add(1, Ordering::AcqRel);
        state.waiting_to_run.fetch_add(1, Ordering::AcqRel);
        Self {
            state: Arc::clone(state),
            slot,
            role,
            is_running: false,
        }
    }

    fn set_running(&mut self) {
        if !self.is_running {
            self.is_running = true;
            self.state.waiting_to_run.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.set_running();
        self.state.gauges.of(self.role).count_closed();
        self.state.connections.fetch_sub(1, Ordering::AcqRel);
    }
}
