//! How jitter is distributed. Everything is integer arithmetic: what is drawn is the same on every
//! machine, whatever its libraries make of logarithms.

use jsp_proto::rng::Rng;
use jsp_proto::time::{Duration, nanos};
use serde::{Deserialize, Serialize};

/// The distribution of jitter, scaled by a time `j`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Adds 0 to `j`, all equally likely.
    #[default]
    Uniform,
    /// Adds or takes off, with standard deviation `j`: the sum of twelve uniform numbers, which ends
    /// at six deviations. Nothing leaves before it came.
    Normal,
    /// Adds `j` in the mean, as waiting for random traffic does.
    Exponential,
    /// Adds `j` in the mean, with a long tail (Lomax, shape 3): half of them below 0.52 `j`, one in a
    /// hundred above 7.3 `j`, one in a thousand above 18 `j`, none above 1000 `j`.
    Pareto,
}

/// Uniform numbers whose sum stands for a normal one; its variance is one twelfth of their count.
const SUMMANDS: u32 = 12;
/// Half of them is their mean.
const MIDDLE: u32 = SUMMANDS / 2;
/// No Pareto jitter is longer than this many times its mean.
const LONGEST: u64 = 1000;
/// ln 2, times 2^32.
const LN_2: u64 = 2_977_044_472;

impl Distribution {
    /// The least total delay of `base` with this jitter.
    pub(super) fn least(self, base: Duration, jitter: Duration) -> Duration {
        match self {
            Self::Normal => base.saturating_sub(jitter.saturating_mul(MIDDLE)),
            Self::Uniform | Self::Exponential | Self::Pareto => base,
        }
    }

    /// Draws a total delay of `base` with this jitter.
    pub(super) fn draw(self, base: Duration, jitter: Duration, rng: &mut Rng) -> Duration {
        let scale = nanos(jitter);
        match self {
            Self::Uniform => {
                base.saturating_add(Duration::from_nanos(rng.below(scale.saturating_add(1))))
            }
            Self::Normal => {
                let sum: u64 = (0..SUMMANDS).map(|_| u64::from(rng.u32())).sum();
                base.saturating_add(times(scale, sum)).saturating_sub(jitter.saturating_mul(MIDDLE))
            }
            Self::Exponential => {
                let log = u128::from(minus_log2(rng.u64()));
                base.saturating_add(times(scale, ((log * u128::from(LN_2)) >> 32) as u64))
            }
            Self::Pareto => {
                // Lomax by inversion: (u^(-1/3) - 1) times twice the mean.
                let power = exp2(minus_log2(rng.u64()) / 3).saturating_sub(1 << 32);
                let factor = power.saturating_mul(2).min(LONGEST << 32);
                base.saturating_add(times(scale, factor))
            }
        }
    }
}

/// `scale` nanoseconds times `factor` / 2^32.
fn times(scale: u64, factor: u64) -> Duration {
    let product = (u128::from(scale) * u128::from(factor)) >> 32;
    Duration::from_nanos(u64::try_from(product).unwrap_or(u64::MAX))
}

