//! A packet being written: header, frames, and what must be remembered of them.

use super::tap::TapPacket;
use crate::crypto::TAG_LEN;
use crate::ids::{ConnectionId, PacketNumber, Space};
use crate::protection::WINDOW;
use crate::time::Time;
use crate::wire::header::{Encoded, Kind, encode_long, encode_short, set_length};
use crate::wire::{Full, TruncatedNumber, Writer};

/// A packet whose frames are written but which is not sealed: it may still be padded.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own about a packet")]
pub(super) struct Draft {
    pub(super) space: Space,
    pub(super) number: PacketNumber,
    /// Where the packet begins in the datagram.
    pub(super) start: usize,
    /// Where its frames end; the tag follows.
    pub(super) end: usize,
    header: Encoded,
    pub(super) number_len: usize,
    pub(super) ack_eliciting: bool,
    /// Whether it counts as in flight: it is ack-eliciting or padded.
    pub(super) in_flight: bool,
    /// Whether the congestion window does not bind it.
    pub(super) exempt: bool,
    /// Whether it waited for the pacer.
    pub(super) paced: bool,
    /// Whether it probes the path's MTU.
    pub(super) mtu_probe: bool,
    /// Its frames' records are `frames.0..frames.1` of the scratch list.
    pub(super) frames: (usize, usize),
}

/// A header that was written, with the packet number's length.
type Header = (Encoded, usize);

/// Writes the header of a Data packet for a peer that has acknowledged up to `acked`.
#[inline]
pub(super) fn short(
    w: &mut Writer<'_>,
    dcid: &ConnectionId,
    key_phase: bool,
    number: PacketNumber,
    acked: Option<PacketNumber>,
) -> Result<Header, Full> {
    // Whatever the receiver's window would take, it should be able to read.
    let number = TruncatedNumber::overtaken(number, acked, WINDOW);
    Ok((encode_short(w, dcid, key_phase, number)?, number.len()))
}

/// Writes the header of a packet of the handshake.
#[cold]
pub(super) fn long(
    w: &mut Writer<'_>,
    space: Space,
    dcid: &ConnectionId,
    scid: &ConnectionId,
    token: &[u8],
    number: PacketNumber,
    acked: Option<PacketNumber>,
) -> Result<Header, Full> {
    let kind = if space == Space::Initial { Kind::Initial } else { Kind::Handshake };
    let number = TruncatedNumber::new(number, acked);
    Ok((encode_long(w, kind, dcid, scid, token, number)?, number.len()))
}

impl Draft {
    /// A packet that begins at `start` in its datagram, of which `written` bytes are there, its `header`. The
    /// records of its frames will begin at `records`.
    #[inline]
    pub(super) const fn new(
        space: Space,
        number: PacketNumber,
        start: usize,
        (header, number_len): Header,
        written: usize,
        records: usize,
    ) -> Self {
        Self {
            space,
            number,
            start,
            end: start + written,
            header,
            number_len,
            ack_eliciting: false,
            in_flight: false,
            exempt: true,
            paced: false,
            mtu_probe: false,
            frames: (records, records),
        }
    }

    /// Bytes of the packet, tag included.
    pub(super) const fn len(&self) -> usize {
        self.end + TAG_LEN - self.start
    }

    /// Where the packet number begins, within the packet.
    pub(super) const fn number_at(&self) -> usize {
        self.header.number_at
    }

    /// Pads the frames with zeros (PADDING) so that header protection has enough to sample, and that
    /// the packet is at least `min` bytes long, as far as the datagram has room.
    pub(super) fn pad(&mut self, datagram: &mut [u8], min: usize) {
        let sampled = self.start + self.number_at() + TruncatedNumber::MAX_LEN;
        let target = sampled.max((self.start + min).saturating_sub(TAG_LEN));
        let target = target.min(datagram.len().saturating_sub(TAG_LEN));
        if let Some(padding) = datagram.get_mut(self.end..target) {
            padding.fill(0);
            self.end = target;
            self.in_flight |= min > 0;
        }
    }

    /// Fills in a long header's length.
    pub(super) fn finish_header(&self, packet: &mut [u8]) {
        if let Some(field) =
            self.header.length_at.and_then(|at| packet.get_mut(at..)?.first_chunk_mut())
        {
            set_length(field, self.len() - self.number_at());
        }
    }

    /// The packet as a tap sees it: `packet` is not sealed yet, its key has this `generation`, and it is
    /// part of a datagram of `datagram` bytes.
    pub(super) fn in_the_clear<'a>(
        &self,
        now: Time,
        generation: u64,
        packet: &'a [u8],
        datagram: usize,
    ) -> Option<TapPacket<'a>> {
        let (header, body) = packet.split_at_checked(self.number_at() + self.number_len)?;
        let payload = body.get(..body.len().checked_sub(TAG_LEN)?)?;
        Some(TapPacket {
            now,
            kind: match self.space {
                Space::Initial => Kind::Initial,
                Space::Handshake => Kind::Handshake,
                Space::Data => Kind::Data,
            },
            number: self.number,
            generation,
            header,
            payload,
            size: packet.len(),
            datagram,
            ack_eliciting: self.ack_eliciting,
            in_flight: self.in_flight,
            exempt: self.exempt,
            paced: self.paced,
            mtu_probe: self.mtu_probe,
        })
    }
}
