//! A train: packets that leave together and are alike, but for their numbers and what they carry.

use super::Recovery;
use super::ring::Snapshot;
use crate::ids::{PacketNumber, Space};
use crate::record::{SentFrame, SentPacket};
use crate::rng::Rng;

/// Remembers the packets of a train of application data, one after the other. See [`Recovery::train`].
#[derive(Debug)]
pub struct SentTrain<'a> {
    recovery: &'a mut Recovery,
    packet: SentPacket,
    snapshot: Snapshot,
}

impl Recovery {
    /// Begins a train of packets of application data that are all as `packet` says: in flight and
    /// ack-eliciting. What they take with them is worked out once.
    pub fn train(&mut self, packet: SentPacket) -> SentTrain<'_> {
        debug_assert!(packet.ack_eliciting && packet.size > 0);
        // Behind the first packet something is in flight, but no time has passed.
        let snapshot = self.rate.snapshot(packet.time, self.in_flight == 0);
        SentTrain { recovery: self, packet, snapshot }
    }
}

impl SentTrain<'_> {
    /// The number for the next packet; the same until one is [pushed](Self::push).
    pub fn next_number(&mut self, rng: &mut Rng) -> PacketNumber {
        self.recovery.next_number(Space::Data, rng)
    }

    /// Remembers that the next packet was sent, with one frame that something is owed for.
    pub fn push(&mut self, number: PacketNumber, frame: SentFrame) {
        let Self { recovery, packet, snapshot } = self;
        let state = &mut recovery.spaces[Space::Data.index()];
        state.ring.make_room();
        state.ring.push_one(number, packet, *snapshot, frame);
        state.on_sent(packet.time, packet.size, true);
        recovery.in_flight += u64::from(packet.size);
        recovery.last_activity = packet.time;
    }
}
