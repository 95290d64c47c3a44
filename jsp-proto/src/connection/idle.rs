//! Silence: when it ends a connection, and when it is broken.

use crate::planted::{self, Bug};
use crate::time::{Duration, Time};

/// Ends a silent connection, and keeps one alive where that was asked for (RFC 9000, section 10.1).
#[derive(Debug)]
pub(super) struct Idle {
    /// The agreed timeout, never below three probe timeouts.
    timeout: Option<Duration>,
    keep_alive: Option<Duration>,
    /// When something was last received, or first sent after that.
    since: Time,
    /// When something was last received.
    received: Time,
    /// Whether an ack-eliciting packet was sent since the last one was received.
    sent: bool,
}

impl Idle {
    pub(super) fn new(now: Time, timeout: Option<Duration>, keep_alive: Option<Duration>) -> Self {
        Self { timeout, keep_alive, since: now, received: now, sent: false }
    }

    /// Takes the smaller of both ends' timeouts; 0 from the peer is none.
    pub(super) fn negotiate(&mut self, peer: Duration) {
        if !peer.is_zero() {
            self.timeout = Some(self.timeout.map_or(peer, |ours| ours.min(peer)));
        }
    }

    pub(super) fn on_received(&mut self, now: Time) {
        self.since = now;
        self.received = now;
        self.sent = false;
    }

    pub(super) fn on_sent(&mut self, now: Time) {
        if !core::mem::replace(&mut self.sent, true) && !planted::is(Bug::IdleInFlight) {
            self.since = now;
        }
    }

    /// When something was last received, or first sent after that.
    pub(super) const fn since(&self) -> Time {
        self.since
    }

    /// When something was last received; the beginning, if nothing was.
    pub(super) const fn received(&self) -> Time {
        self.received
    }

    /// The timeout that both ends agreed on.
    pub(super) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// When the connection counts as dead.
    pub(super) fn expiry(&self, pto: Duration) -> Option<Time> {
        self.timeout.map(|timeout| self.since + timeout.max(3 * pto))
    }

    /// When a PING is due; none while one is unanswered.
    pub(super) fn ping_at(&self) -> Option<Time> {
        self.keep_alive.filter(|_| !self.sent).map(|interval| self.since + interval)
    }
}
