//! Probabilities as whole numbers: what is drawn does not depend on how a machine rounds.

use crate::units::{ParseError, decimal, write_decimal};
use jsp_proto::rng::Rng;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

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

const EXPECTED: &str =
    "a share: a percentage from \"0%\" to \"100%\" or a number from 0 to 1, in whole millionths";

impl FromStr for Share {
    type Err = ParseError;

    /// From `"2%"` or `"0.02"`, exactly.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = text.trim();
        let ppm = match number.strip_suffix('%') {
            Some(percent) => decimal(percent.trim_end(), 10_000),
            None => decimal(number, u64::from(Self::MILLION)),
        };
        ppm.and_then(|ppm| u32::try_from(ppm).ok())
            .filter(|ppm| *ppm <= Self::MILLION)
            .map(Self)
            .ok_or_else(|| ParseError::new(text, EXPECTED))
    }
}

impl fmt::Display for Share {
    /// As a percentage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, u64::from(self.0), 10_000)?;
        f.write_str("%")
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    /// From a percentage as a string, or from a number of `0..=1`, to the nearest millionth.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Share;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Share, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_f64<E: Error>(self, fraction: f64) -> Result<Share, E> {
                if (0.0..=1.0).contains(&fraction) {
                    Ok(fraction.into())
                } else {
                    Err(E::custom(ParseError::new(&fraction.to_string(), EXPECTED)))
                }
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Share, E> {
                number.to_string().parse().map_err(E::custom)
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Share, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
impl quickcheck::Arbitrary for Share {
    fn arbitrary(g: &mut quickcheck::Gen) -> Self {
        let ppm = u32::arbitrary(g) % (Self::MILLION + 1);
        *g.choose(&[Self(ppm), Self(ppm / 10_000 * 10_000), Self::NEVER, Self::ALWAYS])
            .unwrap_or(&Self::NEVER)
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::rng::Seed;
    use quickcheck::quickcheck;

    quickcheck! {
        fn what_is_displayed_parses_back(share: Share) -> bool {
            let text = serde_json::to_string(&share).unwrap();
            share.to_string().parse() == Ok(share) && serde_json::from_str(&text).ok() == Some(share)
        }
    }

    #[test]
    fn people_write_shares_as_percentages_or_fractions() {
        let parse = |json| serde_json::from_str::<Share>(json);
        assert_eq!(parse("\"2%\"").unwrap(), Share::ppm(20_000));
        assert_eq!(parse("\"0.5 %\"").unwrap(), Share::ppm(5_000));
        assert_eq!(parse("0.02").unwrap(), Share::ppm(20_000));
        assert_eq!(parse("1").unwrap(), Share::ALWAYS);
        for wrong in ["\"101%\"", "2", "1.5", "-0.1", "-1", "\"2 percent\"", "\"\""] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("is not a share: a percentage"), "{wrong}: {error}");
        }
    }

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
