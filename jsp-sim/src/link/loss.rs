//! Which datagrams are lost: by chance, in bursts, or by decree.

use super::fate::{Dropped, StageStats};
use super::travel::Step;
use super::which::Every;
use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A cause of loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loss {
    /// Each datagram for itself.
    #[serde(rename = "share")]
    Random(Share),
    /// In bursts.
    #[serde(rename = "bursts")]
    Bursts(Bursts),
    /// Every nth datagram.
    #[serde(rename = "every")]
    Every(Every),
    /// The datagrams of these indices, counted from 0 as they enter the stage.
    #[serde(rename = "packets")]
    Indices(BTreeSet<u64>),
}

/// Loss in bursts (Gilbert 1960, Elliott 1963): a channel that is good or bad, moves between the two
/// with each datagram, and loses a share of its own in each.
///
/// The channel is bad for `1 / recover` datagrams in the mean, and a share of
/// `degrade / (degrade + recover)` of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How often a good channel turns bad.
    pub degrade: Share,
    /// How often a bad channel turns good.
    pub recover: Share,
    /// What a good channel loses.
    #[serde(default)]
    pub good_loss: Share,
    /// What a bad channel loses.
    #[serde(default = "always")]
    pub bad_loss: Share,
}

const fn always() -> Share {
    Share::ALWAYS
}

impl Bursts {
    /// Bursts of `length` datagrams in the mean, all of them lost, that make up `share` of all; nothing
    /// is lost between them.
    pub fn new(share: impl Into<Share>, length: u32) -> Self {
        let share = u64::from(share.into().as_ppm());
        let recover = 1_000_000 / u64::from(length.max(1));
        // share = degrade / (degrade + recover), solved for degrade.
        let degrade = recover * share / (1_000_000 - share).max(1);
        Self {
            degrade: Share::ppm(degrade.min(1_000_000) as u32),
            recover: Share::ppm(recover as u32),
            good_loss: Share::NEVER,
            bad_loss: Share::ALWAYS,
        }
    }
}

/// A cause of loss at work.
#[derive(Debug)]
pub(super) struct Loser {
    pub(super) loss: Loss,
    rng: Rng,
    bad: bool,
}

impl Loser {
    pub(super) fn new(loss: Loss, seed: &Seed) -> Self {
        Self { loss, rng: Rng::new(seed, "loss"), bad: false }
    }

    pub(super) fn pass(&mut self, at: Time, stats: &StageStats) -> Step {
        if self.loses(stats.entered - 1) { Step::Drop(Dropped::Lost) } else { Step::On(at) }
    }

    /// Whether the datagram of this index is lost. It is asked for each, in order.
    fn loses(&mut self, index: u64) -> bool {
        match &self.loss {
            Loss::Random(share) => share.hits(&mut self.rng),
            Loss::Every(every) => every.hits(index),
            Loss::Indices(indices) => indices.contains(&index),
            Loss::Bursts(bursts) => {
                let turns = if self.bad { bursts.recover } else { bursts.degrade };
                self.bad ^= turns.hits(&mut self.rng);
                let share = if self.bad { bursts.bad_loss } else { bursts.good_loss };
                share.hits(&mut self.rng)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    fn lost(loss: &Loss, seed: u64) -> Vec<bool> {
        let mut loser = Loser::new(loss.clone(), &Seed::from_u64(seed));
        (0..100_000).map(|i| loser.loses(i)).collect()
    }

    fn count(lost: &[bool]) -> usize {
        lost.iter().filter(|lost| **lost).count()
    }

    fn indices(lost: &[bool]) -> Vec<u64> {
        (0..).zip(lost).filter(|(_, lost)| **lost).map(|(i, _)| i).collect()
    }

    #[test]
    fn random_loss_takes_its_share_under_every_seed() {
        for seed in 0..20 {
            let n = count(&lost(&Loss::Random(0.05.into()), seed));
            assert!((4_600..5_400).contains(&n), "seed {seed}: {n}");
        }
    }

    #[test]
    fn bursts_have_the_share_and_the_length_that_were_asked_for() {
        for seed in 0..20 {
            let lost = lost(&Loss::Bursts(Bursts::new(0.1, 8)), seed);
            let n = count(&lost);
            let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count();
            assert!((8_500..11_500).contains(&n), "seed {seed}: {n}");
            assert!((7 * bursts..9 * bursts).contains(&n), "seed {seed}: {n} in {bursts} bursts");
        }
    }

    #[test]
    fn a_good_channel_loses_its_own_share() {
        let bursts = Bursts { good_loss: 0.01.into(), bad_loss: 0.5.into(), ..Bursts::new(0.1, 8) };
        let n = count(&lost(&Loss::Bursts(bursts), 1));
        // 90 % of the time one in a hundred, 10 % of the time one in two.
        assert!((5_300..6_500).contains(&n), "{n}");
    }

    #[test]
    fn listed_datagrams_are_lost_and_no_others() {
        assert_eq!(indices(&lost(&Loss::Indices([0, 7].into()), 1)), [0, 7]);
    }

    #[test]
    fn every_nth_is_lost_from_its_offset_on() {
        let every = Every { nth: NonZeroU64::new(30_000).unwrap(), offset: 5 };
        assert_eq!(indices(&lost(&Loss::Every(every), 1)), [5, 30_005, 60_005, 90_005]);
    }
}
