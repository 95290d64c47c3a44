//! Datagrams that arrive twice.

use super::fate::StageStats;
use super::travel::Step;
use crate::share::Share;
use crate::units::Span;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};

/// Copies some datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// How many of the datagrams.
    pub share: Share,
    /// How long after the original the copy leaves.
    #[serde(default, skip_serializing_if = "Span::is_zero_ref")]
    pub after: Span,
}

#[derive(Debug)]
pub(super) struct Duplicator {
    pub(super) duplicate: Duplicate,
    rng: Rng,
}

impl Duplicator {
    pub(super) fn new(duplicate: Duplicate, seed: &Seed) -> Self {
        Self { duplicate, rng: Rng::new(seed, "copies") }
    }

    pub(super) fn pass(&mut self, at: Time, stats: &mut StageStats) -> Step {
        if !self.duplicate.share.hits(&mut self.rng) {
            return Step::On(at);
        }
        stats.duplicated += 1;
        Step::Copy(at + self.duplicate.after.duration())
    }
}
