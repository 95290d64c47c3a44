//! One path: a pair of addresses, and everything that is learnt of the network between them.
//!
//! ```text
//!   what arrives ---> amplification budget        acknowledgements, timeouts (recovery's reports)
//!                                                   |        |         |         |
//!   what leaves  <--- window, pacing, MTU, ECN <--- rtt  controller  mtud.rs   ecn.rs
//! ```
//!
//! [`Path`] asks each part and tells each part; it decides nothing itself.

mod amplification;
mod ecn;
mod frequency;
mod mtud;
mod pacer;
mod stats;
#[cfg(test)]
mod tests;

pub use amplification::Amplification;
pub use ecn::EcnValidation;
pub use frequency::AckFrequency;
pub use mtud::{MtuConfig, Mtud};
pub use pacer::Pacer;
use stats::Counts;
pub use stats::PathStats;

use crate::congestion::{Controller, ControllerFactory, CubicFactory};
use crate::ids::{Ecn, PacketNumber, Space};
use crate::planted::{self, Bug};
use crate::record::{CongestionEvent, SentPacket};
use crate::recovery::{AckReport, INITIAL_RTT, LossReport, TimeoutReport};
use crate::rtt::Rtt;
use crate::time::{Duration, Time};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};

/// How paths are made.
#[derive(Clone, Debug)]
pub struct PathConfig {
    /// The round-trip time assumed before the first sample. It is the first probe timeout, too.
    pub initial_rtt: Duration,
    /// Makes the congestion controller.
    pub controller: Arc<dyn ControllerFactory>,
    /// The sizes of datagrams.
    pub mtu: MtuConfig,
    /// Whether to mark packets as ECN-capable, if the path carries it.
    pub ecn: bool,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            initial_rtt: INITIAL_RTT,
            controller: Arc::new(CubicFactory),
            mtu: MtuConfig::default(),
            ecn: true,
        }
    }
}

/// What window and pacing allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// This many bytes may be sent now: at least one full datagram.
    Open(u64),
    /// The congestion window is full until something is acknowledged or lost.
    Window,
    /// The pacer lets the next datagrams go at this time.
    Paced(Time),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Path {
    remote: SocketAddr,
    local: Option<IpAddr>,
    amplification: Amplification,
    rtt: Rtt,
    controller: Box<dyn Controller>,
    pacer: Pacer,
    mtud: Mtud,
    ecn: EcnValidation,
    frequency: AckFrequency,
    /// The largest packet that was acknowledged.
    largest_acked: u16,
    counts: Counts,
}

impl Path {
    /// A new path. `validated`: the peer is known to receive at `remote`.
    pub fn new(
        config: &PathConfig,
        now: Time,
        remote: SocketAddr,
        local: Option<IpAddr>,
        validated: bool,
    ) -> Self {
        let mtud = Mtud::new(config.mtu);
        Self {
            remote,
            local,
            amplification: Amplification::new(validated),
            rtt: Rtt::new(config.initial_rtt),
            controller: config.controller.build(now, mtud.current()),
            pacer: Pacer::new(now, mtud.current()),
            mtud,
            ecn: EcnValidation::new(config.ecn),
            frequency: AckFrequency::new(),
            largest_acked: 0,
            counts: Counts::default(),
        }
    }

    /// The peer's address.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The local address that datagrams are sent from, if it matters.
    pub fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// The round-trip time.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The round-trip time, for [`Recovery::on_ack`](crate::recovery::Recovery::on_ack) to update, and the
    /// requests for acknowledgements, whose fates it tells.
    pub fn measures(&mut self) -> (&mut Rtt, &mut AckFrequency) {
        (&mut self.rtt, &mut self.frequency)
    }

    /// What the peer was asked about acknowledgements.
    pub fn frequency(&self) -> &AckFrequency {
        &self.frequency
    }

    /// The same, to ask.
    pub fn frequency_mut(&mut self) -> &mut AckFrequency {
        &mut self.frequency
    }

    /// The largest datagram to send.
    pub fn mtu(&self) -> u16 {
        self.mtud.current()
    }

    /// The size of datagrams that every path is taken to carry, whatever was tried.
    pub fn assumed_mtu(&self) -> u16 {
        self.mtud.assumed()
    }

    /// The size of the largest packet that was acknowledged, probes of the MTU included: the path carried
    /// as much. 0 at first.
    pub fn largest_acked(&self) -> u16 {
        self.largest_acked
    }

