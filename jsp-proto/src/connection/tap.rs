//! Watching a connection's packets: what a simulator checks, and what a trace or a capture shows.
//!
//! A tap sees each packet as it is before it is sealed and after it was opened, and hears of losses and
//! refusals. It is asked nothing and changes nothing. A connection without one pays a branch for each packet.
//!
//! A server's connection begins when its client's first flight is whole. Its tap is shown the packets of that
//! flight (up to 16 KiB) at that time, provided that the configuration of
//! [`Endpoint::set_server`](crate::endpoint::Endpoint::set_server) has taps, too.

use crate::ids::{ConnectionHandle, PacketNumber, Side, Space};
use crate::time::Time;
use crate::wire::frame::Frames;
use crate::wire::header::Kind;
use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

/// A packet in the clear.
///
/// **Whoever keeps it keeps what the connection says.**
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own about a packet")]
pub struct TapPacket<'a> {
    /// When it was sent or opened.
    pub now: Time,
    /// Which keys protect it.
    pub kind: Kind,
    /// Its number, in the space of its kind.
    pub number: PacketNumber,
    /// The generation of its key: how often the sender's Data keys had been updated; 0 for other kinds.
    pub generation: u64,
    /// Its header without protection, packet number included. (A long header's length field counts the tag.)
    pub header: &'a [u8],
    /// Its frames.
    pub payload: &'a [u8],
    /// Bytes of the sealed packet: header, payload and tag.
    pub size: usize,
    /// Bytes of the UDP payload that it is part of. Of a packet that waited for its keys: of the one that
    /// brought them.
    pub datagram: usize,
    /// Whether its receiver must acknowledge it.
    pub ack_eliciting: bool,
    /// Whether its sender counts `size` bytes as in flight. Always false of a received packet.
    pub in_flight: bool,
    /// Whether the congestion window does not bind it: acknowledgements, probes after a timeout, farewells.
    /// (Initial and Handshake packets are bound by the window, but only what is in flight of their kinds
    /// counts.) Always false of a received packet.
    pub exempt: bool,
    /// Whether it waited for the pacer: packets of data that are not exempt, once the handshake is over.
    /// Always false of a received packet.
    pub paced: bool,
    /// Whether it probes the path's MTU. It is bound by window and pacing as a datagram of the usual size
    /// would be, though it is larger. Always false of a received packet.
    pub mtu_probe: bool,
}

impl<'a> TapPacket<'a> {
    /// A packet that was opened in place: `payload` is where its frames lie, `datagram` the length of the
    /// UDP payload that it came in.
    pub(super) fn opened(
        now: Time,
        kind: Kind,
        number: PacketNumber,
        generation: u64,
        packet: &'a [u8],
        payload: &Range<usize>,
        datagram: usize,
    ) -> Option<Self> {
        let header = packet.get(..payload.start)?;
        let size = packet.len();
        let payload = packet.get(payload.clone())?;
        let mut frames = Frames::new(payload).map_while(Result::ok);
        Some(Self {
            now,
            kind,
            number,
            generation,
            header,
            payload,
            size,
            datagram,
            ack_eliciting: frames.any(|(_, frame)| frame.is_ack_eliciting()),
            in_flight: false,
            exempt: false,
            paced: false,
            mtu_probe: false,
        })
    }
}

impl fmt::Debug for TapPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapPacket")
            .field("now", &self.now)
            .field("kind", &self.kind)
            .field("number", &self.number)
            .field("generation", &self.generation)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Why a packet that was addressed to a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It does not open under the key that its header and number choose: forged, damaged, too short,
    /// or under a key that is gone.
    NotAuthentic,
    /// It arrived before, or is so old that nobody knows.
    Duplicate,
    /// There are no keys for its kind, not yet or not any more. (A packet that is kept until its keys come
    /// is not refused.)
    NoKeys,
}

/// Hears of each packet of one connection. See the module's documentation.
///
/// Calls come from within the connection's own, in the order of events.
pub trait Tap: Send + fmt::Debug {
    /// A packet is about to be sealed. It leaves with the call of
    /// [`poll_transmit`](super::Connection::poll_transmit) that is under way.
    fn sent(&mut self, packet: &TapPacket<'_>);

    /// A packet was opened: it is authentic and new. Its frames are not processed yet.
    fn received(&mut self, packet: &TapPacket<'_>);

    /// Loss detection gave a packet up at `now`.
    fn lost(&mut self, now: Time, space: Space, number: PacketNumber);

    /// A packet that was given up is acknowledged after all.
    fn late(&mut self, now: Time, space: Space, number: PacketNumber) {
        let _ = (now, space, number);
    }

    /// A packet of a kind was not taken.
    fn refused(&mut self, now: Time, kind: Kind, why: Refusal) {
        let _ = (now, kind, why);
    }
}

/// Makes the taps of connections; shared by them through
/// [`TransportConfig::taps`](super::TransportConfig::taps).
pub trait TapFactory: Send + Sync + fmt::Debug {
    /// The tap of a connection that begins, if it is to have one. `handle` is its place in its endpoint.
    fn tap(&self, handle: ConnectionHandle, side: Side) -> Option<Box<dyn Tap>>;
}
