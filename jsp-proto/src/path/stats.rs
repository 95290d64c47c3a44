//! What a path counted and measured.

use crate::time::Duration;

/// What a path counts, as [`PathStats`] shows it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent_bytes: u64,
    pub(super) sent_datagrams: u64,
    pub(super) received_bytes: u64,
    pub(super) received_datagrams: u64,
    pub(super) acked_packets: u64,
    pub(super) acked_bytes: u64,
    pub(super) lost_packets: u64,
    pub(super) lost_bytes: u64,
    pub(super) lost_mtu_probes: u64,
    pub(super) congestion_events: u64,
    pub(super) spurious_events: u64,
    pub(super) black_holes: u64,
    pub(super) probe_timeouts: u64,
    pub(super) delivery_rate: Option<u64>,
}

/// Counts since the path was made, and measures of this moment. Bytes are of UDP payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathStats {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Packets acknowledged.
    pub acked_packets: u64,
    /// Their bytes, of packets that count as in flight.
    pub acked_bytes: u64,
    /// Packets declared lost, MTU probes excluded.
    pub lost_packets: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// MTU probes declared lost.
    pub lost_mtu_probes: u64,
    /// Times that the controller heard of losses or marks. Several may be one event to it.
    pub congestion_events: u64,
    /// Congestion events that turned out to be reordering.
    pub spurious_events: u64,
    /// Times that the path stopped carrying datagrams of the size it had carried.
    pub black_holes: u64,
    /// Probe timeouts.
    pub probe_timeouts: u64,
    /// Smoothed round-trip time; the assumption before the first sample.
    pub rtt: Duration,
    /// Smallest round-trip time measured.
    pub min_rtt: Duration,
    /// Mean deviation of the round-trip time.
    pub rtt_variance: Duration,
    /// Bytes that may be in flight.
    pub window: u64,
    /// Bytes per second at which packets leave; `None` if nothing is paced yet.
    pub pacing_rate: Option<u64>,
    /// The last delivery rate that was measured, in bytes per second.
    pub delivery_rate: Option<u64>,
    /// Size of the largest datagram that is sent.
    pub mtu: u16,
    /// Whether packets are marked as ECN-capable, and the path carries it.
    pub ecn: bool,
}
