//! Plain records that rooms of one floor hand to each other through the connection.

use crate::ids::{Dir, Ecn, PacketNumber, StreamId};
use crate::time::{Duration, Time};
use core::net::{IpAddr, SocketAddr};

/// Length of a packet's authentication tag, in bytes; the same in every suite.
pub const TAG_LEN: usize = 16;

/// A frame of a sent packet that something is owed for: told back when the packet is acknowledged or
/// lost, or first one and then the other if it was late. Frames that need neither (PADDING, PING, ...) have no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentFrame {
    /// An ACK that told of packets up to this number; below it nothing need be told again.
    Ack(PacketNumber),
    /// Handshake bytes.
    Crypto {
        /// Offset of the first byte.
        start: u32,
        /// Number of bytes.
        len: u32,
    },
    /// Bytes of a stream, its end included if `fin`.
    Stream {
        /// The stream.
        id: StreamId,
        /// Offset of the first byte.
        start: u64,
        /// Number of bytes.
        len: u32,
        /// Whether the frame carried the end of the stream.
        fin: bool,
    },
    /// The current value is sent again if it was lost.
    ResetStream(StreamId),
    /// The current value is sent again if it was lost.
    StopSending(StreamId),
    /// A credit update for the connection.
    MaxData,
    /// A credit update for a stream.
    MaxStreamData(StreamId),
    /// A credit update for a kind of stream.
    MaxStreams(Dir),
    /// The connection ID of this sequence number was issued.
    NewConnectionId(u64),
    /// The connection ID of this sequence number was retired.
    RetireConnectionId(u64),
    /// The request of this sequence number for another frequency of acknowledgements.
    AckFrequency(u64),
    /// The handshake was confirmed.
    HandshakeDone,
}

/// What a sender remembers of a packet beside its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// When it was sent.
    pub time: Time,
    /// Bytes of the UDP payload that it took; 0 if it does not count as in flight.
    pub size: u16,
    /// Whether the peer must acknowledge it.
    pub ack_eliciting: bool,
    /// Whether it is a probe of the path's MTU, whose loss is not congestion.
    pub mtu_probe: bool,
    /// The codepoint that it was sent with.
    pub ecn: Ecn,
}

/// What an acknowledgement tells a congestion controller, once per ACK frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSample {
    /// When the acknowledgement arrived.
    pub now: Time,
    /// Bytes newly acknowledged.
    pub acked: u64,
    /// Bytes in flight before this acknowledgement.
    pub prior_in_flight: u64,
    /// Bytes in flight after it.
    pub in_flight: u64,
    /// The largest packet newly acknowledged.
    pub largest: PacketNumber,
    /// When that packet was sent.
    pub largest_sent: Time,
    /// The round-trip time that this acknowledgement measured, if it did.
    pub rtt: Option<Duration>,
    /// Delivery rate over the sample in bytes per second (draft-ietf-ccwg-bbr, section 4.1), if
    /// known.
    pub delivery_rate: Option<u64>,
    /// Whether the application, not the window, limited what was sent.
    pub app_limited: bool,
}

/// A sign of congestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CongestionEvent {
    /// When it was noticed.
    pub now: Time,
    /// When the newest packet concerned was sent.
    pub sent: Time,
    /// Bytes declared lost; 0 if the sign is ECN alone.
    pub lost: u64,
    /// Bytes in flight after the loss.
    pub in_flight: u64,
    /// Whether the losses span a period of persistent congestion (RFC 9002, section 7.6).
    pub persistent: bool,
    /// Whether the network marked packets instead of dropping them.
    pub ecn: bool,
}

/// What is held of something that a limit bounds, both in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// What is held now.
    pub bytes: u64,
    /// What may be held at most.
    pub limit: u64,
}

impl Held {
    /// `bytes` of at most `limit`.
    pub const fn new(bytes: usize, limit: usize) -> Self {
        Self { bytes: bytes as u64, limit: limit as u64 }
    }

    /// Whether it is too much.
    pub const fn is_over(&self) -> bool {
        self.bytes > self.limit
    }
}

/// Where a datagram came from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender's address.
    pub remote: SocketAddr,
    /// The local address that it was sent to, where the socket tells.
    pub local: Option<IpAddr>,
    /// The ECN field.
    pub ecn: Ecn,
}

/// Where datagrams go, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The receiver's address.
    pub remote: SocketAddr,
    /// The local address to send from, if it matters.
    pub local: Option<IpAddr>,
    /// The ECN field.
    pub ecn: Ecn,
    /// Bytes of the caller's slice that were written.
    pub len: usize,
    /// Size of each datagram in them; the last may be shorter. Equal to `len` for a single one.
    pub segment: usize,
}
