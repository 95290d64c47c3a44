//! Datagrams out: what is due is written, sealed and remembered.

use super::packet::{self, Draft};
use super::spaces::Spaces;
use super::{Connection, Phase};
use crate::crypto::TAG_LEN;
use crate::ids::{Ecn, PacketNumber, PathId, Side, Space};
use crate::path::Quota;
use crate::planted::{self, Bug};
use crate::record::{SentFrame, SentPacket, Transmit};
use crate::time::{Duration, Time};
use crate::wire::frame::{AckFrame, Frame};
use crate::wire::header::FIXED;
use crate::wire::parameters::MIN_DATAGRAM;
use crate::wire::{Full, Writer};

/// The largest UDP payload over IPv4: what one train of segments may hold in all.
const MAX_TRAIN: usize = 65_507;
/// Room that a handshake packet should have beyond its header before it is begun.
const MIN_ROOM: usize = 128;
/// What the anti-amplification limit must let out for the handshake to go on: slivers are not worth
/// a datagram.
pub(super) const MIN_FLIGHT: usize = 600;

/// What a packet may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Acknowledgements alone: the window is full.
    Acks,
    /// Anything.
    All,
    /// Anything, and something that elicits an acknowledgement in any case.
    Probe,
}

impl Connection {
    /// Writes datagrams that are due to `out`: at most `max_segments` of one size (the last may be
    /// shorter), for one system call. To be called until it returns `None`.
    ///
    /// `out` should hold 65,535 bytes. If it is smaller than the path's datagrams, nothing is
    /// written and nothing changes.
    pub fn poll_transmit(
        &mut self,
        now: Time,
        out: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        let now = self.clock(now);
        if out.len() < usize::from(self.path.mtu()) || max_segments == 0 {
            return None;
        }
        let keys = self.spaces.data_keys.as_ref();
        if self.owed.key_update || keys.is_some_and(|keys| keys.update_due()) {
            self.renew_keys(now);
        }
        match self.phase {
            Phase::Handshake | Phase::Established => self.tidy(now),
            Phase::Closing => return self.transmit_close(now, out),
            Phase::Draining | Phase::Drained => return None,
        }
        if (self.spaces.initial.is_some() || self.spaces.handshake.is_some())
            && let Some(transmit) = self.transmit_handshake(now, out)
        {
            return Some(transmit);
        }
        // A probe that is due goes first: a transfer leaves it no room in the window otherwise.
        if self.confirmed
            && let Some(size) = self.path.next_mtu_probe(now)
            && let Some(transmit) = self.transmit_mtu_probe(now, out, size.into())
        {
            return Some(transmit);
        }
        self.transmit_data(now, out, max_segments)
    }

    /// One datagram of coalesced packets, while the handshake lasts.
    #[cold]
    fn transmit_handshake(&mut self, now: Time, out: &mut [u8]) -> Option<Transmit> {
        let limit = usize::from(self.path.mtu()).min(self.amplification_budget());
        let datagram = out.get_mut(..limit)?;
        self.sent.clear();
        let mut drafts: [Option<Draft>; 3] = [None; 3];
        let mut at = 0;
        let mut padded = false;
        for space in Space::ALL {
            let Some(content) = self.handshake_content(now, space, limit) else { continue };
            if at > 0 && datagram.len() < at + MIN_ROOM {
                break;
            }
            let Some(mut draft) = self.compose(now, space, content, datagram, at) else {
                continue;
            };
            draft.pad(datagram, 0);
            at = draft.start + draft.len();
            // RFC 9000, section 14.1: every datagram of a client's Initial, and those of a server's
            // that elicit an acknowledgement.
            padded |= space == Space::Initial && (self.side == Side::Client || draft.ack_eliciting);
            drafts[space.index()] = Some(draft);
        }
        let transmit = self.seal_all(now, &mut drafts, datagram, padded)?;
        if self.side == Side::Client && drafts[Space::Handshake.index()].is_some() {
            // RFC 9001, section 4.9.1: the server has our Handshake packets to go on with.
            self.discard(Space::Initial);
        }
        Some(transmit)
    }

