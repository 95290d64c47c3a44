//! The books of one connection, kept from its packets.

use super::flight::Flight;
use super::numbers::Numbers;
use crate::rule::{Rule, Violation};
use jsp_proto::connection::{Refusal, TapPacket};
use jsp_proto::ids::{ConnectionId, PacketNumber, Space};
use jsp_proto::time::Time;
use jsp_proto::wire::frame::{AckFrame, Frame, Frames};
use jsp_proto::wire::header::Kind;

/// A packet that was sent since the last check.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own about a packet")]
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
    /// The largest probe of the path's MTU that was acknowledged: bytes of its datagram.
    pub(super) proven_mtu: u64,
}

impl Facts {
    /// Forgets what a check has seen.
    pub(super) fn clear(&mut self) {
        self.sent.clear();
        self.not_authentic = 0;
    }
}

/// What the last packets of data tell of a connection: what it takes to go on in the peer's name.
#[derive(Clone, Copy, Debug)]
pub struct Latest {
    /// The largest number that was sent.
    pub sent: PacketNumber,
    /// The largest number that was received.
    pub received: PacketNumber,
    /// The newest generation of keys that the peer has used.
    pub generation: u64,
    /// Which connection ID the peer addresses.
    pub dcid: ConnectionId,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    sent: [Numbers; 3],
    received: [Numbers; 3],
    /// The packets of data that are in flight.
    flight: Flight,
    /// Probes of the path's MTU that were not acknowledged: number and bytes of the datagram.
    mtu_probes: Vec<(u64, u64)>,
    /// Where the peer's packets of data are addressed to.
    dcid: Option<[u8; ConnectionId::LEN]>,
    /// The generation of the keys that we seal with.
    generation: u64,
    /// When the last packet was received, and when the first that demanded an answer was sent since.
    last_received: Time,
    first_sent_since: Option<Time>,
    violation: Option<Violation>,
    pub(super) facts: Facts,
}

impl Ledger {
    /// The books of a connection of which nothing was seen yet.
    pub(super) fn new() -> Self {
        Self {
            sent: Default::default(),
            received: Default::default(),
            flight: Flight::default(),
            mtu_probes: Vec::new(),
            dcid: None,
            generation: 0,
            last_received: Time::ZERO,
            first_sent_since: None,
            violation: None,
            facts: Facts::default(),
        }
    }

    /// Since when the peer has been silent, in the sense of the idle timeout.
    pub(super) fn silent_since(&self) -> Time {
        self.first_sent_since.unwrap_or(self.last_received).max(self.last_received)
    }

    /// Bytes of data in flight.
    pub(super) const fn data_in_flight(&self) -> u64 {
        self.flight.bytes()
    }

    /// What the last packets of data tell, once there are some of both directions.
    pub(super) fn latest(&self) -> Option<Latest> {
        let last = |numbers: &[Numbers; 3]| numbers[Space::Data.index()].last().map(PacketNumber);
        Some(Latest {
            sent: last(&self.sent)?,
            received: last(&self.received)?,
            generation: self.facts.received_generation,
            dcid: self.dcid?.into(),
        })
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
            self.sent_data(packet);
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
        if packet.kind == Kind::Data {
            let dcid = packet.header.get(1..=ConnectionId::LEN);
            self.dcid = dcid.and_then(|dcid| dcid.try_into().ok());
        }
        for ack in acks(packet.payload) {
            let never = ack.ranges().find_map(|range| {
                self.sent[space.index()].first_missing(*range.start(), *range.end())
            });
            self.facts.lie = self.facts.lie.or(never);
            if space == Space::Data {
                self.acknowledged(&ack);
            }
        }
    }

    /// A packet of data was sent: what is in it, and what it makes of the books.
    fn sent_data(&mut self, packet: &TapPacket<'_>) {
        let number = packet.number.0;
        let size = if packet.in_flight { packet.size as u32 } else { 0 };
        self.flight.sent(number, size);
        if packet.mtu_probe {
            self.mtu_probes.push((number, packet.datagram as u64));
        }
        let received = &self.received[Space::Data.index()];
        let claims = |ack: AckFrame<'_>| {
            ack.ranges().find_map(|range| received.first_missing(*range.start(), *range.end()))
        };
        if let Some(never) = acks(packet.payload).find_map(claims) {
            let what = format!("packet {number} acknowledges {never}, which never arrived");
            self.broken(Rule::Numbers, what);
        }
    }

    /// The peer says that it has packets of data.
    fn acknowledged(&mut self, ack: &AckFrame<'_>) {
        for range in ack.ranges() {
            self.flight.settle(&range);
            if !self.mtu_probes.is_empty() {
                let proven = &mut self.facts.proven_mtu;
                self.mtu_probes.retain(|(number, datagram)| {
                    let arrived = range.contains(number);
                    if arrived {
                        *proven = (*proven).max(*datagram);
                    }
                    !arrived
                });
            }
        }
    }

    pub(super) fn lost(&mut self, space: Space, number: PacketNumber) {
        if space == Space::Data {
            self.flight.settle(&(number.0..=number.0));
        }
    }

    pub(super) fn refused(&mut self, kind: Kind, why: Refusal) {
        self.facts.not_authentic += u64::from(kind == Kind::Data && why == Refusal::NotAuthentic);
    }
}

/// The acknowledgements in a packet.
fn acks(payload: &[u8]) -> impl Iterator<Item = AckFrame<'_>> {
    let frames = Frames::new(payload).map_while(Result::ok);
    frames.filter_map(|(_, frame)| match frame {
        Frame::Ack(ack) => Some(ack),
        _ => None,
    })
}
