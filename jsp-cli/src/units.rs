//! Sizes, rates and times, as people read and write them.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// A number of bytes, in binary units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0 as f64, "bytes");
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        if unit == "bytes" || value.fract() == 0.0 {
            write!(f, "{value:.0} {unit}")
        } else {
            write!(f, "{value:.1} {unit}")
        }
    }
}

/// Bytes per second: in decimal units, and in bits as networks are sold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(pub(crate) f64);

impl Rate {
    /// `bytes` in `time`.
    pub(crate) fn of(bytes: u64, time: Duration) -> Self {
        Self(bytes as f64 / time.as_secs_f64().max(1e-9))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, unit) = scaled(self.0);
        let (bits, bit_unit) = scaled(self.0 * 8.0);
        write!(f, "{bytes} {unit}B/s ({bits} {bit_unit}bit/s)")
    }
}

/// Three digits and the prefix of the unit.
fn scaled(mut value: f64) -> (String, &'static str) {
    let mut prefix = "";
    for larger in ["k", "M", "G", "T"] {
        if value < 999.5 {
            break;
        }
        (value, prefix) = (value / 1000.0, larger);
    }
    let decimals = if value >= 99.5 || prefix.is_empty() {
        0
    } else if value >= 9.95 {
        1
    } else {
        2
    };
    (format!("{value:.decimals$}"), prefix)
}

/// A span of time, with three digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match seconds {
            s if s >= 1.0 => (s, "s"),
            s if s >= 1e-3 => (s * 1e3, "ms"),
            s => (s * 1e6, "us"),
        };
        let decimals = if value >= 100.0 { 0 } else { 2 };
        write!(f, "{value:.decimals$} {unit}")
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads `1000`, `64k`, `256M`, `1G` or `1GiB`; the units are binary.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().trim_end_matches("ib") {
        "" | "b" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err("the unit is none of k, M, G and T".into()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "a size is a whole number, such as 64k or 256M")?;
    number.checked_mul(1 << shift).filter(|n| *n > 0).ok_or_else(|| "out of range".into())
}

/// Reads a number of seconds above 0, as `10` or `0.5`.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "a time is a number of seconds, such as 10 or 0.5")?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time.is_zero() || time > Duration::from_secs(1_000_000) {
        return Err("out of range".into());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in
            [("1", 1), ("1000", 1000), ("64k", 65_536), ("256M", 1 << 28), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for text in ["", "0", "k", "1x", "-1", "1.5M", "99999999T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(Size(1 << 28).to_string(), "256 MiB");
        assert_eq!(Size(1536).to_string(), "1.5 KiB");
        assert_eq!(Size(1023).to_string(), "1023 bytes");
    }

    #[test]
    fn rates_and_times_have_about_three_digits() {
        assert_eq!(Rate(1.25e9).to_string(), "1.25 GB/s (10.0 Gbit/s)");
        assert_eq!(Rate(999.9e6).to_string(), "1.00 GB/s (8.00 Gbit/s)");
        assert_eq!(Rate(12.0).to_string(), "12 B/s (96 bit/s)");
        assert_eq!(Span(Duration::from_micros(1234)).to_string(), "1.23 ms");
        assert_eq!(Span(Duration::from_nanos(900)).to_string(), "0.90 us");
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "x", "1e300"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
