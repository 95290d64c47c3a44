//! What routers do to the ECN field (RFC 3168), and what they should not do.

use super::fate::{Dropped, StageStats};
use super::travel::{Step, Travel};
use crate::share::Share;
use jsp_proto::ids::Ecn;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};

/// Something happens to the ECN field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EcnFault {
    /// This share of ECN-capable packets is marked as having experienced congestion.
    Mark(Share),
    /// The field is cleared.
    Bleach,
    /// ECN-capable packets are dropped.
    Drop,
}

#[derive(Debug)]
pub(super) struct EcnMeddler {
    pub(super) fault: EcnFault,
    rng: Rng,
}

impl EcnMeddler {
    pub(super) fn new(fault: EcnFault, seed: &Seed) -> Self {
        Self { fault, rng: Rng::new(seed, "marks") }
    }

    pub(super) fn pass(&mut self, at: Time, travel: &mut Travel, stats: &mut StageStats) -> Step {
        let ecn = &mut travel.packet.datagram.ecn;
        match self.fault {
            EcnFault::Mark(share) => {
                // Drawn for every packet, so that what is ECN-capable does not change who is next.
                if share.hits(&mut self.rng) && *ecn != Ecn::NotEct {
                    *ecn = Ecn::Ce;
                    stats.marked += 1;
                }
            }
            EcnFault::Bleach => *ecn = Ecn::NotEct,
            EcnFault::Drop if *ecn != Ecn::NotEct => return Step::Drop(Dropped::EcnCapable),
            EcnFault::Drop => {}
        }
        Step::On(at)
    }
}
