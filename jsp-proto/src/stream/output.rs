//! Frames out, and what became of them.
//!
//! A connection first calls [`Streams::write_control`], then [`Streams::write_data`], which takes the rest of
//! the packet. Each frame that something is owed for is noted in `sent`, and comes back through
//! [`Streams::on_data_acked`], [`Streams::on_reset_acked`] or [`Streams::on_lost`].

use super::event::StreamEvent;
use super::pool::ChunkPool;
use super::send::{Piece, SendPart};
use super::send_buffer::SendBuffer;
use super::streams::{Streams, requeue};
use crate::ids::{Dir, StreamId};
use crate::planted::{self, Bug};
use crate::record::SentFrame;
use crate::wire::frame::{Frame, StreamHeader};
use crate::wire::{Full, Writer, varint_len};
use alloc::vec::Vec;
use core::ops::Range;

/// Data is not cut into pieces smaller than this, in bytes, to fill up a packet.
const MIN_PIECE: u64 = 32;
/// The most data of a frame with a length, in bytes: the length then takes at most two bytes, and the
/// header eight (`spec/03-frames.md`, section 3.5). Only datagrams beyond 16 KiB hold more.
const MAX_WITH_LENGTH: usize = (1 << 14) - 1;

impl Streams {
    /// Whether there is anything to send that the peer's credit allows.
    pub fn has_pending(&self) -> bool {
        self.has_control() || self.can_send_data()
    }

    /// Whether control frames wait to be sent.
    pub fn has_control(&self) -> bool {
        !self.control.is_empty()
            || self.receive_credit.is_due()
            || self.peer.iter().any(super::count::PeerStreams::is_due)
            || self.data_blocked().is_some()
            || Dir::ALL.iter().any(|&dir| self.streams_blocked(dir).is_some())
    }

    /// Whether there is data (or the end of a stream) to send that the peer's credit allows.
    pub fn can_send_data(&self) -> bool {
        !self.urgent.is_empty() || (!self.fresh.is_empty() && self.send_credit.available() > 0)
    }

