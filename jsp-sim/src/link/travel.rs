//! A packet between two stages.

use super::fate::Dropped;
use crate::datagram::Packet;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use sha2::{Digest, Sha256};

/// A packet on its way through a pipe.
#[derive(Debug)]
pub(super) struct Travel {
    pub(super) packet: Packet,
    /// Delay that is added at the end, because it makes no difference to the stages on the way (see
    /// `running`).
    pub(super) owed: Duration,
}

impl Travel {
    /// What the clock shows where the stages reckon with `at`.
    pub(super) fn clock(&self, at: Time) -> Time {
        at + self.owed
    }
}

/// What a stage does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It leaves at this time.
    On(Time),
    /// It leaves at once, and a copy of it at this time.
    Copy(Time),
    /// It ends here.
    Drop(Dropped),
}

/// The seed of the stage called `name` in a link of this seed.
pub(super) fn stage_seed(link: &Seed, name: &str) -> Seed {
    // The names of random streams end after 12 bytes, those of stages do not.
    let key: [u8; 32] = Rng::new(link, "stage").array();
    Seed::new(Sha256::new().chain_update(key).chain_update(name).finalize().into())
}
