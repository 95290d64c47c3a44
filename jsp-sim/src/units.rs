//! Times, rates and sizes as people write them: `"25ms"`, `"20 Mbit/s"`, `"64 kB"`.
//!
//! Numbers are decimal and exact: what cannot be said in whole nanoseconds, bits per second or bytes
//! is an error, never rounded. What is displayed parses back to the same value.

use jsp_proto::time::{Duration, nanos};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A length of time, in nanoseconds, at most `u64::MAX` of them (584 years).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(u64);

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A unit: how it is written, and how many of the smallest unit it is. The first of a size is the one
/// that is displayed.
type Unit = (&'static str, u64);

const SPANS: &[Unit] = &[
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

const RATES: &[Unit] = &[
    ("Gbit/s", 1_000_000_000),
    ("Gbps", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("Mbps", 1_000_000),
    ("kbit/s", 1_000),
    ("kbps", 1_000),
    ("bit/s", 1),
    ("bps", 1),
];

const SIZES: &[Unit] = &[
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Milliseconds; what is too long is the longest span.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The same time as a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// [`Span::is_zero`], as serde asks for it.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
    pub(crate) const fn is_zero_ref(&self) -> bool {
        self.0 == 0
    }
}

impl From<Duration> for Span {
    /// What is too long is the longest span.
    fn from(duration: Duration) -> Self {
        Self(nanos(duration))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.duration()
    }
}

impl BitRate {
    /// Bits per second.
    pub const fn new(bits_per_second: u64) -> Self {
        Self(bits_per_second)
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }
}

impl Size {
    /// Bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A text that is not what it should be. It displays as a sentence that says what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    expected: &'static str,
}

impl ParseError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", self.text, self.expected)
    }
}

impl std::error::Error for ParseError {}

const SPAN: &str = "a length of time: a number and ns, us, ms, s, min or h, in whole nanoseconds, such as \"25ms\"";
const RATE: &str = "a rate: a number and bit/s, kbit/s, Mbit/s or Gbit/s, in whole bits per second, \
                    such as \"20 Mbit/s\"";
const SIZE: &str = "a size: a number and B, kB, MB, GB, KiB, MiB or GiB, in whole bytes, such as \
                    \"64 kB\"";

/// A number and a unit, exactly. Without a unit it counts in the smallest, if `bare` allows that.
fn parse(text: &str, units: &[Unit], bare: bool) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let unit = match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() && bare => 1,
        None => return None,
    };
    decimal(number, unit)
}

/// `number` times `unit`, if that is whole.
pub(crate) fn decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = match number.split_once('.') {
        // "5." and ".5" are more likely slips than numbers.
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    // The standard parser would take a sign.
    let digits = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u128>().ok()).flatten()
    };
    let fraction = fraction.trim_end_matches('0');
    let mut value = digits(whole)?.checked_mul(u128::from(unit))?;
    if !fraction.is_empty() {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = digits(fraction)?.checked_mul(u128::from(unit))?;
        if part % scale != 0 {
            return None;
        }
        value = value.checked_add(part / scale)?;
    }
    u64::try_from(value).ok()
}

/// `value / unit` as a decimal fraction; `unit` is a power of ten.
pub(crate) fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    let rest = value % unit;
    if rest != 0 {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        write!(f, ".{}", fraction.trim_end_matches('0'))?;
    }
    Ok(())
}

/// The largest unit that `value` is at least one of and that `fits`.
fn largest(value: u64, units: &[Unit], fits: impl Fn(u64) -> bool) -> Unit {
    let found = units.iter().find(|(_, factor)| value >= *factor && fits(*factor));
    *found.unwrap_or(&units[units.len() - 1])
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hours and minutes only where they are whole: nobody reads "1.0166666666min".
        let fits = |factor: u64| factor <= 1_000_000_000 || self.0.is_multiple_of(factor);
        let (name, factor) = largest(self.0, SPANS, fits);
        if factor > 1_000_000_000 {
            return write!(f, "{}{name}", self.0 / factor);
        }
        write_decimal(f, self.0, factor)?;
        f.write_str(if self.0 == 0 { "ms" } else { name })
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = largest(self.0, RATES, |_| true);
        write_decimal(f, self.0, factor)?;
        write!(f, " {}", if factor == 1 { "bit/s" } else { name })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = largest(self.0, SIZES, |factor| self.0.is_multiple_of(factor));
        write!(f, "{} {name}", self.0 / factor)
    }
}