    /// The congestion window, in bytes.
    pub fn window(&self) -> u64 {
        self.controller.window()
    }

    /// What spreads packets over the round trip.
    pub fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    /// Bytes of the datagrams that came from the peer's address, and of those sent to it.
    pub fn transferred(&self) -> (u64, u64) {
        (self.counts.received_bytes, self.counts.sent_bytes)
    }

    /// The size of datagrams of data after `timeouts` probe timeouts in a row.
    pub fn datagram_size(&self, timeouts: u32) -> u16 {
        self.mtud.probe_size(timeouts)
    }

    /// The peer's parameters say that it takes no datagram larger than `size`.
    pub fn set_peer_datagram_limit(&mut self, size: u16) {
        self.mtud.set_peer_limit(size);
        self.spread_mtu();
    }

    /// The size of the MTU probe to send, if one is due: a datagram of its own, padded to the size,
    /// with a PING, marked as a probe.
    pub fn next_mtu_probe(&self, now: Time) -> Option<u16> {
        self.mtud.next_probe(now)
    }

    /// How to mark the next datagram.
    pub fn codepoint(&self) -> Ecn {
        self.ecn.codepoint()
    }

    /// Datagrams of `bytes` bytes in all came from the peer's address.
    pub fn on_received(&mut self, bytes: usize, datagrams: usize) {
        let bytes = bytes as u64;
        self.amplification.on_received(bytes);
        self.counts.received_bytes += bytes;
        self.counts.received_datagrams += datagrams as u64;
    }

    /// The peer proved that it receives at the remote address.
    pub fn validate(&mut self) {
        self.amplification.validate();
    }

    /// The handshake is confirmed: its spaces are gone.
    pub fn on_confirmed(&mut self) {
        self.ecn.forget_handshake();
    }

    /// Whether the peer proved that.
    pub fn is_validated(&self) -> bool {
        self.amplification.is_validated()
    }

    /// How many bytes the anti-amplification limit lets out.
    pub fn amplification_budget(&self) -> u64 {
        self.amplification.budget()
    }

    /// What window and pacing allow to be sent beside `in_flight` bytes. It binds neither ACKs nor
    /// probes.
    pub fn quota(&self, now: Time, in_flight: u64) -> Quota {
        let mtu = u64::from(self.mtu());
        let in_flight = if planted::is(Bug::WindowIgnored) { 0 } else { in_flight };
        let room = self.controller.window().saturating_sub(in_flight);
        if room < mtu {
            return Quota::Window;
        }
        if planted::is(Bug::PacingIgnored) || self.pacer.allows(now, room) {
            return Quota::Open(room);
        }
        let allowance = self.pacer.allowance(now);
        if allowance >= mtu {
            return Quota::Open(room.min(allowance));
        }
        match self.pacer.next_time(now, self.pacer.quantum().min(room)) {
            Some(at) => Quota::Paced(at),
            None => Quota::Open(mtu),
        }
    }

    /// Datagrams of `bytes` bytes in all were sent.
    pub fn on_datagrams_sent(&mut self, bytes: usize, datagrams: usize) {
        let bytes = bytes as u64;
        self.amplification.on_sent(bytes);
        self.counts.sent_bytes += bytes;
        self.counts.sent_datagrams += datagrams as u64;
    }

    /// A packet was sent; `in_flight` includes it.
    pub fn on_packet_sent(
        &mut self,
        space: Space,
        number: PacketNumber,
        packet: &SentPacket,
        in_flight: u64,
    ) {
        self.ecn.on_sent(space, packet.ecn, 1);
        if packet.mtu_probe {
            self.mtud.on_sent(packet.time, packet.size);
        }
        if packet.size > 0 {
            let bytes = u64::from(packet.size);
            self.pacer.on_sent(packet.time, bytes);
            self.controller.on_sent(packet.time, bytes, number, in_flight);
        }
    }

    /// `count` packets of application data were sent, each as `packet` says, the last with number `newest`;
    /// `in_flight` includes them. The same as so many calls of [`on_packet_sent`](Self::on_packet_sent).
    pub fn on_train_sent(
        &mut self,
        packet: &SentPacket,
        count: u64,
        newest: PacketNumber,
        in_flight: u64,
    ) {
        debug_assert!(!packet.mtu_probe && packet.size > 0);
        let bytes = count * u64::from(packet.size);
        self.ecn.on_sent(Space::Data, packet.ecn, count);
        self.pacer.on_sent(packet.time, bytes);
        self.controller.on_sent(packet.time, bytes, newest, in_flight);
    }