    /// Bytes that were written and never sent.
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }

    /// The limit to report if data waits for the connection's credit.
    fn data_blocked(&self) -> Option<u64> {
        if self.fresh.is_empty() { None } else { self.send_credit.unreported_block() }
    }

    /// The limit to report if the application waits for streams.
    fn streams_blocked(&self, dir: Dir) -> Option<u64> {
        let local = &self.local[dir.index()];
        if local.waiting { local.credit.unreported_block() } else { None }
    }

    /// Writes control frames, as many as fit.
    pub fn write_control(&mut self, w: &mut Writer<'_>, sent: &mut Vec<SentFrame>) {
        // What does not fit stays owed, and goes into the next packet.
        let _ = self.write_connection(w, sent);
        while let Some(id) = self.control.front() {
            let full = self.write_owed(w, id, sent).is_err();
            self.refresh(id);
            if full {
                return;
            }
        }
    }

    /// Credit for the connection and for the number of streams, and the lack of it.
    fn write_connection(
        &mut self,
        w: &mut Writer<'_>,
        sent: &mut Vec<SentFrame>,
    ) -> Result<(), Full> {
        if self.receive_credit.is_due() {
            put(w, &Frame::MaxData(self.receive_credit.limit()))?;
            self.receive_credit.announced();
            sent.push(SentFrame::MaxData);
        }
        if let Some(limit) = self.data_blocked() {
            put(w, &Frame::DataBlocked(limit))?;
            self.send_credit.block_reported();
        }
        for dir in Dir::ALL {
            let peer = &mut self.peer[dir.index()];
            if peer.is_due() {
                put(w, &Frame::MaxStreams { dir, max: peer.limit() })?;
                peer.announced();
                sent.push(SentFrame::MaxStreams(dir));
            }
            if let Some(limit) = self.streams_blocked(dir) {
                put(w, &Frame::StreamsBlocked { dir, limit })?;
                self.local[dir.index()].credit.block_reported();
            }
        }
        Ok(())
    }

    /// What one stream owes.
    fn write_owed(
        &mut self,
        w: &mut Writer<'_>,
        id: StreamId,
        sent: &mut Vec<SentFrame>,
    ) -> Result<(), Full> {
        let Some(stream) = self.table.get_mut(&id) else { return Ok(()) };
        if let Some(part) = &mut stream.send {
            if stream.owed.reset {
                let final_size = part.final_size();
                put(w, &Frame::ResetStream { id, code: part.reset, final_size })?;
                stream.owed.reset = false;
                sent.push(SentFrame::ResetStream(id));
            }
            if stream.owed.blocked {
                put(w, &Frame::StreamDataBlocked { id, limit: part.credit.limit() })?;
                part.credit.block_reported();
                stream.owed.blocked = false;
            }
        }
        if let Some(part) = &mut stream.recv {
            if let (true, Some(code)) = (stream.owed.stop, part.stopped) {
                put(w, &Frame::StopSending { id, code })?;
                stream.owed.stop = false;
                sent.push(SentFrame::StopSending(id));
            }
            if stream.owed.credit {
                put(w, &Frame::MaxStreamData { id, max: part.credit.limit() })?;
                part.credit.announced();
                stream.owed.credit = false;
                sent.push(SentFrame::MaxStreamData(id));
            }
        }
        Ok(())
    }

    /// Fills the rest of a packet with data: first what was lost, then new data, from one stream as long as it
    /// has any; after some packets it is another stream's turn.
    ///
    /// The last frame may run to the end of `w` without a length: nothing may follow it in the packet.
    pub fn write_data(&mut self, w: &mut Writer<'_>, sent: &mut Vec<SentFrame>) {
        while let Some(id) = self.urgent.front() {
            if self.write_turn(w, id, sent).is_err() {
                return;
            }
        }
        while let Some(id) = self.fresh.front()
            && self.send_credit.available() > 0
        {
            if self.write_turn(w, id, sent).is_err() {
                return;
            }
        }
    }

    /// Writes what one stream has to send; fails if the packet was full before the stream was done.
    fn write_turn(
        &mut self,
        w: &mut Writer<'_>,
        id: StreamId,
        sent: &mut Vec<SentFrame>,
    ) -> Result<(), Full> {
        let before = sent.len();
        let outcome = self.write_pieces(w, id, sent);
        if sent.len() > before {
            self.pass_on(id, 1);
        }
        self.wake_writers();
        outcome
    }

    fn write_pieces(
        &mut self,
        w: &mut Writer<'_>,
        id: StreamId,
        sent: &mut Vec<SentFrame>,
    ) -> Result<(), Full> {
        let Some(stream) = self.table.get_mut(&id) else { return Ok(()) };
        let Some(part) = stream.send.as_mut() else { return Ok(()) };
        let outcome = loop {
            let credit = self.send_credit.available();
            let piece = if part.has_urgent() {
                part.urgent()
            } else if credit > 0 {
                part.fresh()
            } else {
                None
            };
            let Some(mut piece) = piece else { break Ok(()) };
            if !piece.again {
                cut(&mut piece, credit);
            }
            if let Err(full) = put_piece(w, id, &mut piece, &mut part.buffer) {
                break Err(full);
            }
            part.on_sent(&piece);
            let len = piece.range.end - piece.range.start;
            if piece.again {
                self.retransmitted += len;
                if planted::is(Bug::CreditTwice) {
                    let _ = self.send_credit.spend(len.min(credit));
                }
            } else {
                self.unsent -= len;
                let outcome = self.send_credit.spend(len);
                debug_assert!(outcome.is_ok());
            }
            let (start, fin) = (piece.range.start, piece.fin);
            sent.push(SentFrame::Stream { id, start, len: len as u32, fin });
        };
        let queues = [&mut self.control, &mut self.urgent, &mut self.fresh];
        requeue(id, stream, queues);
        outcome
    }

    /// STREAM frames of `range`, the end of the stream included if `fin`, were acknowledged: one or several that
    /// touch.
    pub fn on_data_acked(&mut self, id: StreamId, range: Range<u64>, fin: bool) {
        self.on_part_acked(id, |part, chunks| part.on_acked(range, fin, chunks));
    }

    /// A RESET_STREAM was acknowledged.
    pub fn on_reset_acked(&mut self, id: StreamId) {
        self.on_part_acked(id, |part, _| {
            part.on_reset_acked();
            0
        });
    }

    /// Does what an acknowledgement does to a sending part, which tells how many bytes it no longer keeps.
    fn on_part_acked(
        &mut self,
        id: StreamId,
        acked: impl FnOnce(&mut SendPart, &mut ChunkPool) -> u64,
    ) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let Some(part) = stream.send.as_mut() else { return };
        let was_terminal = part.state.is_terminal();
        self.buffered -= acked(part, &mut self.chunks);
        let ended = part.state.is_terminal() && !was_terminal;
        // What has arrived need not be sent again; it changes nothing else that a stream waits for.
        self.urgent.set(id, &mut stream.queued.urgent, part.has_urgent());
        if ended && !part.is_reset() {
            // Once for each stream, as a part becomes terminal once.
            self.events.push(StreamEvent::Finished(id), &mut false);
        }
        if ended {
            self.remove_if_ended(id);
        }
        self.wake_writers();
    }

    /// A packet with `frame` was lost: what it carried is sent again, as far as it still matters.
    pub fn on_lost(&mut self, frame: &SentFrame) {
        let id = match *frame {
            SentFrame::MaxData => return self.receive_credit.announcement_lost(),
            SentFrame::MaxStreams(dir) => return self.peer[dir.index()].announcement_lost(),
            SentFrame::Stream { id, .. }
            | SentFrame::ResetStream(id)
            | SentFrame::StopSending(id)
            | SentFrame::MaxStreamData(id) => id,
            _ => return,
        };
        let Some(stream) = self.table.get_mut(&id) else { return };
        match (*frame, &mut stream.send, &mut stream.recv) {
            (SentFrame::Stream { start, len, fin, .. }, Some(part), _) => {
                part.on_lost(start..start + u64::from(len), fin);
            }
            (SentFrame::ResetStream(_), Some(part), _) => {
                stream.owed.reset = !part.state.is_terminal();
            }
            (SentFrame::StopSending(_), _, Some(part)) => {
                stream.owed.stop = !part.state.is_terminal();
            }
            (SentFrame::MaxStreamData(_), _, Some(part)) => {
                stream.owed.credit = part.is_receiving();
            }
            _ => {}
        }
        self.refresh(id);
    }
}

