//! Delivery-rate samples (draft-ietf-ccwg-bbr, section 4.1): how fast the path really delivers.
//!
//! Each packet takes with it how much had been delivered when it was sent; when it is acknowledged,
//! the difference over the time that passed is the rate of its flight. The longer of the sending and
//! the acknowledging interval counts, so that neither a burst sent nor a burst of ACKs inflates it.

use super::sent::Snapshot;
use crate::time::{Duration, Time, nanos, per_second};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct DeliveryRate {
    /// Bytes delivered so far.
    delivered: u64,
    /// When the last of them was.
    delivered_at: Time,
    /// When the packet was sent whose acknowledgement came last: the start of the flight.
    first_sent: Time,
    /// The application limits what is sent until this much was delivered; 0 if it does not.
    app_limited_until: u64,
}

/// The rate of one acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateSample {
    /// Bytes per second, unless the interval was too short to tell.
    pub(super) rate: Option<u64>,
    /// Whether the application limited the flight: then the path may be faster.
    pub(super) app_limited: bool,
}

impl DeliveryRate {
    /// What a packet sent at `now` takes with it; `idle` if nothing is in flight before it.
    pub(super) fn snapshot(&mut self, now: Time, idle: bool) -> Snapshot {
        if idle {
            self.first_sent = now;
            self.delivered_at = now;
        }
        Snapshot::new(
            self.delivered,
            now.nanos_since(self.delivered_at),
            now.nanos_since(self.first_sent),
            self.app_limited_until != 0,
        )
    }

    /// The application has nothing more to send although it could: flights are not the path's
    /// fastest until what is in flight now was delivered.
    pub(super) fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = (self.delivered + in_flight).max(1);
    }

    /// `bytes` arrived, as an acknowledgement at `now` tells.
    pub(super) fn on_delivered(&mut self, now: Time, bytes: u64) {
        self.delivered += bytes;
        self.delivered_at = now;
        if self.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
    }

    /// The sample of an acknowledgement at `now`, after all its packets were delivered; `sent` is
    /// when the last of them was sent, and `since` what it took with it.
    pub(super) fn sample(
        &mut self,
        now: Time,
        sent: Time,
        since: &Snapshot,
        min_rtt: Duration,
    ) -> RateSample {
        let sending = since.since_first_sent();
        let acknowledging = nanos(now - sent) + since.since_delivered();
        self.first_sent = sent;
        let interval = sending.max(acknowledging);
        let delivered = self.delivered.saturating_sub(since.delivered());
        // A faster round trip than any other says that the clock, not the path, was coarse.
        let valid = interval >= nanos(min_rtt);
        let rate = if valid { per_second(delivered, interval) } else { None };
        RateSample { rate, app_limited: since.app_limited() }
    }
}