    /// Hands out what an ACK frame of `space` brought. `in_flight` is what is left after it.
    pub fn on_ack(&mut self, now: Time, space: Space, report: &AckReport, in_flight: u64) {
        self.counts.acked_packets += u64::from(report.packets);
        if let Some(size) = report.mtu_probe {
            self.on_mtu_probe_acked(size);
        }
        self.mtud.on_data_acked(report.largest_size);
        let largest = report.largest_size.max(report.mtu_probe.unwrap_or(0));
        self.largest_acked = self.largest_acked.max(largest);
        if let Some(sample) = &report.sample {
            self.counts.acked_bytes += sample.acked;
            self.counts.delivery_rate = sample.delivery_rate.or(self.counts.delivery_rate);
            self.controller.on_ack(sample, &self.rtt);
            let (flight, mtu) = (sample.prior_in_flight, self.mtu());
            self.frequency.on_ack(now, flight, self.controller.window(), mtu, &self.rtt);
        }
        if report.spurious {
            self.counts.spurious_events += 1;
            self.controller.on_spurious(now);
        }
        if self.ecn.on_ack(space, &report.ecn) {
            self.on_marked(now, report.ecn.sent, in_flight);
        }
        if !report.losses.is_empty() {
            self.on_losses(&report.losses);
        }
        self.pacer.set_rate(now, self.controller.pacing_rate(&self.rtt));
    }

    /// Hands out what a timer of recovery's brought.
    pub fn on_timeout(&mut self, now: Time, report: &TimeoutReport) {
        self.on_losses(&report.losses);
        if report.probe {
            self.counts.probe_timeouts += 1;
        }
        self.pacer.set_rate(now, self.controller.pacing_rate(&self.rtt));
    }

    #[cold]
    fn on_mtu_probe_acked(&mut self, size: u16) {
        self.mtud.on_acked(size);
        self.spread_mtu();
    }

    /// The network marked packets; the newest that is acknowledged was sent at `sent`.
    #[cold]
    fn on_marked(&mut self, now: Time, sent: Time, in_flight: u64) {
        let (lost, persistent, ecn) = (0, false, true);
        self.on_congestion(&CongestionEvent { now, sent, lost, in_flight, persistent, ecn });
    }

    #[cold]
    fn on_losses(&mut self, losses: &LossReport) {
        self.counts.lost_packets += u64::from(losses.packets);
        self.counts.lost_bytes += losses.bytes;
        self.ecn.on_lost(losses.ecn);
        if let Some(size) = losses.mtu_probe {
            self.counts.lost_mtu_probes += 1;
            self.mtud.on_lost(size);
        }
        if losses.smallest > 0 && self.mtud.on_data_lost(losses.smallest) {
            self.counts.black_holes += 1;
            self.spread_mtu();
        }
        if let Some(event) = &losses.congestion {
            self.on_congestion(event);
        }
    }

    fn on_congestion(&mut self, event: &CongestionEvent) {
        self.counts.congestion_events += 1;
        self.controller.on_congestion(event);
    }

    /// Tells the parts that count in packets of the current size.
    fn spread_mtu(&mut self) {
        let mtu = self.mtud.current();
        self.controller.on_mtu(mtu);
        self.pacer.set_mtu(mtu);
    }

    /// What was counted, and what is measured now.
    pub fn stats(&self) -> PathStats {
        let counts = &self.counts;
        PathStats {
            sent_bytes: counts.sent_bytes,
            sent_datagrams: counts.sent_datagrams,
            received_bytes: counts.received_bytes,
            received_datagrams: counts.received_datagrams,
            acked_packets: counts.acked_packets,
            acked_bytes: counts.acked_bytes,
            lost_packets: counts.lost_packets,
            lost_bytes: counts.lost_bytes,
            lost_mtu_probes: counts.lost_mtu_probes,
            congestion_events: counts.congestion_events,
            spurious_events: counts.spurious_events,
            black_holes: counts.black_holes,
            probe_timeouts: counts.probe_timeouts,
            delivery_rate: counts.delivery_rate,
            rtt: self.rtt.smoothed(),
            min_rtt: self.rtt.min(),
            rtt_variance: self.rtt.variance(),
            window: self.controller.window(),
            pacing_rate: self.pacer.rate(),
            mtu: self.mtu(),
            ecn: self.ecn.is_capable(),
        }
    }
}
