//! Packets that are too large.

use super::fate::Dropped;
use super::travel::{Step, Travel};
use crate::units::Size;
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};

/// Drops IP packets that are larger than the link can carry; none may be fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mtu {
    /// The largest packet that passes, in bytes with IP and UDP headers.
    pub size: Size,
    /// Whether the sender is told. If not, the link is a black hole for those who believe otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tell: bool,
}

impl Mtu {
    pub(super) fn pass(self, at: Time, travel: &Travel) -> Step {
        let mtu = usize::try_from(self.size.bytes()).unwrap_or(usize::MAX);
        if travel.packet.datagram.packet_len() > mtu {
            Step::Drop(Dropped::TooBig { mtu: self.tell.then_some(mtu) })
        } else {
            Step::On(at)
        }
    }
}
