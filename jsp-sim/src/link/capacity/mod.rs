//! Capacity that changes: traces in the format of mahimahi (Netravali et al., USENIX ATC 2015).
//!
//! A trace is a text of one number a line: milliseconds from the beginning, never falling. Each line is
//! an opportunity to send 1504 bytes at that time; what is not used is lost. After the last line the
//! trace begins again, with the last number as its length.
//!
//! Four traces come with the simulator; `generate` makes them from a seed.

mod generate;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Bytes that an opportunity carries.
pub const OPPORTUNITY: u64 = 1504;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The traces that come with the simulator.
const BUILT_IN: [(&str, &str); 4] = [
    ("lte-down", include_str!("../../../traces/lte-down.trace")),
    ("lte-up", include_str!("../../../traces/lte-up.trace")),
    ("satellite", include_str!("../../../traces/satellite.trace")),
    ("wifi", include_str!("../../../traces/wifi.trace")),
];

/// When a line has room, over and over again.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    name: Arc<str>,
    /// Milliseconds of each opportunity; not empty, sorted, the last above 0.
    opportunities: Arc<[u32]>,
}

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// The file cannot be read.
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// A line is not a number of milliseconds below 2^32, or less than the one before.
    Line {
        /// The trace.
        name: String,
        /// Which, from 1 on.
        line: usize,
    },
    /// There is no opportunity, or none after the time 0.
    Empty {
        /// The trace.
        name: String,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => {
                write!(f, "there is no capacity trace {path:?}: {reason}; built in are ")?;
                let names: Vec<_> = Trace::built_in().collect();
                f.write_str(&names.join(", "))
            }
            Self::Line { name, line } => write!(
                f,
                "{name}, line {line}: expected milliseconds, not less than in the line before"
            ),
            Self::Empty { name } => write!(f, "{name}: there is no opportunity after the time 0"),
        }
    }
}

impl std::error::Error for TraceError {}

impl Trace {
    /// The names of the traces that come with the simulator.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The trace that comes with the simulator under this name, or the one in the file of this path.
    pub fn load(name: &str) -> Result<Self, TraceError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(name, text);
        }
        let text = std::fs::read_to_string(name).map_err(|error| TraceError::Unreadable {
            path: name.to_owned(),
            reason: error.to_string(),
        })?;
        Self::parse(name, &text)
    }

    /// A trace from its text; `name` stands for it when it is written.
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        let mut opportunities = Vec::new();
        for (line, number) in text.lines().enumerate() {
            match number.trim().parse::<u32>() {
                Ok(millis) if opportunities.last().is_none_or(|last| *last <= millis) => {
                    opportunities.push(millis);
                }
                _ => return Err(TraceError::Line { name: name.to_owned(), line: line + 1 }),
            }
        }
        match opportunities.last() {
            None | Some(0) => Err(TraceError::Empty { name: name.to_owned() }),
            Some(_) => Ok(Self { name: name.into(), opportunities: opportunities.into() }),
        }
    }

    /// How it is called: a built-in name or a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// After how many milliseconds it begins again.
    pub fn period(&self) -> u32 {
        self.opportunities.last().copied().unwrap_or(1)
    }

    /// What it carries in the mean, in bits per second.
    pub fn mean(&self) -> u64 {
        self.opportunities.len() as u64 * OPPORTUNITY * 8 * 1000 / u64::from(self.period())
    }

    /// The first opportunity.
    pub(super) const fn first() -> Opportunity {
        Opportunity { round: 0, index: 0 }
    }

    /// The `n`th opportunity after this one.
    pub(super) fn after(&self, from: Opportunity, n: u64) -> Opportunity {
        let index = (from.index as u64).saturating_add(n);
        let count = self.opportunities.len() as u64;
        Opportunity { round: from.round + index / count, index: (index % count) as usize }
    }

    /// The first opportunity later than `nanos`.
    pub(super) fn later_than(&self, nanos: u64) -> Opportunity {
        let millis = nanos / NANOS_PER_MILLI;
        let period = u64::from(self.period());
        let (round, rest) = (millis / period, (millis % period) as u32);
        let index = self.opportunities.partition_point(|at| *at <= rest);
        // A round's last opportunity is as late as the next one's beginning, and `rest` is below it.
        Opportunity { round, index }
    }

    /// When an opportunity is, in nanoseconds.
    pub(super) fn nanos(&self, Opportunity { round, index }: Opportunity) -> u64 {
        let at = self.opportunities.get(index).copied().unwrap_or_else(|| self.period());
        (round.saturating_mul(u64::from(self.period())))
            .saturating_add(u64::from(at))
            .saturating_mul(NANOS_PER_MILLI)
    }
}

/// Which opportunity: the how-manieth time round, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opportunity {
    round: u64,
    index: usize,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:?}, {} ms)", self.name, self.period())
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Trace {
    /// From its name, and from the file of that path.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::load(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opportunities_come_round_and_round() {
        let trace = Trace::parse("x", "0\n3\n3\n5\n").unwrap();
        let mut at = Trace::first();
        let millis: Vec<_> = (0..9)
            .map(|_| {
                let millis = trace.nanos(at) / NANOS_PER_MILLI;
                at = trace.after(at, 1);
                millis
            })
            .collect();
        assert_eq!(millis, [0, 3, 3, 5, 5, 8, 8, 10, 10]);
    }

    #[test]
    fn the_next_opportunity_is_later() {
        let trace = Trace::parse("x", "1\n3\n3\n5\n").unwrap();
        let next = |nanos| trace.nanos(trace.later_than(nanos));
        assert_eq!(next(0), 1_000_000);
        assert_eq!(next(999_999), 1_000_000);
        assert_eq!(next(1_000_000), 3_000_000);
        assert_eq!(next(4_999_999), 5_000_000);
        // The last one is the next one's beginning: there is none at 0 in this trace.
        assert_eq!(next(5_000_000), 6_000_000);
        assert_eq!(next(999_999_999), 1_000_000_000);
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = |text| Trace::parse("x", text).unwrap_err().to_string();
        assert_eq!(
            error("1\n2\n\n3"),
            "x, line 3: expected milliseconds, not less than in the line before"
        );
        assert!(error("5\n4").starts_with("x, line 2"));
        assert!(error("").contains("no opportunity"));
        assert!(error("0\n0").contains("no opportunity"));
        let missing = Trace::load("no such trace").unwrap_err().to_string();
        assert!(missing.contains("built in are lte-down, lte-up, satellite, wifi"), "{missing}");
    }

    #[test]
    fn what_is_built_in_has_the_name_and_about_the_rate_that_it_should() {
        let means: Vec<_> = Trace::built_in()
            .map(|name| (name, Trace::load(name).unwrap().mean() / 1_000_000))
            .collect();
        for (name, mean) in means {
            let expected = match name {
                "lte-down" => 6..=14,
                "lte-up" | "satellite" => 2..=5,
                _ => 15..=35,
            };
            assert!(expected.contains(&mean), "{name}: {mean} Mbit/s");
        }
    }
}
