//! What a connection has measured. Every figure is counted or estimated from packets, none assumed.

use crate::crypto::Suite;
use crate::path::PathStats;
use crate::stream::StreamStats;
use crate::time::Duration;

/// Counts of a connection since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets opened and processed.
    pub packets_received: u64,
    /// Packets sealed.
    pub packets_sent: u64,
    /// Packets that arrived again, or too late to tell.
    pub packets_refused: u64,
    /// Packets that came before their keys and were kept for later.
    pub packets_deferred: u64,
    /// ACK frames received.
    pub acks_received: u64,
    /// ACK frames sent.
    pub acks_sent: u64,
    /// Probe timeouts.
    pub probe_timeouts: u64,
    /// Key updates, of either end.
    pub key_updates: u64,
    /// Handshake bytes sent, retransmissions included.
    pub handshake_bytes_sent: u64,
}

/// A snapshot of a connection's statistics.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Counts since the beginning.
    pub counts: Counts,
    /// The negotiated suite, once there is one.
    pub suite: Option<Suite>,
    /// The provider that does the cryptography.
    pub provider: &'static str,
    /// From the first packet to [`Event::Connected`](super::Event::Connected), once it happened.
    pub handshake: Option<Duration>,
    /// What the streams carried.
    pub streams: StreamStats,
    /// The path.
    pub path: PathStats,
}
