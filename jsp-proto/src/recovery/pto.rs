//! Probe timeouts (RFC 9002, section 6.2), with three stated departures.
//!
//! *After a silence probes are not spaced out at once.* RFC 9002 doubles the timeout with each probe;
//! under heavy loss a few unlucky probes then cost seconds. Here the interval after the first probe
//! is at most max(smoothed RTT, [`PROBE_FLOOR`]) for the first [`SILENCE`]; only then it doubles from
//! there. A probe is at most two packets, so this is at most two packets a round trip.
//!
//! *The handshake probes early.* A handshake is nine datagrams or more; under 30 % loss nearly every
//! one needs some again, and the peer cannot acknowledge what it did not receive whole. So its first
//! two probes are quick: after half of [`INITIAL_RTT`] each as long as there is no sample, and after
//! 5/4 of a round trip, but not less than [`QUICK_FLOOR`], from then on. (In a model of the exchange
//! with 30 % loss in both directions this gives a median of three round trips at 50 ms, where
//! 333 ms and doubling give over 20.) The price, on a path whose round trip is longer than
//! that, is a first flight that is sent twice or three times.
//!
//! *Only a few packets wait for the peer's acknowledgement delay.* Two packets are acknowledged at
//! once, or as many as the peer was asked to acknowledge together, so where as many are outstanding the timeout
//! leaves the delay out, as RFC 8985, section 7.2, does. With a window of two packets and an acknowledgement lost, little else happens than
//! waiting for this timeout: over a round trip of 4 ms and 20 % loss that doubles the throughput.

use super::ack::AckPolicy;
use crate::rtt::Rtt;
use crate::time::{Duration, Time};

/// The round-trip time assumed before the first sample. RFC 9002, section 6.2.2, recommends 333 ms.
pub const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The handshake's quick probes are no closer together than this, once there is a sample.
pub const QUICK_FLOOR: Duration = Duration::from_millis(25);

/// How many probes of the handshake are quick.
const QUICK: u32 = 2;

/// Probes after a silence are no further apart than this, or a round trip if that is longer.
pub const PROBE_FLOOR: Duration = Duration::from_millis(100);

/// For how long probes stay that dense.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Probes are never further apart than this.
const MAX_INTERVAL: Duration = Duration::from_mins(1);

/// How far the handshake is, as far as probing cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There are Initial keys only.
    Initial,
    /// There are Handshake keys.
    Handshake,
    /// The handshake is confirmed. Before, the Data space is not probed (RFC 9002, section 6.2.1).
    Confirmed,
}

/// What the probe timeout depends on beside what was sent.
#[derive(Clone, Copy, Debug)]
pub struct TimerContext {
    /// How long the peer promised to hold back acknowledgements of the Data space at most.
    pub max_ack_delay: Duration,
    /// The most patient policy by which the peer may acknowledge packets of the Data space now.
    pub acks: AckPolicy,
    /// How far the handshake is.
    pub stage: Stage,
    /// Whether the peer certainly knows this end's address to be valid: always true on a server; on
    /// a client once a Handshake packet was acknowledged or the handshake was confirmed (RFC 9002,
    /// section 6.2.2.1).
    pub peer_validated_address: bool,
    /// Whether a datagram may be sent now; false on a server at its amplification limit, which sets
    /// no timer until more arrives.
    pub can_send: bool,
}

/// How often, and since when, nothing was heard.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Probe timeouts since the last acknowledgement.
    count: u32,
    /// When the first of them expired.
    since: Option<Time>,
    /// How many of them expired after the time of dense probes.
    late: u32,
}

impl Backoff {
    /// Probe timeouts since the last acknowledgement.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The time from the last ack-eliciting packet to the next probe.
    pub(super) fn interval(&self, rtt: &Rtt, max_ack_delay: Duration, stage: Stage) -> Duration {
        let timeout = rtt.pto_base() + max_ack_delay;
        if self.count == 0 && stage == Stage::Confirmed {
            return timeout;
        }
        self.spaced(timeout, rtt, stage)
    }

    /// The interval where `timeout` is not simply it.
    #[cold]
    fn spaced(&self, timeout: Duration, rtt: &Rtt, stage: Stage) -> Duration {
        match (stage, rtt.is_sampled()) {
            (Stage::Initial | Stage::Handshake, true) if self.count < QUICK => {
                return timeout.min((rtt.smoothed() * 5 / 4).max(QUICK_FLOOR));
            }
            (Stage::Initial | Stage::Handshake, false) if self.count < QUICK => {
                return rtt.smoothed() / 2;
            }
            _ => {}
        }
        let cap = rtt.smoothed().max(PROBE_FLOOR);
        let spaced = cap.saturating_mul(1 << self.late.min(16)).min(MAX_INTERVAL);
        // The first doublings stay below the cap where round trips are short.
        timeout.saturating_mul(1 << self.count.min(16)).min(spaced)
    }

    /// A probe timeout expired.
    pub(super) fn on_expired(&mut self, now: Time) {
        self.count = self.count.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        if now - since >= SILENCE {
            self.late = self.late.saturating_add(1);
        }
    }

    /// The peer was heard.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}
