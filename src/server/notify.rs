//! The protocols of systemd: readiness, the watchdog, and sockets that it has opened for us (sd_notify(3),
//! sd_listen_fds(3)). Without systemd all of this does nothing.

use std::env;
use std::os::fd::RawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// First of the descriptors that are passed on.
const LISTEN_FDS_START: RawFd = 3;

/// Returns the listening sockets that were opened for this process, with their names
/// (`FileDescriptorName=`).
pub(crate) fn inherited_listeners() -> Vec<(RawFd, String)> {
    let number = |name| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
    };
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Vec::new();
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let count = number("LISTEN_FDS")
        .and_then(|count| RawFd::try_from(count).ok())
        .unwrap_or(0);
    let mut listeners = Vec::new();
    for index in 0..count {
        listeners.push((LISTEN_FDS_START + index, names.next().unwrap_or_default()));
    }
    listeners
}

/// Sends a state to the service manager, such as `READY=1`.
pub(super) fn send(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        log::warn!("cannot send {state:?} to the service manager: {error}");
    }
}

/// Returns how often to send `WATCHDOG=1`: twice in the time that the watchdog waits.
pub(super) fn watchdog_interval() -> Option<Duration> {
    let time_us = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(time_us) / 2)
}
