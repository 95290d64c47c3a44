//! Numbers as people read them: three digits that count, and a unit.

use jsp_proto::time::Duration;

/// `value` with three digits that count, in the largest unit of `units` that keeps it at 1 or more.
/// The units are powers of 1000, the smallest first.
fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What would be shown as 1000 is one of the next unit.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", digits(value), units[unit])
}

/// Three digits that count, or all digits of a larger number.
fn digits(value: f64) -> String {
    let decimals = if value >= 99.95 || value == 0.0 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// A span of time: `48.2 ms`, `1.25 s`.
pub fn span(span: Duration) -> String {
    if span.as_secs() >= 1000 {
        return format!("{:.0} s", span.as_secs_f64());
    }
    scaled(span.as_nanos() as f64, &["ns", "us", "ms", "s"])
}

/// A number of bytes: `14.4 kB` (1 kB is 1000 B).
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    scaled(bytes as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// A rate: `8.21 Mbit/s`.
pub fn rate(bits_per_second: f64) -> String {
    scaled(bits_per_second, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// A count with its digits in groups of three: `1 204 311`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A part of a whole: `1.4 %`; of nothing, none.
pub fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".into();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    if percent < 0.01 { "< 0.01 %".into() } else { format!("{} %", digits(percent)) }
}

/// A count with its noun: `1 packet`, `12 packets`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_get_the_fitting_unit() {
        assert_eq!(span(Duration::from_micros(48_249)), "48.2 ms");
        assert_eq!(span(Duration::from_millis(1250)), "1.25 s");
        assert_eq!(span(Duration::from_nanos(999_600_000)), "1.00 s");
        assert_eq!(span(Duration::from_secs(3600)), "3600 s");
        assert_eq!(span(Duration::ZERO), "0 ns");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_048_576), "1.05 MB");
        assert_eq!(rate(8.21e6), "8.21 Mbit/s");
        assert_eq!(rate(1e8), "100 Mbit/s");
    }

    #[test]
    fn counts_are_grouped_and_shares_are_never_a_false_zero() {
        assert_eq!(count(1_204_311), "1 204 311");
        assert_eq!(count(311), "311");
        assert_eq!(share(1, 1_000_000), "< 0.01 %");
        assert_eq!(share(14, 1000), "1.40 %");
        assert_eq!(share(0, 7), "0 %");
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(0, "packet"), "0 packets");
    }
}
