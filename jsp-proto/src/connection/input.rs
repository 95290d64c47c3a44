//! Datagrams in: coalesced packets are split, opened in place and processed.

use super::batch::{Batch, GROUP, Masks};
use super::deferred::Deferred;
use super::spaces::Spaces;
use super::tap::{Refusal, TapPacket};
use super::{Connection, Phase};
use crate::error::{CloseReason, Code, TransportError};
use crate::ids::{ConnectionId, PacketNumber, PathId, Side, Space, Version};
use crate::protection::{HeaderMask, OpenError, Opened, verify_retry};
use crate::record::Received;
use crate::recovery::Arrivals;
use crate::time::Time;
use crate::wire::Reader;
use crate::wire::frame::kind::{ACK, ACK_ECN, STREAM};
use crate::wire::frame::{Frames, RESET_TOKEN_LEN};
use crate::wire::header::{Kind, LONG, Packet, Protected, SHORT_NUMBER_AT, short_destination};
use crate::wire::permission::permitted;
use core::ops::Range;

/// The shortest stateless reset (RFC 9000, section 10.3).
const MIN_RESET: usize = 21;
impl Connection {
    /// Takes datagrams from the network, decrypting in place: `bytes` holds one or more of
    /// `segment` bytes each (the last may be shorter), as generic receive offload gives them.
    ///
    /// One acknowledgement answers a whole batch. Whatever the bytes are, the call neither fails nor
    /// panics; what does not authenticate changes nothing but counts.
    pub fn handle_datagrams(
        &mut self,
        now: Time,
        meta: &Received,
        bytes: &mut [u8],
        segment: usize,
    ) {
        let now = self.clock(now);
        let segment = segment.max(1);
        if meta.remote == self.path.remote() && self.phase != Phase::Drained {
            let mut batch = Batch::new(now, meta);
            if bytes.len() <= segment {
                self.path.on_received(bytes.len(), usize::from(!bytes.is_empty()));
                if let Err(error) = self.handle_datagram(&mut batch, bytes, None) {
                    self.fail(now, error);
                }
            } else {
                self.path.on_received(bytes.len(), bytes.len().div_ceil(segment));
                self.handle_train(&mut batch, bytes, segment);
            }
            self.settle(&batch);
        }
        if self.hangs_on_pto() && self.next_timeout().is_some_and(|at| at <= now) {
            self.handle_timeout(now);
        }
    }

    /// Takes several datagrams, of `segment` bytes each.
    fn handle_train(&mut self, batch: &mut Batch<'_>, bytes: &mut [u8], segment: usize) {
        for group in bytes.chunks_mut(segment.saturating_mul(GROUP)) {
            let keys = self.spaces.data_keys.as_ref();
            let masks = keys.map_or(Masks::NONE, |keys| Masks::new(keys, group, segment));
            for (index, datagram) in group.chunks_mut(segment).enumerate() {
                if self.phase == Phase::Drained {
                    return;
                }
                if let Err(error) = self.handle_datagram(batch, datagram, masks.get(index)) {
                    self.fail(batch.now, error);
                }
            }
        }
    }

    /// Does what a batch's packets ask for once.
    fn settle(&mut self, batch: &Batch<'_>) {
        if batch.packets() > 0 {
            self.idle.on_received(batch.now);
            self.counts.packets_received += batch.packets();
        }
        self.spaces.data.acks.on_received(batch.now, batch.arrived(), batch.meta.ecn);
        self.streams.settle();
    }

    /// Takes a datagram: a packet with a short header, whose header's `mask` may be known, or what else there is.
    fn handle_datagram(
        &mut self,
        batch: &mut Batch<'_>,
        datagram: &mut [u8],
        mask: Option<HeaderMask>,
    ) -> Result<(), TransportError> {
        self.datagram = datagram.len();
        let Some(dcid) = short_destination(datagram).copied() else {
            return self.handle_coalesced(batch, datagram);
        };
        if !batch.is_known(dcid) {
            if !self.is_local_id(&ConnectionId::from(dcid)) {
                // A reset carries no ID of ours.
                self.check_reset(datagram);
                return Ok(());
            }
            batch.set_known(dcid);
        }
        self.handle_data(batch, datagram, mask)
    }

