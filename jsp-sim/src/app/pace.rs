//! How eagerly an application reads.

use jsp_proto::time::{Duration, Time};

/// A way of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// All that there is, at once.
    #[default]
    Free,
    /// So many bits a second on average, all streams together.
    Rate(u64),
    /// All that there is, each time that so much has passed.
    Bursts(Duration),
}

/// A reader with a pace, who may pause.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    pace: Pace,
    /// When reading goes on.
    next: Time,
    /// The instant at which a burst is being read.
    burst: Option<Time>,
}

impl Rhythm {
    /// Reads at another pace from `now` on. A pause is over.
    pub(super) fn set(&mut self, now: Time, pace: Pace) {
        *self = Self { pace, next: now, burst: None };
    }

    /// Reads nothing for `duration` from `now` on.
    pub(super) fn pause(&mut self, now: Time, duration: Duration) {
        self.next = self.next.max(now + duration);
        self.burst = None;
    }

    /// How many bytes may be read now.
    pub(super) fn allowance(&mut self, now: Time) -> u64 {
        if self.burst == Some(now) {
            return u64::MAX;
        }
        if now < self.next {
            return 0;
        }
        match self.pace {
            Pace::Free => u64::MAX,
            // What comes in 10 ms; at least a byte, for slow is not never.
            Pace::Rate(bits) => (bits / 800).max(1),
            Pace::Bursts(interval) => {
                self.burst = Some(now);
                self.next = now + interval;
                u64::MAX
            }
        }
    }

    /// Notes that `n` bytes were read.
    pub(super) fn spend(&mut self, now: Time, n: u64) {
        if let Pace::Rate(bits) = self.pace
            && n > 0
        {
            let rest = u128::from(n) * 8 * 1_000_000_000 / u128::from(bits.max(1));
            let rest = u64::try_from(rest).unwrap_or(u64::MAX).max(1);
            self.next = self.next.max(now) + Duration::from_nanos(rest);
        }
    }

    /// When reading goes on, where it was held back.
    pub(super) const fn next(&self) -> Time {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ms;

    fn at(millis: u64) -> Time {
        Time::ZERO + ms(millis)
    }

    #[test]
    fn a_rate_is_kept_on_average() {
        for bits in [80, 8_000, 8_000_000] {
            let mut rhythm = Rhythm::default();
            rhythm.set(at(0), Pace::Rate(bits));
            let (mut now, mut total) = (at(0), 0);
            while now < at(1000) {
                let n = rhythm.allowance(now);
                rhythm.spend(now, n);
                total += n;
                now = rhythm.next();
            }
            assert_eq!(total, bits / 8);
        }
    }

    #[test]
    fn bursts_are_read_whole_and_at_intervals() {
        let mut rhythm = Rhythm::default();
        rhythm.set(at(0), Pace::Bursts(ms(100)));
        assert_eq!(rhythm.allowance(at(0)), u64::MAX);
        assert_eq!(rhythm.allowance(at(0)), u64::MAX);
        assert_eq!(rhythm.allowance(at(99)), 0);
        assert_eq!(rhythm.next(), at(100));
        assert_eq!(rhythm.allowance(at(130)), u64::MAX);
        assert_eq!(rhythm.next(), at(230));
    }

    #[test]
    fn a_pause_ends() {
        let mut rhythm = Rhythm::default();
        rhythm.pause(at(5), ms(10));
        assert_eq!((rhythm.allowance(at(14)), rhythm.next()), (0, at(15)));
        assert_eq!(rhythm.allowance(at(15)), u64::MAX);
    }
}
