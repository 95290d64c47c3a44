//! A train: packets that leave together and are alike, but for their numbers and what they carry.

use super::Recovery;
use super::sent::Sent;
use crate::ids::{PacketNumber, Space};
use crate::record::{SentFrame, SentPacket};
use crate::rng::Rng;

/// Remembers the packets of a train of application data, one after the other. See [`Recovery::train`].
#[derive(Debug)]
pub struct SentTrain<'a> {
    recovery: &'a mut Recovery,
    /// What is remembered of each.
    sent: Sent,
}

impl Recovery {
    /// Begins a train of packets of application data that are all as `packet` says: in flight and
    /// ack-eliciting. What they take with them is worked out once.
    pub fn train(&mut self, packet: &SentPacket) -> SentTrain<'_> {
        debug_assert!(packet.ack_eliciting && packet.size > 0);
        // Behind the first packet something is in flight, but no time has passed.
        let snapshot = self.rate.snapshot(packet.time, self.in_flight == 0);
        SentTrain { recovery: self, sent: Sent::new(packet, snapshot, 1) }
    }
}

impl SentTrain<'_> {
    /// The number for the next packet, at most two above that of the last; the same until one is [pushed](Self::push).
    #[inline]
    pub fn next_number(&mut self, rng: &mut Rng) -> PacketNumber {
        self.recovery.next_number(Space::Data, rng)
    }

    /// Remembers that the next packet was sent, with one frame that something is owed for.
    #[inline]
    pub fn push(&mut self, number: PacketNumber, frame: SentFrame) {
        let Self { recovery, sent } = self;
        let state = &mut recovery.spaces[Space::Data.index()];
        state.ring.make_room(state.eliciting == 0);
        state.ring.push_one(number, *sent, frame);
        state.on_sent(sent.time, sent.size, true);
        recovery.in_flight += u64::from(sent.size);
        recovery.last_activity = sent.time;
    }
}