    /// Takes a datagram of packets with long headers; the last may have a short one.
    fn handle_coalesced(
        &mut self,
        batch: &mut Batch<'_>,
        datagram: &mut [u8],
    ) -> Result<(), TransportError> {
        let mut rest = datagram;
        let mut first_dcid = None;
        while !rest.is_empty() {
            let Ok(packet) = Packet::parse(rest) else {
                // A stateless reset may be shorter than any packet.
                self.check_reset(rest);
                break;
            };
            match packet {
                Packet::Protected(protected) => {
                    // Packets of one datagram have one destination (RFC 9000, section 12.2).
                    let dcid = *first_dcid.get_or_insert(protected.dcid);
                    let (packet, behind) = rest.split_at_mut(protected.end);
                    if dcid == protected.dcid {
                        self.handle_packet(batch, &protected, packet)?;
                    }
                    rest = behind;
                }
                Packet::Retry { dcid, scid, token } => {
                    if self.is_local_id(&dcid) {
                        self.on_retry_packet(rest, scid, token);
                    }
                    break;
                }
                Packet::Negotiation { dcid, scid, versions } => {
                    if self.is_local_id(&dcid) {
                        self.on_negotiation(scid, &rest[versions]);
                    }
                    break;
                }
                Packet::Other { .. } => break,
            }
        }
        Ok(())
    }

    fn handle_packet(
        &mut self,
        batch: &mut Batch<'_>,
        protected: &Protected,
        packet: &mut [u8],
    ) -> Result<(), TransportError> {
        if !self.is_local_id(&protected.dcid) {
            // A reset carries no ID of ours; its last bytes are compared before they are touched.
            self.check_reset(packet);
            return Ok(());
        }
        if protected.kind == Kind::Data {
            return self.handle_data(batch, packet, None);
        }
        let token = self.side == Side::Client && !protected.token.is_empty();
        if token || self.is_foreign(&protected.scid) {
            return Ok(());
        }
        match self.open(protected, packet) {
            Ok((Opened { number, payload }, expected)) => {
                self.show_opened(batch.now, protected.kind, number, packet, &payload);
                let Some(payload) = packet.get(payload) else { return Ok(()) };
                batch.on_opened();
                self.on_handshake_packet(batch, protected, number, expected, payload)
            }
            Err(error) => self.on_unopened(batch, protected.kind, error, packet, None),
        }
    }

    /// Opens a packet with a long header; the number after the largest before it comes along.
    fn open(
        &mut self,
        protected: &Protected,
        packet: &mut [u8],
    ) -> Result<(Opened, PacketNumber), OpenError> {
        if protected.kind == Kind::Early {
            return Err(OpenError::Drop);
        }
        let level = self.spaces.level(protected.kind.space()).ok_or(OpenError::Drop)?;
        let expected = level.inbound.window.expected();
        let opened = level.keys.open(&mut level.inbound.window, packet, protected.number_at)?;
        Ok((opened, expected))
    }

    /// Takes a packet with a short header that is addressed to this connection.
    fn handle_data(
        &mut self,
        batch: &mut Batch<'_>,
        packet: &mut [u8],
        mask: Option<HeaderMask>,
    ) -> Result<(), TransportError> {
        // The last bytes of a stateless reset, kept because opening may overwrite them.
        let trailer = packet.last_chunk().copied();
        let Spaces { data_keys, data, .. } = &mut self.spaces;
        let expected = data.window.expected();
        let opened = match (data_keys, mask) {
            (Some(keys), Some(mask)) => {
                let (window, at) = (&mut data.window, SHORT_NUMBER_AT);
                keys.open_masked(batch.now, PathId(0), window, packet, at, mask)
            }
            (Some(keys), None) => {
                keys.open(batch.now, PathId(0), &mut data.window, packet, SHORT_NUMBER_AT)
            }
            (None, _) => Err(OpenError::Drop),
        };
        match opened {
            Ok(Opened { number, payload }) => {
                if self.tap.is_some() {
                    self.show_opened(batch.now, Kind::Data, number, packet, &payload);
                }
                let Some(payload) = packet.get(payload) else { return Ok(()) };
                batch.on_opened();
                self.on_data_packet(batch, number, expected, payload)
            }
            Err(error) => self.on_unopened(batch, Kind::Data, error, packet, trailer),
        }
    }

    /// A packet that did not open. `trailer`: its last bytes as they came, where they may be a stateless reset.
    #[cold]
    fn on_unopened(
        &mut self,
        batch: &Batch<'_>,
        kind: Kind,
        error: OpenError,
        packet: &[u8],
        trailer: Option<[u8; RESET_TOKEN_LEN]>,
    ) -> Result<(), TransportError> {
        match error {
            OpenError::Fatal(error) => return Err(error),
            OpenError::Drop | OpenError::Duplicate if self.is_reset(packet.len(), trailer) => {
                self.on_stateless_reset();
            }
            OpenError::Drop | OpenError::Duplicate
                if self.awaits_keys(kind) && self.defer(packet, batch.meta) =>
            {
                self.counts.packets_deferred += 1;
            }
            refused @ (OpenError::Drop | OpenError::Duplicate) => {
                self.counts.packets_refused += 1;
                self.show_refused(batch.now, kind, refused);
            }
        }
        Ok(())
    }

