//! What each frame does, and what becomes of the frames that were sent.

use super::tap::Tap;
use super::{Connection, Event};
use crate::cid::{LocalIds, RemoteIds};
use crate::error::{CloseReason, Code, TransportError};
use crate::handshake::Handshake;
use crate::ids::{PacketNumber, Side, Space, StreamId};
use crate::path::AckFrequency;
use crate::planted::{self, Bug};
use crate::record::SentFrame;
use crate::recovery::{AckReport, Sink};
use crate::stream::Streams;
use crate::time::Time;
use crate::wire::frame::{AckFrame, Frame, StreamFrame};
use alloc::boxed::Box;
use alloc::string::String;
use core::ops::Range;

impl Connection {
    pub(super) fn on_frame(
        &mut self,
        now: Time,
        space: Space,
        frame: &Frame<'_>,
    ) -> Result<(), TransportError> {
        match *frame {
            // That somebody waits for credit changes nothing: credit grows with what is read.
            Frame::Padding(_)
            | Frame::Ping
            | Frame::DataBlocked(_)
            | Frame::StreamsBlocked { .. } => Ok(()),
            Frame::Ack(ref ack) => self.on_ack(now, space, ack),
            Frame::Crypto { offset, data } => match self.handshake_mut() {
                Some(handshake) => handshake.receive(space, offset, data),
                // The handshake is over: this is a copy of what was answered long ago.
                None => Ok(()),
            },
            Frame::Stream(ref frame) => self.on_stream(now, frame),
            Frame::AckFrequency(ref frame) => {
                self.spaces.data.acks.on_request(frame, self.config.max_ack_delay);
                Ok(())
            }
            Frame::ImmediateAck => {
                self.spaces.data.acks.on_immediate(now);
                Ok(())
            }
            Frame::ResetStream { id, code, final_size } => {
                self.streams.on_reset_stream(id, code, final_size)
            }
            Frame::StopSending { id, code } => self.streams.on_stop_sending(id, code),
            Frame::MaxData(max) => {
                self.streams.on_max_data(max);
                Ok(())
            }
            Frame::MaxStreamData { id, max } => self.streams.on_max_stream_data(id, max),
            Frame::MaxStreams { dir, max } => {
                self.streams.on_max_streams(dir, max);
                Ok(())
            }
            Frame::StreamDataBlocked { id, .. } => self.streams.on_stream_data_blocked(id),
            Frame::NewConnectionId(ref frame) => self.remote_ids.on_new(frame),
            Frame::RetireConnectionId(sequence) => {
                self.local_ids.on_retire(sequence, &self.last_dcid)
            }
            Frame::TransportClose(close) => {
                let reason = CloseReason::RemoteError {
                    code: close.code,
                    frame: close.frame,
                    reason: String::from_utf8_lossy(close.reason).into_owned(),
                };
                self.on_peer_close(now, reason);
                Ok(())
            }
            Frame::AppClose(close) => {
                let reason = String::from_utf8_lossy(close.reason).into_owned();
                self.on_peer_close(now, CloseReason::Remote { code: close.code, reason });
                Ok(())
            }
            Frame::HandshakeDone if self.agreed.is_none() => {
                let reason = "the handshake was confirmed before it was complete";
                Err(TransportError::new(Code::PROTOCOL_VIOLATION, reason))
            }
            Frame::HandshakeDone => {
                self.confirm();
                Ok(())
            }
        }
    }

    /// STREAM; [`Streams::settle`] follows at the end of the batch.
    pub(super) fn on_stream(
        &mut self,
        now: Time,
        frame: &StreamFrame<'_>,
    ) -> Result<(), TransportError> {
        self.untidy = true;
        self.streams.on_stream(now, self.path.rtt().smoothed(), frame)
    }

    /// ACK, and ACK_ECN.
    pub(super) fn on_ack(
        &mut self,
        now: Time,
        space: Space,
        ack: &AckFrame<'_>,
    ) -> Result<(), TransportError> {
        self.counts.acks_received += 1;
        let max_ack_delay = self.peer_ack_delay();
        let ((recovery, rtt), mut fates) = self.fates();
        let mut report = AckReport::default();
        recovery.on_ack(now, space, ack, rtt, max_ack_delay, &mut fates, &mut report)?;
        self.peer_validated |= self.side == Side::Client && space == Space::Handshake;
        if space == Space::Data
            && let Some(keys) = &mut self.spaces.data_keys
        {
            keys.on_acked(ack.largest);
        }
        let in_flight = self.recovery.in_flight();
        self.path.on_ack(now, space, &report, in_flight);
        Ok(())
    }

    /// Recovery with the path's estimate, and where the fates of frames go.
    pub(super) fn fates(
        &mut self,
    ) -> ((&mut crate::recovery::Recovery, &mut crate::rtt::Rtt), Fates<'_>) {
        let (rtt, frequency) = self.path.measures();
        let fates = Fates {
            handshake: self.opening.as_mut().and_then(|opening| opening.handshake.as_mut()),
            streams: &mut self.streams,
            local_ids: &mut self.local_ids,
            remote_ids: &mut self.remote_ids,
            spaces: &mut self.spaces,
            handshake_done_owed: &mut self.owed.handshake_done,
            frequency,
            tap: &mut self.tap,
            run: None,
        };
        ((&mut self.recovery, rtt), fates)
    }