    /// Seals coalesced packets; the last of them pads the datagram to the least that an Initial needs,
    /// if it is to be `padded`.
    fn seal_all(
        &mut self,
        now: Time,
        drafts: &mut [Option<Draft>; 3],
        datagram: &mut [u8],
        padded: bool,
    ) -> Option<Transmit> {
        let last = drafts.iter_mut().flatten().last()?;
        let min = if padded { usize::from(MIN_DATAGRAM).saturating_sub(last.start) } else { 0 };
        last.pad(datagram, min);
        let len = last.start + last.len();
        let datagram = datagram.get_mut(..len)?;
        let ecn = self.path.codepoint();
        for draft in drafts.iter().flatten() {
            self.seal(now, ecn, draft, datagram);
        }
        Some(self.transmit(len, len, ecn))
    }

    /// What a space of the handshake, or application data beside it, has to send, if anything.
    fn handshake_content(&self, now: Time, space: Space, limit: usize) -> Option<Content> {
        if !self.spaces.can_seal(space) {
            return None;
        }
        let ack_due = self.ack_due(now, space);
        let probe = self.recovery.probes(space) > 0;
        let wants = match space {
            Space::Data => self.wants_data(),
            _ => self.handshake().is_some_and(|handshake| handshake.has_crypto(space)),
        };
        // Data in flight that a server cannot read, and so not acknowledge, before it has the Finished
        // must not keep the Finished from being sent again.
        let in_flight = match space {
            Space::Data => self.recovery.in_flight(),
            _ => self.recovery.handshake_in_flight(),
        };
        let open = self.path.quota(now, in_flight) != Quota::Window;
        let fits = open && limit >= MIN_FLIGHT;
        match (probe, wants && fits, ack_due) {
            (true, ..) if limit >= MIN_FLIGHT => Some(Content::Probe),
            (_, true, _) => Some(Content::All),
            (_, _, true) if limit > MIN_ROOM => Some(Content::Acks),
            _ => None,
        }
    }

    /// A train of packets of application data, of the path's full size but for the last.
    fn transmit_data(
        &mut self,
        now: Time,
        out: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        if !self.spaces.can_seal(Space::Data) {
            return None;
        }
        let mut wants = self.wants_data();
        let mut budget = self.data_budget(now, wants);
        if budget == 0 && self.data_content(now, false).is_none() {
            return None;
        }
        let size = usize::from(self.path.datagram_size(self.recovery.pto_count()));
        let most = out.len().min(MAX_TRAIN) as u32 / size as u32;
        let end = size * max_segments.min(most as usize).max(1);
        // One system call gives all of them the same mark.
        let ecn = self.path.codepoint();
        let mut len = 0;
        if budget >= size as u64 {
            self.streams.begin_train((budget.min(end as u64) / size as u64) as usize);
        }
        while len < end
            && let Some(rest) = out.get_mut(len..end)
        {
            let run = self.transmit_run(now, ecn, rest, size, budget);
            if run > 0 {
                len += run;
                budget -= run as u64;
                wants = self.wants_data();
            }
            let Some(datagram) = rest.get_mut(run..run + size) else { break };
            let open = wants && budget >= size as u64;
            let Some(content) = self.data_content(now, open) else { break };
            self.sent.clear();
            let draft = self.compose(now, Space::Data, content, datagram, 0);
            wants = self.wants_data();
            let Some(mut draft) = draft else { break };
            // A packet that is short for want of room, not of data, is filled up: the train goes on.
            let more = content == Content::All && budget >= 2 * size as u64 && wants;
            draft.pad(datagram, if more { size } else { 0 });
            draft.paced = !draft.exempt;
            let Some(datagram) = datagram.get_mut(..draft.len()) else { break };
            self.seal(now, ecn, &draft, datagram);
            len += draft.len();
            budget = budget.saturating_sub(draft.len() as u64);
            if draft.len() < size {
                break;
            }
        }
        if len > 0 && budget >= size as u64 && !wants {
            self.recovery.on_app_limited();
        }
        (len > 0).then(|| self.transmit(len, size.min(len), ecn))
    }

