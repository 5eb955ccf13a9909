//! The accept thread: new connections from all listeners, as many as there are places for.

use std::io::{self, ErrorKind, PipeReader};
use std::mem;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::api::Service;
use crate::http::HttpError;

use super::control::ControlSocket;
use super::places::{Place, Places, Room};
use super::socket::Socket;
use super::stream::Stream;
use super::system::{self, POLLIN};
use super::tls::Tls;
use super::{ServerState, connection};

/// A bound socket and who answers there.
pub(super) struct Listener {
    pub(super) socket: ListeningSocket,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) service: Arc<dyn Service>,
}

/// A bound socket.
pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
    Control(ControlSocket),
}

/// Connections taken from one listener before the others get their turn.
const ACCEPTS_IN_A_ROW_MAX: usize = 64;

/// Connections that are accepted and have not had their first turn; the next ones wait in the backlog
/// meanwhile, or else a flood of them would stand between the worker and the requests.
const UNBEGUN_MAX: usize = ACCEPTS_IN_A_ROW_MAX;

/// How long to wait when there are so many.
const UNBEGUN_PAUSE: Duration = Duration::from_micros(100);

/// How long to wait when the process has no descriptors or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the other end of `stop` is closed; then the listeners are closed.
pub(super) fn run(listeners: &[Listener], stop: &PipeReader, state: &Arc<ServerState>) {
    let shared = Places::new(&state.limits);
    let mut entries = Vec::new();
    for listener in listeners {
        let places = if listener.service.has_reserved_places() {
            Places::reserved(&state.limits)
        } else {
            Arc::clone(&shared)
        };
        entries.push((listener, places));
    }
    loop {
        let mut sources = vec![system::pollfd(stop.as_fd(), POLLIN)];
        for listener in listeners {
            sources.push(system::pollfd(listener.socket.as_fd(), POLLIN));
        }
        if state.unbegun.load(Ordering::Acquire) < UNBEGUN_MAX {
            system::poll(&mut sources, None);
        } else {
            system::poll(&mut sources[..1], Some(UNBEGUN_PAUSE));
        }
        if sources[0].revents != 0 {
            return;
        }
        for ((listener, places), source) in entries.iter().zip(&sources[1..]) {
            if source.revents != 0 && accept_some(listener, places, state).is_err() {
                system::poll(&mut sources[..1], Some(EXHAUSTED_PAUSE));
                break;
            }
        }
    }
}

/// Fails when there is no room for another connection in this process.
fn accept_some(
    listener: &Listener,
    places: &Arc<Places>,
    state: &Arc<ServerState>,
) -> io::Result<()> {
    for _ in 0..ACCEPTS_IN_A_ROW_MAX {
        match listener.socket.accept() {
            Ok((stream, peer)) => {
                // `may` panics when the memory for a stack is refused.
                let admit = || admit(stream, peer, listener, places, state);
                let admitted = catch_unwind(AssertUnwindSafe(admit));
                admitted.unwrap_or_else(|_| Err(ErrorKind::OutOfMemory.into()))?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The client left before we came (accept(2)): the next one may still be there.
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

fn admit(
    stream: TcpStream,
    peer: Option<IpAddr>,
    listener: &Listener,
    places: &Arc<Places>,
    state: &Arc<ServerState>,
) -> io::Result<()> {
    let (place, room) = places.take(peer);
    let has_place = match room {
        Room::Free => true,
        Room::Full => places.end_longest_idle(&state.sweeper, None),
        Room::FullFrom(source) => places.end_longest_idle(&state.sweeper, Some(source)),
        Room::None => return Ok(()),
    };
    // With TLS, the answer "503" would cost a handshake.
    if !has_place && listener.tls.is_some() {
        return Ok(());
    }
    let mut permit = Permit::take(state, place);
    let socket = Socket::new(
        stream,
        state.runtime,
        &state.sweeper,
        &state.limits,
        &permit.place,
    )?;
    let service = Arc::clone(&listener.service);
    let tls = listener.tls.clone();
    state.runtime.spawn(move || {
        permit.begin(); // and given back last, when the descriptor is closed
        let state = &*permit.state;
        let socket = socket.on_stack_below(ptr::from_ref(&permit).addr());
        match tls {
            None if has_place => serve(socket, &service, state, peer),
            None => turn_away(socket, &service, state),
            Some(tls) => match tls.wrap(socket, &state.handshakes) {
                Ok(secured) => serve(secured, &service, state, peer),
                Err(error) => log::warn!("TLS: {error}"),
            },
        }
    })
}

#[inline(never)] // the frame of TLS is large, and would be on the stack of every plain connection
fn serve(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    state: &ServerState,
    peer: Option<IpAddr>,
) {
    let _note = state.memory.note(stream.idle_bytes());
    connection::serve(stream, service, state, peer);
}

#[inline(never)]
fn turn_away(stream: impl Stream, service: &Arc<dyn Service>, state: &ServerState) {
    let refused = HttpError::new(503, "too many connections, try again");
    connection::turn_away(stream, service, state, &refused);
}

/// What one connection takes of what there is for all; given back when dropped.
struct Permit {
    state: Arc<ServerState>,
    place: Place,
    has_begun: bool,
}

impl Permit {
    fn take(state: &Arc<ServerState>, place: Place) -> Self {
        state.connections.fetch_add(1, Ordering::AcqRel);
        state.unbegun.fetch_add(1, Ordering::AcqRel);
        Self {
            state: Arc::clone(state),
            place,
            has_begun: false,
        }
    }

    fn begin(&mut self) {
        if !mem::replace(&mut self.has_begun, true) {
            self.state.unbegun.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.begin();
        self.state.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ListeningSocket {
    fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // An answer is written at once and whole: waiting for more to send only delays it.
                stream.set_nodelay(true)?;
                Ok((stream, Some(peer.ip())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                let user = system::peer_uid(stream.as_fd()).map_or(-1, i64::from);
                log::debug!("a connection of user {user} on the Unix socket");
                Ok((TcpStream::from(OwnedFd::from(stream)), None))
            }
            Self::Control(socket) => {
                let stream = socket.accept()?;
                Ok((TcpStream::from(OwnedFd::from(stream)), None))
            }
        }
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
            Self::Control(socket) => socket.as_fd(),
        }
    }
}
