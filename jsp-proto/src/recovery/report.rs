//! What recovery tells the connection after an acknowledgement or a timeout.

use crate::ids::{PacketNumber, Space};
use crate::record::{AckSample, CongestionEvent, SentFrame};
use crate::time::Time;
use crate::wire::frame::EcnCounts;

/// Takes the frames of packets whose fate is known. Each frame is told lost at most once and
/// acknowledged at most once, but both where a packet that was given up arrives after all: then
/// there is no need to send again what has not been yet.
pub trait Sink {
    /// The peer has it.
    fn acked(&mut self, space: Space, frame: SentFrame);
    /// All that one ACK acknowledges was told.
    fn acked_all(&mut self) {}
    /// It must be sent again, if it still matters. The peer may have it nevertheless.
    fn lost(&mut self, space: Space, frame: SentFrame);

    /// A packet was declared lost, for those who count packets.
    fn packet_lost(&mut self, now: Time, space: Space, number: PacketNumber) {
        let _ = (now, space, number);
    }

    /// A packet that had been declared lost is acknowledged.
    fn packet_late(&mut self, now: Time, space: Space, number: PacketNumber) {
        let _ = (now, space, number);
    }
}

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossReport {
    /// What the controller is to hear, if packets that count were lost.
    pub congestion: Option<CongestionEvent>,
    /// Packets declared lost, MTU probes excluded.
    pub packets: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Size of the smallest of them; 0 if there is none. A black hole swallows only large ones.
    pub smallest: u16,
    /// How many of them were marked as ECN-capable.
    pub ecn: u32,
    /// Size of the MTU probe that was lost.
    pub mtu_probe: Option<u16>,
}

impl LossReport {
    /// Whether nothing was lost.
    pub const fn is_empty(&self) -> bool {
        self.packets == 0 && self.mtu_probe.is_none()
    }
}

/// What one ACK frame brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckReport {
    /// For the controller; `None` if no bytes in flight were newly acknowledged.
    pub sample: Option<AckSample>,
    /// Packets newly acknowledged.
    pub packets: u32,
    /// Size of the largest of them that is not an MTU probe; 0 if there is none.
    pub largest_size: u16,
    /// Size of the MTU probe that arrived.
    pub mtu_probe: Option<u16>,
    /// What it uncovered as lost.
    pub losses: LossReport,
    /// All losses of the last congestion event turned out to be reordering: undo it.
    pub spurious: bool,
    /// What it told about ECN.
    pub ecn: EcnReport,
}

/// What an ACK frame told about ECN (RFC 9000, section 13.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnReport {
    /// The peer's counts, if the frame had any.
    pub counts: Option<EcnCounts>,
    /// Packets sent as ECT(0) that are newly acknowledged.
    pub newly_acked: u64,
    /// Whether the largest acknowledged number grew: counts of other ACKs may be old.
    pub is_newest: bool,
    /// When the newest of the newly acknowledged packets was sent.
    pub sent: Time,
}

/// What a timer brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutReport {
    /// What the reordering timer uncovered as lost.
    pub losses: LossReport,
    /// Whether a probe timeout expired: [`Recovery::probes`](super::Recovery::probes) tells what may
    /// be sent.
    pub probe: bool,
}
