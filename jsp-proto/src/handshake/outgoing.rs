//! Handshake bytes that leave in pieces, until the peer has all of them.

use super::ranges::Ranges;
use crate::record::{Held, SentFrame};
use crate::wire::frame::Frame;
use crate::wire::{Writer, varint_len};
use alloc::vec::Vec;
use core::ops::Range;

/// The bytes of one packet-number space's handshake, what of them is to be sent, and what arrived.
/// They stay until the space is discarded: a probe may send any of them again.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    data: Vec<u8>,
    to_send: Ranges,
    acked: Ranges,
    /// Where sending begins; what lies before it follows at the end.
    from: u32,
    /// Where the first piece ended that was sent since the last turn.
    first_end: Option<u32>,
}

impl Outgoing {
    /// More than all messages of one end take.
    const MAX_LEN: usize = 16 << 10;

    /// Appends a message.
    pub(super) fn push(&mut self, message: &[u8]) {
        let start = self.len();
        self.data.extend_from_slice(message);
        self.to_send.insert(start..self.len());
    }

    /// How many bytes there are in all.
    pub(super) fn len(&self) -> u32 {
        self.data.len() as u32
    }

    /// The memory held, by capacity. All messages of one end stay below [`Self::MAX_LEN`]; ranges are of
    /// what packets cut them into.
    pub(super) fn memory(&self) -> Held {
        let ranges = self.to_send.capacity_bytes() + self.acked.capacity_bytes();
        Held::new(self.data.capacity() + ranges, 3 * Self::MAX_LEN)
    }

    /// Whether something is to be sent, for the first time or again.
    pub(super) fn has_data(&self) -> bool {
        !self.to_send.is_empty()
    }

    /// Writes CRYPTO frames with at most `limit` bytes of data between them, as far as there is
    /// room, and notes them in `sent`. Returns the bytes of data written.
    pub(super) fn write(
        &mut self,
        w: &mut Writer<'_>,
        sent: &mut Vec<SentFrame>,
        limit: usize,
    ) -> usize {
        let mut written = 0;
        while let Some(range) = self.next_range() {
            let room = w.room().saturating_sub(header_len(&range)).min(limit - written);
            let len = (range.len()).min(room) as u32;
            let range = range.start..range.start + len;
            let data = self.data.get(range.start as usize..range.end as usize).unwrap_or_default();
            let frame = Frame::Crypto { offset: u64::from(range.start), data };
            if data.is_empty() || w.attempt(|w| frame.encode(w)).is_err() {
                break;
            }
            sent.push(SentFrame::Crypto { start: range.start, len });
            self.first_end.get_or_insert(range.end);
            self.to_send.remove(&range);
            written += len as usize;
        }
        written
    }

    /// The peer has `range`.
    pub(super) fn on_acked(&mut self, range: Range<u32>) {
        self.to_send.remove(&range);
        self.acked.insert(range);
    }

    /// A packet with `range` was lost: what the peer has not got since is sent again.
    pub(super) fn on_lost(&mut self, range: Range<u32>) {
        self.to_send.insert(range.start..range.end.min(self.len()));
        for acked in self.acked.iter() {
            self.to_send.remove(&acked);
        }
    }

    /// All that the peer is not known to have is sent again.
    pub(super) fn resend_all(&mut self) {
        self.on_lost(0..self.len());
    }

    /// What is sent next begins with another piece than it did last time: where only the first datagram
    /// of several gets through, because a queue holds no more, each has its turn.
    pub(super) fn turn(&mut self) {
        if let Some(end) = self.first_end.take() {
            self.from = if end < self.len() { end } else { 0 };
        }
    }

    /// What is to be sent next.
    fn next_range(&self) -> Option<Range<u32>> {
        let behind = self.to_send.iter().find(|range| range.end > self.from);
        let behind = behind.map(|range| range.start.max(self.from)..range.end);
        behind.or_else(|| self.to_send.first())
    }
}

