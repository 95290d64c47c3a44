//! How long a datagram travels.

use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time, nanos};

/// Delay, jitter and who is overtaken.
#[derive(Debug)]
pub(super) struct Delay {
    jitter: Rng,
    reorder: Rng,
    /// No datagram arrives before the one before it.
    last: Time,
}

impl Delay {
    pub(super) fn new(seed: &Seed) -> Self {
        Self {
            jitter: Rng::new(seed, "jitter"),
            reorder: Rng::new(seed, "reorder"),
            last: Time::ZERO,
        }
    }

    /// When a datagram arrives that left the queue at `left`.
    pub(super) fn pass(&mut self, left: Time, delay: Duration, jitter: Duration) -> Time {
        let mut arrives = left + delay;
        if !jitter.is_zero() {
            arrives += Duration::from_nanos(self.jitter.below(nanos(jitter).saturating_add(1)));
            arrives = arrives.max(self.last);
            self.last = arrives;
        }
        arrives
    }

    /// Whether this datagram is held back.
    pub(super) fn holds_back(&mut self, share: Share) -> bool {
        share.hits(&mut self.reorder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn jitter_stays_in_its_bounds_and_reaches_both() {
        let mut delay = Delay::new(&Seed::from_u64(1));
        let times: Vec<_> = (0..1000u32)
            .map(|i| {
                // Far enough apart that order does not bound them.
                let left = Time::ZERO + i * 10 * MS;
                delay.pass(left, 5 * MS, 4 * MS) - left
            })
            .collect();
        assert!(times.iter().all(|t| (5 * MS..=9 * MS).contains(t)));
        assert!(times.iter().any(|t| *t * 10 < 51 * MS));
        assert!(times.iter().any(|t| *t * 10 > 89 * MS));
    }

    #[test]
    fn jitter_keeps_order() {
        let mut delay = Delay::new(&Seed::from_u64(1));
        let times: Vec<_> =
            (0..1000u32).map(|i| delay.pass(Time::ZERO + i * MS, MS, 20 * MS)).collect();
        assert!(times.is_sorted());
    }
}