    fn on_peer_close(&mut self, now: Time, reason: CloseReason) {
        self.drain(now, reason);
    }

    /// The handshake is confirmed: both ends have completed it.
    pub(super) fn confirm(&mut self) {
        if core::mem::replace(&mut self.confirmed, true) {
            return;
        }
        self.discard(Space::Initial);
        self.discard(Space::Handshake);
        self.opening = None;
        self.path.on_confirmed();
        self.untidy = true;
        if let Some(keys) = &mut self.spaces.data_keys {
            keys.on_confirmed();
        }
        self.events.push(Event::Confirmed);
    }
}

/// Everything that is told of the fate of a frame.
pub(super) struct Fates<'a> {
    handshake: Option<&'a mut Handshake>,
    streams: &'a mut Streams,
    local_ids: &'a mut LocalIds,
    remote_ids: &'a mut RemoteIds,
    spaces: &'a mut super::spaces::Spaces,
    handshake_done_owed: &'a mut bool,
    frequency: &'a mut AckFrequency,
    tap: &'a mut Option<Box<dyn Tap>>,
    /// What was acknowledged of a stream and not yet told to it.
    run: Option<AckedRun>,
}

/// STREAM frames that touch, of the packets that one ACK acknowledges: a transfer's packets hold one piece of
/// the stream after the other, and the stream is told of them once.
struct AckedRun {
    id: StreamId,
    range: Range<u64>,
    fin: bool,
}

impl AckedRun {
    /// Adds a frame, if it touches. Packets come in descending order, the frames of each in ascending order.
    fn extend(&mut self, id: StreamId, range: &Range<u64>, fin: bool) -> bool {
        let below = range.end == self.range.start;
        let touches = self.id == id && (below || range.start == self.range.end);
        if touches {
            self.range = self.range.start.min(range.start)..self.range.end.max(range.end);
            self.fin |= fin;
        }
        touches
    }
}

impl Fates<'_> {
    fn data_acked(&mut self, id: StreamId, range: Range<u64>, fin: bool) {
        if !self.run.as_mut().is_some_and(|run| run.extend(id, &range, fin)) {
            self.tell_run();
            self.run = Some(AckedRun { id, range, fin });
        }
    }

    fn tell_run(&mut self) {
        if let Some(AckedRun { id, range, fin }) = self.run.take() {
            self.streams.on_data_acked(id, range, fin);
        }
    }
}

impl Sink for Fates<'_> {
    fn acked(&mut self, space: Space, frame: SentFrame) {
        match frame {
            SentFrame::Ack(largest) => {
                if let Some(inbound) = self.spaces.inbound(space) {
                    inbound.window.set_floor(largest);
                }
            }
            SentFrame::Crypto { start, len } => {
                if let Some(handshake) = &mut self.handshake {
                    handshake.on_acked(space, start, len);
                }
            }
            SentFrame::RetireConnectionId(sequence) => self.remote_ids.on_retire_acked(sequence),
            SentFrame::Stream { id, start, len, fin } => {
                self.data_acked(id, start..start + u64::from(len), fin);
            }
            SentFrame::ResetStream(id) => self.streams.on_reset_acked(id),
            SentFrame::AckFrequency(sequence) => self.frequency.on_acked(sequence),
            SentFrame::NewConnectionId(_)
            | SentFrame::HandshakeDone
            | SentFrame::StopSending(_)
            | SentFrame::MaxData
            | SentFrame::MaxStreamData(_)
            | SentFrame::MaxStreams(_) => {}
        }
    }

    fn acked_all(&mut self) {
        self.tell_run();
    }

    fn lost(&mut self, space: Space, frame: SentFrame) {
        match frame {
            SentFrame::Ack(_) => {}
            SentFrame::AckFrequency(sequence) => self.frequency.on_lost(sequence),
            SentFrame::Crypto { start, len } => {
                if let Some(handshake) = &mut self.handshake
                    && !(planted::is(Bug::HandshakeStuck) && handshake.side() == Side::Server)
                {
                    handshake.on_lost(space, start, len);
                }
            }
            SentFrame::NewConnectionId(sequence) => self.local_ids.on_lost(sequence),
            SentFrame::RetireConnectionId(sequence) => self.remote_ids.on_retire_lost(sequence),
            SentFrame::HandshakeDone => *self.handshake_done_owed = true,
            SentFrame::Stream { .. }
            | SentFrame::ResetStream(_)
            | SentFrame::StopSending(_)
            | SentFrame::MaxData
            | SentFrame::MaxStreamData(_)
            | SentFrame::MaxStreams(_) => self.streams.on_lost(&frame),
        }
    }

    fn packet_lost(&mut self, now: Time, space: Space, number: PacketNumber) {
        if let Some(tap) = self.tap {
            tap.lost(now, space, number);
        }
    }

    fn packet_late(&mut self, now: Time, space: Space, number: PacketNumber) {
        if let Some(tap) = self.tap {
            tap.late(now, space, number);
        }
    }
}
