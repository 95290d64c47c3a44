//! Datagrams in: coalesced packets are split, opened in place and processed.

use super::deferred::Deferred;
use super::spaces::Arrival;
use super::tap::{Refusal, TapPacket};
use super::{Connection, Phase};
use crate::error::{CloseReason, Code, TransportError};
use crate::ids::{ConnectionId, PacketNumber, PathId, Side, Space, Version};
use crate::protection::{OpenError, Opened, verify_retry};
use crate::record::Received;
use crate::time::Time;
use crate::wire::Reader;
use crate::wire::frame::{Frames, RESET_TOKEN_LEN};
use crate::wire::header::{Kind, LONG, Packet, Protected};
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
        for datagram in bytes.chunks_mut(segment.max(1)) {
            if let Err(error) = self.handle_datagram(now, meta, datagram) {
                self.fail(now, error);
            }
        }
        // A sample of the round-trip time may shorten the probe timeout so far that it is over.
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.handle_timeout(now);
        }
    }

    fn handle_datagram(
        &mut self,
        now: Time,
        meta: &Received,
        datagram: &mut [u8],
    ) -> Result<(), TransportError> {
        if self.phase == Phase::Drained || meta.remote != self.path.remote() {
            return Ok(());
        }
        self.path.on_received(datagram.len());
        self.datagram = datagram.len();
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
                        self.handle_packet(now, meta, &protected, packet)?;
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
                    if self.is_local_id(&dcid) && scid == self.initial_dcid {
                        self.on_negotiation(&rest[versions]);
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
        now: Time,
        meta: &Received,
        protected: &Protected,
        packet: &mut [u8],
    ) -> Result<(), TransportError> {
        if !self.is_local_id(&protected.dcid) {
            // A reset carries no ID of ours; its last bytes are compared before they are touched.
            self.check_reset(packet);
            return Ok(());
        }
        let token = self.side == Side::Client && !protected.token.is_empty();
        if protected.kind != Kind::Data && (token || self.is_foreign(&protected.scid)) {
            return Ok(());
        }
        let trailer = reset_trailer(packet);
        let expected = self.spaces.inbound_ref(protected.kind.space());
        let largest = expected.and_then(|inbound| inbound.window.largest());
        match self.open(now, protected, packet) {
            Ok(Opened { number, payload }) => {
                self.show_opened(now, protected.kind, number, packet, &payload);
                let Some(payload) = packet.get(payload) else { return Ok(()) };
                let in_order = largest.map_or(0, |largest| largest.0 + 1) == number.0;
                self.counts.packets_received += 1;
                self.on_packet(now, meta, protected, number, in_order, payload)
            }
            Err(OpenError::Fatal(error)) => Err(error),
            Err(refused @ (OpenError::Drop | OpenError::Duplicate)) => {
                if protected.kind == Kind::Data && self.is_reset(packet.len(), trailer) {
                    self.on_stateless_reset();
                } else if self.awaits_keys(protected.kind) && self.deferred.push(packet, meta) {
                    self.counts.packets_deferred += 1;
                } else {
                    self.counts.packets_refused += 1;
                    self.show_refused(now, protected.kind, refused);
                }
                Ok(())
            }
        }
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

    fn open(
        &mut self,
        now: Time,
        protected: &Protected,
        packet: &mut [u8],
    ) -> Result<Opened, OpenError> {
        let at = protected.number_at;
        match protected.kind {
            Kind::Early => Err(OpenError::Drop),
            Kind::Data => {
                let keys = self.spaces.data_keys.as_mut().ok_or(OpenError::Drop)?;
                // The server learns nothing from 1-RTT packets before the client's Finished.
                keys.open(now, PathId(0), &mut self.spaces.data.window, packet, at)
            }
            Kind::Initial | Kind::Handshake => {
                let space = protected.kind.space();
                let level = self.spaces.level(space).ok_or(OpenError::Drop)?;
                level.keys.open(&mut level.inbound.window, packet, at)
            }
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

    /// Processes what was deferred, after keys were installed.
    pub(super) fn replay_deferred(&mut self, now: Time) -> Result<(), TransportError> {
        for _ in 0..self.deferred.len() {
            let Some((mut bytes, meta)) = self.deferred.pop() else { break };
            if let Ok(Packet::Protected(protected)) = Packet::parse(&bytes) {
                self.handle_packet(now, &meta, &protected, &mut bytes)?;
            }
        }
        if self.spaces.data_keys.is_some() {
            self.deferred = Deferred::default();
        }
        Ok(())
    }

    fn on_packet(
        &mut self,
        now: Time,
        meta: &Received,
        protected: &Protected,
        number: PacketNumber,
        in_order: bool,
        payload: &[u8],
    ) -> Result<(), TransportError> {
        let space = protected.kind.space();
        self.on_authentic(now, protected);
        match self.phase {
            Phase::Handshake | Phase::Established => {}
            Phase::Closing => {
                self.on_packet_while_closing(now, payload);
                return Ok(());
            }
            Phase::Draining | Phase::Drained => return Ok(()),
        }
        if payload.is_empty() {
            return Err(TransportError::new(Code::PROTOCOL_VIOLATION, "packet without frames"));
        }
        let mut ack_eliciting = false;
        for frame in Frames::new(payload) {
            let (kind, frame) = frame?;
            if !permitted(kind, space, self.side.peer()) {
                let error = TransportError::new(Code::PROTOCOL_VIOLATION, "frame not allowed here");
                return Err(error.in_frame(kind));
            }
            ack_eliciting |= frame.is_ack_eliciting();
            self.on_frame(now, space, &frame).map_err(|error| error.in_frame(kind))?;
            if !self.phase.is_open() {
                return Ok(());
            }
        }
        let max_ack_delay = self.config.max_ack_delay;
        if let Some(inbound) = self.spaces.inbound(space) {
            // What is larger than anything before it is a probe of the path's MTU. It fills the sender's
            // window for nothing until it is acknowledged, which is therefore not held back.
            let probe = self.datagram > self.largest_datagram;
            self.largest_datagram = self.largest_datagram.max(self.datagram);
            let in_order = in_order && !probe;
            let arrival = Arrival { number, ack_eliciting, in_order, ecn: meta.ecn };
            inbound.on_packet(now, arrival, max_ack_delay);
        }
        if space != Space::Data {
            self.drive_handshake(now)?;
        }
        Ok(())
    }

    /// What an authentic packet proves, whatever it holds.
    fn on_authentic(&mut self, now: Time, protected: &Protected) {
        self.idle.on_received(now);
        match (self.side, protected.kind) {
            (Side::Client, Kind::Initial) if self.peer_scid.is_none() => {
                self.peer_scid = Some(protected.scid);
                self.remote_ids.set_first(protected.scid);
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
                && self.handshake.is_some()
                && *dcid == self.initial_dcid);
        if ours {
            self.last_dcid = *dcid;
        }
        ours
    }

    /// Whether a long header comes from another source than the first one did (RFC 9000,
    /// section 7.2).
    fn is_foreign(&self, scid: &ConnectionId) -> bool {
        self.peer_scid.is_some_and(|first| first != *scid)
    }

    fn on_retry_packet(&mut self, packet: &[u8], scid: ConnectionId, token: Range<usize>) {
        // At most one Retry, and only as the first answer (RFC 9000, section 17.2.5).
        let first =
            self.side == Side::Client && self.peer_scid.is_none() && self.retry_scid.is_none();
        let authentic = verify_retry(&*self.provider, &self.initial_dcid, packet);
        let (Some(token), true, true) = (packet.get(token), first, authentic) else { return };
        if scid == self.initial_dcid {
            return;
        }
        self.on_retry(scid, token.to_vec());
    }

    fn on_negotiation(&mut self, versions: &[u8]) {
        let unanswered = self.side == Side::Client && self.peer_scid.is_none();
        if !unanswered || self.retry_scid.is_some() {
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
        if short && self.is_reset(packet.len(), reset_trailer(packet)) {
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

/// The last bytes of a packet, kept because opening it may overwrite them.
fn reset_trailer(packet: &[u8]) -> Option<[u8; RESET_TOKEN_LEN]> {
    packet.last_chunk().copied()
}
