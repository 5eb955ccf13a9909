//! The accept thread: new connections from all listeners, a bounded number of them.

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
use crate::http::Refused;

use super::connection::Stream;
use super::control::ControlSocket;
use super::socket::Socket;
use super::system::{self, POLLIN};
use super::tls::Tls;
use super::{House, connection};

/// A bound socket and who answers there.
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) service: Arc<dyn Service>,
}

/// A bound socket.
pub(super) enum Listener {
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
const BREATH: Duration = Duration::from_micros(100);

/// How long to wait when the process has no descriptors or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Connections that are told "503" at the same time, beyond the limit; those beyond these are closed
/// without a word.
const TURNED_AWAY_MAX: usize = 256;

/// Accepts until the other end of `stop` is closed; then the listeners are closed.
pub(super) fn run(doors: &[Door], stop: &PipeReader, house: &Arc<House>) {
    loop {
        let mut sources = vec![system::pollfd(stop.as_fd(), POLLIN)];
        sources.extend(
            doors
                .iter()
                .map(|door| system::pollfd(door.listener.as_fd(), POLLIN)),
        );
        match house.unbegun.load(Ordering::Acquire) < UNBEGUN_MAX {
            true => system::poll(&mut sources, None),
            false => system::poll(&mut sources[..1], Some(BREATH)),
        }
        if sources[0].revents != 0 {
            return;
        }
        for (door, source) in doors.iter().zip(&sources[1..]) {
            if source.revents != 0 && accept_some(door, house).is_err() {
                system::poll(&mut sources[..1], Some(EXHAUSTED_PAUSE));
                break;
            }
        }
    }
}

/// Fails when there is no room for another connection in this process.
fn accept_some(door: &Door, house: &Arc<House>) -> io::Result<()> {
    for _ in 0..ACCEPTS_IN_A_ROW_MAX {
        match door.listener.accept() {
            Ok((stream, peer)) => {
                // `may` panics when the memory for a stack is refused.
                let admitted = catch_unwind(AssertUnwindSafe(|| admit(stream, peer, door, house)));
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
    door: &Door,
    house: &Arc<House>,
) -> io::Result<()> {
    let mut seat = Seat::take(house);
    let number = seat.number;
    if number > house.limits.connections_max + TURNED_AWAY_MAX {
        return Ok(());
    }
    let socket = Socket::new(stream, house.runtime, &house.sweeper, &house.limits)?;
    let (service, tls) = (Arc::clone(&door.service), door.tls.clone());
    house.runtime.spawn(move || {
        seat.begin(); // and given back last, when the descriptor is closed
        let house = &*seat.house;
        let socket = socket.on_stack_below(ptr::from_ref(&seat).addr());
        match tls {
            None => meet(socket, &service, house, peer, number),
            Some(tls) => match tls.wrap(socket) {
                Ok(secured) => meet(secured, &service, house, peer, number),
                Err(error) => log::warn!("TLS: {error}"),
            },
        }
    })
}

#[inline(never)] // the frame of TLS is large, and would be on the stack of every plain connection
fn meet(
    stream: impl Stream,
    service: &Arc<dyn Service>,
    house: &House,
    peer: Option<IpAddr>,
    number: usize,
) {
    if number > house.limits.connections_max {
        let refused = Refused::new(503, "too many connections, try again");
        connection::turn_away(stream, service, house, &refused);
    } else {
        connection::serve(stream, service, house, peer);
    }
}

/// One connection's place in the count.
struct Seat {
    house: Arc<House>,
    /// How many connections there are, with this one.
    number: usize,
    has_begun: bool,
}

impl Seat {
    fn take(house: &Arc<House>) -> Self {
        let number = house.connections.fetch_add(1, Ordering::AcqRel) + 1;
        house.unbegun.fetch_add(1, Ordering::AcqRel);
        Self {
            house: Arc::clone(house),
            number,
            has_begun: false,
        }
    }

    fn begin(&mut self) {
        if !mem::replace(&mut self.has_begun, true) {
            self.house.unbegun.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.begin();
        self.house.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Listener {
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

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
            Self::Control(socket) => socket.as_fd(),
        }
    }
}