    /// Shows the tap, if there is one, a packet that was opened: authentic and new.
    fn show_opened(
        &mut self,
        now: Time,
        kind: Kind,
        number: PacketNumber,
        packet: &[u8],
        payload: &Range<usize>,
    ) {
        let Some(tap) = &mut self.tap else { return };
        let first = packet.first().copied().unwrap_or_default();
        let generation = self.spaces.generation_opened(kind, first);
        let whole = self.datagram;
        if let Some(packet) =
            TapPacket::opened(now, kind, number, generation, packet, payload, whole)
        {
            tap.received(&packet);
        }
    }

    #[cold]
    fn show_refused(&mut self, now: Time, kind: Kind, error: OpenError) {
        let why = match error {
            OpenError::Duplicate => Refusal::Duplicate,
            _ if kind != Kind::Early && self.spaces.can_seal(kind.space()) => Refusal::NotAuthentic,
            _ => Refusal::NoKeys,
        };
        if let Some(tap) = &mut self.tap {
            tap.refused(now, kind, why);
        }
    }

    /// Whether packets of this kind will be readable later.
    fn awaits_keys(&self, kind: Kind) -> bool {
        match kind {
            Kind::Handshake => self.spaces.handshake.is_none() && !self.spaces.handshake_done,
            Kind::Data => self.spaces.data_keys.is_none() && self.phase == Phase::Handshake,
            Kind::Initial | Kind::Early => false,
        }
    }

    /// Keeps a packet for later; tells whether there was room.
    fn defer(&mut self, packet: &[u8], meta: &Received) -> bool {
        self.opening.as_mut().is_some_and(|opening| opening.deferred.push(packet, meta))
    }

    /// Processes what was deferred, after keys were installed.
    pub(super) fn replay_deferred(&mut self, now: Time) -> Result<(), TransportError> {
        let count = self.opening.as_ref().map_or(0, |opening| opening.deferred.len());
        for _ in 0..count {
            let next = self.opening.as_mut().and_then(|opening| opening.deferred.pop());
            let Some((mut bytes, meta)) = next else { break };
            if let Ok(Packet::Protected(protected)) = Packet::parse(&bytes) {
                let mut batch = Batch::new(now, &meta);
                let outcome = self.handle_packet(&mut batch, &protected, &mut bytes);
                self.settle(&batch);
                outcome?;
            }
        }
        if let (Some(opening), Some(_)) = (&mut self.opening, &self.spaces.data_keys) {
            opening.deferred = Deferred::default();
        }
        Ok(())
    }

    /// Takes an Initial or a Handshake packet.
    fn on_handshake_packet(
        &mut self,
        batch: &Batch<'_>,
        protected: &Protected,
        number: PacketNumber,
        expected: PacketNumber,
        payload: &[u8],
    ) -> Result<(), TransportError> {
        let (now, space) = (batch.now, protected.kind.space());
        self.on_authentic(protected);
        let Some(ack_eliciting) = self.on_payload(now, space, payload)? else { return Ok(()) };
        if let Some(inbound) = self.spaces.inbound(space) {
            let mut arrived = Arrivals::default();
            arrived.add(number, expected, ack_eliciting);
            inbound.acks.on_received(now, &arrived, batch.meta.ecn);
        }
        self.drive_handshake(now)
    }

    /// Takes a Data packet.
    fn on_data_packet(
        &mut self,
        batch: &mut Batch<'_>,
        number: PacketNumber,
        expected: PacketNumber,
        payload: &[u8],
    ) -> Result<(), TransportError> {
        if let Some(ack_eliciting) = self.on_payload(batch.now, Space::Data, payload)? {
            batch.on_data(number, expected, ack_eliciting);
        }
        Ok(())
    }

