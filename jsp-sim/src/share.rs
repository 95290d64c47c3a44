//! Probabilities as whole numbers: what is drawn does not depend on how a machine rounds.

use jsp_proto::rng::Rng;

/// How often something happens, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    const MILLION: u32 = 1_000_000;

    /// It never happens.
    pub const NEVER: Self = Self(0);
    /// It happens each time.
    pub const ALWAYS: Self = Self(Self::MILLION);

    /// `n` times in a million; more than a million is [`Share::ALWAYS`].
    pub const fn ppm(n: u32) -> Self {
        if n > Self::MILLION { Self::ALWAYS } else { Self(n) }
    }

    /// Parts per million.
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// Draws whether it happens this time.
    pub fn hits(self, rng: &mut Rng) -> bool {
        self != Self::NEVER && rng.below(u64::from(Self::MILLION)) < u64::from(self.0)
    }
}

impl From<f64> for Share {
    /// From a fraction of one, to the nearest millionth; what is not in `0..=1` goes to the nearer
    /// end, and what is not a number never happens.
    fn from(fraction: f64) -> Self {
        Self((fraction.clamp(0.0, 1.0) * f64::from(Self::MILLION)).round() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::rng::Seed;

    #[test]
    fn a_fraction_becomes_parts_per_million() {
        assert_eq!(Share::from(0.05), Share::ppm(50_000));
        assert_eq!(Share::from(0.000_000_6), Share::ppm(1));
        assert_eq!(Share::from(7.0), Share::ALWAYS);
        assert_eq!(Share::from(-1.0), Share::NEVER);
        assert_eq!(Share::from(f64::NAN), Share::NEVER);
    }

    #[test]
    fn never_never_hits_and_always_always_does() {
        let mut rng = Rng::new(&Seed::from_u64(1), "share");
        assert!((0..10_000).all(|_| !Share::NEVER.hits(&mut rng)));
        assert!((0..10_000).all(|_| Share::ALWAYS.hits(&mut rng)));
    }

    #[test]
    fn a_tenth_hits_a_tenth_of_the_time() {
        let mut rng = Rng::new(&Seed::from_u64(1), "share");
        let hits = (0..100_000).filter(|_| Share::from(0.1).hits(&mut rng)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
    }
}
