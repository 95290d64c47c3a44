//! Times at which nothing passes.

use super::fate::Dropped;
use super::travel::{Step, Travel};
use crate::units::Span;
use jsp_proto::time::{Duration, Time};
use serde::{Deserialize, Serialize};

/// Loses everything for a while. Times count from the beginning of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blackout {
    /// During these times.
    Times(Vec<Window>),
    /// Again and again.
    Periodic(Periodic),
}

/// A time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it begins.
    pub from: Span,
    /// When it is over.
    pub to: Span,
}

/// A time that comes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// From the beginning of one to the beginning of the next; zero means that there is one only.
    pub every: Span,
    /// How long each lasts.
    pub lasts: Span,
    /// When the first begins.
    #[serde(default, skip_serializing_if = "Span::is_zero_ref")]
    pub from: Span,
}

impl Window {
    fn contains(&self, clock: Duration) -> bool {
        (self.from.duration()..self.to.duration()).contains(&clock)
    }
}

impl Periodic {
    fn contains(&self, clock: Duration) -> bool {
        let Some(since) = clock.checked_sub(self.from.duration()) else { return false };
        let since = Span::from(since).as_nanos();
        let phase = since.checked_rem(self.every.as_nanos()).unwrap_or(since);
        phase < self.lasts.as_nanos()
    }
}

impl Blackout {
    /// Whether nothing passes at this time.
    pub fn contains(&self, time: Time) -> bool {
        let clock = time - Time::ZERO;
        match self {
            Self::Times(windows) => windows.iter().any(|window| window.contains(clock)),
            Self::Periodic(periodic) => periodic.contains(clock),
        }
    }

    pub(super) fn pass(&self, at: Time, travel: &Travel) -> Step {
        if self.contains(travel.clock(at)) { Step::Drop(Dropped::Outage) } else { Step::On(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ms;

    #[test]
    fn windows_exclude_their_end() {
        let window = Window { from: Span::from_millis(3), to: Span::from_millis(5) };
        let blackout = Blackout::Times(vec![window]);
        let out: Vec<_> = (0..8).filter(|i| blackout.contains(Time::ZERO + ms(*i))).collect();
        assert_eq!(out, [3, 4]);
    }

    #[test]
    fn periodic_ones_come_back() {
        let [every, lasts, from] = [10, 3, 5].map(Span::from_millis);
        let out = |periodic: Periodic| {
            (0..30).filter(|i| Blackout::Periodic(periodic).contains(Time::ZERO + ms(*i))).collect()
        };
        let times: Vec<u64> = out(Periodic { every, lasts, from });
        assert_eq!(times, [5, 6, 7, 15, 16, 17, 25, 26, 27]);
        let once: Vec<u64> = out(Periodic { every: Span::ZERO, lasts, from });
        assert_eq!(once, [5, 6, 7]);
    }
}