    /// Takes a packet's frames; tells whether it is ack-eliciting, or `None` if the connection is not open, or not
    /// any more.
    fn on_payload(
        &mut self,
        now: Time,
        space: Space,
        payload: &[u8],
    ) -> Result<Option<bool>, TransportError> {
        match self.phase {
            Phase::Handshake | Phase::Established => {}
            Phase::Closing => {
                self.on_packet_while_closing(now, payload);
                return Ok(None);
            }
            Phase::Draining | Phase::Drained => return Ok(None),
        }
        if payload.is_empty() {
            return Err(TransportError::new(Code::PROTOCOL_VIOLATION, "packet without frames"));
        }
        let mut ack_eliciting = false;
        let mut frames = Frames::new(payload);
        while let Some(kind) = frames.peek() {
            // Either side may send STREAM frames in Data packets, and in no others; ACKs in all.
            if space == Space::Data && kind & STREAM != 0 {
                let frame = frames.next_stream()?;
                self.on_stream(now, &frame).map_err(|error| error.in_frame(kind))?;
                ack_eliciting = true;
            } else if kind == ACK || kind == ACK_ECN {
                let frame = frames.next_ack()?;
                self.on_ack(now, space, &frame).map_err(|error| error.in_frame(kind))?;
            } else {
                ack_eliciting |= self.on_other_frame(now, space, kind, &mut frames)?;
                if !self.phase.is_open() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(ack_eliciting))
    }

    /// Takes the next of `frames`, which is one of those that few packets hold; tells whether it is ack-eliciting.
    #[inline(never)]
    fn on_other_frame(
        &mut self,
        now: Time,
        space: Space,
        kind: u8,
        frames: &mut Frames<'_>,
    ) -> Result<bool, TransportError> {
        let Some(frame) = frames.next() else { return Ok(false) };
        let (_, frame) = frame?;
        if !permitted(kind, space, self.side.peer()) {
            let error = TransportError::new(Code::PROTOCOL_VIOLATION, "frame not allowed here");
            return Err(error.in_frame(kind));
        }
        self.on_frame(now, space, &frame).map_err(|error| error.in_frame(kind))?;
        Ok(frame.is_ack_eliciting())
    }

    /// What an authentic packet of the handshake proves, whatever it holds.
    fn on_authentic(&mut self, protected: &Protected) {
        match (self.side, protected.kind) {
            (Side::Client, Kind::Initial) => {
                if let Some(first) = self.opening.as_mut().map(|opening| &mut opening.peer_scid)
                    && first.is_none()
                {
                    *first = Some(protected.scid);
                    self.remote_ids.set_first(protected.scid);
                }
            }
            (Side::Server, Kind::Handshake) => {
                // Only who read our ServerHello can seal a Handshake packet.
                self.path.validate();
                self.discard(Space::Initial);
            }
            _ => {}
        }
    }

    /// Whether `dcid` is one that this end issued, or that the client chose for it.
    fn is_local_id(&mut self, dcid: &ConnectionId) -> bool {
        let ours = self.local_ids.is_active(dcid)
            || (self.side == Side::Server
                && self.opening.as_ref().is_some_and(|opening| *dcid == opening.initial_dcid));
        if ours {
            self.last_dcid = *dcid;
        }
        ours
    }

    /// Whether a long header comes from another source than the first one did (RFC 9000,
    /// section 7.2). Once the handshake is confirmed there are no keys for such packets.
    fn is_foreign(&self, scid: &ConnectionId) -> bool {
        let first = self.opening.as_ref().and_then(|opening| opening.peer_scid);
        first.is_some_and(|first| first != *scid)
    }

    fn on_retry_packet(&mut self, packet: &[u8], scid: ConnectionId, token: Range<usize>) {
        // At most one Retry, and only as the first answer (RFC 9000, section 17.2.5).
        let Some(dcid) = self.unanswered_dcid() else { return };
        let authentic = verify_retry(&*self.provider, &dcid, packet);
        let (Some(token), true) = (packet.get(token), authentic && scid != dcid) else { return };
        self.on_retry(scid, token.to_vec());
    }

    /// The destination of a client's Initials, as long as nobody answered any.
    fn unanswered_dcid(&self) -> Option<ConnectionId> {
        let opening = self.opening.as_ref().filter(|_| self.side == Side::Client)?;
        opening.is_unanswered().then_some(opening.initial_dcid)
    }

    fn on_negotiation(&mut self, scid: ConnectionId, versions: &[u8]) {
        if self.unanswered_dcid() != Some(scid) {
            return;
        }
        let mut reader = Reader::new(versions);
        let mut ours = false;
        while let Ok(version) = reader.u32() {
            ours |= Version(version) == Version::V1;
        }
        // A list with our version in it is nothing that a server would send (RFC 9000, section 6.2).
        if !ours {
            self.end(CloseReason::VersionMismatch);
        }
    }

    fn check_reset(&mut self, packet: &[u8]) {
        let short = packet.first().is_some_and(|first| first & LONG == 0);
        if short && self.is_reset(packet.len(), packet.last_chunk().copied()) {
            self.on_stateless_reset();
        }
    }

    fn is_reset(&self, len: usize, trailer: Option<[u8; RESET_TOKEN_LEN]>) -> bool {
        len >= MIN_RESET && trailer.is_some_and(|token| self.remote_ids.matches_reset(&token))
    }

    fn on_stateless_reset(&mut self) {
        if self.phase.is_open() {
            self.end(CloseReason::StatelessReset);
        }
    }
}
