//! Datagrams that are overtaken.

use super::fate::StageStats;
use super::travel::Step;
use super::which::{Every, Which};
use crate::share::Share;
use crate::units::Span;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};

/// Holds some datagrams back for a time, so that those behind them overtake them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Reorder {
    /// Which.
    pub which: Which,
    /// For how long.
    pub by: Span,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "reorder")]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<Every>,
    by: Span,
}

impl TryFrom<Form> for Reorder {
    type Error = &'static str;
    fn try_from(form: Form) -> Result<Self, Self::Error> {
        let which = match (form.share, form.every) {
            (Some(share), None) => Which::Share(share),
            (None, Some(every)) => Which::Every(every),
            _ => return Err("reorder needs either share or every"),
        };
        Ok(Self { which, by: form.by })
    }
}

impl From<Reorder> for Form {
    fn from(Reorder { which, by }: Reorder) -> Self {
        match which {
            Which::Share(share) => Self { share: Some(share), every: None, by },
            Which::Every(every) => Self { share: None, every: Some(every), by },
        }
    }
}

#[derive(Debug)]
pub(super) struct Reorderer {
    pub(super) reorder: Reorder,
    rng: Rng,
}

impl Reorderer {
    pub(super) fn new(reorder: Reorder, seed: &Seed) -> Self {
        Self { reorder, rng: Rng::new(seed, "who") }
    }

    pub(super) fn pass(&mut self, at: Time, stats: &mut StageStats) -> Step {
        if !self.reorder.which.hits(stats.entered - 1, &mut self.rng) {
            return Step::On(at);
        }
        stats.held += 1;
        Step::On(at + self.reorder.by.duration())
    }
}
