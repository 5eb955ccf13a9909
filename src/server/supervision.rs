//! The main thread while the server runs: it waits for signals, and tells the service manager how the
//! service is (sd_notify(3)).
//!
//! READY is sent when the keys are loaded for the first time, and again after each reload. Until then the
//! manager is asked for more time. WATCHDOG is sent only while connections run and signatures are made.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::ServerState;
use super::system::{self, Signal};
use super::{notify, runtime::Runtime};

/// What the main thread must know of the service.
pub trait Supervised {
    /// Reads keys, certificates and tokens again. Does not wait for the keys.
    fn reload(&self);
    /// Whether keys are being loaded; before the first load as well.
    fn is_loading(&self) -> bool;
    /// A line for the operator.
    fn status(&self) -> String;
    /// Whether signatures that were asked for have been made since the last call.
    fn signers_are_alive(&self) -> bool;
}

/// A service without keys.
pub struct Unsupervised;

impl Supervised for Unsupervised {
    fn reload(&self) {}

    fn is_loading(&self) -> bool {
        false
    }

    fn status(&self) -> String {
        String::new()
    }

    fn signers_are_alive(&self) -> bool {
        true
    }
}

/// How often the status is compared with what the service manager knows.
const STATUS_INTERVAL: Duration = Duration::from_secs(2);

/// The same while keys are loaded: READY is late by at most this much.
const LOADING_INTERVAL: Duration = Duration::from_millis(100);

/// How much time is asked for while keys are loaded, and how often: once in so many looks.
const MORE_TIME: Duration = Duration::from_secs(30);
const LOOKS_BEFORE_MORE_TIME: u32 = 50;

/// What the service manager knows.
struct Supervision<'s, S> {
    service: &'s S,
    has_manager: bool,
    watchdog: Option<Duration>,
    is_ready: bool,
    status: String,
    /// Looks at a service that is not ready.
    looks: u32,
}

/// Serves signals until one of them ends the service.
pub(super) fn wait_for_stop(service: &impl Supervised, state: &Arc<ServerState>) {
    let mut supervision = Supervision {
        service,
        has_manager: notify::has_manager(),
        watchdog: notify::watchdog_interval(),
        is_ready: false,
        status: String::new(),
        looks: 0,
    };
    loop {
        supervision.tell();
        match system::wait_for_signal(supervision.pause()) {
            None => supervision.feed_watchdog(state),
            Some(Signal::Reload) => supervision.reload(),
            Some(Signal::Stop) => break,
        }
    }
    notify::send("STOPPING=1");
}

impl<S: Supervised> Supervision<'_, S> {
    /// Reports what has changed.
    fn tell(&mut self) {
        if !self.has_manager {
            return;
        }
        // Asked first: the status before READY is that of the loaded keys.
        let is_loading = self.service.is_loading();
        let status = self.service.status();
        if status != self.status {
            notify::send(&format!("STATUS={status}"));
            self.status = status;
        }
        if self.is_ready {
            return;
        }
        if !is_loading {
            notify::send("READY=1");
            self.is_ready = true;
            return;
        }
        if self.looks.is_multiple_of(LOOKS_BEFORE_MORE_TIME) {
            let us = MORE_TIME.as_micros();
            notify::send(&format!("EXTEND_TIMEOUT_USEC={us}"));
        }
        self.looks += 1;
    }

    /// How long to wait for a signal.
    fn pause(&self) -> Duration {
        if !self.has_manager {
            return Duration::from_secs(3600);
        }
        let interval = if self.is_ready {
            STATUS_INTERVAL
        } else {
            LOADING_INTERVAL
        };
        interval.min(self.watchdog.unwrap_or(interval))
    }

    fn reload(&mut self) {
        let now_us = system::monotonic_us();
        notify::send(&format!("RELOADING=1\nMONOTONIC_USEC={now_us}"));
        self.is_ready = false;
        self.looks = 0;
        self.service.reload();
    }

    /// Feeds the watchdog if coroutines run, which the last one that was started for this has shown, and
    /// if signatures are made. Then starts the next one.
    fn feed_watchdog(&self, state: &Arc<ServerState>) {
        if self.watchdog.is_none() || !state.is_alive.load(Ordering::Acquire) {
            return;
        }
        if !self.service.signers_are_alive() {
            return;
        }
        state.is_alive.store(false, Ordering::Release);
        notify::send("WATCHDOG=1");
        let probed = Arc::clone(state);
        let runtime: Runtime = state.runtime;
        runtime
            .spawn(move || probed.is_alive.store(true, Ordering::Release))
            .ok();
    }
}
