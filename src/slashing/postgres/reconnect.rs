//! When a new connection is tried after one has failed, and when an idle one is checked.

use std::time::{Duration, Instant};

/// The pause after a failed attempt to connect; it doubles up to the maximum.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A request is tried once more on a new connection when the old one breaks this soon.
const RETRY_WITHIN: Duration = Duration::from_millis(500);

/// The time of the next attempt, and the pause after it if it fails.
pub(super) struct Reconnect {
    next_attempt: Instant,
    pause: Duration,
}

impl Reconnect {
    /// Nothing has failed yet: the first attempt is due now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next_attempt: now,
            pause: PAUSE_MIN,
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_attempt <= now
    }

    pub(super) fn set_due(&mut self, now: Instant) {
        self.next_attempt = now;
    }

    /// Notes that a connection or an attempt has failed.
    pub(super) fn note_failure(&mut self, now: Instant) {
        self.next_attempt = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Notes that there is a connection.
    pub(super) fn note_success(&mut self) {
        self.pause = PAUSE_MIN;
    }
}

/// Whether a request is tried on a new connection after the one that it had has failed: the failure may be
/// older than the request when the connection was idle before.
pub(super) fn is_worth_a_retry(was_idle: bool, failed_after: Duration) -> bool {
    was_idle && failed_after <= RETRY_WITHIN
}

/// Whether an idle connection that was checked so long ago is checked again.
pub(super) fn is_check_due(checked_before: Duration, interval: Duration) -> bool {
    checked_before >= interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_two_seconds_and_a_connection_makes_it_short_again() {
        let mut now = Instant::now();
        let mut reconnect = Reconnect::new(now);
        assert!(reconnect.is_due(now), "the first attempt");
        for _ in 0..2 {
            for pause_ms in [100, 200, 400, 800, 1600, 2000, 2000] {
                reconnect.note_failure(now);
                let pause = Duration::from_millis(pause_ms);
                let too_early = now + pause - Duration::from_nanos(1);
                assert!(!reconnect.is_due(too_early), "{pause_ms} ms");
                now += pause;
                assert!(reconnect.is_due(now), "{pause_ms} ms");
            }
            reconnect.note_success();
        }
        reconnect.note_failure(now);
        reconnect.set_due(now);
        assert!(reconnect.is_due(now));
    }

    #[test]
    fn only_what_fails_at_once_on_a_connection_that_was_idle_is_tried_again() {
        for (was_idle, failed_after_ms, expected) in [
            (true, 0, true),
            (true, 500, true),
            (true, 501, false),
            (false, 0, false),
            (false, 501, false),
        ] {
            let failed_after = Duration::from_millis(failed_after_ms);
            assert_eq!(
                is_worth_a_retry(was_idle, failed_after),
                expected,
                "{was_idle} {failed_after_ms}"
            );
        }
    }

    #[test]
    fn an_idle_connection_is_checked_once_in_each_interval() {
        let interval = Duration::from_secs(1);
        for (checked_before_ms, expected) in [(0, false), (999, false), (1000, true), (5000, true)]
        {
            let checked_before = Duration::from_millis(checked_before_ms);
            assert_eq!(
                is_check_due(checked_before, interval),
                expected,
                "{checked_before_ms} ms"
            );
        }
    }
}
