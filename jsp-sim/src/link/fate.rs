//! What becomes of packets: how they leave a link, and how many did so in which way.

use crate::datagram::Packet;
use jsp_proto::time::Time;

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Nobody has the address.
    NoRoute,
    /// It went round in circles.
    HopLimit,
    /// The link was out.
    Outage,
    /// It was larger than the link's MTU. Where the sender is told, this is what it is told; else the
    /// link is a black hole.
    TooBig {
        /// What the link carries: bytes of an IP packet.
        mtu: Option<usize>,
    },
    /// It was lost.
    Lost,
    /// The queue was full.
    QueueFull,
    /// The queue was too long for too long (active queue management).
    Managed,
    /// It was ECN-capable, and something on the way dislikes that.
    EcnCapable,
    /// A box forbade it: nobody inside had asked for it, or its port is closed.
    Filtered,
    /// It came to an outer endpoint of a translator that stands for nobody.
    NoMapping,
    /// A box had no room for one more mapping, flow or port.
    Exhausted,
    /// It should have been turned round by a translator that does not do that.
    NoHairpin,
}

impl Dropped {
    /// The reason's name, as traces write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::HopLimit => "hop-limit",
            Self::Outage => "outage",
            Self::TooBig { .. } => "too-big",
            Self::Lost => "lost",
            Self::QueueFull => "queue-full",
            Self::Managed => "managed",
            Self::EcnCapable => "ecn-capable",
            Self::Filtered => "filtered",
            Self::NoMapping => "no-mapping",
            Self::Exhausted => "exhausted",
            Self::NoHairpin => "no-hairpin",
        }
    }
}

/// How a packet leaves a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It comes out at the other end.
    Arrival {
        /// When: now or later.
        time: Time,
        /// What comes out.
        packet: Packet,
    },
    /// It does not.
    Dropped {
        /// Why. What is dropped behind a delay is told as soon as it is known; but that it was too big,
        /// where somebody wants to hear that, when it has come so far.
        why: Dropped,
        /// What is gone.
        packet: Packet,
    },
}

/// What became of the datagrams that entered a pipe, in numbers. What is on its way through stages
/// that wait for nothing else counts as delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeStats {
    /// Datagrams that entered.
    pub entered: u64,
    /// Bytes of UDP payload that entered.
    pub entered_bytes: u64,
    /// Datagrams that leave or left at the other end, copies included.
    pub delivered: u64,
    /// Bytes of UDP payload that leave or left at the other end.
    pub delivered_bytes: u64,
    /// Lost by chance, by index, in an outage or for being ECN-capable.
    pub lost: u64,
    /// Larger than the MTU.
    pub too_big: u64,
    /// Dropped at the full queue.
    pub queue_full: u64,
    /// Dropped by active queue management.
    pub managed: u64,
    /// Marked as having experienced congestion.
    pub marked: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back so that others overtake them.
    pub reordered: u64,
    /// Delivered with flipped bits.
    pub corrupted: u64,
}

impl PipeStats {
    pub(super) const fn count(&mut self, why: Dropped) {
        match why {
            Dropped::TooBig { .. } => self.too_big += 1,
            Dropped::QueueFull => self.queue_full += 1,
            Dropped::Managed => self.managed += 1,
            _ => self.lost += 1,
        }
    }
}

/// What one stage did, in numbers of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageStats {
    /// Entered the stage.
    pub entered: u64,
    /// Leave or left it, copies included.
    pub left: u64,
    /// It dropped.
    pub dropped: u64,
    /// It marked as having experienced congestion.
    pub marked: u64,
    /// It copied.
    pub duplicated: u64,
    /// It flipped bits of.
    pub corrupted: u64,
    /// It held back, or had wait in its queue.
    pub held: u64,
}
