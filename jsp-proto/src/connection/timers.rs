//! Time: what wakes a connection, and what happens then.

use super::{Connection, Phase};
use crate::error::CloseReason;
use crate::ids::Space;
use crate::planted::{self, Bug};
use crate::time::{Duration, Time};
use alloc::vec::Vec;

/// A connection from which nothing was heard for so long gives back what memory it does not need.
const QUIET: Duration = Duration::from_secs(1);

/// The end of time, which never comes.
const NEVER: Time = Time::from_nanos(u64::MAX);

/// The earliest of several times: [`NEVER`], if there is none.
struct Earliest(Time);

impl Earliest {
    #[inline]
    fn or(&mut self, at: Option<Time>) {
        self.0 = self.0.min(at.unwrap_or(NEVER));
    }
}

impl Connection {
    /// When [`Self::handle_timeout`] is to be called next, if nothing happens before. It lies in the
    /// future once [`Self::poll_transmit`] has nothing more to send.
    pub fn next_timeout(&self) -> Option<Time> {
        match self.phase {
            Phase::Drained => return None,
            Phase::Closing | Phase::Draining => return self.close.until(),
            Phase::Handshake | Phase::Established => {}
        }
        let pto = self.pto();
        let mut next = Earliest(NEVER);
        next.or(self.idle.expiry(pto));
        next.or(self.keep_alive_at());
        next.or(self.loss_timeout());
        next.or(self.paced_until);
        next.or(self.spaces.data.acks.timeout());
        next.or(self.tidy_at());
        next.or(self.spaces.data_keys.as_ref().and_then(|keys| keys.next_timeout(pto)));
        next.or(self.handshake_deadline());
        for level in [&self.spaces.initial, &self.spaces.handshake] {
            next.or(level.as_ref().and_then(|level| level.inbound.acks.timeout()));
        }
        (next.0 < NEVER).then_some(next.0)
    }

    /// Lets time pass to `now`: late calls are safe, early and repeated ones do nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        let now = self.clock(now);
        match self.phase {
            Phase::Drained => {}
            Phase::Closing | Phase::Draining => {
                if self.close.until().is_some_and(|until| until <= now) {
                    self.phase = Phase::Drained;
                }
            }
            Phase::Handshake | Phase::Established => self.open_timeout(now),
        }
    }

    fn open_timeout(&mut self, now: Time) {
        let pto = self.pto();
        if self.idle.expiry(pto).is_some_and(|at| at <= now) {
            return self.end(CloseReason::IdleTimeout);
        }
        if self.handshake_deadline().is_some_and(|at| at <= now) {
            return self.end(CloseReason::HandshakeTimeout);
        }
        if self.keep_alive_at().is_some_and(|at| at <= now) {
            self.owed.ping = true;
        }
        if self.paced_until.is_some_and(|at| at <= now) {
            self.paced_until = None;
        }
        self.tidy(now);
        if let Some(keys) = &mut self.spaces.data_keys {
            keys.expire(now, pto);
        }
        if self.loss_timeout().is_some_and(|at| at <= now) {
            self.on_loss_timeout(now);
        }
    }

    fn on_loss_timeout(&mut self, now: Time) {
        let context = self.timer_context();
        let ((recovery, rtt), mut fates) = self.fates();
        let report = recovery.on_timeout(now, rtt, &context, &mut fates);
        self.counts.probe_timeouts += u64::from(report.probe);
        self.path.on_timeout(now, &report);
        if report.probe
            && let Some(handshake) = self.handshake_mut()
        {
            handshake.on_probe();
        }
    }

    /// Gives back what buffers do not need, and the peer's keys, if that is due. What the application writes
    /// into a long silence makes it due at once.
    pub(super) fn tidy(&mut self, now: Time) {
        if self.tidy_at().is_some_and(|at| at <= now) {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(&mut self) {
        self.streams.release_memory();
        self.recovery.trim();
        self.sent = Vec::new();
        self.rng.rest();
        if self.confirmed {
            self.peer_keys = None;
        }
        self.untidy = planted::is(Bug::TimeoutInPast);
    }

    /// When a handshake that is not over is given up.
    fn handshake_deadline(&self) -> Option<Time> {
        if self.phase != Phase::Handshake {
            return None;
        }
        self.opening.as_ref().map(|opening| opening.deadline)
    }

    /// When a sign of life is due. One that is owed already goes as soon as the window lets it: what fills
    /// the window has a timer of its own.
    fn keep_alive_at(&self) -> Option<Time> {
        let wanted = self.phase == Phase::Established && !self.owed.ping;
        self.idle.ping_at().filter(|_| wanted)
    }

    /// When the buffers of streams that have fallen silent are given back.
    fn tidy_at(&self) -> Option<Time> {
        self.untidy.then(|| self.idle.since() + QUIET)
    }

    /// When loss detection or a probe is due. A server that may not send sets no timer.
    fn loss_timeout(&self) -> Option<Time> {
        self.recovery.timeout(self.path.rtt(), &self.timer_context())
    }

    /// Whether a sample of the round-trip time, or what a datagram lets out, may shorten a timer so far that it is
    /// over. It does not where nothing is under way whose acknowledgement, or whose keys, are waited for.
    pub(super) fn hangs_on_pto(&self) -> bool {
        !self.confirmed
            || self.recovery.ack_eliciting_in_flight(Space::Data)
            || self.spaces.data_keys.as_ref().is_some_and(|keys| keys.holds_spares())
    }

    /// The probe timeout of application data.
    pub(super) fn pto(&self) -> Duration {
        self.recovery.pto(self.path.rtt(), self.peer_ack_delay())
    }
}
