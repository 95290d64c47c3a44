//! A packet that was sent, as the ring remembers it until its fate is known: forty bytes each.

use crate::ids::Ecn;
use crate::record::SentPacket;
use crate::time::Time;

/// Where a remembered packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Neither acknowledged nor given up.
    Outstanding,
    /// Declared lost; kept to notice if that was wrong.
    Lost,
    /// Its frames were sent again for another reason than loss detection.
    Abandoned,
}

/// The state of delivery when a packet was sent, packed: what a rate sample needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Bytes delivered by then, times two, and one if the application limited the flight.
    delivered: u64,
    /// How long ago the last of them was, and the send of the first packet of that flight.
    ages: [u32; 2],
}

impl Snapshot {
    /// Ages are kept in units of 256 ns: exact to 0.5 % at a round trip of 50 us, at most 18 minutes.
    const SHIFT: u32 = 8;

    /// Times ago in nanoseconds.
    pub(super) fn new(
        delivered: u64,
        since_delivered: u64,
        since_first_sent: u64,
        app_limited: bool,
    ) -> Self {
        let pack = |age: u64| u32::try_from(age >> Self::SHIFT).unwrap_or(u32::MAX);
        Self {
            delivered: delivered << 1 | u64::from(app_limited),
            ages: [pack(since_delivered), pack(since_first_sent)],
        }
    }

    /// Bytes delivered when the packet was sent.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered >> 1
    }

    /// Whether the application limited the flight.
    pub(super) fn app_limited(&self) -> bool {
        self.delivered & 1 == 1
    }

    /// How long before the packet was sent the last delivery took place, in nanoseconds.
    pub(super) fn since_delivered(&self) -> u64 {
        u64::from(self.ages[0]) << Self::SHIFT
    }

    /// How long before the packet was sent the first packet of its flight was sent, in nanoseconds.
    pub(super) fn since_first_sent(&self) -> u64 {
        u64::from(self.ages[1]) << Self::SHIFT
    }
}

/// A packet that was sent, as the ring remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) time: Time,
    pub(super) snapshot: Snapshot,
    /// Position of its first frame, counted from the first frame ever sent, modulo 2^32.
    pub(super) frames: u32,
    pub(super) frame_count: u16,
    pub(super) size: u16,
    pub(super) fate: Fate,
    pub(super) ack_eliciting: bool,
    pub(super) mtu_probe: bool,
    /// Whether its frames were told to be lost.
    pub(super) told: bool,
    pub(super) ecn: Ecn,
}

impl Sent {
    /// A packet that is being sent; the ring adds where its frames are.
    pub(super) const fn new(packet: &SentPacket, snapshot: Snapshot, frame_count: u16) -> Self {
        Self {
            time: packet.time,
            snapshot,
            frames: 0,
            frame_count,
            size: packet.size,
            fate: Fate::Outstanding,
            ack_eliciting: packet.ack_eliciting,
            mtu_probe: packet.mtu_probe,
            told: false,
            ecn: packet.ecn,
        }
    }
}
