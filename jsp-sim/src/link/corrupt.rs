//! Bits that flip on the way and that no checksum caught.

use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};

/// Most bits that flip in one datagram.
const MAX_FLIPS: u64 = 4;

#[derive(Debug)]
pub(super) struct Corrupt {
    whether: Rng,
    which: Rng,
}

impl Corrupt {
    pub(super) fn new(seed: &Seed) -> Self {
        Self { whether: Rng::new(seed, "corrupt"), which: Rng::new(seed, "bits") }
    }

    /// Flips bits in `share` of payloads, and tells whether it flipped some in this one. It may flip
    /// one back.
    pub(super) fn pass(&mut self, share: Share, payload: &mut [u8]) -> bool {
        if payload.is_empty() || !share.hits(&mut self.whether) {
            return false;
        }
        for _ in 0..=self.which.below(MAX_FLIPS) {
            let bit = self.which.below(payload.len() as u64 * 8) as usize;
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        true
    }
}