/// The longest header of a CRYPTO frame that begins at `range`: type, offset, length.
fn header_len(range: &Range<u32>) -> usize {
    1 + varint_len(u64::from(range.start)) + varint_len(range.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::assembler::Assembler;
    use crate::wire::frame::Frames;
    use alloc::vec;
    use quickcheck::quickcheck;

    fn deliver(packet: &[u8], to: &mut Assembler) {
        for frame in Frames::new(packet) {
            let Frame::Crypto { offset, data } = frame.unwrap().1 else { unreachable!() };
            to.insert(offset, data).unwrap();
        }
    }

    quickcheck! {
        fn bytes_arrive_whatever_is_lost(message: Vec<u8>, room: u8, limit: u8, fates: Vec<bool>) -> bool {
            let (room, limit) = (8 + usize::from(room), 1 + usize::from(limit));
            let mut out = Outgoing::default();
            out.push(&message);
            let mut peer = Assembler::new(1 << 14, 1 << 14);
            let mut fates = fates.into_iter();
            while out.has_data() {
                let (mut packet, mut sent) = (vec![0; room], Vec::new());
                let mut w = Writer::new(&mut packet);
                let n = out.write(&mut w, &mut sent, limit);
                let len = w.len();
                assert!(n > 0 && n <= limit);
                let arrives = fates.next().unwrap_or(true);
                if arrives {
                    deliver(&packet[..len], &mut peer);
                }
                for frame in sent {
                    let SentFrame::Crypto { start, len } = frame else { unreachable!() };
                    if arrives {
                        out.on_acked(start..start + len);
                    } else {
                        out.on_lost(start..start + len);
                    }
                }
            }
            peer.take(message.len()) == message
        }
    }

    #[test]
    fn a_probe_sends_what_was_not_acknowledged() {
        let mut out = Outgoing::default();
        out.push(&[7; 100]);
        let (mut packet, mut sent) = ([0; 200], Vec::new());
        out.write(&mut Writer::new(&mut packet), &mut sent, 1000);
        assert!(!out.has_data());
        out.on_acked(10..20);
        out.resend_all();
        assert!(out.to_send.iter().eq([0..10, 20..100]));
    }

    #[test]
    fn each_probe_begins_with_another_piece() {
        let mut out = Outgoing::default();
        out.push(&[7; 100]);
        let mut firsts = Vec::new();
        for _ in 0..5 {
            let mut sent = Vec::new();
            while out.has_data() {
                out.write(&mut Writer::new(&mut [0; 200]), &mut sent, 40);
            }
            let SentFrame::Crypto { start, len } = sent[0] else { unreachable!() };
            firsts.push((start, len));
            out.resend_all();
            out.turn();
        }
        assert_eq!(firsts, [(0, 40), (40, 40), (80, 20), (0, 40), (40, 40)]);
    }

    #[test]
    fn what_arrived_is_not_sent_again_when_an_older_copy_is_lost() {
        let mut out = Outgoing::default();
        out.push(&[7; 100]);
        out.write(&mut Writer::new(&mut [0; 200]), &mut Vec::new(), 1000);
        out.on_acked(0..100);
        out.on_lost(0..50);
        assert!(!out.has_data());
    }

    #[test]
    fn a_limit_or_a_full_packet_leaves_the_rest_for_the_next() {
        let mut out = Outgoing::default();
        out.push(&[7; 100]);
        let (mut packet, mut sent) = ([0; 200], Vec::new());
        assert_eq!(out.write(&mut Writer::new(&mut packet), &mut sent, 30), 30);
        assert_eq!(out.write(&mut Writer::new(&mut packet[..3]), &mut sent, 1000), 0);
        assert_eq!(out.write(&mut Writer::new(&mut packet), &mut sent, 1000), 70);
        let frames = [(0, 30), (30, 70)].map(|(start, len)| SentFrame::Crypto { start, len });
        assert_eq!(sent, frames);
    }
}
