//! How long a datagram travels.

use super::distribution::Distribution;
use super::travel::{Step, Travel};
use crate::units::Span;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use serde::{Deserialize, Serialize};

/// Delays datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The delay without jitter.
    pub base: Span,
    /// How much it varies; zero means not at all.
    #[serde(default, skip_serializing_if = "Span::is_zero_ref")]
    pub jitter: Span,
    /// How it varies.
    #[serde(default)]
    pub distribution: Distribution,
    /// Whether datagrams overtake those that jitter holds up longer. By default they keep their order,
    /// as behind a router whose other traffic comes and goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reorder: bool,
}

impl Delay {
    /// A constant delay.
    pub fn constant(base: impl Into<Span>) -> Self {
        Self { base: base.into(), ..Self::default() }
    }

    /// The delay that no datagram undercuts.
    pub(super) fn least(&self) -> Duration {
        self.distribution.least(self.base.duration(), self.jitter.duration())
    }
}

#[derive(Debug)]
pub(super) struct Delayer {
    pub(super) delay: Delay,
    /// Whether the least delay is added at the end of the link instead of here.
    pub(super) owes: bool,
    rng: Rng,
    /// No datagram that keeps its order leaves before the one before it.
    last: Time,
}

impl Delayer {
    pub(super) fn new(delay: Delay, seed: &Seed) -> Self {
        Self { delay, owes: false, rng: Rng::new(seed, "jitter"), last: Time::ZERO }
    }

    pub(super) fn pass(&mut self, at: Time, travel: &mut Travel) -> Step {
        let Delay { base, jitter, distribution, reorder } = self.delay;
        let least = self.delay.least();
        let (base, mut at) = if self.owes {
            travel.owed = travel.owed.saturating_add(least);
            (base.duration(), at)
        } else {
            (base.duration(), at + least)
        };
        if !jitter.is_zero() {
            at += distribution.draw(base, jitter.duration(), &mut self.rng).saturating_sub(least);
            if !reorder {
                at = at.max(self.last);
                self.last = at;
            }
        }
        Step::On(at)
    }
}
