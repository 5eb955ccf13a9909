//! What systemd and we tell each other: readiness, the watchdog, and sockets that it has opened for us
//! (sd_notify(3), sd_listen_fds(3)). Without systemd all of this does nothing.

use std::env;
use std::os::fd::RawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// First of the descriptors that are passed on.
const LISTEN_FDS_START: RawFd = 3;

/// The listening sockets that were opened for this process, with their names (`FileDescriptorName=`).
pub fn inherited_listeners() -> Vec<(RawFd, String)> {
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
    (0..count)
        .map(|index| (LISTEN_FDS_START + index, names.next().unwrap_or_default()))
        .collect()
}

/// Tells the service manager, such as `READY=1`.
pub(super) fn tell(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let told = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        log::warn!("the service manager cannot be told {state:?}: {error}");
    }
}

/// How often the watchdog wants a sign of life: twice in its time.
pub(super) fn watchdog_interval() -> Option<Duration> {
    let time_us = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(time_us) / 2)
}
