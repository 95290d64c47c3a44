//! Which packets something happens to: a share of them, or every nth.

use crate::share::Share;
use jsp_proto::rng::Rng;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;

/// Every `nth` packet, beginning with the one of index `offset`, counted from 0 as they enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Every {
    /// One in how many.
    pub nth: NonZeroU64,
    /// Index of the first, modulo `nth`.
    #[serde(default)]
    pub offset: u64,
}

impl Every {
    /// Whether the packet of this index is one of them.
    pub const fn hits(&self, index: u64) -> bool {
        index % self.nth.get() == self.offset % self.nth.get()
    }
}

/// Some packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A share of them, each drawn for itself.
    Share(Share),
    /// Every nth.
    Every(Every),
}

impl Which {
    /// Whether the packet of this index is one of them.
    pub(super) fn hits(&self, index: u64, rng: &mut Rng) -> bool {
        match self {
            Self::Share(share) => share.hits(rng),
            Self::Every(every) => every.hits(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_begins_at_its_offset() {
        let every = Every { nth: NonZeroU64::new(3).unwrap(), offset: 4 };
        let hit: Vec<_> = (0..9).filter(|i| every.hits(*i)).collect();
        assert_eq!(hit, [1, 4, 7]);
    }
}