/// The ways in and out that all units share.
macro_rules! unit {
    ($unit:ident, $units:expr, $bare:expr, $expected:expr) => {
        impl FromStr for $unit {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse(text, $units, $bare).map(Self).ok_or_else(|| ParseError::new(text, $expected))
            }
        }

        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $unit;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$unit, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: Error>(self, number: u64) -> Result<$unit, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_i64<E: Error>(self, number: i64) -> Result<$unit, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        #[cfg(test)]
        impl quickcheck::Arbitrary for $unit {
            fn arbitrary(g: &mut quickcheck::Gen) -> Self {
                // Round numbers as well as odd ones, large ones as well as small ones.
                let digits = u64::arbitrary(g) >> (u64::arbitrary(g) % 64);
                let unit = g.choose($units).map_or(1, |(_, factor)| *factor);
                Self(if bool::arbitrary(g) { digits } else { digits.saturating_mul(unit) })
            }
            fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
                Box::new(self.0.shrink().map(Self))
            }
        }
    };
}

unit!(Span, SPANS, false, SPAN);
unit!(BitRate, RATES, true, RATE);
unit!(Size, SIZES, true, SIZE);

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn people_write_times_rates_and_sizes_in_many_ways() {
        let span = |text: &str| text.parse::<Span>().map(Span::as_nanos);
        assert_eq!(span("25ms"), Ok(25_000_000));
        assert_eq!(span("1.5 s"), Ok(1_500_000_000));
        assert_eq!(span("300us"), Ok(300_000));
        assert_eq!(span("2min"), Ok(120_000_000_000));
        assert_eq!(span("1h"), Ok(3_600_000_000_000));
        let rate = |text: &str| text.parse::<BitRate>().map(BitRate::bits_per_second);
        assert_eq!(rate("20 Mbit/s"), Ok(20_000_000));
        assert_eq!(rate("1.5Gbit/s"), Ok(1_500_000_000));
        assert_eq!(rate("64kbps"), Ok(64_000));
        assert_eq!(rate("9600"), Ok(9600));
        let size = |text: &str| text.parse::<Size>().map(Size::bytes);
        assert_eq!(size("64 kB"), Ok(64_000));
        assert_eq!(size("1 MB"), Ok(1_000_000));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("1500"), Ok(1500));
    }

    #[test]
    fn what_is_not_exact_or_not_a_number_is_refused() {
        for text in ["", "25", "ms", "-1ms", "1e3ms", "1.ms", ".5s", "1..5s", "0.5ns", "1 parsec"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
        assert!("1.5 bit/s".parse::<BitRate>().is_err());
        assert!("0.0001 kB".parse::<Size>().is_err());
        assert!("20000000000 GB".parse::<Size>().is_err());
        assert!("99999999999999999999999999999999999999999 B".parse::<Size>().is_err());
    }

    #[test]
    fn an_error_says_what_is_expected() {
        let error = "25".parse::<Span>().unwrap_err().to_string();
        assert!(error.starts_with("\"25\" is not a length of time: "), "{error}");
        assert!(error.ends_with("such as \"25ms\""), "{error}");
        let error = serde_json::from_str::<BitRate>("true").unwrap_err().to_string();
        assert!(error.contains("expected a rate: "), "{error}");
        let error = serde_json::from_str::<Span>("25").unwrap_err().to_string();
        assert!(error.contains("\"25\" is not a length of time"), "{error}");
    }

    #[test]
    fn values_are_displayed_as_people_write_them() {
        let span = |nanos| Span::from_nanos(nanos).to_string();
        assert_eq!(span(0), "0ms");
        assert_eq!(span(25_000_000), "25ms");
        assert_eq!(span(1_500_000_000), "1.5s");
        assert_eq!(span(61_000_000_000), "61s");
        assert_eq!(span(120_000_000_000), "2min");
        assert_eq!(BitRate::new(1_500_000_000).to_string(), "1.5 Gbit/s");
        assert_eq!(BitRate::new(3).to_string(), "3 bit/s");
        assert_eq!(Size::new(64_000).to_string(), "64 kB");
        assert_eq!(Size::new(1 << 20).to_string(), "1 MiB");
        assert_eq!(Size::new(1500).to_string(), "1500 B");
    }

    quickcheck! {
        fn what_is_displayed_parses_back(span: Span, rate: BitRate, size: Size) -> bool {
            span.to_string().parse() == Ok(span)
                && rate.to_string().parse() == Ok(rate)
                && size.to_string().parse() == Ok(size)
        }

        fn no_text_makes_parsing_panic(text: String) -> bool {
            let _ = (text.parse::<Span>(), text.parse::<BitRate>(), text.parse::<Size>());
            true
        }

        fn serde_goes_both_ways(span: Span, size: Size) -> bool {
            let text = serde_json::to_string(&(span, size)).unwrap();
            serde_json::from_str::<(Span, Size)>(&text).unwrap() == (span, size)
        }
    }
}
