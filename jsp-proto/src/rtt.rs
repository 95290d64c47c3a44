//! Round-trip time estimation (RFC 9002, section 5).

use crate::time::{Duration, nanos};

/// The granularity below which timers are not set (RFC 9002, section 6.1.2).
pub const GRANULARITY: Duration = Duration::from_millis(1);
const GRANULARITY_NANOS: u64 = GRANULARITY.as_nanos() as u64;
/// Few enough that eight times as many are a number, too: 73 years.
const MAX_NANOS: u64 = u64::MAX >> 3;

/// What is known of a path's round-trip time. In nanoseconds: they are compared and averaged for each packet, and a
/// connection keeps them for ever.
#[derive(Clone, Debug)]
pub struct Rtt {
    latest: u64,
    min: u64,
    smoothed: u64,
    variance: u64,
    sampled: bool,
}

impl Rtt {
    /// An estimator without samples that assumes `initial` (333 ms by RFC 9002, section 6.2.2).
    pub fn new(initial: Duration) -> Self {
        let initial = nanos(initial).min(MAX_NANOS);
        Self {
            latest: initial,
            min: initial,
            smoothed: initial,
            variance: initial / 2,
            sampled: false,
        }
    }

    /// Takes a sample of `latest`, measured on the largest newly acknowledged packet, of which the
    /// peer says that it waited for `ack_delay` (already capped by its `max_ack_delay` once the
    /// handshake is confirmed).
    pub fn update(&mut self, latest: Duration, ack_delay: Duration) {
        self.update_nanos(nanos(latest), nanos(ack_delay));
    }

    /// The same, of durations in nanoseconds.
    pub fn update_nanos(&mut self, latest: u64, ack_delay: u64) {
        let (latest, ack_delay) = (latest.min(MAX_NANOS), ack_delay.min(MAX_NANOS));
        self.latest = latest;
        if !self.sampled {
            self.sampled = true;
            self.min = latest;
            self.smoothed = latest;
            self.variance = latest / 2;
            return;
        }
        self.min = self.min.min(latest);
        // Only subtract the peer's delay while the result stays plausible.
        let adjusted = if latest >= self.min + ack_delay { latest - ack_delay } else { latest };
        let deviation = self.smoothed.abs_diff(adjusted);
        self.variance = (3 * self.variance + deviation) / 4;
        self.smoothed = (7 * self.smoothed + adjusted) / 8;
    }

    /// The last sample.
    pub fn latest(&self) -> Duration {
        Duration::from_nanos(self.latest)
    }

    /// The smallest sample.
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.min)
    }

    /// The exponentially weighted average.
    pub fn smoothed(&self) -> Duration {
        Duration::from_nanos(self.smoothed)
    }

    /// The mean deviation.
    pub fn variance(&self) -> Duration {
        Duration::from_nanos(self.variance)
    }

    /// Whether there has been a sample.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The probe timeout without the peer's acknowledgement delay (RFC 9002, section 6.2.1).
    pub fn pto_base(&self) -> Duration {
        Duration::from_nanos(self.smoothed + (4 * self.variance).max(GRANULARITY_NANOS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_first_sample_replaces_the_assumption() {
        let mut rtt = Rtt::new(MS(333));
        rtt.update(MS(40), MS(25));
        assert_eq!((rtt.smoothed(), rtt.variance(), rtt.min()), (MS(40), MS(20), MS(40)));
    }

    #[test]
    fn an_ack_delay_that_would_undercut_the_minimum_is_not_believed() {
        let mut rtt = Rtt::new(MS(333));
        rtt.update(MS(40), MS(0));
        rtt.update(MS(42), MS(25));
        assert_eq!(rtt.smoothed(), (7 * MS(40) + MS(42)) / 8);
        rtt.update(MS(80), MS(25));
        assert!(rtt.smoothed() < MS(46));
    }

    #[test]
    fn no_sample_overflows() {
        let mut rtt = Rtt::new(Duration::MAX);
        (0..3).for_each(|_| rtt.update(Duration::MAX, Duration::MAX));
        (0..3).for_each(|_| rtt.update(Duration::ZERO, Duration::MAX));
        assert!(rtt.pto_base() > rtt.smoothed());
    }
}
