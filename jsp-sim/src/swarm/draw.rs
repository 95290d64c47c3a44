//! Random choices that read well.

use crate::share::Share;
use crate::units::{Size, Span};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, nanos};

/// A random stream with a name.
#[derive(Debug)]
pub(super) struct Draw {
    rng: Rng,
}

impl Draw {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self { rng: Rng::new(&Seed::from_u64(seed), name) }
    }

    /// `true` once in `n` times.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    /// A number from `low` to `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.rng.below(high - low + 1)
    }

    /// A number from `low` (at least 1) to `high`, each order of magnitude as likely as another, with two
    /// digits that are not zero at most.
    pub(super) fn scale(&mut self, low: u64, high: u64) -> u64 {
        let doublings = u64::from((high / low).max(1).ilog2());
        let floor = low << self.between(0, doublings);
        let n = floor + self.rng.below(floor);
        let digit = 10_u64.pow(n.ilog10().saturating_sub(1));
        (n / digit * digit).clamp(low, high)
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.rng.below(of.len() as u64) as usize]
    }

    /// A time between two, by [`Draw::scale`].
    pub(super) fn span(&mut self, low: Duration, high: Duration) -> Span {
        Span::from_nanos(self.scale(nanos(low), nanos(high)))
    }

    /// A size between two, by [`Draw::scale`].
    pub(super) fn size(&mut self, low: u64, high: u64) -> Size {
        Size::new(self.scale(low, high))
    }

    /// A share between two in parts per thousand.
    pub(super) fn share(&mut self, low: u64, high: u64) -> Share {
        Share::ppm(self.scale(low, high) as u32 * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_stay_within_their_bounds_and_reach_every_magnitude() {
        let mut draw = Draw::new(1, "test");
        let drawn: Vec<_> = (0..1000).map(|_| draw.scale(3, 70_000)).collect();
        assert!(drawn.iter().all(|n| (3..=70_000).contains(n)));
        for magnitude in [10, 100, 1000, 10_000] {
            let there = drawn.iter().filter(|n| (magnitude..10 * magnitude).contains(*n)).count();
            assert!(there > 100, "{magnitude}: {there}");
        }
    }
}