    /// How many bytes that count as in flight may be sent now, where anything wants to be.
    fn data_budget(&mut self, now: Time, wants: bool) -> u64 {
        let before = self.paced_until.take();
        if !wants || self.recovery.is_full(Space::Data) {
            return 0;
        }
        match self.path.quota(now, self.recovery.in_flight()) {
            Quota::Open(bytes) => bytes,
            Quota::Window => 0,
            Quota::Paced(mut at) => {
                if let (true, Some(before)) = (planted::is(Bug::PollChangesState), before) {
                    at = at.max(before + Duration::from_micros(100));
                }
                self.paced_until = Some(at);
                0
            }
        }
    }

    /// What the next packet of application data may hold, if there is one to send; `open`: there is something that
    /// window and pacing let out.
    fn data_content(&self, now: Time, open: bool) -> Option<Content> {
        if self.recovery.probes(Space::Data) > 0 {
            Some(Content::Probe)
        } else if open {
            Some(Content::All)
        } else {
            self.ack_due(now, Space::Data).then_some(Content::Acks)
        }
    }

    /// A datagram of `size` bytes that shows whether the path carries as much.
    #[cold]
    fn transmit_mtu_probe(&mut self, now: Time, out: &mut [u8], size: usize) -> Option<Transmit> {
        let Quota::Open(_) = self.path.quota(now, self.recovery.in_flight()) else { return None };
        let datagram = out.get_mut(..size)?;
        self.sent.clear();
        let mut draft = self.begin(Space::Data, datagram, 0)?;
        let mut w = Writer::new(datagram.get_mut(draft.end..)?);
        // A probe fills the window for nothing until it is acknowledged.
        self.sign_of_life().encode(&mut w).ok()?;
        draft.end += w.len();
        draft.ack_eliciting = true;
        draft.in_flight = true;
        draft.mtu_probe = true;
        draft.exempt = false;
        draft.paced = true;
        draft.pad(datagram, size);
        let ecn = self.path.codepoint();
        self.seal(now, ecn, &draft, datagram);
        Some(self.transmit(size, size, ecn))
    }

    /// The farewell, in every space that the peer may be able to read.
    #[cold]
    fn transmit_close(&mut self, now: Time, out: &mut [u8]) -> Option<Transmit> {
        if !self.close.owed {
            return None;
        }
        let limit = usize::from(MIN_DATAGRAM).min(self.amplification_budget());
        let datagram = out.get_mut(..limit)?;
        let mut drafts: [Option<Draft>; 3] = [None; 3];
        let mut at = 0;
        self.sent.clear();
        for space in Space::ALL {
            if !self.spaces.can_seal(space) {
                continue;
            }
            let Some(mut draft) = self.begin(space, datagram, at) else { continue };
            let room = datagram.len().saturating_sub(TAG_LEN);
            let Some(area) = datagram.get_mut(draft.end..room) else { continue };
            let mut w = Writer::new(area);
            let Some(frame) = self.close.frame(space) else { continue };
            if frame.encode(&mut w).is_err() {
                continue;
            }
            draft.end += w.len();
            draft.pad(datagram, 0);
            at = draft.start + draft.len();
            drafts[space.index()] = Some(draft);
        }
        self.close.owed = false;
        let padded = drafts[0].is_some() && self.side == Side::Client;
        self.seal_all(now, &mut drafts, datagram, padded)
    }

    /// Begins a packet at `at`. Its frames are to follow where it ends.
    fn begin(&mut self, space: Space, datagram: &mut [u8], at: usize) -> Option<Draft> {
        let mut number = self.recovery.next_number(space, &mut self.rng);
        if planted::is(Bug::NumberReused)
            && self.recovery.probes(Space::Data) > 1
            && space == Space::Data
        {
            number = PacketNumber(number.0.saturating_sub(1));
        }
        let acked = self.recovery.largest_acked(space);
        let dcid = self.remote_ids.current();
        let room = datagram.len().checked_sub(TAG_LEN)?;
        let mut w = Writer::new(datagram.get_mut(at..room)?);
        let header = match (space, &self.spaces.data_keys) {
            (Space::Data, Some(keys)) => packet::short(&mut w, &dcid, keys.phase(), number, acked),
            (Space::Data, None) => return None,
            _ => {
                let token = self.opening.as_ref().map_or(&[][..], |opening| &opening.token);
                let scid = self.local_ids.first();
                packet::long(&mut w, space, &dcid, &scid, token, number, acked)
            }
        };
        Some(Draft::new(space, number, at, header.ok()?, w.len(), self.sent.len()))
    }

