//! Which datagrams are lost: by chance, in bursts, or by decree.

use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use std::collections::BTreeSet;

/// A cause of loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Each datagram for itself.
    Random(Share),
    /// In bursts.
    Bursts(Bursts),
    /// The datagrams of these indices, counted from 0 as they enter the link.
    Indices(BTreeSet<u64>),
}

/// Loss in bursts (Gilbert 1960, Elliott 1963): a channel that is good or bad, moves between the two
/// with each datagram, and loses a share of its own in each.
///
/// The channel is bad for `1 / recover` datagrams in the mean, and a share of
/// `degrade / (degrade + recover)` of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// How often a good channel turns bad.
    pub degrade: Share,
    /// How often a bad channel turns good.
    pub recover: Share,
    /// What a good channel loses.
    pub good_loss: Share,
    /// What a bad channel loses.
    pub bad_loss: Share,
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

/// What a cause of loss remembers.
#[derive(Debug)]
pub(super) struct LossState {
    rng: Rng,
    bad: bool,
}

impl LossState {
    /// The state of a link's `nth` cause.
    pub(super) fn new(seed: &Seed, nth: usize) -> Self {
        Self { rng: Rng::new(seed, &format!("loss{nth}")), bad: false }
    }

    /// Whether `loss` takes the datagram of this index. It is asked for each, in order.
    pub(super) fn loses(&mut self, loss: &Loss, index: u64) -> bool {
        match loss {
            Loss::Random(share) => share.hits(&mut self.rng),
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

    fn lost(loss: &Loss, seed: u64) -> Vec<bool> {
        let mut state = LossState::new(&Seed::from_u64(seed), 0);
        (0..100_000).map(|i| state.loses(loss, i)).collect()
    }

    fn count(lost: &[bool]) -> usize {
        lost.iter().filter(|lost| **lost).count()
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
        let lost = lost(&Loss::Bursts(Bursts::new(0.1, 8)), 1);
        let n = count(&lost);
        let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count();
        assert!((9_000..11_000).contains(&n), "{n}");
        assert!((7 * bursts..9 * bursts).contains(&n), "{n} in {bursts} bursts");
    }

    #[test]
    fn listed_datagrams_are_lost_and_no_others() {
        let lost = lost(&Loss::Indices([0, 7].into()), 1);
        let indices: Vec<_> = (0..).zip(&lost).filter(|(_, l)| **l).map(|(i, _)| i).collect();
        assert_eq!(indices, [0, 7]);
    }
}
