//! The books of one connection, kept from its packets.

use super::numbers::Numbers;
use crate::rule::{Rule, Violation};
use jsp_proto::connection::{Refusal, TapPacket};
use jsp_proto::ids::Space;
use jsp_proto::time::Time;
use jsp_proto::wire::frame::{Frame, Frames};
use jsp_proto::wire::header::Kind;

/// A packet that was sent since the last check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Whether it belongs to the handshake's spaces.
    pub(super) handshake: bool,
    pub(super) size: u64,
    pub(super) datagram: u64,
    pub(super) in_flight: bool,
    pub(super) exempt: bool,
    pub(super) paced: bool,
    pub(super) mtu_probe: bool,
}

/// What happened since the last check, and what is known from before.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) sent: Vec<Sent>,
    /// Packets that did not open.
    pub(super) not_authentic: u64,
    /// A packet that the peer acknowledged and that was never sent.
    pub(super) lie: Option<u64>,
    /// Whether the peer ever sent a Handshake packet: it has our ServerHello, and so its address.
    pub(super) heard_handshake: bool,
    /// The newest generation of keys that the peer has used.
    pub(super) received_generation: u64,
}

impl Facts {
    /// Forgets what a check has seen.
    pub(super) fn clear(&mut self) {
        self.sent.clear();
        self.not_authentic = 0;
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    sent: [Numbers; 3],
    received: [Numbers; 3],
    /// The generation of the keys that we seal with.
    generation: u64,
    /// When the last packet was received, and when the first that demanded an answer was sent since.
    last_received: Time,
    first_sent_since: Option<Time>,
    violation: Option<Violation>,
    pub(super) facts: Facts,
}

impl Ledger {
    /// The books of a connection that begins at `now`.
    pub(super) fn new(now: Time) -> Self {
        Self {
            sent: Default::default(),
            received: Default::default(),
            generation: 0,
            last_received: now,
            first_sent_since: None,
            violation: None,
            facts: Facts::default(),
        }
    }

    /// Since when the peer has been silent, in the sense of the idle timeout.
    pub(super) fn silent_since(&self) -> Time {
        self.first_sent_since.unwrap_or(self.last_received).max(self.last_received)
    }

    /// The first rule that a packet broke by itself.
    pub(super) fn take_violation(&mut self) -> Result<(), Violation> {
        self.violation.take().map_or(Ok(()), Err)
    }

    fn broken(&mut self, rule: Rule, what: String) {
        self.violation.get_or_insert(Violation { rule, what });
    }

    pub(super) fn sent(&mut self, packet: &TapPacket<'_>) {
        let space = packet.kind.space();
        let number = packet.number.0;
        if !self.sent[space.index()].ascend(number) {
            let what = format!("packet {number} of {space:?} was sent after a later one");
            self.broken(Rule::Numbers, what);
        }
        if packet.kind == Kind::Data {
            if packet.generation < self.generation {
                let what = format!("packet {number} was sealed with keys that are over");
                self.broken(Rule::Numbers, what);
            }
            self.generation = packet.generation;
        }
        if packet.ack_eliciting && self.first_sent_since.is_none() {
            self.first_sent_since = Some(packet.now);
        }
        self.facts.sent.push(Sent {
            handshake: space != Space::Data,
            size: packet.size as u64,
            datagram: packet.datagram as u64,
            in_flight: packet.in_flight,
            exempt: packet.exempt,
            paced: packet.paced,
            mtu_probe: packet.mtu_probe,
        });
    }

    pub(super) fn received(&mut self, packet: &TapPacket<'_>) {
        let space = packet.kind.space();
        let number = packet.number.0;
        if !self.received[space.index()].insert(number) {
            let what = format!("packet {number} of {space:?} was opened twice");
            self.broken(Rule::Numbers, what);
        }
        self.last_received = packet.now;
        self.first_sent_since = None;
        self.facts.heard_handshake |= packet.kind == Kind::Handshake;
        let newest = &mut self.facts.received_generation;
        *newest = packet.generation.max(*newest);
        let frames = Frames::new(packet.payload).map_while(Result::ok);
        for (_, frame) in frames {
            if let Frame::Ack(ack) = frame {
                let never = ack.ranges().find_map(|range| {
                    self.sent[space.index()].first_missing(*range.start(), *range.end())
                });
                self.facts.lie = self.facts.lie.or(never);
            }
        }
    }

    pub(super) fn refused(&mut self, kind: Kind, why: Refusal) {
        self.facts.not_authentic += u64::from(kind == Kind::Data && why == Refusal::NotAuthentic);
    }
}