    /// Writes a packet's header and frames; `None` if nothing was to be said after all.
    fn compose(
        &mut self,
        now: Time,
        space: Space,
        content: Content,
        datagram: &mut [u8],
        at: usize,
    ) -> Option<Draft> {
        let mut draft = self.begin(space, datagram, at)?;
        let room = datagram.len() - TAG_LEN;
        let mut w = Writer::new(datagram.get_mut(draft.end..room)?);
        self.write_ack(now, space, &mut w);
        let acks = w.len();
        let probe = content == Content::Probe && space == Space::Data;
        if probe && self.path.frequency().is_negotiated() {
            Frame::ImmediateAck.encode(&mut w).ok()?;
        }
        if content != Content::Acks {
            match space {
                Space::Data => self.write_data(&mut w),
                _ => self.write_crypto(space, &mut w),
            }
        }
        let overdue = acks > 0 && self.recovery.ping_due(space);
        if w.len() == acks && (content == Content::Probe || overdue) {
            // The window may be full: a lone PING is nothing that would fill it.
            Frame::Ping.encode(&mut w).ok()?;
        }
        if w.is_empty() {
            return None;
        }
        draft.ack_eliciting = w.len() > acks;
        draft.in_flight = draft.ack_eliciting;
        draft.exempt = content != Content::All;
        draft.end += w.len();
        draft.frames.1 = self.sent.len();
        Some(draft)
    }

    /// Moves to new packet keys, or to the end, if the present ones have sealed enough.
    #[cold]
    fn renew_keys(&mut self, now: Time) {
        if let Some(keys) = &mut self.spaces.data_keys {
            if let Err(error) = keys.check_limits() {
                return self.fail(now, error);
            }
            if keys.update(now) {
                self.owed.key_update = false;
            }
        }
    }

    fn write_ack(&mut self, now: Time, space: Space, w: &mut Writer<'_>) {
        let Some(inbound) = self.spaces.inbound(space) else { return };
        if !inbound.acks.has_unsent() {
            return;
        }
        let Some(largest) = inbound.window.largest() else { return };
        let delay = inbound.acks.delay(now);
        let ecn = inbound.acks.counts();
        let ranges = inbound.window.ranges();
        // At most half of the packet, so that acknowledgements never starve data.
        let limit = w.room() / 2;
        if w.attempt(|w| AckFrame::write(w, limit, ranges, delay, ecn)).is_ok() {
            inbound.acks.on_sent();
            self.counts.acks_sent += 1;
            self.sent.push(SentFrame::Ack(largest));
        }
    }

    fn write_crypto(&mut self, space: Space, w: &mut Writer<'_>) {
        let limit = self.crypto_limit(space);
        if let Some(handshake) =
            self.opening.as_mut().and_then(|opening| opening.handshake.as_mut())
        {
            let written = handshake.write_crypto(space, w, &mut self.sent, limit);
            self.counts.handshake_bytes_sent += written as u64;
        }
    }

    fn write_data(&mut self, w: &mut Writer<'_>) {
        // A frame that does not fit waits for the next packet.
        let _ = self.write_control(w);
        if self.streams.has_control() {
            self.streams.write_control(w, &mut self.sent);
        }
        self.streams.write_data(w, &mut self.sent);
    }

