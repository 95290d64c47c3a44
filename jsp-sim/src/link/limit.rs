//! How long a queue may be.

use crate::units::{ParseError, Size, Span};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A length of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// In bytes of IP packets.
    Bytes(Size),
    /// In packets.
    Packets(u64),
    /// In time: how long a packet waits.
    Time(Span),
}

/// What a queue holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    /// How long the next packet will wait, in nanoseconds.
    pub(super) wait: u64,
}

impl Limit {
    /// Whether a packet of `size` bytes has no place behind `backlog`. Where nothing waits there is
    /// always room for one, if room is not time.
    pub(super) const fn excludes(&self, backlog: Backlog, size: u64) -> bool {
        match self {
            Self::Bytes(limit) => backlog.packets != 0 && backlog.bytes + size > limit.bytes(),
            Self::Packets(limit) => backlog.packets != 0 && backlog.packets >= *limit,
            Self::Time(limit) => backlog.wait > limit.as_nanos(),
        }
    }

    /// Whether `backlog` is at least this long.
    pub(super) const fn is_reached(&self, backlog: Backlog) -> bool {
        match self {
            Self::Bytes(limit) => backlog.bytes >= limit.bytes(),
            Self::Packets(limit) => backlog.packets >= *limit,
            Self::Time(limit) => backlog.wait >= limit.as_nanos(),
        }
    }
}

const EXPECTED: &str = "the length of a queue: a size such as \"64 kB\", a number of packets such as \"100 packets\", \
     or a time such as \"50ms\"";

impl FromStr for Limit {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let packets = text.trim().strip_suffix("packets");
        packets
            .and_then(|number| number.trim_end().parse().ok().map(Self::Packets))
            .or_else(|| text.parse().ok().map(Self::Bytes))
            .or_else(|| text.parse().ok().map(Self::Time))
            .ok_or_else(|| ParseError::new(text, EXPECTED))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(size) => size.fmt(f),
            Self::Packets(packets) => write!(f, "{packets} packets"),
            Self::Time(span) => span.fmt(f),
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Limit;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Limit, E> {
                Ok(Limit::Bytes(Size::new(number)))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Limit, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_as_long_as_its_bytes_its_packets_or_its_time() {
        assert_eq!("64 kB".parse(), Ok(Limit::Bytes(Size::new(64_000))));
        assert_eq!("1500".parse(), Ok(Limit::Bytes(Size::new(1500))));
        assert_eq!("100 packets".parse(), Ok(Limit::Packets(100)));
        assert_eq!("50ms".parse(), Ok(Limit::Time(Span::from_millis(50))));
        let error = "50 cars".parse::<Limit>().unwrap_err().to_string();
        assert!(error.contains("\"100 packets\""), "{error}");
    }
}
