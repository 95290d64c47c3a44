//! Ranges of ports.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A port, or a range of ports with both ends; never empty, never with port 0.
///
/// Written as a number, or as text: `443`, `"5000-6000"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// The ports from `first` to `last`, if there are any and port 0 is none of them.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first == 0 || last < first { None } else { Some(Self { first, last }) }
    }

    /// The lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` is one of them.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The ports that are in both.
    pub const fn and(self, other: Self) -> Option<Self> {
        let first = if self.first > other.first { self.first } else { other.first };
        let last = if self.last < other.last { self.last } else { other.last };
        Self::new(first, last)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// The text is no range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPorts;

const EXPECTED: &str = "a port from 1 to 65535, or a range such as \"5000-6000\"";

impl fmt::Display for NotPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {EXPECTED}")
    }
}

impl std::error::Error for NotPorts {}

impl FromStr for PortRange {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<Self, NotPorts> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse().map_err(|_| NotPorts);
        Self::new(port(first)?, port(last)?).ok_or(NotPorts)
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u16(self.first)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, port: u64) -> Result<PortRange, E> {
        u16::try_from(port)
            .ok()
            .and_then(|port| PortRange::new(port, port))
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(port), &self))
    }

    fn visit_i64<E: Error>(self, port: i64) -> Result<PortRange, E> {
        u64::try_from(port)
            .map_err(|_| E::invalid_value(Unexpected::Signed(port), &self))
            .and_then(|port| self.visit_u64(port))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
        text.parse().map_err(|NotPorts| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn a_range_is_read_as_people_write_it() {
        let range = |text: &str| text.parse::<PortRange>();
        assert_eq!(range("443"), Ok(PortRange { first: 443, last: 443 }));
        assert_eq!(range("5000 - 6000"), Ok(PortRange { first: 5000, last: 6000 }));
        for wrong in ["", "0", "0-5", "6000-5000", "70000", "a-b", "1-2-3", "-"] {
            assert_eq!(range(wrong), Err(NotPorts), "{wrong}");
        }
    }

    quickcheck! {
        fn a_range_is_read_as_it_was_written(first: u16, last: u16) -> bool {
            PortRange::new(first, last)
                .is_none_or(|range| range.to_string().parse() == Ok(range))
        }

        fn a_port_is_in_both_ranges_if_it_is_in_each(a: (u16, u16), b: (u16, u16), port: u16) -> bool {
            let (Some(a), Some(b)) = (PortRange::new(a.0, a.1), PortRange::new(b.0, b.1)) else {
                return true;
            };
            a.and(b).is_some_and(|both| both.contains(port)) == (a.contains(port) && b.contains(port))
        }
    }
}