    fn write_control(&mut self, w: &mut Writer<'_>) -> Result<(), Full> {
        if self.owed.handshake_done {
            Frame::HandshakeDone.encode(w)?;
            self.owed.handshake_done = false;
            self.sent.push(SentFrame::HandshakeDone);
        }
        if let Some(frame) = self.path.frequency_mut().next_request() {
            Frame::AckFrequency(frame).encode(w)?;
            self.sent.push(SentFrame::AckFrequency(frame.sequence));
        }
        while self.local_ids.has_issue() && w.room() >= 64 {
            let Some(frame) = self.local_ids.next_to_issue() else { break };
            Frame::NewConnectionId(frame).encode(w)?;
            self.sent.push(SentFrame::NewConnectionId(frame.sequence));
        }
        while self.remote_ids.has_retirement() && w.room() >= 16 {
            let Some(sequence) = self.remote_ids.next_retirement() else { break };
            Frame::RetireConnectionId(sequence).encode(w)?;
            self.sent.push(SentFrame::RetireConnectionId(sequence));
        }
        if self.owed.ping && self.sign_of_life().encode(w).is_ok() {
            self.owed.ping = false;
        }
        Ok(())
    }

    /// A frame that asks for nothing but an acknowledgement. There is nothing that this one could wait for and
    /// go out with: held back it would only wake the peer twice.
    fn sign_of_life(&self) -> Frame<'static> {
        if self.path.frequency().is_negotiated() { Frame::ImmediateAck } else { Frame::Ping }
    }

    /// Whether there is something to send that elicits an acknowledgement.
    fn wants_data(&self) -> bool {
        self.streams.can_send_data() || self.streams.has_control() || self.owes_control()
    }

    /// Whether control frames wait to be sent that are not those of streams.
    pub(super) fn owes_control(&self) -> bool {
        self.owed.handshake_done
            || self.owed.ping
            || self.local_ids.has_issue()
            || self.remote_ids.has_retirement()
    }

    fn ack_due(&self, now: Time, space: Space) -> bool {
        self.spaces.inbound_ref(space).is_some_and(|inbound| inbound.acks.is_due(now))
    }

    /// Seals a packet in `datagram`, which is the whole datagram and leaves marked with `ecn`, and remembers it.
    fn seal(&mut self, now: Time, ecn: Ecn, draft: &Draft, datagram: &mut [u8]) {
        let whole = datagram.len();
        let Some(packet) = datagram.get_mut(draft.start..draft.start + draft.len()) else { return };
        debug_assert!(packet[0] & FIXED != 0);
        draft.finish_header(packet);
        if let Some(tap) = &mut self.tap {
            let data = draft.space == Space::Data;
            let keys = self.spaces.data_keys.as_ref().filter(|_| data);
            let generation = keys.map_or(0, |keys| keys.generation());
            if let Some(packet) = draft.in_the_clear(now, generation, packet, whole) {
                tap.sent(&packet);
            }
        }
        let (number, at, len) = (draft.number, draft.number_at(), draft.number_len);
        let sealed = match (draft.space, &mut self.spaces) {
            (Space::Data, Spaces { data_keys: Some(keys), .. }) => {
                keys.seal(PathId(0), number, packet, at, len)
            }
            (space, spaces) => match spaces.level(space) {
                Some(level) => level.keys.seal(number, packet, at, len),
                None => Ok(()),
            },
        };
        if let Err(error) = sealed {
            // The key's last packets; this one is garbage to the peer, the farewell is not.
            self.fail(now, error);
        }
        let size = if draft.in_flight { draft.len() as u16 } else { 0 };
        let record = SentPacket {
            time: now,
            size,
            ack_eliciting: draft.ack_eliciting,
            mtu_probe: draft.mtu_probe,
            ecn,
        };
        let frames = self.sent.get(draft.frames.0..draft.frames.1).unwrap_or_default();
        self.recovery.on_sent(draft.space, number, &record, frames);
        let in_flight = self.recovery.in_flight();
        self.path.on_packet_sent(draft.space, number, &record, in_flight);
        if draft.ack_eliciting {
            self.idle.on_sent(now);
        }
        self.counts.packets_sent += 1;
    }

    /// Bytes that the anti-amplification limit lets out.
    fn amplification_budget(&self) -> usize {
        usize::try_from(self.path.amplification_budget()).unwrap_or(usize::MAX)
    }

    fn transmit(&mut self, len: usize, segment: usize, ecn: Ecn) -> Transmit {
        let datagrams = if len > segment { len.div_ceil(segment) } else { 1 };
        self.path.on_datagrams_sent(len, datagrams);
        Transmit { remote: self.path.remote(), local: self.path.local(), ecn, len, segment }
    }
}