/// Writes a control frame, or nothing of it.
fn put(w: &mut Writer<'_>, frame: &Frame<'_>) -> Result<(), Full> {
    w.attempt(|w| frame.encode(w))
}

/// Shortens `piece` to at most `len` bytes. What is cut short does not end the stream.
fn cut(piece: &mut Piece, len: u64) {
    let end = piece.range.end.min(piece.range.start.saturating_add(len));
    piece.fin &= end == piece.range.end;
    piece.range.end = end;
}

/// Writes a STREAM frame with as much of `piece` as fits, and cuts `piece` to that.
///
/// A frame that reaches the end of the packet has no length field. Where there is room for the data but
/// not for the length, padding goes before the frame, rather than a byte or two into another packet.
fn put_piece(
    w: &mut Writer<'_>,
    id: StreamId,
    piece: &mut Piece,
    buffer: &mut SendBuffer,
) -> Result<(), Full> {
    let offset = piece.range.start;
    let header = StreamHeader::size_without_length(id, offset);
    let room = w.room().checked_sub(header).ok_or(Full)? as u64;
    let wanted = piece.range.end - offset;
    if room < wanted.min(MIN_PIECE) {
        return Err(Full);
    }
    cut(piece, room.min(u64::from(u16::MAX)));
    let mut len = (piece.range.end - offset) as usize;
    let left = room as usize - len;
    let explicit = left >= varint_len(len.min(MAX_WITH_LENGTH) as u64);
    if explicit && len > MAX_WITH_LENGTH {
        // What is cut off goes into the next frame.
        len = MAX_WITH_LENGTH;
        cut(piece, len as u64);
    } else if !explicit {
        w.reserve(left)?.fill(crate::wire::frame::kind::PADDING);
    }
    let length = explicit.then_some(len as u16);
    StreamHeader { id, offset, fin: piece.fin, len: length }.encode(w)?;
    buffer.copy(offset, w.reserve(len)?);
    Ok(())
}
