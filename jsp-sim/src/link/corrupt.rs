//! Bits that flip on the way and that no checksum caught.

use super::fate::StageStats;
use super::travel::{Step, Travel};
use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};

/// Most bits that flip in one datagram.
const MAX_FLIPS: usize = 4;

/// Flips one to four bits in some payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How many of the datagrams.
    pub share: Share,
}

#[derive(Debug)]
pub(super) struct Corrupter {
    pub(super) corrupt: Corrupt,
    whether: Rng,
    which: Rng,
}

impl Corrupter {
    pub(super) fn new(corrupt: Corrupt, seed: &Seed) -> Self {
        Self { corrupt, whether: Rng::new(seed, "whether"), which: Rng::new(seed, "which") }
    }

    pub(super) fn pass(&mut self, at: Time, travel: &mut Travel, stats: &mut StageStats) -> Step {
        let payload = &mut travel.packet.datagram.payload;
        let bits = payload.len() as u64 * 8;
        if self.corrupt.share.hits(&mut self.whether) && bits != 0 {
            let mut flipped = [0; MAX_FLIPS];
            let count = 1 + self.which.below(MAX_FLIPS as u64) as usize;
            for i in 0..count {
                flipped[i] = self.which.below(bits) as usize;
                // A bit that flips back would leave the datagram as it was.
                if !flipped[..i].contains(&flipped[i]) {
                    payload[flipped[i] / 8] ^= 1 << (flipped[i] % 8);
                }
            }
            travel.packet.corrupted = true;
            stats.corrupted += 1;
        }
        Step::On(at)
    }
}