/// -log2(`u` / 2^64) times 2^32, by repeated squaring; for 0 as for 1.
fn minus_log2(u: u64) -> u64 {
    let u = u.max(1);
    let zeros = u.leading_zeros();
    // In [1, 2), with 63 bits behind the point.
    let mut mantissa = u128::from(u << zeros);
    let mut fraction = 0_u64;
    for _ in 0..32 {
        mantissa = (mantissa * mantissa) >> 63;
        fraction <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    (u64::from(zeros) + 1) * (1 << 32) - fraction
}

/// 2^(1/2), 2^(1/4), 2^(1/8) and so on, with 62 bits behind the point.
const ROOTS: [u128; 32] = {
    let mut roots = [0; 32];
    let mut root: u128 = 2 << 62;
    let mut i = 0;
    while i < 32 {
        root = (root << 62).isqrt();
        roots[i] = root;
        i += 1;
    }
    roots
};

/// 2^(`x` / 2^32), times 2^32; what is too large is the largest.
fn exp2(x: u64) -> u64 {
    let (whole, fraction) = (x >> 32, x & 0xffff_ffff);
    if whole >= 31 {
        return u64::MAX;
    }
    let mut power = 1_u128 << 62;
    for (i, root) in ROOTS.iter().enumerate() {
        if fraction >> (31 - i) & 1 == 1 {
            power = (power * root) >> 62;
        }
    }
    (power >> (30 - whole)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ms;
    use jsp_proto::rng::Seed;

    /// Sorted draws with a mean of 100 ms or more to come from, in milliseconds.
    fn draws(distribution: Distribution) -> Vec<f64> {
        let mut rng = Rng::new(&Seed::from_u64(1), "draws");
        let mut draws: Vec<_> = (0..200_000)
            .map(|_| distribution.draw(ms(100), ms(10), &mut rng).as_secs_f64() * 1e3)
            .collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    fn moments(draws: &[f64]) -> (f64, f64) {
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    fn quantile(draws: &[f64], q: f64) -> f64 {
        draws[(draws.len() as f64 * q) as usize]
    }

    fn near(value: f64, expected: f64, tolerance: f64) -> bool {
        (value - expected).abs() <= tolerance
    }

    #[test]
    fn logarithms_and_powers_are_those_of_mathematics() {
        for u in [1, 2, 3, 1 << 63, u64::MAX, 12_345_678_901_234_567_890] {
            let expected = 64.0 - (u as f64).log2();
            assert!(near(minus_log2(u) as f64 / 2f64.powi(32), expected, 1e-8), "{u}");
        }
        for x in [0.0, 0.5, 1.0, 1.3, 20.9] {
            let power = exp2((x * 2f64.powi(32)) as u64) as f64 / 2f64.powi(32);
            assert!(near(power / x.exp2(), 1.0, 1e-8), "{x}: {power}");
        }
        assert_eq!(exp2(31 << 32), u64::MAX);
    }

    #[test]
    fn uniform_jitter_has_the_moments_of_a_uniform_distribution() {
        let draws = draws(Distribution::Uniform);
        let (mean, deviation) = moments(&draws);
        assert!(near(mean, 105.0, 0.05) && near(deviation, 2.887, 0.03), "{mean} {deviation}");
        assert!(draws[0] >= 100.0 && draws[draws.len() - 1] <= 110.0);
    }

    #[test]
    fn normal_jitter_has_the_moments_and_quantiles_of_a_normal_distribution() {
        let draws = draws(Distribution::Normal);
        let (mean, deviation) = moments(&draws);
        assert!(near(mean, 100.0, 0.1) && near(deviation, 10.0, 0.1), "{mean} {deviation}");
        assert!(near(quantile(&draws, 0.8413), 110.0, 0.2));
        assert!(near(quantile(&draws, 0.9772), 120.0, 0.4));
        assert!(near(quantile(&draws, 0.0228), 80.0, 0.4));
    }

    #[test]
    fn exponential_jitter_has_the_moments_and_quantiles_of_an_exponential_distribution() {
        let draws = draws(Distribution::Exponential);
        let (mean, deviation) = moments(&draws);
        assert!(near(mean, 110.0, 0.1) && near(deviation, 10.0, 0.15), "{mean} {deviation}");
        assert!(near(quantile(&draws, 0.5), 106.93, 0.1));
        assert!(near(quantile(&draws, 0.99), 146.05, 1.0));
    }

    #[test]
    fn pareto_jitter_has_the_mean_and_the_tail_that_its_description_promises() {
        let draws = draws(Distribution::Pareto);
        let (mean, _) = moments(&draws);
        assert!(near(mean, 110.0, 0.2), "{mean}");
        assert!(near(quantile(&draws, 0.5), 105.2, 0.1));
        assert!(near(quantile(&draws, 0.99), 172.8, 3.0));
        assert!(near(quantile(&draws, 0.999), 280.0, 15.0));
    }

    #[test]
    fn nothing_is_drawn_below_the_least_and_extremes_do_not_overflow() {
        let mut rng = Rng::new(&Seed::from_u64(1), "draws");
        for distribution in [
            Distribution::Uniform,
            Distribution::Normal,
            Distribution::Exponential,
            Distribution::Pareto,
        ] {
            for (base, jitter) in [(ms(1), ms(10)), (Duration::MAX, Duration::MAX)] {
                let least = distribution.least(base, jitter);
                assert!((0..1000).all(|_| distribution.draw(base, jitter, &mut rng) >= least));
            }
        }
    }
}
